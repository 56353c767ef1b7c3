"""Contradictions: what is held against what, what explains a pair, and what is no claim of the service at all."""

from __future__ import annotations

import tomllib

import pytest

from tests.analysis.spoken import Served, dossier, findings, html, only, quotes, rules_of, said
from tests.benchmarks import wordings

PRIVACY = "/privacy"


def held(promise: str, counter: str, *, home: str = "/", other: str = PRIVACY) -> list[str]:
    """The rules of the contradictions between a sentence on one page and a sentence on another."""
    of = dossier("alpha", {home: html(promise), other: html(counter, title="Privacy policy")})
    return rules_of(only(of, "X1", "X2", "X3"))


@pytest.mark.parametrize(
    ("promise", "counter", "rule"),
    [
        ("We never keep your photos.", "Photos are kept for 14 days.", "X2.retention"),
        ("Nothing is saved on our side.", "We store uploaded images for up to 3 months.", "X2.retention"),
        ("Your images are erased the moment you close the page.", "Images remain on our disks for one week.", "X2.retention"),
        ("Uploads are deleted within 1 hour.", "Uploads are deleted after 30 days.", "X2.retention"),
        ("All pictures are wiped immediately.", "Pictures are held as long as your account exists.", "X2.retention"),
        ("No logs, no trace.", "Server logs are stored for 90 days.", "X2.logs"),
        ("You stay completely anonymous.", "We collect your e-mail address and the IP address of your device.", "X2.anonymity"),
        ("Nobody but you can see your pictures.", "Pictures may be reviewed by our staff.", "X2.sharing"),
        ("We never share your photos with anyone.", "We share photos with hosting partners.", "X2.sharing"),
        ("We do not train our models on your photos.", "Uploaded images may be used to train our models.", "X2.training"),
        ("It is 100% free.", "Saving the clear picture costs 2 credits.", "X2.free"),
        ("Free of charge, always.", "You must buy coins to download a result.", "X2.free"),
        ("30-day money-back guarantee.", "All purchases are final.", "X2.refund"),
        ("It is perfectly legal.", "You are to check the laws of your country before use.", "X2.legality"),
        ("Using it is legal in every state.", "Use of the tool may be illegal where you live.", "X2.legality"),
        ("We verify the consent of every person shown.", "We do not verify consent.", "X2.checks"),
        ("Flawless results, every time.", "Results may contain errors.", "X2.quality"),
        ("No registration required.", "An account is required.", "X2.account"),
    ],
)  # fmt: skip
def test_a_promise_and_a_policy_that_say_the_opposite_contradict_each_other(
    promise: str, counter: str, rule: str
) -> None:
    assert rule in held(promise, counter)


@pytest.mark.parametrize(
    ("promise", "counter"),
    [
        ("Photos are deleted within 30 days.", "Photos are kept for 30 days."),
        ("Photos are deleted within 30 days.", "Photos are kept for one day."),
        ("We never store your password.", "Photos are kept for 30 days."),
        ("We never sell your pictures.", "We share pictures with hosting partners."),
        ("Pictures are wiped at once.", "Invoices are kept for ten years."),
        ("Pictures are wiped at once.", "The session cookie is kept for 30 days."),
        ("You can delete your photos at once.", "Photos are kept for 30 days."),
        ("Free to register.", "Each picture costs 2 credits."),
        ("Your first picture is free.", "Saving the clear picture costs 2 credits."),
        ("The free trial lasts a week.", "You must buy coins to download a result."),
        ("Is it 100% legal?", "It depends on where you live."),
        ("No sign-up needed to report a picture.", "An account is required."),
        ("The report form costs nothing.", "Saving the clear picture costs 2 credits."),
        ("Anonymous statistics help us.", "We collect your e-mail address."),
        ("The shirt is perfect for every day.", "Results may contain errors."),
        ("It works without an account.", "You may not upload photos of people without their consent."),
    ],
)
def test_look_alikes_with_another_object_time_or_actor_do_not(promise: str, counter: str) -> None:
    assert held(promise, counter) == []


def test_an_exception_in_the_promise_itself_explains_the_pair() -> None:
    of = dossier(
        "alpha",
        {
            "/": html("Photos are deleted within 24 hours, unless you save them to an album."),
            PRIVACY: html("Albums are kept until you delete them."),
        },
    )
    assert only(of, "X2") == []
    (explained,) = only(of, "X2", status="explained")
    assert "unless you save them to an album" in explained.reason
    assert explained.strength == "weak"


def test_a_limit_in_the_same_passage_explains_the_pair() -> None:
    of = dossier(
        "alpha", {"/": html("We never keep your photos. Photos are kept for 14 days only where you ask for it.")}
    )
    assert only(of, "X2") == []
    assert only(of, "X2", status="explained")


def test_a_way_to_object_does_not_explain_it() -> None:
    of = dossier(
        "alpha",
        {"/": html("Your pictures are never used to train anything."),
         PRIVACY: html("Pictures may be used to train our models unless you object in writing.")},
    )  # fmt: skip
    (found,) = only(of, "X2")
    assert found.rule == "X2.training"


def test_a_rule_against_and_an_invitation_to_are_x1_with_both_sides() -> None:
    of = dossier(
        "alpha",
        {
            "/": html("It works on anyone you like.", "They will never find out."),
            "/terms": html("<h2>Prohibited</h2><p>You may not:</p><ul><li>upload a photo of a person who has not agreed</li></ul>"),
        },
    )  # fmt: skip
    (found,) = only(of, "X1")
    assert found.rule == "X1.consent-rule"
    assert quotes(found, "promise") == ["upload a photo of a person who has not agreed"]
    assert quotes(found, "counter") == ["It works on anyone you like.", "They will never find out."]
    assert all(side.text_sha256 and side.stored_sha256 and side.seen for side in found.sides)


def test_a_rule_alone_is_no_contradiction() -> None:
    of = dossier(
        "alpha",
        {"/": html("Try our coats on your own photo."), "/terms": html("You may not use a photo of another person without asking.")},
    )  # fmt: skip
    assert only(of, "X1", "X2") == []


def test_copy_handed_to_partners_is_the_services_own_promotion() -> None:
    of = dossier(
        "alpha",
        {
            "/": html("Every upload is checked by our consent engine."),
            "/affiliates": Served(
                html("Copy you may use:", "“No filter, no questions, no waiting.”"), role="affiliate"
            ),
        },
    )
    assert rules_of(only(of, "X1")) == ["X1.safety-assurance"]


@pytest.mark.parametrize(
    "sentence",
    [
        "“The tool has no filters,” researchers warned.",
        "Critics say that it keeps photos forever.",
        "A witness told the court that it works on anyone you like.",
        "Other sites promise that nothing is stored.",
    ],
)
def test_what_is_reported_of_others_is_no_claim(sentence: str) -> None:
    assert said(sentence) == []


def test_a_news_page_a_forum_and_a_customers_quote_make_no_claims() -> None:
    assert said("Nothing is stored.", role="news") == []
    assert said("Nothing is stored.", role="forum") == []
    assert said("“Nothing is stored, I checked.” Ada, baker") == []
    assert said("Nothing is stored.") == ["keep.never"]


def test_a_list_under_a_prohibition_forbids_what_its_items_say() -> None:
    page = html("<p>Partners must not write:</p><ul><li>guaranteed legal</li><li>it is always free</li></ul>")
    assert [item for item in said(page) if item in ("legal.always", "free.full")] == []


def test_an_answer_takes_its_object_from_the_question_above_it() -> None:
    of = dossier(
        "alpha",
        {"/faq": html("<h2>Do you keep my pictures?</h2><p>They are gone as soon as you have seen them.</p>"),
         PRIVACY: html("Pictures are kept for 30 days.")},
    )  # fmt: skip
    (found,) = only(of, "X2")
    assert found.details["object"] == "photo"
    assert found.strength == "moderate"


def test_both_sides_must_have_been_there_in_one_visit() -> None:
    of = dossier(
        "alpha",
        {"/": html("We never keep your photos."), PRIVACY: html("We like pictures.")},
        {"/": html("We like photos."), PRIVACY: html("Photos are kept for 14 days.")},
    )
    assert only(of, "X1", "X2", "X3") == []


def test_the_same_pair_on_two_visits_is_one_finding_with_first_and_last_sight() -> None:
    pages = {"/": html("We never keep your photos."), PRIVACY: html("Photos are kept for 14 days.")}
    (found,) = only(dossier("alpha", pages, pages), "X2")
    assert {(side.seen[:7], side.last_seen[:7]) for side in found.sides} == {("2026-01", "2026-02")}
    assert found.finding == only(dossier("alpha", pages), "X2")[0].finding


# --- X3


STORE = "https://store.example/app/alpha"


def test_a_listing_that_does_not_mention_the_core_function_is_x3() -> None:
    of = dossier(
        "alpha",
        {
            "/": html("Remove clothing from a photo with one tap."),
            STORE: html("Alpha keeps your camera roll in order and straightens your horizons."),
            "https://store.example/app/other": html("Remove clothing from any photo."),
        },
        urls=("https://alpha.example/", STORE),
    )
    (found,) = only(of, "X3")
    assert found.rule == "X3.core-function"
    assert quotes(found, "promise") == ["Alpha keeps your camera roll in order and straightens your horizons."]
    assert "store.example/app/other" not in {side.url for side in found.sides}


def test_a_listing_that_says_what_the_site_offers_is_none() -> None:
    of = dossier(
        "alpha",
        {"/": html("Remove clothing from a photo with one tap."), STORE: html("Alpha can remove clothing from a photo.")},
        urls=("https://alpha.example/", STORE),
    )  # fmt: skip
    assert only(of, "X3") == []


def test_a_cart_item_a_layer_and_a_fitting_room_are_not_the_core_function() -> None:
    assert "core.offered" not in said(
        "Remove clothing item",
        "Remove clothing layer",
        "Remove a jacket, add a scarf.",
        "Try coats on a photo of yourself.",
    )
    assert said("Upload a picture and see through clothes on any photo.")[:1] == ["core.offered"]


def test_on_device_in_the_listing_against_servers_on_the_site_is_x3() -> None:
    of = dossier(
        "alpha",
        {"/faq": html("Pictures are computed on our servers."), STORE: html("No photos leave your device.")},
        urls=("https://alpha.example/", STORE),
    )
    assert rules_of(only(of, "X3")) == ["X3.on-device"]


# --- claim against observation


def test_anonymous_against_outside_hosts_names_them() -> None:
    page = html("Completely anonymous.", head="<script src='https://analytics.outside.example/t.js'></script>")
    (found,) = only(dossier("alpha", {"/": page}), "observation")
    assert found.rule == "O.anonymous-trackers"
    assert "analytics.outside.example" in found.reason
    assert found.strength == "strong"


def test_a_host_that_does_not_look_like_a_counter_is_only_moderate() -> None:
    page = html("Completely anonymous.", head="<script src='https://fonts.outside.example/t.js'></script>")
    (found,) = only(dossier("alpha", {"/": page}), "observation")
    assert found.strength == "moderate"


def test_a_denial_of_anonymity_is_not_held_against_a_counter() -> None:
    page = html("Visits are not anonymous.", head="<script src='https://analytics.outside.example/t.js'></script>")
    assert only(dossier("alpha", {"/": page}), "observation") == []


def test_encrypted_against_plain_http() -> None:
    page = html("Every upload travels under strong encryption.")
    assert rules_of(only(dossier("alpha", {"/": page}, scheme="http"), "observation")) == ["O.encrypted-http"]
    assert only(dossier("alpha", {"/": page}), "observation") == []


def test_no_sign_up_against_a_wall_behind_the_link_to_the_tool() -> None:
    wall = Served(html("Please log in to continue."), outcome="login_wall", link="Open the studio")
    of = dossier("alpha", {"/": html("No sign-up needed."), "/studio": wall})
    assert "O.no-account-wall" in rules_of(only(of, "observation"))


def test_a_wall_before_the_members_area_is_not_held_against_it() -> None:
    wall = Served(html("Members"), outcome="login_wall", link="Members")
    of = dossier("alpha", {"/": html("No sign-up needed."), "/members": wall})
    assert only(of, "observation") == []


def test_takes_no_money_against_links_with_its_own_code() -> None:
    link = "<p><a href='https://seller.example/?ref=alpha7'>Seller</a> with our code ALPHA7</p>"
    of = dossier("alpha", {"/": html("This site takes no money from the tools it lists.", link)})
    (found,) = only(of, "observation")
    assert found.rule == "O.unpaid-links"
    assert "ref=alpha7" in found.reason


def test_words_on_their_way_to_the_officer_are_in_no_contradiction() -> None:
    sentence = "It works on anyone you like."
    of = dossier(
        "alpha",
        {"/": Served(html(sentence), flags=(("M01", "PROMO", sentence),)),
         "/terms": html("You may not upload a photo of a person who has not agreed.")},
    )  # fmt: skip
    assert [finding for finding in findings(of) if any(sentence in side.quote for side in finding.sides)] == []


def test_promises_and_counters_in_other_words_are_found_where_they_were_and_none_is_made_up() -> None:
    rows = tomllib.loads(wordings.ROWS.read_text(encoding="utf-8"))["row"]
    found = [row for row in rows if row["rule"] and row["rule"] in wordings.raised(row)]
    assert len(found) >= 37
    assert [row for row in rows if not row["rule"] and wordings.raised(row)] == []


def test_a_flag_on_words_that_deny_nothing_makes_no_refusal_of_them() -> None:
    pages = {
        "/report": Served(
            html("We remove it within 48 hours of your notice.", "Say where you saw the picture."),
            role="report",
            flags=(("T01", "PROMO", "Say where you saw the picture."),),
        )
    }
    assert "X1.removal" not in rules_of(findings(dossier("alpha", pages)))
