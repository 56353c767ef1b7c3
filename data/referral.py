"""The closed queue: flags that leave the general review, who opened them and why, and the visits they halt.

Nothing here is sent anywhere. A named officer opens an item with a reason; what refers to minors needs a second person who
acts under another account. Every step is on the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import duckdb

from data.case import Case
from data.codebook import load_codebook
from data.ledger import actor
from data.store import reading, rows

REQUESTED, OPENED, NUMBERED, CLOSED = "referral.requested", "referral.opened", "referral.numbered", "referral.closed"
HALTED, RELEASED = "service.halted", "service.released"
HARM_CODE = "U06"
# On these pages the host is a store or an ad library, which carries many services.
_SHARED_PAGES = frozenset({"listing", "ad"})


class ReferralError(ValueError):
    """The step is not open to this person or in this state; the message says what to do. Nothing was shown."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the queue, without a word of the page."""

    item: str
    service: str
    code: str
    title: str
    page_role: str
    places: int
    seen: str
    state: str
    """``waiting | requested | opened | numbered | closed``"""
    persons: int
    """How many persons it takes to open it: two wherever the passage refers to minors."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of an item, for the officer who opened it."""

    item: str
    passage: str
    quote_start: int
    quote_end: int
    heading: str
    list_intro: str
    urls: tuple[str, ...]
    observations: tuple[str, ...]


_QUEUE = """
SELECT unit AS item, any_value(service) AS service, any_value(code) AS code, any_value(page_role) AS page_role,
       count(DISTINCT url) AS places, min(seen) AS seen, list(DISTINCT url ORDER BY url) AS urls, bool_or(sensitive) AS sensitive
FROM units WHERE raises AND (sensitive OR code = ?) GROUP BY unit ORDER BY service, item
"""
_WORDS = """
SELECT unit, passage, quote_start, quote_end, heading, list_intro, url, observation FROM units
WHERE unit = ? ORDER BY seen, observation
"""


def queue(case: Case, connection: duckdb.DuckDBPyConnection) -> list[Item]:
    """The closed queue: what was raised with a code that refers to minors or to use meant to harm somebody."""
    states = _states(case)
    titles = {code.id: code.title for code in load_codebook().codes}
    return [
        Item(
            item=row["item"],
            service=row["service"],
            code=row["code"],
            title=titles.get(row["code"], ""),
            page_role=row["page_role"],
            places=row["places"],
            seen=row["seen"],
            state=states.get(row["item"], "waiting"),
            persons=2 if row["sensitive"] else 1,
        )
        for row in rows(connection, _QUEUE, [HARM_CODE])
    ]


def _states(case: Case) -> dict[str, str]:
    return {
        event.body["item"]: event.event.partition(".")[2]
        for event in case.ledger.events(REQUESTED, OPENED, NUMBERED, CLOSED)
    }


def find_item(case: Case, connection: duckdb.DuckDBPyConnection, name: str) -> Item:
    """The item called *name*. Raises ``ReferralError`` where there is none."""
    for item in queue(case, connection):
        if item.item == name:
            return item
    raise ReferralError(f"{name} is not in the closed queue. See: plainview refer list")


def request(case: Case, item: Item, *, officer: str, reason: str) -> None:
    """First step of two: the named officer asks, with a reason; a second person has to agree under another account."""
    _check_officer(case, officer)
    _check_reason(reason)
    case.record(REQUESTED, {"item": item.item, "service": item.service, "officer": officer, "reason": reason})


def open_item(
    case: Case,
    connection: duckdb.DuckDBPyConnection,
    item: Item,
    *,
    officer: str,
    reason: str = "",
    second: str = "",
) -> Words:
    """Record that the item is opened, and only then give its words.

    For one person: *officer* and *reason*. For two: the officer has asked before (``request``), and the *second* person
    opens, named, acting under another account than the officer did. Raises ``ReferralError``.
    """
    _check_officer(case, officer)
    body: dict[str, Any] = {"item": item.item, "service": item.service, "officer": officer}
    if item.persons == 2:
        asked = _last_request(case, item.item)
        if asked is None:
            raise ReferralError(
                f"{item.item} takes two persons. First the officer asks: plainview refer open {item.item} --officer NAME "
                "--reason TEXT. Then a second person agrees, under an account of their own, with --second NAME."
            )
        if not second.strip():
            raise ReferralError(
                f"{item.item} was asked for at {asked.at}; it waits for a second person: --second NAME, under another account."
            )
        if second.strip().casefold() == officer.casefold() or actor() == asked.actor:
            raise ReferralError(
                "The second person must be somebody else, acting under another account (PLAINVIEW_ACTOR or the login) than "
                f"{asked.actor!r}, who asked."
            )
        body |= {"reason": asked.body["reason"], "second": second.strip(), "asked_by": asked.actor}
    else:
        _check_reason(reason)
        body["reason"] = reason
    found = rows(connection, _WORDS, [item.item])
    case.record(OPENED, body)
    first = found[0]
    return Words(
        item.item,
        first["passage"],
        first["quote_start"],
        first["quote_end"],
        first["heading"],
        first["list_intro"],
        tuple(dict.fromkeys(row["url"] for row in found)),
        tuple(dict.fromkeys(row["observation"] for row in found)),
    )


def _last_request(case: Case, item: str) -> Any:
    last = None
    for event in case.ledger.events(REQUESTED, OPENED, CLOSED):
        if event.body["item"] == item:
            last = event if event.event == REQUESTED else None
    return last


def note_number(case: Case, item: Item, *, officer: str, route: str, number: str) -> None:
    """Put on record where the officer reported it and the reference number given there. The report itself is not here."""
    from data.law import load_law

    _check_officer(case, officer)
    if route not in load_law().referrals:
        raise ReferralError(
            f"There is no route {route!r}. Known are: {', '.join(load_law().referrals)}. See: plainview refer routes"
        )
    if not number.strip():
        raise ReferralError("Give the reference number that the body gave: --number TEXT.")
    case.record(
        NUMBERED,
        {"item": item.item, "service": item.service, "officer": officer, "route": route, "number": number.strip()},
    )


def close_item(case: Case, item: Item, *, officer: str, reason: str) -> None:
    """End the matter without a report, for instance because the flag is a false alarm; the reason is kept."""
    _check_officer(case, officer)
    _check_reason(reason)
    case.record(CLOSED, {"item": item.item, "service": item.service, "officer": officer, "reason": reason})


def _check_officer(case: Case, officer: str) -> None:
    named = case.facts.referral_officer.strip()
    if not named:
        raise ReferralError(
            'The case names no referral officer. Write one into case.toml: [case] referral_officer = "NAME". '
            "Until then the queue stays closed."
        )
    if officer.strip().casefold() != named.casefold():
        raise ReferralError(f"Only the named officer ({named}) opens the queue; --officer says {officer!r}.")


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < 8:
        raise ReferralError("Opening needs a reason that another person can read later: --reason TEXT.")


# --- halted visits


@dataclass(frozen=True, slots=True)
class Halt:
    """A service that is not visited any more. ``hosts`` are not visited for any other service either."""

    service: str
    hosts: frozenset[str]
    since: str
    reason: str


def halts(case: Case) -> dict[str, Halt]:
    """The halts in force, by service."""
    found: dict[str, Halt] = {}
    for event in case.ledger.events(HALTED, RELEASED):
        if event.event == RELEASED:
            found.pop(event.body["service"], None)
            continue
        old = found.get(event.body["service"])
        hosts = frozenset(event.body["hosts"]) | (old.hosts if old else frozenset())
        found[event.body["service"]] = Halt(event.body["service"], hosts, event.at, event.body["reason"])
    return found


def halted_services(case: Case) -> dict[str, str]:
    """Service to reason, for every service on the list that may not be visited: halted itself, or on a halted host."""
    in_force = halts(case)
    hosts = {host: halt for halt in in_force.values() for host in halt.hosts}
    found: dict[str, str] = {}
    for name, service in case.services().items():
        if name in in_force:
            found[name] = in_force[name].reason
            continue
        shared = [hosts[host] for host in (_host(url) for url in service.urls) if host in hosts]
        if shared:
            found[name] = f"its host is that of {shared[0].service}, whose visits are halted"
    return found


def halt(case: Case, service: str, *, reason: str, hosts: Iterable[str] = (), items: Iterable[str] = ()) -> None:
    """Stop visits to *service* and to *hosts*."""
    case.record(
        HALTED, {"service": service, "hosts": sorted(set(hosts)), "items": sorted(set(items)), "reason": reason}
    )


def release(case: Case, service: str, *, officer: str, reason: str) -> None:
    """Let *service* be visited again; the officer's decision, with a reason."""
    _check_officer(case, officer)
    _check_reason(reason)
    if service not in halts(case):
        raise ReferralError(f"Visits to {service!r} are not halted. See: plainview refer list")
    case.record(RELEASED, {"service": service, "officer": officer, "reason": reason})


def halt_new(case: Case) -> list[str]:
    """Halt visits to every service with a raised flag that refers to minors and that no halt or release has met yet.

    Called after every analysis. A host is halted as a whole, unless the flag stands on a store or advertisement page.
    """
    met: set[str] = set()
    for event in case.ledger.events(HALTED):
        met.update(event.body["items"])
    with reading(case) as connection:
        found = rows(connection, _QUEUE, [HARM_CODE])
    minors = load_codebook().referral_codes
    new: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        if row["code"] in minors and row["item"] not in met:
            new.setdefault(row["service"], []).append(row)
    for service, items in new.items():
        hosts = {_host(url) for row in items if row["page_role"] not in _SHARED_PAGES for url in row["urls"]}
        halt(
            case,
            service,
            reason="a possible reference to minors waits for the named officer",
            hosts=hosts,
            items=[row["item"] for row in items],
        )
    return sorted(new)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
