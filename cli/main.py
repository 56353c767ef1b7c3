"""``plainview``: the commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cli import (
    analyze,
    case,
    claims,
    crawl,
    demo,
    doctor,
    evidence,
    extent,
    findings,
    flags,
    imports,
    refer,
    report,
    review,
    search,
    services,
    show,
    sql,
    workbook,
)
from cli.exits import Exit, explain
from cli.sections import Sections
from cli.terminal import say

app = typer.Typer(
    name="plainview",
    help="Review what services say in plain public view: text only, flagged by rules a lawyer can read, kept so that it stands.",
    no_args_is_help=True,
    cls=Sections,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is made in half the time and reads the same in every terminal
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Exit codes: 0 done, 2 usage, 3 partial, 4 integrity, 5 not sealed, 6 environment, 130 interrupted.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"plainview {version('plainview')}\n")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that stand before a command."""


for _module in (
    case,
    services,
    crawl,
    imports,
    analyze,
    flags,
    findings,
    show,
    search,
    sql,
    review,
    extent,
    refer,
    report,
    workbook,
    evidence,
    claims,
    doctor,
    demo,
):
    _module.register(app)


def run() -> None:
    """The program. Ends the process with one of ``Exit``; a fault of the program itself shows its traceback."""
    try:
        result = app(standalone_mode=False)
        code = result if isinstance(result, int) else Exit.DONE
    except (KeyboardInterrupt, typer.Abort):
        say("Interrupted. What was written is kept; run the command again to continue.")
        code = Exit.INTERRUPTED
    except typer.Exit as leaving:
        code = leaving.exit_code
    except typer.TyperException as error:
        # A usage error knows how to show itself with the command's usage line; others have only a message.
        show = getattr(error, "show", None)
        show() if show else say(f"plainview: {error.format_message()}")
        code = Exit.USAGE
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Nothing may be written any more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        message, code = known
        say(f"plainview: {message}")
    sys.exit(int(code))


if __name__ == "__main__":
    run()
