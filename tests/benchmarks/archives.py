"""Common Crawl on one core: how fast records are passed over, and what a month of them would take, on paper.

python -m tests.benchmarks.archives [MEGABYTES]
"""

from __future__ import annotations

import gzip
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contest import machine
from tests.benchmarks.flat import page

_ONE_IN = 2000


def record(chance: random.Random, number: int, kind: str) -> bytes:
    """One invented page of some 20 to 200 KB as a WARC record, or some 4 KB of its text as a WET record."""
    host = "wanted.example" if number % _ONE_IN == 7 else f"host{number}.example"
    html = page(chance, number, number)
    if kind == "conversion":
        body = "\n".join(f"Line {n} of page {number} about {chance.random()}." for n in range(90)).encode()
    else:
        script = f"<script>{''.join(chance.choices('abcdefghij();=', k=chance.randrange(2000, 40000)))}</script>"
        body = html.replace("<body>", f"<body>{script}").encode()
    head = b"" if kind == "conversion" else b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    outer = "text/plain" if kind == "conversion" else "application/http; msgtype=response"
    lines = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{number}>\r\nWARC-Date: 2026-10-01T12:00:00Z\r\n"
        f"WARC-Target-URI: https://{host}/p{number}\r\nContent-Type: {outer}\r\nContent-Length: {len(head) + len(body)}\r\n\r\n"
    )
    return gzip.compress(lines.encode() + head + body + b"\r\n\r\n", 6, mtime=0)


def measure(name: str, path: Path, read: Callable[[Path], int]) -> float:
    """Print records and packed megabytes a CPU second; returns the latter."""
    begun = time.process_time()
    count = read(path)
    seconds = time.process_time() - begun
    size = path.stat().st_size / 1e6
    print(
        f"{name:44} {count:7} records {count / seconds:9.0f} records/s {size / seconds:8.1f} MB/s of gzip", flush=True
    )
    return size / seconds


def main(megabytes: int) -> None:
    """The table."""
    from analysis.sift import Sift
    from crawler.captures.capture import Capture, PassedOver
    from crawler.captures.sieve import Wanted
    from crawler.captures.warc import read_wanted, read_warc

    def count(items: object) -> int:
        return sum(isinstance(item, Capture | PassedOver) for item in items)  # type: ignore[attr-defined]

    sieves = {
        "hosts": Wanted(lambda url: "//wanted.example/" in url),
        "the claims prefilter": Wanted(None, Sift(3)),
    }
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for kind, label in (("response", "WARC"), ("conversion", "WET")):
            path = Path(folder) / f"{label}.gz"
            chance, number = random.Random(1), 0
            with path.open("wb") as file:
                while file.tell() < megabytes * 1_000_000 // (1 if kind == "response" else 4):
                    file.write(record(chance, number, kind))
                    number += 1
            measure(f"{label}: every record read (no list)", path, lambda p: count(read_warc(p, 10_000_000)))
            for how, wanted in sieves.items():
                measure(f"{label}: sieved by {how}", path, lambda p, w=wanted: count(read_wanted(p, 10_000_000, w)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
