"""What a reader of an archive yields: a captured text, something left out, something unreadable, or who made the archive.

A reader never holds more than one body, judges a body before and while it is read, and reports how far into the file it is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import brotli
import zstandard

from crawler import guard
from data import clock

_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file something stands. ``part`` is the member of a package, ``reached`` how many bytes were read."""

    number: int
    offset: int
    reached: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    """One text that others captured. ``body`` is decoded of transfer and content codings and has passed two gates.

    ``captured`` is the time that the archive states (UTC, as the records write it), empty where it states none.
    """

    place: Place
    url: str
    body: bytes
    captured: str = ""
    status: int | None = None
    http_version: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    type_declared: str = ""
    server_ip: str = ""
    truncated: str = ""
    wire_len: int = 0
    wire_sha256: str = ""
    record: str = ""
    digest: str = ""
    digest_state: str = ""
    role: str = "other"
    service: str = ""
    source: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    unchanged: str = ""
    leads_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that is not taken over, by which rule and why; its bytes were not kept."""

    place: Place
    rule: str
    reason: str
    url: str = ""
    size: int = 0
    record: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stretch of the file that could not be read: where it begins and why."""

    place: Place
    reason: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made the archive with what, as it says itself: names and values in the order found."""

    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A record that was not asked for, known by its address alone."""

    place: Place
    url: str


Item = Capture | LeftOut | Unreadable | Origin | PassedOver


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """At most *size* bytes; none at the end."""
        ...


class NotAnArchive(Exception):
    """The file is of none of the formats that can be imported; the message says which those are."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as far as it was read. ``refused`` says why it must not be kept; then ``data`` is empty."""

    data: bytes = b""
    read: int = 0
    sha256: str = ""
    refused: guard.Verdict | None = None
    broken: str = ""


_UNPACKING = (zlib.error, brotli.error, zstandard.ZstdError, EOFError, OSError, ValueError)


def read_body(stream: Readable, declared: str, limit: int, *, coding: str = "", disposition: str = "") -> Body:
    """Read a body through the guard's second gate: declared type, first bytes, every piece, size; nothing is kept after a no.

    *coding* is a content coding that the stream still carries. *limit* is in bytes of the decoded body.
    """
    verdict = guard.judge_head(declared, None, limit, disposition=disposition)
    if not verdict.allowed:
        return Body(refused=verdict)
    digest = hashlib.sha256()
    data = bytearray()
    broken = ""
    while True:
        try:
            chunk = stream.read(_CHUNK)
        except _UNPACKING as error:
            broken = f"the body ends early: {error}"
            break
        if not chunk:
            break
        digest.update(chunk)
        verdict = _YES if coding else _judge_piece(bytes(data[-guard.PIECE_OVERLAP :]), chunk, declared, not data)
        if not verdict.allowed:
            return Body(read=len(data) + len(chunk), refused=verdict)
        data += chunk
        if len(data) > limit:
            return Body(read=len(data), refused=_too_long(limit))
    read, sha256 = len(data), digest.hexdigest() if data else ""
    if coding and data:
        decoded = undo(bytes(data), coding, limit)
        if decoded is None:
            reason = f"its content coding {coding[:40]} cannot be undone within {limit} bytes"
            return Body(read=read, refused=guard.Verdict(False, "response.coding", reason))
        inner = judge_bytes(decoded, declared, limit)
        return Body(read=read, refused=inner) if inner else Body(decoded, read, sha256, broken=broken)
    return Body(bytes(data), read, sha256, broken=broken)


def judge_bytes(data: bytes, declared: str, limit: int) -> guard.Verdict | None:
    """The second gate over a body that is at hand: the verdict that refuses it, or None."""
    if len(data) > limit:
        return _too_long(limit)
    for at in range(0, len(data), _CHUNK):
        before = data[max(0, at - guard.PIECE_OVERLAP) : at]
        verdict = _judge_piece(before, data[at : at + _CHUNK], declared, at == 0)
        if not verdict.allowed:
            return verdict
    return None


def _judge_piece(before: bytes, chunk: bytes, declared: str, first: bool) -> guard.Verdict:
    if first:
        verdict = guard.judge_start(chunk[: guard.SNIFF_LENGTH], declared)
        if not verdict.allowed:
            return verdict
    wide = "utf-16" in declared.lower() or chunk.startswith((b"\xff\xfe", b"\xfe\xff"))
    return guard.judge_piece(before + chunk, wide=wide)


_YES = guard.Verdict(True, "response.allowed", "")


def _too_long(limit: int) -> guard.Verdict:
    return guard.Verdict(False, "response.size", f"longer than the {limit} bytes that the case allows")


def undo(data: bytes, coding: str, limit: int) -> bytes | None:
    """*data* without its content coding, at most *limit* bytes; None where it cannot be undone or is longer."""
    try:
        match coding.strip().lower():
            case "" | "identity":
                return data
            case "gzip" | "x-gzip":
                found = gzip.GzipFile(fileobj=io.BytesIO(data)).read(limit + 1)
            case "deflate":
                try:
                    found = zlib.decompressobj().decompress(data, limit + 1)
                except zlib.error:
                    found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit + 1)
            case "br":
                found = _brotli(data, limit)
            case "zstd":
                found = zstandard.ZstdDecompressor().stream_reader(data).read(limit + 1)
            case _:
                return None
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError, OSError):
        return None
    return found if len(found) <= limit else None


def _brotli(data: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    found = b""
    for start in range(0, len(data), 4096):
        found += decoder.process(data[start : start + 4096])
        if len(found) > limit:
            break
    return found


def utc(text: str) -> str:
    """A time as an archive writes it (ISO 8601, or ARC's 14 digits) in the records' form; empty where it is none."""
    text = text.strip()
    try:
        if text.isdigit() and len(text) >= 14:
            return clock.stamp(datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC))
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    try:
        return clock.stamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return ""


def file_time(path: Path) -> str:
    """When the file was last written, in the records' form."""
    return clock.stamp(datetime.fromtimestamp(path.stat().st_mtime, UTC))
