"""Rendered crawl of pages that a script builds: ours against a plain Playwright loop that loads everything.

python -m tests.benchmarks.render            the contest
python -m tests.benchmarks.render ours URL   one run of ours
python -m tests.benchmarks.render plain URL  one run of the peer

The pages weigh what such pages weigh: a script of 300 KB that builds the text from JSON, and eight files of 150 KB each that say
they are images (zeros behind a few header bytes), which the peer loads and ours never asks for.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.contest import Result, contest, machine, table

PAGES = 30
_WAIT_MS = 20
_IMAGE = b"\x89PNG\r\n\x1a\n" + b"\0" * 150_000
_SCRIPT = (
    "fetch('/text.json?page=' + document.body.dataset.page).then(r => r.json()).then(page => {"
    "document.getElementById('root').innerHTML = page.paragraphs.map(p => '<p>' + p + '</p>').join('') + page.links; });"
    + "".join(
        f"function f{number}(a,b){{return a?g{number}.call(this,b||{{}}):'text {number}'}}" for number in range(5_500)
    )
).encode()


class _Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        threading.Event().wait(_WAIT_MS / 1000)
        if path == "/app.js":
            self._answer(_SCRIPT, "text/javascript")
        elif path == "/text.json":
            self._answer(_text(int(query.removeprefix("page="))), "application/json")
        elif path.endswith(".png"):
            self._answer(_IMAGE, "image/png")
        elif path == "/robots.txt":
            self._answer(b"User-agent: *\nAllow: /\n", "text/plain")
        else:
            self._answer(_page(int(path.rpartition("-")[2] or 0) if "-" in path else 0), "text/html; charset=utf-8")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _page(number: int) -> bytes:
    images = "".join(f'<img src="/picture-{number}-{index}.png" width="10" height="10">' for index in range(8))
    return (
        f"<!doctype html><html lang='en'><head><title>Page {number}</title></head><body data-page='{number}'>"
        f"<div id='root'></div>{images}<script src='/app.js'></script></body></html>"
    ).encode()


def _text(number: int) -> bytes:
    paragraphs = [f"Paragraph {index} of page {number}: plain words about an invented product." for index in range(40)]
    links = "".join(f"<a href='/page-{other}'>Page {other}</a> " for other in range(PAGES))
    return json.dumps({"paragraphs": paragraphs, "links": links}).encode()


@contextmanager
def _served() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.2", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.2:{server.server_port}/"
        server.shutdown()


def ours(url: str) -> None:
    """A whole visit with the browser for every page."""
    from crawler.sweep import plan_sweep, run_units
    from data.case import CaseFacts, make_case
    from data.ingest import take_in
    from data.records import Service
    from data.store import reading, rows

    policy = "\n".join(
        (
            f"page_budget = {PAGES}",
            f"render_pages = {PAGES}",
            "delay_seconds = 0.0",
            "concurrency_per_host = 8",
            'allow_private = ["127.0.0.0/8"]',
            "profiles = false",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder) / "case", CaseFacts(authority="benchmark"), policy)
        case.record("services.added", {"services": [Service("site", urls=(url,)).as_json()]})
        asyncio.run(run_units(case, list(plan_sweep(case).units), lambda _: None))
        take_in(case)
        with reading(case) as connection:
            found = rows(
                connection, "SELECT count(*) AS n FROM observations WHERE fetcher = 'browser' AND outcome = 'ok'"
            )
        if found[0]["n"] < PAGES:
            raise SystemExit(f"only {found[0]['n']} of {PAGES} pages were rendered")


def plain(url: str) -> None:
    """Playwright as its documentation has it: one page after the other, everything loaded, the text taken."""
    from playwright.sync_api import sync_playwright

    from crawler.browser import find_chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        page = browser.new_page()
        todo, seen, texts = [url], {url}, 0
        while todo:
            page.goto(todo.pop(0), wait_until="networkidle")
            texts += "Paragraph 39" in page.content()
            for link in page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)"):
                if link not in seen and len(seen) < PAGES:
                    seen.add(link)
                    todo.append(link)
        browser.close()
        if texts < PAGES:
            raise SystemExit(f"only {texts} of {PAGES} pages were rendered")


def run(runs: int = 5) -> Result:
    """The contest on the generated site."""
    with _served() as url:
        me = [sys.executable, "-m", "tests.benchmarks.render"]
        return contest(
            f"rendered crawl ({PAGES} pages that a script builds)",
            [*me, "ours", url],
            [*me, "plain", url],
            peer="plain Playwright loop",
            goal="≥ 1.5",
            runs=runs,
            versions=("playwright",),
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", address]:
            ours(address)
        case ["plain", address]:
            plain(address)
        case _:
            result = run(int(sys.argv[1]) if sys.argv[1:] else 5)
            sys.stdout.write(f"{machine()}\n\n{table([result])}\n")
