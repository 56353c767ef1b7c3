"""WARC (ISO 28500) and ARC files, plain or gzipped, whole or broken; Common Crawl's WARC and WET among them. Read by warcio.

What is broken is passed over up to the next record that can be read, and named with its offset and reason.
"""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeadersParserException

from crawler import guard
from crawler.captures.capture import Capture, Item, LeftOut, Origin, PassedOver, Place, Unreadable, read_body, utc
from crawler.captures.sieve import Wanted, sieve

# warcio warns through the root logger's last resort, which prints.
logging.getLogger("warcio").addHandler(logging.NullHandler())

_FAULTS = (
    ArchiveLoadFailed,
    StatusAndHeadersParserException,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    zlib.error,
)
_GZIP = b"\x1f\x8b\x08"
_WARC_START = re.compile(rb"(?:^|\n)(?=WARC/\d\.\d+\r?\n)")
_ARC_START = re.compile(
    rb"(?:^|\n)(?=(?:https?|filedesc|dns):[^\n]{1,2000} [\d.]{7,15} \d{12,17} [^\n]{1,200} -?\d+\r?\n)"
)
_SCAN = 1 << 20
_SAID = ("software", "operator", "creator", "publisher", "description", "isPartOf", "robots", "format", "hostname")


def looks_like_warc(start: bytes) -> bool:
    """Whether a file that begins so is WARC or ARC."""
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(31).decompress(start, 4096)
        except zlib.error:
            return False
    start = start.lstrip()
    return start.startswith((b"WARC/", b"filedesc:")) or bool(_ARC_START.match(start))


def read_warc(path: Path, limit: int) -> Iterator[Item]:
    """Every record of the archive at *path*; *limit* is the most bytes a decoded body may have."""
    with path.open("rb") as file:
        yield from read_warc_file(file, limit)


def read_warc_file(file: IO[bytes], limit: int, *, part: str = "", start: int = 0) -> Iterator[Item]:
    """As ``read_warc`` for an open, seekable file. *part* names it inside a package, *start* is added to what was reached."""
    reader = _Reader(file, limit, part, start)
    yield from _without_form_answers(reader.items())


def read_wanted(path: Path, limit: int, wanted: Wanted) -> Iterator[Item]:
    """As ``read_warc``, of the records that are *wanted*; the others are ``PassedOver``."""
    with path.open("rb") as file, path.open("rb") as ahead:
        reader = _Reader(file, limit, "", 0)

        def items() -> Iterator[Item]:
            for member in sieve(ahead, wanted):
                if member.rest:
                    reader.number = member.number - 1
                    yield from reader.items(member.offset)
                elif member.wanted:
                    yield from reader.one(member.number, member.offset)
                else:
                    yield PassedOver(Place(member.number, member.offset, ahead.tell()), member.url)

        yield from _without_form_answers(items())


class _Records(ArchiveIterator):  # type: ignore[misc]
    """warcio's iterator, with its warnings kept instead of printed."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, check_digests=True)
        self.faults: list[tuple[int, str]] = []

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        blank, first = 0, True
        while True:
            line = self.reader.readline()
            if not line:
                return None, blank
            text = line.rstrip()
            if not text or first:
                if text:
                    at = self.fh.tell() - self.reader.rem_length() - len(line)
                    self.faults.append((max(0, at), "the record is longer than the length it states"))
                    if text.startswith(b"WARC/"):
                        # The length was too short by the blank line only: this line begins the next record.
                        return line, blank
                blank += len(line)
                first = False
                continue
            return line, blank


class _Reader:
    def __init__(self, file: IO[bytes], limit: int, part: str, start: int) -> None:
        self.file, self.limit, self.part, self.start = file, limit, part, start
        self.number = 0

    def items(self, at: int = 0) -> Iterator[Item]:
        """All records from byte *at* on, beginning again after each fault at the next place that looks like a record."""
        while at >= 0:
            at = yield from self._from(at)

    def one(self, number: int, at: int) -> Iterator[Item]:
        """The record of that *number*, a gzip member at byte *at*."""
        self.number = number
        self.file.seek(at)
        records = _Records(self.file)
        try:
            record = next(records, None)
            if record is None:
                return
            yield from list(self._read(record, at))
            if short := _missing(record):
                yield Unreadable(self._place(at), _short(short))
        except _FAULTS as error:
            yield Unreadable(self._place(at), _why(error))

    def _from(self, at: int) -> Generator[Item, None, int]:
        """Records from byte *at*. Returns where to begin again, -1 at the end."""
        self.file.seek(at)
        records = _Records(self.file)
        offset = end = at
        try:
            while (record := next(records, None)) is not None:
                self.number += 1
                offset = max(at, records.offset)
                gzipped = records.reader.decompressor is not None
                found = list(self._read(record, offset))
                short = _missing(record)
                if short and gzipped:
                    self.number -= 1
                    return (yield from self._broken_member(offset, short, found))
                yield from found
                if short:
                    yield Unreadable(self._place(offset), _short(short))
                records.read_to_end()
                end = records.offset
                yield from self._faults(records)
        except _FAULTS as error:
            yield from self._faults(records)
            if "non-chunked gzip" in str(error):
                return (yield from self._single_stream(offset, skip=1))
            offset = max(at, records.offset)
            yield Unreadable(self._place(offset), _why(error))
            return self._next_start(offset + 1)
        yield from self._faults(records)
        # warcio ends quietly where a gzip member breaks off before its record's head is whole.
        self.file.seek(end)
        if self.file.read(4096).strip(b"\x00\r\n "):
            yield Unreadable(
                self._place(end), "not a record: the data breaks off or is damaged before a record's head is whole"
            )
            return self._next_start(end + 1)
        return -1

    def _broken_member(self, offset: int, short: int, found: list[Item]) -> Generator[Item, None, int]:
        """A record that does not end inside its gzip member: gzipped at other places than between records, or damaged."""
        end = self._member_end(offset)
        if end > 0 and not self._is_start(end):
            return (yield from self._single_stream(offset, skip=0))
        self.number += 1
        yield from found
        yield Unreadable(
            self._place(offset), _short(short) if end > 0 else f"{_short(short)}: its gzip data is damaged"
        )
        return self._next_start(end if end > 0 else offset + 1)

    def _single_stream(self, at: int, skip: int) -> Generator[Item, None, int]:
        """The rest of a file, from byte *at* on, as one stream however it was gzipped; *skip* records have been read."""
        yield Unreadable(
            self._place(at),
            f"not gzipped record by record; read as one stream, offsets count in the data unpacked from byte {at} on",
        )
        self.file.seek(at)
        with gzip.GzipFile(fileobj=self.file) as unpacked:
            stream = _Forward(unpacked)
            records = _Records(stream)  # type: ignore[arg-type]
            offset = 0
            try:
                for record in records:
                    offset = records.offset
                    if skip:
                        skip -= 1
                        continue
                    self.number += 1
                    yield from self._read(record, offset)
                    if short := _missing(record):
                        yield Unreadable(self._place(offset), _short(short))
                    yield from self._faults(records)
            except _FAULTS as error:
                yield Unreadable(self._place(offset), _why(error))
        return -1

    def _member_end(self, offset: int) -> int:
        """Where the gzip member at *offset* ends, -1 where it cannot be unpacked to its end."""
        self.file.seek(offset)
        unpacker = zlib.decompressobj(31)
        try:
            while block := self.file.read(65_536):
                while block and not unpacker.eof:
                    unpacker.decompress(block, 1 << 20)
                    block = unpacker.unconsumed_tail
                if unpacker.eof:
                    return self.file.tell() - len(unpacker.unused_data)
        except zlib.error:
            return -1
        return -1

    def _is_start(self, at: int) -> bool:
        self.file.seek(at)
        start = self.file.read(4096)
        return not start or looks_like_warc(start)

    def _read(self, record: Any, offset: int) -> Iterator[Item]:
        kind = record.rec_type or ""
        place = self._place(offset)
        url = _url(record)
        name = record.rec_headers.get_header("WARC-Record-ID") or ""
        if kind == "arc_header":
            yield _origin(record, kind)
            return
        stated = record.rec_headers.get_header("length" if record.format == "arc" else "Content-Length")
        if not str(stated or "").strip().isdigit():
            # Where the head itself is cut off, the length at its end is what is missing.
            yield Unreadable(place, f"the record states no length that can be read ({str(stated)[:20]!r})")
            return
        if kind == "warcinfo":
            yield _origin(record, kind)
            return
        if kind == "request":
            method = record.http_headers.protocol if record.http_headers else ""
            yield LeftOut(place, "import.request", f"{method} {name}", url, record=_concurrent(record))
            return
        if kind not in ("response", "resource", "conversion", "revisit"):
            yield LeftOut(place, "import.record-type", f"a {kind or 'nameless'} record holds no page", url, record=name)
            return
        if not url.startswith(("http://", "https://")):
            reason = f"not a page of the web: {url.partition(':')[0][:20] or 'no'} address"
            yield LeftOut(place, "import.scheme", reason, url[:500], _stated(record), name)
            return
        yield self._page(record, kind, place, url, name)

    def _page(self, record: Any, kind: str, place: Place, url: str, name: str) -> Item:
        http = record.http_headers
        headers = tuple((str(key), str(value)) for key, value in http.headers) if http else ()
        status = _status(http.get_statuscode()) if http else None
        declared = (http.get_header("Content-Type") if http else record.content_type) or ""
        when = record.rec_headers.get_header("WARC-Date") or record.rec_headers.get_header("archive-date") or ""
        digest = record.rec_headers.get_header("WARC-Payload-Digest") or ""
        base: dict[str, Any] = {
            "place": place,
            "url": url,
            "captured": utc(when),
            "status": status,
            "http_version": http.protocol[:20] if http else "",
            "headers": headers,
            "type_declared": declared,
            "server_ip": record.rec_headers.get_header("WARC-IP-Address")
            or record.rec_headers.get_header("ip-address")
            or "",
            "record": name,
            "digest": digest or record.rec_headers.get_header("WARC-Block-Digest") or "",
        }
        if kind == "revisit":
            first = record.rec_headers.get_header("WARC-Refers-To-Date") or "an earlier capture"
            return Capture(body=b"", unchanged=f"the archive says: unchanged since {first}", **base)
        if status is not None and (300 <= status < 400 or status in (204, 205)):
            return Capture(body=b"", **base)
        coding = (http.get_header("Content-Encoding") if http else "") or ""
        odd = coding.strip().lower() not in ("", "identity", "gzip", "deflate", "br")
        body = read_body(
            record.content_stream(),
            declared,
            self.limit,
            coding=coding if odd else "",
            disposition=(http.get_header("Content-Disposition") if http else "") or "",
        )
        if body.refused is not None:
            return LeftOut(place, body.refused.rule, body.refused.reason, url, _stated(record), name)
        cut = record.rec_headers.get_header("WARC-Truncated") or ("disconnect" if body.broken else "")
        while record.raw_stream.read(65_536):
            pass  # whatever a decoder left unread: the digest is of all of it
        return Capture(
            body=body.data,
            truncated=cut or ("disconnect" if _missing(record) else ""),
            wire_len=body.read,
            wire_sha256=body.sha256,
            digest_state=_digest_state(record),
            **base,
        )

    def _place(self, offset: int) -> Place:
        try:
            reached = self.file.tell()
        except (OSError, ValueError):
            reached = 0
        return Place(self.number, offset, self.start + reached, self.part)

    def _faults(self, records: _Records) -> Iterator[Item]:
        while records.faults:
            offset, reason = records.faults.pop(0)
            yield Unreadable(self._place(offset), reason)

    def _next_start(self, at: int) -> int:
        """The next byte from *at* on where a record seems to begin, -1 where none does."""
        self.file.seek(at)
        base, block = at, self.file.read(_SCAN)
        while block:
            found = _first(block, base, self.file)
            if found >= 0:
                return found
            keep = block[-4096:] if len(block) == _SCAN else b""
            more = self.file.read(_SCAN)
            if not more:
                return -1
            base += len(block) - len(keep)
            block = keep + more
        return -1


def _first(block: bytes, base: int, file: IO[bytes]) -> int:
    places = [match.end() for pattern in (_WARC_START, _ARC_START) if (match := pattern.search(block))]
    at = block.find(_GZIP)
    while at >= 0 and (not places or at < min(places)):
        # Three bytes may stand anywhere; a member that unpacks to a record's first line does not.
        if looks_like_warc(block[at : at + 4096]):
            places.append(at)
            break
        at = block.find(_GZIP, at + 1)
    return base + min(places) if places else -1


class _Forward:
    """An unpacked stream that can say how far it is."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._at = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at


def _without_form_answers(items: Iterator[Item]) -> Iterator[Item]:
    """Answers to anything but GET and HEAD leave: a form was sent for them, so no visitor finds them by their address.

    The request stands beside its answer, before it (wget) or after it (most others), so one record is held back.
    """
    asked: dict[str, str] = {}
    held: Capture | None = None
    last = ""
    for item in items:
        if isinstance(item, LeftOut) and item.rule == "import.request":
            method, _, name = item.reason.partition(" ")
            if held is not None and (item.record == held.record or (not item.record and item.url == held.url)):
                yield _answer(held, method)
                held = None
            else:
                asked = {item.record: method, name: method} if method else {}
                last = item.url
            yield LeftOut(item.place, item.rule, "a request holds no page", item.url, item.size, name)
            continue
        if held is not None:
            yield held
            held = None
        if isinstance(item, Capture):
            method = asked.get(item.record, "") if item.record and item.url == last else ""
            asked = {}
            if method:
                yield _answer(item, method)
            else:
                held = item
            continue
        yield item
    if held is not None:
        yield held


def _answer(capture: Capture, method: str) -> Item:
    if method in guard.ALLOWED_METHODS:
        return capture
    reason = f"the answer to a {method[:20]}: something was sent for it"
    return LeftOut(capture.place, "import.method", reason, capture.url, capture.wire_len, capture.record)


def _url(record: Any) -> str:
    url = record.rec_headers.get_header("WARC-Target-URI") or record.rec_headers.get_header("uri") or ""
    return str(url).strip("<> ")


def _concurrent(record: Any) -> str:
    return str(record.rec_headers.get_header("WARC-Concurrent-To") or "")


def _stated(record: Any) -> int:
    return int(record.length or 0)


def _status(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() and len(text) == 3 else None


def _missing(record: Any) -> int:
    """How many bytes of the stated length never came."""
    stream = record.raw_stream
    if not record.length or record.length < 0 or not hasattr(stream, "limit"):
        return 0
    while stream.limit > 0 and stream.read(min(65_536, stream.limit)):
        pass
    return max(0, int(stream.limit))


def _digest_state(record: Any) -> str:
    checker = record.digest_checker
    if checker is None or checker.passed is None:
        return "unknown kind" if checker is not None and checker.problems else "none stated"
    return "fits" if checker.passed else "does not fit"


def _origin(record: Any, kind: str) -> Origin:
    text = record.raw_stream.read(65_536).decode("utf-8", "replace")
    facts: list[tuple[str, str]] = [("archive", "ARC" if kind == "arc_header" else "WARC")]
    name = record.rec_headers.get_header("WARC-Filename")
    if name:
        facts.append(("filename", str(name)[:200]))
    for line in text.splitlines():
        key, mark, value = line.partition(":")
        if mark and key.strip() in _SAID and value.strip():
            facts.append((key.strip(), guard.scrub(value.strip()).text[:500]))
    return Origin(tuple(facts))


def _short(missing: int) -> str:
    return f"the record ends {missing} bytes short of the length it states"


def _why(error: BaseException) -> str:
    if isinstance(error, AttributeError | TypeError):
        return "not a record: its head is not whole"
    text = " ".join(str(error).split())
    return f"not a record: {text[:200]}" if text else f"not a record ({type(error).__name__})"
