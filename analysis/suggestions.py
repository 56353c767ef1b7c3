"""What is on record that could be under review as well: a list for a person to accept from. Nothing is added by itself.

Two kinds. An *address of a listed service*: what its listing or advertisement leads to, a mirror that it names. And a
*service of its own*: where links with affiliate parameters lead, a developer's other offers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from data import address
from data.canonical import sha256
from data.records import Kind, Service
from data.store import rows

_HOST: Final = re.compile(
    r"(?<![\w@./-])((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})(?![\w@-])", re.IGNORECASE
)
_FILES: Final = frozenset(
    {"js", "css", "html", "htm", "php", "png", "jpg", "jpeg", "gif", "webp", "pdf", "zip", "apk", "exe", "txt"}
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One address to review: for which service, why, and where that was read."""

    id: str
    service: str
    new: bool
    kind: str
    url: str
    source: str
    rule: str
    reason: str
    found_on: str
    observation: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to come upon an address. ``same`` says that it is the same service's."""

    id: str
    same: bool
    kind: str
    source: str
    reason: str


RULES: Final = {
    rule.id: rule
    for rule in (
        Rule("seam.developer-site", True, Kind.WEBSITE, "app_store", "the listing names it as the developer's own site"),
        Rule("seam.privacy", True, Kind.WEBSITE, "app_store", "the listing names it as the privacy policy"),
        Rule("seam.landing", True, Kind.WEBSITE, "ad", "an advertisement, a bot or a preview leads there"),
        Rule("mirror.named", True, Kind.WEBSITE, "referral", "the service names it as another address of its own"),
        Rule("mirror.canonical", True, Kind.WEBSITE, "referral", "its pages give it as their main or other-language address"),
        Rule("apps.developer", False, Kind.APP_LISTING, "app_store", "the same developer's other offers"),
        Rule("affiliate.link", False, Kind.WEBSITE, "referral", "links with an affiliate's parameter lead there"),
    )
}  # fmt: skip
_FIELD_RULES: Final = {
    "developer_site": "seam.developer-site",
    "privacy_link": "seam.privacy",
    "landing": "seam.landing",
    "other_apps": "apps.developer",
}


def suggest(connection: duckdb.DuckDBPyConnection, services: dict[str, Service]) -> list[Suggestion]:
    """Everything that could be added, the surest first, each address once; what is on the list already is left out."""
    listed = _Listed(services)
    found: dict[tuple[str, str], Suggestion] = {}
    for item in (*_from_listings(connection), *_from_pages(connection), *_from_mirrors(connection)):
        if item.service not in services or not listed.is_news(item):
            continue
        named = item if RULES[item.rule].same else replace(item, service=_name(item), new=True)
        key = (named.service, address.identity(named.url))
        if key in found:
            found[key] = replace(found[key], times=found[key].times + 1)
        else:
            found[key] = replace(named, id=f"S-{sha256(f'{named.service} {named.url} {named.rule}'.encode())[:6]}")
    order = {name: number for number, name in enumerate(RULES)}
    return sorted(found.values(), key=lambda item: (order[item.rule], item.service, item.url))


class _Listed:
    def __init__(self, services: dict[str, Service]) -> None:
        self._own = {name: {_site(url) for url in service.urls} for name, service in services.items()}
        self._urls = {address.identity(url) for service in services.values() for url in service.urls}
        self._all = set().union(*self._own.values()) if self._own else set()

    def is_news(self, item: Suggestion) -> bool:
        """Whether an address is neither on the list nor, for the same service, on a site that its visits cover anyway."""
        if address.identity(item.url) in self._urls:
            return False
        one = _site(item.url)
        if RULES[item.rule].same:
            return one not in self._own.get(item.service, set())
        # A developer's page in a store is news although the store is on the list for another of its pages.
        return item.rule == "apps.developer" or one not in self._all


def _site(url: str) -> str:
    name = address.host(url)
    if name[:1] == "[" or name.replace(".", "").isdigit():
        return address.origin(url).partition("://")[2]
    return address.registrable(name)


def _name(item: Suggestion) -> str:
    return address.host(item.url) if item.rule != "apps.developer" else f"{item.service}: other offers"


def _from_listings(connection: duckdb.DuckDBPyConnection) -> Iterator[Suggestion]:
    for row in rows(
        connection,
        """SELECT service, field, value, url, observation, kind FROM listings
           WHERE state = 'present' AND NOT held AND field IN ('developer_site', 'privacy_link', 'landing', 'other_apps')
           ORDER BY service, seen, observation, ordinal""",
    ):
        rule = _FIELD_RULES[row["field"]]
        url = _address(row["value"], row["url"])
        if url:
            yield _suggestion(rule, row["service"], url, row["url"], row["observation"])


def _from_pages(connection: duckdb.DuckDBPyConnection) -> Iterator[Suggestion]:
    linked = {
        (row["found_on"], row["host"]): row["url"]
        for row in rows(
            connection,
            """SELECT found_on, regexp_extract(url, '^https?://([^/:]+)', 1) AS host, min(url) AS url FROM addresses
               WHERE rule = 'scope.off-site' GROUP BY ALL""",
        )
    }
    for row in rows(
        connection,
        """SELECT service, requested_url AS url, observation,
                  from_json(page->'affiliate_params', '["VARCHAR"]') AS affiliate, page->>'canonical' AS canonical,
                  from_json(page->'alternates', '["VARCHAR"]') AS alternates
           FROM observations WHERE page IS NOT NULL ORDER BY service, started, observation""",
    ):
        for entry in row["affiliate"] or ():
            host = entry.partition(" ")[0]
            # The link itself says scheme and port; the page's facts name only its host.
            met = linked.get((row["observation"], host))
            url = f"{address.origin(met)}/" if met else _address(f"https://{host}/", "")
            if url:
                yield _suggestion("affiliate.link", row["service"], url, row["url"], row["observation"])
        for other in (row["canonical"], *(row["alternates"] or ())):
            url = _address(other or "", "")
            if url and _site(url) != _site(row["url"]):
                home = f"{address.origin(url)}/"
                yield _suggestion("mirror.canonical", row["service"], home, row["url"], row["observation"])


def _from_mirrors(connection: duckdb.DuckDBPyConnection) -> Iterator[Suggestion]:
    for row in rows(
        connection,
        """SELECT service, passage, url, observation FROM flags_seen f
           WHERE code = 'E01' AND NOT sensitive AND stance IN ('PROMO', 'UI', 'UNCLEAR') AND NOT EXISTS (
               SELECT 1 FROM flags s WHERE s.text_id = f.text_id AND s.ordinal = f.ordinal AND s.sensitive)
           ORDER BY service, seen, observation, start""",
    ):
        for match in _HOST.finditer(row["passage"]):
            name = match[1].lower()
            if name.rpartition(".")[2] in _FILES:
                continue
            url = _address(f"https://{name}/", "")
            if url and (not row["url"].startswith("http") or _site(url) != _site(row["url"])):
                yield _suggestion("mirror.named", row["service"], url, row["url"], row["observation"])


def _suggestion(rule: str, service: str, url: str, found_on: str, observation: str) -> Suggestion:
    known = RULES[rule]
    return Suggestion(
        id="",
        service=service,
        new=False,
        kind=str(known.kind),
        url=url,
        source=known.source,
        rule=rule,
        reason=known.reason,
        found_on=found_on,
        observation=observation,
    )


def _address(text: str, base: str) -> str:
    """*text* as an address of the web; a bare host is one too. Empty where it is none."""
    text = text.strip()
    if not text or " " in text:
        return ""
    if "://" not in text and _HOST.fullmatch(text.partition("/")[0]):
        text = f"https://{text}"
    try:
        url = address.canonical(text, base if base.startswith(("http://", "https://")) else "")
    except address.BadAddress:
        return ""
    if not url.startswith(("http://", "https://")) or "@" in url.partition("://")[2].partition("/")[0]:
        return ""
    return url
