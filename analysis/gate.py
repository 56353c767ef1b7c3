"""The gate: a static look at a passage that decides how closely it is read.

Most passages of a page claim nothing. Each word piece has a short vector of its own; the mean and the maximum of a
passage, the mean of its heading and list intro, and hashed pairs of neighbouring pieces go through one small hidden
layer (static vectors distilled from the reader's own embeddings, in the manner of Tulkens and van Dongen's Model2Vec,
2024). Fitted to let through what the reader labels (`analysis/training.py`). Everything is computed for a batch at once.

Scores are rounded, so that they do not depend on what else stands in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analysis.reader import WEIGHTS
from analysis.wordpiece import WordPiece
from data.codebook import PAGE_ROLES

PAIRS: Final = 1 << 15
WINDOW: Final = 24  # half of the pieces that are looked at together
SHORT: Final = 12  # lengths in pieces from here on share a weight
Wide = npt.NDArray[np.float64]
Context = tuple[str, str, str]  # page role, heading, list intro; folded


def pair_places(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Places of neighbouring pieces in the table of pairs."""
    return (first * 7919 + second * 104729) % PAIRS


class Gate:
    """The weights of the gate. `scores` is compared with ``low`` and ``high``.

    Below ``low`` nothing is claimed; from ``high`` on a passage is read; between them it is read if a rule matches.
    """

    def __init__(self, weights: dict[str, npt.NDArray[Any]], pieces: WordPiece) -> None:
        self._w = weights
        self._pieces = pieces
        self._pairs = weights["pairs"]
        self.low, self.high = float(weights["low"]), float(weights["high"])
        self._context = lru_cache(maxsize=8192)(self._context_part)

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Gate | None:
        """The gate of ``folder``, or None without weights: then everything is read."""
        file = folder / "gate.npz"
        if not file.exists():
            return None
        with np.load(file) as stored:
            weights = {name: stored[name] for name in stored.files}
        for name in ("word", "pairs"):
            weights[name] = (weights[name].astype(np.float64) * float(weights[f"{name}.scale"])).astype(np.float64)
        return cls(
            {name: value.astype(np.float64) for name, value in weights.items()}, WordPiece.load(folder / "vocab.txt")
        )

    def _context_part(self, page_role: str, heading: str, list_intro: str) -> Wide:
        """What the context adds to the hidden layer, before its bend."""
        w = self._w
        ids = self._pieces.encode(f"{heading} {list_intro}")[0]
        part = w["bias"] + w["role"][:, PAGE_ROLES.index(page_role) if page_role in PAGE_ROLES else -1]
        if ids:
            part = part + w["context"] @ w["word"][ids].mean(0)
        return np.asarray(part, dtype=np.float64)

    def scores(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[float]:
        """One score a passage; text without any piece scores minus infinity."""
        encode = self._pieces.encode
        ids: list[list[int]] = []
        kept: list[int] = []
        for n, text in enumerate(texts):
            own = encode(text)[0]
            # The mean of a long passage would drown a claim, so its windows are looked at one by one.
            for at in range(0, len(own), WINDOW) if len(own) > 2 * WINDOW else (0,):
                if own:
                    ids.append(own[at : at + 2 * WINDOW])
                    kept.append(n)
        found = [-math.inf] * len(texts)
        if not kept:
            return found
        w = self._w
        lengths = np.array([len(own) for own in ids])
        flat = np.array([piece for own in ids for piece in own], dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        vectors = w["word"][flat]
        mean = np.add.reduceat(vectors, starts) / lengths[:, None]
        peak = np.maximum.reduceat(vectors, starts)
        pairs = self._pairs[pair_places(flat, np.concatenate([flat[1:], flat[:1]]))]
        pairs[starts + lengths - 1] = 0.0
        hidden = mean @ w["mean"].T + peak @ w["peak"].T
        hidden += np.array([self._context(*contexts[n]) for n in kept])
        hidden += w["length"][np.minimum(lengths, SHORT)]
        scores = np.maximum(hidden, 0.0) @ w["out"] + np.add.reduceat(pairs, starts)
        for n, score in zip(kept, np.round(scores, 6).tolist(), strict=True):
            found[n] = max(found[n], score)
        return found
