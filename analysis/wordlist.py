"""Words that are known to be words: what folding may turn "n0 l0gs" into."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from data.codebook import load_codebook

VOCABULARY: Final = Path(__file__).parent / "weights" / "vocab.txt"
_WORD: Final = re.compile(r"[a-z']{2,}")


@cache
def words() -> frozenset[str]:
    """Every lower-case word of the codebook's rules and examples and of the reader's vocabulary."""
    codebook = load_codebook()
    found: set[str] = set()
    for family in codebook.families.values():
        found.update(_WORD.findall(family))
    for code in codebook.codes:
        for rule in code.rules:
            for pattern in rule.patterns:
                found.update(_WORD.findall(re.sub(r"/(?:\\.|[^/\\])+/", " ", pattern)))
    for _, example in codebook.examples():
        found.update(_WORD.findall(example.text.lower()))
    if VOCABULARY.exists():
        with VOCABULARY.open(encoding="utf-8") as lines:
            found.update(word for line in lines if (word := line.rstrip("\n")).isalpha() and len(word) > 1)
    return frozenset(found)
