"""Rendering without a network: Chromium runs a page's scripts on text that was fetched and judged elsewhere.

The browser has no way out. Its proxy is a closed port, its resolver knows no name, and every request it makes is paused
before it leaves (the DevTools protocol's Fetch domain, by Playwright's context routes) and either answered with text
that the one fetcher brought and the guard let through, or failed. So redirects, popups, workers, beacons, prefetches and
whatever a later Chromium invents end at a closed door. The decision and its numbers are in ``docs/text-only.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Error, Frame, Page, Playwright, Request, Route, async_playwright

from crawler import guard
from data import address, clock

_FEATURES_OFF = (
    "AutofillServerCommunication",
    "BackForwardCache",
    "CertificateTransparencyComponentUpdater",
    "DialMediaRouteProvider",
    "MediaRouter",
    "NetworkPrediction",
    "OptimizationHints",
    "Prerender2",
    "PrivacySandboxSettings4",
    "Translate",
)

# What Chromium must not do; each with its reason in docs/text-only.md.
SWITCHES = (
    "--blink-settings=imagesEnabled=false",
    "--autoplay-policy=user-gesture-required",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=" + ",".join(_FEATURES_OFF),
    "--disable-gpu",
    "--disable-notifications",
    "--disable-quic",
    "--disable-remote-fonts",
    "--disable-sync",
    "--dns-prefetch-disable",
    "--js-flags=--max-old-space-size=512",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disk-cache-size=1",
    "--media-cache-size=1",
    "--mute-audio",
    "--no-first-run",
    "--no-pings",
)
# TCP port 9 (discard) on loopback: nothing may listen there, so what reaches for the network is refused at once.
_CLOSED_PROXY = "http://127.0.0.1:9"

# Runs before a page's own scripts. What it takes away could only open connections or new pages.
_DISARM = """
(() => {
  const gone = ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel', 'WebTransport', 'EventSource',
                'SharedWorker', 'PaymentRequest', 'Notification', 'PushManager'];
  for (const name of gone) { try { Object.defineProperty(window, name, {value: undefined}); } catch (e) {} }
  try { window.open = () => null; } catch (e) {}
  try { navigator.sendBeacon = () => false; } catch (e) {}
  try { HTMLFormElement.prototype.submit = function () {}; } catch (e) {}
  try { HTMLFormElement.prototype.requestSubmit = function () {}; } catch (e) {}
  addEventListener('submit', (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, true);
  for (const name of ['alert', 'print']) { try { window[name] = () => undefined; } catch (e) {} }
  for (const name of ['confirm', 'prompt']) { try { window[name] = () => null; } catch (e) {} }
})();
"""

_STAND_IN_STYLESHEET = "/* stylesheets are not fetched */"


class BrowserUnavailable(Exception):
    """No Chromium could be started; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the fetcher brought for one of the page's own requests: clean text, or nothing."""

    status: int
    content_type: str
    text: str


@dataclass(slots=True)
class Rendered:
    """A page after its scripts ran."""

    html: str = ""
    started: str = ""
    ended: str = ""
    left_for: str = ""
    history: list[str] = field(default_factory=list)
    hosts_asked: dict[str, None] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    answered: int = 0
    failed: str = ""
    partial: str = ""


Bring = Callable[[str, str], Awaitable[Answer | None]]


def find_chromium() -> str:
    """Where a Chromium is: ``PLAINVIEW_CHROMIUM``, else Playwright's own build, else the system's.

    Raises ``BrowserUnavailable`` where there is none.
    """
    named = os.environ.get("PLAINVIEW_CHROMIUM", "")
    if named:
        if not os.access(named, os.X_OK):
            raise BrowserUnavailable(f"PLAINVIEW_CHROMIUM names {named}, which is not a program.")
        return named
    own = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")).expanduser()
    builds = sorted(own.glob("chromium*/chrome-*linux*/*"), reverse=True)
    for build in builds:
        if build.name in ("headless_shell", "chrome-headless-shell", "chrome") and os.access(build, os.X_OK):
            return str(build)
    for name in ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise BrowserUnavailable(
        "No Chromium was found. Install one (Debian: apt-get install chromium; elsewhere: playwright install chromium), "
        'or set [policy] render = "never" in case.toml.'
    )


class Browser:
    """One Chromium shared by the visits of a process; a context a visit; restarted when it dies or has grown old."""

    def __init__(self, *, page_seconds: float, pages_before_restart: int = 200) -> None:
        self._seconds = page_seconds
        self._pages_left = 0
        self._pages_before_restart = pages_before_restart
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None
        self._starting = asyncio.Lock()
        self._contexts: dict[Chromium, int] = {}
        self._tabs: dict[BrowserContext, _Tabs] = {}
        self.version = ""

    async def close(self) -> None:
        """End the browser and its driver; whatever does not end in time is left to the operating system."""
        for chromium in (*self._contexts, *filter(None, (self._chromium,))):
            await _ended(chromium)
        self._contexts.clear()
        with contextlib.suppress(Exception):
            if self._playwright is not None:
                await asyncio.wait_for(self._playwright.stop(), 10)
        self._chromium = self._playwright = None

    async def context(self, user_agent: str, accept_language: str) -> BrowserContext:
        """A fresh context: no cookies, no storage, no downloads, no service workers, every route closed but ours."""
        chromium = await self._running()
        # Counted before it is there, so that nobody ends the browser in between.
        self._contexts[chromium] = self._contexts.get(chromium, 0) + 1
        try:
            context = await chromium.new_context(
                user_agent=user_agent or None,
                locale=accept_language.partition(",")[0].partition(";")[0] or None,
                accept_downloads=False,
                service_workers="block",
                ignore_https_errors=False,
                java_script_enabled=True,
                permissions=[],
                viewport={"width": 1280, "height": 900},
            )
        except BaseException:
            self._closed(chromium)
            raise
        tabs = self._tabs[context] = _Tabs()

        def closed(_: BrowserContext) -> None:
            self._tabs.pop(context, None)
            self._closed(chromium)

        context.on("close", closed)
        context.on("page", lambda page: _soon(tabs.close_stranger(page)))
        await context.add_init_script(_DISARM)
        # What no page's own door answers (a popup's first request, a worker's) finds the context's door, which is shut.
        await context.route("**/*", _shut)
        return context

    async def render(self, context: BrowserContext, url: str, html: str, bring: Bring) -> Rendered:
        """Let the scripts of *html*, the page at *url*, run; *bring* answers what they ask for. Never raises."""
        rendered = Rendered(started=clock.now())
        try:
            async with asyncio.timeout(self._seconds):
                await self._render(context, url, html, bring, rendered)
        except TimeoutError:
            rendered.failed = rendered.failed or f"not finished in {self._seconds:g} s"
        except (Error, BrowserUnavailable) as error:
            rendered.failed = str(error).splitlines()[0][:300]
        finally:
            # Where a page hung, its process may spin on: the next visit gets another browser.
            self._pages_left = 0 if rendered.failed and not rendered.html else self._pages_left - 1
            rendered.ended = clock.now()
        return rendered

    def alive(self, context: BrowserContext) -> bool:
        """Whether the browser that *context* belongs to still runs."""
        return context.browser is not None and context.browser.is_connected()

    async def _running(self) -> Chromium:
        async with self._starting:
            chromium = self._chromium
            if chromium is not None and (self._pages_left <= 0 or not chromium.is_connected()):
                # A worn browser still serves the visits that it has begun; it ends when the last of them does.
                self._chromium = None
                if not self._contexts.get(chromium) or not chromium.is_connected():
                    self._contexts.pop(chromium, None)
                    await _ended(chromium)
            if self._chromium is None:
                self._chromium = await self._launch()
                self._pages_left = self._pages_before_restart
            return self._chromium

    def _closed(self, chromium: Chromium) -> None:
        left = self._contexts.get(chromium, 1) - 1
        if left > 0:
            self._contexts[chromium] = left
        else:
            self._contexts.pop(chromium, None)
            if chromium is not self._chromium:
                _soon(_ended(chromium))

    async def _launch(self) -> Chromium:
        if self._playwright is None:
            try:
                self._playwright = await async_playwright().start()
            except Exception as error:
                raise BrowserUnavailable(
                    f"Playwright's driver did not start ({error}). Run “playwright --version” to see why "
                    '(Debian: apt-get install libatomic1), or set [policy] render = "never" in case.toml.'
                ) from error
        # A user's own proxy variables must not open a second way out, and crash dumps would hold page bodies.
        quiet = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        try:
            chromium = await self._playwright.chromium.launch(
                executable_path=find_chromium(),
                headless=True,
                proxy={"server": _CLOSED_PROXY, "bypass": "<-loopback>"},
                args=list(SWITCHES),
                chromium_sandbox=os.geteuid() != 0,
                env={**quiet, "TMPDIR": tempfile.gettempdir()},
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except Error as error:
            # Its sockets lie in the temporary folder, and a socket's path holds at most 108 bytes (unix(7)).
            long = len(tempfile.gettempdir()) > 60
            hint = ". The temporary folder's path is long; set TMPDIR to a shorter one." if long else ""
            raise BrowserUnavailable(f"Chromium did not start: {str(error).splitlines()[0]}{hint}") from error
        self.version = chromium.version
        return chromium

    async def _render(self, context: BrowserContext, url: str, html: str, bring: Bring, rendered: Rendered) -> None:
        page = await self._tabs[context].open(context)
        door = _Door(page, url, html, bring, rendered)
        try:
            await page.route("**/*", door.knock)
            await page.route_web_socket("**/*", door.knock_socket)
            page.on("popup", door.note_popup)
            page.on("framenavigated", door.note_navigation)
            page.on("dialog", lambda dialog: _soon(_dismiss(dialog)))
            # Not "domcontentloaded": a page whose script leaves at once never gets there in Playwright's eyes.
            await page.goto(url, wait_until="commit", timeout=self._seconds * 1000)
            await door.loaded()
            # A page that polls is never done: what it shows after half of its time is what a visitor would read.
            if not await door.settle(self._seconds / 2):
                rendered.partial = f"still asking for things after {self._seconds / 2:g} s"
            # A script that has left for elsewhere may be tearing the page down; what stands now is what it showed.
            rendered.html = await page.content()
        except Error as error:
            if not rendered.left_for:
                raise
            rendered.partial = f"left for another address while loading: {str(error).splitlines()[0][:120]}"
            with contextlib.suppress(Error, TimeoutError):
                rendered.html = await asyncio.wait_for(page.content(), 5)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(page.close(), 5)


async def _ended(chromium: Chromium) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(chromium.close(), 10)


async def _shut(route: Route) -> None:
    with contextlib.suppress(Exception):
        await route.abort("blockedbyclient")


async def _dismiss(dialog: object) -> None:
    with contextlib.suppress(Exception):
        await dialog.dismiss()  # type: ignore[attr-defined]


class _Tabs:
    """The pages of a context that we opened; every other one is closed."""

    def __init__(self) -> None:
        self._opening = asyncio.Lock()
        self._own: set[Page] = set()

    async def open(self, context: BrowserContext) -> Page:
        """A new page of our own."""
        async with self._opening:
            page = await context.new_page()
            self._own.add(page)
        page.on("close", lambda closed: self._own.discard(closed))
        return page

    async def close_stranger(self, page: Page) -> None:
        """Close *page* unless we opened it, which is known once nothing is being opened."""
        async with self._opening:
            own = page in self._own
        if not own and not page.is_closed():
            await page.close()


class _Door:
    """Every request of one page ends here: the page itself once, its own scripts and data by *bring*, nothing else."""

    # Quiet for this long, with nothing pending, is taken as finished.
    QUIET = 0.5
    # A page that asks for more than this is not brought the rest.
    MOST = 200

    def __init__(self, page: Page, url: str, html: str, bring: Bring, rendered: Rendered) -> None:
        self._page = page
        self._url = url
        self._html = html
        self._bring = bring
        self._rendered = rendered
        self._served = False
        self._pending = 0
        self._asked = 0
        self._left = asyncio.Event()
        self._last = asyncio.get_running_loop().time()

    async def knock(self, route: Route, request: Request) -> None:
        """Answer or fail one request; an error of any kind fails it."""
        self._pending += 1
        try:
            await self._answer(route, request)
        except Exception:
            with contextlib.suppress(Exception):
                await route.abort("blockedbyclient")
        finally:
            self._pending -= 1
            self._last = asyncio.get_running_loop().time()

    def knock_socket(self, socket: object) -> None:
        """No socket is opened: unless a handler connects to the server, Playwright does not either."""
        url = str(getattr(socket, "url", ""))
        self._note(url.replace("ws", "http", 1), "websocket")

    def note_popup(self, page: Page) -> None:
        """A page opened by a script is on record; it is closed as a stranger, and its requests find the context's door."""
        self._rendered.refused.append((page.url[:500], "popup"))

    def note_navigation(self, frame: Frame) -> None:
        """``history.pushState`` and ``replaceState`` change the address without a request."""
        if frame is self._page.main_frame and frame.url.partition("#")[0] != self._url and frame.url.startswith("http"):
            self._rendered.history.append(frame.url)

    async def loaded(self) -> None:
        """Wait for the document, or, where a script has left for elsewhere, a moment for what it showed before."""
        waiting = asyncio.ensure_future(self._page.wait_for_load_state("domcontentloaded"))
        left = asyncio.ensure_future(self._left.wait())
        try:
            await asyncio.wait({waiting, left}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({waiting}, timeout=self.QUIET)
        finally:
            for future in (waiting, left):
                future.cancel()
            await asyncio.gather(waiting, left, return_exceptions=True)

    async def settle(self, seconds: float) -> bool:
        """Wait until nothing has been pending for ``QUIET`` seconds, *seconds* at most; whether that came to be."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._pending or loop.time() - self._last < self.QUIET:
            if self._rendered.left_for and not self._pending:
                return True
            if loop.time() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _answer(self, route: Route, request: Request) -> None:
        url, kind = request.url, request.resource_type
        frame = None if request.service_worker else request.frame
        if kind == "document" and frame is self._page.main_frame:
            await self._document(route, request)
            return
        self._note(url, kind)
        verdict = guard.judge_request(request.method, url, kind)
        if kind == "stylesheet" and request.method == "GET":
            # Some pages wait for their stylesheets before they show a word; an empty one lets them go on.
            await route.fulfill(status=200, content_type="text/css", body=_STAND_IN_STYLESHEET)
            return
        if not verdict.allowed or kind == "document":
            reason = verdict.reason or "frames are fetched as pages of their own"
            self._rendered.refused.append((url[:500], reason))
            await route.abort("blockedbyclient")
            return
        self._asked += 1
        answer = await self._bring(url, kind) if self._asked <= self.MOST else None
        if answer is None:
            self._rendered.refused.append((url[:500], "not brought"))
            await route.abort("blockedbyclient")
            return
        self._rendered.answered += 1
        headers = {"content-type": answer.content_type, "access-control-allow-origin": "*", "cache-control": "no-store"}
        await route.fulfill(status=answer.status, headers=headers, body=answer.text)

    async def _document(self, route: Route, request: Request) -> None:
        if not self._served and request.method == "GET" and request.url.partition("#")[0] == self._url:
            self._served = True
            headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
            await route.fulfill(status=200, headers=headers, body=self._html)
            return
        # A script or a meta refresh sends the visitor elsewhere: a hop for the record, not a request.
        if request.method == "GET" and not self._rendered.left_for:
            self._rendered.left_for = request.url
            self._left.set()
        else:
            self._rendered.refused.append((request.url[:500], f"navigation by {request.method}"))
        # 204 leaves the page standing, where a failed navigation would replace it by an error page.
        await route.fulfill(status=204, body="")

    def _note(self, url: str, kind: str) -> None:
        if url.startswith(("http://", "https://")):
            name = address.host(url)
            if name != address.host(self._url):
                self._rendered.hosts_asked[name] = None
        elif not url.startswith(("data:", "blob:", "about:")):
            self._rendered.refused.append((url[:200], kind))


_background: set[asyncio.Future[None]] = set()


def _soon(work: Awaitable[None]) -> None:
    """Run *work* when there is time; its failure does not matter, only that it is kept from being collected."""
    future = asyncio.ensure_future(work)
    _background.add(future)
    future.add_done_callback(_finished)


def _finished(future: asyncio.Future[None]) -> None:
    _background.discard(future)
    if not future.cancelled():
        future.exception()
