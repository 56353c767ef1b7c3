"""Custody: who did what to what, when, and why. A view of the ledger, which nobody writes by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from data.case import Case
from data.ledger import Event


class ReasonMissing(Exception):
    """An access that needs a reason was asked for without one; the message says what to do. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Access:
    """One row of the custody log (evidence.md 3.4): the entry's number and hash stand for before and after."""

    entry: int
    at: str
    actor: str
    action: str
    object: str
    reason: str
    authority: str
    environment: str
    hash: str
    warning: str


_ACTIONS = {
    "case.opened": "opened the case",
    "case.settings": "changed the settings",
    "services.added": "added services to the list",
    "services.removed": "removed services from the list",
    "sweep.started": "began a sweep",
    "sweep.finished": "ended a sweep",
    "visit.closed": "recorded a visit",
    "environment.recorded": "recorded the environment",
    "analysis.run": "analysed the text",
    "key.named": "named the sealing key",
    "seal.made": "sealed the ledger",
    "report.made": "made a report",
    "export.made": "made an export",
    "ledger.torn_line": "took an unfinished line off the ledger",
}
# Which key of an entry's body names what was acted on; the first that is there.
_OBJECTS = (
    "visit",
    "sweep",
    "file",
    "name",
    "item",
    "unit",
    "flag",
    "finding",
    "decision",
    "sample",
    "service",
    "key",
    "analysis",
    "id",
    "report",
)


def custody(case: Case, about: str = "") -> Iterator[Access]:
    """The log in order; with *about*, only what concerns the object of that name (a visit, service, flag, file).

    Raises ``LedgerBroken`` where the ledger does not hold.
    """
    authority = case.facts.authority
    for entry in case.ledger.events():
        authority = _authority(entry, authority)
        if about and not _concerns(entry.body, about):
            continue
        yield Access(
            entry=entry.seq,
            at=entry.at,
            actor=entry.actor,
            action=_ACTIONS.get(entry.event, entry.event.replace(".", " ")),
            object=_object(entry.body),
            reason=str(entry.body.get("reason") or ""),
            authority=str(entry.body.get("authority") or authority),
            environment=entry.environment,
            hash=entry.hash,
            warning=str(entry.body.get("clock_warning") or ""),
        )


def record_access(case: Case, event: str, thing: str, reason: str, **more: Any) -> Event:
    """Put an access that needs a reason (unmasking, referral) on the ledger. Raises ``ReasonMissing`` without one."""
    if not reason.strip():
        raise ReasonMissing(f"{event.replace('.', ' ')} of {thing} needs a reason: add --reason. Nothing was done.")
    return case.record(event, {**more, "object": thing, "reason": reason.strip()})


def _authority(entry: Event, before: str) -> str:
    stated = entry.body.get("case")
    if entry.event in ("case.opened", "case.settings") and isinstance(stated, dict):
        return str(stated.get("authority") or before)
    return before


def _object(body: dict[str, Any]) -> str:
    if "object" in body:
        return str(body["object"])
    for key in _OBJECTS:
        value = body.get(key)
        if isinstance(value, str) and value:
            return value
    services = body.get("services")
    if isinstance(services, list):
        return ", ".join(str(item.get("service") if isinstance(item, dict) else item) for item in services[:5])
    return ""


def _concerns(body: Any, about: str) -> bool:
    """Whether *about* is a value, or a key, anywhere in an entry's body."""
    if isinstance(body, dict):
        return any(key == about or _concerns(value, about) for key, value in body.items())
    if isinstance(body, list):
        return any(_concerns(item, about) for item in body)
    return bool(body == about)
