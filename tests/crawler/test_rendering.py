"""Several pages of one visit run in the browser at once: each is drawn whole, and what they share is asked for once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.stored import StoredTexts
from tests.crawler.case import case_with, sweep
from tests.hostile.server import Answer, Asked, Server

pytestmark = pytest.mark.browser

PAGES = 6
SCRIPT = b"""
fetch('/text-' + document.body.id).then(r => r.text()).then(text => {
  document.getElementById('root').textContent = text;
  const link = document.createElement('a');
  link.href = '/popped'; link.target = '_blank'; document.body.append(link); link.click();
});
"""


def test_pages_drawn_at_once_keep_their_texts_and_share_their_program(tmp_path: Path) -> None:
    asked_for: Counter[str] = Counter()

    def site(asked: Asked) -> Answer | None:
        asked_for[asked.path] += 1
        if asked.path == "/app.js":
            return Answer(SCRIPT, "text/javascript")
        if asked.path.startswith("/text-"):
            return Answer(f"Words of page {asked.path[6:]}".encode(), "text/plain")
        if asked.path == "/" or asked.path.strip("/").isdigit():
            links = "".join(f"<a href='/{number}'>{number}</a>" for number in range(PAGES))
            name = asked.path.strip("/") or "first"
            return Answer(
                f"<!doctype html><title>{name}</title><body id='{name}'><div id='root'></div>{links}"
                "<script src='/app.js'></script></body>".encode()
            )
        return None

    with Server(site, ("127.0.9.77",)) as server:
        case = case_with(tmp_path, render='"always"', concurrency_per_host="4")
        swept = sweep(case, f"{server.origin(0)}/")
    texts = StoredTexts(case.spool)
    drawn = {
        item.requested_url.rpartition("/")[2] or "first": texts.text(item)[0]
        for item in swept.observations()
        if item.purpose == "rendered" and item.outcome == "ok"
    }
    assert set(drawn) >= {"first", *map(str, range(PAGES))}
    for name in ("first", *map(str, range(PAGES))):
        assert f"Words of page {name}<" in drawn[name]
    assert asked_for["/app.js"] <= 4, "pages that begin at once may each ask; the others are given what is there"
    assert asked_for["/popped"] <= 1, "an address like any other, not what a page opened by itself"
