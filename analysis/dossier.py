"""The dossier of a service: what was observed of it and what it says, as findings need it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import duckdb

from analysis.finding import Searched, Side, digest
from data.address import host, registrable
from data.records import Kind
from data.store import rows

OWN, LISTING, AD, ELSEWHERE = "own", "listing", "ad", "elsewhere"
"""Where a page stands: the service's own pages, its listing or advert on another host, or pages of others."""

_UNSEEN = frozenset({"title", "meta", "noscript", "script_text", "template", "jsonld"})


@dataclass(frozen=True, slots=True)
class Flag:
    """A label put down by the claims, inside its text version."""

    flag: str
    code: str
    stance: str
    start: int
    end: int
    confidence: float
    raises: bool
    sensitive: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage with its flags; offsets are those of the text version."""

    text_id: str
    ordinal: int
    start: int
    end: int
    zone: str
    role: str
    heading: str
    list_intro: str
    text: str
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A text version and its passages."""

    text_id: str
    page_role: str
    title: str
    h1: str
    text_sha256: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One observation of one page: what came of it, and the text it gave, if any."""

    observation: str
    visit: str
    seen: str
    url: str
    purpose: str
    profile: str
    fetcher: str
    role: str
    place: str
    outcome: str
    reason: str
    status: int | None
    redirect_to: str
    redirect_kind: str
    hops: tuple[dict[str, Any], ...]
    found_on: str
    depth: int
    stored_sha256: str
    text: Text | None
    facts: Mapping[str, Any]
    tls: Mapping[str, Any]
    server_ip: str

    @property
    def page_role(self) -> str:
        """The page's role as the text was read, else as the visit guessed."""
        return self.text.page_role if self.text else self.role

    @property
    def bare(self) -> bool:
        """Whether the text holds nothing that a reader would see: a page that its script has not drawn (yet)."""
        return self.text is not None and not any(passage.zone not in _UNSEEN for passage in self.text.passages)

    def side(self, part: str, passage: Passage | None = None, start: int = -1, end: int = -1, says: str = "") -> Side:
        """A side of a finding: *passage* of this look, or its stretch from *start* to *end* in the text version."""
        quote = ""
        flags: tuple[str, ...] = ()
        if passage is not None:
            if start < 0:
                start, end = passage.start, passage.end
            quote = passage.text[start - passage.start : end - passage.start]
            flags = tuple(sorted(flag.flag for flag in passage.flags if flag.start < end and start < flag.end))
        return Side(
            part=part,
            service="",
            visit=self.visit,
            observation=self.observation,
            seen=self.seen,
            url=self.url,
            page_role=self.page_role,
            text_id=self.text.text_id if self.text else "",
            ordinal=passage.ordinal if passage else -1,
            start=start,
            end=end,
            quote=quote,
            says=says,
            flags=flags,
            text_sha256=self.text.text_sha256 if self.text else "",
            stored_sha256=self.stored_sha256,
        )


@dataclass(frozen=True, slots=True)
class Unreached:
    """An address that a visit knew of and did not read."""

    visit: str
    url: str
    role: str
    decision: str
    rule: str
    reason: str
    link_text: str


@dataclass(frozen=True, slots=True)
class VisitSeen:
    """One visit as findings need it."""

    visit: str
    started: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Dossier:
    """Everything of one service, in the order of its visits."""

    service: str
    kind: str
    urls: tuple[str, ...]
    visits: tuple[VisitSeen, ...]
    looks: tuple[Look, ...]
    unreached: tuple[Unreached, ...]
    links: Mapping[str, str] = field(default_factory=dict)
    """The words of a link by its target, from the last visit that saw it."""

    def of_visit(self, visit: str) -> tuple[Look, ...]:
        """The looks of one visit."""
        return tuple(look for look in self.looks if look.visit == visit)

    @cached_property
    def read(self) -> tuple[Look, ...]:
        """Looks with text on the service's own pages, its listings and adverts."""
        return tuple(look for look in self.looks if look.text is not None and look.place != ELSEWHERE)

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Host and port of its own pages."""
        return tuple(sorted({urlsplit(look.url).netloc for look in self.looks if look.place == OWN}))

    def searched(self, visit: str) -> tuple[Searched, ...]:
        """The search log of one visit: pages read, and pages known of and not reached, each with its reason."""
        found: dict[str, Searched] = {}
        for look in self.of_visit(visit):
            if look.purpose in ("robots", "profile") or look.place == ELSEWHERE:
                continue
            reached = look.text is not None and not look.bare and look.outcome in ("ok", "unchanged", "age_gate")
            if look.url in found and found[look.url].reached:
                continue
            outcome, reason = (
                ("empty", "nothing that a reader would see was there") if look.bare else (look.outcome, look.reason)
            )
            found[look.url] = Searched(
                self.service, look.url, reached, look.page_role, look.observation, look.seen, outcome, reason
            )
        for item in self.unreached:
            if item.visit == visit and item.url not in found:
                found[item.url] = Searched(
                    self.service, item.url, False, item.role, "", "", item.decision, item.reason or item.rule
                )
        return tuple(found[url] for url in sorted(found))

    @cached_property
    def digest(self) -> str:
        """Changes when anything changes that findings of this service alone rest on."""
        return digest(
            [
                self.service,
                self.kind,
                self.urls,
                [[item.visit, item.outcome] for item in self.visits],
                [[look.observation, look.text.text_id if look.text else "", look.place] for look in self.looks],
            ]
        )


def dossiers(connection: duckdb.DuckDBPyConnection, names: Iterable[str] | None = None) -> Iterator[Dossier]:
    """The dossiers of *names* (all services where None), one after the other, in the order of their names.

    Services are read fifty at a time: one query a table for each lot, so that a case of any size passes through a
    bounded amount of memory.
    """
    services = rows(connection, "SELECT service, kind, urls FROM services ORDER BY service")
    known = {row["service"] for row in services}
    # A visit of a service that left the list is still evidence.
    for row in rows(connection, "SELECT DISTINCT service FROM visits ORDER BY service"):
        if row["service"] not in known:
            services.append({"service": row["service"], "kind": Kind.OTHER, "urls": []})
    owners = _owners(services)
    wanted = set(names) if names is not None else None
    chosen = sorted(
        (row for row in services if wanted is None or row["service"] in wanted), key=lambda row: row["service"]
    )
    for start in range(0, len(chosen), 50):
        yield from _lot(connection, chosen[start : start + 50], owners)


def _owners(services: Sequence[dict[str, Any]]) -> dict[str, set[str]]:
    """Which services have an entry on a host."""
    owners: dict[str, set[str]] = {}
    for row in services:
        for url in row["urls"]:
            owners.setdefault(urlsplit(url).netloc, set()).add(row["service"])
    return owners


def _lot(
    connection: duckdb.DuckDBPyConnection, lot: list[dict[str, Any]], owners: dict[str, set[str]]
) -> Iterator[Dossier]:
    names = [row["service"] for row in lot]
    texts = _texts(connection, names)
    visits: dict[str, list[VisitSeen]] = {}
    for row in rows(
        connection,
        "SELECT service, visit, started, outcome, reason FROM visits WHERE list_contains(?, service) ORDER BY started, visit",
        [names],
    ):
        visits.setdefault(row["service"], []).append(
            VisitSeen(row["visit"], row["started"], row["outcome"], row["reason"])
        )
    seen: dict[str, list[dict[str, Any]]] = {}
    for row in rows(
        connection,
        """SELECT o.service, o.observation, o.visit, o.seq, o.started, o.requested_url, o.purpose, o.profile, o.fetcher, o.role,
                  o.outcome, o.reason, o.status, o.redirect_to, o.redirect_kind, o.hops, o.found_on, o.depth,
                  o.stored_sha256, o.page, o.tls, o.server_ip, t.text_id
           FROM observations o JOIN visits v ON v.visit = o.visit
           LEFT JOIN observation_texts t ON t.observation = o.observation
           WHERE list_contains(?, o.service) ORDER BY v.started, o.visit, o.seq""",
        [names],
    ):
        seen.setdefault(row["service"], []).append(row)
    left: dict[str, list[Unreached]] = {}
    links: dict[str, dict[str, str]] = {}
    for row in rows(
        connection,
        """SELECT v.service, a.visit, a.url, a.role, a.decision, a.rule, a.reason, a.link_text
           FROM addresses a JOIN visits v ON v.visit = a.visit WHERE list_contains(?, v.service)
           ORDER BY v.started, a.visit, a.rowid""",
        [names],
    ):
        item = Unreached(
            row["visit"], row["url"], row["role"], row["decision"], row["rule"], row["reason"], row["link_text"]
        )
        left.setdefault(row["service"], []).append(item)
        if item.link_text:
            links.setdefault(row["service"], {})[item.url] = item.link_text
    for row in lot:
        service = row["service"]
        leads = {
            item["redirect_to"] for item in seen.get(service, ()) if item["redirect_to"] and item["purpose"] == "entry"
        }
        places = _Places(row["kind"], tuple(row["urls"]), owners, leads)
        looks = tuple(_look(item, places, texts) for item in seen.get(service, ()))
        read = {(look.visit, look.url) for look in looks}
        yield Dossier(
            service=service,
            kind=row["kind"],
            urls=tuple(row["urls"]),
            visits=tuple(visits.get(service, ())),
            looks=looks,
            unreached=_last(item for item in left.get(service, ()) if (item.visit, item.url) not in read),
            links=links.get(service, {}),
        )


def _last(items: Iterable[Unreached]) -> tuple[Unreached, ...]:
    """The last decision on each address of a visit."""
    found: dict[tuple[str, str], Unreached] = {}
    for item in items:
        found[(item.visit, item.url)] = item
    return tuple(found.values())


class _Places:
    """Tells a service's own pages from a listing on somebody else's host, and both from the pages of others.

    Own is the registrable domain of an entry address, or of where an entry address redirects to.
    """

    def __init__(
        self, kind: str, urls: tuple[str, ...], owners: Mapping[str, set[str]], leads: Iterable[str] = ()
    ) -> None:
        self.kind = kind
        self.own = {registrable(host(url)) for url in (*urls, *leads)}
        entries: dict[str, list[str]] = {}
        for url in urls:
            parts = urlsplit(url)
            entries.setdefault(parts.netloc, []).append(parts.path or "/")
        rooted = [host for host, paths in entries.items() if "/" in paths]
        self.limited = {
            host: tuple(paths)
            for host, paths in entries.items()
            if host not in rooted and (rooted or len(owners.get(host, ())) > 1 or kind in (Kind.APP_LISTING, Kind.AD))
        }

    def place(self, url: str, role: str) -> str:
        parts = urlsplit(url)
        paths = self.limited.get(parts.netloc)
        if paths is None:
            if self.own and registrable(host(url)) not in self.own:
                return ELSEWHERE
            return AD if role == "ad" else LISTING if role == "listing" else OWN
        path = parts.path or "/"
        if any(path == entry or path.startswith(entry.rstrip("/") + "/") for entry in paths):
            return AD if role == "ad" or self.kind == Kind.AD else LISTING
        return ELSEWHERE


def place_of(
    url: str, role: str, kind: str, urls: tuple[str, ...], owners: Mapping[str, set[str]] | None = None
) -> str:
    """Where a page stands for a service with the entry addresses *urls*; *owners* tells which services enter by a host."""
    return _Places(kind, urls, owners or {}).place(url, role)


def _look(row: dict[str, Any], places: _Places, texts: dict[str, Text]) -> Look:
    text = texts.get(row["text_id"] or "")
    role = text.page_role if text else row["role"]
    return Look(
        observation=row["observation"],
        visit=row["visit"],
        seen=row["started"],
        url=row["requested_url"],
        purpose=row["purpose"],
        profile=row["profile"],
        fetcher=row["fetcher"],
        role=row["role"],
        place=places.place(row["requested_url"], role),
        outcome=row["outcome"],
        reason=row["reason"],
        status=row["status"],
        redirect_to=row["redirect_to"],
        redirect_kind=row["redirect_kind"],
        hops=tuple(_json(row["hops"]) or ()),
        found_on=row["found_on"],
        depth=row["depth"],
        stored_sha256=row["stored_sha256"],
        text=text,
        facts=_json(row["page"]) or {},
        tls=_json(row["tls"]) or {},
        server_ip=row["server_ip"],
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


def _texts(connection: duckdb.DuckDBPyConnection, names: list[str]) -> dict[str, Text]:
    wanted = """SELECT DISTINCT t.text_id FROM observation_texts t JOIN observations o ON o.observation = t.observation
                WHERE list_contains(?, o.service)"""
    flags: dict[tuple[str, int], list[Flag]] = {}
    for row in rows(
        connection,
        f"""SELECT text_id, ordinal, flag, code, stance, start, "end", confidence, raises, sensitive FROM flags
            WHERE text_id IN ({wanted}) ORDER BY text_id, ordinal, start, "end", code, stance""",  # noqa: S608 - ours
        [names],
    ):
        flags.setdefault((row["text_id"], row["ordinal"]), []).append(
            Flag(
                row["flag"], row["code"], row["stance"], row["start"], row["end"], row["confidence"], row["raises"],
                row["sensitive"],
            )
        )  # fmt: skip
    passages: dict[str, list[Passage]] = {}
    cursor = connection.execute(
        f"""SELECT text_id, ordinal, start, "end", zone, role, heading, list_intro, text FROM passages
            WHERE text_id IN ({wanted}) ORDER BY text_id, ordinal""",  # noqa: S608 - ours
        [names],
    )
    while batch := cursor.fetchmany(5000):
        for values in batch:
            passages.setdefault(values[0], []).append(Passage(*(*values, tuple(flags.get((values[0], values[1]), ())))))
    return {
        row["text_id"]: Text(
            row["text_id"], row["page_role"], row["title"], row["h1"], row["text_sha256"],
            tuple(passages.get(row["text_id"], ())),
        )
        for row in rows(
            connection,
            f"SELECT text_id, page_role, title, h1, text_sha256 FROM texts WHERE text_id IN ({wanted})",  # noqa: S608
            [names],
        )
    }  # fmt: skip
