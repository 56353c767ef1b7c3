"""The ledger vouches for what an analysis put in the index: run by run, and for everything that was there before."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from analysis.findings import find
from analysis.flags import analyze
from data.case import Case
from data.comparison import compare_index
from data.ingest import take_in
from data.rebuild import rebuild
from data.store import reading
from tests.data.cases import small_case, spool_visit


def run(case: Case) -> None:
    analyze(case, lambda _: None)
    find(case, lambda _: None)


def wrong(case: Case) -> list[str]:
    return [str(item) for item in compare_index(case)]


def change(case: Case, sql: str) -> None:
    with reading(case):
        pass
    with duckdb.connect(str(case.index)) as connection:
        assert connection.execute(sql).fetchall()[0][0] > 0


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Two visits, read in two runs."""
    case = small_case(tmp_path_factory.mktemp("vouched") / "case", visits=1, pages=1, flags=False)
    run(case)
    spool_visit(case, 2, pages=1)
    take_in(case)
    run(case)
    return case


def test_a_run_that_read_only_what_was_new_vouches_for_all_that_is_there(case: Case) -> None:
    first, second = (entry.body["tables"]["flags"]["rows"] for entry in case.ledger.events("analysis.run"))
    assert 0 < first < second
    assert wrong(case) == []


@pytest.mark.slow
def test_a_run_that_reads_everything_again_gives_the_same_hashes(case: Case, tmp_path: Path) -> None:
    before = [entry.body["tables"] for entry in case.ledger.events("analysis.run", "findings.run")][-2:]
    rebuild(case)
    assert wrong(case) == [], "made again and not analysed since: nothing is there that could be wrong"
    run(case)
    assert [entry.body["tables"] for entry in case.ledger.events("analysis.run", "findings.run")][-2:] == before
    assert wrong(case) == []


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("flags", "DELETE FROM flags WHERE flag = (SELECT max(flag) FROM flags)"),
        ("findings", "UPDATE findings SET status = 'undecided'"),
        ("finding_searches", "DELETE FROM finding_searches"),
        ("passages", "UPDATE passages SET zone = 'footer' WHERE ordinal = 1"),
    ],
)
def test_what_was_changed_in_the_index_since_is_named(case: Case, table: str, sql: str) -> None:
    kept = case.index.read_bytes()
    change(case, sql)
    found = wrong(case)
    case.index.write_bytes(kept)
    assert any(f"table {table}: is not what the run of entry" in item for item in found), found
    assert all("plainview rebuild" in item for item in found if "the run of entry" in item)
