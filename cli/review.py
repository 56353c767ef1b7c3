"""``plainview review``: people decide what the flags are worth, on a screen, by command, or in a spreadsheet."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.sections import Sections
from cli.terminal import Format, emit, harmless, harmless_cell, lines, marked, out, say

if TYPE_CHECKING:
    from analysis.masking import Masker
    from data.case import Case
    from data.units import Queue, Unit

review = typer.Typer(cls=Sections, help="Decide on flags, findings and passages; draw samples; merge what coders did.")

CoderOption = Annotated[
    str, typer.Option("--coder", metavar="NAME", help="Who decides; else PLAINVIEW_ACTOR, else the account's name.")
]
SampleOption = Annotated[str, typer.Option("--sample", metavar="S-…", help="Only units assigned in this sample.")]
SHEET = (
    "unit", "check", "service", "page_role", "heading", "list_intro", "passage", "quote", "machine", "verdict", "labels", "note",
)  # fmt: skip
DECISION_COLUMNS = (
    "decision", "at", "coder", "role", "unit", "kind", "service", "machine", "verdict", "labels", "note", "sample",
    "revealed", "took_ms", "codebook_sha256",
)  # fmt: skip
HIDDEN = "(hidden; shown on the review screen, or with --reveal)"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(review, name="review", invoke_without_command=True)


@review.callback()
def screen(
    context: typer.Context,
    coder: CoderOption = "",
    sample: SampleOption = "",
    code: Annotated[list[str] | None, typer.Option(help="Only these codes; may be given several times.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only these services.")] = None,
    adjudicate: Annotated[bool, typer.Option("--adjudicate", help="Settle what coders disagree on.")] = False,
    daily: Annotated[int, typer.Option(min=0, help="At most so many hidden passages revealed a day.")] = 120,
    case: CaseOption = None,
) -> None:
    """Open the review screen: one unit at a time, one key a decision, every decision on record at once."""
    if context.invoked_subcommand is not None:
        return
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise Stop(
            "The review screen needs a terminal. For scripts: plainview review next, decide; for a spreadsheet: "
            "plainview review export --sheet FILE.csv"
        )
    from cli.coding import Session
    from cli.review_screen import ReviewScreen
    from data.decisions import Role

    opened, name = the_case(case), _coder(coder)
    queue = _adjudication(opened, name, sample) if adjudicate else _queue(opened, name, sample, code, service)
    opened.record(
        "review.opened", {"coder": name, "sample": sample, "adjudicate": adjudicate, "left": len(queue.units)}
    )
    role = Role.ADJUDICATOR if adjudicate else Role.CODER
    session = Session(opened, name, queue, role=role, daily=daily)
    ReviewScreen(session, _masker(opened)).run()
    say(
        f"{len(session.made)} decisions by {name} are on record; {max(0, len(queue.units) - len(session.made))} are left."
    )


@review.command("sample")
def sample_(
    what: Annotated[str, typer.Option(help="flags (do they stand?), passages (what was missed?), services (in full).")],
    size: Annotated[int, typer.Option(min=1, help="How many units; for services, how many services.")],
    coder: Annotated[list[str], typer.Option(help="Who codes; twice or more for double coding.")],
    seed: Annotated[int, typer.Option(help="The seed; it goes on record, and the same seed draws the same units.")] = 1,
    double: Annotated[int, typer.Option(min=0, max=100, help="Percent coded by two, blind; at least 100 units.")] = 20,
    by: Annotated[str, typer.Option(help="Strata: code, stance, role, source, flagged, service or none.")] = "",
    least: Annotated[int, typer.Option(min=0, help="At least so many from every stratum.")] = 1,
    case: CaseOption = None,
) -> None:
    """Draw a seeded sample by stratum and assign it. Frame, seed and hash go on the ledger."""
    from data.sampling import What, draw_sample
    from data.store import reading

    opened = the_case(case)
    if what not in set(What):
        raise Stop(f"There is nothing called {what!r} to draw. Known are: {', '.join(What)}")
    with reading(opened) as connection:
        drawn = draw_sample(
            opened,
            connection,
            what=What(what),
            size=size,
            seed=seed,
            coders=tuple(coder),
            by=by,
            double_percent=double,
            least=least,
        )
    rows = [item.as_json() for item in drawn.sizes()]
    emit(rows, ("stratum", "frame", "drawn"), Format.TABLE)
    assigned = drawn.assigned()
    twice = sum(len(item.coders) > 1 for item in assigned)
    say(
        f"{drawn.sample}: {len(assigned)} units, {twice} of them for two coders; seed {seed}; frame {drawn.frame_sha256[:16]}…"
    )
    for item in drawn.left_out:
        say(f"Left out: {item['units']} units ({item['reason']}).")
    if len(coder) == 1:
        say("Only one coder: agreement cannot be computed from this sample.")
    say(f"Next: plainview review --sample {drawn.sample} --coder NAME")


@review.command("status")
def status(case: CaseOption = None, form: FormatOption = Format.TABLE, output: OutputOption = None) -> None:
    """Show what each coder has done and has still to do."""
    from data.decisions import Role, decisions, last_decisions, settle
    from data.sampling import samples

    opened = the_case(case)
    made = decisions(opened)
    done = {(unit, who) for unit, who, role in last_decisions(made) if role == Role.CODER}
    open_units = {unit for unit, item in settle(made).items() if item.how == "open"}
    rows: list[dict[str, Any]] = []
    for name, drawn in samples(opened).items():
        for who in drawn.coders:
            units = [item.unit for item in drawn.assigned() if who in item.coders]
            decided = sum((unit, who) in done for unit in units)
            rows.append(
                {
                    "sample": name,
                    "what": drawn.what,
                    "coder": who,
                    "assigned": len(units),
                    "decided": decided,
                    "left": len(units) - decided,
                    "differ": sum(unit in open_units for unit in units),
                }
            )
    rows += [
        {
            "sample": "-",
            "what": "open queue",
            "coder": who,
            "assigned": None,
            "decided": sum(1 for _, name in done if name == who),
            "left": len(_queue(opened, who, "", None, None).units),
            "differ": None,
        }
        for who in dict.fromkeys(item.coder for item in made if not item.sample)
    ]
    emit(rows, ("sample", "what", "coder", "assigned", "decided", "left", "differ"), form, output)


@review.command("next")
def next_(
    coder: CoderOption = "",
    sample: SampleOption = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many units.")] = 1,
    code: Annotated[list[str] | None, typer.Option(help="Only these codes.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only these services.")] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also the words of categories that are hidden first.")
    ] = False,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show the next units that a coder has to decide."""
    opened, name = the_case(case), _coder(coder)
    queue = _queue(opened, name, sample, code, service)
    masker = _masker(opened)
    shown = [_sheet_row(unit, masker, reveal) for unit in queue.units[:count]]
    if form is Format.TABLE and output is None:
        for row, unit in zip(shown, queue.units, strict=False):
            out().print(_card(row, unit, hidden=unit.veiled and not reveal))
        say(f"{len(queue.units)} left of {queue.total}. Decide with: plainview review decide UNIT confirm|reject|…")
        return
    emit(shown, SHEET[:-3], form, output)


@review.command("decide")
def decide(
    unit: Annotated[str, typer.Argument(help="The unit (R-…, P-… or a finding).")],
    verdict: Annotated[str, typer.Argument(help="confirm, reject, correct, code, unsure or withdrawn.")],
    label: Annotated[
        list[str] | None, typer.Option(help='For correct and code: "D04 DISCLAIM"; several times.')
    ] = None,
    note: Annotated[str, typer.Option(help="Why; goes on record.")] = "",
    coder: CoderOption = "",
    sample: SampleOption = "",
    adjudicate: Annotated[bool, typer.Option("--adjudicate", help="Decide as adjudicator.")] = False,
    case: CaseOption = None,
) -> None:
    """Put one decision on record."""
    from data.decisions import Role, Verdict, make_decision, record
    from data.store import reading
    from data.units import find_units

    opened = the_case(case)
    with reading(opened) as connection:
        found = find_units(connection, [unit]).get(unit)
    if found is None:
        raise Stop(f"There is no open unit {unit!r}. See: plainview review next")
    if verdict not in set(Verdict):
        raise Stop(f"There is no verdict {verdict!r}. Known are: {', '.join(Verdict)}")
    if found.kind == "passage" and verdict in (Verdict.CONFIRM, Verdict.REJECT, Verdict.CORRECT):
        raise Stop("A passage is coded, not confirmed: plainview review decide UNIT code [--label 'D04 PROMO']")
    made = record(
        opened,
        make_decision(
            coder=_coder(coder),
            unit=found.unit,
            kind=found.kind,
            service=found.service,
            verdict=verdict,
            labels=label or (),
            machine=found.machine,
            role=Role.ADJUDICATOR if adjudicate else Role.CODER,
            sample=sample,
            note=note,
        ),
    )
    say(f"{made.decision}: {made.verdict} {', '.join(made.labels)} by {made.coder}")


@review.command("export")
def export(
    file: Annotated[
        Path,
        typer.Argument(help="FILE.jsonl for another copy of the case; .csv, .json, .xlsx or .parquet to compute with."),
    ],
    sheet: Annotated[bool, typer.Option("--sheet", help="Instead: a coding sheet (CSV or XLSX) to fill in.")] = False,
    coder: CoderOption = "",
    sample: SampleOption = "",
    reveal: Annotated[bool, typer.Option("--reveal", help="In a sheet: also words that are hidden first.")] = False,
    case: CaseOption = None,
) -> None:
    """Write decisions out: to merge elsewhere, to compute with, or as a sheet that a coder fills in."""
    from data.decisions import decisions, export_lines

    opened = the_case(case)
    if sheet:
        _write_sheet(opened, file, _coder(coder), sample, reveal)
        return
    if file.suffix == ".jsonl":
        written = list(export_lines(opened, coder=coder))
        _write(file, ("\n".join(written) + "\n").encode())
        say(f"{len(written) - 1} decisions written to {file}. Elsewhere: plainview review merge {file.name}")
        return
    forms = {f".{form.value}": form for form in Format if form is not Format.TABLE}
    if file.suffix not in forms:
        raise Stop(f"{file.suffix or 'No suffix'!r} is not a form that can be written. Use {', '.join(forms)}.")
    masker = _masker(opened)
    rows = [
        {**item.as_json(), "note": masker(item.note)} for item in decisions(opened) if not coder or item.coder == coder
    ]
    emit(rows, DECISION_COLUMNS, forms[file.suffix], file)


@review.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A coding sheet that was filled in, as CSV.")],
    coder: CoderOption = "",
    sample: SampleOption = "",
    case: CaseOption = None,
) -> None:
    """Take the decisions of a filled-in coding sheet. One bad row is named, and then nothing is taken."""
    from data.canonical import sha256
    from data.decisions import record_sheet

    opened, name = the_case(case), _coder(coder)
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Stop(f"{file} cannot be read: {error.strerror}") from error
    made, same = _read_sheet(opened, raw, file.name, name, sample)
    count = record_sheet(opened, made, name=file.name, digest=sha256(raw))
    say(f"{count} decisions by {name} taken from {file.name}; {same} rows say what is on record already.")


@review.command("merge")
def merge(
    files: Annotated[list[Path], typer.Argument(help="Files made by plainview review export FILE.jsonl")],
    case: CaseOption = None,
) -> None:
    """Take the decisions that others made on a copy of this case. Doing it twice changes nothing."""
    from data.decisions import merge as take

    opened = the_case(case)
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Stop(f"{file} cannot be read: {error}") from error
        done = take(opened, text, name=file.name)
        say(
            f"{file.name}: {done.new} new decisions ({', '.join(done.coders) or 'nobody'}), {done.known} known already."
        )


@review.command("unmask")
def unmask(
    unit: Annotated[str, typer.Argument(help="The unit whose words are to be seen without masks.")],
    reason: Annotated[str, typer.Option(help="Why it is needed; goes on the ledger.")],
    case: CaseOption = None,
) -> None:
    """Show a passage with the names and contacts of third parties. The reason goes on the ledger first."""
    from data.store import reading
    from data.units import find_units

    opened = the_case(case)
    if len(reason.strip()) < 8:
        raise Stop("Unmasking needs a reason that another person can read later: --reason TEXT.")
    with reading(opened) as connection:
        found = find_units(connection, [unit]).get(unit)
    if found is None:
        raise Stop(f"There is no open unit {unit!r}. See: plainview review next")
    opened.record("unmasked", {"unit": unit, "service": found.service, "reason": reason})
    words = [found.passage] if found.kind != "finding" else [found.summary, *(side.quote for side in found.sides)]
    lines(words)


# --- parts


def _coder(given: str) -> str:
    from data.ledger import actor

    return given.strip() or actor()


def _masker(opened: Case) -> Masker:
    from analysis.masking import Masker

    return Masker.of(opened)


def _queue(opened: Case, coder: str, sample: str, codes: Sequence[str] | None, services: Sequence[str] | None) -> Queue:
    from data.store import reading
    from data.units import coder_queue

    wanted = [item.upper() for item in codes or ()]
    with reading(opened) as connection:
        try:
            queue = coder_queue(opened, connection, coder, sample=sample, codes=wanted, services=services or ())
        except KeyError:
            raise Stop(f"There is no sample {sample!r}. See: plainview review status") from None
    if sample and not queue.total:
        raise Stop(f"{coder} has nothing assigned in {sample}. See: plainview review status")
    return queue


def _adjudication(opened: Case, name: str, sample: str) -> Queue:
    """What coders differ on and *name* did not code: nobody settles a disagreement that is their own."""
    from dataclasses import replace

    from data.store import reading
    from data.units import open_disagreements

    with reading(opened) as connection:
        try:
            queue = open_disagreements(opened, connection, sample)
        except KeyError:
            raise Stop(f"There is no sample {sample!r}. See: plainview review status") from None
    others = queue.others or {}
    left = tuple(unit for unit in queue.units if name not in {item.coder for item in others[unit.unit]})
    if len(left) < len(queue.units):
        say(f"{len(queue.units) - len(left)} disagreements are {name}'s own and wait for somebody else.")
    return replace(queue, units=left, total=len(left))


def _card(row: dict[str, Any], unit: Unit, *, hidden: bool) -> Any:
    from rich.text import Text

    text = Text(f"{row['unit']}  {row['machine'] or 'passage'}  {unit.service}  {unit.page_role}\n", style="bold")
    if hidden:
        return text.append(HIDDEN + "\n", style="")
    before, _, after = row["passage"].partition(row["quote"]) if row["quote"] else (row["passage"], "", "")
    return text.append_text(marked(before, row["quote"], after)).append("\n")


def _sheet_row(unit: Unit, masker: Masker, reveal: bool) -> dict[str, Any]:
    from cli.coding import pieces

    parts = pieces(unit, masker)
    passage = "".join(piece for piece, _ in parts)
    if unit.kind == "finding":
        passage = "\n".join(masker.passage(text) for text in (unit.summary, *(side.quote for side in unit.sides)))
    hidden = unit.veiled and not reveal
    words = HIDDEN if hidden else passage
    return {
        "unit": unit.unit,
        "check": _check(unit.unit, words),
        "service": unit.service,
        "page_role": unit.page_role,
        "heading": "" if hidden else unit.heading,
        "list_intro": "" if hidden else unit.list_intro,
        "passage": words,
        "quote": "" if hidden or unit.kind != "flag" else "".join(piece for piece, inside in parts if inside),
        "machine": unit.machine,
        "verdict": "",
        "labels": "",
        "note": "",
    }


def _check(unit: str, words: str) -> str:
    """Ties a row's words to its unit, so that a column that was sorted by itself is noticed. Layout does not count."""
    from data.canonical import sha256

    plain = "".join(char for char in harmless(words) if char.isalnum())
    return sha256(f"{unit} {plain}".encode())[:8]


def _write(file: Path, content: bytes) -> None:
    from data.disk import write_file

    write_file(file, content)


def _write_sheet(opened: Case, file: Path, coder: str, sample: str, reveal: bool) -> None:
    if file.suffix not in (".csv", ".xlsx"):
        raise Stop("A coding sheet is a .csv or .xlsx file; it is imported as .csv.")
    queue, masker = _queue(opened, coder, sample, None, None), _masker(opened)
    rows = [_sheet_row(unit, masker, reveal) for unit in queue.units]
    if file.suffix == ".xlsx":
        emit(rows, SHEET, Format.XLSX, file)
    else:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(SHEET)
        writer.writerows([harmless_cell(row[name]) for name in SHEET] for row in rows)
        # With a byte order mark spreadsheets read UTF-8 as what it is.
        _write(file, text.getvalue().encode("utf-8-sig", "replace"))
    opened.record("review.sheet_made", {"file": file.name, "coder": coder, "sample": sample, "units": len(rows)})
    hidden = sum(row["passage"] == HIDDEN for row in rows)
    say(f"{len(rows)} units written to {file}; {hidden} with their words hidden.")
    say("Fill in verdict (confirm, reject, correct, unsure; for passages: code), labels and note. Then: review import")


def _read_sheet(opened: Case, raw: bytes, name: str, coder: str, sample: str) -> tuple[list[Any], int]:
    from data.decisions import DecisionError, Role, decisions, last_decisions, make_decision
    from data.store import reading
    from data.units import find_units

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Stop(f"{name} is not UTF-8. Save it as 'CSV UTF-8' and try again; nothing was taken.") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    missing = {"unit", "check", "passage", "verdict", "labels", "note"} - set(rows[0] if rows else ())
    if missing:
        raise Stop(
            f"{name} lacks the columns {', '.join(sorted(missing))}. Make one with: plainview review export --sheet"
        )
    filled = [(number, row) for number, row in enumerate(rows, 2) if (row["verdict"] or "").strip()]
    with reading(opened) as connection:
        known = find_units(connection, [row["unit"] for _, row in filled])
    before = last_decisions(decisions(opened))
    made, same, faults = [], 0, []
    for number, row in filled:
        unit = known.get(row["unit"])
        if unit is None:
            faults.append(f"row {number}: there is no open unit {row['unit']!r}")
            continue
        if row["check"] != _check(row["unit"], (row["passage"] or "").removeprefix("'")):
            faults.append(f"row {number}: its words are not those of {row['unit']}; was one column sorted by itself?")
            continue
        try:
            item = make_decision(
                coder=coder,
                unit=unit.unit,
                kind=unit.kind,
                service=unit.service,
                verdict=row["verdict"].strip().lower(),
                labels=[part for part in (row["labels"] or "").replace(",", ";").split(";") if part.strip()],
                machine=unit.machine,
                sample=sample,
                note=(row["note"] or "").strip(),
            )
        except DecisionError as error:
            faults.append(f"row {number}: {error}")
            continue
        old = before.get((item.unit, coder, Role.CODER))
        if old and (old.verdict, old.labels, old.note) == (item.verdict, item.labels, item.note):
            same += 1
        else:
            made.append(item)
    if faults:
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        raise Stop(f"{name}: " + "; ".join(faults[:5]) + more + ". Nothing was taken.")
    return made, same
