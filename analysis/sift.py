"""The claims prefilter for archives of the whole web: does a page say enough of what the codebook is about to be looked at?

By the codebook's rules alone, without the reader, over the words of a raw record: a first look at each word costs one
dictionary look-up. It finds candidates; what they claim is read afterwards, like any page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from analysis.folding import fold
from analysis.rules import Rulebook
from data.codebook import load_codebook

_MARKUP: Final = re.compile(r"(?is)<(script|style|noscript|template)\b.*?</\1\s*>|<!--.*?-->")
_BLOCK: Final = re.compile(
    r"(?i)</?(?:p|div|li|ul|ol|h[1-6]|td|th|tr|br|section|article|title|button|dt|dd)\b[^>]*>|\n"
)
_TAG: Final = re.compile(r"<[^>]*>")
_LONGEST: Final = 2000
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
        seen: set[str] = set()
        rulebook = _rulebook()
        for line in _BLOCK.split(_MARKUP.sub(" ", block.decode("utf-8", "replace"))):
            words = _TAG.sub(" ", line).strip()
            if len(words) > 8:
                seen.update(match.rule.code for match in rulebook.find(fold(words[:_LONGEST]).text, "other"))
                if len(seen) >= self.codes and any(code.startswith(_TELLING) for code in seen):
                    return True
        return False


@lru_cache(maxsize=1)
def _rulebook() -> Rulebook:
    return Rulebook(load_codebook())
