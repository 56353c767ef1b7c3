"""Paragraphs of plain text: blank lines and list markers separate, single line ends do not."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ITEM: Final = re.compile(r"(?:[-*+•·▪◦‣–—]|\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)])\s+\S")
_INTRO_LENGTH: Final = 300


class Paragraph(NamedTuple):
    """One paragraph or list item; `line` is the number (from 1) of its first line."""

    text: str
    role: str
    list_intro: str
    line: int


def paragraphs(text: str) -> list[Paragraph]:
    """Split plain text. An item after a line that ends with a colon carries that line as its introduction."""
    found: list[Paragraph] = []
    lines: list[str] = []
    first = 1
    intro = ""
    item = False

    def close() -> None:
        nonlocal intro, item
        joined = " ".join(" ".join(lines).split())
        lines.clear()
        if joined:
            if item:
                found.append(Paragraph(joined, "list_item", intro, first))
            else:
                found.append(Paragraph(joined, "paragraph", "", first))
                intro = joined[-_INTRO_LENGTH:] if joined.endswith((":", "：")) else ""
        item = False

    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped:
            close()
            continue
        starts_item = _ITEM.match(stripped) is not None
        if starts_item and lines:
            close()
        if not lines:
            first = number
            item = starts_item
        lines.append(stripped)
    close()
    return found
