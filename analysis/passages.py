"""From a stored body to its text version: one text, and passages that point into it.

Everything a consumer could read is kept, wherever it stands: header, footer, forms, dialogs, cookie boxes, frames, `title`,
meta descriptions, `alt`, `aria-label`, structured data. What the markup says is hidden is kept too, and marked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from analysis.html_text import DocumentText, Draft, read_html
from analysis.json_text import json_strings, structured_data
from analysis.plain_text import paragraphs
from analysis.xml_text import read_xml

EXTRACTOR: Final = "passages/1"
"""Name and version, recorded with every text version. Any change of output needs a new number."""

MAX_PASSAGE: Final = 4_000
"""Code points after which a passage without any structure is split, at the end of a sentence where there is one."""

_SENTENCE_END: Final = re.compile(r"[.!?…。！？][\"'”’)\]]*\s+|[。！？]")


class Passage(NamedTuple):
    """A piece of visible text and where it stands. `TextVersion.text[start:end]` is the passage.

    A named tuple, not a frozen dataclass: a page has hundreds, and creating one costs a fifth.
    """

    ordinal: int
    start: int
    """Offset in code points into `TextVersion.text`; `end` is exclusive."""
    end: int
    zone: str
    """main header nav footer aside form dialog banner iframe title meta alt aria jsonld noscript script_text template table"""
    role: str
    """heading paragraph list_item cell header_cell label button link option quote caption placeholder value term …"""
    heading: str
    """Headings in force, outermost first, joined with " > "; for a cell also its column and row headers."""
    list_intro: str
    """The text that introduces the list ("You may not:"); of nested lists each, joined with " > "."""
    locator: str
    """CSS path; its first match is the element. `>>>` enters a frame or template, `[alt]` an attribute, `#/a` a JSON value."""
    hidden: str
    """"" or why the markup hides it: attr, style, aria."""
    lang: str
    """The nearest `lang` attribute, "" if there is none."""


@dataclass(frozen=True, slots=True)
class TextVersion:
    """The text of one observation as one extractor read it."""

    text: str
    passages: tuple[Passage, ...]
    extractor: str
    title: str
    lang: str
    h1: str
    media_without_alt: int
    """Images and image buttons that name no text alternative: claims in them are not read."""


def extract(body: str, *, content_type: str = "text/html", url: str = "") -> TextVersion:
    """Read a stored body. Never raises for any text; the same body gives the same text version.

    `content_type` may carry parameters. `url` is not used yet: the text of a page does not depend on its address.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml", ""):
        document = read_html(body)
    elif kind.endswith("json"):
        document = _json_document(body, kind)
    elif kind.endswith("xml"):
        document = read_xml(body)
    elif kind == "text/plain" or body.lstrip()[:1] != "<":
        document = _plain_document(body)
    else:
        document = read_html(body)
    return _text_version(document)


def _json_document(body: str, kind: str) -> DocumentText:
    found = structured_data(body) if kind == "application/ld+json" else json_strings(body, everything=True)
    zone = "jsonld" if kind == "application/ld+json" else "main"
    drafts = [
        Draft(string.text, zone, string.role, string.heading, "", f"#{string.pointer}", "", "") for string in found
    ]
    return DocumentText(drafts)


def _plain_document(body: str) -> DocumentText:
    body = body.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return DocumentText(
        [
            Draft(paragraph.text, "main", paragraph.role, "", paragraph.list_intro, f"line({paragraph.line})", "", "")
            for paragraph in paragraphs(body)
        ]
    )


def _text_version(document: DocumentText) -> TextVersion:
    pieces: list[str] = []
    passages: list[Passage] = []
    start = 0
    for draft in document.drafts:
        text = draft[0]
        for piece in (text,) if len(text) <= MAX_PASSAGE else _split(text):
            end = start + len(piece)
            passages.append(Passage(len(passages), start, end, *draft[1:]))
            pieces.append(piece)
            start = end + 1
    return TextVersion(
        "\n".join(pieces),
        tuple(passages),
        EXTRACTOR,
        document.title,
        document.lang,
        document.h1,
        document.media_without_alt,
    )


def _split(text: str) -> list[str]:
    """Pieces of at most `MAX_PASSAGE`: at the last sentence end that fits, else at a space, else anywhere."""
    pieces = []
    start = 0
    while len(text) - start > MAX_PASSAGE:
        limit = start + MAX_PASSAGE
        end = 0
        for match in _SENTENCE_END.finditer(text, start + 1, limit):
            end = match.end()
        if not end:
            end = text.rfind(" ", start + 1, limit) + 1 or limit
        piece = text[start:end].rstrip()
        if piece:
            pieces.append(piece)
        start = end
    pieces.append(text[start:])
    return pieces
