"""The seam: where a listing, a bot or an advertisement leads. Its own words say so; nothing is guessed from names.

In a store, links that are called the developer's site, support or privacy policy; on an advertisement or a bot's page,
every link out that does not stand in the platform's own head, foot or menu.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler.page import Link
from crawler.scope import site
from data import address
from data.records import Kind

LISTED_KINDS = frozenset({Kind.APP_LISTING.value, Kind.AD.value, Kind.BOT.value})
# More hosts than this on one listing are the platform's own partners, not where the listing leads.
_MOST_HOSTS = 3
_CALLED = re.compile(
    r"^(?:(?:visit )?(?:the )?(?:developer.?s? )?web ?site|developer.?s? (?:site|page)|app support|support(?: site)?|home ?page|"
    r"(?:developer.?s? )?privacy (?:policy|notice)|terms of (?:use|service))\b",
    re.IGNORECASE,
)
_FURNITURE = frozenset({"nav", "header", "footer"})
_FURNITURE_ROLES = frozenset({"navigation", "banner", "contentinfo"})


def seam_links(text: str, url: str, kind: str) -> tuple[Link, ...]:
    """The links by which a listing at *url* of *kind* hands its visitors on, in the order of the page, off its own site."""
    tree = LexborHTMLParser(text)
    named = [*_called(tree), *_structured(tree)] if kind == Kind.APP_LISTING else list(_outward(tree))
    found: dict[str, Link] = {}
    hosts: set[str] = set()
    for href, words in named:
        try:
            target = address.canonical(href.strip(), url)
        except address.BadAddress:
            continue
        if not target.startswith(("http://", "https://")) or site(target) == site(url):
            continue
        hosts.add(site(target))
        if len(hosts) <= _MOST_HOSTS and target not in found:
            found[target] = Link(target, words[:200], "seam")
    return tuple(found.values())


def _called(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    for node in tree.css("a[href]"):
        words = " ".join(node.text(deep=True).split()) or node.attributes.get("aria-label") or ""
        label = node.attributes.get("aria-label") or ""
        if _CALLED.match(words) or _CALLED.match(label):
            yield node.attributes.get("href") or "", words or label


def _structured(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    """The author's address in JSON-LD."""
    for node in tree.css('script[type="application/ld+json"]'):
        try:
            value: Any = json.loads(node.text())
        except (ValueError, RecursionError):
            continue
        for item in value if isinstance(value, list) else [value]:
            author = item.get("author") if isinstance(item, dict) else None
            href = author.get("url") if isinstance(author, dict) else None
            if isinstance(href, str):
                yield href, "author"


def _outward(tree: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    for node in tree.css("a[href]"):
        if not _in_furniture(node):
            yield node.attributes.get("href") or "", " ".join(node.text(deep=True).split())


def _in_furniture(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag in _FURNITURE or (parent.attributes.get("role") or "") in _FURNITURE_ROLES:
            return True
        parent = parent.parent
    return False
