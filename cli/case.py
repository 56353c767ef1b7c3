"""``plainview init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import say


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder for the case.")],
    title: Annotated[str, typer.Option(help="What the case is about.")] = "",
    authority: Annotated[str, typer.Option(help="Under which authority it is opened.")] = "",
    matter: Annotated[str, typer.Option(help="The matter number.")] = "",
    legal_basis: Annotated[str, typer.Option(help="The legal basis, as counsel names it.")] = "",
    custodian: Annotated[str, typer.Option(help="Who keeps the evidence.")] = "",
    operator: Annotated[list[str] | None, typer.Option(help="Who works on it; may be given several times.")] = None,
) -> None:
    """Open a case: a folder with its settings, its ledger and room for evidence."""
    from data.case import CaseFacts, make_case

    facts = CaseFacts(
        title=title or folder.name,
        matter=matter,
        authority=authority,
        legal_basis=legal_basis,
        operators=tuple(operator or ()),
        custodian=custodian,
    )
    make_case(folder, facts, _POLICY)
    say(f"Case opened in {folder}.")
    if not authority:
        say(f"No authority was given. Write it into {folder / 'case.toml'} before the first crawl.")
    say(f"Next: plainview services add --case {folder} services.csv")


_POLICY = """# How a visit behaves. These are the defaults; docs/reference/case-file.md explains each.
# page_budget = 40              # pages a visit, the most important first; 0 = no bound
# delay_seconds = 1.0           # between two requests to one host
# render = "auto"               # "auto" | "never" | "always": when a browser runs a page's scripts
# contact = ""                  # an address that stands in the user agent
# allow_private = []            # e.g. ["127.0.0.0/8"] for loopback work"""
