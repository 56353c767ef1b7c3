"""Units of review: one flag, finding or passage with everything a person needs to decide on it, and the queue of a coder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from data.canonical import sha256
from data.case import Case
from data.codebook import load_codebook
from data.decisions import Decision, Role, decisions, last_decisions, settle
from data.sampling import closed_codes, samples
from data.store import rows


@dataclass(frozen=True, slots=True)
class Side:
    """One of the places a finding rests on."""

    quote: str
    url: str = ""
    page_role: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a coder is shown. ``places`` counts the pages that hold the same words in the same context.

    ``quote_start`` and ``quote_end`` are offsets into ``passage``. ``code`` and ``stance`` are empty for a passage.
    """

    unit: str
    kind: str
    service: str
    code: str = ""
    stance: str = ""
    passage: str = ""
    quote_start: int = 0
    quote_end: int = 0
    heading: str = ""
    list_intro: str = ""
    page_role: str = ""
    zone: str = ""
    role: str = ""
    url: str = ""
    seen: str = ""
    confidence: float = 0.0
    rule: str = ""
    places: int = 1
    sides: tuple[Side, ...] = ()
    summary: str = ""
    sample: str = ""

    @property
    def machine(self) -> str:
        """The label that the unit was raised with, as ``D04 PROMO``; empty for a passage."""
        return f"{self.code} {self.stance}".strip() if self.kind != "passage" else ""


_FLAG = """
SELECT unit, 'flag' AS kind, any_value(service) AS service, any_value(code) AS code, any_value(stance) AS stance,
       any_value(passage) AS passage, any_value(quote_start) AS quote_start, any_value(quote_end) AS quote_end,
       any_value(heading) AS heading, any_value(list_intro) AS list_intro, any_value(page_role) AS page_role,
       arg_min(zone, seen) AS zone, arg_min(role, seen) AS role, arg_min(url, seen) AS url, min(seen) AS seen,
       max(confidence) AS confidence, arg_max(rule, confidence) AS rule, count(DISTINCT url) AS places,
       bool_or(sensitive) AS sensitive
FROM units WHERE {where} GROUP BY unit
"""
_PASSAGE = """
SELECT unit, 'passage' AS kind, any_value(service) AS service, any_value(passage) AS passage,
       any_value(heading) AS heading, any_value(list_intro) AS list_intro, any_value(page_role) AS page_role,
       arg_min(zone, seen) AS zone, arg_min(role, seen) AS role, arg_min(url, seen) AS url, min(seen) AS seen,
       count(DISTINCT url) AS places
FROM passage_units WHERE {where} GROUP BY unit
"""
_SENSITIVE = """
SELECT DISTINCT unit FROM passage_units u JOIN flags f ON f.text_id = u.text_id AND f.ordinal = u.ordinal
WHERE f.sensitive
"""


def flag_unit_id(
    service: str,
    page_role: str,
    heading: str,
    list_intro: str,
    passage: str,
    code: str,
    stance: str,
    start: int,
    end: int,
) -> str:
    """The name of a flag's unit: the same as the view ``units`` gives it."""
    parts = (service, page_role, heading, list_intro, passage, code, stance, str(start), str(end))
    return f"R-{sha256(chr(31).join(parts).encode())[:12]}"


def find_units(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, Unit]:
    """The units called *names* as the index has them. What refers to minors is never among them."""
    wanted = list(names)
    found: dict[str, Unit] = {}
    flags_ = [name for name in wanted if name.startswith("R-")]
    if flags_:
        sql = _FLAG.format(where="unit IN (SELECT unnest(?::VARCHAR[]))")
        for row in rows(connection, sql, [flags_]):
            if not row.pop("sensitive"):
                found[row["unit"]] = Unit(**row)
    passages = [name for name in wanted if name.startswith("P-")]
    if passages:
        hidden = {row["unit"] for row in rows(connection, _SENSITIVE)}
        sql = _PASSAGE.format(where="unit IN (SELECT unnest(?::VARCHAR[]))")
        for row in rows(connection, sql, [passages]):
            if row["unit"] not in hidden:
                found[row["unit"]] = Unit(**row)
    if any(not name.startswith(("R-", "P-")) for name in wanted):
        by_name = {unit.unit: unit for unit in finding_units(connection)}
        found.update({name: by_name[name] for name in wanted if name in by_name})
    return found


def flag_units(
    connection: duckdb.DuckDBPyConnection, *, codes: Sequence[str] = (), services: Sequence[str] = ()
) -> list[Unit]:
    """Every raised flag of the open queue, service by service, page role by page role, so that context carries over."""
    tests, values = ["raises", "NOT sensitive", "code NOT IN (SELECT unnest(?::VARCHAR[]))"], [sorted(closed_codes())]
    for column, wanted in (("code", codes), ("service", services)):
        if wanted:
            tests.append(f"{column} IN (SELECT unnest(?::VARCHAR[]))")
            values.append(list(wanted))
    found = rows(connection, _FLAG.format(where=" AND ".join(tests)), values)
    for row in found:
        row.pop("sensitive")
    return sorted((Unit(**row) for row in found), key=lambda item: (item.service, item.page_role, item.code, item.unit))


def finding_units(connection: duckdb.DuckDBPyConnection) -> list[Unit]:
    """The findings as units, both sides with them; none where findings were not made yet."""
    if not rows(connection, "SELECT 1 FROM information_schema.tables WHERE table_name = 'findings'"):
        return []
    found = []
    for row in rows(connection, "SELECT * FROM findings ORDER BY service, finding"):
        if row.get("sensitive"):
            continue
        raw = row.get("sides")
        sides = json.loads(raw) if isinstance(raw, str) else raw or []
        found.append(
            Unit(
                unit=str(row["finding"]),
                kind="finding",
                service=str(row["service"]),
                code=str(row.get("code") or row.get("kind") or ""),
                summary=str(row.get("summary") or ""),
                rule=str(row.get("rule") or ""),
                sides=tuple(_side(side) for side in sides),
            )
        )
    return found


def _side(side: Any) -> Side:
    if not isinstance(side, dict):
        return Side(str(side))
    return Side(
        quote=str(side.get("quote") or side.get("passage") or ""),
        url=str(side.get("url") or ""),
        page_role=str(side.get("page_role") or side.get("role") or ""),
        seen=str(side.get("seen") or ""),
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """What is left for a coder: units in order, how many are done of how many, and by unit what others said (adjudication)."""

    units: tuple[Unit, ...]
    done: int
    total: int
    missing: tuple[str, ...] = ()
    """Units of a sample that the index no longer has (another extractor or codebook); named, never dropped silently."""
    others: dict[str, tuple[Decision, ...]] | None = None


def coder_queue(
    case: Case,
    connection: duckdb.DuckDBPyConnection,
    coder: str,
    *,
    sample: str = "",
    codes: Sequence[str] = (),
    services: Sequence[str] = (),
) -> Queue:
    """What *coder* has still to decide: of a sample if one is named, else of all flags and findings in the open queue."""
    decided = {unit for unit, who, role in last_decisions(decisions(case)) if who == coder and role == Role.CODER}
    if sample:
        drawn = samples(case).get(sample)
        if drawn is None:
            raise KeyError(sample)
        names = [item.unit for item in drawn.assigned() if coder in item.coders]
        left = [name for name in names if name not in decided]
        known = find_units(connection, left)
        units = tuple(replace(known[name], sample=sample) for name in left if name in known)
        missing = tuple(name for name in left if name not in known)
        return Queue(units, len(names) - len(left), len(names), missing)
    every = flag_units(connection, codes=codes, services=services)
    if not codes:
        every += [unit for unit in finding_units(connection) if not services or unit.service in services]
    every.sort(key=lambda unit: unit.service)
    units = tuple(unit for unit in every if unit.unit not in decided)
    return Queue(units, len(every) - len(units), len(every))


def open_disagreements(case: Case, connection: duckdb.DuckDBPyConnection, sample: str = "") -> Queue:
    """The units on which coders differ and nobody has adjudicated, with what each of them said."""
    made = decisions(case)
    within = {item.unit for item in samples(case)[sample].assigned()} if sample else None
    differ = [unit for unit, item in settle(made).items() if item.how == "open" and (within is None or unit in within)]
    last = last_decisions(made).values()
    others = {
        unit: tuple(sorted((d for d in last if d.unit == unit and d.role == Role.CODER), key=lambda d: d.coder))
        for unit in differ
    }
    known = find_units(connection, differ)
    units = tuple(replace(known[name], sample=sample) for name in sorted(differ) if name in known)
    missing = tuple(name for name in differ if name not in known)
    return Queue(units, 0, len(differ), missing, others)


def known_codes() -> tuple[tuple[str, str], ...]:
    """Code and title of every code a coder can choose in the open queue."""
    closed = load_codebook().referral_codes
    return tuple((code.id, code.title) for code in load_codebook().codes if code.id not in closed)
