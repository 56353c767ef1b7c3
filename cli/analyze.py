"""``plainview analyze``: read the stored texts and flag what they claim."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import CaseOption, the_case
from cli.progress import Bars
from cli.terminal import say
from cli.workers import (
    PROCESSES,
    AddressOption,
    EngineName,
    EngineOption,
    ProcessesOption,
    StoreOption,
    the_engine,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("analyze")(analyze)


def analyze(
    codebook: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A codebook of your own instead of the built-in one.")
    ] = None,
    processes: ProcessesOption = PROCESSES,
    engine: EngineOption = EngineName.LOCAL,
    address: AddressOption = "",
    store: StoreOption = "",
    case: CaseOption = None,
) -> None:
    """Read what was crawled, flag claims passage by passage, and find what only several of them show. Only what is new is read."""
    from analysis.cleared import clear
    from analysis.findings import Progress as Searching
    from analysis.findings import find
    from analysis.flags import Progress
    from analysis.flags import analyze as read
    from data.codebook import load_codebook

    opened = the_case(case)
    with Bars("analyze") as bars:

        def show(progress: Progress) -> None:
            bars.show("texts", progress.done, progress.total, f"{progress.passages} passages  {progress.flags} flags")

        own = load_codebook(codebook) if codebook else None
        with the_engine(engine, processes, address) as workers:
            done = read(opened, show, codebook=own, engine=workers, store=store)

        def searching(progress: Searching) -> None:
            bars.show("services", progress.done, progress.total, f"{progress.findings} findings")

        found = find(opened, searching)
        clear(opened, lambda done, total: bars.show("words", done, total, ""))
    if done.reanalysis:
        say(
            "Extractor, codebook or model changed: everything was read again (a re-analysis, not a change of any site)."
        )
    if done.texts:
        say(
            f"{done.texts} texts read, {done.passages} passages ({done.unique} different ones), {done.flags} marks put down."
        )
    else:
        say("Nothing new to read.")
    if found.services:
        say(
            f"{found.findings} findings, {found.clusters} clusters of services, {found.changes} changes "
            f"({found.services} services looked at, {found.untouched} unchanged)."
        )
