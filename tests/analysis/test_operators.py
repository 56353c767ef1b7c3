"""Operators: what ties services, what does not, how an analyst's word counts, and what leaves the house."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from analysis.finding import Side
from analysis.findings import edge_decisions
from analysis.operators import (
    Mark,
    Network,
    entity_lines,
    follow_the_money,
    graphml,
    marks,
    network,
    operator_findings,
    rarity,
    unrelated,
)
from data.case import CaseFacts, make_case
from tests.analysis.spoken import RULES, dossier, html
from tests.benchmarks.operators import generated, scored


def shown(**services: list[tuple[str, str]]) -> list[Mark]:
    """Marks by service: kind and value."""
    return [
        Mark(name, kind, value, Side("same", name, says=f"{kind} {value}")) for name, given in services.items() for kind, value in given
    ]  # fmt: skip


def clusters(*found: Mark) -> tuple[tuple[str, ...], ...]:
    return network(found, RULES).clusters


def joined(**services: list[tuple[str, str]]) -> Network:
    return network(shown(**services), RULES)


@pytest.mark.parametrize(
    "kind",
    ["tag", "verification", "wallet", "payment_account", "sign_on_client", "email", "certificate", "registration", "company", "phone"],
)  # fmt: skip
def test_one_strong_identifier_that_two_services_share_joins_them(kind: str) -> None:
    net = joined(a=[(kind, "x")], b=[(kind, "x")], c=[(kind, "y")])
    assert net.clusters == (("a", "b"),)
    assert net.edges[0].joins
    assert ": x" in net.edges[0].reason()


@pytest.mark.parametrize("kind", ["address", "template", "rare_host", "server_address"])
def test_an_address_a_text_a_host_or_a_server_alone_does_not(kind: str) -> None:
    net = joined(a=[(kind, "x")], b=[(kind, "x")])
    assert net.clusters == ()
    assert [edge.joins for edge in net.edges] == [False]
    assert net.edges[0].strength() != "strong"


def test_a_library_that_many_unrelated_services_load_links_nobody() -> None:
    services = {f"s{number}": [("rare_host", "lib.example"), ("email", f"m{number}")] for number in range(8)}
    assert joined(**services).edges == ()


def test_an_agents_account_on_many_unrelated_services_links_nobody() -> None:
    services = {f"s{number:02d}": [("tag", "AGENCY"), ("company", f"Company {number} Ltd")] for number in range(14)}
    assert joined(**services).clusters == ()


def test_an_account_on_many_mirrors_of_one_owner_links_them_all() -> None:
    services = {f"s{number:02d}": [("tag", "OWN"), ("company", "One Owner Ltd")] for number in range(30)}
    net = joined(**services)
    assert len(net.clusters) == 1
    assert len(net.clusters[0]) == 30


def test_a_counters_id_copied_with_a_page_does_not_merge_two_owners() -> None:
    services = {f"a{number}": [("tag", "A"), ("company", "A Ltd")] for number in range(4)}
    services |= {f"b{number}": [("tag", "B"), ("company", "B Ltd")] for number in range(4)}
    services["b0"] = [*services["b0"], ("tag", "A")]
    net = joined(**services)
    assert [len(members) for members in net.clusters] == [4, 4]


def test_two_company_names_speak_against_an_edge_and_are_named() -> None:
    net = joined(a=[("tag", "T"), ("company", "A Ltd")], b=[("tag", "T"), ("company", "B Ltd")])
    assert net.clusters == ()
    assert "against it: different company" in net.edges[0].reason()
    assert net.edges[0].strength() == "moderate"


def test_kinds_that_come_together_do_not_count_in_full_twice() -> None:
    one = joined(a=[("company", "A Ltd")], b=[("company", "A Ltd")]).edges[0].weight
    imprint = joined(a=[("company", "A Ltd"), ("phone", "1")], b=[("company", "A Ltd"), ("phone", "1")]).edges[0].weight
    apart = joined(a=[("company", "A Ltd"), ("wallet", "1")], b=[("company", "A Ltd"), ("wallet", "1")]).edges[0].weight
    assert one < imprint < apart < 1


def test_weight_falls_with_unrelated_holders_only() -> None:
    assert rarity(2, 12) == 1
    assert rarity(7, 12) == 0.5
    assert rarity(12, 12) == 0
    assert unrelated({"x": 30}) == 1
    assert unrelated({f"s{number}": 1 for number in range(10)}) == 10
    assert unrelated({"x": 24, **{f"s{number}": 1 for number in range(6)}}) < 3


def test_an_analyst_cuts_and_confirms() -> None:
    found = shown(a=[("tag", "T")], b=[("tag", "T")], c=[("template", "x")], d=[("template", "x")])
    net = network(found, RULES, {("a", "b"): "cut", ("c", "d"): "confirmed"})
    assert net.clusters == (("c", "d"),)
    assert "cut by an analyst" in net.edges[0].reason()


def test_the_ledger_keeps_the_last_word_on_an_edge(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", CaseFacts(title="t", authority="a"))
    case.record("operators.cut", {"a": "b", "b": "a", "note": "resellers"})
    case.record("operators.confirmed", {"a": "a", "b": "b", "note": "same office"})
    case.record("operators.cut", {"a": "c", "b": "d", "note": ""})
    assert edge_decisions(case) == {("a", "b"): "confirmed", ("c", "d"): "cut"}


def test_the_order_of_services_does_not_matter() -> None:
    found, _ = generated(120)
    assert network(found, RULES) == network(list(reversed(found)), RULES)


def test_two_thousand_generated_services_come_out_by_owner() -> None:
    found, owners = generated(2_000)
    precision, recall, pairs = scored(network(found, RULES), owners)
    assert pairs > 5_000
    assert precision >= 0.98
    assert recall >= 0.9


# --- marks


def values(of_html: str, kind: str, name: str = "alpha") -> list[str]:
    return [mark.value for mark in marks(dossier(name, {"/": of_html}), RULES) if mark.kind == kind]


def test_ids_of_counters_merchants_and_wallets_come_from_the_markup() -> None:
    head = "<script>tally.push(['property','TH-44190-1'])</script><script src='https://t.example/tag.js?id=TH-44190-1'></script>"
    form = "<form method='post' action='https://pay.example/checkout'><input type='hidden' name='merchant' value='mq-55021'></form>"
    page = html("Hello.", form, head=head)
    assert values(page, "tag") == ["TH-44190-1"]
    assert values(page, "payment_account") == ["mq-55021"]
    assert "t.example" in values(page, "rare_host")


def test_company_lines_numbers_and_phones_come_from_the_text() -> None:
    page = html("Alpha is run by Marlowe Quay Media Ltd, reg. no. 5528817.", "Telephone +00 555 0142 77.")
    assert values(page, "company") == ["Marlowe Quay Media Ltd"]
    assert values(page, "registration") == ["5528817"]
    assert values(page, "phone") == ["+00555014277"]


def test_a_year_before_a_company_is_not_its_name() -> None:
    assert values(html("© 2026 Alphamorph OÜ, registry code 14990031, Tallinn"), "company") == ["Alphamorph OÜ"]


def test_a_customers_e_mail_is_no_contact() -> None:
    page = html("<blockquote>“Great.” Teodor (teodor@postbag.example)</blockquote>", "Write to team@alpha.example.")
    assert values(page, "email") == ["team@alpha.example"]


def test_a_long_text_is_the_same_under_another_name() -> None:
    words = "{} was founded to give everybody a quiet place for pictures and we have worked on it day and night since then, "
    words += "with care for each line and each frame, because pictures deserve it and so do you, says {}."
    one, other = (
        values(html(words.format("Alpha", "Alpha")), "template"),
        values(html(words.format("Bravo", "Bravo")), "template", "bravo"),
    )
    assert one == other != []


# --- what leaves the house


def network_of_two() -> tuple[Network, list[Mark]]:
    found = shown(
        a=[("tag", "T"), ("company", "One Owner Ltd"), ("registration", "55288")],
        b=[("tag", "T"), ("company", "One Owner Ltd")],
        c=[("email", "c@c")],
    )  # fmt: skip
    return network(found, RULES), found


def test_a_cluster_is_one_finding_with_every_identifier_as_each_shows_it() -> None:
    net, found = network_of_two()
    (finding,) = operator_findings(net, found)
    assert finding.services == ("a", "b")
    assert finding.title == "Services that appear to have one operator"
    assert {(side.service, side.says) for side in finding.sides} == {
        ("a", "company One Owner Ltd"), ("b", "company One Owner Ltd"), ("a", "tag T"), ("b", "tag T"),
    }  # fmt: skip


def test_graphml_is_read_by_networkx_with_reasons_on_the_edges(tmp_path: Path) -> None:
    net, _ = network_of_two()
    path = tmp_path / "net.graphml"
    path.write_bytes(graphml(net))
    graph = nx.read_graphml(path)
    assert sorted(graph.nodes) == ["a", "b", "c"]
    assert graph.nodes["a"]["cluster"] == graph.nodes["b"]["cluster"] == "C-0001"
    assert "tag" in graph.edges["a", "b"]["reason"]


def test_graphml_bears_whatever_page_text_is_in_a_reason(tmp_path: Path) -> None:
    net = joined(a=[("email", "x\x00\x1b<&>\ufffe")], b=[("email", "x\x00\x1b<&>\ufffe")])
    path = tmp_path / "net.graphml"
    path.write_bytes(graphml(net))
    assert nx.read_graphml(path).number_of_edges() == 1


def test_follow_the_money_entities_name_services_companies_and_links() -> None:
    net, found = network_of_two()
    entities = [json.loads(line) for line in entity_lines(follow_the_money(net, found, {"a": ("https://a.example/",)}))]
    by_schema = {
        schema: [item for item in entities if item["schema"] == schema]
        for schema in ("LegalEntity", "Company", "UnknownLink")
    }
    assert [item["properties"]["name"] for item in by_schema["LegalEntity"]] == [["a"], ["b"], ["c"]]
    assert by_schema["Company"][0]["properties"] == {"name": ["One Owner Ltd"], "registrationNumber": ["55288"]}
    ids = {item["id"] for item in entities}
    for link in by_schema["UnknownLink"]:
        assert {*link["properties"]["subject"], *link["properties"]["object"]} <= ids
    assert all(isinstance(value, list) for item in entities for value in item["properties"].values())
