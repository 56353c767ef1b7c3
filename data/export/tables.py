"""The tables of an export: CSV for spreadsheets, JSON Lines to check, Parquet to compute with; and what each column means."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from data.codebook import load_codebook
from data.spreadsheet import FORMULA

# Each is of the visits and texts in the export alone. Sensitive flags, and the passages and texts they stand in, are in
# none of them. The SQL is put together from the constants of this file alone.
# ruff: noqa: S608
_TEXTS = """SELECT DISTINCT ot.text_id FROM observation_texts ot JOIN observations o USING (observation)
            WHERE o.visit IN (SELECT unnest($visits::VARCHAR[]))"""
_PLAIN_TEXTS = f"{_TEXTS} AND ot.text_id NOT IN (SELECT text_id FROM flags WHERE sensitive)"
_PLAIN_UNIT = "unit NOT IN (SELECT unit FROM units WHERE sensitive)"
_FINDINGS = """SELECT finding FROM findings WHERE NOT sensitive AND list_has_all($services::VARCHAR[], services)
               AND NOT list_has_any(codes, $referral::VARCHAR[])"""
_BOTH = "a IN (SELECT unnest($services::VARCHAR[])) AND b IN (SELECT unnest($services::VARCHAR[]))"
QUERIES: dict[str, str] = {
    "services": "SELECT * FROM services WHERE service IN (SELECT unnest($services::VARCHAR[])) ORDER BY service",
    "visits": "SELECT * FROM visits WHERE visit IN (SELECT unnest($visits::VARCHAR[])) ORDER BY visit",
    "observations": """SELECT * REPLACE (CASE WHEN page IS NOT NULL AND observation IN (SELECT ot.observation FROM observation_texts ot
                       JOIN flags f USING (text_id) WHERE f.sensitive) THEN json_merge_patch(page, '{"title": ""}') ELSE page END AS page)
                       FROM observations WHERE visit IN (SELECT unnest($visits::VARCHAR[])) ORDER BY visit, seq""",
    "addresses": "SELECT * FROM addresses WHERE visit IN (SELECT unnest($visits::VARCHAR[])) ORDER BY visit, rowid",
    "texts": f"SELECT * EXCLUDE (text) FROM texts WHERE text_id IN ({_PLAIN_TEXTS}) ORDER BY text_id",
    "observation_texts": f"""SELECT ot.* FROM observation_texts ot JOIN observations o USING (observation)
                             WHERE ot.text_id IN ({_PLAIN_TEXTS}) AND o.visit IN (SELECT unnest($visits::VARCHAR[]))
                             ORDER BY observation, text_id""",
    "passages": f"SELECT * FROM passages WHERE text_id IN ({_PLAIN_TEXTS}) ORDER BY text_id, ordinal",
    "flags": f"""SELECT * EXCLUDE (sensitive) FROM flags WHERE NOT sensitive AND text_id IN ({_TEXTS})
                 ORDER BY text_id, start, "end", code, stance, flag""",
    "listing_fields": f"""SELECT * FROM listing_fields WHERE text_id IN ({_PLAIN_TEXTS})
                          ORDER BY text_id, reader, field, ordinal""",
    "decisions": f"""SELECT * FROM decisions WHERE service IN (SELECT unnest($services::VARCHAR[]))
                     AND {_PLAIN_UNIT} AND NOT list_has_any(list_transform(labels, lambda x: split_part(x, ' ', 1)),
                     $referral::VARCHAR[]) AND split_part(machine, ' ', 1) NOT IN (SELECT unnest($referral::VARCHAR[]))
                     ORDER BY entry, decision""",
    "samples": "SELECT * FROM samples ORDER BY entry, sample",
    "sample_strata": "SELECT * FROM sample_strata ORDER BY sample, stratum",
    "assignments": f"""SELECT * FROM assignments WHERE service IN (SELECT unnest($services::VARCHAR[])) AND {_PLAIN_UNIT}
                       ORDER BY sample, place, coder""",
    "findings": f"SELECT * EXCLUDE (sensitive) FROM findings WHERE finding IN ({_FINDINGS}) ORDER BY finding",
    "finding_sides": f"""SELECT * FROM finding_sides WHERE finding IN ({_FINDINGS})
                         ORDER BY finding, number, part, observation""",
    "finding_searches": f"""SELECT * FROM finding_searches WHERE finding IN ({_FINDINGS})
                            ORDER BY finding, url, observation""",
    "changes": """SELECT * FROM changes WHERE service IN (SELECT unnest($services::VARCHAR[]))
                  AND NOT list_has_any(codes, $referral::VARCHAR[])
                  AND NOT list_has_any(flags, (SELECT list(flag) FROM flags WHERE sensitive)) ORDER BY change""",
    "operator_links": f"SELECT * FROM operator_links WHERE {_BOTH} ORDER BY link",
    "operator_edges": f"SELECT * FROM operator_edges WHERE {_BOTH} ORDER BY edge",
    "operator_clusters": """SELECT * FROM operator_clusters WHERE service IN (SELECT unnest($services::VARCHAR[]))
                            ORDER BY cluster, service""",
    "analyses": "SELECT * FROM analyses ORDER BY analysis",
}
# Tables of the index that no export holds, each with the reason.
LEFT_OUT = {
    "schema_version": "the index's own mark",
    "index_mark": "the index's own mark",
    "findings_made": "which evidence an analysis has looked at: the analysis's own mark",
    "flags_read": "which texts an analysis has read: the analysis's own mark",
    "cleared_words": "an index for lists and searches, made again from passages and flags",
    "cleared_passages": "an index for lists and searches, made again from passages and flags",
    "cleared_flags": "an index for lists and searches, made again from passages and flags",
    "cleared_terms": "an index for lists and searches, made again from passages and flags",
    "cleared_texts": "which texts that index holds: its own mark",
}


@functools.cache
def dictionary() -> dict[str, dict[str, Any]]:
    """Table name to ``about`` and ``columns`` (name to sentence), from ``dictionary.toml``."""
    text = resources.files("data.export").joinpath("dictionary.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = tomllib.loads(text)
    return found


def write_tables(
    connection: duckdb.DuckDBPyConnection, folder: Path, visits: Sequence[str], services: Sequence[str]
) -> dict[str, int]:
    """Write every table in three formats to *folder*; table name to number of rows."""
    folder.mkdir()
    counts = {}
    chosen = {"visits": visits, "services": services, "referral": sorted(load_codebook().referral_codes)}
    for name, sql in QUERIES.items():
        values = {key: list(value) for key, value in chosen.items() if f"${key}" in sql}
        connection.execute(f"CREATE OR REPLACE TEMP TABLE _export AS {sql}", values)
        columns = connection.execute("DESCRIBE _export").fetchall()
        counts[name] = _count(connection)
        plain = ", ".join(f'"{column[0]}"' for column in columns)
        harmless = ", ".join(_harmless(column[0], column[1]) for column in columns)
        _copy(connection, plain, folder / f"{name}.jsonl", "FORMAT json")
        _copy(connection, harmless, folder / f"{name}.csv", "FORMAT csv, HEADER true")
        _copy(connection, plain, folder / f"{name}.parquet", "FORMAT parquet, COMPRESSION zstd")
    connection.execute("DROP TABLE IF EXISTS _export")
    (folder / "data-dictionary.txt").write_text(_dictionary_text(), encoding="utf-8")
    return counts


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT count(*) FROM _export").fetchone()
    return int(row[0]) if row else 0


def _copy(connection: duckdb.DuckDBPyConnection, columns: str, path: Path, form: str) -> None:
    target = str(path).replace("'", "''")
    connection.execute(f"COPY (SELECT {columns} FROM _export ORDER BY rowid) TO '{target}' ({form})")


def _harmless(name: str, kind: str) -> str:
    """A column for a spreadsheet: a text that begins like a formula gets an apostrophe (OWASP: CSV injection)."""
    if kind in ("BIGINT", "INTEGER", "DOUBLE", "BOOLEAN"):
        return f'"{name}"'
    text = f'"{name}"::VARCHAR'
    return f"CASE WHEN regexp_matches({text}, '{FORMULA}') THEN '''' || {text} ELSE {text} END AS \"{name}\""


def _dictionary_text() -> str:
    lines = [
        "What the tables hold. Each stands here as CSV (for a spreadsheet; a text that would be taken for a formula",
        "begins with an apostrophe), JSON Lines and Parquet. Times are UTC and end in Z.",
        "",
    ]
    for table, entry in dictionary().items():
        lines += [table, f"    {entry['about']}", ""]
        lines += [f"    {column:<16} {meaning}" for column, meaning in entry["columns"].items()]
        lines.append("")
    return "\n".join(lines)
