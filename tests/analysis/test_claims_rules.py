"""The pattern language of the codebook does what its description says."""

from __future__ import annotations

import pytest

from analysis.rules import Rulebook, compile_pattern, sentence_around
from data.codebook import CodebookError, load_codebook

FAMILIES = {"photo": "photo|photos|picture"}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("no logs", "we keep no logs"),
        ("no|zero logs", "zero logs"),
        ("(no record|zero logs) kept", "no record kept"),
        ("delete {photo}", "delete photos"),
        ("never <3> stored", "never ever anywhere stored"),
        ("never <3> stored", "never stored"),
        ("100 % ? legal", "100% legal"),
        ("100 % ? legal", "100 legal"),
        ("/[0-9]+/ days", "30 days"),
        ("^ free", "free for all"),
        ("don't ask", "dont ask"),
    ],
)
def test_a_pattern_matches(pattern: str, text: str) -> None:
    assert compile_pattern(pattern, FAMILIES).regex.search(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("no logs", "no. logs"),
        ("no logs", "casino logs"),
        ("never <2> stored", "never a b c stored"),
        ("^ free", "it is free"),
    ],
)
def test_a_pattern_does_not_match_over_sentences_or_inside_words(pattern: str, text: str) -> None:
    assert not compile_pattern(pattern, FAMILIES).regex.search(text)


@pytest.mark.parametrize("pattern", ["(open", "{nobody}", "a ) b", "/[/ x"])
def test_a_pattern_that_cannot_be_read_is_an_error(pattern: str) -> None:
    with pytest.raises(CodebookError):
        compile_pattern(pattern, FAMILIES)


def test_the_index_words_of_a_pattern_are_in_every_text_it_matches() -> None:
    codebook = load_codebook()
    texts = [example.text.lower() for _, example in codebook.examples()]
    for code in codebook.codes:
        for rule in code.rules:
            for pattern in rule.patterns:
                compiled = compile_pattern(pattern, codebook.families)
                for text in texts:
                    match = compiled.regex.search(text)
                    if match and compiled.words:
                        assert any(word in match.group() for word in compiled.words), (rule.id, pattern, text)


def test_a_rule_is_held_to_its_page_roles_and_exceptions() -> None:
    rulebook = Rulebook(load_codebook())
    assert any(m.rule.code == "D02" for m in rulebook.find("use it free of charge", "home"))
    assert not any(m.rule.code == "D02" for m in rulebook.find("feel free to write to us", "home"))


def test_a_sentence_is_found_around_a_span() -> None:
    text = "one. two is here! three"
    assert text[slice(*sentence_around(text, 5, 8))].strip() == "two is here!"
