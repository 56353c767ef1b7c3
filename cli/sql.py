"""``plainview sql``: a question of one's own, over documented views, read only."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.query import TABLE_ROWS
from cli.terminal import Format, emit, say


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("sql")(sql)


def sql(
    statement: Annotated[
        str,
        typer.Argument(
            metavar="[SELECT]", help="One SELECT over the views; - reads it from stdin.", show_default=False
        ),
    ] = "",
    show_views: Annotated[bool, typer.Option("--views", help="List the views and what their columns mean.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=0, help=f"At most so many rows; 0 = all. A table shows {TABLE_ROWS} if not told."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Stop after so long.")] = 30.0,
    memory: Annotated[int, typer.Option(min=64, metavar="MB", help="Stop where it needs more.")] = 1024,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Ask in SQL (DuckDB), read only. No file, no network, no setting can be reached; the closed queue is in no view."""
    from data.sandbox import MOST_ROWS, SqlRefused, ask, views

    if show_views:
        rows = [
            {"view": view.name, "column": name, "meaning": meaning}
            for view in views().values()
            for name, meaning in view.columns.items()
        ]
        emit(rows, ("view", "column", "meaning"), form, output)
        return
    asked = sys.stdin.read() if statement == "-" else statement
    if not asked.strip():
        raise Stop("There is no statement. Try: plainview sql 'FROM flags LIMIT 5'; the views: plainview sql --views")
    from analysis.cleared import clear

    opened = the_case(case)
    clear(opened)
    table = form is Format.TABLE and output is None
    most = min(limit if limit is not None else TABLE_ROWS if table else MOST_ROWS, MOST_ROWS) or MOST_ROWS
    try:
        found = ask(opened, asked, most=most, seconds=seconds, memory_mb=memory)
    except SqlRefused as refused:
        raise Stop(str(refused)) from None
    emit(found.rows, found.columns, form, output)
    if found.more:
        say(f"The first {len(found.rows):,} rows; there are more (--limit 0 for up to {MOST_ROWS:,}).")
