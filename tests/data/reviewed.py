"""A case to review: invented services with given sentences and flags, through the real spool, ledger and index."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from data.canonical import sha256
from data.case import Case, CaseFacts, make_case, policy_record
from data.ingest import take_in
from data.records import Service
from data.spool import Spool
from data.store import append, transaction, writing
from tests.data.cases import opened, refused, response


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of a page, and the label it was flagged with, as ``D04 PROMO``; empty where it was not."""

    text: str
    label: str = ""
    confidence: float = 0.9
    page_role: str = "home"


PROMISE = Said("We delete every photo after one hour.", "D04 PROMO")
FREE = Said("Everything here is free.", "D02 PROMO", 0.6)
PLAIN = Said("Results appear in ten seconds.")
QUOTE = Said("“It was quick.” — Ottilie Brandt, Kiel", "R01 TESTI")
HARD = Said("No permission is needed from anyone.", "U01 PROMO")
HARM = Said("Made for payback.", "U06 PROMO")
MINORS = Said("No age limit for the person shown.", "M01 PROMO")


def service(number: int) -> Service:
    """An invented service; odd ones come from a search, even ones from a list."""
    name = f"service-{number}"
    stratum = "search" if number % 2 else "list"
    return Service(service=name, source=stratum, stratum=stratum, urls=(f"http://{name}.example/",))


def reviewable_case(root: Path, said: dict[int, list[Said]], *, refuse: tuple[int, ...] = (), sweep: str = "") -> Case:
    """A case in *root*: every numbered service says what it is given; those of *refuse* are not reached."""
    case = make_case(root, CaseFacts(title="To review", authority="Test", referral_officer="Officer Vale"))
    numbers = sorted({*said, *refuse})
    rows = [{**service(number).as_json(), "urls": list(service(number).urls)} for number in numbers]
    case.record("services.added", {"services": rows})
    add_sweep(case, said, refuse=refuse, sweep=sweep or "20261123T120000Z-aaaa")
    return case


def add_sweep(case: Case, said: dict[int, list[Said]], *, refuse: tuple[int, ...] = (), sweep: str) -> None:
    """One more sweep of the case, taken in and flagged."""
    numbers = sorted({*said, *refuse})
    case.record("sweep.started", {"sweep": sweep, "services": [service(number).service for number in numbers]})
    for number in numbers:
        name = service(number)
        visit = replace(
            opened(number),
            visit=f"{sweep}-{name.service}",
            service=name.service,
            entry_urls=name.urls,
            policy=policy_record(case.policy),
        )
        with Spool(case.spool / visit.visit, visit) as spool:
            url = name.urls[0]
            spool.begin(url)
            if number in refuse:
                spool.attempt(refused(spool, url))
                spool.close(outcome="refused", reason="the connection was refused")
            else:
                spool.attempt(
                    response(spool, url, f"{sweep} {number} " + "\n".join(item.text for item in said[number]))
                )
                spool.close(outcome="reached", reason="")
    take_in(case)
    case.record("sweep.finished", {"sweep": sweep, "visits": len(numbers)})
    _flag(case, said, sweep)


def _flag(case: Case, said: dict[int, list[Said]], sweep: str) -> None:
    texts, passages, flags, links = [], [], [], []
    with writing(case) as connection, transaction(connection):
        for number, sentences in said.items():
            found = connection.execute(
                "SELECT observation, stored_sha256 FROM observations WHERE service = ? AND stored_as = 'response' "
                "AND starts_with(visit, ?)",
                [service(number).service, sweep],
            ).fetchall()
            observation, stored = found[0]
            text_id = sha256(f"{stored} {number}".encode())[:24]
            text = "\n".join(item.text for item in sentences)
            links.append({"observation": observation, "text_id": text_id})
            texts.append(
                {
                    "text_id": text_id,
                    "stored_sha256": stored,
                    "extractor": "test/1",
                    "page_role": sentences[0].page_role,
                    "text_sha256": sha256(text.encode()),
                    "text": text,
                    "title": "",
                    "h1": "",
                    "lang": "en",
                    "media_without_alt": 0,
                }
            )
            held = {at for at, item in enumerate(sentences) if item.label.startswith("M01")}
            at = 0
            for ordinal, item in enumerate(sentences):
                passages.append(
                    {
                        "text_id": text_id,
                        "ordinal": ordinal,
                        "start": at,
                        "end": at + len(item.text),
                        "zone": "main",
                        "role": "paragraph",
                        "heading": "Heading",
                        "list_intro": "",
                        "locator": "/p",
                        "hidden": "",
                        "lang": "en",
                        "text": item.text,
                    }
                )
                if item.label:
                    code, _, stance = item.label.partition(" ")
                    flags.append(
                        {
                            "flag": f"F-{sha256(f'{text_id} {ordinal}'.encode())[:10]}",
                            "text_id": text_id,
                            "ordinal": ordinal,
                            "code": code,
                            "stance": stance,
                            "start": at,
                            "end": at + len(item.text),
                            "quote": item.text,
                            "confidence": item.confidence,
                            "rule": f"{code}.test",
                            "raises": stance in ("PROMO", "TESTI", "UI"),
                            "sensitive": ordinal in held,
                            "analysis": "test",
                        }
                    )
                at += len(item.text) + 1
        append(connection, "texts", texts)
        append(connection, "passages", passages)
        append(connection, "flags", flags)
        append(connection, "observation_texts", links)
