"""Stance from context: who says it, and is it said, forbidden, limited, denied, quoted or reported.

The order of tests is that of the coding guide: the speaker (page role, heading, quotation, attribution), the list
intro, a ban or denial that governs the claim and where its scope ends, a limit in the same sentence, and otherwise the
operator's own voice. Cues are data (``data/codebook/stances.toml``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from analysis.folding import Folded
from analysis.rules import compile_pattern, sentence_around
from data.codebook import Codebook

_PRAISE_HEADING: Final = re.compile(
    r"\b(testimonial|reviews?|what (our )?(users|customers|people|members) say|feedback|loved|hear it from|voices|word on)"
)
_SPONSORED: Final = re.compile(r"\b(sponsored|advertisement|advertorial|press release|partner content|paid|promoted)\b")
_HOUSE_VOICE: Final = re.compile(r"\b(admin|moderator|staff|official|announcement|sponsored|pinned|rules)\b")
_QUOTED: Final = re.compile(r'"[^"]{6,}"')
_SCOPE_END: Final = re.compile(r"\b(but|except|unless|however|instead|although|though|yet)\b|[;]")
_BUTTON: Final = re.compile(r"^\W*(?:[\[☐✓✔►▶→➜🔒⬇]|\(\s?\)|\[\s?\])")
_END: Final = re.compile(r"[.!?]\W*$")
_FINITE: Final = re.compile(
    r"\b(is|are|was|were|will|won't|can|can't|do|does|did|have|has|had|we|you|they|it|she|he|your|our|may|must|should)\b"
)


@dataclass(frozen=True, slots=True)
class Voice:
    """A stance with the cue that gave it."""

    stance: str
    cue: str


class Cues:
    """The cue patterns of a codebook, compiled."""

    def __init__(self, codebook: Codebook) -> None:
        self._cues: dict[str, list[re.Pattern[str]]] = {}
        self._list_cues: dict[str, list[re.Pattern[str]]] = {}
        for stance in codebook.stances:
            self._cues[stance.id] = [compile_pattern(p, codebook.families).regex for p in stance.cues]
            self._list_cues[stance.id] = [compile_pattern(p, codebook.families).regex for p in stance.list_cues]

    def _has(self, stance: str, text: str) -> bool:
        return any(cue.search(text) for cue in self._cues[stance])

    def _lists(self, stance: str, text: str) -> bool:
        return any(cue.search(text) for cue in self._list_cues[stance])

    def voice(
        self, folded: Folded, start: int, end: int, heading: str, list_intro: str, page_role: str, zone: str = "main"
    ) -> Voice:
        """The stance of ``folded.text[start:end]``; ``heading`` and ``list_intro`` are folded as well."""
        left, right = sentence_around(folded.text, start, end)
        sentence = folded.text[left:right]
        if page_role == "news" and not _SPONSORED.search(heading):
            return Voice("REPORTED", "page:news")
        if self._has("POLICYQ", sentence) and page_role != "home":
            return Voice("POLICYQ", "speaker:law")
        if page_role == "forum" and not _HOUSE_VOICE.search(heading):
            return Voice("USER", "page:forum")
        if self._has("REPORTED", sentence):
            return Voice("REPORTED", "speaker:press")
        if _PRAISE_HEADING.search(heading) and page_role in (
            "home",
            "pricing",
            "affiliate",
            "listing",
            "blog",
            "other",
        ):
            return Voice("TESTI", "heading:praise")
        if list_intro and self._lists("PROHIB", list_intro):
            return Voice("PROHIB", "list:ban")
        if self._has("ADVICE", sentence):
            return Voice("ADVICE", "speaker:help")
        if self._has("NEGATED", sentence):
            return Voice("NEGATED", "denial")
        cut = _SCOPE_END.search(folded.text, left, start)
        ban_scope = folded.text[cut.end() if cut else left : right]
        if self._has("PROHIB", ban_scope):
            return Voice("PROHIB", "ban")
        if heading and self._lists("PROHIB", heading) and page_role in ("terms", "forum", "affiliate", "help"):
            return Voice("PROHIB", "heading:ban")
        if self._has("DISCLAIM", sentence):
            return Voice("DISCLAIM", "limit")
        for quote in _QUOTED.finditer(folded.text):
            if (
                quote.start() <= start
                and end <= quote.end()
                and page_role in ("home", "pricing", "listing", "affiliate")
            ):
                return Voice("TESTI", "quotation")
        if is_control(folded.text, zone):
            return Voice("UI", "form:control")
        return Voice("PROMO", "operator")


def is_control(text: str, zone: str = "main") -> bool:
    """Whether a passage reads as a button, badge, tick box or status rather than a sentence."""
    if zone in ("button", "form", "label", "badge"):
        return True
    if _BUTTON.search(text):
        return True
    words = text.split()
    return len(words) <= 6 and not _END.search(text) and not _FINITE.search(text)
