"""``plainview findings``, ``operators`` and ``changes``: what several passages, services or visits show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.terminal import Format, emit, lines, say

if TYPE_CHECKING:
    import duckdb

    from data.case import Case

COLUMNS = (
    "finding", "kind", "rule", "rules_version", "services", "codes", "status", "strength", "title", "reason", "sides", "searched",
    "details", "content_sha256", "analysis",
)  # fmt: skip
KINDS = (
    "X1", "X2", "X3", "X4", "observation", "absence", "defect", "duplicate", "near-duplicate", "ranking", "mirror", "template",
    "operator", "profile", "redirect",
)  # fmt: skip
STRENGTHS = ("weak", "moderate", "strong")
CHANGE_COLUMNS = (
    "change", "service", "kind", "url", "before", "after", "codes", "detail", "context", "from_seen", "to_seen", "from_visit", "to_visit",
    "from_observation", "to_observation", "flags",
)  # fmt: skip
EDGE_COLUMNS = ("edge", "a", "b", "weight", "strength", "decided", "joins", "reason")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("findings")(findings)
    app.command("operators")(operators)
    app.command("changes")(changes)


def findings(
    kind: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these kinds: {', '.join(KINDS)}.", autocompletion=lambda: list(KINDS)),
    ] = None,
    code: Annotated[list[str] | None, typer.Option(help="Only findings that bear on these codes, e.g. D04.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only findings about these services.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only these rules, e.g. X2.retention.")] = None,
    min_strength: Annotated[str, typer.Option(help=f"At least this strong: {', '.join(STRENGTHS)}.")] = "weak",
    explained: Annotated[
        bool,
        typer.Option(
            "--explained", help="Also pairs that a condition on the page explains, and what was not determinable."
        ),
    ] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many, by kind and status.")] = False,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """List what no single passage shows: contradictions, absences after a search, duplicates, links, changes of claims."""
    from data.store import reading, rows

    if min_strength not in STRENGTHS:
        raise Stop(f"--min-strength is one of {', '.join(STRENGTHS)}, not {min_strength!r}.")
    for given in kind or []:
        _known(given, KINDS, "kind")
    opened = the_case(case)
    tests, values = ["NOT sensitive"], list[Any]()
    for column, wanted in (("kind", kind), ("rule", rule)):
        if wanted:
            tests.append(f"list_contains(?, {column})")
            values.append(wanted)
    for column, wanted in (("codes", [item.upper() for item in code or []]), ("services", service)):
        if wanted:
            tests.append(f"list_has_any({column}, ?)")
            values.append(wanted)
    if not explained:
        tests.append("status = 'found'")
    tests.append("list_contains(?, strength)")
    values.append(list(STRENGTHS[STRENGTHS.index(min_strength) :]))
    where = " AND ".join(tests)
    with reading(opened) as connection:
        _made(connection)
        if count:
            sql = f"SELECT kind, status, count(*) AS findings FROM findings WHERE {where} GROUP BY ALL ORDER BY kind, status"  # noqa: S608
            emit(rows(connection, sql, values), ("kind", "status", "findings"), form, output)
            return
        sql = f"SELECT * FROM findings WHERE {where} ORDER BY services[1], kind, rule, finding"  # noqa: S608
        found = rows(connection, sql, values)
        if form is not Format.TABLE or output is not None:
            _with_sides(connection, found)
    if form is Format.TABLE and output is None:
        emit(found, ("finding", "kind", "services", "codes", "status", "strength", "title"), form)
        say(f"{len(found)} possible indicators. Both sides of one: plainview show FINDING")
        return
    emit(found, COLUMNS, form, output)


def _with_sides(connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]]) -> None:
    from data.store import rows

    sides: dict[str, list[dict[str, Any]]] = {}
    for row in rows(connection, "SELECT * FROM finding_sides ORDER BY finding, number"):
        sides.setdefault(row.pop("finding"), []).append(row)
    searched: dict[str, list[dict[str, Any]]] = {}
    for row in rows(connection, "SELECT * FROM finding_searches ORDER BY finding, url"):
        searched.setdefault(row.pop("finding"), []).append(row)
    for row in found:
        row["sides"], row["searched"] = sides.get(row["finding"], []), searched.get(row["finding"], [])


def operators(
    everything: Annotated[
        bool, typer.Option("--all", help="Also edges too weak to join services into one cluster.")
    ] = False,
    service: Annotated[list[str] | None, typer.Option(help="Only edges of these services.")] = None,
    confirm: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Put on the ledger that two services have one operator."),
    ] = None,
    cut: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Put on the ledger that what two services share does not link them."),
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for the ledger; with --confirm or --cut.")] = "",
    graphml: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the network as GraphML.")] = None,
    ftm: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the network as FollowTheMoney entities, one JSON object a line."),
    ] = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show which services share identifiers, why and how strongly; confirm or cut an edge; export the network."""
    from data.store import reading, rows

    opened = the_case(case)
    for pair, event in ((confirm, "operators.confirmed"), (cut, "operators.cut")):
        if pair:
            _decide(opened, pair, event, note)
    if graphml or ftm:
        _export(opened, graphml, ftm)
        return
    where, values = ("TRUE", list[Any]()) if everything else ("joins OR decided <> ''", [])
    if service:
        where = f"({where}) AND (list_contains(?, a) OR list_contains(?, b))"
        values = [service, service]
    with reading(opened) as connection:
        _made(connection)
        found = rows(connection, f"SELECT * FROM operator_edges WHERE {where} ORDER BY weight DESC, a, b", values)  # noqa: S608
        clusters = rows(
            connection,
            "SELECT cluster, list(service ORDER BY service) AS services FROM operator_clusters GROUP BY cluster ORDER BY cluster",
        )
    if form is Format.TABLE and output is None:
        for row in clusters:
            lines([f"{row['cluster']}  {', '.join(row['services'])}"])
        emit(found, ("a", "b", "weight", "strength", "decided", "reason"), form)
        say(f"{len(clusters)} clusters of services that appear to have one operator, {len(found)} edges.")
        return
    emit(found, EDGE_COLUMNS, form, output)


def _decide(opened: Case, pair: tuple[str, str], event: str, note: str) -> None:
    from analysis.findings import find

    known = opened.services()
    for name in pair:
        if name not in known:
            _known(name, tuple(known), "service")
    a, b = sorted(pair)
    if a == b:
        raise Stop("An edge needs two services.")
    opened.record(event, {"a": a, "b": b, "note": note})
    find(opened, lambda _: None)
    say(f"On the ledger: {event} {a} – {b}.")


def _export(opened: Case, graphml: Path | None, ftm: Path | None) -> None:
    from analysis.findings import network_of
    from analysis.operators import entity_lines, follow_the_money
    from analysis.operators import graphml as as_graphml

    net, marks = network_of(opened)
    urls = {name: service.urls for name, service in opened.services().items()}
    if graphml:
        _write(graphml, as_graphml(net))
    if ftm:
        _write(ftm, "".join(f"{line}\n" for line in entity_lines(follow_the_money(net, marks, urls))).encode())
    opened.record(
        "operators.exported", {"services": len(net.services), "edges": len(net.edges), "clusters": len(net.clusters)}
    )


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)
    say(f"Written to {path}")


def changes(
    service: Annotated[list[str] | None, typer.Option(help="Only these services.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only these kinds, e.g. added, dropped, reworded, moved, price, service_gone."),
    ] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Seen on this day (UTC) or later.")] = "",
    claims: Annotated[bool, typer.Option("--claims", help="Only passages that carry a claim.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show each change in full, with its context.")] = False,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show what differs between visits, passage by passage: added, dropped, reworded, moved; services gone, moved, renamed."""
    from data.address import defang
    from data.store import reading, rows

    opened = the_case(case)
    tests, values = ["TRUE"], list[Any]()
    for column, wanted in (("service", service), ("kind", kind)):
        if wanted:
            tests.append(f"list_contains(?, {column})")
            values.append(wanted)
    if since:
        tests.append("to_seen >= ?")
        values.append(since)
    if claims:
        tests.append("len(codes) > 0")
    with reading(opened) as connection:
        _made(connection)
        sql = f"SELECT * FROM changes WHERE {' AND '.join(tests)} ORDER BY service, to_seen, url, kind, change"  # noqa: S608
        found = rows(connection, sql, values)
    if form is Format.TABLE and output is None:
        if diff:
            for row in found:
                _diff(row)
        else:
            emit(
                [
                    {**row, "page": defang(row["url"]), "before": row["before"][:120], "after": row["after"][:120]}
                    for row in found
                ],
                ("service", "kind", "page", "before", "after", "codes", "detail"),
                form,
            )
        say(f"{len(found)} changes. A new extractor or codebook makes none: both visits are read by the same method.")
        return
    emit(found, CHANGE_COLUMNS, form, output)


def _diff(row: dict[str, Any]) -> None:
    from data.address import defang

    lines(
        [
            f"{row['service']}  {row['kind']}  {defang(row['url'])}  {row['from_seen']} to {row['to_seen']}  {row['detail']}"
        ]
    )
    if row["context"]:
        lines([f"    … {row['context']}"])
    for mark, text in (("-", row["before"]), ("+", row["after"])):
        if text:
            lines([f"  {mark} {text}"])
    if row["codes"]:
        lines([f"    bears on {', '.join(row['codes'])}"])
    lines([""])


def show_finding(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    """Print a finding with both sides; False where *thing* is none."""
    from data.address import defang
    from data.store import rows

    found = rows(connection, "SELECT * FROM findings WHERE finding = ?", [thing])
    if not found:
        return False
    row = found[0]
    if row["sensitive"]:
        raise Stop(f"{thing} is in the referral queue and is shown only to the named officer: plainview refer")
    lines(
        [
            row["title"],
            "",
            row["reason"],
            "",
            f"possible indicator  {row['kind']}    {row['status']}, {row['strength']}",
            f"rule                {row['rule']}  ({row['rules_version']})",
            f"may bear on         {', '.join(row['codes']) or 'a fact; no code'}",
            f"services            {', '.join(row['services'])}",
            f"content             sha256 {row['content_sha256']}",
        ]
    )
    for side in rows(connection, "SELECT * FROM finding_sides_read WHERE finding = ? ORDER BY number", [thing]):
        lines(["", f"{side['part']}: {side['says']}" if side["says"] else side["part"]])
        if side["quote"]:
            lines([f"  “{side['quote']}”"])
        lines(
            [
                f"  {side['service']}  {defang(side['url'])}  ({side['page_role']})",
                f"  seen {side['seen']} in {side['observation']}"
                + (f", last {side['last_seen']}" if side["last_seen"] != side["seen"] else ""),
            ]
        )
        if side["quote"]:
            lines(
                [f"  offsets {side['start']}–{side['end']} of text {side['text_sha256']}, body {side['stored_sha256']}"]
            )
        if side["flags"]:
            lines([f"  flags {', '.join(side['flags'])}"])
    searched = rows(connection, "SELECT * FROM finding_searches WHERE finding = ? ORDER BY reached DESC, url", [thing])
    if searched:
        lines(["", "pages searched"])
        lines(f"  {defang(item['url'])}  ({item['page_role']})" for item in searched if item["reached"])
        lines(["", "pages known of and not read"])
        lines(
            f"  {defang(item['url'])}  {item['outcome']}: {item['reason']}" for item in searched if not item["reached"]
        )
    return True


def _made(connection: duckdb.DuckDBPyConnection) -> None:
    row = connection.execute("SELECT (SELECT count(*) FROM findings_made), (SELECT count(*) FROM analyses)").fetchone()
    if row and not row[0]:
        say("No findings have been made yet: plainview analyze")


def _known(given: str, known: tuple[str, ...], what: str) -> None:
    import difflib

    if given not in known:
        near = difflib.get_close_matches(given, known, n=1)
        raise Stop(f"There is no {what} {given!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
