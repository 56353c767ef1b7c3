"""The closed queue: no word without officer and reason, two persons where minors are referred to, visits halted."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.sweep import plan_sweep
from data.case import Case, CaseFacts, make_case
from data.records import Service
from data.referral import (
    Item,
    ReferralError,
    close_item,
    find_item,
    halt,
    halt_new,
    halted_services,
    note_number,
    open_item,
    queue,
    release,
    request,
)
from data.store import reading
from tests.data.reviewed import HARM, MINORS, PLAIN, PROMISE, reviewable_case

OFFICER = "Officer Vale"
REASON = "to judge whether it must be reported"


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("PLAINVIEW_ACTOR", "first-account")
    return reviewable_case(tmp_path / "case", {1: [PROMISE, MINORS], 2: [HARM, PLAIN], 3: [PROMISE]})


def items(case: Case) -> dict[str, Item]:
    with reading(case) as connection:
        return {item.code: item for item in queue(case, connection)}


def test_the_queue_holds_minors_and_harm_and_not_a_word_of_any_page(case: Case) -> None:
    found = items(case)
    assert {code: item.persons for code, item in found.items()} == {"M01": 2, "U06": 1}
    assert not any(words in str(found) for words in (MINORS.text, HARM.text))
    assert {item.state for item in found.values()} == {"waiting"}


def test_harm_opens_for_the_named_officer_with_a_reason_and_for_nobody_else(case: Case) -> None:
    item = items(case)["U06"]
    with reading(case) as connection:
        for officer, reason, says in (
            ("Somebody", REASON, "Only the named officer"),
            (OFFICER, "", "needs a reason"),
        ):
            before = case.ledger.head()
            with pytest.raises(ReferralError, match=says):
                open_item(case, connection, item, officer=officer, reason=reason)
            assert case.ledger.head() == before
        words = open_item(case, connection, item, officer=OFFICER, reason=REASON)
    assert words.passage == HARM.text
    last = list(case.ledger.events("referral.opened"))[-1]
    assert (last.body["officer"], last.body["reason"], last.actor) == (OFFICER, REASON, "first-account")


def test_minors_take_two_persons_under_two_accounts(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    item = items(case)["M01"]
    with reading(case) as connection:
        with pytest.raises(ReferralError, match="First the officer asks"):
            open_item(case, connection, item, officer=OFFICER, second="Ms Ash")
        request(case, item, officer=OFFICER, reason=REASON)
        with pytest.raises(ReferralError, match="waits for a second person"):
            open_item(case, connection, item, officer=OFFICER)
        with pytest.raises(ReferralError, match="under another account"):
            open_item(case, connection, item, officer=OFFICER, second="Ms Ash")
        monkeypatch.setenv("PLAINVIEW_ACTOR", "second-account")
        with pytest.raises(ReferralError, match="somebody else"):
            open_item(case, connection, item, officer=OFFICER, second=OFFICER)
        assert open_item(case, connection, item, officer=OFFICER, second="Ms Ash").passage == MINORS.text
        with pytest.raises(ReferralError, match="First the officer asks"):
            open_item(case, connection, item, officer=OFFICER, second="Ms Ash")
    opened = list(case.ledger.events("referral.opened"))[-1]
    assert (opened.actor, opened.body["second"], opened.body["asked_by"]) == (
        "second-account",
        "Ms Ash",
        "first-account",
    )


def test_without_a_named_officer_nothing_opens(tmp_path: Path) -> None:
    case = make_case(tmp_path / "none", CaseFacts(title="No officer"))
    item = Item("R-1", "s", "U06", "", "home", 1, "", "waiting", 1)
    with reading(case) as connection, pytest.raises(ReferralError, match="names no referral officer"):
        open_item(case, connection, item, officer="Anybody", reason=REASON)


def test_the_reference_number_and_the_closing_are_put_on_record_and_nothing_is_sent(case: Case) -> None:
    item = items(case)["U06"]
    with pytest.raises(ReferralError, match="no route 'post'"):
        note_number(case, item, officer=OFFICER, route="post", number="1")
    note_number(case, item, officer=OFFICER, route="fbi", number="2026-118")
    assert items(case)["U06"].state == "numbered"
    close_item(case, item, officer=OFFICER, reason="reported; nothing further here")
    assert items(case)["U06"].state == "closed"
    with reading(case) as connection, pytest.raises(ReferralError, match="not in the closed queue"):
        find_item(case, connection, "R-000000000000")


def test_a_reference_to_minors_halts_the_service_and_its_host_once_and_a_sweep_leaves_it_out(case: Case) -> None:
    assert halt_new(case) == ["service-1"]
    assert halt_new(case) == []
    case.record(
        "services.added",
        {
            "services": [
                {
                    **Service("same host", urls=("http://service-1.example/other",)).as_json(),
                    "urls": ["http://service-1.example/other"],
                }
            ]
        },
    )
    assert set(halted_services(case)) == {"service-1", "same host"}
    plan = plan_sweep(case)
    assert {unit.service.service for unit in plan.units} == {"service-2", "service-3"}
    assert {name for name, _ in plan.halted} == {"service-1", "same host"}
    with pytest.raises(ReferralError, match="Only the named officer"):
        release(case, "service-1", officer="Somebody", reason=REASON)
    release(case, "service-1", officer=OFFICER, reason="a false alarm: it forbids it")
    assert halted_services(case) == {}
    assert halt_new(case) == [], "a flag that the officer has judged does not halt again"


def test_anyone_may_halt_by_hand(case: Case) -> None:
    halt(case, "service-3", reason="the operator asked us to wait")
    assert {name for name, _ in plan_sweep(case).halted} == {"service-3"}
