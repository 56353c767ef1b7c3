"""The role of a page, told from its address and its names."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.roles import ROLES, page_role

RULES = tomllib.loads(resources.files("data").joinpath("roles.toml").read_text(encoding="utf-8"))["rule"]
SITE = "https://lumatide.example"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("", "home"),
        ("/", "home"),
        ("/index.html", "home"),
        ("/en", "home"),
        ("/de-de/", "home"),
        ("/?utm_source=newsletter", "home"),
        ("/pricing", "pricing"),
        ("/en/plans-and-pricing", "pricing"),
        ("/buy-credits", "pricing"),
        ("/faq.html", "faq"),
        ("/help/faq", "faq"),
        ("/terms-of-service", "terms"),
        ("/legal/tos.php", "terms"),
        ("/termsOfUse", "terms"),
        ("/acceptable-use-policy", "terms"),
        ("/community-guidelines", "terms"),
        ("/agb", "terms"),
        ("/privacy_policy", "privacy"),
        ("/legal/privacy", "privacy"),
        ("/datenschutz", "privacy"),
        ("/refund-policy", "refund"),
        ("/how-to-cancel", "refund"),
        ("/terms/refunds", "refund"),
        ("/contact-us", "contact"),
        ("/impressum", "contact"),
        ("/about", "contact"),
        ("/report", "report"),
        ("/report-abuse", "report"),
        ("/dmca", "report"),
        ("/content-removal", "report"),
        ("/affiliate-program", "affiliate"),
        ("/partners", "affiliate"),
        ("/blog", "blog"),
        ("/blog/how-refunds-work", "blog"),
        ("/2025/03/our-new-pricing", "blog"),
        ("/news/terms-have-changed", "news"),
        ("/forum/thread-19", "forum"),
        ("/help/articles/refund-policy", "refund"),
        ("/hc/en-us/articles/1200-exporting", "help"),
        ("/company/blog", "blog"),
        ("/help/getting-started", "help"),
        ("/how-it-works", "help"),
        ("/store/apps/details?id=example.app", "listing"),
        ("/ads/preview-7", "ad"),
        ("/#/terms", "terms"),
        ("/?page=privacy", "privacy"),
        ("/gallery-of-lamps", "other"),
        ("/annual-report-2024", "other"),
    ],
)
def test_the_address_alone_tells_the_role(path: str, role: str) -> None:
    assert page_role(SITE + path)[0] == role


def test_link_text_decides_where_the_address_says_nothing() -> None:
    assert page_role(f"{SITE}/p/83", "Refund policy") == ("refund", "refund.name")
    assert page_role(f"{SITE}/x7", "Report an image")[0] == "report"


def test_first_heading_and_title_decide_last() -> None:
    assert page_role(f"{SITE}/x7", title="Lumatide | Terms of Use")[0] == "terms"
    assert page_role(f"{SITE}/x7", "Read more", h1="Frequently asked questions")[0] == "faq"
    assert page_role(f"{SITE}/privacy", "Terms")[0] == "privacy"


def test_a_blog_post_stays_a_blog_post_whatever_it_is_about() -> None:
    assert page_role(f"{SITE}/blog/terms-of-service", "Terms of service")[0] == "blog"
    assert page_role("https://blog.lumatide.example/pricing")[0] == "blog"


def test_a_long_title_names_a_subject_and_not_a_role() -> None:
    title = "Seven things that people who sell lamps get wrong about their refund policy"
    assert page_role(f"{SITE}/seven-things", title=title) == ("other", "role.none")


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Datenschutzerklärung", "privacy"),
        ("Conditions générales", "terms"),
        ("Preguntas frecuentes", "faq"),
        ("利用規約", "terms"),
        ("Цены", "pricing"),
        ("Fale conosco", "contact"),
    ],
)
def test_link_texts_in_other_languages_are_known(text: str, role: str) -> None:
    assert page_role(f"{SITE}/a/b1", text)[0] == role


def test_an_unreadable_address_counts_as_none() -> None:
    assert page_role("https://[broken/terms", "Pricing")[0] == "pricing"
    assert page_role("") == ("other", "role.none")


@given(st.text(max_size=200), st.text(max_size=80), st.text(max_size=200), st.text(max_size=80))
def test_any_text_gets_a_known_role_and_a_rule(url: str, link: str, title: str, h1: str) -> None:
    role, rule = page_role(url, link, title, h1)
    assert role in ROLES
    assert rule


def test_every_rule_has_an_id_of_its_role_and_only_cues_that_can_match() -> None:
    ids = [rule["id"] for rule in RULES]
    assert len(ids) == len(set(ids))
    for rule in RULES:
        assert rule["id"].partition(".")[0] == rule["role"]
        for cue in (*rule.get("folder", ()), *rule.get("cues", ()), *rule.get("exact", ())):
            assert cue == " ".join(cue.casefold().split()), cue
            assert len(cue.split()) <= 5, cue
