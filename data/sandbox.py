"""A room for SQL of a person's own: reads a few documented views of a case, and nothing else of the machine.

Four walls, each enough alone for what it stands against. The statement is read by DuckDB's own parser and only a SELECT over
the views passes, with no function that reaches outside. The connection has no files, no network, no extensions, and its
settings are locked. The index is attached read only under a name drawn at random. Time, memory and rows are bounded.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import resource
import secrets
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import duckdb

from data.case import Case
from data.codebook import load_codebook
from data.store import reading

MOST_ROWS: Final = 1_000_000
_TABLE_FUNCTIONS: Final = frozenset({"unnest", "range", "generate_series"})
# What reaches files, settings, the environment, other statements or the inside of the index.
_DENIED: Final = re.compile(
    r"getenv|current_setting|getvariable|setseed|query|query_table|read_.*|write_.*|.*_scan|.*_scan_.*|glob|sniff_csv|parquet_.*|"
    r"json_(?:de)?serialize.*|json_execute.*|duckdb_.*|pragma_.*|pg_.*|nextval|currval|stats|which_secret|storage_info|"
    r"current_database|current_schemas?|in_search_path|txid_current|error|sleep.*|create_sort_key|getdatabase.*|to_arrow.*"
)


_PLAIN_NAME: Final = re.compile(r"(?!duckdb_|pg_|sqlite_|pragma_|information_schema)[a-z_][a-z0-9_]*")


class SqlRefused(ValueError):
    """The statement does not pass, or did not run to its end; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class View:
    """One view: what it holds, and its columns with a sentence each."""

    name: str
    about: str
    columns: dict[str, str]
    sql: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a statement. ``more`` says that there were more than asked for."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    more: bool


@cache
def views() -> dict[str, View]:
    """The views by name, from ``views.toml``."""
    text = resources.files("data").joinpath("views.toml").read_text(encoding="utf-8")
    return {
        name: View(name, entry["about"], entry["columns"], entry["sql"].strip())
        for name, entry in tomllib.loads(text).items()
    }


def ask(case: Case, statement: str, *, most: int = MOST_ROWS, seconds: float = 30.0, memory_mb: int = 1024) -> Answer:
    """Run one SELECT over the views. Raises ``SqlRefused``; ``KeyboardInterrupt`` ends it at once."""
    with _room(case, memory_mb) as connection, _bounded(memory_mb):
        check(connection, statement)
        columns, found = _run(connection, statement, most + 1, seconds, memory_mb)
    rows = [dict(zip(columns, row, strict=True)) for row in found[:most]]
    return Answer(columns, rows, len(found) > most)


def _run(
    connection: duckdb.DuckDBPyConnection, statement: str, most: int, seconds: float, memory_mb: int
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Run *statement* in a thread: DuckDB does not look for Ctrl-C while it computes, the thread that waits does."""
    answered: list[tuple[tuple[str, ...], list[tuple[Any, ...]]]] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            cursor = connection.execute(statement)
            answered.append((_distinct([item[0] for item in cursor.description or ()]), cursor.fetchmany(most)))
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    done = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    try:
        done.wait(seconds)
    finally:
        late = not done.is_set()
        if late:
            connection.interrupt()
            done.wait()
    if answered:
        return answered[0]
    if late:
        raise SqlRefused(
            f"The statement took longer than {seconds:g} seconds and was stopped. Narrow it, or allow more: --seconds"
        )
    error = failed[0]
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        raise SqlRefused(
            f"The statement needs more than {memory_mb} MB and was stopped. Narrow it, or allow more: --memory"
        )
    if isinstance(error, duckdb.Error):
        raise SqlRefused(explained(error))
    raise error


def check(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Raise ``SqlRefused`` unless *statement* is one SELECT over the views with functions that stay inside."""
    try:
        count = len(duckdb.extract_statements(statement))
    except duckdb.Error as error:
        raise SqlRefused(explained(error)) from None
    if count != 1:
        raise SqlRefused(
            "Give one statement." if count else "There is no statement. Try: plainview sql 'FROM flags LIMIT 5'"
        )
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement.strip().rstrip(";")]).fetchone()
    read: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if read["error"]:
        said = read.get("error_message", "")
        raise SqlRefused(
            "Only SELECT can be asked here; nothing is written, loaded or attached."
            if "Only SELECT" in said
            else said.splitlines()[0][:300] or "The statement cannot be read."
        )
    nodes = list(_nodes(read["statements"]))
    named = {entry["key"].lower() for node in nodes for entry in (node.get("cte_map") or {}).get("map", ())}
    for name in named:
        # A name that means something outside would mean that again where the part it names cannot be seen.
        if not _PLAIN_NAME.fullmatch(name):
            raise SqlRefused(f"WITH {name}: choose another name for that part.")
    for node in nodes:
        _check_node(node, named)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _nodes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part)


def _check_node(node: dict[str, Any], named: set[str]) -> None:
    kind, path = node.get("type"), (node.get("qualified_name") or {}).get("path") or []
    if kind == "BASE_TABLE":
        if len(path) != 1 or path[0].lower() not in views().keys() | named:
            raise SqlRefused(_no_such(".".join(path), "view", list(views())))
    elif kind == "SHOW_REF":
        if not node.get("query"):
            raise SqlRefused("The views and their columns are listed by: plainview sql --views")
    elif kind == "TABLE_FUNCTION":
        name = ".".join((node.get("function") or {}).get("qualified_name", {}).get("path") or ["?"])
        if name.lower() not in _TABLE_FUNCTIONS:
            raise SqlRefused(
                f"{name}() cannot be used here: only the views can be read, no files and nothing of the machine."
            )
    if node.get("class") == "FUNCTION" and (len(path) > 1 or _DENIED.fullmatch(path[-1].lower() if path else "")):
        raise SqlRefused(
            f"{'.'.join(path)}() cannot be used here: only the views can be read, no files and nothing of the machine."
        )


@contextlib.contextmanager
def _room(case: Case, memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory with the views over the index. Holds the index's shared lock, as every reader does."""
    inside = f"case_{secrets.token_hex(8)}"
    with reading(case) as held:
        held.close()  # brought up to date, and its lock is ours while the statement runs
        connection = duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "temp_directory": "",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            }
        )
        try:
            path = str(case.index).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS {inside} (READ_ONLY)")
            closed = str(sorted(load_codebook().referral_codes))
            for view in views().values():
                if view.sql:
                    sql = view.sql.format(case=inside, closed=closed)
                    connection.execute(f'CREATE VIEW "{view.name}" AS {sql}')
            connection.execute(
                "CREATE TABLE codes (code VARCHAR, name VARCHAR, title VARCHAR, theory VARCHAR, definition VARCHAR)"
            )
            codes = [[code.id, code.name, code.title, code.theory, code.definition] for code in load_codebook().codes]
            connection.executemany("INSERT INTO codes VALUES (?, ?, ?, ?, ?)", codes)
            connection.execute("SET enable_progress_bar = false")  # it would stand among the rows on stdout
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def _bounded(memory_mb: int) -> Iterator[None]:
    """Bound what the process may ask the system for: a single huge text is not counted by DuckDB's own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    bound = used + (memory_mb + 512) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (bound if hard < 0 else min(bound, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Column names of which no two are the same."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(made)


def explained(error: duckdb.Error) -> str:
    """What DuckDB said, in one line, with the nearest column or view where a name is unknown."""
    said = str(error)
    first = said.splitlines()[0].strip()
    if match := re.search(r'Referenced column "([^"]+)" (?:not found|was not found)', said):
        return _no_such(match[1], "column", _columns_in(said))
    if match := re.search(r'does not have a column named "([^"]+)"', said):
        return _no_such(match[1], "column", _columns_in(said))
    if match := re.search(r"(?:Scalar|Aggregate|Table|Macro)? ?Function with name \"?(\w+)\"? does not exist", said):
        return f"There is no function {match[1]!r}."
    if near := re.search(r'syntax error at (?:or near )?"?([^"\n]*)"?', said):
        return f"The statement cannot be read at {near[1]!r}."
    return first.partition(": ")[2] or first


def _columns_in(said: str) -> list[str]:
    known = {column for view in views().values() for column in view.columns}
    offered = re.findall(r'"(?:\w+\.)?(\w+)"', said.partition("Candidate bindings")[2])
    return [*dict.fromkeys(offered), *sorted(known)]


def _no_such(given: str, what: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given.rpartition(".")[2].lower(), known, n=1, cutoff=0.5)
    there = f" There are: {', '.join(known)}." if what == "view" else " See: plainview sql --views"
    return f"There is no {what} {given!r}.{f' Did you mean {near[0]!r}?' if near else ''}{there}"
