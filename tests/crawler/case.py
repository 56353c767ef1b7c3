"""A case in a temporary folder, and a sweep over it in this process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from crawler.sweep import Unit, run_units
from data.case import Case, CaseFacts, make_case
from data.records import AddressSeen, Observation, Service
from data.spool import read_addresses, read_attempts

POLICY = {
    "page_budget": "40",
    "delay_seconds": "0.0",
    "visits_at_once": "8",
    "render": '"never"',
    "profiles": "false",
    "allow_private": '["127.0.0.0/8", "::1/128"]',
    "timeout_seconds": "10.0",
    "page_seconds": "20.0",
}


def case_with(folder: Path, **policy: str) -> Case:
    """A case whose policy is ``POLICY`` with some lines changed; values are TOML."""
    lines = "\n".join(f"{name} = {value}" for name, value in (POLICY | policy).items())
    return make_case(folder / "case", CaseFacts(title="Test", authority="a test on loopback"), lines)


@dataclass
class Swept:
    """What a sweep left: observations and addresses by visit, and the events it sent."""

    case: Case
    events: list[object] = field(default_factory=list)

    def observations(self, visit: str = "v0") -> list[Observation]:
        return list(read_attempts(self.case.spool / visit))

    def addresses(self, visit: str = "v0") -> list[AddressSeen]:
        return list(read_addresses(self.case.spool / visit))

    def pages(self, visit: str = "v0") -> list[Observation]:
        return [item for item in self.observations(visit) if item.purpose in ("entry", "page")]

    def entry(self, visit: str = "v0") -> Observation:
        return self.pages(visit)[0]


def sweep(case: Case, *entries: str) -> Swept:
    """Visit each of *entries* as a service of its own: visit ``v0``, ``v1`` …"""
    swept = Swept(case)
    units = [Unit(f"v{number}", Service(f"s{number}", urls=(url,))) for number, url in enumerate(entries)]
    asyncio.run(run_units(case, units, swept.events.append))
    return swept
