"""Duplicates: the same words on several services, with the words they share; everyday sentences link nobody."""

from __future__ import annotations

from analysis.dossier import Dossier
from analysis.duplicates import counts, duplicates, shared_by, shared_words, similar_pairs, spare_addresses, words_of
from analysis.finding import Finding
from analysis.findings import findings_of
from tests.analysis.spoken import RULES, Served, dossier, html, propositions, quotes

LONG = "“I was sure it would look fake. It came out perfect on the very first try, and my jaw dropped.” Marlon K., designer"
NEAR = "“I was certain it would look fake. It came out perfect at the very first try, and my jaw dropped!” Marla D., stylist"


def across(*services: Dossier) -> list[Finding]:
    """The findings between services."""
    return list(duplicates({of.service: shared_by(of, RULES) for of in services}, RULES))


def pair(one: str, other: str, *, role: str = "home") -> list[Finding]:
    """The findings between two services with a paragraph each."""
    return across(dossier("alpha", {"/": html(one)}), dossier("beta", {"/": Served(html(other), role=role)}))


def test_one_customer_on_two_services_is_found_with_the_words() -> None:
    (found,) = pair(LONG, LONG)
    assert found.rule == "R01.same"
    assert found.services == ("alpha", "beta")
    assert found.details["shared"].startswith("i was sure it would look fake")
    assert quotes(found, "same") == [LONG, LONG]


def test_the_same_words_under_another_name_are_the_same_testimonial() -> None:
    (found,) = pair(LONG, LONG.replace("Marlon K., designer", "Anna, Oslo"))
    assert found.rule == "R01.same"


def test_a_few_other_words_are_a_near_duplicate_with_the_shared_stretches() -> None:
    (found,) = pair(LONG, NEAR)
    assert found.rule == "R01.near"
    assert "it would look fake it came out perfect" in found.details["shared"]
    assert " … " in found.details["shared"]


def test_a_short_everyday_sentence_links_nobody() -> None:
    assert pair("“Great app, does what it says.” Kit", "“Great app, does what it says.” Moss") == []


def test_another_customer_with_the_same_topic_is_no_duplicate() -> None:
    other = "“I expected it to look fake, but the first picture was good enough for my shop window.” Okko V."
    assert pair(LONG, other) == []


def test_a_newspaper_that_quotes_is_no_duplicate() -> None:
    assert pair(LONG, LONG, role="news") == []


def test_one_customer_twice_on_one_service_is_none() -> None:
    assert across(dossier("alpha", {"/": html(LONG), "/about": html(LONG)})) == []


def test_the_same_number_of_users_is_found_and_a_round_one_is_weak() -> None:
    (found,) = pair("Trusted by 2 million creators", "2 million creators cannot be wrong.")
    assert (found.rule, found.strength) == ("R03.same", "weak")
    (found,) = pair("4.9/5 from 38,412 ratings", "38,412 ratings so far")
    assert found.strength == "strong"


def test_the_same_number_of_something_else_is_none() -> None:
    assert pair("38,412 ratings", "38,412 downloads") == []
    assert pair("Read by 12 people", "Made by 12 people") == []


def test_numbers_are_read_in_their_usual_spellings() -> None:
    assert list(counts("Trusted by 2 million users")) == [(2_000_000.0, "user")]
    assert list(counts("1,204 people are here")) == [(1204.0, "user")]
    assert list(counts("Two million creators")) == [(2_000_000.0, "creator")]
    assert list(counts("10K+ downloads")) == [(10_000.0, "download")]
    assert list(counts("5 stars in 2026")) == []


PAGE = tuple(
    f"Sentence number {number} tells of cloth, thread and the {number * 7} looms of the mill." for number in range(30)
)


def test_the_same_home_page_under_another_address_is_a_mirror() -> None:
    changed = (*PAGE[:29], "Another last line.")
    found = across(dossier("alpha", {"/": html(*PAGE)}), dossier("beta", {"/": html(*changed)}))
    assert [item.kind for item in found] == ["mirror"]
    assert found[0].details["pages"][0][2] >= 0.85


def test_a_shared_policy_text_is_a_template_and_no_mirror() -> None:
    found = across(
        dossier("alpha", {"/": html("A"), "/privacy": html(*PAGE)}),
        dossier("beta", {"/": html("B"), "/privacy": html(*PAGE)}),
    )
    assert [(item.kind, item.strength) for item in found] == [("template", "weak")]


def test_spare_addresses_because_of_blocks_are_found_with_their_names() -> None:
    of = dossier("alpha", {"/": html("If this page is blocked, use our new address: alpha-two.example")})
    (found,) = spare_addresses(of, propositions(of))
    assert found.details["addresses"] == ["alpha-two.example"]


def test_a_moved_journal_or_office_is_no_spare_address() -> None:
    of = dossier("alpha", {"/": html("We moved our journal.", "Please note our new address for letters.")})
    assert list(spare_addresses(of, propositions(of))) == []


def test_candidates_are_counted_exactly() -> None:
    one, other, third = frozenset(range(100)), frozenset(range(10, 110)), frozenset(range(1000, 1100))
    assert similar_pairs([one, other, third], 0.8) == [(0, 1, 90 / 110)]


def test_shared_words_keep_their_order() -> None:
    kept, share = shared_words(words_of("one two three four"), words_of("one two five four"))
    assert kept == "one two … four"
    assert share == 0.75


def test_findings_of_one_service_need_no_other() -> None:
    of = dossier("alpha", {"/": html(LONG)})
    assert [item for item in findings_of(of, propositions(of), RULES)[0] if item.kind == "duplicate"] == []
