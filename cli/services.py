"""``plainview services``: the list of what is reviewed."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import filters
from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.filters import CodeOption, SinceOption, StanceOption, Tests
from cli.query import Asked, ByOption, CountOption, LimitOption, Listing, SortOption, answer, every_row
from cli.sections import Sections
from cli.terminal import Format, emit, say

if TYPE_CHECKING:
    import duckdb

    from data.case import Case
    from data.records import Service

HEADER = ("service", "url", "kind", "source", "stratum")
services = typer.Typer(cls=Sections, help="The services under review; their list where no command is named.")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(services, name="services")


@services.command("add")
def add(
    what: Annotated[
        list[str],
        typer.Argument(metavar="ADDRESS|FILE.csv…", help="Addresses, or CSV files with the header " + ",".join(HEADER)),
    ],
    kind: Annotated[
        str, typer.Option(help="website, app_listing, ad, bot or other; for addresses given directly.")
    ] = "website",
    source: Annotated[str, typer.Option(help="Where they were found: search, ad, app_store, referral, list.")] = "",
    stratum: Annotated[str, typer.Option(help="The stratum of the sampling frame.")] = "",
    case: CaseOption = None,
) -> None:
    """Add services. One bad row is named with its line, and then nothing is added."""
    opened = the_case(case)
    rows: list[tuple[str, dict[str, str]]] = []
    for item in what:
        if item.lower().endswith(".csv") or Path(item).is_file():
            rows += _read_csv(Path(item))
            if Path(item).resolve().is_relative_to(opened.root.resolve()):
                say(f"{item} lies in the case folder, where plainview verify will name it as a stranger. Move it out.")
        else:
            rows.append((item, {"service": "", "url": item, "kind": kind, "source": source, "stratum": stratum}))
    _add(opened, rows)


def _add(opened: Case, rows: list[tuple[str, dict[str, str]]], because: list[dict[str, str]] | None = None) -> None:
    """Put rows on the list, all or none. *because* says where accepted suggestions were read; it goes on record with them."""
    found: dict[str, Service] = dict(opened.services())
    before = {name: len(service.urls) for name, service in found.items()}
    changed: dict[str, Service] = {}
    for where, row in rows:
        service = _service(where, row)
        old = changed.get(service.service) or found.get(service.service)
        changed[service.service] = old.joined(service) if old is not None else service
    new = [item for item in changed.values() if len(item.urls) != before.get(item.service, 0)]
    if not new:
        say("All of these addresses are on the list already; nothing was added, and nothing was changed.")
        return
    body: dict[str, object] = {"services": [item.as_json() for item in new]}
    opened.record("services.added", {**body, "suggested": because} if because else body)
    say(f"{len(new)} services added or extended; {len({**found, **changed})} on the list.")


@services.command("suggest")
def suggest(
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="N|ID", help="Put this one on the list, by number or id; may be given several times."),
    ] = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Propose what could be reviewed as well, from what is on record. Nothing is added without --accept.

    Proposed are addresses that listings and advertisements lead to, mirrors that a service names, a developer's other
    offers, and hosts that links with affiliate parameters lead to.
    """
    from analysis.suggestions import suggest as propose
    from data.address import defang
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        found = propose(connection, opened.services())
    if accept:
        chosen = []
        for item in accept:
            match = next((s for n, s in enumerate(found, 1) if item in (str(n), s.id)), None)
            if match is None:
                raise Stop(
                    f"There is no suggestion {item!r}. See the list with: plainview services suggest. Nothing was added."
                )
            chosen.append(match)
        rows = [
            (
                f"suggestion {s.id}",
                {"service": s.service, "url": s.url, "kind": s.kind, "source": s.source, "stratum": ""},
            )
            for s in chosen
        ]
        _add(opened, rows, [{"id": s.id, "rule": s.rule, "observation": s.observation} for s in chosen])
        return
    table = form is Format.TABLE and output is None
    rows_ = [
        {
            "n": number,
            "id": s.id,
            "for": s.service,
            "new": "new service" if s.new else "same service",
            "kind": s.kind,
            "address": defang(s.url) if table else s.url,
            "reason": s.reason,
            "rule": s.rule,
            "times": s.times,
            "found_on": s.found_on,
            "observation": s.observation,
        }
        for number, s in enumerate(found, 1)
    ]
    if table:
        emit(rows_, ("n", "id", "for", "new", "address", "reason"), form)
        say(
            f"{len(found)} suggestions. Add one with: plainview services suggest --accept N"
            if found
            else "Nothing to suggest."
        )
        return
    emit(
        rows_,
        ("n", "id", "for", "new", "kind", "address", "reason", "rule", "times", "found_on", "observation"),
        form,
        output,
    )


@services.callback(invoke_without_command=True)
def _services(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


@services.command("list")
def list_(
    kind: Annotated[
        list[str] | None, typer.Option(help="Only these kinds: website, app_listing, ad, bot, other.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only these sources, e.g. search.")] = None,
    stratum: Annotated[list[str] | None, typer.Option(help="Only these strata of the sampling frame.")] = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only where the last visit came to this, e.g. reached, 'not visited'.")
    ] = None,
    code: CodeOption = None,
    stance: StanceOption = None,
    since: SinceOption = "",
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show the services, their addresses and what the last visit of each came to."""
    from data.store import reading

    asked = Asked(sort or (), limit, count, by or (), form, output)
    flagged = Tests().among("f.code", filters.codes(code)).among("f.stance", filters.stances(stance))
    opened = the_case(case)
    with reading(opened) as connection:
        tests = Tests(flagged).among("kind", kind).among("source", source).among("stratum", stratum)
        tests.among("outcome", outcome).between("last_visit", since, "")
        if flagged.tests:
            tests.add(
                f"""service IN (SELECT o.service FROM flags f JOIN observation_texts USING (text_id) JOIN observations o
                    USING (observation) WHERE f.raises AND NOT f.sensitive AND {flagged.where})"""  # noqa: S608 - our own words
            )
        answer(connection, _listing(tests), tests.values, asked)


def _listing(tests: Tests) -> Listing:
    return Listing(
        name="services",
        keys=f"SELECT * FROM ({_LIST}) WHERE {tests.where}",  # noqa: S608 - our own words
        sortable=(
            "service",
            "kind",
            "source",
            "stratum",
            "addresses",
            "last_visit",
            "outcome",
            "pages",
            "flags",
            "visits",
        ),
        order=("service",),
        groups=("outcome",),
        table=("service", "kind", "outcome", "pages", "flags"),
        wide=("service", "kind", "source", "stratum", "addresses", "visits", "last_visit", "outcome", "pages", "flags"),
        closing="All about one: plainview show SERVICE",
        unnested={"code": "codes"},
        counts_services=False,
    )


def listed(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every service of the case, as ``services list --format json`` has it."""
    return every_row(connection, _listing(Tests()))


_LIST = """
SELECT s.service, s.kind, s.source, s.stratum, len(s.urls) AS addresses, s.urls,
       v.started AS last_visit, coalesce(v.outcome, 'not visited') AS outcome, coalesce(v.visits, 0) AS visits,
       coalesce(o.pages, 0) AS pages, coalesce(f.flags, 0) AS flags, coalesce(f.codes, []) AS codes
FROM services s
LEFT JOIN (SELECT service, max(started) AS started, arg_max(outcome, started) AS outcome, arg_max(visit, started) AS visit,
                  count(*) AS visits
           FROM visits GROUP BY service) v ON v.service = s.service
LEFT JOIN (SELECT visit, count(*) AS pages FROM observations
           WHERE purpose IN ('entry', 'page') AND stored_as IN ('response', 'conversion') GROUP BY visit) o ON o.visit = v.visit
LEFT JOIN (SELECT x.service, count(DISTINCT f.flag) AS flags, list(DISTINCT f.code ORDER BY f.code) AS codes
           FROM flags f JOIN (SELECT DISTINCT ot.text_id, o.service FROM observation_texts ot JOIN observations o USING (observation)) x
           USING (text_id) WHERE f.raises AND NOT f.sensitive GROUP BY x.service) f ON f.service = s.service
"""


def _read_csv(path: Path) -> list[tuple[str, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Stop(f"{path} does not exist. Nothing was added.") from None
    except UnicodeDecodeError:
        raise Stop(f"{path} is not UTF-8 text. Save it as “CSV UTF-8” and try again; nothing was added.") from None
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in ("service", "url") if name not in header]
        unknown = [name for name in header if name not in HEADER]
        if missing or unknown:
            raise Stop(
                f"{path} line 1: the header must be {','.join(HEADER)}"
                f"{'; missing: ' + ', '.join(missing) if missing else ''}"
                f"{'; unknown: ' + ', '.join(unknown) if unknown else ''}. Nothing was added."
            )
        rows = []
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            where = f"{path} line {reader.line_num}"
            if len(row) != len(header):
                raise Stop(f"{where}: {len(row)} cells where the header has {len(header)}. Nothing was added.")
            values = dict.fromkeys(HEADER, "")
            values.update({name: cell.strip() for name, cell in zip(header, row, strict=True)})
            rows.append((where, values))
    except csv.Error as error:
        raise Stop(f"{path} line {reader.line_num}: not valid CSV ({error}). Nothing was added.") from None
    if not rows:
        raise Stop(f"{path} holds no services. Nothing was added.")
    return rows


def _service(where: str, row: dict[str, str]) -> Service:
    from data import address
    from data.records import Kind, Service

    given = row["url"]
    if "://" not in given and given and " " not in given and "." in given.partition("/")[0]:
        given = f"https://{given}"
    try:
        url = address.canonical(given)
    except address.BadAddress:
        raise Stop(f"{where}: {row['url']!r} is not an address. Nothing was added.") from None
    if not url.startswith(("http://", "https://")):
        raise Stop(f"{where}: {row['url']!r} is not an http or https address. Nothing was added.")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise Stop(f"{where}: the address carries a user name or password; leave it out. Nothing was added.")
    kind = row["kind"] or Kind.WEBSITE.value
    if kind not in list(Kind):
        raise Stop(f"{where}: kind must be one of {', '.join(Kind)}, not {kind!r}. Nothing was added.")
    name = row["service"] or address.host(url)
    if len(name) > 200 or any(ord(char) < 32 for char in name):
        raise Stop(f"{where}: the service's name is too long or holds control characters. Nothing was added.")
    return Service(name, kind, row["source"], row["stratum"], (url,), (kind,))
