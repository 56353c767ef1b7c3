"""A depot: where workers that share no disk with the case put closed visits, and where others read them.

An fsspec URL: a folder, or ``s3://bucket/prefix`` (credentials from the environment alone). Below it, for each case and visit,

    <case>/<visit>/<attempt>/   the visit's files as they were closed
    <case>/<visit>/closed.json  which attempt counts, the size and SHA-256 of each file, the environment it was made in

``closed.json`` is written last: a visit without one is not there, whatever lies in its folder. Two workers that made the same
visit (one was thought dead) write to different folders, so neither can spoil the other's.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

from data import environment
from data.canonical import canonical, sha256
from data.case import Case, CaseError
from data.disk import sync_folder, write_file
from data.spool import EVIDENCE_FILES, VISIT, file_record, read_visit

_CLOSED = "closed.json"
_PIECE = 1 << 20


class DepotError(Exception):
    """What a depot holds is not what was put there, or could not be put; the message names it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A closed visit in the depot: its attempt, its files by name (``bytes``, ``sha256``), the environment it was made in."""

    visit: str
    attempt: str
    files: dict[str, dict[str, Any]]
    environment: dict[str, Any]


class Depot:
    """The visits of one case at an fsspec URL. Safe for any number of writers and readers."""

    def __init__(self, url: str) -> None:
        if re.search(r"://[^/]*@", url):
            raise CaseError("A store's address carries no user name or key: they are taken from the environment alone.")
        self.url = url.rstrip("/")
        options = {"use_listings_cache": False} if "://" in url and not url.startswith("file:") else {}
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError) as error:
            raise CaseError(
                f"{self.url.partition('://')[0]}:// cannot be used as a store: {error}. For S3: pip install 'plainview[ray]'"
            ) from error

    def of(self, case: Case) -> Depot:
        """The part of this depot that is *case*'s own: named by the ledger's first line, which no other case has."""
        with case.ledger.path.open("rb") as file:
            return Depot(f"{self.url}/{sha256(file.readline().rstrip())[:16]}")

    # --- putting

    def put(self, folder: Path) -> None:
        """Put a closed visit's folder there. Raises ``DepotError`` where a file is not as it was closed, ``OSError``."""
        visit = read_visit(folder)
        if visit.state != "closed":
            raise DepotError(f"{folder.name} is not closed")
        attempt = secrets.token_hex(4)
        wanted = {**visit.files, VISIT: file_record(folder / VISIT)}
        for name in (*EVIDENCE_FILES, VISIT):
            path = f"{self._root}/{visit.visit}/{attempt}/{name}"
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            with (folder / name).open("rb") as source, self._fs.open(path, "wb") as target:
                digest = _copy(source, target)
            if digest != wanted[name]["sha256"] or self._fs.info(path)["size"] != wanted[name]["bytes"]:
                raise DepotError(f"{visit.visit}/{name} did not arrive as it was sent")
        record = {"attempt": attempt, "files": wanted, "environment": environment.environment()}
        path, content = f"{self._root}/{visit.visit}/{_CLOSED}", canonical(record) + b"\n"
        if self._on_disk:
            write_file(Path(path), content)
        else:
            self._fs.pipe_file(path, content)

    @property
    def _on_disk(self) -> bool:
        return "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))

    # --- reading

    def held(self, visit: str) -> Held | None:
        """The closed visit of that name, or None where it is not there."""
        try:
            record = json.loads(self._fs.cat_file(f"{self._root}/{visit}/{_CLOSED}"))
        except FileNotFoundError:
            return None
        return Held(visit, record["attempt"], record["files"], record["environment"])

    def fetch(self, held: Held, target: Path, names: tuple[str, ...] = (*EVIDENCE_FILES, VISIT)) -> None:
        """Copy files of a visit into the folder *target*. Raises ``DepotError`` for bytes that are not those closed with."""
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            if name not in (*EVIDENCE_FILES, VISIT):
                raise DepotError(f"{held.visit}: it names a file {name!r}")
            path = f"{self._root}/{held.visit}/{held.attempt}/{name}"
            for last in (False, True):
                with self._fs.open(path, "rb") as source, (target / name).open("wb") as file:
                    digest = _copy(source, file)
                if digest == held.files[name]["sha256"]:
                    break
                if last:
                    raise DepotError(f"{held.visit}/{name} in the store is not what the visit was closed with")
        sync_folder(target)

    def remove(self, visit: str) -> None:
        """Take a visit away from the depot; ``closed.json`` goes first."""
        self._fs.rm_file(f"{self._root}/{visit}/{_CLOSED}")
        self._fs.rm(f"{self._root}/{visit}", recursive=True)


def bring(url: str, folder: Path) -> Path:
    """Copy the file at an fsspec *url* into *folder*, under its own name. Raises ``OSError``."""
    if re.search(r"://[^/]*@", url):
        raise CaseError("An address carries no user name or key: they are taken from the environment alone.")
    target = folder / url.rstrip("/").rpartition("/")[2]
    with fsspec.open(url, "rb") as source, target.open("wb") as file:
        _copy(source, file)
    return target


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_PIECE):
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest()


class Shelf:
    """Visits of a depot on this machine's disk, as many as fit: what a worker reads evidence from."""

    def __init__(self, depot: Depot, folder: Path, *, keep: int = 64) -> None:
        self.folder = folder
        self._depot, self._keep = depot, keep
        self._here: dict[str, None] = {}

    def bring(self, visit: str, name: str) -> None:
        """See that the file *name* of *visit* lies in ``folder/<visit>``. Raises ``DepotError``."""
        if visit in self._here:
            self._here[visit] = self._here.pop(visit)
            return
        held = self._depot.held(visit)
        if held is None:
            raise DepotError(f"{visit} is not in the store {self._depot.url}")
        while len(self._here) >= self._keep:
            oldest = next(iter(self._here))
            del self._here[oldest]
            shutil.rmtree(self.folder / oldest, ignore_errors=True)
        self._depot.fetch(held, self.folder / visit, (name,))
        self._here[visit] = None
