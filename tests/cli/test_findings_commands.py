"""``findings``, ``show``, ``operators`` and ``changes`` as a user runs them, on a small case of invented pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest

from analysis.findings import find
from analysis.flags import analyze
from cli.exits import Exit
from data import clock, environment
from data.case import Case, make_case, policy_record
from data.ingest import take_in
from data.records import Service, Visit
from data.spool import Spool
from data.store import reading, rows
from tests.cli.run_plainview import plainview
from tests.data.cases import FACTS, plain, response

PAGES = {
    "alpha": {
        "/": "<p>We never keep your photos. It works on anyone you like.</p>"
        "<footer>Alpha is run by Quay Media Ltd, reg. no. 5528817.</footer>",
        "/privacy": "<h1>Privacy</h1><p>Photos are kept for 30 days.</p>",
    },
    "beta": {"/": "<p>Coats for years.</p><footer>Beta is run by Quay Media Ltd, reg. no. 5528817.</footer>"},
    "gamma": {"/": "<p>Hats for years.</p><footer>Gamma is run by Moss Ltd.</footer>"},
}
LATER = {"alpha": {**PAGES["alpha"], "/": PAGES["alpha"]["/"].replace("We never keep your photos.", "We like photos.")}}


def visit(case: Case, number: int, name: str, pages: dict[str, str]) -> None:
    """One closed visit of invented pages."""
    home = f"https://{name}.example"
    seen = Visit(
        visit=f"20261123T1200{number:02d}Z-test-{name}",
        service=name,
        started=clock.now(),
        entry_urls=(f"{home}/",),
        environment=environment.environment_id(),
    )
    with Spool(case.spool / seen.visit, replace(seen, policy=policy_record(case.policy))) as spool:
        for path, body in pages.items():
            url = home + path
            spool.begin(url)
            text = f"<!doctype html><html lang='en'><head><title>{name}</title></head><body>{body}</body></html>"
            spool.attempt(response(spool, url, text))
        spool.close(outcome="reached", reason="")


def small_web(root: Path) -> Case:
    case = make_case(root, FACTS)
    services = [Service(service=name, source="list", stratum="a", urls=(f"https://{name}.example/",)) for name in PAGES]
    case.record("services.added", {"services": [plain(item) for item in services]})
    for number, (name, pages) in enumerate(PAGES.items(), 1):
        visit(case, number, name, pages)
    take_in(case)
    analyze(case, lambda _: None)
    find(case, lambda _: None)
    return case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return small_web(tmp_path / "case")


def content(case: Case, where: str = "TRUE") -> list[tuple[str, str]]:
    with reading(case) as connection:
        found = rows(connection, f"SELECT finding, content_sha256 FROM findings WHERE {where} ORDER BY finding")
    return [(row["finding"], row["content_sha256"]) for row in found]


def test_findings_are_listed_and_shown_with_both_sides(case: Case) -> None:
    listed = plainview("findings", "--kind", "X2", "--format", "jsonl", cwd=case.root)
    assert listed.returncode == Exit.DONE
    (row,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert row["rule"] == "X2.retention"
    assert [side["quote"] for side in row["sides"]] == ["We never keep your photos.", "Photos are kept for 30 days."]
    shown = plainview("show", row["finding"], cwd=case.root)
    assert shown.returncode == Exit.DONE
    assert "“We never keep your photos.”" in shown.stdout
    assert "hxxps://alpha[.]example/privacy" in shown.stdout
    assert "possible indicator" in shown.stdout


def test_a_kind_that_does_not_exist_names_the_nearest(case: Case) -> None:
    done = plainview("findings", "--kind", "X22", cwd=case.root)
    assert done.returncode == Exit.USAGE
    assert "Did you mean 'X2'?" in done.stderr


def test_operators_are_listed_cut_and_confirmed_on_the_ledger(case: Case) -> None:
    listed = plainview("operators", "--format", "json", cwd=case.root)
    assert [(row["a"], row["b"], row["joins"]) for row in json.loads(listed.stdout)] == [("alpha", "beta", True)]
    cut = plainview("operators", "--cut", "beta", "alpha", "--note", "one agency", "--format", "json", cwd=case.root)
    assert cut.returncode == Exit.DONE, cut.stderr
    assert [(row["decided"], row["joins"]) for row in json.loads(cut.stdout)] == [("cut", False)]
    assert content(case, "kind = 'operator'") == []
    plainview("operators", "--confirm", "alpha", "gamma", cwd=case.root)
    with reading(case) as connection:
        assert [
            row["service"] for row in rows(connection, "SELECT service FROM operator_clusters ORDER BY service")
        ] == ["alpha", "gamma"]
    (event,) = case.ledger.events("operators.cut")
    assert event.body == {"a": "alpha", "b": "beta", "note": "one agency"}


def test_the_network_is_exported_for_other_tools(case: Case, tmp_path: Path) -> None:
    graph, entities = tmp_path / "net.graphml", tmp_path / "net.ftm.json"
    done = plainview("operators", "--graphml", str(graph), "--ftm", str(entities), cwd=case.root)
    assert done.returncode == Exit.DONE, done.stderr
    assert sorted(nx.read_graphml(graph).nodes) == ["alpha", "beta", "gamma"]
    assert {json.loads(line)["schema"] for line in entities.read_text(encoding="utf-8").splitlines()} == {
        "LegalEntity",
        "Company",
        "UnknownLink",
    }


def test_a_further_visit_changes_only_what_it_touches(case: Case) -> None:
    others = content(case, "about IN ('beta', 'gamma', '*')")
    before = content(case)
    visit(case, 9, "alpha", LATER["alpha"])
    take_in(case)
    analyze(case, lambda _: None)
    done = find(case, lambda _: None)
    assert (done.services, done.untouched) == (1, 2)
    assert content(case, "about IN ('beta', 'gamma', '*')") == others
    assert content(case) != before
    listed = plainview("changes", "--diff", cwd=case.root)
    assert "+ We like photos." in listed.stdout
    assert "- We never keep your photos." in listed.stdout


def test_the_same_evidence_in_another_folder_gives_the_same_findings(case: Case, tmp_path: Path) -> None:
    with reading(case) as connection:
        before = rows(connection, "SELECT finding, rule, reason, status FROM findings ORDER BY finding")
    with reading(small_web(tmp_path / "again")) as connection:
        assert rows(connection, "SELECT finding, rule, reason, status FROM findings ORDER BY finding") == before


def test_analyze_says_what_it_found_and_then_that_nothing_is_new(case: Case) -> None:
    done = plainview("analyze", cwd=case.root)
    assert done.returncode == Exit.DONE, done.stderr
    assert "Nothing new to read." in done.stderr
    assert "findings" not in done.stderr
