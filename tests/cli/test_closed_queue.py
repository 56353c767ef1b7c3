"""An attack on the closed queue: words that wait for the named officer are looked for in everything a general user can get.

Two invented sites carry made-up words in passages of the closed queue: in a title, a heading, a paragraph beside a claim,
a customer's quote, words that are gone on the second visit, and the same words on both sites, so that every kind of
finding is tempted to show them. Then every list, count, search, report, workbook, sheet and export is made and opened.
"""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from data.case import Case
from data.store import reading, rows
from tests.analysis.web_case import visited

MINORS = ("zibbelfax", "wuggeltorm", "quibbelnor", "frindlebark", "marrowglint")
HARM = ("drossamere",)
"""Use meant to harm is referred and is evidence as well: reports and case files show it, lists and searches do not."""
HOME = """<!doctype html><html lang="en"><head><title>Made for photos of classmates, wuggeltorm</title></head><body>
<h1>{name} removes clothing from any photo</h1><p>Photos are never stored.</p>
<h2>Made for photos of classmates, frindlebark</h2><p>Results in a minute, and the first one is free of charge.</p>
<p>Made for photos of classmates, zibbelfax. Photos of classmates are never stored and nobody will find out.</p>
<blockquote>Made for photos of classmates: I tried the quibbelnor on everyone in my class and gave it five stars.</blockquote>
{more}
<p><a href="/privacy">Privacy</a> <a href="/prices">Prices</a></p></body></html>"""
PRIVACY = """<!doctype html><html lang="en"><head><title>Privacy</title></head><body><h1>Privacy</h1>
<p>Photos are kept for 30 days.</p></body></html>"""
PRICES = """<!doctype html><html lang="en"><head><title>Prices</title></head><body><h1>Prices</h1>
<p>Perfect for revenge: drossamere lets you embarrass the person who left you.</p>
<p>10 coins: $5. One picture takes one coin.</p></body></html>"""
SITE = """name = "{name}"
address = "127.0.9.{number}"
service = "{name}"
description = "Invented."
[[entry]]
path = "/"
kind = "website"
source = "search"
stratum = "search"
[[page]]
path = "/"
role = "home"
file = "index.html"
[[page]]
path = "/privacy"
role = "privacy"
file = "privacy.html"
[[page]]
path = "/prices"
role = "pricing"
file = "prices.html"
"""
COMMANDS = (
    "flags --all",
    "findings --explained --format json",
    "changes --format json",
    "search classmates",
    "show Alder",
)
MORE = (
    "services", "flags --format json", "flags --count --by code", "findings --explained", "findings --count --by code",
    "findings --kind duplicate", "changes", "operators --all", "show Birch", "prevalence", "agreement", "custody",
    "review status", "review next --count 50", "refer list", "search zibbelfax", "search drossamere",
    "search wuggeltorm --format json",
)  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    web = tmp_path_factory.mktemp("web")
    for number, name in ((11, "Alder"), (12, "Birch")):
        folder = web / name.lower()
        (folder / "later").mkdir(parents=True)
        gone = "<p>Made for photos of classmates, marrowglint, this week only.</p>"
        (folder / "index.html").write_text(HOME.format(name=name, more=gone))
        (folder / "later" / "index.html").write_text(HOME.format(name=name, more=""))
        (folder / "privacy.html").write_text(PRIVACY)
        (folder / "prices.html").write_text(PRICES)
        (folder / "site.toml").write_text(SITE.format(name=name, number=number))
    return visited(tmp_path_factory.mktemp("closed") / "case", web, render="never")


def said(case: Case, words: str) -> str:
    """What a command says, run as a user would on this case."""
    with _elsewhere(case):
        done = CliRunner().invoke(app, words.split(), env={"COLUMNS": "200", "PLAINVIEW_ACTOR": "ana"})
    assert done.exception is None or isinstance(done.exception, SystemExit), f"{words}: {done.exception!r}"
    assert done.exit_code != 2, f"{words}: {done.output}"
    return done.output


@contextmanager
def _elsewhere(case: Case) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(case.root)
    try:
        yield
    finally:
        os.chdir(before)


def opened(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file under *path* with its bytes; archives and compressed files opened."""
    for item in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not item.is_file():
            continue
        raw = item.read_bytes()
        yield str(item), raw
        if raw[:2] == b"PK":
            with zipfile.ZipFile(item) as archive:
                yield from ((f"{item}!{name}", archive.read(name)) for name in archive.namelist())
        elif raw[:2] == b"\x1f\x8b":
            yield f"{item}!", gzip.decompress(raw)


def leaks(text: str, canaries: tuple[str, ...] = (*MINORS, *HARM)) -> list[str]:
    return [canary for canary in canaries if canary in text.casefold()]


def test_the_words_are_in_the_queue_so_that_their_absence_elsewhere_means_something(case: Case) -> None:
    with reading(case) as connection:
        waiting = " ".join(
            row["quote"] for row in rows(connection, "SELECT quote FROM flags WHERE sensitive AND raises")
        )
        closed = [
            row["text"]
            for row in rows(
                connection,
                """SELECT DISTINCT p.text FROM passages p JOIN flags f ON f.text_id = p.text_id AND f.ordinal = p.ordinal
                   WHERE f.sensitive AND f.raises""",
            )
        ]
        harm = rows(connection, "SELECT quote FROM flags WHERE code = 'U06' AND raises")
    assert {"wuggeltorm", "frindlebark"} <= set(leaks(waiting))
    assert {"zibbelfax", "marrowglint", "quibbelnor"} <= set(leaks(" ".join(closed)))
    assert any("drossamere" in row["quote"] for row in harm)


@pytest.mark.parametrize("words", [*COMMANDS, *(pytest.param(words, marks=pytest.mark.slow) for words in MORE)])
def test_no_list_count_search_or_finding_shows_them(case: Case, words: str) -> None:
    out = said(case, words)
    # A search repeats what was asked.
    assert leaks(out.replace(words.split()[1], "") if words.startswith("search") else out) == []
    if words.startswith(("flags", "findings", "prevalence", "services")):
        assert "M01" not in out


@pytest.mark.slow
def test_no_single_page_shows_them(case: Case) -> None:
    with reading(case) as connection:
        names = [
            *(row["observation"] for row in rows(connection, "SELECT observation FROM observations")),
            *(row["finding"] for row in rows(connection, "SELECT finding FROM findings")),
        ]
    assert [(name, found) for name in names if (found := leaks(said(case, f"show {name}")))] == []


def test_no_report_holds_them(case: Case, tmp_path: Path) -> None:
    said(case, f"report -o {tmp_path}/report.html")
    assert leaks((tmp_path / "report.html").read_text(encoding="utf-8"), MINORS) == []


@pytest.mark.slow
def test_no_report_workbook_sheet_or_export_holds_them(case: Case, tmp_path: Path) -> None:
    for words in (
        f"report --format docx -o {tmp_path}/report.docx",
        f"workbook -o {tmp_path}/book.xlsx",
        f"prevalence --methods {tmp_path}/methods.md",
        f"review export --sheet --reveal {tmp_path}/sheet.csv",
        f"review export {tmp_path}/decisions.jsonl",
        f"operators --graphml {tmp_path}/net.graphml --ftm {tmp_path}/net.ftm",
        f"export -o {tmp_path}/bag",
    ):
        said(case, words)
    found = {name: held for name, raw in opened(tmp_path) if (held := leaks(raw.decode("utf-8", "replace"), MINORS))}
    # Evidence is sealed whole, which `not-proven.txt` of an export says.
    assert {name: held for name, held in found.items() if "/data/evidence/" not in name} == {}
    assert any(name.endswith("changes.csv") for name in (item for item, _ in opened(tmp_path)))
