"""Markup made harmless to a parser: text whose nesting would cost a parser time or memory without bound.

An HTML parser walks its open elements at every tag, and opens formatting elements again in every paragraph; so a few
megabytes of tags can cost hours or gigabytes. Browsers stop at a depth of 512. Only tags are left out, never words.
"""

from __future__ import annotations

import re

DEEPEST = 1000
_REOPENED = 1_000_000
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]*)")
# They hold nothing, or the next of their kind ends them: they do not nest by themselves.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd option optgroup tr td th tbody thead "
    "tfoot colgroup rp rt rb rtc a button html head body".split()
)
_FORMATTING = frozenset("b big code em font i nobr s small strike strong tt u".split())


def bounded(html: str) -> str:
    """*html* as it is, or, where it nests deeper than ``DEEPEST``, without the tags beyond.

    Where formatting tags were left open so often that every paragraph would open them again, they are left out.
    """
    if html.count("<") < DEEPEST:
        return html
    depth = formatting = most = count = 0
    beyond: list[int] = []
    styled: list[int] = []
    for tag in _TAG.finditer(html):
        count += 1
        name = tag[2].lower()
        if name in _FLAT:
            continue
        if name in _FORMATTING:
            formatting = max(0, formatting - 1) if tag[1] else formatting + 1
            most = max(most, formatting)
            styled.append(tag.start())
            continue
        if tag[1]:
            if depth > DEEPEST:
                beyond.append(tag.start())
            depth = max(0, depth - 1)
        else:
            depth += 1
            if depth > DEEPEST:
                beyond.append(tag.start())
    if most * count > _REOPENED and most > 16:
        beyond = sorted(beyond + styled)
    if not beyond:
        return html
    parts = []
    end = 0
    for start in beyond:
        if start < end:
            continue
        parts.append(html[end:start])
        close = html.find(">", start)
        end = close + 1 if close >= 0 else len(html)
    parts.append(html[end:])
    return " ".join(parts)
