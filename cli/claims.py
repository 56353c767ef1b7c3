"""Commands for the codebook and the claims pipeline: ``codebook``, ``classify``, ``evaluate``, ``train``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.sections import Sections

if TYPE_CHECKING:
    from analysis.claims import Label, Reading
    from analysis.evaluation import Evaluation, Score
    from data.codebook import Code, Codebook

codebook_app = typer.Typer(cls=Sections, help="Check, show and test the codebook.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    app.add_typer(codebook_app, name="codebook")
    app.command("classify")(classify)
    app.command("evaluate")(evaluate_file)
    app.command("train")(train)


def _fail(message: str, code: int = 2) -> typer.Exit:
    typer.echo(f"Error: {message}", err=True)
    return typer.Exit(code)


@codebook_app.command("lint")
def lint(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of TOML files (default: the packaged codebook).")
    ] = None,
) -> None:
    """Check that every code is complete, every example well formed, every rule readable and every hook a row of the law."""
    from analysis.rules import Rulebook
    from data.codebook import CodebookError, lint_codebook, load_codebook
    from data.law import lint_law, load_law

    law = load_law()
    try:
        codebook = load_codebook(folder)
        Rulebook(codebook)
    except CodebookError as error:
        raise _fail(str(error)) from error
    faults = lint_codebook(codebook, frozenset(law.hooks)) + lint_law(law)
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(2)
    examples = sum(1 for _ in codebook.examples())
    typer.echo(f"{len(codebook.codes)} codes, {len(codebook.stances)} stances, {examples} examples: no fault")
    typer.echo(f"sha256 {codebook.sha256}")


@codebook_app.command("show")
def show(
    code_id: Annotated[str | None, typer.Argument(metavar="CODE", help="A code such as D04; all if left out.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="The whole codebook as a page of the manual.")] = False,
) -> None:
    """Print one code with definition, hooks, examples and rules, or the list of codes."""
    from data.codebook import load_codebook

    codebook = load_codebook()
    if markdown:
        typer.echo(_manual(codebook))
        return
    if code_id is None:
        for code in codebook.codes:
            typer.echo(f"{code.id}  {code.name:<18} {code.title}")
        return
    try:
        typer.echo(_page(codebook.code(code_id.upper())))
    except KeyError as error:
        raise _fail(f"no code '{code_id}'. `plainview codebook show` lists them") from error


def _page(code: Code) -> str:
    from data.law import load_law

    law = load_law()
    lines = [f"{code.id} {code.name}: {code.title}", f"theory {code.theory}, kind {code.kind}", "", code.definition]
    lines += ["", "Included: " + "; ".join(code.includes), "Not included: " + "; ".join(code.excludes)]
    lines += [f"Confuser: {code.confuser}", ""]
    for hook_id in code.hooks:
        hook = law.hooks[hook_id]
        lines.append(f"May bear on: {hook.title} ({hook.citation}); status {hook.status}, as of {hook.as_of}")
    lines += ["", "Examples that carry it:"]
    lines += [f"  {m.stance:<8} {e.text[m.start : m.end]}" for e in code.positive for m in e.marks if m.code == code.id]
    lines += ["", "Look-alikes:"]
    for example in code.confusing:
        stances = [mark.stance for mark in example.marks if mark.code == code.id]
        lines.append(f"  {stances[0] if stances else '-':<8} {example.text}")
    lines += ["", "Rules:"] + [f"  {rule.id}  {pattern}" for rule in code.rules for pattern in rule.patterns]
    return "\n".join(lines)


@codebook_app.command("test")
def test(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print each example that differs.")] = False,
) -> None:
    """Run the pipeline over every example of the codebook; exit 1 if one in ten or more differs in its own code."""
    from analysis.claims import Claims, Reading
    from data.codebook import load_codebook

    codebook = load_codebook()
    claims = Claims.load(codebook)
    examples = list(codebook.examples())
    readings = [Reading(e.text, e.heading, e.list_intro, e.page_role) for _, e in examples]
    wrong = 0
    per_code: dict[str, list[int]] = {code.id: [0, 0] for code in codebook.codes}
    for (code, example), labels in zip(examples, claims.read(readings), strict=True):
        expected = {(m.code, m.stance) for m in example.marks if m.code == code.id}
        got = {(label.code, label.stance) for label in labels if label.code == code.id}
        per_code[code.id][1] += 1
        if expected == got:
            per_code[code.id][0] += 1
        else:
            wrong += 1
            if verbose:
                typer.echo(f"{code.id}: expected {sorted(expected)}, got {sorted(got)}: {example.raw}", err=True)
    for code_id, (right, total) in per_code.items():
        typer.echo(f"{code_id}  {right}/{total}")
    typer.echo(f"{len(examples) - wrong} of {len(examples)} examples as expected")
    if wrong * 10 >= len(examples):
        raise typer.Exit(1)


def _manual(codebook: Codebook) -> str:
    """The codebook as Markdown; ``docs/codebook.md`` is this text."""
    from data.law import load_law

    law = load_law()
    lines = [
        "# The codebook",
        "",
        "Generated by `plainview codebook show --markdown` from `data/codebook/*.toml` and `data/law/*.toml`; edit those.",
        "A flag is a possible indicator, never a verdict.",
        "",
        "## Stances",
        "",
        "| stance | raises a flag | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| {s.id} | {'yes' if s.flag else 'no'} | {s.definition} |" for s in codebook.stances]
    for code in codebook.codes:
        lines += ["", f"## {code.id} {code.name}", "", f"**{code.title}.** {code.definition}", ""]
        lines += [f"- Theory: {code.theory}; kind: {code.kind}", f"- Included: {'; '.join(code.includes)}"]
        lines += [f"- Not included: {'; '.join(code.excludes)}", f"- Confuser: {code.confuser}"]
        for hook_id in code.hooks:
            hook = law.hooks[hook_id]
            lines.append(f"- May bear on: {hook.title}, {hook.citation} ({hook.status}, as of {hook.as_of})")
        lines += ["", "| stance | example |", "|---|---|"]
        for example in (*code.positive, *code.confusing):
            stances = sorted({mark.stance for mark in example.marks if mark.code == code.id}) or ["none"]
            context = f"*{example.heading or example.list_intro}* " if example.heading or example.list_intro else ""
            lines.append(f"| {', '.join(stances)} | {context}{example.text} |".replace("|  |", "| |"))
    lines += ["", "## Clauses on terms pages", "", "| clause | meaning |", "|---|---|"]
    lines += [f"| {clause.id} | {clause.title}. {clause.definition} |" for clause in codebook.clauses]
    return "\n".join(lines)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if str(file) != "-" and not file.exists():
        raise _fail(f"no such file: {file}")
    with sys.stdin if str(file) == "-" else file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise _fail(f"{file}, line {number}: not JSON ({error.msg})") from error
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise _fail(f"{file}, line {number}: no text")
            yield number, row


def _reading(row: dict[str, Any]) -> Reading:
    from analysis.claims import Reading

    return Reading(
        text=row["text"],
        heading=row.get("heading") or "",
        list_intro=row.get("list_intro") or "",
        page_role=row.get("page_role") or "other",
        zone=row.get("zone") or "main",
    )


def classify(
    file: Annotated[
        Path, typer.Argument(help="JSON Lines with id, text, heading, list_intro, page_role; - for stdin.")
    ],
) -> None:
    """Label passages: one JSON line out for each line in, in the same order."""
    from analysis.claims import Claims
    from analysis.language import language_of

    claims = Claims.load()
    rows = [row for _, row in _rows(file)]
    for row, labels in zip(rows, claims.read(_reading(row) for row in rows), strict=True):
        out: dict[str, Any] = {
            "id": row.get("id"),
            "labels": [
                {
                    "code": label.code,
                    "stance": label.stance,
                    "start": label.start,
                    "end": label.end,
                    "confidence": round(label.confidence, 4),
                    "rule": label.rule,
                }
                for label in labels
            ],
        }
        language = language_of(row["text"])
        if language != "en":
            out["unread"] = f"language: {language}"
        sys.stdout.write(json.dumps(out, ensure_ascii=False) + "\n")


def evaluate_file(
    gold: Annotated[Path, typer.Argument(help="JSON Lines as for classify, with labels.")],
    output: Annotated[str, typer.Option("--format", help="table or json")] = "table",
    misses: Annotated[bool, typer.Option("--misses/--no-misses", help="List the passages that differ.")] = True,
) -> None:
    """Score the pipeline against GOLD: codes, stances, flags, spans, calibration, confusion of stances, and the misses."""
    from analysis.claims import Claims, Label
    from analysis.evaluation import evaluate, pairs_told_apart

    if output not in ("table", "json"):
        raise _fail("--format is table or json")
    rows = [row for _, row in _rows(gold)]
    if rows and all(isinstance(label, str) for row in rows for label in row.get("labels", [0])):
        _evaluate_clauses(rows, output, misses)
        return
    claims = Claims.load()
    predicted = list(claims.read(_reading(row) for row in rows))
    truth: list[tuple[Label, ...]] = []
    for number, row in enumerate(rows, 1):
        try:
            truth.append(
                tuple(
                    Label(label["code"], label["stance"], label["start"], label["end"], 1.0, "gold")
                    for label in row["labels"]
                )
            )
        except (KeyError, TypeError) as error:
            raise _fail(f"{gold}, line {number}: labels need code, stance, start and end") from error
    result = evaluate(truth, predicted, claims.codebook.flag_stances)
    pairs: dict[str, tuple[int, int]] = {}
    if rows and all("pair" in row for row in rows):
        names = [str(row["pair"]) for row in rows]
        pairs = pairs_told_apart(names, truth, predicted, claims.codebook.flag_stances)
    if output == "json":
        summary = _summary(result)
        if pairs:
            summary["pairs"] = {pair: round(right / total, 4) for pair, (right, total) in pairs.items()}
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    _print_scores(result)
    if pairs:
        good = sum(right * 10 >= total * 9 for right, total in pairs.values())
        typer.echo(f"\nconfusable pairs told apart in nine wordings of ten: {good} of {len(pairs)}")
        for pair, (right, total) in pairs.items():
            typer.echo(f"  pair {pair:<4} {right}/{total}")
    if misses:
        typer.echo("\nmisses (missed / extra)")
        for miss in result.misses:
            row = rows[miss.index]
            text = row["text"] if len(row["text"]) < 160 else row["text"][:157] + "..."
            typer.echo(f"  {row.get('id', miss.index)}  -{' '.join(miss.missed)}  +{' '.join(miss.extra)}  {text}")


def _figures(score: Score) -> dict[str, float]:
    return {
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "f1": round(score.f1, 4),
        "n": score.right + score.missed,
    }


def _summary(result: Evaluation) -> dict[str, Any]:
    return {
        "passages": result.passages,
        "macro_f1": round(result.macro_f1, 4),
        "micro": _figures(result.micro),
        "flags": _figures(result.flags),
        "stance_accuracy": round(result.stance_accuracy, 4),
        "shared_codes": result.shared_codes,
        "span_iou": round(result.span_iou, 4),
        "span_half": round(result.span_half, 4),
        "exact_passages": round(result.exact_passages, 4),
        "calibration_error": round(result.calibration_error, 4),
        "calibration": [[round(x, 4) for x in row] for row in result.calibration],
        "codes": {code: _figures(score) for code, score in result.codes.items()},
        "stances": {stance: _figures(score) for stance, score in result.stances.items()},
        "confusion": {f"{a}>{b}": n for (a, b), n in result.confusion.items() if a != b},
    }


def _print_scores(result: Evaluation) -> None:
    typer.echo(f"passages {result.passages}")
    typer.echo(f"macro-F1 over codes {result.macro_f1:.3f}, micro-F1 {result.micro.f1:.3f}")
    typer.echo(
        f"flag-raising: precision {result.flags.precision:.3f}, recall {result.flags.recall:.3f}, F1 {result.flags.f1:.3f}"
    )
    typer.echo(f"stance accuracy on shared codes {result.stance_accuracy:.3f} ({result.shared_codes})")
    typer.echo(f"span overlap (IoU) {result.span_iou:.3f}, at least half {result.span_half:.3f}")
    typer.echo(f"passages exactly right {result.exact_passages:.3f}")
    typer.echo(f"calibration error {result.calibration_error:.3f}")
    for name, scores in (("code", result.codes), ("stance", result.stances)):
        typer.echo(f"\n{name:<9}{'prec':>7}{'recall':>8}{'F1':>7}{'n':>6}")
        for key, score in scores.items():
            typer.echo(
                f"{key:<9}{score.precision:>7.3f}{score.recall:>8.3f}{score.f1:>7.3f}{score.right + score.missed:>6}"
            )
    typer.echo("\nconfidence, share right, n")
    for _, mean, share, count in result.calibration:
        typer.echo(f"  {mean:.2f}  {share:.2f}  {count}")
    typer.echo("\nstance confusion (gold > read)")
    for (truth, guess), count in sorted(result.confusion.items(), key=lambda row: -row[1]):
        if truth != guess:
            typer.echo(f"  {truth} > {guess}  {count}")


def _evaluate_clauses(rows: list[dict[str, Any]], output: str, misses: bool) -> None:
    """Score the clause layer on rows of the public corpus: labels are names such as ``limitation_of_liability``."""
    from analysis.clauses import Clauses, evaluate_clauses

    clauses = Clauses.load()
    if clauses is None:
        raise _fail("the weights of the clause layer are not there; `plainview train` makes them", 6)
    corpus = {clause.id: clause.corpus for clause in clauses.clauses}
    gold = [frozenset(row["labels"]) for row in rows]
    predicted = [frozenset(corpus[name] for name in clauses.read_sentence(row["text"])) for row in rows]
    scores = evaluate_clauses(gold, predicted, list(corpus.values()))
    if output == "json":
        figures = {name: round(value, 4) for name, value in scores.f1.items()}
        summary = {"sentences": len(rows), "macro_f1": round(scores.macro, 4), "micro_f1": round(scores.micro, 4)}
        typer.echo(json.dumps({**summary, "f1": figures}, indent=2))
        return
    typer.echo(f"sentences {len(rows)}")
    typer.echo(f"macro-F1 over nine classes {scores.macro:.3f}, micro-F1 {scores.micro:.3f}")
    for name, value in scores.f1.items():
        typer.echo(f"{name:<26}{value:>7.3f}")
    if misses:
        typer.echo("\nmisses (missed / extra)")
        for row, truth, guess in zip(rows, gold, predicted, strict=True):
            if truth != guess:
                typer.echo(
                    f"  -{' '.join(sorted(truth - guess))}  +{' '.join(sorted(guess - truth))}  {row['text'][:120]}"
                )


def train(
    gold: Annotated[list[Path], typer.Argument(help="Gold passages to learn from, beside examples and practice.")],
    output: Annotated[Path, typer.Option(help="Folder for the weights.")] = Path("analysis/weights"),
    clauses: Annotated[Path | None, typer.Option(help="Train file of the clause corpus, for the clause layer.")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 8,
    seed: Annotated[int, typer.Option()] = 1,
    rate: Annotated[float, typer.Option(help="Learning rate of the body.")] = 2e-4,
    frozen: Annotated[int, typer.Option(min=0, help="How many of the first layers stay as they are.")] = 0,
    start: Annotated[Path | None, typer.Option(help="Folder of earlier weights to go on from.")] = None,
    everyday: Annotated[
        Path | None, typer.Option(help="Folder of real pages (html/*.html.gz) that claim nothing.")
    ] = None,
    calibrate: Annotated[list[Path] | None, typer.Option(help="Gold passages to calibrate on, not trained on.")] = None,
) -> None:
    """Train the reader from its data, seeded; needs the packages of the `train` group."""
    for file in [*gold, *(calibrate or []), *([clauses] if clauses else [])]:
        if not file.exists():
            raise _fail(f"no such file: {file}")
    try:
        from analysis import training
    except ModuleNotFoundError as error:
        raise _fail(f"'{error.name}' is not installed: install the packages of the `train` group", 6) from error
    from data.codebook import load_codebook

    def progress(line: str) -> None:
        typer.echo(line, err=True)

    recipe = training.Recipe(epochs=epochs, seed=seed, body_rate=rate, frozen=frozen)
    try:
        training.train(load_codebook(), gold, recipe, output, progress, start, everyday, clauses)
        if calibrate:
            training.calibrate(calibrate, output, progress)
        if calibrate and everyday:
            training.train_gate(gold, calibrate, everyday, output, progress)
    except RuntimeError as error:
        raise _fail(str(error), 6) from error
