"""The report as a Word document, for people who quote from it and comment in it."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from analysis.listings.beside import Beside, Said
from analysis.report.gather import meaning
from analysis.report.html import by_services, ranges, share, utc, words
from analysis.report.shown import clipped, defanged, harmless
from analysis.report.snapshot import CodeGroup, Dossier, Indicator, Snapshot
from analysis.report.wording import load_wording
from data.outcomes import Outcome

if TYPE_CHECKING:
    from docx.document import Document

_MARK: Final = "FDEEB5"
_CONTRARY: Final = "E4EFE6"
_HEADER: Final = "E9ECEF"


def word_document(snapshot: Snapshot) -> bytes:
    """*snapshot* as the bytes of a ``.docx`` file; the same parts in the same order as the HTML report."""
    return _Writer(snapshot).write()


class _Writer:
    """The document being written."""

    def __init__(self, snapshot: Snapshot) -> None:
        import docx

        self.case = snapshot
        self.wording = load_wording()
        self.document: Document = docx.Document()

    def write(self) -> bytes:
        self._set_up()
        for part in (self._cover, self._summary, self._coverage, self._method, self._services, self._texts, self._limits,
                     self._appendix):  # fmt: skip
            part()
        sink = io.BytesIO()
        self.document.save(sink)
        return sink.getvalue()

    # --- the document as such

    def _set_up(self) -> None:
        from docx.shared import Cm, Pt, RGBColor

        properties = self.document.core_properties
        properties.title = _own(f"{self.case.facts.title}: review report")
        properties.author = _own("; ".join(self.case.facts.operators)) or "Plainview"
        properties.comments = "Possible indicators, not findings of law"
        properties.language = "en"
        made = datetime.datetime.fromisoformat(self.case.made)
        properties.created = properties.modified = made.replace(tzinfo=None)
        normal = self.document.styles["Normal"]
        normal.font.name, normal.font.size = "Calibri", Pt(10.5)
        for number, size in enumerate((24, 17, 14, 12, 11)):
            style = self.document.styles["Title" if number == 0 else f"Heading {number}"]
            style.font.name, style.font.size = "Cambria", Pt(size)
            style.font.color.rgb = RGBColor(0x1C, 0x21, 0x26)
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2.2)
        section.header.paragraphs[0].text = _own(
            f"Plainview: {clipped(self.case.facts.title, 80)} ({self.case.seal.word})"
        )
        footer = section.footer.paragraphs[0]
        footer.add_run("Possible indicators, not findings of law    ")
        _field(footer, "PAGE")
        footer.add_run(" / ")
        _field(footer, "NUMPAGES")

    def _heading(self, text: str, level: int) -> None:
        self.document.add_heading(_own(text), level)

    def _line(self, text: str, style: str | None = None) -> Any:
        return self.document.add_paragraph(_own(text), style)

    def _small(self, text: str, *, leads: bool = False) -> None:
        """A line in small grey letters; one that *leads* stays with what follows."""
        from docx.shared import Pt, RGBColor

        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.keep_with_next = leads
        paragraph.paragraph_format.space_after = Pt(2 if leads else 8)
        run = paragraph.add_run(text)
        run.font.size = Pt(8.5)
        run.font.color.rgb = RGBColor(0x51, 0x5A, 0x63)

    def _table(self, header: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[float]) -> None:
        """A table whose header row is repeated on every page. *widths* of the columns in cm."""
        from docx.enum.table import WD_TABLE_ALIGNMENT
        from docx.oxml import OxmlElement
        from docx.shared import Cm, Pt

        found = [[_own(str(cell)) for cell in row] for row in rows]
        table = self.document.add_table(rows=1 + len(found), cols=len(header), style="Table Grid")
        table.autofit = False
        table.alignment = WD_TABLE_ALIGNMENT.LEFT
        for column, width in zip(table._tbl.tblGrid.gridCol_lst, widths, strict=True):
            column.w = Cm(width)
        # Straight through the XML: asking the table for each cell takes time that grows with the square of its size.
        for line, row in zip([header, *found], table._tbl.tr_lst, strict=True):
            for cell, text, width in zip(row.tc_lst, line, widths, strict=True):
                cell.width = Cm(width)
                cell.p_lst[0].add_r().text = text
                if line is header:
                    _shade(cell.get_or_add_tcPr(), _HEADER)
        table._tbl.tr_lst[0].get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        table.style.font.size = Pt(9)
        self.document.add_paragraph()

    # --- parts

    def _cover(self) -> None:
        facts = self.case.facts
        self._line("Review of public text")
        self._heading(facts.title, 0)
        seal = self.case.seal
        sealed = f"sealed (seal {seal.number})" if seal.sealed else f"unsealed: {seal.reason}"
        rows = [
            ("Matter", facts.matter),
            ("Authority", facts.authority),
            ("Legal basis", facts.legal_basis),
            ("Operators", "; ".join(facts.operators)),
            ("Custodian", facts.custodian),
            ("Referral officer", facts.referral_officer),
            ("Visits", f"{utc(self.case.first)} to {utc(self.case.last)}" if self.case.first else "none yet"),
            ("Report made", utc(self.case.made)),
            ("Seal", sealed),
            ("Ledger", f"{self.case.ledger_entries:,} entries; last line {self.case.ledger_head}"),
        ]
        self._table(
            ("Fact", "As stated in the case"),
            [(name, value or "not stated in the case file") for name, value in rows],
            (3.6, 13),
        )
        if self.case.selected:
            total = len(self.case.dossiers) + len(self.case.left_out)
            self._line(f"This report covers {len(self.case.dossiers)} of {total} services of the case, as asked for.")
        self._heading("How to read this report", 1)
        for text in (self.wording.how_to_read, self.wording.referral_note):
            self._line(text)
        if self.case.masked:
            self._line(self.wording.masked_note)
        self._heading("Contents", 1)
        _field(self.document.add_paragraph(), 'TOC \\o "1-2" \\h \\z \\u', "Press F9 here to fill in the contents.")

    def _summary(self) -> None:
        case, total = self.case, len(self.case.dossiers)
        self.document.add_page_break()  # type: ignore[no-untyped-call]
        self._heading("Summary", 1)
        self._line(
            f"{share(case.reached, total)} services on the list were reached: at least one of their pages was read. Of the "
            f"services reached, {share(case.with_indicator, case.reached)} show at least one possible indicator under a "
            f"scored code; {case.indicators:,} different indicators in all. Text was kept of {case.pages_with_text:,} "
            "addresses. Shares describe the services of this list and no others."
        )
        self._heading("Services by what the last visit came to", 2)
        self._table(
            ("Outcome", "Meaning", "Services"),
            [(words(n), meaning(n), share(c, total)) for n, c in case.outcomes],
            (3, 10.6, 3),
        )
        self._heading("Services with at least one possible indicator, by code", 2)
        counted = [
            (count.code.id, count.code.title, share(count.services, case.reached)) for count in by_services(case.codes)
        ]
        self._table(("Code", "What it marks", "Services reached"), counted, (1.6, 12, 3))
        if seen := by_services(case.facts_seen):
            self._heading("Facts on record, which are not scored", 2)
            self._table(
                ("Code", "What it records", "Services"),
                [(c.code.id, c.code.title, c.services) for c in seen],
                (1.6, 12, 3),
            )

    def _coverage(self) -> None:
        self._heading("What was looked at, and what was not", 1)
        header = (
            "Service",
            "Seen",
            "Tried",
            "Text kept",
            "Redirect or not text",
            "Refused or failed",
            "Skipped",
            "Not reached",
        )
        self._table(header, [
            (clipped(row.service, 80), row.seen, row.tried, row.text, row.other, row.refused, row.skipped, row.not_reached)
            for row in self.case.coverage
        ], (4, 1.4, 1.4, 1.5, 2.2, 2.1, 2, 2))  # fmt: skip
        self._heading("How attempts at pages ended", 2)
        self._table(
            ("Outcome", "What it means", "Attempts", "Services"),
            [(words(r.outcome), r.meaning, r.attempts, r.services) for r in self.case.attempts],
            (3, 9.2, 2.2, 2.2),
        )
        if self.case.not_looked:
            self._heading("Addresses seen and not asked for", 2)
            self._table(
                ("Decision", "Reason", "Rule", "Addresses"),
                [(words(r.decision), r.reason, r.rule, r.count) for r in self.case.not_looked],
                (2.6, 7.8, 3.6, 2.6),
            )

    def _method(self) -> None:
        method = self.case.method
        self._heading("Method", 1)
        self._line(
            "A visit reads one service in plain public view, with GET and HEAD requests only, and keeps text only. Nothing is "
            "filled in, uploaded, bought or answered. Written rules of the codebook mark words with a code; the context "
            "decides the stance. The HTML report describes the method in full."
        )
        self._line(f"{self.case.passages_read:,} passages in {self.case.texts_read:,} text versions were read.")
        if method.analyzed:
            self._small(
                f"Analysis {utc(method.analyzed)}, extractor {method.extractor}; codebook sha256 {method.codebook_sha256}; "
                f"model sha256 {method.model_sha256}"
            )

    def _services(self) -> None:
        self._heading("Services", 1)
        for dossier in self.case.dossiers:
            self._dossier(dossier)

    def _dossier(self, dossier: Dossier) -> None:
        self._heading(f"{dossier.number}. {clipped(dossier.service.service, 200)}", 2)
        addresses = ", ".join(_theirs(url) for url in dossier.service.urls)
        self._line(
            f"{words(dossier.outcome)}: {meaning(dossier.outcome)} {dossier.pages_with_text} addresses read, "
            f"{dossier.indicators} possible indicators under {len(dossier.codes)} codes."
        )
        self._small(
            f"{words(dossier.service.kind)}, found through {words(dossier.service.source) or 'an unstated source'}. {addresses}"
        )
        for finding in dossier.findings:
            self._heading(f"Finding {finding.finding}: {_theirs(finding.title, 200)}", 3)
            self._line(
                f"{words(finding.status)}, strength {words(finding.strength)}, rule {finding.rule}. {_theirs(finding.reason)}"
            )
            for side in finding.sides:
                if side.quote:
                    self._quote(side.before, side.quote, side.after, _MARK)
                told = (words(side.part), _theirs(side.says, 300), _theirs(side.service, 200), side.url, utc(side.seen))
                self._small(" · ".join(part for part in told if part))
        self._beside(dossier.beside)
        for group in dossier.groups:
            if group.raising or group.contrary:
                self._group(group)
        if not any(group.raising or group.contrary for group in dossier.groups):
            self._line(
                "No passage raised an indicator."
                if dossier.reached
                else "Nothing was read, so nothing is said about it."
            )
        for visit in dossier.visits:
            reason = f" ({_theirs(visit.reason, 400)})" if visit.reason else ""
            self._small(
                f"Captured by us as visit {visit.visit}, {utc(visit.started)} to {utc(visit.ended)}: {words(visit.outcome)}"
                f"{reason}; {visit.observations} attempts. Last link of its chain {visit.head}. Not attested by the server."
            )

    def _beside(self, found: Beside) -> None:
        """What a listing says and what the service's own pages say, in two columns."""
        if not found.listing:
            return
        self._heading("What the listing says, and what its own pages say", 3)
        listing = [_said(item) for item in found.listing]
        landing = [_said(item) for item in found.landing] or ["No page of its own is on record."]
        self._table(
            ("Listing, bot or advertisement", "Own pages"), zip_longest(listing, landing, fillvalue=""), (8.3, 8.3)
        )

    def _group(self, group: CodeGroup) -> None:
        fact = " (a fact, not scored)" if group.code.kind == "fact" else ""
        self._heading(f"{group.code.id} {group.code.title}{fact}", 3)
        if group.hooks:
            named = "; ".join(f"{hook.title} ({hook.citation})" for hook in group.hooks)
            dated = min(hook.as_of for hook in group.hooks)
            self._small(
                f"May bear on: {named}. Elements and cautions stand in the appendix, as of {dated}.", leads=True
            )
        for title, items, colour in (
            ("What it says", group.raising, _MARK),
            ("Contrary or limiting text", group.contrary, _CONTRARY),
        ):
            if items:
                self._heading(title, 4)
            for item in items:
                self._indicator(item, colour)

    def _indicator(self, item: Indicator, colour: str) -> None:
        place = item.sightings[0]
        if item.heading or item.list_intro:
            self._small(" / ".join(_theirs(text, 300) for text in (item.heading, item.list_intro) if text), leads=True)
        self._quote(item.before, item.quote, item.after, colour)
        told = [item.stance, f"{words(place.page_role)} page", f"rule {item.rule}", f"confidence {item.confidence:.2f}",
                place.exhibit, f"Text {place.text}", place.url, utc(place.seen), f"record {item.flag}",
                f"characters {place.start} to {place.end}"]  # fmt: skip
        told += [f"{words(verdict.verdict)} by {_own(verdict.coder)}" for verdict in item.verdicts]
        self._small(" · ".join(part for part in told if part))

    def _quote(self, before: str, quote: str, after: str, colour: str) -> None:
        paragraph = self.document.add_paragraph(style="Quote")
        paragraph.paragraph_format.keep_with_next = True
        paragraph.add_run(_theirs(before))
        run = paragraph.add_run(_theirs(quote))
        _shade(run._r.get_or_add_rPr(), colour)
        paragraph.add_run(_theirs(after))

    def _texts(self) -> None:
        self._heading("Exhibits and the texts they stand in", 1)
        self._line("Each exhibit has the number that an export of this case gives it.")
        for text in self.case.texts:
            self._small(
                f"Text {text.number}: {clipped(_own(text.service), 80)}, {_own(clipped(text.url, 500))}, {utc(text.seen)}; text sha256 "
                f"{text.text_sha256}; stored sha256 {text.stored_sha256}; record {text.record}; exhibits "
                f"{ranges(text.exhibits) or 'none'}"
            )

    def _limits(self) -> None:
        self._heading("What this does not prove", 1)
        for name, sentence in self.wording.limits:
            self._named(name, sentence)

    def _appendix(self) -> None:
        self._heading("Appendix", 1)
        self._heading("Codebook", 2)
        self._small(f"sha256 {self.case.codebook.sha256}")
        for code in self.case.codebook.codes:
            self._named(f"{code.id} {code.title}", f"{code.definition} Easily confused with: {code.confuser}")
        self._heading("Stances", 2)
        for stance in self.case.codebook.stances:
            self._named(stance.id, stance.definition)
        if self.case.hooks:
            self._heading("Law that a code may bear on", 2)
            self._line("For a reviewer's orientation. Not legal advice, and no statement that anything is unlawful.")
            for hook in self.case.hooks:
                self._named(
                    hook.title,
                    f"{hook.citation}. Elements: {'; '.join(hook.elements)}. Caution: {hook.caution or 'none noted'} Status: "
                    f"{hook.status}. As of {hook.as_of}; read in: {hook.confidence}.",
                )
        self._heading("Outcomes", 2)
        for outcome in Outcome:
            self._named(words(outcome.value), outcome.meaning)
        self._heading("Words", 2)
        for name, sentence in self.wording.words:
            self._named(name, sentence)

    def _named(self, name: str, sentence: str) -> None:
        paragraph = self.document.add_paragraph()
        paragraph.add_run(f"{_own(name)}: ").bold = True
        paragraph.add_run(_own(sentence))


def _said(item: Said) -> str:
    name = f"{item.code} {item.stance}" if item.code else words(item.name)
    place = f"captured by others, {item.url}" if item.captured_by_others else item.url
    return f"{name}: {_theirs(item.text, 600)} [{clipped(place, 300)}]"


def _own(text: str) -> str:
    """Words of the case or of the house, fit for XML."""
    return harmless(text)


def _theirs(text: str, limit: int = 4000) -> str:
    """Words of a stranger: clipped, harmless, without a usable address."""
    return defanged(harmless(clipped(text, limit)))


def _shade(properties: Any, colour: str) -> None:
    """Colour behind a run or a cell (RRGGBB)."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    shade = OxmlElement("w:shd")
    shade.set(qn("w:val"), "clear")
    shade.set(qn("w:color"), "auto")
    shade.set(qn("w:fill"), colour)
    properties.append(shade)


def _field(paragraph: Any, code: str, shown: str = "1") -> None:
    """A field that Word computes when the document is opened or printed (ECMA-376, 17.16)."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind in ("begin", "code", "separate", "shown", "end"):
        run = paragraph.add_run(shown if kind == "shown" else "")
        if kind == "code":
            instruction = OxmlElement("w:instrText")
            instruction.set(qn("xml:space"), "preserve")
            instruction.text = code
            run._r.append(instruction)
        elif kind != "shown":
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)
