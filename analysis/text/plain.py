"""Paragraphs of plain text: blank lines and list markers part them, single line ends do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from analysis.text.assembly import Assembly

_ITEM: Final = re.compile(r"(?:[-*+•·▪◦‣–—]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)])\s+\S")
_INTRO_LENGTH: Final = 300


class Paragraph(NamedTuple):
    """One paragraph or list item; `line` is the number (from 1) of its first line."""

    text: str
    role: str
    list_intro: str
    line: int


def paragraphs(text: str) -> Iterator[Paragraph]:
    """Split plain text. An item after a paragraph that ends with a colon carries that as its introduction."""
    intro = ""
    for first, lines in _groups(text):
        joined = " ".join(" ".join(lines).split())
        if _ITEM.match(lines[0]):
            yield Paragraph(joined, "list_item", intro, first)
        else:
            intro = joined[-_INTRO_LENGTH:] if joined.endswith((":", "：")) else ""
            yield Paragraph(joined, "paragraph", "", first)


def _groups(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that belong together, with the number of the first."""
    first, lines = 1, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if lines and (not stripped or _ITEM.match(stripped)):
            yield first, lines
            lines = []
        if stripped:
            first = first if lines else number
            lines.append(stripped)
    if lines:
        yield first, lines


def read_plain(body: str, assembly: Assembly) -> None:
    """Read a plain text body."""
    for paragraph in paragraphs(body):
        assembly.add(paragraph.text, "main", paragraph.role, "", paragraph.list_intro, f"line({paragraph.line})")
