"""``plainview findings``, ``operators`` and ``changes``: what several passages, services or visits show."""

from __future__ import annotations

from pathlib import Path
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
    UnreviewedOption,
    UntilOption,
    unknown,
)
from cli.query import Asked, ByOption, CountOption, LimitOption, Listing, SortOption, answer, every_row
from cli.terminal import Format, lines, say

if TYPE_CHECKING:
    import duckdb

    from data.case import Case

KINDS = (
    "X1", "X2", "X3", "X4", "observation", "absence", "defect", "duplicate", "near-duplicate", "ranking", "mirror", "template",
    "operator", "profile", "redirect",
)  # fmt: skip
STRENGTHS = ("weak", "moderate", "strong")


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
    code: CodeOption = None,
    service: ServiceOption = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only these rules, e.g. X2.retention.")] = None,
    role: RoleOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    min_strength: Annotated[str, typer.Option(help=f"At least this strong: {', '.join(STRENGTHS)}.")] = "weak",
    unreviewed: UnreviewedOption = False,
    explained: Annotated[
        bool,
        typer.Option(
            "--explained", help="Also pairs that a condition on the page explains, and what was not determinable."
        ),
    ] = False,
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """List what no single passage shows: contradictions, absences after a search, duplicates, links, changes of claims."""
    from analysis.cleared import reading_cleared

    if min_strength not in STRENGTHS:
        raise Stop(f"--min-strength is one of {', '.join(STRENGTHS)}, not {min_strength!r}.")
    for given in kind or []:
        _known(given, KINDS, "kind")
    asked = Asked(sort or (), limit, count, by or (), form, output)
    opened = the_case(case)
    tests = Tests().add("NOT sensitive").among("kind", kind).among("rule", rule).any_of("codes", filters.codes(code))
    tests.among("strength", STRENGTHS[STRENGTHS.index(min_strength) :])
    sides = Tests(tests).among("s.page_role", filters.roles(role)).between("s.seen", since, until)
    if sides.tests:
        tests.values = sides.values
        tests.add(f"finding IN (SELECT s.finding FROM finding_sides s WHERE {sides.where})")  # noqa: S608 - our own words
    if not explained:
        tests.add("status = 'found'")
    if unreviewed:
        tests.add("finding NOT IN (SELECT unit FROM decisions_last)")
    with reading_cleared(opened) as connection:
        _made(connection)
        tests.any_of("services", filters.services(connection, service))
        listing = _listing(tests)
        answer(connection, listing, tests.values, asked, lambda found: _finish(opened, connection, found, asked.table))


def _listing(tests: Tests) -> Listing:
    return Listing(
        name="findings",
        keys=f"SELECT * FROM findings WHERE {tests.where}",  # noqa: S608 - our own words
        sortable=("kind", "rule", "status", "strength", "title", "services", "codes", "finding"),
        order=("services", "kind", "rule", "finding"),
        groups=("kind", "status"),
        table=("finding", "kind", "services", "strength", "title"),
        wide=("finding", "kind", "services", "codes", "status", "strength", "decided", "title"),
        closing="Possible indicators; both sides of one: plainview show FINDING",
        unnested={"service": "services", "code": "codes"},
        counts_services=False,
    )


def found_ones(opened: Case, connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every finding of the case that stands, as ``findings --format json`` has it."""
    found = every_row(connection, _listing(Tests().add("NOT sensitive").add("status = 'found'")))
    _finish(opened, connection, found, table=False)
    return found


def _finish(opened: Case, connection: duckdb.DuckDBPyConnection, found: list[dict[str, Any]], table: bool) -> None:
    from cli.flags import decided

    last = decided(connection, [row["finding"] for row in found])
    for row in found:
        row["decided"] = last.get(row["finding"], [])
    if table:
        return
    sides = _grouped(sides_shown(opened, connection, [row["finding"] for row in found]))
    searched = _grouped(_of(connection, "finding_searches", "url", [row["finding"] for row in found]))
    for row in found:
        row["sides"], row["searched"] = sides.get(row["finding"], []), searched.get(row["finding"], [])


def _grouped(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        groups.setdefault(row.pop("finding"), []).append(row)
    return groups


def _of(connection: duckdb.DuckDBPyConnection, table: str, order: str, findings: list[str]) -> list[dict[str, Any]]:
    from data.store import rows

    sql = f"SELECT * FROM {table} WHERE finding IN (SELECT unnest(?::VARCHAR[])) ORDER BY finding, {order}"  # noqa: S608
    return rows(connection, sql, [findings])


def sides_shown(opened: Case, connection: duckdb.DuckDBPyConnection, findings: list[str]) -> list[dict[str, Any]]:
    """The sides of *findings*, third parties masked; the words of a side in the closed queue are not among them."""
    from analysis.cleared import HELD, closed_words
    from analysis.masking import Masker

    masker, closed = Masker.of(opened), closed_words(connection)
    found = _of(connection, "finding_sides", "number", findings)
    for row in found:
        for name in ("quote", "says"):
            words = row[name]
            if words:
                row[name] = (
                    HELD if any(item in words for item in closed) else masker.passage(words, page_role=row["page_role"])
                )
    return found


def operators(
    everything: Annotated[
        bool, typer.Option("--all", help="Also edges too weak to join services into one cluster.")
    ] = False,
    service: ServiceOption = None,
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
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show which services share identifiers, why and how strongly; confirm or cut an edge; export the network."""
    from data.store import reading

    opened = the_case(case)
    for pair, event in ((confirm, "operators.confirmed"), (cut, "operators.cut")):
        if pair:
            _decide(opened, pair, event, note)
    if graphml or ftm:
        _export(opened, graphml, ftm)
        return
    asked = Asked(sort or (), limit, count, by or (), form, output)
    tests = Tests()
    if not everything:
        tests.add("joins OR decided <> ''")
    with reading(opened) as connection:
        _made(connection)
        named = filters.services(connection, service)
        if named:
            tests.add("list_contains(?, a) OR list_contains(?, b)", named, named)
        if asked.table and not count and not by:
            _clusters(connection, named, asked.bound)
        listing = Listing(
            name="operators",
            keys=f"SELECT * FROM operator_edges WHERE {tests.where}",  # noqa: S608 - our own words
            sortable=("a", "b", "weight", "strength", "decided", "joins", "edge"),
            order=("weight DESC", "a", "b"),
            groups=("strength", "decided"),
            table=("a", "b", "weight", "strength", "decided", "reason"),
            wide=("a", "b", "weight", "strength", "decided", "reason"),
            noun="edges",
            closing="Services in one cluster appear to have one operator.",
            counts_services=False,
        )
        answer(connection, listing, tests.values, asked)


_CLUSTERS = """
SELECT cluster, list(service ORDER BY service) AS services FROM operator_clusters GROUP BY cluster
HAVING len($named::VARCHAR[]) = 0 OR list_has_any(services, $named) ORDER BY cluster
"""


def _clusters(connection: duckdb.DuckDBPyConnection, named: list[str], bound: int) -> None:
    from data.store import rows

    found = rows(connection, _CLUSTERS, {"named": named})
    lines(f"{row['cluster']}  {', '.join(row['services'])}" for row in (found[:bound] if bound else found))
    if bound and len(found) > bound:
        say(f"The first {bound} of {len(found):,} clusters (all: --limit 0).")


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
    service: ServiceOption = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only these kinds, e.g. added, dropped, reworded, moved, price, service_gone."),
    ] = None,
    code: CodeOption = None,
    since: SinceOption = "",
    until: UntilOption = "",
    claims: Annotated[bool, typer.Option("--claims", help="Only passages that carry a claim.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show each change in full, with its context.")] = False,
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show what differs between visits, passage by passage: added, dropped, reworded, moved; services gone, moved, renamed."""
    from analysis.cleared import closed_words, reading_cleared

    asked = Asked(sort or (), limit, count, by or (), form, output)
    opened = the_case(case)
    tests = Tests().among("kind", kind).any_of("codes", filters.codes(code)).between("to_seen", since, until)
    if claims:
        tests.add("len(codes) > 0")
    with reading_cleared(opened) as connection:
        _made(connection)
        tests.among("service", filters.services(connection, service))
        closed = closed_words(connection)
        if closed:
            held = "contains(before || chr(31) || after || chr(31) || context, w)"
            tests.add(f"NOT list_bool_or(list_transform(?::VARCHAR[], lambda w: {held}))", closed)
        listing = Listing(
            name="changes",
            keys=f"SELECT * FROM changes WHERE {tests.where}",  # noqa: S608 - our own words
            sortable=("service", "kind", "url", "from_seen", "to_seen", "codes", "change"),
            order=("service", "to_seen", "url", "kind", "change"),
            groups=("kind",),
            table=("service", "kind", "page", "before", "after"),
            wide=("service", "kind", "page", "before", "after", "codes", "detail"),
            closing="A new extractor or codebook makes none: both visits are read by the same method.",
            unnested={"code": "codes"},
        )
        answer(connection, listing, tests.values, asked, lambda found: _cleared(opened, found, diff and asked.table))


def _cleared(opened: Case, found: list[dict[str, Any]], diff: bool) -> None:
    """Mask third parties in the words of changes; with *diff* print each in full, and leave no rows for a table."""
    from analysis.masking import Masker
    from data.address import defang

    masker = Masker.of(opened)
    for row in found:
        row["page"] = defang(row["url"])
        row |= {name: masker.passage(row[name]) for name in ("before", "after", "context") if row[name]}
        if diff:
            _diff(row)
    if diff:
        found.clear()


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


def show_finding(opened: Case, connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    """Print a finding with both sides; False where *thing* is none."""
    from cli.flags import decided
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
    made = decided(connection, [thing])
    lines([f"review              {', '.join(made[thing]) if made else 'not reviewed'}"])
    for side in sides_shown(opened, connection, [thing]):
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
    if given not in known:
        raise Stop(unknown(given, known, what))
