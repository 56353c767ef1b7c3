"""Masking: names, handles, e-mail addresses and telephone numbers of third parties become keyed tokens in working copies.

Recall goes before precision: in the words of third parties (reviews, testimonials, forum posts) a capitalised word that is
no known word is taken for a name. Where the operator speaks, its own contacts stay, and only addresses and numbers that
are not its own are masked. Measured on ``tests/gold/masking.jsonl``; see docs/explanation/extent.md.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from data.canonical import sha256
from data.case import Case

KEY_FILE: Final = "masking.key"
KINDS: Final = ("name", "email", "phone", "handle")
THIRD_STANCES: Final = frozenset({"TESTI", "USER"})
THIRD_ROLES: Final = frozenset({"forum"})


@dataclass(frozen=True, slots=True)
class Masked:
    """One stretch that is hidden: ``text[start:end]`` is a *kind*; *token* stands for it."""

    kind: str
    start: int
    end: int
    token: str


@dataclass(frozen=True, slots=True)
class Words:
    """Words that a capital letter does not make a name (``masking.toml``), all in lower case."""

    plain: frozenset[str]
    titles: frozenset[str]
    kin: frozenset[str]
    speech: frozenset[str]
    first_names_that_are_words: frozenset[str]
    greetings: frozenset[str]
    openers: frozenset[str]


@cache
def words() -> Words:
    """The word lists that travel with the package."""
    lists = tomllib.loads(Path(__file__).with_name("masking.toml").read_text(encoding="utf-8"))
    read = {name: frozenset(lists[name].split()) for name in Words.__slots__}
    return Words(**read)


def case_key(case: Case) -> bytes:
    """The key of the case's tokens; made on first use, kept beside the case and never exported.

    The ledger holds the key's hash, so that a lost or changed key is noticed.
    """
    path = case.root / KEY_FILE
    if not path.exists():
        key = secrets.token_bytes(32)
        new = path.with_name(f".{KEY_FILE}.{os.getpid()}")
        try:
            new.touch(mode=0o600)
            new.write_text(key.hex() + "\n", encoding="ascii")
            # A link is made once, however many processes try: all of them then read the same key.
            os.link(new, path)
            case.record("masking.key_made", {"sha256": sha256(key)})
        except FileExistsError:
            pass
        except OSError:
            return key  # a case that cannot be written to is still masked, with a key for this run
        finally:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def token(key: bytes, kind: str, value: str) -> str:
    """``[name:3fa2c1]``: the same person gets the same token within a case, and no two cases share one (HMAC-SHA256)."""
    plain = re.sub(r"[\s.]+", " " if kind == "name" else "", value).strip().casefold().lstrip("@")
    if kind == "phone":
        plain = re.sub(r"\D", "", value)
    return f"[{kind}:{hmac.new(key, f'{kind} {plain}'.encode(), 'sha256').hexdigest()[:6]}]"


def mask(text: str, key: bytes, *, third_party: bool, own: Iterable[str] = ()) -> str:
    """*text* with every stretch of ``find`` replaced by its token."""
    out, last = [], 0
    for item in find(text, key, third_party=third_party, own=own):
        out += [text[last : item.start], item.token]
        last = item.end
    return "".join(out) + text[last:]


def find(text: str, key: bytes, *, third_party: bool, own: Iterable[str] = ()) -> list[Masked]:
    """What is to be hidden in *text*, in order, without overlaps.

    *third_party* says that somebody other than the operator speaks, or is quoted. *own* are the operator's own contacts
    and domains (``quillobrite.example``, ``+44 20 …``): they stay.
    """
    keep = _own(tuple(own))
    taken: list[tuple[int, int, str]] = []

    def free(start: int, end: int) -> bool:
        return all(end <= a or start >= b for a, b, _ in taken)

    for kind, pattern, can_match in _CONTACTS:
        if not can_match(text):
            continue
        for match in pattern.finditer(text):
            start, end = match.span(match.lastgroup or 0)
            if not free(start, end) or keep.has(kind, text[start:end]):
                continue
            if kind == "phone" and not _is_phone(text, start, end):
                continue
            if kind in ("handle", "phone") and not third_party:
                continue
            taken.append((start, end, kind))
    names = _names(text) if third_party else _signatures_in_quotes(text)
    for start, end in names:
        if free(start, end) and not keep.has("name", text[start:end]):
            taken.append((start, end, "name"))
    return [Masked(kind, a, b, token(key, kind, text[a:b])) for a, b, kind in sorted(taken)]


def is_third_party(stances: Iterable[str], page_role: str = "", heading: str = "", passage: str = "") -> bool:
    """Whether a passage is, or quotes, the words of somebody other than the operator."""
    if THIRD_STANCES & set(stances) or page_role in THIRD_ROLES:
        return True
    return bool(_REVIEWS.search(heading) or _QUOTED.match(passage) or _STARS.match(passage))


class Masker:
    """The masking of one case: its key, and each service's own contacts."""

    def __init__(self, key: bytes, own: Iterable[str] = ()) -> None:
        self.key, self.own = key, tuple(own)

    @classmethod
    def of(cls, case: Case, own: Iterable[str] = ()) -> Masker:
        """The masker of *case*; the hosts of its services count as the operators' own."""
        from urllib.parse import urlsplit

        hosts = {urlsplit(url).hostname or "" for service in case.services().values() for url in service.urls}
        return cls(case_key(case), (*own, *sorted(hosts - {""})))

    def __call__(self, text: str) -> str:
        """*text* masked; whether third parties speak is read from the text itself."""
        return self.passage(text)

    def passage(self, text: str, *, stances: Iterable[str] = (), page_role: str = "", heading: str = "") -> str:
        """*text* masked, with what is known of where it stood."""
        third = is_third_party(stances, page_role, heading, text)
        return mask(text, self.key, third_party=third, own=self.own)

    def quoted(
        self, text: str, start: int, end: int, *, stances: Iterable[str] = (), page_role: str = "", heading: str = ""
    ) -> tuple[str, str, str]:
        """What stands before, in and after ``text[start:end]``, masked as one: a name across the border stays hidden."""
        third = is_third_party(stances, page_role, heading, text)
        hidden = find(text, self.key, third_party=third, own=self.own)
        parts = ["", "", ""]
        at = 0
        while at < len(text):
            part = 0 if at < start else 1 if at < end else 2
            found = next((item for item in hidden if item.start <= at < item.end), None)
            if found is not None:
                parts[part] += found.token
                at = found.end
                continue
            border = min(
                (edge for edge in (start, end, len(text), *(item.start for item in hidden)) if edge > at),
            )
            parts[part] += text[at:border]
            at = border
        return parts[0], parts[1], parts[2]


# --- contacts

_EMAIL = re.compile(
    r"(?P<it>[A-Z0-9][A-Z0-9._%+-]*\s?(?:@|\(at\)|\[at\]|\sat\s)\s?[A-Z0-9-]+(?:\s?(?:\.|\(dot\)|\[dot\]|\sdot\s)\s?[A-Z0-9-]+)*"
    r"\s?(?:\.|\(dot\)|\[dot\]|\sdot\s)\s?[A-Z]{2,})(?![A-Z0-9])",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"\b(?:t\.me|telegram\.me|facebook\.com|fb\.com|instagram\.com|tiktok\.com|twitter\.com|x\.com|linkedin\.com/in|"
    r"reddit\.com/u(?:ser)?|vk\.com|threads\.net|snapchat\.com/add|youtube\.com)/@?(?P<it>[\w][\w.\-]*\w)",
    re.IGNORECASE,
)
_NAMED_HANDLE = re.compile(
    r"\b(?:skype|discord|snap(?:chat)?|insta(?:gram)?|tiktok|telegram|signal|kik|handle|username|nick(?:name)?)\s*(?:is|:|=)?\s+"
    r"(?P<it>(?=[\w.:#-]*[._:#\d])[\w][\w.:#-]*[\w])",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"(?<![\w])(?P<it>[\w][\w.]{1,31}#\d{4})\b")
_AT = re.compile(r"(?<![\w@])(?P<it>@[A-Za-z_À-ÿ][\w.\-]*[\w])")
_REDDIT = re.compile(r"(?<![\w/])(?P<it>u/[A-Za-z0-9_-]{3,20})\b")
_PHONE = re.compile(r"(?<![\w#@/-])(?P<it>(?:\+|00)?\(?\d[\d\s().\-/]{5,18}\d)(?![\w%€$£]|-\w)")
_NETWORKS: Final = "skype discord snap insta tiktok telegram signal kik handle username nick".split()


def _names_a_network(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _NETWORKS)


# The third says whether the pattern can match at all: most texts are passed over at the cost of a glance.
_CONTACTS: Final = (
    ("email", _EMAIL, re.compile(r"@|[(\[\s]at[)\]\s]", re.IGNORECASE).search),
    ("handle", _PROFILE, re.compile(r"\.me/|\.com/", re.IGNORECASE).search),
    ("handle", _NAMED_HANDLE, _names_a_network),
    ("handle", _TAGGED, re.compile(r"#\d").search),
    ("handle", _AT, re.compile("@").search),
    ("handle", _REDDIT, re.compile("u/").search),
    ("phone", _PHONE, re.compile(r"\d").search),
)
_DATE = re.compile(r"(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d")
_NOT_PHONE = re.compile(
    r"(?:order|ticket|invoice|transaction|serial|version|error|code|ref(?:erence)?|no|case|build|account|iban|id)"
    r"\W*(?:number|no|nr|is)?\W*$",
    re.IGNORECASE,
)


def _is_phone(text: str, start: int, end: int) -> bool:
    found = text[start:end]
    digits = re.sub(r"\D", "", found)
    if not 7 <= len(digits) <= 15 or _DATE.fullmatch(found) or _NOT_PHONE.search(text[:start]):
        return False
    if re.search(r"\d{4}-\d\d-\d\d", found) or re.search(r"(?:19|20)\d\d\s*[-–]\s*(?:19|20)\d\d", found):
        return False
    # Thousands ("2 000 000") are no telephone number; a group of three after each blank, and no leading zero or plus.
    return not re.fullmatch(r"[1-9]\d{0,2}(?:[ .]\d{3})+", found) or found.startswith(("+", "0"))


@lru_cache(maxsize=8)
def _own(items: tuple[str, ...]) -> _Own:
    return _Own(items)


class _Own:
    def __init__(self, items: Iterable[str]) -> None:
        self.values = {item.casefold() for item in items if item}
        self.numbers = {re.sub(r"\D", "", item) for item in self.values} - {""}

    def has(self, kind: str, found: str) -> bool:
        plain = found.casefold()
        if plain in self.values or plain.lstrip("@") in self.values:
            return True
        if kind == "email":
            domain = plain.rpartition("@")[2].strip()
            return any(domain == item or domain.endswith("." + item) for item in self.values)
        return kind == "phone" and re.sub(r"\D", "", found) in self.numbers


# --- names

_UPPER = r"A-ZÀ-ÖØ-ÞĀĂĄĆĈČĎĐĒĘĚĜĞĢĤĪĮİŁŃŅŇŌŐŒŔŘŚŜŞŠŤŢŪŮŰŹŻŽА-ЯЁΑ-Ω"
_LETTER = r"[^\W\d_]"
_PART = rf"[{_UPPER}](?:{_LETTER}|['’](?={_LETTER})|-(?={_LETTER}))*\.?"
_LINK = r"(?:van|von|de|der|den|del|della|di|da|dos|du|la|le|el|al|bin|ibn|of|y|zu|ten|ter)"
_NAME = re.compile(rf"(?<![\w@#/.'’&-])(?:{_PART})(?:(?:\s{_LINK}){{0,2}}\s(?:{_PART})){{0,4}}")
_REVIEWS: Final = re.compile(
    r"\b(?:reviews?|testimonials?|customers? sa(?:y|id)|users? sa(?:y|id)|people say|what (?:they|others) say|feedback|comments?|"
    r"ratings?|forum|stories)\b",
    re.IGNORECASE,
)
_QUOTE_MARKS = '“”„«»‘"‹›'
_QUOTED: Final = re.compile(rf"\s*[{_QUOTE_MARKS}]")
_STARS: Final = re.compile(r"\s*(?:[★☆⭐]{1,5}|[1-5]\s*(?:/\s*5|stars?)\b)")
_SIGN = re.compile(rf"(?:^|[\s{_QUOTE_MARKS}.!?…*★☆⭐)])\s*(?:[—–~]|--|-(?=\s))\s*(?P<it>[\w@][^,;:|·•()\n“”„«»]*)")
_AFTER_QUOTE = re.compile(r"[”»\"’“]\s*[,.]?\s+(?P<it>[\w][^,;:|·•()\n“”„«»—–]*)")
_LOWER_SIGN = re.compile(
    r"(?:^|\s)(?:--|—|–|~|greetz,?|cheers,?|regards,?|xoxo,?|posted by|edited by|reviewed by|joined the board:|by)\s*"
    r"(?P<it>[a-z][\w]*(?:[_\s](?:[a-z]\.|[\w]+(?=$|\s(?:on|at)\b)))?)(?=\s*(?:$|on\b|at\b|,|\.))"
)
_LEADING_USER = re.compile(
    r"^\s*(?P<it>[a-z][\w]*\d[\w]*|[a-z]+_\w+|[a-z]{2,}(?:\s[a-z]\.)?)(?=\s*(?::|—|–)|\s(?:here,))"
)
_CHEERS = re.compile(r"\b(?:cheers|thanks|thank you|thx|hi|hello|hey|dear|ping)\s+(?P<it>[a-z]{3,})(?=\s+for\b)")


def _names(text: str) -> Iterator[tuple[int, int]]:
    """Stretches that read as persons' names where somebody other than the operator speaks."""
    lists = words()
    for pattern in (_LOWER_SIGN, _LEADING_USER, _CHEERS):
        for match in pattern.finditer(text):
            if match["it"].casefold() not in lists.plain | lists.openers:
                yield match.span("it")
    ends = {start for start, _ in _signature_starts(text)}
    shouting = text.upper() == text or sum(1 for word in re.findall(r"[A-Z]{3,}", text)) > 3
    for match in _NAME.finditer(text):
        yield from _judge(text, match.start(), match.end(), ends, lists, shouting)


def _judge(
    text: str, start: int, end: int, signed: set[int], lists: Words, shouting: bool
) -> Iterator[tuple[int, int]]:
    """The part of a run of capitalised words that is a name, if any is."""
    run = [(m.start() + start, m.end() + start) for m in re.finditer(r"\S+", text[start:end])]
    first = _first_of_sentence(text, start)
    signature = start in signed
    kept: list[tuple[int, int]] = []
    for at, (a, b) in enumerate(run):
        word = re.sub(r"['’]s$", "", text[a:b].rstrip("."))
        plain = word.casefold()
        known = plain in lists.plain or (shouting and word.isupper() and plain in lists.openers)
        if plain in lists.titles or re.fullmatch(_LINK, plain):
            kept.append((a, b))
        elif len(word) == 1 and word != "I":
            if signature or kept or at + 1 < len(run):
                kept.append((a, b))
            elif kept:
                break
        elif known and not (signature and plain in lists.first_names_that_are_words):
            if kept and any(_solid(text[x:y], lists) for x, y in kept):
                break
            kept = []
        elif (first and at == 0 and plain in lists.openers and _goes_on(text, b)) or (
            first and at == 0 and not signature and _ordinary_opening(text, a, b, run, lists)
        ):
            kept = []
        elif plain in lists.first_names_that_are_words and not signature and not _named_by_context(text, a, b, lists):
            if kept:
                break
        else:
            kept.append((a, b))
    if not kept or not any(_solid(text[a:b], lists) or signature for a, b in kept):
        return
    if all(text[a:b].casefold().rstrip(".") in lists.titles for a, b in kept):
        return
    left, right = kept[0][0], kept[-1][1]
    found = text[left:right]
    if found.endswith(".") and not re.search(r"(?:^|\s|\.)[^\W\d_]\.$", found):
        right -= 1
    if re.search(r"['’]s$", text[left:right]):
        right -= 2
    yield left, right


def _goes_on(text: str, end: int) -> bool:
    """Whether an opening word is followed by a plain word or a name, as in a sentence, and not by what follows a name."""
    return bool(re.match(r"[,:]?\s+[\w@]", text[end:])) and not re.match(r"\s+\d", text[end:])


def _solid(word: str, lists: Words) -> bool:
    plain = word.casefold().rstrip(".")
    return len(plain) > 1 and plain not in lists.titles and not re.fullmatch(_LINK, plain)


def _first_of_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip()
    return not before or before[-1] in f".!?:…|>{_QUOTE_MARKS}*★☆⭐("


def _ordinary_opening(text: str, start: int, end: int, run: list[tuple[int, int]], lists: Words) -> bool:
    """Whether a capital at the start of a sentence says nothing: the word is not followed by what follows a name."""
    if len(run) > 1:
        return text[start:end].casefold() in lists.openers
    after = text[end : end + 40]
    if re.match(r"\s*(?:[:,·•|&—–~]|\(|['’]s\b|★|☆|\d+\s*(?:/|stars?|days?|weeks?|months?))", after) and (
        text[start:end].casefold() not in lists.openers
    ):
        return False
    follows = re.match(r"\s+(\w+)", after)
    if follows and follows[1].casefold() in lists.speech and text[start:end].casefold() not in lists.openers:
        return False
    return text[start:end].casefold() in lists.openers or not re.match(r"\s*$", after)


def _named_by_context(text: str, start: int, end: int, lists: Words) -> bool:
    before = re.search(r"(\w+)[\s,]*$", text[:start])
    word = before[1].casefold() if before else ""
    after = re.match(r"['’]?\s*(\w+)", text[end:])
    return word in lists.kin | lists.greetings or bool(after and after[1].casefold() in lists.speech)


def _signature_starts(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_SIGN, _AFTER_QUOTE):
        for match in pattern.finditer(text):
            yield match.span("it")
    for match in re.finditer(r"(?:^|[★☆⭐]\s*|[·•|]\s*)(?P<it>[^\W\d_])", text):
        yield match.span("it")


def _signatures_in_quotes(text: str) -> Iterator[tuple[int, int]]:
    """Where the operator speaks: only the signature of a quotation it shows."""
    if not _QUOTED.match(text):
        return
    yield from _names(text)
