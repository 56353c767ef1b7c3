"""One typed snapshot of a case, read from the index at one moment: everything that any form of the report shows.

Nothing sensitive enters the snapshot: a mark that is flagged so, any other mark that overlaps it and the words around
either are left out here, so that no template can show them by mistake.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import duckdb

from analysis.listings.beside import Beside, beside
from analysis.masking import Masker, find, is_third_party
from analysis.report.shown import CONTEXT_CHARACTERS, QUOTE_CHARACTERS
from analysis.report.snapshot import (
    Asked,
    Change,
    CodeCount,
    CodeGroup,
    Coverage,
    Dossier,
    Finding,
    Indicator,
    Method,
    NotLooked,
    OutcomeCount,
    Page,
    QuotedText,
    Redirect,
    Side,
    Sighting,
    Snapshot,
    Tie,
    Verdict,
    VisitFacts,
)
from data import clock
from data.address import defang
from data.case import Case
from data.codebook import load_codebook
from data.export.exhibits import find_exhibits
from data.export.selection import closed_visits, ledger_lines
from data.law import load_law
from data.outcomes import Outcome
from data.records import Service
from data.standing import seal_state
from data.store import reading, rows

CONTRARY: Final = ("PROHIB", "DISCLAIM", "NEGATED")
PAGES_LISTED: Final = 200
SKIPPED_LISTED: Final = 60
SIGHTINGS_LISTED: Final = 4
VALUES_LISTED: Final = 40
SIDES_LISTED: Final = 24
TIES_LISTED: Final = 30
CHANGES_LISTED: Final = 40
BESIDE_LISTED: Final = 40


def gather(case: Case, services: Sequence[str] = (), *, masker: Masker | None = None) -> Snapshot:
    """Read the case once. *services* limits the report to these names; *masker* hides third parties in quoted text.

    Raises ``KeyError`` with the name for a service that the case does not list.
    """
    listed = case.services()
    for name in services:
        if name not in listed:
            raise KeyError(name)
    chosen = [service for name, service in listed.items() if not services or name in services]
    with reading(case) as connection:
        return _Reader(case, connection, chosen, tuple(services), masker).snapshot()


class _Reader:
    """The open connection and what several parts of the snapshot share."""

    def __init__(
        self,
        case: Case,
        connection: duckdb.DuckDBPyConnection,
        services: list[Service],
        selected: tuple[str, ...],
        masker: Masker | None,
    ) -> None:
        self.case, self.connection, self.services, self.selected = case, connection, services, selected
        self.masker = masker
        self.codebook = load_codebook()
        self.law = load_law()
        self.texts: dict[tuple[str, str], dict[str, Any]] = {}
        connection.execute("CREATE TEMP TABLE chosen (service VARCHAR)")
        if services:
            connection.executemany("INSERT INTO chosen VALUES (?)", [[service.service] for service in services])
        self.tables = {row["name"] for row in rows(connection, _TABLES)}
        self.numbers = {service.service: number for number, service in enumerate(services, 1)}
        self.hidden: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        self.words: dict[str, set[str]] = defaultdict(set)
        self.stances: dict[tuple[str, int], set[str]] = defaultdict(set)

    def snapshot(self) -> Snapshot:
        visits = _by(self._rows(_VISITS), "service")
        pages = _by(self._rows(_PAGES), "service")
        skipped = _by(self._rows(_NOT_LOOKED), "service")
        self.exhibits = self._exhibits()
        self._read_sensitive()
        self.verdicts = self._verdicts()
        marks = self._marks()
        asked = self._asked()
        redirects = self._redirects()
        findings = self._findings()
        ties = self._ties()
        changes = self._changes()
        dossiers = tuple(
            self._dossier(
                number,
                service,
                visits.get(service.service, []),
                pages.get(service.service, []),
                skipped.get(service.service, []),
                marks.get(service.service, []),
                asked.get(service.service, ()),
                redirects.get(service.service, ()),
                findings.get(service.service, ()),
                ties.get(service.service, []),
                changes.get(service.service, []),
            )
            for number, service in enumerate(self.services, 1)
        )
        head = self.case.ledger.head()
        started = [visit.started for dossier in dossiers for visit in dossier.visits]
        ended = [visit.ended for dossier in dossiers for visit in dossier.visits]
        counts = self._one(_COUNTS)
        used = {group.code.id for dossier in dossiers for group in dossier.groups}
        hooks = {hook for code in self.codebook.codes if code.id in used for hook in code.hooks}
        return Snapshot(
            made=clock.now(),
            facts=self.case.facts,
            ledger_entries=head.count,
            ledger_head=head.hash,
            seal=seal_state(self.case),
            first=min(started, default=""),
            last=max(ended, default=""),
            dossiers=dossiers,
            outcomes=tuple(Counter(dossier.outcome for dossier in dossiers).most_common()),
            attempts=tuple(
                OutcomeCount(row["outcome"], meaning(row["outcome"]), row["attempts"], row["services"])
                for row in self._rows(_OUTCOMES)
            ),
            coverage=self._coverage(dossiers),
            not_looked=tuple(_not_looked(row) for row in self._rows(_NOT_LOOKED_ALL)),
            codes=self._code_counts(dossiers, "claim"),
            facts_seen=self._code_counts(dossiers, "fact"),
            texts=tuple(
                QuotedText(**{**row, "exhibits": tuple(sorted(row["exhibits"]))}) for row in self.texts.values()
            ),
            method=self._method(),
            codebook=self.codebook,
            hooks=tuple(hook for hook in self.law.hooks.values() if hook.id in hooks),
            passages_read=counts["passages"],
            texts_read=counts["texts"],
            left_out=tuple(sorted(set(self.case.services()) - {item.service for item in self.services})),
            media_without_alt=sum(dossier.media_without_alt for dossier in dossiers),
            selected=self.selected,
            undefined=self._undefined(marks),
            masked=self.masker is not None,
        )

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        return rows(self.connection, sql)

    def _one(self, sql: str) -> dict[str, Any]:
        return self._rows(sql)[0]

    # --- masking

    def mask(self, text: str) -> str:
        """Words that stand by themselves, as they may be shown."""
        return self.masker(text) if self.masker is not None else text

    def _masked(self, row: dict[str, Any], third_party: bool) -> tuple[str, str, str]:
        """The words before, in and after the quote. They are masked as one text, so that no name is cut in two."""
        parts = [row["before"], row["quote"], row["after"]]
        if self.masker is None:
            return parts[0], parts[1], parts[2]
        text = "".join(parts)
        start, end = len(parts[0]), len(parts[0]) + len(parts[1])
        out = ["", "", ""]

        def put(left: int, right: int) -> None:
            for number, (low, high) in enumerate(((0, start), (start, end), (end, len(text)))):
                out[number] += text[max(left, low) : max(min(right, high), max(left, low))]

        last = 0
        for item in find(text, self.masker.key, third_party=third_party, own=self.masker.own):
            put(last, item.start)
            inside = item.start < end and start < item.end
            out[1 if inside else 0 if item.end <= start else 2] += item.token
            last = item.end
        put(last, len(text))
        return out[0], out[1], out[2]

    # --- marks

    def _read_sensitive(self) -> None:
        """Where nothing may be quoted from, and the very words that may stand nowhere in a service's dossier."""
        for row in self._rows(_SENSITIVE):
            self.hidden[(row["text_id"], row["ordinal"])].append((row["start"], row["end"]))
            if row["code"] in self.codebook.referral_codes:
                self.words[row["service"]].add(row["quote"])

    def _marks(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of marks by service, without anything sensitive."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self._rows(_MARKS):
            self.stances[(row["text_id"], row["ordinal"])].add(row["stance"])
            if self._open(row):
                found[row["service"]].append(row)
        return found

    def _open(self, row: dict[str, Any]) -> bool:
        """Whether the quote of *row* may be shown; the words around it that may not are taken out of *row*."""
        spans = self.hidden.get((row["text_id"], row["ordinal"]), ())
        if any(start < row["end"] and row["start"] < end for start, end in spans):
            return False
        if spans:
            row["before"] = row["after"] = "…"
        words = self.words.get(row["service"], ())
        for name in ("heading", "list_intro", "before", "after"):
            row[name] = _without(row[name], words)
        quote: str = row["quote"]
        return _without(quote, words) == quote

    def _verdicts(self) -> dict[tuple[str, str], dict[tuple[str, str], Verdict]]:
        """Decisions by service and flag; one for each coder and role."""
        found: dict[tuple[str, str], dict[tuple[str, str], Verdict]] = defaultdict(dict)
        if {"decisions_last", "units"} <= self.tables:
            for row in self._rows(_VERDICTS):
                verdict = Verdict(row["verdict"], row["coder"], row["role"], row["at"], tuple(row["labels"]))
                found[(row["service"], row["flag"])][(row["coder"], row["role"])] = verdict
        return found

    def _indicators(self, dossier: int, marks: list[dict[str, Any]]) -> list[Indicator]:
        same: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in marks:
            same[(row["code"], row["stance"], row["quote"], row["before"][-80:], row["after"][:80])].append(row)
        return [self._indicator(dossier, group) for group in same.values()]

    def _third_party(self, row: dict[str, Any]) -> bool:
        stances = self.stances.get((row["text_id"], row["ordinal"]), ())
        return is_third_party(stances, row["page_role"], row["heading"], f"{row['before']}{row['quote']}{row['after']}")

    def _indicator(self, dossier: int, group: list[dict[str, Any]]) -> Indicator:
        first = group[0]
        places: dict[tuple[str, str], dict[str, Any]] = {}
        for row in group:
            places.setdefault((row["url"], row["text_sha256"]), row)
        shown = list(places.values())[:SIGHTINGS_LISTED]
        before, quote, after = self._masked(first, self._third_party(first))
        return Indicator(
            flag=first["flag"],
            code=first["code"],
            stance=first["stance"],
            quote=quote,
            before=before,
            after=after,
            heading=self.mask(first["heading"]),
            list_intro=self.mask(first["list_intro"]),
            lang=first["lang"],
            confidence=first["confidence"],
            rule=first["rule"],
            raises=first["raises"],
            roles=tuple(dict.fromkeys(row["page_role"] for row in group)),
            sightings=tuple(self._sighting(dossier, row) for row in shown),
            seen_times=len(group),
            verdicts=tuple(self._decided(group).values()),
        )

    def _decided(self, group: list[dict[str, Any]]) -> dict[tuple[str, str], Verdict]:
        return {
            key: item for row in group for key, item in self.verdicts.get((row["service"], row["flag"]), {}).items()
        }

    def _exhibits(self) -> dict[tuple[str, str, str, str], str]:
        """The number that an export of the case gives to words at an address: the same item has one name everywhere."""
        visits = list(closed_visits(ledger_lines(self.case)))
        return {
            (row["address"], row["code"], row["stance"], row["quote"][:QUOTE_CHARACTERS]): row["exhibit"]
            for row in find_exhibits(self.connection, visits)
        }

    def _sighting(self, dossier: int, row: dict[str, Any]) -> Sighting:
        url = defang(row["url"])
        exhibit = self.exhibits.get((url, row["code"], row["stance"], row["quote"][:QUOTE_CHARACTERS]), "")
        text = self.texts.setdefault(
            (row["service"], row["text_sha256"]),
            {
                "number": len(self.texts) + 1,
                "service": row["service"],
                "dossier": dossier,
                "url": url,
                "seen": row["seen"],
                "text_sha256": row["text_sha256"],
                "stored_sha256": row["stored_sha256"],
                "visit": row["visit"],
                "record": row["warc_record"],
                "exhibits": set(),
            },
        )
        if exhibit:
            text["exhibits"].add(exhibit)
        return Sighting(
            url=url,
            page_role=row["page_role"],
            seen=row["seen"],
            profile=row["profile"],
            fetcher=_FETCHERS.get(row["fetcher"], row["fetcher"]),
            observation=row["observation"],
            text_sha256=row["text_sha256"],
            start=row["start"],
            end=row["end"],
            locator=row["locator"],
            zone=row["zone"],
            hidden=row["hidden"],
            text=text["number"],
            exhibit=exhibit,
        )

    def _groups(self, dossier: int, marks: list[dict[str, Any]]) -> tuple[CodeGroup, ...]:
        by_code: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in marks:
            by_code[row["code"]].append(row)
        groups = []
        for code in self.codebook.codes:
            if code.id not in by_code or code.kind == "referral":
                continue
            found = self._indicators(dossier, by_code[code.id])
            groups.append(
                CodeGroup(
                    code=code,
                    hooks=tuple(self.law.hooks[hook] for hook in code.hooks if hook in self.law.hooks),
                    raising=tuple(item for item in found if item.raises),
                    contrary=tuple(item for item in found if not item.raises and item.stance in CONTRARY),
                    context=tuple(item for item in found if not item.raises and item.stance not in CONTRARY),
                )
            )
        return tuple(groups)

    def _undefined(self, marks: dict[str, list[dict[str, Any]]]) -> tuple[tuple[str, int], ...]:
        """Codes on file that the codebook does not define, with the number of marks: they cannot be explained, so not shown."""
        known = set(self.codebook.code_ids)
        return tuple(
            Counter(row["code"] for found in marks.values() for row in found if row["code"] not in known).items()
        )

    def _code_counts(self, dossiers: Iterable[Dossier], kind: str) -> tuple[CodeCount, ...]:
        services: Counter[str] = Counter()
        indicators: Counter[str] = Counter()
        for dossier in dossiers:
            for group in dossier.groups:
                if group.raising:
                    services[group.code.id] += 1
                    indicators[group.code.id] += len(group.raising)
        return tuple(
            CodeCount(code, services[code.id], indicators[code.id]) for code in self.codebook.codes if code.kind == kind
        )

    # --- a service

    def _dossier(
        self,
        number: int,
        service: Service,
        visits: list[dict[str, Any]],
        pages: list[dict[str, Any]],
        skipped: list[dict[str, Any]],
        marks: list[dict[str, Any]],
        asked: tuple[Asked, ...],
        redirects: tuple[Redirect, ...],
        findings: tuple[Finding, ...],
        ties: list[Tie],
        changes: list[Change],
    ) -> Dossier:
        groups = self._groups(number, marks)
        on_page = Counter(
            item.sightings[0].url for group in groups for item in group.raising if group.code.kind == "claim"
        )
        listed = tuple(self._page(row, on_page) for row in pages)
        return Dossier(
            number=number,
            service=service,
            outcome=visits[-1]["outcome"] if visits else "not_visited",
            reached=any(row["has_text"] and row["outcome"] in ("ok", "truncated") for row in pages),
            visits=tuple(_visit(row) for row in visits),
            pages=listed[:PAGES_LISTED],
            pages_more=max(0, len(listed) - PAGES_LISTED),
            pages_with_text=sum(bool(row["has_text"]) for row in pages),
            redirects=redirects,
            not_looked=tuple(_not_looked(row) for row in skipped[:SKIPPED_LISTED]),
            groups=groups,
            asked=asked,
            findings=findings,
            ties=tuple(ties[:TIES_LISTED]),
            ties_more=max(0, len(ties) - TIES_LISTED),
            changes=tuple(changes[:CHANGES_LISTED]),
            changes_more=max(0, len(changes) - CHANGES_LISTED),
            media_without_alt=sum(row["media_without_alt"] for row in pages),
            beside=self._beside(service.service),
        )

    def _beside(self, service: str) -> Beside:
        """What its listings say and what its own pages say; nothing where there is no listing to set beside them."""
        if "listing_fields" not in self.tables:
            return Beside((), ())
        found = beside(self.connection, service)
        if not any(not item.code for item in found.listing):
            return Beside((), ())
        words = self.words.get(service, ())
        listing, landing = (
            tuple(
                replace(item, text=self.mask(_without(item.text, words)), url=defang(item.url))
                for item in side[:BESIDE_LISTED]
            )
            for side in (found.listing, found.landing)
        )
        return Beside(listing, landing)

    def _page(self, row: dict[str, Any], on_page: Counter[str]) -> Page:
        url = defang(row["url"])
        return Page(
            url=url,
            role=row["role"],
            title=self.mask(_whole(row["title"], self.words.get(row["service"], ()))),
            outcome=row["outcome"],
            reason=row["reason"],
            rule=row["rule"],
            status="" if row["status"] is None else str(row["status"]),
            seen=row["seen"],
            attempts=row["attempts"],
            fetchers=tuple(_FETCHERS.get(name, name) for name in row["fetchers"]),
            indicators=on_page[url],
            media_without_alt=row["media_without_alt"],
        )

    def _coverage(self, dossiers: Sequence[Dossier]) -> tuple[Coverage, ...]:
        seen = {row["service"]: row for row in self._rows(_COVERAGE)}
        empty = dict.fromkeys(("seen", "tried", "text", "other", "refused", "skipped", "not_reached"), 0)
        return tuple(
            Coverage(
                dossier=dossier.number,
                **{"service": dossier.service.service, **(seen.get(dossier.service.service) or empty)},
            )
            for dossier in dossiers
        )

    def _asked(self) -> dict[str, tuple[Asked, ...]]:
        """What pages ask for, by service: each value with the number of addresses that it was seen on."""
        counts: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
        for row in self._rows(_PAGE_FACTS):
            page = json.loads(row["page"])
            for name, _, _ in _ASKED:
                for value in page.get(name) or ():
                    text = f"{value[0]}: {value[1]}" if isinstance(value, list) else str(value)
                    counts[row["service"]][name][text].add(row["url"])
            for text in filter(None, (page.get("generator"), _header(row["headers"], "server"))):
                counts[row["service"]]["software"][text].add(row["url"])
        found: dict[str, tuple[Asked, ...]] = {}
        for service, kinds in counts.items():
            found[service] = tuple(
                self._asked_kind(title, note, kinds[name]) for name, title, note in _ASKED if kinds.get(name)
            )
        return found

    def _asked_kind(self, title: str, note: str, values: dict[str, set[str]]) -> Asked:
        ordered = sorted(((text, len(urls)) for text, urls in values.items()), key=lambda item: (-item[1], item[0]))
        shown = tuple((self.mask(text), count) for text, count in ordered[:VALUES_LISTED])
        return Asked(title, note, shown, max(0, len(ordered) - VALUES_LISTED))

    def _redirects(self) -> dict[str, tuple[Redirect, ...]]:
        found: dict[str, dict[tuple[str, ...], Redirect]] = defaultdict(dict)
        for row in self._rows(_REDIRECTS):
            hops = json.loads(row["hops"])
            steps = [defang(hop["url"]) for hop in hops] + [defang(row["url"])]
            kinds = [_KINDS.get(hop["kind"], hop["kind"]) for hop in hops]
            if row["redirect_to"]:
                steps.append(defang(row["redirect_to"]))
                kinds.append(_KINDS.get(row["redirect_kind"], row["redirect_kind"] or "not followed"))
            found[row["service"]][tuple(steps)] = Redirect(tuple(steps), tuple(kinds))
        return {service: _longest(list(chains.values())) for service, chains in found.items()}

    def _findings(self) -> dict[str, tuple[Finding, ...]]:
        """Findings by each service they concern; the strongest first."""
        if "finding_sides_read" not in self.tables:
            return {}
        sides = _by([row for row in self._rows(_SIDES) if self._open(row)], "finding")
        found: dict[str, list[Finding]] = defaultdict(list)
        for row in self._rows(_FINDINGS):
            its_sides = sides.get(row["finding"], [])
            finding = Finding(
                finding=row["finding"],
                kind=row["kind"],
                rule=row["rule"],
                services=tuple(row["services"]),
                codes=tuple(row["codes"]),
                status=row["status"],
                strength=row["strength"],
                title=self.mask(row["title"]),
                reason=self.mask(self._quiet(row["reason"], row["services"])),
                sides=tuple(self._side(side) for side in its_sides[:SIDES_LISTED]),
                sides_more=max(0, len(its_sides) - SIDES_LISTED),
                searched=(row["read"], row["unread"]),
            )
            for service in row["services"]:
                if service in self.numbers:
                    found[service].append(finding)
        return {service: tuple(items) for service, items in found.items()}

    def _quiet(self, text: str, services: Iterable[str]) -> str:
        for service in services:
            text = _without(text, self.words.get(service, ()))
        return text

    def _side(self, row: dict[str, Any]) -> Side:
        third_party = row["kind"] in _REPEATED or self._third_party(row)
        before, quote, after = self._masked(row, third_party)
        return Side(
            part=row["part"],
            service=row["service"],
            says=self.mask(self._quiet(row["says"], [row["service"]])),
            before=before,
            quote=quote,
            after=after,
            url=defang(row["url"]),
            page_role=row["page_role"],
            seen=row["seen"],
            last_seen=row["last_seen"],
            text_sha256=row["text_sha256"],
            observation=row["observation"],
        )

    def _ties(self) -> dict[str, list[Tie]]:
        """What each service shares with another one, the most telling first."""
        found: dict[str, list[Tie]] = defaultdict(list)
        if "operator_links" in self.tables:
            for row in self._rows(_TIES):
                for one, other in ((row["a"], row["b"]), (row["b"], row["a"])):
                    if one in self.numbers:
                        value = self.mask(self._quiet(row["value"], (one, other)))
                        found[one].append(
                            Tie(other, self.numbers.get(other, 0), row["kind"], value, row["weight"], row["reason"])
                        )
        return found

    def _changes(self) -> dict[str, list[Change]]:
        """What changed at each service between two visits, without anything that touches a referral code."""
        found: dict[str, list[Change]] = defaultdict(list)
        if "changes" not in self.tables:
            return found
        for row in self._rows(_CHANGES):
            said = f"{row['before']}\n{row['after']}"
            if self.codebook.referral_codes & set(row["codes"]) or self._quiet(said, [row["service"]]) != said:
                continue
            found[row["service"]].append(
                Change(
                    kind=row["kind"],
                    url=defang(row["url"]),
                    from_seen=row["from_seen"],
                    to_seen=row["to_seen"],
                    before=self.mask(row["before"]),
                    after=self.mask(row["after"]),
                    codes=tuple(row["codes"]),
                )
            )
        return found

    def _method(self) -> Method:
        run = next(iter(self._rows("SELECT * FROM analyses ORDER BY made DESC LIMIT 1")), None)
        wanted = {row["environment"] for row in self._rows(_VISITS)}
        environments = tuple(
            (entry.body["id"], _flat(entry.body["record"]))
            for entry in self.case.ledger.events("environment.recorded")
            if entry.body["id"] in wanted or not wanted
        )
        policies = tuple(_flat(json.loads(row["policy"])) for row in self._rows(_POLICIES))
        return Method(
            extractor=run["extractor"] if run else "",
            codebook_sha256=run["codebook_sha256"] if run else "",
            model_sha256=run["model_sha256"] if run else "",
            analyzed=run["made"] if run else "",
            environments=environments,
            policies=policies,
            user_agents=tuple(row["user_agent"] for row in self._rows(_USER_AGENTS)),
            robots=tuple((row["outcome"], row["services"]) for row in self._rows(_ROBOTS)),
        )


def meaning(outcome: str) -> str:
    """The sentence for an outcome of an attempt or of a visit."""
    if outcome in _VISIT_MEANING:
        return _VISIT_MEANING[outcome]
    try:
        return Outcome(outcome).meaning
    except ValueError:
        return "No sentence is on file for this outcome."


_VISIT_MEANING: Final = {
    "reached": "At least one page of the service was read.",
    "not_visited": "The service is on the list; no visit of it is on file.",
    "nothing": "The visit ended without any answer on file.",
    "imported": "Captured by others and taken in from their file; what they saw, and when, is as their file states it.",
}

# The fetcher's name as a reader of the report needs it.
_FETCHERS: Final = {"import": "captured by others"}

# Kinds of findings whose sides are words that are put in other people's mouths.
_REPEATED: Final = frozenset({"duplicate", "near-duplicate"})

_KINDS: Final = {
    "http": "HTTP redirect",
    "refresh": "Refresh header",
    "meta": "meta refresh",
    "script": "script",
    "history": "script (history)",
    "link": "link",
}

_ASKED: Final = (
    (
        "hosts_asked",
        "Third-party hosts asked for",
        "Hosts that pages ask a browser to load from; media were not fetched.",
    ),
    ("tag_ids", "Tag, analytics and verification ids", "Identifiers in the source of pages."),
    ("sign_on", "Sign-on", "Addresses of other parties' sign-on; never followed."),
    ("payment", "Payment", "Addresses and hosts of payment; never followed."),
    ("form_actions", "Forms", "Method and target of forms; none was sent."),
    ("cookie_names", "Cookies set", "Names only; values were not kept."),
    ("csp_hosts", "Hosts named in the content security policy", "Where the server lets its pages load from."),
    ("emails", "Contact addresses", "E-mail addresses printed on pages."),
    ("affiliate_params", "Affiliate parameters", "Parameters of outgoing links."),
    ("alternates", "Other addresses it names for itself", "Language alternates."),
    ("software", "Software named", "Server and generator as they call themselves."),
)


def _by(found: list[dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        grouped[row[name]].append(row)
    return grouped


def _whole(text: str, words: Iterable[str]) -> str:
    """*text*, or a mark that it was left out where it holds any of *words*: the rest of a title would tell what they were."""
    return text if _without(text, words) == text else "…"


def _without(text: str, words: Iterable[str]) -> str:
    for quote in words:
        if quote and quote in text:
            text = text.replace(quote, "…")
    return text


def _visit(row: dict[str, Any]) -> VisitFacts:
    first, again, other = row["text_a"], row["text_a2"], row["text_b"]
    if not first or not other:
        same = "The entry page was not read in a second profile."
    elif first == other:
        same = "The entry page read the same in both profiles."
    elif again and first != again:
        same = "The entry page changed between two readings in the same profile, so that the second profile differed says little."
    else:
        same = "The entry page read differently in the second profile, and as before when the first profile came again."
    return VisitFacts(
        visit=row["visit"],
        started=row["started"],
        ended=row["ended"],
        outcome=row["outcome"],
        reason=row["reason"],
        observations=row["observations"],
        addresses=row["addresses"],
        partial=tuple(row["partial"]),
        resumed=row["resumed"],
        environment=row["environment"],
        head=row["head"],
        same_profile=same,
    )


def _not_looked(row: dict[str, Any]) -> NotLooked:
    return NotLooked(
        row["decision"], row["rule"], row["reason"], row["count"], tuple(defang(url) for url in row["examples"])
    )


def _header(headers: str, name: str) -> str:
    return next((value for key, value in json.loads(headers) if key.lower() == name), "")


def _longest(chains: list[Redirect]) -> tuple[Redirect, ...]:
    """Chains that are not the beginning of another one."""
    steps = [chain.steps for chain in chains]
    return tuple(
        chain
        for chain in chains
        if not any(other != chain.steps and other[: len(chain.steps)] == chain.steps for other in steps)
    )


def _flat(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found.extend(_flat(value))
        elif isinstance(value, list):
            found.append((name, ", ".join(str(item) for item in value)))
        else:
            found.append(
                (name, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value))
            )
    return tuple(found)


_TABLES: Final = "SELECT table_name AS name FROM information_schema.tables"

_VISITS: Final = """
WITH entry AS (
    SELECT o.visit, o.profile, o.purpose, o.seq, t.text_sha256
    FROM observations o JOIN observation_texts ot USING (observation) JOIN texts t USING (text_id)
    WHERE o.fetcher = 'http' AND o.purpose IN ('entry', 'profile') AND o.requested_url IN (
        SELECT requested_url FROM observations p WHERE p.visit = o.visit AND p.purpose = 'profile')
)
SELECT v.*, (SELECT arg_min(text_sha256, seq) FROM entry e WHERE e.visit = v.visit AND e.profile = 'A') AS text_a,
       (SELECT arg_min(text_sha256, seq) FROM entry e WHERE e.visit = v.visit AND e.profile = 'A2') AS text_a2,
       (SELECT arg_min(text_sha256, seq) FROM entry e WHERE e.visit = v.visit AND e.profile = 'B') AS text_b
FROM visits v JOIN chosen USING (service) ORDER BY v.service, v.started
"""

# One row an address. The attempt that tells most stands for it: text before none, then the latest.
_PAGES: Final = """
WITH attempts AS (
    SELECT o.*, t.page_role, t.title, t.media_without_alt,
           o.stored_as IN ('response', 'conversion') AS has_text
    FROM observations o JOIN chosen USING (service)
    LEFT JOIN observation_texts ot USING (observation) LEFT JOIN texts t USING (text_id)
    WHERE o.purpose IN ('entry', 'page', 'profile', 'rendered')
)
SELECT service, requested_url AS url, arg_max(outcome, (has_text::INTEGER, started)) AS outcome,
       arg_max(reason, (has_text::INTEGER, started)) AS reason, arg_max(rule, (has_text::INTEGER, started)) AS rule,
       arg_max(status, (has_text::INTEGER, started)) AS status, min(started) AS seen, count(*) AS attempts,
       list_sort(list(DISTINCT fetcher)) AS fetchers, bool_or(has_text) AS has_text,
       coalesce(arg_max(page_role, started) FILTER (WHERE page_role IS NOT NULL), any_value(role)) AS role,
       coalesce(arg_max(title, started) FILTER (WHERE title <> ''), '') AS title,
       coalesce(max(media_without_alt), 0) AS media_without_alt, min(seq) AS first_seq, min(visit) AS first_visit
FROM attempts GROUP BY service, requested_url ORDER BY service, first_visit, first_seq
"""

_NOT_LOOKED: Final = """
SELECT v.service, a.decision, a.rule, a.reason, count(DISTINCT a.url) AS count,
       list_slice(list_sort(list(DISTINCT a.url)), 1, 8) AS examples
FROM addresses_decided a JOIN visits v USING (visit) JOIN chosen USING (service)
WHERE a.decision <> 'fetched' GROUP BY ALL ORDER BY v.service, count DESC, a.rule, a.reason
"""

_NOT_LOOKED_ALL: Final = """
SELECT a.decision, a.rule, a.reason, count(DISTINCT (v.service, a.url)) AS count, []::VARCHAR[] AS examples
FROM addresses_decided a JOIN visits v USING (visit) JOIN chosen USING (service)
WHERE a.decision <> 'fetched' GROUP BY ALL ORDER BY count DESC, a.rule, a.reason
"""

_COVERAGE: Final = """
WITH tried AS (
    SELECT o.service, o.requested_url AS url, bool_or(o.stored_as IN ('response', 'conversion')) AS text,
           bool_or(o.outcome IN ('redirect', 'not_text', 'no_content', 'too_large')) AS other
    FROM observations o JOIN chosen USING (service)
    WHERE o.purpose IN ('entry', 'page') GROUP BY ALL
), decided AS (
    SELECT v.service, count(DISTINCT a.url) AS seen,
           count(DISTINCT a.url) FILTER (WHERE a.decision = 'skipped') AS skipped,
           count(DISTINCT a.url) FILTER (WHERE a.decision = 'not_reached') AS not_reached
    FROM addresses_decided a JOIN visits v USING (visit) JOIN chosen USING (service) GROUP BY ALL
)
SELECT c.service, coalesce(any_value(d.seen), 0) AS seen, count(t.url) AS tried,
       count(*) FILTER (WHERE t.text) AS text, count(*) FILTER (WHERE NOT t.text AND t.other) AS other,
       count(*) FILTER (WHERE NOT t.text AND NOT t.other) AS refused,
       coalesce(any_value(d.skipped), 0) AS skipped, coalesce(any_value(d.not_reached), 0) AS not_reached
FROM chosen c LEFT JOIN tried t USING (service) LEFT JOIN decided d USING (service) GROUP BY c.service
"""

_SENSITIVE: Final = """
SELECT DISTINCT o.service, f.text_id, f.ordinal, f.start, f."end", f.quote, f.code
FROM flags f JOIN observation_texts ot USING (text_id) JOIN observations o USING (observation) JOIN chosen USING (service)
WHERE f.sensitive
"""

_MARKS: Final = f"""
SELECT s.service, s.flag, s.text_id, s.ordinal, s.code, s.stance, s.raises, s.confidence, s.rule, s.url, s.seen, s.visit,
       s.observation, s.page_role, s.zone, s.heading, s.list_intro, s.locator, s.hidden, s.text_sha256, s.stored_sha256,
       s.fetcher, s.start, s."end", p.lang, o.profile, o.warc_record,
       CASE WHEN length(s.quote) > {QUOTE_CHARACTERS} THEN s.quote[:{QUOTE_CHARACTERS}]
            || ' […' || (length(s.quote) - {QUOTE_CHARACTERS}) || ' more characters]' ELSE s.quote END AS quote,
       CASE WHEN s.quote_start > {CONTEXT_CHARACTERS} THEN '…' ELSE '' END
            || s.passage[greatest(s.quote_start - {CONTEXT_CHARACTERS}, 0) + 1 : s.quote_start] AS before,
       s.passage[s.quote_end + 1 : s.quote_end + {CONTEXT_CHARACTERS}]
            || CASE WHEN length(s.passage) - s.quote_end > {CONTEXT_CHARACTERS} THEN '…' ELSE '' END AS after
FROM flags_seen s JOIN chosen USING (service) JOIN observations o ON o.observation = s.observation
JOIN passages p ON p.text_id = s.text_id AND p.ordinal = s.ordinal
WHERE NOT s.sensitive
ORDER BY s.service, s.code, s.confidence DESC, o.profile, o.fetcher DESC, s.seen, o.visit, o.seq, s.start, s.flag
"""  # noqa: S608 - whole numbers of our own

_PAGE_FACTS: Final = """
SELECT o.service, o.requested_url AS url, o.page::VARCHAR AS page, o.headers::VARCHAR AS headers
FROM observations o JOIN chosen USING (service)
WHERE o.page IS NOT NULL AND o.purpose <> 'subresource'
"""

_REDIRECTS: Final = """
SELECT o.service, o.requested_url AS url, o.hops::VARCHAR AS hops, o.redirect_to, o.redirect_kind
FROM observations o JOIN chosen USING (service)
WHERE o.purpose IN ('entry', 'page', 'rendered') AND (o.redirect_to <> '' OR json_array_length(o.hops) > 0)
ORDER BY o.visit, o.seq
"""

_OUTCOMES: Final = """
SELECT o.outcome, count(*) AS attempts, count(DISTINCT o.service) AS services
FROM observations o JOIN chosen USING (service) WHERE o.purpose IN ('entry', 'page')
GROUP BY o.outcome ORDER BY attempts DESC, o.outcome
"""

_COUNTS: Final = """
SELECT count(DISTINCT t.text_id) AS texts,
       (SELECT count(*) FROM passages p WHERE p.text_id IN (
            SELECT ot.text_id FROM observation_texts ot JOIN observations o USING (observation) JOIN chosen USING (service)
       )) AS passages
FROM texts t JOIN observation_texts ot USING (text_id) JOIN observations o USING (observation) JOIN chosen USING (service)
"""

_POLICIES: Final = (
    "SELECT DISTINCT policy::VARCHAR AS policy FROM visits JOIN chosen USING (service) ORDER BY 1 LIMIT 5"
)

_USER_AGENTS: Final = """
SELECT DISTINCT user_agent FROM observations JOIN chosen USING (service) WHERE user_agent <> '' ORDER BY 1 LIMIT 10
"""

_ROBOTS: Final = """
SELECT outcome, count(DISTINCT service) AS services FROM observations JOIN chosen USING (service)
WHERE purpose = 'robots' GROUP BY outcome ORDER BY services DESC, outcome
"""

_VERDICTS: Final = """
SELECT DISTINCT u.service, u.flag, d.verdict, d.coder, d.role, d.made AS at, d.labels
FROM decisions_last d JOIN units u ON u.unit = d.unit JOIN chosen c ON c.service = u.service
ORDER BY d.made
"""

_FINDINGS: Final = """
SELECT f.*, (SELECT count(*) FROM finding_searches s WHERE s.finding = f.finding AND s.reached) AS read,
       (SELECT count(*) FROM finding_searches s WHERE s.finding = f.finding AND NOT s.reached) AS unread
FROM findings f
WHERE NOT f.sensitive AND list_has_any(f.services, (SELECT list(service) FROM chosen))
ORDER BY list_position(['found', 'explained', 'not_determinable', 'met'], f.status),
         list_position(['strong', 'moderate', 'weak'], f.strength), f.kind, f.finding
"""

_SIDES: Final = f"""
SELECT s.finding, s.kind, s.part, s.service, s.says, s.url, s.page_role, s.seen, s.last_seen, s.text_sha256, s.observation,
       s.text_id, s.ordinal, s.start, s."end", coalesce(s.heading, '') AS heading, coalesce(s.list_intro, '') AS list_intro,
       s.quote[:{QUOTE_CHARACTERS}] || CASE WHEN length(s.quote) > {QUOTE_CHARACTERS} THEN '…' ELSE '' END AS quote,
       coalesce(CASE WHEN s.quote_start >= 0 AND s.quote_end <= length(s.passage)
            THEN CASE WHEN s.quote_start > {CONTEXT_CHARACTERS} THEN '…' ELSE '' END
            || s.passage[greatest(s.quote_start - {CONTEXT_CHARACTERS}, 0) + 1 : s.quote_start] END, '') AS before,
       coalesce(CASE WHEN s.quote_start >= 0 AND s.quote_end <= length(s.passage)
            THEN s.passage[s.quote_end + 1 : s.quote_end + {CONTEXT_CHARACTERS}]
            || CASE WHEN length(s.passage) - s.quote_end > {CONTEXT_CHARACTERS} THEN '…' ELSE '' END END, '') AS after
FROM finding_sides_read s JOIN chosen USING (service)
WHERE NOT s.sensitive ORDER BY s.finding, s.number
"""  # noqa: S608 - whole numbers of our own

_TIES: Final = """
SELECT * FROM operator_links
WHERE a IN (SELECT service FROM chosen) OR b IN (SELECT service FROM chosen)
ORDER BY weight DESC, kind, value, a, b
"""

_CHANGES: Final = f"""
SELECT c.service, c.kind, c.url, c.from_seen, c.to_seen, c.before[:{QUOTE_CHARACTERS}] AS before,
       c.after[:{QUOTE_CHARACTERS}] AS after, c.codes
FROM changes c JOIN chosen USING (service)
WHERE NOT EXISTS (SELECT 1 FROM flags f WHERE f.sensitive AND list_contains(c.flags, f.flag))
ORDER BY c.service, c.to_seen, len(c.codes) = 0, c.url, c.change
"""  # noqa: S608 - whole numbers of our own
