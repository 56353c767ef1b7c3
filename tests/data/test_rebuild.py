"""The index is a convenience: made again from evidence and ledger, it answers every query as before."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from data import store
from data.case import Case
from data.comparison import compare_index
from data.decisions import make_decision, record
from data.rebuild import rebuild
from data.sampling import What, draw_sample
from data.store import IndexDamaged, reading, recorded_tables
from tests.data.cases import mark


def contents(case: Case, tables: set[str] | None = None) -> dict[str, list[tuple[object, ...]]]:
    with reading(case) as connection:
        names = tables or {
            row[0]
            for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
            if row[0] not in ("index_mark", "schema_version")
        }
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in sorted(names)}


def review(case: Case) -> None:
    """A sample drawn for two coders, and one word of one of them."""
    with reading(case) as connection:
        sample = draw_sample(case, connection, what=What.FLAGS, size=3, seed=7, coders=("ana", "ben"))
    unit = sample.units[0]
    record(case, make_decision(coder="ana", unit=unit["unit"], kind="flag", service=unit["service"], verdict="unsure"))


def test_every_table_that_evidence_and_ledger_give_is_the_same_after_rebuild(case: Case) -> None:
    review(case)
    tables = set(recorded_tables())
    before = contents(case, tables)
    assert all(before[name] for name in tables)
    rebuild(case)
    assert contents(case, tables) == before
    assert list(compare_index(case)) == []


def test_every_query_of_the_house_is_the_same_after_rebuild_and_analysis(case: Case) -> None:
    before = contents(case)
    rebuild(case)
    assert contents(case)["flags"] == []
    mark(case)
    assert contents(case) == before


@pytest.mark.parametrize("damage", ["delete", "empty", "garbage", "half"])
def test_a_damaged_index_is_made_again(case: Case, damage: str) -> None:
    before = contents(case, set(recorded_tables()))
    index = case.index
    data = index.read_bytes()
    match damage:
        case "delete":
            index.unlink()
        case "empty":
            index.write_bytes(b"")
        case "garbage":
            index.write_bytes(b"garbage" * 1000)
        case "half":
            index.write_bytes(data[: len(data) // 2])
    if damage == "garbage":
        with pytest.raises(IndexDamaged, match="plainview rebuild"), reading(case):
            pass
    rebuild(case)
    assert contents(case, set(recorded_tables())) == before


def test_a_killed_writers_log_is_never_replayed_into_the_new_index(case: Case) -> None:
    log = case.index.with_name("case.duckdb.wal")
    log.write_bytes(b"left by somebody else")
    rebuild(case)
    assert not log.exists()
    assert list(compare_index(case)) == []


def test_a_rebuild_that_fails_leaves_the_old_index_as_it_was(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before = case.index.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "write_index", full)
    with pytest.raises(OSError, match="No space left"):
        rebuild(case)
    assert case.index.read_bytes() == before
    assert not list(case.root.glob("*.new"))


def test_an_index_of_a_later_version_says_so(case: Case) -> None:
    with duckdb.connect(str(case.index)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (9999)")
    case.record("services.added", {"services": []})
    with pytest.raises(store.IndexTooNew, match="later version"), reading(case):
        pass


def test_the_index_lies_where_the_case_lies(case: Case) -> None:
    rebuild(case)
    assert {path.name for path in Path(case.root).glob("case.duckdb*")} == {"case.duckdb"}
