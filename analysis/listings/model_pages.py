"""Pages of model libraries: the record that the page carries for its own scripts, and the model's card."""

from __future__ import annotations

import json
from typing import Any, Final

from bs4 import BeautifulSoup, Tag

from analysis.listings.fields import Listing, Present, Sheet
from analysis.listings.records import read_record

_EXPECTED: Final = ("title", "category", "description", "developer", "installs", "rating_count", "tags", "version")


def read_model_page(page: BeautifulSoup) -> Listing:
    """A model's page. Trigger words of a model are not read."""
    sheet = Sheet("model-page", "listing", _EXPECTED)
    record, where = _embedded(page)
    card = page.select_one(".model-card-content, .prose.model-card, [itemprop='description']")
    sheet.mark("the record that the page carries for its scripts", there=record is not None)
    inner = read_record(json.dumps(record)) if record is not None else None
    sheet.mark("a model in that record", there=inner is not None)
    if inner is not None:
        sheet.found += [
            (name, Present(item.value, where + item.where)) for name, item in inner.fields if isinstance(item, Present)
        ]
        broken = next((item.reason for _, item in inner.fields if type(item).__name__ == "Unparsed"), "")  # type: ignore[union-attr]
        sheet.doubt = sheet.doubt or broken
    if isinstance(card, Tag):
        sheet.put("description", card.get_text(" "), ".model-card-content")
    if "title" not in {name for name, _ in sheet.found}:
        heading = page.find("h1")
        sheet.put("title", heading.get_text(" ") if isinstance(heading, Tag) else "", "h1")
    return sheet.done()


def _embedded(page: BeautifulSoup) -> tuple[dict[str, Any] | None, str]:
    for node in page.select("[data-target][data-props]"):
        if "Model" in str(node["data-target"]):
            try:
                value = json.loads(str(node["data-props"]))
            except (ValueError, RecursionError):
                continue
            model = value.get("model") if isinstance(value, dict) else None
            if isinstance(model, dict):
                return model, f'[data-target="{node["data-target"]}"] '
    script = page.find("script", id="__NEXT_DATA__")
    if isinstance(script, Tag):
        try:
            found = _model_in(json.loads(script.get_text()))
        except (ValueError, RecursionError):
            found = None
        if found is not None:
            return found, "#__NEXT_DATA__ "
    return None, ""


def _model_in(value: Any) -> dict[str, Any] | None:
    """The first object with versions and a name, wherever it lies."""
    stack = [value]
    looked = 0
    while stack and looked < 200_000:
        item = stack.pop()
        looked += 1
        if isinstance(item, dict):
            if "modelVersions" in item and "name" in item:
                return item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return None
