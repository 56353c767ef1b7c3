"""``plainview demo``: the whole of it on a small fictional web, served on loopback; the tour for a new user."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Stop
from cli.terminal import say


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where to put the demo case; else a temporary folder.")
    ] = None,
    render: Annotated[bool, typer.Option(help="Use the browser where a page needs one.")] = True,
) -> int:
    """Crawl a dozen invented services on this machine, flag their claims, write the report and a case file, verify it."""
    from cli.analyze import analyze
    from cli.crawl import sweep
    from cli.demo_server import DemoServer
    from cli.evidence import export_case, verify
    from cli.flags import flags
    from cli.report import report
    from cli.services import add
    from crawler.sweep import plan_sweep
    from data.case import CaseFacts, make_case

    root = folder or Path(tempfile.mkdtemp(prefix="plainview-demo-")) / "case"
    if root.exists() and any(root.iterdir()):
        raise Stop(f"{root} is not empty. Choose a new folder; nothing was changed.")
    with DemoServer() as web:
        _step(1, "Open a case under a stated authority:  plainview init")
        facts = CaseFacts(
            title="Demonstration on an invented web",
            matter="DEMO-1",
            authority="Demonstration: the sites are invented and served on this machine",
            operators=("demo",),
            custodian="demo",
        )
        settings = "\n".join(
            (
                'allow_private = ["127.0.0.0/8"]',
                "delay_seconds = 0.0",
                "concurrency_per_host = 2",
                f'render = "{"auto" if render else "never"}"',
            )
        )
        case = make_case(root, facts, settings)
        _step(2, "Load the list of services from a CSV file:  plainview services add services.csv")
        with tempfile.TemporaryDirectory() as elsewhere:
            listed = Path(elsewhere) / "services.csv"
            listed.write_text(web.services_csv(), encoding="utf-8")
            add([str(listed)], case=root)
        _step(3, "Visit them: robots first, text only, the pages that matter first:  plainview crawl")
        code = sweep(case, plan_sweep(case), processes=2)
        tally = web.tally()
        say(
            f"    The invented web answered {tally.requests} requests; {tally.media_requests} asked for media "
            f"({tally.media_bytes} bytes); {tally.writes} were other than GET or HEAD."
        )
    _step(4, "Read every passage and flag what it claims, with stance and rule:  plainview analyze")
    analyze(case=root)
    _step(
        5, "Who promises deletion or anonymity?  plainview flags --code D04 --service Lumenhush --service Quillobrite"
    )
    flags(code=["D04"], service=["Lumenhush", "Quillobrite"], case=root)
    _step(6, "Write the report, one file that opens without a network:  plainview report")
    report(case=root)
    _step(7, "Pack the case file with evidence, tables and a verifier:  plainview export")
    exported = export_case(case)
    _step(8, "Check it the way a stranger would:  plainview verify")
    checked = verify(exported)
    say("")
    say(f"The case:    {root}")
    say(f"Case file:   {exported}")
    say(f"The report:  {case.exports / 'report.html'}")
    return checked or code


def _step(number: int, text: str) -> None:
    say(f"\n{number}. {text}")
