"""Structured data of any page: schema.org apps, products, offers, ratings and reviews, in JSON-LD or microdata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from bs4 import BeautifulSoup, Tag

from analysis.listings.fields import Listing, Sheet

APPS: Final = frozenset(
    {"SoftwareApplication", "MobileApplication", "WebApplication", "VideoGame", "Product", "Service"}
)
_EXPECTED: Final = ("title", "category", "age_rating", "price", "installs", "rating", "rating_count", "description", "whats_new",
                    "privacy_label", "developer", "developer_site", "developer_email", "reviews")  # fmt: skip
# Structured data names what it wants to name: that it is silent is no sign that the page is.
_ELSEWHERE: Final = "the structured data does not name it; the page may say it elsewhere"
_MAIL: Final = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}")
_INSTALLS: Final = re.compile(r"^([\d.,]+\s?[KMB]?\+?)\s*(?:downloads|installs)$", re.IGNORECASE)
_COUNT: Final = re.compile(r"([\d.,]+\s?[KMB]?)\s*(?:reviews|ratings)", re.IGNORECASE)
_STARS: Final = re.compile(r"([0-5](?:[.,]\d)?)\s*(?:★|stars?\b)", re.IGNORECASE)


def json_ld(page: BeautifulSoup) -> tuple[list[tuple[dict[str, Any], str]], bool]:
    """Every object of the page's JSON-LD with its pointer, and whether some of it could not be read."""
    found: list[tuple[dict[str, Any], str]] = []
    broken = False
    for number, script in enumerate(page.find_all("script", type="application/ld+json"), 1):
        try:
            value = json.loads(script.get_text(), strict=False)
        except (ValueError, RecursionError):
            broken = True
            continue
        found += list(_objects(value, f"ld+json({number})#"))
    return found, broken


def _objects(value: Any, pointer: str, depth: int = 0) -> Iterator[tuple[dict[str, Any], str]]:
    if depth > 12:
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _objects(item, f"{pointer}/{number}", depth + 1)
    elif isinstance(value, dict):
        yield value, pointer
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from _objects(item, f"{pointer}/{key}", depth + 1)


def types(value: dict[str, Any]) -> set[str]:
    """The schema.org types of an object, without their address."""
    stated = value.get("@type")
    names = stated if isinstance(stated, list) else [stated]
    return {str(name).rpartition("/")[2] for name in names if name}


def put_application(sheet: Sheet, page: BeautifulSoup) -> bool:
    """Put down what the page's JSON-LD says of an app or product. False where it says nothing of one."""
    objects, broken = json_ld(page)
    if broken and not sheet.doubt:
        sheet.doubt = "its JSON-LD is not JSON"
    app = next(((value, at) for value, at in objects if types(value) & APPS), None)
    if app is None:
        return False
    value, at = app
    sheet.put("title", value.get("name"), f"{at}/name")
    sheet.put("category", value.get("applicationCategory") or value.get("category"), f"{at}/applicationCategory")
    sheet.put("age_rating", _name(value.get("contentRating")), f"{at}/contentRating")
    sheet.put("description", value.get("description"), f"{at}/description")
    sheet.put("whats_new", value.get("releaseNotes"), f"{at}/releaseNotes")
    maker = value.get("author") or value.get("publisher") or value.get("brand") or value.get("provider")
    sheet.put("developer", _name(maker), f"{at}/author/name")
    for number, offer in enumerate(_list(value.get("offers"))):
        if isinstance(offer, dict):
            price = offer.get("price", offer.get("lowPrice"))
            high = f" to {offer['highPrice']}" if offer.get("highPrice") not in (None, "") else ""
            if price not in (None, ""):
                sheet.put("price", f"{price}{high} {offer.get('priceCurrency', '')}", f"{at}/offers/{number}/price")
    ratings = [item for item, _ in objects if "AggregateRating" in types(item)] or _list(value.get("aggregateRating"))
    for rating in ratings[:1]:
        if isinstance(rating, dict):
            sheet.put("rating", rating.get("ratingValue"), f"{at}/aggregateRating/ratingValue")
            count = rating.get("ratingCount", rating.get("reviewCount"))
            sheet.put("rating_count", count, f"{at}/aggregateRating/ratingCount")
    for item, pointer in objects:
        # The words of a review, never its author: other people's names are not needed.
        if "Review" in types(item):
            sheet.put("reviews", item.get("reviewBody") or item.get("description"), f"{pointer}/reviewBody")
    return True


def _name(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else None
    return value.get("name") if isinstance(value, dict) else value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def read_structured(page: BeautifulSoup) -> Listing | None:
    """An app or product as the page's structured data tells it, None where it tells of none.

    Microdata is read with the sections around it (“Data safety”, “What’s new”, “Developer contact”).
    """
    sheet = Sheet("structured-data", "listing", _EXPECTED)
    if put_application(sheet, page):
        named = {name for name, _ in sheet.found}
        sheet.mark("a name in the JSON-LD", there="title" in named)
        sheet.mark("an offer, a rating or a description in the JSON-LD", there=bool(named - {"title"}))
        sheet.doubt = sheet.doubt or _ELSEWHERE
        return sheet.done()
    scope = next(
        (node for node in page.select("[itemscope][itemtype]") if types({"@type": node["itemtype"]}) & APPS), None
    )
    if not isinstance(scope, Tag):
        if sheet.doubt:
            return sheet.done()
        return None
    _put_microdata(sheet, scope)
    sheet.doubt = sheet.doubt or _ELSEWHERE
    return sheet.done()


def _put_microdata(sheet: Sheet, scope: Tag) -> None:
    for name, prop in (
        ("title", "name"),
        ("category", "applicationCategory"),
        ("age_rating", "contentRating"),
        ("description", "description"),
        ("developer", "author"),
        ("price", "price"),
        ("rating", "ratingValue"),
        ("rating_count", "ratingCount"),
    ):
        node = scope.select_one(f'[itemprop="{prop}"]')
        if isinstance(node, Tag):
            sheet.put(name, node.get("content") or node.get_text(" "), f'[itemprop="{prop}"]')
    named = {name for name, _ in sheet.found}
    for prop in ("name", "description"):
        sheet.mark(f"itemprop {prop}", there=("title" if prop == "name" else prop) in named)
    put_sections(sheet, scope)
    put_counts(sheet, scope, named)


def put_counts(sheet: Sheet, scope: Tag, named: set[str]) -> None:
    """Downloads, stars and numbers of reviews that stand as short words of their own."""
    for node in scope.find_all(string=True):
        text = " ".join(node.split())
        if not text or len(text) > 60:
            continue
        if match := _INSTALLS.match(text):
            sheet.put("installs", match[1], "its words")
        # The first is the listing's own; those below it are of single reviews.
        for name, pattern in (("rating", _STARS), ("rating_count", _COUNT)):
            if name not in named and (match := pattern.search(text)):
                sheet.put(name, match[1], "its words")
                named.add(name)
        if "in-app purchases" in text.lower():
            sheet.put("in_app_prices", text, "its words")


_SECTIONS: Final = (
    ("whats_new", re.compile(r"^what.s new\b", re.IGNORECASE)),
    ("privacy_label", re.compile(r"^(?:data safety|app privacy|privacy label)\b", re.IGNORECASE)),
)
_CONTACT: Final = re.compile(r"^(?:developer contact|app support|developer info|contact)\b", re.IGNORECASE)


def put_sections(sheet: Sheet, scope: Tag) -> None:
    """What stands under the headings that stores use."""
    for heading in scope.find_all(["h2", "h3"]):
        title = " ".join(heading.get_text(" ").split())
        section = list(_under(heading))
        words = " ".join(item.get_text(" ") for item in section)
        for name, pattern in _SECTIONS:
            if pattern.match(title):
                sheet.put(name, words, f"under “{title}”")
        if _CONTACT.match(title):
            _put_contact(sheet, section, words, f"under “{title}”")


def _put_contact(sheet: Sheet, section: list[Tag], words: str, where: str) -> None:
    if match := _MAIL.search(words):
        sheet.put("developer_email", match[0], where)
    for item in section:
        for link in item.find_all("a", href=True):
            href, text = str(link["href"]), link.get_text(" ").strip().lower()
            if href.startswith("mailto:") or not href.startswith(("http://", "https://")):
                continue
            sheet.put("privacy_link" if "privacy" in text else "developer_site", href, where)


def _under(heading: Tag) -> Iterator[Tag]:
    """What follows a heading up to the next of its rank or above; its parent's following where it stands alone."""
    start = heading
    while (
        not start.find_next_sibling()
        and isinstance(start.parent, Tag)
        and start.parent.name in ("header", "div", "span")
    ):
        start = start.parent
    for item in start.find_next_siblings():
        if item.name in ("h1", "h2") or (item.name == "h3" and heading.name == "h3"):
            return
        yield item
