"""Which platform a stored text is of, and its fields. Reads stored text only, so a better reader can read old evidence again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

from analysis.listings.chat_pages import read_account, read_channel
from analysis.listings.fields import FIELDS, Absent, Listing, Present, Unparsed
from analysis.listings.model_pages import read_model_page
from analysis.listings.records import read_record
from analysis.listings.store_pages import read_app_store, read_fdroid, read_google_play
from analysis.listings.structured import read_structured

READER: Final = "listings/1"
"""Name and version, recorded with every field. Any change of output needs a new number."""

# What a platform's pages show whatever their layout. Plain searches first: nearly every page is of none of them.
_ADDRESS: Final = r'(?:rel="canonical"|property="og:url")[^>]*'
_PAGES: Final = (
    ("telegram-channel", ("tgme_channel",), re.compile(r'class="[^"]*\btgme_channel')),
    ("telegram-page", ("tgme_page",), re.compile(r'class="[^"]*\btgme_(?:page|action)')),
    ("google-play", ("/store/apps/details",), re.compile(_ADDRESS + r"/store/apps/details\?")),
    (
        "app-store",
        ("apple:content_id", "/id"),
        re.compile(r'name="apple:content_id"|' + _ADDRESS + r'/app/[^">]*/id\d{6,}'),
    ),
    ("f-droid", ("package-header", "package-links"), re.compile(r'class="[^"]*\bpackage-(?:header|links)\b')),
    (
        "model-page",
        ("modelVersions", "ModelHeader", "model-card-content"),
        re.compile(r'"modelVersions"|data-target="Model|class="[^"]*\bmodel-card-content'),
    ),
)
_STRUCTURED: Final = re.compile(
    r'"@type"\s*:\s*(?:\[[^\]]{0,200})?"(?:https?://schema\.org/)?(?:SoftwareApplication|MobileApplication|WebApplication|'
    r'VideoGame|Product|Service)"|itemtype="https?://schema\.org/(?:SoftwareApplication|MobileApplication|WebApplication|'
    r'VideoGame|Product|Service)"'
)
_READERS: Final[dict[str, Callable[[BeautifulSoup], Listing]]] = {
    "telegram-channel": read_channel,
    "telegram-page": read_account,
    "google-play": read_google_play,
    "app-store": read_app_store,
    "f-droid": read_fdroid,
    "model-page": read_model_page,
}
_RECORD_KEYS: Final = ("trackName", "trackId", "page_id", "advertiser_id", "first_shown_date", "modelVersions", "modelId",
                       "pipeline_tag", "ad_creative", "creative_id")  # fmt: skip


def platform_of(body: str, content_type: str) -> str:
    """The platform whose listing *body* is, empty where it is of none. A cheap look; ``read_listing`` reads."""
    essence = content_type.partition(";")[0].strip().lower()
    if essence.endswith("json"):
        return "record" if any(f'"{key}' in body for key in _RECORD_KEYS) else ""
    if essence and "html" not in essence:
        return ""
    for name, hints, pattern in _PAGES:
        if any(hint in body for hint in hints) and pattern.search(body):
            return name
    return "structured-data" if "schema.org" in body and _STRUCTURED.search(body) else ""


def read_listing(body: str, content_type: str, *, expected: str = "") -> Listing | None:
    """The fields of the listing or advertisement that *body* is, None where it is none.

    *expected* is ``listing`` or ``ad`` where the case says that one stands here: then a page of no known layout gives every
    field as unparsed. Never raises for any text; the same text gives the same fields.
    """
    platform = platform_of(body, content_type)
    found: Listing | None = None
    if platform == "record":
        found = read_record(body)
    elif platform:
        try:
            page = BeautifulSoup(body, "html.parser")
            found = _READERS[platform](page) if platform in _READERS else read_structured(page)
        except (ParserRejectedMarkup, RecursionError):
            expected = expected or "listing"
    if found is None and expected:
        reason = "no layout that is known"
        return Listing("unknown", expected, tuple((name, Unparsed(reason)) for name in FIELDS))
    return found


def field_rows(text_id: str, listing: Listing) -> list[dict[str, Any]]:
    """The listing as rows of the table ``listing_fields``."""
    rows = []
    for number, (name, item) in enumerate(listing.fields):
        match item:
            case Present(value, where):
                state, words, location = "present", value, where
            case Absent(searched):
                state, words, location = "absent", "", searched
            case Unparsed(reason):
                state, words, location = "unparsed", "", reason
        rows.append(
            {
                "text_id": text_id,
                "reader": READER,
                "platform": listing.platform,
                "kind": listing.kind,
                "field": name,
                "state": state,
                "ordinal": number,
                "value": words,
                "location": location,
            }
        )
    return rows


def role_of(body: str, content_type: str) -> str:
    """``listing`` or ``ad`` where the text itself shows that it is one; structured data on any page does not make it one."""
    platform = platform_of(body, content_type)
    if platform == "record":
        found = read_record(body)
        return found.kind if found else ""
    return "listing" if platform in _READERS else ""
