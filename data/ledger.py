"""The ledger: one append-only file, each line holding the hash of the line before (design section 5).

``prev`` chains a line to the one before; ``self`` is the hash of the line without it, so that a changed byte is found in
the last line as well, which no later line vouches for yet.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from data import clock
from data.canonical import canonical, genesis, sha256
from data.disk import sync_folder, write_whole

GENESIS = genesis("ledger")
_EVENT = b'"event":"'


class LedgerBroken(Exception):
    """A line of the ledger does not follow from the one before it; the message names the line."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry: what was done, by whom, when (UTC), with which tool and environment."""

    seq: int
    at: str
    actor: str
    event: str
    environment: str
    body: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last line's number and hash: what a seal signs. ``count`` is 0 for an empty ledger."""

    count: int
    hash: str


def actor() -> str:
    """Who is acting: ``PLAINVIEW_ACTOR``, else the name of the account on this machine."""
    named = os.environ.get("PLAINVIEW_ACTOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


class Ledger:
    """The file ``ledger.jsonl`` of a case. Safe for several processes: each append holds the file's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, body: dict[str, Any], *, environment: str = "", by: str = "") -> Event:
        """Add one entry and wait until it is on the disk. Raises ``OSError`` when it cannot be; nothing is half written."""
        new = not self.path.exists()
        with self.path.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last, torn = _tail(file)
            if torn:
                # A process died while writing: the unfinished bytes were promised to nobody. They leave the chain,
                # and the next entry says that they did.
                os.ftruncate(file.fileno(), file.seek(0, os.SEEK_END) - len(torn))
                last = _write(
                    file, last, "ledger.torn_line", {"bytes": len(torn), "sha256": sha256(torn)}, environment, ""
                )
            written = _write(file, last, event, body, environment, by)
        if new:
            sync_folder(self.path.parent)
        return written

    def head(self) -> Head:
        """Number of entries and hash of the last one."""
        try:
            with self.path.open("rb") as file:
                last, _ = _tail(file)
        except FileNotFoundError:
            return Head(0, GENESIS)
        return Head(last.seq, last.hash) if last else Head(0, GENESIS)

    def since(self, name: str) -> tuple[Event | None, list[str]]:
        """The last entry called *name*, and what the entries after it are called (all of them where there is none).

        Read from the end and not checked, so that a list can say in a moment how a case of any length stands.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None, []
        later: list[str] = []
        end = data.rfind(b"\n")
        while end > 0:
            start = data.rfind(b"\n", 0, end) + 1
            # Keys stand in the order of their names, so that an entry's own "event" is the last one of its line.
            at = data.rfind(_EVENT, start, end) + len(_EVENT)
            called = data[at : data.find(b'"', at)].decode("utf-8", "replace")
            if called == name:
                return _read(data[start : end + 1]), later[::-1]
            later.append(called)
            end = start - 1
        return None, later[::-1]

    def events(self, *names: str) -> Iterator[Event]:
        """The entries in order, all or those called one of *names*; the chain is checked on the way.

        Raises ``LedgerBroken`` at the first line that does not follow.
        """
        expected, count = GENESIS, 0
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    return  # another process is writing this line, or died doing so
                entry = _read(raw)
                count += 1
                if entry.seq != count:
                    raise LedgerBroken(f"{self.path.name} line {count}: its number is {entry.seq}")
                if json.loads(raw)["prev"] != expected:
                    raise LedgerBroken(f"{self.path.name} line {count}: it does not follow from the line before")
                expected = entry.hash
                if not names or entry.event in names:
                    yield entry


def _tail(file: IO[bytes]) -> tuple[Event | None, bytes]:
    """The last whole entry and whatever unfinished bytes stand behind it."""
    end = file.seek(0, os.SEEK_END)
    size = 65536
    while True:
        start = max(0, end - size)
        file.seek(start)
        block = file.read(end - start)
        whole, _, torn = block.rpartition(b"\n")
        lines = whole.split(b"\n")
        if start == 0 or len(lines) > 1:
            break
        size *= 4
    return (_read(lines[-1] + b"\n") if lines[-1] else None), torn


def _read(raw: bytes) -> Event:
    values = json.loads(raw)
    return Event(
        seq=values["seq"],
        at=values["at"],
        actor=values["actor"],
        event=values["event"],
        environment=values["environment"],
        body=values["body"],
        hash=sha256(raw[:-1]),
    )


def _write(file: IO[bytes], last: Event | None, event: str, body: dict[str, Any], environment: str, by: str) -> Event:
    at = clock.now()
    if last and at < last.at:
        body = {**body, "clock_warning": f"this machine's clock stood before the last entry's time {last.at}"}
    values = {
        "seq": last.seq + 1 if last else 1,
        "prev": last.hash if last else GENESIS,
        "at": at,
        "actor": by or actor(),
        "event": event,
        "environment": environment,
        "body": body,
    }
    values["self"] = sha256(canonical(values))
    line = canonical(values) + b"\n"
    end = file.seek(0, os.SEEK_END)
    try:
        write_whole(file.fileno(), line)
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), end)
        raise
    return _read(line)
