"""Markup made to be slow: nesting and attribute lists without bounds, cut before the parser sees them.

lexbor looks back through its open elements for many start tags, and through a tag's attributes for each further one, so both
cost the square of their length. Browsers flatten at a depth of 512, and so does this. Ordinary pages pass untouched.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from analysis.text.tags import words

MAX_DEPTH: Final = 512
MAX_ATTRIBUTES: Final = 512
_MANY_TAGS: Final = 10_000
_LARGE: Final = 500_000
_LONG_TAG: Final = 8_192

_MARKUP: Final = re.compile(
    rb"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*+>"
    rb"|<(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)(?P<rest>(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>?",
    re.DOTALL,
)
_TAG_START: Final = re.compile(rb"<[a-zA-Z]")
_ATTRIBUTE: Final = re.compile(rb"[^\s=/>]++(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>]++))?")
_RAW_END: Final = {
    name.encode(): re.compile(rb"</" + name.encode() + rb"(?=[\s/>])", re.IGNORECASE)
    for name in words("script style textarea title xmp iframe noembed noframes")
}
# An end tag is implied for these, so an open one is not one level more.
_IMPLIED: Final = frozenset(
    name.encode()
    for name in words(
        "area base br col embed hr img input link meta param source track wbr p li dt dd option optgroup rb rt rp rtc "
        "tr td th thead tbody tfoot colgroup html head body frame"
    )
)
_FENCE: Final = frozenset(
    name.encode() for name in words("td th table caption button template object marquee applet foreignobject")
)
_INLINE: Final = frozenset(
    name.encode()
    for name in words("a b i u s em tt big font code small span strong strike nobr label sub sup svg math mark")
)


def bounded(html: str) -> bytes:
    """The document as UTF-8 that lexbor reads in linear time. Lone surrogates become U+FFFD."""
    try:
        data = html.encode()
    except UnicodeEncodeError:
        data = html.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    if len(data) > _LARGE or data.count(b"<") > _MANY_TAGS or _has_long_tag(data):
        return _flattened(data)
    return data


def _has_long_tag(data: bytes) -> bool:
    """Whether a tag runs for `_LONG_TAG` bytes without a ">". Looks at few bytes: from one ">" to the last in reach."""
    at, end = 0, len(data)
    while at + _LONG_TAG < end:
        close = data.rfind(b">", at, at + _LONG_TAG)
        if close >= 0:
            at = close + 1
            continue
        close = data.find(b">", at)
        stop = end if close < 0 else close
        start = _TAG_START.search(data, at, stop)
        if (
            start is not None
            and data.count(b" ", start.start(), stop) + data.count(b"\n", start.start(), stop) > MAX_ATTRIBUTES
        ):
            return True
        if start is not None and stop - start.start() > 4 * _LONG_TAG:
            return True
        at = stop + 1
    return False


def _flattened(data: bytes) -> bytes:
    """Leave out start tags nested too deep (their text stays, apart) and the attributes beyond what any tag needs."""
    kept: list[bytes] = []
    stack: list[bytes] = []
    foreign = 0
    done = at = 0
    while (match := _MARKUP.search(data, at)) is not None:
        at = match.end()
        if match["name"] is None:
            continue
        name = match["name"].lower()
        if match["end"]:
            for back in range(1, min(8, len(stack)) + 1):
                if stack[-back] == name:
                    foreign -= sum(closed in (b"svg", b"math") for closed in stack[-back:])
                    del stack[-back:]
                    break
                if stack[-back] in _FENCE:
                    break
            continue
        rest = match["rest"]
        if len(rest) > 2 * MAX_ATTRIBUTES:
            last = next(islice(_ATTRIBUTE.finditer(rest), MAX_ATTRIBUTES, None), None)
            if last is not None and done <= match.start():
                kept += (data[done : match.start("rest") + last.start()], b">")
                done = at
        if name in _RAW_END and not foreign:
            end = _RAW_END[name].search(data, at)
            at = end.start() if end else len(data)
        elif name in _IMPLIED or (foreign and rest.endswith(b"/")):
            continue
        elif len(stack) < MAX_DEPTH:
            stack.append(name)
            foreign += name in (b"svg", b"math")
        else:
            kept.append(data[done : match.start()])
            if name not in _INLINE:
                kept.append(b"<hr>")
            done = match.end()
    if not kept:
        return data
    kept.append(data[done:])
    return b"".join(kept)
