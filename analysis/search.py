"""Search in the cleared passages: words, phrases, prefixes, AND, OR, NOT, NEAR, or a regular expression.

A question is read into a tree, and the tree into one SQL statement over ``cleared_terms``, where each folded word of each
wording stands with its place. Hits are ranked by BM25 (Robertson and Zaragoza 2009). Regular expressions are RE2's, which
take time in proportion to the text, whatever the pattern.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from analysis.cleared import terms_of

NEAR_WORDS: Final = 10
_K1, _B = 1.2, 0.75
_TOKEN = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|"(?P<phrase>[^"]*)"(?P<starred>\*?)|(?P<unclosed>")|(?P<operator>(?:AND|OR|NOT)(?=[\s()"]|$)|NEAR(?:/(?P<distance>\d+))?(?=[\s()"]|$))|(?P<minus>-(?=[\w"(]))|(?P<word>[^\s()"]+))"""
)
_WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿]|[^\W_぀-ヿ㐀-䶿一-鿿]+")
_SILENT = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


class SearchError(ValueError):
    """The question cannot be read; the message says where and what would do."""


@dataclass(frozen=True, slots=True)
class Words:
    """A word, or several in a row; the last may be the beginning of one."""

    terms: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """Two parts with at most *distance* words between them, in either order."""

    left: Words
    right: Words
    distance: int


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of which all (``AND``) or any (``OR``) must stand in the passage, and parts of which none may."""

    every: bool
    parts: tuple[Node, ...]
    without: tuple[Node, ...] = ()


Node = Words | Near | Group


@dataclass(slots=True)
class Matching:
    """SQL for the ids of the wordings that match, and for the rank of those in ``matched``; values are bound by name."""

    matched: str
    scored: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    score_values: dict[str, Any] = field(default_factory=dict)


# --- reading the question


def read_question(text: str, connection: duckdb.DuckDBPyConnection) -> Node:
    """The question as a tree; its words are folded by the same expression as the passages'. Raises ``SearchError``."""
    tokens = list(_tokens(text))
    reader = _Reader(tokens, connection)
    if not tokens:
        raise SearchError("Nothing to search for. Try: plainview search 'delete \"one hour\"'")
    found = reader.any_of()
    if reader.at < len(tokens):
        raise SearchError("There is a ) too many in the question.")
    return found


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:  # pragma: no cover - the pattern takes any character
            raise SearchError(f"The question cannot be read from {text[at:]!r} on.")
        at = match.end()
        if match["unclosed"]:
            raise SearchError('A quotation mark is not closed: a phrase stands between two, "like this".')
        if match["phrase"] is not None:
            yield "phrase*" if match["starred"] else "phrase", match["phrase"], 0
        elif match["operator"]:
            yield match["operator"].partition("/")[0], "", int(match["distance"] or NEAR_WORDS)
        elif match["word"]:
            word = match["word"]
            yield ("word*", word.rstrip("*"), 0) if word.endswith("*") else ("word", word, 0)
        else:
            yield next(name for name in ("open", "close", "minus") if match[name]), "", 0


class _Reader:
    """Recursive descent: OR of ANDs of NEARs of words, phrases and groups."""

    def __init__(self, tokens: list[tuple[str, str, int]], connection: duckdb.DuckDBPyConnection) -> None:
        self.tokens, self.connection, self.at = tokens, connection, 0

    def _kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def _take(self) -> tuple[str, str, int]:
        self.at += 1
        return self.tokens[self.at - 1]

    def any_of(self) -> Node:
        parts = [self.all_of()]
        while self._kind() == "OR":
            self._take()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Group(False, tuple(parts))

    def all_of(self) -> Node:
        parts: list[Node] = []
        without: list[Node] = []
        while (kind := self._kind()) not in ("", "close", "OR"):
            if kind == "AND":
                self._take()
                if not parts and not without:
                    raise SearchError("AND stands between two things to look for.")
                continue
            if kind in ("NOT", "minus"):
                self._take()
                without.append(self.near())
            else:
                parts.append(self.near())
        if not parts:
            raise SearchError(
                "NOT alone would be nearly everything: say as well what to look for, e.g. photo NOT delete."
                if without
                else "Something to look for is missing beside OR, or between ( and )."
            )
        return parts[0] if len(parts) == 1 and not without else Group(True, tuple(parts), tuple(without))

    def near(self) -> Node:
        found = self.one()
        chain: list[Node] = []
        while self._kind() == "NEAR":
            distance = self._take()[2]
            right = self.one()
            if not isinstance(found, Words) or not isinstance(right, Words):
                raise SearchError("NEAR stands between words or phrases, e.g. delete NEAR/5 photo.")
            chain.append(Near(found, right, distance))
            found = right
        if not chain:
            return found
        return chain[0] if len(chain) == 1 else Group(True, tuple(chain))

    def one(self) -> Node:
        kind = self._kind()
        if kind == "open":
            self._take()
            found = self.any_of()
            if self._kind() != "close":
                raise SearchError("A ( is not closed.")
            self._take()
            return found
        if kind in ("word", "word*", "phrase", "phrase*"):
            return self._words(*self._take()[:2])
        raise SearchError(f"Something to look for is missing before {kind or 'the end'}.")

    def _words(self, kind: str, text: str) -> Words:
        row = self.connection.execute(f"SELECT {terms_of('?::VARCHAR')}", [text]).fetchone()
        terms = tuple(row[0]) if row else ()
        if not terms:
            raise SearchError(f"{text!r} holds no letter or digit. For marks and signs use: plainview search --regex")
        prefix = kind.endswith("*")
        if prefix and len(terms) == 1 and len(terms[0]) < 2:
            raise SearchError(f"{text}* is the beginning of too many words: give at least two letters.")
        return Words(terms, prefix)


# --- the statement


def matching(question: Node) -> Matching:
    """The statement for a question in words."""
    made = Matching("")
    made.matched = _matched(question, made)
    rank = Matching("")
    made.scored, made.score_values = _scored(question, rank), rank.values
    return made


def matching_pattern(pattern: str, connection: duckdb.DuckDBPyConnection) -> Matching:
    """The statement for a regular expression. Raises ``SearchError`` where RE2 cannot read it."""
    try:
        connection.execute("SELECT regexp_matches('', ?, 'i')", [pattern])
    except duckdb.Error as error:
        said = str(error).splitlines()[0].partition(": ")[2] or "it cannot be read"
        raise SearchError(f"The regular expression {pattern!r} does not work: {said}.") from error
    return Matching(
        "SELECT words FROM cleared_words WHERE regexp_matches(text, $pattern, 'i')", values={"pattern": pattern}
    )


def _value(made: Matching, value: Any) -> str:
    name = f"q{len(made.values)}"
    made.values[name] = value
    return f"${name}"


def _test(term: str, last: bool, made: Matching, table: str = "") -> str:
    column = f"{table}.term" if table else "term"
    if last:
        return f"{column} >= {_value(made, term)} AND {column} < {_value(made, term + chr(0x10FFFF))}"
    return f"{column} = {_value(made, term)}"


def _places(part: Words, made: Matching) -> str:
    """Where a word or phrase stands: wording, place of the first word, place of the last."""
    size = len(part.terms)
    tests = [_test(term, part.prefix and at == size - 1, made, f"t{at}") for at, term in enumerate(part.terms)]
    joins = "".join(
        f" JOIN cleared_terms t{at} ON t{at}.words = t0.words AND t{at}.place = t0.place + {at}"
        for at in range(1, size)
    )
    return (
        f"SELECT t0.words, t0.place AS first, t0.place + {size - 1} AS last "  # noqa: S608 - our own names
        f"FROM cleared_terms t0{joins} WHERE {' AND '.join(tests)}"
    )


def _matched(node: Node, made: Matching) -> str:
    match node:
        case Words(terms, prefix):
            if len(terms) == 1:
                return f"SELECT DISTINCT words FROM cleared_terms WHERE {_test(terms[0], prefix, made)}"  # noqa: S608
            return f"SELECT DISTINCT words FROM ({_places(node, made)})"  # noqa: S608
        case Near(left, right, distance):
            return (
                f"SELECT DISTINCT a.words FROM ({_places(left, made)}) a JOIN ({_places(right, made)}) b ON a.words = b.words "  # noqa: S608
                f"AND ((b.first > a.last AND b.first - a.last - 1 <= {distance:d}) "
                f"OR (a.first > b.last AND a.first - b.last - 1 <= {distance:d}))"
            )
        case Group(True, parts, without):
            first, *rest = (_matched(part, made) for part in parts)
            tests = [f"words IN ({sql})" for sql in rest]
            tests += [f"words NOT IN ({_matched(part, made)})" for part in without]
            return f"SELECT words FROM ({first}) WHERE {' AND '.join(tests)}"  # noqa: S608
        case Group(False, parts, _):
            return " UNION ".join(f"({_matched(part, made)})" for part in parts)
    raise AssertionError(node)  # pragma: no cover


def leaves(node: Node) -> Iterator[Words]:
    """The words and phrases that a passage may match by."""
    match node:
        case Words():
            yield node
        case Near(left, right):
            yield from (left, right)
        case Group(_, parts, _):
            for part in parts:
                yield from leaves(part)


def _scored(node: Node, made: Matching) -> str:
    """BM25 over the single words of the question, for the ids in ``matched``: a phrase ranks by its words, a prefix as one."""
    tests = [
        _test(term, part.prefix and at == len(part.terms) - 1, made)
        for part in dict.fromkeys(leaves(node))
        for at, term in enumerate(part.terms)
    ]
    counted = " UNION ALL ".join(
        f"SELECT words, count(*) AS times, (SELECT approx_count_distinct(words) FROM cleared_terms WHERE {test}) AS holders "  # noqa: S608
        f"FROM cleared_terms SEMI JOIN matched USING (words) WHERE {test} GROUP BY words"
        for test in tests
    )
    return (
        f"SELECT words, sum(ln(1 + greatest(total - holders, 0) / (holders + 0.5)) * times * {_K1 + 1} / "  # noqa: S608
        f"(times + {_K1} * ({1 - _B} + {_B} * terms / mean))) AS score "
        f"FROM ({counted}) JOIN (SELECT words, terms FROM cleared_words SEMI JOIN matched USING (words)) USING (words), "
        "(SELECT count(*) AS total, greatest(avg(terms), 1) AS mean FROM cleared_words) GROUP BY words"
    )


# --- the hits in a passage


def folded(word: str) -> str:
    """*word* as the index has it."""
    plain = unicodedata.normalize("NFKD", word.translate(_SILENT))
    return "".join(char for char in plain if not unicodedata.combining(char)).lower()


def hits(text: str, question: Node) -> list[tuple[int, int]]:
    """Where the words and phrases of *question* stand in *text*, in order, without overlaps."""
    joined = text.translate(dict.fromkeys(_SILENT, "\u02d0"))  # a letter, so that a word with a soft hyphen is one
    spans = [(match.start(), match.end()) for match in _WORD.finditer(joined)]
    words = [folded(text[start:end]) for start, end in spans]
    found: list[tuple[int, int]] = []
    for part in leaves(question):
        size = len(part.terms)
        for at in range(len(words) - size + 1):
            window = words[at : at + size]
            ends = window[-1].startswith(part.terms[-1]) if part.prefix else window[-1] == part.terms[-1]
            if ends and tuple(window[:-1]) == part.terms[:-1]:
                found.append((spans[at][0], spans[at + size - 1][1]))
    return _merged(found)


def pattern_hits(text: str, found: list[str]) -> list[tuple[int, int]]:
    """Where the strings that a pattern took out of *text*, in order, stand in it."""
    spans, at = [], 0
    for words in found:
        start = text.find(words, at)
        if words and start >= 0:
            at = start + len(words)
            spans.append((start, at))
    return spans


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
