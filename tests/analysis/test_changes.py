"""Changes: added, dropped, reworded and moved told apart; noise left out; no new method looks like a change of a site."""

from __future__ import annotations

import pytest

from analysis.changes import Change, alike, changes
from analysis.dossier import Dossier
from analysis.finding import Finding
from tests.analysis.spoken import RULES, Served, dossier, findings, html, quotes

SHELL = "<!doctype html><html><head><title>Alpha</title></head><body><div id=app></div></body></html>"


def between(before: str, after: str) -> list[Change]:
    """The changes of one page."""
    return list(changes(dossier("alpha", {"/": before}, {"/": after}), RULES))


def told(found: list[Change]) -> list[tuple[str, str, str]]:
    return sorted((change.kind, change.before, change.after) for change in found)


def claims(of: Dossier, change: str) -> list[Finding]:
    return [finding for finding in findings(of) if finding.kind == "X4" and finding.details["change"] == change]


def test_the_same_page_twice_is_no_change() -> None:
    assert between(html("One.", "Two."), html("One.", "Two.")) == []


def test_markup_and_spaces_alone_are_no_change() -> None:
    assert between(html("One  line."), html("<p class='x'>One <b>line</b>.</p>")) == []


def test_a_new_line_is_added_and_a_missing_one_dropped() -> None:
    found = between(html("We like bread.", "Open daily."), html("Open daily.", "Cheese costs extra."))
    assert told(found) == [("added", "", "Cheese costs extra."), ("dropped", "We like bread.", "")]


def test_a_line_with_other_words_is_reworded() -> None:
    found = between(
        html("Trusted by 2 million happy creators today."), html("Trusted by 3 million happy creators today.")
    )
    assert told(found) == [
        ("reworded", "Trusted by 2 million happy creators today.", "Trusted by 3 million happy creators today.")
    ]


def test_another_figure_of_the_same_price_line_is_a_price() -> None:
    found = between(html("$9.99 a month"), html("$14.99 a month"))
    assert [change.kind for change in found] == ["price"]


def test_a_line_that_stands_elsewhere_on_the_page_is_moved_and_not_new() -> None:
    lines = ["Ask within 14 days and get your money back.", "First.", "Second.", "Third."]
    found = between(html(*lines), html(*lines[1:], lines[0]))
    assert [change.kind for change in found] == ["moved"]


def test_a_line_that_moved_to_another_zone_says_from_where() -> None:
    found = between(
        "<html><body><main><p>Alpha.</p><p>Only for adults of 18.</p></main></body></html>",
        "<html><body><main><p>Alpha.</p></main><footer><p>Only for adults of 18.</p></footer></body></html>",
    )
    assert [(change.kind, "main" in change.detail and "footer" in change.detail) for change in found] == [
        ("moved", True)
    ]


def test_a_change_carries_its_context() -> None:
    found = between(
        html("<h2>Privacy</h2>", "Before.", "After."), html("<h2>Privacy</h2>", "Before.", "Cheese is new.", "After.")
    )
    assert found[0].context == "Privacy | Before. | After."


def test_a_clock_that_differs_within_one_visit_is_noise() -> None:
    def visit(first: str, again: str) -> dict[str, str | Served]:
        return {
            "/": html("Hello.", f"It is {first}"),
            "/#again": Served(html("Hello.", f"It is {again}"), profile="A2"),
        }

    of = dossier("alpha", visit("10:00:01", "10:00:02"), visit("12:30:00", "12:30:01"))
    assert list(changes(of, RULES)) == []


def test_a_page_that_its_script_did_not_draw_is_not_compared() -> None:
    found = between(html("We never keep your photos.", "Completely free."), SHELL)
    assert [change.kind for change in found] == ["not_compared"]
    of = dossier("alpha", {"/": html("We never keep your photos.")}, {"/": SHELL})
    assert [finding for finding in findings(of) if finding.kind == "X4"] == []


@pytest.mark.parametrize("outcome", ["refused", "dns_error", "gone"])
def test_a_service_that_no_longer_answers_is_gone_and_one_that_does_again_is_back(outcome: str) -> None:
    here, down = {"/": html("Hello.")}, {"/": Served(outcome=outcome, status=None, purpose="entry")}
    assert [change.kind for change in changes(dossier("alpha", here, down), RULES)] == ["service_gone"]
    assert [change.kind for change in changes(dossier("alpha", down, here), RULES)] == ["service_back"]


def test_a_service_that_leads_to_another_host_has_moved() -> None:
    away = {"/": Served(outcome="redirect", status=301, redirect_to="https://alpha-two.example/", purpose="entry")}
    found = list(changes(dossier("alpha", {"/": html("Hello.")}, away), RULES))
    assert [(change.kind, change.after) for change in found] == [("service_moved", "https://alpha-two.example/")]


def test_another_name_on_the_same_pages_is_rebranded() -> None:
    found = between(html("Same text here.", title="Alpha"), html("Same text here.", title="Zephyr"))
    assert "rebranded" in [change.kind for change in found]


def test_a_page_that_is_gone_says_how() -> None:
    of = dossier(
        "alpha",
        {"/": html("A."), "/report": html("Report a photo.")},
        {"/": html("A."), "/report": Served(outcome="not_found", status=404)},
    )
    assert [(change.kind, change.url[-7:], change.detail) for change in changes(of, RULES)] == [
        ("page_gone", "/report", "not_found")
    ]


# --- claims


def test_a_claim_that_is_gone_is_dropped_and_a_new_one_added() -> None:
    of = dossier("alpha", {"/": html("It is completely free.")}, {"/": html("It is perfectly legal.")})
    (dropped,), (added,) = claims(of, "dropped"), claims(of, "added")
    assert (dropped.codes, quotes(dropped, "before")) == (("D02",), ["It is completely free."])
    assert (added.codes, quotes(added, "after")) == (("D06",), ["It is perfectly legal."])


def test_one_claim_taken_out_of_a_sentence_is_dropped_and_the_rest_is_not() -> None:
    of = dossier(
        "alpha",
        {"/": html("Q4 gives flawless results on every picture, and it is completely free.")},
        {"/": html("Q4 gives flawless results on every picture.")},
    )
    assert [finding.codes for finding in claims(of, "dropped")] == [("D02",)]


def test_a_claim_in_other_words_or_figures_is_reworded() -> None:
    of = dossier("alpha", {"/": html("Trusted by 2 million creators")}, {"/": html("Trusted by 3 million creators")})
    (found,) = claims(of, "reworded")
    assert (quotes(found, "before"), quotes(found, "after")) == (
        ["Trusted by 2 million creators"],
        ["Trusted by 3 million creators"],
    )


def test_a_claim_that_moved_on_the_page_or_to_another_one_is_neither() -> None:
    promise = "Ask within 14 days and get your money back, no questions."
    of = dossier(
        "alpha",
        {"/": html(promise, "One.", "Two."), "/faq": html("Q.")},
        {"/": html("One.", "Two."), "/faq": html("Q.", promise)},
    )
    assert [finding for finding in findings(of) if finding.kind == "X4"] == []


def test_a_new_claim_that_the_policy_contradicts_carries_the_policy() -> None:
    policy = html("Photos are kept for 30 days.", title="Privacy")
    of = dossier(
        "alpha",
        {"/": html("Hello."), "/privacy": policy},
        {"/": html("Photos are deleted within 24 hours."), "/privacy": policy},
    )
    (added,) = claims(of, "added")
    assert quotes(added, "counter") == ["Photos are kept for 30 days."]


def test_another_set_of_flags_on_the_same_text_is_no_change() -> None:
    page = html("Cheese is nice.")
    flagged = Served(page, flags=(("D01", "PROMO", "Cheese is nice."),))
    of = dossier("alpha", {"/": page}, {"/": flagged})
    assert list(changes(of, RULES)) == []
    same = dossier("alpha", {"/": flagged}, {"/": flagged})
    assert [finding for finding in findings(same) if finding.kind == "X4"] == []


def test_likeness_is_of_words_in_order() -> None:
    assert alike("one two three four", "one two three four") == 1
    assert alike("one two three four", "one two five four") == 0.75
    assert alike("one two", "a b c d e f g h") == 0
