"""Human text inside JSON: structured data (JSON-LD), the inline state of script-rendered pages, JSON documents.

Every string keeps its JSON Pointer (RFC 6901), so that a quotation can be found again in the stored body.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MAX_STRINGS: Final = 20_000
_HEADING_LENGTH: Final = 200
_NOT_TEXT: Final = re.compile(
    r"(?:https?:|//|/|\.{1,2}/|#|data:|blob:|mailto:|tel:|urn:)\S*\Z|[\d\s.,:+TZ/-]*\Z|[0-9a-fA-F-]{16,}\Z"
    r"|\S+\.(?:js|css|json|png|jpe?g|webp|svg|gif|ico|woff2?|html?|php)\Z",
    re.IGNORECASE,
)
_LITERAL: Final = re.compile(r'"((?:[^"\\\x00-\x1f]++|\\.)*+)"(?=\s*(:)?)')
_MARKUP: Final = re.compile(r"<[a-zA-Z/!][^>]*>|&(?:#\d+|#x[\da-fA-F]+|[A-Za-z]\w+);")
_ASSIGNED: Final = re.compile(r"=\s*(?=[{\[])|JSON\.parse\(\s*(?=\")")
_NAMES: Final = ("name", "headline", "title")
_NUMBERS: Final = _words("price lowPrice highPrice ratingValue reviewCount ratingCount bestRating offerCount")
_NEVER: Final = _words(
    "url image logo sameAs contentUrl thumbnailUrl embedUrl target urlTemplate item potentialAction query-input encoding "
    "priceCurrency availability itemCondition datePublished dateModified dateCreated uploadDate inLanguage"
)
_ROLES: Final = {
    "reviewBody": "review",
    "author": "author",
    "price": "price",
    "lowPrice": "price",
    "highPrice": "price",
    "ratingValue": "rating",
    "reviewCount": "rating",
    "ratingCount": "rating",
    "description": "description",
    "text": "paragraph",
}


class JsonString(NamedTuple):
    """One human-readable value of a JSON text."""

    text: str
    role: str
    heading: str
    pointer: str


class _Node(NamedTuple):
    value: Any
    key: str
    pointer: str
    heading: str
    role: str


def structured_data(source: str) -> list[JsonString]:
    """The values of a JSON-LD block that people read. An answer has its question as heading, an offer its product."""
    value, ok = _parsed(source)
    if not ok:
        return _literals(source)
    found: list[JsonString] = []
    stack = [_Node(value, "", "", "", "")]
    while stack and len(found) < _MAX_STRINGS:
        node = stack.pop()
        item = node.value
        if isinstance(item, list):
            stack.extend(
                node._replace(value=child, pointer=f"{node.pointer}/{index}")
                for index, child in reversed(list(enumerate(item)))
            )
        elif isinstance(item, dict):
            stack.extend(reversed(_members(item, node)))
        elif isinstance(item, str):
            text = plain(item)
            if text and node.key not in _NEVER and not _NOT_TEXT.match(text):
                found.append(JsonString(text, node.role or _ROLES.get(node.key, "value"), node.heading, node.pointer))
            elif text and node.key in _NUMBERS:
                found.append(JsonString(text, _ROLES.get(node.key, "value"), node.heading, node.pointer))
        elif isinstance(item, int | float) and not isinstance(item, bool) and node.key in _NUMBERS:
            found.append(JsonString(str(item), _ROLES.get(node.key, "value"), node.heading, node.pointer))
    return found


def _members(item: dict[str, Any], node: _Node) -> list[_Node]:
    kind = item.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    name = next((item[key] for key in _NAMES if isinstance(item.get(key), str)), "")
    title = plain(name)[:_HEADING_LENGTH] if name else ""
    below = f"{node.heading} > {title}" if node.heading and title else title or node.heading
    if len(below) > 4 * _HEADING_LENGTH:
        below = below[-4 * _HEADING_LENGTH :]
    members = []
    for key, value in item.items():
        if key.startswith("@") and key != "@graph":
            continue
        role = ""
        if "Question" in kinds and key in _NAMES:
            role = "question"
        elif "Answer" in kinds and key == "text":
            role = "answer"
        elif key in _NAMES and node.key == "author":
            role = "author"
        elif key in ("price", "lowPrice", "highPrice") and isinstance(item.get("priceCurrency"), str):
            value = f"{value} {item['priceCurrency']}" if isinstance(value, str | int | float) else value
            role = "price"
        own = node.heading if key in _NAMES else below
        members.append(_Node(value, key, f"{node.pointer}/{_token(key)}", own, role))
    return members


def json_strings(source: str, *, everything: bool = False) -> list[JsonString]:
    """String values of a JSON text that read like human sentences (`everything`: every string that is not an address)."""
    value, ok = _parsed(source)
    return _sentences(value, everything) if ok else _literals(source)


def state_strings(script: str) -> list[JsonString]:
    """Sentences in the JSON that a script assigns as the initial state of a page."""
    found: list[JsonString] = []
    decoder = json.JSONDecoder()
    at = 0
    for match in _ASSIGNED.finditer(script):
        if match.end() < at:
            continue
        try:
            value, at = decoder.raw_decode(script, match.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, str):
            value, ok = _parsed(value)
            if not ok:
                continue
        found.extend(_sentences(value, False))
    return found


def _sentences(value: Any, everything: bool) -> list[JsonString]:
    found: list[JsonString] = []
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack and len(found) < _MAX_STRINGS:
        item, pointer = stack.pop()
        if isinstance(item, dict):
            stack.extend((child, f"{pointer}/{_token(key)}") for key, child in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend((item[index], f"{pointer}/{index}") for index in range(len(item) - 1, -1, -1))
        elif isinstance(item, str) and item:
            if everything:
                text = plain(item)
                if text and not _NOT_TEXT.match(text):
                    found.append(JsonString(text, "value", "", pointer))
            elif " " in item:
                text = plain(item)
                if _is_sentence(text):
                    found.append(JsonString(text, "value", "", pointer))
    return found


def _is_sentence(text: str) -> bool:
    """Two words or more that are mostly letters: what a person wrote, not a class list, a query or a format string."""
    words = text.split()
    if len(words) < 2 or _NOT_TEXT.match(text):
        return False
    letters = sum(
        1 for word in words if word.strip("\"'“”‘’.,;:!?()%$€£*–—").replace("-", "").replace("'", "").isalnum()
    )
    return letters * 10 >= len(words) * 7 and any(character in "{}<>=[]|\\" for character in text) is False


def plain(value: str) -> str:
    """A string value with markup and character references resolved and white space collapsed."""
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    if ("<" in value or "&" in value) and _MARKUP.search(value):
        from analysis.html_text import read_html

        value = " ".join(draft.text for draft in read_html(value, depth=99).drafts)
    value = " ".join(value.split())
    if not value.isascii():
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _parsed(source: str) -> tuple[Any, bool]:
    try:
        return json.loads(source.strip().removeprefix("<!--").removesuffix("-->"), strict=False), True
    except (ValueError, RecursionError):
        return None, False


def _literals(source: str) -> list[JsonString]:
    """String literals of a text that is not quite JSON, keys left out; the pointer is their offset."""
    found: list[JsonString] = []
    for match in _LITERAL.finditer(source):
        if match[2] or " " not in match[1]:
            continue
        try:
            text = plain(json.loads(f'"{match[1]}"', strict=False))
        except ValueError:
            continue
        if _is_sentence(text):
            found.append(JsonString(text, "value", "", f"@{match.start()}"))
            if len(found) >= _MAX_STRINGS:
                break
    return found


def _token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
