"""Headers of table cells."""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborNode

_LENGTH: Final = 200
_ROW_HEADER_LENGTH: Final = 80
_COLUMNS: Final = 256
_SPAN: Final = 64


def cell_headers(table: LexborNode) -> dict[int, str]:
    """For each cell, by `mem_id`: the texts of its column and row headers, joined with " > " ("" where it has none).

    Column headers are the rows of `thead` and leading rows of `th` alone; the row header is the first `th`, or the first
    cell of a table that has column headers. Spans are honoured up to 64 cells, the reach of any real header.
    """
    columns: dict[int, str] = {}
    found: dict[int, str] = {}
    covered: dict[int, int] = {}  # column -> rows below that a cell above still covers
    heading = True
    for row, in_head in _rows(table):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        heading = heading and len(cells) > 1 and (in_head or all(cell.tag == "th" for cell in cells))
        row_header = ""
        column = 0
        for position, cell in enumerate(cells):
            while covered.get(column, 0):
                covered[column] -= 1
                column += 1
            attributes = cell.attributes
            across, down = _span(attributes.get("colspan")), _span(attributes.get("rowspan"))
            reach = range(column, min(column + across, _COLUMNS))
            if down > 1:
                covered.update(dict.fromkeys(reach, down - 1))
            if heading:
                text = " ".join(cell.text().split())[:_LENGTH]
                for at in reach:
                    above = columns.get(at, "")
                    columns[at] = f"{above} {text}".strip() if above != text else text
            elif not row_header and (cell.tag == "th" or (position == 0 and columns)):
                text = " ".join(cell.text().split())
                row_header = text if len(text) <= _ROW_HEADER_LENGTH else ""
                found[cell.mem_id] = columns.get(column, "")
            else:
                found[cell.mem_id] = " > ".join(part for part in (columns.get(column, ""), row_header) if part)
            column += across
    return found


def _rows(table: LexborNode) -> list[tuple[LexborNode, bool]]:
    rows: list[tuple[LexborNode, bool]] = []
    for part in table.iter():
        tag = part.tag
        if tag == "tr":
            rows.append((part, False))
        elif tag in ("thead", "tbody", "tfoot"):
            rows.extend((row, tag == "thead") for row in part.iter() if row.tag == "tr")
    return rows


def _span(value: str | None) -> int:
    digits = (value or "").strip()
    return min(max(int(digits), 1), _SPAN) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 1
