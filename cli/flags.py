"""``plainview flags``: what was flagged, in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import filters
from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.filters import (
    CodeOption,
    ConfidenceOption,
    RoleOption,
    ServiceOption,
    SinceOption,
    StanceOption,
    Tests,
    UnreviewedOption,
    UntilOption,
    ZoneOption,
)
from cli.query import Asked, ByOption, CountOption, LimitOption, Listing, SortOption, answer, every_row
from cli.terminal import Format, say, with_hits

if TYPE_CHECKING:
    import duckdb


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("flags")(flags)


def flags(
    code: CodeOption = None,
    stance: StanceOption = None,
    service: ServiceOption = None,
    role: RoleOption = None,
    zone: ZoneOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    min_confidence: ConfidenceOption = 0.0,
    unreviewed: UnreviewedOption = False,
    all_stances: Annotated[
        bool, typer.Option("--all", help="Also what raises no flag: prohibitions, limits, reports.")
    ] = False,
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """List possible indicators, each with the words it rests on. What refers to minors is never listed here."""
    from analysis.cleared import reading_cleared

    asked = Asked(sort or (), limit, count, by or (), form, output)
    codes, stances, roles = filters.codes(code), filters.stances(stance), filters.roles(role)
    seen = Tests().between("o.started", since, until)
    opened = the_case(case)
    with reading_cleared(opened) as connection:
        not_analyzed(connection)
        seen.among("o.service", filters.services(connection, service))
        tests = Tests(seen).add("NOT f.sensitive").among("f.code", codes).among("f.stance", stances)
        tests.among("t.page_role", roles).among("z.zone", filters.zones(connection, zone))
        if not all_stances and not stances:
            tests.add("f.raises")
        if min_confidence:
            tests.add("f.confidence >= ?", min_confidence)
        if unreviewed:
            tests.add(_UNREVIEWED)
        listing = _listing(seen, tests, asked, zoned=bool(zone))
        answer(connection, listing, tests.values, asked, lambda found: _finish(connection, found, asked.table))


def raised(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every possible indicator of the case, as ``flags --format json`` has it."""
    listing = _listing(Tests(), Tests().add("NOT f.sensitive").add("f.raises"), Asked(), zoned=False)
    found = every_row(connection, listing)
    _finish(connection, found, table=False)
    return found


def not_analyzed(connection: duckdb.DuckDBPyConnection) -> None:
    """Say on stderr where stored texts wait for an analysis."""
    waiting = connection.execute(
        """SELECT count(*) FROM observations o ANTI JOIN observation_texts t USING (observation)
           WHERE stored_as IN ('response', 'conversion') AND purpose <> 'robots'"""
    ).fetchone()
    if waiting and waiting[0]:
        say(f"{waiting[0]} texts have not been read yet: plainview analyze")


# A text is shown once for each service, at the first observation that shows it.
PLACES = """
SELECT ot.text_id, o.service, min(o.started) AS seen, max(o.started) AS last_seen,
       arg_min(o.observation, o.started || o.observation) AS observation, count(*) AS times
FROM observation_texts ot JOIN observations o ON o.observation = ot.observation WHERE {where} GROUP BY ALL
"""
PAGES = """
SELECT c.n, count(DISTINCT o.requested_url) AS pages
FROM chosen c JOIN observation_texts ot ON ot.text_id = c.text_id JOIN observations o ON o.observation = ot.observation
WHERE o.service = c.service GROUP BY c.n
"""
_UNREVIEWED = """NOT EXISTS (SELECT 1 FROM units u WHERE u.flag = f.flag AND u.service = l.service
    AND u.service IN (SELECT service FROM decisions) AND u.unit IN (SELECT unit FROM decisions_last))"""
_DETAILS = f"""
SELECT c.n, c.flag, c.service, c.code, c.stance, c.confidence, c.page_role, coalesce(p.zone, '') AS zone, c.rule,
       o.requested_url AS url, c.seen, o.visit, c.observation, c.start, c."end", t.text_sha256, g.pages, c.text_id, c.ordinal,
       coalesce(w.text, '') AS passage, coalesce(q.quote_start, 0) AS quote_start, coalesce(q.quote_end, 0) AS quote_end,
       coalesce(p.heading, '') AS heading, coalesce(p.list_intro, '') AS list_intro
FROM chosen c
JOIN observations o ON o.observation = c.observation
JOIN texts t ON t.text_id = c.text_id
JOIN ({PAGES}) g ON g.n = c.n
LEFT JOIN cleared_flags q ON q.flag = c.flag
LEFT JOIN cleared_passages p ON p.text_id = c.text_id AND p.ordinal = c.ordinal
LEFT JOIN cleared_words w ON w.words = p.words
"""  # noqa: S608 - our own words
_RAW = """
SELECT c.n, p.zone, p.heading, p.list_intro, p.text, p.start FROM chosen c
JOIN passages p ON p.text_id = c.text_id AND p.ordinal = c.ordinal ORDER BY c.n
"""


def _listing(seen: Tests, tests: Tests, asked: Asked, *, zoned: bool) -> Listing:
    joins, more = [], []
    if zoned or asked.names("zone"):
        joins.append("JOIN passages z ON z.text_id = f.text_id AND z.ordinal = f.ordinal")
        more.append("z.zone")
    if asked.names("url") or asked.names("visit"):
        joins.append("JOIN observations o ON o.observation = l.observation")
        more += ["o.requested_url AS url", "o.visit"]
    keys = f"""
        WITH places AS ({PLACES.format(where=seen.where)})
        SELECT f.flag, l.service, f.code, f.stance, f.confidence, t.page_role, f.rule, l.seen, l.observation, f.start, f."end",
               {", ".join(("f.text_id", "f.ordinal", *more))}
        FROM flags f JOIN places l ON l.text_id = f.text_id JOIN texts t ON t.text_id = f.text_id {" ".join(joins)}
        WHERE {tests.where}"""  # noqa: S608 - our own words
    return Listing(
        name="flags",
        keys=keys,
        details=_DETAILS,
        sortable=(
            "service",
            "code",
            "stance",
            "confidence",
            "page_role",
            "zone",
            "url",
            "seen",
            "rule",
            "flag",
            "visit",
        ),
        order=("service", "code", "seen", "start", "flag"),
        groups=("code", "stance"),
        table=("flag", "service", "code", "stance", "words"),
        wide=("flag", "service", "code", "stance", "confidence", "page_role", "decided", "words"),
        closing="Everything about one: plainview show FLAG",
    )


def _finish(connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]], table: bool) -> None:
    """Cut each quote out of its cleared passage, and say what was decided on its unit."""
    from analysis.cleared import HELD
    from data.store import rows
    from data.units import flag_unit_id

    any_decided = connection.execute("SELECT 1 FROM decisions LIMIT 1").fetchone()
    # The unit is named by the words as they were read; a table needs it only to say what was decided.
    raw = rows(connection, _RAW) if any_decided or not table else []
    for row, read in zip(found, raw, strict=bool(raw)):
        at = read["start"]
        where = (row["service"], row["page_role"], read["heading"], read["list_intro"], read["text"])
        row["unit"] = flag_unit_id(*where, row["code"], row["stance"], row["start"] - at, row["end"] - at)
        row["zone"] = read["zone"]
    last = decided(connection, [row["unit"] for row in found]) if any_decided else {}
    for row in found:
        row["decided"] = last.get(row.get("unit", ""), [])
        if row["quote_end"] == 0:
            row |= {"passage": HELD, "quote_end": len(HELD)}
        row["quote"] = row["passage"][row["quote_start"] : row["quote_end"]]
        if table:
            row["words"] = with_hits(row["passage"], [(row["quote_start"], row["quote_end"])], around=30)


def decided(connection: duckdb.DuckDBPyConnection, units: list[str]) -> dict[str, list[str]]:
    """What was last decided on each of *units* that was decided on, each as ``verdict (name)``."""
    from data.store import rows

    sql = """SELECT unit, list(verdict || ' (' || coder || ')' ORDER BY coder, role) AS decided FROM decisions_last
             WHERE unit IN (SELECT unnest(?::VARCHAR[])) GROUP BY unit"""
    return {row["unit"]: row["decided"] for row in rows(connection, sql, [units])}
