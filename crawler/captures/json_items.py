"""The items of a JSON export one at a time, with their place in the file; a cut-off file gives what stood before the cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

# The lists that exports keep their items in, outermost first: HAR, iTunes, ad libraries.
_LIST = re.compile(r'"(?:entries|results|data|ads|models|items)"\s*:\s*\[')
_BLOCK = 1 << 16
# An item beyond this is no text anyone wrote; it ends the reading with its place named.
_LONGEST = 64 << 20
_HEAD = 1 << 20


class BrokenJson(Exception):
    """The JSON ends or breaks; ``offset`` is the byte where the item that could not be read begins."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class JsonItem:
    """One object of an export. ``source`` are its bytes as they stood in the file."""

    number: int
    offset: int
    value: dict[str, Any]
    source: bytes
    reached: int


class _Window:
    """The part of the file that is being looked at, as one character a byte so that places are byte offsets."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.text = ""
        self.base = 0
        self.ended = False

    def more(self) -> bool:
        """Read on, as much again as is held, so that a long item costs a few looks. False at the end."""
        block = self._file.read(max(_BLOCK, len(self.text)))
        self.ended = not block
        self.text += block.decode("latin-1")
        return bool(block)

    def drop(self, upto: int) -> None:
        self.text = self.text[upto:]
        self.base += upto


def json_head(file: IO[bytes]) -> str:
    """What stands before the first item, at most a mebibyte: an export says there who made it."""
    file.seek(0)
    text = file.read(_HEAD).decode("utf-8", "replace")
    found = _LIST.search(text)
    return text[: found.start()] if found else ""


def json_items(file: IO[bytes]) -> Iterator[JsonItem]:
    """Every object of the outermost list of *file*: a list, an object with a list of items, one object, or JSON lines.

    Raises ``BrokenJson`` at the first byte that cannot be read; what came before it has been yielded.
    """
    file.seek(0)
    window = _Window(file)
    window.more()
    start = len(window.text) - len(window.text.lstrip("\xef\xbb\xbf \t\r\n"))
    if window.text[start : start + 1] not in ("[", "{"):
        raise BrokenJson(start, "not JSON: it begins with neither a list nor an object")
    if window.text[start] == "{":
        found = _find_list(window)
        if found < 0:
            yield from _values(window, start, closing="")
            return
        start = found - 1
    window.drop(start + 1)
    yield from _values(window, 0, closing="]")


def _find_list(window: _Window) -> int:
    """The place behind the bracket of the first known list, -1 where there is none in the first mebibyte."""
    while True:
        found = _LIST.search(window.text)
        if found:
            return found.end()
        if len(window.text) > _HEAD or not window.more():
            return -1


def _values(window: _Window, at: int, closing: str) -> Iterator[JsonItem]:
    decoder = json.JSONDecoder()
    number = 0
    while True:
        window.drop(at)
        at = _skip(window)
        if at >= len(window.text):
            if closing:
                raise BrokenJson(window.base + at, "the file ends inside the list")
            return
        if closing and window.text[at] == closing:
            return
        window.drop(at)
        at = 0
        number += 1
        end, value = _one(decoder, window, number)
        source = window.text[:end].encode("latin-1")
        reached = window.base + len(window.text)
        if isinstance(value, dict):
            yield JsonItem(number, window.base, json.loads(source), source, reached)
        at = end


def _skip(window: _Window) -> int:
    at = 0
    while True:
        while at < len(window.text) and window.text[at] in " \t\r\n,\x1e":
            at += 1
        if at < len(window.text) or not window.more():
            return at


def _one(decoder: json.JSONDecoder, window: _Window, number: int) -> tuple[int, Any]:
    while True:
        try:
            value, end = decoder.raw_decode(window.text)
        except (ValueError, RecursionError) as error:
            if len(window.text) > _LONGEST:
                raise BrokenJson(window.base, f"item {number} is longer than {_LONGEST >> 20} MB or not JSON") from None
            if not window.more():
                why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
                raise BrokenJson(window.base, f"item {number} is cut off or not JSON ({why})") from None
            continue
        # A number at the end of what was read may go on in the next block.
        if end == len(window.text) and window.more():
            continue
        return end, value
