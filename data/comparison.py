"""Whether ``case.duckdb`` says what the evidence says: found by making the index again and comparing every row."""

# The SQL is put together from names of our own tables.
# ruff: noqa: S608

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from data.case import Case
from data.derived import differences
from data.store import IndexDamaged, is_current, reading, recorded_tables, write_index
from data.verify import Problem


def compare_index(case: Case) -> Iterator[Problem]:
    """Each table of the index that does not hold the rows that evidence and ledger give, and each derived text or quote
    that does not fit its own hash or place. A missing index is no problem: it is made when it is next asked for."""
    if not case.index.exists():
        return
    name = case.index.name
    with tempfile.TemporaryDirectory(prefix="plainview-") as folder:
        fresh = Path(folder) / "fresh.duckdb"
        try:
            with reading(case, as_it_is=True) as connection:
                write_index(case, fresh)
                connection.execute(f"ATTACH '{fresh}' AS fresh (READ_ONLY)")
                yield from _recorded(connection, name, current=is_current(case, connection))
                yield from _derived(connection, name)
                for table, what in differences(case, connection):
                    yield Problem(name, f"table {table}: {what}. Make it again: plainview rebuild")
        except (duckdb.Error, IndexDamaged) as error:
            yield Problem(name, f"cannot be read: {str(error).splitlines()[0][:200]}. Make it again: plainview rebuild")


def _recorded(connection: duckdb.DuckDBPyConnection, name: str, *, current: bool) -> Iterator[Problem]:
    """An index that lags behind is compared as far as it goes: what is missing is taken in when it is next opened."""
    for table, key in recorded_tables().items():
        of_visits = table in ("visits", "observations", "addresses")
        if not of_visits and not current:
            continue
        known = "" if current else "WHERE visit IN (SELECT visit FROM visits)"
        for mine, theirs, what in (
            (
                f"SELECT * FROM {table}",
                f"SELECT * FROM fresh.{table} {known}",
                "is in the index and not as in the evidence",
            ),
            (
                f"SELECT * FROM fresh.{table} {known}",
                f"SELECT * FROM {table}",
                "is in the evidence and not in the index",
            ),
        ):
            sql = f"SELECT {key} FROM ({mine} EXCEPT ALL {theirs}) ORDER BY 1 LIMIT 3"
            for row in connection.execute(sql).fetchall():
                yield Problem(name, f"table {table}: {row[0]} {what}")


_CHECKS = {
    "texts": (
        "text_id",
        "SELECT text_id FROM texts WHERE sha256(text) <> text_sha256",
        "its text does not have the hash beside it",
    ),
    "passages": (
        "text_id",
        """SELECT p.text_id || ' passage ' || p.ordinal FROM passages p LEFT JOIN texts t USING (text_id)
           WHERE t.text IS NULL OR substring(t.text, p.start + 1, p."end" - p.start) <> p.text""",
        "its words do not stand at that place of the text",
    ),
    "flags": (
        "flag",
        """SELECT f.flag FROM flags f LEFT JOIN texts t USING (text_id)
           WHERE t.text IS NULL OR substring(t.text, f.start + 1, f."end" - f.start) <> f.quote""",
        "its quote does not stand at that place of the text",
    ),
    "observation_texts": (
        "observation",
        """SELECT ot.observation FROM observation_texts ot LEFT JOIN observations o USING (observation)
           LEFT JOIN texts t ON t.text_id = ot.text_id
           WHERE o.observation IS NULL OR t.text_id IS NULL OR o.stored_sha256 <> t.stored_sha256""",
        "its text is not one read from what it stored",
    ),
}


def _derived(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[Problem]:
    for table, (_, sql, what) in _CHECKS.items():
        for row in connection.execute(f"{sql} LIMIT 3").fetchall():
            yield Problem(name, f"table {table}: {row[0]}: {what}")
