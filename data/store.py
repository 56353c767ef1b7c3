"""``case.duckdb``: the index of a case, made from evidence and ledger, and made again whenever it is missing.

DuckDB lets one process write or many read. Every opening is short and holds a lock beside the file, shared to read and
exclusive to write, so that a query waits for a moment instead of failing while a sweep is being taken in.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from data.case import Case
from data.disk import sync_folder
from data.records import Observation, Service, Visit
from data.spool import VISIT, read_addresses, read_attempts, read_visit

if TYPE_CHECKING:
    import pyarrow as pa

_WAIT_SECONDS = 120.0
_CATCHING_UP = 4
_JSON_COLUMNS = frozenset({"hops", "tls", "headers", "redactions", "page", "policy", "provenance"})


class IndexBusy(Exception):
    """Another process held the index for too long; the message says what to do."""


class IndexTooNew(Exception):
    """The index was made by a later version; the message says what to do."""


class IndexDamaged(Exception):
    """The index cannot be read; the message says what to do. Nothing of the record is lost with it."""


@contextlib.contextmanager
def reading(case: Case, *, as_it_is: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection. What was taken in since the index was last written is taken in first, except *as_it_is*.

    Raises ``IndexDamaged`` where it cannot be read, ``IndexBusy``.
    """
    for attempt in range(_CATCHING_UP):
        with _locked(case, fcntl.LOCK_SH):
            if case.index.exists():
                connection = _open(case.index, read_only=True)
                try:
                    # While a sweep runs, the next entry is always on its way: after a few rounds the answer is as of now.
                    if as_it_is or is_current(case, connection) or attempt == _CATCHING_UP - 1:
                        yield connection
                        return
                finally:
                    connection.close()
        with writing(case):
            pass


@contextlib.contextmanager
def writing(case: Case) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that may write, brought up to date with evidence and ledger; keep it short."""
    with _locked(case, fcntl.LOCK_EX):
        connection = _open(case.index)
        try:
            _migrate(connection)
            _catch_up(case, connection)
            yield connection
        finally:
            connection.close()


def make_again(case: Case) -> None:
    """Make the index from nothing but evidence and ledger. The old one stays until the new one is whole."""
    new = case.index.with_name(case.index.name + ".new")
    log, new_log = (path.with_name(path.name + ".wal") for path in (case.index, new))
    with _locked(case, fcntl.LOCK_EX):
        for left in (new, new_log):
            left.unlink(missing_ok=True)
        try:
            write_index(case, new)
            if log.exists():
                # A killed writer's log belongs to the old file alone; beside the new one it would be replayed into it.
                case.index.unlink(missing_ok=True)
                log.unlink()
            new.replace(case.index)
            sync_folder(case.root)
        except BaseException:
            for left in (new, new_log):
                left.unlink(missing_ok=True)
            raise


def write_index(case: Case, path: Path) -> None:
    """Write to *path*, a new file, the index that evidence and ledger give."""
    connection = _open(path)
    try:
        _migrate(connection)
        _catch_up(case, connection)
    finally:
        connection.close()


def recorded_tables() -> dict[str, str]:
    """The tables that evidence and ledger give directly, each with what names a row of it."""
    return {
        "services": "service",
        "visits": "visit",
        "observations": "observation",
        "addresses": "visit || ' ' || url",
        "decisions": "decision",
        "samples": "sample",
        "sample_strata": "sample || ' ' || stratum",
        "assignments": "sample || ' ' || unit || ' ' || coder",
    }


def _open(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
        connection.execute("SET enable_progress_bar = false")  # a slow question would draw it among the rows on stdout
        return connection
    except duckdb.Error as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise IndexDamaged(
            f"{path.name} cannot be opened ({str(error).splitlines()[0][:200]}). The record is not touched by this; make "
            "the index again with: plainview rebuild"
        ) from error


@contextlib.contextmanager
def _locked(case: Case, kind: int) -> Iterator[None]:
    with (case.root / "case.lock").open("a") as lock:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise IndexBusy(
                        f"{case.index.name} has been in use by another command for {_WAIT_SECONDS:g} seconds. "
                        "Wait for it to finish and try again; nothing was changed."
                    ) from None
                time.sleep(0.02)
        yield


def migrations() -> list[tuple[int, str]]:
    """The schema files in order: number and SQL."""
    folder = resources.files("data").joinpath("schema")
    files = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name.partition("-")[0]), folder.joinpath(name).read_text(encoding="utf-8")) for name in files]


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    connection.execute("CREATE TABLE IF NOT EXISTS index_mark (ledger_bytes BIGINT NOT NULL, visits BIGINT NOT NULL)")
    applied = {row[0] for row in connection.execute("SELECT version FROM schema_version").fetchall()}
    known = migrations()
    version = max(applied, default=0)
    if version > known[-1][0]:
        raise IndexTooNew(
            f"The index was made by a later version (schema {version}, this is {known[-1][0]}). Install that version, "
            "or make the index again with: plainview rebuild"
        )
    for number, sql in known:
        # By number, not by the highest: files of two lines of work may arrive in either order.
        if number not in applied:
            with transaction(connection):
                connection.execute(sql)
                connection.execute("INSERT INTO schema_version VALUES (?)", [number])
                connection.execute("DELETE FROM index_mark")  # new tables are filled from what is on the ledger


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # DuckDB has rolled back by itself where the statement was at fault
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def append(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Add *rows* to *table* by column name; lists and objects of JSON columns become JSON text."""
    if not rows:
        return
    import pyarrow as pa  # only who writes pays for it: a query answers in half the time without

    columns = list(rows[0])
    arrow = pa.table({name: _column(name, [row[name] for row in rows]) for name in columns})
    names = ", ".join(f'"{name}"' for name in columns)
    connection.register("_rows", arrow)
    try:
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM _rows")  # noqa: S608 - our own names
    finally:
        connection.unregister("_rows")


def _column(name: str, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    if name in _JSON_COLUMNS:
        return pa.array(
            [None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values],
            pa.string(),
        )
    if values and isinstance(values[0], tuple | list):
        return pa.array([list(value) for value in values], pa.list_(pa.string()))
    return pa.array(values)


# --- catching up with evidence and ledger


def is_current(case: Case, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the index was told of all that ledger and evidence hold. By size and number: clocks can be set back."""
    try:
        row = connection.execute("SELECT ledger_bytes, visits FROM index_mark").fetchone()
        applied = {number for (number,) in connection.execute("SELECT version FROM schema_version").fetchall()}
    except duckdb.CatalogException:
        return False
    return row == _mark(case) and applied >= {number for number, _ in migrations()}


def _mark(case: Case) -> tuple[int, int]:
    try:
        size = case.ledger.path.stat().st_size
    except FileNotFoundError:
        size = 0
    return size, len(_evidence_folders(case))


def _evidence_folders(case: Case) -> list[Path]:
    if not case.evidence.exists():
        return []
    return sorted(path for path in case.evidence.iterdir() if (path / VISIT).exists())


def _catch_up(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    if is_current(case, connection):
        return
    try:
        _take_in_missing(case, connection)
    except (duckdb.ConstraintException, duckdb.CatalogException) as error:
        raise IndexDamaged(
            f"{case.index.name} does not fit the evidence ({str(error).splitlines()[0][:200]}). Make it again with: "
            "plainview rebuild"
        ) from error


def _take_in_missing(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    from data.review import take_in_review

    mark = _mark(case)
    known = {row[0] for row in connection.execute("SELECT visit FROM visits").fetchall()}
    services = list(case.services().values())
    with transaction(connection):
        connection.execute("DELETE FROM services")
        append(connection, "services", [_service_row(service) for service in services])
        for folder in _evidence_folders(case):
            if folder.name not in known:
                _take_in(connection, folder)
        take_in_review(case, connection)
        connection.execute("DELETE FROM index_mark")
        connection.execute("INSERT INTO index_mark VALUES (?, ?)", list(mark))


def _take_in(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    visit = read_visit(folder)
    append(connection, "visits", [_visit_row(visit)])
    for batch in _batches(read_attempts(folder), 5000):
        append(connection, "observations", [_observation_row(item) for item in batch])
    for seen in _batches(read_addresses(folder), 20_000):
        rows = [{"visit": visit.visit, **item.as_json()} for item in seen]
        append(connection, "addresses", rows)


def _service_row(service: Service) -> dict[str, Any]:
    return service.as_json()


def _visit_row(visit: Visit) -> dict[str, Any]:
    columns = (
        "visit",
        "service",
        "started",
        "ended",
        "outcome",
        "reason",
        "observations",
        "addresses",
        "partial",
        "resumed",
        "environment",
        "policy",
        "head",
        "provenance",
    )
    values = visit.as_json()
    return {name: values[name] for name in columns}


def _observation_row(observation: Observation) -> dict[str, Any]:
    return observation.as_json()


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch


def observations(
    connection: duckdb.DuckDBPyConnection, where: str = "", values: Sequence[Any] = ()
) -> Iterator[Observation]:
    """Observations as records, in the order of visit and sequence. *where* is SQL of the caller's own, without page text."""
    sql = f"SELECT * FROM observations {('WHERE ' + where) if where else ''} ORDER BY visit, seq"  # noqa: S608
    cursor = connection.execute(sql, list(values))
    names = [item[0] for item in cursor.description]
    while rows := cursor.fetchmany(2000):
        for row in rows:
            yield Observation.from_json({name: _plain(name, value) for name, value in zip(names, row, strict=True)})


def _plain(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON_COLUMNS and isinstance(value, str) else value


def rows(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any] | dict[str, Any] = ()
) -> list[dict[str, Any]]:
    """The result of a query of the house, with values by place or by name, as a list of dictionaries by column name."""
    cursor = connection.execute(sql, values if isinstance(values, dict) else list(values))
    names = [item[0] for item in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
