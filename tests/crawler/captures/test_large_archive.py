"""The proof that a large archive streams: a gigabyte of WARC in flat memory, told to a progress bar. Minutes: make slow."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.case import Case
from tests.crawler.captures.conftest import warc_record

GIGABYTE = 1_000_000_000
_RUN = """
import resource, sys, time
from pathlib import Path
from crawler.captures.importing import import_file
from data.case import open_case
told = []
def tell(progress):
    told.append(progress.done / progress.size)
    if len(told) in (200, 400):
        marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
marks = []
case, path = open_case(Path(sys.argv[1])), Path(sys.argv[2])
begun = time.monotonic()
done = import_file(case, path, tell)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert told == sorted(told[:told.index(1.0) + 1]) + sorted(told[told.index(1.0) + 1:]), "two passes, each forward"
print(done.texts, sum(n for _, n in done.left_out), peak // 1024, f"{time.monotonic() - begun:.1f}", len(told))
"""


def _records(size: int) -> Iterator[bytes]:
    """Records of *size* bytes in all: pages of some 40 kB with words of their own, and as many bytes of what is no text."""
    words = random.Random(6)
    stock = [
        bytes(words.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(words.randint(2, 11))) for _ in range(5000)
    ]
    noise = os.urandom(400_000)
    written = number = 0
    while written < size:
        number += 1
        if number % 4 == 0:
            record = warc_record(f"https://velvetpane.example/{number}.png", noise, content_type="image/png")
        else:
            text = b" ".join(words.choices(stock, k=6000))
            record = warc_record(
                f"https://velvetpane.example/p/{number}", b"<html><body><p>" + text + b"</p></body></html>"
            )
        written += len(record)
        yield record


def _peak(case: Case, path: Path) -> tuple[int, int, int, float, int]:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(case.root), str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=1700,
    )
    texts, left, peak, seconds, told = done.stdout.split()
    return int(texts), int(left), int(peak), float(seconds), int(told)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_gigabyte_of_warc_streams_in_flat_memory(case: Case, tmp_path: Path) -> None:
    small, large = tmp_path / "small.warc", tmp_path / "large.warc"
    try:
        for path, size in ((small, GIGABYTE // 20), (large, GIGABYTE)):
            with path.open("wb") as file:
                for record in _records(size):
                    file.write(record)
        begun = time.monotonic()
        few = _peak(case, small)
        many = _peak(case, large)
        report = f"texts, left out, peak MB, seconds, messages: 50 MB {few}, 1 GB {many}; in all {time.monotonic() - begun:.0f} s"
        sys.stderr.write(report + "\n")
        assert many[0] > 18 * few[0]
        assert many[2] < few[2] + 40, report
        assert many[4] > 300, "the bar has something to show"
    finally:
        small.unlink(missing_ok=True)
        large.unlink(missing_ok=True)
