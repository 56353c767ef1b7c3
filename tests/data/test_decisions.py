"""Decisions: every one kept, the last by a coder counted, copies of a case merged, and nothing lost when a process dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.case import Case, open_case
from data.decisions import (
    Decision,
    DecisionError,
    Role,
    decisions,
    export_lines,
    last_decisions,
    make_decision,
    merge,
    record,
    settle,
)
from data.rebuild import rebuild
from data.store import reading, rows
from data.units import Unit, coder_queue, flag_unit_id, flag_units, open_disagreements
from data.verify import verify
from tests.data.reviewed import FREE, HARM, MINORS, PLAIN, PROMISE, add_sweep, reviewable_case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return reviewable_case(tmp_path / "case", {1: [PROMISE, PLAIN, FREE], 2: [PROMISE, MINORS], 3: [FREE, HARM]})


def units(case: Case) -> list[Unit]:
    with reading(case) as connection:
        return flag_units(connection)


def say(case: Case, coder: str, unit: Unit, verdict: str, *labels: str, role: str = Role.CODER) -> Decision:
    made = make_decision(
        coder=coder,
        unit=unit.unit,
        kind=unit.kind,
        service=unit.service,
        verdict=verdict,
        labels=labels,
        machine=unit.machine,
        role=role,
    )
    return record(case, made)


def test_every_decision_is_kept_and_the_last_of_a_coder_counts(case: Case) -> None:
    first = units(case)[0]
    say(case, "ana", first, "confirm")
    say(case, "ben", first, "reject")
    last = say(case, "ana", first, "correct", "D04 DISCLAIM")
    assert [item.verdict for item in decisions(case)] == ["confirm", "reject", "correct"]
    counted = last_decisions(decisions(case))
    assert counted[first.unit, "ana", Role.CODER] == last
    with reading(case) as connection:
        assert [row["verdict"] for row in rows(connection, "SELECT * FROM decisions ORDER BY entry")] == [
            "confirm",
            "reject",
            "correct",
        ]
        assert {row["labels"][0] for row in rows(connection, "SELECT * FROM decisions_last WHERE coder = 'ana'")} == {
            "D04 DISCLAIM"
        }


def test_a_withdrawn_decision_leaves_the_unit_open_again(case: Case) -> None:
    first = units(case)[0]
    say(case, "ana", first, "confirm")
    with reading(case) as connection:
        assert first.unit not in {unit.unit for unit in coder_queue(case, connection, "ana").units}
    say(case, "ana", first, "withdrawn")
    with reading(case) as connection:
        assert first.unit in {unit.unit for unit in coder_queue(case, connection, "ana").units}


def test_what_refers_to_minors_or_to_harm_is_in_no_open_queue(case: Case) -> None:
    assert {unit.code for unit in units(case)} == {"D04", "D02"}


def test_a_unit_is_named_by_its_words_so_that_a_decision_holds_for_the_next_visit_too(case: Case) -> None:
    before = {unit.unit for unit in units(case)}
    first = next(unit for unit in units(case) if unit.service == "service-1" and unit.code == "D04")
    name = flag_unit_id("service-1", "home", "Heading", "", first.passage, "D04", "PROMO", 0, len(first.passage))
    assert first.unit == name
    say(case, "ana", first, "confirm")
    add_sweep(case, {1: [PROMISE]}, sweep="20261224T120000Z-bbbb")
    assert {unit.unit for unit in units(case)} == before
    with reading(case) as connection:
        assert name not in {unit.unit for unit in coder_queue(case, connection, "ana").units}


@pytest.mark.parametrize(
    ("verdict", "labels", "says"),
    [
        ("maybe", (), "no verdict 'maybe'"),
        ("correct", (), "names the label that is right"),
        ("correct", ("D99 PROMO",), "no code 'D99'"),
        ("correct", ("D04 LOUD",), "no stance 'LOUD'"),
        ("correct", ("D04 PROMO",), "equals what it corrects"),
        ("reject", ("D04 PROMO",), "carries no label"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_with_the_reason(
    case: Case, verdict: str, labels: tuple[str, ...], says: str
) -> None:
    unit = next(item for item in units(case) if item.code == "D04")
    with pytest.raises(DecisionError, match=says):
        say(case, "ana", unit, verdict, *labels)
    assert decisions(case) == []


def test_an_adjudicator_settles_what_coders_differ_on_and_agreement_goes_before_one_coder(case: Case) -> None:
    one, two, three = units(case)[:3]
    say(case, "ana", one, "confirm")
    say(case, "ben", one, "reject")
    say(case, "ana", two, "confirm")
    say(case, "ben", two, "confirm")
    say(case, "ana", three, "reject")
    found = settle(decisions(case))
    assert {unit.unit: found[unit.unit].how for unit in (one, two, three)} == {
        one.unit: "open",
        two.unit: "agreed",
        three.unit: "single",
    }
    with reading(case) as connection:
        assert [unit.unit for unit in open_disagreements(case, connection).units] == [one.unit]
    say(case, "zoe", one, "reject", role=Role.ADJUDICATOR)
    assert settle(decisions(case))[one.unit].how == "adjudicated"
    assert settle(decisions(case))[one.unit].labels == frozenset()


def test_two_coders_on_copies_merge_without_conflict_and_both_ledgers_verify(case: Case, tmp_path: Path) -> None:
    shutil.copytree(case.root, tmp_path / "copy")
    copy = open_case(tmp_path / "copy")
    for unit in units(case):
        say(case, "ana", unit, "confirm")
    for unit in units(copy):
        say(copy, "ben", unit, "reject" if unit.code == "D02" else "confirm")
    theirs, ours = "\n".join(export_lines(copy)), "\n".join(export_lines(case))
    assert merge(case, theirs, name="ben.jsonl").new == len(units(copy))
    assert merge(case, theirs, name="ben.jsonl").new == 0, "merging twice changes nothing"
    assert merge(copy, ours, name="ana.jsonl").new == len(units(case))
    assert last_decisions(decisions(case)) == last_decisions(decisions(copy))
    for place in (case, copy):
        assert not verify(place.root).problems


def test_a_file_that_was_cut_changed_or_comes_from_another_case_is_refused_whole(case: Case, tmp_path: Path) -> None:
    say(case, "ana", units(case)[0], "confirm")
    say(case, "ana", units(case)[1], "confirm")
    shutil.copytree(case.root, tmp_path / "copy")
    copy = open_case(tmp_path / "copy")
    say(copy, "ben", units(copy)[0], "reject")
    text = "\n".join(export_lines(copy))
    before = case.ledger.head()
    for broken, says in (
        (text.rpartition("\n")[0], "cut short"),
        (text.replace('"reject"', '"unsure"'), "cut short or changed"),
        ("hello", "not a file of decisions"),
    ):
        with pytest.raises(DecisionError, match=says):
            merge(case, broken, name="f.jsonl")
    other = reviewable_case(tmp_path / "other", {1: [PROMISE]})
    with pytest.raises(DecisionError, match="another case"):
        merge(other, text, name="f.jsonl")
    assert case.ledger.head() == before


def test_decisions_in_the_index_can_be_made_again_from_the_ledger(case: Case) -> None:
    for unit in units(case):
        say(case, "ana", unit, "confirm")
    with reading(case) as connection:
        before = rows(connection, "SELECT * FROM decisions ORDER BY entry")
    rebuild(case)
    with reading(case) as connection:
        assert rows(connection, "SELECT * FROM decisions ORDER BY entry") == before


_WRITER = """
import sys
from pathlib import Path
from data.case import open_case
from data.decisions import make_decision, record
case = open_case(Path(sys.argv[1]))
for number in range(100_000):
    record(case, make_decision(coder="ana", unit=f"R-{number:012}", kind="flag", service="s", verdict="confirm", machine="D04 PROMO"))
    print(number, flush=True)
"""


def test_a_killed_process_loses_no_decision_it_had_reported(case: Case) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(case.root)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert writer.stdout is not None
    for _ in range(20):
        reported = int(writer.stdout.readline())
    time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait()
    reported = int(rest[-1]) if rest else reported
    assert len(decisions(case)) >= reported + 1
    first = units(case)[0]
    say(case, "ana", first, "confirm")  # the ledger goes on after the kill
    assert decisions(case)[-1].unit == first.unit
