"""What a visit writes down: outcomes, hops of every kind, walls, robots, and one decision an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.outcomes import Outcome
from data.records import PageFacts
from tests.crawler.case import case_with, sweep
from tests.hostile.server import Answer, Asked, Server, closed_port

LONG = "Plain words of a page that has a lot to say about itself. " * 60


def page(body: str, **values: object) -> Answer:
    return Answer(f"<!doctype html><html lang=en><title>T</title><body>{body}".encode(), **values)  # type: ignore[arg-type]


def served(pages: dict[str, Answer]) -> Server:
    return Server(lambda asked: pages.get(asked.path), ("127.0.9.20",))


WALLS = {
    "challenge": page("<h1>One more step</h1><p>Please verify you are human.</p>", status=403),
    "login_wall": page("<p>Please log in to continue.</p>"),
    "age_gate": page("<p>Are you over 18? You must be at least 18 years old to enter.</p>"),
    "geo_block": page("<p>This service is not available in your country.</p>"),
    "blocked": page("<p>Forbidden.</p>", status=403),
    "not_found": page("<p>Nothing here.</p>", status=404),
    "http_error": page("<p>Oh no.</p>", status=500),
    "no_content": Answer(b"", "", 204),
    "not_text": Answer(b"%PDF-1.7 ", "application/pdf"),
    "ok": page("<p>Words.</p>"),
}


@pytest.mark.parametrize("outcome", WALLS)
def test_what_stands_in_the_way_is_a_stored_observation(tmp_path: Path, outcome: str) -> None:
    with served({"/": WALLS[outcome]}) as server:
        swept = sweep(case_with(tmp_path), f"{server.origin()}/")
        assert [path for path in server.paths() if path not in ("/", "/robots.txt")] == []
    entry = swept.entry()
    assert entry.outcome == outcome
    assert entry.status == WALLS[outcome].status
    assert entry.headers
    assert entry.has_text == Outcome(outcome).has_text


def test_a_port_where_nothing_listens_is_refused_and_has_no_status(tmp_path: Path) -> None:
    entry = sweep(case_with(tmp_path), f"http://127.0.0.1:{closed_port()}/").entry()
    assert (entry.outcome, entry.status, entry.status_origin) == ("refused", None, "none")


@pytest.mark.browser
def test_a_chain_of_every_kind_of_hop_is_labelled(tmp_path: Path) -> None:
    pages = {
        "/": Answer(b"", "text/html", 302, (("Location", "/header"),)),
        "/header": page("<p>A moment.</p>", headers=(("Refresh", "0; url=/meta"),)),
        "/meta": page('<meta http-equiv="refresh" content="0; url=/script"><p>A moment.</p>'),
        "/script": page("<p>A moment.</p><script>location.href = '/pushed'</script>"),
        "/pushed": page("<p>A moment.</p><script>history.pushState(0, '', '/replaced')</script>"),
        "/replaced": page("<p>A moment.</p><script>history.replaceState(0, '', '/end')</script>"),
        "/end": page("<p>The end.</p>"),
    }
    with served(pages) as server:
        swept = sweep(case_with(tmp_path, render='"auto"'), f"{server.origin()}/")
    last = [item for item in swept.pages() if item.requested_url.endswith("/end")]
    assert len(last) == 1
    assert [hop["kind"] for hop in last[0].hops] == ["http", "refresh", "meta", "script", "history", "history"]
    assert [hop["url"].rpartition("/")[2] for hop in last[0].hops] == [
        "",
        "header",
        "meta",
        "script",
        "pushed",
        "replaced",
    ]
    assert last[0].hops[0]["status"] == 302


ROBOTS = {
    "rules": (Answer(b"User-agent: *\nDisallow: /", "text/plain"), False),
    "others": (Answer(b"User-agent: else\nDisallow: /", "text/plain"), True),
    "ours": (Answer(b"User-agent: plainview\nDisallow: /\n\nUser-agent: *\nAllow: /", "text/plain"), False),
    "missing": (Answer(b"", "text/plain", 404), True),
    "forbidden": (Answer(b"", "text/plain", 403), True),
    "server-error": (Answer(b"", "text/plain", 500), False),
    "html": (page("<p>User-agent: *<br>Disallow: /</p>"), True),
    "html-as-text": (Answer(b"<!doctype html>\nUser-agent: *\nDisallow: /", "text/plain"), True),
    "empty": (Answer(b"", "text/plain"), True),
    "image": (Answer(b"\x89PNG\r\n\x1a\n" + bytes(600), "image/png"), True),
    "five-redirects": (Answer(b"", "", 301, (("Location", "/r/4"),)), False),
    "six-redirects": (Answer(b"", "", 301, (("Location", "/r/5"),)), True),
    "late-rule": (Answer(b"# words\n" * 70_000 + b"User-agent: *\nDisallow: /", "text/plain"), True),
    "longest-match": (Answer(b"User-agent: *\nDisallow: /\nAllow: /$", "text/plain"), True),
}


@pytest.mark.parametrize("kind", ROBOTS)
def test_robots_is_read_as_the_standard_says_and_kept(tmp_path: Path, kind: str) -> None:
    answer, allowed = ROBOTS[kind]

    def site(asked: Asked) -> Answer | None:
        if asked.path == "/robots.txt":
            return answer
        if asked.path.startswith("/r/"):
            left = int(asked.path[3:])
            rules = Answer(b"User-agent: *\nDisallow: /", "text/plain")
            return Answer(b"", "", 301, (("Location", f"/r/{left - 1}"),)) if left else rules
        return page("<p>Words.</p>")

    with Server(site, ("127.0.9.20",)) as server:
        swept = sweep(case_with(tmp_path), f"{server.origin()}/")
        assert ("/" in server.paths()) == allowed
    first = swept.observations()[0]
    assert first.purpose == "robots"
    assert first.warc_record
    assert (swept.entry().outcome == Outcome.OK) == allowed


def test_robots_that_does_not_answer_means_no(tmp_path: Path) -> None:
    import asyncio

    async def silent(*_: object) -> None:
        await asyncio.sleep(30)

    with Server(
        lambda asked: silent if asked.path == "/robots.txt" else page("<p>Words.</p>"), ("127.0.9.20",)
    ) as server:  # type: ignore[arg-type, return-value]
        sweep(case_with(tmp_path, timeout_seconds="2.0", page_seconds="4.0"), f"{server.origin()}/")
        assert server.paths() == ["/robots.txt"]


def test_every_address_seen_ends_in_one_decision_with_its_rule(tmp_path: Path) -> None:
    links = [
        "/a", "/a#part", "/a?", "/A", "a", "/b/../a", "//127.0.9.21/x", "http://user@127.0.9.20/", "mailto:a@b.example",
        "javascript:void(0)", "/logout", "/picture.png", "/x" * 900, "/a/a/a/a/a", "/deep/" * 25, "?q=" + "Zm9vYmFy9A" * 40,
        "ftp://127.0.9.20/x", "http://[", "tel:1", "/cart/add", "/b?fbclid=1", "/b?gclid=2", "/c/index.html", "/c/",
    ]  # fmt: skip
    body = "".join(f'<a href="{link}">Link</a>' for link in links)
    with served({"/": page(body)} | {path: page(body) for path in ("/a", "/A", "/b", "/c/")}) as server:
        swept = sweep(case_with(tmp_path), f"{server.origin()}/")
    seen = swept.addresses()
    assert len({item.url for item in seen}) == len(seen)
    assert all(item.rule and item.reason for item in seen)
    by_rule = {item.rule for item in seen}
    assert by_rule >= {"scope.entry", "scope.same-site", "scope.off-site", "scope.credentials", "scope.scheme", "scope.action",
                       "scope.media", "scope.trap-repeat", "scope.trap-depth", "scope.payload"}  # fmt: skip
    assert sum(item.url.endswith(("/c/", "/c/index.html")) for item in seen) == 1
    assert sum("clid=" in item.url for item in seen) == 1
    fetched = {item.requested_url for item in swept.pages()}
    assert fetched == {item.url for item in seen if item.decision == "candidate"}


def test_profiles_are_fetched_a_b_a_from_the_entry_page(tmp_path: Path) -> None:
    def site(asked: Asked) -> Answer | None:
        if asked.path != "/":
            return None
        return page("<p>Wörter.</p>" if asked.headers["accept-language"].startswith("de") else "<p>Words.</p>")

    with Server(site, ("127.0.9.20",)) as server:
        swept = sweep(case_with(tmp_path, profiles="true"), f"{server.origin()}/")
    looks = {item.profile: item for item in swept.observations() if item.requested_url.endswith("/") and item.has_text}
    assert looks["A"].wire_sha256 == looks["A2"].wire_sha256 != looks["B"].wire_sha256
    assert looks["B"].accept_language.startswith("de")


def test_facts_of_a_page_are_recorded(tmp_path: Path) -> None:
    body = (
        '<link rel=canonical href="/home"><script src="https://tags.example/t.js?id=1"></script>'
        "<script>gtag('config', 'G-ABCDEF1234')</script><form action='/buy' method=post></form>"
        '<a href="https://accounts.example/oauth2/authorize?client_id=abc">Sign in</a>'
        '<a href="https://pay.example/checkout">Buy</a><a href="mailto:help@shop.example">Mail</a><img src=/x.png>'
    )
    headers = (
        ("Set-Cookie", "session=secret-value; Path=/"),
        ("Content-Security-Policy", "connect-src https://api.example"),
    )
    with served({"/": page(body, headers=headers)}) as server:
        entry = sweep(case_with(tmp_path), f"{server.origin()}/").entry()
    assert entry.page is not None
    facts = PageFacts.from_json(entry.page)
    assert facts.hosts_asked == ("tags.example",)
    assert ("measurement", "G-ABCDEF1234") in facts.tag_ids
    assert facts.form_actions[0].startswith("post http://127.0.9.20")
    assert facts.sign_on == ("accounts.example/oauth2/authorize",)
    assert facts.payment == ("pay.example/checkout",)
    assert facts.csp_hosts == ("api.example",)
    assert facts.cookie_names == ("session",)
    assert facts.emails == ("help@shop.example",)
    assert facts.media_not_fetched == 1
    assert "secret-value" not in str(entry.headers)
