"""The bundled web answers as its descriptions say, counts what is asked, and its answer sheet is true to its pages."""

from __future__ import annotations

import csv
import html
import http.client
import io
import re
import time
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from cli.demo_server import CANARY, DemoServer, services_csv
from cli.demo_site import WEB, DemoPage, DemoSite, DemoWebError, filled, load_sites

SITES = load_sites()
BY_KEY = {site.key: site for site in SITES}
PAGES = [pytest.param(site, page, id=f"{site.key}{page.path}") for site in SITES for page in site.page]
EXPECTED = tomllib.loads((WEB / "expected.toml").read_text(encoding="utf-8"))
SIDES = [(row["kind"], side) for table in ("finding", "decoy") for row in EXPECTED[table] for side in row["side"]]
RAISING = {"PROMO", "TESTI", "UI"}
STANCES = RAISING | {"PROHIB", "DISCLAIM", "NEGATED", "POLICYQ", "REPORTED", "ADVICE", "USER", "UNCLEAR"}
CODE = re.compile(r"D0[1-9]|R0[1-6]|N0[1-3]|U0[1-6]|T0[1-3]|M0[1-3]|E0[1-4]")
VARIANTS = {"clock": "00:00:00", "nonce": "0", "self": "self"} | {f"host:{key}": key for key in BY_KEY}


@pytest.fixture(scope="module")
def web() -> Iterator[DemoServer]:
    with DemoServer() as server:
        yield server


def ask(
    web: DemoServer, site: DemoSite, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(site.address, web.port, timeout=10)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


# ---- Serving ----------------------------------------------------------------


@pytest.mark.parametrize(("site", "page"), PAGES)
def test_each_page_answers_as_its_site_describes(web: DemoServer, site: DemoSite, page: DemoPage) -> None:
    response, body = ask(web, site, page.path)
    assert response.status == page.status
    assert response.headers["Server"] == site.server
    assert int(response.headers["Content-Length"]) == len(body)
    if page.file:
        assert response.headers["Content-Type"] == page.type
        assert body
    if page.location:
        assert response.headers["Location"] == page.location
    for name, value in (*site.headers, *page.headers):
        assert "{{" not in response.headers[name]
        assert response.headers[name] == value or "{{" in value
    assert not re.search(rb"\{\{[a-z]", body)


def test_sites_differ_by_address_and_share_one_port(web: DemoServer) -> None:
    addresses = [site.address for site in web.sites]
    assert len(set(addresses)) == len(addresses)
    assert all(address.startswith("127.0.0.") for address in addresses)
    assert {urlsplit(web.url(site.key)).port for site in web.sites} == {web.port}


def test_the_service_that_is_down_refuses_the_connection(web: DemoServer) -> None:
    down = [site for site in web.sites if site.down]
    assert [site.key for site in down] == ["nimbuvane"]
    with pytest.raises(ConnectionRefusedError):
        ask(web, down[0], "/")


def test_an_unlisted_address_is_not_found_and_no_file_leaks(web: DemoServer) -> None:
    site = BY_KEY["quillobrite"]
    for path in ("/nowhere", "/site.toml", "/../site.toml", "/%2e%2e/expected.toml", "/later/index.html"):
        assert ask(web, site, path)[0].status == 404, path


def test_a_query_does_not_change_which_page_answers(web: DemoServer) -> None:
    site = BY_KEY["quillobrite"]
    assert ask(web, site, "/?ref=tarn22")[1] == ask(web, site, "/")[1]


def test_the_slow_page_keeps_its_visitor_waiting(web: DemoServer) -> None:
    slow = [(site, page) for site in SITES for page in site.page if page.delay_seconds]
    assert slow
    for site, page in slow:
        began = time.monotonic()
        ask(web, site, page.path)
        assert time.monotonic() - began >= page.delay_seconds


def test_four_redirects_of_four_kinds_lead_to_the_bot(web: DemoServer) -> None:
    site = BY_KEY["pelliquin"]
    assert ask(web, site, "/go")[0].headers["Location"] == "/go/2?src=ad3"
    assert b'http-equiv="refresh" content="0; url=/go/3"' in ask(web, site, "/go/2?src=ad3")[1]
    assert b"location.replace('/go/4')" in ask(web, site, "/go/3")[1]
    assert b"history.replaceState({}, '', '/welcome')" in ask(web, site, "/go/4")[1]
    assert ask(web, site, "/welcome")[0].status == 200


def test_one_robots_file_refuses_all_and_one_is_not_a_robots_file(web: DemoServer) -> None:
    assert ask(web, BY_KEY["orrowick"], "/robots.txt")[1].decode().split() == ["User-agent:", "*", "Disallow:", "/"]
    assert ask(web, BY_KEY["grimmerow"], "/robots.txt")[0].headers["Content-Type"].startswith("text/html")


# ---- Two visitors, two visits -------------------------------------------------


def test_a_browser_that_asks_for_english_meets_the_gate_and_another_does_not(web: DemoServer) -> None:
    site = BY_KEY["grimmerow"]
    first = ask(web, site, "/", Accept_Language="en-US,en;q=0.9")[1]
    other = ask(web, site, "/", Accept_Language="de-DE,de;q=0.9,en;q=0.5")[1]
    again = ask(web, site, "/", Accept_Language="en-US,en;q=0.9")[1]
    assert first == again == ask(web, site, "/")[1]
    assert b"Are you 18 or older?" in first and b"No gate, no limits" not in first
    assert b"No gate, no limits" in other and b"Are you 18 or older?" not in other


def test_the_noisy_page_differs_only_in_its_clock_and_nonce(web: DemoServer) -> None:
    site = BY_KEY["fennelthread"]
    noise = re.compile(rb"\d\d:\d\d:\d\d|[0-9a-f]{16}")
    one = ask(web, site, "/", Accept_Language="en")[1]
    two = ask(web, site, "/", Accept_Language="de")[1]
    assert one != two
    assert noise.sub(b"", one) == noise.sub(b"", two)


def test_only_one_site_varies_with_the_visitor(web: DemoServer) -> None:
    assert {site.key for site in SITES for page in site.page if page.variants} == {"grimmerow"}


def test_a_later_visit_meets_the_second_state_of_two_sites_and_the_first_of_all_others(web: DemoServer) -> None:
    changed: set[tuple[str, str]] = set()
    with DemoServer(later=True) as later:
        for site in SITES:
            for page in site.page:
                if page.file.endswith(".html") and not site.down:
                    own = re.compile(rb":\d{4,5}|\d\d:\d\d:\d\d|[0-9a-f]{16}")
                    if own.sub(b"", ask(web, site, page.path)[1]) != own.sub(b"", ask(later, site, page.path)[1]):
                        changed.add((site.key, page.path))
    assert changed == {("quillobrite", "/"), ("quillobrite", "/pricing"), ("lumenhush", "/")}


def test_two_servers_can_run_at_the_same_time(web: DemoServer) -> None:
    with DemoServer() as second:
        assert second.port != web.port
        assert ask(second, BY_KEY["lumenhush"], "/")[0].status == 200


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_listening(web: DemoServer) -> None:
    with pytest.raises(OSError, match="cannot serve the bundled web"), DemoServer(port=web.port):
        pass
    assert ask(web, BY_KEY["lumenhush"], "/")[0].status == 200


def test_a_closed_server_refuses(web: DemoServer) -> None:
    with DemoServer() as short:
        assert ask(short, BY_KEY["lumenhush"], "/")[0].status == 200
    with pytest.raises(ConnectionRefusedError):
        ask(short, BY_KEY["lumenhush"], "/")


# ---- Counting -----------------------------------------------------------------


def test_media_gets_a_signature_and_a_marker_and_is_counted() -> None:
    with DemoServer() as web:
        site = BY_KEY["quillobrite"]
        sent = 0
        for path, kind in (
            ("/media/share-card.png", "image/png"),
            ("/media/quill.woff2", "font/woff2"),
            ("/favicon.ico", "image/x-icon"),
            ("/clip.mp4", "video/mp4"),
            ("/x.JPG?size=2", "image/jpeg"),
        ):
            response, body = ask(web, site, path)
            assert (response.status, response.headers["Content-Type"]) == (200, kind)
            assert body.endswith(CANARY) and len(body) < 64
            sent += len(body)
        tally = web.tally()
        assert (tally.requests, tally.media_requests, tally.media_bytes) == (5, 5, sent)


def test_reading_every_page_as_text_asks_for_no_media() -> None:
    with DemoServer() as web:
        for site in SITES:
            for page in site.page:
                ask(web, site, page.path)
        tally = web.tally()
        assert tally.requests == sum(len(site.page) for site in SITES)
        assert (tally.media_requests, tally.media_bytes, tally.writes) == (0, 0, 0)


def test_a_head_request_is_counted_and_gets_no_body() -> None:
    with DemoServer() as web:
        response, body = ask(web, BY_KEY["quillobrite"], "/media/share-card.png", method="HEAD")
        assert response.status == 200 and body == b""
        (one,) = web.tally().of("quillobrite")
        assert (one.method, one.media, one.body_bytes) == ("HEAD", True, 0)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_form_that_is_sent_is_refused_and_counted(method: str) -> None:
    with DemoServer() as web:
        response, _ = ask(web, BY_KEY["lumenhush"], "/report-a-photo/send", method=method)
        assert response.status == 405
        assert web.tally().writes == 1


def test_one_connection_can_ask_for_many_pages(web: DemoServer) -> None:
    site = BY_KEY["fennelthread"]
    connection = http.client.HTTPConnection(site.address, web.port, timeout=10)
    for page in site.page:
        connection.request("GET", page.path)
        assert connection.getresponse().read()
    connection.close()


# ---- The services list ----------------------------------------------------------


def test_the_services_list_has_the_header_and_the_words_that_services_add_takes(web: DemoServer) -> None:
    rows = list(csv.DictReader(io.StringIO(web.services_csv())))
    assert web.services_csv() == services_csv(web.port)
    assert list(rows[0]) == ["service", "url", "kind", "source", "stratum"]
    assert {row["kind"] for row in rows} == {"website", "app_listing", "ad", "bot", "other"}
    assert {row["source"] for row in rows} == {"search", "ad", "app_store", "referral", "list"}
    assert len({row["service"] for row in rows}) == 12
    assert len({row["url"] for row in rows}) == len(rows)


def test_infrastructure_is_never_on_the_services_list(web: DemoServer) -> None:
    hosts = {urlsplit(row["url"]).hostname for row in csv.DictReader(io.StringIO(web.services_csv()))}
    for key in ("tallyhedge", "scripthutch", "coinquillow", "nattermere"):
        assert BY_KEY[key].address not in hosts


# ---- The pages themselves ---------------------------------------------------------


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pages: list[str] = []
        self.parts: list[str] = []
        self.forms: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if tag == "a" and name == "href":
                self.pages.append(value)
            elif name == "action":
                self.forms.append(value)
            elif name in ("src", "href", "poster", "data-href"):
                self.parts.append(value)


HTML_FILES = sorted(WEB.rglob("*.html"))


@pytest.mark.parametrize("file", HTML_FILES, ids=lambda file: str(file.relative_to(WEB)))
def test_each_link_leads_to_a_page_of_the_bundled_web_or_is_the_broken_one(file: Path) -> None:
    key = file.relative_to(WEB).parts[0]
    addresses = _Addresses()
    addresses.feed(filled(file.read_text(encoding="utf-8"), VARIANTS))
    for link in addresses.pages:
        url = urlsplit(urljoin(f"http://{key}/", link))
        if url.scheme == "mailto":
            assert link.endswith(".example")
            continue
        assert url.scheme == "http" and url.hostname in BY_KEY, link
        known = {page.path for page in BY_KEY[url.hostname].page}
        if BY_KEY[url.hostname].key in ("scripthutch", "nattermere"):
            continue
        assert url.path in known, link
    for part in (*addresses.parts, *addresses.forms):
        assert urlsplit(urljoin(f"http://{key}/", part)).hostname in {*BY_KEY, "self"}, part


def test_the_only_broken_link_is_the_one_described() -> None:
    missing = [(site.key, page.path) for site in SITES for page in site.page if page.status == 404]
    assert missing == [("quillobrite", "/whats-new-2024")]


def test_the_web_is_small_and_text_throughout() -> None:
    files = [path for path in WEB.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 600_000
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"data:[a-z]+/", text), path
        assert not re.search(r"[A-Za-z0-9+/]{120,}", text), path


def test_no_address_outside_loopback_and_the_example_names_stands_in_any_file() -> None:
    allowed = re.compile(r"https?://(?:\{\{(?:host:[a-z]+|self)\}\}|schema\.org|www\.sitemaps\.org|www\.w3\.org)")
    for path in (path for path in WEB.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r"https?://[^\s\"'<>)]*", text):
            assert allowed.match(match.group()), (path, match.group())
        for mail in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text):
            assert mail.endswith(".example"), (path, mail)


# ---- The answer sheet ---------------------------------------------------------------

_BLOCKS = re.compile(
    r"</?(?:p|div|h[1-6]|li|ul|ol|t[dhr]|table|section|article|header|footer|aside|nav|main|figure|figcaption|details"
    r"|summary|blockquote|button|label|dt|dd|dl|br|form|title|meta|img)\b",
    re.IGNORECASE,
)


def readable(text: str) -> str:
    """All that stands in a document: text without its tags, attribute values, and scripts, white space collapsed."""
    attributes = " ".join(re.findall(r'(?:content|alt|aria-label)="([^"]*)"', text))
    flat = re.sub(r"<[^>]+>", "", _BLOCKS.sub(lambda match: " " + match.group(), text))
    return re.sub(r"\s+", " ", html.unescape(flat + " " + attributes))


def documents(site: str, path: str, state: str = "now") -> list[str]:
    """The files behind a row of the answer sheet; a page drawn by script is read from its JSON document."""
    folder = BY_KEY[site].folder
    found = []
    for page in BY_KEY[site].page:
        if path not in ("*", page.path) or not page.file:
            continue
        file = page.file
        if state == "profile-b":
            file = page.variants[0].file
        elif state == "later":
            file = "later/" + page.file
        elif match := re.search(r"from /(data/\w+\.json)", page.note):
            file = match.group(1)
        found.append((folder / file).read_text(encoding="utf-8"))
    assert found, (site, path)
    return [readable(text) for text in found]


ROWS = [*EXPECTED["label"], *EXPECTED["plain"], *(side for _, side in SIDES)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['site']}{row['path']}")
def test_each_quote_of_the_answer_sheet_stands_on_its_page(row: dict[str, str]) -> None:
    texts = documents(row["site"], row["path"], row.get("state", "now"))
    holding = [text for text in texts if row["quote"] in text]
    assert len(holding) >= (2 if row["path"] == "*" else 1), row["quote"]


def test_codes_and_stances_are_those_of_the_codebook() -> None:
    for label in EXPECTED["label"]:
        assert CODE.fullmatch(label["code"]) and label["stance"] in STANCES, label
    for row in (*EXPECTED["finding"], *EXPECTED["decoy"]):
        assert "code" not in row or CODE.fullmatch(row["code"]), row


def test_all_thirty_four_codes_occur() -> None:
    assert len({label["code"] for label in EXPECTED["label"]}) == 34


def test_exactly_one_sentence_goes_to_the_named_officer() -> None:
    raised = [label for label in EXPECTED["label"] if label["code"] == "M01" and label["stance"] in RAISING]
    assert [(label["site"], label["path"]) for label in raised] == [("grimmerow", "/use-cases")]


def test_a_plain_sentence_carries_no_label_on_its_page() -> None:
    for plain in EXPECTED["plain"]:
        for label in EXPECTED["label"]:
            if (label["site"], label["path"]) == (plain["site"], plain["path"]):
                assert plain["quote"] not in label["quote"] and label["quote"] not in plain["quote"], plain


@pytest.mark.parametrize("site", ["fennelthread", "harbourlantern"])
def test_the_clean_sites_raise_next_to_nothing(site: str) -> None:
    raised = [label for label in EXPECTED["label"] if label["site"] == site and label["stance"] in RAISING]
    assert {label["code"] for label in raised} <= {"R01"}
    assert len(raised) <= 2


def test_each_kind_of_finding_has_a_decoy_beside_it_on_another_page() -> None:
    decoys = {row["kind"] for row in EXPECTED["decoy"]}
    for kind in ("X1", "X2", "X3", "X4", "observation", "absence", "duplicate", "ranking", "mirror", "operator"):
        assert any(row["kind"] == kind for row in EXPECTED["finding"]) and kind in decoys, kind


def test_each_outcome_names_an_address_that_answers_so(web: DemoServer) -> None:
    for row in EXPECTED["outcome"]:
        if "status" in row:
            assert ask(web, BY_KEY[row["site"]], row["path"])[0].status == row["status"]


def test_each_site_under_review_has_its_line_in_the_tour() -> None:
    assert {row["site"] for row in EXPECTED["site"]} == {site.key for site in SITES if site.entry}


# ---- Descriptions that cannot be served --------------------------------------------


def write_site(folder: Path, text: str) -> Path:
    (folder / "alpha").mkdir()
    (folder / "alpha" / "site.toml").write_text(text, encoding="utf-8")
    return folder


GOOD = 'name = "Alpha"\naddress = "127.0.0.9"\ndescription = "x"\n'


def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DemoWebError, match="'adress', did you mean 'address'"):
        load_sites(write_site(tmp_path, GOOD + 'adress = "127.0.0.9"\n'))


def test_a_page_without_its_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoWebError, match=r"gone\.html, which is not there"):
        load_sites(write_site(tmp_path, GOOD + '[[page]]\npath = "/"\nrole = "home"\nfile = "gone.html"\n'))


def test_a_site_without_an_address_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoWebError, match="address"):
        load_sites(write_site(tmp_path, 'name = "Alpha"\ndescription = "x"\n'))


def test_two_sites_at_one_address_are_an_error(tmp_path: Path) -> None:
    write_site(tmp_path, GOOD)
    (tmp_path / "beta").mkdir()
    (tmp_path / "beta" / "site.toml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DemoWebError, match=r"both claim 127\.0\.0\.9"):
        load_sites(tmp_path)


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(DemoWebError, match="host:nobody"):
        filled("http://{{host:nobody}}/", {"self": "127.0.0.9:80"})
