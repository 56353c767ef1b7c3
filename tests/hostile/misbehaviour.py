"""Servers that misbehave on purpose. Each is a promise in a sentence: what the record says when it has been visited."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import brotli
import zstandard

from tests.hostile.server import Answer, Asked, Wild


@dataclass(frozen=True)
class Misbehaviour:
    """One server. ``outcome`` is what the entry's attempt must say; ``answers`` what it does for a path."""

    name: str
    promise: str
    outcome: str
    answer: Answer | Wild
    rest: Answer | Wild | None = None
    tls: bool = False


HTML = b"<!doctype html><html lang=en><title>A page</title><h1>A page</h1><p>Words to keep.</p>"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def raw(*parts: bytes, pause: float = 0.0, hold: float = 0.0, reset: bool = False) -> Wild:
    """Send *parts* with *pause* seconds between, keep the line for *hold* seconds, then close or reset it."""

    async def wild(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(hold)
        if reset:
            writer.get_extra_info("socket").setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
            writer.transport.abort()

    return wild


def flood(start: bytes, part: bytes, pause: float = 0.0) -> Wild:
    """Send *start* and then *part* for ever."""

    async def wild(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return wild


def page(body: bytes, content_type: str = "text/html; charset=utf-8", **values: object) -> Answer:
    return Answer(body, content_type, **values)  # type: ignore[arg-type]


def coded(body: bytes, coding: str) -> Answer:
    return Answer(body, headers=(("Content-Encoding", coding),))


def redirect(target: str, status: int = 302) -> Answer:
    return Answer(b"", "text/html", status, (("Location", target),))


def _bomb_gzip() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = b"words and words " * 65536
    return b"".join(packer.compress(block) for _ in range(60)) + packer.flush()


def _bomb_zstd() -> bytes:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    block = b"words and words " * 65536
    return b"".join(packer.compress(block) for _ in range(60)) + packer.flush()


async def _counting(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    number = int(asked.path.rpartition("/")[2] or 0)
    writer.write(
        f"HTTP/1.1 302 Found\r\nLocation: /n/{number + 1}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    await writer.drain()


async def _calendar(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    year = int(asked.path.strip("/").partition("/")[0] or 2026)
    links = "".join(f'<a href="/{year + step}/{month}">Month</a>' for step in (1, 2) for month in range(1, 13))
    body = HTML + links.encode()
    writer.write(_OK + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()


_sessions = itertools.count()


async def _session_ids(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    links = "".join(
        f'<a href="/{path};jsessionid={next(_sessions)}?PHPSESSID={next(_sessions)}&gclid=x">Go</a>'
        for path in ("a", "b", "c")
    )
    body = HTML + links.encode()
    writer.write(_OK + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()


_MANY_LINKS = HTML + b"".join(b'<a href="/page/%d">Page %d</a>' % (number, number) for number in range(10_000))
_DEEP = HTML + b"<div>" * 100_000 + b"Deep words." + b"</div>" * 100_000
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
_TEXT = b"<p>Words and words and more words.</p>\n" * 2000


def misbehaviours() -> Iterator[Misbehaviour]:
    """Every server, in the order of how far an exchange gets."""
    one = Misbehaviour
    yield one("reset-at-once", "A connection reset before a word is a reset", "reset", raw(reset=True))
    yield one("close-at-once", "A connection closed before a word is no valid answer", "protocol_error", raw())
    yield one("hang", "A server that never answers costs the time limit", "timeout", raw(hold=60))
    yield one("hang-after-head", "A head without its body is a time-out", "timeout", raw(_OK + b"\r\n", hold=60))
    yield one("hang-in-head", "Half a head is a time-out", "timeout", raw(_OK, hold=60))
    yield one("loris-head", "A head that drips costs the time limit", "timeout", flood(_OK, b"X-A: b\r\n", 0.2))
    yield one(
        "loris-body", "A body that drips costs the time limit", "timeout|truncated", flood(_OK + b"\r\n", b"w", 0.2)
    )
    yield one("drip", "A body in small pieces is put together", "ok", raw(_OK + b"Content-Length: %d\r\n\r\n" % len(HTML), *(
        HTML[at : at + 10] for at in range(0, len(HTML), 10)), pause=0.01))  # fmt: skip
    yield one("early-close", "A head cut off in the middle is no valid answer", "protocol_error", raw(_OK[:30]))
    yield one("truncated", "A body shorter than announced is kept and marked", "truncated",
              raw(_OK + b"Content-Length: 90000\r\n\r\n" + HTML))  # fmt: skip
    yield one("truncated-by-reset", "A body cut by a reset is kept and marked, or a reset", "truncated|reset",
              raw(_OK + b"Content-Length: 90000\r\n\r\n" + HTML, hold=0.2, reset=True))  # fmt: skip
    yield one("chunk-missing", "Chunks without an end are kept and marked", "truncated",
              raw(_OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HTML) + HTML + b"\r\n"))  # fmt: skip
    yield one("chunk-broken", "A chunk size that is no number ends the answer, marked", "truncated|protocol_error",
              raw(_OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(HTML) + HTML + b"\r\nzzz\r\n"))  # fmt: skip
    yield one("longer", "What comes after the announced length is not read", "ok",
              raw(_OK + b"Content-Length: %d\r\n\r\n" % len(HTML) + HTML + b"<p>Too much.</p>"))  # fmt: skip
    yield one("two-lengths", "Two different lengths are no valid answer", "protocol_error",
              raw(_OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nwords"))  # fmt: skip
    yield one(
        "negative-length",
        "A negative length is no valid answer",
        "protocol_error",
        raw(_OK + b"Content-Length: -1\r\n\r\n"),
    )
    yield one("huge-length", "An announced terabyte is refused unread", "too_large",
              raw(_OK + b"Content-Length: 1000000000000\r\n\r\n", hold=5))  # fmt: skip
    yield one("endless", "200 MB and more of text are cut at the limit", "too_large", flood(_OK + b"\r\n", _TEXT))
    yield one("endless-chunks", "Endless chunks are cut at the limit", "too_large",
              flood(_OK + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % len(_TEXT) + _TEXT + b"\r\n"))  # fmt: skip
    yield one("bomb-gzip", "A gzip bomb is cut at the limit", "too_large", coded(_bomb_gzip(), "gzip"))
    yield one(
        "bomb-twice",
        "A bomb in a bomb is cut at the limit",
        "too_large",
        coded(gzip.compress(_bomb_gzip()), "gzip, gzip"),
    )
    yield one("bomb-br", "A brotli bomb is cut at the limit", "too_large",
              coded(brotli.compress(b"words and words " * 1_000_000, quality=1), "br"))  # fmt: skip
    yield one("bomb-zstd", "A zstd bomb is cut at the limit", "too_large", coded(_bomb_zstd(), "zstd"))
    for coding in ("gzip", "br", "zstd", "deflate"):
        yield one(
            f"broken-{coding}",
            f"Broken {coding} is said to be broken",
            "decode_error",
            coded(b"\x00\x01\xff" * 99, coding),
        )
    yield one(
        "cut-gzip", "Compression that stops early is marked", "truncated", coded(gzip.compress(_TEXT)[:-20], "gzip")
    )
    yield one("gzip", "gzip that was not asked for is undone", "ok", coded(gzip.compress(HTML), "gzip"))
    yield one("deflate-raw", "deflate without its header is undone", "ok", coded(zlib.compress(HTML)[2:-4], "deflate"))
    yield one("unknown-coding", "An unknown coding is said to be one", "decode_error", coded(HTML, "rot13"))
    yield one(
        "five-codings", "A pile of codings is refused", "decode_error", coded(HTML, "gzip, gzip, gzip, gzip, gzip")
    )
    yield one(
        "nul-bytes", "NUL bytes in a page leave its words", "ok", page(HTML + b"\x00" * 500 + b"<p>Wo\x00rds.</p>")
    )
    yield one("wrong-charset", "Bytes that the declared charset cannot hold become marks", "ok",
              page(HTML + "Größe".encode("latin-1")))  # fmt: skip
    yield one("no-charset", "A page that declares its charset itself is read by it", "ok",
              page(b"<meta charset=windows-1251>" + "Слова".encode("cp1251"), "text/html"))  # fmt: skip
    yield one(
        "unknown-charset", "A charset that does not exist does no harm", "ok", page(HTML, "text/html; charset=klingon")
    )
    yield one("utf-16", "UTF-16 is read", "ok", page("\ufeff<p>Words</p>".encode("utf-16-le"), "text/html"))
    yield one("header-flood", "Twenty thousand headers are no valid answer", "protocol_error",
              raw(_OK + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n" + HTML))  # fmt: skip
    yield one(
        "header-endless",
        "A header without an end is no valid answer",
        "protocol_error|timeout",
        flood(_OK + b"X: ", b"y" * 9999),
    )
    yield one(
        "header-broken",
        "A header without a colon is no valid answer",
        "protocol_error",
        raw(_OK + b"nonsense\r\n\r\n" + HTML),
    )
    yield one("header-controls", "Control characters in a header do no harm", "protocol_error|ok",
              raw(_OK + b"X-A: \x1b[2J\x07\r\nContent-Length: %d\r\n\r\n" % len(HTML) + HTML))  # fmt: skip
    yield one(
        "not-http",
        "An answer that is not HTTP is said to be none",
        "protocol_error",
        raw(b"220 mail.example ESMTP\r\n"),
    )
    yield one("http-0.9", "A bare page without a head is no valid answer", "protocol_error", raw(HTML))
    yield one(
        "http-1.0",
        "HTTP/1.0 ends with the connection",
        "ok",
        raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + HTML),
    )
    yield one("interim", "Interim answers are passed", "ok", raw(_INTERIM + _OK + b"Connection: close\r\n\r\n" + HTML))
    yield one("interim-flood", "Endless interim answers cost the time limit", "timeout|protocol_error",
              flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001))  # fmt: skip
    yield one("no-content", "204 is no content, whatever follows", "no_content", raw(b"HTTP/1.1 204 No\r\n\r\n" + HTML))
    yield one("not-modified", "304 that nobody asked for is no content", "no_content", raw(b"HTTP/1.1 304 Not\r\n\r\n"))
    yield one("reset-content", "205 is no content", "no_content", raw(b"HTTP/1.1 205 R\r\nContent-Length: 0\r\n\r\n"))
    yield one("status-999", "A status that nobody knows is an error", "http_error", page(HTML, status=999))
    yield one("to-itself", "A redirect to itself is a loop", "redirect_loop", redirect("/"))
    yield one("no-location", "A redirect to nowhere is on record", "redirect", Answer(b"", "text/html", 302))
    yield one("bad-location", "A redirect to nonsense is on record", "redirect", redirect("http://[::1:80:/"))
    yield one(
        "endless-redirects",
        "Redirects without an end are followed so far and no further",
        "redirect",
        redirect("/n/1"),
        _counting,
    )
    yield one(
        "two-step-loop", "Two pages that send to each other are a loop", "redirect", redirect("/other"), redirect("/")
    )
    yield one("to-file", "A redirect to a file of ours is not followed", "redirect", redirect("file:///etc/passwd"))
    yield one("to-private", "A redirect into the private network is refused", "redirect", redirect("http://10.0.0.1/"))
    yield one(
        "to-metadata", "A redirect to cloud metadata is refused", "redirect", redirect("http://169.254.169.254/latest/")
    )
    yield one(
        "to-mapped",
        "A private address inside an IPv6 one is refused",
        "redirect",
        redirect("http://[::ffff:10.0.0.1]/"),
    )
    yield one("to-decimal", "A private address as one number is refused", "redirect", redirect("http://167772161/"))
    yield one("calendar", "An endless calendar ends with the page budget", "ok", _calendar, _calendar)
    yield one("session-ids", "Session ids in addresses do not make pages new", "ok", _session_ids, _session_ids)
    yield one("many-links", "Each of 10,000 links gets its decision", "ok", page(_MANY_LINKS), page(HTML))
    yield one("deep", "100,000 levels of markup are read", "ok", page(_DEEP))
    yield one("one-long-word", "A word of a megabyte is a word", "ok", page(HTML + b"a" * 1_000_000))
    yield one("open-tags", "A megabyte of tags that never close is read", "ok", page(HTML + b"<svg <div <a " * 80_000))
    yield one(
        "self-signed",
        "A certificate that nobody vouches for is evidence, not a page",
        "tls_error",
        page(HTML),
        tls=True,
    )
    yield one("expired", "An expired certificate is evidence, not a page", "tls_error", page(HTML), tls=True)
    yield one("wrong-name", "A certificate for another name is evidence, not a page", "tls_error", page(HTML), tls=True)
    yield one("good-certificate", "A certificate that verifies is recorded with its page", "ok", page(HTML), tls=True)
