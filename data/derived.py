"""What an analysis left in the index, in one hash a table: so that the ledger vouches for flags and findings as well.

Evidence is compared row by row with an index made again; what was read out of it would have to be read again for that.
Instead the entry of the run that made it (``analysis.run``, ``findings.run``) holds, for each table, its columns, its
number of rows and a SHA-256 over all rows in the order of their own hashes. The rows are those of the whole case, so a
run that only read what was new vouches for what was there before as well.
"""

# The SQL is put together from names of our own tables.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import duckdb

from data.case import Case

TABLES: Final = {
    "analysis.run": ("texts", "observation_texts", "passages", "flags", "listing_fields"),
    "findings.run": (
        "findings",
        "finding_sides",
        "finding_searches",
        "operator_links",
        "operator_edges",
        "operator_clusters",
        "changes",
    ),
}
# Words that stand elsewhere and are compared there: texts by their own hash, a passage's by its place in its text.
_ELSEWHERE: Final = {"texts": {"text"}, "passages": {"text"}}


def contents(connection: duckdb.DuckDBPyConnection, event: str) -> dict[str, dict[str, Any]]:
    """Table name to ``columns``, ``rows`` and ``sha256``, for the tables that a run of kind *event* makes."""
    found = {}
    for table in TABLES[event]:
        columns = [name for name in _columns(connection, table) if name not in _ELSEWHERE.get(table, ())]
        number, digest = _digest(connection, table, columns)
        found[table] = {"columns": columns, "rows": number, "sha256": digest}
    return found


def differences(case: Case, connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Each table that does not hold the rows that the last run put on the ledger, and what is wrong with it.

    An index that was made again and not analysed since holds no row of any of them, which is not a difference.
    """
    last = {entry.event: entry for entry in case.ledger.events(*TABLES) if "tables" in entry.body}
    for event, entry in last.items():
        tables = {name: facts for name, facts in entry.body["tables"].items() if name in TABLES[event]}
        if not any(connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchall() for name in tables):
            continue
        for name, facts in tables.items():
            columns = facts["columns"]
            if not set(columns) <= _columns(connection, name).keys():
                yield name, "has not the columns it had"
                continue
            number, digest = _digest(connection, name, columns)
            if (number, digest) != (facts["rows"], facts["sha256"]):
                what = f"{number} rows, not {facts['rows']}" if number != facts["rows"] else "a row was changed"
                yield name, f"is not what the run of entry {entry.seq} put on the ledger ({what})"


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    sql = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND NOT internal ORDER BY column_index"
    return dict(connection.execute(sql, [table]).fetchall())


def _digest(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> tuple[int, str]:
    """Number of rows and the hash of their hashes. Fractions count in millionths: how they print is no promise of DuckDB."""
    types = _columns(connection, table)
    values = ", ".join(
        f'CAST(round("{name}" * 1000000) AS BIGINT)' if types[name] in ("DOUBLE", "FLOAT") else f'"{name}"'
        for name in columns
    )
    row = connection.execute(
        f"""SELECT count(*), sha256(coalesce(string_agg(row, '' ORDER BY row), ''))
            FROM (SELECT sha256(CAST(json_array({values}) AS VARCHAR)) AS row FROM {table})"""
    ).fetchone()
    assert row is not None
    return row[0], row[1]
