"""``plainview refer``: the closed queue. Nothing is shown without a named officer and a reason, and nothing is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.sections import Sections
from cli.terminal import Format, emit, lines, marked, out, say

refer = typer.Typer(
    cls=Sections, help="The closed queue: what refers to minors or to use meant to harm somebody.", no_args_is_help=True
)

OfficerOption = Annotated[str, typer.Option("--officer", metavar="NAME", help="The officer that case.toml names.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; goes on the ledger.")]
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="An item of the queue (R-…).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(refer, name="refer")


@refer.command("list")
def list_(case: CaseOption = None, form: FormatOption = Format.TABLE, output: OutputOption = None) -> None:
    """List what waits in the queue: category, service and state, and no word of any page."""
    from data.referral import halts, queue
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        found = queue(opened, connection)
    rows = [
        {
            "item": item.item,
            "service": item.service,
            "code": item.code,
            "title": item.title,
            "page_role": item.page_role,
            "places": item.places,
            "seen": item.seen,
            "state": item.state,
            "persons": item.persons,
        }
        for item in found
    ]
    columns = ("item", "service", "code", "page_role", "places", "state", "persons")
    if form is not Format.TABLE or output is not None:
        columns = ("item", "service", "code", "title", "page_role", "places", "seen", "state", "persons")  # type: ignore[assignment]
    emit(rows, columns, form, output)
    for halt in halts(opened).values():
        hosts = f"; hosts {', '.join(sorted(halt.hosts))}" if halt.hosts else ""
        say(f"visits halted since {halt.since}: {halt.service}: {halt.reason}{hosts}")
    if not opened.facts.referral_officer:
        say('No referral officer is named yet: case.toml, [case] referral_officer = "NAME". Until then nothing opens.')


@refer.command("open")
def open_(
    item: ItemArgument,
    officer: OfficerOption,
    reason: ReasonOption = "",
    second: Annotated[str, typer.Option(metavar="NAME", help="The second person, under another account.")] = "",
    case: CaseOption = None,
) -> None:
    """Open one item. What refers to minors takes two persons: the officer asks, then a second person opens."""
    from data.address import defang
    from data.referral import find_item, open_item, request
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        found = find_item(opened, connection, item)
        if found.persons == 2 and not second:
            request(opened, found, officer=officer, reason=reason)
            say(f"{item} was asked for; nothing is shown yet. A second person opens it under another account:")
            say(f"  plainview refer open {item} --officer {officer!r} --second NAME")
            return
        words = open_item(opened, connection, found, officer=officer, reason=reason, second=second)
    say("What follows can be hard to read. Look at it once, together, and report; do not copy it.")
    lines([f"{found.code} {found.title}", f"under: {words.heading or '-'} / {words.list_intro or '-'}", ""])
    text, start, end = words.passage, words.quote_start, words.quote_end
    out().print(marked(text[:start], text[start:end], text[end:]))
    lines(["", *(f"page         {defang(url)}" for url in words.urls)])
    lines(f"observation  {name}" for name in words.observations)
    say("Nothing was sent. Where a person reports: plainview refer routes")


@refer.command("number")
def number(
    item: ItemArgument,
    officer: OfficerOption,
    route: Annotated[str, typer.Option(help="Where it was reported: an id of plainview refer routes.")],
    number: Annotated[str, typer.Option(help="The reference number given there.")],
    case: CaseOption = None,
) -> None:
    """Put on record where the officer reported an item, and the number given there."""
    from data.referral import find_item, note_number
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        found = find_item(opened, connection, item)
    note_number(opened, found, officer=officer, route=route, number=number)
    say(f"{item}: reported to {route}, number {number}; on record.")


@refer.command("close")
def close(item: ItemArgument, officer: OfficerOption, reason: ReasonOption, case: CaseOption = None) -> None:
    """End an item without a report, for instance a false alarm."""
    from data.referral import close_item, find_item
    from data.store import reading

    opened = the_case(case)
    with reading(opened) as connection:
        found = find_item(opened, connection, item)
    close_item(opened, found, officer=officer, reason=reason)
    say(f"{item} is closed. Visits stay halted until released: plainview refer release")


@refer.command("halt")
def halt(
    service: Annotated[str, typer.Argument(help="The service that is not to be visited any more.")],
    reason: ReasonOption,
    case: CaseOption = None,
) -> None:
    """Halt visits to a service. Anyone may halt; only the officer releases."""
    from cli.exits import Stop
    from data.referral import halt as stop

    opened = the_case(case)
    if service not in opened.services():
        raise Stop(f"{service!r} is not on the list of services. See: plainview services list")
    stop(opened, service, reason=reason)
    say(f"Visits to {service} are halted.")


@refer.command("release")
def release(
    service: Annotated[str, typer.Argument(help="The service that may be visited again.")],
    officer: OfficerOption,
    reason: ReasonOption,
    case: CaseOption = None,
) -> None:
    """Let a service be visited again: the officer's decision, with a reason."""
    from data.referral import release as let

    let(the_case(case), service, officer=officer, reason=reason)
    say(f"{service} may be visited again.")


@refer.command("routes")
def routes(form: FormatOption = Format.TABLE, output: OutputOption = None) -> None:
    """Show where a person reports, and for whom each place is. Names only: look up the current address yourself."""
    from data.law import load_law

    rows = [
        {
            "route": item.id,
            "name": item.name,
            "body": item.body,
            "for_whom": item.for_whom,
            "note": item.note,
            "as_of": item.as_of.isoformat(),
        }
        for item in load_law().referrals.values()
    ]
    emit(rows, ("route", "name", "body", "for_whom", "note", "as_of"), form, output)
