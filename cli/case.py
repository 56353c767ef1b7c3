"""``plainview init``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import say

if TYPE_CHECKING:
    from data.case import Case


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
    case = make_case(folder, facts)
    say(f"Case opened in {folder}.")
    _name_the_key(case)
    if not authority:
        say(f"No authority was given. Write it into {folder / 'case.toml'} before the first crawl.")
    say(f"Next: plainview services add --case {folder} services.csv")


def _name_the_key(case: Case) -> None:
    """Put on the ledger from the start which key is going to seal the case; make it, locked if asked, where there is none."""
    from data.seal import SealFailed, has_key, is_locked, load_key, make_key, name_key

    name, passphrase = case.seal.key, os.environ.get("PLAINVIEW_PASSPHRASE", "")
    try:
        if has_key(name):
            if is_locked(name) and not passphrase:
                return  # named when the case is sealed, which asks for the passphrase
            key = load_key(name, passphrase if is_locked(name) else "")
        else:
            key = make_key(name, passphrase)
    except (SealFailed, OSError) as error:
        say(f"No key for sealing yet ({error}). Make one later with: plainview seal --new-key")
        return
    name_key(case, key)
    say(f"It will be sealed with the key {key.identity}")
