"""Dossiers of invented services, read from HTML by the real extractor and the real page reader, without a case on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from analysis.dossier import Dossier, Flag, Look, Passage, Text, Unreached, VisitSeen, place_of
from analysis.finding import Finding
from analysis.findings import findings_of
from analysis.passages import extract
from analysis.propositions import Proposition, Propositions
from crawler.page import read_page
from data.canonical import sha256
from data.findings import load_rules
from data.roles import page_role

RULES = load_rules()
READER = Propositions(RULES)


@dataclass(frozen=True)
class Served:
    """A page that was not simply there: its outcome, status and profile, where it leads, the hops before it."""

    html: str = ""
    outcome: str = "ok"
    status: int | None = 200
    role: str = ""
    profile: str = "A"
    purpose: str = "page"
    reason: str = ""
    redirect_to: str = ""
    hops: tuple[tuple[str, str], ...] = ()
    flags: tuple[tuple[str, str, str], ...] = ()
    """Code, stance and quote of flags that the claims would have put down."""
    link: str = ""


def html(*paragraphs: str, title: str = "", head: str = "") -> str:
    """A page of paragraphs; one that starts with ``<`` is put in as it stands."""
    body = "".join(item if item.startswith("<") else f"<p>{item}</p>" for item in paragraphs)
    return f"<!doctype html><html lang='en'><head><title>{title}</title>{head}</head><body><main>{body}</main></body></html>"


def dossier(
    name: str,
    *visits: Mapping[str, str | Served],
    urls: tuple[str, ...] = (),
    unreached: tuple[Unreached, ...] = (),
    kind: str = "website",
    scheme: str = "https",
) -> Dossier:
    """A service on ``https://<name>.example`` with one mapping of path (or address) to page for each visit."""
    home = f"{scheme}://{name}.example/"
    entries = urls or (home,)
    seen: list[VisitSeen] = []
    looks: list[Look] = []
    links: dict[str, str] = {}
    for number, pages in enumerate(visits, 1):
        visit = VisitSeen(f"v{number}-{name}", f"2026-0{number}-01T00:00:00Z", "reached", "")
        seen.append(visit)
        for at, (path, given) in enumerate(pages.items(), 1):
            page = given if isinstance(given, Served) else Served(given)
            address = path.partition("#")[0]
            url = address if "://" in address else home.rstrip("/") + address
            if page.link:
                links[url] = page.link
            looks.append(_look(visit, at, url, page, entries, kind))
    return Dossier(name, kind, entries, tuple(seen), tuple(looks), unreached, links)


def _look(visit: VisitSeen, number: int, url: str, page: Served, entries: tuple[str, ...], kind: str) -> Look:
    found = extract(page.html) if page.html else None
    role = page.role or page_role(url, "", found.title if found else "", found.h1 if found else "")[0]
    text = None
    if found is not None:
        text_id = sha256(f"{page.html} {role}".encode())[:24]
        passages = tuple(
            Passage(
                text_id, item.ordinal, item.start, item.end, item.zone, item.role, item.heading, item.list_intro,
                found.text[item.start : item.end], _flags(page, found.text, item.start, item.end),
            )
            for item in found.passages
        )  # fmt: skip
        text = Text(text_id, role, found.title, found.h1, sha256(found.text.encode()), passages)
    return Look(
        observation=f"{visit.visit}.{number}",
        visit=visit.visit,
        seen=visit.started,
        url=url,
        purpose="entry" if page.purpose == "page" and url in entries else page.purpose,
        profile=page.profile,
        fetcher="http",
        role=role,
        place=place_of(url, role, kind, entries, {}),
        outcome=page.outcome,
        reason=page.reason,
        status=page.status,
        redirect_to=page.redirect_to,
        redirect_kind="http" if page.redirect_to else "",
        hops=tuple({"kind": hop, "url": at} for hop, at in page.hops),
        found_on="",
        depth=0 if url in entries else 1,
        stored_sha256=sha256(page.html.encode()),
        text=text,
        facts=asdict(read_page(page.html, url).facts) if page.html else {},
        tls={},
        server_ip="",
    )


def _flags(page: Served, text: str, start: int, end: int) -> tuple[Flag, ...]:
    found = []
    for code, stance, quote in page.flags:
        at = text.find(quote)
        if start <= at < end:
            raises = stance in ("PROMO", "TESTI", "UI")
            found.append(Flag(f"F-{code}-{at}", code, stance, at, at + len(quote), 0.9, raises, code == "M01"))
    return tuple(found)


def propositions(of: Dossier) -> tuple[Proposition, ...]:
    """What a service says, by the built-in rules."""
    return READER.of(of)


def findings(of: Dossier) -> list[Finding]:
    """The findings of one service, by the built-in rules."""
    return findings_of(of, propositions(of), RULES)[0]


def only(of: Dossier, *kinds: str, status: str = "found") -> list[Finding]:
    """The findings of these kinds."""
    return [finding for finding in findings(of) if finding.kind in kinds and finding.status == status]


def rules_of(found: list[Finding]) -> list[str]:
    """Their rules, in order."""
    return sorted(finding.rule for finding in found)


def quotes(finding: Finding, part: str) -> list[str]:
    """What one part of a finding quotes."""
    return [side.quote for side in finding.sides if side.part == part]


def said(*sentences: str, role: str = "home") -> list[str]:
    """The kinds of propositions in *sentences* on one page."""
    return [item.rule.id for item in propositions(dossier("alpha", {"/": Served(html(*sentences), role=role)}))]
