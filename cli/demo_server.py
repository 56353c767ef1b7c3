"""Serves the bundled fictional web on loopback and counts what is asked of it.

Each site has an address of its own in 127.0.0.0/8, all on one port, so that hosts differ as they do on the web.
A site that is down gets no listener: its connections are refused.
"""

from __future__ import annotations

import errno
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from cli.demo_site import WEB, DemoPage, DemoSite, DemoWebError, filled, load_sites, services_csv

__all__ = ["CANARY", "DemoServer", "DemoTally", "Served", "services_csv"]

CANARY = b"PLAINVIEW-CANARY"
"""Stands behind the signature of each media answer, so that a stored copy can be found by a plain search."""

# Type and signature by ending: enough for a client to take the answer for media, and never a picture.
_MEDIA: dict[str, tuple[str, bytes]] = {
    ".jpg": ("image/jpeg", b"\xff\xd8\xff\xe0"),
    ".jpeg": ("image/jpeg", b"\xff\xd8\xff\xe0"),
    ".png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    ".gif": ("image/gif", b"GIF89a"),
    ".webp": ("image/webp", b"RIFF\x00\x00\x00\x00WEBP"),
    ".avif": ("image/avif", b"\x00\x00\x00\x20ftypavif"),
    ".svg": ("image/svg+xml", b"<svg "),
    ".ico": ("image/x-icon", b"\x00\x00\x01\x00"),
    ".mp4": ("video/mp4", b"\x00\x00\x00\x20ftypisom"),
    ".webm": ("video/webm", b"\x1a\x45\xdf\xa3"),
    ".mp3": ("audio/mpeg", b"ID3"),
    ".woff": ("font/woff", b"wOFF"),
    ".woff2": ("font/woff2", b"wOF2"),
    ".pdf": ("application/pdf", b"%PDF-1.7"),
    ".zip": ("application/zip", b"PK\x03\x04"),
}

_NOT_FOUND = (
    "<!doctype html><html lang='en'><title>Not found</title><h1>Not found</h1><p>There is no such page.</p></html>"
)

_PORT_ATTEMPTS = 20


@dataclass(frozen=True)
class Served:
    """One request as the server saw it. `body_bytes` counts the body that was sent, not its headers."""

    site: str
    method: str
    target: str
    status: int
    body_bytes: int
    media: bool


@dataclass(frozen=True)
class DemoTally:
    """What was asked of the bundled web so far."""

    served: tuple[Served, ...]

    @property
    def requests(self) -> int:
        return len(self.served)

    @property
    def media_requests(self) -> int:
        return sum(one.media for one in self.served)

    @property
    def media_bytes(self) -> int:
        return sum(one.body_bytes for one in self.served if one.media)

    @property
    def writes(self) -> int:
        """Requests with any method but GET and HEAD: forms sent, uploads, and the like."""
        return sum(one.method not in ("GET", "HEAD") for one in self.served)

    def of(self, site: str) -> tuple[Served, ...]:
        """The requests that one site received, in order."""
        return tuple(one for one in self.served if one.site == site)


class DemoServer:
    """The bundled web, or another folder of sites, as a context manager.

    `later=True` serves the second state of the sites that have one.
    Raises OSError if no port is free on every address, or if the system does not route 127.0.0.0/8 to itself.
    """

    def __init__(self, *, later: bool = False, port: int = 0, web: Path = WEB) -> None:
        self.sites = load_sites(web)
        self.later = later
        self.port = port
        self._served: list[Served] = []
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.port, self._listeners = _listen(self, self.port)
        for listener in self._listeners:
            thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()
        for thread in self._threads:
            thread.join()
        self._listeners.clear()
        self._threads.clear()

    def url(self, site: str, path: str = "/") -> str:
        """The address of a page, by the site's folder name; raises KeyError for a site that does not exist."""
        return f"http://{self._hosts()[f'host:{site}']}{path}"

    def services_csv(self) -> str:
        """The services list with this server's port."""
        return services_csv(self.port, self.sites)

    def tally(self) -> DemoTally:
        """A copy of the counts so far."""
        with self._lock:
            return DemoTally(tuple(self._served))

    def count(self, served: Served) -> None:
        """Note one request. Called by the listeners before the answer is sent."""
        with self._lock:
            self._served.append(served)

    def placeholders(self, site: DemoSite) -> dict[str, str]:
        """The values of a page's placeholders; clock and nonce are new at each call."""
        return self._hosts() | {
            "self": f"{site.address}:{self.port}",
            "clock": time.strftime("%H:%M:%S", time.gmtime()),
            "nonce": secrets.token_hex(8),
        }

    def _hosts(self) -> dict[str, str]:
        return {f"host:{site.key}": f"{site.address}:{self.port}" for site in self.sites}


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, web: DemoServer, site: DemoSite, port: int) -> None:
        self.web = web
        self.site = site
        self.pages = {page.path: page for page in site.page}
        super().__init__((site.address, port), _Handler)

    def server_bind(self) -> None:
        # The parent class asks the resolver for the address's name, which may leave the machine.
        socket_address: Any = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.site.address, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle of an answer is ordinary here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one segment; otherwise each answer waits for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def version_string(self) -> str:
        return self.server.site.server

    def log_message(self, format: str, *args: Any) -> None:
        """The tally is the log."""

    def do_GET(self) -> None:
        site = self.server.site
        path = unquote(urlsplit(self.path).path)
        page = self.server.pages.get(path)
        if page is not None:
            self._page(site, page)
        elif (media := _MEDIA.get(PurePosixPath(path).suffix.lower())) is not None:
            self._answer(200, (("Content-Type", media[0]),), media[1] + CANARY, media=True)
        else:
            self._answer(404, (("Content-Type", "text/html; charset=utf-8"),), _NOT_FOUND.encode())

    do_HEAD = do_GET

    def _refuse(self) -> None:
        # The body is left unread on purpose, so the connection cannot be used again.
        self.close_connection = True
        self._answer(405, (("Allow", "GET, HEAD"), ("Connection", "close")), b"")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _page(self, site: DemoSite, page: DemoPage) -> None:
        if page.delay_seconds:
            time.sleep(page.delay_seconds)
        values = self.server.web.placeholders(site)
        headers = [(name, filled(value, values)) for name, value in (*site.headers, *page.headers)]
        if page.location:
            headers.append(("Location", filled(page.location, values)))
        body = b""
        if file := _chosen(page, self.headers.get("Accept-Language", "")):
            second = site.folder / "later" / file
            source = second if self.server.web.later and second.is_file() else site.folder / file
            body = filled(source.read_text(encoding="utf-8"), values).encode()
            headers.append(("Content-Type", page.type))
        elif page.status == HTTPStatus.NOT_FOUND:
            body = _NOT_FOUND.encode()
            headers.append(("Content-Type", "text/html; charset=utf-8"))
        self._answer(page.status, tuple(headers), body)

    def _answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes, *, media: bool = False) -> None:
        sent = b"" if self.command == "HEAD" else body
        self.server.web.count(Served(self.server.site.key, self.command, self.path, status, len(sent), media))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)


def _chosen(page: DemoPage, accept_language: str) -> str:
    first = accept_language.split(",")[0].split(";")[0].strip().lower()
    language = first.split("-")[0]
    for variant in page.variants:
        if language not in ("", "*", variant.not_language):
            return variant.file
    return page.file


def _listen(web: DemoServer, port: int) -> tuple[int, list[_Listener]]:
    """One listener a site that is up, on one port that is free on all their addresses and closed on the others."""
    for _ in range(_PORT_ATTEMPTS):
        listeners: list[_Listener] = []
        shared = port
        try:
            for site in _up(web.sites):
                listeners.append(_Listener(web, site, shared))
                shared = listeners[0].server_port
            if not any(_answers(site.address, shared) for site in web.sites if site.down):
                return shared, listeners
            taken = OSError(errno.EADDRINUSE, f"something answers on port {shared} of a site that is down")
        except OSError as error:
            taken = error
        for listener in listeners:
            listener.server_close()
        if port or taken.errno != errno.EADDRINUSE:
            raise OSError(taken.errno, f"cannot serve the bundled web on 127.0.0.0/8: {taken}")
    raise OSError(errno.EADDRINUSE, f"no port was free on every address in {_PORT_ATTEMPTS} attempts")


def _up(sites: tuple[DemoSite, ...]) -> Iterator[DemoSite]:
    up = [site for site in sites if not site.down]
    if not up:
        raise DemoWebError("the bundled web has no site that is up")
    return iter(up)


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
