"""Contradictions: promise and promotion, home and policy, listing and landing, claim and observation.

Each rule is named and is data (``data/findings/contradictions.toml``). Both sides must have been there in one visit. A
pair that the page itself explains (an exception in the promise, a limit in the same passage, another object) is kept as
``explained``: an attorney wants to have seen it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from analysis.dossier import AD, LISTING, OWN, Dossier, Look
from analysis.finding import Finding, Side, finding_id, merged, weaker
from analysis.propositions import Proposition, object_of
from data.findings import ContradictionRule, FindingRules, ObservationRule

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class _Pair:
    rule: ContradictionRule
    promise: Proposition
    counter: Proposition
    explained: str
    strength: str

    @property
    def crossing(self) -> bool:
        """Whether one side stands on a listing or advert and the other on the service's own pages."""
        return (self.promise.look.place == OWN) != (self.counter.look.place == OWN)


def contradictions(dossier: Dossier, propositions: tuple[Proposition, ...], rules: FindingRules) -> Iterator[Finding]:
    """All findings of kinds X1, X2, X3 and claim-versus-observation of one service."""
    pairs: dict[tuple[str, str, str, str, bool], list[_Pair]] = {}
    for visit in dossier.visits:
        here = [item for item in propositions if item.look.visit == visit.visit]
        free_tier = _free_tier(dossier, visit.visit, rules)
        for rule in rules.contradictions:
            for pair in _pairs(rule, here, rules):
                if rule.free_tier and free_tier and not pair.explained:
                    pair = replace(pair, explained="the price page offers something for nothing", strength="weak")
                kind = "X3" if pair.crossing else rule.kind
                key = (rule.id, kind, pair.promise.rule.id, pair.promise.object, bool(pair.explained))
                pairs.setdefault(key, []).append(pair)
    contradicted = {
        (pair.rule.id, pair.promise.rule.id, pair.promise.object)
        for found in pairs.values()
        for pair in found
        if not pair.explained
    }
    for (rule_id, kind, claim, thing, explained), found in sorted(pairs.items()):
        if explained and (rule_id, claim, thing) in contradicted:
            continue
        yield _finding(dossier, kind, found, rules)
    yield from _core_function(dossier, propositions, rules)
    yield from _observed(dossier, propositions, rules)


def _free_tier(dossier: Dossier, visit: str, rules: FindingRules) -> bool:
    """Whether a price page of a visit says that something is free."""
    return any(
        rules.reading["price_free"].search(passage.text)
        for look in dossier.of_visit(visit)
        if look.page_role == "pricing" and look.text is not None
        for passage in look.text.passages
    )


def _pairs(rule: ContradictionRule, here: list[Proposition], rules: FindingRules) -> Iterator[_Pair]:
    promises = [item for item in here if item.rule.id in rule.promise]
    counters = [item for item in here if item.rule.id in rule.counter]
    for promise in promises:
        for counter in counters:
            pair = _pair(rule, promise, counter, rules)
            if pair is not None:
                yield pair


def _pair(rule: ContradictionRule, promise: Proposition, counter: Proposition, rules: FindingRules) -> _Pair | None:
    if promise.look.url == counter.look.url and promise.sentence == counter.sentence:
        return None
    if rule.listing and (promise.look.place == OWN) == (counter.look.place == OWN):
        return None
    strength, explained = rule.strength, ""
    if rule.longer and not _longer(promise, counter):
        return None
    if promise.condition:
        explained = f"the promise itself says: {promise.condition}"
    elif (
        promise.passage.text_id == counter.passage.text_id and promise.passage.ordinal == counter.passage.ordinal
    ) or promise.passage.text == counter.passage.text:
        explained = "the limit stands in the same passage"
    elif any(
        re.search(pattern, text, re.I) for pattern in rule.explained for text in (promise.sentence, counter.sentence)
    ):
        explained = "one of the two speaks of a narrower case"
    elif _apart(rule.apart, promise.sentence, counter.sentence):
        explained = "the two speak of different things that are bought"
    if rule.same_object:
        if promise.object != counter.object:
            if not explained or not _names(promise.condition, counter.object, rules):
                if "any" not in (promise.object, counter.object) or {promise.object, counter.object} & {
                    "album",
                    "payment",
                    "backup",
                }:
                    return None
                strength = weaker(strength)
        elif not (promise.sure and counter.sure):
            strength = weaker(strength)
    if rule.longer and 0 <= counter.seconds <= 2 * _DAY:
        strength = weaker(strength, 2 if counter.seconds <= _DAY / 12 else 1)
    if counter.condition and not explained:
        # "unless you object": the counter holds for everybody who does nothing.
        strength = weaker(strength) if rules.reading["opt_in"].search(counter.condition) else strength
    return _Pair(rule, promise, counter, explained, "weak" if explained else strength)


def _apart(patterns: tuple[str, ...], one: str, other: str) -> bool:
    """Whether each sentence names something of *patterns*, and none of them is named by both."""
    named = [{pattern for pattern in patterns if re.search(pattern, text, re.I)} for text in (one, other)]
    return all(named) and not named[0] & named[1]


def _longer(promise: Proposition, counter: Proposition) -> bool:
    return promise.seconds >= 0 and counter.seconds > promise.seconds * 1.05


def _names(condition: str, thing: str, rules: FindingRules) -> bool:
    return bool(condition) and object_of("", condition, "", rules)[0] == thing


def _finding(dossier: Dossier, kind: str, pairs: list[_Pair], rules: FindingRules) -> Finding:
    first = pairs[0]
    rule = first.rule
    sides: list[Side] = []
    for pair in pairs:
        sides.append(side_of(dossier, "promise", pair.promise))
        sides.append(side_of(dossier, "counter", pair.counter))
    explained = first.explained
    strengths = [pair.strength for pair in pairs]
    strength = next(name for name in ("strong", "moderate", "weak") if name in strengths)
    codes = tuple(dict.fromkeys([*rule.codes, *(pair.counter.rule.code for pair in pairs if pair.counter.rule.code)]))
    reason = rule.reason.format(
        object=next((item.words for item in rules.objects if item.id == first.promise.object), first.promise.object),
        promise=_plural(first.promise.says),
        counter=_plural(first.counter.says),
    )
    if kind == "X3":
        reason = f"{reason} One stands on the listing or advert, the other on the pages it leads to."
    if explained:
        reason = f"{reason} Shown as explained: {explained}."
    return Finding(
        finding=finding_id(
            rule.id, kind, dossier.service, first.promise.rule.id, first.promise.object, bool(explained)
        ),
        kind=kind,
        rule=rule.id,
        services=(dossier.service,),
        codes=codes,
        status="explained" if explained else "found",
        strength=strength,
        title=rule.title,
        reason=reason,
        sides=merged(sides),
        details={
            "promise": first.promise.rule.id,
            "counter": sorted({pair.counter.rule.id for pair in pairs}),
            "object": first.promise.object,
        },
        sensitive=rule.sensitive,
    )


def _plural(says: str) -> str:
    return re.sub(r"^(?:it is|nothing is) ", lambda match: "are " if match[0].startswith("it") else "are never ", says)


def side_of(dossier: Dossier, part: str, item: Proposition) -> Side:
    """A proposition as a side of a finding."""
    return replace(item.look.side(part, item.passage, item.start, item.end, item.says), service=dossier.service)


# --- X3: a benign listing before the core function


def _core_function(dossier: Dossier, propositions: tuple[Proposition, ...], rules: FindingRules) -> Iterator[Finding]:
    """A listing or advert that does not mention the core function its landing page sells."""
    sides: list[Side] = []
    for visit in dossier.visits:
        looks = [look for look in dossier.of_visit(visit.visit) if look.text is not None]
        outside = [look for look in looks if look.place in (LISTING, AD)]
        core = [item for item in propositions if item.rule.id == "core.offered" and item.look.visit == visit.visit]
        own = [item for item in core if item.look.place == OWN]
        told = {item.look.place for item in core}
        silent = [look for look in outside if look.place not in told]
        if not own or not silent:
            continue
        sides += [side for look in silent for side in _description(dossier, look)]
        sides += [side_of(dossier, "counter", item) for item in own]
    if not any(side.part == "promise" for side in sides):
        return
    rule_id = "X3.core-function"
    yield Finding(
        finding=finding_id(rule_id, dossier.service),
        kind="X3",
        rule=rule_id,
        services=(dossier.service,),
        codes=("D08",),
        status="found",
        strength="strong",
        title="A listing or advert that does not say what the pages it leads to offer",
        reason="The listing or advert describes something else and does not mention the core function; the service's own pages offer it.",
        sides=merged(sides),
        details={"promise": "", "counter": ["core.offered"]},
    )


def _description(dossier: Dossier, look: Look) -> Iterator[Side]:
    """What a listing or advert says about the product: its longest passages that are no review, price or menu."""
    text = look.text
    if text is None or re.search(r"/reviews?\b|/data-safety|/privacy|/permissions", look.url):
        return
    chosen = [
        passage
        for passage in text.passages
        if passage.zone in ("main", "meta", "jsonld", "table")
        and passage.role in ("paragraph", "list_item", "description", "cell", "heading")
        and len(passage.text.split()) >= 5
        and not re.search(r"review|rating|contact|data safety|what.s new", passage.heading.rpartition(" > ")[2], re.I)
    ]
    for passage in sorted(sorted(chosen, key=lambda item: -len(item.text))[:4], key=lambda item: item.ordinal):
        yield replace(look.side("promise", passage, says="describes itself"), service=dossier.service)


# --- claim against observation


def _observed(dossier: Dossier, propositions: tuple[Proposition, ...], rules: FindingRules) -> Iterator[Finding]:
    for rule in rules.observations:
        sides: list[Side] = []
        seen: dict[str, None] = {}
        strength = rule.strength
        for visit in dossier.visits:
            claims = [
                item for item in propositions
                if item.rule.id in rule.promise and item.look.visit == visit.visit and item.look.place == OWN
            ]  # fmt: skip
            if not claims:
                continue
            against = list(_AGAINST[rule.against](dossier, visit.visit, claims, propositions, rules))
            if not against:
                continue
            sides += [side_of(dossier, "promise", item) for item in claims]
            sides += [replace(side, service=dossier.service) for side, _ in against]
            seen.update({side.says: None for side, _ in against})
            if not any(sure for _, sure in against):
                strength = weaker(rule.strength)
        if sides:
            yield _observation_finding(dossier, rule, sides, list(seen), strength)


def _observation_finding(
    dossier: Dossier, rule: ObservationRule, sides: list[Side], seen: list[str], strength: str
) -> Finding:
    shown = "; ".join(seen[:6]) + (f"; and {len(seen) - 6} more" if len(seen) > 6 else "")
    return Finding(
        finding=finding_id(rule.id, dossier.service),
        kind="observation",
        rule=rule.id,
        services=(dossier.service,),
        codes=rule.codes,
        status="found",
        strength=strength,
        title=rule.title,
        reason=rule.reason.format(seen=shown),
        sides=merged(sides),
        details={"seen": seen},
    )


def _trackers(
    dossier: Dossier, visit: str, claims: list[Proposition], propositions: tuple[Proposition, ...], rules: FindingRules
) -> Iterator[tuple[Side, bool]]:
    """Outside hosts that the claiming page itself asks for; sure where an account id or the host's own name says that it counts."""
    words = rules.lists["tracker_words"]
    pages = {item.look.url for item in claims}
    for look in dossier.of_visit(visit):
        if look.url not in pages or look.profile != "A" or not look.facts:
            continue
        hosts = list(look.facts.get("hosts_asked", ()))
        ids = [
            f"{kind} {value}" for kind, value in look.facts.get("tag_ids", ())
            if not kind.startswith(("verification", "sign_on", "payment", "merchant"))
        ]  # fmt: skip
        named = [host for host in hosts if any(word in host.lower() for word in words)]
        if hosts or ids:
            says = ", ".join([*(f"asks {host}" for host in hosts), *ids])
            yield look.side("seen", says=says), bool(ids or named)


def _plain_http(
    dossier: Dossier, visit: str, claims: list[Proposition], propositions: tuple[Proposition, ...], rules: FindingRules
) -> Iterator[tuple[Side, bool]]:
    pages = {item.look.url for item in claims}
    for look in dossier.of_visit(visit):
        if (
            look.url in pages
            and urlsplit(look.url).scheme == "http"
            and look.fetcher == "http"
            and look.profile == "A"
            and look.text
        ):
            yield look.side("seen", says=f"scheme http, status {look.status}"), True


def _login_wall(
    dossier: Dossier, visit: str, claims: list[Proposition], propositions: tuple[Proposition, ...], rules: FindingRules
) -> Iterator[tuple[Side, bool]]:
    """Log-in walls, and pages that are one in words, behind a link whose words or address invite to use the service."""
    asking = {
        item.look.observation
        for item in propositions
        if item.rule.id == "account.needed" and item.passage.role in ("heading", "title")
    }
    for look in dossier.of_visit(visit):
        if look.place != OWN or (look.outcome != "login_wall" and look.observation not in asking):
            continue
        words = f"{dossier.links.get(look.url, '')} {urlsplit(look.url).path.replace('/', ' ').replace('-', ' ')}"
        if not rules.reading["use_link"].search(words):
            continue
        asked = [
            item
            for item in propositions
            if item.look.observation == look.observation and item.rule.id == "account.needed"
        ]
        for item in asked:
            yield (
                look.side("counter", item.passage, item.start, item.end, f"log-in wall at {urlsplit(look.url).path}"),
                True,
            )
        if not asked:
            yield look.side("seen", says=f"log-in wall at {urlsplit(look.url).path}"), True


def _partner_links(
    dossier: Dossier, visit: str, claims: list[Proposition], propositions: tuple[Proposition, ...], rules: FindingRules
) -> Iterator[tuple[Side, bool]]:
    for look in dossier.of_visit(visit):
        codes = partner_codes(look, rules)
        if not codes or look.profile != "A" or look.text is None:
            continue
        yield look.side("seen", says=", ".join(codes)), True
        for passage in look.text.passages:
            if rules.reading["own_code"].search(passage.text):
                yield look.side("counter", passage, says="names its code"), True


def partner_codes(look: Look, rules: FindingRules) -> list[str]:
    """``host name=value`` of links on a page that credit somebody for the visit."""
    names = rules.lists["affiliate_parameters"]
    return [
        item for item in look.facts.get("affiliate_params", ()) if item.partition(" ")[2].partition("=")[0] in names
    ]


def _priced_only(
    dossier: Dossier, visit: str, claims: list[Proposition], propositions: tuple[Proposition, ...], rules: FindingRules
) -> Iterator[tuple[Side, bool]]:
    """A price page on which every offer has a price and nothing is free."""
    price = rules.pattern("<PRICE>")
    for look in dossier.of_visit(visit):
        if look.page_role != "pricing" or look.text is None or look.place != OWN or look.profile != "A":
            continue
        whole = " ".join(passage.text for passage in look.text.passages)
        if rules.reading["price_free"].search(whole):
            continue
        priced = [passage for passage in look.text.passages if price.search(passage.text)]
        for passage in priced[:4]:
            yield look.side("counter", passage, says="has a price"), True


_AGAINST = {
    "trackers": _trackers,
    "plain_http": _plain_http,
    "login_wall": _login_wall,
    "partner_links": _partner_links,
    "priced_only": _priced_only,
}


def offers_core(propositions: Iterable[Proposition]) -> bool:
    """Whether the service itself offers the core function."""
    return any(item.rule.id == "core.offered" for item in propositions)
