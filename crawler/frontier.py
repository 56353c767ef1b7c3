"""The queue of one visit: every address seen ends in one decision; what matters to a reviewer comes first."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from crawler import guard
from crawler.page import Link
from crawler.scope import Scope
from data import address
from data.records import AddressSeen
from data.roles import page_role
from data.spool import Spool

# What is fetched first when the page budget is small (design section 6): one page of each role in this order, then the
# second page of each role, and so on; roles that repeat without end (a blog) so get a sample.
ROLE_ORDER = (
    "home",
    "pricing",
    "faq",
    "terms",
    "privacy",
    "refund",
    "contact",
    "report",
    "affiliate",
    "listing",
    "ad",
    "help",
    "other",
    "blog",
    "news",
    "forum",
)
_RANK = {role: rank for rank, role in enumerate(ROLE_ORDER)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address in scope that waits to be fetched."""

    url: str
    role: str
    depth: int
    found_on: str
    hops: tuple[dict[str, Any], ...] = ()
    retry_of: str = ""


@dataclass(slots=True)
class Frontier:
    """Addresses seen in one visit, each decided once. *spool* keeps every decision."""

    spool: Spool
    scope: Scope
    _seen: set[str] = field(default_factory=set)
    _heap: list[tuple[int, int, int, int, Candidate]] = field(default_factory=list)
    _per_role: Counter[str] = field(default_factory=Counter)
    _count: int = 0

    def take_up(self) -> None:
        """After an interruption: know again what was seen, and queue what was decided but never attempted."""
        done = {
            address.identity(item.requested_url)
            for item in self.spool.observations
            if item.purpose in ("page", "entry")
        }
        cut_off = set(self.spool.cut_off)
        for seen in self.spool.addresses:
            key = address.identity(seen.url)
            self._seen.add(key)
            if seen.rule == "scope.redirected":
                self.scope.rule_on(seen.url, redirected_from_entry=True)
            elif seen.rule == "scope.seam":
                self.scope.rule_on(seen.url, seam=True)
            if seen.decision == "candidate" and key not in done:
                hops = tuple({"kind": "link", "url": url} for url in seen.hop_path)
                retry = "interrupted" if seen.url in cut_off else ""
                self._push(Candidate(seen.url, seen.role, seen.depth, seen.found_on, hops, retry))

    def offer(
        self,
        link: Link,
        *,
        found_on: str,
        depth: int,
        hops: tuple[dict[str, Any], ...] = (),
        from_entry: bool = False,
    ) -> bool:
        """Decide on an address the visit came across; queue it if it is in scope. False if it was seen before."""
        key = address.identity(link.url)
        if key in self._seen:
            return False
        self._seen.add(key)
        ruling = self.scope.rule_on(link.url, redirected_from_entry=from_entry, seam=link.kind == "seam")
        role, _ = page_role(link.url, link.text)
        fetch = ruling.decision == "fetch"
        self.spool.see(
            AddressSeen(
                # An address outside the scope can be anything, a payload too; one inside holds nothing to take out.
                url=guard.scrub(link.url[:4000]).text,
                decision="candidate" if fetch else "skipped",
                rule=ruling.rule,
                reason=ruling.reason,
                role=role,
                depth=depth,
                found_on=found_on,
                hop_path=tuple(str(hop["url"]) for hop in hops),
                link_text=link.text[:200],
            )
        )
        if fetch:
            self._push(Candidate(link.url, role, depth, found_on, hops))
        return True

    def put(self, candidate: Candidate) -> None:
        """Queue an address that was decided on before, to be asked for once more."""
        self._push(candidate)

    def pop(self) -> Candidate | None:
        """The next address to fetch, or None when none waits."""
        return heapq.heappop(self._heap)[-1] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)

    def leave(self, rule: str, reason: str) -> int:
        """Put on record that what still waits is not fetched, and why. Returns how many there were."""
        left = 0
        while (candidate := self.pop()) is not None:
            self.refuse(candidate, rule, reason)
            left += 1
        return left

    def refuse(self, candidate: Candidate, rule: str, reason: str) -> None:
        """Put on record that one candidate is not fetched after all."""
        self.spool.see(
            AddressSeen(
                url=candidate.url,
                decision="not_reached",
                rule=rule,
                reason=reason,
                role=candidate.role,
                depth=candidate.depth,
                found_on=candidate.found_on,
            )
        )

    def _push(self, candidate: Candidate) -> None:
        rank = self._per_role[candidate.role]
        self._per_role[candidate.role] += 1
        self._count += 1
        order = _RANK.get(candidate.role, len(_RANK))
        # Entry addresses and where they redirect to come before everything.
        first = -1 if candidate.depth == 0 else rank
        heapq.heappush(self._heap, (first, order, candidate.depth, self._count, candidate))
