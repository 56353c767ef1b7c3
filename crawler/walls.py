"""Challenges, log-in walls, age gates and region blocks: recognised from text and headers, recorded, left alone."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from data.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Wall:
    """A wall that a page shows. ``whole`` says that there is nothing else on the page, so that it is the outcome."""

    rule: str
    outcome: Outcome
    reason: str
    whole: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    outcome: Outcome
    status: tuple[int, ...]
    header: re.Pattern[str] | None
    text: re.Pattern[str] | None
    html: re.Pattern[str] | None
    most: int
    hints: tuple[str, ...]


def find_walls(status: int | None, headers: tuple[tuple[str, str], ...], words: str, html: str) -> tuple[Wall, ...]:
    """Every wall that status, headers, visible *words* or *html* show, in the order of ``walls.toml``."""
    found = []
    lower = words.lower()
    for rule in _rules():
        if rule.status and status not in rule.status:
            continue
        if rule.hints and not any(hint in lower for hint in rule.hints):
            continue
        reason = _why(rule, status, headers, words, html)
        if reason:
            whole = not rule.most or len(words) <= rule.most
            found.append(Wall(rule.id, rule.outcome, reason, whole))
    return tuple(found)


def _why(rule: _Rule, status: int | None, headers: tuple[tuple[str, str], ...], words: str, html: str) -> str:
    if rule.header is not None:
        return next((f"header {name}" for name, value in headers if rule.header.search(f"{name}: {value}")), "")
    if rule.text is not None:
        match = rule.text.search(words)
        return f"it says “{' '.join(match.group().split())[:120]}”" if match else ""
    if rule.html is not None:
        # Scripts of this kind stand on many ordinary pages: only a page with nothing else on it is a challenge.
        if len(words) > rule.most:
            return ""
        return "its markup holds a challenge" if rule.html.search(html) else ""
    return f"status {status}"


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    values = tomllib.loads(resources.files("crawler").joinpath("walls.toml").read_text(encoding="utf-8"))
    return tuple(
        _Rule(
            id=row["id"],
            outcome=Outcome(row["outcome"]),
            status=tuple(row.get("status", ())),
            header=_compiled(row.get("header")),
            text=_compiled(row.get("text")),
            html=_compiled(row.get("html")),
            most=row.get("most", 0),
            hints=tuple(row.get("hints", ())),
        )
        for row in values["wall"]
    )


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None
