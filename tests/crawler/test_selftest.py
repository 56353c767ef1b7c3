"""The self-test passes on a sound guard, and a sweep does not start on any other."""

from __future__ import annotations

import pytest

from crawler import browser, guard, selftest

YES = guard.Verdict(True, "", "")


def test_a_sound_guard_passes_with_the_http_fetcher() -> None:
    report = selftest.check_guard(render=False)
    assert report.fetchers == ("http",)
    assert report.canaries > 30


@pytest.mark.browser
def test_a_sound_guard_passes_with_the_browser() -> None:
    report = selftest.check_guard(render=True)
    assert report.fetchers == ("http", "browser")
    assert report.browser


def test_a_gate_that_lets_types_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "judge_head", lambda *_, **__: YES)
    monkeypatch.setattr(guard, "judge_start", lambda *_: YES)
    monkeypatch.setattr(guard, "judge_piece", lambda *_, **__: YES)
    with pytest.raises(selftest.GuardLeak, match="typed-image was read on"):
        selftest.check_guard(render=False)


def test_a_scrubber_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "scrub", lambda text, **_: guard.Scrubbed(text, ()))
    monkeypatch.setattr(guard, "judge_store", lambda _: YES)
    with pytest.raises(selftest.GuardLeak, match="data-uri was kept"):
        selftest.check_guard(render=False)


def test_an_open_private_network_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.egress.special", lambda _: "")
    with pytest.raises(selftest.GuardLeak, match="a private address was contacted"):
        selftest.check_guard(render=False)


@pytest.mark.browser
def test_a_browser_that_runs_no_script_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_RAN", "")
    with pytest.raises(selftest.GuardLeak, match="did not run"):
        selftest.check_guard(render=True)


@pytest.mark.browser
def test_a_browser_that_may_ask_for_pictures_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "ALLOWED_RESOURCES", (*guard.ALLOWED_RESOURCES, "image", "media"))
    monkeypatch.setattr(browser, "SWITCHES", tuple(item for item in browser.SWITCHES if "imagesEnabled" not in item))
    with pytest.raises(selftest.GuardLeak, match="was asked for"):
        selftest.check_guard(render=True)


def test_a_missing_browser_is_a_matter_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAINVIEW_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(browser.BrowserUnavailable):
        selftest.check_guard(render=True)
