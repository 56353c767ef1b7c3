"""Rules as data: the pattern language of the codebook, compiled once, searched behind a word index.

A pattern is read from left to right. ``a|b`` is either word, ``(a b|c)`` either sequence, ``{photo}`` a word family,
``<3>`` up to three words, ``?`` makes the token before it optional, ``/.../`` is a regular expression, ``^`` the start
of the passage. Tokens are parted by anything but the end of a sentence. The patterns see folded text.

The index is the prefilter: each pattern names words of which one must be present, so a passage without any of them
costs one dictionary look-up a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from analysis.language import function_words
from data.codebook import Codebook, CodebookError, Rule

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<raw>/(?:\\.|[^/\\])+/)|(?P<gap><\d+>)|(?P<family>\{[a-z_]+\})|(?P<sign>[()|?^])|(?P<word>[^\s()|?{}<]+))"
)
_GAP: Final = r"[^\w.!?;:]+"
_LOOSE: Final = r"[^\w.!?;:]*"
_SKIP: Final = r"(?:[^\s.!?;:]+[^\w.!?;:]+)"
# Words too common to be worth indexing a pattern by.
_COMMON: Final = function_words("english", "common")
WORD: Final = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True, slots=True)
class _Piece:
    regex: str
    words: frozenset[str] | None  # None: cannot be indexed
    optional: bool = False
    symbol: bool = False
    skip: int = 0


def _literal(word: str) -> _Piece:
    symbol = not (word[0].isalnum() and word[-1].isalnum())
    parts = WORD.findall(word)
    regex = re.escape(word).replace("'", "'?")
    return _Piece(regex, frozenset(parts[:1]) if parts else None, symbol=symbol)


class _Reader:
    """A recursive-descent reader of one pattern."""

    def __init__(self, pattern: str, families: dict[str, str]) -> None:
        self.pattern = pattern
        self.families = families
        self.tokens = list(self._split())
        self.at = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(self.pattern.rstrip()):
            match = _TOKEN.match(self.pattern, at)
            if not match:
                raise CodebookError(f"cannot read the pattern from {self.pattern[at:]!r}")
            kind = match.lastgroup or ""
            yield kind, match[kind]
            at = match.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def sequence(self, closing: bool) -> list[_Piece]:
        """Tokens up to the end, or up to ``|`` or ``)`` inside a group."""
        pieces: list[_Piece] = []
        while True:
            kind, value = self.peek()
            if kind == "end" or (closing and kind == "sign" and value in ")|"):
                return pieces
            if kind == "gap":
                self.at += 1
                pieces.append(_Piece("", None, skip=int(value[1:-1])))
                continue
            if kind == "sign" and value == "^":
                self.at += 1
                pieces.append(_Piece(r"\A\W{0,3}", None, symbol=True))
                continue
            piece = self.item()
            while not closing and self.peek() == ("sign", "|"):
                self.at += 1
                other = self.item()
                piece = _either([piece, other])
            if self.peek() == ("sign", "?"):
                self.at += 1
                piece = _Piece(piece.regex, None, optional=True, symbol=piece.symbol)
            pieces.append(piece)

    def item(self) -> _Piece:
        kind, value = self.peek()
        self.at += 1
        if kind == "word":
            return _literal(value)
        if kind == "raw":
            return _Piece(f"(?:{value[1:-1]})", None, symbol=True)
        if kind == "family":
            name = value[1:-1]
            if name not in self.families:
                raise CodebookError(f"no word family {name!r}")
            return _either([_literal(word) for word in self.families[name].split("|")])
        if (kind, value) == ("sign", "("):
            alternatives = [_chain(self.sequence(closing=True))]
            while self.peek() == ("sign", "|"):
                self.at += 1
                alternatives.append(_chain(self.sequence(closing=True)))
            if self.peek() != ("sign", ")"):
                raise CodebookError(f"a bracket is not closed in {self.pattern!r}")
            self.at += 1
            return _either(alternatives)
        raise CodebookError(f"unexpected {value!r} in {self.pattern!r}")


def _either(pieces: list[_Piece]) -> _Piece:
    words: frozenset[str] | None = frozenset()
    for piece in pieces:
        words = None if words is None or piece.words is None else words | piece.words
    regex = "|".join(sorted({piece.regex for piece in pieces}, key=lambda r: (-len(r), r)))
    return _Piece(f"(?:{regex})", words, symbol=any(piece.symbol for piece in pieces))


def _rank(words: frozenset[str]) -> tuple[int, int]:
    return (len(words & _COMMON), len(words))


def _chain(pieces: list[_Piece]) -> _Piece:
    """Join pieces with gaps; the words to index by are those of the rarest piece that must be present."""
    regex = ""
    pending = 0
    first = True
    previous_symbol = False
    best: frozenset[str] | None = None
    for piece in pieces:
        if piece.skip:
            pending += piece.skip
            continue
        if first:
            regex = f"(?:{piece.regex})?" if piece.optional else piece.regex
        else:
            gap = _LOOSE if piece.symbol or previous_symbol else _GAP
            skip = f"{_SKIP}{{0,{pending}}}?" if pending else ""
            step = f"{gap}{skip}{piece.regex}"
            regex += f"(?:{step})?" if piece.optional else step
        if piece.words and not piece.optional and (best is None or _rank(piece.words) < _rank(best)):
            best = piece.words
        pending = 0
        first = False
        previous_symbol = piece.symbol or piece.optional
    return _Piece(regex, best, symbol=bool(pieces) and (pieces[0].symbol or pieces[-1].symbol))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; ``words``: at least one of them is in every text it matches (None: no such words)."""

    regex: re.Pattern[str]
    words: frozenset[str] | None


def compile_pattern(pattern: str, families: dict[str, str]) -> Pattern:
    """Compile one pattern. Raises CodebookError if it cannot be read."""
    reader = _Reader(pattern, families)
    top = _chain(reader.sequence(closing=False))
    if reader.at < len(reader.tokens):
        raise CodebookError(f"cannot read the pattern {pattern!r}")
    try:
        regex = re.compile(rf"(?<![\w]){top.regex}(?!\w)" if not top.symbol else top.regex)
    except re.error as error:
        raise CodebookError(f"{pattern!r}: {error}") from error
    return Pattern(regex, top.words)


@dataclass(frozen=True, slots=True)
class Match:
    """Where a rule saw its code in folded text."""

    rule: Rule
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Entry:
    rule: Rule
    regex: re.Pattern[str]
    unless: tuple[re.Pattern[str], ...]


class Rulebook:
    """All rules of a codebook behind one word index."""

    def __init__(self, codebook: Codebook) -> None:
        self._entries: list[_Entry] = []
        self._index: dict[str, list[int]] = {}
        self._always: list[int] = []
        for code in codebook.codes:
            for rule in code.rules:
                try:
                    unless = tuple(compile_pattern(f"({p})", codebook.families).regex for p in rule.unless)
                    compiled = [compile_pattern(p, codebook.families) for p in rule.patterns]
                except CodebookError as error:
                    raise CodebookError(f"{rule.id}: {error}") from error
                for pattern in compiled:
                    number = len(self._entries)
                    self._entries.append(_Entry(rule, pattern.regex, unless))
                    if pattern.words:
                        for word in pattern.words:
                            self._index.setdefault(word, []).append(number)
                    else:
                        self._always.append(number)
        self._words = frozenset(self._index)

    def find(self, text: str, page_role: str) -> list[Match]:
        """Every rule that matches folded ``text``, at most two matches a pattern, in the order of the text."""
        numbers = set(self._always)
        for word in self._words.intersection(WORD.findall(text)):
            numbers.update(self._index[word])
        found: list[Match] = []
        for number in sorted(numbers):
            entry = self._entries[number]
            rule = entry.rule
            if rule.roles and page_role not in rule.roles:
                continue
            for count, match in enumerate(entry.regex.finditer(text)):
                if count == 2:
                    break
                start, end = match.span()
                if start < end and not any(u.search(text, *sentence_around(text, start, end)) for u in entry.unless):
                    found.append(Match(rule, start, end))
        found.sort(key=lambda m: (m.start, -m.end, m.rule.id))
        return found


_BREAK: Final = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\s[•·|]\s|\s-\s(?=[a-z])")


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The bounds of the sentence or sentences that hold ``text[start:end]``."""
    left, right = 0, len(text)
    for match in _BREAK.finditer(text):
        if match.end() <= start:
            left = match.end()
        elif match.start() >= end:
            right = match.start()
            break
    return left, right
