"""``plainview doctor``: is this machine fit, and what to do where it is not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.context import CaseOption
from cli.exits import Exit
from cli.terminal import lines

TESTED_CHROMIUM = range(150, 161)
_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: fine or not, what was found, what to do."""

    fine: bool
    what: str
    found: str
    advice: str = ""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("doctor")(doctor)


def doctor(
    guard: Annotated[bool, typer.Option("--guard", help="Only the guard's self-test, with both fetchers.")] = False,
    case: CaseOption = None,
) -> int:
    """Check Python, browser, guard, disk, clock and case; say what to do about what is amiss. Exit 6 if something is."""
    checks: tuple[Callable[[Path | None], Iterator[Check]], ...]
    checks = (_guard,) if guard else (_python, _parts, _browser, _guard, _codebook, _disk, _case)
    amiss = 0
    for check in checks:
        for result in check(case):
            amiss += not result.fine
            mark = "ok  " if result.fine else "AMISS"
            lines([f"{mark:<5} {result.what:<10} {result.found}"])
            if not result.fine:
                lines([f"      {'':<10} {result.advice}"])
    return Exit.ENVIRONMENT if amiss else Exit.DONE


def _python(_: Path | None) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check((3, 11) <= sys.version_info[:2] <= (3, 14), "python", version, "Use Python 3.11 to 3.14.")


def _parts(_: Path | None) -> Iterator[Check]:
    from data.environment import environment

    parts = environment()["parts"]
    missing = [name for name, version in parts.items() if version == "not installed"]
    found = ", ".join(f"{name} {version}" for name, version in parts.items())
    yield Check(not missing, "parts", found, f"Install plainview again; missing: {', '.join(missing)}.")


def _browser(_: Path | None) -> Iterator[Check]:
    import re
    import subprocess

    from crawler.browser import BrowserUnavailable, find_chromium

    try:
        path = find_chromium()
    except BrowserUnavailable as error:
        yield Check(False, "browser", "none", str(error))
        return
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Check(False, "browser", path, f"It does not start: {error}. Install Chromium again.")
        return
    match = re.search(r"\b(\d{2,4})\.\d+\.\d+", said)
    major = int(match[1]) if match else 0
    tested = f"This pair is untested; tested are Chromium {TESTED_CHROMIUM.start} to {TESTED_CHROMIUM.stop - 1}."
    yield Check(major in TESTED_CHROMIUM, "browser", f"{said or 'unknown version'} ({path})", tested)


def _guard(_: Path | None) -> Iterator[Check]:
    from crawler.browser import BrowserUnavailable
    from crawler.selftest import GuardLeak, check_guard

    try:
        report = check_guard(render=True)
    except GuardLeak as error:
        yield Check(False, "guard", str(error), "Do not crawl on this machine. Report this with the versions above.")
    except BrowserUnavailable as error:
        yield Check(False, "guard", "not tested with the browser", str(error))
    else:
        fetchers = " and ".join(report.fetchers)
        found = f"{report.canaries} canaries, none got through ({fetchers}; {report.seconds:.1f} s)"
        yield Check(True, "guard", found)


def _codebook(_: Path | None) -> Iterator[Check]:
    from data.codebook import CodebookError, load_codebook

    try:
        book = load_codebook()
    except CodebookError as error:
        yield Check(False, "codebook", str(error), "Mend the file named, or install plainview again.")
    else:
        yield Check(
            True, "codebook", f"{len(book.codes)} codes, {len(book.stances)} stances, sha256 {book.sha256[:16]}…"
        )


def _disk(case: Path | None) -> Iterator[Check]:
    folder = case if case is not None and case.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free
    yield Check(
        free > _FREE_BYTES, "disk", f"{free / 1e9:.1f} GB free", "Free some space: a sweep needs at least 1 GB."
    )


def _case(case: Path | None) -> Iterator[Check]:
    from data.case import CaseError, find_case, open_case
    from data.ledger import LedgerBroken

    try:
        opened = open_case(find_case(case))
    except CaseError as error:
        if case is not None:
            yield Check(False, "case", str(case), str(error))
        else:
            yield Check(True, "case", "not inside one")
        return
    yield Check(
        bool(opened.facts.authority),
        "case",
        opened.facts.title or str(opened.root),
        "Write [case] authority into case.toml.",
    )
    try:
        entries = sum(1 for _ in opened.ledger.events())
    except LedgerBroken as error:
        yield Check(False, "ledger", str(error), "Run plainview verify; do not write to this case before that.")
        return
    yield Check(True, "ledger", f"{entries} entries, the chain holds")
