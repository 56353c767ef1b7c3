"""From a listing or advertisement to where it leads; the rest of the store is left alone; robots.txt is obeyed and it is said."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.scope import Scope
from crawler.seam import seam_links
from crawler.sweep import plan_sweep, run_units
from data.case import Case, CaseFacts, make_case
from data.ingest import take_in
from data.records import Service
from data.store import reading, rows

SYNTHETIC = Path(__file__).resolve().parents[1] / "fixtures" / "synthetic"
STORE = "https://store.example/app/snapmarrow"


def test_a_store_page_leads_to_what_it_calls_the_developers_site_support_and_privacy_policy() -> None:
    page = (SYNTHETIC / "google_play.html").read_text(encoding="utf-8")
    found = seam_links(page, "https://play.store.example/store/apps/details?id=example.snapmarrow", "app_listing")
    assert {link.url for link in found} == {"https://snapmarrow.example/", "https://snapmarrow.example/privacy"}
    assert {link.kind for link in found} == {"seam"}


def test_other_links_of_a_store_page_lead_nowhere() -> None:
    page = '<a href="https://elsewhere.example/">Great apps</a><a href="/help">App support</a><a href="javascript:x()">Website</a>'
    assert seam_links(page, STORE, "app_listing") == ()


def test_an_advertisement_leads_where_its_own_links_go_and_not_where_its_platforms_do() -> None:
    page = (
        '<header><a href="https://platform-news.example/">News</a></header><a href="https://velvetpane.example/lp">Learn more</a>'
        '<div role="contentinfo"><a href="https://platform-jobs.example/">Jobs</a></div>'
    )
    assert [link.url for link in seam_links(page, "https://ads.example/214", "ad")] == ["https://velvetpane.example/lp"]


def test_at_most_three_sites_are_led_to() -> None:
    page = "".join(f'<a href="https://h{number}.example/">x</a>' for number in range(9))
    assert len(seam_links(page, "https://ads.example/214", "ad")) == 3


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (STORE, "scope.entry"),
        (f"{STORE}/privacy", "scope.same-site"),
        ("https://store.example/app/snapmarrow-pro", "scope.store"),
        ("https://store.example/app/another", "scope.store"),
        ("https://store.example/", "scope.store"),
        ("https://elsewhere.example/", "scope.off-site"),
    ],
)
def test_of_a_store_only_the_listings_own_pages_are_visited(url: str, rule: str) -> None:
    assert Scope((STORE,), (STORE,)).rule_on(url).rule == rule


def test_a_listing_known_by_its_query_has_the_pages_with_the_same_query() -> None:
    entry = "https://store.example/apps/details?id=example.snapmarrow"
    scope = Scope((entry,), (entry,))
    assert scope.rule_on("https://store.example/apps/datasafety?id=example.snapmarrow&hl=en").rule == "scope.same-site"
    assert scope.rule_on("https://store.example/apps/details?id=example.another").rule == "scope.store"


def test_a_service_with_pages_of_its_own_on_the_site_keeps_all_of_it() -> None:
    ad, home = "https://velvetpane.example/ad/214", "https://velvetpane.example/"
    assert Scope((home, ad), (ad,)).rule_on("https://velvetpane.example/plans").rule == "scope.same-site"


def test_where_a_listing_leads_joins_the_service() -> None:
    scope = Scope((STORE,), (STORE,))
    assert scope.rule_on("https://snapmarrow.example/", seam=True).rule == "scope.seam"
    assert scope.rule_on("https://snapmarrow.example/plans").rule == "scope.same-site"


# --- on loopback


class _Site(http.server.BaseHTTPRequestHandler):
    robots = ""
    pages: dict[str, str] = {}

    def do_GET(self) -> None:
        body = self.robots if self.path == "/robots.txt" else self.pages.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/plain" if self.path == "/robots.txt" else "text/html")
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *_: object) -> None:
        return


def _serve(host: str, handler: type[_Site]) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def web() -> Iterator[tuple[type[_Site], str, str]]:
    """A store and a developer's site on two loopback addresses: the store's handler, the listing's address, the site's."""
    maker = type("Maker", (_Site,), {"pages": {"/": "<h1>Velvetpane</h1>", "/plans": "<h1>Plans</h1>"}})
    maker.pages["/"] += '<a href="/plans">Plans</a>'
    site = _serve("127.0.0.72", maker)
    home = f"http://127.0.0.72:{site.server_port}/"
    listing = f'<h1>Snapmarrow</h1><a href="{home}">Website</a><a href="/app/another">Another</a><a href="/app/snapmarrow/more">More</a>'
    shop = type(
        "Shop",
        (_Site,),
        {"pages": {"/app/snapmarrow": listing, "/app/snapmarrow/more": "<p>More.", "/app/another": "<p>Not ours."}},
    )
    store = _serve("127.0.0.71", shop)
    yield shop, f"http://127.0.0.71:{store.server_port}/app/snapmarrow", home
    for server in (site, store):
        server.shutdown()
        server.server_close()


def crawl(folder: Path, listing: str) -> Case:
    policy = 'delay_seconds = 0.0\nrender = "never"\nprofiles = false\nallow_private = ["127.0.0.0/8"]'
    case = make_case(folder, CaseFacts(title="t", authority="a"), policy)
    case.record(
        "services.added",
        {"services": [Service("Snapmarrow", "app_listing", urls=(listing,), kinds=("app_listing",)).as_json()]},
    )
    asyncio.run(run_units(case, list(plan_sweep(case).units), lambda message: None))
    take_in(case)
    return case


def test_a_visit_goes_from_the_listing_to_its_developers_site_and_nowhere_else(
    tmp_path: Path, web: tuple[type[_Site], str, str]
) -> None:
    _, listing, home = web
    with reading(crawl(tmp_path / "case", listing)) as connection:
        seen = rows(
            connection, "SELECT requested_url AS url, purpose, service FROM observations WHERE purpose <> 'robots'"
        )
        decided = {row["url"]: row["rule"] for row in rows(connection, "SELECT url, rule FROM addresses_decided")}
    assert {row["url"] for row in seen} == {listing, f"{listing}/more", home, f"{home}plans"}
    assert {row["service"] for row in seen} == {"Snapmarrow"}
    assert decided[home] == "scope.seam"
    assert decided[listing.replace("snapmarrow", "another")] == "scope.store"


def test_a_store_that_refuses_is_obeyed_and_an_import_is_asked_for(
    tmp_path: Path, web: tuple[type[_Site], str, str]
) -> None:
    shop, listing, _ = web
    shop.robots = "User-agent: *\nDisallow: /app/\n"
    with reading(crawl(tmp_path / "case", listing)) as connection:
        (row,) = rows(connection, "SELECT outcome, reason FROM observations WHERE purpose = 'entry'")
        (visit,) = rows(connection, "SELECT outcome, reason FROM visits")
    assert row["outcome"] == "robots"
    assert row["reason"].endswith("save the page and give it with: plainview import FILE --service 'Snapmarrow'")
    assert visit == row
