"""The commands: codebook, classify, evaluate, train; data on stdout, errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.claims import register

RUNNER = CliRunner()
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_lint_passes_on_the_packaged_codebook(app: typer.Typer) -> None:
    result = RUNNER.invoke(app, ["codebook", "lint"])
    assert result.exit_code == 0
    assert "34 codes" in result.stdout


def test_show_prints_a_code_with_the_law_it_may_bear_on(app: typer.Typer) -> None:
    result = RUNNER.invoke(app, ["codebook", "show", "n01"])
    assert result.exit_code == 0
    assert "May bear on: Restore Online Shoppers' Confidence Act" in result.stdout


def test_show_of_an_unknown_code_says_what_to_do(app: typer.Typer) -> None:
    result = RUNNER.invoke(app, ["codebook", "show", "X99"])
    assert result.exit_code == 2
    assert "codebook show" in result.stderr


def test_the_manual_page_of_the_codebook_is_the_generated_one(app: typer.Typer) -> None:
    result = RUNNER.invoke(app, ["codebook", "show", "--markdown"])
    assert result.stdout == (DOCS / "codebook.md").read_text(encoding="utf-8")


def test_classify_writes_a_line_for_each_line_in_the_same_order(app: typer.Typer, tmp_path: Path) -> None:
    text = "We never store your photos on our servers."
    rows = [{"id": "b", "text": text, "page_role": "home"}, {"id": "a", "text": "Read more", "heading": None}]
    result = RUNNER.invoke(app, ["classify", str(write(tmp_path / "in.jsonl", *rows))])
    assert result.exit_code == 0
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["id"], second) == ("b", {"id": "a", "labels": []})
    found = first["labels"][0]
    assert set(found) == {"code", "stance", "start", "end", "confidence", "rule"}
    assert (found["code"], found["stance"]) == ("D04", "PROMO")


def test_classify_says_which_text_it_did_not_read(app: typer.Typer, tmp_path: Path) -> None:
    row = {"id": "de", "text": "Wir speichern die Bilder nicht und löschen sie sofort nach der Bearbeitung."}
    result = RUNNER.invoke(app, ["classify", str(write(tmp_path / "in.jsonl", row))])
    assert json.loads(result.stdout) == {"id": "de", "labels": [], "unread": "language: de"}


def test_evaluate_prints_figures_and_names_the_misses(app: typer.Typer, tmp_path: Path) -> None:
    text = "We never store your photos on our servers."
    right = {"code": "D04", "stance": "PROMO", "start": 0, "end": len(text)}
    rows = [
        {"id": "ok", "text": text, "page_role": "home", "labels": [right]},
        {"id": "gap", "text": "Read more", "page_role": "home", "labels": [{**right, "code": "D01", "end": 9}]},
    ]
    file = write(tmp_path / "gold.jsonl", *rows)
    table = RUNNER.invoke(app, ["evaluate", str(file)])
    assert table.exit_code == 0
    assert "gap  -D01.PROMO" in table.stdout
    figures = json.loads(RUNNER.invoke(app, ["evaluate", str(file), "--format", "json"]).stdout)
    assert figures["macro_f1"] == 0.5
    assert figures["flags"]["precision"] == 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": 3}\n', "line 1: no text"),
        ("{]\n", "line 1: not JSON"),
        ('{"text": "a", "labels": [{}]}\n', "labels need"),
    ],
)
def test_a_bad_line_is_named(app: typer.Typer, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content, encoding="utf-8")
    result = RUNNER.invoke(app, ["evaluate", str(file)])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_file_is_named(app: typer.Typer, tmp_path: Path) -> None:
    for command in ("classify", "evaluate", "train"):
        result = RUNNER.invoke(app, [command, str(tmp_path / "none.jsonl")])
        assert result.exit_code == 2
        assert "no such file" in result.stderr
