"""The manual says what the program does: its reference is generated, its links lead somewhere, its commands run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from cli.main import app
from data.case import Policy, settings_meaning
from tests.cli.run_plainview import plainview

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])


def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: dict[str, str] = module.pages()
    return pages


@pytest.mark.parametrize(
    "name", ["commands.md", "columns.md", "outcomes.md", "exit-codes.md", "case-file.md", "guard.md", "law.md"]
)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    page = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert page == generated()[name], "run make docs"


@pytest.mark.parametrize("words", [("crawl",), ("review", "decide")])
def test_help_is_the_text_of_the_reference(words: tuple[str, ...]) -> None:
    page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    shown = plainview(*words, "--help", COLUMNS="100").stdout.replace("python -m cli.main", "plainview")
    assert " ".join(shown.split()) in " ".join(page.split())


def test_every_setting_has_a_sentence() -> None:
    assert set(settings_meaning()["policy"]) == set(Policy.__dataclass_fields__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert "://" not in target, "the manual links nothing outside itself"
        assert (page.parent / target).exists(), target


def test_every_page_can_be_found_from_the_first() -> None:
    seen, todo = set(), [DOCS / "index.md"]
    while todo:
        page = todo.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        todo += [page.parent / link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))]
    assert {page.resolve() for page in DOCS.rglob("*.md")} <= seen


def commands(page: Path) -> list[str]:
    """The command lines of a page's blocks, without comments."""
    blocks = re.findall(r"^```(?:console|sh)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("plainview ", "cd "))]


def test_every_command_in_the_manual_has_options_that_exist() -> None:
    top = typer.main.get_command(app)
    for page in PAGES:
        for line in commands(page):
            words = shlex.split(line, comments=True)
            if words[0] != "plainview":
                continue
            command = top
            for word in words[1:]:
                inner = getattr(command, "commands", {})
                if word not in inner:
                    break
                command = inner[word]
            assert command is not top or words[1].startswith("-"), f"{page.name}: {line}"
            options = {name for option in command.params for name in [*option.opts, *option.secondary_opts]}
            used = {word.partition("=")[0] for word in words if word.startswith("-") and not word[1:].isdigit()}
            assert used <= options | {"--help", "-h"}, f"{page.name}: {line}"


@pytest.mark.browser
def test_the_tutorial_can_be_followed_line_by_line(
    tour: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The tour itself is run once for all; every other line is run here, with identifiers of this case's own."""
    shutil.copytree(tour[0], tmp_path / "tour")
    here = tmp_path
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PLAINVIEW_ACTOR": "ana"}
    for line in commands(DOCS / "tutorial.md"):
        words = shlex.split(line, comments=True)
        if words[0] == "cd":
            here = Path(os.path.normpath(here / words[1]))
            continue
        if words[1] == "demo":
            continue
        words = [_own(word, tmp_path / "tour") for word in words[1:]]
        done = plainview(*words, cwd=here, **environment)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


_LISTS = {"F": ("flags", "--limit", "1"), "X": ("findings",), "R": ("review", "next", "--coder", "ana")}


def _own(word: str, case: Path) -> str:
    """An identifier of this case for one that the manual shows."""
    if not re.fullmatch(r"[FXR]-0123456789", word):
        return word
    listed = plainview(*_LISTS[word[0]], "--format", "json", cwd=case).stdout
    return next(str(value) for value in json.loads(listed)[0].values() if str(value).startswith(f"{word[0]}-"))
