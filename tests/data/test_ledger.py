"""The ledger: append only, chained, safe for several processes, and honest about time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data import clock
from data.canonical import canonical, sha256
from data.ledger import GENESIS, Ledger, LedgerBroken
from data.verify import verify
from tests.data.cases import small_case

TREE = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def test_each_line_is_canonical_and_holds_the_hash_of_the_line_before_and_of_itself(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append("test", {"n": number})
    expected = GENESIS
    for number, raw in enumerate(ledger.path.read_bytes().splitlines(), 1):
        values = json.loads(raw)
        assert canonical(values) == raw
        assert values["seq"] == number
        assert values["prev"] == expected
        assert values.pop("self") == sha256(canonical(values))
        assert values["at"].endswith("Z")
        expected = sha256(raw)
    assert ledger.head().hash == expected
    assert ledger.head().count == 3


def test_an_empty_ledger_has_a_head_of_its_own(ledger: Ledger) -> None:
    assert ledger.head().count == 0
    assert ledger.head().hash == GENESIS
    assert list(ledger.events()) == []


def test_reading_stops_at_a_line_that_does_not_follow(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append("test", {"n": number})
    rows = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(rows[0] + rows[2])
    with pytest.raises(LedgerBroken, match="line 2"):
        list(ledger.events())


def _append(path: str, count: int) -> None:
    for number in range(count):
        Ledger(Path(path)).append("test", {"by": os.getpid(), "n": number})


def test_four_processes_append_at_once_and_nothing_is_lost(ledger: Ledger) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append, args=(str(ledger.path), 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    entries = list(ledger.events())
    assert [entry.seq for entry in entries] == list(range(1, 201))
    for pid in {entry.body["by"] for entry in entries}:
        assert [entry.body["n"] for entry in entries if entry.body["by"] == pid] == list(range(50))


def test_a_clock_that_was_set_back_gives_a_warning_on_record_and_order_stays_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = small_case(tmp_path / "case", visits=1)
    before = case.ledger.head().count
    monkeypatch.setattr(clock, "now", lambda: "2019-01-01T00:00:00.000Z")
    entry = case.record("services.added", {"services": []})
    monkeypatch.undo()
    case.record("services.added", {"services": []})
    assert entry.seq == before + 1
    assert "clock" in entry.body["clock_warning"]
    assert [item.seq for item in case.ledger.events()] == list(range(1, before + 3))
    assert verify(case.root).problems == []


_PROGRAM = """
import sys
from pathlib import Path
from tests.data.cases import small_case
from data.seal import make_key, make_seal
from data.export import make_export
case = small_case(Path(sys.argv[1]), visits=1)
make_seal(case, make_key())
print(make_export(case, zipped=False).path)
"""


def test_every_time_ends_in_z_and_is_utc_under_the_time_zone_of_los_angeles(tmp_path: Path) -> None:
    environment = {**os.environ, "TZ": "America/Los_Angeles", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    earliest = clock.now()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "case")],
        cwd=TREE,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    latest = clock.now()
    times = []
    for path in (tmp_path / "case").rglob("*.json*"):
        if "tables" in path.parts or path.name in ("case.jsonld",):
            continue
        for line in path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]:
            times += list(_times(json.loads(line)))
    assert len(times) > 20
    for moment in times:
        assert moment.endswith("Z")
        assert earliest <= moment <= latest, moment
    bag = Path(done.stdout.strip())
    assert verify(bag).problems == []
    assert f"Bagging-Date: {earliest[:10]}" in (bag / "bag-info.txt").read_text()


def _times(value: object) -> list[str]:
    found = []
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("at", "started", "ended", "captured") and isinstance(item, str) and item:
                found.append(item)
            else:
                found += _times(item)
    elif isinstance(value, list):
        for item in value:
            found += _times(item)
    return found


def test_the_last_entry_of_a_name_is_found_from_the_end_with_what_came_after_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert ledger.since("b") == (None, [])
    ledger.append("a", {})
    assert ledger.since("b") == (None, ["a"])
    ledger.append("b", {"n": 1})
    made = ledger.append("b", {"n": 2, "event": "c", "text": '"event":"b"'})
    ledger.append("c", {"event": "b", "deep": {"event": "b"}})
    ledger.append("d", {"text": '\\"event\\":\\"b"'})
    assert ledger.since("b") == (made, ["c", "d"])
    with ledger.path.open("ab") as file:
        file.write(b'{"event":"b","half')
    assert ledger.since("b") == (made, ["c", "d"])
