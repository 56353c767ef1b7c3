"""From an exchange to the record of it: scrub, judge, write the WARC record, chain the attempt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from crawler import guard
from crawler.fetch import Fetched
from data.canonical import canonical, sha256
from data.outcomes import Outcome
from data.records import Observation, PageFacts
from data.spool import Spool
from data.stored import decode_text, entity_body

_LONG_HEADER = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """Why an address was asked for: what a record needs to know that the exchange does not."""

    purpose: str
    profile: str = "A"
    found_on: str = ""
    depth: int = 0
    role: str = "other"
    hops: tuple[dict[str, Any], ...] = ()
    retry_of: str = ""
    user_agent: str = ""
    accept_language: str = ""
    keep_body: bool = True


@dataclass(slots=True)
class Text:
    """The text of an exchange as it may be stored and shown to a browser."""

    text: str = ""
    charset: str = ""
    cuts: tuple[guard.Cut, ...] = field(default=())


def readable(fetched: Fetched) -> Text:
    """Decode and scrub what came; empty where nothing was kept."""
    if not fetched.body:
        return Text()
    text, charset = decode_text(fetched.body, fetched.type_declared)
    scrubbed = guard.scrub(text)
    return Text(scrubbed.text, charset, scrubbed.cuts)


def record(
    spool: Spool,
    fetched: Fetched,
    asked: Asked,
    text: Text,
    *,
    outcome: Outcome | None = None,
    reason: str | None = None,
    rule: str | None = None,
    redirect_to: str = "",
    redirect_kind: str = "",
    page: PageFacts | None = None,
    fetcher: str = "http",
    status_origin: str = "server",
    provenance: dict[str, Any] | None = None,
) -> Observation:
    """Put one exchange on record. *outcome*, *reason* and *rule* override the exchange's own (a wall, a redirect).

    *fetcher*, *status_origin* and *provenance* are other than their defaults for what others captured.
    """
    stored = _store(spool, fetched, asked, text)
    seq = spool.next_seq
    observation = Observation(
        observation=f"{spool.visit.visit}.{seq}",
        visit=spool.visit.visit,
        service=spool.visit.service,
        seq=seq,
        purpose=asked.purpose,
        profile=asked.profile,
        fetcher=fetcher,
        requested_url=fetched.url,
        started=fetched.started,
        ended=fetched.ended,
        user_agent=asked.user_agent,
        accept_language=asked.accept_language,
        found_on=asked.found_on,
        depth=asked.depth,
        role=asked.role,
        hops=asked.hops,
        retry_of=asked.retry_of,
        via=_without_credentials(fetched.via),
        server_ip=fetched.server_ip,
        tls=fetched.tls.as_json() if fetched.tls else None,
        http_version=fetched.http_version,
        status=fetched.status,
        status_origin=status_origin if fetched.status is not None else "none",
        headers=_headers(fetched.headers),
        type_declared=fetched.type_declared[:200],
        type_sniffed=fetched.type_sniffed,
        charset=text.charset,
        outcome=(outcome or stored.refused or fetched.outcome).value,
        reason=guard.scrub((fetched.reason if reason is None else reason) or stored.reason).text,
        rule=(fetched.rule if rule is None else rule) or stored.rule,
        redirect_to=guard.scrub(redirect_to).text,
        redirect_kind=redirect_kind,
        wire_len=fetched.wire_len,
        wire_sha256=fetched.wire_sha256,
        stored_as=stored.kind,
        stored_len=stored.length,
        stored_sha256=stored.sha256,
        redactions=_redactions(text.cuts) if stored.kind in ("response", "conversion") else (),
        truncated=fetched.truncated,
        page=page.as_json() if page else None,
        warc_record=stored.record,
        warc_offset=stored.offset,
        warc_length=stored.size,
        provenance=provenance,
    )
    return spool.attempt(observation)


def record_rendered(
    spool: Spool,
    source: Observation,
    html: str,
    started: str,
    ended: str,
    page: PageFacts,
    *,
    reason: str,
    partial: str,
) -> Observation:
    """Put the page that scripts made of *source* on record: a ``conversion`` that refers to what it came from."""
    scrubbed = guard.scrub(html)
    block = scrubbed.text.encode("utf-8", "replace")
    verdict = guard.judge_store(block)
    seq = spool.next_seq
    kept = _Stored()
    if verdict.allowed:
        extra = {"WARC-Refers-To": source.warc_record, "WARC-Date": started}
        name, offset, size = spool.keep("conversion", source.requested_url, "text/html; charset=utf-8", block, extra)
        kept = _Stored("conversion", name, offset, size, len(block), sha256(block))
    # Who asked, when, where it stood: as the exchange it was made from. What a server said is not repeated: no server
    # sent this page, so it has no status, no headers and no wire bytes.
    observation = replace(
        source,
        observation=f"{spool.visit.visit}.{seq}",
        seq=seq,
        purpose="rendered",
        fetcher="browser",
        started=started,
        ended=ended,
        retry_of="",
        tls=None,
        http_version="",
        status=None,
        status_origin="none",
        headers=(),
        type_declared="text/html; charset=utf-8",
        charset="utf-8",
        outcome=(Outcome.OK if verdict.allowed else Outcome.NOT_TEXT).value,
        reason=reason if verdict.allowed else verdict.reason,
        rule=verdict.rule if not verdict.allowed else "",
        redirect_to="",
        redirect_kind="",
        wire_len=0,
        wire_sha256="",
        stored_as=kept.kind,
        stored_len=kept.length,
        stored_sha256=kept.sha256,
        redactions=_redactions(scrubbed.cuts),
        truncated=partial,
        rendered_from=source.observation,
        page=page.as_json(),
        warc_record=kept.record,
        warc_offset=kept.offset,
        warc_length=kept.size,
    )
    return spool.attempt(observation)


@dataclass(frozen=True, slots=True)
class _Stored:
    kind: str = "none"
    record: str = ""
    offset: int = -1
    size: int = 0
    length: int = 0
    sha256: str = ""
    refused: Outcome | None = None
    reason: str = ""
    rule: str = ""


def _store(spool: Spool, fetched: Fetched, asked: Asked, text: Text) -> _Stored:
    """The third gate, and the choice of record: exact bytes where they are clean text, else a conversion, else metadata."""
    url, date = fetched.url, fetched.started
    if fetched.body and asked.keep_body:
        if _is_exact(fetched, text) and guard.judge_store(fetched.received).allowed:
            extra = {
                "WARC-Date": date,
                "WARC-IP-Address": fetched.server_ip,
                "WARC-Payload-Digest": f"sha256:{fetched.wire_sha256}",
                "WARC-Truncated": fetched.truncated,
            }
            name, offset, size = spool.keep(
                "response", url, "application/http;msgtype=response", fetched.received, extra
            )
            return _Stored("response", name, offset, size, fetched.wire_len, fetched.wire_sha256)
        block = text.text.encode("utf-8", "replace")
        verdict = guard.judge_store(block)
        source, _, _ = spool.keep("metadata", url, "application/json", _exchange(fetched, text), {"WARC-Date": date})
        if not verdict.allowed:
            return _Stored("metadata", refused=Outcome.NOT_TEXT, reason=verdict.reason, rule=verdict.rule)
        extra = {"WARC-Date": date, "WARC-Refers-To": source, "WARC-Truncated": fetched.truncated}
        name, offset, size = spool.keep("conversion", url, "text/plain; charset=utf-8", block, extra)
        return _Stored("conversion", name, offset, size, len(block), sha256(block))
    block = _exchange(fetched, text)
    name, offset, size = spool.keep("metadata", url, "application/json", block, {"WARC-Date": date})
    return _Stored("metadata", name, offset, size)


def _redactions(cuts: tuple[guard.Cut, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(cut._asdict() for cut in cuts)


def _is_exact(fetched: Fetched, text: Text) -> bool:
    """Whether the bytes as received are themselves the text: nothing cut, no content coding."""
    if not fetched.received or text.cuts or fetched.header("content-encoding").strip().lower() not in ("", "identity"):
        return False
    head = fetched.received.partition(b"\r\n\r\n")[0].decode("latin-1")
    return not guard.scrub(head).cuts and entity_body(fetched.received) == fetched.body


def _exchange(fetched: Fetched, text: Text) -> bytes:
    """The exchange as JSON, for the ``metadata`` record of what is not kept as received."""
    return canonical(
        {
            "method": fetched.method,
            "url": fetched.url,
            "status": fetched.status,
            "http_version": fetched.http_version,
            "headers": [list(item) for item in _headers(fetched.headers)],
            "outcome": fetched.outcome.value,
            "reason": fetched.reason,
            "rule": fetched.rule,
            "wire_len": fetched.wire_len,
            "wire_sha256": fetched.wire_sha256,
            "body_bytes_read_and_dropped": fetched.body_bytes_read,
            "redactions": [list(cut) for cut in text.cuts],
        }
    )


def _headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Response headers fit for the record: cookie values removed, payloads and very long values replaced."""
    kept = []
    for name, value in headers[:200]:
        if name.lower() in ("set-cookie", "set-cookie2"):
            cookie, _, rest = value.partition(";")
            attributes = f";{rest}" if rest else ""
            value = f"{cookie.partition('=')[0]}=[value removed]{attributes}"
        value = guard.scrub(value).text
        kept.append((name[:200], value if len(value) <= _LONG_HEADER else f"{value[:_LONG_HEADER]}[cut]"))
    return tuple(kept)


def _without_credentials(via: str) -> str:
    head, mark, rest = via.partition("://")
    return f"{head}://{rest.rpartition('@')[2]}" if mark else via
