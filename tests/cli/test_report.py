"""``plainview report`` as a user runs it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from data.case import Case
from tests.analysis.report_case import PLAIN, report_case
from tests.cli.run_plainview import plainview


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return report_case(tmp_path_factory.mktemp("cli") / "case")


def test_it_writes_one_page_into_the_exports_and_puts_it_on_the_ledger(case: Case) -> None:
    done = plainview("report", cwd=case.root)
    assert (done.returncode, done.stdout) == (0, "")
    file = case.exports / "report.html"
    assert f"Report written to {file}" in done.stderr
    assert "4 services, 2 of them reached" in done.stderr
    assert "The case is unsealed" in done.stderr
    [*_, entry] = case.ledger.events("report.made")
    assert entry.body["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert list(case.exports.glob("*.new")) == []


def test_the_ending_of_a_name_says_what_is_written(case: Case, tmp_path: Path) -> None:
    target = tmp_path / "sub" / "for counsel.docx"
    done = plainview("report", "--case", str(case.root), "--service", PLAIN, "-o", str(target))
    assert done.returncode == 0
    assert target.read_bytes().startswith(b"PK")
    wrong = plainview("report", "--case", str(case.root), "-o", str(tmp_path / "report.odt"))
    assert wrong.returncode == 2
    assert "ends in none of .html, .pdf, .docx" in wrong.stderr


def test_several_formats_go_into_the_exports(case: Case) -> None:
    done = plainview("report", "--case", str(case.root), "-f", "html", "-f", "docx")
    assert done.returncode == 0
    assert {path.name for path in case.exports.iterdir()} >= {"report.html", "report.docx"}
    clash = plainview("report", "--case", str(case.root), "-f", "html", "-f", "docx", "-o", "x.html")
    assert clash.returncode == 2


def test_a_misspelt_service_is_named_with_the_nearest_and_nothing_is_written(case: Case, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    done = plainview("report", "--case", str(case.root), "--service", "Lantern Studyo", "-o", str(target))
    assert done.returncode == 2
    assert "'Lantern Studyo' is not on the list of services. Did you mean 'Lantern Studio'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()


def test_pdf_without_a_browser_says_what_to_do(case: Case) -> None:
    done = plainview("report", "--case", str(case.root), "-f", "pdf", PLAINVIEW_CHROMIUM="/nowhere/chromium")
    assert done.returncode == 6
    assert "PLAINVIEW_CHROMIUM names /nowhere/chromium" in done.stderr
    assert "Traceback" not in done.stderr
