"""What may be shown: passages with third parties masked and without the closed queue, and an index of their words.

Lists, ``search`` and ``sql`` read these tables and no others for running text, so that what nobody is to see cannot be
found either, not even as a number of hits. Made after an analysis, text by text; made anew when texts are read anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import duckdb

from analysis.masking import Masker, is_third_party
from data.case import Case
from data.referral import HARM_CODE
from data.store import append, reading, rows, transaction, writing

HELD: Final = "[closed queue]"
"""Stands where words would be that belong to the closed queue."""
_BATCH: Final = 400
_FRAGMENT: Final = 20
"""Characters from which on a piece of a closed passage is taken for that passage."""
_TERM_CHARACTERS: Final = 80

Tell = Callable[[int, int], None]


def terms_of(text: str) -> str:
    """The SQL expression for the list of folded words of *text*, itself an SQL expression.

    Lower case, without accents, soft hyphens and zero-width marks; each Chinese or Japanese character is a word.
    """
    letters = (
        r"\p{Latin}\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}\p{Hangul}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}\p{Thai}"
        r"\p{Armenian}\p{Georgian}\p{N}\p{M}"
    )
    plain = f"lower(strip_accents(translate({text}, '\u00ad\u200b\u200c\u200d\u2060\ufeff', '')))"
    found = rf"regexp_extract_all({plain}, '[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}]|[{letters}]+')"
    return f"list_transform({found}, lambda term: left(term, {_TERM_CHARACTERS}))"


@contextlib.contextmanager
def reading_cleared(case: Case, tell: Tell | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection on which the cleared tables are those of the texts on file; clears first where they are not."""
    with reading(case) as connection:
        if not _stale(connection) and not _missing(connection):
            yield connection
            return
    clear(case, tell)
    with reading(case) as connection:
        yield connection


def clear(case: Case, tell: Tell | None = None) -> int:
    """Clear what was read since the last time; the number of texts. *tell* gets how many of how many are done.

    Short transactions, so that a sweep and other questions go on meanwhile.
    """
    with reading(case) as connection:
        stale, missing = _stale(connection), _missing(connection)
    if stale:
        with writing(case) as connection, transaction(connection):
            for table in ("cleared_words", "cleared_passages", "cleared_flags", "cleared_terms", "cleared_texts"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
        with reading(case) as connection:
            missing = _missing(connection)
    if not missing:
        return 0
    masker = Masker.of(case)
    for start in range(0, len(missing), _BATCH):
        names = [row[0] for row in missing[start : start + _BATCH]]
        with reading(case) as connection:
            found = list(_passages(connection, names, masker))
        with writing(case) as connection, transaction(connection):
            _put(connection, names, found)
        if tell:
            tell(min(start + _BATCH, len(missing)), len(missing))
    with writing(case) as connection, transaction(connection):
        _close(connection)
        _index(connection)
    return len(missing)


def closed_words(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The passages and quotes of the closed queue: what holds one of them is not to be shown."""
    sql = f"""SELECT DISTINCT unnest([p.text, f.quote]) AS words
              FROM flags f JOIN passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal WHERE {_CLOSED} ORDER BY words"""  # noqa: S608
    return [row[0] for row in connection.execute(sql).fetchall() if row[0]]


_READ = "SELECT t.text_id, coalesce(r.analysis, '') AS analysis FROM texts t LEFT JOIN flags_read r USING (text_id)"


def _stale(connection: duckdb.DuckDBPyConnection) -> bool:
    sql = f"SELECT count(*) FROM cleared_texts ANTI JOIN ({_READ}) USING (text_id, analysis)"  # noqa: S608 - our own words
    row = connection.execute(sql).fetchone()
    return bool(row and row[0])


def _missing(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    sql = f"SELECT DISTINCT text_id FROM ({_READ}) ANTI JOIN cleared_texts USING (text_id, analysis) ORDER BY text_id"  # noqa: S608
    return connection.execute(sql).fetchall()


@dataclass(frozen=True, slots=True)
class _Cleared:
    """One passage as it may be shown, and where its flags' quotes stand in it."""

    text_id: str
    ordinal: int
    start: int
    end: int
    zone: str
    role: str
    heading: str
    list_intro: str
    text: str
    flags: tuple[tuple[str, int, int], ...]


# What was raised with a code of the closed queue, or touches on minors in whatever stance.
_CLOSED = f"""(f.sensitive OR (f.raises AND f.code = '{HARM_CODE}'))"""
_PASSAGES = f"""
SELECT p.text_id, p.ordinal, p.start, p."end", p.zone, p.role, p.heading, p.list_intro, p.text, t.page_role,
       coalesce(f.stances, []) AS stances, coalesce(f.flags, []) AS flags, coalesce(f.closed, false) AS closed,
       coalesce(f.quotes, []) AS quotes
FROM passages p
JOIN texts t ON t.text_id = p.text_id
LEFT JOIN (
    SELECT f.text_id, f.ordinal, list(DISTINCT f.stance) AS stances, bool_or({_CLOSED}) AS closed,
           list(f.quote) FILTER ({_CLOSED}) AS quotes,
           list({{'flag': f.flag, 'start': f.start - p.start, 'end': f."end" - p.start}}) AS flags
    FROM flags f JOIN passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal
    WHERE f.text_id IN (SELECT unnest($names::VARCHAR[])) GROUP BY ALL
) f ON f.text_id = p.text_id AND f.ordinal = p.ordinal
WHERE p.text_id IN (SELECT unnest($names::VARCHAR[]))
ORDER BY p.text_id, p.ordinal
"""  # noqa: S608 - our own words


def _passages(connection: duckdb.DuckDBPyConnection, names: list[str], masker: Masker) -> Iterator[_Cleared]:
    found = connection.execute(_PASSAGES, {"names": names})
    columns = [item[0] for item in found.description]
    by_text: dict[str, list[dict[str, Any]]] = {}
    for values in found.fetchall():
        row = dict(zip(columns, values, strict=True))
        by_text.setdefault(row["text_id"], []).append(row)
    mask = lru_cache(maxsize=50_000)(
        lambda text, third: masker.passage(text, stances=("USER",) if third else ())  # USER: a third party speaks
    )
    for found_rows in by_text.values():
        closed = {row["text"] for row in found_rows if row["closed"]}
        closed |= {quote for row in found_rows for quote in row["quotes"]}
        for row in found_rows:
            if not row["closed"] and not _touches(row["text"], closed):
                yield _cleared(row, closed, masker, mask)


def _touches(text: str, closed: Iterable[str]) -> bool:
    return any(words in text or (len(text) >= _FRAGMENT and text in words) for words in closed if words)


def _cleared(row: dict[str, Any], closed: set[str], masker: Masker, mask: Callable[[str, bool], str]) -> _Cleared:
    text, stances = row["text"], row["stances"]
    third = is_third_party(stances, row["page_role"], row["heading"], text)
    flags = []
    for flag in row["flags"]:
        before, quote, _ = masker.quoted(
            text, flag["start"], flag["end"], stances=("USER",) if third else (), page_role="", heading=""
        )
        flags.append((flag["flag"], len(before), len(before) + len(quote)))
    heading, list_intro = (
        HELD if words and _touches(words, closed) else mask(words, third) if words else ""
        for words in (row["heading"], row["list_intro"])
    )
    return _Cleared(
        row["text_id"],
        row["ordinal"],
        row["start"],
        row["end"],
        row["zone"],
        row["role"],
        heading,
        list_intro,
        mask(text, third),
        tuple(flags),
    )


def _put(connection: duckdb.DuckDBPyConnection, names: list[str], found: list[_Cleared]) -> None:
    done = {
        row["text_id"]
        for row in rows(connection, "SELECT text_id FROM cleared_texts WHERE text_id IN (SELECT unnest(?))", [names])
    }
    fresh = [item for item in found if item.text_id not in done]
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE _cleared (text_id VARCHAR, ordinal INTEGER, start INTEGER, "end" INTEGER, zone VARCHAR,
           role VARCHAR, heading VARCHAR, list_intro VARCHAR, text VARCHAR)"""
    )
    columns = ("text_id", "ordinal", "start", "end", "zone", "role", "heading", "list_intro", "text")
    append(connection, "_cleared", [{name: getattr(item, name) for name in columns} for item in fresh])
    connection.execute(
        f"""INSERT INTO cleared_words
            SELECT (SELECT coalesce(max(words), 0) FROM cleared_words) + row_number() OVER (), text, len({terms_of("text")})
            FROM (SELECT DISTINCT text FROM _cleared) n ANTI JOIN cleared_words USING (text)"""  # noqa: S608 - our own words
    )
    connection.execute(
        """INSERT INTO cleared_passages
           SELECT w.words, c.text_id, c.ordinal, c.start, c."end", c.zone, c.role, c.heading, c.list_intro
           FROM _cleared c JOIN cleared_words w USING (text) ORDER BY c.text_id, c.ordinal"""
    )
    quotes = [
        {"flag": flag, "quote_start": start, "quote_end": end} for item in fresh for flag, start, end in item.flags
    ]
    append(connection, "cleared_flags", quotes)
    connection.execute(
        f"INSERT INTO cleared_texts SELECT * FROM ({_READ}) WHERE list_contains(?, text_id) AND NOT list_contains(?, text_id)",  # noqa: S608
        [names, sorted(done)],
    )
    connection.execute("DROP TABLE _cleared")


def _close(connection: duckdb.DuckDBPyConnection) -> None:
    """Take out what has the very words of a closed passage, wherever it stands and however it was read there."""
    connection.execute(
        f"""DELETE FROM cleared_passages WHERE words IN (
                SELECT c.words FROM cleared_passages c JOIN passages p ON p.text_id = c.text_id AND p.ordinal = c.ordinal
                WHERE p.text IN (SELECT q.text FROM flags f JOIN passages q ON q.text_id = f.text_id AND q.ordinal = f.ordinal
                                 WHERE {_CLOSED}))"""  # noqa: S608 - our own words
    )
    connection.execute(
        """DELETE FROM cleared_flags WHERE flag NOT IN (
               SELECT f.flag FROM flags f JOIN cleared_passages c ON c.text_id = f.text_id AND c.ordinal = f.ordinal)"""
    )
    connection.execute("DELETE FROM cleared_words WHERE words NOT IN (SELECT words FROM cleared_passages)")
    connection.execute("DELETE FROM cleared_terms WHERE words NOT IN (SELECT words FROM cleared_words)")


def _index(connection: duckdb.DuckDBPyConnection) -> None:
    """Put down the words of new wordings; sorted as a whole where much is new, so that a word's rows stand together."""
    new = f"""SELECT unnest(terms) AS term, words, unnest(range(len(terms))) AS place FROM (
                  SELECT words, {terms_of("text")} AS terms FROM cleared_words ANTI JOIN cleared_terms USING (words))"""  # noqa: S608
    connection.execute(f"CREATE OR REPLACE TEMP TABLE _terms AS {new}")
    row = connection.execute("SELECT (SELECT count(*) FROM _terms), (SELECT count(*) FROM cleared_terms)").fetchone()
    added, before = row or (0, 0)
    if added * 4 > before > 0:
        connection.execute("INSERT INTO _terms SELECT term, words, place FROM cleared_terms")
        connection.execute("DELETE FROM cleared_terms")
    connection.execute("INSERT INTO cleared_terms SELECT term, words, place FROM _terms ORDER BY term, words, place")
    connection.execute("DROP TABLE _terms")
