"""What each HTML tag means for the text: does it separate, what role and zone does it give, is its content text at all.

Tags are lexbor's numbers, because the walk asks for one at every node.
"""

from __future__ import annotations

from typing import Final

from selectolax.lexbor import LexborHTMLParser


def words(text: str) -> frozenset[str]:
    """The words of a line as a set."""
    return frozenset(text.split())


def _numbers() -> dict[str, int]:
    """lexbor's number for each tag, asked of lexbor itself (no public constant says them)."""
    names = words(
        "a address article aside audio b blockquote body br button canvas center datalist dd details dialog dir div dl dt em "
        "embed fieldset figcaption figure font footer form h1 h2 h3 h4 h5 h6 header hgroup hr i iframe img input label legend "
        "li link listing main marquee menu meta nav noembed noscript object ol optgroup option p pre rp script search section "
        "select span strong style summary svg template textarea title ul video xmp path g use source small sup sub u s rect"
    )
    documents = [f"<{name}>" for name in sorted(names)]
    documents.append(
        "<table><caption></caption><thead><tr><th></th><td></td></tr></thead><tbody></tbody><tfoot></table>"
    )
    documents.append("<frameset><frame><noframes></noframes></frameset>")
    numbers: dict[str, int] = {}
    for document in documents:
        root = LexborHTMLParser(document).root
        for node in root.traverse() if root is not None else ():
            numbers.setdefault((node.tag or "").lower(), node.tag_id)
    for name, document in (("-text", "x"), ("-comment", "<!--x-->")):
        body = LexborHTMLParser(f"<body>{document}").body
        if body is not None and body.first_child is not None:
            numbers[name] = body.first_child.tag_id
    return numbers


ID: Final = _numbers()
TEXT: Final = ID["-text"]


def ids(names: str) -> frozenset[int]:
    """The numbers of the tags in a line of names."""
    return frozenset(ID[name] for name in names.split())


BLOCK: Final = ids(
    "address article aside audio blockquote body button canvas caption center datalist dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup html iframe label legend li listing "
    "main marquee menu meta nav noembed noframes noscript object ol optgroup option p pre search section select summary "
    "table tbody td template textarea tfoot th thead title tr ul video xmp"
)
SEPARATOR: Final = BLOCK | ids("hr input embed frame")
LIST: Final = ids("ul ol menu dir")
BOLD: Final = ids("b strong")
SECTION: Final = ids("section article")
OWN_OUTLINE: Final = SECTION | ids("details dl fieldset form table")
SILENT: Final = ids("style rp")
RAW_HTML: Final = ids("noframes noembed iframe")
PREFORMATTED: Final = ids("textarea pre xmp listing")
CONTAINER: Final = ids("div section td table form aside")
HEADING_LEVEL: Final = {ID[f"h{level}"]: level for level in range(1, 7)}
VOID: Final = ids("-comment br hr link source")
"""Never has text, neither inside nor in attributes. (The tags that HTML calls void are more.)"""
CARRIER: Final = ids("img input meta iframe option optgroup")

ROLE: Final = {
    ID[tag]: role
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
ZONE: Final = {
    ID[tag]: zone
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
ARIA_ZONE: Final = {
    "alertdialog": "dialog",
    "banner": "header",
    "complementary": "aside",
    "contentinfo": "footer",
    "dialog": "dialog",
    "form": "form",
    "main": "main",
    "navigation": "nav",
    "search": "form",
}
ARIA_ROLE: Final = {
    "button": "button",
    "cell": "cell",
    "columnheader": "header_cell",
    "gridcell": "cell",
    "heading": "heading",
    "listitem": "list_item",
    "option": "option",
    "rowheader": "header_cell",
    "tab": "button",
}
SCOPED: Final = frozenset(ZONE) - ids("svg") | LIST | OWN_OUTLINE | ids("td th")
"""Tags whose element changes what its descendants share."""

INLINE: Final = ids("span i em font small u s sup sub path g use rect")
"""Says nothing about its text, unless it has attributes that do."""
FLOW: Final = {tag: (ROLE.get(tag, ""), HEADING_LEVEL.get(tag, 0)) for tag in BLOCK - SCOPED - PREFORMATTED - CARRIER}
"""Blocks that give at most a role and a heading level, unless they have attributes that say more."""
