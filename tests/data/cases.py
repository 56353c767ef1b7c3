"""A small case as the crawler leaves it: written by the real spool, taken in by the real ingest, with a few flags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data import clock, environment
from data.canonical import canonical, sha256
from data.case import Case, CaseFacts, make_case, policy_record
from data.derived import contents
from data.ingest import take_in
from data.records import AddressSeen, Observation, Service, Visit
from data.spool import Spool
from data.store import append, reading, transaction, writing

FACTS = CaseFacts(
    title="A small case",
    matter="T-1",
    authority="Test authority 7",
    legal_basis="Test basis",
    operators=("tester",),
    custodian="keeper",
)
SENTENCE = "We delete every photo after one hour."
FORMULA = "=2+2 free results"
SENSITIVE = "Not for photos of under-18s."


def page(service: str, number: int) -> str:
    """The text of one invented page."""
    extra = f"<p>{FORMULA}</p><p>{SENSITIVE}</p>" if number == 2 else ""
    filler = "".join(f"<p>Line {line} of page {number} of {service}.</p>" for line in range(12))
    return f"<html><head><title>{service} {number}</title></head><body><h1>{service}</h1><p>{SENTENCE}</p>{extra}{filler}</body></html>"


def service(number: int) -> Service:
    """An invented service."""
    name = f"service-{number}"
    return Service(service=name, source="list", stratum="a", urls=(f"http://{name}.example/",))


def small_case(root: Path, *, visits: int = 3, pages: int = 4, policy: str = "", flags: bool = True) -> Case:
    """A case of that many visits, closed and taken in, in the folder *root*."""
    case = make_case(root, FACTS, policy)
    case.record("services.added", {"services": [plain(service(number)) for number in range(1, visits + 1)]})
    for number in range(1, visits + 1):
        spool_visit(case, number, pages=pages)
    take_in(case)
    if flags:
        mark(case)
    return case


def plain(item: Service) -> dict[str, object]:
    """A service as the ledger holds it."""
    return {**item.as_json(), "urls": list(item.urls)}


def opened(number: int) -> Visit:
    """The record of a visit about to begin."""
    name = service(number)
    return Visit(
        visit=f"20261123T1200{number:02d}Z-test-{name.service}",
        service=name.service,
        started=clock.now(),
        entry_urls=name.urls,
        environment=environment.environment_id(),
    )


def spool_visit(case: Case, number: int, *, pages: int = 4, close: bool = True) -> Path:
    """One visit written to the spool: robots, pages as received, one scrubbed, one refused."""
    visit = replace(opened(number), policy=policy_record(case.policy))
    folder = case.spool / visit.visit
    with Spool(folder, visit) as spool:
        write_pages(spool, pages)
        if close:
            spool.close(outcome="reached", reason="")
    return folder


def write_pages(spool: Spool, pages: int) -> None:
    """The attempts of a visit, from where it stands."""
    name = spool.visit.service
    for index in range(spool.next_seq, pages + 1):
        url = f"http://{name}.example/page-{index}"
        spool.see(AddressSeen(url, "candidate", "scope.own", "own site", "other", index, "", (), "a link"))
        spool.begin(url)
        spool.attempt(response(spool, url, page(name, index)))
    spool.attempt(conversion(spool, f"http://{name}.example/scrubbed", page(name, 90)))
    spool.attempt(refused(spool, f"http://{name}.example/refused"))


def _observation(spool: Spool, url: str) -> Observation:
    seq = spool.next_seq
    now = clock.now()
    return Observation(
        observation=f"{spool.visit.visit}.{seq}",
        visit=spool.visit.visit,
        service=spool.visit.service,
        seq=seq,
        purpose="page",
        profile="A",
        fetcher="http",
        requested_url=url,
        started=now,
        ended=now,
        user_agent="Plainview test",
    )


def response(spool: Spool, url: str, text: str) -> Observation:
    """A page kept exactly as received."""
    body = text.encode()
    block = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    record, offset, length = spool.keep(
        "response", url, "application/http;msgtype=response", block, {"WARC-Payload-Digest": f"sha256:{sha256(body)}"}
    )
    return replace(
        _observation(spool, url),
        status=200,
        status_origin="server",
        http_version="HTTP/1.1",
        headers=(("Content-Type", "text/html; charset=utf-8"),),
        type_declared="text/html; charset=utf-8",
        charset="utf-8",
        wire_len=len(body),
        wire_sha256=sha256(body),
        stored_as="response",
        stored_len=len(body),
        stored_sha256=sha256(body),
        warc_record=record,
        warc_offset=offset,
        warc_length=length,
    )


def conversion(spool: Spool, url: str, text: str) -> Observation:
    """A page of which something was taken out."""
    source, _, _ = spool.keep("metadata", url, "application/json", canonical({"url": url}), {})
    body = text.encode()
    record, offset, length = spool.keep(
        "conversion", url, "text/plain; charset=utf-8", body, {"WARC-Refers-To": source}
    )
    return replace(
        _observation(spool, url),
        status=200,
        status_origin="server",
        type_declared="text/html",
        charset="utf-8",
        wire_len=len(body) + 100,
        wire_sha256=sha256(body + b"image"),
        stored_as="conversion",
        stored_len=len(body),
        stored_sha256=sha256(body),
        redactions=({"kind": "data-url", "offset": 10, "length": 100, "sha256": sha256(b"image")},),
        warc_record=record,
        warc_offset=offset,
        warc_length=length,
    )


def refused(spool: Spool, url: str) -> Observation:
    """An attempt that no server answered."""
    record, offset, length = spool.keep("metadata", url, "application/json", canonical({"outcome": "refused"}), {})
    return replace(
        _observation(spool, url),
        outcome="refused",
        reason="the connection was refused",
        stored_as="metadata",
        warc_record=record,
        warc_offset=offset,
        warc_length=length,
    )


def mark(case: Case) -> None:
    """Texts, passages and flags as an analysis leaves them, one of them sensitive."""
    texts, passages, flags, links = [], [], [], []
    with writing(case) as connection:
        found = connection.execute(
            "SELECT observation, service, stored_sha256, requested_url FROM observations WHERE stored_as = 'response'"
            " ORDER BY observation"
        ).fetchall()
        for observation, name, stored, url in found:
            number = int(url.rpartition("-")[2])
            sentences = [name, SENTENCE, *([FORMULA, SENSITIVE] if number == 2 else [])]
            text = "\n".join(sentences)
            text_id = sha256(f"test {stored}".encode())[:24]
            links.append({"observation": observation, "text_id": text_id})
            texts.append(_text(text_id, stored, text, name))
            at = 0
            for ordinal, sentence in enumerate(sentences):
                passages.append(_passage(text_id, ordinal, at, sentence))
                if ordinal:
                    flags.append(_flag(text_id, ordinal, at, sentence))
                at += len(sentence) + 1
        with transaction(connection):
            append(connection, "texts", texts)
            append(connection, "passages", passages)
            append(connection, "flags", flags)
            append(connection, "observation_texts", links)
    with reading(case) as connection:
        tables = contents(connection, "analysis.run")
    run = {"analysis": "a1", "texts": len(texts), "flags": len(flags), "reanalysis": False, "tables": tables}
    case.record("analysis.run", run)


def _text(text_id: str, stored: str, text: str, title: str) -> dict[str, object]:
    return {
        "text_id": text_id,
        "stored_sha256": stored,
        "extractor": "test/1",
        "page_role": "home",
        "text_sha256": sha256(text.encode()),
        "text": text,
        "title": title,
        "h1": title,
        "lang": "en",
        "media_without_alt": 0,
    }


def _passage(text_id: str, ordinal: int, at: int, sentence: str) -> dict[str, object]:
    return {
        "text_id": text_id,
        "ordinal": ordinal,
        "start": at,
        "end": at + len(sentence),
        "zone": "main",
        "role": "paragraph",
        "heading": "",
        "list_intro": "",
        "locator": "/p",
        "hidden": "",
        "lang": "en",
        "text": sentence,
    }


def _flag(text_id: str, ordinal: int, at: int, sentence: str) -> dict[str, object]:
    code = "M01" if sentence == SENSITIVE else "P01"
    return {
        "flag": f"F-{sha256(f'{text_id} {ordinal}'.encode())[:10]}",
        "text_id": text_id,
        "ordinal": ordinal,
        "code": code,
        "stance": "PROMO",
        "start": at,
        "end": at + len(sentence),
        "quote": sentence,
        "confidence": 0.75,
        "rule": f"{code}.test",
        "raises": True,
        "sensitive": code == "M01",
        "analysis": "a1",
    }
