"""``plainview crawl``: visit the services of a case."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import CaseOption, FormatOption, the_case
from cli.exits import Exit, Stop
from cli.progress import Bars
from cli.terminal import Format, emit, say
from cli.workers import (
    PROCESSES,
    AddressOption,
    EngineName,
    EngineOption,
    ProcessesOption,
    StoreOption,
    the_engine,
    the_store,
)

if TYPE_CHECKING:
    from crawler.sweep import Plan, Workers
    from data.case import Case
    from data.engine import Engine

_TAKE_IN_SECONDS = 3.0


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("crawl")(crawl)


def crawl(
    names: Annotated[list[str] | None, typer.Argument(metavar="SERVICE", help="Only these services.")] = None,
    fresh: Annotated[bool, typer.Option("--new", help="Begin a new sweep even where the last was cut off.")] = False,
    processes: ProcessesOption = PROCESSES,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be visited; nothing is fetched.")] = False,
    engine: EngineOption = EngineName.LOCAL,
    address: AddressOption = "",
    store: StoreOption = "",
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
) -> int:
    """Visit every service once, politely, text only. A sweep that was cut off is taken up where it stopped."""
    from crawler.sweep import plan_sweep

    opened = the_case(case)
    _known(opened, names or [])
    plan = plan_sweep(opened, tuple(names or ()), fresh=fresh)
    for name, reason in plan.halted:
        say(f"not visited: {name}: {reason}")
    if not plan.units and not plan.done and plan.halted:
        raise Stop(
            "Visits to every service asked for are halted. The named officer can release one: plainview refer release"
        )
    if not plan.units and not plan.done:
        raise Stop("There are no services to visit. Add some with: plainview services add FILE.csv")
    if dry_run:
        rows = [
            {"service": unit.service.service, "visit": unit.visit, "addresses": list(unit.service.urls)}
            for unit in plan.units
        ]
        emit(rows, ("service", "visit", "addresses"), form)
        say(f"{len(plan.units)} visits would be made; nothing was fetched.")
        return Exit.DONE
    with the_engine(engine, processes, address) as workers:
        return sweep(opened, plan, engine=workers, store=the_store(opened, workers, store))


def sweep(opened: Case, plan: Plan, processes: int = 1, *, engine: Engine | None = None, store: str = "") -> int:
    """Run *plan* on *engine*, else on *processes* of this machine, with progress bars; take in each visit as it closes, and
    say what came of it."""
    from crawler.selftest import check_guard
    from crawler.sweep import Workers
    from data.ingest import take_in

    if not opened.facts.authority:
        raise Stop("The case states no authority. Write it into case.toml ([case] authority) before the first crawl.")
    say("Checking the guard on loopback …")
    check_guard(render=opened.policy.render != "never")
    if plan.resumed:
        say(f"Taking up sweep {plan.sweep}: {len(plan.done)} visits are done, {len(plan.units)} are left.")
    else:
        listed = [*(unit.service.service for unit in plan.units), *(name for name, _ in plan.halted)]
        opened.record("sweep.started", {"sweep": plan.sweep, "services": listed})
    take_in(opened)
    failed = _run(opened, plan, Workers(opened, plan, processes, engine, store))
    take_in(opened)
    _tell(opened, plan)
    if failed:
        for item in failed:
            say(f"not finished: {item}")
        say("Run plainview crawl again to continue.")
        return Exit.PARTIAL
    opened.record("sweep.finished", {"sweep": plan.sweep, "visits": len(plan.units) + len(plan.done)})
    return Exit.DONE


def _run(opened: Case, plan: Plan, workers: Workers) -> list[str]:
    from crawler.sweep import Closed, Failed
    from crawler.visit import Progress
    from data.ingest import take_in

    failed: list[str] = []
    taken = 0.0
    done = len(plan.done)
    total = len(plan.done) + len(plan.units)
    names = {unit.visit: unit.service.service for unit in plan.units}
    with Bars("crawl") as bars:
        bars.show("services", done, total)
        events = workers.events()
        try:
            for event in events:
                match event:
                    case Progress():
                        note = f"queued {event.queued}  blocked {event.blocked}  {event.outcome}"
                        bars.show(event.service[:28], event.done, None, note)
                    case Closed():
                        # Each opening of the index costs the same for one visit as for twenty.
                        if time.monotonic() - taken > _TAKE_IN_SECONDS:
                            take_in(opened)
                            taken = time.monotonic()
                        done += 1
                        bars.drop(names[event.visit][:28])
                        bars.show("services", done, total)
                    case Failed():
                        failed.append(f"{event.service}: {event.reason}")
                        bars.drop(event.service[:28])
        finally:
            events.close()  # type: ignore[attr-defined]
    return failed


def _known(opened: Case, names: list[str]) -> None:
    import difflib

    listed = opened.services()
    for name in names:
        if name not in listed:
            near = difflib.get_close_matches(name, listed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise Stop(f"{name!r} is not on the list of services.{hint} See: plainview services list")


def _tell(opened: Case, plan: Plan) -> None:
    from data.store import reading, rows

    with reading(opened) as connection:
        found = rows(connection, _SUMMARY, [f"{plan.sweep}-"])
    for row in found:
        reason = f" ({row['reason']})" if row["reason"] else ""
        partial = f"  partial: {'; '.join(row['partial'])}" if row["partial"] else ""
        say(
            f"  {row['service']}: {row['outcome']}{reason}, {row['pages']} pages with text, {row['others']} other answers, "
            f"{row['skipped']} addresses skipped, {row['left']} not reached{partial}"
        )


_SUMMARY = """
SELECT v.service, v.outcome, v.reason, v.partial,
       count(*) FILTER (WHERE o.purpose IN ('entry', 'page') AND o.stored_as IN ('response', 'conversion')) AS pages,
       count(*) FILTER (WHERE o.purpose IN ('entry', 'page') AND o.stored_as NOT IN ('response', 'conversion')) AS others,
       (SELECT count(*) FROM addresses_decided a WHERE a.visit = v.visit AND a.decision = 'skipped') AS skipped,
       (SELECT count(*) FROM addresses_decided a WHERE a.visit = v.visit AND a.decision = 'not_reached') AS "left"
FROM visits v LEFT JOIN observations o ON o.visit = v.visit
WHERE starts_with(v.visit, ?)
GROUP BY v.visit, v.service, v.outcome, v.reason, v.partial ORDER BY v.service
"""
