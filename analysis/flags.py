"""From stored text to flags: extract each text once, read each unique passage once, put down what was seen and by whom.

A run is incremental: only texts that this extractor, codebook and model have not read are read. When one of them is
another than last time, everything is read again and the ledger says so: it is a re-analysis, never a change of a site.

Batches are read by an engine's workers (``analysis/batch.py``) and put down here in the order of visit and attempt, so that
the rows are the same whatever the number of workers. Nothing is held but the batches under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from analysis.batch import Batch, Row, Rows, read_one
from analysis.claims import Claims
from analysis.listings.listing import READER
from analysis.passages import EXTRACTOR
from data import clock
from data.canonical import sha256
from data.case import Case
from data.codebook import Codebook
from data.depot import Depot
from data.derived import contents
from data.engine import Engine, Here, Local, in_order
from data.records import Kind, Observation
from data.referral import halt_new
from data.spool import WARC
from data.store import append, reading, rows, transaction, writing

# A batch is a few seconds of work; its texts and rows fit into memory many times over.
_BATCH = 200
_BATCH_BYTES = 8_000_000
_PAGE = 4000
_VISITS = 500
_SMALL = 300
"""Texts that one process has read before a second one would have started."""
_WRITE_BYTES = 24_000_000
"""Characters put down in one transaction: each opening of the index costs the same for one batch as for ten."""
# What an address was listed as says more of its role than its path does.
_KIND_ROLES: dict[str, str] = {Kind.APP_LISTING: "listing", Kind.AD: "ad"}
_COLUMNS = (
    "observation visit service seq purpose profile fetcher requested_url started ended depth role type_declared stored_as "
    "stored_len stored_sha256 warc_offset warc_length"
).split()
_TO_READ = "stored_as IN ('response', 'conversion') AND purpose <> 'robots'"


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


def analyze(
    case: Case, tell: Tell, *, codebook: Codebook | None = None, engine: Engine | None = None, store: str = ""
) -> Summary:
    """Read every stored text of *case* that this method has not read, and record the run on the ledger.

    *engine* says where (this process, if none); *store* is the depot from which workers that do not see this disk read
    evidence: without one it is sent to them.
    """
    claims = Claims.load(codebook)
    method = analysis_id(claims)
    with reading(case) as connection:
        methods = {row["analysis"] for row in rows(connection, "SELECT DISTINCT analysis FROM flags_read")}
        run = _Run(case, claims, method, tell, codebook)
    reanalysis = bool(methods - {method})
    if reanalysis:
        with writing(case) as connection, transaction(connection):
            for table in ("flags", "flags_read", "passages", "texts", "observation_texts", "listing_fields"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
    run.count()
    engine = engine or Here()
    if isinstance(engine, Local) and run.total <= _SMALL:
        engine = Here()
    if run.total:
        run.read(engine, Depot(store).of(case) if store else None)
    if run.total or reanalysis or method not in methods:
        run.sign(reanalysis)
    halt_new(case)
    return Summary(method, run.done, run.passages, run.unique, run.flags, reanalysis, 0)


class _Run:
    def __init__(self, case: Case, claims: Claims, method: str, tell: Tell, codebook: Codebook | None) -> None:
        self.case, self.claims, self.method, self.tell, self.codebook = case, claims, method, tell, codebook
        self.done = self.total = self.passages = self.flags = self.unique = 0
        self._begin = -1
        self._roles = {
            (name, url): _KIND_ROLES[service.kind_of(url)]
            for name, service in case.services().items()
            for url in service.urls
            if service.kind_of(url) in _KIND_ROLES
        }

    def count(self) -> None:
        """How many texts there are to read, and from which row on those of this run stand."""
        with reading(self.case) as connection:
            stored, joined, begin = connection.execute(
                f"SELECT (SELECT count(*) FROM observations WHERE {_TO_READ}), (SELECT count(*) FROM observation_texts), "  # noqa: S608
                "(SELECT coalesce(max(rowid), -1) FROM texts)"
            ).fetchall()[0]
        self.total, self._begin = stored - joined, begin

    def read(self, engine: Engine, depot: Depot | None) -> None:
        """Read what is left, batch by batch, and put it down."""
        waiting: list[Rows] = []
        size = 0
        for found in in_order(engine, read_one, self._batches(engine, depot)):
            waiting.append(found)
            size += sum(len(row["text"]) for row in found.texts)
            if size > _WRITE_BYTES or isinstance(engine, Here):
                self._put_down(waiting)
                waiting, size = [], 0
        self._put_down(waiting)
        with reading(self.case) as connection:
            self.unique = connection.execute(_UNIQUE, [self._begin]).fetchall()[0][0]

    # --- what is to be read

    def _batches(self, engine: Engine, depot: Depot | None) -> Iterator[Batch]:
        held: set[str] = set()
        for observations in self._parcels():
            evidence = str(self.case.evidence)
            members: tuple[bytes, ...] = ()
            if not engine.shares_disk:
                evidence = ""
                if depot is None:
                    members = tuple(_member(self.case.evidence, item) for item in observations)
                else:
                    visits = {item.visit for item in observations}
                    for visit in visits - held:
                        if depot.held(visit) is None:
                            depot.put(self.case.evidence / visit)
                    held = visits
            yield Batch(
                observations=tuple(observations),
                analysis=self.method,
                listed={
                    item.observation: role
                    for item in observations
                    if not item.depth and (role := self._roles.get((item.service, item.requested_url), ""))
                },
                known=self._known(observations),
                evidence=evidence,
                store=depot.url if depot is not None and not evidence else "",
                members=members,
                codebook=self.codebook,
            )

    def _parcels(self) -> Iterator[list[Observation]]:
        """What is to be read in the order of visit and attempt, in parcels of bounded number and size."""
        parcel: list[Observation] = []
        size = 0
        for page in self._pages():
            for item in page:
                if parcel and (len(parcel) >= _BATCH or size + item.stored_len > _BATCH_BYTES):
                    yield parcel
                    parcel, size = [], 0
                parcel.append(item)
                size += item.stored_len
        if parcel:
            yield parcel

    def _pages(self) -> Iterator[list[Observation]]:
        """Observations to read, some thousand at a time. The index is let go of in between: the results go into it."""
        after = ""
        while True:
            with reading(self.case) as connection:
                visits = [row[0] for row in connection.execute(_VISITS_TO_READ, [after, _VISITS]).fetchall()]
            if not visits:
                return
            after = visits[-1]
            place = ("", 0)
            while True:
                with reading(self.case) as connection:
                    page = _page(connection, visits, place)
                    joined = _joined(connection, page)
                if not page:
                    break
                place = (page[-1].visit, page[-1].seq)
                yield [item for item in page if item.observation not in joined]

    def _known(self, observations: list[Observation]) -> frozenset[str]:
        """Texts of these very bytes that were read before. One that a batch under way holds is found when it is put down."""
        sql = "SELECT text_id FROM texts SEMI JOIN flags_read USING (text_id) WHERE list_contains(?, stored_sha256)"
        with reading(self.case) as connection:
            found = connection.execute(sql, [list({item.stored_sha256 for item in observations})]).fetchall()
        return frozenset(row[0] for row in found)

    # --- what was read

    def _put_down(self, batches: list[Rows]) -> None:
        if not batches:
            return
        with writing(self.case) as connection, transaction(connection):
            for found in batches:
                self._put(connection, found)
        self.tell(Progress(self.done, self.total, self.passages, self.flags))

    def _put(self, connection: duckdb.DuckDBPyConnection, found: Rows) -> None:
        names = [row["text_id"] for row in found.texts]
        sql = "SELECT text_id FROM flags_read WHERE analysis = ? AND list_contains(?, text_id)"
        twice = {row[0] for row in connection.execute(sql, [self.method, names]).fetchall()}

        def fresh(items: list[Row]) -> list[Row]:
            return [row for row in items if row["text_id"] not in twice] if twice else items

        passages, flags = fresh(found.passages), fresh(found.flags)
        append(connection, "texts", fresh(found.texts))
        append(connection, "passages", passages)
        append(connection, "listing_fields", fresh(found.fields))
        append(connection, "flags", flags)
        append(
            connection,
            "flags_read",
            [{"text_id": name, "analysis": self.method} for name in names if name not in twice],
        )
        append(connection, "observation_texts", found.links)
        self.done += len(found.links)
        self.passages += len(passages)
        self.flags += len(flags)

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


_VISITS_TO_READ = f"""
SELECT o.visit
FROM (SELECT visit, count(*) AS texts FROM observations WHERE {_TO_READ} AND visit > ? GROUP BY visit) o
LEFT JOIN (
    SELECT left(observation, length(observation) - strpos(reverse(observation), '.')) AS visit, count(*) AS texts
    FROM observation_texts GROUP BY 1
) j USING (visit)
WHERE o.texts > coalesce(j.texts, 0) ORDER BY o.visit LIMIT ?
"""  # noqa: S608 - our own words
_UNIQUE = """
SELECT count(DISTINCT hash(p.text, p.heading, p.list_intro, t.page_role, p.zone))
FROM passages p JOIN texts t USING (text_id) WHERE t.rowid > ?
"""


def _page(connection: duckdb.DuckDBPyConnection, visits: list[str], place: tuple[str, int]) -> list[Observation]:
    names = ", ".join(_COLUMNS)
    found: list[dict[str, Any]] = rows(
        connection,
        f"SELECT {names} FROM observations WHERE {_TO_READ} AND visit BETWEEN ? AND ? AND list_contains(?, visit) "  # noqa: S608
        "AND (visit > ? OR (visit = ? AND seq > ?)) ORDER BY visit, seq LIMIT ?",
        [visits[0], visits[-1], visits, place[0], place[0], place[1], _PAGE],
    )
    return [Observation.from_json(row) for row in found]


def _joined(connection: duckdb.DuckDBPyConnection, page: list[Observation]) -> set[str]:
    sql = "SELECT observation FROM observation_texts WHERE observation IN (SELECT unnest(?))"
    return {row[0] for row in connection.execute(sql, [[item.observation for item in page]]).fetchall()}


def _member(evidence: Path, observation: Observation) -> bytes:
    """The WARC record of *observation* as stored."""
    with (evidence / observation.visit / WARC).open("rb") as file:
        file.seek(observation.warc_offset)
        return file.read(observation.warc_length)
