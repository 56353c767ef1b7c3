"""Propositions: who does what to what, yes or no, for how long, under which condition; read from sentences by rules.

A proposition is what two sentences are compared by. The rules are data (``data/findings/propositions.toml``): patterns on
one sentence at a time. What the operator does not say itself (a quotation, a report, a customer, a comment, a question)
is no proposition; under a prohibition a sentence is the prohibition, not the invitation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from analysis.dossier import LISTING, Dossier, Flag, Look, Passage
from data.findings import FindingRules, PropositionRule

_FOLD = str.maketrans(
    {
        "’": "'", "‘": "'", "‛": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
        "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": " ", "\ufeff": " ", "\n": " ", "\t": " ",
        "‐": "-", "‑": "-", "–": "-", "—": "-",
    }
)  # fmt: skip
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|no|nr|vs|approx|ltd|inc|co|corp|st|mr|mrs|dr|art|sec|reg)|\b[A-Z])\.$", re.I
)
_END = re.compile(r"[.!?](?:[\"')\]]+)?(?=\s)|[!?…](?=\S)|\s(?=[•·✓✔➤►●▪✨🚫👥⚡️]\s)")
_QUOTATION = re.compile(r'^\W*".+"(?P<after>[^"]{0,90})$', re.S)
_INLINE = re.compile(r'"[^"]{3,300}"')
_OTHER_VOICES = frozenset({"REPORTED", "ADVICE", "POLICYQ", "USER", "TESTI"})
_TIME = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)?|[a-z]+(?:[ -](?:four|eight|two))?)[ -](?:(?:calendar|working|business|full|more)[ -])?"
    r"(?P<unit>second|minute|hour|hr|day|night|week|fortnight|month|year)s?",
    re.I,
)
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "twenty": 20, "twenty four": 24,
    "twenty-four": 24, "thirty": 30, "forty eight": 48, "forty-eight": 48, "sixty": 60, "seventy two": 72,
    "seventy-two": 72, "ninety": 90,
}  # fmt: skip
_UNITS = {
    "second": 1, "minute": 60, "hour": 3600, "hr": 3600, "day": 86400, "night": 86400, "week": 604800,
    "fortnight": 1209600, "month": 2629800, "year": 31557600,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposition:
    """One assertion at ``look``'s passage; ``seconds`` is 0 for never and at once, infinite for no end, -1 where no time is said."""

    rule: PropositionRule
    look: Look
    passage: Passage
    start: int
    end: int
    object: str
    sure: bool
    """Whether the sentence itself names the object."""
    seconds: float
    time: str
    condition: str
    stance: str
    words: str
    """The stretch that the rule matched, in plain lower case: what makes two claims the same claim."""

    @property
    def sentence(self) -> str:
        """The sentence as it stands on the page."""
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]

    @property
    def says(self) -> str:
        """In words: "it is kept for a time (30 days)"."""
        words = self.rule.says if not self.time else f"{self.rule.says} ({self.time})"
        return f"{words}, {self.condition}" if self.condition else words


@dataclass(frozen=True, slots=True)
class _Read:
    """A proposition before it is known who looked at the page."""

    rule: PropositionRule
    start: int
    end: int
    object: str
    sure: bool
    seconds: float
    time: str
    condition: str
    stance: str
    words: str


@lru_cache(maxsize=50_000)
def folded(text: str) -> str:
    """*text* with plain quotes, spaces and dashes; as long as before, so that places stay."""
    return text.translate(_FOLD)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence of *text* (already ``folded``)."""
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if _ABBREVIATION.search(text, start, end):
            continue
        yield from _stripped(text, start, end)
        start = end
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def seconds_of(text: str) -> float:
    """The time that *text* names, in seconds; -1 where it names none. Working days count as days."""
    match = _TIME.search(folded(text))
    if not match:
        return -1.0
    raw = match["number"].lower()
    number = float(raw.replace(",", ".")) if raw[0].isdigit() else float(_NUMBERS.get(raw, -1))
    return number * _UNITS[match["unit"].lower()] if number >= 0 else -1.0


def object_of(named: str, sentence: str, context: str, rules: FindingRules) -> tuple[str, bool]:
    """What a sentence is about (photo, log, account, album, …, any), and whether the sentence itself says so."""
    if rules.reading["chosen"].search(sentence):
        return "album", True
    for text, sure in ((named, True), (sentence if not named else "", True), (context, False)):
        for item in rules.objects:
            if text and any(pattern.search(text) for pattern in item.patterns):
                return item.id, sure
    return "any", False


class Propositions:
    """Reads passages with one set of rules; identical passages are read once."""

    def __init__(self, rules: FindingRules) -> None:
        self.rules = rules
        self._ban = rules.pattern("<BAN>")
        self._read_cached = lru_cache(maxsize=200_000)(self._read)
        self._reporting = frozenset(rules.lists["reporting_roles"])

    def of(self, dossier: Dossier) -> tuple[Proposition, ...]:
        """The propositions of everything the service says itself, in the order of its visits and pages."""
        return tuple(item for look in dossier.read for item in self.of_look(look))

    def of_look(self, look: Look) -> Iterator[Proposition]:
        """The propositions of one page."""
        if look.text is None or look.text.page_role in self._reporting:
            return
        if look.place == LISTING and re.search(r"/reviews?\b|/ratings?\b", look.url):
            return
        for passage in look.text.passages:
            if passage.zone in ("script_text", "template") or len(passage.text) < 4:
                continue
            for read in self._read_cached(
                passage.text,
                passage.heading,
                passage.list_intro,
                look.text.page_role,
                passage.role,
                passage.flags,
                passage.start,
            ):
                yield Proposition(
                    read.rule, look, passage, passage.start + read.start, passage.start + read.end, read.object,
                    read.sure, read.seconds, read.time, read.condition, read.stance, read.words,
                )  # fmt: skip

    def _read(
        self, text: str, heading: str, list_intro: str, page_role: str, role: str, flags: tuple[Flag, ...], offset: int
    ) -> tuple[_Read, ...]:
        plain, above, intro = folded(text), folded(heading), folded(list_intro)
        copy = page_role == "affiliate"
        whole = _QUOTATION.match(plain)
        if whole and not copy:
            return ()  # a customer, or somebody who is quoted
        if self.rules.reading["users"].search(above.rpartition(" > ")[2]) and role not in ("heading", "button"):
            return ()
        listed = role in ("list_item", "definition", "quote", "cell") and bool(
            self.rules.reading["list_ban"].search(intro)
            or self.rules.reading["list_ban"].search(above.rpartition(" > ")[2])
        )
        found: list[_Read] = []
        before = ""
        for start, end in sentences(plain):
            sentence = plain[start:end]
            inside = tuple(flag for flag in flags if flag.start - offset < end and start < flag.end - offset)
            context = f"{before} {above}"
            found.extend(self._sentence(sentence, start, end, context, inside, listed, copy and bool(whole), page_role))
            before = sentence
        return tuple(found)

    def _sentence(
        self,
        sentence: str,
        start: int,
        end: int,
        context: str,
        flags: tuple[Flag, ...],
        listed: bool,
        copy: bool,
        page_role: str,
    ) -> Iterator[_Read]:
        if any(flag.sensitive and flag.raises for flag in flags):
            return
        if sentence.endswith("?") or self.rules.reading["reporting"].search(sentence):
            return
        banned = listed or bool(self._ban.search(sentence))
        quotes = [] if copy else [match.span() for match in _INLINE.finditer(sentence)]
        heard = sentence.casefold()
        for rule in self.rules.propositions:
            if page_role in rule.not_roles:
                continue
            if rule.hints is not None and not flags and not rule.hints.search(heard):
                continue
            match = next(filter(None, (pattern.search(sentence) for pattern in rule.patterns)), None)
            stance = ""
            if match is None:
                stance = self._flagged(rule, flags)
                if not stance:
                    continue
            elif any(first <= match.start() and match.end() <= last for first, last in quotes):
                continue
            if any(pattern.search(sentence) for pattern in rule.unless):
                continue
            if rule.requires and not any(
                pattern.search(text) for pattern in rule.requires for text in (sentence, context)
            ):
                continue
            if rule.ban == "only" and not banned:
                continue
            if rule.ban == "drop" and (listed or (banned and rule.subject == "user")):
                continue
            if (
                any(
                    flag.stance in _OTHER_VOICES and flag.code == rule.code and flag.confidence >= 0.5 for flag in flags
                )
                and not copy
            ):
                continue
            groups = match.groupdict() if match else {}
            named = groups.get("obj") or groups.get("obj2") or ""
            thing, sure = (rule.object, True) if rule.object else object_of(named, sentence, context, self.rules)
            time = groups.get("time") or ""
            yield _Read(
                rule, start, end, thing, sure and match is not None, _seconds(rule, time), time,
                self._condition(sentence), stance or ("PROHIB" if rule.ban == "only" else "PROMO"),
                " ".join((match[0] if match else sentence).casefold().split()),
            )  # fmt: skip

    def _condition(self, sentence: str) -> str:
        match = self.rules.reading["condition"].search(sentence)
        return match[0].strip() if match else ""

    def _flagged(self, rule: PropositionRule, flags: tuple[Flag, ...]) -> str:
        """The stance of a flag that says what *rule* looks for; only one that rule and reader agree on counts."""
        needed = self.rules.numbers.get("flag_confidence", 0.85)
        for flag in flags:
            if f"{flag.code} {flag.stance}" in rule.flags and flag.confidence >= needed:
                return flag.stance
        return ""


def _seconds(rule: PropositionRule, time: str) -> float:
    if rule.quantity in ("never", "now"):
        return 0.0
    if rule.quantity == "open":
        return math.inf
    return seconds_of(time) if time else -1.0
