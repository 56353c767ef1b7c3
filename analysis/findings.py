"""The findings of a case: one run over all dossiers, after the flags.

Deterministic: the same evidence, codebook and rules give the same rows. Incremental: the findings of a service are made
again only where its evidence, its flags or the rules changed; what spans services is made again where any of it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import duckdb

from analysis.absences import absences
from analysis.changes import Change, changes, claim_changes
from analysis.contradictions import contradictions
from analysis.dossier import Dossier, dossiers
from analysis.duplicates import Shared, duplicates, rankings, shared_by, spare_addresses
from analysis.finding import Finding, Side, digest
from analysis.operators import Mark, Network, marks, network, operator_findings, service_hosts
from analysis.profiles import profiles, redirects
from analysis.propositions import Proposition, Propositions
from data.case import Case
from data.derived import contents
from data.findings import FindingRules, load_rules
from data.store import append, reading, rows, transaction, writing

METHOD = "findings/1"
"""Name and version of the code, recorded with the rules' hash. Any change of output needs a new number."""

ACROSS = "*"
CONFIRMED, CUT = "operators.confirmed", "operators.cut"
_WITHHELD = "withheld: in the referral queue"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    total: int
    findings: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did: services read again and left as they were, findings now in the case, clusters, changes."""

    analysis: str
    services: int
    untouched: int
    findings: int
    clusters: int
    changes: int


Tell = Callable[[Progress], None]


@dataclass
class _Made:
    """What one pass over the dossiers gathered."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    shared: dict[str, Shared] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    rankings: dict[str, tuple[Dossier, tuple[Proposition, ...]]] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)


def find(case: Case, tell: Tell, *, rules: FindingRules | None = None) -> Summary:
    """Make the findings of *case* from its passages and flags, and record the run on the ledger where anything changed."""
    rules = rules or load_rules()
    with reading(case) as connection:
        method = _method(connection, rules)
        states = _states(connection, method)
        known = {
            row["service"]: row["made_of"] for row in rows(connection, "SELECT service, made_of FROM findings_made")
        }
        decisions = edge_decisions(case)
        across = digest([sorted(states.items()), sorted(decisions.items())])
        touched = sorted(name for name, state in states.items() if known.get(name) != state)
        gone = sorted(set(known) - set(states) - {ACROSS})
        if not touched and not gone and known.get(ACROSS) == across:
            return _summary(connection, method, 0, len(states))
        made = _Made()
        reader = Propositions(rules)
        for number, dossier in enumerate(dossiers(connection), 1):
            _one(dossier, reader, rules, made, dossier.service in touched)
            tell(Progress(number, len(states), sum(map(len, made.findings.values()))))
        withheld = {row["flag"] for row in rows(connection, "SELECT flag FROM flags WHERE sensitive AND raises")}
    net = network(made.marks, rules, decisions)
    spanning = [
        *duplicates(made.shared, rules),
        *rankings(made.rankings, made.hosts, rules),
        *operator_findings(net, made.marks),
    ]
    with writing(case) as connection, transaction(connection):
        _put_down(
            connection,
            {**{name: made.findings.get(name, []) for name in touched}, ACROSS: spanning},
            gone,
            method,
            rules,
            withheld,
        )
        _put_changes(connection, {name: made.changes.get(name, []) for name in touched}, gone)
        _put_network(connection, net)
        connection.execute("DELETE FROM findings_made")
        append(
            connection,
            "findings_made",
            [{"service": name, "made_of": state} for name, state in sorted({**states, ACROSS: across}.items())],
        )
        result = _summary(connection, method, len(touched), len(states) - len(touched))
        whole, tables = _content(connection), contents(connection, "findings.run")
    case.record(
        "findings.run",
        {
            "analysis": method,
            "rules_sha256": rules.sha256,
            "findings": result.findings,
            "clusters": result.clusters,
            "content_sha256": whole,
            "tables": tables,
        },
    )
    return result


def _one(dossier: Dossier, reader: Propositions, rules: FindingRules, made: _Made, touched: bool) -> None:
    propositions = reader.of(dossier)
    made.shared[dossier.service] = shared_by(dossier, rules)
    made.marks.extend(marks(dossier, rules))
    if any(item.rule.id in ("ranking.best", "affiliate.pays") for item in propositions):
        made.rankings[dossier.service] = (dossier, propositions)
    for name, owner in service_hosts([dossier]).items():
        made.hosts[name] = owner if made.hosts.get(name, owner) == owner else ""
    if touched:
        made.findings[dossier.service], made.changes[dossier.service] = findings_of(dossier, propositions, rules)


def findings_of(
    dossier: Dossier, propositions: tuple[Proposition, ...], rules: FindingRules
) -> tuple[list[Finding], list[Change]]:
    """The findings and changes that need no other service."""
    against = tuple(contradictions(dossier, propositions, rules))
    differ = tuple(changes(dossier, rules))
    found = [
        *against,
        *absences(dossier, propositions, rules),
        *spare_addresses(dossier, propositions),
        *profiles(dossier, rules),
        *redirects(dossier, rules),
        *claim_changes(dossier, propositions, differ, against, rules),
    ]
    return found, list(differ)


def network_of(case: Case, rules: FindingRules | None = None) -> tuple[Network, tuple[Mark, ...]]:
    """The network of services as of now, and the identifiers it was made from."""
    rules = rules or load_rules()
    with reading(case) as connection:
        found = tuple(mark for dossier in dossiers(connection) for mark in marks(dossier, rules))
    return network(found, rules, edge_decisions(case)), found


def edge_decisions(case: Case) -> dict[tuple[str, str], str]:
    """What analysts decided about pairs of services, the last word on each."""
    found: dict[tuple[str, str], str] = {}
    for event in case.ledger.events(CONFIRMED, CUT):
        a, b = sorted((str(event.body["a"]), str(event.body["b"])))
        found[(a, b)] = "confirmed" if event.event == CONFIRMED else "cut"
    return found


def _method(connection: duckdb.DuckDBPyConnection, rules: FindingRules) -> str:
    flagged = [
        row["analysis"] for row in rows(connection, "SELECT DISTINCT analysis FROM flags_read ORDER BY analysis")
    ]
    return digest([METHOD, rules.sha256, flagged])[:16]


def _states(connection: duckdb.DuckDBPyConnection, method: str) -> dict[str, str]:
    """For each service a digest of everything its findings rest on: its row, its visits, its observations with their texts."""
    sql = """
        WITH seen AS (
            SELECT o.service, md5(string_agg(concat_ws(':', o.observation, o.outcome, t.text_id), ',' ORDER BY o.observation)) AS state
            FROM observations o LEFT JOIN observation_texts t ON t.observation = o.observation GROUP BY o.service)
        SELECT s.service, s.kind, array_to_string(s.urls, ' ') AS urls, coalesce(seen.state, '') AS state
        FROM services s LEFT JOIN seen ON seen.service = s.service
        UNION ALL SELECT seen.service, '', '', seen.state FROM seen WHERE seen.service NOT IN (SELECT service FROM services)"""
    hosts = digest(
        rows(connection, "SELECT service, array_to_string(urls, ' ') AS urls FROM services ORDER BY service")
    )
    return {
        row["service"]: digest([method, row["kind"], row["urls"], row["state"], _shared_hosts(row["urls"], hosts)])
        for row in rows(connection, sql)
    }


def _shared_hosts(urls: str, hosts: str) -> str:
    """A listing's place depends on whose entries share its host; a service with one host of its own depends on nobody's."""
    return hosts if len({url.split("/")[2] for url in urls.split() if "//" in url}) > 1 else ""


def _put_down(
    connection: duckdb.DuckDBPyConnection,
    found: dict[str, list[Finding]],
    gone: Iterable[str],
    method: str,
    rules: FindingRules,
    withheld: set[str],
) -> None:
    stale = [*found, *gone]
    for table in ("finding_sides", "finding_searches"):
        connection.execute(
            f"DELETE FROM {table} WHERE finding IN (SELECT finding FROM findings WHERE list_contains(?, about))",  # noqa: S608
            [stale],
        )
    connection.execute("DELETE FROM findings WHERE list_contains(?, about)", [stale])
    heads: list[dict[str, Any]] = []
    sides: list[dict[str, Any]] = []
    searches: list[dict[str, Any]] = []
    for about in sorted(found):
        for finding in sorted({item.finding: item for item in found[about]}.values(), key=lambda item: item.finding):
            shown = replace(finding, sides=tuple(_shown(side, withheld) for side in finding.sides))
            heads.append(_head(shown, about, method, rules))
            sides += [
                {"finding": shown.finding, "number": number, **asdict(side)} for number, side in enumerate(shown.sides)
            ]
            searches += [{"finding": shown.finding, **asdict(item)} for item in shown.searched]
    append(connection, "findings", heads)
    append(connection, "finding_sides", sides)
    append(connection, "finding_searches", searches)


def _shown(side: Side, withheld: set[str]) -> Side:
    """A side whose words are in the referral queue keeps its place and loses its words."""
    if not withheld.intersection(side.flags):
        return side
    return replace(side, quote="", start=-1, end=-1, says=_WITHHELD)


def _head(finding: Finding, about: str, method: str, rules: FindingRules) -> dict[str, Any]:
    import json

    return {
        "finding": finding.finding,
        "kind": finding.kind,
        "rule": finding.rule,
        "rules_version": f"{METHOD} {rules.version} {rules.sha256[:12]}",
        "services": list(finding.services),
        "codes": list(finding.codes),
        "status": finding.status,
        "strength": finding.strength,
        "title": finding.title,
        "reason": finding.reason,
        "details": json.dumps(finding.details, ensure_ascii=False, sort_keys=True),
        "sensitive": finding.sensitive,
        "content_sha256": finding.content_sha256,
        "analysis": method,
        "about": about,
    }


def _put_changes(connection: duckdb.DuckDBPyConnection, found: dict[str, list[Change]], gone: Iterable[str]) -> None:
    connection.execute("DELETE FROM changes WHERE list_contains(?, service)", [[*found, *gone]])
    made = {change.change: change for items in found.values() for change in items}
    append(
        connection,
        "changes",
        [
            {
                "change": name,
                "service": item.service,
                "kind": item.kind,
                "url": item.url,
                "from_visit": item.from_visit.visit,
                "to_visit": item.to_visit.visit,
                "from_seen": item.from_visit.started,
                "to_seen": item.to_visit.started,
                "from_observation": item.from_look.observation if item.from_look else "",
                "to_observation": item.to_look.observation if item.to_look else "",
                "before": item.before,
                "after": item.after,
                "context": item.context,
                "codes": list(item.codes),
                "flags": list(item.flags),
                "detail": item.detail,
            }
            for name, item in sorted(made.items())
        ],
    )


def _put_network(connection: duckdb.DuckDBPyConnection, net: Network) -> None:
    for table in ("operator_links", "operator_edges", "operator_clusters"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
    append(
        connection,
        "operator_links",
        [
            {"link": link.link, "a": link.a, "b": link.b, "kind": link.kind, "value": link.value, "weight": link.weight,
             "holders": link.holders, "unrelated": link.unrelated, "reason": link.reason}
            for edge in net.edges for link in edge.links
        ],
    )  # fmt: skip
    append(
        connection,
        "operator_edges",
        [
            {"edge": edge.edge, "a": edge.a, "b": edge.b, "weight": edge.weight, "strength": edge.strength(),
             "decided": edge.decided, "joins": edge.joins, "reason": edge.reason()}
            for edge in net.edges
        ],
    )  # fmt: skip
    append(
        connection,
        "operator_clusters",
        [
            {"cluster": f"C-{number:04d}", "service": name}
            for number, members in enumerate(net.clusters, 1)
            for name in members
        ],
    )


def _content(connection: duckdb.DuckDBPyConnection) -> str:
    return digest(rows(connection, "SELECT finding, content_sha256 FROM findings ORDER BY finding"))


def _summary(connection: duckdb.DuckDBPyConnection, method: str, services: int, untouched: int) -> Summary:
    def count(sql: str) -> int:
        return int(rows(connection, sql)[0]["n"])

    return Summary(
        method,
        services,
        untouched,
        count("SELECT count(*) AS n FROM findings WHERE status = 'found'"),
        count("SELECT count(DISTINCT cluster) AS n FROM operator_clusters"),
        count("SELECT count(*) AS n FROM changes"),
    )
