"""Custody: who did what to what, when, and why."""

from __future__ import annotations

import json

import pytest

from data.case import Case
from data.custody import ReasonMissing, custody, record_access
from data.export import make_export
from data.seal import Key, make_seal
from data.verify import verify


def test_every_entry_of_the_ledger_is_a_row_in_order_with_actor_time_and_authority(case: Case, key: Key) -> None:
    make_seal(case, key)
    make_export(case)
    rows = list(custody(case))
    assert [row.entry for row in rows] == list(range(1, case.ledger.head().count + 1))
    assert {row.actor for row in rows} == {"tester"}
    assert all(row.at.endswith("Z") and row.hash for row in rows)
    actions = [row.action for row in rows]
    for action in ("opened the case", "recorded a visit", "analysed the text", "sealed the ledger", "made an export"):
        assert action in actions, action
    assert rows[-1].authority == "Test authority 7"


def test_the_log_of_one_visit_names_what_happened_to_it(case: Case) -> None:
    visit = sorted(path.name for path in case.evidence.iterdir())[0]
    rows = list(custody(case, visit))
    assert [row.action for row in rows] == ["recorded a visit"]
    assert rows[0].object == visit
    assert [row.action for row in custody(case, "service-2")] == ["added services to the list", "recorded a visit"]
    assert list(custody(case, "nobody")) == []


@pytest.mark.parametrize("event", ["unmask", "referral.made"])
def test_unmasking_and_referral_ask_for_a_reason(case: Case, event: str) -> None:
    before = case.ledger.head()
    for reason in ("", "   "):
        with pytest.raises(ReasonMissing, match="needs a reason"):
            record_access(case, event, "F-1", reason)
    assert case.ledger.head() == before
    record_access(case, event, "F-1", "requested by the named officer")
    row = list(custody(case, "F-1"))[-1]
    assert row.object == "F-1"
    assert row.reason == "requested by the named officer"


def test_a_row_that_was_taken_out_of_the_log_is_found(case: Case) -> None:
    make_export(case)
    case.record("services.added", {"services": []})
    path = case.root / "ledger.jsonl"
    kept = [row for row in path.read_bytes().splitlines(keepends=True) if json.loads(row)["event"] != "export.made"]
    path.write_bytes(b"".join(kept))
    assert any("ledger.jsonl" in str(item) for item in verify(case.root).problems)
