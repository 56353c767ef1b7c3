"""A small case for reports: invented pages, kept by the real spool, taken in and cut into passages by the real extractor.

The marks are given: what a report shows must not depend on how well the claims are read today.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.flags import analyze
from data import environment
from data.canonical import sha256
from data.case import Case, make_case, policy_record
from data.ingest import take_in
from data.records import AddressSeen, Service, Visit
from data.spool import Spool
from data.store import append, rows, transaction, writing
from tests.data.cases import FACTS, plain, refused, response

PLAIN = "Lantern Studio"
HOSTILE = 'Hostile <b onmouseover="x()">& Sons'
DOWN = "Gone Fishing"
UNVISITED = "Never Asked"

PROMISE = "We delete every photo within one hour."
RETENTION = "Uploaded photos are kept for 30 days."
MINORS = "Works great on photos of your classmates, even under 18."
LONG_WORD = "A" * 1_000_000

REVIEW = (
    "“The result was flawless, every single time, write to me at priya.n@mail.invalid!” – Priya Natarajan, designer"
)
SCRIPT = "<script>alert(3)</script> Completely free, forever, at https://pay.hostile.example/now or javascript:alert(4)"
FORMULA = '=HYPERLINK("http://evil.example") 100% free, no cost.'

# words, code, stance
MARKS = (
    (PROMISE, "D04", "PROMO"),
    ("Completely free, forever.", "D02", "PROMO"),
    ("Trusted by 2 million users.", "R03", "PROMO"),
    (RETENTION, "D04", "DISCLAIM"),
    ("upload a photo of a person without permission", "U01", "PROHIB"),
    (REVIEW, "R01", "TESTI"),
    (MINORS, "M01", "PROMO"),
    ("Completely free, no filters.", "D02", "PROMO"),
    (SCRIPT, "D02", "PROMO"),
    (FORMULA, "D02", "UI"),
)

PLAIN_PAGES = {
    "/": (
        "<!doctype html><html lang='en'><head><title>Lantern Studio</title></head><body><main><h1>Edit any photo</h1>"
        f"<h2>Your privacy</h2><p>{PROMISE} Nobody can trace you.</p><p>Completely free, forever.</p></main>"
        "<footer><p>Trusted by 2 million users.</p></footer></body></html>"
    ),
    "/privacy": (
        "<!doctype html><html lang='en'><head><title>Privacy policy</title></head><body><main><h1>Privacy policy</h1>"
        f"<p>{RETENTION}</p></main><footer><p>Trusted by 2 million users.</p></footer></body></html>"
    ),
    "/terms": (
        "<!doctype html><html lang='en'><head><title>Terms</title></head><body><main><h1>Terms of use</h1>"
        "<h2>Prohibited uses</h2><p>You may not:</p><ul><li>upload a photo of a person without permission</li></ul>"
        "</main></body></html>"
    ),
    "/reviews": (
        "<!doctype html><html lang='en'><head><title>Reviews</title></head><body><main><h1>What customers say</h1>"
        f"<p>{REVIEW}</p></main></body></html>"
    ),
    "/gallery": (
        "<!doctype html><html lang='en'><head><title>More</title></head><body><main>"
        f"<h1>More</h1><p>{MINORS} Completely free, no filters.</p></main></body></html>"
    ),
}

HOSTILE_PAGES = {
    "/": (
        "<!doctype html><html lang='en'><head><title>x&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title></head>"
        "<body><h1>&lt;img src=x onerror=alert(2)&gt;</h1>"
        "<p>&lt;script&gt;alert(3)&lt;/script&gt; Completely free, forever, at https://pay.hostile.example/now or "
        "javascript:alert(4) or write to mia@hostile.example \u202etxet desrever\u202c \x1b[31mred\x1b[0m</p>"
        '<p>=HYPERLINK("http://evil.example") 100% free, no cost.</p>'
        f"<p>Completely free {LONG_WORD}</p></body></html>"
    )
}


def report_case(root: Path, *, analyzed: bool = True) -> Case:
    """Four services: one plain, one hostile, one that no server answered for, one that was not visited yet."""
    case = make_case(root, replace(FACTS, title="A case <i>for</i> reports"), "")
    services = [
        Service(PLAIN, source="search", stratum="a", urls=("http://lantern.example/",)),
        Service(HOSTILE, source="list", stratum="b", urls=("http://hostile.example/",)),
        Service(DOWN, source="list", stratum="b", urls=("http://down.example/",)),
        Service(UNVISITED, source="list", stratum="b", urls=("http://unvisited.example/",)),
    ]
    case.record("services.added", {"services": [plain(service) for service in services]})
    _visit(case, 1, services[0], PLAIN_PAGES)
    _visit(case, 2, services[1], HOSTILE_PAGES)
    _visit(case, 3, services[2], {})
    take_in(case)
    if analyzed:
        analyze(case, lambda _: None)
        _mark(case)
    return case


def _mark(case: Case) -> None:
    """Put the given marks in the place of those that were found; a passage with a mark on minors is closed as a whole."""
    with writing(case) as connection, transaction(connection):
        [run] = rows(connection, "SELECT analysis FROM analyses")
        connection.execute("DELETE FROM flags")
        flags = []
        for passage in rows(connection, "SELECT * FROM passages ORDER BY text_id, ordinal"):
            for words, code, stance in MARKS:
                at = passage["text"].find(words)
                if at < 0:
                    continue
                start = passage["start"] + at
                place = {"text_id": passage["text_id"], "ordinal": passage["ordinal"], "start": start}
                flags.append({
                    **place, "flag": f"F-{sha256(f'{place} {code}'.encode())[:10]}", "end": start + len(words), "code": code,
                    "stance": stance, "quote": words, "confidence": 0.75, "rule": f"{code}.given",
                    "raises": stance in ("PROMO", "UI", "TESTI"), "sensitive": MINORS in passage["text"],
                    "analysis": run["analysis"],
                })  # fmt: skip
        append(connection, "flags", flags)


def _visit(case: Case, number: int, service: Service, pages: dict[str, str]) -> None:
    visit = Visit(
        visit=f"20261123T1200{number:02d}Z-test-{number}",
        service=service.service,
        started=f"2026-11-23T12:00:{number:02d}.000Z",
        entry_urls=service.urls,
        environment=environment.environment_id(),
        policy=policy_record(case.policy),
    )
    base = service.urls[0].rstrip("/")
    with Spool(case.spool / visit.visit, visit) as spool:
        for path, text in pages.items():
            url = base + path
            spool.see(AddressSeen(url, "candidate", "scope.entry", "an address of the service", "other", 0, "", (), ""))
            spool.attempt(response(spool, url, text))
        spool.see(
            AddressSeen("http://elsewhere.example/", "skipped", "scope.off-site", "on another site", "other", 1, base)
        )
        if not pages:
            spool.see(AddressSeen(base + "/", "candidate", "scope.entry", "an address of the service", "home", 0, ""))
            spool.attempt(refused(spool, base + "/"))
        spool.close(outcome="reached" if pages else "refused", reason="" if pages else "the connection was refused")
