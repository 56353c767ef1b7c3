"""``plainview import``: take in what others captured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Exit, Stop
from cli.progress import Bars
from cli.terminal import Format, emit, say

if TYPE_CHECKING:
    from crawler.captures.importing import Imported
    from data.case import Case

_COLUMNS = ("file", "format", "texts", "others", "left_out", "unlisted", "unreadable", "visits", "sha256")
_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="WARC, ARC, WACZ, saved pages or a folder of them, MHTML, HAR, iTunes or model JSON, ad-library exports, "
            "CSV of texts.",
        ),
    ],
    service: Annotated[
        str, typer.Option(help="Everything in the files is about this service; else it is told by the addresses.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="List the --service first, as: website, app_listing, ad, bot or other.")
    ] = "",
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> int:
    """Take in the texts of captures that others made, with who made them. Pictures and films inside are skipped and counted.

    The same file again adds nothing. The files themselves are not copied into the case: keep them, their hashes are on record.
    """
    from crawler.captures.capture import NotAnArchive
    from crawler.captures.importing import Progress, import_file
    from data.ingest import take_in
    from data.spool import VisitBusy

    opened = the_case(case)
    for path in files:
        if not path.exists():
            raise Stop(f"{path} does not exist. Nothing was imported.")
    _listed(opened, service, kind)
    done: list[Imported] = []
    refused = 0
    with Bars("import") as bars:

        def show(progress: Progress) -> None:
            note = f"{progress.step}  texts {progress.texts}  left out {progress.left_out}  unreadable {progress.unreadable}"
            bars.show(progress.file[:40], progress.done >> 10, max(1, progress.size >> 10), note)

        for path in files:
            try:
                found = import_file(opened, path, show, service=service)
            except (NotAnArchive, VisitBusy) as error:
                say(f"not imported: {error}")
                refused += 1
                continue
            finally:
                take_in(opened)
            done.append(found)
            if found.visits:
                opened.record("capture.imported", _event(found))
    for found in done:
        _tell(found, service)
    if done and (form is not Format.TABLE or output is not None):
        emit([_row(found) for found in done], _COLUMNS, form, output)
    if any(found.visits for found in done):
        say("Next: plainview analyze")
    if refused or any(found.fault_count for found in done):
        return Exit.PARTIAL if any(found.visits or found.known for found in done) else Exit.USAGE
    return Exit.DONE if any(found.visits or found.known for found in done) else Exit.USAGE


def _listed(opened: Case, service: str, kind: str) -> None:
    """See that ``--service`` is on the list; list it where ``--kind`` says as what."""
    import difflib

    from data.records import Kind, Service

    services = opened.services()
    if kind and kind not in list(Kind):
        raise Stop(f"--kind must be one of {', '.join(Kind)}, not {kind!r}. Nothing was imported.")
    if kind and not service:
        raise Stop("--kind lists a new service and needs its name: --service NAME. Nothing was imported.")
    if not service:
        if not services:
            raise Stop(
                "There are no services yet, so nothing tells whose captures these are. Name one: --service NAME --kind website"
            )
        return
    if service in services:
        return
    if not kind:
        near = difflib.get_close_matches(service, services, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Stop(
            f"{service!r} is not on the list of services.{hint} List it with --kind KIND, or with: plainview services add. "
            "Nothing was imported."
        )
    if len(service) > 200 or any(ord(char) < 32 for char in service):
        raise Stop("The service's name is too long or holds control characters. Nothing was imported.")
    opened.record("services.added", {"services": [Service(service, kind, "import").as_json()]})
    say(f"{service} is on the list now, without an address of its own; plainview services suggest may find some.")


def _tell(found: Imported, service: str) -> None:
    origin = "; ".join(f"{key} {value}" for key, value in found.origin if key in ("software", "creator", "operator"))
    say(f"{found.file}: {found.format}, sha256 {found.sha256}" + (f", captured with {origin}" if origin else ""))
    for key, value in found.origin:
        if key in ("signature", "digests"):
            say(f"  {key}: {value}")
    if found.visits:
        services = f"{len(found.visits)} services" if len(found.visits) != 1 else "1 service"
        say(f"  texts taken in: {found.texts}; other answers: {found.others}; for {services}")
    if found.misfits:
        say(f"  {found.misfits} of them do not fit the digest that the archive states; they are kept and marked so")
    if found.known:
        names = ", ".join(found.known[:_SHOWN])
        say(f"  taken in before, nothing new: {names}{' …' if len(found.known) > _SHOWN else ''}")
    for rule, count in found.left_out:
        say(f"  left out {count}: {LEFT_OUT.get(rule, rule)} ({rule})")
    if found.unlisted:
        total = sum(count for _, count in found.unlisted)
        hosts = ", ".join(f"{host} {count}" for host, count in found.unlisted[:_SHOWN])
        say(
            f"  passed over {total} records of no listed service: {hosts}{' …' if len(found.unlisted) > _SHOWN else ''}"
        )
        if not found.visits and not found.known and not service:
            say("  To take them in, name the service they are about: --service NAME (and --kind KIND where it is new)")
    for fault in found.faults[:_SHOWN]:
        part = f"{fault.part} " if fault.part else ""
        say(f"  could not be read: {part}at byte {fault.offset}: {fault.reason}")
    if found.fault_count > _SHOWN:
        say(f"  … and {found.fault_count - _SHOWN} more; all are on record with the visit")


LEFT_OUT = {
    "response.type": "declared as something other than text",
    "response.sniffed": "begins like a picture, a film or another file that is not text",
    "response.inside": "a picture or another file stands inside the text",
    "response.noise": "bytes that no text holds",
    "response.size": "longer than the case allows",
    "response.untyped": "no type declared, and it does not begin like text",
    "response.attachment": "offered as a download",
    "response.coding": "packed in a way that cannot be undone",
    "request.ending": "the address names something other than text",
    "request.payload": "the address itself carries a payload",
    "import.request": "requests, which hold no page",
    "import.record-type": "records that hold no page",
    "import.scheme": "not pages of the web",
    "import.method": "answers to something that was sent",
    "import.file": "files that are no pages",
    "import.no-body": "no body in the log",
    "import.empty": "rows without text",
    "import.address": "no address that can be read",
    "import.unknown-item": "records of an unknown kind",
    "scope.credentials": "addresses with a user name",
}


def _event(found: Imported) -> dict[str, object]:
    return {
        "file": found.file,
        "file_sha256": found.sha256,
        "file_bytes": found.size,
        "format": found.format,
        "visits": list(found.visits),
        "texts": found.texts,
        "left_out": dict(found.left_out),
        "unlisted": sum(count for _, count in found.unlisted),
        "unreadable": found.fault_count,
    }


def _row(found: Imported) -> dict[str, object]:
    return {
        "file": found.file,
        "format": found.format,
        "texts": found.texts,
        "others": found.others,
        "left_out": sum(count for _, count in found.left_out),
        "unlisted": sum(count for _, count in found.unlisted),
        "unreadable": found.fault_count,
        "visits": list(found.visits),
        "sha256": found.sha256,
    }
