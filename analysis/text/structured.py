"""Human text inside JSON: structured data (JSON-LD), the state of script-rendered pages, JSON documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from analysis.text.tags import words

_HEADING_LENGTH: Final = 200
_PATH_LENGTH: Final = 800
_POINTER_LENGTH: Final = 2_000
_NOT_TEXT: Final = re.compile(
    r"(?:https?:|//|/|\.{1,2}/|#|data:|blob:|mailto:|tel:|urn:)\S*\Z|[\d\s.,:+TZ/-]*\Z|[0-9a-fA-F-]{16,}\Z"
    r"|\S+\.(?:js|css|json|png|jpe?g|webp|svg|gif|ico|woff2?|html?|php)\Z",
    re.IGNORECASE,
)
# Strings without white space are passed over inside one match, so that only candidates come up to Python.
# The rest is taken whole when no candidate is left: a search that fails would begin again at every character.
_STRING: Final = re.compile(
    r"(?:[^\"]*+\"[^\"\\\s]*+(?:\\.[^\"\\\s]*+)*+\")*+"
    r"(?:[^\"]*+\"(?P<body>[^\"\\]*+(?:\\.[^\"\\]*+)*+)\"(?P<key>\s*+:)?+|.++)",
    re.DOTALL,
)
_BEGINS: Final = re.compile(r"[\s\"'“‘«¿¡(\[*•–—-]*(?:[A-Z0-9À-ÞА-Я$€£]|[^\x00-\u04ff])")
_ENDS: Final = frozenset(".!?…:。！？\"'”’»)")
_CODE: Final = re.compile(r"[{}<>=|\\^~`;_]|://|\w\(|--|\d[a-zA-Z]\d|[a-z]:[a-z]")
_MARKUP: Final = re.compile(r"<[a-zA-Z/!][^>]*>|&(?:#\d+|#x[\da-fA-F]+|[A-Za-z]\w+);")
_ASSIGNED: Final = re.compile(
    r"__(?:[A-Z][A-Z_0-9]{2,}__|INITIAL_\w+|PRELOADED_\w+|NUXT__|APOLLO_\w+|remixContext)[\"'\])]*\s*=\s*"
    r"(?:(?=[{\[])|JSON\.parse\(\s*(?=\"))"
)
_NAMES: Final = ("name", "headline", "title")
_PRICES: Final = words("price lowPrice highPrice")
_NUMBERS: Final = words("price lowPrice highPrice ratingValue reviewCount ratingCount bestRating offerCount")
_NEVER: Final = words(
    "url image logo sameAs contentUrl thumbnailUrl embedUrl target urlTemplate item potentialAction query-input encoding "
    "priceCurrency availability itemCondition datePublished dateModified dateCreated uploadDate inLanguage"
)
_ROLES: Final = {
    "reviewBody": "review",
    "ratingValue": "rating",
    "reviewCount": "rating",
    "ratingCount": "rating",
    "description": "description",
    "text": "paragraph",
    **dict.fromkeys(_PRICES, "price"),
}

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_DECODER: Final = json.JSONDecoder()

Unmark = Callable[[str], str]
"""Reads the markup inside a string value: a function of the HTML reader, which itself reads the JSON in a page."""


class Value(NamedTuple):
    """A human-readable value; `place` is its JSON Pointer (RFC 6901), or "@" and its offset in the JSON text."""

    text: str
    role: str
    heading: str
    place: str


class _Item(NamedTuple):
    value: Any
    key: str
    place: str
    heading: str
    role: str


def structured_data(source: str, unmark: Unmark) -> Iterator[Value]:
    """What people read of a JSON-LD block. An answer has its question as heading, an offer its product."""
    value, fault = _parsed(source)
    if fault:
        yield from sentences(source, unmark)
        return
    stack = [_Item(value, "", "", "", "")]
    while stack:
        item = stack.pop()
        value = item.value
        if isinstance(value, list):
            places = range(len(value) - 1, -1, -1)
            stack.extend(item._replace(value=value[at], place=_below(item.place, str(at))) for at in places)
        elif isinstance(value, dict):
            stack.extend(reversed(_members(value, item)))
        elif isinstance(value, str) or (item.key in _NUMBERS and isinstance(value, int | float)):
            text = plain(str(value), unmark)
            if text and item.key not in _NEVER and (item.key in _NUMBERS or not _NOT_TEXT.match(text)):
                yield Value(text, item.role or _ROLES.get(item.key, "value"), item.heading, item.place)


def _members(value: dict[str, Any], item: _Item) -> list[_Item]:
    kind = value.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    title = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
    title = " ".join(title.split())[:_HEADING_LENGTH]
    below = f"{item.heading} > {title}" if item.heading and title else title or item.heading
    currency = value.get("priceCurrency")
    members = []
    for key, child in value.items():
        if key.startswith("@") and key != "@graph":
            continue
        role = ""
        if "Question" in kinds and key in _NAMES:
            role = "question"
        elif "Answer" in kinds and key == "text":
            role = "answer"
        elif key == "author" or (item.key == "author" and key in _NAMES):
            role = "author"
        elif key in _PRICES and isinstance(currency, str) and isinstance(child, str | int | float):
            child = f"{child} {currency}"
        heading = item.heading if key in _NAMES else below[-_PATH_LENGTH:]
        members.append(_Item(child, key, _below(item.place, key), heading, role))
    return members


def string_values(source: str, unmark: Unmark) -> Iterator[Value]:
    """Every string value of a JSON document that is not an address or a number, in order."""
    value, fault = _parsed(source)
    if fault:
        yield from sentences(source, unmark)
        return
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack:
        item, place = stack.pop()
        if isinstance(item, dict):
            stack.extend((child, _below(place, key)) for key, child in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend((item[at], _below(place, str(at))) for at in range(len(item) - 1, -1, -1))
        elif isinstance(item, str):
            text = plain(item, unmark)
            if text and not _NOT_TEXT.match(text):
                yield Value(text, "value", "", place)


def sentences(source: str, unmark: Unmark, begin: int = 0, end: int | None = None) -> Iterator[Value]:
    """String values that read as if a person wrote them, by their offset. The text need not be valid JSON."""
    for match in _STRING.finditer(source, begin, len(source) if end is None else end):
        body, key = match.groups()
        if key or not body or " " not in body:
            continue
        if "\\" in body:
            try:
                body = json.loads(f'"{body}"', strict=False)
            except ValueError:
                continue
        if "<" not in body and not _reads_as_written(body):
            continue
        text = plain(body, unmark)
        if _is_written(text):
            yield Value(text, "value", "", f"@{match.start('body')}")


def state(script: str, unmark: Unmark) -> Iterator[Value]:
    """The sentences in JSON that a script assigns as the state of its page (`window.__NAME__ = {`)."""
    at = 0
    for match in _ASSIGNED.finditer(script):
        if match.end() < at:
            continue
        try:
            value, at = _DECODER.raw_decode(script, match.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, str):
            yield from sentences(value, unmark)
        else:
            yield from sentences(script, unmark, match.end(), at)


def _reads_as_written(text: str) -> bool:
    return text.rstrip()[-1:] in _ENDS or _BEGINS.match(text) is not None


def _is_written(text: str) -> bool:
    """Two words or more, mostly letters, no code: not a class list, a query, a format string."""
    if " " not in text or _CODE.search(text) or not _reads_as_written(text) or _NOT_TEXT.match(text):
        return False
    return len("".join(_LETTERS.findall(text))) * 2 >= len(text)


def plain(value: str, unmark: Unmark) -> str:
    """A string value with markup and character references resolved and white space collapsed; always valid UTF-8."""
    if ("<" in value or "&" in value) and _MARKUP.search(value):
        return unmark(value)
    value = " ".join(value.split())
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _below(place: str, token: str) -> str:
    if len(place) > _POINTER_LENGTH:
        place = f"{place[:200]}…{place[-200:]}"
    return f"{place}/{token.replace('~', '~0').replace('/', '~1')}"


def _parsed(source: str) -> tuple[Any, bool]:
    try:
        return json.loads(source.strip().removeprefix("<!--").removesuffix("-->"), strict=False), False
    except (ValueError, RecursionError):
        return None, True
