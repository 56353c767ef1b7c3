"""Putting an export together: in a folder beside its place, then on the ledger, then into its place by one rename."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from data.canonical import canonical, genesis, sha256
from data.case import Case
from data.disk import remove_tree, sync_folder, sync_tree
from data.export import exhibits as exhibits_
from data.export import papers
from data.export.bag import write_manifests
from data.export.case_uco import as_linked_data
from data.export.selection import Line, Selection, closed_visits, ledger_lines, written_ledger
from data.export.tables import write_tables
from data.export.wacz import write_wacz
from data.export.zipped import write_zip
from data.seal import Key
from data.spool import file_record
from data.store import reading, rows

_PARTIAL = ".plainview-export-"


class ExportFailed(Exception):
    """No export was made; the message says why and what to do. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was made: where it is, and what a person compares it by."""

    path: Path
    tagmanifest_sha256: str
    head: str
    count: int
    visits: int
    exhibits: int
    sealed: bool
    signed: bool


@dataclass(slots=True)
class _Contents:
    """What goes in, decided before anything is written."""

    case: Case
    name: str
    selection: Selection
    lines: list[Line]
    all_visits: dict[str, Line]
    visits: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    exhibits: list[dict[str, Any]] = field(default_factory=list)
    head: str = ""


def make_export(
    case: Case,
    parent: Path | None = None,
    *,
    name: str = "",
    zipped: bool = False,
    selection: Selection | None = None,
    include: Mapping[str, Path] | None = None,
    wacz: bool = False,
    key: Key | None = None,
) -> Export:
    """Export *case* into *parent* (its ``exports`` folder where None) as a folder or a zip.

    The same state of the case gives the same bytes. *include* are files to put beside (name to path, such as
    ``report.html``); *key* signs the export as a whole. Raises ``ExportFailed`` for a selection that names nothing,
    ``OSError`` where it cannot be written; nothing is left behind then.
    """
    parent = case.exports if parent is None else parent
    parent.mkdir(parents=True, exist_ok=True)
    _clear_left_over(parent)
    partial = parent / f"{_PARTIAL}{os.getpid()}"
    try:
        with reading(case) as connection:
            contents = _decide(case, connection, selection or Selection(), name)
            bag = partial / contents.name
            (bag / "data").mkdir(parents=True)
            counts = write_tables(connection, bag / "data" / "tables", contents.visits, contents.services)
            _write_exhibits(connection, bag / "data", contents)
            observed = _observed(connection, contents.visits)
        facts = _write_record(bag, contents, counts, observed)
        for wanted, path in sorted((include or {}).items()):
            shutil.copyfile(path, bag / "data" / wanted)
        if wacz:
            write_wacz(bag / "data", contents.visits)
        _write(bag / "README.txt", papers.readme(facts))
        verifier = resources.files("data").joinpath("verify.py").read_bytes()
        (bag / "verify.py").write_bytes(verifier)
        tag = write_manifests(bag, _bag_info(facts, contents))
        if key is not None:
            _sign(bag, tag, contents, key)
        return _put_in_place(case, parent, partial, contents, tag, zipped=zipped, signed=key is not None)
    finally:
        remove_tree(partial)


def _clear_left_over(parent: Path) -> None:
    """Remove what an export that was killed left behind."""
    for folder in parent.glob(f"{_PARTIAL}*"):
        number = folder.name.removeprefix(_PARTIAL)
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            remove_tree(folder)


def _decide(case: Case, connection: Any, selection: Selection, name: str) -> _Contents:
    lines = ledger_lines(case)
    closed = closed_visits(lines)
    contents = _Contents(case, name, selection, lines, closed)
    contents.head = sha256(lines[-1].raw) if lines else genesis("ledger")
    found = exhibits_.find_exhibits(connection, list(closed))
    services = {str(line.body["service"]) for line in closed.values()}
    for service in selection.services:
        if service not in services:
            raise ExportFailed(f"no visit of a service called {service!r} is closed; see: plainview services list")
    numbers = {item["exhibit"] for item in found}
    for number in selection.exhibits:
        if number not in numbers:
            raise ExportFailed(f"there is no exhibit {number}; they run from EX-0001 to EX-{len(found):04d}")
    wanted_services, wanted_exhibits = set(selection.services), set(selection.exhibits)
    contents.exhibits = [
        item
        for item in found
        if (not wanted_services or item["service"] in wanted_services)
        and (not wanted_exhibits or item["exhibit"] in wanted_exhibits)
    ]
    if selection.exhibits:
        contents.visits = sorted({item["visit"] for item in contents.exhibits})
    else:
        contents.visits = sorted(
            visit for visit, line in closed.items() if not wanted_services or line.body["service"] in wanted_services
        )
    if not selection.whole and not contents.visits:
        raise ExportFailed("nothing of the case is in that selection")
    contents.services = sorted(
        {str(closed[visit].body["service"]) for visit in contents.visits}
        if not selection.whole
        else {row["service"] for row in rows(connection, "SELECT service FROM services")}
    )
    contents.name = name or _name(case, contents)
    return contents


def _name(case: Case, contents: _Contents) -> str:
    """The folder's name: of the case, the state and the selection alone, so that the same export has the same name."""
    title = re.sub(r"[^a-z0-9]+", "-", (case.facts.matter or case.facts.title).lower()).strip("-")[:40] or "case"
    part = ""
    if not contents.selection.whole:
        part = "-part-" + sha256(canonical(asdict(contents.selection)))[:8]
    return f"{title}-{len(contents.lines):06d}-{contents.head[:8]}{part}"


def _write_exhibits(connection: Any, data: Path, contents: _Contents) -> None:
    folder = data / "exhibits"
    folder.mkdir()
    closed = contents.all_visits
    for item in contents.exhibits:
        item["ledger_entry"] = closed[item["visit"]].values["seq"]
    _write(folder / "exhibits.jsonl", exhibits_.as_json_lines(contents.exhibits))
    _write(folder / "exhibits.csv", exhibits_.as_csv(contents.exhibits))
    _write(folder / "exhibits.txt", exhibits_.as_pages(contents.exhibits))
    texts = data / "texts"
    texts.mkdir()
    wanted = sorted({item["text_id"] for item in contents.exhibits})
    query = """SELECT text_sha256, text FROM texts WHERE text_id IN (SELECT unnest(?::VARCHAR[]))
               AND text_id NOT IN (SELECT text_id FROM flags WHERE sensitive)"""
    for row in rows(connection, query, [wanted]):
        (texts / f"{row['text_sha256']}.txt").write_bytes(row["text"].encode("utf-8", "surrogatepass"))


def _observed(connection: Any, visits: list[str]) -> dict[str, Any]:
    query = """SELECT count(*) AS attempts, count(*) FILTER (stored_as = 'conversion') AS conversions,
                      min(started) AS first, max(ended) AS last
               FROM observations WHERE visit IN (SELECT unnest(?::VARCHAR[]))"""
    return rows(connection, query, [visits])[0]


def _write_record(bag: Path, contents: _Contents, counts: dict[str, int], observed: dict[str, Any]) -> papers.Facts:
    """Evidence, ledger and seals as they are; the papers; what the export says of itself."""
    case, data = contents.case, bag / "data"
    (data / "evidence").mkdir()
    visits, files = [], 0
    for visit in contents.visits:
        target = data / "evidence" / visit
        target.mkdir()
        for name in sorted(contents.all_visits[visit].body["files"]):
            shutil.copyfile(case.evidence / visit / name, target / name)
            files += 1
        visits.append(json.loads((target / "visit.json").read_bytes()))
    with (data / "ledger.jsonl").open("wb") as file:
        withheld = 0
        for line in written_ledger(contents.lines, set(contents.visits), whole=contents.selection.whole):
            withheld += line.find(b'"withheld":"') >= 0 and set(json.loads(line)) == {"seq", "withheld", "why"}
            file.write(line)
    (data / "seals").mkdir()
    seals = [line.body for line in contents.lines if line.event == "seal.made"]
    for name in sorted({str(name) for body in seals for name in body["files"]}):
        shutil.copyfile(case.root / name, data / name)
    facts = papers.Facts(
        case=case.facts,
        name=contents.name,
        version=metadata.version("plainview"),
        lines=contents.lines,
        head=contents.head,
        visits=visits,
        visits_in_case=len(contents.all_visits),
        attempts=observed["attempts"],
        conversions=observed["conversions"],
        first=observed["first"] or "",
        last=observed["last"] or "",
        files=files,
        exhibits=len(contents.exhibits),
        selection=contents.selection,
    )
    environments = [line.body for line in contents.lines if line.event == "environment.recorded"]
    _write(data / "environment.json", _pretty(environments))
    _write(data / "certification.txt", papers.certification(facts))
    _write(data / "not-proven.txt", papers.not_proven(facts))
    _write(data / "case.jsonld", _pretty(as_linked_data(facts, contents.exhibits)))
    last = seals[-1] if seals else None
    about = {
        "format": "plainview export 1",
        "case": asdict(case.facts),
        "selection": None if contents.selection.whole else asdict(contents.selection),
        "ledger": {"count": len(contents.lines), "head": contents.head, "withheld": withheld},
        "seal": {key: last[key] for key in ("seal", "count", "head", "key", "state", "reason")} if last else None,
        "visits": contents.visits,
        "visits_in_case": len(contents.all_visits),
        "exhibits": len(contents.exhibits),
        "tables": counts,
        "version": facts.version,
    }
    _write(data / "export.json", _pretty(about))
    return facts


def _bag_info(facts: papers.Facts, contents: _Contents) -> dict[str, str]:
    return {
        "Bag-Software-Agent": f"plainview {facts.version}",
        "Bagging-Date": contents.lines[-1].values["at"][:10] if contents.lines else "1970-01-01",
        "Contact-Name": facts.case.custodian or "not stated",
        "External-Description": f"Case file: {facts.case.title}. Matter: {facts.case.matter or 'not stated'}",
        "External-Identifier": contents.name,
        "Source-Organization": facts.case.authority or "not stated",
    }


def _sign(bag: Path, tag: str, contents: _Contents, key: Key) -> None:
    statement = {
        "format": "plainview export signature 1",
        "tagmanifest_sha256": tag,
        "count": len(contents.lines),
        "head": contents.head,
        "key": key.identity,
        "public_key": key.public.hex(),
    }
    signature = key.private.sign(canonical(statement)).hex()
    (bag / "export-signature.json").write_bytes(canonical({"signature": signature, "statement": statement}) + b"\n")


def _put_in_place(
    case: Case, parent: Path, partial: Path, contents: _Contents, tag: str, *, zipped: bool, signed: bool
) -> Export:
    """Onto the ledger, then into place: there is no export that the ledger does not know of."""
    source = partial / contents.name
    target = parent / (f"{contents.name}.zip" if zipped else contents.name)
    if zipped:
        source = partial / target.name
        write_zip(partial / contents.name, source, contents.name)
    record: dict[str, Any] = {"tagmanifest_sha256": tag}
    if zipped:
        record |= file_record(source)
    same = _is_same(target, source, zipped=zipped)
    if target.exists() and not same:
        raise ExportFailed(f"{target} is there already and differs. Move it away, or name another place with --output")
    if not zipped:
        sync_tree(source)  # the zip waited for the disk when it was written
    inside = parent.resolve() == case.exports.resolve()
    case.record(
        "export.made",
        {
            "files": {f"exports/{target.name}": record} if inside else {},
            "name": target.name,
            "tagmanifest_sha256": tag,
            "count": len(contents.lines),
            "head": contents.head,
            "selection": None if contents.selection.whole else asdict(contents.selection),
            "visits": len(contents.visits),
            "exhibits": len(contents.exhibits),
        },
    )
    if not same:
        source.rename(target)
        with contextlib.suppress(OSError):
            sync_folder(parent)
    sealed = any(line.event == "seal.made" for line in contents.lines)
    return Export(
        path=target,
        tagmanifest_sha256=tag,
        head=contents.head,
        count=len(contents.lines),
        visits=len(contents.visits),
        exhibits=len(contents.exhibits),
        sealed=sealed,
        signed=signed,
    )


def _is_same(target: Path, source: Path, *, zipped: bool) -> bool:
    if zipped:
        return target.is_file() and file_record(target) == file_record(source)
    mark = "tagmanifest-sha256.txt"
    return (target / mark).is_file() and (target / mark).read_bytes() == (source / mark).read_bytes()


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
