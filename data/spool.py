"""A visit while it runs: everything is written, hashed and chained the moment it is known (design section 5).

``spool/<visit>/`` holds
    visit.json        the visit's record; written when it opens and again when it closes
    attempts.jsonl    one canonical JSON line an attempt, each with the hash of the line before
    addresses.jsonl   one line an address seen, with the one decision on it; it is the queue as well
    records.warc.gz   WARC 1.1 (ISO 28500:2017), one gzip member a record
    inflight.jsonl    addresses whose fetch has begun; not evidence, it tells a resumed visit what was cut off

Writes go straight to the kernel, so that a killed process loses nothing that was written; ``close`` waits for the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from data import clock
from data.canonical import canonical, genesis, sha256
from data.disk import write_file, write_whole
from data.records import AddressSeen, Observation, Visit

ATTEMPTS = "attempts.jsonl"
ADDRESSES = "addresses.jsonl"
WARC = "records.warc.gz"
VISIT = "visit.json"
INFLIGHT = "inflight.jsonl"
EVIDENCE_FILES = (ATTEMPTS, ADDRESSES, WARC)


class VisitBusy(Exception):
    """Another process is running this visit."""


class Spool:
    """The open folder of one running visit. One writer at a time, held by a lock on ``inflight.jsonl``."""

    def __init__(self, folder: Path, visit: Visit) -> None:
        self.folder = folder
        self.visit = visit
        folder.mkdir(parents=True, exist_ok=True)
        self._inflight = _open(folder / INFLIGHT)
        try:
            fcntl.flock(self._inflight, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._inflight.close()
            raise VisitBusy(f"visit {visit.visit} is being run by another process") from None
        self.cut_off: list[str] = []
        self._head = genesis(visit.visit)
        self._seq = 0
        self._seen_count = 0
        self._warc_end = 0
        self._lost = 0
        if (folder / VISIT).exists():
            self._take_up()
        else:
            write_file(folder / VISIT, canonical(visit.as_json()) + b"\n")
        self._attempts = _open(folder / ATTEMPTS)
        self._seen = _open(folder / ADDRESSES)
        self._warc = _open(folder / WARC)
        if self._warc_end == 0:
            self._write_warc("warcinfo", "", "application/warc-fields", _warcinfo(visit), {})

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._attempts, self._seen, self._warc, self._inflight):
            file.close()

    @property
    def observations(self) -> Iterator[Observation]:
        """The attempts up to now, in order, from the disk: a visit of any length is not held in memory."""
        return islice(read_attempts(self.folder), self._seq)

    @property
    def addresses(self) -> Iterator[AddressSeen]:
        """The decisions on addresses up to now, in order, from the disk."""
        return islice(read_addresses(self.folder), self._seen_count)

    @property
    def next_seq(self) -> int:
        """The number that the next attempt gets, from 1."""
        return self._seq + 1

    def see(self, seen: AddressSeen) -> None:
        """Put the decision on one address on record."""
        _put(self._seen, canonical(seen.as_json()) + b"\n")
        self._seen_count += 1

    def begin(self, url: str) -> None:
        """Note that the fetch of *url* starts now."""
        _put(self._inflight, canonical({"begin": url}) + b"\n")

    def keep(self, kind: str, url: str, content_type: str, block: bytes, extra: dict[str, str]) -> tuple[str, int, int]:
        """Write one WARC record and return its id, offset and length (bytes of the gzip member) in the file."""
        return self._write_warc(kind, url, content_type, block, extra)

    def attempt(self, observation: Observation) -> Observation:
        """Chain one attempt. Its sequence number and id are given here."""
        line = canonical({"prev": self._head, **observation.as_json()})
        _put(self._attempts, line + b"\n")
        self._head = sha256(line)
        self._seq = observation.seq
        _put(self._inflight, canonical({"end": observation.requested_url}) + b"\n")
        return observation

    def close(self, *, outcome: str, reason: str, partial: tuple[str, ...] = ()) -> Visit:
        """Wait for the disk, and write the visit's record with count, head and file hashes. The folder may then move."""
        if self._lost:
            partial = (*partial, f"{self._lost} attempts were lost when the machine stopped, and made again")
        files = {}
        for name, file in ((ATTEMPTS, self._attempts), (ADDRESSES, self._seen), (WARC, self._warc)):
            os.fsync(file.fileno())
            files[name] = file_record(self.folder / name)
        self.visit = replace(
            self.visit,
            ended=clock.now(),
            state="closed",
            outcome=outcome,
            reason=reason,
            observations=self._seq,
            addresses=self._seen_count,
            partial=partial,
            head=self._head,
            files=files,
        )
        write_file(self.folder / VISIT, canonical(self.visit.as_json()) + b"\n")
        return self.visit

    def _take_up(self) -> None:
        """Read what an interrupted run left; cut off lines and records that it did not finish."""
        self.visit = replace(read_visit(self.folder), resumed=read_visit(self.folder).resumed + 1, state="open")
        ends = [_End(0, self._head, 0)]
        for line in _whole_lines(self.folder / ATTEMPTS):
            values = json.loads(line)
            if values.pop("prev") != self._head:
                raise ValueError(
                    f"{self.visit.visit}: {ATTEMPTS} line {self._seq + 1} does not follow from the one before"
                )
            self._head = sha256(line)
            observation = Observation.from_json(values)
            self._seq = observation.seq
            offset, length = observation.warc_offset, observation.warc_length
            self._warc_end = max(self._warc_end, offset + length)
            ends.append(_End(ends[-1].at + len(line) + 1, self._head, self._warc_end, offset, length))
        self._drop_lost(ends)
        for _ in _whole_lines(self.folder / ADDRESSES):
            self._seen_count += 1
        begun: list[str] = []
        for line in _whole_lines(self.folder / INFLIGHT):
            values = json.loads(line)
            if "begin" in values:
                begun.append(values["begin"])
            elif values.get("end") in begun:
                begun.remove(values["end"])
        self.cut_off = begun
        warc = self.folder / WARC
        if warc.exists():
            # A member that no attempt points to was being written when the process died.
            self._warc_end = self._warc_end or _first_member(warc)
            os.truncate(warc, self._warc_end)
        write_file(self.folder / VISIT, canonical(self.visit.as_json()) + b"\n")

    def _drop_lost(self, ends: list[_End]) -> None:
        """After a power failure the last attempts can point at records that never reached the disk: they leave the chain,
        which was promised to nobody yet, and the visit says so. (A killed process loses nothing: the kernel has it.)"""
        while len(ends) > 1 and not _has_record(self.folder, ends[-1]):
            self._seq -= 1
            self._lost += 1
            ends.pop()
        if self._lost:
            self._head, self._warc_end = ends[-1].head, ends[-1].warc_end
            os.truncate(self.folder / ATTEMPTS, ends[-1].at)

    def _write_warc(
        self, kind: str, url: str, content_type: str, block: bytes, extra: dict[str, str]
    ) -> tuple[str, int, int]:
        record = f"<urn:plainview:{self.visit.visit}:{self._warc_end}>"
        lines = [
            "WARC/1.1",
            f"WARC-Type: {kind}",
            f"WARC-Record-ID: {record}",
            f"WARC-Date: {extra.pop('WARC-Date', clock.now())}",
        ]
        if url:
            lines.append(f"WARC-Target-URI: {url}")
        lines += [f"{name}: {value}" for name, value in extra.items() if value]
        lines += [
            f"WARC-Block-Digest: sha256:{sha256(block)}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(block)}",
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        # Level 1: text shrinks nearly as well as at 6 and costs a third; wbits 31 = gzip member with no time in it.
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        member = packer.compress(head) + packer.compress(block) + packer.compress(b"\r\n\r\n") + packer.flush()
        offset = self._warc_end
        _put(self._warc, member)
        self._warc_end += len(member)
        return record, offset, len(member)


def read_visit(folder: Path) -> Visit:
    """The visit's record from its folder."""
    return Visit.from_json(json.loads((folder / VISIT).read_bytes()))


def read_attempts(folder: Path) -> Iterator[Observation]:
    """The attempts of a closed visit, in order, without checking the chain (the verifier does)."""
    with (folder / ATTEMPTS).open("rb") as file:
        for line in file:
            yield Observation.from_json(json.loads(line))


def read_addresses(folder: Path) -> Iterator[AddressSeen]:
    """The decisions on addresses of a closed visit, in the order seen."""
    with (folder / ADDRESSES).open("rb") as file:
        for line in file:
            yield AddressSeen.from_json(json.loads(line))


def read_record(folder: Path, offset: int, length: int) -> tuple[dict[str, str], bytes]:
    """One WARC record: its headers (names in lower case) and its block."""
    with (folder / WARC).open("rb") as file:
        return read_member(file, offset, length)


def read_member(file: IO[bytes], offset: int, length: int) -> tuple[dict[str, str], bytes]:
    """As ``read_record``, from an open file: for those who read many."""
    file.seek(offset)
    data = zlib.decompress(file.read(length), 31)
    head, _, rest = data.partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode("utf-8").split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return headers, rest[: int(headers["content-length"])]


def file_record(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}


def _warcinfo(visit: Visit) -> bytes:
    fields = {
        "software": "plainview",
        "format": "WARC File Format 1.1",
        "conformsTo": "ISO 28500:2017",
        "isPartOf": visit.visit,
        "description": "Text only. response = bytes as received; conversion = scrubbed or rendered text; "
        "metadata = an exchange of which no body is kept.",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


def _open(path: Path) -> IO[bytes]:
    return path.open("ab", buffering=0)


def _put(file: IO[bytes], data: bytes) -> None:
    """Append all of *data* or nothing: a nearly full disk takes a part of a line, which would spoil the next one."""
    written = os.write(file.fileno(), data)
    if written < len(data):
        start = os.fstat(file.fileno()).st_size - written
        try:
            write_whole(file.fileno(), data[written:])
        except OSError:
            os.ftruncate(file.fileno(), start)
            raise


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The finished lines of a file; an unfinished last one is cut off once the others were read."""
    if not path.exists():
        return
    end = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                os.truncate(path, end)
                return
            end += len(line)
            yield line[:-1]


class _End(NamedTuple):
    """Where an attempt ends: in the file of attempts, in the chain, in the WARC; and where its record lies."""

    at: int
    head: str
    warc_end: int
    offset: int = -1
    length: int = 0


def _has_record(folder: Path, end: _End) -> bool:
    if end.offset < 0:
        return True
    try:
        read_record(folder, end.offset, end.length)
    except (OSError, ValueError, KeyError, zlib.error):
        return False
    return True


def _first_member(path: Path) -> int:
    """Length of the first gzip member (the warcinfo record), 0 where it is not whole."""
    data = path.read_bytes()
    unpacker = zlib.decompressobj(31)
    try:
        unpacker.decompress(data)
    except zlib.error:
        return 0
    return len(data) - len(unpacker.unused_data) if unpacker.eof else 0
