"""A sweep as a survey: what was on the list, what was reached, what was flagged where, and what people settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import duckdb

from analysis.prevalence import Question, Surveyed
from data.case import Case
from data.codebook import Codebook, load_codebook
from data.decisions import Decision, decisions, settle
from data.sampling import DRAWN, Sample, What
from data.store import rows

EVERY = "every visit"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep of the case. ``services`` are those that were on its list."""

    sweep: str
    started: str
    ended: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """A sweep read for counting. ``excluded`` maps services that were not visited to the reason."""

    sweep: Sweep
    surveyed: tuple[Surveyed, ...]
    excluded: Mapping[str, str]
    truth: Mapping[str, frozenset[str]]
    confirmed: Mapping[str, frozenset[str]]
    decided: Mapping[str, frozenset[str]]
    unfinished: tuple[str, ...]
    """Services drawn to be coded in full whose coding is not finished, or on which coders still differ."""


def questions(codebook: Codebook | None = None) -> list[Question]:
    """At least one, at least two, each theory, each claim, then each fact. What refers to minors is no question here."""
    codebook = codebook or load_codebook()
    claims = [code for code in codebook.codes if code.kind == "claim"]
    every = frozenset(code.id for code in claims)
    found = [
        Question("any", "at least one", "At least one possible indicator", every),
        Question("any", "at least two", "At least two different possible indicators", every, 2),
    ]
    theories = dict.fromkeys(code.theory for code in claims)
    found += [
        Question("theory", name, name.replace("-", " "), frozenset(code.id for code in claims if code.theory == name))
        for name in theories
    ]
    found += [Question("code", code.id, code.title, frozenset({code.id})) for code in claims]
    found += [
        Question("fact", code.id, code.title, frozenset({code.id})) for code in codebook.codes if code.kind == "fact"
    ]
    return found


def sweeps(case: Case) -> list[Sweep]:
    """The sweeps of a case in the order they began; empty where all visits were imported or made one by one."""
    started: dict[str, tuple[str, tuple[str, ...]]] = {}
    ended: dict[str, str] = {}
    for event in case.ledger.events("sweep.started", "sweep.finished"):
        name = event.body["sweep"]
        if event.event == "sweep.started":
            started[name] = (event.at, tuple(event.body["services"]))
        else:
            ended[name] = event.at
    return [Sweep(name, at, ended.get(name, ""), services) for name, (at, services) in started.items()]


_VISITS = """
SELECT v.visit, v.service, v.outcome, v.reason, v.started,
       (SELECT count(*) FROM observations o WHERE o.visit = v.visit AND o.stored_as IN ('response', 'conversion')
        AND o.purpose IN ('entry', 'page', 'rendered') AND o.outcome IN ('ok', 'truncated')) AS pages
FROM visits v ORDER BY v.started
"""
_FLAGGED = """
SELECT visit, service, code, url, max(confidence) AS confidence FROM flags_seen
WHERE raises AND NOT sensitive GROUP BY ALL ORDER BY ALL
"""


def read_survey(
    case: Case,
    connection: duckdb.DuckDBPyConnection,
    sweep: Sweep | None = None,
    clusters: Mapping[str, str] | None = None,
) -> Survey:
    """Read *sweep*, or every service's last visit where none is named.

    *clusters* maps services to what they belong to; without it, the operators' clusters of the last analysis count.
    """
    from data.referral import halted_services

    listed = {row["service"]: row for row in rows(connection, "SELECT service, stratum, urls FROM services")}
    visits = {}
    for row in rows(connection, _VISITS):
        if sweep is None or row["visit"].startswith(f"{sweep.sweep}-"):
            visits[row["service"]] = row
    chosen = sweep.services if sweep is not None else tuple(listed)
    halted = halted_services(case)
    if not clusters:
        clusters = {row["service"]: row["cluster"] for row in rows(connection, "SELECT * FROM operator_clusters")}
    flagged: dict[str, dict[str, float]] = {}
    places: dict[str, dict[str, dict[str, float]]] = {}
    current = {row["visit"] for row in visits.values()}
    for row in rows(connection, _FLAGGED):
        if row["visit"] not in current:
            continue
        codes = flagged.setdefault(row["service"], {})
        codes[row["code"]] = max(codes.get(row["code"], 0.0), row["confidence"])
        here = places.setdefault(row["service"], {}).setdefault(_host(row["url"]), {})
        here[row["code"]] = max(here.get(row["code"], 0.0), row["confidence"])
    surveyed, excluded = [], {}
    for name in chosen:
        visit = visits.get(name)
        if visit is None:
            excluded[name] = "visits are halted (referral queue)" if name in halted else "no visit was finished"
            continue
        entry_hosts = {_host(url) for url in (listed[name]["urls"] if name in listed else [])}
        seen = places.get(name, {})
        surveyed.append(
            Surveyed(
                service=name,
                cluster=clusters.get(name, name),
                stratum=listed[name]["stratum"] if name in listed else "",
                reached="no" if not visit["pages"] else "reached" if visit["outcome"] == "reached" else "partly",
                outcome=visit["outcome"],
                reason=visit["reason"] or visit["outcome"],
                codes=flagged.get(name, {}),
                addresses={host: seen.get(host, {}) for host in sorted(entry_hosts)},
            )
        )
    began = sorted(item.started for item in sweeps(case))
    after = next((at for at in began if sweep is not None and at > sweep.started), "")
    truth, unfinished = full_coding(case, since=sweep.started if sweep else "", until=after)
    confirmed, decided = reviewed(decisions(case))
    return Survey(
        sweep=sweep or Sweep(EVERY, "", "", chosen),
        surveyed=tuple(surveyed),
        excluded=excluded,
        truth={name: codes for name, codes in truth.items() if name in set(chosen)},
        confirmed=confirmed,
        decided=decided,
        unfinished=unfinished,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


def full_coding(
    case: Case, codebook: Codebook | None = None, *, since: str = "", until: str = ""
) -> tuple[dict[str, frozenset[str]], tuple[str, ...]]:
    """Service to the codes people settled for it, for services drawn whole whose every passage is settled; and the rest.

    A code counts where it was given with a stance that raises a flag. *since* and *until* bound when the sample was drawn,
    so that one sweep is not judged by what another one's pages said.
    """
    flags = (codebook or load_codebook()).flag_stances
    settled = settle(decisions(case))
    truth: dict[str, frozenset[str]] = {}
    unfinished: set[str] = set()
    for event in case.ledger.events(DRAWN):
        sample = Sample.from_json(event.body)
        if sample.what != What.SERVICES or event.at < since or (until and event.at >= until):
            continue
        by_service: dict[str, list[str]] = {}
        for item in sample.assigned():
            by_service.setdefault(item.service, []).append(item.unit)
        for service, units in by_service.items():
            if any(unit not in settled or settled[unit].how == "open" for unit in units):
                unfinished.add(service)
                continue
            truth[service] = frozenset(
                label.code for unit in units for label in settled[unit].labels if label.stance in flags
            )
    return truth, tuple(sorted(unfinished - truth.keys()))


def reviewed(
    made: Iterable[Decision], codebook: Codebook | None = None
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Service to codes of which at least one unit was settled as there; and service to codes that were decided at all."""
    flags = (codebook or load_codebook()).flag_stances
    made = list(made)
    asked = {item.unit: item.machine.partition(" ")[0] for item in made}
    yes: dict[str, set[str]] = {}
    seen: dict[str, set[str]] = {}
    for unit, item in settle(made).items():
        if item.how == "open":
            continue
        codes = {label.code for label in item.labels if label.stance in flags}
        yes.setdefault(item.service, set()).update(codes)
        seen.setdefault(item.service, set()).update(codes | ({asked[unit]} - {""}))
    return (
        {name: frozenset(codes) for name, codes in yes.items()},
        {name: frozenset(codes) for name, codes in seen.items()},
    )
