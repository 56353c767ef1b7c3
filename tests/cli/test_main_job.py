"""The main job, end to end, as a user runs it: the bundled invented web, from an empty folder to a case file that verifies."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cli.exits import Exit
from tests.cli.run_plainview import plainview

pytestmark = pytest.mark.browser


def expected() -> dict[str, Any]:
    """The bundled web's answer sheet."""
    return tomllib.loads(resources.files("cli").joinpath("demo_web", "expected.toml").read_text(encoding="utf-8"))


def asked(case: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a query over the case's index."""
    from data.case import open_case
    from data.store import reading, rows

    with reading(open_case(case)) as connection:
        return rows(connection, sql)


def test_it_ends_with_a_report_and_a_case_file(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, done = tour
    assert (root / "exports" / "report.html").is_file()
    assert f"The report:  {root / 'exports' / 'report.html'}" in done.stderr
    for step in range(1, 9):
        assert f"\n{step}. " in done.stderr


def test_no_media_was_asked_for_and_nothing_but_get_was_sent(
    tour: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = tour
    assert "0 asked for media (0 bytes); 0 were other than GET or HEAD" in done.stderr


def test_every_outcome_is_the_one_on_the_answer_sheet(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    seen = asked(
        root, "SELECT requested_url AS url, outcome, status FROM observations WHERE purpose IN ('entry', 'page')"
    )
    hosts = _hosts()
    for wanted in expected()["outcome"]:
        found = [
            row
            for row in seen
            if row["url"].startswith(f"http://{hosts[wanted['site']]}:")
            and "/" + row["url"].split("/", 3)[3] == wanted["path"]
        ]
        assert [(row["outcome"], row["status"]) for row in found] == [(wanted["outcome"], wanted.get("status"))], wanted


def _hosts() -> dict[str, str]:
    from cli.demo_site import load_sites

    return {site.key: site.address for site in load_sites()}


def test_the_four_hops_of_the_redirect_chain_are_labelled(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    found = asked(root, "SELECT hops FROM observations WHERE requested_url LIKE '%/welcome' AND purpose = 'entry'")
    kinds = [[hop["kind"] for hop in json.loads(row["hops"])] for row in found]
    assert ["http", "meta", "script", "history"] in kinds or ["http", "meta", "script", "script"] in kinds, kinds


def test_every_flag_is_the_exact_words_at_its_offsets(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    flags = asked(root, 'SELECT f.quote, f.start, f."end", t.text FROM flags f JOIN texts t USING (text_id)')
    assert flags
    for row in flags:
        assert row["text"][row["start"] : row["end"]] == row["quote"]


def test_every_passage_is_its_stretch_of_the_text(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    wrong = asked(
        root,
        """SELECT count(*) AS n FROM passages p JOIN texts t USING (text_id)
           WHERE substring(t.text, p.start + 1, p."end" - p.start) <> p.text""",
    )
    assert wrong == [{"n": 0}]


def test_every_address_seen_has_exactly_one_decision(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    twice = asked(root, "SELECT visit, url, count(*) AS n FROM addresses_decided GROUP BY visit, url HAVING n > 1")
    assert twice == []
    open_ones = asked(
        root,
        """SELECT a.url FROM addresses_decided a WHERE a.decision = 'fetched' AND NOT EXISTS
           (SELECT 1 FROM observations o WHERE o.visit = a.visit AND o.requested_url = a.url)""",
    )
    assert open_ones == []


def test_minors_are_in_no_list_and_no_report(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    hidden = asked(
        root,
        """SELECT DISTINCT p.text AS quote FROM flags f JOIN passages p USING (text_id, ordinal)
           WHERE f.code = 'M01' AND f.stance IN ('PROMO', 'TESTI', 'UI', 'USER', 'UNCLEAR')""",
    )
    assert hidden, "the bundled web holds one such passage, so that this test can fail"
    listed = plainview("flags", "--all", "--case", str(root), "--format", "jsonl").stdout
    report = (root / "exports" / "report.html").read_text(encoding="utf-8")
    for row in hidden:
        assert row["quote"] not in listed
        assert row["quote"] not in report


def test_show_tells_everything_about_a_flag(tour: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = tour
    first = json.loads(plainview("flags", "--limit", "1", "--case", str(root), "--format", "jsonl").stdout)
    shown = plainview("show", first["flag"], "--case", str(root)).stdout
    for part in (first["quote"], first["code"], first["stance"], first["rule"], first["text_sha256"], "hxxp://"):
        assert part in shown


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_data_goes_to_stdout_and_words_to_stderr(
    tour: tuple[Path, subprocess.CompletedProcess[str]], form: str
) -> None:
    root, _ = tour
    done = plainview("flags", "--limit", "3", "--case", str(root), "--format", form)
    lines = done.stdout.splitlines()
    if form == "json":
        assert len(json.loads(done.stdout)) == 3
    elif form == "jsonl":
        assert all(json.loads(line)["flag"].startswith("F-") for line in lines)
    else:
        assert lines[0].startswith("flag,service,code")


def test_a_second_analysis_changes_nothing(tour: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    root = tmp_path / "case"
    shutil.copytree(tour[0], root, ignore=shutil.ignore_patterns("exports"))
    before = asked(root, "SELECT * FROM flags ORDER BY flag")
    assert plainview("analyze", "--case", str(root)).returncode == 0
    assert asked(root, "SELECT * FROM flags ORDER BY flag") == before


def test_the_case_file_verifies_with_python_alone(
    tour: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    root, _ = tour
    export = next(path for path in (root / "exports").iterdir() if path.is_dir())
    copy = tmp_path / "copy"
    shutil.copytree(export, copy)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy / "verify.py"), str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.DONE, done.stdout


def test_one_changed_byte_in_any_evidence_file_is_named(
    tour: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    root, _ = tour
    case = tmp_path / "case"
    shutil.copytree(root, case, ignore=shutil.ignore_patterns("exports", "case.duckdb"))
    (case / "exports").mkdir()
    assert plainview("verify", str(case)).returncode == Exit.DONE
    visit = next(path for path in sorted((case / "evidence").iterdir()) if "lumenhush" in path.name)
    for file in sorted(visit.iterdir()):
        content = file.read_bytes()
        file.chmod(0o644)
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        done = plainview("verify", str(case), "--no-index")
        assert done.returncode == Exit.INTEGRITY, file.name
        assert file.name in done.stdout
        file.write_bytes(content)
