"""The coding plan: seeded samples by stratum, a share coded twice and blind, and who codes what; all of it on the ledger.

A unit's place in the draw is the SHA-256 of seed and unit. So anybody can draw the same sample again with any tool that
has SHA-256, no generator's version matters, and a frame that grew keeps the order of what was in it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import duckdb

from data.canonical import sha256
from data.case import Case
from data.codebook import load_codebook
from data.records import Record

DRAWN = "sample.drawn"
DOUBLE_PERCENT = 20
DOUBLE_LEAST = 100


class SampleError(ValueError):
    """A sample cannot be drawn; the message says what to do."""


class What(StrEnum):
    """What is drawn."""

    FLAGS = "flags"
    PASSAGES = "passages"
    SERVICES = "services"

    @property
    def meaning(self) -> str:
        """The sentence the manual prints for it."""
        return _MEANING[self]


_MEANING = {
    What.FLAGS: "Flags that were raised, each shown with code and stance: how many of them stand (precision).",
    What.PASSAGES: "Passages with and without a flag, shown without the machine's reading: what it missed (recall).",
    What.SERVICES: "Whole services, every passage of each, shown without the machine's reading: the yardstick for shares.",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One member of a frame."""

    unit: str
    service: str
    stratum: str


@dataclass(frozen=True, slots=True)
class Assigned(Record):
    """One drawn unit and its coders; two coders mean that it is coded twice, blind."""

    unit: str
    service: str
    stratum: str
    coders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StratumSize(Record):
    """How many units a stratum of the frame has, and how many of them were drawn."""

    stratum: str
    frame: int
    drawn: int


@dataclass(frozen=True, slots=True)
class Sample(Record):
    """A drawn sample as it stands on the ledger."""

    sample: str
    what: str
    stratified_by: str
    seed: int
    double_percent: int
    frame_sha256: str
    analysis: str
    codebook_sha256: str
    coders: tuple[str, ...]
    strata: tuple[dict[str, Any], ...] = ()
    units: tuple[dict[str, Any], ...] = ()
    left_out: tuple[dict[str, Any], ...] = ()
    """What was kept out of the frame and why, as ``{"reason", "units"}``."""

    def sizes(self) -> list[StratumSize]:
        """The strata."""
        return [StratumSize.from_json(item) for item in self.strata]

    def assigned(self) -> list[Assigned]:
        """The drawn units in coding order."""
        return [Assigned.from_json(item) for item in self.units]


def place(seed: int, salt: str, unit: str) -> str:
    """A unit's place in the draw: ``sha256(seed salt unit)`` in hex; the smallest are drawn."""
    return hashlib.sha256(f"{seed} {salt} {unit}".encode()).hexdigest()


def frame_hash(frame: Iterable[Candidate]) -> str:
    """SHA-256 over the sorted lines ``unit TAB stratum``: two people drew from the same frame when these are equal."""
    return sha256("\n".join(sorted(f"{item.unit}\t{item.stratum}" for item in frame)).encode())


def allocate(sizes: dict[str, int], size: int, least: int = 1) -> dict[str, int]:
    """How many to draw from each stratum: in proportion, at least *least* where there are so many, *size* in all.

    Largest remainders get what rounding leaves over. Where the least of all strata is more than *size*, the least goes.
    """
    total = sum(sizes.values())
    size = min(size, total)
    given = {name: min(count, least) for name, count in sizes.items()}
    left = size - sum(given.values())
    if left <= 0:
        return given
    room = {name: sizes[name] - given[name] for name in sizes}
    whole = sum(room.values())
    shares = {name: left * room[name] / whole for name in sizes} if whole else dict.fromkeys(sizes, 0.0)
    for name, share in shares.items():
        given[name] += math.floor(share)
    over = size - sum(given.values())
    for name in sorted(shares, key=lambda item: (math.floor(shares[item]) - shares[item], item)):
        if over <= 0:
            break
        if given[name] < sizes[name]:
            given[name] += 1
            over -= 1
    return given


def draw(frame: Sequence[Candidate], size: int, seed: int, least: int = 1) -> list[Candidate]:
    """*size* of *frame* by stratum, in the order of their places."""
    by_stratum: dict[str, list[Candidate]] = {}
    for item in frame:
        by_stratum.setdefault(item.stratum, []).append(item)
    numbers = allocate({name: len(items) for name, items in by_stratum.items()}, size, least)
    drawn = [
        item
        for name, items in by_stratum.items()
        for item in sorted(items, key=lambda item: place(seed, "draw", item.unit))[: numbers[name]]
    ]
    return sorted(drawn, key=lambda item: place(seed, "order", item.unit))


def assign(
    drawn: Sequence[Candidate], coders: Sequence[str], seed: int, double_percent: int = DOUBLE_PERCENT
) -> list[Assigned]:
    """Who codes what. *double_percent* of every stratum, and at least 100 units in all, get two coders; pairs rotate."""
    if not coders or len(set(coders)) != len(coders):
        raise SampleError("Name each coder once: --coder ANNA --coder BEN")
    share = 0.0
    if len(coders) > 1 and double_percent:
        share = min(1.0, max(double_percent / 100, DOUBLE_LEAST / max(1, len(drawn))))
    by_stratum: dict[str, list[Candidate]] = {}
    for item in drawn:
        by_stratum.setdefault(item.stratum, []).append(item)
    double = {
        item.unit
        for items in by_stratum.values()
        for item in sorted(items, key=lambda item: place(seed, "double", item.unit))[: math.ceil(share * len(items))]
    }
    pairs = [(a, b) for at, a in enumerate(coders) for b in coders[at + 1 :]]
    assigned, singles, doubles = [], 0, 0
    for item in drawn:
        if item.unit in double:
            chosen = pairs[doubles % len(pairs)]
            doubles += 1
        else:
            chosen = (coders[singles % len(coders)],)  # type: ignore[assignment]
            singles += 1
        assigned.append(Assigned(item.unit, item.service, item.stratum, tuple(chosen)))
    return assigned


# --- the frames of a case

_PLAIN = """
WITH held AS (
    SELECT DISTINCT text_id, ordinal FROM flags WHERE sensitive OR (raises AND code IN (SELECT unnest(?::VARCHAR[])))
)
SELECT u.unit, any_value(u.service) AS service, any_value(s.stratum) AS stratum, any_value(s.kind) AS kind,
       any_value(u.page_role) AS page_role, any_value(u.lang) AS lang,
       bool_or(f.flag IS NOT NULL) AS flagged, bool_or(h.text_id IS NOT NULL) AS held
FROM passage_units u
JOIN services s ON s.service = u.service
LEFT JOIN held h ON h.text_id = u.text_id AND h.ordinal = u.ordinal
LEFT JOIN flags f ON f.text_id = u.text_id AND f.ordinal = u.ordinal AND f.raises
GROUP BY u.unit ORDER BY u.unit
"""
_FLAGS = """
SELECT u.unit, any_value(u.service) AS service, any_value(s.stratum) AS stratum, any_value(u.code) AS code,
       any_value(u.stance) AS stance, any_value(u.page_role) AS page_role,
       bool_or(u.sensitive OR u.code IN (SELECT unnest(?::VARCHAR[]))) AS held
FROM units u JOIN services s ON s.service = u.service
WHERE u.raises GROUP BY u.unit ORDER BY u.unit
"""
STRATA = ("code", "stance", "role", "source", "flagged", "service", "none")
_BY = {What.FLAGS: "code", What.PASSAGES: "flagged", What.SERVICES: "source"}


def draw_sample(
    case: Case,
    connection: duckdb.DuckDBPyConnection,
    *,
    what: What,
    size: int,
    seed: int,
    coders: Sequence[str],
    by: str = "",
    double_percent: int = DOUBLE_PERCENT,
    least: int = 1,
) -> Sample:
    """Draw a sample, and put it on the ledger with seed and frame hash. *size* counts units, or services for ``services``.

    Raises ``SampleError`` where there is nothing to draw from.
    """
    from data.store import rows

    by = by or _BY[what]
    if by not in STRATA:
        raise SampleError(f"There is no stratum {by!r}. Known are: {', '.join(STRATA)}")
    if size < 1:
        raise SampleError("A sample has at least one unit.")
    query = _FLAGS if what is What.FLAGS else _PLAIN
    found = rows(connection, query, [sorted(closed_codes())])
    held = sum(1 for row in found if row["held"])
    frame = [Candidate(row["unit"], row["service"], _stratum(row, by)) for row in found if not row["held"]]
    if what is What.SERVICES:
        names = {item.service: item.stratum for item in frame}
        population = [Candidate(name, name, stratum) for name, stratum in sorted(names.items())]
        chosen = {item.service for item in draw(population, size, seed, least)}
        drawn = [item for item in draw(frame, len(frame), seed, 0) if item.service in chosen]
    else:
        population = frame
        drawn = draw(frame, size, seed, least)
    if not drawn:
        raise SampleError("There is nothing to draw from yet. Crawl first, then: plainview analyze")
    counted = {item.service for item in drawn} if what is What.SERVICES else {item.unit for item in drawn}
    strata: dict[str, list[int]] = {}
    for item in population:
        place_of = strata.setdefault(item.stratum, [0, 0])
        place_of[0] += 1
        place_of[1] += item.unit in counted
    method = [row["analysis"] for row in rows(connection, "SELECT analysis FROM analyses")]
    number = sum(1 for _ in case.ledger.events(DRAWN)) + 1
    assigned = assign(drawn, coders, seed, double_percent)
    sample = Sample(
        sample=f"S-{number:03}",
        what=what,
        stratified_by=by,
        seed=seed,
        double_percent=double_percent,
        frame_sha256=frame_hash(population),
        analysis=method[0] if method else "",
        codebook_sha256=load_codebook().sha256,
        coders=tuple(coders),
        strata=tuple(StratumSize(name, size_of, taken).as_json() for name, (size_of, taken) in sorted(strata.items())),
        units=tuple(item.as_json() for item in assigned),
        left_out=({"reason": "waits in the closed queue for the named officer", "units": held},) if held else (),
    )
    case.record(DRAWN, sample.as_json())
    return sample


def closed_codes() -> frozenset[str]:
    """Codes whose flags wait in the closed queue: what refers to minors, and use meant to harm somebody."""
    return load_codebook().referral_codes | {"U06"}


def samples(case: Case) -> dict[str, Sample]:
    """Every sample of the case by name, in the order drawn."""
    return {event.body["sample"]: Sample.from_json(event.body) for event in case.ledger.events(DRAWN)}


def _stratum(row: dict[str, Any], by: str) -> str:
    match by:
        case "code":
            return str(row.get("code", ""))
        case "stance":
            return str(row.get("stance", ""))
        case "role":
            return str(row["page_role"])
        case "source":
            return str(row["stratum"])
        case "flagged":
            return "flagged" if row.get("flagged", True) else "no flag"
        case "service":
            return str(row["service"])
    return ""
