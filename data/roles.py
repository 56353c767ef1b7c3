"""What a page is for (pricing, terms, report …), told from its address and its names. The cues are data: ``roles.toml``.

The crawler orders a visit by it and the analysis reads claims by it, so both see the same role for the same page.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

ROLES: Final = (
    "home", "pricing", "faq", "terms", "privacy", "refund", "contact", "report",
    "affiliate", "blog", "listing", "ad", "forum", "news", "help", "other",
)  # fmt: skip

# A longer name is a sentence: it says what an article is about, not what the page is for.
_NAME_WORDS: Final = 6
_CUE_WORDS: Final = 5
_TITLE_PART: Final = re.compile(r"\s+[|–—·•»:-]\s+|\s*[|»·•]\s*|:\s+")
_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LOCALE: Final = re.compile(r"[a-z]{2}(?:[-_][a-z]{2,4})?", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"\.(?:html?|xhtml|php\d?|aspx?|jsp|cfm|cgi|do|md|txt)$", re.IGNORECASE)
_DATED: Final = re.compile(r"/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(?:/|$)")
_STORE_PATH: Final = re.compile(r"/(?:store/apps/details|apps?/[\w.-]+/id\d+|app/id\d+|webstore/detail|addon)(?:/|$)")
_HOME_NAMES: Final = frozenset({"", "index", "home", "homepage", "default", "main", "start", "welcome"})
_ROUTE_KEYS: Final = frozenset({"page", "p", "section", "view", "route", "doc", "id", "q"})


class _Cues(NamedTuple):
    """cue -> (place in the file, role, rule id), for each way a rule can apply; `yielding` are folders that decide last."""

    yielding: frozenset[str]
    folder: dict[str, tuple[int, str, str]]
    within: dict[str, tuple[int, str, str]]
    exact: dict[str, tuple[int, str, str]]
    first_words: frozenset[str]


@lru_cache(maxsize=65_536)
def page_role(url: str, link_text: str = "", title: str = "", h1: str = "") -> tuple[str, str]:
    """The role of a page, and the id of the rule in ``roles.toml`` that gave it (``("other", "role.none")`` if none did).

    *url* may be the only thing known, as when a link is judged before it is followed. A home page is one whose path is
    empty or an index, under a language prefix or not. Nothing raises: an address that cannot be read counts as no address.
    """
    host, segments, routed = _path(url)
    cues = _cues()
    label = host.partition(".")[0] if host.count(".") > 1 else ""
    outer = ([label] if label else []) + segments[:-1]
    folder = next((found for name in outer if (found := cues.folder.get(_name(name)))), None)
    if folder and folder[2] not in cues.yielding:
        return folder[1:]
    path = "/" + "/".join(segments)
    if _STORE_PATH.search(path):
        return "listing", "listing.path"
    if _DATED.search(path):
        return "blog", "blog.dated"
    last = _name(segments[-1]) if segments else ""
    if not folder and host and not routed and len(segments) <= 1 and last in _HOME_NAMES:
        return "home", "home.path"
    for name in (last, _name(link_text), _name(h1), *(_name(part) for part in _TITLE_PART.split(title))):
        found = _match(name, cues)
        if found:
            return found[1:]
    if folder:
        return folder[1:]
    for segment in reversed(segments[:-1]):
        found = _match(_name(segment), cues, whole=False)
        if found:
            return found[1:]
    if found := cues.folder.get(last):
        return found[1:]
    return "other", "role.none"


def _match(name: str, cues: _Cues, whole: bool = True) -> tuple[int, str, str] | None:
    """The first rule in the file's order that a short name fits."""
    words = name.split()
    if len(words) > _NAME_WORDS:
        return None
    best = cues.exact.get(name) if whole else None
    for start, word in enumerate(words):
        if word not in cues.first_words:
            continue
        for end in range(start + 1, min(start + _CUE_WORDS, len(words)) + 1):
            found = cues.within.get(" ".join(words[start:end]))
            if found and (best is None or found < best):
                best = found
    return best


def _path(url: str) -> tuple[str, list[str], bool]:
    """Host, path segments (language prefix and file extension off), and whether a query or fragment named the page."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", [], False
    segments = [segment for segment in unquote(parts.path).split("/") if segment]
    routed = False
    if parts.fragment.startswith(("/", "!/")):  # a script-rendered page keeps its route here
        route = [segment for segment in unquote(parts.fragment).lstrip("!").split("/") if segment]
        segments, routed = segments + route, bool(route)
    for pair in parts.query.split("&"):
        key, _, value = pair.partition("=")
        if key.lower() in _ROUTE_KEYS and value and not value.isdigit() and len(value) < 60:
            segments.append(unquote(value.replace("+", " ")))
            routed = True
            break
    if segments:
        segments[-1] = _EXTENSION.sub("", segments[-1])
    if segments and _LOCALE.fullmatch(segments[0]):
        name = _name(segments[0])  # "hc" is a help centre, not a language
        if name not in _cues().exact and name not in _cues().folder:
            segments = segments[1:]
    return host, segments, routed


@lru_cache(maxsize=16_384)
def _name(text: str) -> str:
    """Words in lower case, apart by one space; "privacyPolicy" and "privacy-policy" are the same name."""
    if not text.islower():
        text = _CAMEL.sub(" ", text[:400])
    return " ".join(_WORD.findall(text[:400].casefold()))


@cache
def _cues() -> _Cues:
    rules = tomllib.loads(resources.files("data").joinpath("roles.toml").read_text(encoding="utf-8"))["rule"]
    yielding = frozenset(rule["id"] for rule in rules if rule.get("yields"))
    first_words = frozenset(cue.split()[0] for rule in rules for cue in rule.get("cues", ()))
    cues = _Cues(yielding, {}, {}, {}, first_words)
    for order, rule in enumerate(rules):
        if rule["role"] not in ROLES:
            raise ValueError(f"roles.toml: rule {rule['id']} names an unknown role {rule['role']!r}")
        for table, key in ((cues.folder, "folder"), (cues.within, "cues"), (cues.exact, "exact")):
            for cue in rule.get(key, ()):
                table.setdefault(cue, (order, rule["role"], rule["id"]))
    return cues
