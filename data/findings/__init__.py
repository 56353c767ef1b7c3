"""The rules of the findings as data: what is read as a proposition, what contradicts what, what is searched for, what links.

An attorney reads the TOML beside this module; nothing here knows any language. Patterns are regular expressions, matched
without regard to case on one sentence at a time, after curly quotes and odd spaces were made plain. ``<NAME>`` in a
pattern stands for a word family of ``words.toml``. The hash of all rules is recorded with every finding.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
_FAMILY: Final = re.compile(r"<([A-Z_]+)>")
STRENGTHS: Final = ("weak", "moderate", "strong")


class FindingRulesError(ValueError):
    """The rules of the findings cannot be read; the message names the file and the entry."""


@dataclass(frozen=True, slots=True)
class PropositionRule:
    """How one kind of proposition is recognised in a sentence, and what it then says."""

    id: str
    says: str
    subject: str
    act: str
    polarity: str
    patterns: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...] = ()
    requires: tuple[re.Pattern[str], ...] = ()
    """Patterns one of which must stand in the sentence or in what introduces it."""
    object: str = ""
    quantity: str = "none"
    """none | never | now | period | within | open | fixed: what the sentence says about time."""
    ban: str = "drop"
    """In a sentence or list that forbids: drop | keep (the proposition is itself a rule) | only (counts only there)."""
    quoted: bool = False
    """Whether it counts inside quotation marks, as copy handed to partners does."""
    code: str = ""
    flags: tuple[str, ...] = ()
    """``CODE STANCE`` of flags that say the same where no pattern saw it."""
    not_roles: tuple[str, ...] = ()
    """Pages where the words mean something else ("costs nothing", of a report)."""
    hints: re.Pattern[str] | None = None
    """Lower-case stretches one of which must occur before any pattern is tried; none = always tried."""


@dataclass(frozen=True, slots=True)
class ContradictionRule:
    """Two sets of propositions that do not go together, in words an attorney can read."""

    id: str
    kind: str
    title: str
    codes: tuple[str, ...]
    promise: tuple[str, ...]
    counter: tuple[str, ...]
    reason: str
    same_object: bool = False
    longer: bool = False
    """The counter's time must be longer than the promise's."""
    listing: bool = False
    """Only between a listing or advert and the service's own pages."""
    sensitive: bool = False
    explained: tuple[str, ...] = ()
    """Patterns in either sentence that make it a narrower case."""
    apart: tuple[str, ...] = ()
    """Patterns of what each side may speak of: where both name some and none in common, they speak of different things."""
    free_tier: bool = False
    """Whether a price page that offers something for nothing explains it."""
    strength: str = "strong"


@dataclass(frozen=True, slots=True)
class ObservationRule:
    """A claim that is held against what was observed; ``against`` names the observation the code knows how to make."""

    id: str
    title: str
    codes: tuple[str, ...]
    promise: tuple[str, ...]
    against: str
    reason: str
    strength: str = "strong"


@dataclass(frozen=True, slots=True)
class SearchRule:
    """What is looked for on every page of a service, and where it would stand if it were there."""

    id: str
    code: str
    title: str
    sought: str
    triggers: tuple[re.Pattern[str], ...]
    trigger_flags: tuple[str, ...]
    found: tuple[re.Pattern[str], ...]
    near: tuple[re.Pattern[str], ...]
    """What resembles the thing sought and is not it; shown beside the absence."""
    denied: tuple[re.Pattern[str], ...]
    """Words by which the service itself says that there is none."""
    roles: tuple[str, ...]
    """Pages where it would stand; one of them that was seen and not reached leaves the question open."""
    reason: str
    unless: tuple[re.Pattern[str], ...] = ()
    """Patterns in a trigger's sentence that make it none."""
    elements: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...] = ()
    offering: bool = False
    """Only for a service that itself offers the core function."""
    contested: bool = False
    """Whether the service's own word that there is none stands against its word that there is."""
    strength: str = "strong"


@dataclass(frozen=True, slots=True)
class DefectRule:
    """A fault of a process that exists."""

    id: str
    code: str
    title: str
    patterns: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...] = ()
    hours: int = 0
    """Above this many hours named in the sentence it is a fault; 0 where time is not the point."""


@dataclass(frozen=True, slots=True)
class IdentifierRule:
    """How an identifier that may tie services together is found, how much it says, and where it is looked for."""

    id: str
    title: str
    source: str
    """``facts`` (of the page's markup), ``text`` (its passages), ``tls`` or ``server``."""
    weight: float
    """How likely one owner is, where nobody else but the two share it."""
    common: int
    """From this many unrelated sites on it says nothing."""
    pattern: re.Pattern[str] | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """What a sentence can be about; ``words`` is how a reason names it."""

    id: str
    words: str
    patterns: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class FindingRules:
    """All of it, with the hash that findings are bound to."""

    propositions: tuple[PropositionRule, ...]
    contradictions: tuple[ContradictionRule, ...]
    observations: tuple[ObservationRule, ...]
    searches: tuple[SearchRule, ...]
    defects: tuple[DefectRule, ...]
    identifiers: tuple[IdentifierRule, ...]
    objects: tuple[ObjectRule, ...]
    reading: dict[str, re.Pattern[str]]
    words: dict[str, str]
    lists: dict[str, tuple[str, ...]]
    numbers: dict[str, float]
    version: str
    sha256: str

    def pattern(self, text: str) -> re.Pattern[str]:
        """A pattern of the tables, with its word families written out."""
        return _compiled(text, self.words, "code")


@cache
def load_rules(folder: Path = HERE) -> FindingRules:
    """Read the rules. Raises ``FindingRulesError`` for an unknown key, a missing word family or a broken pattern."""
    tables = {path.name: _toml(path) for path in sorted(folder.glob("*.toml"))}
    digest = hashlib.sha256(json.dumps(tables, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    words = _words(tables.get("words.toml", {}).get("words", {}))
    propositions = tuple(_proposition(row, words) for name in tables for row in tables[name].get("proposition", ()))
    known = {rule.id for rule in propositions}
    contradictions = tuple(
        _contradiction(row, known) for name in tables for row in tables[name].get("contradiction", ())
    )
    observations = tuple(
        ObservationRule(**_fields(row, ObservationRule)) for name in tables for row in tables[name].get("observed", ())
    )
    identifiers = tuple(_identifier(row, words) for name in tables for row in tables[name].get("identifier", ()))
    settings = tables.get("settings.toml", {})
    return FindingRules(
        propositions=propositions,
        contradictions=contradictions,
        observations=observations,
        searches=tuple(_search(row, words) for name in tables for row in tables[name].get("search", ())),
        defects=tuple(_defect(row, words) for name in tables for row in tables[name].get("defect", ())),
        identifiers=identifiers,
        objects=tuple(
            ObjectRule(row["id"], row["words"], _patterns(row, "patterns", words))
            for name in tables
            for row in tables[name].get("object", ())
        ),
        reading={
            name: _compiled("|".join(f"(?:{pattern})" for pattern in patterns), words, f"reading {name}")
            for name, patterns in tables.get("reading.toml", {}).get("reading", {}).items()
        },
        words=words,
        lists={name: tuple(value) for name, value in settings.get("lists", {}).items()},
        numbers=dict(settings.get("numbers", {})),
        version=str(settings.get("version", "1")),
        sha256=digest,
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise FindingRulesError(f"{path.name}: {error}") from error


def _words(raw: dict[str, str]) -> dict[str, str]:
    """Families may use families that stand before them."""
    words: dict[str, str] = {}
    for name, pattern in raw.items():
        words[name] = f"(?:{_spelled(pattern, words, f'word family {name}')})"
    return words


def _spelled(pattern: str, words: dict[str, str], where: str) -> str:
    def family(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise FindingRulesError(f"{where}: there is no word family <{match[1]}>")
        return words[match[1]]

    return _FAMILY.sub(family, pattern)


def _compiled(pattern: str, words: dict[str, str], where: str) -> re.Pattern[str]:
    try:
        return re.compile(_spelled(pattern, words, where), re.IGNORECASE)
    except re.error as error:
        raise FindingRulesError(f"{where}: {pattern!r} is no pattern: {error}") from error


def _patterns(row: dict[str, Any], key: str, words: dict[str, str]) -> tuple[re.Pattern[str], ...]:
    return tuple(_compiled(pattern, words, f"{row.get('id')} {key}") for pattern in row.get(key, ()))


def _fields(row: dict[str, Any], kind: type) -> dict[str, Any]:
    known = {item.name for item in fields(kind)}
    for key in row:
        if key not in known:
            raise FindingRulesError(f"{row.get('id', '?')}: unknown key {key!r}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _proposition(row: dict[str, Any], words: dict[str, str]) -> PropositionRule:
    values = _fields(row, PropositionRule)
    values["patterns"] = _patterns(row, "patterns", words)
    values["unless"] = _patterns(row, "unless", words)
    values["requires"] = _patterns(row, "requires", words)
    if row.get("hints"):
        values["hints"] = re.compile("|".join(re.escape(hint) for hint in row["hints"]))
    return PropositionRule(**values)


def _contradiction(row: dict[str, Any], known: set[str]) -> ContradictionRule:
    rule = ContradictionRule(**_fields(row, ContradictionRule))
    for name in (*rule.promise, *rule.counter):
        if name not in known:
            raise FindingRulesError(f"{rule.id}: there is no proposition {name!r}")
    return rule


def _search(row: dict[str, Any], words: dict[str, str]) -> SearchRule:
    values = _fields(row, SearchRule)
    for key in ("triggers", "found", "near", "denied", "unless"):
        values[key] = _patterns(row, key, words)
    values["trigger_flags"] = tuple(row.get("trigger_flags", ()))
    values["elements"] = tuple(
        (name, tuple(_compiled(pattern, words, f"{row['id']} {name}") for pattern in patterns))
        for name, patterns in row.get("elements", {}).items()
    )
    return SearchRule(**values)


def _defect(row: dict[str, Any], words: dict[str, str]) -> DefectRule:
    values = _fields(row, DefectRule)
    values["patterns"] = _patterns(row, "patterns", words)
    values["unless"] = _patterns(row, "unless", words)
    return DefectRule(**values)


def _identifier(row: dict[str, Any], words: dict[str, str]) -> IdentifierRule:
    values = _fields(row, IdentifierRule)
    if row.get("pattern"):
        # Names of companies and codes depend on capitals, so these patterns alone keep them.
        values["pattern"] = re.compile(_spelled(row["pattern"], words, row["id"]))
    return IdentifierRule(**values)
