"""A case of a million invented passages of 2,000 services, and how long each question takes as a whole process.

`python tests/benchmarks/desk.py [FOLDER] [--passages N] [--services N] [--repeat N]`. The rows go straight into the index,
as a crawl and an analysis would leave them; four passages in ten stand on several pages, as menus and footers do. A folder
that holds such a case already is asked, not made again. Goal: each question under half a second, process start included.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from analysis.cleared import clear
from data.canonical import sha256
from data.case import Case, CaseFacts, make_case, open_case
from data.records import Service
from data.store import append, transaction, writing

PAGES, SEED, DAY = 10, 7, "2026-10-{:02d}T08:{:02d}:00Z"
ROLES = ("home", "pricing", "faq", "terms", "privacy", "refund", "contact", "affiliate", "blog", "other")
ZONES = ("main", "main", "main", "nav", "footer", "aside", "form", "meta")
CLAIMS = (
    ("D04", "PROMO", "We delete every photo after one hour."),
    ("D04", "PROMO", "Nobody can see what you upload, and nothing is stored."),
    ("D04", "PRIV", "Uploaded photos are kept for thirty days."),
    ("P01", "PROMO", "Remove clothing from any photo with the tool."),
    ("N01", "PROMO", "Renews every month until cancelled."),
    ("U01", "PROMO", "Works on anyone you like."),
    ("R01", "TESTI", "“Best tool I ever used” — Maria Kowalska"),
    ("M01", "PROHIBIT", "No photos of under-18s."),
)
QUESTIONS: dict[str, tuple[str, ...]] = {
    "the codebook (no case is read)": ("codebook", "show"),
    "services list": ("services", "list"),
    "flags": ("flags",),
    "flags, by code, stance, role and day": (
        "flags", "--code", "D04", "--stance", "promo", "--role", "home", "--since", "2026-10-05",
    ),
    "flags, unreviewed": ("flags", "--unreviewed"),
    "flags, counted by service": ("flags", "--by", "service"),
    "findings": ("findings",),
    "changes": ("changes",),
    "operators": ("operators",),
    "show a service": ("show", "service-0100"),
    "show a page": ("show", "https://service-0100.example/"),
    "search a rare phrase": ("search", '"delete every photo"'),
    "search two common words": ("search", "delete photo"),
    "search a common word": ("search", "photo"),
    "search a beginning": ("search", "dele*"),
    "search NEAR": ("search", "delete NEAR/5 photo"),
    "search OR, counted": ("search", "photo OR delete", "--count"),
    "search, by role and zone": ("search", "photo", "--role", "home", "--zone", "footer"),
    "search a regular expression": ("search", "--regex", r"delete\W+(\w+\W+){0,4}photo"),
    "sql, flags by code": ("sql", "SELECT code, count(*) AS n FROM flags WHERE raises GROUP BY code ORDER BY n DESC"),
    "sql, passages with a word": ("sql", "SELECT count(*) AS n FROM passages WHERE passage ILIKE '%delete%'"),
}  # fmt: skip


def words(count: int, chance: np.random.Generator) -> np.ndarray:
    """That many invented words."""
    syllables = np.array("ba ke li mo nu ra se ti vo wa dre fli gro pha sta qui len mar ost und".split())
    made: dict[str, None] = dict.fromkeys(
        "photo photos delete account privacy payment month refund contact free cancel upload tool result person".split()
    )
    while len(made) < count:
        made["".join(chance.choice(syllables, chance.integers(2, 5)))] = None
    return np.array(list(made))


def sentences(count: int, chance: np.random.Generator, vocabulary: np.ndarray) -> list[str]:
    """*count* sentences of 4 to 34 words, drawn by Zipf's law with Mandelbrot's offset, as words of a language are."""
    lengths = chance.integers(4, 35, count)
    weights = 1 / (np.arange(len(vocabulary)) + 3.7) ** 1.05
    drawn = chance.choice(vocabulary, int(lengths.sum()), p=weights / weights.sum())
    ends = np.cumsum(lengths)
    return [" ".join(drawn[end - length : end]).capitalize() + "." for end, length in zip(ends, lengths, strict=True)]


def make(root: Path, passages: int, services: int) -> Case:
    """The case, its rows put down."""
    case = make_case(root, CaseFacts(title="A large invented case", authority="Benchmark"), "")
    names = [f"service-{number:04d}" for number in range(services)]
    listed = [
        Service(name, "website", "search", f"s{n % 5}", (f"https://{name}.example/",)) for n, name in enumerate(names)
    ]
    case.record("services.added", {"services": [{**item.as_json(), "urls": list(item.urls)} for item in listed]})
    chance = np.random.default_rng(SEED)
    vocabulary = words(30_000, chance)
    fresh = sentences(passages * 6 // 10, chance, vocabulary)
    common = sentences(max(passages // 20, 10), chance, vocabulary)
    each = passages // (services * PAGES)
    with writing(case) as connection, transaction(connection):
        fresh_at = iter(fresh)
        for start in range(0, services, 100):
            _put(connection, names[start : start + 100], start, each, fresh_at, common, chance)
        _put_rest(connection, names)
    return case


def _put(
    connection: Any,
    names: list[str],
    start: int,
    each: int,
    fresh: Iterator[str],
    common: list[str],
    chance: np.random.Generator,
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("visits", "observations", "texts", "observation_texts", "flags_read", "passages", "flags")
    }
    for number, name in enumerate(names, start):
        seen = DAY.format(1 + number % 28, number % 60)
        visit = f"20261001T080000Z-bench-{name}"
        rows["visits"].append(_visit(visit, name, seen))
        for page in range(PAGES):
            url = f"https://{name}.example/{'' if not page else ROLES[page]}"
            observation, text_id = f"{visit}.{page + 1}", sha256(f"{name} {page}".encode())[:24]
            rows["observations"].append(
                _observation(observation, visit, name, page + 1, url, seen, ROLES[page], text_id)
            )
            rows["observation_texts"].append({"observation": observation, "text_id": text_id})
            rows["flags_read"].append({"text_id": text_id, "analysis": "bench"})
            at, parts = 0, []
            for ordinal in range(each):
                claim = CLAIMS[chance.integers(0, len(CLAIMS))] if ordinal in (3, 9, 20) else None
                text = claim[2] if claim else next(fresh, "") if chance.random() < 0.6 else ""
                text = text or common[chance.integers(0, len(common))]
                rows["passages"].append(_passage(text_id, ordinal, at, text))
                if claim:
                    rows["flags"].append(_flag(text_id, ordinal, at, claim))
                parts.append(text)
                at += len(text) + 1
            rows["texts"].append(_text(text_id, ROLES[page], "\n".join(parts), name))
    for table, found in rows.items():
        append(connection, table, found)


def _visit(visit: str, service: str, seen: str) -> dict[str, Any]:
    return {
        "visit": visit, "service": service, "started": seen, "ended": seen, "outcome": "reached", "reason": "",
        "observations": PAGES, "addresses": 0, "partial": [""], "resumed": 0, "environment": "bench", "policy": {}, "head": "0" * 64,
    }  # fmt: skip


def _observation(
    name: str, visit: str, service: str, seq: int, url: str, seen: str, role: str, body: str
) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("user_agent", "accept_language", "found_on", "retry_of", "via", "server_ip", "http_version", "type_sniffed", "reason", "rule",
         "redirect_to", "redirect_kind", "truncated", "rendered_from", "warc_record"), "")  # fmt: skip
    return {
        **empty, "observation": name, "visit": visit, "service": service, "seq": seq, "purpose": "page", "profile": "A", "fetcher": "http",
        "requested_url": url, "started": seen, "ended": seen, "depth": 1, "role": role, "hops": [], "status": 200,
        "status_origin": "server",
        "headers": [], "type_declared": "text/html", "charset": "utf-8", "outcome": "ok", "wire_len": 1, "wire_sha256": body,
        "stored_as": "response", "stored_len": 1, "stored_sha256": body, "redactions": [], "warc_offset": 0, "warc_length": 1,
    }  # fmt: skip


def _text(text_id: str, role: str, text: str, title: str) -> dict[str, Any]:
    return {
        "text_id": text_id, "stored_sha256": text_id, "extractor": "bench/1", "page_role": role, "text_sha256": sha256(text.encode()),
        "text": text, "title": title, "h1": title, "lang": "en", "media_without_alt": 0,
    }  # fmt: skip


def _passage(text_id: str, ordinal: int, at: int, text: str) -> dict[str, Any]:
    return {
        "text_id": text_id, "ordinal": ordinal, "start": at, "end": at + len(text), "zone": ZONES[ordinal % len(ZONES)],
        "role": "paragraph",
        "heading": f"Part {ordinal // 10}", "list_intro": "", "locator": f"/p[{ordinal}]", "hidden": "", "lang": "en", "text": text,
    }  # fmt: skip


def _flag(text_id: str, ordinal: int, at: int, claim: tuple[str, str, str]) -> dict[str, Any]:
    code, stance, text = claim
    return {
        "flag": f"F-{sha256(f'{text_id} {ordinal}'.encode())[:10]}", "text_id": text_id, "ordinal": ordinal, "code": code, "stance": stance,
        "start": at, "end": at + len(text), "quote": text, "confidence": 0.5 + (ordinal % 5) / 10, "rule": f"{code}.bench",
        "raises": stance in ("PROMO", "TESTI"), "sensitive": code == "M01", "analysis": "bench",
    }  # fmt: skip


def _put_rest(connection: Any, names: list[str]) -> None:
    """Findings, changes, edges, clusters and decisions, in numbers that a sweep of this size gives."""
    pairs = list(itertools.pairwise(names))
    append(connection, "findings", [_finding(name, kind) for name in names for kind in ("X2", "absence", "defect")])
    append(connection, "finding_sides", [_side(name, number) for name in names for number in (1, 2)])
    append(connection, "changes", [_change(name, number) for name in names for number in range(5)])
    append(connection, "operator_edges", [_edge(a, b, number) for number, (a, b) in enumerate(pairs)])
    clusters = [{"cluster": f"C-{number // 4:04d}", "service": name} for number, name in enumerate(names)]
    append(connection, "operator_clusters", clusters)
    append(connection, "findings_made", [{"service": name, "made_of": "bench"} for name in names])
    connection.execute(
        """INSERT INTO decisions SELECT row_number() OVER (), 'd' || row_number() OVER (), '2026-11-01T08:00:00Z', 'ana', 'coder', unit,
           'flag', service, 'confirm', [code || ' ' || stance], code || ' ' || stance, '', '', false, 900, '', false
           FROM units WHERE raises AND NOT sensitive AND service < 'service-0200'"""
    )


def _finding(service: str, kind: str) -> dict[str, Any]:
    return {
        "finding": f"X-{sha256(f'{service} {kind}'.encode())[:10]}", "kind": kind, "rule": f"{kind}.bench", "rules_version": "1",
        "services": [service], "codes": ["D04"], "status": "found", "strength": "moderate", "title": f"{kind} at {service}",
        "reason": "Two pages say different things.", "details": "{}", "sensitive": False, "content_sha256": "0" * 64,
        "analysis": "bench", "about": service,
    }  # fmt: skip


def _side(service: str, number: int) -> dict[str, Any]:
    visit = f"20261001T080000Z-bench-{service}"
    text_id = sha256(f"{service} {number}".encode())[:24]
    return {
        "finding": f"X-{sha256(f'{service} X2'.encode())[:10]}", "number": number, "part": "promise", "service": service, "visit": visit,
        "observation": f"{visit}.{number + 1}", "seen": DAY.format(1, 0), "last_observation": f"{visit}.{number + 1}",
        "last_seen": DAY.format(1, 0), "url": f"https://{service}.example/", "page_role": ROLES[number], "text_id": text_id, "ordinal": 3,
        "start": -1, "end": -1, "quote": "", "says": "kept", "flags": [""], "text_sha256": "", "stored_sha256": "",
    }  # fmt: skip


def _change(service: str, number: int) -> dict[str, Any]:
    visit = f"20261001T080000Z-bench-{service}"
    return {
        "change": f"{service} {number}", "service": service, "kind": ("added", "dropped", "reworded", "moved", "price")[number],
        "url": f"https://{service}.example/", "from_visit": visit, "to_visit": visit, "from_seen": DAY.format(1, 0),
        "to_seen": DAY.format(8, 0), "from_observation": f"{visit}.1", "to_observation": f"{visit}.1",
        "before": "We delete every photo after one hour.", "after": "We delete photos in time.", "context": "", "codes": ["D04"],
        "flags": [""], "detail": "",
    }  # fmt: skip


def _edge(a: str, b: str, number: int) -> dict[str, Any]:
    return {
        "edge": f"E-{number}", "a": a, "b": b, "weight": 1.5 + number % 7, "strength": "strong", "decided": "", "joins": number % 4 != 3,
        "reason": "the same tag id",
    }  # fmt: skip


def ask(root: Path, repeat: int) -> None:
    """Time each question and print the table."""
    print(f"{'question':<62} {'median s':>9} {'worst s':>8}  rows")
    for name, question in QUESTIONS.items():
        taken, rows = [], 0
        for _ in range(repeat):
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "cli.main", *question],
                capture_output=True,
                check=False,
                env={**os.environ, "PLAINVIEW_CASE": str(root)},
            )
            taken.append(time.perf_counter() - began)
            rows = done.stdout.count(b"\n")
            if done.returncode:
                print(done.stderr.decode()[-400:])
        print(f"{name:<62} {statistics.median(taken):>9.2f} {max(taken):>8.2f}  {rows}", flush=True)


def main() -> None:
    """Make the case where it is missing, and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("desk-benchmark"))
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--services", type=int, default=2_000)
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    began = time.perf_counter()
    if not (chosen.folder / "case.toml").exists():
        make(chosen.folder, chosen.passages, chosen.services)
        print(f"made in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        clear(open_case(chosen.folder))
        print(f"cleared and its words indexed in {time.perf_counter() - began:.0f} s")
    case = open_case(chosen.folder)
    print(
        json.dumps(
            {
                "index MB": case.index.stat().st_size // 2**20,
                "python": platform.python_version(),
                "duckdb": version("duckdb"),
            }
        )
    )
    ask(chosen.folder, chosen.repeat)


if __name__ == "__main__":
    main()
