"""What every command shares: which case, which format, where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import Format

if TYPE_CHECKING:
    from data.case import Case

CaseOption = Annotated[
    Path | None,
    typer.Option("--case", metavar="FOLDER", help="The case; else PLAINVIEW_CASE, else the one this folder is in."),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How rows are written.", case_sensitive=False)]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal.")
]


def the_case(given: Path | None) -> Case:
    """The case that the command is about. Raises ``CaseError`` with what to do where there is none."""
    from data.case import find_case, open_case

    case = open_case(find_case(given))
    _opened[:] = [case]
    return case


_opened: list[Case] = []  # the case that this command is about, for what is said at its end


def standing() -> str:
    """``unsealed`` and why, for the case that the command opened; empty where it is sealed. What every list ends with."""
    from data.standing import seal_state

    state = seal_state(_opened[-1]) if _opened else None
    return "" if state is None or state.sealed else f"The case is {state.word}: {state.reason}."
