"""Operators: which services share identifiers that point to one owner, and why; clusters explained edge by edge.

An identifier says the less, the more unrelated services share it. Unrelated is judged without it: how many groups would
its holders fall into if only all other kinds of identifiers joined them? A script library that fifty strangers load says
nothing; a counter account on fifty mirrors that also share a company line says much. The weights of several kinds are
joined as independent evidence, 1 - product(1 - w), and are kept below certainty.
What is looked for, and how much each kind weighs, is data (``data/findings/identifiers.toml``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import combinations
from typing import Any

from analysis.absences import company_name, named_for_others
from analysis.dossier import LISTING, OWN, Dossier, Look, Passage
from analysis.duplicates import hash_of, words_of
from analysis.finding import Finding, Side, finding_id, merged
from analysis.propositions import folded
from data.address import host, registrable
from data.findings import FindingRules, IdentifierRule

_ALL_PAIRS = 40
"""Up to so many holders every pair gets its link; beyond that each is linked with the first, which joins the same cluster."""

_STRONG = 0.8
_FEW = 3
"""Up to so many holders an identifier tells who belongs together without another one that agrees."""

_APART = 0.75
_DOUBT = 0.85
"""What is left of an edge's weight for each kind of which the two show different values."""

_SINGLE = ("company", "registration", "payment_account", "wallet")
_AGREE = 0.4
"""Share of the holders of a widespread identifier that another strong one must have as well."""

_CERTAIN = 0.99
_TEMPLATE_WORDS = 30
_TAG_KINDS = {"payment_key": "payment_account", "merchant": "payment_account", "sign_on_client": "sign_on_client"}
_WALLETS = frozenset({"bitcoin_bech32", "ethereum", "tron"})
_ONE_OF = (
    ("tag", "verification"),
    ("company", "registration", "address", "phone"),
    ("rare_host", "server_address", "template", "provider"),
)
"""Kinds that come together (an imprint, a theme): of each group the strongest counts in full, the others for a half."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One identifier as one service shows it."""

    service: str
    kind: str
    value: str
    side: Side


@dataclass(frozen=True, slots=True)
class Link:
    """One identifier that two services share. ``unrelated`` counts the groups its holders fall into without it."""

    a: str
    b: str
    kind: str
    value: str
    weight: float
    holders: int
    unrelated: float
    reason: str

    @property
    def link(self) -> str:
        """Its name."""
        return finding_id("link", self.a, self.b, self.kind, self.value).replace("X-", "L-")


@dataclass(frozen=True, slots=True)
class Edge:
    """Everything two services share, with the weight of it all and what an analyst decided about it."""

    a: str
    b: str
    links: tuple[Link, ...]
    weight: float
    decided: str = ""
    """'' | confirmed | cut"""
    against: tuple[str, ...] = ()
    """Kinds of which both show another value: two company names, two merchant accounts."""
    joins: bool = False
    """Whether it holds a cluster together."""

    @property
    def edge(self) -> str:
        """Its name."""
        return finding_id("edge", self.a, self.b).replace("X-", "L-")

    def strength(self) -> str:
        """In the three words of findings."""
        return "strong" if self.weight >= 0.9 else "moderate" if self.weight >= 0.6 else "weak"

    def reason(self) -> str:
        """Why, in words, strongest first."""
        said = "; ".join(link.reason for link in self.links)
        if self.against:
            said += f"; against it: different {' and different '.join(self.against)}"
        if self.decided:
            said = f"{self.decided} by an analyst; {said}" if said else f"{self.decided} by an analyst"
        return said


@dataclass(frozen=True, slots=True)
class Network:
    """Services, the edges between them, and the clusters of those that edges join."""

    services: tuple[str, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[tuple[str, ...], ...]
    threshold: float


# --- identifiers of one service


def marks(dossier: Dossier, rules: FindingRules) -> tuple[Mark, ...]:
    """Every identifier that a service's own pages and listings carry, at the first place where it was seen."""
    found: dict[tuple[str, str], Mark] = {}
    own_words = [word for word in words_of(dossier.service) if len(word) > 3]
    patterns = [rule for rule in rules.identifiers if rule.pattern is not None]

    def note(kind: str, value: str, look: Look, passage: Passage | None = None, start: int = -1, end: int = -1) -> None:
        if (value and (kind, value) not in found) or (
            value and passage is not None and not found[(kind, value)].side.quote
        ):
            side = replace(look.side("same", passage, start, end, f"{kind} {value}"), service=dossier.service)
            found[(kind, value)] = Mark(dossier.service, kind, value, side)

    for look in dossier.looks:
        if look.place not in (OWN, LISTING) or look.profile == "A2":
            continue
        if look.place == OWN:
            for kind, value in _facts(look, dossier):
                note(kind, value, look)
            for kind, value in _connection(look):
                note(kind, value, look)
        users = _users_words(look) | _others_words(look, rules)
        for value in look.facts.get("emails", ()):
            if value not in users:
                note("email", value.casefold(), look)
        if look.text is None:
            continue
        for passage in look.text.passages:
            if passage.zone in ("script_text", "template") or len(passage.text) > 4000:
                continue
            plain = folded(passage.text)
            for value in re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", plain):
                if value.casefold() not in users and ("email", value.casefold()) in found:
                    at = plain.find(value)
                    note("email", value.casefold(), look, passage, passage.start + at, passage.start + at + len(value))
            for rule in patterns:
                for value, start, end in _in_text(rule, plain):
                    kind = rule.id
                    if named_for_others(plain, start, rules):
                        if kind != "company":
                            continue
                        kind = "provider"
                    note(kind, value, look, passage, passage.start + start, passage.start + end)
            if look.place == OWN and look.page_role not in ("blog", "news", "forum"):
                value = _template(plain, own_words)
                if value:
                    note("template", value, look, passage)
    return tuple(found[key] for key in sorted(found))


def _facts(look: Look, dossier: Dossier) -> Iterator[tuple[str, str]]:
    for kind, value in look.facts.get("tag_ids", ()):
        if kind in _WALLETS:
            yield "wallet", value
        elif kind.startswith("verification"):
            yield "verification", value
        else:
            yield _TAG_KINDS.get(kind, "tag"), value
    for name in look.facts.get("hosts_asked", ()):
        if registrable(name) != registrable(host(look.url)):
            yield "rare_host", name


def _connection(look: Look) -> Iterator[tuple[str, str]]:
    names = sorted({_registrable(name) for name in look.tls.get("names", ())} - {""}) if look.tls else []
    if 2 <= len(names) <= 40 and look.tls.get("cert_sha256"):
        yield "certificate", str(look.tls["cert_sha256"])
    if look.server_ip and not look.server_ip.startswith("127."):
        yield "server_address", look.server_ip


def _registrable(name: str) -> str:
    return registrable(name.removeprefix("*.")) if name else ""


def _users_words(look: Look) -> frozenset[str]:
    """E-mail addresses that stand in customers' words: they are no contact of the service."""
    found: set[str] = set()
    for passage in look.text.passages if look.text else ():
        if "@" in passage.text and (
            passage.role == "quote"
            or any(flag.code == "R01" or flag.stance in ("USER", "TESTI") for flag in passage.flags)
        ):
            found.update(value.casefold() for value in re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", passage.text))
    return frozenset(found)


def _others_words(look: Look, rules: FindingRules) -> frozenset[str]:
    """E-mail addresses that a page gives only as those of somebody who works for the service."""
    theirs: set[str] = set()
    own: set[str] = set()
    for passage in look.text.passages if look.text else ():
        plain = folded(passage.text)
        for match in re.finditer(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", plain):
            (theirs if named_for_others(plain, match.start(), rules) else own).add(match[0].casefold())
    return frozenset(theirs - own)


def _in_text(rule: IdentifierRule, plain: str) -> Iterator[tuple[str, int, int]]:
    assert rule.pattern is not None
    for match in rule.pattern.finditer(plain):
        raw = match["value"]
        if rule.id == "company":
            value = company_name(raw)
        elif rule.id in ("registration", "phone"):
            value = re.sub(r"[^0-9A-Z+]", "", raw.upper())
            if sum(character.isdigit() for character in value) < 5:
                continue
        else:
            value = " ".join(raw.split()).casefold()
        if value:
            yield value, match.start("value"), match.end("value")


def _template(plain: str, own_words: list[str]) -> str:
    """A hash of a long passage without the service's own name, so that the same text under another name is the same."""
    words = words_of(plain)
    if len(words) < _TEMPLATE_WORDS:
        return ""
    return f"{hash_of(' '.join('_' if any(own in word for own in own_words) else word for word in words)):016x}"


# --- the network


def network(
    found: Iterable[Mark], rules: FindingRules, decisions: Mapping[tuple[str, str], str] | None = None
) -> Network:
    """Join the *found* marks. *decisions* holds ``confirmed`` or ``cut`` by pair of services in alphabetical order."""
    decided = dict(decisions or {})
    kinds = {rule.id: rule for rule in rules.identifiers}
    holders: dict[tuple[str, str], set[str]] = {}
    services: set[str] = set()
    for mark in found:
        services.add(mark.service)
        if mark.kind in kinds:
            holders.setdefault((mark.kind, mark.value), set()).add(mark.service)
    shared = {key: sorted(names) for key, names in sorted(holders.items()) if len(names) > 1}
    links: dict[tuple[str, str], list[Link]] = {}
    for (kind, value), names in _weighed(shared, kinds).items():
        for link in _links(kind, value, names, kinds[kind]):
            links.setdefault((link.a, link.b), []).append(link)
    threshold = rules.numbers["link_threshold"]
    shows: dict[str, dict[str, set[str]]] = {name: {} for name in services}
    for (kind, value), names_ in holders.items():
        if kind in _SINGLE or kind == "tag":
            for name in names_:
                shows[name].setdefault(kind, set()).add(value)
    edges = []
    for pair in sorted({*links, *(pair for pair in decided if pair[0] in services and pair[1] in services)}):
        own = tuple(sorted(links.get(pair, ()), key=lambda link: (-link.weight, link.kind, link.value)))
        against = _against(shows, own, *pair) if own else ()
        weight = 1.0 if decided.get(pair) == "confirmed" else _joined(own) * _DOUBT ** len(against)
        edges.append(Edge(*pair, own, round(weight, 4), decided.get(pair, ""), against))
    groups = _Groups(services)
    joining = _clustered(edges, groups, threshold)
    edges = [replace(edge, joins=edge.edge in joining) for edge in edges]
    return Network(tuple(sorted(services)), tuple(edges), groups.clusters(), threshold)


def _against(shows: Mapping[str, Mapping[str, set[str]]], links: tuple[Link, ...], a: str, b: str) -> tuple[str, ...]:
    """Kinds that one owner has one of, of which both services show one and not the same.

    Where a counter's account is all they share and one of them has another one besides, it may have come with copied pages.
    """
    found = [kind for kind in _SINGLE if kind in shows[a] and kind in shows[b] and not shows[a][kind] & shows[b][kind]]
    if {link.kind for link in links if link.weight >= 0.3} == {"tag"} and shows[a].get("tag") != shows[b].get("tag"):
        found.append("tag")
    return tuple(found)


def _clustered(edges: list[Edge], groups: _Groups, threshold: float) -> frozenset[str]:
    """Join *groups* by the edges that are strong enough, and return the names of those that hold.

    Edges that rest on two independent kinds come first. One that rests on a single identifier may then bring a service
    to a cluster, but not two clusters of three or more together: a counter's id copied with one page would merge two
    owners. For that it takes an identifier that several services of each show.
    """
    able = [edge for edge in edges if edge.decided != "cut" and edge.weight >= threshold]
    firm = [edge for edge in able if edge.decided == "confirmed" or _independent(edge.links) > 1]
    for edge in firm:
        groups.join(edge.a, edge.b)
    held = {edge.edge for edge in firm}
    members: Counter[str] = Counter(groups.root(name) for name in groups.names())
    bridges: dict[tuple[str, str], list[Edge]] = {}
    for edge in sorted(
        (edge for edge in able if edge.edge not in held), key=lambda item: (-item.weight, item.a, item.b)
    ):
        pair = tuple(sorted((groups.root(edge.a), groups.root(edge.b))))
        bridges.setdefault(pair, []).append(edge)  # type: ignore[arg-type]
    for (one, other), found in sorted(bridges.items(), key=lambda item: (-item[1][0].weight, item[0])):
        sides = [
            {name for edge in found for name in (edge.a, edge.b) if groups.root(name) == root} for root in (one, other)
        ]
        large = one != other and members[one] >= 3 and members[other] >= 3
        if not large or min(map(len, sides)) >= 2:
            held.update(edge.edge for edge in found)
    for edge in able:
        if edge.edge in held:
            groups.join(edge.a, edge.b)
    return frozenset(held)


def _independent(links: tuple[Link, ...]) -> int:
    """How many independent kinds carry an edge."""
    return len({min(_related(link.kind)) for link in links if link.weight >= 0.3})


@dataclass(frozen=True, slots=True)
class _Holders:
    names: tuple[str, ...]
    unrelated: float
    group: Mapping[str, str]
    """The group of each holder by all other kinds."""
    sizes: Mapping[str, int]
    """How many holders are in each group."""

    def between(self, a: str, b: str) -> float:
        """What is left of the weight between two holders that nothing else joins.

        Where most holders belong together by other evidence, one that stands apart has more likely copied the identifier
        with the page than is a member that happens to show nothing else; two groups of their own are two owners.
        """
        if self.group[a] == self.group[b]:
            return 1.0
        largest, total = max(self.sizes.values()), len(self.names)
        left = min(1.0, _APART + 1.25 * (total - largest) / total) if largest >= 3 else 1.0
        return left * (_APART if min(self.sizes[self.group[a]], self.sizes[self.group[b]]) >= 2 else 1.0)


def _weighed(
    shared: dict[tuple[str, str], list[str]], kinds: Mapping[str, IdentifierRule]
) -> dict[tuple[str, str], _Holders]:
    """For each shared identifier, its holders and how many unrelated ones they are by all other kinds of identifiers."""
    joining = _joining(shared, kinds)
    result: dict[tuple[str, str], _Holders] = {}
    for kind in sorted({key[0] for key in shared}):
        related = _related(kind)
        groups = _Groups(())
        for (other, _), names in joining.items():
            if other not in related:
                for name in names[1:]:
                    groups.join(names[0], name)
        for key, names in shared.items():
            if key[0] == kind:
                group = {name: groups.root(name) for name in names}
                sizes = Counter(group.values())
                result[key] = _Holders(tuple(names), unrelated(sizes), group, sizes)
    return dict(sorted(result.items()))


def unrelated(groups: Mapping[str, int]) -> float:
    """How many unrelated holders an identifier has, from the sizes of the groups its holders fall into without it.

    Groups of several are owners of their own. Of a single service nothing else is known: where most holders are single
    they count in full (a library), where they stand beside a large group they hardly count (its members that show little).
    """
    single = sum(1 for size in groups.values() if size == 1)
    return len(groups) - single + single * single / max(1, sum(groups.values()))


def _related(kind: str) -> frozenset[str]:
    """The kinds that come together with *kind* (an imprint): no second opinion on it."""
    return next((frozenset(group) for group in _ONE_OF if kind in group), frozenset({kind}))


def _joining(
    shared: dict[tuple[str, str], list[str]], kinds: Mapping[str, IdentifierRule]
) -> dict[tuple[str, str], list[str]]:
    """Identifiers that may tell who belongs together: strong ones of few holders, and of many where another strong one agrees."""
    strong = {key: names for key, names in shared.items() if kinds[key[0]].weight >= _STRONG}
    large = {key for key, names in strong.items() if len(names) > _FEW}
    if not large:
        return strong
    of_service: dict[str, list[tuple[str, str]]] = {}
    for key, names in strong.items():
        for name in names:
            of_service.setdefault(name, []).append(key)
    agreed: set[tuple[str, str]] = set()
    for key in sorted(large):
        related = _related(key[0])
        beside = Counter(other for name in strong[key] for other in of_service[name] if other[0] not in related)
        if any(number >= 2 and number >= _AGREE * len(strong[key]) for number in beside.values()):
            agreed.add(key)
    return {key: names for key, names in strong.items() if key not in large or key in agreed}


def _links(kind: str, value: str, holders: _Holders, rule: IdentifierRule) -> Iterator[Link]:
    """The links of one identifier: none where too many unrelated services share it."""
    weight = rule.weight * rarity(holders.unrelated, rule.common)
    if weight < 0.05:
        return
    names = holders.names
    if len(names) <= _ALL_PAIRS:
        pairs: Iterable[tuple[str, str]] = combinations(names, 2)
    else:
        middle = min(names, key=lambda name: (-holders.sizes[holders.group[name]], name))
        pairs = (tuple(sorted((middle, name))) for name in names if name != middle)  # type: ignore[misc]
    many = (
        f"; {len(names)} services have it, about {holders.unrelated:.0f} of them unrelated without it"
        if len(names) > 2
        else ""
    )
    reason = f"{rule.title}: {value}{many}"
    for a, b in pairs:
        yield Link(
            a, b, kind, value, round(weight * holders.between(a, b), 4), len(names), round(holders.unrelated, 2), reason
        )


def rarity(holders: float, common: int) -> float:
    """1 where at most two unrelated *holders* share it, falling to 0 at *common*."""
    if holders <= 2:
        return 1.0
    return max(0.0, 1.0 - (holders - 2) / max(1, common - 2))


def _joined(links: tuple[Link, ...]) -> float:
    """1 - product(1 - w); kinds that come together count in full once, a value once whatever kinds it has."""
    best: dict[str, float] = {}
    values: dict[str, float] = {}
    for link in links:
        if link.weight > values.get(link.value, 0.0):
            values[link.value] = link.weight
            best[link.kind] = max(best.get(link.kind, 0.0), link.weight)
    missing = 1.0
    for group in (*_ONE_OF, *((kind,) for kind in best if not any(kind in group for group in _ONE_OF))):
        weights = sorted((best[kind] for kind in group if kind in best), reverse=True)
        for number, weight in enumerate(weights):
            missing *= 1.0 - (weight if number == 0 else weight / 2)
    return min(_CERTAIN, 1.0 - missing)


class _Groups:
    """Union-find with the alphabetically first member as root, so that the order of joining does not matter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent: dict[str, str] = {name: name for name in names}

    def root(self, name: str) -> str:
        parent = self._parent
        path = []
        while (above := parent.setdefault(name, name)) != name:
            path.append(name)
            name = above
        for item in path:
            parent[item] = name
        return name

    def names(self) -> tuple[str, ...]:
        """Every member, in order."""
        return tuple(sorted(self._parent))

    def join(self, a: str, b: str) -> None:
        first, second = sorted((self.root(a), self.root(b)))
        self._parent[second] = first

    def clusters(self) -> tuple[tuple[str, ...], ...]:
        """Groups of more than one, each sorted, in the order of their first members."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._parent):
            found.setdefault(self.root(name), []).append(name)
        return tuple(tuple(members) for _, members in sorted(found.items()) if len(members) > 1)


# --- findings and exports


def operator_findings(net: Network, found: Iterable[Mark]) -> Iterator[Finding]:
    """One finding a cluster, with every identifier that holds it together, as each service shows it."""
    sides: dict[tuple[str, str, str], Side] = {(mark.service, mark.kind, mark.value): mark.side for mark in found}
    for members in net.clusters:
        inside = [edge for edge in net.edges if edge.a in members and edge.b in members and edge.joins]
        shown: list[Side] = []
        kinds: dict[tuple[str, str], float] = {}
        for edge in inside:
            for link in edge.links:
                kinds[(link.kind, link.value)] = max(kinds.get((link.kind, link.value), 0.0), link.weight)
                for name in (edge.a, edge.b):
                    side = sides.get((name, link.kind, link.value))
                    if side is not None and link.weight >= 0.3:
                        shown.append(side)
        why = [
            f"{kind} {value}"
            for (kind, value), weight in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
            if weight >= 0.3
        ]
        strength = min((edge.strength() for edge in inside), key=("weak", "moderate", "strong").index, default="weak")
        yield Finding(
            finding=finding_id("O.cluster", *members),
            kind="operator",
            rule="O.cluster",
            services=members,
            codes=(),
            status="found",
            strength=strength,
            title="Services that appear to have one operator",
            reason=f"{len(members)} services share {'; '.join(why[:8])}{'; and more' if len(why) > 8 else ''}.",
            sides=merged(shown),
            details={"edges": [[edge.a, edge.b, edge.weight, edge.decided, edge.reason()] for edge in inside[:400]]},
        )


def graphml(net: Network) -> bytes:
    """The network as GraphML: services as nodes with their cluster, edges with weight, reason and decision."""
    import networkx as nx

    cluster = {name: f"C-{number:04d}" for number, members in enumerate(net.clusters, 1) for name in members}
    graph = nx.Graph()
    for name in net.services:
        graph.add_node(name, label=name, cluster=cluster.get(name, ""))
    for edge in net.edges:
        graph.add_edge(
            edge.a, edge.b, id=edge.edge, weight=float(edge.weight), strength=edge.strength(), reason=_xml_safe(edge.reason()),
            decided=edge.decided, joins=edge.joins,
        )  # fmt: skip
    out = BytesIO()
    nx.write_graphml(graph, out, encoding="utf-8", prettyprint=True)
    return out.getvalue()


def _xml_safe(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def follow_the_money(
    net: Network, found: Iterable[Mark], addresses: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[dict[str, Any]]:
    """The network as FollowTheMoney entities: services, companies named on them, and links of an unknown kind between them.

    Schemata and properties are those of followthemoney 3 (LegalEntity, Company, UnknownLink); written by hand.
    """
    found = tuple(found)
    urls = addresses or {}
    companies: dict[str, set[str]] = {}
    numbers: dict[str, set[str]] = {}
    contact: dict[str, dict[str, set[str]]] = {}
    for mark in found:
        if mark.kind == "company":
            companies.setdefault(mark.value, set()).add(mark.service)
        elif mark.kind == "registration":
            numbers.setdefault(mark.service, set()).add(mark.value)
        elif mark.kind in ("email", "phone", "address"):
            contact.setdefault(mark.service, {}).setdefault(mark.kind, set()).add(mark.value)
    for name in net.services:
        properties: dict[str, list[str]] = {"name": [name]}
        if urls.get(name):
            properties["website"] = sorted(urls[name])
        for kind, values in sorted(contact.get(name, {}).items()):
            properties[kind] = sorted(values)
        yield _entity("LegalEntity", _service_id(name), properties)
    for company, holders in sorted(companies.items()):
        registered = {number for holder in holders for number in numbers.get(holder, ())}
        only = sorted(registered) if len(registered) == 1 else []
        yield _entity("Company", finding_id("company", company), {"name": [company], "registrationNumber": only})
        for holder in sorted(holders):
            yield _entity(
                "UnknownLink",
                finding_id("named", holder, company),
                {
                    "subject": [finding_id("company", company)],
                    "object": [_service_id(holder)],
                    "role": ["named on its pages"],
                },
            )
    for edge in net.edges:
        if edge.decided == "cut":
            continue
        yield _entity(
            "UnknownLink",
            edge.edge,
            {
                "subject": [_service_id(edge.a)],
                "object": [_service_id(edge.b)],
                "role": [f"possible common operator ({edge.strength()}, {edge.weight:.2f})"],
                "summary": [edge.reason()],
            },
        )


def _service_id(name: str) -> str:
    return finding_id("service", name)


def _entity(schema: str, name: str, properties: dict[str, list[str]]) -> dict[str, Any]:
    return {"id": name, "schema": schema, "properties": {key: value for key, value in properties.items() if value}}


def entity_lines(entities: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Entities as JSON lines."""
    for entity in entities:
        yield json.dumps(entity, ensure_ascii=False, sort_keys=True)


def service_hosts(dossiers: Iterable[Dossier]) -> dict[str, str]:
    """Host to service, for the hosts of services' own pages; a host of two services belongs to neither."""
    owner: dict[str, str] = {}
    for dossier in dossiers:
        for look in dossier.looks:
            if look.place == OWN:
                name = host(look.url)
                owner[name] = dossier.service if owner.get(name, dossier.service) == dossier.service else ""
    return {name: service for name, service in owner.items() if service}
