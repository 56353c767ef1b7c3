"""``plainview seal | verify | export | rebuild | custody``: evidence that stands without us."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Exit, Stop
from cli.filters import SinceOption, Tests, UntilOption
from cli.query import Asked, ByOption, CountOption, LimitOption, Listing, SortOption, answer, columns
from cli.terminal import Format, say

if TYPE_CHECKING:
    from data.case import Case
    from data.seal import Key
    from data.verify import Report

_PASSPHRASE = "PLAINVIEW_PASSPHRASE"  # noqa: S105 - the name of a variable


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("seal")(seal)
    app.command("verify")(verify)
    app.command("export")(export)
    app.command("rebuild")(rebuild)
    app.command("custody")(custody)


# --- seal


def seal(
    case: CaseOption = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the signing key first, if there is none.")] = False,
) -> int:
    """Sign the case as it is now, and have an authority stamp the time where the case names one."""
    from data.seal import NotIntact, SealFailed, has_key, make_key, make_seal

    opened = the_case(case)
    name = opened.seal.key
    try:
        if new_key and not has_key(name):
            made = make_key(name, _new_passphrase())
            say(f"Key made: {made.identity}. It lies outside of the case; keep a copy in a safe place.")
        done = make_seal(opened, _unlocked(name))
    except NotIntact as broken:
        for problem in broken.problems:
            say(f"PROBLEM {problem}")
        raise Stop("The case does not verify, so it was not sealed. Nothing was written.", Exit.INTEGRITY) from None
    except SealFailed as failed:
        raise Stop(f"Not sealed: {failed}. Nothing was written.", Exit.NOT_SEALED) from None
    sys.stdout.write(
        f"seal   {done.number}\nentry  {done.count}\nhead   {done.head}\nkey    {done.key}\nstamp  {done.state}\n"
    )
    for stamp in done.stamps:
        say(f"{stamp.authority}: {stamp.state}{': ' + stamp.reason if stamp.reason else ' ' + stamp.time}")
    if done.state == "failed":
        raise Stop(
            "The signature stands, but a time stamp was asked for and not obtained, so the case is unsealed. Run "
            "plainview seal again when the authority answers.",
            Exit.NOT_SEALED,
        )
    say("Write the head and the key id down outside of this machine: whoever checks the case asks you for them.")
    return Exit.DONE


def _unlocked(name: str) -> Key:
    from data.seal import is_locked, load_key

    passphrase = os.environ.get(_PASSPHRASE, "")
    if is_locked(name) and not passphrase and sys.stdin.isatty():
        passphrase = typer.prompt("Passphrase of the key", hide_input=True, err=True)
    return load_key(name, passphrase if is_locked(name) else "")


def _new_passphrase() -> str:
    given = os.environ.get(_PASSPHRASE, "")
    if given or not sys.stdin.isatty():
        return given
    return str(
        typer.prompt(
            "Passphrase for the new key (empty for none)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
            err=True,
        )
    )


# --- verify


def verify(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="A case, or an export (folder or zip); else the case you are in."),
    ] = None,
    case: CaseOption = None,
    key: Annotated[str, typer.Option(help="The id of the key that must have sealed it.")] = "",
    head: Annotated[str, typer.Option(help="A head of the ledger, as it was printed.")] = "",
    ca: Annotated[list[Path] | None, typer.Option(help="A time-stamp authority's root certificate (PEM).")] = None,
    records: Annotated[bool, typer.Option("--records", help="Open every WARC record as well.")] = False,
    index: Annotated[bool, typer.Option(help="Compare case.duckdb with the evidence (a case only).")] = True,
) -> int:
    """Check that nothing was changed: one line for each thing that is wrong, naming the file."""
    from data.verify import summary, verdict

    target = path if path is not None else the_case(case).root
    report = check(target, key=key, head=head, authorities=tuple(ca or ()), records=records, index=index)
    for line in summary(report):
        sys.stdout.write(line + "\n")
    for note in report.notes:
        say(f"note: {note}")
    for problem in report.problems:
        sys.stdout.write(f"PROBLEM {problem}\n")
    sys.stdout.write(verdict(report) + "\n")
    return Exit.DONE if report.ok else Exit.INTEGRITY


def check(
    path: Path,
    *,
    key: str = "",
    head: str = "",
    authorities: tuple[Path, ...] = (),
    records: bool = False,
    index: bool = True,
) -> Report:
    """What the verifier says of *path*; for a case, also whether its index is that of its evidence."""
    from data import verify as verifier

    try:
        report = verifier.verify(path, key=key, head=head, authorities=authorities, records=records)
    except verifier.NotACase as error:
        raise Stop(str(error)) from None
    if index and report.facts.get("kind") == "case":
        from data.case import open_case
        from data.comparison import compare_index

        for problem in compare_index(open_case(path)):
            report.wrong(problem.file, problem.what)
    return report


# --- export


def export(
    case: CaseOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Where to put it; else the case's exports/.")
    ] = None,
    zipped: Annotated[bool, typer.Option("--zip", help="One zip file instead of a folder.")] = False,
    service: Annotated[list[str] | None, typer.Option(help="Only this service; may be given several times.")] = None,
    exhibit: Annotated[list[str] | None, typer.Option(help="Only this exhibit (EX-0001); may be repeated.")] = None,
    wacz: Annotated[bool, typer.Option("--wacz", help="Add a WACZ of the evidence for replay programs.")] = False,
    sign: Annotated[
        bool, typer.Option(help="Sign the export as a whole with the sealing key, where it is at hand.")
    ] = True,
) -> int:
    """Pack a case file that anyone can check: exhibits, evidence, ledger, seals, tables, certification draft, verifier."""
    from data.export import Selection

    opened = the_case(case)
    selection = Selection(tuple(service or ()), tuple(exhibit or ()))
    path = export_case(opened, output, zipped=zipped, selection=selection, wacz=wacz, sign=sign)
    sys.stdout.write(f"{path}\n")
    return Exit.DONE


def export_case(
    case: Case,
    output: Path | None = None,
    *,
    zipped: bool = False,
    selection: object = None,
    wacz: bool = False,
    sign: bool = True,
) -> Path:
    """Export *case* with its newest report; says on stderr what it is and whether it is sealed. Returns its path."""
    from data.export import ExportFailed, Selection, make_export
    from data.seal import SealFailed, has_key, is_locked, load_key
    from data.standing import seal_state

    chosen = selection if isinstance(selection, Selection) else Selection()
    key = None
    if sign and has_key(case.seal.key) and (not is_locked(case.seal.key) or os.environ.get(_PASSPHRASE)):
        try:
            key = load_key(case.seal.key, os.environ.get(_PASSPHRASE, "") if is_locked(case.seal.key) else "")
        except SealFailed as failed:
            say(f"The export is not signed as a whole: {failed}.")
    state = seal_state(case)
    report = case.exports / "report.html"
    include = {"report.html": report} if chosen.whole and report.is_file() else {}
    try:
        done = make_export(case, output, zipped=zipped, selection=chosen, include=include, wacz=wacz, key=key)
    except ExportFailed as failed:
        raise Stop(str(failed)) from None
    say(f"{done.visits} visits, {done.exhibits} exhibits, ledger up to entry {done.count}, head {done.head}")
    if not state.sealed:
        say(f"UNSEALED: {state.reason}. Seal it first with: plainview seal")
    return done.path


# --- rebuild and custody


def rebuild(
    case: CaseOption = None,
    analysis: Annotated[bool, typer.Option(help="Run the analysis again as well.")] = True,
) -> int:
    """Make case.duckdb again from evidence and ledger."""
    from data.rebuild import rebuild as make_again

    opened = the_case(case)
    analysed = any(True for _ in opened.ledger.events("analysis.run"))
    make_again(opened)
    say("The index was made again from evidence and ledger.")
    if analysis and analysed:
        from analysis.findings import find
        from analysis.flags import analyze

        done = analyze(opened, lambda _: None)
        found = find(opened, lambda _: None)
        say(f"The analysis was run again: {done.flags} flags, {found.findings} findings.")
    return Exit.DONE


def custody(
    about: Annotated[
        str, typer.Argument(metavar="[OBJECT]", help="Only what concerns this visit, service, flag or file.")
    ] = "",
    actor: Annotated[list[str] | None, typer.Option(help="Only what these persons or accounts did.")] = None,
    action: Annotated[list[str] | None, typer.Option(help="Only these actions, e.g. 'made an export'.")] = None,
    since: SinceOption = "",
    until: UntilOption = "",
    sort: SortOption = None,
    limit: LimitOption = None,
    count: CountOption = False,
    by: ByOption = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> int:
    """Who did what to what, when, and why: the ledger to read."""
    import json
    from dataclasses import asdict

    import duckdb

    from data.custody import custody as log

    asked = Asked(sort or (), limit, count, by or (), form, output)
    tests = Tests().among("actor", actor).among("action", action).between("at", since, until)
    found = [asdict(item) for item in log(the_case(case), about)]
    names = {name: "BIGINT" if name == "entry" else "VARCHAR" for name in columns("custody")}
    tests.values |= {"found": json.dumps(found), "names": json.dumps([names])}
    listing = Listing(
        name="custody",
        keys=f"SELECT * FROM (SELECT unnest(from_json($found, $names), recursive := true)) WHERE {tests.where}",  # noqa: S608
        sortable=tuple(names),
        order=("entry",),
        groups=("action",),
        table=("entry", "at", "action", "object"),
        wide=("entry", "at", "actor", "action", "object", "reason"),
        noun="entries",
        counts_services=False,
    )
    with duckdb.connect() as connection:
        answer(connection, listing, tests.values, asked)
    return Exit.DONE
