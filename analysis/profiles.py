"""Pages that differ by visitor, and chains of redirects: facts (E02), held against what is only noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from analysis.dossier import Dossier, Look
from analysis.finding import Finding, Side, finding_id, merged
from data.findings import FindingRules

_SHOWN = 6


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index of two sets of passages; 1 where both are empty."""
    return len(one & other) / len(one | other) if one | other else 1.0


def profiles(dossier: Dossier, rules: FindingRules) -> Iterator[Finding]:
    """An address that shows profile B another page, beyond what two looks in profile A differ by."""
    sides: list[Side] = []
    details: list[dict[str, object]] = []
    for visit in dossier.visits:
        looks = dossier.of_visit(visit.visit)
        for other in (look for look in looks if look.profile == "B" and look.text is not None):
            first = _last(
                look
                for look in looks
                if look.profile == "A" and look.url == other.url and look.fetcher == other.fetcher
            )
            again = _last(look for look in looks if look.profile == "A2" and look.url == other.url)
            if first is None or again is None:
                continue
            same, differs = likeness(_words(first), _words(again)), likeness(_words(first), _words(other))
            if same < rules.numbers["profile_same"] and same <= differs:
                continue
            if differs > rules.numbers["profile_other"]:
                continue
            details.append({"visit": visit.visit, "url": other.url, "a_again": round(same, 3), "b": round(differs, 3)})
            sides += _only(dossier, "before", first, other, f"shown to profile A ({same:.2f} alike when asked again)")
            sides += _only(dossier, "after", other, first, f"shown to profile B ({differs:.2f} alike)")
    if not sides:
        return
    yield Finding(
        finding=finding_id("E02.profile", dossier.service, *sorted({str(item["url"]) for item in details})),
        kind="profile",
        rule="E02.profile",
        services=(dossier.service,),
        codes=("E02",),
        status="found",
        strength="strong" if all(float(str(item["b"])) < 0.3 for item in details) else "moderate",
        title="One address, another page for another visitor",
        reason="Asked twice in the same way the page was the same; asked with another preferred language it was another page. "
        "Advertising, tests on visitors and load may do so too.",
        sides=merged(sides),
        details={"looks": details},
    )


def _last(looks: Iterator[Look]) -> Look | None:
    found = None
    for look in looks:
        if look.text is not None:
            found = look
    return found


def _words(look: Look) -> frozenset[str]:
    assert look.text is not None
    return frozenset(
        " ".join(passage.text.casefold().split())
        for passage in look.text.passages
        if passage.zone not in ("script_text", "template")
    )


def _only(dossier: Dossier, part: str, look: Look, other: Look, says: str) -> Iterator[Side]:
    """Passages of one page that the other does not have."""
    assert look.text is not None
    known = _words(other)
    fresh = [
        passage
        for passage in look.text.passages
        if passage.zone not in ("script_text", "template") and " ".join(passage.text.casefold().split()) not in known
    ]
    for passage in sorted(sorted(fresh, key=lambda item: -len(item.text))[:_SHOWN], key=lambda item: item.ordinal):
        if not any(flag.sensitive and flag.raises for flag in passage.flags):
            yield replace(look.side(part, passage, says=says), service=dossier.service)


def redirects(dossier: Dossier, rules: FindingRules) -> Iterator[Finding]:
    """Entry addresses that lead on by several hops, or by hops that hide where they lead (meta refresh, script, history)."""
    least = int(rules.numbers["redirect_hops"])
    chains: dict[str, tuple[Look, tuple[tuple[str, str], ...]]] = {}
    for look in dossier.looks:
        if look.purpose not in ("entry", "rendered", "page") or not look.hops:
            continue
        hops = tuple((str(hop.get("kind", "")), str(hop.get("url", ""))) for hop in look.hops)
        start = hops[0][1]
        if start not in chains or len(hops) > len(chains[start][1]):
            chains[start] = (look, hops)
    for start, (look, hops) in sorted(chains.items()):
        kinds = [kind for kind, _ in hops if kind in ("http", "refresh", "meta", "script", "history")]
        if len(kinds) < least or (set(kinds) == {"http"} and _own_tidying([url for _, url in hops] + [look.url])):
            continue
        seen = " -> ".join([f"{kind} {_short(url)}" for kind, url in hops] + [_short(look.url)])
        sides = [replace(look.side("seen", says=seen), service=dossier.service)]
        for at in dossier.looks:
            if at.visit == look.visit and at.url in {url for _, url in hops} and at.fetcher == "http":
                sides.append(
                    replace(at.side("seen", says=f"hop {_short(at.url)}: status {at.status}"), service=dossier.service)
                )
                sides += [
                    replace(at.side("context", passage), service=dossier.service)
                    for passage in (at.text.passages if at.text else ())[:4]
                    if passage.zone == "main" and len(passage.text.split()) > 3
                ]
        yield Finding(
            finding=finding_id("E02.redirects", dossier.service, start),
            kind="redirect",
            rule="E02.redirects",
            services=(dossier.service,),
            codes=("E02",),
            status="found",
            strength="strong" if len(set(kinds)) > 1 else "moderate",
            title="A chain of redirects",
            reason=f"The address leads on by {len(kinds)} hops of {len(set(kinds))} kinds: {seen}. Link shorteners do so too.",
            sides=merged(sides),
            details={"kinds": kinds},
        )


def _own_tidying(urls: list[str]) -> bool:
    """Whether a chain only tidies an address: http to https, www, a slash at the end."""
    spelled = {
        (urlsplit(url).hostname or "").removeprefix("www.") + (urlsplit(url).path.rstrip("/") or "") for url in urls
    }
    return len(spelled) == 1


def _short(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
