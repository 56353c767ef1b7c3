"""The text of XML: feeds, sitemaps and the like. Entity declarations are refused, and no external subset is ever read."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from analysis.text.assembly import Assembly
from analysis.text.html import read_html

_MARKUP: Final = re.compile(r"<[a-zA-Z/!]|&\w+;")
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>")
_XHTML: Final = re.compile(r"<html[\s>]", re.IGNORECASE)
_NOT_TEXT: Final = re.compile(r"(?:https?:|urn:|mailto:)\S*\Z|[\d\s.,:+TZ-]+\Z", re.IGNORECASE)
_PATH_LENGTH: Final = 2_000
_HEADING_LENGTH: Final = 200


class _EntityDeclared(Exception):
    """The document declares entities: it is read as HTML, which knows none of them."""


def read_xml(body: str, assembly: Assembly) -> None:
    """A passage for each element with text of its own; escaped HTML in it (a feed's description) is read as HTML.

    XML that is not well-formed, or that declares entities, is read as HTML instead. Never raises.
    """
    if _XHTML.search(body[:2_000]):
        read_html(body, assembly)
        return
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = _refuse
    try:
        # The body is decoded already: a declaration of some other encoding no longer speaks of it.
        parser.Parse(_DECLARATION.sub("", body.lstrip("\ufeff")).strip().encode("utf-8", "replace"), True)
    except (expat.ExpatError, _EntityDeclared):
        read_html(body, assembly)
        return
    heading = ""
    for path, raw in reader.found:
        heading = _add(path, raw, heading, assembly)


def _add(path: str, raw: str, heading: str, assembly: Assembly) -> str:
    """Append one element's text; returns the heading for what follows (the title of the entry)."""
    text = " ".join(raw.split())
    name = path.rpartition("/")[2].partition("[")[0]
    if not raw and name in ("item", "entry"):
        return ""
    if not text or _NOT_TEXT.match(text):
        return heading
    if name == "title":
        assembly.title = assembly.title or text
        assembly.add(text, "main", "heading", "", "", path)
        return text[:_HEADING_LENGTH]
    if _MARKUP.search(text):
        read_html(raw, assembly, frame=f"{path}>>>", heading=heading)
    else:
        assembly.add(text, "main", "paragraph", heading, "", path)
    return heading


def _refuse(*_: object) -> None:
    raise _EntityDeclared


class _Reader:
    """Collects (path, text) in document order; an element that opens is put down with no text at all."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._paths = [""]
        self._counts: list[dict[str, int]] = [{}]
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._close()
        counts = self._counts[-1]
        number = counts[name] = counts.get(name, 0) + 1
        path = f"{self._paths[-1]}/{name}" + (f"[{number}]" if number > 1 else "")
        self._paths.append(path if len(path) <= _PATH_LENGTH else f"{path[:200]}…{path[-200:]}")
        self._counts.append({})
        self.found.append((path, ""))

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        self._close()
        self._paths.pop()
        self._counts.pop()

    def _close(self) -> None:
        if self._text:
            self.found.append((self._paths[-1], "".join(self._text)))
            self._text = []
