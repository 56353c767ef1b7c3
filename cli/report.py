"""``plainview report``: the case as a document for people."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from cli.context import CaseOption, the_case
from cli.exits import Stop
from cli.terminal import say


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)


def report(
    service: Annotated[
        list[str] | None, typer.Option("--service", "-s", metavar="NAME", help="Only this service; may be given again.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; else exports/report.html in the case."),
    ] = None,
    case: CaseOption = None,
) -> None:
    """Write the report: one HTML file that holds all it needs and asks for nothing when it is opened."""
    from analysis.masking import Masker
    from analysis.report.gather import gather
    from analysis.report.html import render
    from data.canonical import sha256

    opened = the_case(case)
    names = tuple(service or ())
    try:
        snapshot = gather(opened, names, masker=Masker.of(opened))
    except KeyError as error:
        name = str(error.args[0])
        near = difflib.get_close_matches(name, opened.services(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Stop(
            f"{name!r} is not on the list of services.{hint} See: plainview services list. Nothing was written."
        ) from None
    target = output or opened.exports / "report.html"
    content = render(snapshot).encode("utf-8", "replace")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_bytes(content)
    new.replace(target)
    opened.record(
        "report.made",
        {"file": target.name, "sha256": sha256(content), "services": list(names), "ledger_head": snapshot.ledger_head},
    )
    say(
        f"{len(snapshot.dossiers)} services, {snapshot.reached} of them reached, {snapshot.indicators} possible indicators."
    )
    if not snapshot.method.analyzed:
        say("The texts were not analyzed yet, so nothing is flagged. Next: plainview analyze")
    if not snapshot.seal.sealed:
        say(f"The case is unsealed ({snapshot.seal.reason}); the report says so. To seal it: plainview seal")
    say(f"Report written to {target}")
