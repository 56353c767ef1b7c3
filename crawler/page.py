"""What a page says besides its text: links, redirects it asks for, identifiers, hosts, forms. Read from HTML, no network."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler import guard
from data import address, markup
from data.records import PageFacts


@dataclass(frozen=True, slots=True)
class Link:
    """An address that the page offers, with the words it is offered with."""

    url: str
    text: str
    kind: str = "link"


@dataclass(frozen=True, slots=True)
class Page:
    """A read page. ``refresh`` is the address that a meta refresh sends to; ``scripted`` asks for a browser."""

    links: tuple[Link, ...]
    facts: PageFacts
    refresh: str
    h1: str
    words: str
    scripted: str


# Below this many characters of visible text a page with scripts is taken to be built by them.
_FEW_CHARACTERS = 400
_MOUNTS = '#root, #app, #__next, #__nuxt, #___gatsby, #svelte, app-root, [data-reactroot], [ng-app], [id="q-app"]'
_ASKED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "track": "src",
    "link": "href",
}
_MEDIA_TAGS = "img, picture, video, audio, embed, object, source, [poster], input[type=image], image"
_LOADING_RELS = {"stylesheet", "preload", "prefetch", "icon", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
_REFRESH = re.compile(r"^\s*[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?[\"']?([^\"']*)", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])([A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24})(?![\w-])")


def read_page(text: str, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Page:
    """Read *text* (HTML) that was found at *url* (canonical). Never raises for bad markup."""
    tree = LexborHTMLParser(markup.bounded(text))
    base = _base(tree, url)
    links = _links(tree, base)
    refresh = _refresh(tree, base)
    asked, linked, media = _hosts(tree, base, url)
    words = tree.body.text(separator=" ", strip=True)[:20_000] if tree.body is not None else ""
    facts = PageFacts(
        title=_first_text(tree, "title")[:500],
        canonical=_attribute(tree, 'link[rel="canonical"]', "href", base),
        alternates=_alternates(tree, base),
        hosts_asked=asked,
        hosts_linked=linked,
        tag_ids=_tag_ids(tree, text),
        form_actions=_forms(tree, base),
        sign_on=_matching(tree, base, "sign_on"),
        payment=_matching(tree, base, "payment"),
        csp_hosts=_csp_hosts(headers),
        cookie_names=cookie_names(headers),
        emails=_emails(tree, words),
        affiliate_params=_affiliates(links, url),
        meta_refresh=refresh,
        media_not_fetched=media,
        generator=_attribute(tree, 'meta[name="generator"]', "content", "")[:200],
    )
    return Page(links, facts, refresh, _first_text(tree, "h1")[:500], words, _scripted(tree, words))


def cookie_names(headers: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Names, never values, of the cookies that the answer sets."""
    found = (value.partition("=")[0].strip()[:100] for name, value in headers if name.lower() == "set-cookie")
    return tuple(dict.fromkeys(item for item in found if item))


def header_refresh(headers: tuple[tuple[str, str], ...], url: str) -> str:
    """The address that a Refresh header sends to, or an empty string."""
    for name, value in headers:
        if name.lower() == "refresh" and (match := _REFRESH.match(value)) and match[1].strip():
            return _resolve(match[1].strip(), url)
    return ""


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return _resolve(node.attributes.get("href") or "", url) or url if node is not None else url


def _resolve(href: str, base: str) -> str:
    try:
        return address.canonical(href.strip(), base)
    except address.BadAddress:
        return ""


def _links(tree: LexborHTMLParser, base: str) -> tuple[Link, ...]:
    found: dict[str, Link] = {}
    resolve = _resolver(base)
    for node in tree.css("a[href], area[href]"):
        href = node.attributes.get("href")
        if not href:
            continue
        target = resolve(href)
        if target and target not in found:
            found[target] = Link(target, node.text(deep=True, strip=True)[:200])
    for node in tree.css("iframe[src], frame[src], link[rel=next], link[rel=prev], link[rel=alternate][hreflang]"):
        href = node.attributes.get("src") or node.attributes.get("href")
        target = resolve(href) if href else ""
        if target and target not in found:
            found[target] = Link(
                target, node.attributes.get("title") or "", "frame" if node.tag in ("iframe", "frame") else "link"
            )
    return tuple(found.values())


def _resolver(base: str) -> Any:
    """``_resolve`` that remembers: a site's menu repeats the same few addresses on every page."""
    return functools.partial(_resolve_again, base=base)


@functools.lru_cache(maxsize=20_000)
def _resolve_again(href: str, base: str) -> str:
    return _resolve(href, base)


def _refresh(tree: LexborHTMLParser, base: str) -> str:
    for node in tree.css("meta[http-equiv]"):
        if (node.attributes.get("http-equiv") or "").strip().lower() != "refresh":
            continue
        content = node.attributes.get("content") or ""
        _, mark, rest = content.replace(",", ";", 1).partition(";")
        if mark and (match := _REFRESH.match(rest)) and match[1].strip():
            return _resolve(match[1].strip(), base)
    return ""


def _hosts(tree: LexborHTMLParser, base: str, url: str) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    own = address.host(url)
    asked: dict[str, None] = {}
    for tag, attribute in _ASKED.items():
        for node in tree.css(f"{tag}[{attribute}]"):
            if tag == "link" and not _LOADING_RELS & set((node.attributes.get("rel") or "").lower().split()):
                continue
            _note_host(asked, node.attributes.get(attribute) or "", base, own)
    for node in tree.css("[srcset]"):
        for part in (node.attributes.get("srcset") or "").split(",")[:20]:
            _note_host(asked, part.strip().partition(" ")[0], base, own)
    linked: dict[str, None] = {}
    for node in tree.css("a[href]"):
        href = node.attributes.get("href") or ""
        if "//" in href[:8]:
            _note_host(linked, href, base, own)
    return tuple(asked), tuple(linked), len(tree.css(_MEDIA_TAGS))


def _note_host(hosts: dict[str, None], href: str, base: str, own: str) -> None:
    target = _resolve_again(href, base) if href and "[removed " not in href else ""
    if target.startswith(("http://", "https://")) and (name := address.host(target)) and name != own:
        hosts[name] = None


def _tag_ids(tree: LexborHTMLParser, text: str) -> tuple[tuple[str, str], ...]:
    found: dict[tuple[str, str], None] = {}
    for kind, hints, pattern, before in _identifiers():
        for begin, end in _stretches(text, hints, before):
            for match in pattern.finditer(text, begin, end):
                found[(kind, match[1])] = None
    names = _signals()["verification"]["names"]
    for node in tree.css("meta[name][content]"):
        name = (node.attributes.get("name") or "").strip().lower()
        if name in names:
            found[(f"verification:{name}", (node.attributes.get("content") or "").strip()[:200])] = None
    return tuple(found)


# Patterns are slow and hints are found fast: a pattern reads only around its hints, as far as its identifier can reach.
_BEFORE, _AFTER = 100, 300


def _stretches(text: str, hints: tuple[str, ...], before: int) -> Iterator[tuple[int, int]]:
    """The stretches of *text* in which an identifier can stand: from *before* characters before one of *hints*; the whole
    text where *before* is negative.
    """
    if before < 0:
        if any(hint in text for hint in hints):
            yield 0, len(text)
        return
    for hint in hints:
        at = text.find(hint)
        while at >= 0:
            begin, end = max(0, at - before), at + _AFTER
            # Stretches that touch become one: what lies across their seam is read as well.
            while (further := text.find(hint, at + 1, end + before)) >= 0:
                at, end = further, further + _AFTER
            yield begin, end
            at = text.find(hint, end)


def _forms(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in tree.css("form"):
        method = (node.attributes.get("method") or "get").lower()[:10]
        target = _resolve(node.attributes.get("action") or "", base)
        if target:
            found[f"{method} {target.partition('?')[0]}"] = None
    return tuple(found)


def _matching(tree: LexborHTMLParser, base: str, kind: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in tree.css("a[href], form[action], script[src], iframe[src]"):
        attributes = node.attributes
        href = attributes.get("href") or attributes.get("action") or attributes.get("src") or ""
        place = _place(_resolve_again(href, base), kind)
        if place:
            found[place] = None
    return tuple(found)[:50]


@functools.lru_cache(maxsize=20_000)
def _place(target: str, kind: str) -> str:
    """Host and path of an address that is one of sign-on or payment, else an empty string."""
    if not target.startswith(("http://", "https://")):
        return ""
    parts = urlsplit(target)
    pattern = _host_pattern(kind)
    if pattern.search(parts.hostname or "") or pattern.search(parts.path):
        return f"{parts.hostname}{parts.path}"[:300]
    return ""


def _csp_hosts(headers: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name, value in headers:
        if name.lower() in ("content-security-policy", "content-security-policy-report-only"):
            for word in value[:20_000].split():
                word = word.strip(";,").lower()
                if "." in word and "'" not in word:
                    found[word.partition("://")[2].partition("/")[0] or word.partition("/")[0]] = None
    return tuple(found)[:200]


def _emails(tree: LexborHTMLParser, words: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in tree.css('a[href^="mailto:"]'):
        target = (node.attributes.get("href") or "")[7:].partition("?")[0].strip().lower()
        if _EMAIL.fullmatch(target):
            found[target] = None
    if "@" in words:
        for match in _EMAIL.finditer(words):
            found[match[1].lower()] = None
    return tuple(found)[:50]


def _affiliates(links: tuple[Link, ...], url: str) -> tuple[str, ...]:
    known = _signals()["affiliate"]["parameters"]
    own = address.host(url)
    found: dict[str, None] = {}
    for link in links:
        head, mark, query = link.url.partition("?")
        if not mark or not head.startswith(("http://", "https://")) or address.host(link.url) == own:
            continue
        for name, value in parse_qsl(query, max_num_fields=None)[:40]:
            if name.lower() in known and value:
                found[f"{address.host(link.url)} {name.lower()}={value[:80]}"] = None
    return tuple(found)[:200]


def _alternates(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    nodes = tree.css("link[rel=alternate][hreflang]")
    return tuple(dict.fromkeys(filter(None, (_resolve(node.attributes.get("href") or "", base) for node in nodes))))[
        :50
    ]


def _scripted(tree: LexborHTMLParser, words: str) -> str:
    """Why the page needs a browser, or an empty string."""
    if not tree.css_first("script"):
        return ""
    mount = tree.css_first(_MOUNTS)
    if mount is not None and not mount.text(strip=True):
        return "an empty mount point that a script fills"
    if len(words) < _FEW_CHARACTERS:
        return f"only {len(words)} characters of text, and scripts"
    for node in tree.css("noscript"):
        if re.search(
            r"(?i)enable\s+java\s*script|java\s*script\s+(?:is\s+)?(?:required|disabled|to\s+run)", node.text() or ""
        ):
            return "it says that it needs scripts"
    return ""


def _first_text(tree: LexborHTMLParser, selector: str) -> str:
    node: LexborNode | None = tree.css_first(selector)
    return " ".join(node.text(deep=True).split()) if node is not None else ""


def _attribute(tree: LexborHTMLParser, selector: str, name: str, base: str) -> str:
    node = tree.css_first(selector)
    value = (node.attributes.get(name) or "").strip() if node is not None else ""
    return _resolve(value, base) if value and base else value


@functools.cache
def _signals() -> dict[str, Any]:
    return tomllib.loads(resources.files("crawler").joinpath("signals.toml").read_text(encoding="utf-8"))


@functools.cache
def _identifiers() -> tuple[tuple[str, tuple[str, ...], re.Pattern[str], int], ...]:
    rows = {**_signals()["tag_ids"], **_signals()["wallets"]}
    return tuple(
        (kind, tuple(row["hints"]), re.compile(row["pattern"]), row.get("before", _BEFORE))
        for kind, row in rows.items()
    )


@functools.cache
def _host_pattern(kind: str) -> re.Pattern[str]:
    return re.compile(_signals()["hosts"][kind])


def is_html(content_type: str, text: str) -> bool:
    """Whether a stored text is to be read as HTML."""
    essence = guard.media_type(content_type)
    if essence in ("text/html", "application/xhtml+xml"):
        return True
    return not essence and text.lstrip("\ufeff \t\r\n")[:200].lower().startswith(
        ("<!doctype html", "<html", "<head", "<body")
    )
