"""The records of findings: what only several passages, pages, visits or services show, with every side of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from data.findings import STRENGTHS


@dataclass(frozen=True, slots=True)
class Side:
    """One thing that a finding rests on: a quotation, or an observation where no words are the point.

    ``quote`` is ``text[start:end]`` of text version ``text_id`` (``start`` is -1 where nothing is quoted). A thing that
    was seen several times carries its first and its last observation.
    """

    part: str
    """promise | counter | context | nearest | denial | trigger | before | after | same | seen"""
    service: str
    visit: str = ""
    observation: str = ""
    seen: str = ""
    last_observation: str = ""
    last_seen: str = ""
    url: str = ""
    page_role: str = ""
    text_id: str = ""
    ordinal: int = -1
    start: int = -1
    end: int = -1
    quote: str = ""
    says: str = ""
    """The proposition or identifier in words: "kept for 30 days", "tag TH-1"."""
    flags: tuple[str, ...] = ()
    text_sha256: str = ""
    stored_sha256: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes two sides the same thing, whenever it was seen."""
        return (self.part, self.service, self.url, " ".join(self.quote.split()).casefold(), self.says)


@dataclass(frozen=True, slots=True)
class Searched:
    """One page of a documented search: read, or not reached and why."""

    service: str
    url: str
    reached: bool
    page_role: str = ""
    observation: str = ""
    seen: str = ""
    outcome: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A possible indicator that no single passage shows. ``finding`` names it for as long as rule and subject stay."""

    finding: str
    kind: str
    rule: str
    services: tuple[str, ...]
    codes: tuple[str, ...]
    status: str
    """found | explained (a condition on the page explains it) | not_determinable | met (the thing sought was there)"""
    strength: str
    title: str
    reason: str
    sides: tuple[Side, ...] = ()
    searched: tuple[Searched, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    sensitive: bool = False

    @property
    def content_sha256(self) -> str:
        """The hash of everything the finding says and rests on: another one means that a decision was made on other grounds."""
        return digest(asdict(self))


def finding_id(*parts: object) -> str:
    """``X-`` and ten hex digits of what names the finding: its rule, its services and its subject."""
    named = json.dumps([str(part) for part in parts], ensure_ascii=False)
    return f"X-{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def digest(value: Any) -> str:
    """sha256 of a plain value in one spelling."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def weaker(strength: str, steps: int = 1) -> str:
    """*strength* some steps down; never below ``weak``."""
    return STRENGTHS[max(0, STRENGTHS.index(strength) - steps)]


def merged(sides: list[Side]) -> tuple[Side, ...]:
    """The same thing seen at several times becomes one side with its first and last observation, in a fixed order."""
    kept: dict[tuple[str, str, str, str, str], Side] = {}
    for side in sorted(sides, key=lambda item: (item.seen, item.observation, item.start)):
        first = kept.get(side.key)
        if first is None:
            kept[side.key] = replace(side, last_observation=side.observation, last_seen=side.seen)
        else:
            # Offsets and flags are those of the text version first seen.
            kept[side.key] = replace(first, last_observation=side.observation, last_seen=side.seen or first.last_seen)
    order = {
        part: number
        for number, part in enumerate(
            ("promise", "before", "trigger", "same", "counter", "after", "denial", "nearest", "context", "seen")
        )
    }
    return tuple(
        sorted(
            kept.values(),
            key=lambda item: (order.get(item.part, 99), item.service, item.seen, item.url, item.start, item.says),
        )
    )
