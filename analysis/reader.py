"""The trained component: a small transformer that reads a passage in its context, run with numpy alone.

The body is all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, Reimers and Gurevych 2019), fine-tuned on the codebook's
examples, the practice sentences and the train part of the gold passages, its vocabulary pruned and its weights kept as
6-bit integers with a scale a row. Three heads read its states: one logit a code for the passage, one a code and token
for the span, and the stance of a code at a span. `analysis/training.py` makes the weights.

A passage is read as a whole and sentence by sentence, each computed alone, so that what is read of it does not depend on
what stands in the same batch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analysis.wordpiece import WordPiece

WEIGHTS: Final = Path(__file__).parent / "weights"
LONGEST: Final = 160  # pieces of a passage read at once; longer ones are read in windows
BRIEF: Final = 64  # pieces of a passage that may leave early
CONTEXT: Final = 40  # pieces of context
OVERLAP: Final = 40
HEADS: Final = 12
ALONE: Final = 0.4  # share of a sentence read alone in the score of a code
ALONE_IN_LONG: Final = 0.8  # the same in a passage of more than LONG characters, where one claim is drowned
LONG: Final = 700
EXIT_LAYERS: Final = (1, 2)  # after them a passage that plainly claims nothing is let go

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a code was seen in folded text, with the probability of each stance there."""

    start: int
    end: int
    stances: tuple[float, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class Sight:
    """One code in one passage: its raw score (a logit) and its segments."""

    code: str
    logit: float
    segments: tuple[Segment, ...]


Seen = tuple[Sight, ...]
Context = tuple[str, str, str, str]  # page role, heading, list intro, text; all folded


def last_headings(heading: str) -> str:
    """The two innermost headings of a heading path (``A > B > C``): what still speaks about the passage."""
    return " > ".join(heading.split(" > ")[-2:])


def context_words(page_role: str, heading: str, list_intro: str) -> str:
    """The words that stand before the passage when it is read."""
    return f"{page_role} page. {heading}" + (f". list: {list_intro}" if list_intro else "")


_SENTENCE_END: Final = re.compile(r"(?<=[.!?;])[\"')\]]*\s+")


def sentences(text: str) -> list[tuple[int, int]]:
    """Bounds of the sentences of folded text that have three words or more."""
    bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(bounds) if len(text[start:end].split()) >= 3]


def _moved(sight: Sight, by: int) -> Sight:
    segments = tuple(replace(part, start=part.start + by, end=part.end + by) for part in sight.segments)
    return replace(sight, segments=segments)


def _averaged(segment: Segment, views: Sequence[Segment]) -> Segment:
    """A segment whose stances are the mean of its own and those of the strongest other view of the same words."""
    same = [view for view in views if view.start < segment.end and view.end > segment.start]
    if not same:
        return segment
    other = max(same, key=lambda view: view.strength)
    return replace(segment, stances=tuple((a + b) / 2 for a, b in zip(segment.stances, other.stances, strict=True)))


_INNER: Final = re.compile(r"(?:qkv|o|f1|f2)\.weight$")


def unpack(weights: dict[str, npt.NDArray[Any]]) -> dict[str, Array]:
    """Weights as floats: an integer array ``x`` with a row scale ``x.scale`` becomes their product.

    Matrices inside layers are turned to input-major, as `layer_states` wants them.
    """
    out: dict[str, Array] = {}
    for name, value in weights.items():
        if name.endswith(".scale"):
            continue
        scale = weights.get(f"{name}.scale")
        full = value.astype(np.float32) if scale is None else value.astype(np.float32) * scale[:, None]
        out[name] = np.ascontiguousarray(full.T) if _INNER.search(name) else full
    return out


def _normalise(x: Array, weight: Array, bias: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    spread = x - mean
    variance = (spread * spread).mean(-1, keepdims=True)
    return np.asarray(spread / np.sqrt(variance + 1e-12) * weight + bias, dtype=np.float32)


def _gelu(x: Array) -> Array:
    inner = x * x
    inner *= np.float32(0.0356774081)
    inner += np.float32(0.7978845608)
    inner *= x
    np.tanh(inner, out=inner)
    inner += np.float32(1.0)
    inner *= x
    inner *= np.float32(0.5)
    return inner


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True), dtype=np.float32)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30, 30))), dtype=np.float32)


def layer_states(x: Array, w: dict[str, Array], prefix: str = "") -> Array:
    """One transformer layer over the states ``x`` of one sequence; ``w`` holds input-major matrices."""
    length, width = x.shape
    head = width // HEADS
    scale = np.float32(1.0 / np.sqrt(head))
    qkv = (x @ w[f"{prefix}qkv.weight"] + w[f"{prefix}qkv.bias"]).reshape(length, 3, HEADS, head).transpose(1, 2, 0, 3)
    attention = _softmax((qkv[0] @ qkv[1].transpose(0, 2, 1)) * scale)
    mixed = (attention @ qkv[2]).transpose(1, 0, 2).reshape(length, width)
    mixed = mixed @ w[f"{prefix}o.weight"] + w[f"{prefix}o.bias"]
    x = _normalise(x + mixed, w[f"{prefix}ln1.weight"], w[f"{prefix}ln1.bias"])
    inner = _gelu(x @ w[f"{prefix}f1.weight"] + w[f"{prefix}f1.bias"]) @ w[f"{prefix}f2.weight"] + w[f"{prefix}f2.bias"]
    return _normalise(x + inner, w[f"{prefix}ln2.weight"], w[f"{prefix}ln2.bias"])


class Reader:
    """The reader with its weights in memory (about 60 MB)."""

    def __init__(
        self,
        weights: dict[str, Array],
        pieces: WordPiece,
        settings: dict[str, Any],
        sha256: str,
    ) -> None:
        self._w = weights
        self.pieces = pieces
        self.codes: tuple[str, ...] = tuple(settings["codes"])
        self.stances: tuple[str, ...] = tuple(settings["stances"])
        self.settings = settings
        self._exits = {
            layer: (weights[f"exits.{n}.weight"][0], float(weights[f"exits.{n}.bias"][0]) - threshold)
            for n, (layer, threshold) in enumerate(zip(EXIT_LAYERS, settings.get("exits", ()), strict=False))
        }
        self.sha256 = sha256
        self.depth = int(settings["layers"])
        self._layers = [{key: weights[f"layers.{n}.{key}"] for key in self._keys()} for n in range(self.depth)]
        self._context = lru_cache(maxsize=4096)(self._encode_context)

    @staticmethod
    def _keys() -> tuple[str, ...]:
        linear = ("qkv", "o", "f1", "f2", "ln1", "ln2")
        return tuple(f"{name}.{part}" for name in linear for part in ("weight", "bias"))

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Reader | None:
        """The reader of ``folder``, or None when it has no weights (rules alone then read)."""
        file = folder / "reader.npz"
        if not file.exists():
            return None
        digest = hashlib.sha256()
        for name in ("reader.npz", "vocab.txt", "reader.json", "gate.npz"):
            if (folder / name).exists():
                digest.update((folder / name).read_bytes())
        with np.load(file) as stored:
            weights = unpack({name: stored[name] for name in stored.files})
        settings = json.loads((folder / "reader.json").read_text(encoding="utf-8"))
        return cls(weights, WordPiece.load(folder / "vocab.txt"), settings, digest.hexdigest())

    def layer(self, number: int) -> dict[str, Array]:
        """The weights of one layer, matrices input-major."""
        return self._layers[number]

    def embeddings(self) -> Array:
        """The vectors of the word pieces, shape (pieces, width)."""
        return self._w["word.weight"]

    def _encode_context(self, page_role: str, heading: str, list_intro: str) -> tuple[int, ...]:
        return tuple(self.pieces.encode(context_words(page_role, heading, list_intro))[0][:CONTEXT])

    def read(self, contexts: Sequence[Context]) -> list[Seen]:
        """What is seen in each passage, in order. Codes below the floor of the settings are left out."""
        return [self._read(*context) for context in contexts]

    def _read(self, page_role: str, heading: str, list_intro: str, text: str) -> Seen:
        """A passage read as a whole, and each of its sentences alone; the two views are averaged.

        Pages pack claims of different stance into one paragraph, and read as a whole the first colours the rest.
        """
        whole = self._passage(page_role, heading, list_intro, text)
        bounds = sentences(text)
        if len(bounds) < 2 or (not whole and len(text) <= LONG):
            return whole
        alone = [
            _moved(sight, start)
            for start, end in bounds
            for sight in self._passage(page_role, heading, list_intro, text[start:end])
        ]
        at_large = {sight.code: sight for sight in whole}
        peaks: dict[str, Sight] = {}
        for sight in alone:
            if sight.code not in peaks or sight.logit > peaks[sight.code].logit:
                peaks[sight.code] = sight
        share = ALONE if len(text) <= LONG else ALONE_IN_LONG
        unseen = float(self.settings["floor"]) - 1.0
        seen: list[Sight] = []
        for code in self.codes:
            large, peak = at_large.get(code), peaks.get(code)
            source = large or peak
            if source is None:
                continue
            logit = share * (peak.logit if peak else unseen) + (1 - share) * (large.logit if large else unseen)
            segments = source.segments
            if large is not None:
                views = [s for sight in alone if sight.code == code and sight.logit > 0 for s in sight.segments]
                segments = tuple(_averaged(segment, views) for segment in segments)
            seen.append(Sight(code, logit, segments))
        return tuple(seen)

    def _passage(self, page_role: str, heading: str, list_intro: str, text: str) -> Seen:
        ids, starts, ends = self.pieces.encode(text)
        if not ids:
            return ()
        before = self._context(page_role, heading, list_intro)
        if len(ids) <= LONGEST:
            return self._window(before, ids, starts, ends)
        best: dict[str, Sight] = {}
        for at in range(0, len(ids), LONGEST - OVERLAP):
            part = slice(at, at + LONGEST)
            for sight in self._window(before, ids[part], starts[part], ends[part]):
                known = best.get(sight.code)
                if known is None:
                    best[sight.code] = sight
                    continue
                high, low = (sight, known) if sight.logit > known.logit else (known, sight)
                others = tuple(
                    s
                    for s in low.segments
                    if low.logit > 0 and all(s.end <= k.start or s.start >= k.end for k in high.segments)
                )
                best[sight.code] = Sight(sight.code, high.logit, high.segments + others)
            if at + LONGEST >= len(ids):
                break
        return tuple(best[code] for code in self.codes if code in best)

    def states(self, ids: Sequence[int], types: Sequence[int], layers: int | None = None) -> Array:
        """Hidden states of one sequence after ``layers`` layers (default: all), shape (pieces, width)."""
        return self._through(self._embedded(ids, types), self._layers[:layers])

    def _embedded(self, ids: Sequence[int], types: Sequence[int]) -> Array:
        w = self._w
        x = w["word.weight"][list(ids)] + w["pos.weight"][: len(ids)] + w["typ.weight"][list(types)]
        return _normalise(x, w["ln.weight"], w["ln.bias"])

    @staticmethod
    def _through(x: Array, layers: Sequence[dict[str, Array]]) -> Array:
        for layer in layers:
            x = layer_states(x, layer)
        return x

    def glances(self, context: Context) -> list[float]:
        """The logits of "claims something" at each exit."""
        sequence, types, offset = self._sequence(context)
        x = self._embedded(sequence, types)
        found, done = [], 0
        for n, layer in enumerate(EXIT_LAYERS):
            x = self._through(x, self._layers[done:layer])
            done = layer
            seen = np.concatenate([x[0], x[offset:-1].mean(0)])
            found.append(float(seen @ self._w[f"exits.{n}.weight"][0]) + float(self._w[f"exits.{n}.bias"][0]))
        return found

    def summary(self, page_role: str, heading: str, list_intro: str, text: str) -> Array:
        """A passage as one vector: the logit of each code, then the mean of its last states."""
        sequence, types, offset = self._sequence((page_role, heading, list_intro, text or "."))
        x = self.states(sequence, types)
        body = x[offset:-1] if len(x) > offset + 1 else x
        return np.concatenate([self._code_logits(x, body), body.mean(0)])

    def _sequence(self, context: Context) -> tuple[list[int], list[int], int]:
        """Piece ids, segment types, and where the passage begins; the passage cut to one window."""
        ids = self.pieces.encode(context[3])[0][:LONGEST]
        before = self._context(*context[:3])
        offset = len(before) + 2
        sequence = [self.pieces.cls, *before, self.pieces.sep, *ids, self.pieces.sep]
        return sequence, [0] * offset + [1] * (len(ids) + 1), offset

    def _code_logits(self, x: Array, body: Array) -> Array:
        w = self._w
        attention = _softmax((w["query"] @ body.T) / np.float32(8))
        return np.asarray(
            ((attention @ body) * w["wc"]).sum(-1) + w["uc.weight"] @ x[0] + w["uc.bias"], dtype=np.float32
        )

    def _window(self, before: tuple[int, ...], ids: list[int], starts: list[int], ends: list[int]) -> Seen:
        w, pieces = self._w, self.pieces
        offset = len(before) + 2
        sequence = [pieces.cls, *before, pieces.sep, *ids, pieces.sep]
        x = self._embedded(sequence, [0] * offset + [1] * (len(ids) + 1))
        done = 0
        # In a long passage the mean that the exits look at would drown a claim.
        for layer, (weight, bias) in self._exits.items() if len(ids) <= BRIEF else ():
            x = self._through(x, self._layers[done:layer])
            done = layer
            if float(np.concatenate([x[0], x[offset:-1].mean(0)]) @ weight) + bias < 0:
                return ()
        x = self._through(x, self._layers[done:])
        body = x[offset : offset + len(ids)]
        logits = self._code_logits(x, body)
        chosen = np.flatnonzero(logits > self.settings["floor"])
        if not len(chosen):
            return ()
        tags = _sigmoid(body @ w["tag.weight"][chosen].T + w["tag.bias"][chosen])
        seen: list[Sight] = []
        for place, code in enumerate(chosen):
            parts = []
            for first, last in _runs(tags[:, place]):
                vector = np.concatenate([body[first : last + 1].mean(0), x[0], w["code.weight"][code]])
                scores = _gelu(w["s1.weight"] @ vector + w["s1.bias"])
                stance = _softmax(w["s2.weight"] @ scores + w["s2.bias"])
                strength = float(tags[first : last + 1, place].mean())
                parts.append(Segment(starts[first], ends[last], tuple(float(p) for p in stance), strength))
            seen.append(Sight(self.codes[code], float(logits[code]), tuple(parts)))
        return tuple(seen)


def _runs(tags: Array) -> list[tuple[int, int]]:
    """First and last piece of each stretch that carries a code: half of the peak and more, small gaps closed."""
    line = max(0.5 * float(tags.max()), 0.15)
    runs: list[list[int]] = []
    for at in np.flatnonzero(tags > line):
        if runs and at - runs[-1][1] <= 4:
            runs[-1][1] = int(at)
        else:
            runs.append([int(at), int(at)])
    if not runs:
        return [(0, len(tags) - 1)]
    long = [run for run in runs if run[1] > run[0]]
    return [(first, last) for first, last in (long or runs[:1])]
