"""A question and its answer: rows of a list, filtered, sorted, bounded, counted or grouped, in whatever format is asked for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import standing
from cli.exits import Stop
from cli.filters import unknown
from cli.terminal import Format, emit, narrow, say

if TYPE_CHECKING:
    import duckdb

TABLE_ROWS = 100
"""Rows of a table on a terminal where no limit is given; every other format has all."""

SortOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sort", metavar="COLUMN", help="Order by this column; -COLUMN turns it round. May be given several times."
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", min=0, help=f"At most so many rows; 0 = all. A table shows {TABLE_ROWS} if not told."
    ),
]
CountOption = Annotated[bool, typer.Option("--count", help="Only how many.")]
ByOption = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="COLUMN", help="How many for each value of this column. Several make pairs."),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """How a person wants the rows."""

    sort: Sequence[str] = ()
    limit: int | None = None
    count: bool = False
    by: Sequence[str] = ()
    form: Format = Format.TABLE
    output: Path | None = None

    @property
    def table(self) -> bool:
        """Whether it goes to a person's eyes."""
        return self.form is Format.TABLE and self.output is None

    def names(self, column: str) -> bool:
        """Whether rows are to be sorted or grouped by *column*."""
        return column in (*(item.lstrip("-") for item in split(self.sort)), *split(self.by))

    @property
    def bound(self) -> int:
        """The most rows to fetch; 0 = all."""
        return self.limit if self.limit is not None else TABLE_ROWS if self.table else 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of rows.

    *keys* is SQL with one row each and the columns that filters, ``--sort`` and ``--by`` know: narrow, so that a million
    rows are cheap. *details* is SQL that turns ``chosen`` (the keys of the rows to show, numbered by ``n``) into the
    columns of the list; empty where the keys are all there is.
    """

    name: str
    keys: str
    sortable: tuple[str, ...]
    order: tuple[str, ...]
    groups: tuple[str, ...]
    table: tuple[str, ...]
    wide: tuple[str, ...]
    details: str = ""
    unnested: dict[str, str] = field(default_factory=dict)
    """Column to group by, and the column of lists that it is one element of."""
    closing: str = ""
    """What to do next, below a table."""
    missing: str = ""
    """What to do where nothing matches."""
    noun: str = ""
    """What the rows are called, where that is not the name of the list."""
    counts_services: bool = True
    """Whether a count says as well of how many services; the keys then have a column ``service``."""


@cache
def columns(name: str) -> dict[str, str]:
    """The columns of the list *name*, in order, each with its sentence."""
    known: dict[str, dict[str, str]] = tomllib.loads(
        Path(__file__).with_name("columns.toml").read_text(encoding="utf-8")
    )
    return known[name]


def answer(
    connection: duckdb.DuckDBPyConnection,
    listing: Listing,
    values: dict[str, Any],
    asked: Asked,
    finish: Callable[[list[dict[str, Any]]], None] | None = None,
) -> None:
    """Write the rows of *listing* as asked. *values* are those bound in ``keys``; *finish* works on the rows before they go."""
    if asked.count or asked.by:
        _grouped(connection, listing, values, asked)
        return
    found, total = _rows(connection, listing, values, asked)
    if finish:
        finish(found)
    if not asked.table:
        emit(found, tuple(columns(listing.name)), asked.form, asked.output)
        return
    emit(found, listing.table if narrow() else listing.wide, asked.form)
    what = listing.noun or listing.name
    if not found:
        say(f"No {what} match. {listing.missing}".rstrip())
        return
    what = what.removesuffix("s") if total == 1 else what
    some = (
        f"The first {len(found):,} of {total:,} {what} (all: --limit 0)."
        if total > len(found)
        else f"{total:,} {what}."
    )
    say(" ".join(filter(None, (some, listing.closing, standing()))))


def every_row(
    connection: duckdb.DuckDBPyConnection, listing: Listing, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """All rows of *listing* in its own order."""
    return _rows(connection, listing, values or {}, Asked(form=Format.JSON))[0]


def _rows(
    connection: duckdb.DuckDBPyConnection, listing: Listing, values: dict[str, Any], asked: Asked
) -> tuple[list[dict[str, Any]], int]:
    from data.store import rows

    order = ", ".join((*(_order(item, listing.sortable) for item in split(asked.sort)), *listing.order))
    bound = f" LIMIT {asked.bound:d}" if asked.bound else ""
    chosen = f"""SELECT *, row_number() OVER (ORDER BY {order}) AS n
                 FROM (SELECT *, count(*) OVER () AS total FROM ({listing.keys}) ORDER BY {order}{bound})"""  # noqa: S608
    connection.execute(f"CREATE OR REPLACE TEMP TABLE chosen AS {chosen}", _used(values, chosen))
    details = listing.details or "SELECT * FROM chosen"
    found = rows(connection, f"SELECT * FROM ({details}) ORDER BY n", _used(values, details))  # noqa: S608
    total = connection.execute("SELECT max(total) FROM chosen").fetchone()
    return found, (total[0] or 0) if total else 0


def _grouped(connection: duckdb.DuckDBPyConnection, listing: Listing, values: dict[str, Any], asked: Asked) -> None:
    from data.store import rows

    by = split(asked.by) or listing.groups
    known = (*listing.sortable, *listing.unnested)
    for name in by:
        if name not in known:
            raise Stop(f"{unknown(name, known, 'column')} --by takes: {', '.join(known)}.")
    picked = [
        f'unnest({listing.unnested[name]}) AS "{name}"' if name in listing.unnested else f'"{name}"' for name in by
    ]
    what = listing.noun or listing.name
    counts = [f"count(*) AS {what}"]
    if listing.counts_services and "service" not in by:
        picked.append("service")
        counts.append("count(DISTINCT service) AS services")
    names = ", ".join(f'"{name}"' for name in by)
    sql = f"SELECT {', '.join((*([names] if by else []), *counts))} FROM (SELECT {', '.join(picked) or '1'} FROM ({listing.keys}))"  # noqa: S608
    sql += f" GROUP BY {names}" if by else ""
    shown = (*by, what, *(("services",) if len(counts) > 1 else ()))
    order = ", ".join((*(_order(item, shown) for item in split(asked.sort)), names or "1"))
    bound = f" LIMIT {asked.limit:d}" if asked.limit else ""
    emit(rows(connection, f"{sql} ORDER BY {order}{bound}", _used(values, sql)), shown, asked.form, asked.output)


def _used(values: dict[str, Any], sql: str) -> Any:
    return {name: values[name] for name in set(re.findall(r"\$(\w+)", sql))}


def split(given: Sequence[str]) -> tuple[str, ...]:
    """The names in options that may be given several times, or once with commas."""
    return tuple(part.strip() for item in given for part in item.split(",") if part.strip())


def _order(item: str, known: Sequence[str]) -> str:
    name = item.lstrip("-")
    if name not in known:
        raise Stop(f"{unknown(name, known, 'column')} --sort takes: {', '.join(known)}.")
    return f'"{name}" DESC' if item.startswith("-") else f'"{name}"'
