#!/usr/bin/env python3
"""Check a Plainview case or export: what was recorded, that nothing was changed, and who sealed it when.

This file is all that is needed: Python 3.11 or later, no other package, no network.

    python3 verify.py PATH                          a case folder, an export folder or an export's zip
    python3 verify.py PATH --key KEY-ID             the key that must have sealed it, as you were told it
    python3 verify.py PATH --head HASH              a head of the ledger, as it was printed or written down
    python3 verify.py PATH --ca AUTHORITY.pem       the time-stamp authority's root certificate, as you obtained it
    python3 verify.py PATH --records                also open every WARC record and check it against its attempt

Exit code: 0 nothing is wrong, 4 something is (one line each: the file, and what), 2 this is no case or export.

Without --key or --head an export is checked against itself: a forger who rewrites everything and signs with a key of his
own passes. Only what comes from outside (a key id, a printed head, an authority's certificate) rules that out.
"""

from __future__ import annotations

import argparse
import binascii
import contextlib
import hashlib
import html
import io
import json
import os
import re
import stat
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

EXIT_OK, EXIT_USAGE, EXIT_INTEGRITY = 0, 2, 4

_BLOCK = 1 << 20
# No file of ours comes near these: what is larger was made to tire whoever checks it.
_LONGEST_LINE, _LARGEST_RECORD, _LARGEST_TOKEN = 64 << 20, 256 << 20, 1 << 20
_MOST_PROBLEMS = 2000
_HEX64 = re.compile(r"[0-9a-f]{64}")
_OXUM = re.compile(r"^Payload-Oxum: ([0-9]+)\.([0-9]+)$", re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_VISIT_FILES = ("visit.json", "attempts.jsonl", "addresses.jsonl", "records.warc.gz")
_CASE_FILES = {"case.toml", "case.duckdb", "case.duckdb.wal", "case.lock", "ledger.jsonl", "masking.key"}
# What stays of a file that was being written when the machine stopped, and where DuckDB puts what does not fit into memory.
_CUT_OFF = {f"{name}.new" for name in _CASE_FILES} | {"case.duckdb.new.wal", "case.duckdb.tmp", "case.duckdb.new.tmp"}
_CASE_FOLDERS = {"evidence", "spool", "seals", "exports"}
_PAPERS = ("report.made", "workbook.made")
_WITH_FILES = ("visit.closed", "seal.made", "export.made", *_PAPERS)
_SPOOL_FILES = {*_VISIT_FILES, "inflight.jsonl"}


_Found = TypeVar("_Found")


class NotACase(Exception):
    """The path is neither a case nor an export."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: in which file, and what."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(slots=True)
class Report:
    """What a check found. ``facts`` are plain values for the summary."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    unlisted: int = 0
    _known: set[object] = field(default_factory=set)

    def wrong(self, file: str, what: str) -> None:
        """Put one problem down; the same one twice counts once, and there is an end to how many are listed."""
        problem = Problem(_plain(file), _plain(what))
        if problem not in self._known:
            self._known.add(problem)
            if len(self.problems) < _MOST_PROBLEMS:
                self.problems.append(problem)
            else:
                self.unlisted += 1

    def note(self, text: str) -> None:
        """Put down what is not wrong and worth knowing."""
        text = _plain(text)
        if text not in self._known and len(self.notes) < _MOST_PROBLEMS:
            self._known.add(text)
            self.notes.append(text)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def _plain(text: str, most: int = 500) -> str:
    """Words out of the files, fit for a terminal: no control, no mark that turns the direction of text, not endless."""
    text = text if len(text) <= most else text[:most] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def verify(
    path: str | Path,
    *,
    key: str = "",
    head: str = "",
    authorities: Iterable[str | Path] = (),
    records: bool | Collection[str] = False,
) -> Report:
    """Check the case or export at *path*. Raises ``NotACase`` where it is neither, ``OSError`` where it cannot be read.

    *records* opens every WARC record as well, or those of the visits named.
    """
    report = Report()
    anchors = Anchors(key.lower().strip(), head.lower().strip(), _certificates_in(authorities))
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            tree = _unless_it_fails(report, path.name, _zip_tree, file, path.name, report)
            if tree is not None:
                _Check(tree, report, anchors, records).export()
        return report
    if not path.is_dir():
        raise NotACase(f"{path}: there is no such file or folder")
    tree = folder_tree(path, report)
    names = tree.files.keys()
    if {"bagit.txt", "manifest-sha256.txt", "data/ledger.jsonl"} & names:
        _Check(tree, report, anchors, records).export()
    elif {"case.toml", "ledger.jsonl"} & names:
        _Check(tree, report, anchors, records).case()
    else:
        raise NotACase(f"{path}: neither a Plainview case (no case.toml) nor an export (no bagit.txt)")
    return report


def _unless_it_fails(report: Report, file: str, check: Callable[..., _Found], *given: Any) -> _Found | None:
    """What *check* gives; whatever it trips over is a problem of *file*, never the end of the checking."""
    try:
        return check(*given)
    except NotACase:
        raise
    except Exception as error:  # the files are a stranger's: any of them may be made to break a reader
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        report.wrong(file, f"cannot be checked ({type(error).__name__}: {said})")
        return None


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the person who checks knows from elsewhere."""

    key: str = ""
    head: str = ""
    authorities: tuple[bytes, ...] = ()


# --- files: a folder or a zip, read the same way


@dataclass(slots=True)
class Tree:
    """Files by name (``/`` between the parts) and size, wherever they lie."""

    files: dict[str, int]
    opener: Callable[[str], BinaryIO]
    links: set[str] = field(default_factory=set)

    def open(self, name: str) -> BinaryIO:
        """An open file; raises ``FileNotFoundError``."""
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.opener(name)

    def read(self, name: str, most: int = _LARGEST_RECORD) -> bytes:
        """A whole (small) file. Raises ``ValueError`` where it is larger than *most* bytes."""
        if self.files.get(name, 0) > most:
            raise ValueError(f"it has {self.files[name]} bytes, more than such a file ever has")
        with self.open(name) as file:
            return file.read()

    def below(self, folder: str) -> Tree:
        """The part of the tree in *folder*, with names from there."""
        start = folder + "/"
        files = {name[len(start) :]: size for name, size in self.files.items() if name.startswith(start)}
        return Tree(files, lambda name: self.opener(start + name))

    def digests(self, names: Iterable[str], sizes: dict[str, set[int]] | None = None) -> dict[str, str]:
        """SHA-256 of files, several at a time: hashing leaves the interpreter's lock alone.

        A file that has none of the *sizes* recorded for it is not read: what it has instead stands in its hash's place.
        """
        there = set(names) & self.files.keys()
        stated = sizes or {}
        other = {name for name in there if stated.get(name) and self.files[name] not in stated[name]}
        wanted = sorted(there - other, key=lambda name: -self.files[name])
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            found = dict(zip(wanted, pool.map(self._digest, wanted), strict=True))
        for name in other:
            found[name] = f"it has {self.files[name]} bytes, not {' or '.join(map(str, sorted(stated[name])))}"
        return found

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        try:
            with self.opener(name) as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            return f"it cannot be read: {error.strerror or error}"
        return digest.hexdigest()


def folder_tree(root: Path, report: Report) -> Tree:
    """Every regular file below *root*. Links and special files are named as problems and never followed."""
    files: dict[str, int] = {}
    shared: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.fsencode(root / folder)) as inside:
                items = [(folder + os.fsdecode(item.name), item.stat(follow_symlinks=False)) for item in inside]
        except OSError as error:
            report.wrong(_shown(folder) or ".", f"this folder cannot be read: {error.strerror or error}")
            continue
        for name, facts in items:
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(name + "/")
            elif stat.S_ISREG(facts.st_mode):
                files[name] = facts.st_size
                if facts.st_nlink > 1:
                    shared.append(name)
            else:
                kind = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "not a regular file"
                report.wrong(_shown(name), f"is {kind}; only regular files belong here")
    if shared:
        report.note(
            f"{len(shared)} files have a second name on this disk (a hard link), first {_shown(min(shared))}: whoever "
            "writes there changes them here. Copy the folder before you rely on it"
        )
    _check_names(files, report)
    return Tree(files, lambda name: open(os.fsencode(root / name), "rb"))  # noqa: PTH123 - names may be any bytes


def _check_names(names: Iterable[str], report: Report) -> None:
    """Names that mean different files on different systems, or a place outside of the folder."""
    folded: dict[str, str] = {}
    for name in sorted(names):
        fault = _name_fault(name)
        if fault:
            report.wrong(_shown(name), fault)
        key = unicodedata.normalize("NFC", name).casefold()
        if key in folded:
            report.wrong(_shown(name), f"differs from {_shown(folded[key])} only in case or accents")
        folded[key] = name


def _name_fault(name: str) -> str:
    if name.startswith(("/", "~")) or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "leads out of its folder, or is empty"
    # isprintable: no control, no half of a surrogate pair, no mark that is not seen or that turns the direction of text.
    if "\\" in name or not name.isprintable() or any(part != part.rstrip(". ") for part in name.split("/")):
        return "has a character that no file of ours has"
    return ""


def _shown(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode("ascii")


class _Window(io.RawIOBase):
    """A stretch of an open file as a file of its own; reads do not disturb each other."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._at, self._end, self._start = file.fileno(), start, start + size, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        place = {0: self._start, 1: self._at, 2: self._end}[whence]
        self._at = max(self._start, place + offset)
        return self._at - self._start

    def tell(self) -> int:
        return self._at - self._start

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._file, min(len(buffer), max(0, self._end - self._at)), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def zip_local(name: bytes, crc: int, size: int) -> bytes:
    """The header before a file in a zip as Plainview writes it (APPNOTE 4.3.7): stored, no date, no extras but ZIP64."""
    big = size >= 0xFFFFFFFF
    extra = struct.pack("<HHQQ", 1, 16, size, size) if big else b""
    short = 0xFFFFFFFF if big else size
    return (
        struct.pack(
            "<4s5H3I2H", b"PK\3\4", 45 if big else 20, 0x800, 0, 0, 0x21, crc, short, short, len(name), len(extra)
        )
        + name
        + extra
    )


def zip_central(name: bytes, crc: int, size: int, offset: int) -> bytes:
    """The entry of the central directory for it (APPNOTE 4.3.12)."""
    values = [value for value in (size, size, offset) if value >= 0xFFFFFFFF]
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    short, place = min(size, 0xFFFFFFFF), min(offset, 0xFFFFFFFF)
    head = struct.pack(
        "<4s6H3I5H2I",
        b"PK\1\2",
        (3 << 8) | 45 if values else (3 << 8) | 20,
        45 if values else 20,
        0x800,
        0,
        0,
        0x21,
        crc,
        short,
        short,
        len(name),
        len(extra),
        0,
        0,
        0,
        0o100644 << 16,
        place,
    )
    return head + name + extra


def zip_end(count: int, size: int, offset: int) -> bytes:
    """What ends a zip (APPNOTE 4.3.14 to 4.3.16), with the ZIP64 records where a number needs them."""
    tail = b""
    if count >= 0xFFFF or size >= 0xFFFFFFFF or offset >= 0xFFFFFFFF:
        tail = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, (3 << 8) | 45, 45, 0, 0, count, count, size, offset)
        tail += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    few = min(count, 0xFFFF)
    return tail + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, few, few, min(size, 0xFFFFFFFF), min(offset, 0xFFFFFFFF), 0)


def _zip_tree(file: BinaryIO, shown: str, report: Report) -> Tree | None:
    """The files of an export's zip, read from the front.

    A zip can say one thing in its local headers and another in its directory, hide bytes between files, or hold a name
    twice. An export's zip is written in one way only (stored, in order, nothing between), so the one way is rebuilt from
    the names, sizes and checksums and compared byte by byte.
    """
    size = os.fstat(file.fileno()).st_size
    if file.read(4) != b"PK\3\4":
        raise NotACase(f"{shown}: not a zip file. Name the export's folder or zip, or the case's folder")
    entries: dict[str, tuple[int, int]] = {}
    central, at = [], 0
    while True:
        head = os.pread(file.fileno(), 30, at)
        if head[:4] != b"PK\3\4" or len(head) < 30:
            break
        _, _, _, _, _, _, crc, length, _, name_size, extra_size = struct.unpack("<4s5H3I2H", head)
        rest = os.pread(file.fileno(), name_size + extra_size, at + 30)
        raw, extra = rest[:name_size], rest[name_size:]
        if length == 0xFFFFFFFF and len(extra) >= 12:
            length = struct.unpack("<Q", extra[4:12])[0]
        if head + rest != zip_local(raw, crc, length):
            report.wrong(shown, f"at byte {at}: the zip is not as Plainview writes it (changed, or packed again)")
            return None
        name = raw.decode("utf-8", "surrogateescape")
        start = at + 30 + len(rest)
        if name in entries:
            report.wrong(shown, f"holds {_shown(name)} twice")
        if start + length > size:
            report.wrong(shown, f"ends in the middle of {_shown(name)}")
            return None
        entries[name] = (start, length)
        central.append(zip_central(raw, crc, length, at))
        if _crc(file, start, length) != crc:
            report.wrong(_shown(name), "its checksum in the zip does not fit its bytes")
        at = start + length
    directory = b"".join(central)
    end = directory + zip_end(len(central), len(directory), at)
    if size - at != len(end) or os.pread(file.fileno(), len(end), at) != end:
        report.wrong(shown, "the zip's directory is not the one that belongs to its files (changed, or packed again)")
    tops = {name.partition("/")[0] for name in entries}
    if len(tops) != 1 or not all("/" in name for name in entries):
        report.wrong(shown, "the zip does not hold one folder")
        return None
    _check_names(entries, report)
    top = tops.pop()
    files = {name: length for name, (_, length) in entries.items()}
    whole = Tree(files, lambda name: io.BufferedReader(_Window(file, *entries[name]), _BLOCK))
    return whole.below(top)


def _crc(file: BinaryIO, start: int, length: int) -> int:
    crc = 0
    while length > 0 and (block := os.pread(file.fileno(), min(_BLOCK, length), start)):
        crc = zlib.crc32(block, crc)
        start, length = start + len(block), length - len(block)
    return crc


# --- JSON in one spelling (RFC 8785 as the house writes it)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _parse(data: bytes) -> Any:
    """JSON without doubled keys and without floats; raises ``ValueError``."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(items)
        if len(values) != len(items):
            raise ValueError("a key stands twice")
        return values

    return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=_no_number)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _same_number(value: Any, number: int) -> bool:
    return type(value) is int and value == number  # True equals 1, and 1.0 does


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends. The last one has none where it is cut off, or longer than any of ours."""
    while raw := file.readline(_LONGEST_LINE):
        yield raw
        if not raw.endswith(b"\n"):
            return


def _files_of(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The files that an entry names, with what it says of each."""
    files = body.get("files")
    if not isinstance(files, dict):
        return {}
    return {str(name): facts if isinstance(facts, dict) else {} for name, facts in files.items()}


def _parse_object(data: bytes) -> dict[str, Any]:
    value = _parse(data)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _genesis(name: str) -> str:
    return _sha256(f"plainview chain {name}".encode())


# --- the check


def _sizes(ledger: LedgerRead) -> dict[str, set[int]]:
    """The size, or sizes, that the ledger recorded for each file of evidence, seals, exports and reports."""
    found: dict[str, set[int]] = {}
    for entry in ledger.entries.values():
        body, event = entry.get("body"), entry.get("event")
        if not isinstance(body, dict) or event not in _WITH_FILES:
            continue
        base = f"evidence/{body.get('visit')}/" if event == "visit.closed" else ""
        files = _files_of(body) or ({f"exports/{body.get('file')}": body} if event in _PAPERS else {})
        for name, facts in files.items():
            sizes = found.setdefault(base + name, set())
            if type(facts.get("bytes")) is int:
                sizes.add(facts["bytes"])
    return found


@dataclass(slots=True)
class LedgerRead:
    """The ledger as read: every line's hash, and the visible entries by line number."""

    hashes: list[str] = field(default_factory=list)
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)

    def named(self, *events: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The bodies of entries of a kind, with their line numbers."""
        for number, entry in self.entries.items():
            if entry.get("event") in events and isinstance(entry.get("body"), dict):
                yield number, entry["body"]


_ENTRY_KEYS = {"seq", "prev", "self", "at", "actor", "event", "environment", "body"}


@dataclass(slots=True)
class _Check:
    tree: Tree
    report: Report
    anchors: Anchors
    records: bool | Collection[str]
    sums: dict[str, str] = field(default_factory=dict)

    # a case

    def case(self) -> None:
        tree, report = self.tree, self.report
        for name in sorted(tree.files):
            top = name.partition("/")[0]
            if name in _CUT_OFF or top in _CUT_OFF:
                report.note(f"{_shown(name)} was left by a command that was cut off; nothing depends on it")
            elif name not in _CASE_FILES and top not in _CASE_FOLDERS:
                report.wrong(_shown(name), "is not part of a case")
        for name in ("case.toml", "ledger.jsonl"):
            if name not in tree.files:
                report.wrong(name, "is missing")
        if tree.files.get("case.lock"):
            report.wrong("case.lock", "is not empty")
        ledger = self._try("ledger.jsonl", self._ledger, "ledger.jsonl", False) or LedgerRead()
        if not any(True for _ in ledger.named("case.opened")):
            report.wrong("ledger.jsonl", "has no entry that opens a case")
        sizes = _sizes(ledger)
        wanted = [
            name
            for name, size in tree.files.items()
            if name in sizes
            or (size <= _LARGEST_TOKEN and (name == "case.toml" or name.startswith("seals/")))
            or (size <= _LARGEST_RECORD and name.startswith("exports/") and name.endswith("/tagmanifest-sha256.txt"))
        ]
        self.sums = tree.digests(wanted, sizes)
        self._try("case.toml", self._settings, ledger)
        self._try("masking.key", self._masking_key, ledger)
        waiting = self._try("spool", self._spool, ledger) or set()
        self._evidence(ledger, included=None, waiting=waiting)
        self._seals(ledger)
        self._try("exports", self._exports, ledger)
        self.report.facts["kind"] = "case"

    def _try(self, file: str, check: Callable[..., _Found], *given: Any) -> _Found | None:
        return _unless_it_fails(self.report, file, check, *given)

    def _differs(self, name: str, facts: dict[str, Any]) -> str:
        """What is wrong with a file's bytes, seen from what the ledger says of them; empty where nothing is."""
        found = self.sums.get(name, "")
        if found and found == facts.get("sha256"):
            return ""
        why = "SHA-256 differs" if _HEX64.fullmatch(found) else found or "the ledger has no hash of it"
        return f"its bytes are not those that the ledger recorded ({why})"

    def _settings(self, ledger: LedgerRead) -> None:
        last = ""
        for _, body in ledger.named("case.opened", "case.settings"):
            last = str(body.get("case_toml_sha256", last))
        if last and "case.toml" in self.tree.files and self.sums.get("case.toml") != last:
            self.report.wrong(
                "case.toml",
                "differs from what the ledger last recorded. If you changed it yourself, any command that records "
                "something (such as plainview seal) puts the change on the ledger",
            )

    def _masking_key(self, ledger: LedgerRead) -> None:
        """The key of the masks: its hash is on the ledger, because a changed key would tell nobody."""
        if "masking.key" not in self.tree.files:
            return
        raw = self.tree.read("masking.key", 1000)
        made = {str(body.get("sha256")) for _, body in ledger.named("masking.key_made")}
        if not _HEX64.fullmatch(raw[:-1].decode("ascii", "replace")) or raw[-1:] != b"\n":
            self.report.wrong("masking.key", "is not a key of masks")
        elif made and _sha256(bytes.fromhex(raw.decode().strip())) not in made:
            self.report.wrong("masking.key", "is not the key that the ledger recorded")

    def _exports(self, ledger: LedgerRead) -> None:
        # A report is written again in its place: what lies there must be one that was made.
        known: dict[str, dict[str, Any]] = {}
        hashes: dict[str, set[str]] = {}
        for _, body in ledger.named("export.made", *_PAPERS):
            files = _files_of(body) or {f"exports/{body.get('file')}": body}
            known.update(files)
            for name, facts in files.items():
                hashes.setdefault(name, set()).add(str(facts.get("sha256")))
        folders: dict[str, int] = {}
        for name in sorted(item for item in self.tree.files if item.startswith("exports/")):
            top = "/".join(name.split("/")[:2])
            if name in known:
                if self.sums.get(name) not in hashes[name]:
                    self.report.wrong(_shown(name), "is not the file that the ledger recorded when it was made")
            elif top in known:
                folders[top] = folders.get(top, 0) + 1
            else:
                self.report.note(f"{_shown(name)} is not on the ledger")
        for folder in sorted(folders):
            tag, record = f"{folder}/tagmanifest-sha256.txt", known[folder]
            if tag not in self.sums:
                self.report.wrong(_shown(tag), "is missing")
            elif self.sums[tag] != record.get("tagmanifest_sha256"):
                self.report.wrong(_shown(tag), "is not the one that the ledger recorded when the export was made")
            inner = _Check(self.tree.below(folder), Report(), Anchors(), False)
            inner.export()
            for problem in inner.report.problems:
                self.report.wrong(f"{_shown(folder)}/{problem.file}", problem.what)

    # an export

    def export(self) -> None:
        tree, report = self.tree, self.report
        about = self._object("data/export.json") or {}
        inner = _Check(tree.below("data"), report, self.anchors, self.records)
        ledger = self._try("ledger.jsonl", inner._ledger, "ledger.jsonl", True) or LedgerRead()
        sizes = {f"data/{name}": found for name, found in _sizes(ledger).items()}
        self.sums = tree.digests(tree.files.keys() - self._absurd(), sizes)
        inner.sums = {name[5:]: value for name, value in self.sums.items() if name.startswith("data/")}
        self._try("manifest-sha256.txt", self._bag)
        visits = about.get("visits")
        included = {str(item) for item in visits} if isinstance(visits, list) else set()
        inner._evidence(ledger, included=included, waiting=set())
        key = inner._seals(ledger, exported=True)
        self._try("export.json", inner._about, about, ledger)
        inner._tables(included)
        self._try("exhibits/exhibits.jsonl", inner._exhibits)
        self._try("export-signature.json", self._signature, key)
        report.facts["kind"] = "export"
        report.facts["selection"] = about.get("selection")

    def _absurd(self) -> set[str]:
        """Files larger than the whole payload is said to be: to be named, not to be read for hours."""
        most = 0
        with contextlib.suppress(OSError, ValueError):
            found = _OXUM.search(self.tree.read("bag-info.txt", 1 << 20).decode("utf-8", "replace"))
            most = int(found[1]) if found and len(found[1]) < 20 else 0
        return {
            name
            for name, size in self.tree.files.items()
            if size > (max(most, _LONGEST_LINE) if name.startswith("data/") else _LARGEST_RECORD)
        }

    def _about(self, about: dict[str, Any], ledger: LedgerRead) -> None:
        """What the export says of itself, against what it holds."""
        stated = about.get("ledger") if isinstance(about.get("ledger"), dict) else {}
        assert isinstance(stated, dict)
        found = {
            "count": len(ledger.hashes),
            "head": ledger.hashes[-1] if ledger.hashes else _genesis("ledger"),
            "withheld": sum(ledger.withheld.values()),
        }
        for name, value in found.items():
            if stated.get(name) != value:
                self.report.wrong("export.json", f"its ledger {name} is not that of ledger.jsonl")

    def _object(self, name: str) -> dict[str, Any] | None:
        if name not in self.tree.files:
            self.report.wrong(name, "is missing")
            return None
        try:
            return _parse_object(self.tree.read(name, _LONGEST_LINE))
        except (OSError, ValueError, RecursionError) as error:
            self.report.wrong(name, f"cannot be read: {error}")
            return None

    # the ledger

    def _ledger(self, name: str, withheld: bool) -> LedgerRead:
        read = LedgerRead()
        if name not in self.tree.files:
            self.report.wrong(name, "is missing")
            return read
        expected, last_at = _genesis("ledger"), ""
        with self.tree.open(name) as file:
            for number, raw in enumerate(_lines(file), 1):
                where = f"line {number}"
                if len(raw) >= _LONGEST_LINE:
                    self.report.wrong(name, f"{where} is longer than any entry")
                    break
                if not raw.endswith(b"\n"):
                    self.report.wrong(
                        name,
                        f"{where} is not finished. If a command was cut off while it wrote, the next one mends it and "
                        "records that it did",
                    )
                    break
                line = raw[:-1]
                try:
                    values = _parse_object(line)
                except (ValueError, UnicodeDecodeError, RecursionError) as error:
                    self.report.wrong(name, f"{where} is not a readable entry: {error}")
                    expected = _sha256(line)
                    read.hashes.append(expected)
                    continue
                if withheld and "withheld" in values:
                    digest = str(values["withheld"])
                    if (
                        set(values) != {"seq", "withheld", "why"}
                        or not _HEX64.fullmatch(digest)
                        or not _same_number(values["seq"], number)
                    ):
                        self.report.wrong(name, f"{where} is not a proper withheld entry")
                    expected, why = digest, str(values.get("why"))
                    read.withheld[why] = read.withheld.get(why, 0) + 1
                    read.hashes.append(digest)
                    continue
                self._entry(name, where, number, line, values, expected)
                at = str(values.get("at", ""))
                body = values.get("body")
                if at < last_at and not (isinstance(body, dict) and body.get("clock_warning")):
                    self.report.wrong(
                        name, f"{where}: its time lies before that of an earlier entry, without a warning"
                    )
                last_at = at
                expected = _sha256(line)
                read.hashes.append(expected)
                read.entries[number] = values
        if self.anchors.head:
            self._head_anchor(name, read)
        return read

    def _entry(self, name: str, where: str, number: int, line: bytes, values: dict[str, Any], expected: str) -> None:
        if set(values) != _ENTRY_KEYS:
            self.report.wrong(name, f"{where}: its fields are not those of an entry")
            return
        if values["prev"] != expected:
            self.report.wrong(
                name,
                f"{where} does not follow from the line before (a line was changed, taken out, put in, or moved)",
            )
        bare = {key: value for key, value in values.items() if key != "self"}
        try:
            fits = values["self"] == _sha256(_canonical(bare)) and _canonical(values) == line
        except (ValueError, RecursionError):  # half of a surrogate pair has no UTF-8
            fits = False
        if not fits:
            self.report.wrong(name, f"{where} was changed: it does not fit its own hash")
        if not _same_number(values["seq"], number):
            self.report.wrong(name, f"{where}: its number is {str(values['seq'])[:40]}")
        if not isinstance(values["at"], str) or not _TIME.fullmatch(values["at"]):
            self.report.wrong(name, f"{where}: its time is not UTC ending in Z")

    def _head_anchor(self, name: str, read: LedgerRead) -> None:
        wanted = self.anchors.head.rpartition(":")[2]
        place = next((i for i, value in enumerate(read.hashes, 1) if value == wanted), None)
        if place is None:
            self.report.wrong(
                name, f"the head you gave ({wanted[:16]}…) is not in it: this is another ledger, or rewritten"
            )
        else:
            after = len(read.hashes) - place
            self.report.note(f"the head you gave is entry {place}; {after} entries came after it")

    # evidence

    def _evidence(self, ledger: LedgerRead, *, included: set[str] | None, waiting: set[str]) -> None:
        closed: dict[str, tuple[int, dict[str, Any]]] = {}
        for number, body in ledger.named("visit.closed"):
            visit = str(body.get("visit"))
            if visit in closed:
                self.report.wrong("ledger.jsonl", f"line {number} closes {visit} again")
            closed[visit] = (number, body)
        there: dict[str, set[str]] = {}
        for name in self.tree.files:
            if name.startswith("evidence/"):
                visit, _, rest = name[9:].partition("/")
                there.setdefault(visit, set()).add(rest)
        if included is not None and included != there.keys():
            self.report.wrong("export.json", "its list of visits is not that of the evidence folder")
        for visit, (number, _) in closed.items():
            if visit not in there and visit not in waiting and (included is None or visit in included):
                self.report.wrong(f"evidence/{visit}", f"is missing; the ledger closed this visit (line {number})")
            elif visit not in there and included is not None:
                self.report.note(f"visit {visit} is on the ledger and not part of this export")
        attempts = 0
        for visit in sorted(there):
            if visit not in closed:
                self.report.wrong(
                    _shown(f"evidence/{visit}"), "is not on the ledger: put in, renamed, or not of this case"
                )
                continue
            place = f"evidence/{visit}"
            attempts += self._try(place, self._visit, place, visit, there[visit], closed[visit][1]) or 0
        self.report.facts["visits"] = len(there)
        self.report.facts["visits_on_ledger"] = len(closed)
        self.report.facts["attempts"] = attempts

    def _visit(self, folder: str, visit: str, names: set[str], body: dict[str, Any]) -> int:
        recorded = _files_of(body)
        for name in sorted(names - recorded.keys()):
            self.report.wrong(_shown(f"{folder}/{name}"), "is not on the ledger: an extra file")
        if missing := set(_VISIT_FILES) - recorded.keys():
            self.report.wrong("ledger.jsonl", f"closes {visit} without the hash of {', '.join(sorted(missing))}")
        doubtful = set()
        for name, facts in sorted(recorded.items()):
            place = f"{folder}/{name}"
            if name not in _VISIT_FILES:
                self.report.wrong("ledger.jsonl", f"names a file that no visit has: {_shown(name)}")
            elif name not in names:
                self.report.wrong(place, "is missing")
            elif fault := self._differs(place, facts):
                self.report.wrong(place, fault)
                doubtful.add(name)
        if "visit.json" in names:
            try:
                values = _parse_object(self.tree.read(f"{folder}/visit.json", _LONGEST_LINE))
            except (OSError, ValueError, RecursionError) as error:
                self.report.wrong(f"{folder}/visit.json", f"cannot be read: {error}")
            else:
                for key in ("visit", "head", "observations", "service", "outcome", "started", "ended"):
                    if values.get(key) != body.get(key):
                        self.report.wrong(f"{folder}/visit.json", f"its {key} is not the one on the ledger")
                if values.get("visit") != visit:
                    self.report.wrong(folder, "is not the folder of the visit inside it")
        count = 0
        if "attempts.jsonl" in names:
            head, count = self._attempts(f"{folder}/attempts.jsonl", visit)
            if head != body.get("head") or count != body.get("observations"):
                self.report.wrong(
                    f"{folder}/attempts.jsonl",
                    f"ends at attempt {count}, not at the head and count that the ledger recorded "
                    f"({body.get('observations')})",
                )
        # A file that differs is opened, to say where; every file is, when asked.
        asked = self.records if isinstance(self.records, bool) else visit in self.records
        if {"attempts.jsonl", "records.warc.gz"} <= names and (
            asked or doubtful & {"attempts.jsonl", "records.warc.gz"}
        ):
            opened = self._try(f"{folder}/records.warc.gz", _check_records, self.tree, folder, self.report)
            if asked:
                self.report.facts["records"] = self.report.facts.get("records", 0) + (opened or 0)
        return count

    def _attempts(self, name: str, visit: str, *, open_end: bool = False) -> tuple[str, int]:
        """Follow a visit's chain; its head and count."""
        head, count = _genesis(visit), 0
        with self.tree.open(name) as file:
            for raw in _lines(file):
                count += 1
                line = raw[:-1]
                if open_end and not raw.endswith(b"\n"):
                    return head, count - 1
                at = raw.find(b'"prev":"')
                if raw[at + 8 : at + 72] != head.encode() or at < 0:
                    self.report.wrong(name, f"line {count} does not follow from the one before")
                if not raw.endswith(b"\n"):
                    self.report.wrong(name, f"line {count} is not finished")
                    line = raw
                head = _sha256(line)
        return head, count

    def _spool(self, ledger: LedgerRead) -> set[str]:
        """Visits that run, or were cut off: their chains hold up to the last whole row. Returns those closed on the ledger."""
        closed = {str(body.get("visit")): body for _, body in ledger.named("visit.closed")}
        waiting = set()
        inside = [name.split("/") for name in self.tree.files if name.startswith("spool/")]
        for parts in inside:
            if len(parts) != 3 or parts[2].removesuffix(".new") not in _SPOOL_FILES:
                self.report.wrong(_shown("/".join(parts)), "is not a file of a running visit: an extra file")
        folders = {parts[1] for parts in inside if len(parts) > 2}
        for visit in sorted(folders):
            attempts = f"spool/{visit}/attempts.jsonl"
            count = 0
            if attempts in self.tree.files:
                _, count = self._attempts(attempts, visit, open_end=True)
            if visit in closed:
                waiting.add(visit)
                for name, facts in _files_of(closed[visit]).items():
                    place = f"spool/{visit}/{name}"
                    self.sums |= self.tree.digests([place])
                    if fault := self._differs(place, facts):
                        self.report.wrong(_shown(place), fault if place in self.tree.files else "is missing")
                self.report.note(f"visit {visit} is closed and waits in the spool to be taken in")
            else:
                self.report.note(f"visit {visit} is not closed: {count} attempts so far, not evidence yet")
        return waiting

    # seals

    def _seals(self, ledger: LedgerRead, *, exported: bool = False) -> bytes:
        """Signatures, stamps and their place in the ledger. Returns the public key of the last seal that holds."""
        names = sorted(name for name in self.tree.files if name.startswith("seals/"))
        on_ledger: dict[str, tuple[int, dict[str, Any]]] = {}
        states: dict[str, str] = {}
        stamps: dict[str, dict[str, Any]] = {}
        for line, body in ledger.named("seal.made"):
            for name, facts in _files_of(body).items():
                on_ledger[name] = (line, facts)
            states[str(body.get("file"))] = str(body.get("state"))
            rows = body.get("timestamps")
            for stamp in rows if isinstance(rows, list) else []:
                if isinstance(stamp, dict):
                    stamps[str(stamp.get("file"))] = stamp
        for name, (line, facts) in on_ledger.items():
            if name not in self.tree.files:
                self.report.wrong(_shown(name), f"is missing; the ledger recorded it (line {line})")
            elif fault := self._differs(name, facts):
                self.report.wrong(_shown(name), fault)
        seals = [name for name in names if re.fullmatch(r"seals/seal-\d{4,}\.json", name)]
        needed = set(on_ledger)
        covered, key, last, previous = 0, b"", "", ""
        keys: set[bytes] = set()
        for number, name in enumerate(seals, 1):
            needed.add(name)
            if name != f"seals/seal-{number:04d}.json":
                self.report.wrong(name, f"is seal file number {number}: one before it is missing or renamed")
            found = self._try(name, self._seal, name, number, ledger, previous, stamps)
            count, public, files = found or (0, b"", set[str]())
            needed |= files
            previous = self.sums.get(name, "")
            if count:
                covered, key, last = max(covered, count), public, name
                keys.add(public)
            if name not in on_ledger:
                self.report.note(f"{name} is not on the ledger: the command that made it was cut off")
                if count and count != len(ledger.hashes) and not exported:
                    self.report.wrong(name, "is not on the ledger, though other entries came after it")
        unfinished = f"seals/seal-{len(seals) + 1:04d}"
        for name in names:
            if name in needed:
                continue
            if name.startswith((unfinished, "seals/authority-")) or name.endswith(".new"):
                self.report.note(f"{_shown(name)} was left by a seal that was cut off; nothing depends on it")
            else:
                self.report.wrong(_shown(name), "is not part of any seal: an extra file")
        facts = self.report.facts
        facts["entries"], facts["withheld"] = len(ledger.hashes), sum(ledger.withheld.values())
        facts["withheld_why"] = dict(ledger.withheld)
        later = [str(body.get("visit")) for line, body in ledger.named("visit.closed") if line > covered]
        if seals and later:
            self.report.note(
                f"{len(later)} visits were closed after the last seal and are not signed, first {later[0]}"
            )
        if len(keys) > 1:
            self.report.note(f"the seals were made with {len(keys)} different keys")
        facts["head"] = ledger.hashes[-1] if ledger.hashes else ""
        facts["seals"], facts["sealed_entries"] = len(seals), covered
        facts["key"] = _sha256(key) if key else ""
        facts["stamp"] = states.get(last, "")
        if self.anchors.key:
            if len(self.anchors.key) < 16:
                self.report.wrong(
                    "seals", "the key id you gave is too short to tell keys apart: give 16 digits or more"
                )
            elif not seals:
                self.report.wrong("seals", "there is no seal, so the key you gave signed nothing here")
            elif not key or not _sha256(key).startswith(self.anchors.key):
                self.report.wrong(
                    last or "seals", "was not made with the key you gave; do not trust it before you know why"
                )
        return key

    def _seal(
        self, name: str, number: int, ledger: LedgerRead, previous: str, stamped: dict[str, dict[str, Any]]
    ) -> tuple[int, bytes, set[str]]:
        """One seal: signature, head, stamps. Returns the entries covered (0 where it does not hold), key, and its files."""
        files: set[str] = set()
        try:
            raw = self.tree.read(name, _LARGEST_TOKEN)
            values = _parse_object(raw)
            statement = values["statement"]
            public = bytes.fromhex(statement["public_key"])
            signature = bytes.fromhex(values["signature"])
            count, head, stamps = statement["count"], statement["head"], statement["timestamps"]
            if set(values) != {"statement", "signature"} or _canonical(values) + b"\n" != raw:
                raise ValueError("it is not written as a seal is")
            if type(count) is not int or not isinstance(stamps, list) or len(stamps) > 100:
                raise ValueError("its count or its stamps are not as a seal has them")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self.report.wrong(name, f"is not a readable seal: {error}")
            return 0, b"", files
        good = True
        if not ed25519_verify(public, signature, _canonical(statement)):
            self.report.wrong(name, "its signature does not fit: it was changed, or not made with the key it names")
            good = False
        if statement.get("key") != _sha256(public):
            self.report.wrong(name, "its key id is not that of its key")
            good = False
        if not _same_number(statement.get("seal"), number) or statement.get("previous") != previous:
            self.report.wrong(name, "does not follow from the seal before it")
            good = False
        if not isinstance(statement.get("at"), str) or not _TIME.fullmatch(statement["at"]):
            self.report.wrong(name, "its time is not UTC ending in Z")
        if not 0 < count <= len(ledger.hashes):
            self.report.wrong(
                "ledger.jsonl", f"has {len(ledger.hashes)} entries, but {name} sealed {count}: its tail is missing"
            )
            good = False
        elif ledger.hashes[count - 1] != head:
            self.report.wrong("ledger.jsonl", f"was changed up to line {count}: {name} sealed another head")
            good = False
        for index, asked in enumerate(stamps, 1):
            at = str(statement.get("at", ""))
            files |= self._try(name, self._stamp, name, index, asked, raw, at, stamped) or set()
        return (count if good else 0), public, files

    def _stamp(
        self, seal: str, index: int, asked: Any, sealed: bytes, at: str, stamped: dict[str, dict[str, Any]]
    ) -> set[str]:
        """A time stamp that was asked for. One that was not obtained is on the ledger as failed, never a file."""
        files: set[str] = set()
        if not isinstance(asked, dict) or _name_fault(str(asked.get("ca_file", ""))):
            self.report.wrong(seal, f"its stamp {index} is not described as a seal does")
            return files
        token = seal.removesuffix(".json") + (".tsr" if index == 1 else f"-{index}.tsr")
        authority, ca_file = str(asked.get("authority")), f"seals/{asked.get('ca_file')}"
        if ca_file in self.tree.files:
            files.add(ca_file)
            if self.sums.get(ca_file) != asked.get("ca_sha256"):
                self.report.wrong(ca_file, f"is not the certificate file that {seal} names")
        if token not in self.tree.files:
            self.report.note(f"{seal}: no time stamp of {authority} was obtained")
            return files
        files.add(token)
        recorded = stamped.get(token, {})
        nonce = str(recorded.get("nonce", ""))
        try:
            trusted = list(self.anchors.authorities) or pem_certificates(self.tree.read(ca_file, _LARGEST_TOKEN))
            reply = self.tree.read(token, _LARGEST_TOKEN)
            facts = check_token(reply, sealed, trusted, nonce=int(nonce, 16) if nonce else None)
            if recorded and (recorded.get("time"), recorded.get("serial")) != (facts.time, format(facts.serial, "x")):
                raise TokenError("it is not the stamp that the ledger recorded")
        except FileNotFoundError:
            self.report.wrong(ca_file, "is missing")
        except (TokenError, ValueError) as error:
            self.report.wrong(token, str(error))
        else:
            self.report.facts.setdefault("stamps", []).append(
                f"{seal}: stamped {facts.time} by {facts.authority} (root certificate SHA-256 {facts.root_sha256[:16]}…)"
            )
            if abs(_moment(facts.time) - _moment(at)) > timedelta(minutes=10):
                self.report.note(f"{seal}: our clock said {at}, the authority's {facts.time}")
        return files

    # the bag

    def _bag(self) -> None:
        """BagIt 1.0 (RFC 8493): every payload file in the manifest and the other way round; tag files likewise."""
        tree, report = self.tree, self.report
        if "bagit.txt" not in tree.files:
            report.wrong("bagit.txt", "is missing")
        elif tree.read("bagit.txt", 1000) != b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n":
            report.wrong("bagit.txt", "is not that of BagIt 1.0")
        if "fetch.txt" in tree.files:
            report.wrong("fetch.txt", "an export fetches nothing: an extra file")
        payload = {name for name in tree.files if name.startswith("data/")}
        tags = tree.files.keys() - payload - {"tagmanifest-sha256.txt", "export-signature.json"}
        self._manifest("manifest-sha256.txt", payload)
        self._manifest("tagmanifest-sha256.txt", set(tags))
        if "bag-info.txt" in tree.files:
            info = tree.read("bag-info.txt", 1 << 20).decode("utf-8", "replace")
            oxum = _OXUM.search(info)
            size = sum(tree.files[name] for name in payload)
            if not oxum or (oxum[1], oxum[2]) != (str(size), str(len(payload))):
                report.wrong("bag-info.txt", "its Payload-Oxum is not the size and number of the files")

    def _manifest(self, manifest: str, expected: set[str]) -> None:
        if manifest not in self.tree.files:
            self.report.wrong(manifest, "is missing")
            return
        listed: dict[str, str] = {}
        # By newline alone, as the other programs split it: any other mark would show them other names than us.
        rows = self.tree.read(manifest).decode("utf-8", "surrogateescape").split("\n")
        if rows.pop():
            self.report.wrong(manifest, "its last line is not finished")
        for number, line in enumerate(rows, 1):
            digest, mark, name = line.partition("  ")
            if not mark or not _HEX64.fullmatch(digest):
                self.report.wrong(manifest, f"line {number} is not a hash and a name")
                continue
            if _name_fault(name):
                self.report.wrong(manifest, f"line {number}: {_shown(name)} {_name_fault(name)}")
            if name in listed:
                self.report.wrong(manifest, f"line {number} lists {_shown(name)} again")
            listed[name] = digest
        for name in sorted(listed.keys() - expected):
            self.report.wrong(_shown(name), f"is missing; {manifest} lists it")
        for name in sorted(expected - listed.keys()):
            self.report.wrong(_shown(name), f"is not in {manifest}: an extra file")
        for name in sorted(expected & listed.keys()):
            found = self.sums.get(name, "it is larger than the whole export says it is")
            if found != listed[name]:
                why = "SHA-256 differs" if _HEX64.fullmatch(found) else found
                self.report.wrong(_shown(name), f"its bytes are not those in {manifest} ({why})")

    def _signature(self, sealed_by: bytes) -> None:
        """The sealing key's signature over the whole export, where it could be given."""
        name = "export-signature.json"
        if name not in self.tree.files:
            if self.anchors.key:
                self.report.note(
                    "the export itself is not signed: evidence and ledger are covered by the seal, tables and exhibits "
                    "are checked against the evidence only as far as it goes"
                )
            return
        try:
            raw = self.tree.read(name, _LARGEST_TOKEN)
            values = _parse_object(raw)
            statement = values["statement"]
            public = bytes.fromhex(statement["public_key"])
            signature = bytes.fromhex(values["signature"])
            if set(values) != {"statement", "signature"} or _canonical(values) + b"\n" != raw:
                raise ValueError("it is not written as we write it")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            self.report.wrong(name, f"cannot be read: {error}")
            return
        if not ed25519_verify(public, signature, _canonical(statement)):
            self.report.wrong(name, "its signature does not fit")
        if statement.get("tagmanifest_sha256") != self.sums.get("tagmanifest-sha256.txt"):
            self.report.wrong(name, "signs another export")
        if self.anchors.key and not _sha256(public).startswith(self.anchors.key):
            self.report.wrong(name, "was not made with the key you gave")
        elif sealed_by and public != sealed_by:
            self.report.note("the export is signed with another key than the last seal")
        self.report.facts["export_key"] = _sha256(public)

    # tables and exhibits

    def _tables(self, included: set[str]) -> None:
        """The tables in JSON Lines, against the evidence they were made from."""
        if not self.report.ok:
            self.report.note("tables were not compared with the evidence: mend what is named first")
            return
        for table, key, source in (
            ("tables/visits.jsonl", "visit", "visit.json"),
            ("tables/observations.jsonl", "observation", "attempts.jsonl"),
            ("tables/addresses.jsonl", "", "addresses.jsonl"),
        ):
            self._try(table, self._same_rows, table, key, self._rows(included, source))

    def _rows(self, visits: set[str], name: str) -> Iterator[dict[str, Any]]:
        for visit in sorted(visits):
            with self.tree.open(f"evidence/{visit}/{name}") as file:
                for line in _lines(file):
                    yield {"visit": visit, **_parse_object(line)}

    def _same_rows(self, table: str, key: str, evidence: Iterator[dict[str, Any]]) -> None:
        if table not in self.tree.files:
            self.report.wrong(table, "is missing")
            return
        with self.tree.open(table) as file:
            number = untitled = 0
            for number, line in enumerate(_lines(file), 1):
                row = _parse_object(line)
                source = next(evidence, None)
                if source is None:
                    self.report.wrong(table, f"row {number} has no counterpart in the evidence")
                    return
                wrong = [name for name, value in row.items() if source.get(name) != value]
                page = source.get("page")
                if wrong == ["page"] and isinstance(page, dict) and row["page"] == {**page, "title": ""}:
                    untitled, wrong = untitled + 1, []  # of a page that holds a passage of the closed queue
                if wrong or set(row) - source.keys():
                    shown = f" ({row.get(key)})" if key else ""
                    self.report.wrong(table, f"row {number}{shown}: {', '.join(wrong)} not as in the evidence")
                    return
            if next(evidence, None) is not None:
                self.report.wrong(table, f"ends after row {number}; the evidence goes on")
            if untitled:
                self.report.note(f"{table}: {untitled} page titles are left out; the evidence has them")

    def _exhibits(self) -> None:
        """Each exhibit: its facts as in the attempt, its quote where it says, its text in the WARC record."""
        name = "exhibits/exhibits.jsonl"
        if name not in self.tree.files or not self.report.ok:
            return
        with self.tree.open(name) as file:
            exhibits = [_parse_object(line) for line in _lines(file)]
        wanted = {str(item.get("observation")) for item in exhibits}
        attempts: dict[str, dict[str, Any]] = {}
        for visit in {item.rpartition(".")[0] for item in wanted}:
            if f"evidence/{visit}/attempts.jsonl" in self.tree.files:
                for row in self._rows({visit}, "attempts.jsonl"):
                    if row["observation"] in wanted:
                        attempts[row["observation"]] = row
        for item in exhibits:
            shown = f"{name} {item.get('exhibit')}"
            source = attempts.get(str(item.get("observation")))
            if source is None:
                self.report.wrong(shown, "the observation it cites is not in the evidence")
                continue
            self._try(shown, self._exhibit, shown, item, source)
        self.report.facts["exhibits"] = len(exhibits)

    def _exhibit(self, shown: str, item: dict[str, Any], source: dict[str, Any]) -> None:
        for mine, theirs in (
            ("visit", "visit"),
            ("service", "service"),
            ("captured", "started"),
            ("stored_sha256", "stored_sha256"),
            ("warc_record", "warc_record"),
            ("warc_offset", "warc_offset"),
            ("warc_length", "warc_length"),
        ):
            if item.get(mine) != source.get(theirs):
                self.report.wrong(shown, f"its {mine} is not that of the observation it cites")
        if item.get("address") != defang(str(source.get("requested_url"))):
            self.report.wrong(shown, "its address is not that of the observation it cites")
        digest, start, end, quote = item.get("text_sha256"), item.get("start"), item.get("end"), item.get("quote")
        text_file = f"texts/{digest}.txt"
        if text_file in self.tree.files:
            text = self.tree.read(text_file).decode("utf-8", "replace")
            if self.sums.get(text_file) != digest:
                self.report.wrong(text_file, "its bytes do not have the hash that is its name")
            elif text[start:end] != quote:
                self.report.wrong(shown, "its quote does not stand at that place of the text")
            elif str(item.get("passage")) not in text or str(quote) not in str(item.get("passage")):
                self.report.wrong(shown, "its passage is not that of the text and the quote")
        folder = f"evidence/{source['visit']}"
        try:
            headers, block = _record_at(self.tree, folder, source["warc_offset"], source["warc_length"])
        except (ValueError, zlib.error, KeyError) as error:
            self.report.wrong(shown, f"its WARC record cannot be read: {error}")
            return
        fault = _record_fault(source, headers, block)
        if fault:
            self.report.wrong(shown, fault)
        elif not _says(block, str(quote)):
            self.report.note(
                f"{shown}: the quote is not literally in the record (it may stand in script data or be split by markup)"
            )


def _says(block: bytes, quote: str) -> bool:
    """Whether the words of *quote* stand in a record, markup and spaces aside."""

    def bare(text: str) -> str:
        # A reference with endless digits is more than int() takes.
        text = html.unescape(re.sub(r"&#(?:[0-9]{9,}|[xX][0-9a-fA-F]{9,});?", "\ufffd", text))
        return re.sub(r"[\s\u200b-\u200f\u2060\ufeff\xad]+", "", unicodedata.normalize("NFKC", text))

    body = _body(block)
    wanted = bare(quote)
    for encoding in ("utf-8", "cp1252"):
        text = body.decode(encoding, "replace")
        if wanted in bare(_without_markup(text)) or wanted in bare(text):
            return True
    return False


_MARKUP = re.compile(r"<!--|<(?:script|style)\b|<", re.IGNORECASE)
_ENDS = {
    "<!--": re.compile(r"-->"),
    "<script": re.compile(r"</script\s*>", re.IGNORECASE),
    "<style": re.compile(r"</style\s*>", re.IGNORECASE),
    "<": re.compile(r">"),
}


def _without_markup(text: str) -> str:
    """The words of a page. Each end is looked for once, so that a page of nothing but beginnings takes no longer."""
    parts, at, ends = [], 0, dict(_ENDS)
    while found := _MARKUP.search(text, at):
        parts.append(text[at : found.start()])
        for kind in (found[0].lower(), "<"):
            end = ends[kind].search(text, found.end()) if kind in ends else None
            if end:
                break
            ends.pop(kind, None)
        if not end:
            return " ".join([*parts, text[found.start() :]])
        at = end.end()
    return " ".join([*parts, text[at:]])


def defang(url: str) -> str:
    """An address that cannot be clicked by accident."""
    head, mark, rest = url.partition("://")
    if not mark:
        return url.replace(".", "[.]", 1) if "." in url else url
    authority, slash, path = rest.partition("/")
    return f"{head.replace('http', 'hxxp', 1)}://{authority.replace('.', '[.]')}{slash}{path}"


# --- WARC records (ISO 28500:2017), one gzip member each


def _check_records(tree: Tree, folder: str, report: Report) -> int:
    """Every record of a visit against its digest, every attempt against its record. Returns the number of records."""
    name, attempts = f"{folder}/records.warc.gz", f"{folder}/attempts.jsonl"
    found: dict[int, tuple[int, dict[str, str], bytes]] = {}
    wanted: dict[int, dict[str, Any]] = {}
    with tree.open(attempts) as file:
        for number, line in enumerate(_lines(file), 1):
            try:
                values = _parse_object(line)
                offset = values["warc_offset"]
                if type(offset) is not int:
                    raise ValueError("its place in the WARC file is not a number")
            except (ValueError, KeyError, RecursionError) as error:
                report.wrong(attempts, f"line {number} is not a readable attempt: {error}")
                continue
            if not _same_number(values.get("seq"), number):
                report.wrong(attempts, f"line {number}: its number is {str(values.get('seq'))[:40]}")
            if offset in wanted:
                report.wrong(attempts, f"line {number} names the same record as attempt {wanted[offset].get('seq')}")
            if offset >= 0:
                wanted[offset] = values
    count = 0
    with tree.open(name) as file:
        for offset, length, headers, block, fault in _members(file):
            count += 1
            if fault:
                report.wrong(name, f"the record at byte {offset}: {fault}")
            if not headers:
                return count
            digest = headers.get("warc-block-digest", "")
            if digest != f"sha256:{_sha256(block)}":
                report.wrong(name, f"the record at byte {offset} does not fit its digest")
            if offset in wanted:
                found[offset] = (length, headers, block)
                fault = _record_fault(wanted[offset], headers, block)
                if length != wanted[offset].get("warc_length"):
                    fault = "its record has another length"
                if fault:
                    report.wrong(attempts, f"{wanted[offset].get('observation')}: {fault}")
                found[offset] = (length, {}, b"")
    for offset in sorted(wanted.keys() - found.keys()):
        report.wrong(attempts, f"{wanted[offset].get('observation')}: no record stands at byte {offset} of {name}")
    return count


def _members(file: BinaryIO) -> Iterator[tuple[int, int, dict[str, str], bytes, str]]:
    """The records of a file in order: offset, length, headers, block, and what is wrong with it."""
    offset, held = 0, b""
    while True:
        unpacker = zlib.decompressobj(31)
        used, parts, size = 0, [], 0
        try:
            while not unpacker.eof:
                chunk = unpacker.unconsumed_tail or held or file.read(65536)
                if not chunk:
                    break
                if not unpacker.unconsumed_tail:
                    held, used = b"", used + len(chunk)
                parts.append(unpacker.decompress(chunk, _BLOCK))
                size += len(parts[-1])
                if size > _LARGEST_RECORD:
                    yield offset, 0, {}, b"", "it is larger than any record"
                    return
        except zlib.error as error:
            yield offset, 0, {}, b"", f"it cannot be unpacked ({error})"
            return
        if not used:
            return
        held = unpacker.unused_data
        length = used - len(held)
        if not unpacker.eof:
            yield offset, length, {}, b"", "it is cut off"
            return
        try:
            headers, block, fault = _split_record(b"".join(parts))
        except ValueError as error:
            headers, block, fault = {}, b"", str(error)
        yield offset, length, headers, block, fault
        offset += length


def _split_record(data: bytes) -> tuple[dict[str, str], bytes, str]:
    head, mark, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8").split("\r\n")
    if not mark or lines[0] != "WARC/1.1":
        raise ValueError("it is not a WARC 1.1 record")
    headers: dict[str, str] = {}
    fault = ""
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        if not colon or name.lower() in headers:
            fault = "a header is doubled or malformed"
        headers[name.lower()] = value
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else -1
    if size < 0 or rest[size:] != b"\r\n\r\n":
        fault = "its length is not the one it states"
    return headers, rest[:size], fault


def _record_at(tree: Tree, folder: str, offset: int, length: int) -> tuple[dict[str, str], bytes]:
    if not (type(offset) is type(length) is int and offset >= 0 and 0 < length <= _LARGEST_RECORD):
        raise ValueError("its place is not one in the file")
    with tree.open(f"{folder}/records.warc.gz") as file:
        file.seek(offset)
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(file.read(length), _LARGEST_RECORD)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is not one whole record")
    headers, block, fault = _split_record(data)
    if fault:
        raise ValueError(fault)
    return headers, block


def _record_fault(attempt: dict[str, Any], headers: dict[str, str], block: bytes) -> str:
    """What does not fit between an attempt and its record; empty where all does."""
    if headers.get("warc-block-digest") != f"sha256:{_sha256(block)}":
        return "its record does not fit its digest"
    if headers.get("warc-record-id") != attempt.get("warc_record"):
        return "its record has another id"
    if headers.get("warc-target-uri") != attempt.get("requested_url"):
        return "its record is of another address"
    stored = attempt.get("stored_as")
    if headers.get("warc-type") != ("metadata" if stored in ("none", "metadata") else stored):
        return f"its record is a {headers.get('warc-type')}, not a {stored}"
    if stored == "conversion" and attempt.get("stored_sha256") != _sha256(block):
        return "its stored text does not have the hash on record"
    if stored == "response" and not attempt.get("truncated") and attempt.get("stored_sha256") != _sha256(_body(block)):
        return "its stored body does not have the hash on record"
    return ""


def _body(block: bytes) -> bytes:
    """The body of an HTTP answer as received, chunk framing undone (RFC 9112, 7.1); other blocks as they are."""
    if not block.startswith(b"HTTP/"):
        return block
    head, _, body = block.partition(b"\r\n\r\n")
    if not re.search(rb"(?im)^transfer-encoding:.*\bchunked\b", head):
        return body
    parts, at = [], 0
    while True:
        line_end = body.find(b"\r\n", at)
        try:
            size = int(body[at:line_end].partition(b";")[0].strip() or b"x", 16)
        except ValueError:
            break
        if line_end < 0 or size == 0:
            break
        parts.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
    return b"".join(parts)


# --- Ed25519 (RFC 8032, 5.1)

_P25519 = 2**255 - 19
_ORDER25519 = 2**252 + 27742317777372353535851937790883648493
_D25519 = -121665 * pow(121666, -1, _P25519) % _P25519
_ROOT_OF_MINUS_1 = pow(2, (_P25519 - 1) // 4, _P25519)
_Point = tuple[int, int, int, int]


def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether *signature* (64 bytes) of *message* was made with the key whose public half is *public* (32 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, nonce = _ed_point(public), _ed_point(signature[:32])
    factor = int.from_bytes(signature[32:], "little")
    if key is None or nonce is None or factor >= _ORDER25519:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    share = int.from_bytes(digest, "little") % _ORDER25519
    y = 4 * pow(5, -1, _P25519) % _P25519
    base = _ed_point(y.to_bytes(32, "little"))
    assert base is not None
    left, right = _ed_times(base, factor), _ed_add(nonce, _ed_times(key, share))
    return (left[0] * right[2] - right[0] * left[2]) % _P25519 == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % _P25519 == 0


def _ed_point(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P25519:
        return None
    square = (y * y - 1) * pow(_D25519 * y * y + 1, -1, _P25519) % _P25519
    x = pow(square, (_P25519 + 3) // 8, _P25519)
    if (x * x - square) % _P25519:
        x = x * _ROOT_OF_MINUS_1 % _P25519
    if (x * x - square) % _P25519 or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P25519 - x
    return x, y, 1, x * y % _P25519


def _ed_add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P25519
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P25519
    c = 2 * p[3] * q[3] * _D25519 % _P25519
    d = 2 * p[2] * q[2] % _P25519
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P25519, g * h % _P25519, f * g % _P25519, e * h % _P25519


def _ed_times(point: _Point, factor: int) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = _ed_add(total, point)
        point, factor = _ed_add(point, point), factor >> 1
    return total


# --- DER (X.690), as far as certificates and time stamps need it


class TokenError(Exception):
    """A time stamp or certificate does not hold; the message says why."""


@dataclass(frozen=True, slots=True)
class Der:
    """One DER value: its tag byte, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes

    def children(self) -> list[Der]:
        """The values inside a constructed one."""
        found, at = [], 0
        while at < len(self.content):
            child, at = _der_at(self.content, at)
            found.append(child)
        return found

    def oid(self) -> str:
        """An object identifier in dots."""
        if self.tag != 0x06 or not 0 < len(self.content) < 64:
            raise TokenError("an object identifier is missing")
        numbers, value = [], 0
        for byte in self.content:
            value = (value << 7) | (byte & 0x7F)
            if not byte & 0x80:
                numbers.append(value)
                value = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(str(item) for item in (first, numbers[0] - 40 * first, *numbers[1:]))

    def integer(self) -> int:
        """An integer."""
        if self.tag != 0x02 or len(self.content) > 4096:
            raise TokenError("a number is missing")
        return int.from_bytes(self.content, "big", signed=True)


def _der_at(data: bytes, at: int) -> tuple[Der, int]:
    try:
        tag, length, start = data[at], data[at + 1], at + 2
        if tag & 0x1F == 0x1F or length == 0x80:
            raise TokenError("it is not DER")
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
    except IndexError:
        raise TokenError("it ends in the middle of a value") from None
    if start + length > len(data):
        raise TokenError("it ends in the middle of a value")
    return Der(tag, data[start : start + length], data[at : start + length]), start + length


def der(data: bytes) -> Der:
    """The one value that *data* is."""
    value, end = _der_at(data, 0)
    if end != len(data):
        raise TokenError("something stands behind its end")
    return value


def _der_time(value: Der) -> datetime:
    text = value.content.decode("ascii", "replace")
    if value.tag == 0x17:  # UTCTime: RFC 5280, 4.1.2.5.1
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        whole, _, part = text.removesuffix("Z").partition(".")
        moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return moment + timedelta(seconds=float(f"0.{part}") if part else 0)
    except ValueError:
        raise TokenError(f"{text[:40]!r} is not a time") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


# --- certificates (RFC 5280) and signatures

_HASHES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
}
_SIGNATURES = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_RSA, _RSA_PSS, _EC, _ED = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1", "1.3.101.112"
# The digest's DER before the digest itself (RFC 8017, 9.2, note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_NAMES = {"2.5.4.3": "CN", "2.5.4.10": "O", "2.5.4.6": "C"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """The parts of an X.509 certificate that the check needs."""

    raw: bytes
    signed: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    key: Der
    extensions: dict[str, tuple[bool, bytes]]
    algorithm: Der
    signature: bytes

    @property
    def name(self) -> str:
        """Common name and organisation of the subject."""
        return _name(self.subject)

    @property
    def sha256(self) -> str:
        """The fingerprint, hex."""
        return _sha256(self.raw)


def _name(raw: bytes) -> str:
    found = {}
    for group in der(raw).children():
        for pair in group.children():
            kind, value = pair.children()
            if kind.oid() in _NAMES:
                found[_NAMES[kind.oid()]] = value.content.decode("utf-8", "replace")
    return ", ".join(f"{key}={found[key]}" for key in ("CN", "O", "C") if key in found)


def read_certificate(raw: bytes) -> Certificate:
    """A certificate from its DER. Raises ``TokenError``."""
    try:
        body, algorithm, signature = der(raw).children()
        parts = body.children()
        if parts[0].tag == 0xA0:
            parts = parts[1:]
        serial, _, issuer, validity, subject, key = parts[:6]
        extensions: dict[str, tuple[bool, bytes]] = {}
        for part in parts[6:]:
            if part.tag == 0xA3:
                for item in part.children()[0].children():
                    fields = item.children()
                    critical = len(fields) == 3 and fields[1].content != b"\0"
                    extensions[fields[0].oid()] = (critical, fields[-1].content)
        start, end = validity.children()
        return Certificate(
            raw=raw,
            signed=body.raw,
            serial=serial.integer(),
            issuer=issuer.raw,
            subject=subject.raw,
            not_before=_der_time(start),
            not_after=_der_time(end),
            key=key,
            extensions=extensions,
            algorithm=algorithm,
            signature=signature.content[1:],
        )
    except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError) as error:
        raise TokenError(f"a certificate cannot be read: {error}") from None


def pem_certificates(data: bytes) -> list[bytes]:
    """The DER of every certificate in a PEM file (or of the one in a DER file)."""
    found = [
        binascii.a2b_base64(match[1])
        for match in re.finditer(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----", data)
    ]
    return found or ([data] if data[:1] == b"\x30" else [])


def _certificates_in(files: Iterable[str | Path]) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for file in files:
        certificates = pem_certificates(Path(file).read_bytes())
        if not certificates:
            raise NotACase(f"{file}: there is no certificate in it")
        found += certificates
    return tuple(found)


def check_signature(key: Der, algorithm: Der, default_hash: str, message: bytes, signature: bytes) -> bool:
    """Whether *signature* over *message* fits a SubjectPublicKeyInfo *key*. Raises ``TokenError`` where it is unknown."""
    parts = algorithm.children()
    scheme = parts[0].oid()
    kind, bits = key.children()
    public = bits.content[1:]
    key_type = kind.children()[0].oid()
    digest = _SIGNATURES.get(scheme, default_hash)
    if scheme == _RSA_PSS:
        digest = "sha1"
        for item in parts[1].children() if len(parts) > 1 else ():
            if item.tag == 0xA0:
                digest = _HASHES.get(item.children()[0].children()[0].oid(), "")
    if scheme not in (*_SIGNATURES, _RSA, _RSA_PSS, _EC, _ED) or (digest not in _DIGEST_INFO and scheme != _ED):
        raise TokenError(f"signed in a way that is not accepted (algorithm {scheme}, digest {digest or 'unknown'})")
    if key_type == _RSA:
        modulus, exponent = (item.integer() for item in der(public).children())
        if modulus < 0 or modulus.bit_length() < 2048:
            raise TokenError("signed with an RSA key of fewer than 2048 bits")
        if modulus.bit_length() > 16384 or not 2 < exponent < 2**64:
            raise TokenError("signed with an RSA key that nobody makes")
        check = _rsa_pss if scheme == _RSA_PSS else _rsa_pkcs1
        return check(modulus, exponent, digest, message, signature)
    if key_type == _EC:
        return _ecdsa(kind.children()[1].oid(), public, digest, message, signature)
    if key_type == _ED:
        return ed25519_verify(public, signature, message)
    raise TokenError(f"signed with a kind of key that is not known ({key_type})")


def _rsa_pkcs1(modulus: int, exponent: int, digest: str, message: bytes, signature: bytes) -> bool:
    """RFC 8017, 8.2.2."""
    size = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != size or value >= modulus:
        return False
    end = _DIGEST_INFO[digest] + hashlib.new(digest, message).digest()
    expected = b"\0\1" + b"\xff" * (size - len(end) - 3) + b"\0" + end
    return pow(value, exponent, modulus).to_bytes(size, "big") == expected


def _rsa_pss(modulus: int, exponent: int, digest: str, message: bytes, signature: bytes) -> bool:
    """RFC 8017, 9.1.2, with MGF1 of the same hash and a salt as long as the hash."""
    bits = modulus.bit_length() - 1
    size, length = (bits + 7) // 8, hashlib.new(digest).digest_size
    value = int.from_bytes(signature, "big")
    if len(signature) != (modulus.bit_length() + 7) // 8 or value >= modulus:
        return False
    opened = pow(value, exponent, modulus)
    if opened >> (8 * size):
        return False
    encoded = opened.to_bytes(size, "big")
    masked, inner = encoded[: size - length - 1], encoded[size - length - 1 : -1]
    unused = 8 * size - bits
    if encoded[-1] != 0xBC or masked[0] >> (8 - unused):
        return False
    mask = b"".join(
        hashlib.new(digest, inner + struct.pack(">I", i)).digest() for i in range(len(masked) // length + 1)
    )
    opened_block = bytearray(a ^ b for a, b in zip(masked, mask, strict=False))
    opened_block[0] &= 0xFF >> unused
    pad, salt = bytes(opened_block[:-length]), bytes(opened_block[-length:])
    if pad != b"\0" * (len(pad) - 1) + b"\1":
        return False
    return hashlib.new(digest, b"\0" * 8 + hashlib.new(digest, message).digest() + salt).digest() == inner


# NIST curves (SP 800-186): field prime, b, base point, order; a is always -3.
_CURVES = {
    "1.2.840.10045.3.1.7": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "1.3.132.0.34": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}


def _ecdsa(curve: str, public: bytes, digest: str, message: bytes, signature: bytes) -> bool:
    """FIPS 186-5, 6.4.2, on P-256 and P-384."""
    if curve not in _CURVES:
        raise TokenError(f"signed on a curve that is not known ({curve})")
    p, b, gx, gy, order = _CURVES[curve]
    size = (p.bit_length() + 7) // 8
    if len(public) != 2 * size + 1 or public[0] != 4:
        return False
    x, y = int.from_bytes(public[1 : size + 1], "big"), int.from_bytes(public[size + 1 :], "big")
    r, s = (item.integer() for item in der(signature).children())
    if not (0 < r < order and 0 < s < order) or (y * y - (x * x * x - 3 * x + b)) % p:
        return False
    hashed = hashlib.new(digest, message).digest()
    number = int.from_bytes(hashed, "big") >> max(0, 8 * len(hashed) - order.bit_length())
    inverse = pow(s, -1, order)
    base, point = (gx, gy, 1), (x, y, 1)
    total = _ec_add(_ec_times(base, number * inverse % order, p), _ec_times(point, r * inverse % order, p), p)
    if not total[2]:
        return False
    return total[0] * pow(total[2], -2, p) % p % order == r


_Jacobian = tuple[int, int, int]


def _ec_double(a: _Jacobian, p: int) -> _Jacobian:
    """Doubling in Jacobian coordinates where the curve's a is -3 (x = X/Z^2, y = Y/Z^3; Z = 0 is the neutral point)."""
    x, y, z = a
    if not y or not z:
        return 0, 1, 0
    delta, gamma = z * z % p, y * y % p
    beta, alpha = x * gamma % p, 3 * (x - delta) * (x + delta) % p
    across = (alpha * alpha - 8 * beta) % p
    return across, (alpha * (4 * beta - across) - 8 * gamma * gamma) % p, ((y + z) * (y + z) - gamma - delta) % p


def _ec_add(a: _Jacobian, b: _Jacobian, p: int) -> _Jacobian:
    if not a[2] or not b[2]:
        return b if not a[2] else a
    z1, z2 = a[2] * a[2] % p, b[2] * b[2] % p
    u1, u2 = a[0] * z2 % p, b[0] * z1 % p
    s1, s2 = a[1] * b[2] * z2 % p, b[1] * a[2] * z1 % p
    h, r = (u2 - u1) % p, (s2 - s1) % p
    if not h:
        return (0, 1, 0) if r else _ec_double(a, p)
    square = h * h % p
    cube, v = h * square % p, u1 * square % p
    x = (r * r - cube - 2 * v) % p
    return x, (r * (v - x) - s1 * cube) % p, h * a[2] * b[2] % p


def _ec_times(point: _Jacobian, factor: int, p: int) -> _Jacobian:
    total: _Jacobian = (0, 1, 0)
    for bit in bin(factor)[2:]:
        total = _ec_double(total, p)
        if bit == "1":
            total = _ec_add(total, point, p)
    return total


def _chain(leaf: Certificate, others: list[Certificate], trusted: list[Certificate], moment: datetime) -> Certificate:
    """The trusted certificate that *leaf* leads to, each link checked at *moment*. Raises ``TokenError``."""
    if not trusted:
        raise TokenError("there is no authority's certificate to check it against")
    anchors = {item.raw for item in trusted}
    current, depth = leaf, 0
    while True:
        if not current.not_before <= moment <= current.not_after:
            raise TokenError(f"the certificate of {current.name} was not valid at {moment:%Y-%m-%d}")
        if current.raw in anchors:
            return current
        if depth > 8:
            raise TokenError("its chain of certificates is too long")
        for issuer in (*trusted, *others):
            if issuer.subject == current.issuer and issuer.raw != current.raw and _issued(issuer, current, depth):
                current, depth = issuer, depth + 1
                break
        else:
            raise TokenError(f"the certificate of {current.name} does not lead to the authority you trust")


def _issued(issuer: Certificate, subject: Certificate, depth: int) -> bool:
    critical_ca = issuer.extensions.get("2.5.29.19")
    if critical_ca is None:
        return False
    basic = der(critical_ca[1]).children()
    if not basic or basic[0].tag != 0x01 or basic[0].content == b"\0":
        return False
    if len(basic) > 1 and basic[1].integer() < depth:
        return False
    usage = issuer.extensions.get("2.5.29.15")
    if usage is not None and not der(usage[1]).content[1:2].ljust(1, b"\0")[0] & 0x04:  # keyCertSign
        return False
    try:
        return check_signature(issuer.key, subject.algorithm, "", subject.signed, subject.signature)
    except TokenError:
        return False


# --- time stamps (RFC 3161, RFC 5652, RFC 5816)

_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a time stamp that holds says. ``time`` is UTC; ``nonce`` is -1 where it has none."""

    time: str
    serial: int
    policy: str
    nonce: int
    authority: str
    root_sha256: str
    digest: str


def check_token(token: bytes, data: bytes, trusted: Iterable[bytes], *, nonce: int | None = None) -> TokenFacts:
    """What the time stamp *token* (a response or a bare token, DER) says of *data*.

    *trusted* are the DER certificates of authorities. Raises ``TokenError`` where it is not a stamp of these bytes with
    that *nonce*, signed by a time-stamping certificate that leads to one of them.
    """
    if len(token) > _LARGEST_TOKEN:
        raise TokenError("it is larger than any time stamp")
    try:
        return _check_token(token, data, [read_certificate(item) for item in trusted], nonce)
    except (
        ValueError,
        LookupError,
        ArithmeticError,
        TypeError,
        AttributeError,
        AssertionError,
        RecursionError,
    ) as error:
        raise TokenError(f"it is not a readable time stamp ({error or type(error).__name__})") from None


def _check_token(token: bytes, data: bytes, trusted: list[Certificate], nonce: int | None) -> TokenFacts:
    outer = der(token).children()
    if outer and outer[0].tag == 0x30:
        status = outer[0].children()[0].integer()
        if status not in (0, 1) or len(outer) != 2:
            raise TokenError(f"the authority refused (status {status})")
        outer = outer[1].children()
    if len(outer) != 2 or outer[0].oid() != _SIGNED_DATA:
        raise TokenError("it is not signed data")
    parts = outer[1].children()[0].children()
    content_type, content = parts[2].children()
    if content_type.oid() != _TST_INFO:
        raise TokenError("what it signs is not a time stamp")
    info_raw = content.children()[0].content
    certificates = [
        read_certificate(item.raw)
        for part in parts[3:]
        if part.tag == 0xA0
        for item in part.children()
        if item.tag == 0x30
    ]
    if len(certificates) > 64:
        raise TokenError("it brings more certificates than any chain needs")
    signers = parts[-1].children()
    if parts[-1].tag != 0x31 or len(signers) != 1:
        raise TokenError("it does not have exactly one signer")
    info = der(info_raw).children()
    policy, imprint, serial, time = info[1].oid(), info[2].children(), info[3].integer(), info[4]
    if time.tag != 0x18:
        raise TokenError("it has no time")
    moment = _der_time(time)
    digest = _HASHES.get(imprint[0].children()[0].oid(), "")
    if digest not in _DIGEST_INFO:
        raise TokenError("its imprint uses a hash that is not accepted")
    if imprint[1].content != hashlib.new(digest, data).digest():
        raise TokenError("it stamps other bytes than these (the imprint differs)")
    given = next((item.integer() for item in info[5:] if item.tag == 0x02), -1)
    if nonce is not None and given != nonce:
        raise TokenError("it answers another request (the nonce differs)")
    leaf = _signer(signers[0], info_raw, certificates + trusted)
    usage = leaf.extensions.get("2.5.29.37")
    purposes = [item.oid() for item in der(usage[1]).children()] if usage else []
    if not usage or not usage[0] or purposes != [_TIME_STAMPING]:
        raise TokenError(f"the certificate of {leaf.name} is not one for time stamps only")
    root = _chain(leaf, certificates, trusted, moment)
    shown = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return TokenFacts(shown, serial, policy, given, leaf.name, root.sha256, digest)


def _signer(signer: Der, content: bytes, certificates: list[Certificate]) -> Certificate:
    """The certificate of the signer, after its signature over *content* was checked (RFC 5652, 5.4 and 5.6)."""
    parts = signer.children()
    identity, digest = parts[1], _HASHES.get(parts[2].children()[0].oid(), "")
    if digest not in _DIGEST_INFO or parts[3].tag != 0xA0:
        raise TokenError("it is not signed as a time stamp is")
    attributes: dict[str, Der] = {}
    for item in parts[3].children():
        kind, values = item.children()
        if kind.oid() in attributes:
            raise TokenError("a signed attribute stands twice")
        attributes[kind.oid()] = values
    if _CONTENT_TYPE not in attributes or attributes[_CONTENT_TYPE].children()[0].oid() != _TST_INFO:
        raise TokenError("its signature is not for a time stamp")
    stated = attributes[_MESSAGE_DIGEST].children()[0].content if _MESSAGE_DIGEST in attributes else b""
    if stated != hashlib.new(digest, content).digest():
        raise TokenError("its content was changed (the signed digest differs)")
    leaf = _identified(identity, certificates)
    _check_ess(attributes, leaf)
    signed = b"\x31" + parts[3].raw[1:]
    if not check_signature(leaf.key, parts[4], digest, signed, parts[5].content):
        raise TokenError("its signature does not fit")
    return leaf


def _identified(identity: Der, certificates: list[Certificate]) -> Certificate:
    if identity.tag == 0x30:
        issuer, serial = identity.children()
        for item in certificates:
            if item.issuer == issuer.raw and item.serial == serial.integer():
                return item
    elif identity.tag == 0x80:
        for item in certificates:
            known = item.extensions.get("2.5.29.14")
            if known and der(known[1]).content == identity.content:
                return item
    raise TokenError("the signer's certificate is not in it")


def _check_ess(attributes: dict[str, Der], leaf: Certificate) -> None:
    """RFC 3161, 2.4.2: the token names the certificate it was signed with (ESSCertID, or ESSCertIDv2 of RFC 5816)."""
    if _SIGNING_CERTIFICATE_V2 in attributes:
        first = attributes[_SIGNING_CERTIFICATE_V2].children()[0].children()[0].children()[0].children()
        digest = _HASHES.get(first[0].children()[0].oid(), "") if first[0].tag == 0x30 else "sha256"
        stated = first[1].content if first[0].tag == 0x30 else first[0].content
    elif _SIGNING_CERTIFICATE in attributes:
        digest = "sha1"
        stated = attributes[_SIGNING_CERTIFICATE].children()[0].children()[0].children()[0].children()[0].content
    else:
        raise TokenError("it does not name the certificate it was signed with")
    if not digest or hashlib.new(digest, leaf.raw, usedforsecurity=False).digest() != stated:
        raise TokenError("it names another certificate than the one it was signed with")


# --- for a person at a terminal


def summary(report: Report) -> list[str]:
    """The lines that tell a person what was checked."""
    facts = report.facts
    lines = []
    if facts.get("kind"):
        lines.append(f"{facts['kind']}: {facts.get('visits', 0)} visits, {facts.get('attempts', 0)} attempts")
        if "records" in facts:
            lines.append(f"WARC records: {facts['records']} opened, each held against its digest and its attempt")
        else:
            cited = f"those of {facts['exhibits']} exhibits opened, the others " if facts.get("exhibits") else ""
            lines.append(f"WARC records: {cited}vouched for by the hash of their file; --records opens each of them")
    if facts.get("kind") == "export" and facts.get("visits", 0) < facts.get("visits_on_ledger", 0):
        lines.append(
            f"a selection: {facts.get('visits', 0)} of {facts['visits_on_ledger']} visits on the ledger are included"
        )
    for why, count in facts.get("withheld_why", {}).items():
        lines.append(f"withheld: {count} ledger entries, whose hashes stand in; the reason given: {why}")
    if facts.get("entries"):
        lines.append(f"ledger: {facts['entries']} entries, head {facts['head']}")
    if facts.get("seals"):
        lines.append(
            f"sealed: the first {facts.get('sealed_entries', 0)} entries, by {facts['seals']} seal(s), key {facts.get('key')}"
        )
        after = facts["entries"] - facts.get("sealed_entries", 0)
        if after > 1:
            lines.append(f"{after} entries came after the last seal: chained, not signed")
        lines.append(f"time stamp: {facts.get('stamp') or 'not on the ledger'}")
    elif facts.get("entries"):
        lines.append("UNSEALED: nothing here is signed; the chain alone shows changes made without rewriting all of it")
    lines += [str(item) for item in facts.get("stamps", [])]
    return [_plain(line) for line in lines]


def verdict(report: Report) -> str:
    """The last line: how it stands."""
    if report.ok:
        return "nothing is wrong"
    more = f"; {report.unlisted} more are not listed" if report.unlisted else ""
    return f"{len(report.problems)} problem(s){more}"


def main(arguments: list[str] | None = None) -> int:
    """The command ``python3 verify.py``; returns the exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Check a Plainview case or export.")
    parser.add_argument("path", help="a case folder, an export folder or an export's zip")
    parser.add_argument("--key", default="", help="the id of the key that must have sealed it (at least 16 digits)")
    parser.add_argument("--head", default="", help="a head of the ledger that was printed or written down")
    parser.add_argument("--ca", action="append", default=[], help="an authority's root certificate (PEM)")
    parser.add_argument("--records", action="store_true", help="open every WARC record as well")
    given = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no … must not stop the check
    try:
        report = verify(given.path, key=given.key, head=given.head, authorities=given.ca, records=given.records)
    except (NotACase, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    for line in summary(report):
        sys.stdout.write(line + "\n")
    for note in report.notes:
        sys.stdout.write(f"note: {note}\n")
    for problem in report.problems:
        sys.stdout.write(f"PROBLEM {problem}\n")
    sys.stdout.write(verdict(report) + "\n")
    return EXIT_OK if report.ok else EXIT_INTEGRITY


if __name__ == "__main__":
    sys.exit(main())
