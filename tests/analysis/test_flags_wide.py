"""The same rows, byte for byte, whatever reads them: this process, several, or workers that do not see the case."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import analysis.flags
from analysis.batch import Desk
from analysis.claims import Reading
from analysis.flags import analyze
from data.case import Case, open_case
from data.depot import Depot
from data.engine import Engine, Here, Local, Task, WorkFailed, in_order
from data.ingest import take_in
from data.store import reading, writing
from tests.data.cases import small_case, spool_visit

TABLES = ("texts", "passages", "flags", "flags_read", "observation_texts", "listing_fields")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A case read in this process."""
    case = small_case(tmp_path_factory.mktemp("read") / "case", visits=3, pages=3, flags=False)
    analyze(case, lambda _: None)
    return case


@pytest.fixture
def unread(read: Case, tmp_path: Path) -> Case:
    """The same evidence, not read yet."""
    shutil.copytree(read.root, tmp_path / "case")
    (tmp_path / "case" / "case.duckdb").unlink()
    case = open_case(tmp_path / "case")
    with writing(case):
        pass
    return case


def content(case: Case) -> dict[str, list[Any]]:
    """The tables as they stand, row after row."""
    with reading(case) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}


class Elsewhere(Here):
    """This process, which pretends not to see the case's folder; batches come back in another order."""

    @property
    def places(self) -> int:
        return 3

    @property
    def shares_disk(self) -> bool:
        return False

    def run(self, task: Task, items: Iterable[Any], **options: Any) -> Iterator[tuple[int, object]]:
        yield from reversed(list(super().run(task, items, **options)))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis.flags, "_BATCH", 4)
    monkeypatch.setattr(analysis.flags, "_PAGE", 7)
    monkeypatch.setattr(analysis.flags, "_VISITS", 2)
    monkeypatch.setattr(analysis.flags, "_SMALL", 0)


ENGINES: dict[str, Callable[[], Engine]] = {"here": Here, "two processes": lambda: Local(2), "elsewhere": Elsewhere}


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("name", ENGINES)
def test_rows_are_the_same_and_in_the_same_order(read: Case, unread: Case, name: str) -> None:
    summary = analyze(unread, lambda _: None, engine=ENGINES[name]())
    assert content(unread) == content(read)
    assert summary.flags == len(content(read)["flags"]) > 0
    assert summary.texts == 3 * 4


@pytest.mark.usefixtures("small_batches")
def test_workers_read_evidence_from_a_store_and_refuse_what_was_changed_there(
    read: Case, unread: Case, tmp_path: Path
) -> None:
    store = str(tmp_path / "depot")
    analyze(unread, lambda _: None, engine=Elsewhere(), store=store)
    assert content(unread) == content(read)
    depot = Depot(store).of(unread)
    assert all(depot.held(folder.name) for folder in unread.evidence.iterdir())
    warc = next((tmp_path / "depot").rglob("records.warc.gz"))
    data = bytearray(warc.read_bytes())
    data[len(data) // 2] ^= 1
    warc.write_bytes(data)
    with writing(unread) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
    with pytest.raises(Exception, match=r"records\.warc\.gz in the store is not what the visit was closed with"):
        analyze(unread, lambda _: None, engine=Elsewhere(), store=store)


@pytest.mark.usefixtures("small_batches")
def test_a_run_that_was_cut_off_goes_on_where_it_stood(read: Case, unread: Case) -> None:
    class Cut(Exception):
        pass

    def tell(progress: analysis.flags.Progress) -> None:
        if progress.done >= 4:
            raise Cut

    with pytest.raises(Cut):
        analyze(unread, tell, engine=Here())
    before = len(content(unread)["observation_texts"])
    assert 0 < before < 12
    summary = analyze(unread, lambda _: None, engine=Local(2))
    assert summary.texts == 12 - before
    assert content(unread) == content(read)


def test_only_what_is_new_is_read(unread: Case) -> None:
    first = analyze(unread, lambda _: None)
    assert analyze(unread, lambda _: None).texts == 0
    spool_visit(unread, 7)
    take_in(unread)
    again = analyze(unread, lambda _: None)
    assert (first.texts, again.texts) == (12, 5)
    assert not again.reanalysis


def test_labels_that_were_forgotten_are_read_again_and_are_the_same() -> None:
    readings = {bytes([number]): Reading(f"We delete every photo after {number + 1} hours.") for number in range(9)}
    wide, narrow = Desk(None), Desk(None, kept=2)
    expected = wide.labels(readings)
    assert narrow.labels(readings) == expected
    assert len(narrow._labels) == 2
    assert narrow.labels(readings) == expected
    assert any(expected.values())


def fails(item: int, tell: Callable[[object], None]) -> None:
    """A task that cannot do its third item."""
    if item == 2:
        raise ValueError("the third item is at fault")
    tell(item)


def test_work_that_fails_says_why() -> None:
    with pytest.raises(WorkFailed, match="the third item is at fault"):
        list(in_order(Local(2), fails, range(5)))


def dies_once(item: tuple[str, int], tell: Callable[[object], None]) -> None:
    """A task whose worker dies the first time it meets an odd number."""
    import os

    folder, number = item
    mark = Path(folder) / str(number)
    if number % 2 and not mark.exists():
        mark.touch()
        os._exit(9)
    tell(number)


def test_items_of_a_worker_that_died_are_given_to_another(tmp_path: Path) -> None:
    items = [(str(tmp_path), number) for number in range(5)]
    assert list(in_order(Local(2), dies_once, items)) == [0, 1, 2, 3, 4]


def always_dies(item: int, tell: Callable[[object], None]) -> None:
    """A task that no worker outlives."""
    import os

    os._exit(7)


def test_an_item_that_no_worker_outlives_is_given_up() -> None:
    with pytest.raises(WorkFailed, match="exit code 7"):
        list(in_order(Local(1), always_dies, [1]))


def test_no_item_is_begun_far_ahead_of_the_oldest() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            begun.append(number)
            yield number

    results = in_order(Local(1), echo, items())
    next(results)
    assert len(begun) <= 2 * 1 + 2 + 1
    results.close()


def echo(item: int, tell: Callable[[object], None]) -> None:
    tell(item)
