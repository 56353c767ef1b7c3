"""A contest between a command of ours and a named peer: same machine, same run, interleaved, medians.

Whole processes are measured: wall and processor seconds and peak memory, children included, as the kernel counts them.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one command: seconds of wall and processor, peak resident megabytes of the largest process."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table: how many times faster we were, by wall clock, and the figures behind it."""

    what: str
    peer: str
    goal: str
    ratio: float
    spread: tuple[float, float]
    ours: Run
    theirs: Run
    runs: int
    versions: str


def measure(command: list[str]) -> Run:
    """Run *command* to its end. Raises ``CalledProcessError`` where it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(said.decode("utf-8", "replace"))
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def contest(
    what: str, ours: list[str], theirs: list[str], *, peer: str, goal: str, runs: int, versions: tuple[str, ...]
) -> Result:
    """Run both commands in turn *runs* times after one warm-up each, and compare medians of the wall clock."""
    measure(ours), measure(theirs)
    pairs = [(measure(ours), measure(theirs)) for _ in range(runs)]
    ratios = sorted(their.wall / our.wall for our, their in pairs)
    return Result(
        what=what,
        peer=peer,
        goal=goal,
        ratio=statistics.median(their.wall for _, their in pairs) / statistics.median(our.wall for our, _ in pairs),
        spread=(ratios[0], ratios[-1]),
        ours=_middle([our for our, _ in pairs]),
        theirs=_middle([their for _, their in pairs]),
        runs=runs,
        versions=", ".join(f"{name} {metadata.version(name)}" for name in versions),
    )


def _middle(runs: list[Run]) -> Run:
    return Run(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.peak for run in runs),
    )


def machine() -> str:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, {platform.system()} {platform.release()}"


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    lines = [
        "| what | peer | goal | ratio | spread | ours: wall, cpu, peak | peer: wall, cpu, peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in results:
        ours = f"{item.ours.wall:.2f} s, {item.ours.cpu:.2f} s, {item.ours.peak:.0f} MB"
        theirs = f"{item.theirs.wall:.2f} s, {item.theirs.cpu:.2f} s, {item.theirs.peak:.0f} MB"
        spread = f"{item.spread[0]:.2f}–{item.spread[1]:.2f}"
        lines.append(
            f"| {item.what} | {item.peer} | {item.goal} | **{item.ratio:.2f}** | {spread} | {ours} | {theirs} |"
        )
    return "\n".join(lines)


def keep(results: list[Result], path: Path) -> None:
    """Write the results as JSON, for a comparison with later ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"machine": machine(), "results": [asdict(item) for item in results]}
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
