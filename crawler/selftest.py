"""The guard's self-test: before a sweep, a loopback server offers media in every way, and none of it may get through.

The server and the visit are real: the same ``visit``, fetcher and browser as in a sweep, on a temporary spool. A canary
is a signature and a random mark. One that is found in what was written, one that was asked for though nothing may ask
for it, or one that was read on after its type was known, is a leak; so is a test that did not run to its end.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from crawler.browser import Browser
from crawler.fetch import Fetched, Fetcher, Limits
from crawler.visit import Request, visit
from data import clock
from data.case import Policy
from data.outcomes import Outcome
from data.records import Service, Visit
from data.spool import Spool


class GuardLeak(Exception):
    """A canary got through, or the test could not be carried out; the message names each."""


@dataclass(frozen=True, slots=True)
class GuardReport:
    """A passed self-test: how many canaries were offered, to which fetchers, and how long it took."""

    canaries: int
    fetchers: tuple[str, ...]
    browser: str
    seconds: float


# What an answer holds behind its signature; enough that a client which reads on is seen to.
_REST = 200_000
_START = 1024
_SECONDS = 20.0

_MEDIA = {
    "image": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "video": ("video/mp4", b"\x00\x00\x00\x20ftypisom"),
    "pdf": ("application/pdf", b"%PDF-1.7\n"),
    "zip": ("application/zip", b"PK\x03\x04\x14\x00"),
}
# Asked for by no fetcher: the page's own tags and scripts ask, and the request gate or the browser's door says no.
_ELEMENTS = {
    "img": '<img src="{url}" alt="">',
    "srcset": '<img srcset="{url} 2x" alt="">',
    "video": '<video src="{url}" preload="auto" autoplay muted></video>',
    "poster": '<video poster="{url}"></video>',
    "audio": '<audio src="{url}" preload="auto"></audio>',
    "object": '<object data="{url}"></object>',
    "embed": '<embed src="{url}">',
    "input": '<input type="image" src="{url}" alt="">',
    "css": '<style>body {{ background: url("{url}") }}</style>',
    "cursor": '<style>html {{ cursor: url("{url}"), auto }}</style>',
    "font": '<style>@font-face {{ font-family: C; src: url("{url}") }} body {{ font-family: C }}</style>',
    "favicon": '<link rel="icon" href="{url}">',
    "preload": '<link rel="preload" as="image" href="{url}">',
    "prefetch": '<link rel="prefetch" href="{url}">',
    "svg-image": '<svg width="9" height="9"><image href="{url}"/></svg>',
}
_SCRIPTED = {
    "new-image": 'new Image().src = "{url}";',
    "beacon": 'navigator.sendBeacon("{url}", "x");',
    "post": 'fetch("{url}", {{method: "POST", body: "x"}}).catch(() => 0);',
    "popup": 'window.open("{url}");',
    "socket": 'try {{ new WebSocket("{url}".replace("http", "ws")); }} catch (e) {{}}',
    "events": 'try {{ new EventSource("{url}"); }} catch (e) {{}}',
    "worker-fetch": 'new Worker(URL.createObjectURL(new Blob([\'fetch("{url}", {{method: "POST"}})\'])));',
}
# Asked for by the guarded fetcher on a script's behalf: the answer's type or first bytes end it.
_READ = """
fetch("{url}").then((answer) => answer.text()).then((text) => document.body.append(text)).catch(() => 0);
"""
_RAN = 'fetch("/ran").then((answer) => answer.text()).then((text) => document.body.append(text));'


@dataclass(slots=True)
class _Canary:
    """One offered payload. ``asked`` and ``sent`` are the server's own count."""

    name: str
    mark: bytes
    declared: str
    start: bytes
    must_not_be_asked: bool = False
    asked: int = 0
    sent: int = 0


@dataclass(slots=True)
class _Site:
    """The loopback server: its pages, its canaries by path, and what was asked of it."""

    token: str = field(default_factory=lambda: secrets.token_hex(8))
    canaries: dict[str, _Canary] = field(default_factory=dict)
    inline: dict[str, bytes] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    connections: int = 0
    ran: bool = False
    origin: str = ""

    def mark(self, name: str) -> bytes:
        return f"CANARY-{self.token}-{name}-END".encode()

    def offer(self, name: str, kind: str = "image", *, declared: str = "", never: bool = False) -> str:
        """Put a canary on the server and return its address."""
        essence, start = _MEDIA[kind]
        path = f"/offer/{name}"
        self.canaries[path] = _Canary(name, self.mark(name), declared or essence, start, never)
        return f"{self.origin}{path}"

    def page(self) -> bytes:
        """The entry page: every vector once, built when the origin is known."""
        parts = ["<!doctype html><html lang=en><title>Self-test</title><body><div id=root></div>"]
        for name, form in _ELEMENTS.items():
            parts.append(form.format(url=self.offer(f"tag-{name}", never=True)))
        for name in ("data-uri", "svg", "script"):
            self.inline[name] = self.mark(name)
        payload = base64.b64encode(_MEDIA["image"][1] + self.inline["data-uri"]).decode()
        parts.append(f'<img src="data:image/png;base64,{payload}" alt="">')
        parts.append(f'<svg><path d="M0 0 {self.inline["svg"].decode()}"/></svg>')
        packed = base64.b64encode(_MEDIA["image"][1] + self.inline["script"] + bytes(240)).decode()
        parts.append(f'<script type="application/json">{{"thumbnail": "{packed}"}}</script>')
        parts.append("<script>")
        parts += [form.format(url=self.offer(f"script-{name}", never=True)) for name, form in _SCRIPTED.items()]
        parts.append(_READ.format(url=self.offer("fetch-typed")))
        parts.append(_READ.format(url=self.offer("fetch-lie", declared="application/json")))
        parts.append(f"{_RAN}</script>")
        parts.append(f'<iframe src="{self.links[0]}"></iframe>')
        parts += [f'<a href="{url}">A link</a>' for url in self.links]
        return "".join(parts).encode()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, type and body of what is no canary."""
        if path == "/":
            return 200, "text/html; charset=utf-8", self.page()
        if path == "/ran":
            self.ran = True
            return 200, "text/plain", b"The script ran."
        if path in self.redirects:
            return 302, self.redirects[path], b""
        return 404, "text/plain", b"Nothing here."

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One exchange a connection; a canary's start is sent, then the rest if the client still listens."""
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode("latin-1")
            canary = self.canaries.get(path)
            if canary is not None:
                await self._serve_canary(canary, reader, writer)
            else:
                status, told, body = self.answer(path)
                name = "Location" if status == 302 else "Content-Type"
                top = (
                    f"HTTP/1.1 {status} X\r\n{name}: {told}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(top.encode() + body)
                await writer.drain()
        writer.close()

    async def _serve_canary(self, canary: _Canary, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        canary.asked += 1
        body = canary.start + canary.mark
        body += bytes(_START - len(body))
        top = f"HTTP/1.1 200 OK\r\nContent-Type: {canary.declared}\r\nConnection: close\r\n\r\n"
        writer.write(top.encode() + body)
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            # The client hangs up, or it wants to read on.
            await asyncio.wait_for(reader.read(1), 3.0)
            return
        writer.write(bytes(_REST))
        await writer.drain()
        canary.sent += _REST


def check_guard(*, render: bool) -> GuardReport:
    """Run the self-test, with the browser where *render*. Raises ``GuardLeak`` if anything got through.

    Raises ``BrowserUnavailable`` where a browser is wanted and none starts.
    """
    return asyncio.run(_check(render))


async def _check(render: bool) -> GuardReport:
    begun = time.monotonic()
    site = _Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    _offer_links(site)
    browser = Browser(page_seconds=_SECONDS) if render else None
    try:
        if browser is not None:
            # Started by itself first: a browser that is not there is a matter of the machine, not a leak.
            await (await browser.context("", "en")).close()
        faults = await _private_is_refused(site)
        with tempfile.TemporaryDirectory(prefix="plainview-") as folder:
            await _visit(site, Path(folder), browser)
            faults += _faults(site, Path(folder), render)
    finally:
        server.close()
        if browser is not None:
            await browser.close()
    if faults:
        raise GuardLeak("The guard's self-test failed, so nothing is visited: " + "; ".join(faults))
    fetchers = ("http", "browser") if render else ("http",)
    version = browser.version if browser is not None else ""
    return GuardReport(len(site.canaries) + len(site.inline) + 1, fetchers, version, time.monotonic() - begun)


def _offer_links(site: _Site) -> None:
    """Media that only its answer gives away: the type, or first bytes under a false type, or a redirect before it."""
    for kind in _MEDIA:
        site.links.append(site.offer(f"typed-{kind}", kind))
        site.links.append(site.offer(f"lie-{kind}", kind, declared="text/html"))
    site.redirects["/hop"] = site.offer("redirected")
    site.links.append(f"{site.origin}/hop")


async def _private_is_refused(site: _Site) -> list[str]:
    """Without the ranges that the test opens for itself, loopback must not even be connected to."""
    closed = Fetcher(Limits(silence=2.0, whole=3.0))
    try:
        fetched = await closed.fetch("GET", f"{site.origin}/", [(b"Host", b"127.0.0.1")])
    finally:
        await closed.close()
    if fetched.outcome is not Outcome.PRIVATE_ADDRESS or site.connections:
        return ["a private address was contacted"]
    return []


async def _visit(site: _Site, folder: Path, browser: Browser | None) -> None:
    policy = Policy(
        delay_seconds=0,
        concurrency_per_host=6,
        render="auto" if browser is not None else "never",
        profiles=False,
        allow_private=("127.0.0.0/8",),
        timeout_seconds=5.0,
        page_seconds=_SECONDS,
    )
    fetcher = Fetcher(Limits(1_000_000, 5.0, 10.0), policy.networks())

    async def download(request: Request) -> Fetched:
        headers = [(b"Host", urlsplit(request.url).netloc.encode("ascii"))]
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
        return await fetcher.fetch(request.method, request.url, headers, scripts=request.scripts)

    service = Service("self-test", urls=(f"{site.origin}/",))
    try:
        with Spool(folder / "self-test", Visit("self-test", "self-test", clock.now())) as spool:
            await visit(service, policy, spool, download, browser, lambda _: None, agent="Plainview self-test")
    finally:
        await fetcher.close()


def _faults(site: _Site, folder: Path, render: bool) -> list[str]:
    """What went wrong, a sentence each."""
    faults = []
    written = b"".join(_readings(folder))
    linked = {urlsplit(url).path for url in site.links} | set(site.redirects.values())
    for path, canary in site.canaries.items():
        if canary.must_not_be_asked and canary.asked:
            faults.append(f"{canary.name} was asked for")
        if canary.sent:
            faults.append(f"{canary.name} was read on after its type was known")
        if path in linked and not canary.asked and not path.startswith("/hop"):
            faults.append(f"{canary.name} was not tried, so nothing is proven of it")
    marks = {canary.name: canary.mark for canary in site.canaries.values()} | site.inline
    faults += [f"{name} was kept" for name, mark in marks.items() if any(form in written for form in _forms(mark))]
    if b"Self-test" not in written:
        faults.append("the page itself was not kept, so nothing is proven")
    if render and not (site.ran and b"The script ran." in written):
        faults.append("the page's script did not run in the browser, so nothing is proven")
    return faults


def _readings(folder: Path) -> Iterator[bytes]:
    """Every file below *folder* as it is, and unpacked where it is made of gzip members."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield data
        while data[:2] == b"\x1f\x8b":
            unpacker = zlib.decompressobj(31)
            yield unpacker.decompress(data)
            data = unpacker.unused_data


def _forms(mark: bytes) -> tuple[bytes, ...]:
    """The mark as it is, in hexadecimal, and in base64 at each of the three positions that it can have."""
    encoded = []
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + mark)
        # The first and last groups also hold bits of the neighbours.
        encoded.append(text[4:-4])
    return (mark, mark.hex().encode(), *encoded)
