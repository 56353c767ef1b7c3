"""How a case stands: sealed as it is now, or not, and why. Every report and every list says it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data.case import Case

STAMPED, FAILED, NOT_REQUESTED = "stamped", "failed", "not_requested"
# What may happen to a sealed case without leaving it unsealed: it was read, not added to.
READ = frozenset(
    {
        "export.made",
        "report.made",
        "workbook.made",
        "verify.done",
        "review.opened",
        "review.sheet_made",
        "operators.exported",
    }
)
ACCESS = READ | {"seal.made", "key.named"}


@dataclass(frozen=True, slots=True)
class SealState:
    """How a case stands: ``sealed`` or ``unsealed`` with the reason, and the last seal's number, key and stamp state."""

    sealed: bool
    reason: str
    number: int = 0
    key: str = ""
    stamp: str = ""
    count: int = 0
    head: str = ""

    @property
    def word(self) -> str:
        """What every list and report says."""
        return "sealed" if self.sealed else "unsealed"


def seal_state(case: Case) -> SealState:
    """Whether the case is sealed as it is now; every list and report says so."""
    last, later = case.ledger.since("seal.made")
    return seal_state_after(last.body if last else None, later)


def seal_state_after(body: dict[str, Any] | None, later: Iterable[str]) -> SealState:
    """How a case stands whose last ``seal.made`` says *body* (None: there is none), after entries called *later*."""
    since = sum(name not in ACCESS for name in later)
    if body is None:
        return SealState(False, "it was never sealed")
    facts: dict[str, Any] = {
        "number": body["seal"],
        "key": body["key"],
        "stamp": body["state"],
        "count": body["count"],
        "head": body["head"],
    }
    if body["state"] == FAILED:
        return SealState(False, f"a time stamp was asked for and not obtained: {body['reason']}", **facts)
    if since:
        return SealState(False, f"{since} entries were added after the last seal", **facts)
    return SealState(True, "", **facts)
