"""A case folder: what is in it, how it is found, and what a wrong setting says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.case import CaseError, CaseFacts, find_case, make_case, open_case
from data.records import Service


def write(folder: Path, text: str) -> Path:
    (folder / "case.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_new_case_has_its_folders_and_a_first_ledger_entry_that_names_the_authority(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c", CaseFacts(title="T", authority="Order 12", operators=("a", "b")))
    assert {path.name for path in case.root.iterdir()} >= {
        "case.toml",
        "ledger.jsonl",
        "evidence",
        "spool",
        "seals",
        "exports",
    }
    entries = list(case.ledger.events())
    assert [entry.event for entry in entries] == ["environment.recorded", "case.opened"]
    assert entries[1].body["case"]["authority"] == "Order 12"
    assert entries[1].environment == entries[0].body["id"]


def test_titles_with_quotes_newlines_and_other_scripts_survive_the_settings_file(tmp_path: Path) -> None:
    title = 'He said "no"\n\\ back\tslash Ж \x7f 日本'
    case = make_case(tmp_path / "c", CaseFacts(title=title))
    assert open_case(case.root).facts.title == title


def test_a_case_is_never_made_over_another_or_over_files(tmp_path: Path) -> None:
    make_case(tmp_path / "c", CaseFacts())
    with pytest.raises(CaseError, match="already is a case"):
        make_case(tmp_path / "c", CaseFacts())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("x")
    with pytest.raises(CaseError, match="not empty"):
        make_case(tmp_path / "full", CaseFacts())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[policy]\npage_bugdet = 3\n", "unknown key 'page_bugdet'.*Did you mean 'page_budget'"),
        ("[cas]\n", "unknown key 'cas'.*Did you mean 'case'"),
        ("[policy]\npage_budget = 'many'\n", "page_budget must be a whole number"),
        ("[policy]\npage_budget = true\n", "page_budget must be a whole number"),
        ("[policy]\npage_budget = -1\n", "page_budget must lie between"),
        ("[policy]\nrender = 'sometimes'\n", 'render must be "auto"'),
        ("[policy]\nallow_private = ['127.0.0.1/8']\n", "allow_private.*127.0.0.0/8"),
        ("[policy]\nallow_private = '127.0.0.0/8'\n", "allow_private must be a list"),
        ("[policy]\nobey_robots = false\n", "needs robots_authority"),
        ("[policy]\nproxy = 'gopher://x'\n", "proxy must look like"),
        ("[policy\n", "not valid TOML"),
        ("case = 3\n", r"\[case\] must be a table"),
    ],
)
def test_a_wrong_setting_is_one_error_that_says_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CaseError, match=f"(?s){says}"):
        open_case(write(tmp_path, text))


def test_the_case_is_found_upwards_like_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAINVIEW_CASE", raising=False)
    case = make_case(tmp_path / "c", CaseFacts())
    deep = case.root / "exports" / "a"
    deep.mkdir()
    monkeypatch.chdir(deep)
    assert find_case() == case.root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaseError, match="plainview init"):
        find_case()
    monkeypatch.setenv("PLAINVIEW_CASE", str(case.root))
    assert find_case() == case.root
    with pytest.raises(CaseError, match="is not a case"):
        find_case(tmp_path)


def test_services_come_from_the_ledger_and_several_addresses_are_one_service(tmp_path: Path) -> None:
    case = make_case(tmp_path / "c", CaseFacts())
    first = Service("alpha", "website", "search", "s1", ("https://alpha.example/",))
    more = Service(
        "alpha", "website", "", "", ("https://alpha.example/", "https://alpha.test/"), ("website", "website")
    )
    case.record("services.added", {"services": [first.as_json()]})
    case.record(
        "services.added", {"services": [more.as_json(), Service("beta", urls=("https://beta.test/",)).as_json()]}
    )
    listed = case.services()
    assert list(listed) == ["alpha", "beta"]
    assert listed["alpha"] == Service(
        "alpha", "website", "search", "s1", ("https://alpha.example/", "https://alpha.test/"), ("website", "website")
    )


def test_every_time_on_the_ledger_ends_in_z_whatever_the_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        case = make_case(tmp_path / "c", CaseFacts())
        lines = [json.loads(line) for line in (case.root / "ledger.jsonl").read_text().splitlines()]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert all(line["at"].endswith("Z") for line in lines)
