"""``kill -9``, power cuts in the middle of a write, and a full disk: the case is as it was, or as it was meant to be."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.case import Case, open_case
from data.comparison import compare_index
from data.export import make_export
from data.ingest import closed_visits, take_in
from data.rebuild import rebuild
from data.seal import Key, make_seal
from data.spool import Spool
from data.store import reading
from data.verify import verify
from tests.data.cases import opened, small_case, spool_visit, write_pages

TREE = Path(__file__).parents[2]
ACTIONS = ("record", "ingest", "seal", "export", "zip", "rebuild", "spool")


def run(mode: str, at: int, action: str, case: Path, **limits: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.data.faults", mode, str(at), action, str(case)],
        cwd=TREE,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def ready(tmp_path: Path, key: Key) -> Path:
    """A case with two visits taken in and two more waiting in the spool."""
    case = small_case(tmp_path / "ready", visits=2, pages=2)
    spool_visit(case, 3, pages=2)
    spool_visit(case, 4, pages=2)
    return case.root


def state(root: Path) -> dict[str, object]:
    """What a case holds, in a word each."""
    case = open_case(root)
    with reading(case) as connection:
        seen = connection.execute("SELECT count(*) FROM visits").fetchone()
    ledger = [entry.event for entry in case.ledger.events()]
    return {
        "evidence": sorted(path.name for path in case.evidence.iterdir()),
        "ledger": ledger.count("visit.closed"),
        "index": seen[0] if seen else 0,
        "waiting": len(closed_visits(case)),
    }


def hold(root: Path, action: str) -> None:
    """Whatever happened: it verifies, the index is that of the evidence, and doing it again completes it."""
    report = verify(root)
    assert report.problems == []
    case = open_case(root)
    assert list(compare_index(case)) == []
    exports = [path for path in case.exports.iterdir() if not path.name.startswith(".plainview")]
    for path in exports:
        assert verify(path).problems == []
    if action == "seal":
        number = len(list(case.seals.glob("seal-*.json")))
        assert number in (0, 1)
    _again(case, action)
    assert verify(root).problems == []
    assert list(compare_index(open_case(root))) == []
    left = [path.name for path in root.rglob("*") if path.name.endswith(".new") or path.name.startswith(".plainview")]
    assert left == [] or action == "spool"


def _again(case: Case, action: str) -> None:
    from data.seal import load_key

    match action:
        case "ingest":
            take_in(case)
            assert state(case.root) == {
                "evidence": sorted(opened(n).visit for n in (1, 2, 3, 4)),
                "ledger": 4,
                "index": 4,
                "waiting": 0,
            }
        case "seal":
            make_seal(case, load_key())
        case "export":
            assert verify(make_export(case, name="again", key=load_key()).path).problems == []
        case "zip":
            assert verify(make_export(case, name="again", zipped=True).path).problems == []
        case "rebuild":
            rebuild(case)
        case "record":
            case.record("services.added", {"services": []})
        case "spool":
            with Spool(case.spool / opened(7).visit, opened(7)) as spool:
                if spool.visit.state == "open" and not spool.visit.head:
                    write_pages(spool, 4)
                    spool.close(outcome="reached", reason="")
            take_in(case)


def points(action: str, root: Path, copy: Path, most: int) -> list[int]:
    """At which writes to fail: all of them, or a seeded choice of *most*."""
    shutil.copytree(root, copy)
    done = run("count", 0, action, copy)
    assert done.returncode == 0, done.stderr
    total = int(done.stdout.split()[-1])
    shutil.rmtree(copy)
    every = list(range(1, total + 1))
    return every if total <= most else sorted(random.Random(len(action)).sample(every, most))


def fail_at(action: str, ready: Path, tmp_path: Path, mode: str, most: int) -> None:
    for at in points(action, ready, tmp_path / "count", most):
        copy = tmp_path / "copy"
        shutil.copytree(ready, copy)
        done = run(mode, at, action, copy)
        assert done.returncode == -signal.SIGKILL or done.returncode == 0 or mode == "full", done.stderr
        if mode == "full":
            assert done.returncode in (0, 1), done.stderr
            assert "No space left" in done.stderr or done.returncode == 0
        try:
            hold(copy, action)
        except AssertionError as error:
            raise AssertionError(f"{action}, {mode} at change {at}: {error}") from error
        shutil.rmtree(copy)


@pytest.mark.parametrize("action", ["ingest", "seal"])
def test_a_crash_at_chosen_writes_leaves_before_or_after(action: str, ready: Path, tmp_path: Path) -> None:
    fail_at(action, ready, tmp_path, "kill", 4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["kill", "after"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_crash_at_every_write_in_turn_leaves_before_or_after(
    action: str, mode: str, ready: Path, tmp_path: Path
) -> None:
    fail_at(action, ready, tmp_path, mode, 10_000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_full_disk_from_any_write_on_leaves_before_or_after(action: str, ready: Path, tmp_path: Path) -> None:
    fail_at(action, ready, tmp_path, "full", 10_000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("action", ["ingest", "seal", "export", "rebuild"])
def test_kill_9_at_random_moments_leaves_before_or_after(action: str, ready: Path, tmp_path: Path) -> None:
    dice = random.Random(9)
    for _ in range(12):
        copy = tmp_path / "copy"
        shutil.copytree(ready, copy)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.data.faults", "none", "0", action, str(copy)],
            cwd=TREE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(dice.uniform(0.1, 1.5))
        process.kill()
        process.wait()
        hold(copy, action)
        shutil.rmtree(copy)


def _tmpfs(place: Path, size: int) -> bool:
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="a small disk can only be made by root")
@pytest.mark.parametrize("action", ["ingest", "export", "rebuild"])
def test_a_disk_that_is_really_full_leaves_before_or_after(action: str, ready: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    size = sum(8192 + path.stat().st_size for path in ready.rglob("*"))
    if not _tmpfs(disk, size + 200_000):
        pytest.skip("no tmpfs can be mounted here")
    try:
        root = disk / "case"
        shutil.copytree(ready, root)
        with contextlib.suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(b"\0" * 4096):
                pass
        done = run("none", 0, action, root)
        assert "No space left" in done.stderr or done.returncode == 0, done.stderr
        assert verify(root).problems == []
        (disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=200M", str(disk)], check=True)
        hold(root, action)
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_a_half_written_ledger_line_is_named_and_mended_by_the_next_entry(ready: Path) -> None:
    done = run("short", 1, "record", ready)
    assert done.returncode == -signal.SIGKILL
    assert any("is not finished" in str(item) for item in verify(ready).problems)
    case = open_case(ready)
    case.record("services.added", {"services": []})
    assert verify(ready).problems == []
    torn = [entry.body for entry in case.ledger.events("ledger.torn_line")]
    assert len(torn) == 1
    assert torn[0]["bytes"] > 0


def test_a_visit_cut_off_in_the_middle_of_a_line_is_taken_up_and_closes_whole(ready: Path) -> None:
    case = open_case(ready)
    folder = spool_visit(case, 8, pages=3, close=False)
    for name in ("attempts.jsonl", "addresses.jsonl", "inflight.jsonl"):
        with (folder / name).open("ab") as file:
            file.write(b'{"half')
    with (folder / "records.warc.gz").open("ab") as file:
        file.write(b"\x1f\x8b\x08half a record")
    report = verify(ready)
    assert report.problems == []
    assert any(f"{folder.name} is not closed: 5 attempts" in note for note in report.notes)
    with Spool(folder, opened(8)) as spool:
        assert spool.next_seq == 6
        write_pages(spool, 4)
        closed = spool.close(outcome="reached", reason="")
    assert closed.resumed == 1
    take_in(case)
    assert verify(ready, records=True).problems == []


def test_attempts_whose_records_never_reached_the_disk_are_dropped_and_said(ready: Path) -> None:
    case = open_case(ready)
    folder = spool_visit(case, 8, pages=3, close=False)
    rows = [json.loads(line) for line in (folder / "attempts.jsonl").read_bytes().splitlines()]
    with (folder / "records.warc.gz").open("r+b") as file:
        file.truncate(rows[3]["warc_offset"] + 5)
    with Spool(folder, opened(8)) as spool:
        assert spool.next_seq == 4
        write_pages(spool, 3)
        closed = spool.close(outcome="reached", reason="")
    assert any("2 attempts were lost" in item for item in closed.partial)
    take_in(case)
    assert verify(ready, records=True).problems == []


def test_a_closed_visit_that_changed_in_the_spool_is_not_taken_in(ready: Path) -> None:
    from data.ingest import VisitChanged

    case = open_case(ready)
    path = case.spool / opened(3).visit / "attempts.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"status":200', b'"status":404', 1))
    with pytest.raises(VisitChanged, match=r"spool/.*attempts\.jsonl"):
        take_in(case)
    assert {item.name for item in case.evidence.iterdir()} == {opened(n).visit for n in (1, 2, 4)}
    assert [item.file for item in verify(ready).problems] == [f"spool/{opened(3).visit}/attempts.jsonl"]
