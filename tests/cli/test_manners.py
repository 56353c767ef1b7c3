"""The manners of the command line: where things go, what errors say, which code the shell is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from cli.exits import Exit
from cli.main import app
from cli.sections import first_sentence
from cli.terminal import harmless, harmless_cell
from tests.cli.run_plainview import plainview


def test_help_names_every_command_in_its_section_and_the_exit_codes() -> None:
    done = plainview("--help")
    assert done.returncode == 0
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        assert re.search(rf"^  {name} +{re.escape(first_sentence(command.help)[:30])}", done.stdout, re.MULTILINE), name
    assert "\nMore:" not in done.stdout
    for code in Exit:
        assert str(int(code)) in done.stdout


def test_help_loads_none_of_the_heavy_parts() -> None:
    import subprocess
    import sys

    code = (
        "import sys, cli.main\n"
        "heavy = {'scrapy', 'spacy', 'duckdb', 'playwright', 'pyarrow', 'numpy', 'twisted', 'altair', 'textual', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outside_a_case_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    done = plainview("flags", cwd=tmp_path)
    assert done.returncode == Exit.USAGE
    assert "plainview init" in done.stderr
    assert done.stdout == ""


def test_an_unknown_option_and_an_unknown_command_are_usage_errors(tmp_path: Path) -> None:
    for words in (("flags", "--colour"), ("flag",), ("crawl", "--processes", "none")):
        done = plainview(*words, cwd=tmp_path)
        assert done.returncode == Exit.USAGE
        assert "Traceback" not in done.stderr


def test_a_case_without_authority_is_not_crawled(tmp_path: Path) -> None:
    case = tmp_path / "case"
    assert plainview("init", str(case)).returncode == 0
    assert plainview("services", "add", "http://127.0.0.1:9/", "--case", str(case)).returncode == 0
    done = plainview("crawl", "--case", str(case))
    assert done.returncode == Exit.USAGE
    assert "authority" in done.stderr


def test_a_dry_run_fetches_nothing_and_writes_nothing(tmp_path: Path) -> None:
    case = tmp_path / "case"
    plainview("init", str(case), "--authority", "test")
    plainview("services", "add", "http://127.0.0.1:9/", "--case", str(case))
    before = {path: path.stat().st_size for path in case.rglob("*") if path.is_file()}
    done = plainview("crawl", "--dry-run", "--case", str(case), "--format", "jsonl")
    assert done.returncode == 0
    assert '"addresses": ["http://127.0.0.1:9/"]' in done.stdout
    after = {path: path.stat().st_size for path in case.rglob("*") if path.is_file()}
    assert after == before


def test_an_unknown_service_is_named_with_the_nearest(tmp_path: Path) -> None:
    case = tmp_path / "case"
    plainview("init", str(case), "--authority", "test")
    plainview("services", "add", "https://alpha.example/", "--case", str(case))
    done = plainview("crawl", "alpha.exampel", "--case", str(case))
    assert done.returncode == Exit.USAGE
    assert "Did you mean 'alpha.example'" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--code", "D99"), "There is no code 'D99'"),
        (("--stance", "prmo"), "Did you mean 'PROMO'"),
        (("--since", "yesterday"), "--since takes a day"),
    ],
)
def test_a_filter_that_cannot_match_is_an_error_not_an_empty_list(
    tmp_path: Path, options: tuple[str, str], says: str
) -> None:
    case = tmp_path / "case"
    plainview("init", str(case))
    done = plainview("flags", *options, "--case", str(case))
    assert done.returncode == Exit.USAGE
    assert says in done.stderr


def test_page_text_cannot_steer_the_terminal() -> None:
    hostile = "a\x1b[31mred\x1b]0;title\x07\u202eevil\u2066x\x9b2J\r\n"
    shown = harmless(hostile)
    assert not re.search(r"[\x1b\x07\x9b\r\u202e\u2066]", shown)
    assert "red" in shown


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "=cmd|' /c'!A0"])
def test_no_cell_of_page_text_is_a_formula(cell: str) -> None:
    assert not str(harmless_cell(cell)).startswith(("=", "+", "-", "@", "\t"))
