"""Which language a passage is in, as far as the codebook needs to know: English, another one, or too short to say.

Counts function words and looks at the script. It is a guard, not a classifier: text that is clearly not English is said
to be unread instead of being scored by rules that cannot understand it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

_WORDS: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_TABLES: Final = tomllib.loads((Path(__file__).parent / "function_words.toml").read_text(encoding="utf-8"))


def function_words(section: str, name: str) -> frozenset[str]:
    """The words listed under ``name`` in ``section`` of ``function_words.toml``."""
    return frozenset(_TABLES[section][name].split())


_ENGLISH: Final = function_words("english", "words")
_FOREIGN: Final = {code: function_words("foreign", code) for code in _TABLES["foreign"]}


def language_of(text: str) -> str:
    """``en``, another ISO 639-1 code, or ``und`` for a script that is not Latin.

    Text with too few words to tell counts as ``en``, so that buttons and badges are still read.
    """
    words = _WORDS.findall(text.lower())
    if not words:
        return "en"
    foreign_script = sum(1 for word in words if not word.isascii() and ord(max(word)) > 0x24F)
    if foreign_script * 2 > len(words):
        return "und"
    if len(words) < 4:
        return "en"
    english = sum(word in _ENGLISH for word in words)
    best, count = "en", 0
    for code, known in _FOREIGN.items():
        hits = sum(word in known and word not in _ENGLISH for word in words)
        if hits > count:
            best, count = code, hits
    if count >= 2 and count > english and count / len(words) >= 0.12:
        return best
    return "en"
