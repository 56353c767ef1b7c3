"""Workbooks for spreadsheet programs, in which no cell is a formula and no text a link."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cli.exits import Stop
from cli.terminal import clipped, harmless

_MOST_ROWS: Final = 1_048_575
_LONGEST: Final = 32_000
"""A cell holds 32,767 characters; the rest of a longer text is counted at its end."""
_WIDEST, _CODED, _MOST_LINES = 60, 26, 12
"""Widths in characters: of running text, and of hashes and names; and the lines that a row is high at most."""
# Neither formulas nor links nor numbers are read out of text: a cell is what was put into it.
_OPTIONS: Final = {
    "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True, "nan_inf_to_errors": True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its name, its columns in order, and its rows by column name. *notes* explain a column when pointed at."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[dict[str, Any]]
    notes: dict[str, str] | None = None


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """An XLSX file with a frozen, filtered header row on each sheet. Raises ``Stop`` for more rows than a sheet holds."""
    import xlsxwriter

    sink = io.BytesIO()
    with xlsxwriter.Workbook(sink, _OPTIONS) as book:
        head = book.add_format({"bold": True, "bottom": 1, "valign": "top"})
        plain = book.add_format({"valign": "top"})
        wrapped = book.add_format({"valign": "top", "text_wrap": True})
        for sheet in sheets:
            if len(sheet.rows) > _MOST_ROWS:
                raise Stop(
                    f"A sheet holds {_MOST_ROWS:,} rows, these are {len(sheet.rows):,}. Use --format csv or parquet, or --limit."
                )
            page = book.add_worksheet(sheet.name)
            prose = {name for name in sheet.columns if _is_prose(sheet, name)}
            widths = {
                name: _width(sheet, name) if name in prose else min(_width(sheet, name), _CODED)
                for name in sheet.columns
            }
            for number, name in enumerate(sheet.columns):
                page.set_column(number, number, widths[name], wrapped if name in prose else plain)
                page.write_string(0, number, name, head)
                if sheet.notes and name in sheet.notes:
                    page.write_comment(0, number, sheet.notes[name])
            for line, row in enumerate(sheet.rows, 1):
                # Not every program fits a row to its text by itself.
                lines = max((_lines(row.get(name), widths[name]) for name in prose), default=1)
                page.set_row(line, 15 * min(lines, _MOST_LINES))
                for number, name in enumerate(sheet.columns):
                    _write(page, line, number, row.get(name))
            page.freeze_panes(1, 1)
            page.autofilter(0, 0, max(len(sheet.rows), 1), max(len(sheet.columns) - 1, 0))
            page.set_landscape()
            page.repeat_rows(0)
            page.fit_to_pages(1, 0)
    return sink.getvalue()


def _write(page: Any, line: int, number: int, value: Any) -> None:
    match value:
        case None:
            return
        case bool():
            page.write_boolean(line, number, value)
        case int() | float():
            page.write_number(line, number, value)
        case list() | tuple() if all(isinstance(item, str) for item in value):
            page.write_string(line, number, clipped(harmless("; ".join(value)), _LONGEST))
        case list() | tuple() | dict():
            page.write_string(
                line, number, clipped(harmless(json.dumps(value, ensure_ascii=False, default=str)), _LONGEST)
            )
        case _:
            page.write_string(line, number, clipped(harmless(str(value)), _LONGEST))


def _is_prose(sheet: Sheet, name: str) -> bool:
    """Whether the column holds running text, which is wrapped; hashes, names and numbers are not."""
    return any(isinstance(row.get(name), str) and row[name].count(" ") >= 4 for row in sheet.rows[:1000])


def _lines(value: Any, width: int) -> int:
    return sum(-(-len(part) // width) or 1 for part in value.split("\n")) if isinstance(value, str) else 1


def _width(sheet: Sheet, name: str) -> int:
    """Wide enough for most of the column's values: the longest of nine in ten of the first thousand."""
    sizes = sorted(len(str(row.get(name) or "")) for row in sheet.rows[:1000])
    typical = sizes[len(sizes) * 9 // 10] if sizes else 0
    return max(min(typical + 2, _WIDEST), min(len(name) + 4, _WIDEST))
