"""From a stored body to its text version: one text, and the passages that point into it.

Everything a consumer could read is kept, wherever it stands: header, footer, forms, dialogs, cookie boxes, frames, `title`,
meta descriptions, `alt`, `aria-label`, structured data. What the markup says is hidden is kept too, and marked. (Readers of
"the article" throw away footers and asides, the very places of prices and disclaimers.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analysis.text.assembly import MAX_PASSAGE, Assembly, Passage
from analysis.text.html import read_html, text_of_markup
from analysis.text.plain import read_plain
from analysis.text.structured import string_values, structured_data
from analysis.text.xml import read_xml

__all__ = ["EXTRACTOR", "MAX_PASSAGE", "Passage", "TextVersion", "extract"]

EXTRACTOR: Final = "passages/1"
"""Name and version, recorded with every text version. Any change of output needs a new number."""


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

    *content_type* may carry parameters; without a known type the body is HTML if it starts with a tag, else plain text.
    *url* is for readers that need it; none does yet.
    """
    assembly = Assembly()
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        read_html(body, assembly)
    elif kind.endswith("json"):
        _read_json(body, kind, assembly)
    elif kind.endswith("xml"):
        read_xml(_encodable(body), assembly)
    elif kind == "text/plain" or body.lstrip()[:1] != "<":
        read_plain(_encodable(body), assembly)
    else:
        read_html(body, assembly)
    return TextVersion(
        assembly.text(),
        tuple(assembly.passages),
        EXTRACTOR,
        assembly.title,
        assembly.lang,
        assembly.h1,
        assembly.media_without_alt,
    )


def _read_json(body: str, kind: str, assembly: Assembly) -> None:
    linked = kind == "application/ld+json"
    read = structured_data if linked else string_values
    for value in read(_encodable(body), text_of_markup):
        assembly.add(value.text, "jsonld" if linked else "main", value.role, value.heading, "", f"#{value.place}")


def _encodable(body: str) -> str:
    """Text that UTF-8 can hold: NUL and lone surrogates become U+FFFD, as an HTML parser has them."""
    body = body.replace("\x00", "\ufffd")
    return body if body.isascii() else body.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
