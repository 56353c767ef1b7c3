"""Passages against BeautifulSoup's `get_text` with lxml on real pages, and what becomes of their annotated snippets.

`python tests/benchmarks/passages.py [--limit N] [--misses]`: interleaved runs, medians of five, same inputs, same process.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from selectolax.lexbor import LexborHTMLParser

from analysis.passages import TextVersion, extract

PAGES = Path(__file__).parents[3] / "shared" / "data" / "webpages"
ATTRIBUTE_ZONES = {"alt", "aria", "meta", "jsonld", "script_text", "title", "noscript", "template"}


def load(limit: int | None) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, HTML, truth) of each page."""
    pages = []
    for path in sorted((PAGES / "html").glob("*.html.gz"))[:limit]:
        name = path.name.removesuffix(".html.gz")
        html = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        pages.append((name, html, json.loads((PAGES / "truth" / f"{name}.json").read_text(encoding="utf-8"))))
    return pages


def seconds(read: Callable[[str], object], pages: list[str]) -> float:
    begin = time.process_time()
    for html in pages:
        read(html)
    return time.process_time() - begin


def speed(pages: list[str], rounds: int) -> None:
    """Each round runs every reader once, so that a busy machine slows all of them."""
    readers: dict[str, Callable[[str], object]] = {
        "BeautifulSoup(html, 'lxml').get_text()": lambda html: BeautifulSoup(html, "lxml").get_text(),
        "lexbor parse alone": LexborHTMLParser,
        "passages": extract,
    }
    times: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            times[name].append(seconds(read, pages))
    base = statistics.median(times[next(iter(readers))])
    characters = sum(map(len, pages))
    print(f"{len(pages)} pages, {characters / 1e6:.1f} million characters, median of {rounds} interleaved rounds")
    print(
        f"{platform.machine()}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in ("selectolax", "beautifulsoup4", "lxml"))
    )
    print(f"{'reader':42}{'seconds':>9}{'µs a page':>11}{'ratio':>8}{'best/worst round':>20}")
    for name, values in times.items():
        ratios = [b / v for b, v in zip(times[next(iter(readers))], values, strict=True)]
        median = statistics.median(values)
        print(
            f"{name:42}{median:9.3f}{median / len(pages) * 1e6:11.0f}{base / median:8.1f}"
            f"{max(ratios):11.1f} /{min(ratios):6.1f}"
        )


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def squeezed(text: str) -> str:
    """Words alone: the annotations differ from the pages in quotation marks, list markers and line ends."""
    return " ".join(re.findall(r"\w+", text.lower()))


def accuracy(pages: list[tuple[str, str, dict[str, Any]]], show_misses: bool) -> None:
    found = wanted = present = unwanted = 0
    scores: dict[str, list[float]] = {}
    for name, html, truth in pages:
        version_ = extract(html)
        everything = squeezed(version_.text)
        for snippet in truth.get("with", []):
            wanted += 1
            hit = squeezed(snippet) in everything
            found += hit
            if not hit and show_misses:
                print(f"missing {name}: {snippet!r}")
        body = main_text(version_)
        for snippet in truth.get("without", []):
            unwanted += 1
            present += squeezed(snippet) in squeezed(body)
        kind = truth.get("page_type", "?")
        scores.setdefault(f"{kind}, everything", []).append(word_f1(words(version_.text), words(truth["main_content"])))
        scores.setdefault(f"{kind}, main zones", []).append(word_f1(words(body), words(truth["main_content"])))
    print(f"snippets that must survive: {found} of {wanted} in the text version")
    print(f"boilerplate snippets absent from the main zones: {unwanted - present} of {unwanted}")
    for name, values in sorted(scores.items()):
        print(f"word-F1 {name}: {statistics.mean(values):.3f} ({len(values)} pages)")


def main_text(version_: TextVersion) -> str:
    kept = {"main", "table", "form"}
    return "\n".join(
        version_.text[passage.start : passage.end]
        for passage in version_.passages
        if passage.zone in kept and not passage.hidden
    )


def word_f1(got: Counter[str], true: Counter[str]) -> float:
    common = sum((got & true).values())
    return 2 * common / (sum(got.values()) + sum(true.values())) if common else 0.0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--limit", type=int)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--misses", action="store_true")
    arguments.add_argument("--no-speed", action="store_true")
    options = arguments.parse_args()
    if not PAGES.is_dir():
        print("skipped: the shared data folder is absent")
        return 0
    pages = load(options.limit)
    accuracy(pages, options.misses)
    if not options.no_speed:
        speed([html for _, html, _ in pages], options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
