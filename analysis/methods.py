"""The methods page behind a staff report: what was counted, how, and with which settings, written from the run itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.agreement import DO_NOT_EXPORT, TENTATIVE, agreement
from analysis.prevalence import EXACT_BELOW, Adjusted, Extent, Share, non_response
from analysis.survey import Survey
from data import environment
from data.canonical import sha256
from data.case import Case
from data.codebook import load_codebook
from data.decisions import Role, decisions, last_decisions, settle
from data.sampling import samples

if TYPE_CHECKING:
    from analysis.agreement import Measured


def methods_page(
    case: Case, survey: Survey, found: Sequence[Extent], *, threshold: float = 0.0, figure: str = ""
) -> str:
    """The page as Markdown: frame, dates, versions, coders, seeds, tables, and what it does not say."""
    parts = [
        "# Methods",
        "",
        f"Case: {case.facts.title or '(untitled)'}. Authority: {case.facts.authority or '(none stated)'}.",
        "Everything below was written from the record of the case; the ledger entry named at the end fixes its state.",
        "",
        *_frame(survey),
        *_instruments(case, threshold),
        *_coding(case, survey),
        *_results(found, figure),
        *_agreement(case),
        *_limits(),
    ]
    head = case.ledger.head()
    parts += ["", f"State of the record: ledger entry {head.count}, hash `{head.hash}`.", ""]
    return "\n".join(parts)


def _frame(survey: Survey) -> list[str]:
    strata = Counter(item.stratum or "(none)" for item in survey.surveyed)
    began = survey.sweep.started or "each service's last visit"
    names = "\n".join(sorted(survey.sweep.services))
    return [
        "## Frame and non-response",
        "",
        (
            f"Sweep `{survey.sweep.sweep}`, begun {began}, ended {survey.sweep.ended or '(not recorded)'}. The frame is the list "
            f"of {len(survey.sweep.services)} services (SHA-256 of the sorted names `{sha256(names.encode())[:16]}…`). The unit "
            "is the service cluster; addresses are shown beside it."
        ),
        "",
        _table(("stratum", "services tried"), [(name, count) for name, count in sorted(strata.items())]),
        "",
        _table(
            ("group", "outcome", "services", "reason"),
            [
                (item.group, item.outcome, item.services, item.reason)
                for item in non_response(survey.surveyed, survey.excluded)
            ],
        ),
        "",
    ]


def _instruments(case: Case, threshold: float) -> list[str]:
    run = None
    for event in case.ledger.events("analysis.run"):
        run = event
    version = environment.environment()["parts"].get("plainview", "")
    lines = [
        "## Instruments",
        "",
        f"Protocol: plainview {version}, text only, pages in plain public view, GET and HEAD.",
    ]
    if run is not None:
        lines.append(
            f"Extractor `{run.body['extractor']}`; codebook `{run.body['codebook_sha256'][:16]}…`; model "
            f"`{run.body['model_sha256'][:16]}…`; run on {run.at}."
        )
    lines.append(
        f"A flag counts from a confidence of {threshold:.2f}." if threshold else "Every raised flag counts, whatever its confidence."
    )  # fmt: skip
    return [*lines, ""]


def _coding(case: Case, survey: Survey) -> list[str]:
    made = decisions(case)
    last = last_decisions(made)
    coders = Counter(item.coder for item in last.values() if item.role == Role.CODER)
    how = Counter(item.how for item in settle(made).values())
    rows = [
        (
            item.sample,
            item.what,
            item.stratified_by,
            item.seed,
            sum(size.drawn for size in item.sizes()),
            sum(size.frame for size in item.sizes()),
            sum(len(unit.coders) > 1 for unit in item.assigned()),
            f"`{item.frame_sha256[:12]}…`",
        )
        for item in samples(case).values()
    ]
    lines = ["## Coding", ""]
    if not made:
        return [*lines, "Nobody has coded yet: all shares below are of uncorrected flags.", ""]
    lines += [
        (
            f"{len(coders)} coders ({', '.join(sorted(coders))}) decided {len({key[0] for key in last})} units: "
            f"{how['adjudicated']} adjudicated, {how['agreed']} agreed by two or more, {how['single']} by one coder alone, "
            f"{how['open']} still in disagreement. Coders of a sample did not see each other's decisions."
        ),
        "",
    ]
    if rows:
        lines += [_table(("sample", "what", "strata", "seed", "drawn", "frame", "double", "frame hash"), rows), ""]
    if survey.truth:
        lines += [f"Coded in full and settled: {len(survey.truth)} services; they judge the flags.", ""]
    if survey.unfinished:
        lines += [f"Drawn to be coded in full and not settled: {len(survey.unfinished)} services.", ""]
    return lines


def _results(found: Sequence[Extent], figure: str) -> list[str]:
    rows = []
    for item in found:
        adjusted = item.adjusted
        rows.append(
            (
                item.question.name,
                item.question.title,
                f"{item.clusters.numerator:.0f}/{item.clusters.denominator:.0f}",
                _share(item.clusters),
                _share(item.weighted),
                "-" if adjusted.value is None else _interval(adjusted.value, adjusted.low, adjusted.high),
                f"{item.addresses.numerator:.0f}/{item.addresses.denominator:.0f}",
                item.confirmed,
            )
        )
    lines = ["## Shares", ""]
    if figure:
        lines += [f"![Shares of service clusters with a possible indicator, with 95 % intervals]({figure})", ""]
    lines += [
        _table(
            ("code", "possible indicator", "flagged", "share", "weighted", "corrected", "addresses", "confirmed"), rows
        ),
        "",
        (
            f"Intervals are 95 %: Wilson's, or Clopper and Pearson's below {EXACT_BELOW} units. Weighted: by strata, each "
            "weighing what was listed, with Kish's design effect. Corrected: Rogan and Gladen (1978); with a random part of the "
            "sweep coded in full, Tenenbein's double sampling (1970), with flags judged elsewhere, Lang and Reiczigel's "
            "interval (2014). Confirmed: clusters with at least one flag that people settled as standing."
        ),
        "",
    ]
    return lines


def _agreement(case: Case) -> list[str]:
    found = agreement(decisions(case), draws=200)
    if not found[0].units:
        return ["## Agreement", "", "No unit was coded by two coders; agreement is unknown.", ""]
    rows = [
        (
            f"{item.level} {item.name}",
            item.units,
            "-" if item.base_rate is None else f"{item.base_rate:.2f}",
            _measured(item.percent),
            _measured(item.kappa),
            _measured(item.alpha),
        )
        for item in found
    ]
    return [
        "## Agreement",
        "",
        _table(("what", "units", "base rate", "percent", "kappa", "alpha"), rows),
        "",
        (
            f"Percentile intervals of 200 bootstrap draws over units, seed 1. Codes with alpha below {DO_NOT_EXPORT} carry no "
            f"conclusion, up to {TENTATIVE:.3f} only tentative ones."
        ),
        "",
    ]


def _limits() -> list[str]:
    closed = ", ".join(sorted(load_codebook().referral_codes))
    return [
        "## What this does not say",
        "",
        "- Shares are of possible indicators in text, not of unlawful conduct, and hold for the frame above alone.",
        "- Services that were not reached may differ from those that were; the table above says how many and why.",
        "- Claims inside pictures were not read; other visitors may have seen other pages.",
        f"- {closed} is in no count: what refers to minors waits in the closed queue.",
        "- An interval carries chance, not a wrong frame or a wrong definition.",
    ]


def figure(found: Sequence[Extent]) -> str:
    """Shares with their intervals as SVG: a point and a bar for each, corrected ones below the plain ones."""
    import altair
    import vl_convert

    rows: list[dict[str, Any]] = []
    for item in found:
        if item.question.level not in ("any", "theory") or item.clusters.value is None:
            continue
        rows.append(_bar(item.question.name, "flagged", item.clusters))
        if item.adjusted.value is not None:
            rows.append(_bar(item.question.name, "corrected", item.adjusted))
    order = list(dict.fromkeys(row["what"] for row in rows))
    base = altair.Chart(altair.InlineData(values=rows)).encode(
        y=altair.Y("what:N", sort=order, title=None),
        yOffset=altair.YOffset("kind:N", sort=["flagged", "corrected"]),
        color=altair.Color(
            "kind:N",
            title=None,
            sort=["flagged", "corrected"],
            scale=altair.Scale(domain=["flagged", "corrected"], range=["#555555", "#0a6aa8"]),
        ),
    )
    axis = altair.Axis(format="%")
    lines = base.mark_rule().encode(
        x=altair.X("low:Q", title="share of service clusters", scale=altair.Scale(domain=[0, 1]), axis=axis),
        x2="high:Q",
    )
    points = base.mark_point(filled=True, size=45).encode(x="share:Q")
    chart = (lines + points).properties(width=460, height=altair.Step(18))
    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def _bar(what: str, kind: str, item: Share | Adjusted) -> dict[str, Any]:
    return {"what": what, "kind": kind, "share": item.value, "low": item.low, "high": item.high}


def _share(share: Share) -> str:
    return "-" if share.value is None else _interval(share.value, share.low, share.high)


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _measured(item: Measured) -> str:
    if item.value is None:
        return "-"
    return f"{item.value:.2f}" + (f" ({item.low:.2f} to {item.high:.2f})" if item.low is not None else "")


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return str(value).replace("|", "\\|").replace("\n", " ")

    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)
