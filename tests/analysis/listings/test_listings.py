"""Fields of listings and advertisements. Fixtures in tests/fixtures/synthetic are invented; the rest is read from ../shared/data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.listings.fields import FIELDS, Absent, Listing, Present, Unparsed
from analysis.listings.listing import READER, field_rows, platform_of, read_listing, role_of
from tests.real_input import shared

SYNTHETIC = Path(__file__).resolve().parents[2] / "fixtures" / "synthetic"
WEB = Path(__file__).resolve().parents[3] / "cli" / "demo_web"


def html(name: str) -> str:
    return (SYNTHETIC / name).read_text(encoding="utf-8")


def record(name: str, *path: str | int) -> str:
    value = json.loads((SYNTHETIC / name).read_text(encoding="utf-8"))
    for step in path:
        value = value[step]
    return json.dumps(value)


def read(body: str, content_type: str = "text/html") -> Listing:
    found = read_listing(body, content_type)
    assert found is not None
    return found


def test_a_google_play_page_gives_its_fields() -> None:
    found = read(html("google_play.html"))
    assert (found.platform, found.kind) == ("google-play", "listing")
    assert found.values("title") == ("Snapmarrow: Photo Shelf",)
    assert found.values("description") == ("Tidy your photos. A neat helper for your camera roll. Works offline.",)
    assert found.values("installs") == ("1M+",)
    assert found.values("rating") == ("4.5",)
    assert found.values("rating_count") == ("20817",)
    assert found.values("age_rating") == ("Everyone",)
    assert found.values("privacy_label") == ("No data shared with third parties. Data is encrypted in transit.",)
    assert found.values("whats_new") == ("Faster start.",)
    assert found.values("developer_site") == ("https://snapmarrow.example/",)
    assert found.values("developer_email") == ("help@snapmarrow.example",)
    assert found.values("privacy_link") == ("https://snapmarrow.example/privacy",)
    assert found.values("reviews") == ("Does more than the page says.",)
    assert found.state("developer_address") == "absent"


def test_an_app_store_page_gives_its_fields() -> None:
    found = read(html("app_store.html"))
    assert found.platform == "app-store"
    assert found.values("subtitle") == ("A shelf for pictures",)
    assert found.values("age_rating") == ("4+",)
    assert found.values("in_app_prices") == ("Week $4.99 Pack of 30 $9.99",)
    assert found.values("privacy_label") == (
        "Data Not Collected. The developer does not collect any data from this app.",
    )
    assert found.values("developer_site") == ("https://snapmarrow.example/",)
    assert found.values("other_apps") == ("https://apps.store.example/us/developer/marrow-lane/id1500112233",)


def test_an_f_droid_page_gives_its_fields() -> None:
    found = read(html("f_droid.html"))
    assert found.platform == "f-droid"
    assert found.values("developer") == ("Fern Abel",)
    assert found.values("developer_site") == ("https://leafsort.example/",)
    assert found.values("permissions") == ("read the contents of your storage",)
    assert found.state("category") == "absent"


def test_a_bot_page_gives_its_fields_and_where_it_leads() -> None:
    found = read(html("telegram_bot.html"))
    assert found.platform == "telegram-bot"
    assert found.values("members") == ("12 345 monthly users",)
    assert found.values("buttons") == ("Start Bot tg://resolve?domain=velvetpane_bot",)
    assert found.values("landing") == ("https://velvetpane.example/plans",)


def test_a_model_page_and_a_model_record_give_their_fields() -> None:
    page = read(html("model_page.html"))
    assert page.platform == "model-page"
    assert page.values("title") == ("lane/quiet-garments",)
    assert page.values("installs") == ("4120",)
    assert page.values("description") == ("Changes garments in a picture. Use it at quietgarments.example .",)
    one = read(record("model_record.json"), "application/json")
    assert one.platform == "model-library"
    assert one.values("description") == ("Changes garments in a picture.", "Sharper seams.")
    assert one.values("tags") == ("fashion", "clothing")


def test_advertisements_give_words_advertiser_dates_and_where_they_lead() -> None:
    meta = read(record("meta_ads.json", "data", 0), "application/json")
    assert (meta.platform, meta.kind) == ("meta-ads", "ad")
    assert meta.values("ad_text") == ("Any outfit, one tap. Try it free today.", "Only this week.")
    assert meta.values("landing") == ("velvetpane.example",)
    assert meta.values("run_dates") == ("2026-09-02 to 2026-09-20",)
    assert meta.values("payer") == ("Velvetpane Ltd",)
    tiktok = read(record("tiktok_ad_detail.json", "data"), "application/json")
    assert tiktok.platform == "tiktok-ads"
    assert tiktok.values("landing") == ("https://velvetpane.example/lp",)
    assert tiktok.values("run_dates") == ("20260902 to 20260920",)


def test_a_field_that_was_not_asked_for_is_not_called_absent() -> None:
    second = read(record("meta_ads.json", "data", 1), "application/json")
    assert second.state("landing") == "unparsed"
    listed = read(record("tiktok_ads.json", "data", "ads", 0), "application/json")
    assert listed.state("ad_text") == "unparsed"


def test_structured_data_of_any_page_is_read_and_its_silence_is_no_absence() -> None:
    found = read((WEB / "shelfgrove" / "app-snapfjord.html").read_text(encoding="utf-8"))
    assert found.platform == "structured-data"
    assert found.values("title") == ("Snapfjord: Photo Tidy",)
    assert found.values("installs") == ("1M+",)
    assert found.values("rating_count") == ("21,307",)
    assert found.values("in_app_prices") == ("Contains ads · In-app purchases $0.99 to $39.99",)
    assert found.values("developer_email") == ("help@snapfjord.example",)
    assert "absent" not in {found.state(name) for name, _ in found.fields}


def test_offers_ratings_and_reviews_in_json_ld_are_read_without_the_names_of_reviewers() -> None:
    page = """<script type="application/ld+json">{"@graph":[{"@type":"Product","name":"Credits","offers":{"@type":"AggregateOffer",
    "lowPrice":"4.99","highPrice":"39.99","priceCurrency":"USD"},"review":[{"@type":"Review","reviewBody":"Works.",
    "author":{"@type":"Person","name":"Rosalind Tamm"}}],
    "aggregateRating":{"@type":"AggregateRating","ratingValue":"4.9","reviewCount":2000000}}]}
    </script><!-- schema.org -->"""
    found = read(page)
    assert found.values("price") == ("4.99 to 39.99 USD",)
    assert found.values("rating_count") == ("2000000",)
    assert found.values("reviews") == ("Works.",)
    assert not any("Rosalind" in item.value for _, item in found.fields if isinstance(item, Present))


# --- recorded material


@pytest.mark.parametrize(
    ("file", "title", "developer", "price"),
    [
        ("bbedit.json", "BBEdit", "Bare Bones Software, Inc.", "Free"),
        ("slack-lookup.json", "Slack", "Slack Technologies, Inc.", "Free"),
        ("things-lookup.json", "Things That Go Bump", "Tinybop Inc.", "$0.99"),
    ],
)
def test_recorded_lookup_answers_give_the_fields_that_they_hold(
    file: str, title: str, developer: str, price: str
) -> None:
    found = read((shared("itunes") / file).read_text(encoding="utf-8"), "application/json")
    assert found.platform == "itunes"
    assert found.values("title") == (title,)
    assert found.values("developer") == (developer,)
    assert found.values("price") == (price,)
    assert found.values("age_rating") == ("4+",)


@pytest.mark.parametrize(("file", "count"), [("slack.json", 39), ("things.json", 12)])
def test_every_recorded_search_result_is_whole(file: str, count: int) -> None:
    results = json.loads((shared("itunes") / file).read_text(encoding="utf-8"))["results"]
    found = [read(json.dumps(item), "application/json") for item in results]
    assert len(found) == count
    for item, listing in zip(results, found, strict=True):
        assert listing.values("title") == (" ".join(item["trackName"].split()),)
        assert listing.values("description") == (" ".join(item["description"].split()),)
        # Some sellers have no site: the record's known keys are all there, so this is an absence.
        assert listing.state("developer_site") == ("present" if item.get("sellerUrl") else "absent")


def test_a_recorded_channel_preview_gives_its_fields() -> None:
    found = read((shared("telegram") / "channel_preview_2020.html").read_text(encoding="utf-8"))
    assert found.platform == "telegram-channel"
    assert found.values("title") == ("xCareers: Digital Jobs",)
    assert found.values("subtitle") == ("@xCareers",)
    assert found.values("members")[0].startswith("60K members")
    assert len(found.values("messages")) == 3
    assert len(found.values("buttons")) == 2, "the same button under two posts is one"
    assert "absent" not in {found.state(name) for name, _ in found.fields}


# --- when a layout changes

CHANGES: dict[str, tuple[Callable[[], str], str, tuple[tuple[str, str], ...]]] = {
    "google-play": (
        lambda: html("google_play.html"),
        "text/html",
        (("application/ld+json", "text/plain"), ("About this app", "Info"), ("Data safety", "Your data"), ("aria-label", "data-l"),
         ("data-g-id", "data-k"), ("Downloads", "Gets"), ("/store/apps/dev?", "/dev?"), ("In-app purchases", "Extras"),
         ("data-review-id", "data-r"), ("What's new", "Notes"), ("Updated on", "On"), ('itemprop="name"', "")),
    ),
    "app-store": (
        lambda: html("app_store.html"),
        "text/html",
        (("application/ld+json", "text/plain"), ("<dt>", "<b>"), ("</dt>", "</b>"), ("product-header__subtitle", "x1"),
         ("App Privacy", "Data"),
         ("What’s New", "Notes"), ("Developer Website", "Home"), ("Privacy Policy", "Policy"), ("/developer/", "/d/")),
    ),
    "f-droid": (
        lambda: html("f_droid.html"),
        "text/html",
        (("package-name", "pn"), ("package-summary", "ps"), ("package-description", "pd"), ("package-version", "pv"),
         ("<li>", "<p>"), ('"permission"', '"x"')),
    ),
    "telegram-bot": (
        lambda: html("telegram_bot.html"),
        "text/html",
        (("tgme_page_title", "tgme_page_t2"), ("tgme_page_extra", "tgme_page_e2"), ("tgme_page_description", "tgme_page_d2"),
         ("tgme_action_button_new", "tgme_action_b2")),
    ),
    "telegram-channel": (
        lambda: '<div class="tgme_channel_new"><b>Velvetpane</b><p class="tgme_text2">Send a picture.</p></div>',
        "text/html",
        (),
    ),
    "model-page": (
        lambda: html("model_page.html"),
        "text/html",
        (('"author"', '"owner"'), ('"downloads"', '"pulls"'), ('"likes"', '"hearts"'), ('"tags"', '"labels"'),
         ('"pipeline_tag"', '"task"'), ("lastModified", "changed"), ('"id"', '"slug"'), ("model-card-content", "model-card-content2"),
         ("<h1>", "<p>")),
    ),
    "itunes": (
        lambda: json.dumps({"trackId": 1, "wrapperType": "software", "name": "Snapmarrow", "text": "Tidy your photos."}),
        "application/json",
        (),
    ),
    "model-library": (lambda: record("model_record.json"), "application/json",
        (('"name"', '"label"'), ('"description"', '"about"'), ('"type"', '"sort"'), ('"tags"', '"labels"'), ('"username"', '"who"'),
         ('"downloadCount"', '"pulls"'), ('"thumbsUpCount"', '"ups"'), ('"baseModel"', '"base"'))),
    "meta-ads": (lambda: record("meta_ads.json", "data", 0), "application/json",
        (("ad_creative_bodies", "creative_body"), ("ad_creative_link_", "creative_link_"), ("page_name", "page_title"),
         ("ad_delivery_", "delivery_"), ("beneficiary_payers", "payers"), ("eu_total_reach", "reach"), ("target_ages", "ages"))),
    "google-ads": (
        lambda: json.dumps({"advertiser_id": "AR1", "creative_id": "CR1", "name": "Velvetpane", "format": "TEXT", "shown": "2026-09-02"}),
        "application/json",
        (),
    ),
    "tiktok-ads": (lambda: record("tiktok_ad_detail.json", "data"), "application/json",
        (("first_shown_date", "shown_from"), ("last_shown_date", "shown_to"), ('"title"', '"words"'), ("external_url", "link"),
         ("call_to_action", "cta"), ("business_name", "name"), ("paid_for_by", "payer"), ("unique_users_seen", "seen"))),
    "structured-data": (
        lambda: (WEB / "shelfgrove" / "app-snapfjord.html").read_text(encoding="utf-8"),
        "text/html",
        (("itemprop=", "data-x="), ("downloads", "gets"), ("★", "of five"), ("reviews", "voices"), ("What’s new", "Notes"),
         ("Data safety", "Data"), ("Developer contact", "Maker"), ("In-app purchases", "Extras")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", CHANGES)
def test_when_the_layout_changes_fields_turn_unparsed_and_never_absent(platform: str) -> None:
    make, content_type, changes = CHANGES[platform]
    before = make()
    after = before
    for old, new in changes:
        assert old in after, f"{old} is not in the fixture any more"
        after = after.replace(old, new)
    if changes:
        assert any(isinstance(item, Present) for _, item in read(before, content_type).fields)
    found = read_listing(after, content_type, expected="listing")
    assert found is not None
    assert [name for name, item in found.fields if isinstance(item, Absent)] == []
    assert sum(isinstance(item, Unparsed) for _, item in found.fields) >= 3


@pytest.mark.parametrize("platform", ["google-play", "app-store", "f-droid", "telegram-bot", "model-page"])
def test_one_missing_mark_is_enough_to_doubt_every_field_not_found(platform: str) -> None:
    make, content_type, changes = CHANGES[platform]
    found = read(make().replace(*changes[0]), content_type)
    assert found.platform.partition("-")[0] == platform.partition("-")[0]
    assert [name for name, item in found.fields if isinstance(item, Absent)] == []


def test_a_listed_address_of_no_known_layout_gives_every_field_as_unparsed() -> None:
    found = read_listing("<h1>Velvetpane</h1><p>Tidy your photos.</p>", "text/html", expected="listing")
    assert found is not None
    assert found.platform == "unknown"
    assert {type(item) for _, item in found.fields} == {Unparsed}
    assert {name for name, _ in found.fields} == set(FIELDS)


# --- what is a listing at all


def test_an_ordinary_page_is_no_listing() -> None:
    page = (WEB / "snapfjord" / "index.html").read_text(encoding="utf-8")
    assert platform_of(page, "text/html") == ""
    assert read_listing(page, "text/html") is None
    assert role_of(page, "text/html") == ""


def test_structured_data_does_not_make_an_own_page_a_listing() -> None:
    page = '<script type="application/ld+json">{"@context":"https://schema.org","@type":"SoftwareApplication","name":"Velvetpane"}</script>'
    assert read(page).platform == "structured-data"
    assert role_of(page, "text/html") == ""


def test_roles_follow_the_platform() -> None:
    assert role_of(html("google_play.html"), "text/html") == "listing"
    assert role_of(html("telegram_bot.html"), "text/html") == "listing"
    assert role_of(record("meta_ads.json", "data", 0), "application/json") == "ad"


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", '{"page_id":1,"page_name":2}', '{"trackName":null,"trackId":[]}', "<![x", "<a" * 5000],
)
def test_no_text_makes_a_reader_raise(body: str) -> None:
    for content_type in ("application/json", "text/html", ""):
        read_listing(body, content_type, expected="ad")
        read_listing(
            body + 'tgme_page class="tgme_page" /store/apps/details rel="canonical" /store/apps/details?id=1',
            content_type,
        )


def test_rows_hold_each_field_in_its_state() -> None:
    rows = field_rows("t1", read(html("google_play.html")))
    assert {row["reader"] for row in rows} == {READER}
    states = {row["field"]: row["state"] for row in rows}
    assert states["title"] == "present"
    assert states["developer_address"] == "absent"
    assert [row["ordinal"] for row in rows] == list(range(len(rows)))
    assert all(row["location"] for row in rows)
