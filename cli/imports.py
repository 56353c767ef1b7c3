"""``plainview import``: take in what others captured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Exit, Stop
from cli.progress import Bars
from cli.terminal import Format, emit, say
from cli.workers import AddressOption, EngineName, EngineOption, ProcessesOption, StoreOption, the_engine, the_store

if TYPE_CHECKING:
    from crawler.captures.importing import Imported, Sought
    from data.case import Case
    from data.engine import Engine
    from data.records import Service

_COLUMNS = ("file", "format", "texts", "others", "left_out", "unlisted", "unreadable", "visits", "sha256")
_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="WARC, ARC, WACZ, saved pages or a folder of them, MHTML, HAR, iTunes or model JSON, ad-library exports, "
            "CSV of texts. With an engine also s3://… and other addresses.",
        ),
    ],
    service: Annotated[
        str, typer.Option(help="Everything in the files is about this service; else it is told by the addresses.")
    ] = "",
    kind: Annotated[
        str, typer.Option(help="List the --service first, as: website, app_listing, ad, bot or other.")
    ] = "",
    hosts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Take in only pages of these hosts, one a line, and list each as a service; the rest of an archive is passed over.",
        ),
    ] = None,
    claims: Annotated[
        int,
        typer.Option(
            min=0,
            help="Take in only pages that match rules of so many codes, one on use or removal; each site becomes a service.",
        ),
    ] = 0,
    processes: ProcessesOption = 1,
    engine: EngineOption = EngineName.LOCAL,
    address: AddressOption = "",
    store: StoreOption = "",
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> int:
    """Take in the texts of captures that others made, with who made them. Pictures and films inside are skipped and counted.

    The same file again adds nothing. The files themselves are not copied into the case: keep them, their hashes are on record.
    """
    opened = the_case(case)
    for path in files:
        if "://" not in path and not Path(path).exists():
            raise Stop(f"{path} does not exist. Nothing was imported.")
    if hosts is not None:
        _list_hosts(opened, hosts)
    elif not claims:
        _listed(opened, service, kind)
    found_by = Seeking(claims, hosts is None) if claims or hosts is not None else None
    if engine is EngineName.LOCAL and (processes == 1 or len(files) == 1):
        with Bars("import") as bars:
            done, refused = _one_by_one(opened, [Path(path) for path in files], service, found_by, bars)
    else:
        with the_engine(engine, processes, address) as workers, Bars("import") as bars:
            place = the_store(opened, workers, store)
            done, refused = _side_by_side(opened, files, service, found_by, workers, place, bars)
    for found in done:
        _tell(found, service)
    if done and (form is not Format.TABLE or output is not None):
        emit([_row(found) for found in done], _COLUMNS, form, output)
    if any(found.visits for found in done):
        say("Next: plainview analyze")
    if refused or any(found.fault_count for found in done):
        return Exit.PARTIAL if any(found.visits or found.known for found in done) else Exit.USAGE
    return Exit.DONE if any(found.visits or found.known for found in done) else Exit.USAGE


def _one_by_one(
    opened: Case, files: list[Path], service: str, seeking: Seeking | None, bars: Bars
) -> tuple[list[Imported], int]:
    from crawler.captures.capture import NotAnArchive
    from crawler.captures.importing import Progress, import_file
    from data.ingest import take_in
    from data.spool import VisitBusy

    done: list[Imported] = []
    refused = 0

    def show(progress: Progress) -> None:
        note = (
            f"{progress.step}  texts {progress.texts}  left out {progress.left_out}  unreadable {progress.unreadable}"
        )
        bars.show(progress.file[:40], progress.done >> 10, max(1, progress.size >> 10), note)

    for path in files:
        try:
            found = import_file(opened, path, show, service=service, sought=seeking.sought() if seeking else None)
            _list_found(opened, found)
        except (NotAnArchive, VisitBusy) as error:
            say(f"not imported: {error}")
            refused += 1
            continue
        finally:
            take_in(opened)
        done.append(found)
        if found.visits:
            opened.record("capture.imported", _event(found))
    return done, refused


@dataclass(frozen=True, slots=True)
class Seeking:
    """What is asked for of large archives, as it travels to a worker."""

    claims: int
    anywhere: bool

    def sought(self) -> Sought:
        """As the import wants it."""
        from crawler.captures.importing import Sought

        if not self.claims:
            return Sought()
        from analysis.sift import Sift

        return Sought(Sift(self.claims), self.anywhere)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One file for one worker. Without a *store* the worker writes into the case's spool."""

    case: Case
    file: str
    service: str
    services: dict[str, Service]
    seeking: Seeking | None
    store: str


def import_parcel(parcel: Parcel, tell: Callable[[object], None]) -> None:
    """The task of a worker: import one file, put what came of it into the store, and tell."""
    from dataclasses import replace

    from crawler.captures.capture import NotAnArchive
    from crawler.captures.importing import import_file
    from data.depot import Depot, bring
    from data.scratch import scratch
    from data.spool import VisitBusy

    with scratch() as folder:
        case = replace(parcel.case, root=folder) if parcel.store else parcel.case
        path = bring(parcel.file, folder) if "://" in parcel.file else Path(parcel.file)
        try:
            found = import_file(
                case,
                path,
                lambda _: None,
                service=parcel.service,
                services=parcel.services,
                sought=parcel.seeking.sought() if parcel.seeking else None,
            )
        except (NotAnArchive, VisitBusy) as error:
            tell(str(error))
            return
        if parcel.store:
            depot = Depot(parcel.store)
            for visit in found.visits:
                depot.put(case.spool / visit)
        tell(found)


def _side_by_side(
    opened: Case,
    files: list[str],
    service: str,
    seeking: Seeking | None,
    workers: Engine,
    store: str,
    bars: Bars,
) -> tuple[list[Imported], int]:
    """One worker a file; what it put into the store is fetched, checked and taken in."""
    from dataclasses import replace

    from crawler.captures.importing import Imported
    from crawler.sweep import Arrivals
    from data.case import Case
    from data.engine import Done, Fault, Lost
    from data.ingest import take_in

    arrivals = Arrivals(opened, store) if store else None
    case = Case(Path(), policy=opened.policy) if arrivals else opened
    services = opened.services()
    parcels = (Parcel(case, file, service, services, seeking, arrivals.url if arrivals else "") for file in files)
    done: list[Imported] = []
    told: set[int] = set()
    refused = 0
    for number, message in workers.run(import_parcel, parcels):
        if isinstance(message, Done) or (isinstance(message, Lost) and message.again) or number in told:
            continue
        told.add(number)
        bars.show("files", len(told), len(files))
        if isinstance(message, str | Lost | Fault):
            say(f"not imported: {files[number]}: {message if isinstance(message, str) else message.reason}")
            refused += 1
            continue
        assert isinstance(message, Imported)
        before = [visit for visit in message.visits if (opened.evidence / visit).exists()]
        if arrivals is not None:
            for visit in message.visits:
                arrivals.fetch(visit)
        _list_found(opened, message)
        take_in(opened)
        found = replace(
            message,
            visits=tuple(visit for visit in message.visits if visit not in before),
            known=(*message.known, *before),
        )
        done.append(found)
        if found.visits:
            opened.record("capture.imported", _event(found))
    return done, refused


def _list_found(opened: Case, found: Imported) -> None:
    """Put the sites that the claims prefilter found on the list of services."""
    known = opened.services() if found.found else {}
    new = [service for service in found.found if service.service not in known]
    if new:
        opened.record("services.added", {"services": [service.as_json() for service in new]})


def _list_hosts(opened: Case, file: Path) -> None:
    """List each host of *file* that no service has yet. Raises ``Stop`` for a line that is no host."""
    from crawler.scope import site
    from data.address import BadAddress, canonical, host
    from data.records import Service

    services = opened.services()
    held = {site(url) for service in services.values() for url in service.urls}
    new: dict[str, Service] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        name = line.partition("#")[0].strip()
        if not name:
            continue
        try:
            url = canonical(name if "://" in name else f"https://{name}/")
        except BadAddress:
            raise Stop(f"{file.name} line {number}: {name[:80]!r} is no host. Nothing was imported.") from None
        if site(url) not in held and host(url) not in services:
            new.setdefault(site(url), Service(host(url), source="import", urls=(url,)))
    if new:
        opened.record("services.added", {"services": [service.as_json() for service in new.values()]})
        say(f"{len(new)} hosts of {file.name} are on the list of services now.")


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
