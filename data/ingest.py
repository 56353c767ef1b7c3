"""Taking a closed visit in: its head and file hashes go on the ledger, its folder moves to the evidence.

The order makes every crash harmless: ledger, then move (atomic), then index. A visit that is on the ledger and still in
the spool is moved the next time; an index that lags behind catches up whenever it is opened. Nothing reaches the
evidence that the ledger does not know of, so a folder found there without an entry was put there by somebody else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from data.case import Case
from data.disk import sync_folder
from data.records import Visit
from data.spool import EVIDENCE_FILES, INFLIGHT, VISIT, file_record, read_visit
from data.store import writing


class VisitChanged(Exception):
    """A closed visit's files are not those it was closed with; the message names them. It stays in the spool."""


def closed_visits(case: Case) -> list[Path]:
    """The folders in the spool that are closed and wait to be taken in."""
    if not case.spool.exists():
        return []
    folders = sorted(path for path in case.spool.iterdir() if (path / VISIT).exists())
    return [folder for folder in folders if read_visit(folder).state == "closed"]


def take_in(case: Case) -> list[Visit]:
    """Take in every closed visit; returns those that were new to the ledger. Safe to call again at any time, and from
    several processes. Raises ``VisitChanged`` for a visit that is not as it was closed, after the others were taken in."""
    taken, changed = [], []
    with _alone(case):
        on_ledger = {entry.body["visit"] for entry in case.ledger.events("visit.closed")}
        for folder in closed_visits(case):
            visit = read_visit(folder)
            fault = _fault(folder, visit)
            if fault:
                changed.append(fault)
                continue
            if visit.visit not in on_ledger:
                _on_ledger(case, folder, visit)
                taken.append(visit)
            _move(case, folder)
    with writing(case):
        pass  # opening it to write brings it up to date
    if changed:
        raise VisitChanged("; ".join(changed) + ". It was left in the spool; everything else was taken in.")
    return taken


@contextlib.contextmanager
def _alone(case: Case) -> Iterator[None]:
    """One process takes in at a time; the spool folder itself is the lock."""
    case.spool.mkdir(exist_ok=True)
    descriptor = os.open(case.spool, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fault(folder: Path, visit: Visit) -> str:
    if visit.visit != folder.name:
        return f"spool/{folder.name}: it holds the visit {visit.visit}"
    for name in EVIDENCE_FILES:
        if not (folder / name).is_file() or file_record(folder / name) != visit.files.get(name):
            return f"spool/{folder.name}/{name}: its bytes are not those the visit was closed with"
    return ""


def _on_ledger(case: Case, folder: Path, visit: Visit) -> None:
    case.record(
        "visit.closed",
        {
            "visit": visit.visit,
            "service": visit.service,
            "started": visit.started,
            "ended": visit.ended,
            "outcome": visit.outcome,
            "observations": visit.observations,
            "head": visit.head,
            "files": {**visit.files, VISIT: file_record(folder / VISIT)},
        },
    )


def _move(case: Case, folder: Path) -> None:
    """Clear what is not evidence, make the rest read-only, and move the folder by one rename."""
    kept = {*EVIDENCE_FILES, VISIT}
    for file in folder.iterdir():
        if file.name == INFLIGHT or file.name.endswith(".new"):
            file.unlink(missing_ok=True)
        elif file.name in kept:
            file.chmod(0o444)
    case.evidence.mkdir(exist_ok=True)
    folder.rename(case.evidence / folder.name)
    sync_folder(case.evidence)
    sync_folder(case.spool)
