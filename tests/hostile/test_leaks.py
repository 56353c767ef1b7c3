"""No media gets through, whichever way a page offers it. ``make leaks`` runs every vector with both fetchers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import leaks
from tests.hostile.vectors import Vector, Web


def broken(swept: leaks.Swept) -> list[str]:
    strangers = sorted(swept.reached - set(leaks.HOSTS))
    faults = [f"{row.vector.name}: {row.fault}" for row in swept.rows if row.fault]
    return faults + [str(item) for item in swept.failures] + [f"reached for {name}" for name in strangers]


def test_there_are_at_least_sixty_ways_and_each_has_its_own_canary() -> None:
    web = Web(hosts=leaks.HOSTS)
    assert len(web.vectors) >= 60
    assert len(set(web.marks().values())) == len(web.vectors)


def test_nothing_gets_through_the_http_fetcher(tmp_path: Path) -> None:
    swept = leaks.sweep(tmp_path, "http")
    assert broken(swept) == []
    assert len(swept.rows) >= 250
    assert swept.files > 20


# What only a browser can do; the answers behind plain links are the http fetcher's matter.
_NOT_FOR_A_BROWSER = ("typed-", "lie-", "untyped-", "ending-", "answer-", "tag-", "inline-")
_ONE_OF_A_KIND = ("tag-img", "tag-video-poster", "tag-css-font", "tag-link-preload-image", "tag-speculation-rules",
                  "tag-srcdoc-img", "tag-shadow-root", "tag-svg-use", "tag-object", "tag-portal", "inline-data-img",
                  "inline-built-canvas", "inline-built-history", "inline-built-cookie", "inline-built-svg", "inline-byte-list",
                  "answer-late", "lie-png")  # fmt: skip


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short: a browser's sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="pv") as folder:
        yield Path(folder)


@pytest.mark.browser
def test_nothing_gets_through_the_browser(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(vector: Vector) -> bool:
        return vector.name in _ONE_OF_A_KIND or not vector.name.startswith(_NOT_FOR_A_BROWSER)

    some = [vector for vector in Web().vectors if chosen(vector)]
    monkeypatch.setattr(leaks, "Web", lambda hosts: Web(vectors=some, hosts=hosts))
    swept = leaks.sweep(short, "browser")
    assert broken(swept) == []
    assert len(swept.rows) >= 80


@pytest.mark.browser
@pytest.mark.slow
def test_nothing_gets_through_the_browser_in_any_way(short: Path) -> None:
    swept = leaks.sweep(short, "browser")
    assert broken(swept) == []


def test_the_suite_sees_a_leak_when_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crawler import guard

    few = [
        vector for vector in Web().vectors if vector.name in ("typed-png", "lie-png", "inline-data-img", "typed-zip")
    ]
    monkeypatch.setattr(leaks, "Web", lambda hosts: Web(vectors=few, hosts=hosts))
    monkeypatch.setattr(guard, "judge_head", lambda *_, **__: guard.Verdict(True, "", ""))
    monkeypatch.setattr(guard, "judge_start", lambda *_: guard.Verdict(True, "", ""))
    monkeypatch.setattr(guard, "judge_piece", lambda *_, **__: guard.Verdict(True, "", ""))
    monkeypatch.setattr(guard, "judge_store", lambda *_: guard.Verdict(True, "", ""))
    monkeypatch.setattr(guard, "scrub", lambda text, **_: guard.Scrubbed(text, ()))
    found = broken(leaks.sweep(tmp_path, "http"))
    assert [line.partition(":")[0] for line in found] == ["inline-data-img", "typed-png", "typed-zip", "lie-png"]
