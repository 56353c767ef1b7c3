"""The same words on several services: testimonials, counters, whole pages; rankings tied to sellers; spare addresses.

Candidates come from MinHash (Broder 1997) with locality-sensitive hashing (``datasketch``); every pair that is reported
was compared word by word, and the words they share are shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from analysis.contradictions import partner_codes, side_of
from analysis.dossier import OWN, Dossier, Look, Passage
from analysis.finding import Finding, Side, finding_id, merged
from analysis.propositions import Proposition, folded
from data.findings import FindingRules

_PERMUTATIONS = 64
_SEED = 1
_QUOTED = re.compile(r'^\W*"(?P<words>.+)"(?P<by>[^"]{0,120})$', re.S)
_INSIDE = re.compile(r'"([^"]{40,})"')
"""A quotation inside a passage that says who speaks before or after it."""

_SIGNED = re.compile(r"([.!?…])[\s,-]*[A-Z][\w'-]*(?:[ ,.]+[A-Z0-9][\w'.-]*){0,4}\s*$")
"""A signature behind the last sentence of a customer's words: a few words that begin with capitals."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_COUNT = re.compile(
    r"(?P<number>\d{1,3}(?:[,. ]\d{3})+|\d+(?:\.\d+)?)(?P<scale> ?(?:k|m|thousand|million|billion)\b)?\+? "
    r"(?:(?:happy|active|monthly|daily|weekly|satisfied|registered|unique|total|online) )*"
    r"(?P<noun>users?|creators?|members?|customers?|people|downloads?|pictures?|photos?|images?|renders?|ratings?|reviews?|artists?|visitors?|subscribers?)\b",
    re.I,
)
_WORD_NUMBER = {
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
_SPELLED = re.compile(rf"\b({'|'.join(_WORD_NUMBER)})(?= (?:million|thousand|billion)\b)", re.I)
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "billion": 1e9}
_SAME_NOUN = {"people": "user", "creator": "creator", "artist": "creator"}


@dataclass(frozen=True, slots=True)
class Testimonial:
    """A customer's words as one service shows them, without the signature."""

    service: str
    words: tuple[str, ...]
    side: Side


@dataclass(frozen=True, slots=True)
class Counter:
    """A number of users, ratings or the like as one service shows it."""

    service: str
    value: float
    noun: str
    side: Side


@dataclass(frozen=True, slots=True)
class PageWords:
    """A page's words as a set of hashed shingles, for whole-page comparison."""

    service: str
    look: Look
    shingles: frozenset[int]


@dataclass(frozen=True, slots=True)
class Shared:
    """What one service shows that another might show as well."""

    testimonials: tuple[Testimonial, ...]
    counters: tuple[Counter, ...]
    pages: tuple[PageWords, ...]


def shared_by(dossier: Dossier, rules: FindingRules) -> Shared:
    """Testimonials, counters and pages of one service's own pages."""
    testimonials: dict[tuple[str, ...], Testimonial] = {}
    counters: dict[tuple[float, str], Counter] = {}
    pages: dict[str, PageWords] = {}
    least = int(rules.numbers["duplicate_words"])
    for look in dossier.read:
        if look.text is None or look.place != OWN or look.page_role in ("news", "forum"):
            continue
        if look.profile == "A" and look.page_role in ("home", "faq", "pricing", "terms", "privacy", "other"):
            found = _shingles(look)
            if len(found) >= 60:
                pages[look.url] = PageWords(dossier.service, look, found)
        for passage in look.text.passages:
            if passage.zone in ("script_text", "template") or any(flag.sensitive for flag in passage.flags):
                continue
            words = _testimonial(passage, look.page_role)
            if len(words) >= least and words not in testimonials:
                side = replace(look.side("same", passage, says="testimonial"), service=dossier.service)
                testimonials[words] = Testimonial(dossier.service, words, side)
            if any(flag.stance in ("REPORTED", "ADVICE", "USER", "POLICYQ") for flag in passage.flags):
                continue
            for value, noun in counts(passage.text):
                if value >= rules.numbers["counter_minimum"] and (value, noun) not in counters:
                    side = replace(look.side("same", passage, says=f"{value:,.0f} {noun}"), service=dossier.service)
                    counters[(value, noun)] = Counter(dossier.service, value, noun, side)
    return Shared(tuple(testimonials.values()), tuple(counters.values()), tuple(pages.values()))


def _testimonial(passage: Passage, page_role: str) -> tuple[str, ...]:
    """The words of a customer quoted on the page, without quotation marks and signature; empty where it is none."""
    plain = folded(passage.text)
    quoted = _QUOTED.match(plain)
    if quoted and page_role != "affiliate":
        return words_of(quoted["words"])
    if passage.role == "quote" or any(flag.code == "R01" and flag.stance == "TESTI" for flag in passage.flags):
        inside = max(_INSIDE.findall(plain), key=len, default="")
        return words_of(inside or _SIGNED.sub(r"\1", plain))
    return ()


def words_of(text: str) -> tuple[str, ...]:
    """The words of *text*, in lower case."""
    return tuple(_WORD.findall(folded(text).casefold()))


def counts(text: str) -> Iterator[tuple[float, str]]:
    """Numbers of people or things that *text* boasts of: value and noun in the singular."""
    plain = _SPELLED.sub(lambda match: _WORD_NUMBER[match[1].casefold()], folded(text))
    for match in _COUNT.finditer(plain):
        raw = match["number"]
        digits = re.sub(r"[,. ](?=\d{3}\b)", "", raw)
        scale = _SCALES.get((match["scale"] or "").strip().casefold(), 1.0)
        noun = match["noun"].casefold()
        noun = noun[:-1] if noun.endswith("s") else noun
        yield float(digits) * scale, _SAME_NOUN.get(noun, noun)


def _shingles(look: Look) -> frozenset[int]:
    assert look.text is not None
    words: list[str] = []
    for passage in look.text.passages:
        if passage.zone in ("main", "table", "aside") and passage.role not in ("link", "button"):
            words.extend(words_of(passage.text))
    return frozenset(hash_of(" ".join(words[at : at + 4])) for at in range(len(words) - 3))


def hash_of(text: str) -> int:
    """A stable 64-bit hash: Python's own differs from run to run."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def similar_pairs(sets: list[frozenset[int]], least: float) -> list[tuple[int, int, float]]:
    """Pairs of *sets* with a Jaccard index of at least *least*: candidates by MinHash, each pair then counted exactly.

    A candidate threshold well below *least* keeps the loss of MinHash (standard error about 1/sqrt(64)) out of the result.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=max(0.2, least - 0.2), num_perm=_PERMUTATIONS)
    found: list[tuple[int, int, float]] = []
    for number, items in enumerate(sets):
        if not items:
            continue
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)
        sketch.update_batch([item.to_bytes(8, "big") for item in sorted(items)])
        for other in sorted(index.query(sketch)):
            share = len(items & sets[other]) / len(items | sets[other])
            if share >= least:
                found.append((other, number, share))
        index.insert(number, sketch)
    return sorted(found)


# --- findings


def duplicates(shared: dict[str, Shared], rules: FindingRules) -> Iterator[Finding]:
    """Testimonials, counters and pages that several services show."""
    yield from _testimonials([item for name in sorted(shared) for item in shared[name].testimonials], rules)
    yield from _counters([item for name in sorted(shared) for item in shared[name].counters])
    yield from _mirrors([item for name in sorted(shared) for item in shared[name].pages], rules)


def _testimonials(items: list[Testimonial], rules: FindingRules) -> Iterator[Finding]:
    same: dict[tuple[str, ...], list[Testimonial]] = {}
    for item in items:
        same.setdefault(item.words, []).append(item)
    for words, group in sorted(same.items()):
        if len({item.service for item in group}) < 2:
            continue
        services = tuple(sorted({item.service for item in group}))
        yield Finding(
            finding=finding_id("R01.same", *services, " ".join(words)),
            kind="duplicate",
            rule="R01.same",
            services=services,
            codes=("R01",),
            status="found",
            strength="strong",
            title="The same testimonial on several services",
            reason=f"{len(services)} services show the same {len(words)} words as the words of a customer.",
            sides=merged([item.side for item in group]),
            details={"shared": " ".join(words)},
        )
    keys = sorted(same)
    least = rules.numbers["near_duplicate"]
    shingles = [frozenset(hash_of(" ".join(words[at : at + 2])) for at in range(len(words) - 1)) for words in keys]
    for one, other, _ in similar_pairs(shingles, 0.35):
        kept, ratio = shared_words(keys[one], keys[other])
        services = tuple(sorted({item.service for item in (*same[keys[one]], *same[keys[other]])}))
        if ratio < least or len(services) < 2 or len(kept.split()) < rules.numbers["duplicate_words"]:
            continue
        yield Finding(
            finding=finding_id("R01.near", *services, *sorted((" ".join(keys[one]), " ".join(keys[other])))),
            kind="near-duplicate",
            rule="R01.near",
            services=services,
            codes=("R01",),
            status="found",
            strength="moderate",
            title="Nearly the same testimonial on several services",
            reason=f"{ratio:.0%} of the words of the shorter one stand in the same order in the other.",
            sides=merged([item.side for item in (*same[keys[one]], *same[keys[other]])]),
            details={"shared": kept, "share": round(ratio, 3)},
        )


def shared_words(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, float]:
    """The words that stand in both in the same order, stretches joined by `` … ``, and their share of the shorter text."""
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    kept = " … ".join(" ".join(one[block.a : block.a + block.size]) for block in blocks)
    return kept, sum(block.size for block in blocks) / max(1, min(len(one), len(other)))


def _counters(items: list[Counter]) -> Iterator[Finding]:
    same: dict[tuple[float, str], list[Counter]] = {}
    for item in items:
        same.setdefault((item.value, item.noun), []).append(item)
    for (value, noun), group in sorted(same.items()):
        services = tuple(sorted({item.service for item in group}))
        if len(services) < 2:
            continue
        round_ = len(f"{value:.0f}".rstrip("0")) <= 1
        yield Finding(
            finding=finding_id("R03.same", *services, value, noun),
            kind="duplicate",
            rule="R03.same",
            services=services,
            codes=("R03",),
            status="found",
            strength="weak" if round_ else "strong",
            title="The same number on several services",
            reason=f"{len(services)} services claim {value:,.0f} {noun}s"
            + ("; a round number may be a coincidence." if round_ else ", a number that is not round."),
            sides=merged([item.side for item in group]),
            details={"value": value, "noun": noun},
        )


def _mirrors(pages: list[PageWords], rules: FindingRules) -> Iterator[Finding]:
    found: dict[tuple[str, str], list[tuple[PageWords, PageWords, float]]] = {}
    for one, other, share in similar_pairs([page.shingles for page in pages], rules.numbers["mirror_similarity"]):
        a, b = sorted((pages[one], pages[other]), key=lambda page: (page.service, page.look.url))
        if a.service != b.service:
            found.setdefault((a.service, b.service), []).append((a, b, share))
    for services, pairs in sorted(found.items()):
        sides: list[Side] = []
        for a, b, share in pairs:
            sides += [
                replace(page.look.side("same", says=f"{share:.0%} of the text"), service=page.service)
                for page in (a, b)
            ]
        home = any("home" in (a.look.page_role, b.look.page_role) for a, b, _ in pairs)
        yield Finding(
            finding=finding_id("E01.same-pages", *services),
            kind="mirror" if home else "template",
            rule="E01.same-pages",
            services=services,
            codes=("E01",) if home else (),
            status="found",
            strength="strong" if home and len(pairs) > 1 else "moderate" if home else "weak",
            title="The same pages under another address" if home else "The same policy text",
            reason=f"{len(pairs)} pages of the two have at least {min(share for *_, share in pairs):.0%} of their text in common.",
            sides=merged(sides),
            details={"pages": [[a.look.url, b.look.url, round(share, 3)] for a, b, share in pairs]},
        )


def spare_addresses(dossier: Dossier, propositions: Iterable[Proposition]) -> Iterator[Finding]:
    """A service that names spare addresses because of blocks (E01)."""
    said = [item for item in propositions if item.rule.id == "mirror.offered"]
    if not said:
        return
    addresses: dict[str, None] = {}
    sides = [side_of(dossier, "trigger", item) for item in said]
    for look in {item.look.observation: item.look for item in said}.values():
        for passage in look.text.passages if look.text else ():
            for name in re.findall(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,12}\b|@\w{4,}", passage.text):
                if "@" + name not in passage.text and passage.zone in ("main", "banner", "aside", "table"):
                    addresses[name] = None
                    if passage.role == "list_item":
                        sides.append(
                            replace(look.side("nearest", passage, says="address named"), service=dossier.service)
                        )
    yield Finding(
        finding=finding_id("E01.spare", dossier.service),
        kind="mirror",
        rule="E01.spare",
        services=(dossier.service,),
        codes=("E01",),
        status="found",
        strength="strong",
        title="Spare addresses because of blocks",
        reason="The service names other addresses to use when it is blocked or banned.",
        sides=merged(sides),
        details={"addresses": sorted(addresses)},
    )


def rankings(
    dossiers: dict[str, tuple[Dossier, tuple[Proposition, ...]]], hosts: dict[str, str], rules: FindingRules
) -> Iterator[Finding]:
    """Rankings whose links to those they rank carry a code of their own (R02). *hosts* tells the service of a host."""
    for name in sorted(dossiers):
        dossier, propositions = dossiers[name]
        ranking = [item for item in propositions if item.rule.id == "ranking.best" and item.look.place == OWN]
        if not ranking:
            continue
        codes: dict[str, str] = {}
        sides: list[Side] = []
        for look in dossier.looks:
            for item in partner_codes(look, rules) if look.place == OWN and look.profile == "A" else ():
                host, _, code = item.partition(" ")
                codes[item] = hosts.get(host, "")
                sides.append(
                    replace(look.side("seen", says=f"links to {hosts.get(host) or host} with {code}"), service=name)
                )
        sellers = sorted({seller for seller in codes.values() if seller and seller != name})
        if not codes:
            continue
        for seller in sellers:
            if seller in dossiers:
                of_seller, said_there = dossiers[seller]
                sides += [
                    side_of(of_seller, "counter", said) for said in said_there if said.rule.id == "affiliate.pays"
                ]
        sides += [side_of(dossier, "trigger", item) for item in ranking]
        yield Finding(
            finding=finding_id("R02.ranking", name),
            kind="ranking",
            rule="R02.ranking",
            services=(name, *sellers),
            codes=("R02",),
            status="found",
            strength="strong" if sellers else "moderate",
            title="A ranking tied to those it ranks",
            reason=f"The page ranks services and reaches them with a code that credits it: {', '.join(sorted(codes))}.",
            sides=merged(sides),
            details={"codes": sorted(codes), "sellers": sellers},
        )


def pairs_of(services: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each two of *services*, in a fixed order."""
    yield from combinations(sorted(set(services)), 2)
