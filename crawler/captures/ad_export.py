"""Official exports of ad libraries: Meta Ad Library API (JSON or CSV), Google Ads Transparency (CSV), TikTok's library (JSON).

One advertisement is one capture: the JSON object of its record, without access tokens and without addresses of pictures.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crawler.captures.capture import Capture, Item, LeftOut, NotAnArchive, Origin, Place, Unreadable, file_time
from crawler.captures.csv_texts import csv_rows
from crawler.captures.json_items import BrokenJson, json_items
from data import address
from data.canonical import sha256

# Keys that hold addresses of pictures or films: not asked for, and nothing that a text-only record needs.
_MEDIA_KEYS = frozenset({"videos", "image_urls", "images", "avatar_url", "cover_image_url", "profile_picture_url"})


def ad_library(value: dict[str, Any]) -> str:
    """Which library's record *value* is: ``meta``, ``google``, ``tiktok``, or empty. Told by the names of its keys."""
    keys = set(value)
    if "page_id" in keys and keys & {"ad_snapshot_url", "ad_creative_bodies", "ad_delivery_start_time"}:
        return "meta"
    if {"advertiser_id", "creative_id"} <= {key.lower() for key in keys}:
        return "google"
    if {"ad_id", "advertiser_id"} <= {key.lower() for key in keys}:
        return "google"
    inner = value.get("ad")
    if isinstance(inner, dict) and {"first_shown_date", "last_shown_date", "id"} & set(inner):
        return "tiktok"
    return ""


def is_ad_header(header: list[str]) -> bool:
    """Whether a CSV file's first row is that of an ad library's export."""
    return bool(ad_library(dict.fromkeys((name.strip().lower() for name in header), "")))


def read_ad_json(path: Path, limit: int) -> Iterator[Item]:
    """Every advertisement of a JSON export."""
    yield Origin((("archive", "ad library export (JSON)"),))
    with path.open("rb") as file:
        try:
            for item in json_items(file):
                yield _ad(
                    item.value, item.source, Place(item.number, item.offset, item.reached), limit, file_time(path)
                )
        except BrokenJson as error:
            yield Unreadable(Place(0, error.offset, file.tell()), str(error))


def read_ad_csv(path: Path, limit: int) -> Iterator[Item]:
    """Every advertisement of a CSV export; each row becomes the JSON object of its columns."""
    yield Origin((("archive", "ad library export (CSV)"),))
    header: list[str] = []
    try:
        for row in csv_rows(path):
            if not header:
                header = [name.strip().lower() for name in row.cells]
                continue
            place = Place(row.number - 1, row.offset, row.reached)
            if len(row.cells) != len(header):
                yield Unreadable(place, f"line {row.line}: {len(row.cells)} cells where the header has {len(header)}")
                continue
            value: dict[str, Any] = {name: cell for name, cell in zip(header, row.cells, strict=True) if name}
            yield _ad(value, json.dumps(value, ensure_ascii=False).encode(), place, limit, file_time(path))
    except csv.Error as error:
        yield Unreadable(Place(0, path.stat().st_size, path.stat().st_size), f"not valid CSV: {error}")
    except UnicodeDecodeError as error:
        raise NotAnArchive(f"{path.name} is not UTF-8 or UTF-16 text: {error.reason}.") from None


def _ad(value: dict[str, Any], source: bytes, place: Place, limit: int, saved: str) -> Item:
    answer = value.get("data")
    if not ad_library(value) and isinstance(answer, dict):
        value = answer  # an answer with one advertisement
    library = ad_library(value)
    if not library:
        return LeftOut(place, "import.unknown-item", "not an advertisement of a known library", size=len(source))
    if len(source) > limit:
        reason = f"longer than the {limit} bytes that the case allows"
        return LeftOut(place, "response.size", reason, size=len(source))
    kept = _without_media(value)
    inner = kept.get("ad") if isinstance(kept.get("ad"), dict) else kept
    name = str(inner.get("id") or inner.get("creative_id") or inner.get("ad_id") or "")
    shown = str(kept.get("ad_snapshot_url") or kept.get("creative_page_url") or kept.get("ad_url") or "")
    return Capture(
        place=place,
        url=without_tokens(shown),
        body=json.dumps(kept, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
        type_declared="application/json; charset=utf-8",
        wire_len=len(source),
        wire_sha256=sha256(source),
        record=name[:200],
        role="ad",
        notes=(("library", library), ("file time", saved)),
        leads_to=tuple(_leads(kept)),
    )


def _leads(value: dict[str, Any]) -> Iterator[str]:
    """Where the advertisement says that it leads: the link captions of Meta's records, the address in TikTok's."""
    captions = value.get("ad_creative_link_captions")
    inner = value.get("ad")
    found: list[Any] = captions if isinstance(captions, list) else [captions]
    found += [inner.get("external_url")] if isinstance(inner, dict) else []
    for item in found:
        if isinstance(item, str) and "." in item and " " not in item.strip():
            text = item.strip()
            try:
                yield address.canonical(text if "://" in text else f"https://{text}")
            except address.BadAddress:
                continue


def without_tokens(shown: str) -> str:
    """An advertisement's address without its access token; empty where it is none."""
    try:
        url = address.canonical(shown)
    except address.BadAddress:
        return ""
    head, _, query = url.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.lower().startswith("access_token="))
    return f"{head}?{kept}" if kept else head


def _without_media(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_tokens(item) if key == "ad_snapshot_url" and isinstance(item, str) else _without_media(item)
            for key, item in value.items()
            if key not in _MEDIA_KEYS
        }
    if isinstance(value, list):
        return [_without_media(item) for item in value]
    return value
