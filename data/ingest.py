"""Taking a closed visit in: its folder moves to the evidence, its head and file hashes go on the ledger.

The order makes every crash harmless: move (atomic), then ledger, then index. A folder that moved without its entry gets
the entry the next time; an index that lags behind catches up whenever it is opened.
"""

from __future__ import annotations

from pathlib import Path

from data.case import Case
from data.records import Visit
from data.spool import INFLIGHT, VISIT, file_record, read_visit
from data.store import writing


def closed_visits(case: Case) -> list[Path]:
    """The folders in the spool that are closed and wait to be taken in."""
    if not case.spool.exists():
        return []
    folders = sorted(path for path in case.spool.iterdir() if (path / VISIT).exists())
    return [folder for folder in folders if read_visit(folder).state == "closed"]


def take_in(case: Case) -> list[Visit]:
    """Take in every closed visit; returns those that were new to the ledger. Safe to call again at any time."""
    for folder in closed_visits(case):
        target = case.evidence / folder.name
        (folder / INFLIGHT).unlink(missing_ok=True)
        try:
            folder.rename(target)
        except FileNotFoundError:
            continue  # another process was quicker
        for file in target.iterdir():
            file.chmod(0o444)
    on_ledger = {entry.body["visit"] for entry in case.ledger.events("visit.closed")}
    taken = []
    for folder in sorted(case.evidence.iterdir()):
        if folder.name in on_ledger or not (folder / VISIT).exists():
            continue
        visit = read_visit(folder)
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
        taken.append(visit)
    with writing(case):
        pass  # opening it to write brings it up to date
    return taken
