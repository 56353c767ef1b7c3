"""The records that cross the rooms. Fields stand in the order of their story: asked, came, kept, why not more."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    """What sort of offering a service is."""

    WEBSITE = "website"
    APP_LISTING = "app_listing"
    AD = "ad"
    BOT = "bot"
    OTHER = "other"


class Record:
    """Reading and writing of a record as a JSON object."""

    __slots__: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record as plain values; the inverse of ``from_json``. Fields hold plain values only, so one level is enough."""
        return {name: getattr(self, name) for name in type(self).__slots__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """A record from plain values; keys it does not know (a later version's) are left out."""
        known = cls.__slots__  # a slotted dataclass's own fields
        return cls(**{key: _tuples(value) for key, value in values.items() if key in known})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Service(Record):
    """One advertised offering under review; several addresses can be one service.

    ``kind`` is what it was listed as first; ``kinds`` says of each address in ``urls`` what it is (an ad, its landing page).
    """

    service: str
    kind: str = Kind.WEBSITE
    source: str = ""
    stratum: str = ""
    urls: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def kind_of(self, url: str) -> str:
        """What the address *url* of this service is; the service's own kind for one that is not on its list."""
        if url in self.urls and len(self.kinds) == len(self.urls):
            return self.kinds[self.urls.index(url)]
        return self.kind

    def joined(self, other: Service) -> Service:
        """This service with *other*'s addresses added; what was said of it first stays."""
        new = [url for url in other.urls if url not in self.urls]
        return Service(
            self.service,
            self.kind,
            self.source or other.source,
            self.stratum or other.stratum,
            (*self.urls, *new),
            (*(self.kind_of(url) for url in self.urls), *(other.kind_of(url) for url in new)),
        )


@dataclass(frozen=True, slots=True)
class Hop(Record):
    """One step from an address to the next: ``http | refresh | meta | script | history | link``."""

    kind: str
    url: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Redaction(Record):
    """One stretch that was taken out before anything was written; ``offset`` counts in the decoded body's characters."""

    kind: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Tls(Record):
    """What the server's certificate said, from the connection that carried the answer."""

    version: str = ""
    issuer: str = ""
    subject: str = ""
    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""
    cert_sha256: str = ""
    verified: bool = True


@dataclass(frozen=True, slots=True)
class AddressSeen(Record):
    """The one decision on an address seen during a visit: fetched or not, by which rule, and how it was reached."""

    url: str
    decision: str
    rule: str
    reason: str
    role: str
    depth: int
    found_on: str
    hop_path: tuple[str, ...] = ()
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class PageFacts(Record):
    """What a page says about itself besides its text; it links operators and is what claims are held against."""

    title: str = ""
    canonical: str = ""
    alternates: tuple[str, ...] = ()
    hosts_asked: tuple[str, ...] = ()
    hosts_linked: tuple[str, ...] = ()
    tag_ids: tuple[tuple[str, str], ...] = ()
    form_actions: tuple[str, ...] = ()
    sign_on: tuple[str, ...] = ()
    payment: tuple[str, ...] = ()
    csp_hosts: tuple[str, ...] = ()
    cookie_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    affiliate_params: tuple[str, ...] = ()
    meta_refresh: str = ""
    media_not_fetched: int = 0
    generator: str = ""
    walls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation(Record):
    """One attempt at one address, whatever came of it: the merged capture record."""

    observation: str
    visit: str
    service: str
    seq: int
    purpose: str
    profile: str
    fetcher: str
    requested_url: str
    started: str
    ended: str
    user_agent: str = ""
    accept_language: str = ""
    found_on: str = ""
    depth: int = 0
    role: str = "other"
    hops: tuple[dict[str, Any], ...] = ()
    retry_of: str = ""
    via: str = "direct"
    server_ip: str = ""
    tls: dict[str, Any] | None = None
    http_version: str = ""
    status: int | None = None
    status_origin: str = "none"
    headers: tuple[tuple[str, str], ...] = ()
    type_declared: str = ""
    type_sniffed: str = ""
    charset: str = ""
    outcome: str = "ok"
    reason: str = ""
    rule: str = ""
    redirect_to: str = ""
    redirect_kind: str = ""
    wire_len: int = 0
    wire_sha256: str = ""
    stored_as: str = "none"
    stored_len: int = 0
    stored_sha256: str = ""
    redactions: tuple[dict[str, Any], ...] = ()
    truncated: str = ""
    rendered_from: str = ""
    page: dict[str, Any] | None = None
    warc_record: str = ""
    warc_offset: int = -1
    warc_length: int = 0
    # Of what others captured: their archive, record, time and digests. None for what was observed here.
    provenance: dict[str, Any] | None = None

    @property
    def has_text(self) -> bool:
        """Whether a body is stored that can be read as text."""
        return self.stored_as in ("response", "conversion")


@dataclass(frozen=True, slots=True)
class Visit(Record):
    """One bounded look at one service."""

    visit: str
    service: str
    started: str
    ended: str = ""
    state: str = "open"
    entry_urls: tuple[str, ...] = ()
    environment: str = ""
    policy: dict[str, Any] = field(default_factory=dict)
    resumed: int = 0
    outcome: str = ""
    reason: str = ""
    observations: int = 0
    addresses: int = 0
    partial: tuple[str, ...] = ()
    head: str = ""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Of an import: the file, who captured it with what, and what of it was not taken over.
    provenance: dict[str, Any] | None = None
