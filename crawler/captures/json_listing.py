"""Store and library JSON: iTunes lookup and search answers, and a model library's records. One listing, one capture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crawler.captures.capture import Capture, Item, LeftOut, Origin, Place, Unreadable, file_time
from crawler.captures.json_items import BrokenJson, JsonItem, json_items
from data import address
from data.canonical import sha256

_KINDS = (
    # name, keys that all must be there, the key of its address, the key of its id
    ("iTunes lookup or search", ("trackName", "trackId"), "trackViewUrl", "trackId"),
    ("model library", ("modelVersions", "name"), "", "id"),
    ("model library", ("modelId", "tags"), "", "modelId"),
    ("model library", ("pipeline_tag", "id"), "", "id"),
)


def listing_kind(value: dict[str, Any]) -> str:
    """Which library's record *value* is, empty where it is of none."""
    return next((row[0] for row in _KINDS if all(key in value for key in row[1])), "")


def read_json_listing(path: Path, limit: int) -> Iterator[Item]:
    """Every listing of the file, each as the JSON object that it was."""
    yield Origin((("archive", "store or library JSON"),))
    with path.open("rb") as file:
        try:
            for item in json_items(file):
                yield _listing(item, limit, file_time(path))
        except BrokenJson as error:
            yield Unreadable(Place(0, error.offset, file.tell()), str(error))


def _listing(item: JsonItem, limit: int, saved: str) -> Item:
    place = Place(item.number, item.offset, item.reached)
    row = next((row for row in _KINDS if all(key in item.value for key in row[1])), None)
    if row is None:
        return LeftOut(place, "import.unknown-item", "not a listing of a known library", size=len(item.source))
    if len(item.source) > limit:
        reason = f"longer than the {limit} bytes that the case allows"
        return LeftOut(place, "response.size", reason, size=len(item.source))
    return Capture(
        place=place,
        url=_address(item.value, row[2]),
        body=json.dumps(item.value, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
        type_declared="application/json; charset=utf-8",
        wire_len=len(item.source),
        wire_sha256=sha256(item.source),
        record=str(item.value.get(row[3], ""))[:200],
        role="listing",
        notes=(("library", row[0]), ("file time", saved)),
        leads_to=tuple(found for key in ("sellerUrl",) if (found := _address(item.value, key))),
    )


def _address(value: dict[str, Any], key: str) -> str:
    try:
        return address.canonical(str(value.get(key, ""))) if key else ""
    except address.BadAddress:
        return ""
