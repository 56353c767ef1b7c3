"""One coder at work: the queue, what was decided, and how much of what distresses was shown. No terminal in here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from data.decisions import Decision, Role, Verdict, decisions, last_decisions, make_decision, record

if TYPE_CHECKING:
    from analysis.masking import Masker
    from data.case import Case
    from data.units import Queue, Unit

BREAK_MINUTES, BREAK_SHOWN, DAILY_SHOWN = 25, 20, 120


@dataclass(slots=True)
class Session:
    """The state of one sitting. Every decision is on the disk before the next unit is shown."""

    case: Case
    coder: str
    queue: Queue
    role: str = Role.CODER
    daily: int = DAILY_SHOWN
    clock: Callable[[], float] = time.monotonic
    at: int = 0
    note: str = ""
    labels: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    made: list[tuple[int, Decision, Decision | None]] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    began: float = 0.0
    since: float = 0.0
    break_at: float = 0.0
    break_shown: int = 0
    _before: dict[tuple[str, str, str], Decision] = field(default_factory=dict)
    _today: int = 0

    def __post_init__(self) -> None:
        self.began = self.since = self.break_at = self.clock()
        every = decisions(self.case)
        self._before = {key: item for key, item in last_decisions(every).items() if key[1] == self.coder}
        day = datetime.now(UTC).date().isoformat()
        self._today = sum(1 for item in every if item.coder == self.coder and item.revealed and item.at[:10] == day)

    @property
    def unit(self) -> Unit | None:
        """What is on the screen; None when all is done."""
        return self.queue.units[self.at] if self.at < len(self.queue.units) else None

    @property
    def veiled(self) -> bool:
        """Whether the words of the unit on the screen are still hidden."""
        return self.unit is not None and self.unit.veiled and self.unit.unit not in self.shown

    def reveal(self) -> str:
        """Show the words of this unit; returns why not, or nothing."""
        if self.unit is None or not self.veiled:
            return ""
        if self.exposure() >= self.daily:
            return f"You have seen {self.daily} of these today, the daily bound. Skip (k), or go on tomorrow."
        self.shown.add(self.unit.unit)
        return ""

    def exposure(self) -> int:
        """How many veiled units this coder has looked at today, sittings before this one included."""
        return self._today + len(self.shown)

    def decide(self, verdict: str, labels: Iterable[str] = ()) -> Decision:
        """Put a decision on the unit on record, and go on. Raises ``DecisionError`` for one that is not sound."""
        unit = self.unit
        assert unit is not None
        now = self.clock()
        made = make_decision(
            coder=self.coder,
            unit=unit.unit,
            kind=unit.kind,
            service=unit.service,
            verdict=verdict,
            labels=labels,
            machine=unit.machine,
            role=self.role,
            sample=unit.sample,
            note=self.note,
            revealed=unit.unit in self.shown,
            took_ms=int((now - self.since) * 1000),
        )
        record(self.case, made)
        key = (unit.unit, self.coder, self.role)
        self.made.append((self.at, made, self._before.get(key)))
        self._before[key] = made
        self.forward()
        return made

    def undo(self) -> bool:
        """Take back the last decision of this sitting: what this coder had said before counts again."""
        if not self.made:
            return False
        at, made, before = self.made.pop()
        back = make_decision(
            coder=self.coder,
            unit=made.unit,
            kind=made.kind,
            service=made.service,
            verdict=before.verdict if before else Verdict.WITHDRAWN,
            labels=before.labels if before else (),
            machine=made.machine,
            role=self.role,
            sample=made.sample,
            note="undone",
        )
        record(self.case, back)
        key = (made.unit, self.coder, self.role)
        if before:
            self._before[key] = back
        else:
            self._before.pop(key, None)
        self.at = at
        self._fresh()
        return True

    def skip(self) -> None:
        """Leave this unit for the end of the sitting."""
        self.skipped.append(self.at)
        self.forward()

    def next_service(self) -> None:
        """Go to the first open unit of the next service."""
        here = self.unit.service if self.unit else ""
        while self.unit is not None and self.unit.service == here:
            self.at += 1
        self._fresh()

    def forward(self) -> None:
        """Go to the next unit that was not decided in this sitting; the skipped ones come again at the end."""
        done = {at for at, _, _ in self.made}
        self.at += 1
        while self.at < len(self.queue.units) and self.at in done:
            self.at += 1
        if self.unit is None and self.skipped:
            left = [at for at in self.skipped if at not in done]
            self.skipped.clear()
            if left:
                self.at = left[0]
                self.skipped = left[1:]
        self._fresh()

    def _fresh(self) -> None:
        self.note = ""
        self.labels.clear()
        self.since = self.clock()

    def rate(self) -> float:
        """Decisions a minute in this sitting."""
        minutes = (self.clock() - self.began) / 60
        return len(self.made) / minutes if minutes > 0.05 else 0.0

    def suggests_break(self) -> str:
        """Why a break would be good now, or nothing."""
        minutes = (self.clock() - self.break_at) / 60
        seen = len(self.shown) - self.break_shown
        if minutes >= BREAK_MINUTES:
            return f"{minutes:.0f} minutes without a break. Step away for five; b when you are back."
        if seen >= BREAK_SHOWN:
            return f"{seen} hard passages since the last break. Step away for five; b when you are back."
        return ""

    def took_break(self) -> None:
        """The coder is back."""
        self.break_at, self.break_shown = self.clock(), len(self.shown)


def pieces(unit: Unit, masker: Masker) -> Sequence[tuple[str, bool]]:
    """The passage in pieces of (text, is part of the quote), third parties masked."""
    before, quote, after = masker.quoted(
        unit.passage,
        unit.quote_start,
        unit.quote_end,
        stances=(unit.stance,) if unit.stance else (),
        page_role=unit.page_role,
        heading=unit.heading,
    )
    return [(text, inside) for text, inside in ((before, False), (quote, True), (after, False)) if text]
