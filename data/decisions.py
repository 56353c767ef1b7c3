"""Decisions: what a person said about a unit of review. Events on the ledger, never changed; the last by a coder counts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from data import clock
from data.canonical import canonical, sha256
from data.case import Case
from data.codebook import load_codebook
from data.ledger import Event
from data.records import Record

MADE, MERGED, IMPORTED = "decision.made", "decisions.merged", "decisions.imported"
FORMAT = "plainview decisions 1"
_BATCH = 100
_LONGEST_NOTE = 4000


class DecisionError(ValueError):
    """A decision, or a file of decisions, cannot be taken; the message says why. Nothing was written."""


class Verdict(StrEnum):
    """What a coder says about a unit."""

    CONFIRM = "confirm"
    REJECT = "reject"
    CORRECT = "correct"
    CODE = "code"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"

    @property
    def meaning(self) -> str:
        """The sentence the manual prints for it."""
        return _MEANING[self]


_MEANING = {
    Verdict.CONFIRM: "The flag stands with the code and stance it was raised with.",
    Verdict.REJECT: "The flag does not stand: the passage carries no such label.",
    Verdict.CORRECT: "There is a label, but with another code or stance, which the decision names.",
    Verdict.CODE: "A passage shown without the machine's reading carries the labels the decision names, or none.",
    Verdict.UNSURE: "The coder cannot tell; it counts as missing in every figure.",
    Verdict.WITHDRAWN: "An earlier decision is taken back, and the unit is open again for this coder.",
}


class Role(StrEnum):
    """In which part a person decides."""

    CODER = "coder"
    ADJUDICATOR = "adjudicator"


@dataclass(frozen=True, slots=True)
class Label(Record):
    """A code and the stance it is said with."""

    code: str
    stance: str

    def __str__(self) -> str:
        return f"{self.code} {self.stance}"


@dataclass(frozen=True, slots=True)
class Decision(Record):
    """One decision, in the order of its story: who, on what, what the machine had said, what the person says, how."""

    decision: str
    at: str
    coder: str
    unit: str
    kind: str
    service: str
    verdict: str
    labels: tuple[str, ...] = ()
    machine: str = ""
    role: str = Role.CODER
    sample: str = ""
    note: str = ""
    revealed: bool = False
    took_ms: int = 0
    codebook_sha256: str = ""

    @property
    def answered(self) -> bool:
        """Whether it says something about the unit (neither unsure nor withdrawn)."""
        return self.verdict in (Verdict.CONFIRM, Verdict.REJECT, Verdict.CORRECT, Verdict.CODE)

    def label_set(self) -> frozenset[Label]:
        """The labels that the coder says the unit carries; a finding's kind (X2) has no stance."""
        parts = (item.partition(" ") for item in self.labels)
        return frozenset(Label(code, stance) for code, _, stance in parts)


def read_label(text: str) -> Label:
    """``D04 PROMO`` as a label. Raises ``DecisionError`` for a code or stance that the codebook does not have."""
    code, _, stance = text.strip().partition(" ")
    codebook = load_codebook()
    code, stance = code.upper(), stance.strip().upper()
    if code not in codebook.code_ids:
        raise DecisionError(f"There is no code {code!r}. See: plainview codebook show")
    if stance not in codebook.stance_ids:
        raise DecisionError(f"There is no stance {stance!r}. Known are: {', '.join(codebook.stance_ids)}")
    return Label(code, stance)


def make_decision(
    *,
    coder: str,
    unit: str,
    kind: str,
    service: str,
    verdict: str,
    labels: Iterable[str] = (),
    machine: str = "",
    role: str = Role.CODER,
    sample: str = "",
    note: str = "",
    revealed: bool = False,
    took_ms: int = 0,
) -> Decision:
    """A decision that is sound in itself, not yet on record. Raises ``DecisionError`` for one that is not."""
    if not coder.strip():
        raise DecisionError("A decision needs the coder's name: --coder NAME or PLAINVIEW_ACTOR.")
    if len(note) > _LONGEST_NOTE:
        raise DecisionError(f"A note holds at most {_LONGEST_NOTE} characters; this one has {len(note)}.")
    if verdict not in set(Verdict):
        raise DecisionError(f"There is no verdict {verdict!r}. Known are: {', '.join(Verdict)}")
    given = () if verdict == Verdict.CONFIRM else labels
    named = tuple(sorted({str(read_label(item)) for item in given}))
    match verdict:
        case Verdict.CONFIRM:
            if not machine:
                raise DecisionError("Only a flag can be confirmed; a passage is coded.")
            named = (machine,)
        case Verdict.CORRECT if not named:
            raise DecisionError("A correction names the label that is right, for example D04 DISCLAIM.")
        case Verdict.CORRECT if named == (machine,):
            raise DecisionError(f"The correction equals what it corrects ({machine}); confirm it instead.")
        case Verdict.REJECT | Verdict.UNSURE | Verdict.WITHDRAWN if named:
            raise DecisionError(f"The verdict {verdict!r} carries no label.")
    return Decision(
        decision=f"D-{secrets.token_hex(6)}",
        at=clock.now(),
        coder=coder.strip(),
        unit=unit,
        kind=kind,
        service=service,
        verdict=verdict,
        labels=named,
        machine=machine,
        role=role,
        sample=sample,
        note=note,
        revealed=revealed,
        took_ms=took_ms,
        codebook_sha256=load_codebook().sha256,
    )


def record(case: Case, decision: Decision) -> Decision:
    """Put *decision* on the ledger; it is on the disk when this returns."""
    case.record(MADE, decision.as_json())
    return decision


def record_sheet(case: Case, decisions: Sequence[Decision], *, name: str, digest: str) -> int:
    """Put the decisions of a coding sheet on the ledger with the sheet's *name* and SHA-256."""
    for batch in _batches(decisions):
        case.record(IMPORTED, {"sheet": name, "sha256": digest, "decisions": [item.as_json() for item in batch]})
    return len(decisions)


def decisions_of(event: Event) -> list[Decision]:
    """The decisions that a ledger entry holds."""
    rows = [event.body] if event.event == MADE else event.body["decisions"]
    return [Decision.from_json(row) for row in rows]


def decisions(case: Case) -> list[Decision]:
    """Every decision of the case in the order of the ledger."""
    return [item for event in case.ledger.events(MADE, MERGED, IMPORTED) for item in decisions_of(event)]


def last_decisions(items: Iterable[Decision]) -> dict[tuple[str, str, str], Decision]:
    """What counts: for each (unit, coder, role) the last by time, without those that were withdrawn."""
    last: dict[tuple[str, str, str], Decision] = {}
    for item in items:
        key = (item.unit, item.coder, item.role)
        old = last.get(key)
        if old is None or (item.at, item.decision) >= (old.at, old.decision):
            last[key] = item
    return {key: item for key, item in last.items() if item.verdict != Verdict.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Settled:
    """What is held to be right for a unit, and how: ``adjudicated | agreed | single``; ``open`` where coders differ."""

    unit: str
    service: str
    how: str
    labels: frozenset[Label]
    coders: tuple[str, ...]


def settle(items: Iterable[Decision]) -> dict[str, Settled]:
    """The settled labels by unit. An adjudicator's word goes before agreement, agreement before a single coder's."""
    by_unit: dict[str, list[Decision]] = {}
    for item in last_decisions(items).values():
        if item.answered:
            by_unit.setdefault(item.unit, []).append(item)
    settled: dict[str, Settled] = {}
    for unit, found in by_unit.items():
        judged = [item for item in found if item.role == Role.ADJUDICATOR]
        coded = [item for item in found if item.role == Role.CODER]
        coders = tuple(sorted({item.coder for item in coded}))
        if judged:
            last = max(judged, key=lambda item: (item.at, item.decision))
            settled[unit] = Settled(unit, last.service, "adjudicated", last.label_set(), coders)
            continue
        sets = {item.label_set() for item in coded}
        how = "open" if len(sets) > 1 else "agreed" if len(coded) > 1 else "single"
        labels = next(iter(sets)) if len(sets) == 1 else frozenset()
        settled[unit] = Settled(unit, coded[0].service, how, labels, coders)
    return settled


# --- between copies of a case


def case_mark(case: Case) -> str:
    """What all copies of a case have in common: the hash of the entry that opened it."""
    for event in case.ledger.events("case.opened"):
        return event.hash
    return ""


def export_lines(case: Case, *, coder: str = "") -> Iterator[str]:
    """The decisions as JSON Lines for another copy of the case: a head line, then one line a decision."""
    lines = []
    for event in case.ledger.events(MADE, MERGED, IMPORTED):
        for item in decisions_of(event):
            if not coder or item.coder == coder:
                body = {"decision": item.as_json(), "entry": event.seq, "hash": event.hash}
                lines.append(canonical(body).decode())
    head = case.ledger.head()
    yield canonical(
        {
            "format": FORMAT,
            "case": case_mark(case),
            "ledger": {"count": head.count, "hash": head.hash},
            "count": len(lines),
            "sha256": sha256("\n".join(lines).encode()),
        }
    ).decode()
    yield from lines


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: decisions new here, and those that were known already."""

    new: int
    known: int
    coders: tuple[str, ...]


def merge(case: Case, text: str, *, name: str) -> Merged:
    """Take the decisions of another copy of this case; doing so twice changes nothing.

    Raises ``DecisionError`` where the file is not one, was cut short or changed, is of another case, or gives a decision
    on record here other words.
    """
    head, lines = _read_export(text, name)
    if head["case"] != case_mark(case):
        raise DecisionError(f"{name} comes from another case: its first entry is not the one that opened this case.")
    here = {item.decision: item for item in decisions(case)}
    new: list[Decision] = []
    for number, line in enumerate(lines, 2):
        try:
            item = Decision.from_json(json.loads(line)["decision"])
            make_decision(**_as_arguments(item))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise DecisionError(f"{name} line {number} is not a decision ({error}). Nothing was merged.") from error
        except DecisionError as error:
            raise DecisionError(f"{name} line {number}: {error} Nothing was merged.") from error
        old = here.get(item.decision)
        if old is not None and old != item:
            raise DecisionError(f"{name} line {number}: decision {item.decision} says something else here.")
        if old is None:
            here[item.decision] = item
            new.append(item)
    for batch in _batches(new):
        case.record(
            MERGED,
            {
                "file": name,
                "sha256": sha256(text.encode()),
                "ledger": head["ledger"],
                "decisions": [item.as_json() for item in batch],
            },
        )
    return Merged(len(new), len(lines) - len(new), tuple(sorted({item.coder for item in new})))


def _as_arguments(item: Decision) -> dict[str, Any]:
    made = item.as_json()
    return {name: made[name] for name in ("coder", "unit", "kind", "service", "verdict", "labels", "machine", "note")}


def _read_export(text: str, name: str) -> tuple[dict[str, Any], list[str]]:
    lines = text.splitlines()
    try:
        head = json.loads(lines[0])
        known = head["format"] == FORMAT and isinstance(head["count"], int) and bool(head["ledger"])
    except (IndexError, KeyError, TypeError, json.JSONDecodeError):
        known = False
    if not known:
        raise DecisionError(f"{name} is not a file of decisions. Make one with: plainview review export FILE.jsonl")
    body = [line for line in lines[1:] if line]
    if len(body) != head["count"] or sha256("\n".join(body).encode()) != head["sha256"]:
        raise DecisionError(f"{name} was cut short or changed since it was exported. Nothing was merged.")
    return head, body


def _batches(items: Sequence[Decision]) -> Iterator[Sequence[Decision]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
