"""What goes to the terminal: data on stdout in the format asked for, everything else on stderr."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.exits import Stop

if TYPE_CHECKING:
    from rich.console import Console


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


# C0 and C1 controls (ANSI escapes among them) and the marks that turn the direction of text: page text must not be able
# to move the cursor, change colours or reorder a line (Unicode TR 36, TR 55).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_LONGEST_CELL, _LONGEST_LINE = 600, 4_000


def harmless(text: str) -> str:
    """*text* with every control and direction mark shown as U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)


def harmless_cell(value: Any) -> Any:
    """A spreadsheet cell that no program takes for a formula, without controls and direction marks."""
    from data.spreadsheet import cell

    value = cell(value)
    return harmless(value) if isinstance(value, str) else value


def clipped(text: str, limit: int) -> str:
    """At most *limit* characters of *text*; what is left out is counted. A word of a million letters is no flood."""
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit:,} characters)"


def say(message: str) -> None:
    """One line for the person, on stderr."""
    sys.stderr.write(harmless(message) + "\n")


def out() -> Console:
    """Rich on stdout."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False, soft_wrap=False)


def err() -> Console:
    """Rich on stderr."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, emoji=False, markup=False)


def emit(rows: Sequence[dict[str, Any]], columns: Sequence[str], form: Format, output: Path | None = None) -> None:
    """Write *rows* (column name to value) in *form* to stdout or *output*. A table for people, the rest for programs."""
    if form is Format.TABLE and output is None:
        _table(rows, columns)
        return
    if form in (Format.PARQUET, Format.XLSX) and output is None and sys.stdout.isatty():
        raise Stop(f"{form.value} is not text: name a file with --output FILE.{form.value}.")
    content = _content(rows, columns, form)
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    new = output.with_name(output.name + ".new")
    new.write_bytes(content)
    new.replace(output)
    say(f"{len(rows)} rows written to {output}")


def _content(rows: Sequence[dict[str, Any]], columns: Sequence[str], form: Format) -> bytes:
    picked = [{name: row.get(name) for name in columns} for row in rows]
    match form:
        case Format.JSON:
            return (json.dumps(picked, ensure_ascii=False, indent=2, default=str) + "\n").encode("utf-8", "replace")
        case Format.JSONL:
            lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in picked)
            return "".join(lines).encode("utf-8", "replace")
        case Format.PARQUET:
            return _parquet(picked, columns)
        case Format.XLSX:
            return _xlsx(picked, columns)
        case _:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(columns)
            writer.writerows([harmless_cell(row[name]) for name in columns] for row in picked)
            return text.getvalue().encode("utf-8", "replace")


def _parquet(rows: list[dict[str, Any]], columns: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: pa.array([row[name] for row in rows]) for name in columns}
    # A column without a value has no type to tell it by; text is what most columns are.
    table = pa.table(
        {name: item.cast(pa.string()) if item.type == pa.null() else item for name, item in arrays.items()}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _xlsx(rows: list[dict[str, Any]], columns: Sequence[str]) -> bytes:
    from cli.spreadsheet import Sheet, workbook

    return workbook([Sheet("plainview", tuple(columns), rows)])


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    wide = any(name in _WIDE for name in columns)
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, expand=wide, padding=(0, 1))
    for name in columns:
        number = bool(rows) and all(isinstance(row.get(name), int | float) for row in rows)
        if name in _WIDE:
            table.add_column(name, ratio=1, overflow="fold", min_width=24)
        else:
            table.add_column(
                name, justify="right" if number else "left", overflow="fold", max_width=28, no_wrap=not wide
            )
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    if rows:
        out().print(table)
    else:
        out().print(Text("(none)", style="dim"))


# Columns of running text: they take what width the others leave.
_WIDE = ("words", "reason", "summary", "quote", "title", "object", "before", "after", "meaning", "passage")


def narrow() -> bool:
    """Whether the terminal has too few columns for more than the most needed ones."""
    return out().width < 110


def _cell(value: Any) -> Any:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if isinstance(value, float):
        return Text(f"{value:.2f}")
    if isinstance(value, list | tuple):
        value = ", ".join(str(item) for item in value)
    shown = clipped("" if value is None else str(value), _LONGEST_CELL)
    # Fractions of a second matter to a program; a table has no room for them.
    return Text(harmless(f"{shown[:19]}Z" if _TIME.fullmatch(shown) else shown))


def marked(before: str, quote: str, after: str) -> Any:
    """A passage with the quote highlighted, for a table or a panel."""
    return with_hits(before + quote + after, [(len(before), len(before) + len(quote))])


def with_hits(text: str, spans: Iterable[tuple[int, int]], around: int = _LONGEST_LINE) -> Any:
    """*text* with *spans* of it highlighted, and of the rest at most *around* characters on either side of each."""
    from rich.text import Text

    shown, at = Text(), 0
    for start, end in spans:
        before = text[at:start]
        if at and len(before) > 2 * around:
            shown.append(harmless(f"{before[:around]} … {before[-around:]}"))
        else:
            shown.append(harmless(before if len(before) <= around or at else f"…{before[-around:]}"))
        shown.append(harmless(clipped(text[start:end], _LONGEST_CELL)), style="bold reverse")
        at = end
    after = text[at:]
    shown.append(harmless(after if len(after) <= around else f"{after[:around]}…"))
    return shown


def lines(items: Iterable[str]) -> None:
    """Plain lines on stdout; a line end in page text begins no line of ours."""
    for item in items:
        sys.stdout.write(harmless(clipped(item, _LONGEST_LINE)).replace("\n", " ") + "\n")
