"""Many sites at once: nothing of one in another's record, and each of them left in peace as the case says."""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from pathlib import Path

import pytest

from crawler.sweep import Plan, Unit, Workers
from data.records import Service
from tests.crawler.case import case_with, sweep
from tests.hostile.server import Answer, Asked, Server

SITES = 50


def canary(host: str) -> str:
    return f"canary-of-{host.replace('.', '-')}-end"


def test_fifty_sites_in_parallel_leave_nothing_in_each_others_record(tmp_path: Path) -> None:
    cookies: dict[str, set[str]] = defaultdict(set)

    def site(asked: Asked) -> Answer | None:
        if asked.path == "/robots.txt":
            return None
        cookies[asked.host].add(asked.headers.get("cookie", ""))
        mark = canary(asked.host)
        links = "".join(f'<a href="/{number}">Page {number}</a>' for number in range(5))
        body = f"<!doctype html><title>{mark}</title><p>{mark}</p>{links}".encode()
        return Answer(body, headers=(("Set-Cookie", f"name_{mark}={mark}; Path=/"), ("X-Mark", mark)))

    hosts = tuple(f"127.0.9.{number}" for number in range(1, SITES + 1))
    with Server(site, hosts) as server:
        case = case_with(tmp_path, visits_at_once="25", page_budget="6", profiles="true")
        units = tuple(
            Unit(f"v{number}", Service(f"s{number}", urls=(f"{server.origin(number)}/",))) for number in range(SITES)
        )
        list(Workers(case, Plan("s", units, (), False), processes=2).events())
    for number, host in enumerate(hosts):
        folder = case.spool / f"v{number}"
        written = b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix != ".gz")
        found = set(re.findall(rb"canary-of-[0-9-]+-end", written))
        assert found == {canary(host).encode()}, host
        # Within a visit the cookie comes back; no other site's does, and a value is never written down.
        assert cookies[host] == {"", f"name_{canary(host)}={canary(host)}"}
        assert f"={canary(host)}".encode() not in written


def test_another_profile_and_another_visit_begin_without_cookies(tmp_path: Path) -> None:
    got: list[tuple[str, str]] = []

    def site(asked: Asked) -> Answer | None:
        if asked.path != "/":
            return None
        got.append((asked.headers["accept-language"][:2], asked.headers.get("cookie", "")))
        return Answer(b"<!doctype html><title>T</title><p>Words.</p>", headers=(("Set-Cookie", "seen=1"),))

    with Server(site, ("127.0.9.1",)) as server:
        for run in ("one", "two"):
            sweep(case_with(tmp_path / run, profiles="true"), f"{server.origin()}/")
    assert got == [("en", ""), ("de", ""), ("en", "")] * 2


def test_no_cookie_is_taken_for_a_public_suffix() -> None:
    from scrapy import Request
    from scrapy.http import Response

    from crawler.cookies import Jars

    jar = Jars()["a"]
    request = Request("http://shop.co.uk/")
    headers = {"Set-Cookie": ["wide=1; Domain=co.uk", "own=1; Domain=shop.co.uk", "other=1; Domain=else.co.uk"]}
    jar.extract_cookies(Response("http://shop.co.uk/", headers=headers), request)
    assert sorted(cookie.name for cookie in jar.jar) == ["own"]


def test_a_host_is_asked_no_faster_than_the_case_says(tmp_path: Path) -> None:
    times: list[float] = []

    def site(asked: Asked) -> Answer | None:
        times.append(time.monotonic())
        links = "".join(f'<a href="/{number}">Page</a>' for number in range(4))
        return Answer(b"<!doctype html><title>T</title>" + links.encode())

    with Server(site, ("127.0.9.1",)) as server:
        sweep(case_with(tmp_path, delay_seconds="0.4"), f"{server.origin()}/")
        assert server.most_at_once == 1
    assert len(times) == 6
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.3


@pytest.mark.browser
def test_what_the_browser_asks_for_keeps_the_same_delay(tmp_path: Path) -> None:
    times: list[float] = []

    def site(asked: Asked) -> Answer | None:
        times.append(time.monotonic())
        if asked.path == "/":
            scripts = "".join(f'<script src="/{number}.js"></script>' for number in range(4))
            return Answer(f"<!doctype html><title>T</title>{scripts}<p>Words.</p>".encode())
        return Answer(b"1", "text/javascript") if asked.path.endswith(".js") else None

    with Server(site, ("127.0.9.1",)) as server:
        sweep(case_with(tmp_path, delay_seconds="0.4", render='"always"'), f"{server.origin()}/")
        assert server.most_at_once == 1
        assert [path for path in server.paths() if path.endswith(".js")] != []
    assert len(times) == 6
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.3


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_left_in_peace_and_asked_once_more(tmp_path: Path, status: int) -> None:
    times: list[float] = []

    def site(asked: Asked) -> Answer | None:
        if asked.path != "/":
            return None
        times.append(time.monotonic())
        if len(times) == 1:
            return Answer(b"Later.", "text/plain", status, (("Retry-After", "2"),))
        return Answer(b"<!doctype html><title>T</title><p>Words.</p>")

    with Server(site, ("127.0.9.1",)) as server:
        swept = sweep(case_with(tmp_path), f"{server.origin()}/")
    first, second = swept.pages()
    assert (first.outcome, first.status, second.outcome) == ("blocked", status, "ok")
    assert second.retry_of == first.observation
    assert times[1] - times[0] >= 2.0


def test_a_server_that_stays_busy_is_asked_twice_and_no_more(tmp_path: Path) -> None:
    with Server(lambda asked: Answer(b"Later.", "text/plain", 429, (("Retry-After", "1"),)) if asked.path == "/" else None,
                ("127.0.9.1",)) as server:  # fmt: skip
        swept = sweep(case_with(tmp_path), f"{server.origin()}/")
        assert server.paths().count("/") == 2
    assert [item.outcome for item in swept.pages()] == ["blocked", "blocked"]


def test_the_wait_that_a_server_asks_for_is_bounded() -> None:
    from email.utils import formatdate

    from crawler.fetch import Fetched
    from crawler.visit import _retry_after

    def wait(said: str) -> float:
        return _retry_after(Fetched("http://a.example/", headers=(("Retry-After", said),)), 1.0)

    assert wait("7") == 7
    assert wait("999999999") == 120
    assert wait("-5") == 2
    assert wait("soon") == 2
    assert wait("") == 2
    assert 20 < wait(formatdate(time.time() + 30, usegmt=True)) <= 30
    assert wait("Mon, 01 Jan 1990 00:00:00 GMT") == 0
