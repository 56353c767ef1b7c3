"""The claims prefilter for archives of the whole web: does a page say enough of what the codebook is about to be looked at?

By the codebook's rules alone, without the reader, over the words of a raw record: a first look at each word costs one
dictionary look-up. It finds candidates; what they claim is read afterwards, like any page.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from analysis.rules import Rulebook
from data.codebook import load_codebook

_MARKUP: Final = re.compile(r"(?is)<(script|style|noscript|template)\b.*?</\1\s*>|<!--.*?-->")
_TAG: Final = re.compile(r"<[^>]*>")
_LONGEST: Final = 100_000
# What is said of use is what tells these services from the rest of the web, which has prices and testimonials too.
_TELLING: Final = ("U", "T")


@dataclass(frozen=True, slots=True)
class Sift:
    """Finds records with rules of at least *codes* different codes, one of them on use or removal."""

    codes: int = 3

    def __call__(self, record: bytes) -> bool:
        """Whether the unpacked WARC *record* is worth a look."""
        block = record.partition(b"\r\n\r\n")[2]
        if block.startswith(b"HTTP/"):
            block = block.partition(b"\r\n\r\n")[2]
        text = _TAG.sub(" ", _MARKUP.sub(" ", block.decode("utf-8", "replace")))
        # Not folded as a passage is (which undoes disguises letter by letter, at thirty times the price).
        words = " ".join(unicodedata.normalize("NFKC", text[:_LONGEST]).lower().replace("\u2019", "'").split())
        telling, others = _rulebooks()
        found = {match.rule.code for match in telling.find(words, "other")}
        # Most of the web says nothing of the kind, and is asked nothing more.
        return bool(found) and len(found | {match.rule.code for match in others.find(words, "other")}) >= self.codes


@lru_cache(maxsize=1)
def _rulebooks() -> tuple[Rulebook, Rulebook]:
    """The rules on use and removal, and all others."""
    codebook = load_codebook()
    telling = tuple(code for code in codebook.codes if code.id.startswith(_TELLING))
    others = tuple(code for code in codebook.codes if not code.id.startswith(_TELLING))
    return Rulebook(replace(codebook, codes=telling)), Rulebook(replace(codebook, codes=others))
