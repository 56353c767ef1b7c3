"""The second layer: eight unfair-clause types on terms pages, read sentence by sentence.

Two looks at a sentence are added up: heads on the states of the reader, whose body learned the types together with the
codes, and linear support vectors on word and letter n-grams. Both were trained on the public 50-contract corpus (Lippi et
al. 2019; LexGLUE UNFAIR-ToS). A clause is a type of term, never a violation, and never mixed with the 34 codes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from analysis.folding import fold
from analysis.reader import WEIGHTS, Array, Reader
from data.codebook import Codebook, load_codebook

_BRACKETS: Final = (("-lrb-", "("), ("-rrb-", ")"), ("``", '"'), ("''", '"'))
_DIGITS: Final = re.compile(r"\d+")
_SENTENCE: Final = re.compile(r"(?<=[.;!?])\s+(?=[A-Z(\"“])")
LONGEST: Final = 128
GRAMS: Final = 1 << 16  # places for n-grams of words, and as many for those of letters
_WORD: Final = re.compile(r"[a-z0']+")


@dataclass(frozen=True, slots=True)
class ClauseLabel:
    """A clause type at ``text[start:end]`` (a sentence), with the probability the reader gives it."""

    clause: str
    start: int
    end: int
    confidence: float


def plain(text: str) -> str:
    """A sentence as the clause reader sees it: folded, brackets as signs, every number as 0."""
    text = fold(text).text
    for written, sign in _BRACKETS:
        text = text.replace(written, sign)
    return _DIGITS.sub("0", text)


def grams(text: str) -> tuple[dict[int, int], dict[int, int]]:
    """How often each hashed n-gram of words (1 to 3) and of letters inside words (3 to 5) stands in plain text."""
    words = _WORD.findall(text)
    of_words: dict[int, int] = {}
    of_letters: dict[int, int] = {}
    for length in (1, 2, 3):
        for at in range(len(words) - length + 1):
            place = zlib.crc32(" ".join(words[at : at + length]).encode()) % GRAMS
            of_words[place] = of_words.get(place, 0) + 1
    for word in words:
        word = f" {word} "
        for length in (3, 4, 5):
            for at in range(max(1, len(word) - length + 1)):
                place = zlib.crc32(word[at : at + length].encode()) % GRAMS
                of_letters[place] = of_letters.get(place, 0) + 1
    return of_words, of_letters


def weighted(counts: tuple[Mapping[int, int], Mapping[int, int]], idf: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Places and weights of a sentence: 1 + log of the count, times idf, each of the two parts of length one."""
    places, values = [], []
    for offset, bag in zip((0, GRAMS), counts, strict=True):
        own = np.fromiter(sorted(bag), dtype=np.int64, count=len(bag))
        count = np.array([bag[place] for place in own.tolist()], dtype=np.float32)
        value = (1 + np.log(count)) * idf[own + offset] if len(own) else count
        length = float(np.sqrt((value * value).sum())) or 1.0
        places.append(own + offset)
        values.append(np.asarray(value / length, dtype=np.float32))
    return np.concatenate(places), np.concatenate(values)


class Clauses:
    """The clause reader; it shares the body of ``reader``."""

    def __init__(self, reader: Reader, weights: dict[str, Array], codebook: Codebook) -> None:
        self._reader = reader
        self._w = weights
        self.clauses = codebook.clauses

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Clauses | None:
        """The clause reader of ``folder``, or None when it has no weights."""
        reader = Reader.load(folder)
        file = folder / "clauses.npz"
        if reader is None or not file.exists():
            return None
        with np.load(file) as stored:
            weights = {name: stored[name].astype(np.float32) for name in stored.files}
        return cls(reader, weights, load_codebook())

    def heads(self, sentence: str) -> Array:
        """Logit of each clause type from the reader's states, shape (8,)."""
        pieces = self._reader.pieces
        ids = pieces.encode(plain(sentence))[0][:LONGEST]
        sequence = [pieces.cls, *ids, pieces.sep]
        x = self._reader.states(sequence, [0] * len(sequence))
        attention = self._w["query"] @ x.T / np.float32(8)
        attention = np.exp(attention - attention.max(1, keepdims=True))
        attention /= attention.sum(1, keepdims=True)
        logits = ((attention @ x) * self._w["wc"]).sum(1) + self._w["uc.weight"] @ x[0] + self._w["uc.bias"]
        return np.asarray(logits, dtype=np.float32)

    def margins(self, sentence: str) -> Array:
        """Margin of each clause type from the n-grams, shape (8,)."""
        places, values = weighted(grams(plain(sentence)), self._w["idf"])
        own = self._w["grams"][:, places] @ values * self._w["grams.scale"] + self._w["grams.bias"]
        return np.asarray(own, dtype=np.float32)

    def score(self, sentence: str) -> Array:
        """Score of each clause type for one sentence, shape (8,); above 0 means that it is there."""
        score = self.margins(sentence) - self._w["threshold"]
        if self._w["share"]:
            score = score + self._w["share"] * self.heads(sentence)
        return np.asarray(score, dtype=np.float32)

    def read_sentence(self, sentence: str) -> tuple[str, ...]:
        """Ids of the clause types of one sentence, in the order of the codebook."""
        return tuple(c.id for c, z in zip(self.clauses, self.score(sentence), strict=True) if z > 0)

    def read(self, texts: Iterable[str]) -> Iterator[tuple[ClauseLabel, ...]]:
        """Clause labels of each passage of a terms page, sentence by sentence."""
        for text in texts:
            labels: list[ClauseLabel] = []
            for start, end in _sentences(text):
                for clause, logit in zip(self.clauses, self.score(text[start:end]), strict=True):
                    if logit > 0:
                        chance = round(float(1 / (1 + np.exp(-logit))), 4)
                        labels.append(ClauseLabel(clause.id, start, end, chance))
            yield tuple(labels)


def _sentences(text: str) -> list[tuple[int, int]]:
    bounds = [0, *(match.end() for match in _SENTENCE.finditer(text)), len(text)]
    spans = []
    for start, end in pairwise(bounds):
        words = text[start:end]
        if words.strip():
            spans.append((start + len(words) - len(words.lstrip()), start + len(words.rstrip())))
    return spans


@dataclass(frozen=True, slots=True)
class ClauseScores:
    """F1 of each clause type and of ``none`` (no type at all), as the public benchmark counts them."""

    f1: dict[str, float]
    micro: float

    @property
    def macro(self) -> float:
        return sum(self.f1.values()) / len(self.f1)


def evaluate_clauses(
    gold: Sequence[frozenset[str]], predicted: Sequence[frozenset[str]], types: Sequence[str]
) -> ClauseScores:
    """Score clause types of sentences with ``none`` as a further class (LexGLUE, Chalkidis et al. 2022)."""
    f1: dict[str, float] = {}
    all_right = all_wrong = 0
    for name in (*types, "none"):
        right = wrong = 0
        for truth, guess in zip(gold, predicted, strict=True):
            there = name in truth if name != "none" else not truth
            said = name in guess if name != "none" else not guess
            right += there and said
            wrong += there != said
        f1[name] = 2 * right / (2 * right + wrong) if right else 0.0
        all_right += right
        all_wrong += wrong
    return ClauseScores(f1, 2 * all_right / (2 * all_right + all_wrong) if all_right else 0.0)
