"""Units of review: one flag, finding or passage with everything a person needs to decide on it, and the queue of a coder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    veiled: bool = False
    """Whether its words are shown only when asked for; the category comes first."""

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
       bool_or(sensitive) AS sensitive, bool_or(code IN (SELECT unnest(?::VARCHAR[]))) AS veiled
FROM units WHERE {where} GROUP BY unit
"""
_PASSAGE = """
SELECT unit, 'passage' AS kind, any_value(service) AS service, any_value(passage) AS passage,
       any_value(heading) AS heading, any_value(list_intro) AS list_intro, any_value(page_role) AS page_role,
       arg_min(zone, seen) AS zone, arg_min(role, seen) AS role, arg_min(url, seen) AS url, min(seen) AS seen,
       count(DISTINCT url) AS places, bool_or(f.text_id IS NOT NULL) AS veiled
FROM passage_units u
LEFT JOIN (SELECT DISTINCT text_id, ordinal FROM flags WHERE raises AND code IN (SELECT unnest(?::VARCHAR[]))) f
ON f.text_id = u.text_id AND f.ordinal = u.ordinal
WHERE {where} GROUP BY unit
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


def veiled_codes() -> list[str]:
    """Codes whose words a reviewer sees only on request: use against persons, published results, age."""
    own = {"T03", "M02", "M03"}
    return sorted(code.id for code in load_codebook().codes if code.theory == "unfairness" or code.id in own)


def find_units(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, Unit]:
    """The units called *names* as the index has them. What refers to minors is never among them."""
    wanted = list(names)
    found: dict[str, Unit] = {}
    flags_ = [name for name in wanted if name.startswith("R-")]
    if flags_:
        sql = _FLAG.format(where="unit IN (SELECT unnest(?::VARCHAR[]))")
        for row in rows(connection, sql, [veiled_codes(), flags_]):
            if not row.pop("sensitive"):
                found[row["unit"]] = Unit(**row)
    passages = [name for name in wanted if name.startswith("P-")]
    if passages:
        hidden = {row["unit"] for row in rows(connection, _SENSITIVE)}
        sql = _PASSAGE.format(where="unit IN (SELECT unnest(?::VARCHAR[]))")
        for row in rows(connection, sql, [veiled_codes(), passages]):
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
    tests: list[str] = ["raises", "NOT sensitive", "code NOT IN (SELECT unnest(?::VARCHAR[]))"]
    values = [veiled_codes(), sorted(closed_codes())]
    for column, wanted in (("code", codes), ("service", services)):
        if wanted:
            tests.append(f"{column} IN (SELECT unnest(?::VARCHAR[]))")
            values.append(list(wanted))
    found = rows(connection, _FLAG.format(where=" AND ".join(tests)), values)
    for row in found:
        row.pop("sensitive")
    return sorted((Unit(**row) for row in found), key=lambda item: (item.service, item.page_role, item.code, item.unit))


_FINDINGS = """
SELECT finding, kind, rule, coalesce(services[1], '') AS service, title, reason, codes FROM findings
WHERE NOT sensitive AND status = 'found' ORDER BY service, kind, finding
"""
_SIDES = """
SELECT finding, quote, says, url, page_role, seen FROM finding_sides
WHERE finding IN (SELECT finding FROM findings WHERE NOT sensitive AND status = 'found') ORDER BY finding, number
"""


def finding_units(connection: duckdb.DuckDBPyConnection) -> list[Unit]:
    """The findings as units, with every side they rest on. Absences that are not determinable are not asked about."""
    sides: dict[str, list[Side]] = {}
    for row in rows(connection, _SIDES):
        words = row["quote"] or row["says"]
        sides.setdefault(row["finding"], []).append(Side(words, row["url"], row["page_role"], row["seen"]))
    veiled = set(veiled_codes()) | closed_codes()
    return [
        Unit(
            unit=row["finding"],
            kind="finding",
            service=row["service"],
            code=row["kind"],
            summary=f"{row['title']}. {row['reason']}",
            rule=row["rule"],
            sides=tuple(sides.get(row["finding"], ())),
            veiled=bool(veiled & set(row["codes"])),
        )
        for row in rows(connection, _FINDINGS)
    ]


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
