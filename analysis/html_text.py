"""The text of an HTML document as drafts: pieces in document order, each with its place on the page.

The tree is lexbor's (the HTML Standard's own parse, so a locator finds the same element in a browser). The walk looks at
text nodes and at the few elements with a text-bearing attribute; it meets an element only when there is text below it.
Nothing recurses on document depth, and nesting beyond `MAX_DEPTH` is flattened before the parser sees it, as browsers do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from analysis.json_text import json_strings, state_strings, structured_data
from analysis.plain_text import paragraphs

MAX_DEPTH: Final = 512
"""Elements nested deeper become siblings. Blink and WebKit flatten at the same depth; lexbor's parse is quadratic in it."""

_MANY_TAGS: Final = 10_000
_LARGE: Final = 500_000
_LONG_TAG: Final = 8_192
_MAX_ATTRIBUTES: Final = 512
_HEADING_LENGTH: Final = 200
_INTRO_LENGTH: Final = 300
_FRAMES_DEEP: Final = 4


class Draft(NamedTuple):
    """A piece of text before it gets its ordinal and offsets."""

    text: str
    zone: str
    role: str
    heading: str
    list_intro: str
    locator: str
    hidden: str
    lang: str


@dataclass(slots=True)
class DocumentText:
    """What one document said: its drafts in order, and the few facts about the whole of it."""

    drafts: list[Draft] = field(default_factory=list)
    title: str = ""
    lang: str = ""
    h1: str = ""
    media_without_alt: int = 0


# ---------------------------------------------------------------------------------------------- tags


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _tag_ids() -> dict[str, int]:
    """lexbor's number for each tag that the walk knows, asked of lexbor itself (the numbers are not a public constant)."""
    names = _words(
        "a abbr address area article aside audio b base basefont bgsound blockquote body br button canvas caption center cite "
        "code datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form h1 h2 h3 "
        "h4 h5 h6 header hgroup hr i iframe img input ins kbd label legend li link listing main map mark marquee math menu "
        "meta meter nav noembed nobr noscript object ol optgroup option output p param picture pre progress q s samp script "
        "search section select slot small source span strike strong style sub summary sup svg table template textarea "
        "time title track tt u ul var video wbr xmp rp rt ruby dl image rtc bdi bdo big"
    )
    documents = [f"<{name}>" for name in sorted(names)]
    documents.append("<table><caption></caption><colgroup><col></colgroup><thead><tr><th></th><td></td></tr></thead>")
    documents.append(
        "<table><tbody></tbody><tfoot></tfoot></table><svg><desc></desc><foreignObject></foreignObject></svg>"
    )
    documents.append("<frameset><frame><noframes></noframes></frameset>")
    ids: dict[str, int] = {}
    for document in documents:
        root = LexborHTMLParser(document).root
        if root is not None:
            for node in root.traverse():
                ids.setdefault((node.tag or "").lower(), node.tag_id)
    text = LexborHTMLParser("x").body
    if text is not None and text.first_child is not None:
        ids["-text"] = text.first_child.tag_id
    return ids


_ID: Final = _tag_ids()
_TEXT: Final = _ID["-text"]
_BR: Final = _ID["br"]
_A: Final = _ID["a"]


def _ids(names: str) -> frozenset[int]:
    return frozenset(_ID[name] for name in names.split())


_BLOCK: Final = _ids(
    "address article aside blockquote body button canvas caption center datalist dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup html iframe label legend li listing main "
    "marquee menu meta nav noembed noframes noscript object ol optgroup option p pre search section select summary table tbody "
    "td template textarea tfoot th thead title tr ul video audio xmp svg"
)
_SEPARATOR: Final = _BLOCK | _ids("hr input embed frame")
_SKIP: Final = _ids("style") | _ids("rp")
_BOLD: Final = _ids("b strong")
_LIST: Final = _ids("ul ol menu dir")
_SECTION: Final = _ids("section article")
_RAW_HTML: Final = _ids("noframes noembed iframe")
_PREFORMATTED: Final = _ids("textarea pre xmp listing")
_HEADING_LEVEL: Final = {_ID[f"h{level}"]: level for level in range(1, 7)}

_ROLE: Final = {
    _ID[tag]: role
    for tag, role in {
        **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
        **dict.fromkeys(("section", "article", "table"), "paragraph"),
        "blockquote": "quote",
        "button": "button",
        "caption": "caption",
        "dd": "definition",
        "dt": "term",
        "figcaption": "caption",
        "label": "label",
        "legend": "legend",
        "li": "list_item",
        "option": "option",
        "pre": "preformatted",
        "summary": "summary",
        "td": "cell",
        "textarea": "value",
        "th": "header_cell",
        "title": "title",
    }.items()
}
_ZONE: Final = {
    _ID[tag]: zone
    for tag, zone in {
        **{
            name: name
            for name in ("header", "footer", "nav", "aside", "main", "dialog", "noscript", "iframe", "template")
        },
        **{name: name for name in ("title", "form", "table")},
        "noembed": "noscript",
        "noframes": "iframe",
        "search": "form",
        "svg": "alt",
    }.items()
}
_ROLE_ZONE: Final = {
    "banner": "header",
    "navigation": "nav",
    "contentinfo": "footer",
    "complementary": "aside",
    "dialog": "dialog",
    "alertdialog": "dialog",
    "main": "main",
    "form": "form",
    "search": "form",
}
_ROLE_ROLE: Final = {
    "heading": "heading",
    "button": "button",
    "tab": "button",
    "listitem": "list_item",
    "cell": "cell",
    "gridcell": "cell",
    "columnheader": "header_cell",
    "rowheader": "header_cell",
    "option": "option",
}
# Pseudo-levels under h6: a caption, legend, summary or bold line; then a term or a question.
_LEVEL_CAPTION: Final = 7
_LEVEL_QUESTION: Final = 8

# One query for every element whose attributes matter, in document order.
_CARRIERS: Final = (
    "[aria-label],[aria-description],[aria-placeholder],[title],[alt],[placeholder],input,meta,iframe[srcdoc],"
    "[label],datalist option,img"
)
_CONTEXT: Final = (
    "[hidden],[aria-hidden],[lang],[role],[style*=none i],[style*=hidden i],[style*=opacity i],[style*=inline i],"
    "[style*=font-size i],[style*='-9' i],[class*=cookie i],[class*=consent i],[class*=gdpr i],[id*=cookie i],"
    "[id*=consent i],[id*=gdpr i],[class~=footer],[id=footer],[class~=site-footer],[class~=header],[id=header],"
    "[class~=site-header]"
)
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
_HTML_SCRIPT: Final = re.compile(
    r"text/(?:html|template|x-template|x-handlebars|ng-template|x-jquery-tmpl)", re.IGNORECASE
)
_JSON_SCRIPT: Final = re.compile(r"application/(?:[\w.+-]*\+)?json|importmap|speculationrules", re.IGNORECASE)
_STATE: Final = re.compile(r"__[A-Z][A-Z_0-9]{3,}__|__INITIAL_|__PRELOADED_|__NUXT__|__remixContext")
_META: Final = _words(
    "description keywords abstract twitter:title twitter:description og:title og:description og:site_name og:image:alt "
    "twitter:image:alt dc.description dc.title application-name apple-mobile-web-app-title title subject"
)
_ARIA: Final = ("aria-label", "aria-description", "aria-placeholder")
_ENUMERATED: Final = re.compile(r"(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|[•·▪◦‣●○■✓✔✗✘×*–—-])\s*\S", re.IGNORECASE)
_BULLET: Final = re.compile(r"\s*(?:\(?(?:\d{1,3}|[a-z])\)|\d{1,3}\.|[•·▪◦‣●○■✓✔✗✘*–—-])\s", re.IGNORECASE)


# ---------------------------------------------------------------------------------------------- contexts


class _Outline:
    """The headings in force in one part of the page. Sections inherit; landmarks start anew."""

    __slots__ = ("base", "child", "entries", "only_headings", "path")

    def __init__(self, base: tuple[tuple[int, str], ...]) -> None:
        self.base = base
        self.entries: list[tuple[int, str]] = []
        self.only_headings = True
        self.child: _Outline | None = None
        self.path: str | None = None

    def settle(self) -> None:
        """A section that held nothing but a heading titles what comes after it (page builders put them apart)."""
        child = self.child
        if child is not None:
            self.child = None
            child.settle()
            if child.only_headings and child.entries:
                for level, text in child.entries:
                    self.push(level, text)
            elif not child.only_headings:
                self.only_headings = False

    def push(self, level: int, text: str) -> None:
        if level <= 6:
            self.base = tuple(entry for entry in self.base if entry[0] < level)
        self.entries = [entry for entry in self.entries if entry[0] < level]
        self.entries.append((level, text[:_HEADING_LENGTH]))
        self.path = None

    def headings(self) -> tuple[tuple[int, str], ...]:
        return (*self.base, *self.entries)

    def joined(self) -> str:
        if self.path is None:
            self.path = " > ".join([text for _, text in self.base] + [text for _, text in self.entries])
        return self.path


class _Scope:
    """What an element's descendants share: zone, hiding, language, headings, list introduction, table headers."""

    __slots__ = ("cell", "hidden", "intro", "lang", "outline", "sectioned", "skip", "table", "zone")

    def __init__(self, parent: _Scope | None) -> None:
        if parent is None:
            self.zone, self.hidden, self.lang, self.intro, self.cell = "main", "", "", "", ""
            self.outline = _Outline(())
            self.sectioned = self.skip = False
            self.table: dict[int, str] | None = None
        else:
            self.zone, self.hidden, self.lang = parent.zone, parent.hidden, parent.lang
            self.intro, self.cell, self.outline = parent.intro, parent.cell, parent.outline
            self.sectioned, self.skip, self.table = parent.sectioned, parent.skip, parent.table


class _Place(NamedTuple):
    """Where a text node stands: its block, what the block is, and the inline marks that matter."""

    block: int
    role: str
    scope: _Scope
    node: LexborNode
    tag: int
    link: int
    bold: bool
    floating: bool
    level: int


class _Locators:
    """CSS paths. A step without `:nth-of-type` is the first of its type, so the first match of the path is the element."""

    _LONG: Final = 2_000

    def __init__(self, frame: str) -> None:
        self._frame = frame
        self._paths: dict[int, str] = {}
        self._steps: dict[int, str] = {}

    def of(self, node: LexborNode) -> str:
        paths, chain = self._paths, []
        current: LexborNode | None = node
        path = self._frame
        while current is not None:
            known = paths.get(current.mem_id)
            if known is not None:
                path = known
                break
            if current.is_element_node:
                chain.append(current)
            current = current.parent
        for element in reversed(chain):
            step = self._step(element)
            path = f"{path}>{step}" if path and not path.endswith(">>>") else path + step
            if len(path) > self._LONG:  # a path is for people; beyond this only its ends help
                path = path[:200] + "…" + path[-200:]
            paths[element.mem_id] = path
        return path

    def _step(self, element: LexborNode) -> str:
        steps = self._steps
        key = element.mem_id
        if key not in steps:
            parent = element.parent
            if parent is None:
                return _css_name(element.tag)
            counts: dict[int, int] = {}
            for sibling in parent.iter():
                tag = sibling.tag_id
                count = counts[tag] = counts.get(tag, 0) + 1
                name = _css_name(sibling.tag)
                steps[sibling.mem_id] = name if count == 1 else f"{name}:nth-of-type({count})"
        return steps.get(key) or _css_name(element.tag)


def _css_name(tag: str | None) -> str:
    name = tag or "*"
    return name if name.replace("-", "").isalnum() else re.sub(r"([^\w-])", r"\\\1", name)


# ---------------------------------------------------------------------------------------------- the walk


def read_html(html: str, *, frame: str = "", depth: int = 0) -> DocumentText:
    """Read one HTML document (or fragment) into drafts. Never raises for any text; time is linear in its length.

    `frame` is the locator prefix of a document inside another one, `depth` how many documents it stands in.
    """
    parser = LexborHTMLParser(_bounded(html), options=LexborDocumentOptions.WO_EVENTS)
    document = DocumentText()
    root = parser.root
    if root is not None:
        walk = _Walk(document, frame, depth)
        walk.read(root, _Scope(None))
        walk.read_templates(root)
    return document


class _Walk:
    def __init__(self, document: DocumentText, frame: str, depth: int) -> None:
        self.document = document
        self.drafts = document.drafts
        self.depth = depth
        self.frame = frame
        self.locators = _Locators(frame)
        self.known: dict[int, _Place] = {}
        self.special: dict[int, dict[str, str | None]] = {}
        self.run: list[tuple[str, _Place]] = []
        self.floats: list[Draft] = []
        self.last_text = ""  # last passage that can introduce a list
        self.last_introduces = False
        self.enumeration = ""  # the introduction that enumerated paragraphs stand under
        self.h1_seen = False
        self.banner_checks = 0

    # -- reading a tree

    def read(self, root: LexborNode, scope: _Scope, fragment: bool = False) -> None:
        carriers = {node.mem_id: node for node in root.css(_CARRIERS)}
        self.special = {node.mem_id: node.attributes for node in root.css(_CONTEXT)}
        known, text_id = self.known, _TEXT
        previous: LexborNode | None = None
        block = 0
        top = _Place(0, "paragraph", scope, root, 0, 0, False, False, 0)
        if fragment:
            known[root.mem_id] = top
        self.top = top
        for node in root.traverse(include_text=True, skip_empty=True):
            if node.tag_id != text_id:
                if node.mem_id in carriers:
                    self._carrier(node)
                continue
            parent = node.parent
            if parent is None:
                continue
            place = known.get(parent.mem_id) or self._place(parent)
            scope = place.scope
            if scope.skip:
                self._script(parent, node, place)
                continue
            text = node.text_content or ""
            if place.floating:
                self.floats.append(self._plain_draft(" ".join(text.split()), place))
                continue
            if place.tag in _PREFORMATTED or place.tag in _RAW_HTML:
                self._flush()
                block = 0
                self._raw(text, place)
                continue
            if self.run and place.block == block and previous is not None:
                gap = _gap(previous, node, text)
                if gap == 2:
                    self._flush()
                elif gap == 1:
                    self.run.append((" ", place))
            else:
                self._flush()
                block = place.block
            self.run.append((text, place))
            previous = node
        self._flush()

    def read_templates(self, root: LexborNode) -> None:
        """`<template>` content is no part of the tree: read after it, nested ones by a work list."""
        work = list(root.template_fragments())
        done = 0
        while done < len(work):
            fragment = work[done]
            done += 1
            host = fragment.parent
            scope = _Scope(None)
            inside = _Walk(self.document, self.locators.of(host) + ">>>" if host is not None else ">>>", self.depth)
            inside.h1_seen = True
            if host is not None:
                place = self.known.get(host.mem_id) or self._place(host)
                scope = _Scope(place.scope)
                attributes = host.attributes
                if "shadowrootmode" not in attributes:
                    scope.zone = "template"
                scope.outline = _Outline(place.scope.outline.headings())
            inside.read(fragment, scope, fragment=True)
            work.extend(fragment.template_fragments())

    # -- placing an element

    def _place(self, node: LexborNode) -> _Place:
        known = self.known
        chain = []
        current: LexborNode | None = node
        place = self.top
        while current is not None:
            found = known.get(current.mem_id)
            if found is not None:
                place = found
                break
            chain.append(current)
            current = current.parent
        for element in reversed(chain):
            place = known[element.mem_id] = self._derive(element, place)
        return place

    def _derive(self, node: LexborNode, above: _Place) -> _Place:
        tag = node.tag_id
        key = node.mem_id
        attributes = self.special.get(key)
        is_block = tag in _BLOCK or (tag > 1_000 and "-" in (node.tag or ""))
        scope = above.scope
        role = above.role
        floating = above.floating
        level = above.level
        if tag in _SPECIAL_TAG:
            self._flush()
            scope = self._enter(node, tag, scope)
            role = _ROLE.get(tag, role)
            level = _HEADING_LEVEL.get(tag, level)
        if attributes is not None:
            changed, role, level, inline = self._attributes(node, attributes, scope, role, level)
            if changed is not scope:
                if changed.hidden != scope.hidden and not is_block:
                    floating = is_block = True
                scope = changed
            if inline:
                is_block = False
        if is_block:
            return _Place(key, role, scope, node, tag, above.link, False, floating, level)
        if tag == _A:
            return above._replace(link=key, scope=scope)
        if tag in _BOLD:
            return above._replace(bold=True, scope=scope)
        return above if scope is above.scope else above._replace(scope=scope)

    def _enter(self, node: LexborNode, tag: int, above: _Scope) -> _Scope:
        """The scope inside an element whose tag changes it."""
        scope = _Scope(above)
        zone = _ZONE.get(tag)
        if tag in _SKIP or tag == _ID["script"]:
            scope.skip = True
        elif tag in _LIST:
            intro = self.last_text[:_INTRO_LENGTH] if self.last_introduces else ""
            if intro and above.intro and intro not in above.intro:
                intro = f"{above.intro} > {intro}"[-2 * _INTRO_LENGTH :]
            scope.intro = intro or above.intro
        elif tag == _ID["table"]:
            if above.zone == "main":
                scope.zone = "table"
            scope.table = _table_headers(node) if self.depth <= _FRAMES_DEEP else None
            self._section(scope, above)
        elif tag == _ID["td"] or tag == _ID["th"]:
            scope.cell = (above.table or {}).get(node.mem_id, "")
        elif tag in _SECTION or tag == _ID["details"] or tag == _ID["dl"] or tag == _ID["fieldset"]:
            scope.sectioned = above.sectioned or tag in _SECTION
            self._section(scope, above)
        elif zone == "form":
            if above.zone == "main" and node.css_first("main,header,footer,nav,h1") is None:
                scope.zone = "form"
            self._section(scope, above)
        elif zone in ("header", "footer"):
            if not above.sectioned:
                scope.zone = zone
                scope.outline = _Outline(())
        elif zone == "main":
            scope.zone = "main"
        elif zone is not None:
            scope.zone = zone
            if zone in ("nav", "aside", "dialog", "iframe"):
                scope.outline = _Outline(())
                scope.sectioned = zone != "dialog"
        return scope

    def _section(self, scope: _Scope, above: _Scope) -> None:
        above.outline.settle()
        scope.outline = above.outline.child = _Outline(above.outline.headings())

    def _attributes(
        self, node: LexborNode, attributes: dict[str, str | None], above: _Scope, role: str, level: int
    ) -> tuple[_Scope, str, int, bool]:
        """The scope, role and heading level after an element's own attributes, and whether a style makes it inline."""
        style = attributes.get("style") or ""
        hidden = above.hidden
        if not hidden:
            if "hidden" in attributes:
                hidden = "attr"
            elif style and _STYLE_HIDDEN.search(style):
                hidden = "style"
            elif attributes.get("aria-hidden") == "true":
                hidden = "aria"
        lang = attributes.get("lang") if "lang" in attributes else above.lang
        zone = above.zone
        aria = (attributes.get("role") or "").strip().lower()
        if aria:
            if aria == "heading":
                digits = attributes.get("aria-level") or "2"
                level = min(max(int(digits), 1), 6) if digits.isascii() and digits.isdigit() and len(digits) < 3 else 2
            role = _ROLE_ROLE.get(aria, role)
            zone = _ROLE_ZONE.get(aria, zone)
        names = f"{attributes.get('id') or ''} {attributes.get('class') or ''}"
        tag = node.tag
        if (
            zone != "banner"
            and tag not in ("html", "body", "main")
            and _BANNER.search(names)
            and self.banner_checks < 50
        ):
            self.banner_checks += 1
            if node.css_first("main,h1,article") is None:
                zone = "banner"
        if zone == "main" and tag in ("div", "section", "td", "table"):
            tokens = names.lower().split()
            if "footer" in tokens or "site-footer" in tokens:
                zone = "footer"
            elif ("header" in tokens or "site-header" in tokens) and not above.sectioned:
                zone = "header"
        inline = bool(style) and _STYLE_INLINE.search(style) is not None
        if (hidden, lang, zone) == (above.hidden, above.lang, above.zone):
            return above, role, level, inline
        scope = _Scope(above)
        scope.hidden, scope.lang, scope.zone = hidden, lang or "", zone
        if zone != above.zone and zone not in ("main", "form", "table"):
            scope.outline = _Outline(())
        if tag == "html":
            self.document.lang = self.document.lang or scope.lang
        return scope, role, level, inline

    # -- finishing a run of text nodes that stand in one block

    def _flush(self) -> None:
        run = self.run
        if run:
            self.run = []
            links = {place.link for text, place in run if text.strip()}
            if len(links) > 1 and 0 not in links:
                part: list[tuple[str, _Place]] = []
                for text, place in run:
                    if part and place.link != part[-1][1].link and text != " ":
                        self._emit("".join(text for text, _ in part), part)
                        part = []
                    if text != " " or part:
                        part.append((text, place))
                if part:
                    self._emit("".join(text for text, _ in part), part)
            else:
                self._emit("".join(text for text, _ in run), run)
        if self.floats:
            self.drafts.extend(draft for draft in self.floats if draft.text)
            self.floats = []

    def _emit(self, raw: str, run: list[tuple[str, _Place]]) -> None:
        text = " ".join(raw.split())
        if not text:
            return
        place = run[0][1]
        scope, role, tag = place.scope, place.role, place.tag
        outline = scope.outline
        outline.settle()
        if tag == _ID["title"] and scope.zone == "title":
            if not self.document.title:
                self.document.title = text
        elif place.link and role in ("paragraph", "list_item") and all(p.link for t, p in run if t != " "):
            role = "link"
        intro = scope.intro
        heading_path = self._heading(scope)
        level = place.level if role == "heading" else 0
        introduces = text.endswith((":", "："))
        if level == 0:
            if role in ("caption", "legend", "summary"):
                level = _LEVEL_CAPTION
            elif role == "term" or (
                text.endswith(("?", "？")) and len(text) <= 250 and role in ("paragraph", "button", "link")
            ):
                level = _LEVEL_QUESTION
            elif (
                len(text) <= 120
                and role == "paragraph"
                and not text.endswith((".", "!", ",", ";"))
                and all(p.bold for t, p in run if t.strip())
            ):
                level = _LEVEL_CAPTION
        elif level == 1 and not self.h1_seen and not scope.hidden:
            self.h1_seen = True
            self.document.h1 = text
        if role == "paragraph" and not intro:
            if self.last_introduces and self.last_text.endswith((":", "：")) and _ENUMERATED.match(text):
                self.enumeration = self.last_text[:_INTRO_LENGTH]
            elif self.enumeration and not _ENUMERATED.match(text):
                self.enumeration = ""
            intro = self.enumeration
        self.drafts.append(
            Draft(text, scope.zone, role, heading_path, intro, self.locators.of(place.node), scope.hidden, scope.lang)
        )
        if level:
            outline.push(level, text)
        else:
            outline.only_headings = False
        self.last_text = text
        self.last_introduces = introduces or level > 0

    def _heading(self, scope: _Scope) -> str:
        path = scope.outline.joined()
        if scope.cell:
            return f"{path} > {scope.cell}" if path else scope.cell
        return path

    def _plain_draft(self, text: str, place: _Place, zone: str = "", role: str = "", mark: str = "") -> Draft:
        scope = place.scope
        return Draft(
            text,
            zone or scope.zone,
            role or place.role,
            self._heading(scope),
            scope.intro,
            self.locators.of(place.node) + mark,
            scope.hidden,
            scope.lang,
        )

    # -- text that does not come as plain text nodes

    def _carrier(self, node: LexborNode) -> None:
        """An element with text in its attributes; its passages stand where the element stands."""
        attributes = node.attributes
        tag = node.tag or ""
        if tag == "img":
            self._count_media(attributes)
        found: list[tuple[str, str, str, str]] = []
        if tag == "meta":
            name = (attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or "").lower()
            if name in _META or attributes.get("itemprop"):
                found.append(("content", "meta", name, attributes.get("content") or ""))
        elif tag == "input":
            kind = (attributes.get("type") or "text").lower()
            if kind == "image":
                self._count_media(attributes)
            value = attributes.get("value") or ""
            if kind in ("submit", "button", "reset"):
                found.append(("value", "", "button", value))
            elif kind not in ("hidden", "checkbox", "radio", "image", "password"):
                found.append(("value", "", "value", value))
            if kind == "hidden":
                return
        elif tag in ("option", "optgroup"):
            found.append(("label", "", "option", attributes.get("label") or ""))
            if tag == "option" and node.first_child is None and "label" not in attributes:
                found.append(("value", "", "option", attributes.get("value") or ""))
        elif tag == "iframe" and attributes.get("srcdoc"):
            self._frame(node, attributes.get("srcdoc") or "")
        found.append(("alt", "alt", "alt", attributes.get("alt") or ""))
        found.append(("placeholder", "", "placeholder", attributes.get("placeholder") or ""))
        found += [
            (name, "aria", name.replace("-", "_"), attributes[name] or "") for name in _ARIA if name in attributes
        ]
        found.append(("title", "title", "title_attribute", attributes.get("title") or ""))
        place: _Place | None = None
        for name, zone, role, value in found:
            text = " ".join(value.split())
            if text:
                if place is None:
                    place = self.known.get(node.mem_id) or self._place(node)
                    if place.node.mem_id != node.mem_id:
                        place = place._replace(node=node)
                self.floats.append(self._plain_draft(text, place, zone, role, f"[{name}]"))
        if self.floats and not self.run:
            self._flush()

    def _count_media(self, attributes: dict[str, str | None]) -> None:
        named = any((attributes.get(name) or "").strip() for name in ("alt", "aria-label", "title"))
        tiny = attributes.get("width") in ("0", "1") and attributes.get("height") in ("0", "1")
        if not named and not tiny:
            self.document.media_without_alt += 1

    def _frame(self, node: LexborNode, html: str) -> None:
        if self.depth >= _FRAMES_DEEP:
            return
        self._flush()
        place = self.known.get(node.mem_id) or self._place(node)
        inner = read_html(html, frame=self.locators.of(node) + ">>>", depth=self.depth + 1)
        hidden = place.scope.hidden
        for draft in inner.drafts:
            zone = "iframe" if draft.zone in ("main", "table") else draft.zone
            self.drafts.append(
                draft._replace(zone=zone, hidden=draft.hidden or hidden, lang=draft.lang or place.scope.lang)
            )
        self.document.media_without_alt += inner.media_without_alt

    def _raw(self, text: str, place: _Place) -> None:
        if place.tag in _RAW_HTML and "<" in text and self.depth < _FRAMES_DEEP:
            inner = read_html(text, frame=self.locators.of(place.node) + ">>>", depth=self.depth + 1)
            self.drafts.extend(draft._replace(zone=place.scope.zone) for draft in inner.drafts)
            return
        for paragraph in paragraphs(text):
            draft = self._plain_draft(paragraph.text, place)
            self.drafts.append(draft._replace(list_intro=paragraph.list_intro or draft.list_intro))
            self.last_text, self.last_introduces = paragraph.text, paragraph.text.endswith(":")

    def _script(self, element: LexborNode, node: LexborNode, place: _Place) -> None:
        if element.tag_id != _ID["script"]:
            return
        kind = (element.attributes.get("type") or "").strip().lower()
        text = node.text_content or ""
        if "ld+json" in kind:
            found, zone = structured_data(text), "jsonld"
        elif _JSON_SCRIPT.match(kind):
            found, zone = json_strings(text), "script_text"
        elif _HTML_SCRIPT.match(kind):
            if self.depth < _FRAMES_DEEP:
                inner = read_html(text, frame=self.locators.of(element) + ">>>", depth=self.depth + 1)
                self.drafts.extend(draft._replace(zone="template") for draft in inner.drafts)
            return
        elif (not kind or "javascript" in kind or kind == "module") and _STATE.search(text):
            found, zone = state_strings(text), "script_text"
        else:
            return
        locator = self.locators.of(element)
        scope = place.scope
        self.drafts.extend(
            Draft(
                string.text,
                zone,
                string.role,
                string.heading,
                "",
                f"{locator}#{string.pointer}",
                scope.hidden,
                scope.lang,
            )
            for string in found
        )


_SPECIAL_TAG: Final = (
    frozenset(_ZONE) | frozenset(_ROLE) | _SKIP | _LIST | _SECTION | _ids("script details dl fieldset")
)


def _gap(before: LexborNode, after: LexborNode, text: str) -> int:
    """What stands between two neighbouring text nodes of one block: 0 nothing, 1 white space, 2 a separation."""
    target = before.mem_id
    breaks = 0
    space = 0
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
            if tag in _SEPARATOR:
                return 2
            if tag == _BR:
                breaks += 1
            last = current.last_child
            if last is None or tag in _SKIP:
                break
            current = last
        if current.mem_id == target:
            break
        if current.is_empty_text_node:
            space = 1
    if breaks > 1 or (breaks and _BULLET.match(text)):
        return 2
    return 1 if breaks else space


def _table_headers(table: LexborNode) -> dict[int, str]:
    """For each cell of a data table, the texts of its column and row headers joined with " > " ("" where none)."""
    rows: list[tuple[LexborNode, bool]] = []
    for part in table.iter():
        tag = part.tag
        if tag == "tr":
            rows.append((part, False))
        elif tag in ("thead", "tbody", "tfoot"):
            rows.extend((row, tag == "thead") for row in part.iter() if row.tag == "tr")
    columns: dict[int, str] = {}
    heads: dict[int, str] = {}
    pending: dict[int, int] = {}  # column -> rows that a cell above still covers
    in_head = True
    for row, is_head in rows:
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        in_head = in_head and bool(cells) and (is_head or all(cell.tag == "th" for cell in cells)) and len(cells) > 1
        column = 0
        row_head = ""
        placed: list[tuple[LexborNode, int]] = []
        for cell in cells:
            while pending.get(column, 0) > 0:
                pending[column] -= 1
                column += 1
            attributes = cell.attributes
            across = _span(attributes.get("colspan"))
            down = _span(attributes.get("rowspan"))
            placed.append((cell, column))
            for covered in range(column, column + across):
                if down > 1 and covered < 256:
                    pending[covered] = down - 1
            if in_head:
                text = " ".join(cell.text().split())[:_HEADING_LENGTH]
                for covered in range(column, column + across):
                    above = columns.get(covered, "")
                    columns[covered] = f"{above} {text}".strip() if above != text else above
            column += across
        if in_head:
            continue
        for position, (cell, at) in enumerate(placed):
            if not row_head and (cell.tag == "th" or (position == 0 and columns)):
                row_head = " ".join(cell.text().split())
                row_head = row_head if len(row_head) <= 80 else ""
                heads[cell.mem_id] = columns.get(at, "")
            else:
                heads[cell.mem_id] = " > ".join(part for part in (columns.get(at, ""), row_head) if part)
    return heads


def _span(value: str | None) -> int:
    digits = (value or "").strip()
    return min(max(int(digits), 1), 64) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 1


# ---------------------------------------------------------------------------------------------- hostile markup

_MARKUP: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*+>"
    r"|<(?P<end>/?)(?P<name>[a-z][^\s/>]*+)(?P<rest>(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>?",
    re.IGNORECASE | re.DOTALL,
)
_RAW_END: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
# An end tag is implied for these, so an open one does not mean one level more.
_IMPLIED: Final = _words(
    "area base br col embed hr img input link meta param source track wbr p li dt dd option optgroup rb rt rp rtc tr td th "
    "thead tbody tfoot colgroup html head body frame"
)
_FENCE: Final = _words("td th table caption button template object marquee applet foreignobject")


def _bounded(html: str) -> str:
    """The document as lexbor can read it in linear time: valid UTF-8, nesting and attributes a tag within bounds.

    Ordinary pages are returned as they are after two cheap looks.
    """
    try:
        html.encode()
    except UnicodeEncodeError:
        html = html.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if html.count("<") <= _MANY_TAGS and len(html) <= _LARGE and not _has_long_tag(html):
        return html
    return _flattened(html)


def _has_long_tag(html: str) -> bool:
    at, length = 0, len(html)
    while at + _LONG_TAG < length:
        end = html.rfind(">", at, at + _LONG_TAG)
        if end < 0:
            return True
        at = end + 1
    return False


def _flattened(html: str) -> str:
    """Leave out start tags nested too deep (their text stays) and the attributes of tags that have too many."""
    kept: list[str] = []
    stack: list[str] = []
    foreign = 0
    done = at = 0
    while (match := _MARKUP.search(html, at)) is not None:
        at = match.end()
        name = match["name"]
        if name is None:
            continue
        name = name.lower()
        if match["end"]:
            for back in range(1, min(8, len(stack)) + 1):
                if stack[-back] == name:
                    foreign -= sum(1 for closed in stack[-back:] if closed in ("svg", "math"))
                    del stack[-back:]
                    break
                if stack[-back] in _FENCE:
                    break
            continue
        rest = match["rest"]
        if len(rest) > _LONG_TAG and len(rest.split()) > _MAX_ATTRIBUTES:
            kept += (html[done : match.start()], f"<{name}>")
            done = at
        if name in _RAW_END and not foreign:
            end = _RAW_END[name].search(html, at)
            at = end.start() if end else len(html)
        elif name in _IMPLIED or (foreign and rest.endswith("/")):
            continue
        elif len(stack) >= MAX_DEPTH:
            kept.append(html[done : match.start()] if done <= match.start() else "")
            done = match.end()
        else:
            stack.append(name)
            foreign += name in ("svg", "math")
    if not kept:
        return html
    kept.append(html[done:])
    return "".join(kept)
