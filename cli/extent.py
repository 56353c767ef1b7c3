"""``plainview agreement`` and ``plainview prevalence``: how far coders agree, and to what extent services do it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, FormatOption, OutputOption, the_case
from cli.exits import Stop
from cli.terminal import Format, emit, say

if TYPE_CHECKING:
    from analysis.agreement import Agreement, Measured
    from analysis.prevalence import Extent, Reference, Share
    from analysis.survey import Survey, Sweep
    from data.case import Case

AGREEMENT_COLUMNS = (
    "level", "name", "units", "coders", "base_rate", "percent", "percent_low", "percent_high",
    "kappa", "kappa_low", "kappa_high", "alpha", "alpha_low", "alpha_high", "warnings",
)  # fmt: skip
MACHINE_COLUMNS = (
    "sample", "code", "raised", "there", "precision", "precision_low", "precision_high", "recall", "recall_low",
    "recall_high", "warning",
)  # fmt: skip
EXTENT_COLUMNS = (
    "level", "name", "title", "flagged", "reached", "share", "low", "high", "method", "weighted", "weighted_low",
    "weighted_high", "design_effect", "adjusted", "adjusted_low", "adjusted_high", "sensitivity", "specificity",
    "positives_settled", "negatives_settled", "confirmed", "unreviewed", "services", "services_share",
    "addresses_flagged", "addresses", "addresses_share", "addresses_low", "addresses_high", "addresses_design_effect",
    "warnings",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("agreement")(agreement)
    app.command("prevalence")(prevalence)


def agreement(
    sample: Annotated[list[str] | None, typer.Option(help="Only what was coded for these samples (S-001).")] = None,
    draws: Annotated[int, typer.Option(min=0, help="Bootstrap draws for the intervals; 0 = no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
    machine: Annotated[
        bool, typer.Option("--machine", help="Instead: the flags against what people settled in samples of passages.")
    ] = False,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show how far coders agree: percent, Cohen's kappa and Krippendorff's alpha by code and stance, with intervals."""
    from analysis.agreement import agreement as measure
    from data.decisions import decisions
    from data.sampling import samples

    opened = the_case(case)
    known = samples(opened)
    for name in sample or ():
        if name not in known:
            raise Stop(f"There is no sample {name!r}. See: plainview review status")
    if machine:
        _show_machine(opened, sample or [], draws, seed, form, output)
        return
    found = measure(decisions(opened), samples=sample or (), draws=draws, seed=seed)
    if form is Format.TABLE and output is None:
        _agreement_table(found)
        return
    emit([_agreement_row(item) for item in found], AGREEMENT_COLUMNS, form, output)


def _show_machine(opened: Case, wanted: list[str], draws: int, seed: int, form: Format, output: Path | None) -> None:
    from analysis.recall import judged, quality
    from data.decisions import decisions
    from data.sampling import What, samples
    from data.store import reading

    chosen = [
        item for name, item in samples(opened).items() if (name in wanted if wanted else item.what == What.PASSAGES)
    ]
    if not chosen:
        raise Stop("There is no sample of passages. Draw one: plainview review sample --what passages")
    rows: list[dict[str, Any]] = []
    with reading(opened) as connection:
        for item in chosen:
            found = judged(connection, item, decisions(opened))
            frame = {size.stratum: size.frame for size in item.sizes()}
            say(f"{item.sample}: {len(found)} of {len(item.assigned())} passages are settled.")
            rows += [
                {"sample": item.sample, **{name: getattr(line, name) for name in MACHINE_COLUMNS[1:]}}
                for line in (quality(found, frame, draws=draws, seed=seed) if found else ())
            ]
    columns = MACHINE_COLUMNS if form is not Format.TABLE or output else MACHINE_COLUMNS[1:-1]
    emit(rows, columns, form, output)


def _agreement_row(item: Agreement) -> dict[str, Any]:
    row: dict[str, Any] = {
        "level": item.level,
        "name": item.name,
        "units": item.units,
        "coders": item.coders,
        "base_rate": item.base_rate,
        "warnings": "; ".join(item.warnings),
    }
    for name in ("percent", "kappa", "alpha"):
        measured: Measured = getattr(item, name)
        row |= {name: measured.value, f"{name}_low": measured.low, f"{name}_high": measured.high}
    return row


def _agreement_table(found: list[Agreement]) -> None:
    def cell(measured: Measured) -> str:
        if measured.value is None:
            return "-"
        spread = f" [{measured.low:.2f}, {measured.high:.2f}]" if measured.low is not None else ""
        return f"{measured.value:.2f}{spread}"

    rows = [
        {
            "what": f"{item.level} {item.name}",
            "units": item.units,
            "base rate": "-" if item.base_rate is None else f"{item.base_rate:.2f}",
            "percent": cell(item.percent),
            "kappa": cell(item.kappa),
            "alpha": cell(item.alpha),
        }
        for item in found
    ]
    emit(rows, ("what", "units", "base rate", "percent", "kappa", "alpha"), Format.TABLE)
    if not found or not found[0].units:
        say("No unit was coded by two yet. Draw a sample for two coders: plainview review sample")
        return
    notes: dict[str, list[str]] = {}
    for item in found:
        for warning in item.warnings:
            notes.setdefault(warning, []).append(f"{item.level} {item.name}")
    for warning, names in notes.items():
        say(f"{warning}: {', '.join(names)}")


def prevalence(
    sweep: Annotated[str, typer.Option(help="A sweep's id, last, or all (each service's last visit).")] = "last",
    before: Annotated[str, typer.Option(metavar="SWEEP", help="Show the change since this earlier sweep.")] = "",
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Only flags at least this confident.")] = 0.0,
    level: Annotated[list[str] | None, typer.Option(help="any, theory, code or fact; several times.")] = None,
    clusters: Annotated[
        Path | None, typer.Option(metavar="CSV", help="service,cluster: services that are one and count once.")
    ] = None,
    frame: Annotated[
        Path | None, typer.Option(metavar="CSV", help="stratum,size: how many there are, for the weights.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="name,tp,fn,tn,fp: the flags judged elsewhere, instead of this sweep's sample."
        ),
    ] = None,
    thresholds: Annotated[bool, typer.Option("--thresholds", help="How shares change with the threshold.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Only the table of who was not reached, and why.")] = False,
    methods: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Also write the methods page, with a figure beside it.")
    ] = None,
    case: CaseOption = None,
    form: FormatOption = Format.TABLE,
    output: OutputOption = None,
) -> None:
    """Show to what extent services show possible indicators: shares with denominators, intervals and correction."""
    from analysis.prevalence import non_response
    from analysis.survey import read_survey
    from data.store import reading

    opened = the_case(case)
    grouped = _pairs(clusters, ("service", "cluster"))
    with reading(opened) as connection:
        survey = read_survey(opened, connection, _sweep(opened, sweep), grouped)
        earlier = read_survey(opened, connection, _sweep(opened, before), grouped) if before else None
    if missing:
        rows = [
            {"group": item.group, "outcome": item.outcome, "services": item.services, "reason": item.reason}
            for item in non_response(survey.surveyed, survey.excluded)
        ]
        emit(rows, ("group", "outcome", "services", "reason"), form, output)
        return
    if not survey.surveyed:
        raise Stop("Nothing was visited in this sweep. See: plainview services list")
    if earlier is not None:
        _show_trend(earlier, survey, threshold, set(level or ()), form, output)
        return
    found = _extents(survey, threshold, frame, reference)
    if methods is not None:
        _write_methods(opened, survey, found, threshold, methods)
    chosen = [item for item in found if not level or item.question.level in level]
    if thresholds:
        _show_thresholds(chosen, form, output)
        return
    if form is Format.TABLE and output is None:
        _extent_table(chosen, survey)
        return
    emit([_extent_row(item) for item in chosen], EXTENT_COLUMNS, form, output)


def _extents(survey: Survey, threshold: float, frame: Path | None, reference: Path | None) -> list[Extent]:
    from analysis.prevalence import extent
    from analysis.survey import questions

    sizes = {name: float(size) for name, size in _pairs(frame, ("stratum", "size")).items()} if frame else None
    outside = _references(reference) if reference else {}
    return [
        extent(
            question,
            survey.surveyed,
            threshold=threshold,
            truth=survey.truth,
            confirmed=survey.confirmed,
            decided=survey.decided,
            frame=sizes,
            outside=outside.get(question.name),
        )
        for question in questions()
    ]


def _sweep(opened: Case, name: str) -> Sweep | None:
    from analysis.survey import sweeps

    known = sweeps(opened)
    if name == "all" or (name == "last" and not known):
        return None
    if name == "last":
        return known[-1]
    for item in known:
        if item.sweep == name:
            return item
    names = ", ".join(item.sweep for item in known) or "none yet"
    raise Stop(f"There is no sweep {name!r}. Known are: {names}")


def _table(file: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{file} cannot be read: {error}") from error
    if not rows or set(columns) - set(rows[0]):
        raise Stop(f"{file} needs a header with {','.join(columns)} and at least one row.")
    return rows


def _pairs(file: Path | None, columns: tuple[str, str]) -> Mapping[str, str]:
    if file is None:
        return {}
    pairs = {row[columns[0]]: row[columns[1]] for row in _table(file, columns)}
    if columns[1] == "size":
        for name, size in pairs.items():
            if not size.replace(".", "", 1).isdigit():
                raise Stop(f"{file}: the size of {name!r} is not a number: {size!r}")
    return pairs


def _references(file: Path) -> dict[str, Reference]:
    from analysis.prevalence import Reference

    found = {}
    for row in _table(file, ("name", "tp", "fn", "tn", "fp")):
        try:
            cells = [int(row[name]) for name in ("tp", "fn", "tn", "fp")]
        except ValueError as error:
            raise Stop(f"{file}: {row['name']}: {error}") from error
        found[row["name"]] = Reference(*cells)
    return found


def _extent_row(item: Extent) -> dict[str, Any]:
    adjusted, reference = item.adjusted, item.adjusted.reference
    return {
        "level": item.question.level,
        "name": item.question.name,
        "title": item.question.title,
        "flagged": int(item.clusters.numerator),
        "reached": int(item.clusters.denominator),
        "share": item.clusters.value,
        "low": item.clusters.low,
        "high": item.clusters.high,
        "method": item.clusters.method,
        "weighted": item.weighted.value,
        "weighted_low": item.weighted.low,
        "weighted_high": item.weighted.high,
        "design_effect": item.weighted.design_effect,
        "adjusted": adjusted.value,
        "adjusted_low": adjusted.low,
        "adjusted_high": adjusted.high,
        "sensitivity": reference.sensitivity if reference else None,
        "specificity": reference.specificity if reference else None,
        "positives_settled": reference.positives if reference else None,
        "negatives_settled": reference.negatives if reference else None,
        "confirmed": item.confirmed,
        "unreviewed": item.unreviewed,
        "services": int(item.services.denominator),
        "services_share": item.services.value,
        "addresses_flagged": int(item.addresses.numerator),
        "addresses": int(item.addresses.denominator),
        "addresses_share": item.addresses.value,
        "addresses_low": item.addresses.low,
        "addresses_high": item.addresses.high,
        "addresses_design_effect": item.addresses.design_effect,
        "warnings": "; ".join((*adjusted.warnings, *((adjusted.why,) if adjusted.why else ()))),
    }


def _percent(share: Share) -> str:
    if share.value is None:
        return "-"
    return f"{share.value:.0%} {share.low:.0%}–{share.high:.0%}"


def _extent_table(found: list[Extent], survey: Survey) -> None:
    rows = []
    for item in found:
        adjusted = item.adjusted
        rows.append(
            {
                "what": item.question.name,
                "flagged": f"{item.clusters.numerator:.0f}/{item.clusters.denominator:.0f}",
                "share": _percent(item.clusters),
                "corrected": "-"
                if adjusted.value is None
                else f"{adjusted.value:.0%} {adjusted.low:.0%}–{adjusted.high:.0%}",
                "stand": item.confirmed,
                "open": item.unreviewed,
                "addr.": f"{item.addresses.numerator:.0f}/{item.addresses.denominator:.0f}",
            }
        )
    emit(rows, ("what", "flagged", "share", "corrected", "stand", "open", "addr."), Format.TABLE)
    reached = sum(item.counts for item in survey.surveyed)
    say(f"Sweep {survey.sweep.sweep}: {reached} of {len(survey.surveyed)} services tried were read. See: --missing")
    reasons = {item.adjusted.why for item in found if item.adjusted.why}
    for reason in sorted(reasons):
        say(f"Not corrected: {reason}")
    if survey.unfinished:
        say(f"Drawn to be coded in full and not settled yet: {', '.join(survey.unfinished)}")
    say("Shares are of possible indicators, not of unlawful conduct. Intervals are 95 %.")


def _show_thresholds(found: list[Extent], form: Format, output: Path | None) -> None:
    rows = []
    for item in found:
        row: dict[str, Any] = {"what": f"{item.question.level} {item.question.name}"}
        for at, share in item.by_threshold:
            row[f"{at:.1f}"] = _percent(share) if form is Format.TABLE and output is None else share.value
        rows.append(row)
    names = tuple(f"{at:.1f}" for at, _ in found[0].by_threshold) if found else ()
    emit(rows, ("what", *names), form, output)


def _show_trend(
    earlier: Survey, later: Survey, threshold: float, levels: set[str], form: Format, output: Path | None
) -> None:
    from analysis.prevalence import trend
    from analysis.survey import questions

    rows = []
    for question in questions():
        if levels and question.level not in levels:
            continue
        item = trend(question, earlier.surveyed, later.surveyed, threshold=threshold)
        rows.append(
            {
                "what": f"{question.level} {question.name}",
                "both": int(item.before.denominator),
                "before": item.before.value,
                "after": item.after.value,
                "appeared": item.appeared,
                "disappeared": item.disappeared,
                "difference": item.difference,
                "low": item.low,
                "high": item.high,
                "p": item.p_value,
            }
        )
    columns = ("what", "both", "before", "after", "appeared", "disappeared", "difference", "low", "high", "p")
    emit(rows, columns, form, output)
    say(
        f"Clusters read in both {earlier.sweep.sweep} and {later.sweep.sweep}; exact McNemar test, Bonett-Price interval."
    )


def _write_methods(opened: Case, survey: Survey, found: list[Extent], threshold: float, file: Path) -> None:
    from analysis.methods import figure, methods_page
    from data.disk import write_file

    picture = file.with_suffix(".svg")
    page = methods_page(opened, survey, found, threshold=threshold, figure=picture.name)
    write_file(picture, figure(found).encode())
    write_file(file, page.encode())
    say(f"Methods page written to {file}, figure to {picture}.")
