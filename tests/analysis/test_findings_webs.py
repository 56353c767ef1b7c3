"""Findings on whole invented webs: everything on the answer sheet is found, no decoy is taken, and the rows stand up.

Besides the bundled web, a folder ``tests/findings_web`` of the same format is held to the same, where it is there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.findings import find
from cli.demo_site import WEB
from data.case import Case
from data.ledger import Ledger
from data.store import reading, rows, transaction, writing
from tests.analysis.web_case import Sheet, sheet, visited

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SECOND = Path(__file__).parent.parent / "findings_web"
WEBS = [
    pytest.param(WEB, id="bundled"),
    *([pytest.param(SECOND, id="second")] if (SECOND / "expected.toml").is_file() else []),
]


@pytest.fixture(scope="module", params=WEBS)
def web(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@pytest.fixture(scope="module")
def case(web: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    # No page of the second web needs its scripts.
    return visited(tmp_path_factory.mktemp("web") / "case", web, render="auto" if web == WEB else "never")


@pytest.fixture(scope="module")
def answers(case: Case, web: Path) -> Sheet:
    return sheet(case, web)


def test_everything_on_the_answer_sheet_is_found(answers: Sheet) -> None:
    missed = [(row["kind"], row.get("code", ""), row["about"]) for row in answers.expected if not answers.answers(row)]
    assert answers.expected
    assert missed == []


def test_no_decoy_is_taken(answers: Sheet) -> None:
    taken = [
        (row["kind"], row["why"], finding["rule"], finding["reason"])
        for row in answers.decoys
        for finding in answers.taken(row)
    ]
    assert answers.decoys
    assert taken == []


def test_each_quote_is_what_stands_at_its_place_in_a_hashed_text(case: Case) -> None:
    with reading(case) as connection:
        wrong = rows(
            connection,
            """SELECT s.finding, s.quote FROM finding_sides s LEFT JOIN texts t ON t.text_id = s.text_id
               WHERE s.start >= 0 AND (t.text[s.start + 1 : s."end"] <> s.quote OR t.text_sha256 <> s.text_sha256)""",
        )
        quoted = rows(connection, "SELECT count(*) AS n FROM finding_sides WHERE start >= 0")
    assert quoted[0]["n"] > 50
    assert wrong == []


def test_each_side_names_an_observation_and_the_flags_that_overlap_it(case: Case) -> None:
    with reading(case) as connection:
        assert (
            rows(
                connection,
                """SELECT finding FROM finding_sides
                   WHERE observation NOT IN (SELECT observation FROM observations) OR seen = ''""",
            )
            == []
        )
        assert (
            rows(
                connection,
                """SELECT s.finding, s.flag FROM (SELECT *, unnest(flags) AS flag FROM finding_sides) s
                   LEFT JOIN flags f ON f.flag = s.flag AND f.text_id = s.text_id WHERE f.flag IS NULL""",
            )
            == []
        )


def test_each_absence_shows_its_search(case: Case) -> None:
    with reading(case) as connection:
        absent = rows(connection, "SELECT finding FROM findings WHERE kind = 'absence' AND status = 'found'")
        searched = {
            row["finding"] for row in rows(connection, "SELECT DISTINCT finding FROM finding_searches WHERE reached")
        }
    assert absent
    assert {row["finding"] for row in absent} <= searched


def test_words_in_the_referral_queue_are_in_no_finding(case: Case) -> None:
    with reading(case) as connection:
        shown = rows(
            connection,
            """SELECT s.finding FROM (SELECT *, unnest(flags) AS flag FROM finding_sides WHERE quote <> '') s
               JOIN flags f ON f.flag = s.flag WHERE f.sensitive AND f.raises""",
        )
    assert shown == []


def test_a_second_run_changes_nothing_and_writes_nothing_on_the_ledger(case: Case) -> None:
    before = _content(case)
    events = len(list(Ledger(case.root / "ledger.jsonl").events()))
    assert find(case, lambda _: None).services == 0
    assert _content(case) == before
    assert len(list(Ledger(case.root / "ledger.jsonl").events())) == events


def test_made_again_from_nothing_the_findings_are_the_same_byte_for_byte(case: Case) -> None:
    before = _content(case)
    with writing(case) as connection, transaction(connection):
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
    find(case, lambda _: None)
    assert _content(case) == before


TABLES = (
    "findings", "finding_sides", "finding_searches", "operator_links", "operator_edges", "operator_clusters", "changes", "findings_made",
)  # fmt: skip


def _content(case: Case) -> str:
    with reading(case) as connection:
        return repr([rows(connection, f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES])
