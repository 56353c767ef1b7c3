"""``plainview report``: the case as a document for people."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import CaseOption, the_case
from cli.exits import Exit, Stop
from cli.terminal import say

if TYPE_CHECKING:
    from analysis.report.snapshot import Snapshot
    from data.case import Case


class Document(StrEnum):
    """What a report can be."""

    HTML = "html"
    PDF = "pdf"
    DOCX = "docx"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)


def report(
    service: Annotated[
        list[str] | None, typer.Option("--service", "-s", metavar="NAME", help="Only this service; may be given again.")
    ] = None,
    form: Annotated[
        list[Document] | None,
        typer.Option(
            "--format",
            "-f",
            case_sensitive=False,
            help="html (the default), pdf (printed by Chromium) or docx (for Word); may be given again.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; else exports/report.html in the case."),
    ] = None,
    case: CaseOption = None,
) -> None:
    """Write the report: one HTML file that holds all it needs and asks for nothing when it is opened; PDF and Word too."""
    from analysis.masking import Masker
    from analysis.report.gather import gather

    opened = the_case(case)
    names = tuple(service or ())
    targets = _targets(opened, form, output)
    try:
        snapshot = gather(opened, names, masker=Masker.of(opened))
    except KeyError as error:
        name = str(error.args[0])
        near = difflib.get_close_matches(name, opened.services(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Stop(
            f"{name!r} is not on the list of services.{hint} See: plainview services list. Nothing was written."
        ) from None
    say(
        f"{len(snapshot.dossiers)} services, {snapshot.reached} of them reached, {snapshot.indicators} possible indicators."
    )
    if not snapshot.method.analyzed:
        say("The texts were not analyzed yet, so nothing is flagged. Next: plainview analyze")
    if not snapshot.seal.sealed:
        say(f"The case is unsealed ({snapshot.seal.reason}); the report says so. To seal it: plainview seal")
    for kind, target in targets.items():
        _write(opened, target, _content(kind, snapshot), names, snapshot.ledger_head)
        say(f"Report written to {target}")


def _targets(opened: Case, form: list[Document] | None, output: Path | None) -> dict[Document, Path]:
    """Which documents to write, and where. A file's ending says what it is where no format was given."""
    if form is None and output is not None:
        ending = {".htm": "html"}.get(output.suffix.lower(), output.suffix.lower().removeprefix("."))
        if ending not in set(Document):
            raise Stop(f"{output.name!r} ends in none of .html, .pdf, .docx. Add --format, or choose such a name.")
        form = [Document(ending)]
    kinds = list(dict.fromkeys(form or [Document.HTML]))
    if output is None:
        return {kind: opened.exports / f"report.{kind.value}" for kind in kinds}
    if len(kinds) > 1:
        raise Stop("--output names one file, and several formats were asked for. Leave out --output, or ask for one.")
    return {kinds[0]: output}


def _content(kind: Document, snapshot: Snapshot) -> bytes:
    if kind is Document.DOCX:
        from analysis.report.word import word_document

        return word_document(snapshot)
    from analysis.report.html import render

    page = render(snapshot)
    if kind is Document.HTML:
        return page.encode("utf-8", "replace")
    from analysis.report.pdf import PrintFailed, print_pdf
    from crawler.browser import find_chromium

    try:
        return print_pdf(page, find_chromium())
    except PrintFailed as error:
        raise Stop(str(error), Exit.ENVIRONMENT) from error


def _write(opened: Case, target: Path, content: bytes, names: tuple[str, ...], head: str) -> None:
    """Put the file in place whole, and the fact that it was made on the ledger."""
    from data.canonical import sha256

    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_bytes(content)
    new.replace(target)
    opened.record(
        "report.made",
        {"file": target.name, "sha256": sha256(content), "services": list(names), "ledger_head": head},
    )
