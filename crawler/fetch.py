"""One exchange with a server: asked once, judged at the headers and at the first bytes, cut when it is not text.

``Fetcher.fetch`` always returns a ``Fetched``; what went wrong is its outcome. ``Downloads`` is the Scrapy download
handler around it, so that delays, concurrency, cookies and back-off are Scrapy's, and nothing reaches a network but here.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

import brotli
import httpcore
import zstandard
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.http import Headers, Response

from crawler import guard
from crawler.egress import (
    CertificateError,
    Egress,
    Network,
    NotedStream,
    PeerRefusedError,
    PrivateAddressError,
    UnresolvedNameError,
    judge_address,
    read_certificate,
    tls_context,
)
from data import clock
from data.outcomes import Outcome
from data.records import Tls

if TYPE_CHECKING:
    from scrapy import Request

ACCEPT = "text/html,application/xhtml+xml,application/json;q=0.9,text/plain;q=0.8,text/xml;q=0.7"
# Uncompressed: then the bytes as received are themselves the text that the store gate reads and the record holds.
ACCEPT_ENCODING = "identity"
_CHUNK = 65536


@dataclass(slots=True)
class Fetched:
    """What came of one exchange. ``body`` is decoded and may be empty; ``received`` is every byte as it came."""

    url: str
    method: str = "GET"
    started: str = ""
    ended: str = ""
    outcome: Outcome = Outcome.OK
    reason: str = ""
    rule: str = ""
    status: int | None = None
    http_version: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    server_ip: str = ""
    via: str = "direct"
    tls: Tls | None = None
    type_declared: str = ""
    type_sniffed: str = ""
    sent: bytes = b""
    received: bytes = b""
    body: bytes = b""
    wire_len: int = 0
    wire_sha256: str = ""
    body_bytes_read: int = 0
    truncated: str = ""
    request_headers: tuple[tuple[str, str], ...] = field(default=())

    def header(self, name: str) -> str:
        """The first value of a response header, or an empty string."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), "")

    def all_headers(self, name: str) -> tuple[str, ...]:
        """Every value of a response header in order."""
        name = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == name)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one exchange may take: bytes of decoded body, seconds of silence, seconds in all."""

    body: int = 10_000_000
    silence: float = 30.0
    whole: float = 60.0


class Fetcher:
    """Connections of one sweep. *proxy* is the case's proxy, through which then everything goes."""

    def __init__(
        self, limits: Limits, allowed: tuple[Network, ...] = (), proxy: str = "", connections: int = 64
    ) -> None:
        self._limits = limits
        self._proxy = proxy
        proxy_host = urlsplit(proxy).hostname or "" if proxy else ""
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls_context(),
            proxy=_proxy(proxy) if proxy else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=15.0,
            network_backend=Egress(allowed, proxy_host),
        )
        self._allowed = allowed

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def fetch(
        self, method: str, url: str, headers: list[tuple[bytes, bytes]], *, scripts: bool = False
    ) -> Fetched:
        """Ask for *url* once; no redirect is followed. With *scripts*, an answer may also be a program for the browser.

        Never raises for what a server does; cancelling it cuts the connection.
        """
        fetched = Fetched(url=url, method=method, started=clock.now(), via=self._proxy or "direct")
        fetched.request_headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        verdict = guard.judge_request(method, url, "script" if scripts else "document")
        if not verdict.allowed:
            outcome = {"request.method": Outcome.METHOD, "request.scheme": Outcome.SCHEME}.get(
                verdict.rule, Outcome.NOT_TEXT
            )
            return _end(fetched, outcome, verdict.reason, verdict.rule)
        try:
            self._judge_target(url)
            async with asyncio.timeout(self._limits.whole):
                await self._exchange(fetched, headers, scripts)
        except TimeoutError:
            _fail(fetched, Outcome.TIMEOUT, f"not finished in {self._limits.whole:g} s")
        except httpcore.TimeoutException as error:
            _fail(fetched, Outcome.TIMEOUT, str(error))
        except PrivateAddressError as error:
            _end(fetched, Outcome.PRIVATE_ADDRESS, str(error), "egress.special")
            fetched.server_ip = error.address
        except UnresolvedNameError as error:
            _end(fetched, Outcome.DNS_ERROR, str(error), "egress.name")
        except PeerRefusedError as error:
            _end(fetched, Outcome.REFUSED, str(error), "egress.connect")
        except CertificateError as error:
            _end(fetched, Outcome.TLS_ERROR, str(error), "egress.tls")
            await self._keep_certificate(fetched, error)
        except httpcore.ProxyError as error:
            _end(fetched, Outcome.REFUSED, f"the proxy: {error}", "egress.proxy")
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            _fail(fetched, Outcome.PROTOCOL_ERROR, str(error))
        except (httpcore.NetworkError, OSError) as error:
            tls = "TLS" in str(error)
            _fail(fetched, Outcome.TLS_ERROR if tls else Outcome.RESET, str(error) or "the connection was cut")
        except Exception as error:
            # A guard or parser that raises blocks: nothing of the answer is kept (design rule 5).
            fetched.body, fetched.received = b"", b""
            _end(fetched, Outcome.GUARD_ERROR, f"{type(error).__name__}: {error}", "guard.raised")
        fetched.ended = clock.now()
        return fetched

    def _judge_target(self, url: str) -> None:
        """A proxy resolves names itself; a target that is written as a number is judged before the proxy hears of it."""
        host = (urlsplit(url).hostname or "") if self._proxy else ""
        if host and (":" in host or host.replace(".", "").isdigit()):
            judge_address(host, host, self._allowed)

    async def _exchange(self, fetched: Fetched, headers: list[tuple[bytes, bytes]], scripts: bool) -> None:
        silence = self._limits.silence
        timeout = {"connect": silence, "read": silence, "write": silence, "pool": self._limits.whole}
        request = httpcore.Request(fetched.method, fetched.url, headers=headers, extensions={"timeout": timeout})
        async with self._stream(request) as response:
            stream = response.extensions["network_stream"]
            _note_head(fetched, response, stream)
            length = _content_length(fetched)
            verdict = guard.judge_head(
                fetched.type_declared,
                length,
                self._limits.body,
                scripts=scripts,
                disposition=fetched.header("content-disposition"),
            )
            if not verdict.allowed:
                outcome = Outcome.TOO_LARGE if verdict.rule == "response.size" else Outcome.NOT_TEXT
                _refuse(fetched, stream, outcome, verdict)
                return
            if fetched.method == "HEAD" or fetched.status in (204, 205, 304):
                fetched.received = bytes(stream.received) if isinstance(stream, NotedStream) else b""
                if fetched.status in (204, 205, 304):
                    _end(fetched, Outcome.NO_CONTENT, f"status {fetched.status}", "")
                return
            await self._read_body(fetched, response, stream)

    def _stream(self, request: httpcore.Request) -> _Streaming:
        return _Streaming(self._pool, request)

    async def _read_body(self, fetched: Fetched, response: httpcore.Response, stream: object) -> None:
        try:
            decoder = _Decoder(", ".join(fetched.all_headers("content-encoding")), self._limits.body)
        except _BadCodingError as error:
            coding = guard.Verdict(False, "response.coding", str(error))
            _refuse(fetched, stream, Outcome.DECODE_ERROR, coding)
            return
        wire = hashlib.sha256()
        body = bytearray()
        judged = False
        wide = False
        try:
            async for chunk in response.aiter_stream():
                wire.update(chunk)
                fetched.wire_len += len(chunk)
                before = max(0, len(body) - guard.PIECE_OVERLAP)
                body += decoder.feed(chunk)
                if not judged and (len(body) >= guard.SNIFF_LENGTH or decoder.full):
                    judged = True
                    if not _judge_start(fetched, stream, bytes(body[: guard.SNIFF_LENGTH])):
                        return
                wide = wide or _is_wide(body, fetched.type_declared)
                if not _judge_piece(fetched, stream, bytes(body[before:]), wide):
                    return
                if decoder.full or fetched.wire_len > self._limits.body:
                    size = guard.Verdict(
                        False, "response.size", f"more than the {self._limits.body} bytes the case allows"
                    )
                    _refuse(fetched, stream, Outcome.TOO_LARGE, size)
                    return
        except httpcore.RemoteProtocolError as error:
            # The end came before the announced end: what came is evidence, marked as cut (WARC-Truncated).
            if not body:
                raise
            fetched.truncated = "disconnect"
            fetched.reason = str(error)
        except (httpcore.ReadError, httpcore.ReadTimeout) as error:
            if not body:
                raise
            fetched.truncated = "disconnect" if isinstance(error, httpcore.ReadError) else "time"
            fetched.reason = str(error)
        except _BadCodingError as error:
            coding = guard.Verdict(False, "response.coding", str(error))
            _refuse(fetched, stream, Outcome.DECODE_ERROR, coding)
            return
        if not judged and body and not _judge_start(fetched, stream, bytes(body[: guard.SNIFF_LENGTH])):
            return
        if not decoder.finished and not fetched.truncated and body:
            fetched.truncated, fetched.reason = "disconnect", "the compressed body ends before its end"
        fetched.body = bytes(body)
        fetched.wire_sha256 = wire.hexdigest()
        if isinstance(stream, NotedStream):
            fetched.sent, fetched.received = bytes(stream.sent), bytes(stream.received)
        if fetched.truncated:
            fetched.outcome = Outcome.TRUNCATED

    async def _keep_certificate(self, fetched: Fetched, error: CertificateError) -> None:
        certificate = error.certificate
        target = urlsplit(fetched.url)
        host = target.hostname or ""
        if certificate is None and not self._proxy:
            egress = Egress(self._allowed)
            try:
                stream = await egress.connect_tcp(host, target.port or 443, timeout=self._limits.silence)
            except Exception:
                return
            address = str(stream.get_extra_info("server_addr")[0])
            await stream.aclose()
            fetched.server_ip = address
            certificate = await read_certificate(host, address, target.port or 443, self._limits.silence)
        if certificate is not None:
            fetched.tls = describe_certificate(certificate, verified=False)


class _Streaming:
    """``async with`` over a response that cuts the connection where its body was not read to the end."""

    def __init__(self, pool: httpcore.AsyncConnectionPool, request: httpcore.Request) -> None:
        self._pool = pool
        self._request = request
        self._response: httpcore.Response | None = None

    async def __aenter__(self) -> httpcore.Response:
        self._response = await self._pool.handle_async_request(self._request)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.aclose()


class _BadCodingError(Exception):
    pass


class _Inflate(Protocol):
    def __call__(self, data: bytes, room: int) -> bytes: ...


class _Step(NamedTuple):
    """One content coding being undone, and whether its end was reached."""

    feed: _Inflate
    finished: Callable[[], bool]


class _Decoder:
    """Undoes a Content-Encoding piece by piece and stops at *limit* bytes, whatever the compressed bytes promise."""

    def __init__(self, coding: str, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self.full = False
        codings = [item.strip().lower() for item in coding.split(",") if item.strip().lower() not in ("", "identity")]
        if len(codings) > 2:
            raise _BadCodingError(f"{len(codings)} content codings on top of each other")
        self._steps = [_inflate(item) for item in reversed(codings)]

    @property
    def finished(self) -> bool:
        """Whether every coding has come to its end; an answer that stops before is cut off."""
        return all(step.finished() for step in self._steps)

    def feed(self, data: bytes) -> bytes:
        room = self._limit - self._size + 1
        for step in self._steps:
            data = step.feed(data, room)
        self._size += len(data)
        if self._size > self._limit:
            self.full = True
        return data


def _inflate(coding: str) -> _Step:
    if coding in ("gzip", "x-gzip"):
        return _zlib_step(31)
    if coding == "deflate":
        return _deflate_step()
    if coding == "br":
        return _brotli_step()
    if coding == "zstd":
        return _zstd_step()
    raise _BadCodingError(f"unknown content coding {coding[:40]!r}")


def _zlib_step(wbits: int) -> _Step:
    state = zlib.decompressobj(wbits)

    def step(data: bytes, room: int) -> bytes:
        if state.eof:
            return b""
        try:
            return state.decompress(data, max(room, 1))
        except zlib.error as error:
            raise _BadCodingError(f"broken compression: {error}") from error

    return _Step(step, lambda: state.eof)


def _deflate_step() -> _Step:
    # "deflate" means zlib (RFC 9110 8.4.1.2), but some servers send the raw stream.
    inner: list[_Step] = []

    def step(data: bytes, room: int) -> bytes:
        if not inner:
            if not data:
                return b""
            zlib_head = len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] * 256 + data[1]) % 31 == 0
            inner.append(_zlib_step(15 if zlib_head else -15))
        return inner[0].feed(data, room)

    return _Step(step, lambda: not inner or inner[0].finished())


def _brotli_step() -> _Step:
    state = brotli.Decompressor()

    def step(data: bytes, room: int) -> bytes:
        out = bytearray()
        try:
            for piece in _pieces(data, 4096):
                out += state.process(piece, output_buffer_limit=max(room, 1))
                while len(out) < room and not state.is_finished() and not state.can_accept_more_data():
                    out += state.process(b"", output_buffer_limit=max(room, 1))
                if len(out) >= room:
                    break
        except brotli.error as error:
            raise _BadCodingError(f"broken compression: {error}") from error
        return bytes(out)

    return _Step(step, state.is_finished)


def _zstd_step() -> _Step:
    state = zstandard.ZstdDecompressor(max_window_size=2**23).decompressobj()

    def step(data: bytes, room: int) -> bytes:
        out = bytearray()
        try:
            # Small pieces bound what one call can expand to before the size is looked at again.
            for piece in _pieces(data, 64):
                out += state.decompress(piece)
                if len(out) >= room:
                    break
        except zstandard.ZstdError as error:
            raise _BadCodingError(f"broken compression: {error}") from error
        return bytes(out)

    return _Step(step, lambda: bool(state.eof))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _is_wide(body: bytearray, declared: str) -> bool:
    return body.startswith((b"\xff\xfe", b"\xfe\xff")) or "utf-16" in declared.lower()


def _judge_start(fetched: Fetched, stream: object, start: bytes) -> bool:
    verdict = guard.judge_start(start, fetched.type_declared)
    if verdict.allowed:
        return True
    fetched.type_sniffed = guard.sniff(start) or "binary"
    _refuse(fetched, stream, Outcome.NOT_TEXT, verdict)
    return False


def _judge_piece(fetched: Fetched, stream: object, piece: bytes, wide: bool) -> bool:
    verdict = guard.judge_piece(piece, wide=wide)
    if verdict.allowed:
        return True
    fetched.type_sniffed = "mixed"
    _refuse(fetched, stream, Outcome.NOT_TEXT, verdict)
    return False


def _refuse(fetched: Fetched, stream: object, outcome: Outcome, verdict: guard.Verdict) -> None:
    """Keep the head and nothing of the body."""
    if isinstance(stream, NotedStream):
        fetched.sent = bytes(stream.sent)
        head, mark, rest = bytes(stream.received).partition(b"\r\n\r\n")
        fetched.received = head + mark
        fetched.body_bytes_read = len(rest)
    fetched.body, fetched.wire_len = b"", 0
    _end(fetched, outcome, verdict.reason, verdict.rule)


def _note_head(fetched: Fetched, response: httpcore.Response, stream: httpcore.AsyncNetworkStream) -> None:
    fetched.status = response.status
    fetched.http_version = response.extensions.get("http_version", b"").decode("latin-1")
    fetched.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
    fetched.type_declared = fetched.header("content-type").strip()
    if len(fetched.all_headers("content-type")) > 1:
        fetched.type_declared = ", ".join(fetched.all_headers("content-type"))
    address = stream.get_extra_info("server_addr")
    fetched.server_ip = str(address[0]) if address else ""
    if isinstance(stream, NotedStream):
        fetched.sent = bytes(stream.sent)
    connection = stream.get_extra_info("ssl_object")
    if connection is not None:
        certificate = connection.getpeercert(binary_form=True)
        if certificate:
            fetched.tls = describe_certificate(certificate, version=connection.version() or "")


def describe_certificate(der: bytes, *, version: str = "", verified: bool = True) -> Tls:
    """What a certificate (DER) says of itself, as a record; a certificate that cannot be parsed leaves only its hash."""
    digest = hashlib.sha256(der).hexdigest()
    try:
        certificate = x509.load_der_x509_certificate(der)
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = tuple(str(item.value) for item in extension.value)
        except x509.ExtensionNotFound:
            names = ()
        return Tls(
            version=version,
            issuer=certificate.issuer.rfc4514_string(),
            subject=certificate.subject.rfc4514_string(),
            names=names[:200],
            not_before=clock.stamp(certificate.not_valid_before_utc),
            not_after=clock.stamp(certificate.not_valid_after_utc),
            cert_sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            verified=verified,
        )
    except ValueError:
        return Tls(version=version, cert_sha256=digest, verified=verified)


def _content_length(fetched: Fetched) -> int | None:
    text = fetched.header("content-length").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _end(fetched: Fetched, outcome: Outcome, reason: str, rule: str) -> Fetched:
    fetched.outcome, fetched.reason, fetched.rule = outcome, reason, rule
    fetched.ended = clock.now()
    return fetched


def _fail(fetched: Fetched, outcome: Outcome, reason: str) -> None:
    _end(fetched, outcome, reason, f"exchange.{outcome.value}")


def _proxy(address: str) -> httpcore.Proxy:
    parts = urlsplit(address)
    auth = (parts.username or "", parts.password or "") if parts.username else None
    bare = f"{'socks5' if parts.scheme.startswith('socks') else parts.scheme}://{parts.hostname}:{parts.port or 1080}"
    return httpcore.Proxy(bare, auth=auth)


class Downloads(BaseDownloadHandler):
    """Scrapy's way to ``Fetcher``: the exchange travels in ``response.meta["fetched"]``, whatever its outcome."""

    async def download_request(self, request: Request) -> Response:
        """Fetch; a failed exchange comes back as a response with status 0, which no server can send."""
        # The sweep's one fetcher: http and https share it, so that limits hold once, not twice.
        fetcher: Fetcher = self.crawler.spider.fetcher  # type: ignore[union-attr]
        headers = [(b"Host", _host_header(request.url))]
        headers += [(name, value) for name, values in request.headers.items() for value in values]
        begun = time.monotonic()
        fetched = await fetcher.fetch(request.method, request.url, headers, scripts=bool(request.meta.get("scripts")))
        request.meta["fetched"] = fetched
        request.meta["download_latency"] = time.monotonic() - begun
        answer = Headers()
        for name, value in fetched.headers:
            answer.appendlist(name.encode("latin-1"), value.encode("latin-1"))
        return Response(request.url, status=fetched.status or 0, headers=answer, body=b"", request=request)


def _host_header(url: str) -> bytes:
    return urlsplit(url).netloc.rpartition("@")[2].encode("ascii")
