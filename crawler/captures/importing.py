"""Taking in what others captured: file -> reader -> guard -> a visit of each service it belongs to, with its provenance.

Text comes to rest as ``conversion`` records by the fetcher ``import``; the archive itself, which may hold pictures, is not
kept: its SHA-256 is on record, and the original stays with whoever gave it. A file taken in once is not taken in again.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crawler import guard
from crawler.captures.ad_export import ad_library, is_ad_header, read_ad_csv, read_ad_json
from crawler.captures.capture import Capture, Item, LeftOut, NotAnArchive, Origin, PassedOver, Unreadable
from crawler.captures.csv_texts import COLUMNS, csv_header, read_csv_texts
from crawler.captures.har import looks_like_har, read_har
from crawler.captures.html_file import folder_size, read_folder, read_html_file, read_mhtml
from crawler.captures.json_items import BrokenJson, json_items
from crawler.captures.json_listing import listing_kind, read_json_listing
from crawler.captures.sieve import Wanted
from crawler.captures.wacz import packed_size, read_wacz
from crawler.captures.warc import looks_like_warc, read_wanted, read_warc
from crawler.fetch import Fetched
from crawler.page import is_html, read_page
from crawler.recording import Asked, readable, record
from crawler.scope import site
from crawler.sweep import slug
from crawler.walls import find_walls
from data import address, clock, environment
from data.case import Case, policy_record
from data.disk import remove_tree
from data.outcomes import Outcome
from data.records import AddressSeen, Kind, PageFacts, Service, Visit
from data.spool import INFLIGHT, VISIT, Spool, VisitBusy, read_visit

_BLOCK = 1 << 20
# As many faults as a person reads; the rest are counted.
_FAULTS_KEPT = 200
# A hundred hosts say where an archive is from; the rest are counted together.
_HOSTS_KEPT = 100
_TOLD_EVERY = 50
_TRUNCATED = frozenset({"length", "time", "disconnect", "unspecified"})
_STORE_KINDS = frozenset({Kind.APP_LISTING.value, Kind.AD.value, Kind.BOT.value})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is. ``step`` is ``hash`` or ``read``; ``done`` and ``size`` count bytes."""

    file: str
    step: str
    done: int
    size: int
    texts: int = 0
    left_out: int = 0
    unreadable: int = 0


Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A stretch that could not be read."""

    part: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one file. ``known`` are services for which it had been taken in before, ``unlisted`` hosts of no service,
    ``misfits`` texts whose digest is not the one that the archive states."""

    file: str
    sha256: str
    size: int
    format: str
    origin: tuple[tuple[str, str], ...]
    visits: tuple[str, ...]
    known: tuple[str, ...]
    texts: int
    others: int
    left_out: tuple[tuple[str, int], ...]
    unlisted: tuple[tuple[str, int], ...]
    faults: tuple[Fault, ...]
    fault_count: int
    misfits: int
    found: tuple[Service, ...] = ()
    """Services that were not on the list: one for each site on which something asked for was found."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is asked for of large archives: the pages of listed services alone, and with *text* those alone whose unpacked
    record it finds. With *anywhere* a page of no listed service makes its site one."""

    text: Callable[[bytes], bool] | None = None
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, its reader, and what ``Place.reached`` counts up to."""

    name: str
    read: Callable[[Path, int], Iterator[Item]]
    size: Callable[[Path], int]


def import_file(
    case: Case,
    path: Path,
    tell: Tell,
    *,
    service: str = "",
    services: dict[str, Service] | None = None,
    sought: Sought | None = None,
) -> Imported:
    """Take in the texts of *path* that belong to listed services, or all of them for *service*. Closed visits are left
    in the spool for ``data.ingest.take_in``. Raises ``NotAnArchive``, ``VisitBusy`` and ``OSError``.

    *services* is the list where the case's ledger is not at hand. With *sought*, records of WARC files that are not asked
    for are passed over by their address alone.
    """
    kind = recognise(path)
    size = folder_size(path) if path.is_dir() else path.stat().st_size
    digest = _digest(path, size, tell)
    listed = case.services() if services is None else services
    run = _Import(case, path, digest, size, kind, service, tell, dict(listed), sought)
    try:
        return run.run()
    finally:
        run.release()


def recognise(path: Path) -> Format:
    """The format of *path*, told by its content; its name helps where that could be anything. Raises ``NotAnArchive``."""
    if path.is_dir():
        return Format("folder of saved pages", read_folder, folder_size)
    with path.open("rb") as file:
        start = file.read(65_536)
    if not start:
        raise NotAnArchive(f"{path.name} is empty.")
    if looks_like_warc(start):
        return Format("WARC or ARC", read_warc, _file_size)
    if start.startswith(b"PK\x03\x04"):
        return Format("WACZ", read_wacz, packed_size)
    if re.search(r"\.(cdxj?|idx)(\.gz)?$", path.name, re.IGNORECASE):
        raise NotAnArchive(
            f"{path.name} is the index of a web archive, which holds no text. Import the WARC files that it points to."
        )
    found = guard.sniff(start[: guard.SNIFF_LENGTH])
    if found:
        raise NotAnArchive(f"{path.name} begins like {found}. {_FORMATS}")
    text = start.decode("utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace").lstrip(
        "\ufeff \t\r\n"
    )
    if text.startswith(("{", "[")):
        return _json_format(path, text)
    lower = text[:4000].lower()
    if re.search(r"(?im)^mime-version:", text[:4000]) and "multipart/related" in lower:
        return Format("MHTML", read_mhtml, _file_size)
    if lower.startswith(("<!doctype html", "<html", "<!--", "<head", "<body", "<?xml")) or "<html" in lower:
        return Format("saved page", read_html_file, _file_size)
    if path.suffix.lower() in _PAGE_NAMES and re.search(r"<[a-z]", lower):  # a page may begin with any of its parts
        return Format("saved page", read_html_file, _file_size)
    header = csv_header(path)
    if is_ad_header(header):
        return Format("ad library export (CSV)", read_ad_csv, _file_size)
    if header and "text" in header and set(header) <= set(COLUMNS):
        return Format("CSV of texts", read_csv_texts, _file_size)
    if len(header) > 1 and path.suffix.lower() in ("", ".csv", ".tsv", ".txt"):
        raise NotAnArchive(
            f"{path.name} line 1: no known columns. A CSV of texts has the header {','.join(COLUMNS)}; an ad library's "
            f"export has its own ({', '.join(header[:6])} … were found)."
        )
    raise NotAnArchive(f"{path.name} is of no format that can be imported. {_FORMATS}")


_PAGE_NAMES = (".html", ".htm", ".xhtml")
_FORMATS = (
    "Known are WARC, ARC, WACZ, saved HTML pages and folders of them, MHTML, HAR, iTunes and model-library JSON, "
    "ad-library exports, and CSV of texts."
)


def _json_format(path: Path, head: str) -> Format:
    if looks_like_har(head):
        return Format("HAR", read_har, _file_size)
    with path.open("rb") as file:
        try:
            first = next(json_items(file), None)
        except BrokenJson as error:
            raise NotAnArchive(
                f"{path.name} begins like JSON and cannot be read as such at byte {error.offset}: {error}."
            ) from None
    value = first.value if first else {}
    if ad_library(value):
        return Format("ad library export (JSON)", read_ad_json, _file_size)
    inner = value.get("data")
    if isinstance(inner, dict) and ad_library(inner):
        return Format("ad library export (JSON)", read_ad_json, _file_size)
    if listing_kind(value):
        return Format("store or library JSON", read_json_listing, _file_size)
    if not value:
        raise NotAnArchive(f"{path.name} is JSON without a single record in it.")
    names = ", ".join(list(value)[:6])
    raise NotAnArchive(f"{path.name} is JSON of no known export (its records have {names} …). {_FORMATS}")


def _file_size(path: Path) -> int:
    return path.stat().st_size


def _digest(path: Path, size: int, tell: Tell) -> str:
    """SHA-256 of a file; of a folder that of its files' names and digests in the order of their names."""
    if not path.is_dir():
        return _file_digest(path, path.name, size, 0, tell)
    lines = []
    done = 0
    for file in sorted(item for item in path.rglob("*") if item.is_file() and not item.is_symlink()):
        name = file.relative_to(path).as_posix()
        lines.append(f"{_file_digest(file, path.name, size, done, tell)}  {name}\n")
        done += file.stat().st_size
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _file_digest(path: Path, name: str, size: int, done: int, tell: Tell) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            tell(Progress(name, "hash", done, size))
    return digest.hexdigest()


@dataclass(slots=True)
class _Import:
    case: Case
    path: Path
    sha256: str
    size: int
    format: Format
    service: str
    tell: Tell
    services: dict[str, Service]
    sought: Sought | None
    owners: _Owners = field(init=False)
    spools: dict[str, Spool] = field(default_factory=dict)
    known: dict[str, None] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    misfits: int = 0
    texts: int = 0
    others: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    left_by: dict[str, Counter[str]] = field(default_factory=dict)
    texts_by: Counter[str] = field(default_factory=Counter)
    unlisted: Counter[str] = field(default_factory=Counter)
    imported_at: str = ""

    def run(self) -> Imported:
        self.owners = _Owners(self.services, self.service, anywhere=self.sought is not None and self.sought.anywhere)
        self.imported_at = clock.now()
        _allow_many_files()
        total = max(1, self.format.size(self.path))
        if self.service:
            self._spool(self.service)
        for count, item in enumerate(self._items(self.case.policy.max_body_bytes)):
            match item:
                case Capture():
                    self._capture(item)
                case LeftOut():
                    self._leave_out(item)
                case Unreadable():
                    self._fault(item)
                case Origin():
                    self._say_origin(item)
                case PassedOver():
                    self._count_unlisted(self._listed_address(item.url))
            if count % _TOLD_EVERY == 0 and not isinstance(item, Origin):
                self._tell(min(item.place.reached, total), total)
        self._tell(total, total)
        return self._close()

    def _items(self, limit: int) -> Iterator[Item]:
        if self.sought is None or self.format.read is not read_warc:
            return self.format.read(self.path, limit)
        listed = None if self.sought.anywhere or self.service else self._is_listed
        return read_wanted(self.path, limit, Wanted(listed, self.sought.text))

    def _is_listed(self, url: str) -> bool:
        found = self._listed_address(url)
        return bool(found) and bool(self.owners.at(found))

    def release(self) -> None:
        """Let go of every spool. What was not closed is begun anew the next time."""
        for spool in self.spools.values():
            spool.__exit__()
        self.spools.clear()

    # --- items

    def _capture(self, item: Capture) -> None:
        url, refused = self._address(item)
        if refused is not None:
            left = LeftOut(item.place, refused.rule, refused.reason, item.url, item.wire_len, item.record)
            self._leave_out(left)
            return
        owner = self.owners.of(item, url)
        if not owner:
            self._count_unlisted(url)
            return
        spool = self._spool(owner)
        if spool is None:
            return
        text = self._record(spool, item, url, self.owners.services[owner])
        self.texts += text
        self.others += not text
        self.texts_by[owner] += text
        self.misfits += item.digest_state == "does not fit"

    def _address(self, item: Capture) -> tuple[str, guard.Verdict | None]:
        """The address in the house's spelling, and the verdict that refuses it where it cannot be one of a page."""
        if not item.url:
            # A text without an address gets one that names its place: the file's hash and the number of the record.
            return f"import:{self.sha256[:16]}/{item.place.number}", None
        try:
            url = address.canonical(item.url)
        except address.BadAddress:
            return "", guard.Verdict(False, "import.address", "its address is none that can be read")
        if "@" in url.partition("://")[2].partition("/")[0]:
            return "", guard.Verdict(False, "scope.credentials", "the address carries a user name")
        verdict = guard.judge_request("GET", url)
        return url, None if verdict.allowed else verdict

    def _record(self, spool: Spool, item: Capture, url: str, service: Service) -> bool:
        """Put one capture on record; whether text was kept of it."""
        moment = item.captured or self.imported_at
        fetched = Fetched(
            url=url,
            started=moment,
            ended=moment,
            status=item.status,
            http_version=item.http_version,
            headers=item.headers,
            server_ip=item.server_ip if re.fullmatch(r"[0-9A-Fa-f.:]{2,45}", item.server_ip) else "",
            type_declared=item.type_declared,
            body=item.body,
            wire_len=item.wire_len,
            wire_sha256=item.wire_sha256,
            truncated=item.truncated if item.truncated in _TRUNCATED else ("unspecified" if item.truncated else ""),
        )
        text = readable(fetched)
        page, outcome, reason, rule = _read(fetched, text.text)
        target = ""
        if item.unchanged:
            outcome, reason, rule = Outcome.UNCHANGED, item.unchanged, "import.revisit"
        elif item.status is not None and 300 <= item.status < 400 and item.status != 304:
            outcome, target = Outcome.REDIRECT, _target(fetched.header("location"), url)
            reason = f"status {item.status} to {target[:300]}" if target else f"status {item.status} without an address"
        is_entry = any(address.identity(url) == address.identity(entry) for entry in service.urls)
        kept = record(
            spool,
            fetched,
            Asked("page", depth=0 if is_entry else 1, role=item.role),
            text,
            outcome=outcome,
            reason=reason,
            rule=rule,
            redirect_to=target,
            redirect_kind="http" if target else "",
            page=page,
            fetcher="import",
            status_origin="archive",
            provenance=self._provenance(item, url),
        )
        return kept.has_text

    def _provenance(self, item: Capture, url: str) -> dict[str, Any]:
        """Where the text came from. Values that the archive does not give are left out."""
        found = {
            "file": self.path.name,
            "file_sha256": self.sha256,
            "format": self.format.name,
            "part": item.place.part,
            "record_number": item.place.number,
            "offset": item.place.offset,
            "record": item.record,
            "address": item.url if item.url != url else "",
            "captured": item.captured,
            "time_from": "archive" if item.captured else "import",
            "imported": self.imported_at,
            "captured_with": self._captured_with(),
            "digest": item.digest,
            "digest_state": item.digest_state,
            "source": item.source,
            **{key.replace(" ", "_"): value for key, value in item.notes},
        }
        return {
            key: guard.scrub(value).text if isinstance(value, str) else value
            for key, value in found.items()
            if value != ""
        }

    def _captured_with(self) -> str:
        names = ("software", "creator", "browser", "operator", "From")
        return "; ".join(self.origin[name] for name in names if name in self.origin)[:500]

    def _leave_out(self, item: LeftOut) -> None:
        url = self._listed_address(item.url)
        owner = self.owners.at(url) if url else self.service
        if not owner:
            self._count_unlisted(url)
            return
        spool = self._spool(owner)
        if spool is not None:
            self.left_out[item.rule] += 1
            self.left_by.setdefault(owner, Counter())[item.rule] += 1
            if url and item.rule not in ("import.request", "import.record-type"):
                spool.see(
                    AddressSeen(
                        url=guard.scrub(url).text[:4000],
                        decision="skipped",
                        rule=item.rule,
                        reason=item.reason[:300],
                        role="other",
                        depth=1,
                        found_on="",
                    )
                )

    def _listed_address(self, url: str) -> str:
        try:
            found = address.canonical(url) if url else ""
        except address.BadAddress:
            return ""
        return found if found.startswith(("http://", "https://")) else ""

    def _count_unlisted(self, url: str) -> None:
        host = address.host(url) if url.startswith(("http://", "https://")) else "(no address)"
        self.unlisted[host if host in self.unlisted or len(self.unlisted) < _HOSTS_KEPT else "(other hosts)"] += 1

    def _fault(self, item: Unreadable) -> None:
        self.fault_count += 1
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(Fault(item.place.part, max(0, item.place.offset), guard.scrub(item.reason).text[:300]))

    def _say_origin(self, item: Origin) -> None:
        for key, value in item.facts:
            self.origin.setdefault(key, value)

    # --- visits

    def _visit_id(self, owner: str) -> str:
        return f"import-{self.sha256[:16]}-{slug(owner)}"

    def _is_new(self, owner: str) -> bool:
        visit = self._visit_id(owner)
        if (self.case.evidence / visit).exists():
            return False
        folder = self.case.spool / visit
        return not (folder / VISIT).exists() or owner in self.spools or read_visit(folder).state != "closed"

    def _spool(self, owner: str) -> Spool | None:
        """The open visit of *owner*; None where this file was taken in for it before."""
        if owner in self.spools:
            return self.spools[owner]
        if owner in self.known or not self._is_new(owner):
            self.known[owner] = None
            return None
        visit = self._visit_id(owner)
        folder = self.case.spool / visit
        _begin_anew(folder)
        opened = Visit(
            visit=visit,
            service=owner,
            started=self.imported_at,
            entry_urls=self.owners.services[owner].urls,
            environment=environment.environment_id(),
            policy=policy_record(self.case.policy),
        )
        spool = Spool(folder, opened)
        spool.__enter__()
        self.spools[owner] = spool
        return spool

    def _close(self) -> Imported:
        visits = []
        for owner, spool in self.spools.items():
            spool.visit = replace(spool.visit, provenance=self._about(owner))
            partial = (f"{self.fault_count} parts of {self.path.name} could not be read",) if self.fault_count else ()
            reason = f"captured by others: {self.path.name}" + (
                f" ({with_})" if (with_ := self._captured_with()) else ""
            )
            spool.close(outcome="imported", reason=reason[:500], partial=partial)
            visits.append(spool.visit.visit)
        return Imported(
            file=self.path.name,
            sha256=self.sha256,
            size=self.size,
            format=self.format.name,
            origin=tuple(self.origin.items()),
            visits=tuple(visits),
            known=tuple(self.known),
            texts=self.texts,
            others=self.others,
            left_out=tuple(self.left_out.most_common()),
            unlisted=tuple(self.unlisted.most_common()),
            faults=tuple(self.faults),
            fault_count=self.fault_count,
            misfits=self.misfits,
            found=tuple(service for name, service in self.owners.found.items() if name in self.spools),
        )

    def _about(self, owner: str) -> dict[str, Any]:
        return {
            "file": self.path.name,
            "file_sha256": self.sha256,
            "file_bytes": self.size,
            "format": self.format.name,
            "origin": {_ascii(key): value for key, value in self.origin.items()},
            "imported": self.imported_at,
            "texts": self.texts_by[owner],
            "left_out": dict(sorted(self.left_by.get(owner, {}).items())),
            "unreadable": self.fault_count,
            "faults": [{"part": item.part, "offset": item.offset, "reason": item.reason} for item in self.faults],
            "records_of_no_listed_service": sum(self.unlisted.values()),
        }

    def _tell(self, done: int, size: int) -> None:
        left = sum(self.left_out.values()) + sum(self.unlisted.values())
        self.tell(Progress(self.path.name, "read", done, size, self.texts, left, self.fault_count))


class _Owners:
    """Which service a capture belongs to: the one named, else the one on whose addresses it lies."""

    def __init__(self, services: dict[str, Service], name: str, *, anywhere: bool = False) -> None:
        self.services = services
        self._name = name
        self._anywhere = anywhere
        self.found: dict[str, Service] = {}
        self._sites: dict[str, list[Service]] = {}
        for service in services.values():
            for one in dict.fromkeys(site(url) for url in service.urls if url.startswith(("http://", "https://"))):
                self._sites.setdefault(one, []).append(service)

    def of(self, item: Capture, url: str) -> str:
        """The service's name, empty where it is none that is listed."""
        if item.service:
            return item.service if item.service in self.services else ""
        found = self.at(url)
        for lead in item.leads_to:
            found = found or self.at(lead)
        return found

    def at(self, url: str) -> str:
        """The service at an address. In a store, where many live on one site, only its own pages are a service's."""
        if self._name:
            return self._name
        if not url.startswith(("http://", "https://")):
            return ""
        found = self._sites.get(site(url), ())
        nearest = sorted(
            ((len(entry), service.service) for service in found for entry in service.urls if _is_below(url, entry)),
            reverse=True,
        )
        if nearest:
            return nearest[0][1]
        own = [service for service in found if self._owns_site(service, site(url))]
        if len(own) == 1:
            return own[0].service
        return self._new(url) if self._anywhere and not found else ""

    def _new(self, url: str) -> str:
        """The site of *url*, which is of no listed service, as a service of its own."""
        name = site(url)
        if name not in self.services:
            self.services[name] = self.found[name] = Service(name, source="import", urls=(f"{address.origin(url)}/",))
            self._sites.setdefault(name, []).append(self.found[name])
        return name

    def _owns_site(self, service: Service, one: str) -> bool:
        return any(site(url) == one and service.kind_of(url) not in _STORE_KINDS for url in service.urls)


def _is_below(url: str, entry: str) -> bool:
    """Whether *url* is the entry address or a page under its path. The root of a site is below nothing but itself."""
    plain, top = address.identity(url).partition("?")[0], address.identity(entry).partition("?")[0]
    if address.identity(url) == address.identity(entry):
        return True
    return top.count("/") > 3 - top.endswith("/") and plain.startswith(top if top.endswith("/") else top + "/")


def _read(fetched: Fetched, text: str) -> tuple[PageFacts | None, Outcome, str, str]:
    """What the page says of itself, and the outcome: a wall, a status, or that the text is there."""
    page = None
    words = text[:20_000]
    if text and is_html(fetched.type_declared, text):
        read = read_page(text, fetched.url, fetched.headers)
        page, words = read.facts, read.words
    walls = find_walls(fetched.status, fetched.headers, words, text) if text else ()
    if page is not None and walls:
        page = replace(page, walls=tuple(f"{wall.rule}: {wall.reason}" for wall in walls))
    for wall in walls:
        if wall.whole:
            return page, wall.outcome, wall.reason, wall.rule
    status = fetched.status
    if status in (404, 410):
        return page, Outcome.NOT_FOUND, f"status {status}", "status.not-found"
    if status is not None and status >= 400:
        return page, Outcome.HTTP_ERROR, f"status {status}", "status.error"
    if not fetched.body:
        return page, Outcome.NO_CONTENT, "the record holds no body", ""
    return page, Outcome.TRUNCATED if fetched.truncated else Outcome.OK, "", ""


def _target(location: str, url: str) -> str:
    try:
        return address.canonical(location, url) if location else ""
    except address.BadAddress:
        return ""


def _ascii(key: str) -> str:
    return key.encode("ascii", "replace").decode()


def _begin_anew(folder: Path) -> None:
    """Clear what an interrupted import left. Raises ``VisitBusy`` while another process is at it."""
    if not folder.exists():
        return
    with (folder / INFLIGHT).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise VisitBusy(f"{folder.name} is being imported by another process") from None
        remove_tree(folder)


def _allow_many_files() -> None:
    """An archive can hold hundreds of services, each with four open files; the usual soft limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
