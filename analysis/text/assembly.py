"""Passages, and the one text that they point into, put together piece by piece in document order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_PASSAGE: Final = 4_000
"""Code points after which a passage without any structure is split, at the end of a sentence where there is one."""

_SENTENCE_END: Final = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]")


class Passage(NamedTuple):
    """A piece of visible text and where it stands. `TextVersion.text[start:end]` is the passage.

    A named tuple and not a frozen dataclass: a page has hundreds of them, and one of these costs a fifth to create.
    """

    ordinal: int
    start: int
    """Offset in code points into `TextVersion.text`; `end` is exclusive."""
    end: int
    zone: str
    """main table form header nav footer aside dialog banner iframe noscript template title meta alt aria jsonld script_text"""
    role: str
    """heading paragraph list_item link button label option quote caption cell header_cell term definition summary legend
    preformatted value placeholder title title_attribute alt aria_label; a meta's name; question answer price review rating …"""
    heading: str
    """Headings in force, outermost first, joined with " > "; for a cell also its column and row headers."""
    list_intro: str
    """The text that introduces the list ("You may not:"); of nested lists each, joined with " > "."""
    locator: str
    """CSS path whose first match is the element. `>>>` enters a frame or template, `[alt]` is an attribute, `#/a/0` a JSON
    pointer, `#@120` an offset into a script; `line(3)` of plain text, `/rss/channel/item[2]` of XML."""
    hidden: str
    """"" or why the markup hides it: attr, style, aria."""
    lang: str
    """The nearest `lang` attribute, "" if there is none."""


new_passage = tuple.__new__  # what `Passage._make` does, without its call


class Assembly:
    """Passages so far, the pieces of text that they are, and the few facts about the document as a whole."""

    __slots__ = ("at", "h1", "lang", "media_without_alt", "passages", "pieces", "title")

    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self.pieces: list[str] = []
        self.at = 0
        self.title = self.lang = self.h1 = ""
        self.media_without_alt = 0

    def add(
        self,
        text: str,
        zone: str,
        role: str,
        heading: str = "",
        list_intro: str = "",
        locator: str = "",
        hidden: str = "",
        lang: str = "",
    ) -> None:
        """Append a passage. *text* has its white space collapsed already; an empty one is left out, a long one split."""
        if len(text) > MAX_PASSAGE:
            for piece in split(text):
                self.add(piece, zone, role, heading, list_intro, locator, hidden, lang)
        elif text:
            start = self.at
            end = start + len(text)
            passages = self.passages
            passages.append(
                new_passage(
                    Passage, (len(passages), start, end, zone, role, heading, list_intro, locator, hidden, lang)
                )
            )
            self.pieces.append(text)
            self.at = end + 1

    def text(self) -> str:
        """The text version: every passage on a line of its own."""
        return "\n".join(self.pieces)


def split(text: str) -> Iterator[str]:
    """Pieces of at most `MAX_PASSAGE`: up to the last sentence end that fits, else a space, else anywhere."""
    start = 0
    while len(text) - start > MAX_PASSAGE:
        limit = start + MAX_PASSAGE
        end = 0
        for match in _SENTENCE_END.finditer(text, start + 1, limit):
            end = match.end()
        if not end:
            end = text.rfind(" ", start + 1, limit) + 1 or limit
        yield text[start:end].rstrip()
        start = end
    yield text[start:]
