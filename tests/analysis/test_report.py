"""What a report says of a case, and what it never says."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.masking import Masker
from analysis.report.figures import Bar, UnsafeFigure, bar_figure, clean
from analysis.report.gather import CONTRARY, Snapshot, gather
from analysis.report.html import figures, ranges, render
from analysis.report.shown import QUOTE_CHARACTERS, harmless
from data.case import Case, CaseFacts, make_case
from data.export.exhibits import find_exhibits
from data.export.selection import closed_visits, ledger_lines
from data.law import load_law
from data.outcomes import Outcome
from data.records import Service
from data.seal import make_key, make_seal
from data.store import append, reading, rows, transaction, writing
from tests.analysis.report_case import (
    DOWN,
    HOSTILE,
    LONG_WORD,
    MINORS,
    PLAIN,
    PROMISE,
    RETENTION,
    UNVISITED,
    report_case,
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return report_case(tmp_path_factory.mktemp("report") / "case")


@pytest.fixture(scope="module")
def snapshot(case: Case) -> Snapshot:
    return gather(case)


@pytest.fixture(scope="module")
def page(snapshot: Snapshot) -> str:
    return render(snapshot)


class _Tags(HTMLParser):
    """Every tag with its attributes, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _section(page: str, identifier: str) -> str:
    start = page.index(f'id="{identifier}"')
    following = re.compile(r'<section[^>]* id="(?!s-)|<section class="dossier"').search(page, start)
    return page[start : following.start() if following else len(page)]


def _words(markup: str) -> str:
    return re.sub(r"\s+", " ", "".join(_Tags(markup).words))


# --- what stands in it


def test_every_indicator_is_quoted_with_stance_rule_confidence_place_and_hash(case: Case, page: str) -> None:
    with reading(case) as connection:
        found = rows(connection, "SELECT * FROM flags_seen WHERE raises AND NOT sensitive AND service = ?", [PLAIN])
    assert len(found) >= 3
    dossier = _section(page, "s-1")
    said = _words(dossier)
    for row in found:
        assert (
            f"<mark>{html.escape(row['quote']).replace('priya.n@mail.invalid', 'priya.n[at]mail[.]invalid')}</mark>"
            in dossier
        )
        assert f"rule {row['rule']} · confidence {row['confidence']:.2f}" in said
        assert row["stance"] in said
        assert f"text sha256 {row['text_sha256']}" in said
        assert f"locator {row['locator']}" in said
        assert f"characters {row['start']} to {row['end']}" in said
        assert row["url"].replace("http://lantern.example", "hxxp://lantern[.]example") in said


def test_a_quote_stands_in_its_passage_under_its_heading(snapshot: Snapshot, page: str) -> None:
    promise = next(
        item for group in snapshot.dossiers[0].groups for item in group.raising if item.quote.startswith("We delete")
    )
    assert promise.quote == PROMISE
    assert promise.after == " Nobody can trace you."
    assert "Your privacy" in promise.heading
    assert f"<mark>{PROMISE}</mark> Nobody can trace you." in page


def test_contrary_text_of_the_same_code_stands_beside_the_indicator(snapshot: Snapshot, page: str) -> None:
    group = next(group for group in snapshot.dossiers[0].groups if group.code.id == "D04")
    assert [item.quote for item in group.raising] == [PROMISE]
    assert [item.quote for item in group.contrary] == [RETENTION]
    assert all(item.stance in CONTRARY for item in group.contrary)
    block = page[page.index('data-code="D04"') :]
    assert block.index("What it says") < block.index(PROMISE) < block.index("Contrary or limiting text")
    assert block.index("Contrary or limiting text") < block.index(RETENTION)


def test_a_ban_alone_is_shown_and_said_to_be_no_indicator(page: str, snapshot: Snapshot) -> None:
    group = next(group for group in snapshot.dossiers[0].groups if group.code.id == "U01")
    assert not group.raising
    assert "Only forbidding, limiting or denying text; no indicator" in page
    assert "U01" not in snapshot.dossiers[0].codes


def test_the_same_words_on_several_pages_are_one_indicator_with_each_place(snapshot: Snapshot) -> None:
    group = next(group for group in snapshot.dossiers[0].groups if group.code.id == "R03")
    assert len(group.raising) == 1
    assert [place.url for place in group.raising[0].sightings] == [
        "hxxp://lantern[.]example/",
        "hxxp://lantern[.]example/privacy",
    ]


def test_each_code_names_the_law_it_may_bear_on_with_caution_and_date(page: str) -> None:
    hook = load_law().hooks["deception"]
    block = _words(page[page.index('data-code="D04"') :][:6000])
    assert f"May bear on: {hook.title}" in block
    assert hook.caution in block
    assert f"As of {hook.as_of}" in block


def test_figures_are_counts_with_their_denominator(snapshot: Snapshot, page: str) -> None:
    assert snapshot.reached == 2
    assert snapshot.with_indicator == 2
    said = _words(page)
    assert "2 of 4 services reached" in said
    assert "2 of 4 (50%) services on the list were reached" in said
    assert "Out of 2 services reached" in said


def test_the_figure_of_codes_says_what_its_table_says(snapshot: Snapshot) -> None:
    figure = figures(snapshot)["codes"]
    counted = {
        code.id: sum(any(g.code.id == code.id and g.raising for g in d.groups) for d in snapshot.dossiers)
        for code in snapshot.codebook.codes
        if code.kind == "claim"
    }
    assert {bar.short: bar.value for bar in figure.bars} == {name: count for name, count in counted.items() if count}
    for bar in figure.bars:
        assert f">{bar.value}</text>" in figure.wide


def test_what_was_not_reached_is_named_with_its_reason(page: str, snapshot: Snapshot) -> None:
    down, unvisited = snapshot.dossiers[2], snapshot.dossiers[3]
    assert (down.service.service, down.outcome, down.reached) == (DOWN, "refused", False)
    assert (unvisited.service.service, unvisited.outcome) == (UNVISITED, "not_visited")
    assert "the connection was refused" in _section(page, "s-3")
    assert "Nothing was read, so nothing is said about what this service offers." in _section(page, "s-3")
    assert "No visit of this service is on file." in _section(page, "s-4")
    assert "scope.off-site" in _section(page, "coverage")


def test_coverage_adds_up(snapshot: Snapshot) -> None:
    for row in snapshot.coverage:
        assert row.tried == row.text + row.other + row.refused
        assert row.seen == row.tried + row.skipped + row.not_reached
    assert sum(row.attempts for row in snapshot.attempts) == 7


def test_the_limits_and_every_outcome_are_explained(page: str) -> None:
    said = _words(page)
    for phrase in (
        "were recorded by this tool",
        "shown at the moment given",
        "without a text alternative are counted",
        "Flags are indicators",
        "recording machine's clock",
    ):
        assert phrase in said
    for outcome in Outcome:
        assert outcome.meaning in said


def test_an_exhibit_has_the_number_that_the_export_gives_it(case: Case, snapshot: Snapshot) -> None:
    with reading(case) as connection:
        exported = {
            row["exhibit"]: (row["address"], row["quote"])
            for row in find_exhibits(connection, list(closed_visits(ledger_lines(case))))
        }
    shown = {
        place.exhibit: (place.url, item.quote)
        for dossier in snapshot.dossiers
        for group in dossier.groups
        for item in group.raising
        for place in item.sightings
    }
    assert shown == {name: exported[name] for name in shown}
    assert len(shown) >= 5


def test_runs_of_exhibit_numbers_are_joined() -> None:
    assert ranges(["EX-0001", "EX-0002", "EX-0003", "EX-0007"]) == "EX-0001 to EX-0003, EX-0007"
    assert ranges([]) == ""


def test_wording_is_that_of_indicators_never_of_verdicts(page: str) -> None:
    said = _words(re.sub(r"<blockquote.*?</blockquote>", "", page, flags=re.S)).lower()
    assert "possible indicators" in said
    for verdict in ("violates", "violated", "guilty", "scam", "fraudulent practice", "is illegal", "offender"):
        assert verdict not in said


# --- what never stands in it


def test_nothing_that_may_refer_to_minors_is_quoted_or_counted(case: Case, snapshot: Snapshot, page: str) -> None:
    with reading(case) as connection:
        sensitive = rows(connection, "SELECT * FROM flags_seen WHERE sensitive")
    assert {row["code"] for row in sensitive} >= {"M01"}
    assert "classmates" not in page
    assert MINORS not in page
    for row in sensitive:
        assert row["flag"] not in page
    assert all(group.code.id != "M01" for dossier in snapshot.dossiers for group in dossier.groups)
    assert "M01" not in {count.code.id for count in snapshot.codes}


def test_other_marks_of_a_closed_passage_stay_closed_even_where_they_are_not_flagged_so(tmp_path: Path) -> None:
    case = report_case(tmp_path / "case")
    with writing(case) as connection:
        connection.execute("UPDATE flags SET sensitive = false WHERE code <> 'M01'")
    page = render(gather(case))
    assert "classmates" not in page
    assert "under 18." not in page
    assert "Completely free, no filters." in page  # its own words hold nothing of the kind; its context is left out


def test_the_note_on_the_referral_queue_is_the_same_with_and_without_a_queue(tmp_path: Path, page: str) -> None:
    empty = render(gather(make_case(tmp_path / "case", CaseFacts(title="Empty"))))
    note = re.compile(r"Anything that may refer to minors.*?</p>", re.S)
    assert note.findall(_block(page)) == note.findall(_block(empty)) != []


def _block(page: str) -> str:
    return page[page.index('class="reading"') :]


# --- hostile text


def test_page_text_cannot_become_markup(page: str) -> None:
    tags = _Tags(page).tags
    assert [tag for tag, _ in tags if tag == "script"] == ["script"]
    assert not [tag for tag, _ in tags if tag in ("img", "iframe", "object", "embed", "base", "i", "b")] or all(
        attributes.get("class") == "stance" for tag, attributes in tags if tag == "b"
    )
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(3)&lt;/script&gt;" in page


def test_nothing_in_it_leads_or_loads_from_elsewhere(page: str) -> None:
    for tag, attributes in _Tags(page).tags:
        for name in ("href", "src", "action", "data", "poster", "srcset", "xlink:href", "formaction", "cite"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or (tag, value) == ("link", "data:,"), (tag, name, value)
        assert "style" not in attributes
    assert not re.search(r"https?://", page)
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_link_leads_to_a_place_in_the_report(page: str) -> None:
    tags = _Tags(page).tags
    places = [attributes["id"] for _, attributes in tags if attributes.get("id")]
    assert len(places) == len(set(places))
    targets = {
        str(attributes["href"])[1:] for _, attributes in tags if str(attributes.get("href") or "").startswith("#")
    }
    assert targets <= set(places)
    labels = {name for _, attributes in tags for name in str(attributes.get("aria-labelledby") or "").split()}
    assert labels <= set(places)


def test_addresses_and_contacts_in_quotes_are_defanged(page: str) -> None:
    assert "hxxps://pay[.]hostile[.]example/now" in page
    assert "mia[at]hostile[.]example" in page
    assert "hostile.example" not in page


def test_controls_and_direction_marks_are_written_out(page: str) -> None:
    assert "⟦U+202E⟧txet desrever⟦U+202C⟧" in page
    assert "⟦U+001B⟧[31mred" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_a_word_of_a_megabyte_is_clipped_and_the_rest_counted(tmp_path: Path) -> None:
    case = report_case(tmp_path / "case")
    with writing(case) as connection, transaction(connection):
        [text] = rows(connection, "SELECT text_id FROM texts WHERE title = 'Lantern Studio'")
        place = {"text_id": text["text_id"], "ordinal": 900, "start": 0, "end": len(LONG_WORD)}
        passage = {"zone": "main", "role": "p", "heading": LONG_WORD, "list_intro": LONG_WORD, "locator": "/p",
                   "hidden": "", "lang": "en", "text": LONG_WORD}  # fmt: skip
        flag = {"flag": "F-long", "code": "D01", "stance": "PROMO", "quote": LONG_WORD, "confidence": 0.5,
                "rule": "D01.x", "raises": True, "sensitive": False, "analysis": "x"}  # fmt: skip
        append(connection, "passages", [{**place, **passage}])
        append(connection, "flags", [{**place, **flag}])
    page = render(gather(case))
    assert f"[…{1_000_000 - QUOTE_CHARACTERS} more characters]" in page
    assert len(page) < 300_000


def test_a_title_of_the_case_cannot_leave_its_place_in_the_style(tmp_path: Path) -> None:
    title = 'x"; } </style><script>alert(1)</script> \\'
    page = render(gather(make_case(tmp_path / "case", CaseFacts(title=title))))
    assert [tag for tag, _ in _Tags(page).tags if tag in ("script", "style")] == ["style", "script"]
    assert "\\000022\\00003b" in page


def test_the_policy_lets_only_its_own_script_and_style_run(page: str) -> None:
    import base64
    import hashlib

    policy = next(
        str(attributes["content"])
        for tag, attributes in _Tags(page).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    for name in ("style", "script"):
        [content] = re.findall(f"<{name}>(.*?)</{name}>", page, flags=re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_a_figure_holds_only_shapes() -> None:
    figure = bar_figure("f", "T", "A", "B", [Bar("<x>", "<script>alert(1)</script>", 2)], 3, noun="things")
    assert {tag for tag, _ in _Tags(figure.wide + figure.narrow).tags} <= {
        "svg",
        "g",
        "path",
        "rect",
        "line",
        "text",
        "tspan",
    }
    assert not re.search(r"(?i)href|url\(|style=|\son\w+=|http", figure.wide + figure.narrow)
    for hostile in ("script", "image", "use", "foreignObject", "a", "animate"):
        with pytest.raises(UnsafeFigure, match=hostile):
            clean(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><{hostile}/></svg>')


# --- the shapes a report takes


def test_the_same_case_gives_the_same_page(case: Case, snapshot: Snapshot, page: str) -> None:
    again = render(gather(case))
    assert again.replace(_made(again), "") == page.replace(_made(page), "")


def _made(page: str) -> str:
    match = re.search(r"Report made</dt><dd>([^<]*)<", page)
    assert match
    return match[1]


def test_one_service_alone_can_be_reported(case: Case) -> None:
    page = render(gather(case, [PLAIN]))
    assert "This report covers 1 of 4 services" in page
    assert DOWN not in page
    assert "hostile" not in page.lower().replace(html.escape(HOSTILE).lower(), "")


def test_a_service_that_is_not_on_the_list_is_named(case: Case) -> None:
    with pytest.raises(KeyError, match="Lantern Studyo"):
        gather(case, ["Lantern Studyo"])


def test_third_parties_are_masked_and_the_mark_stays_on_the_rest(tmp_path: Path) -> None:
    case = report_case(tmp_path / "case")
    page = render(gather(case, masker=Masker.of(case)))
    assert "Priya Natarajan" in render(gather(case))
    assert "Natarajan" not in page
    assert "priya.n@mail.invalid" not in page
    assert re.search(r"<mark>[^<]*flawless[^<]*\[email:[0-9a-f]{6}\][^<]*\[name:[0-9a-f]{6}\][^<]*</mark>", page)
    assert "are hidden behind tokens" in _words(page)
    assert "are hidden behind tokens" not in _words(render(gather(case)))


def test_a_name_that_stands_across_the_end_of_a_quote_is_masked_whole(tmp_path: Path) -> None:
    case = report_case(tmp_path / "case")
    with writing(case) as connection:
        [row] = rows(connection, "SELECT * FROM flags_seen WHERE code = 'R01' LIMIT 1")
        cut = row["passage"].index("Natarajan")
        connection.execute(
            'UPDATE flags SET quote = ?, "end" = start + ? WHERE flag = ?',
            [row["passage"][row["quote_start"] : cut], cut - row["quote_start"], row["flag"]],
        )
    page = render(gather(case, masker=Masker.of(case)))
    assert "Natarajan" not in page
    assert "Priya" not in page


def test_an_empty_case_makes_a_report_that_says_so(tmp_path: Path) -> None:
    page = render(gather(make_case(tmp_path / "case", CaseFacts(title="Empty", authority="A"))))
    said = _words(page)
    assert "No service is on the list yet" in said
    assert "Nothing was tried yet." in said
    assert "0 of 0 services reached" in said


def test_a_case_that_was_not_analyzed_says_so(tmp_path: Path) -> None:
    said = _words(render(gather(report_case(tmp_path / "case", analyzed=False))))
    assert "have not been analyzed yet" in said
    assert "not run yet" in said


def test_marks_of_a_code_that_the_codebook_lacks_are_counted_and_not_shown(tmp_path: Path) -> None:
    case = report_case(tmp_path / "case")
    with writing(case) as connection:
        connection.execute("UPDATE flags SET code = 'Z99' WHERE code = 'D04'")
    page = render(gather(case))
    assert re.search(r"does not define:\s+Z99 \(2\)\.", page)
    assert 'data-code="Z99"' not in page


def test_a_case_without_a_seal_is_called_unsealed_and_why(page: str) -> None:
    said = _words(page)
    assert "unsealed Reason: it was never sealed" in said


def test_a_sealed_case_is_called_sealed_with_head_and_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    case = report_case(tmp_path / "case")
    seal = make_seal(case, make_key())
    said = _words(render(gather(case)))
    assert "sealed Seal 1 covers every entry" in said
    assert seal.head in said
    assert seal.key in said
    case.record("services.added", {"services": [Service("Later", urls=("http://later.example/",)).as_json()]})
    assert "1 entries were added after the last seal" in _words(render(gather(case)))


def test_findings_ties_and_changes_appear_when_there_are_some(tmp_path: Path, page: str) -> None:
    assert 'id="findings"' not in page
    assert "What it shares with other services" not in page
    case = report_case(tmp_path / "case")
    with writing(case) as connection, transaction(connection):
        [flag] = rows(connection, "SELECT * FROM flags_seen WHERE code = 'D04' AND raises")
        finding = {"finding": "X-1", "kind": "X2", "rule": "X2.keep", "rules_version": "1", "services": (PLAIN,),
                   "codes": ("D04",), "status": "found", "strength": "strong", "title": "Home and policy differ",
                   "reason": "A deletion promise, and a period.", "details": "{}", "sensitive": False,
                   "content_sha256": "", "analysis": "a", "about": ""}  # fmt: skip
        side = {"finding": "X-1", "number": 1, "part": "promise", "service": PLAIN, "visit": flag["visit"],
                "observation": flag["observation"], "seen": flag["seen"], "last_observation": "", "last_seen": "",
                "url": flag["url"], "page_role": "home", "text_id": flag["text_id"], "ordinal": flag["ordinal"],
                "start": flag["start"], "end": flag["end"], "quote": flag["quote"], "says": "<b>deleted</b>",
                "flags": (flag["flag"],), "text_sha256": flag["text_sha256"], "stored_sha256": ""}  # fmt: skip
        link = {"link": "L-1", "a": PLAIN, "b": DOWN, "kind": "tag", "value": "GX-0001", "weight": 0.9, "holders": 2,
                "unrelated": 2, "reason": "the same counter"}  # fmt: skip
        change = {"change": "C-1", "service": PLAIN, "kind": "edited", "url": flag["url"], "from_visit": "a",
                  "to_visit": "b", "from_seen": flag["seen"], "to_seen": flag["seen"], "from_observation": "",
                  "to_observation": "", "before": "kept for 7 days", "after": "kept for 30 days", "context": "",
                  "codes": ("D04",), "flags": ("F-none",), "detail": ""}  # fmt: skip
        closed = {**finding, "finding": "X-2", "title": "Closed finding", "sensitive": True}
        hidden = {**change, "change": "C-2", "codes": ("M01",), "after": "closed change"}
        append(connection, "findings", [finding, closed])
        append(connection, "finding_sides", [side])
        append(connection, "operator_links", [link])
        append(connection, "changes", [change, hidden])
    page = render(gather(case))
    dossier = _section(page, "s-1")
    assert "Home and policy differ" in _section(page, "findings")
    assert "A deletion promise, and a period." in dossier
    assert f"<mark>{PROMISE}</mark> Nobody can trace you." in dossier
    assert "&lt;b&gt;deleted&lt;/b&gt;" in dossier
    assert "GX-0001" in dossier
    assert "GX-0001" in _section(page, "s-3")
    assert "kept for 7 days" in dossier
    assert "Closed finding" not in page
    assert "closed change" not in page


def test_a_persons_decision_stands_with_its_indicator(tmp_path: Path, page: str) -> None:
    assert "No person has decided on any of them yet." in page
    case = report_case(tmp_path / "case")
    with writing(case) as connection, transaction(connection):
        [unit] = rows(connection, "SELECT unit FROM units WHERE code = 'D04' AND raises")
        decision = {"entry": 1, "decision": "d1", "made": "2026-11-23T13:00:00.000Z", "coder": "first coder",
                    "role": "coder", "unit": unit["unit"], "kind": "flag", "service": PLAIN, "verdict": "confirm",
                    "labels": ("D04 PROMO",), "machine": "", "note": "a private note", "sample": "", "revealed": False,
                    "took_ms": 1, "codebook_sha256": "", "merged": False}  # fmt: skip
        append(connection, "decisions", [decision])
    page = render(gather(case))
    assert re.search(r"A person has decided on 1 of \d+ \(\d+%\) of the indicators", page)
    assert ">confirm</b> by first coder (coder), 2026-11-23 13:00:00 Z: D04 PROMO" in page
    assert "a private note" not in page


def test_headings_follow_in_order_and_table_cells_are_headed(page: str) -> None:
    tags = _Tags(page).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
    assert sum(tag == "caption" for tag, _ in tags) >= 6


def test_harmless_text_keeps_what_scripts_need() -> None:
    assert harmless("می\u200cخواهم 👩\u200d🔬") == "می\u200cخواهم 👩\u200d🔬"
    assert harmless("a\ud800b") == "a\ufffdb"
