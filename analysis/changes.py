"""Changes between two visits to a service: what was added, dropped, reworded or only moved, page by page and claim by claim.

Both visits are read by the same extractor and codebook (a re-analysis reads all evidence again), so a new method never
looks like a change of the site. What differs between two looks within one visit is noise, and is left out.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from analysis.dossier import ELSEWHERE, OWN, Dossier, Look, Passage, VisitSeen
from analysis.duplicates import counts, words_of
from analysis.finding import Finding, Side, digest, finding_id, merged
from analysis.propositions import Proposition, folded, sentences
from data.findings import FindingRules
from data.referral import HARM_CODE

_REACHED = frozenset({"ok", "unchanged", "age_gate", "login_wall", "geo_block", "challenge", "redirect"})
_FRAGMENT = 12
"""Characters from which on a quote is more than a word or two that may stand anywhere."""

_DIGITS = re.compile(r"\d+")
_TOKEN = re.compile(r"\b(?=\w*\d)[0-9a-f]{8,}\b")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``kind``: added | dropped | reworded | moved | price | page_gone | page_new | not_compared |
    service_gone | service_back | service_moved | rebranded."""

    service: str
    kind: str
    url: str
    from_visit: VisitSeen
    to_visit: VisitSeen
    before: str = ""
    after: str = ""
    context: str = ""
    detail: str = ""
    codes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    from_look: Look | None = None
    to_look: Look | None = None

    @property
    def change(self) -> str:
        """Its name."""
        return finding_id(
            "change",
            self.service,
            self.kind,
            self.url,
            self.from_visit.visit,
            self.to_visit.visit,
            self.before,
            self.after,
            self.detail,
        ).replace("X-", "V-")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of one page as changes compare it: the words of the claim, in their sentence."""

    code: str
    words: str
    sentence: str
    look: Look
    passage: Passage
    start: int
    end: int
    says: str

    def side(self, part: str, service: str) -> Side:
        """The claim as a side of a finding."""
        return replace(self.look.side(part, self.passage, self.start, self.end, self.says), service=service)


@dataclass
class _Page:
    """The passages of one page in one visit, without noise."""

    look: Look
    passages: list[Passage]
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [_key(passage.text) for passage in self.passages]


def changes(dossier: Dossier, rules: FindingRules) -> Iterator[Change]:
    """Every difference between each visit and the one before it."""
    for before, after in _visits(dossier):
        yield from _service_changes(dossier, before, after)
        yield from _page_changes(dossier, before, after, rules)


def _visits(dossier: Dossier) -> Iterator[tuple[VisitSeen, VisitSeen]]:
    yield from zip(dossier.visits, dossier.visits[1:], strict=False)


def _key(text: str) -> str:
    return " ".join(folded(text).casefold().split())


# --- the service as a whole


def _service_changes(dossier: Dossier, before: VisitSeen, after: VisitSeen) -> Iterator[Change]:
    was, now = _entry(dossier, before), _entry(dossier, after)
    if was is None or now is None:
        return
    reached, still = was.outcome in _REACHED and was.text is not None, now.outcome in _REACHED and now.text is not None
    change = functools.partial(
        Change, service=dossier.service, url=now.url, from_visit=before, to_visit=after, from_look=was, to_look=now
    )
    if reached and not still and now.outcome != "redirect":
        yield change(kind="service_gone", detail=f"{now.outcome}: {now.reason}".strip(": "))
    elif still and not reached and was.outcome != "redirect":
        yield change(kind="service_back", detail=f"was {was.outcome}")
    leads = urlsplit(now.redirect_to).netloc
    if leads and leads != urlsplit(now.url).netloc and leads != urlsplit(was.redirect_to).netloc:
        yield change(
            kind="service_moved",
            after=now.redirect_to,
            before=was.redirect_to,
            detail=f"leads to {leads}",
        )
    if was.text is not None and now.text is not None:
        old, new = _brand(was), _brand(now)
        if old and new and not set(words_of(old)) & set(words_of(new)):
            yield change(
                kind="rebranded",
                before=_told(old, closed_words(dossier)),
                after=_told(new, closed_words(dossier)),
                detail="another name in title and heading",
            )


def _entry(dossier: Dossier, visit: VisitSeen) -> Look | None:
    looks = [
        look
        for look in dossier.of_visit(visit.visit)
        if look.purpose in ("entry", "rendered") and look.place == OWN and look.depth == 0
    ]
    first = {url: number for number, url in enumerate(dossier.urls)}
    looks.sort(key=lambda look: (first.get(look.url, len(first)), look.text is None))
    return looks[0] if looks else None


def _brand(look: Look) -> str:
    """The name a page goes by: ``og:site_name``, else its title and first heading."""
    assert look.text is not None
    for passage in look.text.passages:
        if passage.role == "og:site_name":
            return passage.text
    return f"{look.text.title} {look.text.h1}".strip()


# --- pages


def _page_changes(dossier: Dossier, before: VisitSeen, after: VisitSeen, rules: FindingRules) -> Iterator[Change]:
    was, now = _both(dossier, before, after)
    if not was or not now:
        return
    seen_now = {look.url: look for look in dossier.of_visit(after.visit)}
    for url in sorted({*was, *now}):
        if url in was and url in now:
            fetcher = next((name for name in ("browser", "http") if name in was[url] and name in now[url]), "")
            if fetcher and was[url][fetcher].look.bare != now[url][fetcher].look.bare:
                yield Change(
                    dossier.service,
                    "not_compared",
                    url,
                    before,
                    after,
                    detail="one visit found the page empty: its script may not have drawn it",
                )
                continue
            if not fetcher:
                yield Change(
                    dossier.service,
                    "not_compared",
                    url,
                    before,
                    after,
                    detail="one visit read the page in a browser, the other did not",
                )
                continue
            yield from _passages(dossier, before, after, was[url][fetcher], now[url][fetcher], rules)
        elif url in was:
            gone = seen_now.get(url)
            if gone is not None and gone.outcome not in ("ok", "unchanged"):
                page = next(iter(was[url].values()))
                detail = f"{gone.outcome}: {gone.reason}".strip(": ")
                yield Change(
                    dossier.service, "page_gone", url, before, after, detail=detail, from_look=page.look, to_look=gone
                )
        elif len(was) > 1:
            page = next(iter(now[url].values()))
            if not any(item.visit == before.visit and item.url == url for item in dossier.unreached):
                yield Change(
                    dossier.service,
                    "page_new",
                    url,
                    before,
                    after,
                    after=_told(page.look.text.title, closed_words(dossier)) if page.look.text else "",
                    to_look=page.look,
                )


def _both(
    dossier: Dossier, before: VisitSeen, after: VisitSeen
) -> tuple[dict[str, dict[str, _Page]], dict[str, dict[str, _Page]]]:
    """The pages of two visits, without what differs between looks of either."""
    noise: dict[str, set[tuple[str, str, str]]] = {}
    for visit in (before, after):
        for url, shapes in _noise(dossier, visit).items():
            noise.setdefault(url, set()).update(shapes)
    return _pages(dossier, before, noise), _pages(dossier, after, noise)


def _pages(
    dossier: Dossier, visit: VisitSeen, noise: dict[str, set[tuple[str, str, str]]]
) -> dict[str, dict[str, _Page]]:
    """Pages by address and fetcher, profile A; walls and challenges are outcomes, not pages."""
    closed = closed_words(dossier)
    found: dict[str, dict[str, _Page]] = {}
    for look in dossier.of_visit(visit.visit):
        if look.text is None or look.place == ELSEWHERE or look.purpose == "robots" or look.profile != "A":
            continue
        if look.outcome not in ("ok", "unchanged", "age_gate"):
            continue
        kept = [
            passage
            for passage in look.text.passages
            if passage.zone not in ("script_text", "template")
            and _key(passage.text)
            and _shape(passage) not in noise.get(look.url, ())
            and not _holds(passage.text, closed)
        ]
        # A heading of the closed queue is not told either, by whatever stands under it.
        kept = [replace(passage, heading="…") if _holds(passage.heading, closed) else passage for passage in kept]
        found.setdefault(look.url, {})[look.fetcher] = _Page(look, kept)
    return found


def closed_words(dossier: Dossier) -> frozenset[str]:
    """Every passage of a service that waits in the closed queue, whole, and the quotes in it that are more than a word or two."""
    found: set[str] = set()
    for look in dossier.looks:
        for passage in look.text.passages if look.text is not None else ():
            for flag in passage.flags:
                if flag.raises and (flag.sensitive or flag.code == HARM_CODE):
                    quote = passage.text[flag.start - passage.start : flag.end - passage.start]
                    found.update(words for words in (passage.text, quote) if len(words) >= _FRAGMENT)
    return frozenset(found)


def _holds(text: str, closed: frozenset[str]) -> bool:
    """Whether *text* holds words of the closed queue, or is a piece of them."""
    return any(words in text or (len(text) >= _FRAGMENT and text in words) for words in closed)


def _told(text: str, closed: frozenset[str]) -> str:
    return "…" if _holds(text, closed) else text


def _shape(passage: Passage) -> tuple[str, str, str]:
    """A passage without its figures: a clock's passage has the same shape at each look."""
    return passage.zone, passage.role, _DIGITS.sub("0", _TOKEN.sub("0", _key(passage.text)))


def _noise(dossier: Dossier, visit: VisitSeen) -> dict[str, frozenset[tuple[str, str, str]]]:
    """For each page, the shapes of passages that differ between two looks of one visit in the same profile."""
    looks: dict[str, list[Look]] = {}
    for look in dossier.of_visit(visit.visit):
        if look.text is not None and look.fetcher == "http" and look.profile in ("A", "A2"):
            looks.setdefault(look.url, []).append(look)
    found: dict[str, frozenset[tuple[str, str, str]]] = {}
    for url, same in looks.items():
        texts = [
            {_key(passage.text): passage for passage in look.text.passages} for look in same if look.text is not None
        ]
        everywhere = set(texts[0]).intersection(*texts[1:])
        shapes = {_shape(passage) for text in texts for key, passage in text.items() if key not in everywhere}
        if shapes:
            found[url] = frozenset(shapes)
    return found


def _passages(
    dossier: Dossier, before: VisitSeen, after: VisitSeen, was: _Page, now: _Page, rules: FindingRules
) -> Iterator[Change]:
    if was.look.text is not None and now.look.text is not None and was.look.text.text_id == now.look.text.text_id:
        return
    change = functools.partial(
        Change,
        service=dossier.service,
        url=now.look.url,
        from_visit=before,
        to_visit=after,
        from_look=was.look,
        to_look=now.look,
    )
    gone, fresh, moved = _compared(was, now)
    pairs = _reworded(gone, fresh, rules.numbers["reworded"])
    paired_old, paired_new = {id(a) for a, _, _ in pairs}, {id(b) for _, b, _ in pairs}
    price = rules.pattern("<PRICE>")
    for old, new, share in pairs:
        a, b = folded(old.text), folded(new.text)
        if _TOKEN.sub("#", a) == _TOKEN.sub("#", b):
            continue  # a reference number or nonce: nobody said anything else
        same_but_price = price.search(a) and price.sub("#", a) == price.sub("#", b) and a != b
        yield change(
            kind="price" if same_but_price else "reworded",
            before=old.text,
            after=new.text,
            context=_context(now, new),
            detail=f"{share:.0%} alike",
            codes=_codes(old, new),
            flags=_flags(old, new),
        )
    for passage in gone:
        if id(passage) not in paired_old:
            yield change(
                kind="dropped",
                before=passage.text,
                context=_context(was, passage),
                codes=_codes(passage),
                flags=_flags(passage),
            )
    for passage in fresh:
        if id(passage) not in paired_new:
            yield change(
                kind="added",
                after=passage.text,
                context=_context(now, passage),
                codes=_codes(passage),
                flags=_flags(passage),
            )
    for old, new in moved:
        detail = f"from {old.zone} under “{old.heading}” to {new.zone} under “{new.heading}”"
        yield change(
            kind="moved",
            before=old.text,
            after=new.text,
            context=_context(now, new),
            detail=detail,
            codes=_codes(new),
            flags=_flags(new),
        )


def _compared(was: _Page, now: _Page) -> tuple[list[Passage], list[Passage], list[tuple[Passage, Passage]]]:
    """Passages that are gone, new, and kept in another order or zone: what is kept in order is the longest common run."""
    matcher = difflib.SequenceMatcher(None, was.keys, now.keys, autojunk=False)
    kept_old: set[int] = set()
    kept_new: set[int] = set()
    moved: list[tuple[Passage, Passage]] = []
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            kept_old.add(block.a + step)
            kept_new.add(block.b + step)
            old, new = was.passages[block.a + step], now.passages[block.b + step]
            if old.zone != new.zone:
                moved.append((old, new))
    left = [(number, was.passages[number]) for number in range(len(was.passages)) if number not in kept_old]
    right = [(number, now.passages[number]) for number in range(len(now.passages)) if number not in kept_new]
    waiting: dict[str, list[Passage]] = {}
    for number, passage in left:
        waiting.setdefault(was.keys[number], []).append(passage)
    fresh: list[Passage] = []
    for number, passage in right:
        queue = waiting.get(now.keys[number])
        if queue:
            moved.append((queue.pop(0), passage))
        else:
            fresh.append(passage)
    taken = Counter(id(passage) for queue in waiting.values() for passage in queue)
    gone = [passage for _, passage in left if id(passage) in taken]
    # A line that stood twice and now stands once is still said.
    still = set(now.keys)
    said = set(was.keys)
    return (
        [passage for passage in gone if _key(passage.text) not in still],
        [passage for passage in fresh if _key(passage.text) not in said],
        moved,
    )


def _reworded(gone: list[Passage], fresh: list[Passage], least: float) -> list[tuple[Passage, Passage, float]]:
    """Pairs of a passage that is gone and one that is new that are so much alike; each at most once, the likest first."""
    scored: list[tuple[float, int, int]] = []
    for i, old in enumerate(gone):
        for j, new in enumerate(fresh):
            share = alike(old.text, new.text)
            if (
                share < least
                and old.heading == new.heading
                and old.role == new.role
                and _shape(old)[2] == _shape(new)[2]
            ):
                share = least
            if share >= least:
                scored.append((share, i, j))
    pairs, left, right = [], set(), set()
    for share, i, j in sorted(scored, key=lambda item: (-item[0], item[1], item[2])):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            pairs.append((gone[i], fresh[j], share))
    return sorted(pairs, key=lambda pair: pair[1].ordinal)


def alike(one: str, other: str) -> float:
    """Share of words in the same order in two texts, between 0 and 1 (Ratcliff/Obershelp)."""
    a, b = words_of(one), words_of(other)
    if not a or not b or 2 * min(len(a), len(b)) / (len(a) + len(b)) < 0.4:
        return 0.0
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def _context(page: _Page, passage: Passage) -> str:
    """The heading in force and the passages before and after."""
    number = next((at for at, item in enumerate(page.passages) if item is passage), -1)
    around = (
        [page.passages[at].text[:160] for at in (number - 1, number + 1) if 0 <= at < len(page.passages)]
        if number >= 0
        else []
    )
    return " | ".join([passage.heading, *around])


def _codes(*passages: Passage) -> tuple[str, ...]:
    return tuple(sorted({flag.code for passage in passages for flag in passage.flags if not flag.sensitive}))


def _flags(*passages: Passage) -> tuple[str, ...]:
    return tuple(sorted({flag.flag for passage in passages for flag in passage.flags if not flag.sensitive}))


# --- claims (X4)


def claim_changes(
    dossier: Dossier,
    propositions: tuple[Proposition, ...],
    found: tuple[Change, ...],
    contradicted: tuple[Finding, ...],
    rules: FindingRules,
) -> Iterator[Finding]:
    """X4: claims and prices that were added, dropped or reworded between two visits.

    A new claim that the same visit contradicts carries the other side of that contradiction with it.
    """
    by_look: dict[str, list[Proposition]] = {}
    for item in propositions:
        by_look.setdefault(item.look.observation, []).append(item)
    for before, after in _visits(dossier):
        was, now = _both(dossier, before, after)
        said_before = {
            (claim.code, claim.words)
            for pages in was.values()
            for page in pages.values()
            for claim in _claims(page, by_look)
        }
        said_after = {
            (claim.code, claim.words)
            for pages in now.values()
            for page in pages.values()
            for claim in _claims(page, by_look)
        }
        stood, stands = _sentences(was), _sentences(now)
        for url in sorted(set(was) & set(now)):
            fetcher = next((name for name in ("browser", "http") if name in was[url] and name in now[url]), "")
            if not fetcher or was[url][fetcher].look.bare or now[url][fetcher].look.bare:
                continue
            old = [
                claim
                for claim in _claims(was[url][fetcher], by_look)
                if (claim.code, claim.words) not in said_after and not _stands(claim, stands)
            ]
            new = [
                claim
                for claim in _claims(now[url][fetcher], by_look)
                if (claim.code, claim.words) not in said_before and not _stands(claim, stood)
            ]
            yield from _claims_compared(dossier, before, after, url, old, new, contradicted, rules)
    prices = [change for change in found if change.kind == "price"]
    for change in prices:
        yield _price(dossier, change)


def _sentences(pages: dict[str, dict[str, _Page]]) -> frozenset[str]:
    """Every sentence of all pages of a visit, in plain lower case."""
    return frozenset(
        _key(plain[start:end])
        for found in pages.values()
        for page in found.values()
        for passage in page.passages
        for plain in (folded(passage.text),)
        for start, end in sentences(plain)
    )


def _stands(claim: Claim, stood: frozenset[str]) -> bool:
    """Whether the sentences of a claim stand word for word in the other visit: what was read in them is then no change."""
    plain = folded(claim.passage.text)
    start, end = claim.start - claim.passage.start, claim.end - claim.passage.start
    return all(_key(plain[a:b]) in stood for a, b in sentences(plain) if a < end and start < b)


def _claims(page: _Page, by_look: dict[str, list[Proposition]]) -> list[Claim]:
    """Claims of a page: propositions, counters, and flags of codes that no proposition saw in their sentence."""
    kept = {passage.ordinal for passage in page.passages}
    claims: list[Claim] = []
    taken: set[tuple[str, int, int]] = set()
    for item in by_look.get(page.look.observation, ()):
        if item.rule.code and item.passage.ordinal in kept:
            claims.append(
                Claim(
                    item.rule.code, item.words, item.sentence, page.look, item.passage, item.start, item.end, item.says
                )
            )
            taken.add((item.rule.code, item.start, item.end))
    for passage in page.passages:
        plain = folded(passage.text)
        for start, end in sentences(plain):
            sentence = plain[start:end]
            for value, noun in counts(sentence):
                claims.append(
                    Claim(
                        "R03",
                        f"{value:.0f} {noun}",
                        sentence,
                        page.look,
                        passage,
                        passage.start + start,
                        passage.start + end,
                        f"{value:,.0f} {noun}s",
                    )
                )
                taken.add(("R03", passage.start + start, passage.start + end))
        for flag in passage.flags:
            if flag.sensitive or not flag.raises or flag.confidence < 0.7:
                continue
            if any(code == flag.code and start < flag.end and flag.start < end for code, start, end in taken):
                continue
            quote = passage.text[flag.start - passage.start : flag.end - passage.start]
            claims.append(
                Claim(
                    flag.code,
                    _key(quote),
                    quote,
                    page.look,
                    passage,
                    flag.start,
                    flag.end,
                    f"{flag.code} {flag.stance}",
                )
            )
    return claims


def _claims_compared(
    dossier: Dossier,
    before: VisitSeen,
    after: VisitSeen,
    url: str,
    old: list[Claim],
    new: list[Claim],
    contradicted: tuple[Finding, ...],
    rules: FindingRules,
) -> Iterator[Finding]:
    pairs: list[tuple[Claim, Claim]] = []
    for claim in old:
        best = max(
            (other for other in new if other.code == claim.code and other not in [b for _, b in pairs]),
            key=lambda other: alike(claim.sentence, other.sentence),
            default=None,
        )
        if best is not None and alike(claim.sentence, best.sentence) >= rules.numbers["reworded"]:
            pairs.append((claim, best))
    dropped = [claim for claim in old if claim not in [a for a, _ in pairs]]
    added = [claim for claim in new if claim not in [b for _, b in pairs]]
    for kind, groups in (
        ("dropped", _by_code([(claim, None) for claim in dropped])),
        ("added", _by_code([(None, claim) for claim in added])),
        ("reworded", _by_code(list(pairs))),
    ):
        for code, items in groups.items():
            sides = [claim.side("before", dossier.service) for claim, _ in items if claim is not None]
            sides += [claim.side("after", dossier.service) for _, claim in items if claim is not None]
            if kind == "added":
                sides += _against(sides, contradicted, after.visit)
            words = {"dropped": "is gone", "added": "is new", "reworded": "has other words"}[kind]
            yield Finding(
                finding=finding_id("X4", dossier.service, kind, code, url, before.visit, after.visit),
                kind="X4",
                rule=f"X4.{kind}",
                services=(dossier.service,),
                codes=(code,),
                status="found",
                strength="strong",
                title=f"A claim {words}",
                reason=f"Between the visits of {before.started[:10]} and {after.started[:10]} a claim ({code}) {words} on this page."
                + (" The same visit contradicts it." if any(side.part == "counter" for side in sides) else ""),
                sides=merged(sides),
                details={"change": kind, "url": url, "from": before.visit, "to": after.visit},
            )


def _by_code(items: list[tuple[Claim | None, Claim | None]]) -> dict[str, list[tuple[Claim | None, Claim | None]]]:
    found: dict[str, list[tuple[Claim | None, Claim | None]]] = {}
    for a, b in items:
        claim = a or b
        assert claim is not None
        found.setdefault(claim.code, []).append((a, b))
    return dict(sorted(found.items()))


def _against(sides: list[Side], contradicted: tuple[Finding, ...], visit: str) -> list[Side]:
    """The other side of contradictions whose promise is one of *sides*."""
    quotes = {_key(side.quote) for side in sides}
    found: list[Side] = []
    for finding in contradicted:
        if finding.status == "found" and any(
            side.part == "promise" and _key(side.quote) in quotes for side in finding.sides
        ):
            found += [side for side in finding.sides if side.part == "counter" and side.visit <= visit]
    return found


def _price(dossier: Dossier, change: Change) -> Finding:
    assert change.from_look is not None and change.to_look is not None
    sides = []
    for part, look, text in (("before", change.from_look, change.before), ("after", change.to_look, change.after)):
        passage = next((item for item in look.text.passages if item.text == text), None) if look.text else None
        sides.append(replace(look.side(part, passage, says="price"), service=dossier.service))
    return Finding(
        finding=finding_id(
            "X4",
            dossier.service,
            "price",
            change.url,
            change.from_visit.visit,
            change.to_visit.visit,
            digest([change.before, change.after]),
        ),
        kind="X4",
        rule="X4.price",
        services=(dossier.service,),
        codes=(),
        status="found",
        strength="moderate",
        title="A price changed",
        reason=f"“{change.before[:120]}” became “{change.after[:120]}”.",
        sides=merged(sides),
        details={"change": "price", "url": change.url, "from": change.from_visit.visit, "to": change.to_visit.visit},
    )
