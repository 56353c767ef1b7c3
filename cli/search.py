"""``plainview search``: find words in the passages of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import filters
from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.filters import (
    CodeOption,
    RoleOption,
    ServiceOption,
    SinceOption,
    Tests,
    UntilOption,
    ZoneOption,
)
from cli.flags import PLACES, not_analyzed
from cli.query import Asked, ByOption, CountOption, LimitOption, Listing, SortOption, answer
from cli.terminal import Format, with_hits

if TYPE_CHECKING:
    import duckdb

    from analysis.search import Matching, Node

MOST_RANKED = 50_000
"""Wordings up to which hits are ranked; beyond, they come in the order of services, which says more than a rank."""


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("search")(search)


def search(
    question: Annotated[
        list[str],
        typer.Argument(metavar="QUESTION…", help='Words, "a phrase", begin*, AND, OR, NOT, (…), delete NEAR/5 photo.'),
    ],
    regex: Annotated[
        bool, typer.Option("--regex", "-e", help="QUESTION is a regular expression (RE2); (?-i) minds capitals.")
    ] = False,
    service: ServiceOption = None,
    role: RoleOption = None,
    zone: ZoneOption = None,
    code: CodeOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Find passages by their words. One row for each wording and service; what is in the closed queue is never found."""
    from analysis.cleared import reading_cleared
    from analysis.search import SearchError, matching, matching_pattern, read_question

    asked = Asked(sort or (), limit, count, by or (), form, output)
    codes, roles = filters.codes(code), filters.roles(role)
    seen = Tests().between("o.started", since, until)
    opened = the_case(case)
    words = " ".join(question)
    with reading_cleared(opened) as connection:
        not_analyzed(connection)
        seen.among("o.service", filters.services(connection, service))
        tests = Tests(seen).among("t.page_role", roles).among("c.zone", filters.zones(connection, zone))
        if codes:
            tests.add(_CODED, codes)
        try:
            tree = None if regex else read_question(words, connection)
            found = matching_pattern(words, connection) if tree is None else matching(tree)
        except SearchError as error:
            raise Stop(str(error)) from error
        ranked = _match(connection, found, rank=not (count or by or sort))
        listing = _listing(seen, tests, asked, typed=bool(roles) or asked.names("page_role"), ranked=ranked)
        answer(
            connection, listing, tests.values, asked, lambda rows: _finish(connection, rows, tree, words, asked.table)
        )


def _match(connection: duckdb.DuckDBPyConnection, found: Matching, *, rank: bool) -> bool:
    """Put the matching wordings into ``matched``, and their rank into ``ranked`` where they are few enough to rank."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE matched AS {found.matched}", found.values)
    row = connection.execute("SELECT count(*) FROM matched").fetchone()
    if not rank or not found.scored or not row or row[0] > MOST_RANKED:
        return False
    connection.execute(f"CREATE OR REPLACE TEMP TABLE ranked AS {found.scored}", found.score_values)
    return True


_CODED = """EXISTS (SELECT 1 FROM flags f WHERE f.text_id = c.text_id AND f.ordinal = c.ordinal AND f.raises AND NOT f.sensitive
            AND list_contains(?, f.code))"""
_SORTABLE = ("score", "service", "page_role", "zone", "seen", "pages", "words")


def _listing(seen: Tests, tests: Tests, asked: Asked, *, typed: bool, ranked: bool) -> Listing:
    more = "".join(
        f", {expression} AS {name}"
        for name, expression in (
            ("page_role", "min(t.page_role)"),
            ("zone", "min(c.zone)"),
            ("seen", "min(l.seen)"),
            ("pages", "sum(l.times)"),
        )
        if asked.names(name)
    )
    where = f"WHERE {tests.where}"

    def stand(picked: str, first: str, page: str) -> str:
        return f"""SELECT {picked} FROM {first} JOIN cleared_passages c ON c.words = m.words
                   JOIN places l ON l.text_id = c.text_id {page} {where}"""  # noqa: S608 - our own words

    places = f"WITH places AS ({PLACES.format(where=seen.where)})"
    score = "any_value(r.score)" if ranked else "0.0"
    first = f"matched m{' JOIN ranked r ON r.words = m.words' if ranked else ''}"
    page = "JOIN texts t ON t.text_id = c.text_id"
    keys = stand(f"m.words, l.service{more}, {score} AS score", first, page if typed else "")
    every = stand(
        'm.n, m.score, m.service, c.zone, c.role, c.heading, c.list_intro, c.text_id, c.ordinal, c.start, c."end", t.page_role, '
        "t.text_sha256, l.seen, l.last_seen, l.observation, l.times, m.words",
        "chosen m",
        page,
    )
    details = f"""
        {places}, stands AS ({every} AND l.service = m.service),
        once AS (SELECT n, arg_min(stands, (seen, stands.observation, ordinal)) AS s, max(last_seen) AS last_seen, sum(times) AS pages
                 FROM stands GROUP BY n),
        coded AS (SELECT s.n, list(DISTINCT f.code ORDER BY f.code) AS codes FROM stands s
                  JOIN flags f ON f.text_id = s.text_id AND f.ordinal = s.ordinal AND f.raises AND NOT f.sensitive GROUP BY s.n)
        SELECT o.n, s.service, s.page_role, s.zone, w.text AS passage, s.score, s.heading, s.list_intro, s.role, b.requested_url AS url,
               s.seen, o.last_seen, o.pages::BIGINT AS pages, b.visit, s.observation, s.start, s."end", s.text_sha256,
               coalesce(d.codes, []) AS codes
        FROM once o JOIN cleared_words w ON w.words = s.words JOIN observations b ON b.observation = s.observation
        LEFT JOIN coded d ON d.n = o.n"""  # noqa: S608 - our own words
    return Listing(
        name="search",
        keys=f"{places} {keys} GROUP BY m.words, l.service",
        details=details,
        sortable=_SORTABLE,
        order=("score DESC", "service", "words"),
        groups=(),
        table=("service", "page_role", "words"),
        wide=("service", "page_role", "zone", "pages", "codes", "words"),
        noun="passages",
        missing="Words are found whole; delet* finds deletes, deleted and deletion.",
        closing="All about one: plainview show OBSERVATION (--format json names it)."
        if ranked
        else "In the order of services.",
    )


def _finish(
    connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]], tree: Node | None, pattern: str, table: bool
) -> None:
    from analysis.search import hits, pattern_hits

    for row in found:
        if tree is not None:
            row["hits"] = hits(row["passage"], tree)
        else:
            taken = connection.execute("SELECT regexp_extract_all(?, ?, 0, 'i')", [row["passage"], pattern]).fetchone()
            row["hits"] = pattern_hits(row["passage"], taken[0] if taken else [])
        if table:
            row["words"] = with_hits(row["passage"], row["hits"][:20], around=60)
