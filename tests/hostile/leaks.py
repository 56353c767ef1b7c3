"""``make leaks``: every vector through a real sweep with each fetcher, and a table of what was sent and what was kept.

    python -m tests.hostile.leaks [--write]     with --write the table is put into docs/leaks.md

A sweep runs in this process, with a temporary folder and a home of its own; both, and the case, are read all the time
while it runs and once more before the browser's files are removed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from crawler import browser as browsers
from crawler.sweep import Unit, run_units
from data.case import CaseFacts, make_case
from data.outcomes import Outcome
from data.records import Observation, Service
from data.spool import read_attempts
from tests.hostile.reach import reach
from tests.hostile.remains import Remains, Watch
from tests.hostile.server import FIRST_READ, Server
from tests.hostile.vectors import CUT, INLINE, NEVER, Vector, Web

HOSTS = tuple(f"127.0.7.{number}" for number in range(1, 9))
DOCUMENT = Path(__file__).parents[2] / "docs" / "leaks.md"
_BEGIN, _END = "<!-- the table of make leaks begins -->", "<!-- the table of make leaks ends -->"

POLICY = """
page_budget = 0
delay_seconds = 0.0
concurrency_per_host = 4
visits_at_once = 4
render = "{render}"
render_pages = 0
profiles = true
allow_private = ["127.0.0.0/8"]
timeout_seconds = 30.0
page_seconds = 60.0
"""


@dataclass(frozen=True)
class Row:
    """One vector with one fetcher: how often asked, media bytes sent, where its canary was found."""

    vector: Vector
    fetcher: str
    tried: bool
    asked: int
    sent: int
    kept: tuple[str, ...]

    @property
    def fault(self) -> str:
        """What broke the promise, or an empty string."""
        if self.kept:
            return f"kept in {', '.join(self.kept)}"
        if not self.tried:
            return "not tried"
        if self.vector.expects == NEVER and self.asked:
            return "asked for"
        honest = not self.vector.declared and not self.vector.wrap
        if self.vector.expects == CUT and honest and self.sent:
            return f"{self.sent} bytes sent behind an honest type"
        if self.sent > FIRST_READ * self.asked:
            return f"{self.sent} bytes sent, more than the first read"
        return ""


@dataclass
class Swept:
    """One sweep over the web of vectors."""

    rows: list[Row] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    files: int = 0
    bytes_read: int = 0
    seconds: float = 0.0
    browser: str = ""


def sweep(folder: Path, fetcher: str) -> Swept:
    """Visit every vector with *fetcher* (``http`` or ``browser``), everything written below *folder*."""
    web = Web(hosts=HOSTS)
    home, temporary, root = folder / "home", folder / "tmp", folder / "case"
    for path in (home, temporary):
        path.mkdir(parents=True)
    swept = Swept()
    marks = web.marks() | {"favicon": web.mark("favicon")}
    with Server(web.site, HOSTS) as server, _elsewhere(home, temporary):
        web.origins = {host: server.origin(number) for number, host in enumerate(HOSTS)}
        case = make_case(
            root,
            CaseFacts(title="Leaks", authority="a test on loopback"),
            POLICY.format(render="never" if fetcher == "http" else "always"),
        )
        units = [
            Unit(f"leaks-{number}", Service(f"leaks-{number}", urls=(f"{web.origins[host]}/",)))
            for number, host in enumerate(HOSTS)
        ]
        begun = time.monotonic()
        remains = Remains((root, temporary, home), marks, web.prefix)
        with Watch(remains), _looked_before_closing(remains, swept), reach() as swept.reached:
            asyncio.run(run_units(case, units, lambda event: _note(swept, event)))
        swept.seconds = time.monotonic() - begun
        swept.files, swept.bytes_read = remains.files, remains.bytes_read
        for unit in units:
            swept.observations += read_attempts(case.spool / unit.visit)
        swept.rows = list(_rows(web, server, remains, swept.observations, fetcher))
    return swept


def _note(swept: Swept, event: object) -> None:
    if type(event).__name__ == "Failed":
        swept.failures.append(event)


def _rows(web: Web, server: Server, remains: Remains, observations: list[Observation], fetcher: str) -> Iterator[Row]:
    fetched = {item.requested_url for item in observations if item.outcome == Outcome.OK and item.has_text}
    shown = {item.requested_url for item in observations if item.purpose == "rendered" and item.outcome == Outcome.OK}
    targets = [item.path for item in server.asked]
    for vector in web.vectors:
        page = next(f"{origin}/v/{vector.name}" for host, origin in web.origins.items() if vector in web.share(host))
        asked = sum(1 for path in targets if path.startswith("/m/") and _bare(path) == vector.name)
        tried = page in fetched and (fetcher == "http" or page in shown)
        # A link's media must have been asked for, or its answer was never put to the test.
        if vector.expects == CUT and "script" not in vector.name and vector.name not in _BROWSER_ONLY:
            tried = tried and asked > 0
        kept = tuple(sorted({_place(path) for name, path in remains.found if name == vector.name}))
        yield Row(vector, fetcher, tried, asked, server.sent[vector.name], kept)
    favicon = Vector("favicon", NEVER)
    yield Row(favicon, fetcher, True, server.hits["favicon"], server.sent["favicon"], ())


_BROWSER_ONLY = frozenset({"link-modulepreload", "link-preload-script", "link-preload-fetch", "hop-fetch"})


def _bare(path: str) -> str:
    return path[3:].replace("%2e", ".").partition(".")[0]


def _place(path: str) -> str:
    return Path(path).name


@contextmanager
def _elsewhere(home: Path, temporary: Path) -> Iterator[None]:
    """HOME, TMPDIR and what programs derive from them point into the test's folder."""
    names = {"HOME": home, "TMPDIR": temporary, "XDG_CACHE_HOME": home / ".cache", "XDG_CONFIG_HOME": home / ".config"}
    before = {name: os.environ.get(name) for name in names}
    os.environ |= {name: str(path) for name, path in names.items()}
    tempfile.tempdir = None
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        tempfile.tempdir = None


@contextmanager
def _looked_before_closing(remains: Remains, swept: Swept) -> Iterator[None]:
    """A last look before the browser ends and takes its profile with it."""
    close = browsers.Browser.close

    async def look_then_close(self: browsers.Browser) -> None:
        swept.browser = self.version
        await asyncio.to_thread(remains.look)
        await close(self)

    browsers.Browser.close = look_then_close  # type: ignore[method-assign]
    try:
        yield
    finally:
        browsers.Browser.close = close  # type: ignore[method-assign]


def table(sweeps: list[Swept]) -> str:
    """The rows as a Markdown table."""
    lines = ["| vector | promise | fetcher | asked for | media bytes sent | kept |", "|---|---|---|---:|---:|---|"]
    rows = [row for swept in sweeps for row in swept.rows]
    for row in sorted(rows, key=lambda row: (row.vector.name, row.fetcher)):
        promise = row.vector.expects + (" (the type is a lie)" if _lies(row.vector) else "")
        kept = ", ".join(row.kept) or "nothing"
        lines.append(f"| {row.vector.name} | {promise} | {row.fetcher} | {row.asked} | {row.sent} | {kept} |")
    return "\n".join(lines)


def _lies(vector: Vector) -> bool:
    return vector.expects != INLINE and bool(vector.declared or vector.wrap)


def summary(sweeps: list[Swept]) -> str:
    """The figures that stand above the table."""
    lines = []
    for swept in sweeps:
        rows = swept.rows
        honest = sum(row.sent for row in rows if not _lies(row.vector))
        lies = [row for row in rows if _lies(row.vector)]
        name = f"browser (Chromium {swept.browser})" if swept.browser else "http"
        lines.append(
            f"* {name}: {len(rows)} vectors, {sum(bool(row.kept) for row in rows)} kept; {honest} media bytes sent behind an "
            f"honest type; {len(lies)} lies, at most {max(row.sent // max(row.asked, 1) for row in lies)} bytes of one sent an "
            f"answer (the first read is {FIRST_READ}); {swept.files} files and {swept.bytes_read:,} bytes searched in "
            f"{swept.seconds:.0f} s."
        )
    return "\n".join(lines)


def write(text: str) -> None:
    """Put *text* between the two marks in the document."""
    document = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = document.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    DOCUMENT.write_text(f"{head}{_BEGIN}\n\n{text}\n\n{_END}{tail}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run both sweeps, print the table, and return 1 if a promise was broken."""
    logging.disable(logging.CRITICAL)
    sweeps = []
    for fetcher in ("http", "browser"):
        with tempfile.TemporaryDirectory(prefix="plainview-leaks-") as folder:
            sweeps.append(sweep(Path(folder), fetcher))
    text = f"{summary(sweeps)}\n\n{table(sweeps)}"
    sys.stdout.write(text + "\n")
    if "--write" in arguments:
        write(text)
    broken = [f"{row.vector.name} ({row.fetcher}): {row.fault}" for swept in sweeps for row in swept.rows if row.fault]
    broken += [str(failure) for swept in sweeps for failure in swept.failures]
    sys.stdout.write("\n".join(["", *broken, f"{len(broken)} promises broken.", ""]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
