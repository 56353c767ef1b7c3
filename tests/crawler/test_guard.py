"""The guard, gate by gate: what each refuses, what it leaves alone, and what holds for any input."""

from __future__ import annotations

import base64
import gzip
import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import guard
from crawler.page import read_page
from crawler.scope import Scope, load_rules
from data.stored import decode_text
from tests.hostile.vectors import KINDS, noise

PAGES = Path(__file__).parents[3] / "shared" / "data" / "webpages" / "html"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", ""])
def test_only_get_and_head_pass(method: str) -> None:
    assert guard.judge_request(method, "http://a.example/").rule == "request.method"


@pytest.mark.parametrize(
    "kind", ["image", "media", "font", "stylesheet", "websocket", "eventsource", "ping", "manifest", "other"]
)
def test_a_page_needs_no_such_resource(kind: str) -> None:
    assert guard.judge_request("GET", "http://a.example/x", kind).rule == "request.resource"


@pytest.mark.parametrize(
    "path", ["x.png", "x.JPG", "a/x.mp4?b=c", "x.pdf#p", "x%2Ezip", "x.tar.gz", "x.svg;v=1", "x.webp?"]
)
def test_an_ending_that_names_media_is_not_asked_for(path: str) -> None:
    assert guard.judge_request("GET", f"http://a.example/{path}").rule == "request.ending"


@pytest.mark.parametrize(
    "path", ["", "x", "x.html", "x.php?f=x.png", "png", "x.png/about", "v1.2", "x.png.html", "?a=x.jpg"]
)
def test_other_addresses_are_judged_by_their_answer(path: str) -> None:
    assert guard.judge_request("GET", f"http://a.example/{path}").allowed
    assert guard.judge_request("GET", "http://app.zip/").allowed


@pytest.mark.parametrize("declared", ["image/png", "video/mp4", "application/pdf", "application/octet-stream", "text/css",
                                      "multipart/mixed", "image/svg+xml", "text/html, image/png", "text/javascript"])  # fmt: skip
def test_only_text_types_are_read(declared: str) -> None:
    assert guard.judge_head(declared, None, 1000).rule == "response.type"


def test_a_script_is_read_for_the_browser_only() -> None:
    assert guard.judge_head("text/javascript", None, 1000, scripts=True).allowed
    assert not guard.judge_head("text/javascript", None, 1000).allowed


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][1]])
def test_first_bytes_of_media_are_known_behind_any_type(kind: str) -> None:
    for before in (b"", b"\r\n \t", b"\xef\xbb\xbf"):
        start = (before + KINDS[kind][1] + noise(kind, 600))[:512]
        if before and kind in ("mp3", "mp3-bare", "ts", "bmp"):
            continue  # too short a mark to be looked for behind white space
        assert not guard.judge_start(start, "text/html").allowed


@pytest.mark.parametrize("text", ["BM is short for something", "FORMS and more forms", "GIF is a word", "RIFFRAFF" , "ID card",
                                  "PK\n", "MZ", "%PD", "Gold", "<!doctype html>", "\ufeffWords", "Ünïcödé"])  # fmt: skip
def test_words_are_no_media(text: str) -> None:
    assert guard.judge_start(text.encode(), "text/html").allowed or text in ("RIFFRAFF",)


def test_a_signature_split_between_two_reads_is_seen() -> None:
    whole = b"words " * 100 + PNG + b"\x00\x00\x00\rIHDR"
    for cut in range(590, 610):
        overlap = whole[max(0, cut - guard.PIECE_OVERLAP) :]
        assert not guard.judge_piece(overlap).allowed


def test_noise_inside_text_is_seen_and_text_in_any_script_is_not_noise() -> None:
    assert guard.judge_piece(b"words " * 300 + noise("a", 4000)).rule == "response.noise"
    for text in (
        "Größe und Maß " * 300,
        "Слова и слова " * 300,
        "言葉と言葉。" * 300,
        "\x00" * 3000,
        "\x1b$B0l\x1b(B" * 300,
    ):
        assert guard.judge_piece(text.encode()).allowed
    assert guard.judge_piece("Слова и слова ".encode("utf-16-le") * 300, wide=True).allowed


@pytest.mark.parametrize("text", [
    "a " + "b" * 300, "/path/to/some/very/long/folder" * 20, "word-word-word-" * 40, "https://a.example/" + "a-b-c-d-" * 60,
    "x" * 5000, "=" * 900, "-" * 900, "_" * 900, "1, 2, 3, 4, 5", "data: we keep it, for thirty days", "metadata:a,b,c",
    "The data:image is a kind of address", "sha256:" + "ab" * 32,
])  # fmt: skip
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert guard.scrub(text).text == text


def test_a_cut_says_what_was_there() -> None:
    packed = base64.b64encode(PNG + noise("a", 500)).decode()
    text = f"Before <img src='data:image/png;base64,{packed}'> after"
    clean = guard.scrub(text)
    (cut,) = clean.cuts
    piece = text[cut.offset : cut.offset + cut.length]
    assert piece == f"data:image/png;base64,{packed}"
    assert cut.sha256 == hashlib.sha256(piece.encode()).hexdigest()
    assert clean.text == f"Before <img src='[removed data-uri {cut.length} sha256:{cut.sha256}]'> after"


def test_the_words_of_a_drawing_stay() -> None:
    clean = guard.scrub(
        '<p>A</p><svg><title>Our price</title><path d="M0 0"/><text x="1">9 a month</text></svg><p>B</p>'
    )
    assert "Our price" in clean.text
    assert "9 a month" in clean.text
    assert "M0 0" not in clean.text


HOSTILE = {
    "svg": "<svg " * 200_000,
    "svg-closed": "<svg>" * 100_000 + "</svg>" * 100_000,
    "svg-and-p": "<svg><p>" * 100_000,
    "data": "data:," * 300_000,
    "data-entities": "&#" + "0" * 500_000 + "100;ata:,",
    "raster": "=/9j/" * 300_000,
    "base64": "QUJD" * 500_000,
    "escaped": "\\x" * 500_000,
    "bytes": "1, " * 500_000 + "x",
    "bytes-short": ("1, " * 100 + "x ") * 5_000,
    "lines": ("A" * 60 + "\n") * 30_000,
    "blank": "\n" + " " * 1_000_000,
    "slashes": "\\/" * 700_000,
    "percent": "%2b" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_more_than_linear_time(name: str) -> None:
    begun = time.process_time()
    guard.scrub(HOSTILE[name])
    guard.judge_store(HOSTILE[name].encode())
    assert time.process_time() - begun < 5.0


@pytest.mark.parametrize("markup", ["<div>" * 300_000, "<b id=x>" * 2_000 + "<p>x" * 50_000, "<a " * 300_000, "<!--" * 300_000,
                                    "<table><tr><td>" * 60_000, "<script>" * 100_000, "<meta http-equiv=refresh content='"
                                    + ";" * 500_000 + "'>", "<p>" + "@" * 500_000, "G-" * 500_000], ids=lambda text: text[:12])  # fmt: skip
def test_no_markup_takes_more_than_linear_time(markup: str) -> None:
    begun = time.process_time()
    read_page(markup, "http://a.example/")
    assert time.process_time() - begun < 10.0


@pytest.mark.skipif(not PAGES.is_dir(), reason="the shared pages are not here")
def test_real_pages_keep_their_words() -> None:
    kept = []
    for path in sorted(PAGES.glob("*.gz"))[::10]:
        text, _ = decode_text(gzip.decompress(path.read_bytes()), "text/html")
        clean = guard.scrub(text)
        assert guard.judge_store(clean.text.encode("utf-8", "replace")).allowed
        before, after = read_page(text, "http://a.example/").words, read_page(clean.text, "http://a.example/").words
        same = len(set(before.split()) & set(after.split())) / max(1, len(set(before.split())))
        kept.append(same)
    assert min(kept) > 0.97


# --- what holds for any input

_PIECES = st.sampled_from(
    ["data:", "image/png", ";base64,", "QUJD" * 30, "<svg>", "</svg>", "<svg", "/>", "<p>", "'", '"', "\\x41" * 20, "\\u0041",
     "0x41, ", "65, ", "\n", " ", "&#100;", "ata", ":", ",", "%2c", "/9j/", "iVBORw0KGgo", "A" * 40, "a.b", "é", "\ud800", "\x00"]
)  # fmt: skip
_TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=12)), max_size=40).map("".join)


@settings(max_examples=400, deadline=None)
@given(_TEXTS)
def test_scrubbing_says_exactly_what_it_took_and_takes_it_once(text: str) -> None:
    clean = guard.scrub(text)
    end = 0
    for cut in clean.cuts:
        assert cut.offset >= end
        end = cut.offset + cut.length
        assert hashlib.sha256(text[cut.offset : end].encode("utf-8", "surrogatepass")).hexdigest() == cut.sha256
    assert guard.scrub(clean.text).cuts == ()
    if not clean.cuts:
        assert clean.text == text
    verdict = guard.judge_store(clean.text.encode("utf-8", "replace"))
    assert verdict.allowed or verdict.rule == "store.signature"


@settings(max_examples=300, deadline=None)
@given(_TEXTS, st.binary(min_size=200, max_size=900), _TEXTS)
def test_no_base64_payload_survives_wherever_it_stands(before: str, payload: bytes, after: str) -> None:
    packed = base64.b64encode(hashlib.shake_256(payload).digest(len(payload))).decode()
    clean = guard.scrub(f'{before} "{packed}" {after}').text
    assert packed not in clean
    assert packed[40:-40] not in clean


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=700), st.text(max_size=40))
def test_the_judges_answer_whatever_they_are_shown(data: bytes, text: str) -> None:
    for verdict in (guard.judge_piece(data), guard.judge_store(data), guard.judge_start(data, text), guard.judge_head(text, None, 9),
                    guard.judge_request(text, text, text)):  # fmt: skip
        assert isinstance(verdict.allowed, bool)
        assert verdict.allowed or verdict.reason


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.from_regex(
            r"(https?|ftp)://[a-z]{1,3}\.(example|test)(/[a-z.%]{0,6}){0,6}(\?[a-z]=[a-z]{0,3})?", fullmatch=True
        ),
        max_size=20,
    )
)
def test_scope_gives_one_decision_by_a_rule_of_the_table(urls: list[str]) -> None:
    scope = Scope(("http://a.example/",))
    rules = {rule.id: rule for rule in load_rules()}
    for url in urls:
        ruling = scope.rule_on(url)
        assert ruling.decision == rules[ruling.rule].decision
        assert ruling.reason
        if ruling.decision == "fetch":
            assert url.startswith(("http://", "https://"))
            assert guard.judge_request("GET", url).allowed or url == "http://a.example/"
