"""The gate: a linear look at the words of a passage that decides whether the reader needs to see it.

Most passages of a page claim nothing. The gate adds a weight for each word, each pair of neighbouring words and each
word of the heading and list intro; it was fitted to let through what the reader labels (`analysis/training.py`). What a
rule has matched goes to the reader in any case.
"""

from __future__ import annotations

import zlib
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from analysis.reader import WEIGHTS
from analysis.rules import WORD

SIZE: Final = 1 << 15
SHORT: Final = 12  # lengths from here on share a weight


def features(text: str, heading: str, list_intro: str, page_role: str) -> list[int]:
    """Places in the weight table that a passage adds up; all parts folded."""
    words = [zlib.crc32(word.encode("utf-8", "replace")) for word in WORD.findall(text)]
    found = {word % SIZE for word in words}
    found.update(SIZE + (first * 31 + second) % SIZE for first, second in pairwise(words))
    for part in (heading, list_intro):
        if part:
            found.update(2 * SIZE + zlib.crc32(word.encode("utf-8", "replace")) % SIZE for word in WORD.findall(part))
    found.add(3 * SIZE + min(len(words), SHORT))
    found.add(3 * SIZE + 16 + zlib.crc32(page_role.encode()) % 64)
    return sorted(found)


TABLE: Final = 3 * SIZE + 80


class Gate:
    """The weights of the gate; `passes` is true for a passage worth reading."""

    def __init__(self, weights: list[float], bias: float) -> None:
        self._weights = weights
        self._bias = bias

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Gate | None:
        """The gate of ``folder``, or None without weights: then everything is read."""
        file = folder / "gate.npz"
        if not file.exists():
            return None
        with np.load(file) as stored:
            weights = stored["weights"].astype(np.float32) * float(stored["scale"])
            return cls(weights.tolist(), float(stored["bias"]))

    def passes(self, text: str, heading: str, list_intro: str, page_role: str) -> bool:
        """Whether the reader should see this passage."""
        weights = self._weights
        return self._bias + sum([weights[n] for n in features(text, heading, list_intro, page_role)]) > 0
