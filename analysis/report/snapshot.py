"""What a report is made of: the case at one moment, as plain records that any form of the report shows."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.listings.beside import Beside
from data.case import CaseFacts
from data.codebook import Code, Codebook
from data.law import Hook
from data.records import Service
from data.standing import SealState


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place and moment at which the words of an indicator were read. Offsets count characters of the text version."""

    url: str
    page_role: str
    seen: str
    profile: str
    fetcher: str
    observation: str
    text_sha256: str
    start: int
    end: int
    locator: str
    zone: str
    hidden: str
    text: int
    exhibit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one person decided on an indicator."""

    verdict: str
    coder: str
    role: str
    at: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indicator:
    """The same words with the same code and stance in the same passage of one service, wherever they were read."""

    flag: str
    code: str
    stance: str
    quote: str
    before: str
    after: str
    heading: str
    list_intro: str
    lang: str
    confidence: float
    rule: str
    raises: bool
    roles: tuple[str, ...]
    sightings: tuple[Sighting, ...]
    seen_times: int
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeGroup:
    """What one service says under one code: what raises, what stands against it, and what is only context."""

    code: Code
    hooks: tuple[Hook, ...]
    raising: tuple[Indicator, ...]
    contrary: tuple[Indicator, ...]
    context: tuple[Indicator, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One address that a visit asked for, and what came of each attempt at it."""

    url: str
    role: str
    title: str
    outcome: str
    reason: str
    rule: str
    status: str
    seen: str
    attempts: int
    fetchers: tuple[str, ...]
    indicators: int
    media_without_alt: int


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """One visit as its own record tells it."""

    visit: str
    started: str
    ended: str
    outcome: str
    reason: str
    observations: int
    addresses: int
    partial: tuple[str, ...]
    resumed: int
    environment: str
    head: str
    same_profile: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """A way on which a visitor was sent: the addresses in order, and the kind of each step."""

    steps: tuple[str, ...]
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotLooked:
    """Addresses that were seen and not asked for, for one reason."""

    decision: str
    rule: str
    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of thing that pages ask for or set, with each value and the number of addresses that do."""

    title: str
    note: str
    values: tuple[tuple[str, int], ...]
    more: int


@dataclass(frozen=True, slots=True)
class Side:
    """One thing that a finding rests on: words in their passage, or what was observed where no words are the point."""

    part: str
    service: str
    says: str
    before: str
    quote: str
    after: str
    url: str
    page_role: str
    seen: str
    last_seen: str
    text_sha256: str
    observation: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that only several passages, pages, visits or services show. ``searched`` counts pages read and not reached."""

    finding: str
    kind: str
    rule: str
    services: tuple[str, ...]
    codes: tuple[str, ...]
    status: str
    strength: str
    title: str
    reason: str
    sides: tuple[Side, ...]
    sides_more: int
    searched: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tie:
    """One identifier that a service shares with another one."""

    other: str
    dossier: int
    kind: str
    value: str
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two visits of a service at one address."""

    kind: str
    url: str
    from_seen: str
    to_seen: str
    before: str
    after: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything about one service."""

    number: int
    service: Service
    outcome: str
    reached: bool
    visits: tuple[VisitFacts, ...]
    pages: tuple[Page, ...]
    pages_more: int
    pages_with_text: int
    redirects: tuple[Redirect, ...]
    not_looked: tuple[NotLooked, ...]
    groups: tuple[CodeGroup, ...]
    asked: tuple[Asked, ...]
    findings: tuple[Finding, ...]
    ties: tuple[Tie, ...]
    ties_more: int
    changes: tuple[Change, ...]
    changes_more: int
    media_without_alt: int
    beside: Beside

    @property
    def indicators(self) -> int:
        """Number of indicators that raise a flag under a code that is scored."""
        return sum(len(group.raising) for group in self.groups if group.code.kind == "claim")

    @property
    def codes(self) -> tuple[str, ...]:
        """The scored codes with at least one such indicator."""
        return tuple(group.code.id for group in self.groups if group.raising and group.code.kind == "claim")


@dataclass(frozen=True, slots=True)
class QuotedText:
    """A stored text that this report quotes: where it was read, how to find it in the evidence, the exhibits from it."""

    number: int
    service: str
    dossier: int
    url: str
    seen: str
    text_sha256: str
    stored_sha256: str
    visit: str
    record: str
    exhibits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many services show a code. ``services`` counts each once, ``indicators`` counts different words."""

    code: Code
    services: int
    indicators: int


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How attempts ended: the outcome, the sentence that explains it, attempts and services."""

    outcome: str
    meaning: str
    attempts: int
    services: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one service's visits asked for and what they did not."""

    dossier: int
    service: str
    seen: int
    tried: int
    text: int
    other: int
    refused: int
    skipped: int
    not_reached: int


@dataclass(frozen=True, slots=True)
class Method:
    """How the material was obtained and read."""

    extractor: str
    codebook_sha256: str
    model_sha256: str
    analyzed: str
    environments: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    policies: tuple[tuple[tuple[str, str], ...], ...]
    user_agents: tuple[str, ...]
    robots: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The case at one moment, as a report tells it."""

    made: str
    facts: CaseFacts
    ledger_entries: int
    ledger_head: str
    seal: SealState
    first: str
    last: str
    dossiers: tuple[Dossier, ...]
    outcomes: tuple[tuple[str, int], ...]
    attempts: tuple[OutcomeCount, ...]
    coverage: tuple[Coverage, ...]
    not_looked: tuple[NotLooked, ...]
    codes: tuple[CodeCount, ...]
    facts_seen: tuple[CodeCount, ...]
    texts: tuple[QuotedText, ...]
    method: Method
    codebook: Codebook
    hooks: tuple[Hook, ...]
    passages_read: int
    texts_read: int
    left_out: tuple[str, ...] = ()
    media_without_alt: int = 0
    selected: tuple[str, ...] = ()
    undefined: tuple[tuple[str, int], ...] = ()
    masked: bool = False

    @property
    def reached(self) -> int:
        """Services of which at least one page was read."""
        return sum(dossier.reached for dossier in self.dossiers)

    @property
    def pages_with_text(self) -> int:
        """Different addresses, counted per service, of which text was kept."""
        return sum(dossier.pages_with_text for dossier in self.dossiers)

    @property
    def indicators(self) -> int:
        """Different indicators under scored codes."""
        return sum(dossier.indicators for dossier in self.dossiers)

    @property
    def with_indicator(self) -> int:
        """Services with at least one indicator under a scored code."""
        return sum(1 for dossier in self.dossiers if dossier.indicators)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding once, however many services it concerns."""
        return tuple({item.finding: item for dossier in self.dossiers for item in dossier.findings}.values())

    @property
    def reviewed(self) -> int:
        """Indicators under scored codes on which at least one person has decided."""
        return sum(
            bool(item.verdicts)
            for dossier in self.dossiers
            for group in dossier.groups
            if group.code.kind == "claim"
            for item in group.raising
        )
