"""The few records of a large archive that a case asks for, found without reading the others: Common Crawl's way of use.

In a WARC that is gzipped record by record, each record is unpacked just as far as to know its address; only those that are
wanted reach the reader, the guard and the spool. What cannot be told so (another packing, a damaged member) is left to the
careful reader of ``warc.py`` from there on.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

_READ = 1 << 18
_PIECE = 1 << 20
_HEAD = 16_384
_TYPE = re.compile(rb"(?im)^WARC-Type:\s*(\S+)")
_ADDRESS = re.compile(rb"(?im)^WARC-Target-URI:\s*<?([^\s>]+)")
_LENGTH = re.compile(rb"(?im)^Content-Length:\s*(\d+)\s*$")
_PAGES = frozenset({"response", "resource", "conversion", "revisit"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a case asks for of an archive. ``address`` judges a record's address, ``text`` the unpacked record; either may
    be missing."""

    address: Callable[[str], bool] | None = None
    text: Callable[[bytes], bool] | None = None
    most: int = 2_000_000
    """Bytes of a record that ``text`` is shown."""


@dataclass(frozen=True, slots=True)
class Member:
    """A record: its number in the file from 1, its offset, its address; ``page`` is false for the file's own description.

    ``rest``: from this offset on the sieve cannot tell records apart.
    """

    number: int
    offset: int
    url: str
    wanted: bool
    rest: bool = False


def sieve(file: IO[bytes], wanted: Wanted) -> Iterator[Member]:
    """The members of *file* that are wanted, each request that stands beside one, and the file's descriptions.

    Members that are not wanted are yielded with ``wanted`` false, so that they can be counted.
    """
    asked: Member | None = None
    kept = ""
    members = _members(file, wanted.most if wanted.text else 0)
    for number, (offset, kind, url, start) in enumerate(members, 1):
        if kind == "?":
            yield Member(number, offset, "", True, rest=True)
            return
        if kind == "warcinfo":
            yield Member(number, offset, "", True)
        elif kind == "request":
            member = Member(number, offset, url, True)
            if url == kept:
                yield member
            else:
                asked = member
            kept = ""
        elif kind in _PAGES:
            good = (wanted.address is None or wanted.address(url)) and (wanted.text is None or wanted.text(start))
            if good and asked is not None and asked.url == url:
                yield asked
            yield Member(number, offset, url, good)
            asked, kept = None, url if good else ""


def _members(file: IO[bytes], most: int) -> Iterator[tuple[int, str, str, bytes]]:
    """Offset, type, address and the first *most* bytes of each gzip member; type ``?`` where it cannot be told."""
    file.seek(0)
    offset, block = 0, file.read(_READ)
    while block:
        if len(block) < 10:
            block += file.read(_READ)
        if not block.startswith(b"\x1f\x8b"):
            yield offset, "?", "", b""
            return
        unpacker = zlib.decompressobj(31)
        start, begin, unpacked = bytearray(), offset, 0
        try:
            while not unpacker.eof:
                out = unpacker.decompress(block, _PIECE)
                unpacked += len(out)
                if len(start) < max(most, _HEAD):
                    start += out[: max(most, _HEAD) - len(start)]
                offset += len(block) - len(unpacker.unconsumed_tail) - len(unpacker.unused_data)
                block = unpacker.unconsumed_tail or (b"" if unpacker.eof else file.read(_READ))
                if not block and not unpacker.eof:
                    break
        except zlib.error:
            yield begin, "?", "", b""
            return
        head = bytes(start[:_HEAD]).partition(b"\r\n\r\n")[0]
        kind, address, length = _TYPE.search(head), _ADDRESS.search(head), _LENGTH.search(head)
        # More than the record and its blank lines: several records in one member, or a length that is wrong.
        whole = length is not None and 0 <= unpacked - len(head) - 4 - int(length[1]) <= 4
        if not unpacker.eof or not head.startswith(b"WARC/") or kind is None or not whole:
            yield begin, "?", "", b""
            return
        url = address[1].decode("utf-8", "replace") if address else ""
        yield begin, kind[1].decode("latin-1").lower(), url, bytes(start) if most else b""
        block = unpacker.unused_data or file.read(_READ)
