"""What holds for any input at all: offsets, determinism, no exception, time in proportion."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from analysis.passages import MAX_PASSAGE, TextVersion, extract

TAGS = re.findall(
    r"\S+",
    "html head body div p span a b ul ol li table tr td th h1 h2 section article header footer nav form label select option "
    "button textarea details summary dl dt dd iframe template noscript svg title script style br hr img input pre x-y main",
)
ATTRIBUTES = [
    "",
    " hidden",
    ' style="display:none"',
    ' style="display:inline"',
    ' aria-label="name"',
    ' title="tip"',
    ' lang="de"',
    ' class="cookie-banner"',
    ' srcdoc="<p>inner"',
    ' type="application/ld+json"',
    ' type="application/json"',
    ' role="heading"',
    ' colspan="3"',
    ' value="v"',
    ' alt="a"',
]
TYPES = [
    "text/html",
    "text/plain",
    "application/json",
    "application/ld+json",
    "text/xml",
    "application/rss+xml",
    "",
    "image/png",
]

pieces = st.one_of(
    st.builds("<{}{}>".format, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES)),
    st.builds("</{}>".format, st.sampled_from(TAGS)),
    st.sampled_from(
        ["text", " ", "\n", "&amp;", "&#0;", "<!--c-->", "<![CDATA[x]]>", "\x00", "?", ":", '{"a": "b c."}', "]]>"]
    ),
    st.text(max_size=8),
)
markup = st.lists(pieces, max_size=40).map("".join)


def assert_holds(version: TextVersion) -> None:
    end = -1
    version.text.encode()
    for ordinal, passage in enumerate(version.passages):
        text = version.text[passage.start : passage.end]
        assert passage.ordinal == ordinal
        assert passage.start == end + 1
        assert text == " ".join(text.split()) != ""
        assert len(text) <= MAX_PASSAGE
        assert passage.zone
        assert passage.role
        assert passage.locator
        assert passage.hidden in ("", "attr", "style", "aria")
        end = passage.end
    assert len(version.text) == max(end, 0)


@settings(max_examples=300, deadline=None)
@given(markup)
def test_offsets_hold_for_any_markup_and_the_result_is_the_same_twice(html: str) -> None:
    version = extract(html)
    assert_holds(version)
    assert version == extract(html)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=200), st.sampled_from(TYPES))
def test_no_text_of_any_type_raises(body: str, content_type: str) -> None:
    assert_holds(extract(body, content_type=content_type))


@settings(max_examples=100, deadline=None)
@given(markup, st.sampled_from(TYPES))
def test_no_markup_of_any_type_raises(body: str, content_type: str) -> None:
    assert_holds(extract(body, content_type=content_type))


@settings(max_examples=150, deadline=None)
@given(markup)
def test_no_visible_text_is_lost(html: str) -> None:
    """Every word of the body that lexbor itself gives is in some passage, glued to its neighbours or not."""
    body = LexborHTMLParser(html.replace("\x00", "")).body
    if body is None:
        return
    for node in body.css("script, style, template, iframe, noscript"):
        if node.parent is not None:
            node.decompose()
    found = "".join(extract(html).text.split())
    for word in body.text(separator=" ").split():
        assert word in found


@settings(max_examples=150, deadline=None)
@given(markup)
@example("<template>text")
def test_a_locator_finds_the_element_that_holds_the_text(html: str) -> None:
    version = extract(html)
    tree = LexborHTMLParser(html)
    for passage in version.passages:
        if any(mark in passage.locator for mark in (">>>", "[", "#")) or passage.zone == "alt":
            continue
        element = tree.css_first(passage.locator)
        assert element is not None, passage.locator
        text = version.text[passage.start : passage.end]
        assert "".join(text.split()) in "".join(element.text().split()), passage


N = 20_000
HOSTILE = {
    "nested div": "<div>" * N + "x",
    "nested div with text": "<div>x" * N,
    "nested list": "<ul><li>x" * N,
    "nested inline": "<b>" * N + "x",
    "nested inline then blocks": "<span>" * N + "<p>x" * N,
    "nested table": "<table><tr><td>" * N + "x",
    "nested template": "<template>x" * N,
    "nested frame": '<iframe srcdoc="' * N,
    "nested form": "<form>" * N + "x",
    "nested section": "<section><h2>a</h2>" * N,
    "nested details": "<details><summary>q</summary>" * N,
    "nested custom element": "<x-y>a" * N,
    "nested svg": "<svg>" * N + "x",
    "nested banner": "<div class=cookie-banner>" * N + "x",
    "misnested": "<div><div></b>" * N,
    "many attributes": "<div " + " ".join(f"a{number}=1" for number in range(N)) + ">x",
    "many quoted attributes": "<div " + " ".join(f'a{number}=">"' for number in range(N)) + ">x",
    "wide table": "<table>" + "<tr><th colspan=9999 rowspan=9999>x" * N,
    "unclosed paragraphs": "<p>x" * N,
    "unclosed comment": "<!--" * N,
    "deep JSON": '<script type="application/ld+json">' + '{"a":' * N,
    "unclosed JSON strings": '<script type="application/json">' + '"a b' * N,
    "state without end": "<script>__STATE__ = {" + '"a": {' * N,
    "links": "<a href=x>q</a>" * N,
    "one long word": "x" * 1_000_000,
    "NUL": "\x00x" * N,
    "frameset": "<frameset><frame><noframes><p>x</p></noframes></frameset>",
    "nothing": "",
    "only a doctype": "<!doctype html>",
    "lone surrogate": "<p>\ud800x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_is_read_in_bounded_time(name: str) -> None:
    """Seconds, where quadratic work would be minutes: the bound is for a machine that is busy with other things."""
    begin = time.process_time()
    assert_holds(extract(HOSTILE[name]))
    assert time.process_time() - begin < 20


def test_a_thousand_levels_lose_no_text_and_keep_their_pieces_apart() -> None:
    version = extract("".join(f"<div>level{number} " for number in range(12_000)))
    assert [version.text[p.start : p.end] for p in version.passages] == [f"level{number}" for number in range(12_000)]
