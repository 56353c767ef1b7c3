"""The text of an HTML document, in document order, each piece with its place on the page.

The tree is lexbor's, the HTML Standard's own parse, so a locator finds the same element in a browser. The walk is one pass over
lexbor's traversal: it stops at text, and at elements whose attributes hold text or change what is below. What an element means
is worked out once, when the first text below it is met, and kept by its address in the tree. Nothing recurses on depth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from analysis.text import structured
from analysis.text.assembly import MAX_PASSAGE, Assembly, Passage, new_passage
from analysis.text.locators import KNOWN, LONG, below
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
    INLINE,
    LIST,
    OWN_OUTLINE,
    PREFORMATTED,
    RAW_HTML,
    ROLE,
    SCOPED,
    SECTION,
    SEPARATOR,
    SILENT,
    TEXT,
    VOID,
    ZONE,
    words,
)

_AS_WRITTEN: Final = LexborDocumentOptions.WO_EVENTS
"""No copies of a chosen option into `selectedcontent`: every text once, where it was written."""
_INTRO_LENGTH: Final = 300
_INSIDE: Final = 4
"""How many documents (`srcdoc`, templates in scripts) may stand one inside the other."""
_WRAP_CHECKS: Final = 50
_OUTER: Final = 100
"""Length of a path up to which class and id are asked for a zone: page parts stand near the root."""

_TEXT_ATTRIBUTES: Final = {
    "alt": ("alt", "alt", "[alt]"),
    "title": ("title", "title_attribute", "[title]"),
    "placeholder": ("", "placeholder", "[placeholder]"),
    "aria-label": ("aria", "aria_label", "[aria-label]"),
    "aria-description": ("aria", "aria_description", "[aria-description]"),
    "aria-placeholder": ("aria", "aria_placeholder", "[aria-placeholder]"),
}
"""Zone, role and the mark on the locator of the text in an attribute, whatever the tag."""
_CONTEXT_ATTRIBUTES: Final = words("hidden aria-hidden lang role style")
_ATTRIBUTES: Final = _CONTEXT_ATTRIBUTES.union(_TEXT_ATTRIBUTES)
_META_NAMES: Final = words(
    "description keywords abstract twitter:title twitter:description og:title og:description og:site_name og:image:alt "
    "twitter:image:alt dc.description dc.title application-name apple-mobile-web-app-title title subject"
)
_UNREAD_INPUT: Final = words("checkbox radio image password color range file")
_STYLE: Final = re.compile(
    r"(?P<inline>display\s*:\s*inline\s*(?:[;!]|$))|display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    r"|opacity\s*:\s*0*(?:\.0+)?(?:[;!\s]|$)|font-size\s*:\s*0[a-z%]*\s*(?:[;!]|$)"
    r"|(?:left|right|top|text-indent|margin-left)\s*:\s*-\d{4,}"
)
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
_ENUMERATED: Final = re.compile(r"(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|[•·▪◦‣●○■✓✔✗✘×*–—-])\s*\S", re.IGNORECASE)
_BULLET: Final = re.compile(r"\s*(?:\(?(?:\d{1,3}|[a-z])\)|\d{1,3}\.|[•·▪◦‣●○■✓✔✗✘*–—-])\s", re.IGNORECASE)

_CAPITALS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZÀÁÂÄÅÆÇÈÉÊËÍÎÏÑÓÔÖØÚÜŠŽАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ$€£¥")

_A: Final = ID["a"]
_BR: Final = ID["br"]
_HTML: Final = ID["html"]
_IFRAME: Final = ID["iframe"]
_IMG: Final = ID["img"]
_INPUT: Final = ID["input"]
_META: Final = ID["meta"]
_OPTION: Final = ID["option"]
_OPTIONS: Final = frozenset({_OPTION, ID["optgroup"]})
_SVG: Final = ID["svg"]
_TABLE: Final = ID["table"]
_CELLS: Final = frozenset({ID["td"], ID["th"]})

_ORDINARY, _FLOATING, _PRE, _RAW, _PROGRAM, _UNREAD = range(6)
"""What is done with the text nodes of a place: joined into runs, set beside the run, split at blank lines, parsed again, read
as data, not read."""
_READING: Final = {
    **dict.fromkeys(PREFORMATTED, _PRE),
    **dict.fromkeys(RAW_HTML, _RAW),
    **dict.fromkeys(SILENT, _UNREAD),
    ID["script"]: _PROGRAM,
    _SVG: _FLOATING,
}


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


_Place = tuple[int, str, str, _Scope, str, str, bool, int, int]
"""Where a text node stands, by its parent. A bare tuple, because every element gets one:

block (`mem_id` of the nearest block element), path of the element and path of the block (locators, ending with ">"), scope,
role, link (path of the link around, "" if none), bold, level (of a heading, 1 to 6), reading (of the text nodes in it).
"""
_PATH: Final = 1
_SCOPE: Final = 3


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
    root = LexborHTMLParser(bounded(html), options=_AS_WRITTEN).root
    if root is not None:
        walk = _Walk(assembly, inside, root.parent or root, scope, frame)
        walk.read(root)
        walk.read_templates(root)


class _Walk:
    """One document's walk: the run of text nodes not yet closed, and what is known of the elements met so far."""

    __slots__ = (
        "assembly",
        "block",
        "checks",
        "colon",
        "enumeration",
        "first",
        "floats",
        "inside",
        "introduces",
        "known",
        "last",
        "more",
        "raw",
    )

    def __init__(self, assembly: Assembly, inside: int, above: LexborNode, scope: _Scope, frame: str) -> None:
        """*above* is the node over all others, a document or a fragment, and has *scope* and the locator *frame*."""
        self.assembly = assembly
        self.inside = inside
        key = above.mem_id
        top: _Place = (key, frame, frame, scope, "paragraph", "", False, 0, _ORDINARY)
        self.known = {key: top}
        # The run: its block (0 when there is none), its first text and place, then text, link, bold of those that joined.
        self.block = 0
        self.raw = ""
        self.first = top
        self.more: list[tuple[str, str, bool]] = []
        self.floats: list[tuple[str, str, str, str, str, str, str, str]] = []
        # The last passage, and whether it can introduce a list; the introduction of enumerated paragraphs.
        self.last = ""
        self.introduces = self.colon = False
        self.enumeration = ""
        self.checks = 0

    def read(self, root: LexborNode) -> None:
        """Walk a tree. Every element gets its place from its parent's; every text node joins the run or begins one."""
        known = self.known
        counts: dict[str, int] = {}
        text_tag, void, inline, flow, names, container = TEXT, VOID, INLINE, FLOW, KNOWN, CONTAINER
        capitals = _CAPITALS
        plain, ordinary, long, anchor = _ATTRIBUTES.isdisjoint, _ORDINARY, LONG, _A
        previous = root
        for node in root.traverse(True, True):
            tag = node.tag_id
            if tag == text_tag:
                place = known[node.parent.mem_id]  # type: ignore[union-attr]  # a text node has a parent
                if place[-1] != ordinary:
                    self._other(node, place)
                    continue
                text: str = node.text_content  # type: ignore[assignment]  # every text node has it
                block = place[0]
                if block != self.block:
                    if self.block:
                        self._close()
                    self.block, self.first, self.raw = block, place, text
                else:
                    gap = _gap(previous, node, text)
                    if gap == 2:
                        self._close()
                        self.block, self.first, self.raw = block, place, text
                    else:
                        if gap or (text[0] in capitals and _side_by_side(previous, node)):
                            text = " " + text
                        self.more.append((text, place[5], place[6]))
                previous = node
            elif tag not in void:
                above = known[node.parent.mem_id]  # type: ignore[union-attr]  # so has an element
                block, path, block_path, scope, role, link, bold, level, reading = above
                key = node.mem_id
                path = path + names[tag] if tag in names and len(path) < long else below(path, node)
                if path in counts:
                    number = counts[path] = counts[path] + 1
                    path = f"{path[:-1]}:nth-of-type({number})>"
                else:
                    counts[path] = 1
                attributes = node.attributes
                if not plain(attributes) or (
                    attributes and tag in container and len(path) < _OUTER and _named_zone(attributes)
                ):
                    known[key] = self._element(node, tag, key, path, above, attributes)
                elif tag in flow:
                    if self.block:
                        self._close()
                    own_role, own_level = flow[tag]
                    known[key] = (
                        key, path, path, scope, own_role or role, link, False, own_level or level, reading,
                    )  # fmt: skip
                elif tag in inline:
                    known[key] = (block, path, block_path, scope, role, link, bold, level, reading)
                elif tag == anchor:
                    known[key] = (block, path, block_path, scope, role, path, bold, level, reading)
                else:
                    known[key] = self._element(node, tag, key, path, above, attributes)
        self._close()

    def read_templates(self, root: LexborNode) -> None:
        """`<template>` content is no part of the tree: read after it, nested ones by a work list."""
        work = [(fragment, self) for fragment in root.template_fragments()]
        for fragment, outer in work:  # grows while it is read
            host: LexborNode = fragment.parent  # type: ignore[assignment]  # the template element
            place = outer.known[host.mem_id]
            scope = _Scope(place[_SCOPE])
            scope.outline = scope.outline.copy()
            if (
                "shadowrootmode" in host.attributes and host.parent is not None
            ):  # a browser shows it as the element's own
                scope.zone = outer.known[host.parent.mem_id][_SCOPE].zone
            passages = self.assembly.passages
            before = len(passages)
            walk = _Walk(self.assembly, self.inside, fragment, scope, f"{place[_PATH][:-1]}>>>")
            walk.read(fragment)
            for number in range(before, len(passages)):
                if passages[number].locator.endswith(">>"):  # text that stands in no element of the template
                    passages[number] = passages[number]._replace(locator=f"{passages[number].locator}>")
            work.extend((inner, walk) for inner in fragment.template_fragments())

    # -- the place of an element that is not plain

    def _element(
        self, node: LexborNode, tag: int, key: int, path: str, above: _Place, attributes: dict[str, str | None]
    ) -> _Place:
        """The place of an element whose tag or attributes say more; passages of its attributes are added on the way."""
        block, _, block_path, scope, role, link, bold, level, reading = above
        is_block = tag in BLOCK or (tag not in KNOWN and "-" in (node.tag or ""))
        if tag in SCOPED:
            self._close()
            scope, reading = self._enter(node, tag, scope, reading)
        elif tag in _READING:
            reading = _READING[tag]
            if tag == _SVG:
                scope = _Scope(scope)
                scope.zone = "alt"
        role = ROLE.get(tag, role)
        level = HEADING_LEVEL.get(tag, level)
        if attributes and (tag in CONTAINER or not _CONTEXT_ATTRIBUTES.isdisjoint(attributes)):
            within, role, level, inline = self._marked(node, tag, path, attributes, scope, role, level)
            is_block = is_block and not inline
            if within.hidden != scope.hidden and not is_block and reading == _ORDINARY:
                is_block, reading = True, _FLOATING
            scope = within
        place: _Place
        if is_block:
            if self.block and reading != _FLOATING:
                self._close()
            place = (key, path, path, scope, role, link, False, level, reading)
        elif tag == _A:
            place = (block, path, block_path, scope, role, path, bold, level, reading)
        else:
            place = (block, path, block_path, scope, role, link, bold or tag in BOLD, level, reading)
        if tag in CARRIER or not attributes.keys().isdisjoint(_TEXT_ATTRIBUTES):
            self._carried(node, tag, attributes, place)
        return place

    def _enter(self, element: LexborNode, tag: int, above: _Scope, reading: int) -> tuple[_Scope, int]:
        """The scope inside an element whose tag changes it, and how its text nodes are read."""
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
            if zone and above.zone == "main" and not (zone == "form" and self._wraps(element)):
                scope.zone = zone
        else:
            scope.zone = zone
            reading = _READING.get(tag, reading)
        return scope, reading

    def _marked(
        self,
        element: LexborNode,
        tag: int,
        path: str,
        attributes: dict[str, str | None],
        above: _Scope,
        role: str,
        level: int,
    ) -> tuple[_Scope, str, int, bool]:
        """The scope, role and heading level that an element's own attributes give, and whether a style makes it inline."""
        hidden, zone, lang = above.hidden, above.zone, above.lang
        if "lang" in attributes:
            lang = attributes["lang"] or ""
            if tag == _HTML:
                self.assembly.lang = self.assembly.lang or lang
        style = _style(attributes["style"]) if "style" in attributes else ""
        inline = style == "inline"
        if not hidden:
            if "hidden" in attributes:
                hidden = "attr"
            elif style == "hidden":
                hidden = "style"
            elif attributes.get("aria-hidden") == "true":
                hidden = "aria"
        aria = attributes.get("role")
        if aria:
            aria = aria.strip().lower()
            if aria == "heading":
                number = attributes.get("aria-level") or ""
                level = int(number) if number in ("1", "2", "3", "4", "5", "6") else 2
            role = ARIA_ROLE.get(aria, role)
            zone = ARIA_ZONE.get(aria, zone)
        named = _named_zone(attributes) if tag in CONTAINER and len(path) < _OUTER else ""
        if named == "banner":
            if zone != "banner" and not self._wraps(element):
                zone = named
        elif named and zone == "main" and not (above.sectioned and named == "header"):
            zone = named
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

    def _wraps(self, element: LexborNode) -> bool:
        """Whether an element that looks like a part of the page is a wrapper of the whole of it."""
        self.checks += 1
        return self.checks > _WRAP_CHECKS or element.css_first("main,h1,header,footer,nav,article") is not None

    # -- closing a run

    def _close(self) -> None:
        if self.block:
            self.block = 0
            if self.more:
                self._close_joined()
            else:
                place = self.first
                self._emit(self.raw, place, place[5], place[6])
        if self.floats:
            floats, self.floats = self.floats, []
            for draft in floats:
                self.assembly.add(*draft)

    def _close_joined(self) -> None:
        """A run of several text nodes is one passage; but links side by side, with nothing else, are one each."""
        place = self.first
        run = [(self.raw, place[5], place[6]), *self.more]
        self.more = []
        links = {link for _, link, _ in run}
        if len(links) > 1 and "" not in links:
            part, around = "", place[5]
            for text, link, _ in run:
                if link != around:
                    self._emit(part, place, around, False)
                    part, around = "", link
                part += text
            self._emit(part, place, around, False)
        else:
            raw = "".join([text for text, _, _ in run])
            self._emit(raw, place, links.pop() if len(links) == 1 else "", all(bold for _, _, bold in run))

    def _emit(self, raw: str, place: _Place, link: str, bold: bool) -> None:
        """Append the passage of a run, and let it title or introduce what follows if it is of that kind."""
        text = " ".join(raw.split())
        if not text:
            return
        _, _, path, scope, role, _, _, level, _ = place
        outline = scope.outline
        if outline.child is not None:
            outline.settle()
        heading = outline.path
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
                new_passage(
                    Passage,
                    (
                        len(passages),
                        at,
                        at + length,
                        scope.zone,
                        role,
                        heading,
                        intro,
                        path[:-1],
                        scope.hidden,
                        scope.lang,
                    ),
                )
            )
            assembly.pieces.append(text)
            assembly.at = at + length + 1
        else:
            assembly.add(text, scope.zone, role, heading, intro, path[:-1], scope.hidden, scope.lang)
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

    def _float(self, text: str, place: _Place, zone: str, role: str, mark: str = "") -> None:
        """Put a passage beside the run: it comes after the text that it stands in, and does not part it."""
        text = " ".join(text.split())
        if text:
            if self.block and self.block != place[0] and place[-1] != _FLOATING:
                self._close()
            scope = place[_SCOPE]
            heading = scope.outline.path
            if scope.cell:
                heading = f"{heading} > {scope.cell}" if heading else scope.cell
            locator = place[_PATH][:-1] + mark
            self.floats.append(
                (text, zone or scope.zone, role, heading, scope.intro, locator, scope.hidden, scope.lang)
            )
            if not self.block:
                self._close()

    # -- text that does not come as ordinary text nodes

    def _carried(self, node: LexborNode, tag: int, attributes: dict[str, str | None], place: _Place) -> None:
        """Passages from attributes, and the document in a `srcdoc`; counts media on the way."""
        if tag == _IMG:
            self._count_media(attributes)
        elif tag == _INPUT:
            kind = (attributes.get("type") or "text").lower()
            if kind == "image":
                self._count_media(attributes)
            value = attributes.get("value")
            if value and kind in ("submit", "button", "reset"):
                self._float(value, place, "", "button", "[value]")
            elif value and kind not in _UNREAD_INPUT:
                self._float(value, place, "", "value", "[value]")
        elif tag == _META:
            key = (attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or "").lower()
            if key in _META_NAMES or attributes.get("itemprop"):
                self._float(attributes.get("content") or "", place, "meta", key, "[content]")
        elif tag == _IFRAME:
            if attributes.get("srcdoc") and self.inside < _INSIDE:
                self._inner(attributes["srcdoc"] or "", place, "iframe")
        elif tag in _OPTIONS:
            if attributes.get("label"):
                self._float(attributes["label"] or "", place, "", "option", "[label]")
            elif attributes.get("value") and tag == _OPTION and node.first_child is None:
                self._float(attributes["value"] or "", place, "", "option", "[value]")
        for name, value in attributes.items():
            if value and name in _TEXT_ATTRIBUTES:
                self._float(value, place, *_TEXT_ATTRIBUTES[name])

    def _count_media(self, attributes: dict[str, str | None]) -> None:
        named = any((attributes.get(name) or "").strip() for name in ("alt", "aria-label", "title"))
        pixel = attributes.get("width") in ("0", "1") and attributes.get("height") in ("0", "1")
        if not named and not pixel:
            self.assembly.media_without_alt += 1

    def _other(self, node: LexborNode, place: _Place) -> None:
        """A text node that is not joined into runs."""
        _, path, _, scope, role, _, _, _, reading = place
        if reading == _PROGRAM:
            self._program(node, place)
            return
        text = node.text_content or ""
        if reading == _FLOATING:
            self._float(text, place, "", role)
        elif reading == _RAW and "<" in text and self.inside < _INSIDE:
            self._inner(text, place, scope.zone)
        elif reading != _UNREAD:
            self._close()
            heading = scope.outline.path
            for paragraph in paragraphs(text):
                intro = paragraph.list_intro or scope.intro
                self.assembly.add(paragraph.text, scope.zone, role, heading, intro, path[:-1], scope.hidden, scope.lang)
                self.last = paragraph.text
            self.introduces = self.colon = False
            scope.outline.only_headings = False

    def _inner(self, html: str, place: _Place, zone: str) -> None:
        """A document inside this one."""
        self._close()
        scope = _Scope(place[_SCOPE])
        scope.zone, scope.outline = zone, Outline()
        _read(html, self.assembly, f"{place[_PATH][:-1]}>>>", scope, self.inside + 1)

    def _program(self, node: LexborNode, place: _Place) -> None:
        """A script: its structured data, its JSON, the state it assigns, the template it holds; else nothing."""
        element: LexborNode = node.parent  # type: ignore[assignment]  # the script element
        kind = (element.attributes.get("type") or "").strip().lower()
        text = node.text_content or ""
        if "ld+json" in kind:
            found, zone = structured.structured_data(text, text_of_markup), "jsonld"
        elif _JSON_SCRIPT.match(kind):
            found, zone = structured.sentences(text, text_of_markup), "script_text"
        elif not kind or "javascript" in kind or kind == "module":
            found, zone = structured.state(text, text_of_markup), "script_text"
        else:
            if _HTML_SCRIPT.match(kind) and self.inside < _INSIDE:
                self._inner(text, place, "template")
            return
        scope = place[_SCOPE]
        locator = f"{place[_PATH][:-1]}#"
        drafts = (
            (value.text, zone, value.role, value.heading, "", locator + value.place, scope.hidden, scope.lang)
            for value in found
        )
        self.floats.extend(drafts)
        if not self.block:
            self._close()


def _named_zone(attributes: dict[str, str | None]) -> str:
    """The zone that class and id say where the tag does not: banner, footer, header, or "" for none."""
    names, own = attributes.get("class"), attributes.get("id")
    return (_zone_name(names) if names else "") or (_zone_name(own) if own else "")


@lru_cache(maxsize=8_192)
def _zone_name(names: str) -> str:
    names = names.lower()
    if "cookie" in names or "consent" in names or "gdpr" in names or "ccpa" in names:
        return "banner" if _BANNER.search(names) else ""
    if "footer" in names:
        return "footer" if _FOOTER.search(names) else ""
    return "header" if "header" in names and _HEADER.search(names) else ""


@lru_cache(maxsize=4_096)
def _style(declarations: str | None) -> str:
    """ "hidden" or "inline" if a style attribute says so, else ""."""
    found = ""
    for match in _STYLE.finditer((declarations or "").lower()):
        if not match["inline"]:
            return "hidden"
        found = "inline"
    return found


def _side_by_side(before: LexborNode, after: LexborNode) -> bool:
    """Whether two touching texts are whole elements ("$34.99" "Original price"), which style sheets set apart.

    Only where the second begins a word with a capital, and the first does not end with one: a word in pieces goes on small.
    """
    last = (before.text_content or " ")[-1]
    return before.next is None and after.prev is None and not last.isupper() and not last.isspace()


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
        separated = False  # by an element on the way down; one that holds *before* is a block made inline by its style
        while current.mem_id != target:
            tag = current.tag_id
            separated = separated or tag in SEPARATOR
            if tag == _BR:
                breaks += 1
            last = current.last_child
            if last is None or tag in _READING:
                break
            current = last
        if current.mem_id == target:
            break
        if separated:
            return 2
        if current.is_empty_text_node:
            space = 1
    if breaks > 1 or (breaks and _BULLET.match(text)):
        return 2
    return 1 if breaks else space
