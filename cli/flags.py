"""``plainview flags`` and ``plainview show``: what was flagged, and everything known about one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.terminal import Format, emit, harmless, lines, marked, narrow, out, say

if TYPE_CHECKING:
    import duckdb

    from data.case import Case

COLUMNS = (
    "flag", "service", "code", "stance", "confidence", "page_role", "zone", "quote", "heading", "list_intro", "passage",
    "rule", "url", "seen", "visit", "observation", "start", "end", "text_sha256",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("flags")(flags)
    app.command("show")(show)


def complete_code(incomplete: str) -> list[tuple[str, str]]:
    """Codes for the shell's completion, with their titles."""
    from data.codebook import load_codebook

    return [(code.id, code.title) for code in load_codebook().codes if code.id.startswith(incomplete.upper())]


def flags(
    code: Annotated[
        list[str] | None,
        typer.Option(help="Only these codes, e.g. D04; may be given several times.", autocompletion=complete_code),
    ] = None,
    stance: Annotated[list[str] | None, typer.Option(help="Only these stances, e.g. promo.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only these services.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="Only pages of this role, e.g. home, terms.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help="Only this zone of the page, e.g. footer.")] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Seen on this day (UTC) or later, e.g. 2026-10-01.")] = "",
    min_confidence: Annotated[float, typer.Option(min=0.0, max=1.0, help="At least this confident.")] = 0.0,
    all_stances: Annotated[
        bool, typer.Option("--all", help="Also what raises no flag: prohibitions, limits, reports.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="At most so many rows; 0 = all.")] = 0,
    count: Annotated[bool, typer.Option("--count", help="Only how many, by code and stance.")] = False,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """List possible indicators, each with the words it rests on. What refers to minors is never listed here."""
    from data.store import reading, rows

    opened = the_case(case)
    where, values = _filters(code, stance, service, role, zone, since, min_confidence, all_stances)
    with reading(opened) as connection:
        _analyzed(connection)
        if count:
            sql = f"""SELECT code, stance, count(*) AS flags, count(DISTINCT service) AS services
                      FROM ({_distinct(where)}) GROUP BY code, stance ORDER BY code, stance"""  # noqa: S608
            emit(rows(connection, sql, values), ("code", "stance", "flags", "services"), form, output)
            return
        bound = f" LIMIT {int(limit)}" if limit else ""
        found = rows(connection, f"{_distinct(where)} ORDER BY service, code, url, start{bound}", values)
    _mask(found, opened)
    if form is Format.TABLE and output is None:
        for row in found:
            row["confidence"] = round(row["confidence"], 2)
            row["words"] = _short(row)
        most_needed = ("flag", "service", "code", "stance", "words")
        emit(found, most_needed if narrow() else (*most_needed[:4], "confidence", "page_role", "words"), form)
        say(f"{len(found)} rows. Everything about one: plainview show FLAG")
        return
    emit(found, COLUMNS, form, output)


def show(
    thing: Annotated[
        str, typer.Argument(help="A flag (F-…), a finding (X-…), an observation, a visit, a service or an address.")
    ],
    case: CaseOption = None,
) -> None:
    """Show everything known about a flag, a page, a visit or a service, with its context and how it was obtained."""
    from cli.findings import show_finding
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        if _show_flag(opened, connection, thing) or _show_observation(opened, connection, thing):
            return
        for attempt in (show_finding, _show_visit, _show_service, _show_address):
            if attempt(connection, thing):
                return
    raise Stop(
        f"{thing!r} is no flag, finding, observation, visit, service or address of this case. See: plainview flags, plainview services list"
    )


def _filters(
    code: list[str] | None,
    stance: list[str] | None,
    service: list[str] | None,
    role: list[str] | None,
    zone: list[str] | None,
    since: str,
    min_confidence: float,
    all_stances: bool,
) -> tuple[str, list[Any]]:
    import difflib
    import re

    from data.codebook import load_codebook

    codebook = load_codebook()
    codes = [item.upper() for item in code or []]
    stances = [item.upper() for item in stance or []]
    for given, known, what in ((codes, codebook.code_ids, "code"), (stances, codebook.stance_ids, "stance")):
        for item in given:
            if item not in known:
                near = difflib.get_close_matches(item, known, n=1)
                raise Stop(
                    f"There is no {what} {item}.{f' Did you mean {near[0]}?' if near else ''} See: plainview codebook show"
                )
    if since and not re.fullmatch(r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?", since):
        raise Stop(f"--since takes a day such as 2026-10-01, not {since!r}.")
    tests = ["NOT sensitive"]
    values: list[Any] = []
    if not all_stances and not stances:
        tests.append("raises")
    for column, wanted in (
        ("code", codes),
        ("stance", stances),
        ("service", service),
        ("page_role", role),
        ("zone", zone),
    ):
        if wanted:
            tests.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    if since:
        tests.append("seen >= ?")
        values.append(since)
    if min_confidence:
        tests.append("confidence >= ?")
        values.append(min_confidence)
    return " AND ".join(tests), values


def _distinct(where: str) -> str:
    """Flags once for each service, at the first observation that shows them."""
    return f"""SELECT * FROM flags_seen WHERE {where}
               QUALIFY row_number() OVER (PARTITION BY flag, service ORDER BY seen, observation) = 1"""  # noqa: S608


def _mask(found: list[dict[str, Any]], opened: Case) -> None:
    """Hide third parties in the words of the rows. ``start`` and ``end`` still count in the text as it was read."""
    from analysis.masking import Masker

    masker = Masker.of(opened)
    for row in found:
        before, quote, after = masker.quoted(
            row["passage"],
            row["quote_start"],
            row["quote_end"],
            stances=(row["stance"],),
            page_role=row["page_role"],
            heading=row["heading"],
        )
        row |= {
            "passage": before + quote + after,
            "quote": quote,
            "quote_start": len(before),
            "quote_end": len(before) + len(quote),
        }


def _short(row: dict[str, Any]) -> Any:
    """The quote with a little of what stands around it, highlighted."""
    before = row["passage"][: row["quote_start"]]
    after = row["passage"][row["quote_end"] :]
    before = f"…{before[-30:]}" if len(before) > 30 else before
    after = f"{after[:30]}…" if len(after) > 30 else after
    return marked(before, row["quote"] if len(row["quote"]) <= 200 else row["quote"][:200] + "…", after)


def _analyzed(connection: duckdb.DuckDBPyConnection) -> None:
    waiting = connection.execute(
        """SELECT count(*) FROM observations o WHERE stored_as IN ('response', 'conversion') AND purpose <> 'robots'
           AND NOT EXISTS (SELECT 1 FROM observation_texts t WHERE t.observation = o.observation)"""
    ).fetchone()
    if waiting and waiting[0]:
        say(f"{waiting[0]} texts have not been read yet: plainview analyze")


def _show_flag(opened: Case, connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data.address import defang
    from data.codebook import load_codebook
    from data.store import rows

    found = rows(connection, "SELECT * FROM flags_seen WHERE flag = ? ORDER BY seen, observation", [thing])
    if not found:
        return False
    row = found[0]
    if row["sensitive"]:
        raise Stop(f"{thing} is in the referral queue and is shown only to the named officer: plainview refer")
    code = load_codebook().code(row["code"])
    _mask([row], opened)
    out().print(marked(row["passage"][: row["quote_start"]], row["quote"], row["passage"][row["quote_end"] :]))
    lines(
        [
            "",
            f"possible indicator  {row['code']} {code.title}",
            f"stance              {row['stance']}    confidence {row['confidence']:.2f}    rule {row['rule']}",
            f"may bear on         {', '.join(code.hooks) or 'a fact; no legal element'}",
            f"definition          {code.definition}",
            f"do not confuse with {code.confuser}",
            f"service             {row['service']}",
            f"page                {defang(row['url'])}  ({row['page_role']}, {row['zone']}, {row['role']})",
            f"under               {row['heading'] or '-'}",
            f"list intro          {row['list_intro'] or '-'}",
            f"where               {row['locator']}",
            f"offsets             {row['start']}–{row['end']} of text {row['text_sha256']}",
            f"stored body         {row['stored_sha256']}",
            "seen",
        ]
    )
    lines(f"  {item['seen']}  {item['observation']}  {defang(item['url'])}  ({item['fetcher']})" for item in found[:50])
    return True


def _pairs(row: dict[str, Any], skip: tuple[str, ...] = ()) -> None:
    import json

    for name, value in row.items():
        if name in skip or value in (None, "", [], -1):
            continue
        if isinstance(value, str) and value[:1] in "[{" and value not in ("[]", "{}"):
            value = json.dumps(json.loads(value), ensure_ascii=False, indent=2)
        if value not in ("[]", "{}"):
            lines([f"{name:<17} {harmless(str(value))}"])


def _show_observation(opened: Case, connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from analysis.masking import Masker
    from data.store import rows

    found = rows(connection, "SELECT * FROM observations WHERE observation = ?", [thing])
    if not found:
        return False
    _pairs(found[0])
    marks = rows(
        connection,
        "SELECT flag, code, stance, quote FROM flags_seen WHERE observation = ? AND NOT sensitive ORDER BY start",
        [thing],
    )
    masker = Masker.of(opened)
    lines(["", "marks"])
    for row in marks:
        quote = masker.passage(row["quote"][:200], stances=(row["stance"],))
        lines([f"  {row['flag']}  {row['code']} {row['stance']}  “{quote}”"])
    return True


def _show_visit(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data.store import rows

    found = rows(connection, "SELECT * FROM visits WHERE visit = ?", [thing])
    if not found:
        return False
    _pairs(found[0])
    _list_observations(connection, "visit = ?", thing)
    left = rows(
        connection,
        "SELECT decision, rule, reason, count(*) AS n FROM addresses_decided WHERE visit = ? GROUP BY ALL ORDER BY n DESC",
        [thing],
    )
    lines(["", "addresses seen"])
    lines(f"  {row['n']:>6}  {row['decision']:<12} {row['rule']}: {row['reason']}" for row in left)
    return True


def _show_service(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data.store import rows

    found = rows(connection, "SELECT * FROM services WHERE service = ?", [thing])
    if not found:
        return False
    _pairs(found[0])
    visits = rows(
        connection, "SELECT visit, started, outcome, reason FROM visits WHERE service = ? ORDER BY started", [thing]
    )
    lines(["", "visits"])
    lines(f"  {row['started']}  {row['outcome']}  {row['reason']}  {row['visit']}" for row in visits)
    marks = rows(
        connection,
        """SELECT code, stance, count(DISTINCT flag) AS n FROM flags_seen WHERE service = ? AND NOT sensitive
           GROUP BY ALL ORDER BY code, stance""",
        [thing],
    )
    lines(["", "marks"])
    lines(f"  {row['n']:>5}  {row['code']} {row['stance']}" for row in marks)
    from cli.listings import show_listings

    show_listings(connection, thing)
    return True


def _show_address(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data import address
    from data.store import rows

    try:
        url = address.canonical(thing.replace("hxxp", "http", 1).replace("[.]", "."))
    except address.BadAddress:
        return False
    decided = rows(connection, "SELECT * FROM addresses_decided WHERE url = ?", [url])
    seen = rows(connection, "SELECT count(*) AS n FROM observations WHERE requested_url = ?", [url])
    if not decided and not seen[0]["n"]:
        return False
    for row in decided:
        lines([f"{row['decision']} by {row['rule']} in {row['visit']}: {row['reason']}"])
    _list_observations(connection, "requested_url = ?", url)
    return True


def _list_observations(connection: duckdb.DuckDBPyConnection, where: str, value: str) -> None:
    from data.address import defang
    from data.store import rows

    found = rows(
        connection,
        f"""SELECT observation, started, purpose, profile, fetcher, status, outcome, reason, requested_url, redirect_to
            FROM observations WHERE {where} ORDER BY visit, seq""",  # noqa: S608 - our own words
        [value],
    )
    lines(["", "observations"])
    for row in found:
        status = row["status"] if row["status"] is not None else "-"
        to = f" -> {defang(row['redirect_to'])}" if row["redirect_to"] else ""
        line = f"  {row['started']}  {row['purpose']:<11} {row['fetcher']:<7} {status:>3} {row['outcome']:<10} "
        lines([line + f"{defang(row['requested_url'])}{to}  {row['reason']}  [{row['observation']}]"])
