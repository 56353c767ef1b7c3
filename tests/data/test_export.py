"""The export: a bag that a stranger can check, the same for the same state, with nothing in it that must stay."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import locale
import os
import shutil
import ssl
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.case import Case, open_case
from data.export import ExportFailed, Selection, make_export
from data.export.tables import LEFT_OUT, QUERIES, dictionary
from data.seal import Key, make_key, make_seal
from data.store import reading
from data.verify import verify
from tests.data.cases import FORMULA, SENSITIVE, SENTENCE, small_case, spool_visit
from tests.hostile.authority import make_authority, serve

BIN = Path(sys.executable).parent


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def exhibits(bag: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (bag / "data" / "exhibits" / "exhibits.jsonl").read_text().splitlines()]


def everything(bag: Path) -> bytes:
    """All bytes of an export that are not sealed evidence."""
    return b"".join(
        p.read_bytes() for p in bag.rglob("*") if p.is_file() and "evidence" not in p.relative_to(bag).parts
    )


# --- what strangers' programs say


def test_four_programs_that_are_not_ours_accept_it(tmp_path: Path, key: Key) -> None:
    authority = make_authority(tmp_path / "tsa", kind="p256")
    case = small_case(tmp_path / "case", visits=2)
    with serve(authority) as address:
        with (case.root / "case.toml").open("a") as file:
            file.write(f'\n[[seal.timestamp_authorities]]\nurl = "{address}"\nca_file = "{authority.root}"\n')
        case = open_case(case.root)
        make_seal(case, key)
    bag = make_export(case, key=key).path
    warcs = sorted(str(path.relative_to(bag)) for path in (bag / "data" / "evidence").glob("*/*.warc.gz"))
    assert len(warcs) == 2
    authority_file = next((bag / "data" / "seals").glob("authority-*.pem"))
    for command in (
        ["sha256sum", "--check", "--strict", "manifest-sha256.txt"],
        ["sha256sum", "--check", "--strict", "tagmanifest-sha256.txt"],
        [str(BIN / "bagit.py"), "--validate", "."],
        [str(BIN / "warcio"), "check", *warcs],
        [
            *("openssl", "ts", "-verify", "-data", "data/seals/seal-0001.json", "-in", "data/seals/seal-0001.tsr"),
            *("-CAfile", str(authority_file)),
        ],
    ):
        done = subprocess.run(command, cwd=bag, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert "openssl ts -verify" in (bag / "README.txt").read_text()


def test_the_verifier_inside_runs_on_a_bare_python_with_nothing_installed(sealed: Case, key: Key) -> None:
    for zipped in (False, True):
        made = make_export(sealed, key=key, zipped=zipped)
        program = (made.path if not zipped else make_export(sealed, key=key).path) / "verify.py"
        done = subprocess.run(
            [sys.executable, "-I", "-S", program, made.path, "--key", key.identity, "--records"],
            capture_output=True,
            text=True,
            env={"PATH": "/nonexistent"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("nothing is wrong\n")


# --- the same for the same state


def test_the_same_state_gives_the_same_bytes_as_folder_and_as_zip(sealed: Case, key: Key, tmp_path: Path) -> None:
    one = make_export(sealed, tmp_path / "1", key=key, wacz=True)
    two = make_export(sealed, tmp_path / "2", key=key, wacz=True)
    assert digest(one.path) == digest(two.path)
    assert one.path.name == two.path.name
    first = make_export(sealed, tmp_path / "1", key=key, zipped=True)
    second = make_export(sealed, tmp_path / "2", key=key, zipped=True)
    assert first.path.read_bytes() == second.path.read_bytes()


def test_folder_and_zip_hold_the_same_files(sealed: Case, tmp_path: Path) -> None:
    folder = make_export(sealed, tmp_path, name="bag").path
    packed = make_export(sealed, tmp_path, name="bag", zipped=True).path
    with zipfile.ZipFile(packed) as opened:
        assert opened.testzip() is None
        opened.extractall(tmp_path / "out")
    assert digest(tmp_path / "out" / "bag") == digest(folder)


def test_exporting_again_to_the_same_place_changes_nothing_and_is_on_the_ledger(case: Case) -> None:
    one = make_export(case)
    before = digest(one.path)
    two = make_export(case)
    assert two.path == one.path
    assert digest(one.path) == before
    assert len(list(case.ledger.events("export.made"))) == 2


def test_another_file_in_its_place_is_never_overwritten(case: Case, tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "mine").write_text("x")
    with pytest.raises(ExportFailed, match="is there already"):
        make_export(case, tmp_path, name="bag")
    assert (tmp_path / "bag" / "mine").read_text() == "x"
    assert not list(case.ledger.events("export.made"))
    assert not list(tmp_path.glob(".plainview*"))


def test_nothing_of_the_process_is_changed_by_an_export(case: Case) -> None:
    before = (Path.cwd(), ssl._create_default_https_context, locale.setlocale(locale.LC_ALL), os.umask(0o022))
    os.umask(before[3])
    make_export(case, zipped=True)
    after = (Path.cwd(), ssl._create_default_https_context, locale.setlocale(locale.LC_ALL), os.umask(0o022))
    os.umask(after[3])
    assert after == before


# --- exhibits


def test_each_exhibit_has_quote_address_hash_time_and_its_place_in_the_warc(case: Case) -> None:
    bag = make_export(case).path
    found = exhibits(bag)
    assert [item["exhibit"] for item in found] == [f"EX-{number:04d}" for number in range(1, len(found) + 1)]
    assert {item["quote"] for item in found} == {SENTENCE, FORMULA}
    for item in found:
        assert str(item["address"]).startswith("hxxp://service-")
        assert "[.]example" in str(item["address"])
        assert str(item["captured"]).endswith("Z")
        text = bag / "data" / "texts" / f"{item['text_sha256']}.txt"
        if "page-2" in str(item["address"]):
            assert not text.exists()  # a sensitive flag stands in it
        else:
            assert text.read_text()[int(str(item["start"])) : int(str(item["end"]))] == item["quote"]
        warc = (bag / "data" / str(item["warc_file"])).read_bytes()
        offset = int(str(item["warc_offset"]))
        assert warc[offset : offset + 2] == b"\x1f\x8b"
    pages = (bag / "data" / "exhibits" / "exhibits.txt").read_text()
    assert pages.count("Exhibit EX-") == len(found)
    assert "http://" not in pages


def test_an_exhibit_keeps_its_number_in_every_selection(case: Case, tmp_path: Path) -> None:
    whole = {item["exhibit"]: item for item in exhibits(make_export(case).path)}
    part = make_export(case, tmp_path, selection=Selection(services=("service-2",)))
    for item in exhibits(part.path):
        assert whole[item["exhibit"]] == item


# --- what must not leave


def test_a_sensitive_flag_never_leaves_in_a_general_export(case: Case) -> None:
    case.record("referral.made", {"object": "F-1", "reason": "named officer", "quote": SENSITIVE})
    decision = {"decision": "D-1", "at": "2026-11-23T12:00:00.000Z", "coder": "c", "unit": "R-1", "kind": "flag"}
    decision |= {"service": "service-1", "verdict": "correct", "labels": ["M01 PROHIB"], "machine": ""}
    case.record("decision.made", decision)
    case.record("services.added", {"services": []})
    made = make_export(case)
    loose = everything(made.path)
    assert SENSITIVE.encode() not in loose
    assert b"M01" not in loose
    assert b"named officer" not in loose
    assert b"F-1" not in loose
    ledger = [json.loads(line) for line in (made.path / "data" / "ledger.jsonl").read_text().splitlines()]
    assert [line["why"] for line in ledger if "withheld" in line] == ["sensitive", "sensitive"]
    assert verify(made.path).problems == []


def test_cells_that_look_like_formulas_are_neutralised_and_only_in_the_spreadsheet(case: Case) -> None:
    data = make_export(case).path / "data"
    for path in (data / "exhibits" / "exhibits.csv", data / "tables" / "flags.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        assert any(row["quote"] == "'" + FORMULA for row in rows)
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    plain = [json.loads(line)["quote"] for line in (data / "tables" / "flags.jsonl").read_text().splitlines()]
    assert FORMULA in plain
    assert FORMULA in pq.read_table(data / "tables" / "flags.parquet")["quote"].to_pylist()


# --- tables


def test_every_table_of_the_index_is_exported_or_left_out_for_a_reason(case: Case) -> None:
    with reading(case) as connection:
        tables = {
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary"
            ).fetchall()
        }
    assert tables == QUERIES.keys() | LEFT_OUT.keys()


def test_every_column_stands_in_the_dictionary_and_the_other_way_round(case: Case) -> None:
    folder = make_export(case).path / "data" / "tables"
    assert dictionary().keys() == QUERIES.keys()
    for name in QUERIES:
        columns = pq.read_schema(folder / f"{name}.parquet").names
        assert set(dictionary()[name]["columns"]) == set(columns), name
        header = (folder / f"{name}.csv").read_text().splitlines()[0]
        assert header.split(",") == columns


def test_the_three_formats_of_a_table_have_the_same_rows(case: Case) -> None:
    folder = make_export(case).path / "data" / "tables"
    for name in QUERIES:
        parquet = pq.read_table(folder / f"{name}.parquet").num_rows
        lines = len((folder / f"{name}.jsonl").read_text().splitlines())
        rows = list(csv.reader(io.StringIO((folder / f"{name}.csv").read_text())))
        assert parquet == lines == len(rows) - 1, name


# --- selections


@pytest.mark.parametrize(
    ("selection", "visits"),
    [
        (Selection(services=("service-2",)), 1),
        (Selection(exhibits=("EX-0001",)), 1),
        (Selection(exhibits=("EX-0001", "EX-0012")), 2),
    ],
)
def test_a_selection_verifies_against_the_sealed_ledger(
    sealed: Case, key: Key, tmp_path: Path, selection: Selection, visits: int
) -> None:
    made = make_export(sealed, tmp_path, selection=selection, key=key)
    report = verify(made.path, key=key.identity, head=made.head, records=True)
    assert report.problems == []
    assert report.facts["visits"] == made.visits == visits
    assert report.facts["sealed_entries"] > 0
    assert report.facts["withheld"] > 0


def test_a_selection_says_nothing_of_other_services(sealed: Case, tmp_path: Path) -> None:
    made = make_export(sealed, tmp_path, selection=Selection(services=("service-2",)))
    loose = b"".join(path.read_bytes() for path in made.path.rglob("*") if path.is_file())
    assert b"service-2" in loose
    assert b"service-1" not in loose
    assert b"service-3" not in loose


def test_a_selection_from_which_a_listed_visit_was_taken_does_not_verify(sealed: Case, tmp_path: Path) -> None:
    made = make_export(sealed, tmp_path, selection=Selection(services=("service-1", "service-2")))
    shutil.rmtree(next((made.path / "data" / "evidence").iterdir()))
    assert verify(made.path).problems


@pytest.mark.parametrize("selection", [Selection(services=("nobody",)), Selection(exhibits=("EX-9999",))])
def test_a_selection_of_nothing_is_refused_and_leaves_nothing(case: Case, selection: Selection) -> None:
    with pytest.raises(ExportFailed, match=r"nobody|EX-9999"):
        make_export(case, selection=selection)
    assert list(case.exports.iterdir()) == []


# --- the papers


def test_the_certification_has_the_facts_of_the_case_and_blanks_for_the_person(sealed: Case) -> None:
    bag = make_export(sealed).path
    text = (bag / "data" / "certification.txt").read_text()
    for fact in ("Test authority 7", "T-1", "tester", "keeper", "902(13)", "902(14)", "28 U.S.C. 1746", "3 visit(s)"):
        assert fact in text, fact
    assert "the original that was copied is the\n   stored text" in text
    assert text.count("______") > 10
    assert "$" not in text
    limits = (bag / "data" / "not-proven.txt").read_text()
    for word in ("Origin", "Other visitors", "Images", "sealed state", "clock"):
        assert word in limits
    assert "$" not in limits + (bag / "README.txt").read_text()


def test_an_unsealed_export_says_so_in_every_paper(case: Case) -> None:
    bag = make_export(case).path
    for paper in ("README.txt", "data/certification.txt", "data/not-proven.txt"):
        assert "UNSEALED" in (bag / paper).read_text(), paper


def test_the_report_and_other_files_handed_in_are_part_of_the_bag(case: Case, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("<p>report</p>")
    bag = make_export(case, include={"report.html": tmp_path / "r.html"}).path
    assert (bag / "data" / "report.html").read_text() == "<p>report</p>"
    assert "data/report.html" in (bag / "manifest-sha256.txt").read_text()
    assert verify(bag).problems == []


def test_a_visit_that_still_runs_is_not_exported(case: Case) -> None:
    spool_visit(case, 9, close=False)
    made = make_export(case)
    assert made.visits == 3
    assert b"service-9" not in everything(made.path)


def test_a_case_without_a_visit_can_be_exported(tmp_path: Path) -> None:
    made = make_export(small_case(tmp_path / "c", visits=0))
    assert verify(made.path).problems == []


# --- WACZ


def test_the_wacz_holds_the_warc_files_with_honest_types(case: Case) -> None:
    bag = make_export(case, wacz=True).path
    with zipfile.ZipFile(bag / "data" / "evidence.wacz") as packed:
        names = packed.namelist()
        package = json.loads(packed.read("datapackage.json"))
        stated = json.loads(packed.read("datapackage-digest.json"))
        assert stated["hash"] == "sha256:" + hashlib.sha256(packed.read("datapackage.json")).hexdigest()
        assert package["profile"] == "data-package"
        assert package["wacz_version"] == "1.1.1"
        for item in package["resources"]:
            content = packed.read(item["path"])
            assert item["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
            assert item["bytes"] == len(content)
            assert packed.getinfo(item["path"]).compress_type == zipfile.ZIP_STORED
        index = packed.read("indexes/index.cdxj").decode().splitlines()
        pages = [json.loads(line) for line in packed.read("pages/pages.jsonl").decode().splitlines()]
    assert index == sorted(index)
    assert len(index) == 12
    assert not any("scrubbed" in line for line in index)
    assert index[0].startswith("example,service-1)/page-1 2")
    assert pages[0]["format"] == "json-pages-1.0"
    assert all("url" in page and "ts" in page for page in pages[1:])
    assert [name for name in names if name.startswith("archive/")] == sorted(
        name for name in names if name.startswith("archive/")
    )
    assert verify(bag).problems == []


def test_an_export_signed_with_a_key_fails_against_another(case: Case, key: Key) -> None:
    made = make_export(case, key=key)
    with contextlib.suppress(Exception):
        make_key("other")
    found = [str(item) for item in verify(made.path, key="ab" * 32).problems]
    assert any("export-signature.json" in item for item in found)
