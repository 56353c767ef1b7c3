"""A batch of stored texts, read: evidence and codebook in, rows out. It writes nothing and asks nobody.

The same batch gives the same rows wherever it is read: in this process, in one of a pool, on another machine. What a worker
remembers between batches (readings of passages that stand on every page of a site) only saves time.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.claims import Claims, Label, Reading
from analysis.listings.listing import field_rows, read_listing, role_of
from analysis.passages import EXTRACTOR, Passage, TextVersion, extract
from data.canonical import sha256
from data.codebook import Codebook
from data.depot import Depot, Shelf
from data.records import Observation
from data.roles import page_role
from data.scratch import scratch
from data.spool import WARC, read_member
from data.stored import StoredTexts, text_of

READINGS_KEPT = 100_000
"""Passages whose labels a worker remembers: some 20 MB."""
# Stances in which a reference to minors is not plainly a ban, a policy, a report or advice.
_OPEN_STANCES = frozenset({"PROMO", "TESTI", "UI", "USER", "UNCLEAR"})

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Observations to read, and where their evidence lies: the *evidence* folder, a *store*, or in *members*, the WARC
    records themselves as stored.

    *listed* names what the case lists an observation's address as; *known* are texts that were read before.
    """

    observations: tuple[Observation, ...]
    analysis: str
    listed: dict[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    evidence: str = ""
    store: str = ""
    members: tuple[bytes, ...] = ()
    codebook: Codebook | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What a batch holds, by table, in the order of its observations; a text that stands twice in it has its rows once."""

    links: list[Row]
    texts: list[Row]
    passages: list[Row]
    fields: list[Row]
    flags: list[Row]


class Desk:
    """What a worker keeps between batches: the claims pipeline and the labels of passages that it read lately."""

    def __init__(self, codebook: Codebook | None, kept: int = READINGS_KEPT) -> None:
        self.claims = Claims.load(codebook)
        self._kept = kept
        self._labels: dict[bytes, tuple[Label, ...]] = {}

    def labels(self, readings: dict[bytes, Reading]) -> dict[bytes, tuple[Label, ...]]:
        """The labels of each reading; what was read lately is not read again."""
        found = {}
        for key in readings:
            labels = self._labels.pop(key, None)
            if labels is not None:
                found[key] = self._labels[key] = labels
        new = {key: reading for key, reading in readings.items() if key not in found}
        for key, labels in zip(new, self.claims.read(new.values()), strict=True):
            found[key] = self._labels[key] = labels
        while len(self._labels) > self._kept:
            del self._labels[next(iter(self._labels))]
        return found


_desks: dict[str, Desk] = {}


def read_one(batch: Batch, tell: Callable[[object], None]) -> None:
    """The task of a worker: read one batch and tell its ``Rows``."""
    if batch.analysis not in _desks:
        _desks.clear()
        _desks[batch.analysis] = Desk(batch.codebook)
    tell(read_batch(batch, _desks[batch.analysis]))


def read_batch(batch: Batch, desk: Desk) -> Rows:
    """The rows of *batch*. Raises ``OSError`` and ``DepotError`` where evidence cannot be had."""
    if not batch.store:
        return _rows(batch, desk, _source(batch))
    with scratch() as folder:
        shelf = Shelf(Depot(batch.store), folder, keep=8)
        texts: StoredTexts | None = None
        visit = ""

        def text(observation: Observation) -> tuple[str, str]:
            nonlocal texts, visit
            if observation.visit != visit or texts is None:
                shelf.bring(observation.visit, WARC)
                # A new one for each visit: an open file of a visit that left the shelf would keep its place on the disk.
                texts, visit = StoredTexts(folder), observation.visit
            return texts.text(observation)

        return _rows(batch, desk, text)


_Text = Callable[[Observation], tuple[str, str]]


def _source(batch: Batch) -> _Text:
    if not batch.members:
        return StoredTexts(Path(batch.evidence)).text
    members = dict(zip((item.observation for item in batch.observations), batch.members, strict=True))

    def text(observation: Observation) -> tuple[str, str]:
        member = members[observation.observation]
        return text_of(observation, read_member(io.BytesIO(member), 0, len(member))[1])

    return text


@dataclass(frozen=True, slots=True)
class _Fresh:
    text_id: str
    role: str
    observation: Observation
    found: TextVersion


@dataclass(frozen=True, slots=True)
class _Place:
    text_id: str
    found: TextVersion
    passage: Passage
    reading: Reading
    key: bytes


def _rows(batch: Batch, desk: Desk, text: _Text) -> Rows:
    links: list[Row] = []
    fresh: dict[str, _Fresh] = {}
    fields: list[Row] = []
    for observation in batch.observations:
        body, content_type = text(observation)
        found = extract(body, content_type=content_type, url=observation.requested_url)
        listed = batch.listed.get(observation.observation, "")
        role = listed or role_of(body, content_type) or _role(observation, found)
        text_id = sha256(f"{EXTRACTOR} {observation.stored_sha256} {role}".encode())[:24]
        links.append({"observation": observation.observation, "text_id": text_id})
        if text_id not in batch.known and text_id not in fresh:
            fresh[text_id] = _Fresh(text_id, role, observation, found)
            listing = read_listing(body, content_type, expected=listed)
            fields += field_rows(text_id, listing) if listing else []
    places = [
        _Place(item.text_id, item.found, passage, reading, key)
        for item in fresh.values()
        for passage in item.found.passages
        for reading, key in (_reading(item.found, passage, item.role),)
    ]
    return Rows(
        links,
        [_text_row(item) for item in fresh.values()],
        [_passage_row(place) for place in places],
        fields,
        list(_flags(places, desk, batch.analysis)),
    )


def _flags(places: list[_Place], desk: Desk, analysis: str) -> Iterable[Row]:
    labels = desk.labels({place.key: place.reading for place in places})
    codebook = desk.claims.codebook
    # A passage that may promote something with minors is closed as a whole: no other flag may quote it, and none may
    # show it as the heading or the list intro that it stands under.
    closed: dict[str, set[str]] = {}
    for place in places:
        if any(label.code in codebook.referral_codes and label.stance in _OPEN_STANCES for label in labels[place.key]):
            closed.setdefault(place.text_id, set()).add(place.reading.text)
    for place in places:
        passage = place.passage
        shut = any(
            words == place.reading.text or words in passage.heading or words in passage.list_intro
            for words in closed.get(place.text_id, ())
        )
        for label in labels[place.key]:
            start, end = passage.start + label.start, passage.start + label.end
            name = f"{place.text_id} {passage.ordinal} {label.code} {label.stance} {start} {end}"
            yield {
                "flag": f"F-{sha256(name.encode())[:10]}",
                "text_id": place.text_id,
                "ordinal": passage.ordinal,
                "code": label.code,
                "stance": label.stance,
                "start": start,
                "end": end,
                "quote": place.found.text[start:end],
                "confidence": label.confidence,
                "rule": label.rule,
                "raises": label.stance in codebook.flag_stances,
                "sensitive": shut or label.code in codebook.referral_codes,
                "analysis": analysis,
            }


def _reading(found: TextVersion, passage: Passage, role: str) -> tuple[Reading, bytes]:
    text = found.text[passage.start : passage.end]
    reading = Reading(text, passage.heading, passage.list_intro, role, passage.zone)
    joined = "\x00".join((text, passage.heading, passage.list_intro, role, passage.zone))
    return reading, hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _role(observation: Observation, found: TextVersion) -> str:
    """The page's role from its own names, where the visit's guess from the link alone was no better."""
    if observation.role not in ("other", ""):
        return observation.role
    return page_role(observation.requested_url, "", found.title, found.h1)[0]


def _text_row(item: _Fresh) -> Row:
    found = item.found
    return {
        "text_id": item.text_id,
        "stored_sha256": item.observation.stored_sha256,
        "extractor": found.extractor,
        "page_role": item.role,
        "text_sha256": sha256(found.text.encode("utf-8", "surrogatepass")),
        "text": found.text,
        "title": found.title,
        "h1": found.h1,
        "lang": found.lang,
        "media_without_alt": found.media_without_alt,
    }


def _passage_row(place: _Place) -> Row:
    return {"text_id": place.text_id, **place.passage._asdict(), "text": place.reading.text}
