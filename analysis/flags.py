"""From stored text to flags: extract each text once, read each unique passage once, put down what was seen and by whom.

A run is incremental: only texts that this extractor, codebook and model have not read are read. When one of them is
another than last time, everything is read again and the ledger says so: it is a re-analysis, never a change of a site.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from analysis.claims import Claims, Label, Reading
from analysis.listings.listing import READER, field_rows, read_listing, role_of
from analysis.passages import EXTRACTOR, Passage, TextVersion, extract
from data import clock
from data.canonical import sha256
from data.case import Case
from data.codebook import Codebook
from data.derived import contents
from data.records import Kind, Observation, Service
from data.referral import halt_new
from data.roles import page_role
from data.store import append, observations, reading, rows, transaction, writing
from data.stored import StoredTexts

_BATCH = 200
# Stances in which a reference to minors is not plainly a ban, a policy, a report or advice.
_OPEN_STANCES = frozenset({"PROMO", "TESTI", "UI", "USER", "UNCLEAR"})
# What an address was listed as says more of its role than its path does.
_KIND_ROLES: dict[str, str] = {Kind.APP_LISTING: "listing", Kind.AD: "ad"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: texts read of those to read, passages and flags so far."""

    done: int
    total: int
    passages: int
    flags: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. ``reanalysis`` says that extractor, codebook or model changed since the last run."""

    analysis: str
    texts: int
    passages: int
    unique: int
    flags: int
    reanalysis: bool
    unread: int


Tell = Callable[[Progress], None]


def analysis_id(claims: Claims) -> str:
    """The name of a run's method: extractor, reader of listings, codebook and model together."""
    return sha256(f"{EXTRACTOR} {READER} {claims.codebook_sha256} {claims.model_sha256}".encode())[:16]


def analyze(case: Case, tell: Tell, *, codebook: Codebook | None = None) -> Summary:
    """Read every stored text of *case* that this method has not read, and record the run on the ledger."""
    claims = Claims.load(codebook)
    services = case.services()
    method = analysis_id(claims)
    with reading(case) as connection:
        methods = {row["analysis"] for row in rows(connection, "SELECT DISTINCT analysis FROM flags_read")}
        known = {
            row["text_id"] for row in rows(connection, "SELECT text_id FROM flags_read WHERE analysis = ?", [method])
        }
        joined = {row["observation"] for row in rows(connection, "SELECT observation FROM observation_texts")}
        stored = list(observations(connection, "stored_as IN ('response', 'conversion') AND purpose <> 'robots'"))
    reanalysis = bool(methods - {method})
    if reanalysis:
        known, joined = set(), set()
        with writing(case) as connection, transaction(connection):
            for table in ("flags", "flags_read", "passages", "texts", "observation_texts", "listing_fields"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
    run = _Run(case, claims, method, known, tell)
    todo = [item for item in stored if item.observation not in joined]
    run.total = len(todo)
    for start in range(0, len(todo), _BATCH):
        run.read(todo[start : start + _BATCH], services)
    if todo or reanalysis or method not in methods:
        run.sign(reanalysis)
    halt_new(case)
    return Summary(method, run.done, run.passages, len(run.seen), run.flags, reanalysis, run.unread)


class _Run:
    def __init__(self, case: Case, claims: Claims, method: str, known: set[str], tell: Tell) -> None:
        self.case, self.claims, self.method, self.known, self.tell = case, claims, method, known, tell
        self.texts = StoredTexts(case.evidence)
        self.seen: dict[bytes, tuple[Label, ...]] = {}
        self.done = self.total = self.passages = self.flags = self.unread = 0

    def read(self, batch: list[Observation], services: dict[str, Service]) -> None:
        """Read one batch of observations outside the index's lock, then put the result down in one transaction."""
        links: list[dict[str, Any]] = []
        fresh: list[tuple[str, str, Observation, TextVersion]] = []
        fields: list[dict[str, Any]] = []
        for observation in batch:
            body, content_type = self.texts.text(observation)
            found = extract(body, content_type=content_type, url=observation.requested_url)
            listed = _listed_role(observation, services.get(observation.service))
            role = listed or role_of(body, content_type) or _role(observation, found)
            text_id = sha256(f"{EXTRACTOR} {observation.stored_sha256} {role}".encode())[:24]
            links.append({"observation": observation.observation, "text_id": text_id})
            if text_id not in self.known:
                self.known.add(text_id)
                fresh.append((text_id, role, observation, found))
                listing = read_listing(body, content_type, expected=listed)
                fields += field_rows(text_id, listing) if listing else []
        flags = list(self._flags(fresh))
        with writing(self.case) as connection, transaction(connection):
            append(connection, "texts", [_text_row(*item) for item in fresh])
            for text_id, _, _, found in fresh:
                append(connection, "passages", [_passage_row(text_id, found, item) for item in found.passages])
            append(connection, "listing_fields", fields)
            append(connection, "flags", flags)
            append(connection, "flags_read", [{"text_id": item[0], "analysis": self.method} for item in fresh])
            append(connection, "observation_texts", links)
        self.done += len(batch)
        self.flags += len(flags)
        self.tell(Progress(self.done, self.total, self.passages, self.flags))

    def _flags(self, fresh: list[tuple[str, str, Observation, TextVersion]]) -> Iterator[dict[str, Any]]:
        """Flags of the batch's texts; a passage that was read before, wherever it stood, is not read again."""
        places = [
            (text_id, found, passage, reading_, key)
            for text_id, role, _, found in fresh
            for passage in found.passages
            for reading_, key in (_reading(found, passage, role),)
        ]
        self.passages += len(places)
        new = {key: reading_ for _, _, _, reading_, key in places if key not in self.seen}
        for key, labels in zip(new, self.claims.read(new.values()), strict=True):
            self.seen[key] = labels
        codebook = self.claims.codebook
        # A passage that may promote something with minors is closed as a whole: no other flag may quote it, and none may
        # show it as the heading or the list intro that it stands under.
        closed: dict[str, set[str]] = {}
        for text_id, _, _, reading_, key in places:
            if any(label.code in codebook.referral_codes and label.stance in _OPEN_STANCES for label in self.seen[key]):
                closed.setdefault(text_id, set()).add(reading_.text)
        for text_id, found, passage, reading_, key in places:
            shut = any(
                words == reading_.text or words in passage.heading or words in passage.list_intro
                for words in closed.get(text_id, ())
            )
            for label in self.seen[key]:
                start, end = passage.start + label.start, passage.start + label.end
                quote = found.text[start:end]
                name = f"{text_id} {passage.ordinal} {label.code} {label.stance} {start} {end}"
                yield {
                    "flag": f"F-{sha256(name.encode())[:10]}",
                    "text_id": text_id,
                    "ordinal": passage.ordinal,
                    "code": label.code,
                    "stance": label.stance,
                    "start": start,
                    "end": end,
                    "quote": quote,
                    "confidence": label.confidence,
                    "rule": label.rule,
                    "raises": label.stance in codebook.flag_stances,
                    "sensitive": shut or label.code in codebook.referral_codes,
                    "analysis": self.method,
                }

    def sign(self, reanalysis: bool) -> None:
        """Put the run on the ledger and in the index."""
        row = {
            "analysis": self.method,
            "extractor": EXTRACTOR,
            "codebook_sha256": self.claims.codebook_sha256,
            "model_sha256": self.claims.model_sha256,
        }
        body = {**row, "listings": READER, "texts": self.done, "flags": self.flags, "reanalysis": reanalysis}
        with reading(self.case) as connection:
            tables = contents(connection, "analysis.run")
        self.case.record("analysis.run", {**body, "tables": tables})
        with writing(self.case) as connection, transaction(connection):
            connection.execute("DELETE FROM analyses")
            append(connection, "analyses", [{**row, "made": clock.now()}])


def _reading(found: TextVersion, passage: Passage, role: str) -> tuple[Reading, bytes]:
    text = found.text[passage.start : passage.end]
    reading_ = Reading(text, passage.heading, passage.list_intro, role, passage.zone)
    joined = "\x00".join((text, passage.heading, passage.list_intro, role, passage.zone))
    return reading_, hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _listed_role(observation: Observation, service: Service | None) -> str:
    """``listing`` or ``ad`` where the case lists this very address as one."""
    if observation.depth or service is None or observation.requested_url not in service.urls:
        return ""
    return _KIND_ROLES.get(service.kind_of(observation.requested_url), "")


def _role(observation: Observation, found: TextVersion) -> str:
    """The page's role from its own names, where the visit's guess from the link alone was no better."""
    if observation.role not in ("other", ""):
        return observation.role
    return page_role(observation.requested_url, "", found.title, found.h1)[0]


def _text_row(text_id: str, role: str, observation: Observation, found: TextVersion) -> dict[str, Any]:
    return {
        "text_id": text_id,
        "stored_sha256": observation.stored_sha256,
        "extractor": found.extractor,
        "page_role": role,
        "text_sha256": sha256(found.text.encode("utf-8", "surrogatepass")),
        "text": found.text,
        "title": found.title,
        "h1": found.h1,
        "lang": found.lang,
        "media_without_alt": found.media_without_alt,
    }


def _passage_row(text_id: str, found: TextVersion, passage: Passage) -> dict[str, Any]:
    return {
        "text_id": text_id,
        **passage._asdict(),
        "text": found.text[passage.start : passage.end],
    }
