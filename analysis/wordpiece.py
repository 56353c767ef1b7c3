"""WordPiece over folded text, with the place of every piece (Wu et al. 2016; greedy longest match first)."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

_UNIT: Final = re.compile(r"[^\W_]+|[^\w\s]|_")
_LONGEST: Final = 40


class WordPiece:
    """A vocabulary of pieces. Line number is id; ``[CLS]``, ``[SEP]`` and ``[UNK]`` must be in it."""

    def __init__(self, vocabulary: list[str]) -> None:
        self.ids: dict[str, int] = {piece: number for number, piece in enumerate(vocabulary)}
        self.cls, self.sep, self.unknown = self.ids["[CLS]"], self.ids["[SEP]"], self.ids["[UNK]"]
        self._split = lru_cache(maxsize=65536)(self._pieces)

    @classmethod
    def load(cls, path: Path) -> WordPiece:
        """Read a vocabulary of one piece a line."""
        return cls(path.read_text(encoding="utf-8").rstrip("\n").split("\n"))

    def _pieces(self, word: str) -> tuple[tuple[int, int, int], ...]:
        if len(word) > _LONGEST:
            return ((self.unknown, 0, len(word)),)
        found: list[tuple[int, int, int]] = []
        start = 0
        while start < len(word):
            end = len(word)
            while end > start:
                piece = word[start:end] if start == 0 else f"##{word[start:end]}"
                if piece in self.ids:
                    break
                end -= 1
            if end == start:
                return ((self.unknown, 0, len(word)),)
            found.append((self.ids[piece], start, end))
            start = end
        return tuple(found)

    def encode(self, text: str) -> tuple[list[int], list[int], list[int]]:
        """Piece ids with their start and end in ``text`` (already folded: lower case, no combining marks)."""
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        for match in _UNIT.finditer(text):
            at = match.start()
            for piece, start, end in self._split(match.group()):
                ids.append(piece)
                starts.append(at + start)
                ends.append(at + end)
        return ids, starts, ends
