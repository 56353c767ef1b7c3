"""The coding plan: samples that anybody can draw again, blind double coding, and frames without what is closed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.case import Case
from data.sampling import (
    Candidate,
    SampleError,
    What,
    allocate,
    assign,
    draw,
    draw_sample,
    frame_hash,
    samples,
)
from data.store import reading, rows
from data.units import coder_queue
from tests.data.reviewed import FREE, HARM, MINORS, PLAIN, PROMISE, QUOTE, reviewable_case

FRAME = [Candidate(f"R-{at:04}", f"s{at % 9}", "abc"[at % 7 % 3]) for at in range(400)]


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 200)
)
def test_an_allocation_never_asks_for_more_than_there_is_and_adds_up(sizes: dict[str, int], size: int) -> None:
    given_ = allocate(sizes, size)
    assert all(0 <= given_[name] <= count for name, count in sizes.items())
    least = sum(min(1, count) for count in sizes.values())
    assert sum(given_.values()) == max(least, min(size, sum(sizes.values())))


def test_an_allocation_is_in_proportion_and_gives_rare_strata_at_least_what_was_asked() -> None:
    assert allocate({"common": 900, "rare": 100}, 100, 0) == {"common": 90, "rare": 10}
    assert allocate({"common": 990, "rare": 10}, 100, 5) == {"common": 95, "rare": 5}


def test_the_draw_is_the_smallest_hashes_of_seed_and_unit_whatever_the_order_of_the_frame() -> None:
    drawn = {item.unit for item in draw(FRAME, 60, seed=7)}
    assert {item.unit for item in draw(FRAME[::-1], 60, seed=7)} == drawn
    assert {item.unit for item in draw(FRAME, 60, seed=8)} != drawn
    in_a = [item.unit for item in FRAME if item.stratum == "a"]
    by_hand = sorted(in_a, key=lambda unit: hashlib.sha256(f"7 draw {unit}".encode()).hexdigest())
    count = sum(unit in drawn for unit in in_a)
    assert drawn & set(in_a) == set(by_hand[:count])


def test_a_fifth_is_coded_twice_and_at_least_a_hundred_units() -> None:
    big = assign([Candidate(f"R-{at}", "s", "x") for at in range(1000)], ["ana", "ben", "eve"], 1)
    twice = [item for item in big if len(item.coders) == 2]
    assert len(twice) == 200
    assert {frozenset(item.coders) for item in twice} == {
        frozenset(pair) for pair in (("ana", "ben"), ("ana", "eve"), ("ben", "eve"))
    }
    small = assign(draw(FRAME, 150, 1), ["ana", "ben"], 1)
    assert sum(len(item.coders) == 2 for item in small) >= 100
    assert all(len(item.coders) == 1 for item in assign(FRAME, ["ana"], 1)), "one coder alone is never doubled"
    loads = [sum(name in item.coders for item in big) for name in ("ana", "ben", "eve")]
    assert max(loads) - min(loads) <= 2


def test_the_frame_hash_says_whether_two_people_drew_from_the_same_frame() -> None:
    assert frame_hash(FRAME) == frame_hash(FRAME[::-1]) != frame_hash(FRAME[1:])


@pytest.fixture
def case(tmp_path: Path) -> Case:
    said = {number: [PROMISE, PLAIN, QUOTE, *([MINORS] if number == 1 else [])] for number in range(1, 9)}
    return reviewable_case(tmp_path / "case", {**said, 9: [FREE, HARM, PLAIN]})


def take(case: Case, what: What, size: int, **more: object) -> object:
    with reading(case) as connection:
        return draw_sample(case, connection, what=what, size=size, seed=5, coders=("ana", "ben"), **more)  # type: ignore[arg-type]


def test_seed_frame_strata_and_assignments_are_on_the_ledger_and_in_the_index(case: Case) -> None:
    take(case, What.FLAGS, 10)
    drawn = samples(case)["S-001"]
    assert (drawn.seed, drawn.what, drawn.double_percent, len(drawn.frame_sha256)) == (5, "flags", 20, 64)
    assert {item.stratum: item.frame for item in drawn.sizes()} == {"D02": 1, "D04": 8, "R01": 8}
    assert sum(item.drawn for item in drawn.sizes()) == 10 == len(drawn.assigned())
    with reading(case) as connection:
        assert rows(connection, "SELECT count(*) AS n FROM assignments WHERE sample = 'S-001'")[0]["n"] == 20
        queue = coder_queue(case, connection, "ana", sample="S-001")
    assert queue.total == 10
    assert {unit.sample for unit in queue.units} == {"S-001"}


def test_what_waits_in_the_closed_queue_is_in_no_frame_and_the_ledger_says_how_much_was_left_out(case: Case) -> None:
    for what in (What.FLAGS, What.PASSAGES):
        drawn = take(case, what, 1000)
        with reading(case) as connection:
            words = {unit.passage for unit in coder_queue(case, connection, "ana", sample=drawn.sample).units}  # type: ignore[attr-defined]
        assert words
        assert not words & {MINORS.text, HARM.text}
        assert drawn.left_out[0]["units"] == 2  # type: ignore[attr-defined]


def test_passages_without_a_flag_are_drawn_too_and_shown_without_the_machines_reading(case: Case) -> None:
    drawn = take(case, What.PASSAGES, 12)
    assert {item.stratum for item in drawn.sizes()} == {"flagged", "no flag"}  # type: ignore[attr-defined]
    with reading(case) as connection:
        shown = coder_queue(case, connection, "ana", sample=drawn.sample).units  # type: ignore[attr-defined]
    assert {unit.passage for unit in shown} >= {PLAIN.text}
    assert {(unit.kind, unit.code, unit.stance, unit.machine) for unit in shown} == {("passage", "", "", "")}


def test_a_service_that_is_drawn_is_drawn_whole(case: Case) -> None:
    drawn = take(case, What.SERVICES, 3, by="source")
    names = {item.service for item in drawn.assigned()}  # type: ignore[attr-defined]
    assert len(names) == 3
    per_service = [sum(item.service == name for item in drawn.assigned()) for name in names]  # type: ignore[attr-defined]
    assert all(count >= 2 for count in per_service)
    assert {item.stratum for item in drawn.sizes()} == {"search", "list"}  # type: ignore[attr-defined]


def test_an_empty_case_and_an_unknown_stratum_are_refused_with_what_to_do(case: Case, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="no stratum 'colour'"):
        take(case, What.FLAGS, 5, by="colour")
    with pytest.raises(SampleError, match="plainview analyze"):
        take(reviewable_case(tmp_path / "empty", {1: [PLAIN]}), What.FLAGS, 5)
