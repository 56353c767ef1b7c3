"""Absences: never without a search log, never where the search was not enough, and not where the thing is there."""

from __future__ import annotations

import pytest

from analysis.dossier import Dossier, Unreached
from analysis.finding import Finding
from tests.analysis.spoken import Served, dossier, findings, html, quotes

OFFER = html("Remove clothing from a photo with one tap.")
TERMS = html("Be kind.", title="Terms")


def absent(of: Dossier, rule: str) -> Finding | None:
    """The finding of a rule of absence, whatever its status."""
    return next((finding for finding in findings(of) if finding.rule == rule), None)


def missed(*paragraphs: str, rule: str, home: str = OFFER) -> bool:
    """Whether the thing sought by *rule* is not found on a service whose second page has these paragraphs."""
    found = absent(dossier("alpha", {"/": home, "/help": html(*paragraphs, title="Help")}), rule)
    return found is not None and found.status == "found"


# --- T01


@pytest.mark.parametrize(
    "words",
    [
        "Report a photo",
        "If a picture shows you and you did not agree, tell us and we remove it.",
        "You can request removal of content here.",
        "To have a picture removed, write to removal@alpha.example.",
        "We take down any image of you within 48 hours.",
    ],
)
def test_a_way_to_have_a_picture_removed_is_no_absence(words: str) -> None:
    assert not missed(words, rule="T01.process")


@pytest.mark.parametrize(
    "words",
    [
        "Write to team@alpha.example.",
        "Send DMCA notices to abuse@alpha.example.",
        "You can delete your account in the settings.",
        "Support answers within 48 hours.",
    ],
)
def test_what_only_resembles_one_is_shown_beside_the_absence(words: str) -> None:
    found = absent(dossier("alpha", {"/": OFFER, "/help": html(words, title="Help")}), "T01.process")
    assert found is not None
    assert found.status == "found"


def test_an_absence_lists_the_pages_read_and_what_was_looked_for() -> None:
    found = absent(dossier("alpha", {"/": OFFER, "/terms": TERMS}), "T01.process")
    assert found is not None
    assert [(item.url, item.reached) for item in found.searched] == [
        ("https://alpha.example/", True),
        ("https://alpha.example/terms", True),
    ]
    assert "Looked for: a form, an address or instructions" in found.reason
    assert "2 pages read, 0 known of and not read" in found.reason


def test_a_contact_page_that_was_not_reached_leaves_it_open() -> None:
    left = Unreached(
        "v1-alpha", "https://alpha.example/contact", "contact", "candidate", "budget", "page budget", "Contact"
    )
    found = absent(dossier("alpha", {"/": OFFER, "/terms": TERMS}, unreached=(left,)), "T01.process")
    assert found is not None
    assert found.status == "not_determinable"
    assert "https://alpha.example/contact" in found.reason


def test_a_report_page_behind_a_challenge_leaves_it_open() -> None:
    walled = Served(html("Checking your browser"), outcome="challenge", status=403, role="report")
    found = absent(dossier("alpha", {"/": OFFER, "/terms": TERMS, "/report": walled}), "T01.process")
    assert found is not None
    assert found.status == "not_determinable"


def test_a_page_that_is_gone_does_not_leave_it_open() -> None:
    gone = Served(outcome="not_found", status=404, role="report")
    found = absent(dossier("alpha", {"/": OFFER, "/terms": TERMS, "/report": gone}), "T01.process")
    assert found is not None
    assert found.status == "found"


def test_an_empty_page_that_its_script_has_not_drawn_counts_as_not_read() -> None:
    shell = "<!doctype html><html><head><title>Report</title></head><body><div id=app></div></body></html>"
    found = absent(
        dossier("alpha", {"/": OFFER, "/terms": TERMS, "/report": Served(shell, role="report")}), "T01.process"
    )
    assert found is not None
    assert found.status == "not_determinable"


@pytest.mark.parametrize("outcome", ["refused", "robots", "timeout"])
def test_a_service_that_could_not_be_read_is_not_determinable(outcome: str) -> None:
    found = absent(dossier("alpha", {"/": Served(outcome=outcome, status=None)}), "T01.process")
    assert found is not None
    assert found.status == "not_determinable"


def test_a_refusal_in_words_is_quoted() -> None:
    found = absent(
        dossier("alpha", {"/": OFFER, "/help": html("Requests to remove pictures are ignored.")}), "T01.process"
    )
    assert found is not None
    assert quotes(found, "denial") == ["Requests to remove pictures are ignored."]


def test_a_shop_or_a_newspaper_owes_no_removal_process() -> None:
    of = dossier("alpha", {"/": html("Coats and shirts for years."), "/help": html("We answer letters.")})
    assert absent(of, "T01.process") is None


def test_what_a_later_visit_finds_is_met_and_says_when_it_was_not() -> None:
    of = dossier("alpha", {"/": OFFER, "/help": html("Hi.")}, {"/": OFFER, "/help": html("Report a photo")})
    found = absent(of, "T01.process")
    assert found is not None
    assert found.status == "met"
    assert "2026-01-01" in found.reason


# --- T02


@pytest.mark.parametrize(
    ("words", "defect"),
    [
        ("Reports are accepted from registered members only.", "a report needs an account"),
        ("A handling fee of $30 applies to each report.", "a report costs money"),
        ("Attach a scan of your passport.", "a report needs a passport, a court order or the like"),
        ("We answer within 10 business days.", "it takes longer than 48 hours"),
        ("Removal takes up to two weeks.", "it takes longer than 48 hours"),
        ("The copyright form is the only route.", "copyright is the only route"),
        ("We may look at it at some point.", "no time and no promise"),
    ],
)
def test_an_obstacle_to_removal_is_a_defect(words: str, defect: str) -> None:
    of = dossier("alpha", {"/": OFFER, "/report": html("<h1>Report a photo</h1>", words, title="Report a photo")})
    (found,) = [finding for finding in findings(of) if finding.kind == "defect"]
    assert found.details["defects"] == [defect]


@pytest.mark.parametrize(
    "words",
    [
        "You need no account and pay nothing.",
        "We remove it within 48 hours of your notice.",
        "No fee is charged and no passport is needed.",
        "Sign with your name; typing it is enough.",
    ],
)
def test_a_proper_process_has_none(words: str) -> None:
    of = dossier("alpha", {"/": OFFER, "/report": html("<h1>Report a photo</h1>", words, title="Report a photo")})
    assert [finding for finding in findings(of) if finding.kind == "defect"] == []


# --- D07


@pytest.mark.parametrize(
    "words",
    [
        "Alpha is run by Brindle Quay Media Ltd, reg. no. 5528817.",
        "© 2026 Moorhen Software GmbH",
        "The contract is with Fennel & Thread Cooperative.",
        "Alpha is published by Runa Halvard, 3 Mill Lane.",
    ],
)
def test_a_named_operator_is_no_absence(words: str) -> None:
    assert not missed(words, rule="D07.operator")


@pytest.mark.parametrize(
    "words",
    ["© 2026 Alpha", "We are a small team.", "Payments are taken by Coinhouse Ltd.", "c/o Harrow Agents, Suite 4"],
)
def test_a_brand_a_processor_or_an_agents_address_name_nobody(words: str) -> None:
    assert missed(words, rule="D07.operator")


def test_two_companies_on_one_service_are_shown_side_by_side() -> None:
    of = dossier(
        "alpha",
        {"/": html("© 2026 Alphamorph OÜ"), "/terms": html("These terms are between you and Alpha Trading Ltd, Limassol.")},
    )  # fmt: skip
    found = absent(of, "D07.operator")
    assert found is not None
    assert found.title == "More than one operator named"
    assert len(found.sides) == 2


def test_one_company_with_and_without_its_first_word_is_one() -> None:
    of = dossier("alpha", {"/": html("© Quay Media Ltd"), "/terms": html("Contract partner: Marlowe Quay Media Ltd.")})
    assert absent(of, "D07.operator") is None


# --- N01, N02, D03, M02, R04


def test_a_trial_without_price_period_and_path_names_what_is_missing() -> None:
    of = dossier("alpha", {"/": html("Start free trial"), "/terms": html("A trial turns into a plan.")})
    found = absent(of, "N01.renewal-terms")
    assert found is not None
    assert found.details["missing"] == ["the renewal price", "the period", "the way to stop"]


def test_a_trial_with_all_three_beside_it_is_none() -> None:
    words = "Start free trial, then $5 a month; cancel under Account, Plan."
    assert not missed(words, rule="N01.renewal-terms", home=html("Hello."))


def test_terms_that_stand_on_another_page_are_weak() -> None:
    of = dossier(
        "alpha",
        {
            "/": html("Start free trial"),
            "/terms": html("Pro renews every week at $7.99 until you cancel it in writing."),
        },
    )
    found = absent(of, "N01.renewal-terms")
    assert found is not None
    assert found.strength == "weak"


@pytest.mark.parametrize("words", ["Packs never renew.", "No subscription: nothing renews by itself.", "$12 per month"])
def test_what_does_not_renew_or_is_a_plain_price_owes_no_renewal_terms(words: str) -> None:
    assert not missed(words, rule="N01.renewal-terms", home=html("Hello."))


def test_cancel_anytime_needs_a_path_somewhere() -> None:
    assert missed("Cancel anytime.", rule="N02.cancel-path")
    assert not missed("Cancel anytime.", "To cancel, go to your account page.", rule="N02.cancel-path")


def test_a_price_in_units_needs_the_price_of_a_unit_and_of_a_picture() -> None:
    assert missed("How many sparks a picture takes depends on its size.", rule="D03.unit-price")
    assert not missed(
        "How many sparks a batch takes depends on its size.",
        "50 sparks for $19.",
        "One spark is one picture.",
        rule="D03.unit-price",
    )


def test_a_tick_box_is_no_age_check_and_a_document_is() -> None:
    assert missed("Are you 18 or older?", "Yes, I am 18", rule="M02.age-check")
    assert not missed("Are you 18 or older?", "We verify your age by ID document.", rule="M02.age-check")


def test_paid_links_need_a_disclosure() -> None:
    link = "<p><a href='https://seller.example/?aff=alpha7'>Open Seller with code ALPHA7</a></p>"
    of = dossier("alpha", {"/": html("Best tools.", link), "/about": html("We like tools.")})
    found = absent(of, "R04.disclosure")
    assert found is not None
    assert quotes(found, "trigger") == ["Open Seller with code ALPHA7"]
    told = dossier("alpha", {"/": html("Best tools.", link), "/about": html("Some links are paid.")})
    assert absent(told, "R04.disclosure") is None


def test_a_link_that_only_counts_its_campaign_is_not_paid() -> None:
    link = "<p><a href='https://seller.example/?utm_source=alpha'>Seller</a></p>"
    assert absent(dossier("alpha", {"/": html(link), "/about": html("Hi.")}), "R04.disclosure") is None
