"""The export as CASE/UCO linked data."""

from __future__ import annotations

from typing import Any

from data.export.papers import Facts


def as_linked_data(facts: Facts, exhibits: list[dict[str, Any]]) -> dict[str, Any]:
    """A JSON-LD graph of the investigation."""
    return {}
