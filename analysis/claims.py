"""Claims: which coded claims a passage makes, denies, forbids, quotes or reports, and at which words.

One spaCy pipeline of named components over one ``Doc``:

``plainview_fold``    the passage as heard, with places in the original (``analysis/folding.py``)
``plainview_rules``   the codebook's rules, behind a word index (``analysis/rules.py``)
``plainview_reader``  the trained component: codes, spans and stance (``analysis/reader.py``)
``plainview_labels``  rules and reader joined, stance from context, spans in the original text

Before any of them, the gate (`analysis/gate.py`) looks at all passages at once; one that plainly claims nothing never
becomes a ``Doc``, and one met before is not read again.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from analysis.folding import Folded, fold
from analysis.gate import Gate
from analysis.language import language_of
from analysis.reader import Reader, Seen, Segment, Sight, last_headings
from analysis.rules import Match, Rulebook, sentence_around
from analysis.stance import Cues, Voice
from data.codebook import Codebook, load_codebook


@dataclass(frozen=True, slots=True)
class Reading:
    """One passage in its context, as the classifier sees it. ``page_role`` is one of ``data.codebook.PAGE_ROLES``."""

    text: str
    heading: str = ""
    list_intro: str = ""
    page_role: str = "other"
    zone: str = "main"


@dataclass(frozen=True, slots=True)
class Label:
    """A code with its stance at ``Reading.text[start:end]``; ``rule`` names who saw it."""

    code: str
    stance: str
    start: int
    end: int
    confidence: float
    rule: str


REFERRAL_SHARE: Final = 0.6  # of the threshold, for codes of kind `referral`
CLAIMING: Final = 3.0  # from this score of the gate on a passage is taken to claim something
DOUBT_THRESHOLD: Final = 0.6  # below it
FRAGMENT_WORDS: Final = 5
FRAGMENT_THRESHOLD: Final = 0.8  # for menu entries, labels and the like
_DATA: Final = re.compile(r"\W*[{\[]\s*[\"`]|[\"`]\S*[\"`:]?\W*$")  # settings and code that stand in a page as text
_SENTENCE: Final = re.compile(r"(?=.*[.!?](?:\s|$))(?:\w+\W+){9}\w")  # ten words with a full stop are no button
REMEMBERED: Final = 50_000  # readings whose labels are kept, since footers and menus come again on every page

if not Doc.has_extension("plainview"):
    Doc.set_extension("plainview", default=None)


@dataclass(slots=True)
class _Desk:
    """What the components know of one passage while it is in the pipeline."""

    reading: Reading
    folded: Folded
    heading: str
    list_intro: str
    matches: Sequence[Match] = ()
    seen: Seen | None = None
    score: float = math.inf
    labels: tuple[Label, ...] = ()


class _Rules:
    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook

    def __call__(self, doc: Doc) -> Doc:
        desk: _Desk = doc._.plainview
        desk.matches = self._rulebook.find(desk.folded.text, desk.reading.page_role)
        return doc


class _Fold:
    def __call__(self, doc: Doc) -> Doc:
        if doc._.plainview is None:
            doc._.plainview = _desk(Reading(doc.text))
        return doc


class _Read:
    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Read documents in batches; the order is kept."""
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            if self._reader is not None:
                desks = [doc._.plainview for doc in batch]
                contexts = [(d.reading.page_role, d.heading, d.list_intro, d.folded.text) for d in desks]
                for desk, seen in zip(desks, self._reader.read(contexts), strict=True):
                    desk.seen = seen
            yield from batch


class _Labels:
    def __init__(self, codebook: Codebook, cues: Cues, reader: Reader | None) -> None:
        self._codebook = codebook
        self._cues = cues
        self._join_settings: dict[str, float] | None = reader.settings["join"] if reader else None

    def __call__(self, doc: Doc) -> Doc:
        desk: _Desk = doc._.plainview
        desk.labels = tuple(
            sorted(self._join(desk), key=lambda label: (label.start, label.end, label.code, label.stance))
        )
        spans = []
        for label in desk.labels:
            span = doc.char_span(label.start, label.end, label=label.code, kb_id=label.stance, alignment_mode="expand")
            if span is not None:
                spans.append(span)
        doc.spans["claims"] = spans
        return doc

    def _join(self, desk: _Desk) -> list[Label]:
        if desk.seen is None or self._join_settings is None:
            return self._by_rules(desk)
        by_code: dict[str, list[Match]] = {}
        for match in desk.matches:
            by_code.setdefault(match.rule.code, []).append(match)
        labels: list[Label] = []
        for sight in desk.seen:
            matches = by_code.pop(sight.code, [])
            confidence = self._confidence(sight.logit, matches)
            if confidence >= self._threshold(desk, sight.code):
                labels.extend(self._sighted(desk, sight, matches, confidence))
        for code, matches in by_code.items():
            confidence = self._confidence(self._join_settings["floor"], matches)
            if confidence >= self._threshold(desk, code):
                labels.extend(label for label in self._by_rules(desk, confidence) if label.code == code)
        return labels

    def _threshold(self, desk: _Desk, code: str) -> float:
        """The confidence from which a code is labelled.

        Lower for referral codes, where recall comes first. Higher where the gate doubts that anything is claimed, and
        for fragments: on everyday pages most passages claim nothing, which confidence fitted on coded passages cannot know.
        """
        assert self._join_settings is not None
        threshold = self._join_settings["threshold"]
        if code in self._codebook.referral_codes:
            return threshold * REFERRAL_SHARE
        if len(desk.folded.text.split()) <= FRAGMENT_WORDS:
            return max(threshold, FRAGMENT_THRESHOLD)
        return threshold if desk.score >= CLAIMING else max(threshold, DOUBT_THRESHOLD)

    def _confidence(self, logit: float, matches: Sequence[Match]) -> float:
        """Calibrated probability that the code is there, from the reader's score and the rules that matched."""
        assert self._join_settings is not None
        weights = self._join_settings
        score = weights["scale"] * logit + weights["offset"]
        if any(not match.rule.weak for match in matches):
            rule = weights["strong"]
        elif matches:
            rule = weights["weak"]
        else:
            rule = 0.0
        # A rule alone is often wrong; where the reader sees the code as well it is never a reason to doubt.
        score += rule if logit <= weights["floor"] else max(0.0, rule)
        return round(1.0 / (1.0 + math.exp(-max(-9.0, min(9.0, score)))), 4)

    def _sighted(self, desk: _Desk, sight: Sight, matches: Sequence[Match], confidence: float) -> list[Label]:
        """One label a stance, at the strongest segment that has it."""
        best: dict[str, Segment] = {}
        peak = max(segment.strength for segment in sight.segments)
        for segment in sight.segments:
            if segment.strength < 0.4 * peak:
                continue
            chances = dict(zip(self._codebook.stance_ids, segment.stances, strict=True))
            if _SENTENCE.search(desk.folded.text[segment.start : segment.end + 2]):
                chances["UI"] = 0.0
            stance = max(chances, key=chances.__getitem__)
            known = best.get(stance)
            if known is None or segment.strength > known.strength:
                best[stance] = segment
        labels: list[Label] = []
        for stance, segment in best.items():
            rule = next((m.rule.id for m in matches if m.start < segment.end and m.end > segment.start), "reader")
            start, end = desk.folded.original(segment.start, segment.end)
            labels.append(Label(sight.code, stance, start, end, confidence, rule))
        return labels

    def _by_rules(self, desk: _Desk, confidence: float | None = None) -> list[Label]:
        labels: list[Label] = []
        taken: set[tuple[str, str]] = set()
        for match in desk.matches:
            voice = self._voice(desk, match)
            if (match.rule.code, voice.stance) in taken:
                continue
            taken.add((match.rule.code, voice.stance))
            start, end = desk.folded.original(*_claim_span(desk.folded, match))
            own = 0.6 if match.rule.weak else 0.75
            labels.append(Label(match.rule.code, voice.stance, start, end, confidence or own, match.rule.id))
        return labels

    def _voice(self, desk: _Desk, match: Match) -> Voice:
        voice = self._cues.voice(
            desk.folded,
            match.start,
            match.end,
            desk.heading,
            desk.list_intro,
            desk.reading.page_role,
            desk.reading.zone,
        )
        if match.rule.stance and voice.stance in ("PROMO", "UI", "DISCLAIM", "TESTI"):
            return Voice(match.rule.stance, "rule")
        return voice


def _claim_span(folded: Folded, match: Match) -> tuple[int, int]:
    """The sentence that holds the match, without blanks or closing marks of a list around it."""
    if match.rule.span == "passage":
        start, end = 0, len(folded.text)
    else:
        start, end = sentence_around(folded.text, match.start, match.end)
    words = folded.text[start:end]
    return start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())


@lru_cache(maxsize=8192)
def _folded_context(heading: str, list_intro: str) -> tuple[str, str]:
    return fold(last_headings(heading)).text, fold(list_intro).text


def _desk(reading: Reading, folded: Folded | None = None) -> _Desk:
    return _Desk(reading, folded or fold(reading.text), *_folded_context(reading.heading, reading.list_intro))


def _encodable(text: str) -> str:
    """Text that spaCy can hash: a lone surrogate becomes U+FFFD, and nothing moves."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@Language.factory("plainview_fold")
def _make_fold(nlp: Language, name: str) -> Any:
    return _Fold()


@Language.factory("plainview_rules")
def _make_rules(nlp: Language, name: str) -> Any:
    return _Rules(Rulebook(load_codebook()))


@Language.factory("plainview_reader")
def _make_reader(nlp: Language, name: str) -> Any:
    return _Read(Reader.load())


@Language.factory("plainview_labels")
def _make_labels(nlp: Language, name: str) -> Any:
    codebook = load_codebook()
    return _Labels(codebook, Cues(codebook), Reader.load())


class Claims:
    """The claims pipeline with the codebook and model it was made from."""

    def __init__(self, codebook: Codebook, reader: Reader | None, gate: Gate | None = None) -> None:
        self.codebook = codebook
        self.codebook_sha256 = codebook.sha256
        self.model_sha256 = reader.sha256 if reader else hashlib.sha256(b"rules only").hexdigest()
        self._rulebook = Rulebook(codebook)
        self._reader = reader
        self._gate = gate
        self._known: dict[Reading, tuple[Label, ...]] = {}
        self.nlp = spacy.blank("en")
        self.nlp.max_length = 10_000_000
        self._components = (
            _Fold(),
            _Rules(self._rulebook),
            _Read(reader),
            _Labels(codebook, Cues(codebook), reader),
        )

    @classmethod
    def load(cls, codebook: Codebook | None = None) -> Claims:
        """The pipeline for ``codebook`` (default: the one that travels with the package) and the packaged weights."""
        return cls(codebook or load_codebook(), Reader.load(), Gate.load())

    def read(self, readings: Iterable[Reading], *, batch_size: int = 256) -> Iterator[tuple[Label, ...]]:
        """Labels of each reading, in the same order, the same for the same input. Never raises on any text.

        Text in another language than English gets no labels (`analysis.language.language_of` says which it is).
        """
        source = iter(readings)
        while batch := list(islice(source, batch_size)):
            fresh = [reading for reading in dict.fromkeys(batch) if reading not in self._known]
            if len(self._known) + len(fresh) > REMEMBERED:
                self._known.clear()
                fresh = list(dict.fromkeys(batch))
            self._known.update(zip(fresh, self._read_batch(fresh), strict=True))
            yield from [self._known[reading] for reading in batch]

    def _chosen(self, readings: Sequence[Reading]) -> list[tuple[int, _Desk]]:
        """The passages worth the reader's time, with what the rules see in them."""
        folded = [fold(reading.text) for reading in readings]
        scores: Sequence[float] = [math.inf] * len(readings)
        low = high = -math.inf
        if self._gate is not None:
            contexts = [(r.page_role, *_folded_context(r.heading, r.list_intro)) for r in readings]
            scores = self._gate.scores([part.text for part in folded], contexts)
            low, high = self._gate.low, self._gate.high
        chosen: list[tuple[int, _Desk]] = []
        for place, score in enumerate(scores):
            if score < low or _DATA.match(folded[place].text):
                continue
            reading = readings[place]
            matches = self._rulebook.find(folded[place].text, reading.page_role)
            if not matches and (score < high or self._reader is None):
                continue
            if language_of(folded[place].text) != "en":
                continue
            desk = _desk(reading, folded[place])
            desk.matches, desk.score = matches, score
            chosen.append((place, desk))
        return chosen

    def _read_batch(self, batch: Sequence[Reading]) -> list[tuple[Label, ...]]:
        found: list[tuple[Label, ...]] = [()] * len(batch)
        chosen = self._chosen(batch)
        docs: list[Doc] = []
        for _, desk in chosen:
            doc = self.nlp.make_doc(_encodable(desk.reading.text))
            doc._.plainview = desk
            docs.append(doc)
        for (place, desk), doc in zip(chosen, self._components[2].pipe(docs), strict=True):
            self._components[3](doc)
            found[place] = desk.labels
        return found
