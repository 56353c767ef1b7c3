"""The text of an HTML document, in document order, each piece with its place on the page.

The tree is lexbor's, the HTML Standard's own parse, so a locator finds the same element in a browser. The walk is one pass over
lexbor's traversal: it stops at text, and at elements whose attributes hold text or change what is below. What an element means
is worked out once, when the first text below it is met, and kept by its address in the tree. Nothing recurses on depth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from analysis.text import structured
from analysis.text.assembly import MAX_PASSAGE, Assembly, Passage
from analysis.text.locators import below, number_children
from analysis.text.nesting import bounded
from analysis.text.outline import CAPTION_LEVEL, QUESTION_LEVEL, Outline
from analysis.text.plain import paragraphs
from analysis.text.tables import cell_headers
from analysis.text.tags import (
    ARIA_ROLE,
    ARIA_ZONE,
    BLOCK,
    BOLD,
    CARRIER,
    CONTAINER,
    FLOW,
    HEADING_LEVEL,
    ID,
    LIST,
    MANNER,
    OTHER,
    OWN_OUTLINE,
    PREFORMATTED,
    RAW_HTML,
    ROLE,
    SCOPED,
    SECTION,
    SEPARATOR,
    SILENT,
    TEXT,
    UNATTRIBUTED,
    ZONE,
    words,
)

_INTRO_LENGTH: Final = 300
_INSIDE: Final = 4
"""How many documents (`srcdoc`, templates in scripts) may stand one inside the other."""
_BANNER_CHECKS: Final = 50

_TEXT_ATTRIBUTES: Final = words("alt title aria-label aria-description aria-placeholder placeholder")
_CONTEXT_ATTRIBUTES: Final = words("hidden aria-hidden lang role style aria-level")
_ATTRIBUTES: Final = _TEXT_ATTRIBUTES | _CONTEXT_ATTRIBUTES
_META: Final = words(
    "description keywords abstract twitter:title twitter:description og:title og:description og:site_name og:image:alt "
    "twitter:image:alt dc.description dc.title application-name apple-mobile-web-app-title title subject"
)
_UNREAD_INPUT: Final = words("checkbox radio image password color range file")
_STYLE_HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*(?:\.0+)?(?:[;!\s]|$)"
    r"|font-size\s*:\s*0[a-z%]*\s*(?:[;!]|$)|(?:left|right|top|text-indent|margin-left)\s*:\s*-\d{4,}",
    re.IGNORECASE,
)
_STYLE_INLINE: Final = re.compile(r"display\s*:\s*inline\s*(?:[;!]|$)", re.IGNORECASE)
_BANNER: Final = re.compile(
    r"(?:cookie|consent|gdpr|ccpa)s?[-_]?\w*?[-_]?(?:banner|bar|notice|popup|pop-up|box|modal|dialog|overlay|message|"
    r"wrapper|container|law|alert|info|sdk|root|consent|manager|layer|prompt|window|panel|footer|bot)",
    re.IGNORECASE,
)
_FOOTER: Final = re.compile(r"(?:^|\s)(?:site-|page-|main-|global-)?footer(?:\s|$)", re.IGNORECASE)
_HEADER: Final = re.compile(r"(?:^|\s)(?:site-|page-|main-|global-)?header(?:\s|$)", re.IGNORECASE)
_HTML_SCRIPT: Final = re.compile(
    r"text/(?:html|template|x-template|x-handlebars|ng-template|x-jquery-tmpl)", re.IGNORECASE
)
_JSON_SCRIPT: Final = re.compile(r"application/(?:[\w.+-]*\+)?json", re.IGNORECASE)
_STATE: Final = re.compile(r"__[A-Z][A-Z_0-9]{3,}__|__INITIAL_|__PRELOADED_|__NUXT__|__remixContext")
_ENUMERATED: Final = re.compile(r"(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|[•·▪◦‣●○■✓✔✗✘×*–—-])\s*\S", re.IGNORECASE)
_BULLET: Final = re.compile(r"\s*(?:\(?(?:\d{1,3}|[a-z])\)|\d{1,3}\.|[•·▪◦‣●○■✓✔✗✘*–—-])\s", re.IGNORECASE)

_A: Final = ID["a"]
_BR: Final = ID["br"]
_IMG: Final = ID["img"]
_SCRIPT: Final = ID["script"]
_TABLE: Final = ID["table"]
_TITLE: Final = ID["title"]
_CELLS: Final = frozenset({ID["td"], ID["th"]})

_ORDINARY, _FLOATING, _PRE, _RAW, _PROGRAM, _UNREAD = range(6)
"""What is done with the text nodes of a place: joined into runs, set beside the run, split at blank lines, parsed again, read
as data, not read."""


class _Scope:
    """What an element's descendants share."""

    __slots__ = ("cell", "headers", "hidden", "intro", "lang", "outline", "sectioned", "zone")

    def __init__(self, above: _Scope | None = None, *, zone: str = "main", heading: str = "") -> None:
        if above is None:
            self.zone, self.hidden, self.lang, self.intro, self.cell = zone, "", "", "", ""
            self.outline = Outline(((1, heading),) if heading else ())
            self.sectioned = False
            self.headers: dict[int, str] = {}
        else:
            self.zone, self.hidden, self.lang = above.zone, above.hidden, above.lang
            self.intro, self.cell, self.outline = above.intro, above.cell, above.outline
            self.sectioned, self.headers = above.sectioned, above.headers


class _Place(NamedTuple):
    """Where a text node stands: its block and the inline marks that matter."""

    block: int
    """`mem_id` of the block element; 0 is none."""
    scope: _Scope
    role: str
    path: str
    """Locator of the block."""
    link: str
    """Locator of the link around, "" if none."""
    bold: bool
    level: int
    """Of a heading, 1 to 6."""
    reading: int


_new = tuple.__new__


def read_html(html: str, assembly: Assembly, *, frame: str = "", heading: str = "") -> None:
    """Read an HTML document or fragment. Never raises for any text; the time is linear in its length.

    *frame* is put before the locators of a document inside another, *heading* is what that one says above it.
    """
    _read(html, assembly, frame, _Scope(heading=heading), 0)


def text_of_markup(markup: str) -> str:
    """The text alone of a piece of HTML, pieces apart by a space."""
    assembly = Assembly()
    _read(markup, assembly, "", _Scope(), _INSIDE)
    return " ".join(assembly.pieces)


def _read(html: str, assembly: Assembly, frame: str, scope: _Scope, inside: int) -> None:
    root = LexborHTMLParser(bounded(html)).root
    if root is not None:
        walk = _Walk(assembly, frame, scope, inside)
        walk.begin(root.parent or root)
        walk.read(root)
        walk.read_templates(root)


class _Walk:
    """One document's walk: the run of text nodes not yet closed, and what is known of the elements met so far."""

    __slots__ = (
        "assembly",
        "banner_checks",
        "block",
        "colon",
        "enumeration",
        "first",
        "floats",
        "frame",
        "inside",
        "introduces",
        "known",
        "last",
        "marked",
        "more",
        "numbers",
        "paths",
        "raw",
        "scope",
    )

    def __init__(self, assembly: Assembly, frame: str, scope: _Scope, inside: int) -> None:
        self.assembly = assembly
        self.frame = frame
        self.scope = scope
        self.inside = inside
        self.known: dict[int, _Place] = {}
        self.paths: dict[int, str] = {}
        self.numbers: dict[int, int] = {}
        self.marked: dict[int, dict[str, str | None]] = {}
        # The run: its block (0 when there is none), its first text and place, and those that joined it.
        self.block = 0
        self.raw = ""
        self.first = _Place(0, scope, "paragraph", "", "", False, 0, _ORDINARY)
        self.more: list[tuple[str, _Place]] = []
        self.floats: list[tuple[str, str, str, str, str, str, str, str]] = []
        # The last passage, and whether it can introduce a list; the introduction of enumerated paragraphs.
        self.last = ""
        self.introduces = self.colon = False
        self.enumeration = ""
        self.banner_checks = 0

    def begin(self, above: LexborNode) -> None:
        """Set the place of the node above all others, a document or a fragment."""
        key = above.mem_id
        self.known[key] = _Place(key, self.scope, "paragraph", self.frame, "", False, 0, _ORDINARY)
        self.paths[key] = self.frame

    def read(self, root: LexborNode) -> None:
        known, ordinary = self.known.get, _ORDINARY
        text_tag, unattributed, carrier, container = TEXT, UNATTRIBUTED, CARRIER, CONTAINER
        disjoint = _ATTRIBUTES.isdisjoint
        previous = root
        for node in root.traverse(True, True):
            tag = node.tag_id
            if tag != text_tag:
                if tag not in unattributed:
                    attributes = node.attributes
                    if tag in carrier or not disjoint(attributes):
                        self._attributed(node, tag, attributes)
                    elif tag in container and ("class" in attributes or "id" in attributes) and _named_zone(attributes):
                        self.marked[node.mem_id] = attributes
                continue
            parent = node.parent
            place = known(parent.mem_id)  # type: ignore[union-attr]  # a text node has a parent
            if place is None:
                place = self._place(parent)  # type: ignore[arg-type]
            if place.reading != ordinary:
                self._other(node, place)
                continue
            if place.block != self.block:
                if self.block:
                    self._close()
                self.block, self.first = place.block, place
                self.raw = node.text_content  # type: ignore[assignment]
            else:
                text = node.text_content or ""
                gap = _gap(previous, node, text)
                if gap == 2:
                    self._close()
                    self.block, self.first, self.raw = place.block, place, text
                else:
                    self.more.append((" " + text if gap else text, place))
            previous = node
        self._close()

    def read_templates(self, root: LexborNode) -> None:
        """`<template>` content is no part of the tree: read after it, nested ones by a work list."""
        work = root.template_fragments()
        for fragment in work:  # grows while it is read
            host = fragment.parent
            scope = _Scope(self.scope)
            frame = ">>>"
            if host is not None:
                place = self.known.get(host.mem_id) or self._place(host)
                scope = _Scope(place.scope)
                frame = f"{self.paths[host.mem_id][:-1]}>>>"
                if "shadowrootmode" not in host.attributes:
                    scope.zone = "template"
            scope.outline = scope.outline.copy()
            walk = _Walk(self.assembly, frame, scope, self.inside)
            walk.begin(fragment)
            walk.read(fragment)
            work.extend(fragment.template_fragments())
            self.known.update(walk.known)
            self.paths.update(walk.paths)

    # -- the place of an element

    def _place(self, node: LexborNode) -> _Place:
        """The place of an element, worked out from the nearest ancestor that has one."""
        known, paths, numbers, marked = self.known, self.paths, self.numbers, self.marked
        chain = []
        current: LexborNode | None = node
        place = None
        while current is not None:
            place = known.get(current.mem_id)
            if place is not None:
                break
            chain.append(current)
            current = current.parent
        if place is None or current is None:
            raise AssertionError("every node stands in the tree that the walk was given")
        path = paths[current.mem_id]
        for element in reversed(chain):
            key = element.mem_id
            tag = element.tag_id
            number = numbers.get(key)
            if number is None:
                before = element.prev
                if before is None or (before.tag_id == TEXT and before.prev is None):
                    number = 1
                else:
                    number_children(current, numbers)
                    number = numbers[key]
            path = paths[key] = below(path, element, number)
            manner = MANNER.get(tag, OTHER)
            if manner == OTHER or key in marked:
                place = self._derive(element, key, tag, path, place)
            elif manner == FLOW:
                _, scope, role, _, link, _, level, reading = place
                role = ROLE.get(tag, role)
                place = _new(_Place, (key, scope, role, path, link, False, HEADING_LEVEL.get(tag, level), reading))
            known[key] = place
            current = element
        return place

    def _derive(self, element: LexborNode, key: int, tag: int, path: str, above: _Place) -> _Place:
        """The place of an element whose tag or attributes change what is below it."""
        block, scope, role, block_path, link, bold, level, reading = above
        if tag in SCOPED:
            self._close()
            scope, reading = self._enter(element, tag, scope, reading)
        is_block = tag in BLOCK or (tag not in MANNER and "-" in (element.tag or ""))
        role = ROLE.get(tag, role)
        level = HEADING_LEVEL.get(tag, level)
        marks = self.marked.get(key)
        if marks is not None:
            within, role, level, inline = self._marked(element, tag, marks, scope, role, level)
            if within.hidden != scope.hidden and not is_block:
                is_block, reading = True, _FLOATING if reading == _ORDINARY else reading
            scope = within
            is_block = is_block and not inline
        if is_block:
            if tag in PREFORMATTED:
                reading = _PRE
            return _Place(key, scope, role, path, link, False, level, reading)
        if tag == _A:
            link = path[:-1]
        elif tag in BOLD:
            bold = True
        elif scope is above.scope and role == above.role and reading == above.reading:
            return above
        return _Place(block, scope, role, block_path, link, bold, level, reading)

    def _enter(self, element: LexborNode, tag: int, above: _Scope, reading: int) -> tuple[_Scope, int]:
        """The scope inside an element whose tag changes it, and how its text nodes are read."""
        if tag == _SCRIPT:
            return above, _PROGRAM
        if tag in SILENT:
            return above, _UNREAD
        scope = _Scope(above)
        zone = ZONE.get(tag, "")
        if tag in LIST:
            intro = self.last[:_INTRO_LENGTH] if self.introduces else ""
            if intro and above.intro and intro not in above.intro:
                intro = f"{above.intro} > {intro}"[-2 * _INTRO_LENGTH :]
            scope.intro = intro or above.intro
        elif tag in _CELLS:
            scope.cell = above.headers.get(element.mem_id, "")
        elif zone in ("header", "footer"):
            if not above.sectioned:
                scope.zone, scope.outline = zone, Outline()
        elif zone in ("nav", "aside", "dialog"):
            scope.zone, scope.outline = zone, Outline()
            scope.sectioned = zone != "dialog"
        elif tag in OWN_OUTLINE:
            scope.outline = above.outline.section()
            if tag == _TABLE:
                scope.headers = cell_headers(element)
            scope.sectioned = above.sectioned or tag in SECTION
            if (
                zone
                and above.zone == "main"
                and not (zone == "form" and self._holds(element, "main,header,footer,nav,h1"))
            ):
                scope.zone = zone
        elif zone:
            scope.zone = zone
            if tag in RAW_HTML:
                reading = _RAW
        return scope, reading

    def _marked(
        self, element: LexborNode, tag: int, attributes: dict[str, str | None], above: _Scope, role: str, level: int
    ) -> tuple[_Scope, str, int, bool]:
        """The scope, role and heading level that an element's own attributes give, and whether a style makes it inline."""
        hidden, zone, lang = above.hidden, above.zone, attributes.get("lang", above.lang) or ""
        style = attributes.get("style") or ""
        if not hidden:
            if "hidden" in attributes:
                hidden = "attr"
            elif style and _STYLE_HIDDEN.search(style):
                hidden = "style"
            elif attributes.get("aria-hidden") == "true":
                hidden = "aria"
        aria = (attributes.get("role") or "").strip().lower()
        if aria:
            if aria == "heading":
                number = attributes.get("aria-level") or ""
                level = int(number) if number in ("1", "2", "3", "4", "5", "6") else 2
            role = ARIA_ROLE.get(aria, role)
            zone = ARIA_ZONE.get(aria, zone)
        named = _named_zone(attributes) if tag in CONTAINER else ""
        if named == "banner":
            if zone != "banner" and not self._holds(element, "main,h1,article"):
                zone = named
        elif named and zone == "main" and not (above.sectioned and named == "header"):
            zone = named
        if tag == ID["html"]:
            self.assembly.lang = self.assembly.lang or lang
        inline = bool(style) and _STYLE_INLINE.search(style) is not None
        if hidden == above.hidden and lang == above.lang and zone == above.zone:
            return above, role, level, inline
        scope = _Scope(above)
        scope.hidden, scope.lang = hidden, lang
        if zone != above.zone:
            self._close()
            scope.zone = zone
            if zone not in ("main", "form", "table"):
                scope.outline = Outline()
        return scope, role, level, inline

    def _holds(self, element: LexborNode, selector: str) -> bool:
        """Whether an element that looks like a part of the page is a wrapper of the whole of it."""
        self.banner_checks += 1
        return self.banner_checks > _BANNER_CHECKS or element.css_first(selector) is not None

    # -- closing a run

    def _close(self) -> None:
        if self.block:
            self.block = 0
            more, place = self.more, self.first
            if more:
                self.more = []
                self._close_joined([(self.raw, place), *more])
            else:
                self._emit(self.raw, place, place.link, place.bold)
        if self.floats:
            floats, self.floats = self.floats, []
            for draft in floats:
                self.assembly.add(*draft)

    def _close_joined(self, run: list[tuple[str, _Place]]) -> None:
        """A run of several text nodes is one passage; but links side by side, with nothing else, are one each."""
        links = {place.link for _, place in run}
        if len(links) > 1 and "" not in links:
            part = ""
            place = run[0][1]
            for text, at in run:
                if at.link != place.link:
                    self._emit(part, place, place.link, False)
                    part, place = "", at
                part += text
            self._emit(part, place, place.link, False)
        else:
            raw = "".join([text for text, _ in run])
            bold = all(place.bold for text, place in run if not text.isspace())
            self._emit(raw, run[0][1], links.pop() if len(links) == 1 else "", bold)

    def _emit(self, raw: str, place: _Place, link: str, bold: bool) -> None:
        text = " ".join(raw.split())
        if not text:
            return
        _, scope, role, path, _, _, level, _ = place
        path = path[:-1]
        outline = scope.outline
        if outline.child is not None:
            outline.settle()
        heading = outline.path()
        if scope.cell:
            heading = f"{heading} > {scope.cell}" if heading else scope.cell
        end = text[-1]
        length = len(text)
        intro = scope.intro
        if role == "heading":
            if level == 1 and not self.assembly.h1 and not scope.hidden and not self.inside:
                self.assembly.h1 = text
        elif role == "paragraph" or role == "list_item":
            level = 0
            if link:
                role, path = "link", link
            if (end == "?" or end == "？") and length <= 250:
                level = QUESTION_LEVEL if role != "list_item" else 0
            elif bold and length <= 120 and end not in ".!,;" and role == "paragraph":
                level = CAPTION_LEVEL
            if not intro and (self.colon or self.enumeration) and role == "paragraph":
                intro = self._enumerated(text)
        else:
            level = 0
            if role == "caption" or role == "legend" or role == "summary":
                level = CAPTION_LEVEL
            elif role == "term" or (role == "button" and end == "?"):
                level = QUESTION_LEVEL
            elif role == "title" and scope.zone == "title" and not self.assembly.title and not self.inside:
                self.assembly.title = text
        assembly = self.assembly
        if length <= MAX_PASSAGE:
            at = assembly.at
            passages = assembly.passages
            passages.append(
                _new(
                    Passage,
                    (len(passages), at, at + length, scope.zone, role, heading, intro, path, scope.hidden, scope.lang),
                )
            )
            assembly.pieces.append(text)
            assembly.at = at + length + 1
        else:
            assembly.add(text, scope.zone, role, heading, intro, path, scope.hidden, scope.lang)
        self.last = text
        self.colon = end == ":" or end == "："
        if level:
            outline.push(level, text)
            self.introduces = True
        else:
            outline.only_headings = False
            self.introduces = self.colon

    def _enumerated(self, text: str) -> str:
        """Paragraphs "(a) …" after one that ends with a colon are a list without list markup."""
        if _ENUMERATED.match(text) is None:
            self.enumeration = ""
        elif self.colon:
            self.enumeration = self.last[:_INTRO_LENGTH]
        return self.enumeration

    def _float(self, text: str, place: _Place, zone: str, role: str, locator: str) -> None:
        """Put a passage beside the run: it comes after the text that it stands in, and does not part it."""
        text = " ".join(text.split())
        if text:
            scope = place.scope
            heading = scope.outline.path()
            if scope.cell:
                heading = f"{heading} > {scope.cell}" if heading else scope.cell
            self.floats.append(
                (text, zone or scope.zone, role, heading, scope.intro, locator, scope.hidden, scope.lang)
            )

    # -- text that does not come as ordinary text nodes

    def _attributed(self, node: LexborNode, tag: int, attributes: dict[str, str | None]) -> None:
        """An element with text in its attributes, or with attributes that change what is below it."""
        if not _CONTEXT_ATTRIBUTES.isdisjoint(attributes):
            self.marked[node.mem_id] = attributes
        if tag in CARRIER:
            found = self._carried(node, tag, attributes)
        elif _TEXT_ATTRIBUTES.isdisjoint(attributes):
            return
        else:
            found = []
        for name in attributes:
            if name in _TEXT_ATTRIBUTES and attributes[name]:
                found.append(_ATTRIBUTE_ROLES[name])
        if found:
            place = self.known.get(node.mem_id) or self._place(node)
            path = self.paths[node.mem_id][:-1]
            for name, zone, role in found:
                self._float(attributes[name] or "", place, zone, role, f"{path}[{name}]")
            if not self.block:
                self._close()

    def _carried(self, node: LexborNode, tag: int, attributes: dict[str, str | None]) -> list[tuple[str, str, str]]:
        """Attributes that hold text on this tag alone, as (attribute, zone, role); counts media on the way."""
        if tag == _IMG:
            self._count_media(attributes)
            return []
        name = _CARRIER_NAMES[tag]
        if name == "meta":
            key = (attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or "").lower()
            if attributes.get("content") and (key in _META or attributes.get("itemprop")):
                return [("content", "meta", key)]
        elif name == "input":
            kind = (attributes.get("type") or "text").lower()
            if kind == "image":
                self._count_media(attributes)
            if kind in ("submit", "button", "reset"):
                return [("value", "", "button")]
            if kind != "hidden" and kind not in _UNREAD_INPUT:
                return [("value", "", "value")] if attributes.get("value") else []
        elif name == "iframe":
            if attributes.get("srcdoc") and self.inside < _INSIDE:
                place = self.known.get(node.mem_id) or self._place(node)
                self._inner(attributes["srcdoc"] or "", place.scope, self.paths[node.mem_id][:-1], "iframe")
        elif attributes.get("label"):
            return [("label", "", "option")]
        elif name == "option" and attributes.get("value") and node.first_child is None:
            return [("value", "", "option")]
        return []

    def _count_media(self, attributes: dict[str, str | None]) -> None:
        named = any((attributes.get(name) or "").strip() for name in ("alt", "aria-label", "title"))
        pixel = attributes.get("width") in ("0", "1") and attributes.get("height") in ("0", "1")
        if not named and not pixel:
            self.assembly.media_without_alt += 1

    def _other(self, node: LexborNode, place: _Place) -> None:
        """A text node that is not joined into runs."""
        text = node.text_content or ""
        scope = place.scope
        if place.reading == _FLOATING:
            self._float(text, place, "", place.role, place.path[:-1])
            if not self.block:
                self._close()
        elif place.reading == _PROGRAM:
            self._program(node, text, place)
        elif place.reading == _RAW and "<" in text and self.inside < _INSIDE:
            self._inner(text, scope, place.path[:-1], scope.zone)
        elif place.reading != _UNREAD:
            self._close()
            heading = scope.outline.path()
            for paragraph in paragraphs(text):
                intro = paragraph.list_intro or scope.intro
                self.assembly.add(
                    paragraph.text, scope.zone, place.role, heading, intro, place.path[:-1], scope.hidden, scope.lang
                )
                self.last = paragraph.text
            self.introduces = self.colon = False
            scope.outline.only_headings = False

    def _inner(self, html: str, above: _Scope, path: str, zone: str) -> None:
        """A document inside this one."""
        self._close()
        scope = _Scope(above)
        scope.zone, scope.outline = zone, Outline()
        _read(html, self.assembly, f"{path}>>>", scope, self.inside + 1)

    def _program(self, node: LexborNode, text: str, place: _Place) -> None:
        """A script: its structured data, its JSON, the state it assigns, the template it holds; else nothing."""
        element = node.parent
        if element is None:
            return
        kind = (element.attributes.get("type") or "").strip().lower()
        zone = "script_text"
        if "ld+json" in kind:
            found, zone = structured.structured_data(text, text_of_markup), "jsonld"
        elif _JSON_SCRIPT.match(kind):
            found = structured.sentences(text, text_of_markup)
        elif not kind or "javascript" in kind or kind == "module":
            if not _STATE.search(text):
                return
            found = structured.state(text, text_of_markup)
        else:
            if _HTML_SCRIPT.match(kind) and self.inside < _INSIDE:
                self._inner(text, place.scope, self.paths[element.mem_id][:-1], "template")
            return
        locator = f"{self.paths[element.mem_id][:-1]}#"
        hidden, lang, add = place.scope.hidden, place.scope.lang, self.assembly.add
        if self.block and zone == "jsonld":
            self._close()
        for value in found:
            add(value.text, zone, value.role, value.heading, "", locator + value.place, hidden, lang)


_CARRIER_NAMES: Final = {ID[name]: name for name in ("img", "input", "meta", "iframe", "option", "optgroup")}
_ATTRIBUTE_ROLES: Final = {
    "alt": ("alt", "alt", "alt"),
    "title": ("title", "title", "title_attribute"),
    "placeholder": ("placeholder", "", "placeholder"),
    "aria-label": ("aria-label", "aria", "aria_label"),
    "aria-description": ("aria-description", "aria", "aria_description"),
    "aria-placeholder": ("aria-placeholder", "aria", "aria_placeholder"),
}


def _named_zone(attributes: dict[str, str | None]) -> str:
    """The zone that class and id say where the tag does not: banner, footer, header, or "" for none."""
    names, own = attributes.get("class"), attributes.get("id")
    return (_zone_name(names) if names else "") or (_zone_name(own) if own else "")


@lru_cache(maxsize=8_192)
def _zone_name(names: str) -> str:
    if _BANNER.search(names):
        return "banner"
    if _FOOTER.search(names):
        return "footer"
    return "header" if _HEADER.search(names) else ""


def _gap(before: LexborNode, after: LexborNode, text: str) -> int:
    """What stands between two neighbouring text nodes of one block: 0 nothing, 1 white space, 2 a separation.

    Walks back from *after* to *before*; every gap of a document is walked once.
    """
    target = before.mem_id
    breaks = space = 0
    current = after
    while True:
        previous = current.prev
        if previous is None:
            parent = current.parent
            if parent is None:
                return 2
            current = parent
            continue
        current = previous
        while current.mem_id != target:
            tag = current.tag_id
            if tag in SEPARATOR:
                return 2
            if tag == _BR:
                breaks += 1
            last = current.last_child
            if last is None or tag == _SCRIPT or tag in SILENT:
                break
            current = last
        if current.mem_id == target:
            break
        if current.is_empty_text_node:
            space = 1
    if breaks > 1 or (breaks and _BULLET.match(text)):
        return 2
    return 1 if breaks else space
