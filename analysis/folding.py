"""Folding: text as a reader hears it, with every character's place in the original.

Pages write "n0 l0gs", "f r e e", "frее" with Cyrillic letters, or put zero-width marks and soft hyphens between letters.
A `Folded` holds the plain lower-case text that rules and the reader see and, for each of its characters, the index of
the original character it came from, so that a span found in the folded text always points into the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

# Characters that print nothing: zero-width marks, joiners, direction marks, soft hyphen, variation selectors, BOM.
_SILENT: Final = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
) | {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10))}
# Look-alikes of Latin letters that NFKC does not fold (Unicode TS 39 confusables, the ones seen in running text).
_LOOKALIKE: Final = dict(
    zip(
        "аеорсухіјѕԁһӏԛԝкмнтвзгпиАВЕКМНОРСТУХІЈЅαβεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɑɡøłßƒ",
        "aeopcyxijsdhlqwkmhtb3rnuABEKMHOPCTYXIJSabeikvoptuxABEZHIKMNOPTYXiagolsf",
        strict=True,
    )
)
_PUNCTUATION: Final = {
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‟": '"', "″": '"', "＂": '"',
    "’": "'", "‘": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'",
    "–": "-", "—": "-", "‒": "-", "―": "-", "−": "-", "‐": "-", "‑": "-",
    "…": ".", "\u00a0": " ", "\t": " ", "\n": " ", "\r": " ", "\x0b": " ", "\x0c": " ", "\u2028": " ", "\u2029": " ",
}  # fmt: skip
_LEET: Final = str.maketrans("013457@$!|", "oieastasil")
_LEET_L: Final = str.maketrans("013457@$!|", "oleastasil")
_LEET_WORD: Final = re.compile(r"(?<![\w@$])(?=[a-z0-9@$!|']*[a-z])(?=[a-z0-9@$!|']*[013457@$!|])[a-z0-9@$!|']{2,24}")
_SPACED: Final = re.compile(r"(?<![a-z0-9'])[a-z0-9@$](?:[ .*_\-+]{1,2}[a-z0-9@$]){2,}(?![a-z0-9'])")
_NEEDS_WORK: Final = re.compile(
    r"[^\x20-\x7e]|[a-z][013457@$!|][a-z]|[013457@$|][a-z]{2}|[a-z]{2}[013457@$|]"
    r"|(?<![a-z0-9'])[a-z0-9@$](?:[ .*_\-+]{1,2}[a-z0-9@$](?![a-z0-9'])){2}",
    re.IGNORECASE,
)
# Most passages are letters and a few signs: they need no work unless two letters stand alone side by side.
_LETTERS: Final = re.compile(r"[A-Za-z,;:'\"()/%&?\- ]*[.!]?")
_APART: Final = re.compile(r"[^A-Za-z][A-Za-z][^A-Za-z][^A-Za-z]?[A-Za-z][^A-Za-z]")
_ONE_FOR_ONE: Final = {ord(char): plain for char, plain in _PUNCTUATION.items() if len(plain) == 1}


@dataclass(frozen=True, slots=True)
class Folded:
    """Plain lower-case text; ``origin`` is None when every character kept its place."""

    text: str
    length: int
    origin: Sequence[int] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the original text that ``text[start:end]`` came from."""
        if self.origin is None:
            return start, end
        if start >= end:
            at = self.origin[start] if start < len(self.origin) else self.length
            return at, at
        return self.origin[start], self.origin[end - 1] + 1


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    """What one character is heard as: a lower-case string, possibly empty."""
    if char in _SILENT:
        return ""
    if char in _PUNCTUATION:
        return _PUNCTUATION[char]
    if char in _LOOKALIKE:
        return _LOOKALIKE[char].lower()
    wide = unicodedata.normalize("NFKD", char)
    kept = "".join(
        _PUNCTUATION.get(c, _LOOKALIKE.get(c, c)) for c in wide if not unicodedata.combining(c) and c not in _SILENT
    )
    if unicodedata.category(char) in ("So", "Sk") and not kept.isascii():
        regional = ord(char) - 0x1F1E6
        return chr(97 + regional) if 0 <= regional < 26 else char
    return kept.lower()


@cache
def _vocabulary() -> frozenset[str]:
    from analysis.wordlist import words

    return words()


def _decode_leet(match: re.Match[str]) -> str:
    word = match.group()
    known = _vocabulary()
    body = word.rstrip("!|")
    if body.isalpha() or body in known or sum(c.isalpha() for c in body) < 1:
        return word
    for table in (_LEET, _LEET_L):
        plain = body.translate(table)
        if plain in known and len(plain) > 2 - (plain in {"no", "on", "to", "so"}):
            return plain + word[len(body) :]
    return word


def _segment(letters: str) -> list[int] | None:
    """Ends of the known words that make up ``letters``, fewest words first; None if it is not made of known words."""
    known = _vocabulary()
    best: list[tuple[int, int] | None] = [(0, 0)] + [None] * len(letters)
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - 20), end):
            before = best[start]
            piece = letters[start:end]
            if before is None or (piece not in known and piece not in {"a", "i"}):
                continue
            cost = before[0] + 1 + (3 if len(piece) == 1 else 0)
            current = best[end]
            if current is None or cost < current[0]:
                best[end] = (cost, start)
    if best[-1] is None:
        return None
    ends: list[int] = []
    at = len(letters)
    while at:
        ends.append(at)
        step = best[at]
        assert step is not None
        at = step[1]
    return ends[::-1]


def _join_spaced(text: str, origin: list[int]) -> tuple[str, list[int]]:
    """Join letters that stand apart ("f r e e") where they make known words; a wider gap parts two words."""
    out: list[str] = []
    places: list[int] = []
    last = 0
    for match in _SPACED.finditer(text):
        kept = [(i, text[i]) for i in range(match.start(), match.end()) if text[i].isalnum() or text[i] in "@$"]
        if sum(char.isalpha() for _, char in kept) * 4 < len(kept) * 3:
            continue  # a row of numbers, not a word
        letters = "".join(char for _, char in kept).translate(_LEET)
        ends = _segment(letters)
        if ends is None or (len(ends) > 1 and len(letters) / len(ends) < 2):
            continue
        out.append(text[last : match.start()])
        places.extend(origin[last : match.start()])
        for number, (i, _) in enumerate(kept):
            if number in ends:
                out.append(" ")
                places.append(origin[i - 1])
            out.append(letters[number])
            places.append(origin[i])
        last = match.end()
    out.append(text[last:])
    places.extend(origin[last:])
    return "".join(out), places


def fold(text: str) -> Folded:
    """Fold ``text``. Never raises; plain ASCII without tricks is only lower-cased."""
    plain_text = text if text.isascii() else text.translate(_ONE_FOR_ONE)
    if _LETTERS.fullmatch(plain_text) and not _APART.search(f" {plain_text} "):
        return Folded(plain_text.lower(), len(text))
    if not _NEEDS_WORK.search(plain_text):
        return Folded(plain_text.lower(), len(text))
    chars: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        plain = char.lower() if " " <= char <= "~" else _plain(char)
        chars.append(plain)
        origin.extend([index] * len(plain))
    folded = "".join(chars)
    folded = _LEET_WORD.sub(_decode_leet, folded)
    folded, origin = _join_spaced(folded, origin)
    return Folded(folded, len(text), origin)
