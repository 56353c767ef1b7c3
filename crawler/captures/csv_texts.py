"""CSV of texts: one text a row, under the header ``text`` with, as known, ``url,service,captured,role,source``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crawler.captures.capture import Capture, Item, LeftOut, NotAnArchive, Origin, Place, Unreadable, file_time, utc
from data import address
from data.canonical import sha256
from data.roles import ROLES

COLUMNS = ("text", "url", "service", "captured", "role", "source")
_LONGEST_CELL = 10_000_000


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row with its number (from 1), its last line in the file, and the byte it begins at."""

    number: int
    line: int
    offset: int
    reached: int
    cells: list[str]


def csv_rows(path: Path) -> Iterator[CsvRow]:
    """The rows of a UTF-8 or UTF-16 file, one at a time. Raises ``csv.Error`` and ``UnicodeDecodeError`` where it breaks."""
    csv.field_size_limit(_LONGEST_CELL)
    with path.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        counted = _Lines(io.TextIOWrapper(raw, encoding=encoding, newline=""), encoding)
        delimiter = _delimiter(path, encoding)
        reader = csv.reader(counted, delimiter=delimiter, strict=True)
        offset = 0
        for number, cells in enumerate(reader, 1):
            if any(cell.strip() for cell in cells):
                yield CsvRow(number, reader.line_num, offset, counted.at, cells)
            offset = counted.at


def csv_header(path: Path) -> list[str]:
    """The first row's names in lower case, empty where the file is no CSV."""
    try:
        first = next(csv_rows(path), None)
    except (csv.Error, UnicodeDecodeError):
        return []
    return [name.strip().lower() for name in first.cells] if first else []


def _delimiter(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        line = file.readline(65_536)
    return max(",;\t", key=line.count)


class _Lines:
    """The lines of a text file, with the bytes read so far."""

    def __init__(self, file: io.TextIOWrapper, encoding: str) -> None:
        self._file, self._encoding = file, "utf-16-le" if encoding == "utf-16" else "utf-8"
        self.at = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self.at += len(line.encode(self._encoding, "surrogatepass"))
        return line


def read_csv_texts(path: Path, limit: int) -> Iterator[Item]:
    """Every text. Raises ``NotAnArchive`` for a header that is not one; a bad row is named with its line."""
    yield Origin((("archive", "CSV of texts"),))
    header: list[str] = []
    try:
        for row in csv_rows(path):
            if not header:
                header = [name.strip().lower() for name in row.cells]
                unknown = [name for name in header if name not in COLUMNS]
                if unknown or "text" not in header:
                    what = f"unknown: {', '.join(unknown)}" if unknown else "the column text is missing"
                    raise NotAnArchive(f"{path.name} line 1: the header must be of {','.join(COLUMNS)}; {what}.")
                continue
            place = Place(row.number - 1, row.offset, row.reached)
            if len(row.cells) != len(header):
                yield Unreadable(place, f"line {row.line}: {len(row.cells)} cells where the header has {len(header)}")
                continue
            cells = dict.fromkeys(COLUMNS, "")
            cells.update(zip(header, row.cells, strict=True))
            yield _text(cells, place, row.line, limit, file_time(path))
    except csv.Error as error:
        size = path.stat().st_size
        yield Unreadable(Place(0, size, size), f"not valid CSV: {error}")
    except UnicodeDecodeError as error:
        raise NotAnArchive(f"{path.name} is not UTF-8 or UTF-16 text: {error.reason}.") from None


def _text(cells: dict[str, str], place: Place, line: int, limit: int, saved: str) -> Item:
    body = cells["text"].strip().encode("utf-8", "replace")
    if not body:
        return LeftOut(place, "import.empty", f"line {line}: no text")
    if len(body) > limit:
        return LeftOut(place, "response.size", f"longer than the {limit} bytes that the case allows", size=len(body))
    role = cells["role"].strip().lower()
    if role and role not in ROLES:
        return Unreadable(place, f"line {line}: role must be one of {', '.join(ROLES)}, not {role[:40]!r}")
    url = cells["url"].strip()
    if url:
        try:
            url = address.canonical(url)
        except address.BadAddress:
            return Unreadable(place, f"line {line}: {url[:100]!r} is not an address")
    captured = utc(cells["captured"]) if cells["captured"].strip() else ""
    if cells["captured"].strip() and not captured:
        return Unreadable(place, f"line {line}: {cells['captured'][:40]!r} is not a time such as 2026-10-01T12:00:00Z")
    return Capture(
        place=place,
        url=url,
        body=body,
        captured=captured,
        type_declared="text/plain; charset=utf-8",
        wire_len=len(body),
        wire_sha256=sha256(body),
        role=role or "other",
        service=cells["service"].strip(),
        source=cells["source"].strip()[:200],
        notes=(("file time", saved),),
    )
