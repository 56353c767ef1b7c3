"""The fixed sentences of every report, read from ``wording.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Wording:
    """How to read a report, the notes on the referral queue and on masking, the limits, and the words with their meanings."""

    how_to_read: str
    referral_note: str
    masked_note: str
    limits: tuple[tuple[str, str], ...]
    words: tuple[tuple[str, str], ...]


@cache
def load_wording() -> Wording:
    """The sentences that travel with the package."""
    content = tomllib.loads(resources.files("analysis.report").joinpath("wording.toml").read_text(encoding="utf-8"))
    return Wording(
        content["how_to_read"],
        content["referral_note"],
        content["masked_note"],
        _pairs(content["limit"]),
        _pairs(content["word"]),
    )


def _pairs(rows: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((row["name"], row["sentence"]) for row in rows)
