"""What of a case goes into an export: the state of the ledger, the visits, and the entries that are withheld."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from data.canonical import canonical, sha256
from data.case import Case
from data.codebook import load_codebook
from data.standing import READ

# These never leave in a general export; their hashes stand in their place, so that the chain still holds.
_SENSITIVE = ("referral.", "unmask", "service.halted", "service.released")
# What a selection shows of the ledger besides the closing of the visits it holds.
_COMMON = frozenset(
    {
        "case.opened",
        "case.settings",
        "environment.recorded",
        "analysis.run",
        "findings.run",
        "key.named",
        "seal.made",
        "ledger.torn_line",
    }
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which services and exhibits (``EX-0001``) to hand over; empty means all."""

    services: tuple[str, ...] = ()
    exhibits: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.services and not self.exhibits


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the case's ledger: its bytes without the newline, and what it says."""

    raw: bytes
    values: dict[str, Any]

    @property
    def event(self) -> str:
        """The kind of entry."""
        return str(self.values["event"])

    @property
    def body(self) -> dict[str, Any]:
        """What the entry says."""
        body: dict[str, Any] = self.values["body"]
        return body


def ledger_lines(case: Case) -> list[Line]:
    """The ledger up to the last entry that changed the case.

    Reading a case (exports, reports) is on record, but is not the case: two exports one after the other are the same.
    """
    with case.ledger.path.open("rb") as file:
        lines = [Line(raw[:-1], json.loads(raw)) for raw in file if raw.endswith(b"\n")]
    while lines and lines[-1].event in READ:
        lines.pop()
    return lines


def closed_visits(lines: list[Line]) -> dict[str, Line]:
    """The visits that the ledger closed, in its order."""
    return {str(line.body["visit"]): line for line in lines if line.event == "visit.closed"}


def written_ledger(lines: list[Line], visits: set[str], *, whole: bool) -> Iterator[bytes]:
    """The ledger as the export holds it: each line as it is, or its number and hash where it is withheld."""
    for line in lines:
        why = _withheld(line, visits, whole=whole)
        if why:
            yield canonical({"seq": line.values["seq"], "withheld": sha256(line.raw), "why": why}) + b"\n"
        else:
            yield line.raw + b"\n"


def _names_referral(value: Any) -> bool:
    """Whether an entry (a decision, a sheet of them) names a code that goes to the referral officer alone."""
    if isinstance(value, dict):
        return any(_names_referral(item) for item in value.values())
    if isinstance(value, list):
        return any(_names_referral(item) for item in value)
    return isinstance(value, str) and value.partition(" ")[0] in load_codebook().referral_codes


def _withheld(line: Line, visits: set[str], *, whole: bool) -> str:
    if line.event.startswith(_SENSITIVE) or line.body.get("sensitive") is True or _names_referral(line.body):
        return "sensitive"
    if whole or line.event in _COMMON or (line.event == "visit.closed" and line.body["visit"] in visits):
        return ""
    return "not in the selection"
