"""Absences after a documented search, and defects of what was found.

An absence is a claim about every page, so it says which pages were read, which were known of and not reached, and what
was looked for. Where a page on which the thing would stand could not be read, it is ``not_determinable``.
What is sought is data (``data/findings/absences.toml``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from analysis.contradictions import offers_core, partner_codes
from analysis.dossier import OWN, Dossier, Look, Passage
from analysis.finding import Finding, Searched, Side, finding_id, merged
from analysis.propositions import Proposition, folded, seconds_of, sentences
from data.findings import DefectRule, FindingRules, SearchRule

_HOUR = 3600.0
_LEAVES_OPEN = frozenset({"not_found", "gone", "not_text", "skipped", "redirect", "too_large", "duplicate"})
_ENOUGH_PAGES = 2


@dataclass(frozen=True, slots=True)
class _Hit:
    look: Look
    passage: Passage
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Result:
    status: str
    sides: tuple[Side, ...]
    searched: tuple[Searched, ...]
    missing: tuple[str, ...] = ()
    distant: bool = False
    note: str = ""
    contradictory: tuple[str, ...] = ()


def absences(dossier: Dossier, propositions: tuple[Proposition, ...], rules: FindingRules) -> Iterator[Finding]:
    """Absences and defects of one service, judged for each visit; the last visit that could tell gives the status."""
    if not dossier.visits:
        return
    offering = offers_service(propositions)
    for rule in rules.searches:
        if rule.offering and not offering and any(look.text for look in dossier.looks):
            continue
        history: list[tuple[str, str]] = []
        last: _Result | None = None
        for visit in dossier.visits:
            result = _search(dossier, visit.visit, rule, rules)
            if result is None:
                continue
            history.append((visit.started, result.status))
            if last is not None and last.contradictory and not result.contradictory:
                continue
            if last is None or result.status != "not_determinable" or last.status == "not_determinable":
                last = result
        if last is None or (last.status == "met" and all(status != "found" for _, status in history)):
            continue
        yield _finding(dossier, rule, last, history)
    if offering:
        yield from _defects(dossier, rules)


def offers_service(propositions: tuple[Proposition, ...]) -> bool:
    """Whether the service offers the core function, in words or by what it invites to."""
    invites = {"consent.needless", "target.class", "subject.unaware", "filter.none", "harm.promo"}
    said = {item.rule.id for item in propositions if item.look.place == OWN}
    return offers_core(propositions) or len(said & invites) >= 2


def _finding(dossier: Dossier, rule: SearchRule, result: _Result, history: list[tuple[str, str]]) -> Finding:
    reason = rule.reason.format(
        missing=" and ".join(result.missing) or "a part",
        elsewhere="; all of it stands on other pages" if result.distant else "",
    )
    title, strength = rule.title, rule.strength
    if result.contradictory:
        title = "More than one operator named"
        reason = f"Different pages name different operators: {'; '.join(result.contradictory)}."
    elif result.distant:
        reason = "The renewal price, the period and the way to stop do not stand beside the offer; they stand on other pages."
        strength = "weak"
    if result.status == "not_determinable":
        reason, strength = f"Not determinable: {result.note}.", "weak"
    elif result.status == "met":
        earlier = ", ".join(at for at, status in history if status == "found")
        reason = f"Was not found on an earlier visit ({earlier}); the last visit found it."
        strength = "weak"
    elif result.note:
        reason = f"{reason} {result.note}"
    reached = sum(item.reached for item in result.searched)
    return Finding(
        finding=finding_id(rule.id, dossier.service, *(("contradictory",) if result.contradictory else ())),
        kind="absence",
        rule=rule.id,
        services=(dossier.service,),
        codes=(rule.code,),
        status=result.status,
        strength=strength,
        title=title,
        reason=f"{reason} Looked for: {rule.sought}; {reached} pages read, {len(result.searched) - reached} known of and not read.",
        sides=result.sides,
        searched=result.searched,
        details={"sought": rule.sought, "missing": list(result.missing), "history": [list(item) for item in history]},
    )


def _search(dossier: Dossier, visit: str, rule: SearchRule, rules: FindingRules) -> _Result | None:
    looks = [look for look in dossier.read if look.visit == visit]
    searched = dossier.searched(visit)
    open_ = _open(rule, searched, looks)
    if rule.id.startswith("R04"):
        triggers, codes = _partner_links(looks, rules)
        if not codes:
            return None
    else:
        triggers = [hit for hit in _hits(looks, rule.triggers) if not any(p.search(_words(hit)) for p in rule.unless)]
        if rule.triggers and not triggers:
            return None
        codes = []
    if rule.id.startswith("D07"):
        return _operator(dossier, visit, rule, rules, looks, searched, open_)
    seen = [
        replace(hit.look.side("seen", says=", ".join(codes)), service=dossier.service) for hit in triggers[:1] if codes
    ]
    sides = [*seen, *(_side(dossier, "trigger", hit, "makes it due") for hit in triggers[:8])]
    if rule.elements:
        return _elements(dossier, rule, looks, triggers, sides, searched, open_)
    found = _hits(looks, rule.found)
    denied = _hits(looks, rule.denied)
    found = [hit for hit in found if not _overlaps(hit, denied)]
    if found and not (rule.contested and denied):
        return _Result("met", (), searched)
    sides += [_side(dossier, "counter", hit, "says that there is one") for hit in _spread(found, 3)]
    sides += [_side(dossier, "denial", hit, "says that there is none") for hit in denied[:6]]
    if open_ and not denied:
        return _Result("not_determinable", merged(sides), searched, note=open_)
    near = [hit for hit in _hits(looks, rule.near) if not _overlaps(hit, denied)]
    sides += [_side(dossier, "nearest", hit, "the nearest that was found") for hit in _spread(near, 8)]
    note = "The service says of both that it is so: that there is one, and that there is none." if found else ""
    return _Result("found", merged(sides), searched, note=note)


def _elements(
    dossier: Dossier,
    rule: SearchRule,
    looks: list[Look],
    triggers: list[_Hit],
    sides: list[Side],
    searched: tuple[Searched, ...],
    open_: str,
) -> _Result:
    beside = {hit.look.url for hit in triggers}
    missing, distant = [], False
    for name, patterns in rule.elements:
        found = _hits(looks, patterns)
        if not found:
            missing.append(name)
            continue
        sides += [_side(dossier, "nearest", hit, name) for hit in _spread(found, 3)]
        distant = distant or bool(beside - {hit.look.url for hit in found})
    sides += [
        _side(dossier, "nearest", hit, "the nearest that was found") for hit in _spread(_hits(looks, rule.near), 3)
    ]
    if missing and open_:
        return _Result("not_determinable", merged(sides), searched, tuple(missing), note=open_)
    if missing:
        return _Result("found", merged(sides), searched, tuple(missing))
    if distant and rule.code == "N01":
        return _Result("found", merged(sides), searched, distant=True)
    return _Result("met", (), searched)


def _open(rule: SearchRule, searched: tuple[Searched, ...], looks: list[Look]) -> str:
    """Why the search of a visit was not enough, or an empty string."""
    if not looks:
        reasons = sorted({f"{item.url}: {item.outcome}" for item in searched if not item.reached}) or [
            "nothing was reached"
        ]
        return f"no page of the service could be read ({'; '.join(reasons[:3])})"
    left = [
        item
        for item in searched
        if not item.reached
        and item.page_role in rule.roles
        and item.outcome not in _LEAVES_OPEN
        and item.url.startswith("http")
    ]
    if left:
        return f"a page on which it may stand was not read ({left[0].url}: {left[0].outcome})"
    pages = {look.url for look in looks if look.place == OWN}
    unread = [item for item in searched if not item.reached and item.outcome not in _LEAVES_OPEN]
    if len(pages) < _ENOUGH_PAGES and unread:
        return f"only {len(pages)} page of the service was read, {len(unread)} known of were not"
    return ""


def _hits(looks: list[Look], patterns: tuple[re.Pattern[str], ...]) -> list[_Hit]:
    """Every passage that one of *patterns* matches, once for each page, with the sentences of the match."""
    found: dict[tuple[str, str], _Hit] = {}
    if not patterns:
        return []
    for look in looks:
        if look.text is None or look.page_role in ("news", "forum"):
            continue
        for passage in look.text.passages:
            if passage.zone in ("script_text", "template"):
                continue
            plain = folded(passage.text)
            match = next(filter(None, (pattern.search(plain) for pattern in patterns)), None)
            if match is None:
                continue
            start, end = _around(plain, match.start(), match.end())
            key = (look.url, plain[start:end])
            if key not in found:
                found[key] = _Hit(look, passage, passage.start + start, passage.start + end)
    return list(found.values())


def _around(plain: str, start: int, end: int) -> tuple[int, int]:
    """The sentences that a match touches."""
    touched = [(a, b) for a, b in sentences(plain) if a < end and start < b]
    return (touched[0][0], touched[-1][1]) if touched else (start, end)


def _words(hit: _Hit) -> str:
    return folded(hit.passage.text[hit.start - hit.passage.start : hit.end - hit.passage.start])


def _overlaps(hit: _Hit, others: list[_Hit]) -> bool:
    return any(
        other.passage.text_id == hit.passage.text_id and other.start < hit.end and hit.start < other.end
        for other in others
    )


def _spread(hits: list[_Hit], limit: int) -> list[_Hit]:
    """At most *limit* hits with different words: a footer that stands on every page is shown once."""
    kept: dict[str, _Hit] = {}
    for hit in hits:
        kept.setdefault(_words(hit), hit)
    return list(kept.values())[:limit]


def _side(dossier: Dossier, part: str, hit: _Hit, says: str) -> Side:
    return replace(hit.look.side(part, hit.passage, hit.start, hit.end, says), service=dossier.service)


# --- who runs it


def _operator(
    dossier: Dossier,
    visit: str,
    rule: SearchRule,
    rules: FindingRules,
    looks: list[Look],
    searched: tuple[Searched, ...],
    open_: str,
) -> _Result:
    company = next(item.pattern for item in rules.identifiers if item.id == "company")
    assert company is not None
    named: dict[str, list[_Hit]] = {}
    persons = False
    for look in looks:
        if look.text is None or look.place != OWN or look.page_role == "news":
            continue
        for passage in look.text.passages:
            plain = folded(passage.text)
            if passage.zone in ("script_text", "template") or len(plain) > 3000:
                continue
            context = rules.reading["runs"].search(plain) or passage.zone == "footer" or look.page_role == "contact"
            for match in company.finditer(plain) if context else ():
                if named_for_others(plain, match.start("value"), rules):
                    continue
                name = company_name(match["value"])
                if name:
                    a, b = _around(plain, match.start(), match.end())
                    named.setdefault(name, []).append(_Hit(look, passage, passage.start + a, passage.start + b))
            persons = persons or bool(rules.reading["person"].search(plain))
    told = {
        name: hits
        for name, hits in named.items()
        if any(rules.reading["runs"].search(folded(hit.passage.text)) for hit in hits)
    }
    if len(told) > 1 and not _one_of(list(told)):
        # Two names are two sides, not an absence: they stay found whatever a later visit reads.
        sides = [
            _side(dossier, "counter", hit, name) for name, hits in sorted(told.items()) for hit in _spread(hits, 3)
        ]
        return _Result("found", merged(sides), searched, contradictory=tuple(sorted(told)))
    if named or persons:
        return _Result("met", (), searched)
    denied = _hits(looks, rule.denied)
    sides = [_side(dossier, "denial", hit, "names nobody") for hit in _spread(denied, 6)]
    if open_ and not denied:
        return _Result("not_determinable", merged(sides), searched, note=open_)
    near = [hit for hit in _hits(looks, rule.near) if not _overlaps(hit, denied)]
    sides += [_side(dossier, "nearest", hit, "the nearest that was found") for hit in _spread(near, 6)]
    return _Result("found", merged(sides), searched)


def named_for_others(plain: str, at: int, rules: FindingRules) -> bool:
    """Whether what stands at *at* of a passage is presented as the name of a processor, a host or an agency."""
    start, end = _around(plain, at, at + 1)
    return bool(rules.reading["others"].search(plain[start : min(end, at)]))


def company_name(value: str) -> str:
    """A company's name in one spelling, without years and leading words that only stand before it; empty where none is left."""
    words = re.sub(
        r"^(?:(?:19|20)\d\d[ -]*|©\s*|Copyright\s+|By\s+|The\s+|With\s+|Contact\s+|Imprint\s+)+",
        "",
        value.strip(),
        flags=re.I,
    )
    words = re.sub(r"[.,]", "", words)
    return " ".join(words.split()) if len(words.split()) > 1 else ""


def _one_of(names: list[str]) -> bool:
    """Whether the names are spellings of one company: the same words but for the legal form or a shortening."""
    cores = sorted(({word.casefold() for word in name.split()[:-1]} for name in names), key=len)
    return all(cores[0] <= core for core in cores[1:]) and len({name.split()[-1].casefold() for name in names}) == 1


def _partner_links(looks: list[Look], rules: FindingRules) -> tuple[list[_Hit], list[str]]:
    """Links that credit this service, and the passages that name the code."""
    codes: dict[str, None] = {}
    hits: dict[tuple[str, str], _Hit] = {}
    for look in looks:
        own = [item for item in partner_codes(look, rules) if look.place == OWN]
        codes.update(dict.fromkeys(own))
        values = {item.partition("=")[2].casefold() for item in own}
        if look.text is None or not own:
            continue
        for passage in look.text.passages:
            words = passage.text.casefold()
            if any(len(value) > 3 and value in words for value in values):
                hits.setdefault((look.url, passage.text), _Hit(look, passage, passage.start, passage.end))
    return list(hits.values()), list(codes)


# --- defects of a removal process


def _defects(dossier: Dossier, rules: FindingRules) -> Iterator[Finding]:
    removal = next(rule for rule in rules.searches if rule.id == "T01.process")
    sides: list[Side] = []
    titles: dict[str, None] = {}
    for look in dossier.read:
        if look.text is None or look.place != OWN or look.page_role in ("news", "forum"):
            continue
        about = f"{urlsplit(look.url).path.replace('-', ' ').replace('/', ' ')} {look.text.title} {look.text.h1}"
        whole_page = look.page_role == "report" or bool(rules.reading["removal_place"].search(about))
        for passage in look.text.passages:
            plain = folded(passage.text)
            if passage.zone in ("script_text", "template", "nav", "footer", "header"):
                continue
            headed = any(pattern.search(folded(passage.heading.rpartition(" > ")[2])) for pattern in removal.found)
            for start, end in sentences(plain):
                sentence = plain[start:end]
                if sentence.endswith("?"):
                    continue
                if not (whole_page or headed or any(pattern.search(sentence) for pattern in removal.found)):
                    continue
                for rule in rules.defects:
                    if _has_defect(rule, sentence):
                        titles[rule.title] = None
                        sides.append(
                            replace(
                                look.side("counter", passage, passage.start + start, passage.start + end, rule.title),
                                service=dossier.service,
                            )
                        )
    if not sides:
        return
    yield Finding(
        finding=finding_id("T02.defects", dossier.service),
        kind="defect",
        rule="T02.defects",
        services=(dossier.service,),
        codes=("T02",),
        status="found",
        strength="strong" if len(titles) > 1 else "moderate",
        title="A removal process with obstacles",
        reason=f"There is a way to have a picture removed, and {'; '.join(titles)}.",
        sides=merged(sides),
        details={"defects": list(titles)},
    )


def _has_defect(rule: DefectRule, sentence: str) -> bool:
    if any(pattern.search(sentence) for pattern in rule.unless):
        return False
    for pattern in rule.patterns:
        match = pattern.search(sentence)
        if match and (not rule.hours or seconds_of(match.groupdict().get("time") or "") > rule.hours * _HOUR):
            return True
    return False
