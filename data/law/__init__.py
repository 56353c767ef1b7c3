"""Law and referral routes as dated data: one row a hook, never code, because the law moves and the tool must not argue it."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
CONFIDENCES: Final = ("primary", "secondary", "recalled", "unsure")


class LawError(ValueError):
    """A law table cannot be read; the message names the file and the row."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A provision a claim *may* bear on. ``confidence`` says how the row was checked, ``as_of`` when."""

    id: str
    title: str
    citation: str
    elements: tuple[str, ...]
    evidence: str
    routes: tuple[str, ...]
    caution: str
    status: str
    as_of: datetime.date
    confidence: str


@dataclass(frozen=True, slots=True)
class ReferralRoute:
    """A body that takes reports: name, who it is for, and when the row was checked. No links."""

    id: str
    name: str
    body: str
    for_whom: str
    note: str
    as_of: datetime.date


@dataclass(frozen=True, slots=True)
class Law:
    """All hooks, the meaning of remedy-route letters, and the referral routes."""

    hooks: dict[str, Hook]
    routes: dict[str, str]
    referrals: dict[str, ReferralRoute]


def _hook(row: dict[str, Any]) -> Hook:
    return Hook(
        id=row["id"],
        title=row["title"],
        citation=row["citation"],
        elements=tuple(row["elements"]),
        evidence=row["evidence"],
        routes=tuple(row["routes"]),
        caution=row["caution"],
        status=row["status"],
        as_of=row["as_of"],
        confidence=row["confidence"],
    )


@cache
def load_law() -> Law:
    """Read the tables that travel with the package. Raises LawError naming the file."""
    hooks: dict[str, Hook] = {}
    routes: dict[str, str] = {}
    referrals: dict[str, ReferralRoute] = {}
    for file in sorted(HERE.glob("*.toml")):
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            routes.update(content.get("routes", {}))
            for row in content.get("hook", []):
                if row["id"] in hooks:
                    raise LawError(f"hook '{row['id']}' stands twice")
                hooks[row["id"]] = _hook(row)
            for row in content.get("route", []):
                referrals[row["id"]] = ReferralRoute(**row)
        except (tomllib.TOMLDecodeError, KeyError, TypeError, LawError) as error:
            raise LawError(f"{file.name}: {error}") from error
    return Law(hooks, routes, referrals)


def lint_law(law: Law) -> list[str]:
    """Every fault of the tables as one sentence."""
    faults = [
        f"{hook.id}: no remedy route '{letter}'"
        for hook in law.hooks.values()
        for letter in hook.routes
        if letter not in law.routes
    ]
    faults.extend(
        f"{hook.id}: confidence '{hook.confidence}' is none of {', '.join(CONFIDENCES)}"
        for hook in law.hooks.values()
        if hook.confidence not in CONFIDENCES
    )
    faults.extend(
        f"{route.id}: a referral route carries no link"
        for route in law.referrals.values()
        if "://" in f"{route.name}{route.body}{route.note}"
    )
    return faults
