"""The report as one HTML file that asks for nothing: style, script and figures stand in it, and a policy forbids the rest."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.report.figures import Bar, Figure, bar_figure
from analysis.report.gather import CONTRARY, meaning
from analysis.report.shown import clipped, defanged, harmless
from analysis.report.snapshot import CodeCount, Snapshot
from analysis.report.wording import load_wording
from data.outcomes import Outcome


def render(snapshot: Snapshot) -> str:
    """The whole page as text. The same snapshot gives the same page."""
    style = _file("report.css").replace("RUNNING-HEAD", _css_string(f"Plainview: {clipped(snapshot.facts.title, 80)}"))
    script = _file("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            case=snapshot,
            figures=figures(snapshot),
            wording=load_wording(),
            style=Markup(style),  # noqa: S704 - a file of the house
            script=Markup(script),  # noqa: S704 - a file of the house
            policy=_policy(style, script),
            meaning=meaning,
            contrary=CONTRARY,
            numbers={dossier.service.service: dossier.number for dossier in snapshot.dossiers},
            outcomes=tuple(Outcome),
            stances={stance.id: stance.definition for stance in snapshot.codebook.stances},
        )
    )


def figures(snapshot: Snapshot) -> dict[str, Figure]:
    """The figures by name; one without rows is left out."""
    total = len(snapshot.dossiers)
    found = {
        "outcomes": bar_figure(
            "figure-outcomes",
            "Services by what the last visit came to",
            "Outcome",
            "Services",
            [Bar(words(name), words(name), count) for name, count in snapshot.outcomes],
            total,
            noun="services",
        ),
        "codes": bar_figure(
            "figure-codes",
            "Services with at least one possible indicator, by code",
            "Code",
            "Services",
            [_code_bar(count) for count in by_services(snapshot.codes)],
            snapshot.reached,
            noun="services reached",
        ),
    }
    return {name: figure for name, figure in found.items() if figure.bars}


def by_services(counts: tuple[CodeCount, ...]) -> list[CodeCount]:
    """The codes that were seen at all, most services first, then in the codebook's order."""
    return sorted((count for count in counts if count.services), key=lambda count: -count.services)


def _code_bar(count: CodeCount) -> Bar:
    return Bar(count.code.id, count.code.title, count.services)


def words(name: str) -> str:
    """An identifier as words: ``age_gate`` is shown as ``age gate``."""
    return name.replace("_", " ")


def share(count: int, total: int) -> str:
    """``9 of 12 (75%)``; a share of nothing is only the count."""
    return f"{count} of {total} ({count / total:.0%})" if total else f"{count} of 0"


def utc(moment: str) -> str:
    """``2026-11-23 19:12:59 Z`` from an ISO time in UTC; milliseconds are left to the record."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z", moment)
    return f"{match[1]} {match[2]} Z" if match else moment


def ranges(names: Iterable[str]) -> str:
    """Exhibit numbers in order, runs of them joined: ``EX-0001 to EX-0004, EX-0009``."""
    runs: list[list[str]] = []
    for name in names:
        if runs and int(name[3:]) == int(runs[-1][-1][3:]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _page_text(text: object, limit: int = 4000) -> str:
    """Words of a stranger as they are shown: clipped, harmless, without a usable address."""
    return defanged(harmless(clipped(str(text), limit)))


def _name(text: object) -> str:
    return harmless(clipped(str(text), 400))


def _address(text: object) -> str:
    """A hash, an address that is defanged already, a locator or an id."""
    return harmless(clipped(str(text), 2000))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analysis.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = {
        "page_text": _page_text, "name": _name, "words": words, "utc": utc, "address": _address, "by_services": by_services,
        "path": lambda heading: _page_text(heading, 300).replace(" > ", " › "),
        "ranges": ranges,
        "thousands": lambda number: f"{number:,}",
    }  # fmt: skip
    environment.filters.update(filters)
    environment.globals["share"] = share
    return environment


def _file(name: str) -> str:
    return resources.files("analysis.report").joinpath(name).read_text(encoding="utf-8").strip()


def _css_string(text: str) -> str:
    """*text* for a CSS string in a style element: all but plain letters and digits as escapes."""
    return re.sub(r"[^A-Za-z0-9]", lambda match: f"\\{ord(match[0]):06x}", harmless(text))


def _policy(style: str, script: str) -> str:
    """A content security policy under which the page can load nothing and run only its own script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
