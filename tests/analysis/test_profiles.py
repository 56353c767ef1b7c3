"""Profiles and redirects: a difference counts only beyond what two equal looks show, a chain only beyond tidying."""

from __future__ import annotations

from tests.analysis.spoken import Served, dossier, html, only

GATE = html("Are you 18 or older?", "Adults only.", "Yes, I am 18")
OPEN = html("Welcome to the vault.", "No gate, no limits.", "Come in.")


def asked(first: str, other: str, again: str) -> list[str]:
    pages = {
        "/": first,
        "/#b": Served(other, profile="B", purpose="profile"),
        "/#a": Served(again, profile="A2", purpose="profile"),
    }
    return [finding.strength for finding in only(dossier("alpha", pages), "profile")]


def test_another_page_for_another_visitor_is_found_with_what_only_each_saw() -> None:
    pages = {
        "/": GATE,
        "/#b": Served(OPEN, profile="B", purpose="profile"),
        "/#a": Served(GATE, profile="A2", purpose="profile"),
    }
    (found,) = only(dossier("alpha", pages), "profile")
    assert [side.quote for side in found.sides if side.part == "before"] == [
        "Are you 18 or older?",
        "Adults only.",
        "Yes, I am 18",
    ]
    assert "No gate, no limits." in [side.quote for side in found.sides if side.part == "after"]


def test_a_page_that_is_another_one_each_time_is_noise() -> None:
    assert asked(GATE, OPEN, html("Something", "else", "again")) == []


def test_a_clock_is_noise() -> None:
    lines = ["One.", "Two.", "Three.", "Four.", "Five."]
    assert asked(html(*lines, "10:00"), html(*lines, "10:01"), html(*lines, "10:02")) == []


def chain(*hops: tuple[str, str], to: str = "/end") -> list[str]:
    pages = {
        to: Served(
            html("Here you are."),
            purpose="entry",
            hops=tuple((kind, f"https://alpha.example{path}") for kind, path in hops),
        )
    }
    return [finding.reason for finding in only(dossier("alpha", pages, urls=("https://alpha.example/go",)), "redirect")]


def test_hops_of_several_kinds_are_found_and_named() -> None:
    (reason,) = chain(("http", "/go"), ("meta", "/go/2"), ("script", "/go/3"), ("history", "/go/4"))
    assert "4 hops of 4 kinds" in reason


def test_a_slash_or_one_hop_is_none() -> None:
    assert chain(("http", "/end/")) == []
    assert chain(("http", "/go")) == []
    assert chain(("http", "/end"), ("http", "/end/"), ("http", "/end")) == []
