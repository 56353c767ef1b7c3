"""Taking in: several processes at once and queries all the while; nothing lost, nobody sees a lock."""

from __future__ import annotations

import multiprocessing
import queue
import time
from pathlib import Path
from typing import Any

import pytest

from data import clock
from data.case import make_case, open_case
from data.ingest import take_in
from data.store import reading
from data.verify import verify
from tests.data.cases import FACTS, opened, small_case, spool_visit


def test_a_visit_is_on_the_ledger_with_head_count_and_file_hashes_and_its_files_cannot_be_written(
    tmp_path: Path,
) -> None:
    case = small_case(tmp_path / "c", visits=1, flags=False)
    closed = next(iter(case.ledger.events("visit.closed")))
    assert set(closed.body["files"]) == {"visit.json", "attempts.jsonl", "addresses.jsonl", "records.warc.gz"}
    assert closed.body["observations"] == 6
    for path in (case.evidence / closed.body["visit"]).iterdir():
        assert path.stat().st_mode & 0o222 == 0
    assert list(case.spool.iterdir()) == []


def test_taking_in_again_changes_nothing(tmp_path: Path) -> None:
    case = small_case(tmp_path / "c", visits=2, flags=False)
    before = case.ledger.head()
    assert take_in(case) == []
    assert case.ledger.head() == before


def _taking(root: str, stop: float, errors: Any) -> None:
    try:
        case = open_case(Path(root))
        while time.monotonic() < stop:
            take_in(case)
    except Exception as error:
        errors.put(f"taking in: {type(error).__name__}: {error}")


def _asking(root: str, stop: float, errors: Any) -> None:
    try:
        case = open_case(Path(root))
        last = 0
        while time.monotonic() < stop:
            with reading(case) as connection:
                row = connection.execute("SELECT count(*), (SELECT count(*) FROM observations) FROM visits").fetchone()
            assert row is not None
            assert row[1] == row[0] * 5, row
            assert row[0] >= last
            last = row[0]
    except Exception as error:
        errors.put(f"asking: {type(error).__name__}: {error}")


def test_two_processes_take_in_and_one_asks_at_once_without_loss_or_lock_error(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c", FACTS)
    context = multiprocessing.get_context("spawn")
    errors = context.Queue()
    stop = time.monotonic() + 15
    workers = [
        context.Process(target=work, args=(str(case.root), stop, errors)) for work in (_taking, _taking, _asking)
    ]
    for worker in workers:
        worker.start()
    for number in range(1, 26):
        spool_visit(case, number, pages=3)
    for worker in workers:
        worker.join(60)
    found = []
    while True:
        try:
            found.append(errors.get(timeout=0.2))
        except queue.Empty:
            break
    assert found == []
    take_in(case)
    with reading(case) as connection:
        assert connection.execute("SELECT count(*) FROM visits").fetchone() == (25,)
    assert len(list(case.ledger.events("visit.closed"))) == 25
    assert verify(case.root, records=True).problems == []


def test_a_visit_taken_in_after_the_clock_was_set_back_is_seen_by_the_next_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    case = small_case(tmp_path / "c", visits=1, flags=False)
    with reading(case):
        pass
    spool_visit(case, 2)
    folder = case.spool / opened(2).visit
    monkeypatch.setattr(clock, "now", lambda: "2019-01-01T00:00:00.000Z")
    os.utime(case.index, (4_000_000_000, 4_000_000_000))
    from data.ingest import _move, _on_ledger
    from data.spool import read_visit

    _on_ledger(case, folder, read_visit(folder))
    _move(case, folder)
    os.utime(case.evidence, (1, 1))
    os.utime(case.ledger.path, (1, 1))
    with reading(case) as connection:
        assert connection.execute("SELECT count(*) FROM visits").fetchone() == (2,)
