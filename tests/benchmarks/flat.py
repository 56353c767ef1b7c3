"""Ten times the pages: how much more time, how much more memory? No network: the real spool writes the evidence.

python -m tests.benchmarks.flat [PAGES]      every stage at PAGES and at ten times as many (default 1,000), each in a process
                                             of its own; prints a table
python -m tests.benchmarks.flat STAGE CASE   one stage, for the table
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.contest import machine

_PAGES_A_VISIT = 250
_WORDS = (
    "plan photo result page privacy account month price free delete store images team support use terms people offer "
    "credits quality answer question service office example review upload change list simple quick today every any"
).split()


def page(chance: random.Random, site: int, number: int) -> str:
    """Some 6 KB of invented page: what every page of a site repeats, and some thirty passages of its own."""
    shared = "".join(f"<li><a href='/p{n}'>Section {n} of site {site}</a></li>" for n in range(15))
    own = "".join(
        f"<h2>{' '.join(chance.choices(_WORDS, k=3)).title()}</h2><p>{' '.join(chance.choices(_WORDS, k=24))} {number}.</p>"
        for _ in range(14)
    )
    return (
        f"<!doctype html><html lang=en><title>Page {number} of {site}</title><body><nav><ul>{shared}</ul></nav><main>{own}"
        f"<p>We delete every photo after {number % 48} hours.</p></main><footer>Site {site}</footer></body></html>"
    )


def evidence(root: Path, pages: int) -> None:
    """A case with *pages* pages in closed visits that wait in the spool."""
    from data.case import make_case, policy_record
    from data.records import AddressSeen
    from data.spool import Spool
    from tests.data.cases import FACTS, opened, plain, response, service

    visits = max(1, pages // _PAGES_A_VISIT)
    case = make_case(root, FACTS)
    case.record("services.added", {"services": [plain(service(number)) for number in range(1, visits + 1)]})
    for number in range(1, visits + 1):
        chance = random.Random(number)
        name = service(number).service
        visit = replace(opened(number), visit=f"20261123T120000Z-{number:06d}", policy=policy_record(case.policy))
        with Spool(case.spool / visit.visit, visit) as spool:
            for index in range(pages // visits):
                url = f"http://{name}.example/p{index}"
                spool.see(AddressSeen(url, "candidate", "scope.own", "own site", "other", 1, "", (), "a link"))
                spool.begin(url)
                spool.attempt(response(spool, url, page(chance, number, index)))
            spool.close(outcome="reached", reason="")


def _take_in(root: Path) -> None:
    from data.case import open_case
    from data.ingest import take_in

    take_in(open_case(root))


def _analyze(root: Path) -> None:
    from analysis.flags import analyze
    from data.case import open_case
    from data.engine import Here

    analyze(open_case(root), lambda _: None, engine=Here())


def _analyze_without_reader(root: Path) -> None:
    """Everything of an analysis but the claims themselves, which are read passage by passage and keep nothing: the way to
    millions of passages in minutes."""
    from analysis.claims import Claims

    Claims.read = lambda self, readings, **_: (() for _ in readings)  # type: ignore[method-assign]
    _analyze(root)


def _find(root: Path) -> None:
    from analysis.findings import find
    from data.case import open_case

    find(open_case(root), lambda _: None)


def _command(*words: str) -> Callable[[Path], None]:
    def run(root: Path) -> None:
        from cli.main import run as main

        sys.argv = ["plainview", *(word.format(root=root, out=root.parent / "out") for word in words)]
        try:
            main()
        except SystemExit as end:
            if end.code not in (0, None):
                raise

    return run


def _rebuild(root: Path) -> None:
    from data.case import open_case
    from data.rebuild import rebuild

    copy = root.parent / "rebuilt"
    copy.mkdir()
    for item in root.iterdir():
        if not item.name.startswith("case.duckdb"):
            (copy / item.name).symlink_to(item)
    rebuild(open_case(copy))
    shutil.rmtree(copy)


def _crawl(root: Path) -> None:
    """One visit of as many pages as the case has, over a downloader that answers from memory."""
    import asyncio

    from crawler.fetch import Fetched
    from crawler.visit import Request, visit
    from data.case import Case, Policy
    from data.records import Service, Visit
    from data.spool import Spool

    pages = int(root.parent.name)
    policy = Policy(page_budget=0, delay_seconds=0.0, render="never", profiles=False, visit_minutes=600.0)

    async def download(request: Request) -> Fetched:
        number = int(request.url.rpartition("/p")[2] or 0) if "/p" in request.url else 0
        links = "".join(f'<a href="/p{n}">to {n}</a>' for n in range(2 * number + 1, 2 * number + 3) if n < pages)
        links += "".join(f'<a href="/p{(number * 7 + n) % pages}">other</a>' for n in range(18))
        body = f"<!doctype html><title>{number}</title><p>Words of page {number}.</p>{links}".encode()
        if request.url.endswith("/robots.txt"):
            return Fetched(url=request.url, started=_NOW, ended=_NOW, status=404)
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        from data.canonical import sha256

        return Fetched(
            url=request.url,
            started=_NOW,
            ended=_NOW,
            status=200,
            headers=(("Content-Type", "text/html; charset=utf-8"),),
            type_declared="text/html; charset=utf-8",
            body=body,
            received=head + body,
            wire_len=len(body),
            wire_sha256=sha256(body),
        )

    url = "http://large.example/p0"
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), policy=policy)
        opened = Visit("v", "s", _NOW, entry_urls=(url,))
        with Spool(case.spool / "v", opened) as spool:
            asyncio.run(visit(Service("s", urls=(url,)), policy, spool, download, None, lambda _: None, agent="bench"))


_NOW = "2026-11-23T12:00:00.000Z"
STAGES: dict[str, Callable[[Path], None]] = {
    "ingest": _take_in,
    "analyze": _analyze,
    "analyze, no reader": _analyze_without_reader,
    "findings": _find,
    "rebuild": _rebuild,
    "verify": _command("verify", "{root}"),
    "report": _command("report", "--case", "{root}", "--output", "{out}.html"),
    "export": _command("export", "--case", "{root}", "--no-sign", "--output", "{out}"),
    "crawl, one visit": _crawl,
}


def measure(stage: str, root: Path) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of CPU, and peak resident megabytes of *stage* in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.flat", stage, str(root)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{stage}: {done.stderr[-2000:]}")
    wall, cpu, peak = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, peak


def main(pages: int, stages: list[str]) -> None:
    """The table."""
    print(machine())
    print(f"{'stage':18} {'pages':>8} {'wall s':>8} {'cpu s':>8} {'peak MB':>8}   x pages   x cpu  x memory")
    with tempfile.TemporaryDirectory(prefix="plainview-flat-") as folder:
        roots = {}
        for count in (pages, 10 * pages):
            roots[count] = Path(folder) / str(count) / "case"
            roots[count].parent.mkdir()
            evidence(roots[count], count)
        for stage in stages:
            found = {}
            for count, root in roots.items():
                wall, cpu, peak = found[count] = measure(stage, root)
                ratio = ""
                if count != pages:
                    first = found[pages]
                    ratio = f"{count / pages:9.0f} {cpu / first[1]:7.1f} {peak / first[2]:9.2f}"
                print(f"{stage:18} {count:8} {wall:8.1f} {cpu:8.1f} {peak:8.0f} {ratio}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in STAGES:
        begun, cpu = time.monotonic(), time.process_time()
        STAGES[sys.argv[1]](Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.monotonic() - begun, time.process_time() - cpu, peak]))
    else:
        chosen = sys.argv[2].split(";") if len(sys.argv) > 2 else list(STAGES)
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, chosen)
