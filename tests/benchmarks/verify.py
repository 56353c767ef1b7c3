"""How fast a case is verified, beside ``sha256sum`` over the same bytes: ``python -m tests.benchmarks.verify PAGES [GB]``.

PAGES is a folder of real pages (HTML). One visit is recorded by the real spool; the others are copies of it under names
and chains of their own, so that two gigabytes are there in a minute.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from data.canonical import canonical, genesis, sha256
from data.case import Case, CaseFacts, make_case
from data.spool import ADDRESSES, ATTEMPTS, VISIT, WARC, Spool, file_record
from tests.data.cases import opened, response


def main() -> None:
    """Build, verify, compare, print a table."""
    pages, gigabytes = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER"), prefix="bench-") as folder:
        case = make_case(Path(folder) / "case", CaseFacts(title="bench"))
        base = _one_visit(case, pages)
        size = sum(path.stat().st_size for path in base.iterdir())
        if size < 100_000:
            raise SystemExit(f"{pages}: there are no pages (.html, .html.gz) in it")
        count = max(1, int(gigabytes * 1e9 / size))
        for number in range(count):
            _copy(case, base, number)
        shutil.rmtree(base)
        files = [str(path) for path in case.root.rglob("*") if path.is_file()]
        total = sum(Path(path).stat().st_size for path in files)
        program = Path(__file__).parents[2] / "data" / "verify.py"
        check = [sys.executable, "-I", "-S", str(program), str(case.root)]
        runs: dict[str, list[_Took]] = {"sha256sum": [], "verify.py": [], "verify.py --records": []}
        for _ in range(3):
            runs["sha256sum"].append(_timed(["xargs", "-0", "sha256sum"], "\0".join(files)))
            runs["verify.py"].append(_timed(check))
            runs["verify.py --records"].append(_timed([*check, "--records"]))
        best = {name: _Took(min(t.wall for t in took), min(t.cpu for t in took)) for name, took in runs.items()}
        base_line = best["sha256sum"]
        sys.stdout.write(
            f"python {platform.python_version()}, {os.cpu_count()} processors, {count} visits, {len(files)} files, "
            f"{total / 1e9:.2f} GB; best of three; goal 0.8 of sha256sum\n"
            f"{'':20} {'wall s':>8} {'MB/s':>6} {'ratio':>6}   {'CPU s':>8} {'MB/s':>6} {'ratio':>6}\n"
        )
        for name, took in best.items():
            sys.stdout.write(
                f"{name:20} {took.wall:8.2f} {total / 1e6 / took.wall:6.0f} {base_line.wall / took.wall:6.2f}   "
                f"{took.cpu:8.2f} {total / 1e6 / took.cpu:6.0f} {base_line.cpu / took.cpu:6.2f}\n"
            )


class _Took(NamedTuple):
    """Seconds by the clock on the wall, and seconds of processor that the command used (user and system)."""

    wall: float
    cpu: float


def _timed(command: list[str], given: str = "") -> _Took:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return _Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _one_visit(case: Case, pages: Path) -> Path:
    visit = opened(1)
    folder = case.spool / visit.visit
    with Spool(folder, visit) as spool:
        for page in sorted(pages.rglob("*.html*"))[:200]:
            content = page.read_bytes()
            text = (gzip.decompress(content) if page.suffix == ".gz" else content).decode("utf-8", "replace")
            spool.attempt(response(spool, f"http://service-1.example/{page.name}", text))
        spool.close(outcome="reached", reason="")
    return folder


def _copy(case: Case, base: Path, number: int) -> None:
    name = f"20261123T12{number:06d}Z-bench"
    target = case.evidence / name
    target.mkdir()
    for file in (ADDRESSES, WARC):
        shutil.copyfile(base / file, target / file)
    head = genesis(name)
    with (target / ATTEMPTS).open("wb") as out:
        for line in (base / ATTEMPTS).read_bytes().splitlines():
            values = json.loads(line) | {"visit": name, "prev": head}
            line = canonical(values)
            head = sha256(line)
            out.write(line + b"\n")
    files = {file: file_record(target / file) for file in (ATTEMPTS, ADDRESSES, WARC)}
    first = json.loads((base / VISIT).read_bytes())
    visit = replace(opened(1), visit=name, head=head, observations=first["observations"], files=files, state="closed")
    (target / VISIT).write_bytes(canonical(visit.as_json()) + b"\n")
    case.record(
        "visit.closed",
        {
            "visit": name,
            "service": visit.service,
            "started": visit.started,
            "ended": visit.ended,
            "outcome": visit.outcome,
            "observations": visit.observations,
            "head": head,
            "files": {**files, VISIT: file_record(target / VISIT)},
        },
    )


if __name__ == "__main__":
    main()
