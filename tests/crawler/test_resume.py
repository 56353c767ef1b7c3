"""A sweep that is cut off loses nothing that was written and nothing that was queued."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from crawler.sweep import Plan, Unit, Workers
from data.case import Case
from data.outcomes import Outcome
from data.records import Service
from data.spool import read_addresses, read_attempts, read_visit
from tests.crawler.case import case_with, sweep
from tests.hostile.server import Answer, Asked, Server

PAGES = 30


def site(asked: Asked) -> Answer | None:
    """A home page and ``PAGES`` more, each linking three others, one of them by a redirect."""
    if asked.path == "/robots.txt":
        return None
    if asked.path.startswith("/to/"):
        return Answer(b"", "text/html", 302, (("Location", f"/page/{asked.path[4:]}"),))
    number = int(asked.path.rpartition("/")[2] or 0)
    links = f'<a href="/page/{(number * 2 + 1) % PAGES}">A</a><a href="/page/{(number * 2 + 2) % PAGES}">B</a>'
    return Answer(
        f'<!doctype html><title>T</title><p>Page {number}.</p>{links}<a href="/to/{(number + 7) % PAGES}">C</a>'.encode()
    )


def fetched(case: Case) -> set[tuple[str, str]]:
    """Address and outcome of every page of the visit that came to an end."""
    done = {Outcome.OK.value, Outcome.REDIRECT.value}
    attempts = read_attempts(case.spool / "v0")
    return {
        (item.requested_url, item.outcome)
        for item in attempts
        if item.purpose in ("entry", "page") and item.outcome in done
    }


@pytest.mark.parametrize("wanted", [3, pytest.param(20, marks=(pytest.mark.slow, pytest.mark.timeout(1800)))])
def test_kills_at_random_points_leave_the_set_of_an_uninterrupted_visit(tmp_path: Path, wanted: int) -> None:
    chance = random.Random(20261123)
    with Server(site, ("127.0.9.9",)) as server:
        entry = f"{server.origin()}/page/0"
        whole = case_with(tmp_path / "whole", page_budget="0")
        sweep(whole, entry)
        broken = case_with(tmp_path / "broken", page_budget="0", delay_seconds="0.03")
        plan = Plan("s", (Unit("v0", Service("s0", urls=(entry,))),), (), False)
        kills = 0
        for _ in range(60):
            workers = Workers(broken, plan, retries=0)
            if kills < wanted:
                _kill_soon(workers, broken, chance)
            for _ in workers.events():
                pass
            if (broken.spool / "v0" / "visit.json").exists() and read_visit(broken.spool / "v0").state == "closed":
                break
            kills += 1
    assert kills >= wanted
    assert fetched(broken) == fetched(whole)
    assert len(fetched(whole)) >= PAGES
    # Whatever was under way when the process died says so, and nothing is fetched twice in silence.
    attempts = list(read_attempts(broken.spool / "v0"))
    ended = [
        item.requested_url for item in attempts if item.purpose in ("entry", "page") and item.outcome == Outcome.OK
    ]
    assert len(ended) == len(set(ended))
    cut = {item.requested_url for item in attempts if item.outcome == Outcome.INTERRUPTED}
    again = [item.requested_url for item in attempts if item.retry_of]
    assert set(again) <= cut
    decided = [item.url for item in read_addresses(broken.spool / "v0")]
    assert len(decided) == len(set(decided))
    assert read_visit(broken.spool / "v0").resumed == kills


def _kill_soon(workers: Workers, case: Case, chance: random.Random) -> None:
    """Kill the worker once it has written a few more lines; where in a line's life is left to chance."""
    attempts = case.spool / "v0" / "inflight.jsonl"
    before = attempts.stat().st_size if attempts.exists() else 0
    more = chance.randrange(1, 200)

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if attempts.exists() and attempts.stat().st_size >= before + more:
                break
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        for pid in workers._running.pids():
            os.kill(pid, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.browser
def test_a_browser_that_is_killed_is_started_again(tmp_path: Path) -> None:
    killed: list[int] = []

    def with_script(asked: Asked) -> Answer | None:
        if asked.path == "/2.js" and not killed:
            killed.extend(_kill_browsers())
        if asked.path.endswith(".js"):
            return Answer(b"document.body.append('The script ran.')", "text/javascript")
        if asked.path == "/robots.txt":
            return None
        number = int(asked.path.rpartition("/")[2] or 1)
        return Answer(
            f'<!doctype html><title>T</title><p>Page {number}.</p><script src="/{number}.js"></script>'
            f'<a href="/{number % 4 + 1}">Next</a>'.encode()
        )

    with Server(with_script, ("127.0.9.9",)) as server:
        swept = sweep(case_with(tmp_path, render='"always"'), f"{server.origin()}/1")
    assert killed
    rendered = [item for item in swept.observations() if item.purpose == "rendered"]
    assert {item.requested_url.rpartition("/")[2] for item in rendered if item.outcome == Outcome.OK} == {
        "1",
        "2",
        "3",
        "4",
    }


def _kill_browsers() -> list[int]:
    """Kill the main processes of the browsers that this process started."""
    found = []
    mine = {os.getpid()}
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = (int((folder / "stat").read_text().rpartition(")")[2].split()[1]), folder)
            except OSError:
                continue
    for _ in range(4):
        mine |= {pid for pid, (parent, _) in parents.items() if parent in mine}
    for pid in mine - {os.getpid()}:
        try:
            line = (parents[pid][1] / "cmdline").read_bytes()
        except OSError:
            continue
        if b"chrom" in line.partition(b"\0")[0] and b"--type=" not in line:
            os.kill(pid, signal.SIGKILL)
            found.append(pid)
    return found


def _fill(case_root: str, url: str, results: multiprocessing.queues.Queue[str]) -> None:  # type: ignore[type-arg]
    import asyncio
    import resource

    from crawler.sweep import run_units
    from data.case import open_case

    # A limit on the size of a file stands for a full disk: the write that crosses it fails.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
    told: list[object] = []
    asyncio.run(run_units(open_case(Path(case_root)), [Unit("v0", Service("s0", urls=(url,)))], told.append))
    results.put(type(told[-1]).__name__)


def test_a_full_disk_fails_the_visit_and_the_next_sweep_takes_it_up(tmp_path: Path) -> None:
    with Server(site, ("127.0.9.9",)) as server:
        entry = f"{server.origin()}/page/0"
        case = case_with(tmp_path, page_budget="0")
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        process = context.Process(target=_fill, args=(str(case.root), entry, results))
        process.start()
        assert results.get(timeout=120) == "Failed"
        process.join(30)
        before = {item.observation for item in _whole(case)}
        assert before
        swept = sweep(case, entry)
        assert {item.observation for item in swept.observations()} >= before
        assert len({item.requested_url for item in swept.pages() if item.outcome == Outcome.OK}) == PAGES
        assert read_visit(case.spool / "v0").state == "closed"


def _whole(case: Case) -> list[object]:
    import json

    from data.records import Observation
    from data.spool import _whole_lines

    return [Observation.from_json(json.loads(line)) for line in _whole_lines(case.spool / "v0" / "attempts.jsonl")]


@pytest.mark.browser
def test_a_page_that_hangs_costs_its_time_limit_and_no_more(tmp_path: Path) -> None:
    def hanging(asked: Asked) -> Answer | None:
        pages = {
            "/": b'<!doctype html><title>T</title><p>Home.</p><script>1</script><a href="/spin">A</a><a href="/poll">B</a>'
            b'<a href="/alerts">C</a><a href="/reload">D</a><a href="/grow">E</a><a href="/fine">F</a>',
            "/spin": b"<!doctype html><p>Words.</p><script>for (;;) {}</script>",
            "/poll": b"<!doctype html><p>Words.</p><script>setInterval(() => fetch('/beat'), 50)</script>",
            "/alerts": b"<!doctype html><p>Words.</p><script>for (let i = 0; i < 50; i++) alert(i)</script>",
            "/reload": b"<!doctype html><p>Words.</p><script>location.reload()</script>",
            "/grow": b"<!doctype html><p>Words.</p><script>for (;;) document.body.append('words '.repeat(100000))</script>",
            "/fine": b"<!doctype html><p>Words.</p><script>document.body.append('Fine.')</script>",
            "/beat": b"{}",
        }
        body = pages.get(asked.path)
        return Answer(body, "application/json" if asked.path == "/beat" else "text/html") if body else None

    begun = time.monotonic()
    with Server(hanging, ("127.0.9.9",)) as server:
        swept = sweep(
            case_with(tmp_path, render='"always"', page_seconds="10.0", timeout_seconds="10.0"), f"{server.origin()}/"
        )
    rendered = {item.requested_url.rpartition("/")[2]: item for item in swept.observations()
                if item.purpose == "rendered"}  # fmt: skip
    assert rendered["spin"].outcome == Outcome.RENDER_FAILED
    assert rendered["poll"].outcome == Outcome.OK
    assert "still asking" in rendered["poll"].truncated
    assert rendered["alerts"].outcome == Outcome.OK
    assert rendered["fine"].outcome == Outcome.OK
    assert read_visit(swept.case.spool / "v0").state == "closed"
    assert time.monotonic() - begun < 240
