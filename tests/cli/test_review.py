"""Review, extent and referral as a user meets them: on the screen, by command, in a spreadsheet."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from analysis.masking import Masker
from cli.coding import Session, pieces
from cli.review_screen import ReviewScreen
from data.case import Case, open_case
from data.decisions import decisions, last_decisions
from data.store import reading
from data.units import Queue, coder_queue, flag_units
from tests.cli.run_plainview import plainview
from tests.data.reviewed import FREE, HARD, HARM, MINORS, PLAIN, PROMISE, QUOTE, reviewable_case

SIZE = (80, 24)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    said = {number: [PROMISE, FREE, QUOTE, PLAIN] for number in range(1, 15)}
    said[2] = [PROMISE, HARD, HARM, MINORS]
    return reviewable_case(tmp_path / "case", said)


def sitting(case: Case, coder: str = "ana", **more: object) -> Session:
    with reading(case) as connection:
        queue = coder_queue(case, connection, coder)
    return Session(case, coder, queue, **more)  # type: ignore[arg-type]


def on_screen(session: Session, act: Callable[[Pilot[None]], Awaitable[None]]) -> ReviewScreen:
    """Run the screen at 80 by 24 and let *act* press keys."""
    app = ReviewScreen(session, Masker(b"k" * 32))

    async def run() -> None:
        async with app.run_test(size=SIZE) as pilot:
            await act(pilot)

    asyncio.run(run())
    return app


def words(pilot: Pilot[None]) -> str:
    """Everything that stands on the screen, as text."""
    app = pilot.app
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def test_one_key_is_one_decision_on_record_and_undo_takes_it_back(case: Case) -> None:
    session = sitting(case)

    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("y")
        assert [item.verdict for item in decisions(case)] == ["confirm"]
        await pilot.press("n", "u")
        assert [item.verdict for item in decisions(case)] == ["confirm", "reject", "unsure"]
        await pilot.press("z")
        assert len(last_decisions(decisions(case))) == 2
        assert len(decisions(case)) == 4, "what was taken back is kept as well"

    on_screen(session, act)


def test_a_correction_takes_code_and_stance_by_their_first_letters(case: Case) -> None:
    async def act(pilot: Pilot[None]) -> None:
        await pilot.press("c", *"d03", "enter")
        await pilot.press(*"ui", "enter")
        await pilot.press("s", *"dis", "enter")

    first, second = sitting(case).queue.units[:2]
    on_screen(sitting(case), act)
    one, two = decisions(case)
    assert (one.unit, one.verdict, one.labels) == (first.unit, "correct", ("D03 UI",))
    assert (two.unit, two.verdict, two.labels) == (second.unit, "correct", (f"{second.code} DISCLAIM",))


def test_hard_words_are_hidden_until_asked_for_and_counted_and_nothing_is_decided_unseen(case: Case) -> None:
    session = sitting(case)
    at = next(at for at, unit in enumerate(session.queue.units) if unit.code == "U01")

    async def act(pilot: Pilot[None]) -> None:
        session.at = at
        pilot.app.show()  # type: ignore[attr-defined]
        await pilot.pause()
        assert HARD.text not in words(pilot)
        assert "U01" in words(pilot), "the category comes first"
        await pilot.press("y")
        assert not decisions(case)
        await pilot.press("r")
        assert HARD.text in words(pilot)
        assert "hard: 1 today" in words(pilot)
        await pilot.press("y")

    on_screen(session, act)
    assert decisions(case)[0].revealed


def test_the_daily_bound_holds_over_sittings(case: Case) -> None:
    session = sitting(case, daily=1)
    session.at = next(at for at, unit in enumerate(session.queue.units) if unit.code == "U01")
    assert session.reveal() == ""
    session.decide("confirm")
    again = sitting(case, "ana", daily=1)
    assert again.exposure() == 1


def test_breaks_are_suggested_after_time_and_after_exposure(case: Case) -> None:
    now = [0.0]
    session = sitting(case, clock=lambda: now[0])
    assert session.suggests_break() == ""
    now[0] = 26 * 60
    assert "26 minutes" in session.suggests_break()
    session.took_break()
    assert session.suggests_break() == ""
    session.shown |= {f"R-{at}" for at in range(20)}
    assert "20 hard passages" in session.suggests_break()


def test_the_closed_queue_never_reaches_the_screen(case: Case) -> None:
    passages = {unit.passage for unit in sitting(case).queue.units}
    assert not passages & {HARM.text, MINORS.text}


def test_everything_fits_80_by_24_and_third_parties_are_masked(case: Case) -> None:
    session = sitting(case)
    session.at = next(at for at, unit in enumerate(session.queue.units) if unit.code == "R01")

    async def act(pilot: Pilot[None]) -> None:
        pilot.app.show()  # type: ignore[attr-defined]
        await pilot.pause()
        seen = words(pilot)
        assert len(seen.splitlines()) == 24
        assert max(len(line) for line in seen.splitlines()) <= 80
        assert "Ottilie" not in seen
        assert "[name:" in seen
        assert "y confirm" in seen
        assert "q quit" in seen

    on_screen(session, act)


def test_skipped_units_come_again_and_next_service_jumps(case: Case) -> None:
    session = sitting(case)
    first = session.unit
    session.skip()
    assert session.unit is not first
    here = session.unit.service  # type: ignore[union-attr]
    session.next_service()
    assert session.unit.service != here  # type: ignore[union-attr]
    while session.unit is not None and session.unit is not first:
        session.decide("unsure")
    assert session.unit is first


def test_forty_decisions_by_keys_alone_leave_the_coder_almost_all_of_the_time(case: Case) -> None:
    with reading(case) as connection:
        queue = Queue(tuple(flag_units(connection))[:40], 0, 40)
    session = Session(case, "ana", queue)

    async def act(pilot: Pilot[None]) -> None:
        for _ in range(40):
            if session.veiled:
                await pilot.press("r")
            await pilot.press("y")

    on_screen(session, act)
    assert len(last_decisions(decisions(case))) == 40
    assert sum(item.took_ms for item in decisions(case)) < 40 * 3000, "20 a minute leave three seconds each"


def test_a_masked_passage_still_marks_its_quote(case: Case) -> None:
    unit = next(unit for unit in sitting(case).queue.units if unit.code == "R01")
    parts = pieces(unit, Masker(b"k" * 32))
    assert "".join(text for text, _ in parts).startswith("“It was quick.” — [name:")
    assert all(inside for _, inside in parts)


# --- by command


def run(case: Case, *given: str, actor: str = "ana") -> str:
    done = plainview(*given, "--case", str(case.root), PLAINVIEW_ACTOR=actor)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_next_and_decide_work_for_scripts(case: Case) -> None:
    shown = json.loads(run(case, "review", "next", "--format", "json").rpartition("]")[0] + "]")
    unit = shown[0]["unit"]
    assert "confirm" in run(case, "review", "decide", unit, "confirm", "--note", "clear")
    assert (decisions(case)[0].unit, decisions(case)[0].note, decisions(case)[0].coder) == (unit, "clear", "ana")
    wrong = plainview("review", "decide", "R-000000000000", "confirm", "--case", str(case.root))
    assert wrong.returncode == 2
    assert "no open unit" in wrong.stderr


def filled(text: str, verdicts: dict[str, tuple[str, str]], delimiter: str = ",") -> str:
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    for row in rows:
        if row["unit"] in verdicts:
            row["verdict"], row["labels"] = verdicts[row["unit"]]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_a_coding_sheet_goes_out_and_comes_back_as_spreadsheets_save_it(case: Case, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    run(case, "review", "export", "--sheet", str(sheet))
    text = sheet.read_text(encoding="utf-8-sig")
    assert HARD.text not in text
    assert "Ottilie" not in text
    units = [row["unit"] for row in csv.DictReader(io.StringIO(text)) if row["machine"] == "D04 PROMO"]
    back = tmp_path / "back.csv"
    # A European spreadsheet: semicolons, a byte order mark, rows sorted by another column.
    lines = filled(text, {units[0]: ("confirm", ""), units[1]: ("Correct", "D04 DISCLAIM")}, ";").splitlines()
    back.write_text("\n".join([lines[0], *sorted(lines[1:])]), encoding="utf-8-sig")
    assert "2 decisions by ana" in run(case, "review", "import", str(back))
    assert "0 decisions by ana" in run(case, "review", "import", str(back))
    last = last_decisions(decisions(case))
    assert {(item.unit, item.verdict, item.labels) for item in last.values()} == {
        (units[0], "confirm", ("D04 PROMO",)),
        (units[1], "correct", ("D04 DISCLAIM",)),
    }


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda rows: [{**row, "unit": rows[at - 1]["unit"]} for at, row in enumerate(rows)], "sorted by itself"),
        (lambda rows: [{**row, "verdict": "yes"} for row in rows], "no verdict 'yes'"),
        (lambda rows: [{key: row[key] for key in row if key != "check"} for row in rows], "lacks the columns check"),
    ],
)
def test_a_spoiled_sheet_is_refused_whole_with_the_row_named(
    case: Case, tmp_path: Path, spoil: Callable[[list[dict[str, str]]], list[dict[str, str]]], says: str
) -> None:
    sheet = tmp_path / "sheet.csv"
    run(case, "review", "export", "--sheet", str(sheet))
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig"))))
    spoiled = spoil([{**row, "verdict": "confirm"} for row in rows])
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(spoiled[0]))
        writer.writeheader()
        writer.writerows(spoiled)
    done = plainview("review", "import", str(sheet), "--case", str(case.root), PLAINVIEW_ACTOR="ana")
    assert done.returncode == 2
    assert says in done.stderr
    assert decisions(case) == []


def test_two_coders_on_copies_merge_and_agreement_is_computed(case: Case, tmp_path: Path) -> None:
    run(case, "review", "sample", "--what", "flags", "--size", "20", "--coder", "ana", "--coder", "ben", "--seed", "4")
    shutil.copytree(case.root, tmp_path / "copy")
    copy = open_case(tmp_path / "copy")
    for place, coder in ((case, "ana"), (copy, "ben")):
        with reading(place) as connection:
            queue = coder_queue(place, connection, coder, sample="S-001")
        session = Session(place, coder, queue)
        for at in range(len(queue.units)):
            session.decide("reject" if coder == "ben" and at % 5 == 0 else "confirm")
    file = tmp_path / "ben.jsonl"
    run(copy, "review", "export", str(file))
    assert "20 new decisions (ben)" in run(case, "review", "merge", str(file))
    done = plainview("verify", str(case.root))
    assert done.returncode == 0, done.stdout
    found = run(case, "agreement", "--sample", "S-001", "--format", "json", "--draws", "50")
    rows = {row["name"]: row for row in json.loads(found.rpartition("]")[0] + "]")}
    assert rows["any flag"]["units"] == 20
    assert rows["any flag"]["percent"] == 0.8
    assert re.search(r"S-001 +flags +ben +20 +20 +0 +4", run(case, "review", "status"))


def test_prevalence_says_numerator_denominator_and_interval_and_writes_the_methods_page(
    case: Case, tmp_path: Path
) -> None:
    page = tmp_path / "methods.md"
    out = run(case, "prevalence", "--level", "code", "--format", "csv", "--methods", str(page))
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out.partition("Methods page")[0]))}
    assert (rows["D04"]["flagged"], rows["D04"]["reached"]) == ("14", "14")
    assert float(rows["D04"]["low"]) < 1.0 == float(rows["D04"]["high"])
    assert page.read_text(encoding="utf-8").startswith("# Methods")
    assert page.with_suffix(".svg").read_text(encoding="utf-8").startswith("<svg")
    assert "tried" in run(case, "prevalence", "--missing")
    bad = plainview("prevalence", "--sweep", "none", "--case", str(case.root))
    assert (bad.returncode, "There is no sweep 'none'" in bad.stderr) == (2, True)


def test_unmasking_needs_a_reason_that_goes_on_the_ledger(case: Case) -> None:
    unit = next(unit for unit in sitting(case).queue.units if unit.code == "R01").unit
    refused = plainview("review", "unmask", unit, "--reason", "", "--case", str(case.root))
    assert refused.returncode == 2
    assert "Ottilie" in run(case, "review", "unmask", unit, "--reason", "ordered by counsel, 12 May")
    assert [event.body["reason"] for event in case.ledger.events("unmasked")] == ["ordered by counsel, 12 May"]


def test_refer_lists_without_words_and_opens_for_two_persons(case: Case) -> None:
    listed = run(case, "refer", "list", "--format", "json")
    assert MINORS.text not in listed
    items = {row["code"]: row["item"] for row in json.loads(listed.partition("]")[0] + "]")}
    asked = run(case, "refer", "open", items["M01"], "--officer", "Officer Vale", "--reason", "to judge a report")
    assert MINORS.text not in asked
    alone = plainview(
        "refer", "open", items["M01"], "--officer", "Officer Vale", "--second", "Ms Ash", "--case", str(case.root),
        PLAINVIEW_ACTOR="ana",
    )  # fmt: skip
    assert alone.returncode == 2
    assert MINORS.text not in alone.stdout
    shown = run(case, "refer", "open", items["M01"], "--officer", "Officer Vale", "--second", "Ms Ash", actor="ash")
    assert MINORS.text in shown
    assert "http://" not in shown
    assert "CyberTipline" in plainview("refer", "routes").stdout


def test_the_screen_asks_for_a_terminal_and_names_the_other_ways(case: Case) -> None:
    done = plainview("review", "--case", str(case.root))
    assert done.returncode == 2
    assert "review export --sheet" in done.stderr


def test_third_parties_are_masked_in_lists_and_when_one_flag_is_shown(case: Case) -> None:
    listed = json.loads(run(case, "flags", "--code", "R01", "--format", "json").rpartition("]")[0] + "]")
    assert listed
    assert "Ottilie" not in json.dumps(listed)
    assert listed[0]["quote"].startswith("“It was quick.” — [name:")
    assert "Ottilie" not in run(case, "show", listed[0]["flag"])
