"""The text of XML: feeds, sitemaps and the like. Expat with entity declarations refused; no external subset is ever read."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

from analysis.html_text import DocumentText, Draft, read_html

_MARKUP: Final = re.compile(r"<[a-zA-Z/!]|&\w+;")
_ADDRESS: Final = re.compile(r"(?:https?:|urn:|mailto:)\S*\Z|[\d\s.,:+TZ-]+\Z", re.IGNORECASE)
_PATH_LENGTH: Final = 2_000


class _EntityDeclared(Exception):
    """The document declares entities: it is read as HTML, which knows none of them."""


def read_xml(body: str) -> DocumentText:
    """One draft an element with text of its own. Escaped HTML in it (RSS descriptions) is read as HTML.

    XML that is not well-formed, or that declares entities, is read as HTML instead. Never raises.
    """
    document = DocumentText()
    if re.search(r"<html[\s>]", body[:2_000], re.IGNORECASE):
        return read_html(body)
    reader = _Reader(document)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = _refuse
    try:
        # The text is decoded already; a declaration of another encoding no longer speaks of it.
        parser.Parse(re.sub(r"\A\s*<\?xml[^>]*\?>", "", body.lstrip("\ufeff")).strip().encode("utf-8", "replace"), True)
    except (expat.ExpatError, _EntityDeclared):
        return read_html(body)
    return document


def _refuse(*_: object) -> None:
    raise _EntityDeclared


class _Reader:
    def __init__(self, document: DocumentText) -> None:
        self.document = document
        self.paths: list[str] = []
        self.counts: list[dict[str, int]] = [{}]
        self.texts: list[list[str]] = []
        self.heading = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        counts = self.counts[-1]
        counts[name] = counts.get(name, 0) + 1
        path = f"{self.paths[-1] if self.paths else ''}/{name}"
        if counts[name] > 1:
            path += f"[{counts[name]}]"
        self.paths.append(path if len(path) <= _PATH_LENGTH else path[:200] + "…" + path[-200:])
        self.counts.append({})
        if self.texts and any(part.strip() for part in self.texts[-1]):
            self._close()
        self.texts.append([])
        if name in ("item", "entry"):
            self.heading = ""

    def data(self, text: str) -> None:
        if self.texts:
            self.texts[-1].append(text)

    def end(self, name: str) -> None:
        self._close()
        self.texts.pop()
        self.paths.pop()
        self.counts.pop()

    def _close(self) -> None:
        raw = "".join(self.texts[-1])
        self.texts[-1] = []
        text = " ".join(raw.split())
        if not text or _ADDRESS.match(text):
            return
        path = self.paths[-1]
        name = path.rpartition("/")[2].partition("[")[0]
        if _MARKUP.search(text):
            inner = read_html(raw, frame=f"{path}>>>", depth=1)
            self.document.drafts.extend(
                draft._replace(heading=" > ".join(part for part in (self.heading, draft.heading) if part))
                for draft in inner.drafts
            )
            self.document.media_without_alt += inner.media_without_alt
            return
        role = "heading" if name == "title" else "paragraph"
        heading = "" if name == "title" else self.heading
        self.document.drafts.append(Draft(text, "main", role, heading, "", path, "", ""))
        if name == "title":
            self.heading = text[:200]
            self.document.title = self.document.title or text
