"""The list of services: what may be on it, and how a bad row is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run_plainview import plainview

HEADER = "service,url,kind,source,stratum\n"


@pytest.fixture
def case(tmp_path: Path) -> Path:
    assert plainview("init", str(tmp_path / "case"), "--authority", "test").returncode == 0
    return tmp_path / "case"


def listed(case: Path) -> list[dict[str, object]]:
    done = plainview("services", "list", "--case", str(case), "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_rows_of_one_name_are_one_service_with_several_addresses(case: Path, tmp_path: Path) -> None:
    table = tmp_path / "s.csv"
    table.write_text(
        HEADER
        + "Alpha,https://alpha.example,website,search,top\nAlpha,https://alpha.test/x,,,\nBeta,beta.example,ad,ad,\n",
        encoding="utf-8-sig",
    )
    done = plainview("services", "add", str(table), "--case", str(case))
    assert done.returncode == 0, done.stderr
    rows = {row["service"]: row for row in listed(case)}
    assert rows["Alpha"]["addresses"] == 2
    assert rows["Beta"]["kind"] == "ad"
    assert rows["Alpha"]["outcome"] == "not visited"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("Gamma,not an address,website,,", "line 3.*not an address"),
        ("Gamma,ftp://gamma.example/,website,,", "line 3.*not an http or https address"),
        ("Gamma,javascript:alert(1),website,,", "line 3.*not an http or https address"),
        ("Gamma,https://user:pw@gamma.example/,website,,", "line 3.*user name or password"),
        ("Gamma,https://gamma.example/,shop,,", "line 3.*kind must be one of website"),
        ("Gamma,https://gamma.example/", "line 3.*2 cells where the header has 5"),
        ('Gamma,"https://gamma.example/,website,,', "line 3.*not valid CSV"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_nothing_is_added(case: Path, tmp_path: Path, row: str, says: str) -> None:
    import re

    table = tmp_path / "s.csv"
    table.write_text(f"{HEADER}Alpha,https://alpha.example,website,,\n{row}\n")
    done = plainview("services", "add", str(table), "--case", str(case))
    assert done.returncode == 2
    assert re.search(says, done.stderr), done.stderr
    assert "Nothing was added" in done.stderr
    assert listed(case) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name,link\n", "missing: service, url; unknown: name, link"),
        (b"", "missing: service, url"),
        (HEADER.encode(), "holds no services"),
        (b"service,url\n\xff\xfe,x\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_services_is_one_clear_error(
    case: Path, tmp_path: Path, content: bytes, says: str
) -> None:
    table = tmp_path / "s.csv"
    table.write_bytes(content)
    done = plainview("services", "add", str(table), "--case", str(case))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_adding_what_is_listed_already_changes_nothing(case: Path) -> None:
    assert plainview("services", "add", "https://alpha.example/", "--case", str(case)).returncode == 0
    again = plainview("services", "add", "https://alpha.example/", "--case", str(case))
    assert again.returncode == 0
    assert "nothing was added" in again.stderr


def test_a_list_that_lies_in_the_case_is_taken_and_said_to_be_a_stranger_there(case: Path) -> None:
    table = case / "services.csv"
    table.write_text(HEADER + "Alpha,https://alpha.example,website,,\n", encoding="utf-8")
    done = plainview("services", "add", "services.csv", cwd=case)
    assert done.returncode == 0
    assert "Move it out" in done.stderr
    assert "services.csv" in plainview("verify", cwd=case).stdout
