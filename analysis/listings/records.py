"""Listings and advertisements that come as JSON: iTunes, model libraries, and the exports of ad libraries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from analysis.listings.fields import Listing, Sheet

# Keys by which a record is known, however much else of it has changed: at least two of them must be there.
_KNOWN: Final = (
    ("itunes", frozenset({"trackName", "trackId", "trackViewUrl", "artistName", "bundleId", "wrapperType"})),
    (
        "meta-ads",
        frozenset({"page_id", "page_name", "ad_snapshot_url", "ad_creative_bodies", "ad_delivery_start_time"}),
    ),
    (
        "google-ads",
        frozenset(
            {
                "advertiser_id",
                "advertiser_name",
                "advertiser_disclosed_name",
                "ad_id",
                "creative_id",
                "creative_page_url",
                "ad_format_type",
            }
        ),
    ),
    (
        "model-library",
        frozenset(
            {
                "modelVersions",
                "modelId",
                "pipeline_tag",
                "creator",
                "baseModel",
                "library_name",
                "cardData",
                "likes",
                "downloads",
            }
        ),
    ),
)
_ADS: Final = frozenset({"meta-ads", "google-ads", "tiktok-ads"})


def record_platform(value: Any) -> str:
    """Which platform's record *value* is, empty where it is of none."""
    if not isinstance(value, dict):
        return ""
    inner = value.get("ad")
    if (
        isinstance(inner, dict)
        and len({"id", "first_shown_date", "last_shown_date", "status", "reach"} & set(inner)) > 1
    ):
        return "tiktok-ads"
    return next((name for name, keys in _KNOWN if len(keys & set(value)) > 1), "")


def read_record(body: str) -> Listing | None:
    """The listing in a JSON text that holds one record (or an answer with one), None where it holds none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    platform = record_platform(value)
    if not platform and isinstance(value, dict):
        for key in ("results", "data"):
            inner = value.get(key)
            if isinstance(inner, list) and len(inner) == 1:
                value = inner[0]
                platform = record_platform(value)
                break
            if isinstance(inner, dict) and (platform := record_platform(inner)):
                value = inner
                break
    return _READERS[platform](value) if platform else None


def _take(sheet: Sheet, value: dict[str, Any], name: str, *path: str, every: bool = False) -> None:
    """Put down what stands at *path*. With *every* the key is one that every record has: its lack is a changed layout."""
    pointer = "#/" + "/".join(path)
    item: Any = value
    for key in path:
        if not isinstance(item, dict) or key not in item:
            if every:
                sheet.mark(f"the key {'/'.join(path)}", there=False)
            sheet.searched.setdefault(name, pointer)
            return
        item = item[key]
    if isinstance(item, list):
        count = 0
        for number, one in enumerate(item):
            if isinstance(one, str | int | float) and not isinstance(one, bool):
                count += sheet.put(name, _words(one), f"{pointer}/{number}")
        if item and not count:
            sheet.unparsed(name, f"{pointer} is a list of something other than text")
        elif not count:
            sheet.searched.setdefault(name, pointer)
    elif isinstance(item, dict):
        sheet.unparsed(name, f"{pointer} is an object where a value was expected")
    else:
        sheet.put(name, _words(item), pointer)


def _words(value: Any) -> Any:
    """Text without the markup that some libraries put into it."""
    if isinstance(value, str) and "<" in value:
        from bs4 import BeautifulSoup

        return BeautifulSoup(value, "html.parser").get_text(" ")
    return value


def _itunes(value: dict[str, Any]) -> Listing:
    expected = ("title", "category", "age_rating", "price", "rating", "rating_count", "description", "whats_new", "developer",
                "developer_site", "other_apps", "version", "privacy_label", "in_app_prices", "developer_email")  # fmt: skip
    sheet = Sheet("itunes", "listing", expected)
    for name, key in (
        ("title", "trackName"),
        ("category", "primaryGenreName"),
        ("age_rating", "contentAdvisoryRating"),
        ("description", "description"),
        ("developer", "sellerName"),
        ("other_apps", "artistViewUrl"),
        ("version", "version"),
    ):
        _take(sheet, value, name, key, every=True)
    for name, key in (
        ("price", "formattedPrice"),
        ("rating", "averageUserRating"),
        ("rating_count", "userRatingCount"),
        ("whats_new", "releaseNotes"),
        ("developer_site", "sellerUrl"),
    ):
        _take(sheet, value, name, key)
    if not any(name == "price" for name, _ in sheet.found) and "price" in value:
        sheet.put("price", f"{value['price']} {value.get('currency', '')}", "#/price")
    for name in ("privacy_label", "in_app_prices", "developer_email"):
        sheet.unparsed(name, "this record does not carry it; the store page does")
    return sheet.done()


def _model(value: dict[str, Any]) -> Listing:
    expected = (
        "title",
        "category",
        "description",
        "developer",
        "installs",
        "rating_count",
        "tags",
        "version",
        "landing",
    )
    sheet = Sheet("model-library", "listing", expected)
    if "modelVersions" in value or "creator" in value or "baseModel" in value:
        _take(sheet, value, "title", "name", every=True)
        _take(sheet, value, "category", "type", every=True)
        _take(sheet, value, "description", "description")
        _take(sheet, value, "developer", "creator", "username", every=True)
        _take(sheet, value, "installs", "stats", "downloadCount")
        _take(sheet, value, "rating_count", "stats", "thumbsUpCount")
        versions = value.get("modelVersions")
        for number, item in enumerate(versions if isinstance(versions, list) else ()):
            if isinstance(item, dict):
                sheet.put("version", f"{item.get('name', '')} {item.get('baseModel', '')}", f"#/modelVersions/{number}")
                sheet.put("description", _words(item.get("description") or ""), f"#/modelVersions/{number}/description")
        sheet.mark("the list modelVersions", there=isinstance(versions, list))
    else:
        _take(sheet, value, "title", "modelId" if "modelId" in value else "id", every=True)
        _take(sheet, value, "category", "pipeline_tag")
        _take(sheet, value, "developer", "author", every=True)
        _take(sheet, value, "installs", "downloads", every=True)
        _take(sheet, value, "rating_count", "likes", every=True)
        _take(sheet, value, "version", "lastModified")
        _take(sheet, value, "description", "cardData", "description")
    _take(sheet, value, "tags", "tags", every=True)
    return sheet.done()


# These libraries answer with the fields that were asked for: a field that is not there was not asked for, or there is none.
_NOT_HELD: Final = "the record does not hold it: it was not asked for, or there is none"


def _meta(value: dict[str, Any]) -> Listing:
    expected = ("title", "ad_text", "landing", "run_dates", "advertiser", "payer", "reach", "age_rating")
    sheet = Sheet("meta-ads", "ad", expected)
    # An answer holds the fields that were asked for: the mark of a whole one is that dates, page and words are all there.
    bodies = any(
        key in value for key in ("ad_creative_bodies", "ad_creative_link_titles", "ad_creative_link_descriptions")
    )
    sheet.mark("any of the keys ad_creative_…", there=bodies)
    _take(sheet, value, "advertiser", "page_name", every=True)
    for key in (
        "ad_creative_bodies",
        "ad_creative_link_descriptions",
        "ad_creative_body",
        "ad_creative_link_description",
    ):
        _take(sheet, value, "ad_text", key)
    for key in ("ad_creative_link_titles", "ad_creative_link_title"):
        _take(sheet, value, "title", key)
    for key in ("ad_creative_link_captions", "ad_creative_link_caption"):
        _take(sheet, value, "landing", key)
    _dates(sheet, value, "ad_delivery_start_time", "ad_delivery_stop_time")
    payers = value.get("beneficiary_payers")
    for number, item in enumerate(payers if isinstance(payers, list) else ()):
        if isinstance(item, dict):
            sheet.put("payer", item.get("payer"), f"#/beneficiary_payers/{number}/payer")
    _take(sheet, value, "payer", "bylines")
    _take(sheet, value, "reach", "eu_total_reach")
    ages = value.get("target_ages")
    if isinstance(ages, list) and ages:
        sheet.put("age_rating", f"shown to ages {' to '.join(map(str, ages))}", "#/target_ages")
    sheet.doubt = sheet.doubt or _NOT_HELD
    return sheet.done()


def _google(value: dict[str, Any]) -> Listing:
    expected = ("title", "category", "ad_text", "landing", "run_dates", "advertiser", "payer", "reach")
    sheet = Sheet("google-ads", "ad", expected)
    keys = {key.lower(): item for key, item in value.items()}
    name = "advertiser_disclosed_name" if "creative_id" in keys else "advertiser_name"
    _take(sheet, keys, "advertiser", name, every=True)
    _take(sheet, keys, "category", "topic")
    _take(sheet, keys, "payer", "ad_funded_by")
    _take(sheet, keys, "payer", "advertiser_legal_name")
    _take(sheet, keys, "reach", "region_stats" if "region_stats" in keys else "regions")
    if "creative_id" in keys:
        _take(sheet, keys, "title", "ad_format_type", every=True)
        _dates(sheet, keys, "first_shown", "last_shown")
    else:
        _take(sheet, keys, "title", "ad_type", every=True)
        _dates(sheet, keys, "date_range_start", "date_range_end")
    for field in ("ad_text", "landing"):
        sheet.unparsed(field, "this export does not carry it; the library's own page shows it")
    return sheet.done()


def _tiktok(value: dict[str, Any]) -> Listing:
    expected = ("title", "ad_text", "landing", "run_dates", "advertiser", "payer", "reach")
    sheet = Sheet("tiktok-ads", "ad", expected)
    detail = any(key in value["ad"] for key in ("title", "external_url", "call_to_action"))
    _take(sheet, value, "advertiser", "advertiser", "business_name", every=True)
    _take(sheet, value, "payer", "advertiser", "paid_for_by")
    _take(sheet, value, "reach", "ad", "reach", "unique_users_seen")
    _dates(sheet, value["ad"], "first_shown_date", "last_shown_date", at="ad/")
    if detail:
        _take(sheet, value, "ad_text", "ad", "title", every=True)
        _take(sheet, value, "ad_text", "ad", "call_to_action")
        _take(sheet, value, "landing", "ad", "external_url", every=True)
        _take(sheet, value, "landing", "ad", "download_url")
    else:
        for field in ("ad_text", "landing"):
            sheet.unparsed(field, "the library's list does not carry it; its record of the single advertisement does")
    sheet.unparsed("title", "the library gives advertisements no name")
    sheet.doubt = sheet.doubt or _NOT_HELD
    return sheet.done()


def _dates(sheet: Sheet, value: dict[str, Any], start: str, stop: str, at: str = "") -> None:
    if not sheet.mark(f"the key {start}", there=start in value):
        return
    first, last = str(value.get(start) or "").strip(), str(value.get(stop) or "").strip()
    if first:
        sheet.put("run_dates", f"{first} to {last or 'no end stated'}", f"#/{at}{start}")


_READERS: Final[dict[str, Callable[[dict[str, Any]], Listing]]] = {
    "itunes": _itunes,
    "model-library": _model,
    "meta-ads": _meta,
    "google-ads": _google,
    "tiktok-ads": _tiktok,
}


def is_ad(platform: str) -> bool:
    """Whether a platform is an ad library."""
    return platform in _ADS
