"""Pages of app stores: Google Play, the App Store, F-Droid. Told by their markup, never by their host."""

from __future__ import annotations

import re
from typing import Final

from bs4 import BeautifulSoup, Tag

from analysis.listings.fields import Listing, Sheet
from analysis.listings.structured import put_application, put_sections

_PLAY: Final = ("title", "category", "age_rating", "price", "in_app_prices", "installs", "rating", "rating_count", "description",
                "whats_new", "privacy_label", "developer", "developer_site", "developer_email", "developer_address",
                "privacy_link", "other_apps", "reviews", "version")  # fmt: skip
_APPLE: Final = ("title", "subtitle", "category", "age_rating", "price", "in_app_prices", "rating", "rating_count", "description",
                 "whats_new", "privacy_label", "developer", "developer_site", "privacy_link", "other_apps", "reviews")  # fmt: skip
_FDROID: Final = ("title", "subtitle", "description", "developer", "developer_site", "version", "permissions", "category",
                  "privacy_label")  # fmt: skip


def read_google_play(page: BeautifulSoup) -> Listing:
    """A Google Play page: JSON-LD for what it carries, headings and labels for the rest (class names change weekly)."""
    sheet = Sheet("google-play", "listing", _PLAY)
    sheet.mark("the JSON-LD of the app", there=put_application(sheet, page))
    named = {name for name, _ in sheet.found}
    if "title" not in named:
        _put(sheet, page, "title", 'h1 [itemprop="name"], h1[itemprop="name"]')
    body = page.select_one('[data-g-id="description"]')
    if isinstance(body, Tag):
        # The JSON-LD holds only the first lines.
        sheet.replace("description", body.get_text(" "), '[data-g-id="description"]')
    headings = {" ".join(item.get_text(" ").split()).lower() for item in page.find_all("h2")}
    sheet.mark("the heading “About this app”", there="about this app" in headings)
    sheet.mark("the heading “Data safety”", there="data safety" in headings)
    put_sections(sheet, page)
    support = _labelled(page)
    if sheet.mark("the part “App support”", there=bool(support)):
        for name, label in (
            ("developer_site", "website"),
            ("developer_email", "support email"),
            ("privacy_link", "privacy policy"),
            ("developer_address", "address"),
        ):
            if label in support:
                value, where = support[label]
                sheet.replace(name, value, where)
    developer = page.select_one('a[href*="/store/apps/dev"]')
    if sheet.mark("the link to the developer's page", there=isinstance(developer, Tag)) and developer is not None:
        sheet.put("other_apps", developer["href"], 'a[href*="/store/apps/dev"]')
    _put_play_words(sheet, page)
    for item in page.select("[data-review-id]"):
        words = item.select_one('[data-review-text], [jsname="fbQN7e"], div:nth-of-type(2)')
        if isinstance(words, Tag):
            sheet.put("reviews", words.get_text(" "), "[data-review-id]")
    _reviews(sheet)
    return sheet.done()


def _put_play_words(sheet: Sheet, page: BeautifulSoup) -> None:
    """Installs stand as a number over the word “Downloads”; what is sold inside stands as a line of its own."""
    word = page.find(string=re.compile(r"^\s*Downloads\s*$"))
    if word is not None and word.parent is not None:
        number = word.parent.find_previous_sibling()
        if isinstance(number, Tag):
            sheet.put("installs", number.get_text(" "), "over “Downloads”")
    for text in page.find_all(string=re.compile(r"In-app purchases", re.IGNORECASE)):
        holder = text.parent.parent if text.parent is not None and len(text.strip()) < 20 else text.parent
        if isinstance(holder, Tag) and len(holder.get_text(" ")) < 200:
            sheet.put("in_app_prices", holder.get_text(" "), "the line “In-app purchases”")
            break
    updated = page.find(string=re.compile(r"^\s*Updated on\s*$"))
    if (
        updated is not None
        and updated.parent is not None
        and isinstance(after := updated.parent.find_next_sibling(), Tag)
    ):
        sheet.put("version", after.get_text(" "), "after “Updated on”")


def _labelled(page: BeautifulSoup) -> dict[str, tuple[str, str]]:
    """The support links by their label: “Website …”, “Support email …”, “Privacy policy …”, “Address …”."""
    found: dict[str, tuple[str, str]] = {}
    for link in page.find_all("a", attrs={"aria-label": True}):
        label = str(link["aria-label"]).strip().lower()
        href = str(link.get("href") or "")
        for name in ("website", "support email", "privacy policy", "address"):
            if label.startswith(name):
                value = href.removeprefix("mailto:") if name != "address" else " ".join(link.get_text(" ").split())
                found[name] = (value, f'a[aria-label^="{link["aria-label"]}"]'[:120])
    return found


def read_app_store(page: BeautifulSoup) -> Listing:
    """An App Store page: JSON-LD, the header, and the list of terms under “Information”."""
    sheet = Sheet("app-store", "listing", _APPLE)
    sheet.mark("the JSON-LD of the app", there=put_application(sheet, page))
    _put(sheet, page, "subtitle", ".product-header__subtitle, .app-header__subtitle, h2.subtitle, p.subtitle")
    terms = _terms(page)
    sheet.mark("the list of terms with “Seller” or “Provider”", there=bool({"seller", "provider"} & set(terms)))
    sheet.mark("the term “Category”", there="category" in terms)
    named = {name for name, _ in sheet.found}
    for name, term in (
        ("category", "category"),
        ("age_rating", "age rating"),
        ("price", "price"),
        ("developer", "seller"),
    ):
        if term in terms and name not in named:
            sheet.put(name, terms[term], f"the term “{term}”")
    if "in-app purchases" in terms:
        sheet.put("in_app_prices", terms["in-app purchases"], "the term “in-app purchases”")
    put_sections(sheet, page)
    for link in page.find_all("a", href=True):
        text = " ".join(link.get_text(" ").split()).lower()
        if text in ("developer website", "app support"):
            sheet.put("developer_site", link["href"], f"the link “{text}”")
        elif text in ("privacy policy", "developer’s privacy policy", "developer's privacy policy"):
            sheet.put("privacy_link", link["href"], f"the link “{text}”")
    developer = page.select_one('a[href*="/developer/"]')
    if sheet.mark("the link to the developer's page", there=isinstance(developer, Tag)) and developer is not None:
        sheet.put("other_apps", developer["href"], 'a[href*="/developer/"]')
    _reviews(sheet)
    return sheet.done()


def _reviews(sheet: Sheet) -> None:
    if not any(name == "reviews" for name, _ in sheet.found):
        sheet.unparsed("reviews", "none stood in the page as it was stored; the store loads them by script")


def _terms(page: BeautifulSoup) -> dict[str, str]:
    found: dict[str, str] = {}
    for term in page.find_all("dt"):
        value = term.find_next_sibling("dd")
        if isinstance(value, Tag):
            found[" ".join(term.get_text(" ").split()).lower()] = " ".join(value.get_text(" ").split())
    return found


def read_fdroid(page: BeautifulSoup) -> Listing:
    """An F-Droid package page."""
    sheet = Sheet("f-droid", "listing", _FDROID)
    for name, selector in (
        ("title", ".package-name"),
        ("subtitle", ".package-summary"),
        ("description", ".package-description"),
    ):
        sheet.mark(selector, there=_put(sheet, page, name, selector))
    links = page.select_one(".package-links")
    if sheet.mark(".package-links", there=isinstance(links, Tag)) and links is not None:
        for item in links.find_all("li"):
            text = " ".join(item.get_text(" ").split())
            link = item.find("a", href=True)
            if text.lower().startswith(("author", "by ")):
                sheet.put(
                    "developer", re.sub(r"^(?:Author:?|by)\s*", "", text, flags=re.IGNORECASE), ".package-links li"
                )
            elif isinstance(link, Tag) and text.lower().startswith("website"):
                sheet.put("developer_site", link["href"], ".package-links li")
    sheet.mark(".package-version", there=_put(sheet, page, "version", ".package-version-header, .package-version"))
    for item in page.select(".package-version-permissions-list li, .permission"):
        sheet.put("permissions", item.get_text(" "), ".permission")
        if len(sheet.found) > 60:
            break
    for item in page.select(".antifeature, .anti-feature"):
        sheet.put("privacy_label", item.get_text(" "), ".antifeature")
    _put(sheet, page, "category", ".package-categories")
    return sheet.done()


def _put(sheet: Sheet, page: BeautifulSoup, name: str, selector: str) -> bool:
    node = page.select_one(selector)
    if not isinstance(node, Tag):
        sheet.searched.setdefault(name, selector)
        return False
    return sheet.put(name, node.get_text(" "), selector)
