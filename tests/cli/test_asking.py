"""``flags``, ``search``, ``show``, ``sql`` and ``workbook`` as a user runs them, on pages of which some mean harm to a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from analysis.cleared import HELD, clear
from cli.exits import Exit
from cli.main import app
from data.case import Case, make_case
from data.ingest import take_in
from data.records import Service
from data.store import append, reading, rows, transaction, writing
from tests.cli.run_plainview import plainview
from tests.cli.test_findings_commands import visit
from tests.data.cases import FACTS, plain

CLOSED = "Not for photos of under-18s."
HOSTILE = "Delete \x1b[31mall\x1b[0m photos \u202etxt.exe\u2066"
FORMULA = "=2+2 photos deleted"
LONG = "delete" + "x" * 1_000_000
PASSAGES: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    # service: (words, zone, code, stance)
    "alpha": (
        ("We delete every photo after one hour.", "main", "D04", "PROMO"),
        ("Photos are kept for thirty days.", "footer", "D04", "POLICY"),
        (CLOSED, "main", "M01", "PROHIB"),
        (HOSTILE, "main", "D04", "PROMO"),
    ),
    "beta": (
        ("“It deleted my photo at once.” — Maria Kowalska", "main", "R01", "TESTI"),
        (FORMULA, "main", "D04", "PROMO"),
        (CLOSED, "nav", "", ""),
        (LONG, "main", "D04", "PROMO"),
        ("Re\u00adfunds für Müller within 14 days", "main", "", ""),
    ),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Two services with one page each, whose passages and flags stand above."""
    made = make_case(tmp_path_factory.mktemp("asking") / "case", FACTS)
    listed = [
        Service(service=name, source="list", stratum="a", urls=(f"https://{name}.example/",)) for name in PASSAGES
    ]
    made.record("services.added", {"services": [plain(item) for item in listed]})
    for number, name in enumerate(PASSAGES, 1):
        visit(made, number, name, {"/": f"<p>{name}</p>"})
    take_in(made)
    with writing(made) as connection, transaction(connection):
        for name, passages in PASSAGES.items():
            (seen,) = rows(
                connection, "SELECT observation FROM observations WHERE service = ? AND purpose = 'page'", [name]
            )
            append(connection, "texts", [_text(name)])
            append(connection, "observation_texts", [{"observation": seen["observation"], "text_id": name}])
            append(connection, "flags_read", [{"text_id": name, "analysis": "a1"}])
            for ordinal, (words, zone, code, stance) in enumerate(passages):
                append(connection, "passages", [_passage(name, ordinal, words, zone)])
                append(connection, "flags", [_flag(name, ordinal, words, code, stance)] if code else [])
    return made


def _text(name: str) -> dict[str, object]:
    return {
        "text_id": name, "stored_sha256": name, "extractor": "t/1", "page_role": "home", "text_sha256": name, "text": "", "title": name,
        "h1": "", "lang": "en", "media_without_alt": 0,
    }  # fmt: skip


def _passage(name: str, ordinal: int, words: str, zone: str) -> dict[str, object]:
    return {
        "text_id": name, "ordinal": ordinal, "start": 0, "end": len(words), "zone": zone, "role": "paragraph",
        "heading": CLOSED if ordinal == 1 and name == "alpha" else "", "list_intro": "", "locator": "/p", "hidden": "", "lang": "en",
        "text": words,
    }  # fmt: skip


def _flag(name: str, ordinal: int, words: str, code: str, stance: str) -> dict[str, object]:
    return {
        "flag": f"F-{name}-{ordinal}", "text_id": name, "ordinal": ordinal, "code": code, "stance": stance, "start": 0, "end": len(words),
        "quote": words, "confidence": 0.75, "rule": f"{code}.test", "raises": stance in ("PROMO", "TESTI"), "sensitive": code == "M01",
        "analysis": "a1",
    }  # fmt: skip


def found(case: Case, *words: str) -> list[dict[str, Any]]:
    """The rows of a command, run in this process: a start of its own each time would take most of the time."""
    done = CliRunner().invoke(app, [*words, "--format", "jsonl", "--case", str(case.root)], catch_exceptions=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def texts(case: Case, *words: str) -> list[str]:
    return sorted(row["passage"][:40] for row in found(case, "search", *words))


# --- search


@pytest.mark.parametrize(
    ("question", "services"),
    [
        ("thirty", ["alpha"]),
        ("photo*", ["alpha", "alpha", "alpha", "beta", "beta"]),
        ('"every photo"', ["alpha"]),
        ('"photo every"', []),
        ("delete NEAR/1 photo", ["alpha"]),
        ("delete NEAR/0 photo", []),
        ("photo NEAR/2 delete", ["alpha"]),
        ("(thirty OR fourteen) AND days", ["alpha"]),
        ("days NOT photos", ["beta"]),
        ("refunds", ["beta"]),
        ("MULLER", ["beta"]),
    ],
)
def test_a_question_finds_what_it_says(case: Case, question: str, services: list[str]) -> None:
    from analysis.search import matching, read_question

    clear(case)
    with reading(case) as connection:
        made = matching(read_question(question, connection))
        sql = f"SELECT p.text_id FROM ({made.matched}) JOIN cleared_passages p USING (words) ORDER BY ALL"
        assert [row["text_id"] for row in rows(connection, sql, made.values)] == services


def test_search_marks_what_it_found_and_takes_filters(case: Case) -> None:
    (row,) = found(case, "search", "kept", "--zone", "footer", "--role", "home", "--since", "2026-01-01")
    assert [row["passage"][start:end] for start, end in row["hits"]] == ["kept"]
    assert (row["service"], row["page_role"], row["heading"]) == ("alpha", "home", HELD)
    assert found(case, "search", "kept", "--zone", "main") == []
    assert texts(case, "--regex", r"kept\s+for") == ["Photos are kept for thirty days."]


def test_the_closed_queue_is_never_found_nor_counted(case: Case) -> None:
    for words in (("under*",), ("--regex", "under-18"), ("--regex", "18s"), ("photos NOT kept",)):
        assert not any("18" in text for text in texts(case, *words))
    (counted,) = found(case, "search", "under*", "--count")
    assert counted == {"passages": 0, "services": 0}
    assert not any("under-18" in str(row) for row in found(case, "sql", "SELECT * FROM passages"))
    assert not any("under-18" in str(row) for row in found(case, "sql", "SELECT * FROM flags"))


def test_third_parties_are_masked_and_cannot_be_searched_for(case: Case) -> None:
    assert texts(case, "Kowalska") == []
    (row,) = found(case, "search", "deleted NEAR my")
    assert "Maria" not in row["passage"]
    assert re.search(r"\[name:[0-9a-f]{6}\]", row["passage"])


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ('"open', "quotation mark is not closed"),
        ("(photo", r"A \( is not closed"),
        ("photo)", r"a \) too many"),
        ("NOT photo", "NOT alone"),
        ("!!!", "no letter or digit"),
        ("photo OR", "missing beside OR"),
    ],
)
def test_a_question_that_cannot_be_read_says_what_would_do(case: Case, question: str, says: str) -> None:
    from analysis.search import SearchError, read_question

    with reading(case) as connection, pytest.raises(SearchError, match=says):
        read_question(question, connection)


# --- lists


def test_filters_sort_limit_and_groups_read_like_speech(case: Case) -> None:
    options = ("--code", "d04", "--stance", "promo", "--role", "home", "--min-confidence", "0.7", "--unreviewed")
    listed = found(case, "flags", *options, "--sort", "-service", "--limit", "3")
    assert [row["service"] for row in listed] == ["beta", "beta", "alpha"]
    assert found(case, "flags", "--by", "service", "--sort", "-flags") == [
        {"service": "beta", "flags": 3},
        {"service": "alpha", "flags": 2},
    ]
    done = plainview("flags", "--sort", "colour", cwd=case.root)
    assert done.returncode == Exit.USAGE
    assert "There is no column 'colour'" in done.stderr


def test_codes_are_completed_by_the_shell_with_their_titles() -> None:
    from cli.filters import complete_code, complete_service, complete_stance

    assert ("D04", "Deletion, no-storage, anonymity and security promises") in complete_code("d0")
    assert [name for name, _ in complete_stance("prom")] == ["promo"]
    assert complete_service("zzz") == []


def test_columns_are_the_documented_ones_in_every_format(case: Case, tmp_path: Path) -> None:
    from cli.query import columns

    names = list(columns("flags"))
    assert list(found(case, "flags")[0]) == names
    text = plainview("flags", "--format", "csv", cwd=case.root).stdout
    assert next(csv.reader(io.StringIO(text))) == names
    plainview(
        "flags",
        "--service",
        "alpha",
        "--code",
        "T01",
        "--format",
        "parquet",
        "-o",
        str(tmp_path / "f.parquet"),
        cwd=case.root,
    )
    assert pq.read_table(tmp_path / "f.parquet").column_names == names


def test_show_says_how_a_page_was_obtained(case: Case) -> None:
    shown = plainview("show", "F-alpha-0", cwd=case.root)
    assert shown.stdout.startswith("We delete every photo after one hour.")
    for words in (
        "possible indicator  D04",
        "not reviewed",
        "how it was obtained",
        "records.warc.gz at byte",
        "sha256",
    ):
        assert words in shown.stdout, words
    assert plainview("show", "F-alpha-2", cwd=case.root).returncode == Exit.USAGE
    page = plainview("show", "hxxps://alpha[.]example/", cwd=case.root)
    assert "F-alpha-0" in page.stdout
    assert "under-18" not in page.stdout


# --- hostile text


def test_hostile_text_is_harmless_in_the_terminal(case: Case) -> None:
    for words in (
        ("flags",),
        ("search", "delete*"),
        ("show", "F-alpha-3"),
        ("show", "F-beta-3"),
        ("sql", "FROM passages"),
    ):
        shown = plainview(*words, cwd=case.root).stdout
        assert not re.search("[\x1b\x9b\u202e\u2066\r]", shown), words
        assert len(shown) < 50_000, words


def test_hostile_text_is_harmless_in_a_spreadsheet(case: Case, tmp_path: Path) -> None:
    text = plainview("search", "photos", "--format", "csv", cwd=case.root).stdout
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert "'" + FORMULA in cells
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    book = tmp_path / "case.xlsx"
    done = plainview("workbook", "-o", str(book), cwd=case.root)
    assert done.returncode == Exit.DONE, done.stderr
    with zipfile.ZipFile(book) as opened:
        sheets = {
            name: opened.read(name).decode() for name in opened.namelist() if "/sheet" in name and name.endswith(".xml")
        }
        shared = opened.read("xl/sharedStrings.xml").decode()
        names = re.findall(r'<sheet name="(\w+)"', opened.read("xl/workbook.xml").decode())
    assert names == ["about", "services", "flags", "findings", "exhibits", "codebook"]
    assert FORMULA in shared
    assert not re.search("[\x1b\u202e\u2066]|_x001B_|under-18|Kowalska", shared)
    for name, sheet in sheets.items():
        assert "<f>" not in sheet, name
        assert 'state="frozen"' in sheet, name
        assert "<autoFilter" in sheet, name


# --- sql


def refused(case: Case, statement: str, **bounds: Any) -> str:
    from data.sandbox import SqlRefused, ask

    with pytest.raises(SqlRefused) as error:
        ask(case, statement, **bounds)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_csv('/etc/passwd')", "FROM '/etc/passwd'", "SELECT * FROM read_text('/etc/passwd')", "FROM glob('/*')",
        "COPY flags TO '/tmp/x.csv'", "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "PRAGMA database_list",
        "SET enable_external_access = true", "SELECT getenv('HOME')", "SELECT current_setting('temp_directory')",
        "FROM query('FROM flags')", "FROM query_table('flags')", "FROM duckdb_databases()", "FROM duckdb_views", "SHOW TABLES",
        "FROM information_schema.tables", "FROM main.flags", "CREATE TABLE x (a INTEGER)", "DELETE FROM codes", "SELECT 1; SELECT 2", "",
        "FROM \"/etc/passwd\" WHERE EXISTS (WITH \"/etc/passwd\" AS (SELECT 1) FROM \"/etc/passwd\")",
        "SELECT (SELECT count(*) FROM read_blob('/etc/passwd'))", "EXPLAIN SELECT 1", "SELECT json_serialize_plan('FROM flags')",
    ],
)  # fmt: skip
def test_sql_reads_the_views_and_nothing_else(case: Case, statement: str) -> None:
    refused(case, statement)


def test_sql_stops_at_its_bounds_and_names_the_nearest_column(case: Case) -> None:
    from data.sandbox import ask

    endless = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
    assert "longer than 0.5 seconds" in refused(case, endless, seconds=0.5)
    assert "longer than 0.5" in refused(case, "SELECT count(*) FROM range(100000000) a, range(1000000) b", seconds=0.5)
    assert "more than 128 MB" in refused(case, "SELECT list(a) FROM range(100000000) t(a)", memory_mb=128)
    assert "Did you mean 'service'?" in refused(case, "SELECT servcie FROM flags")
    assert "Did you mean 'flags'?" in refused(case, "SELECT * FROM flag")
    found = ask(
        case,
        "WITH p AS (FROM flags) SELECT service, count(*) AS n FROM p WHERE raises GROUP BY ALL ORDER BY ALL",
        most=1,
    )
    assert (found.columns, found.rows, found.more) == (("service", "n"), [{"service": "alpha", "n": 2}], True)


def test_ctrl_c_ends_a_statement_at_once(case: Case) -> None:
    import os
    import signal
    import threading

    from data.sandbox import ask

    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ask(case, "SELECT count(*) FROM range(100000000) a, range(1000000) b", seconds=60)
    assert time.monotonic() - began < 30


def test_every_view_has_the_columns_that_are_documented(case: Case) -> None:
    from data.sandbox import ask, views

    for view in views().values():
        assert ask(case, f"SELECT * FROM {view.name} LIMIT 1").columns == tuple(view.columns), view.name


# --- the cleared tables


def test_what_is_read_anew_is_cleared_anew(case: Case) -> None:
    def texts_cleared() -> Iterator[str]:
        with reading(case) as connection:
            yield from (row["analysis"] for row in rows(connection, "SELECT analysis FROM cleared_texts"))

    clear(case)
    assert clear(case) == 0
    with writing(case) as connection:
        connection.execute("UPDATE flags_read SET analysis = 'a2'")
    assert clear(case) == 2
    assert set(texts_cleared()) == {"a2"}
