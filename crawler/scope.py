"""Which addresses a visit may ask for: ordered rules from ``scope.toml``, each decision with its rule (design section 6)."""

from __future__ import annotations

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from crawler import guard
from data import address


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision on one address: ``fetch`` or ``skip``, the rule that decided, and its reason."""

    decision: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    when: str
    decision: str
    reason: str
    value: Any = None


class Scope:
    """The addresses of one service. Hosts that an entry address redirects to, or a listing names as its own, join it.

    *listed* are the entries that stand on somebody else's site (a store, a messenger, an ad library): of such a site only
    what lies below the entry is the service's.
    """

    def __init__(self, entries: tuple[str, ...], listed: tuple[str, ...] = ()) -> None:
        self._entries = {address.identity(url) for url in entries}
        self._sites = {site(url) for url in entries}
        own = {site(url) for url in entries if url not in listed}
        self._stores = {site(url) for url in listed} - own
        self._listed = listed
        self._paths: Counter[str] = Counter()
        self._rules = [(rule, _TESTS[rule.when]) for rule in load_rules()]

    def rule_on(self, url: str, *, redirected_from_entry: bool = False, seam: bool = False) -> Ruling:
        """Decide on a canonical address. The last rule always fits, so there is always exactly one decision."""
        facts = _Facts(url, redirected_from_entry, seam)
        for rule, test in self._rules:
            if test(self, facts, rule.value):
                if rule.when in ("is_redirect_from_entry", "is_seam"):
                    self._sites.add(site(url))
                return Ruling(rule.decision, rule.id, rule.reason)
        raise AssertionError("scope.toml must end with a rule that always fits")

    def is_own(self, url: str) -> bool:
        """Whether a canonical http(s) address lies on one of the service's sites."""
        return site(url) in self._sites

    def is_elsewhere_in_store(self, url: str) -> bool:
        """Whether a canonical http(s) address lies on a store's site and not below one of the service's entries there."""
        return site(url) in self._stores and not any(_is_below(url, entry) for entry in self._listed)


@dataclass(frozen=True, slots=True)
class _Facts:
    url: str
    redirected_from_entry: bool
    seam: bool = False

    @property
    def path(self) -> str:
        return self.url.partition("://")[2].partition("/")[2]


@functools.cache
def load_rules() -> tuple[_Rule, ...]:
    """The rules in order. Raises ``ValueError`` if one names a test that does not exist."""
    values = tomllib.loads(resources.files("crawler").joinpath("scope.toml").read_text(encoding="utf-8"))
    rules = tuple(_Rule(**row) for row in values["rule"])
    for rule in rules:
        if rule.when not in _TESTS:
            raise ValueError(f"scope.toml: rule {rule.id} names an unknown test {rule.when!r}")
    return rules


def site(url: str) -> str:
    """What two addresses of one site share: the registrable domain, or host and port where the host is an IP address."""
    name = address.host(url)
    if name[:1] == "[" or name.replace(".", "").isdigit():
        return address.origin(url).partition("://")[2]
    return address.registrable(name)


def _is_below(url: str, entry: str) -> bool:
    """Whether *url* is about what *entry* is about: a page under its path, or one with the same entry in its query."""
    head, _, query = address.identity(entry).partition("?")
    other, _, asked = address.identity(url).partition("?")
    if query:
        return address.origin(url) == address.origin(entry) and set(query.split("&")) <= set(asked.split("&"))
    return other == head or other.startswith(head.rstrip("/") + "/")


def _deeper(_: Scope, facts: _Facts, value: int) -> bool:
    return facts.path.partition("?")[0].count("/") > value


def _repeats(_: Scope, facts: _Facts, value: int) -> bool:
    segments = [part for part in facts.path.partition("?")[0].split("/") if part]
    return len(segments) >= value and max(Counter(segments).values()) >= value


def _same_path(scope: Scope, facts: _Facts, value: int) -> bool:
    head, mark, _ = facts.url.partition("?")
    if not mark:
        return False
    scope._paths[head] += 1
    return scope._paths[head] > value


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


_TESTS: dict[str, Callable[[Scope, _Facts, Any], bool]] = {
    "scheme_is_not_http": lambda scope, facts, value: not facts.url.startswith(("http://", "https://")),
    "has_credentials": lambda scope, facts, value: "@" in facts.url.partition("://")[2].partition("/")[0],
    "longer_than": lambda scope, facts, value: len(facts.url) > value,
    "carries_payload": lambda scope, facts, value: guard.carries_payload(facts.url),
    "is_entry": lambda scope, facts, value: address.identity(facts.url) in scope._entries,
    "names_media": lambda scope, facts, value: bool(guard.media_ending(facts.url.partition(":")[2])),
    "path_matches": lambda scope, facts, value: bool(_pattern(value).search(facts.path)),
    "is_redirect_from_entry": lambda scope, facts, value: facts.redirected_from_entry,
    "is_seam": lambda scope, facts, value: facts.seam,
    "is_elsewhere_in_store": lambda scope, facts, value: scope.is_elsewhere_in_store(facts.url),
    "is_off_site": lambda scope, facts, value: not scope.is_own(facts.url),
    "path_deeper_than": _deeper,
    "segment_repeats": _repeats,
    "same_path_more_than": _same_path,
    "always": lambda scope, facts, value: True,
}
