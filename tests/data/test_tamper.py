"""Every attack on a case or an export is named by the verifier: which file, and what is wrong (exit code 4)."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from data import verify as verifier
from data.canonical import canonical, sha256
from data.case import Case, open_case
from data.comparison import compare_index
from data.export import make_export
from data.ledger import GENESIS
from data.seal import Key, make_key, make_seal
from data.store import reading
from data.verify import verify, zip_central, zip_end, zip_local
from tests.data.cases import small_case
from tests.hostile.authority import make_authority, serve

PROGRAM = Path(verifier.__file__)


def problems(path: Path, **anchors: str) -> list[str]:
    return [str(item) for item in verify(path, **anchors).problems]  # type: ignore[arg-type]


def named(path: Path, file: str, **anchors: str) -> None:
    """The verifier names *file* (a part of its name is enough), and the program ends with 4."""
    found = problems(path, **anchors)
    assert any(file in item.partition(":")[0] or file in item for item in found), found
    flags = [part for key, value in anchors.items() for part in (f"--{key}", value)]
    done = subprocess.run([sys.executable, "-I", PROGRAM, path, *flags], capture_output=True, text=True)
    assert done.returncode == 4, done.stdout
    assert file in done.stdout


def writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    after = change(before)
    assert before != after
    writable(path).write_bytes(after)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """A case with two seals and a stamp; an export as folder and as zip lie beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("PLAINVIEW_ACTOR", "tester")
        root = tmp_path_factory.mktemp("tamper")
        authority = make_authority(root / "tsa", kind="p256")
        key = make_key()
        case = small_case(root / "case")
        with serve(authority) as address:
            settings = case.root / "case.toml"
            settings.write_text(
                settings.read_text()
                + f'\n[[seal.timestamp_authorities]]\nurl = "{address}"\nca_file = "{authority.root}"\n'
            )
            case = open_case(case.root)
            assert make_seal(case, key).state == "stamped"
            case.record("services.added", {"services": []})
            assert make_seal(case, key).state == "stamped"
        make_export(case, root / "out", name="bag", key=key)
        make_export(case, root / "out", name="bag", zipped=True, key=key)
        return root, key


@pytest.fixture
def case(prepared: tuple[Path, Key], tmp_path: Path) -> Path:
    shutil.copytree(prepared[0] / "case", tmp_path / "case")
    return tmp_path / "case"


@pytest.fixture
def bag(prepared: tuple[Path, Key], tmp_path: Path) -> Path:
    shutil.copytree(prepared[0] / "out" / "bag", tmp_path / "bag")
    return tmp_path / "bag"


@pytest.fixture
def zipped(prepared: tuple[Path, Key], tmp_path: Path) -> Path:
    shutil.copyfile(prepared[0] / "out" / "bag.zip", tmp_path / "bag.zip")
    return tmp_path / "bag.zip"


def visits(case: Path) -> list[Path]:
    return sorted((case / "evidence").iterdir())


def test_nothing_is_wrong_before_anybody_touches_them(
    case: Path, bag: Path, zipped: Path, prepared: tuple[Path, Key]
) -> None:
    key = prepared[1].identity
    for path in (case, bag, zipped):
        report = verify(path, key=key, records=True)
        assert report.problems == []
        assert report.facts["seals"] == 2
        assert len(report.facts["stamps"]) == 2
    assert list(compare_index(open_case(case))) == []


# --- one byte


def test_a_flipped_byte_anywhere_in_a_case_names_the_file(case: Path) -> None:
    files = [path for path in case.rglob("*") if path.is_file() and path.name not in ("case.duckdb", "case.lock")]
    dice = random.Random(20261123)
    tried = 0
    while tried < 500:
        # Several files at once, and the ledger by itself: without it, whole visits are named rather than their files.
        chosen = dice.sample(files, 8)
        ledger = [path for path in chosen if path.name == "ledger.jsonl"]
        chosen = ledger or chosen
        undo = [(path, dice.randrange(path.stat().st_size), 1 << dice.randrange(8)) for path in chosen]
        for path, place, bits in undo:
            _flip(path, place, bits)
        found = problems(case)
        for path, place, bits in undo:
            name = path.relative_to(case).as_posix()
            assert any(name in item for item in found), (name, place, bits, found)
            _flip(path, place, bits)
        tried += len(undo)
    assert problems(case) == []


def test_a_flipped_byte_in_each_end_of_each_file_of_an_export_names_the_file(bag: Path) -> None:
    dice = random.Random(7)
    files = sorted(path for path in bag.rglob("*") if path.is_file() and path.stat().st_size)
    for path in files:
        size = path.stat().st_size
        place = dice.choice((0, size - 1, dice.randrange(size)))
        _flip(path, place, 1)
        name = path.relative_to(bag).as_posix().removeprefix("data/")
        found = problems(bag)
        assert any(name in item for item in found), (name, place, found)
        _flip(path, place, 1)
    assert problems(bag) == []


def test_a_flipped_byte_anywhere_in_a_zip_is_found(zipped: Path) -> None:
    dice = random.Random(8)
    size = zipped.stat().st_size
    places = [dice.randrange(size) for _ in range(40)] + [size - 1 - dice.randrange(3000) for _ in range(20)] + [4, 10]
    for place in places:
        _flip(zipped, place, 1 << dice.randrange(8))
        assert verify(zipped).problems
        _restore(zipped)
    assert problems(zipped) == []


_BEFORE: dict[Path, tuple[int, int]] = {}


def _flip(path: Path, place: int, bits: int) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ bits]))
    path.chmod(mode)
    _BEFORE[path] = (place, byte)


def _restore(path: Path) -> None:
    place, byte = _BEFORE[path]
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes([byte]))


# --- evidence


@pytest.mark.parametrize("name", ["visit.json", "attempts.jsonl", "addresses.jsonl", "records.warc.gz"])
def test_a_deleted_file_is_named(case: Path, name: str) -> None:
    (visits(case)[1] / name).unlink()
    named(case, f"{visits(case)[1].name}/{name}")


def test_a_deleted_visit_is_named(case: Path) -> None:
    gone = visits(case)[1]
    shutil.rmtree(gone)
    named(case, f"evidence/{gone.name}")


def test_an_inserted_visit_is_named(case: Path) -> None:
    shutil.copytree(visits(case)[0], case / "evidence" / "20261123T120009Z-put-in")
    named(case, "evidence/20261123T120009Z-put-in")


def test_a_renamed_visit_is_named(case: Path) -> None:
    old = visits(case)[0]
    old.rename(old.with_name("20261123T120009Z-renamed"))
    named(case, "evidence/20261123T120009Z-renamed")
    named(case, f"evidence/{old.name}")


def test_two_visits_that_changed_places_are_named(case: Path) -> None:
    first, second, _ = visits(case)
    first.rename(case / "elsewhere")
    second.rename(first)
    (case / "elsewhere").rename(second)
    named(case, f"{first.name}/")
    named(case, f"{second.name}/")


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


ATTACKS = {
    "delete": lambda rows: [*rows[:1], *rows[2:]],
    "insert": lambda rows: [*rows[:2], rows[1], *rows[2:]],
    "reorder": lambda rows: [*rows[:1], rows[2], rows[1], *rows[3:]],
    "truncate the tail": lambda rows: rows[:-1],
    "truncate within a line": lambda rows: [*rows[:-1], rows[-1][:-20]],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_of_a_visit_cannot_be_touched(case: Path, attack: str) -> None:
    path = visits(case)[0] / "attempts.jsonl"
    writable(path).write_bytes(b"".join(ATTACKS[attack](lines(path))))
    named(case, f"{visits(case)[0].name}/attempts.jsonl")


@pytest.mark.parametrize("attack", ATTACKS)
def test_entries_of_the_ledger_cannot_be_touched(case: Path, attack: str) -> None:
    path = case / "ledger.jsonl"
    rows = lines(path)
    head = sha256(rows[-1][:-1])
    path.write_bytes(b"".join(ATTACKS[attack](rows)))
    if attack != "truncate the tail":
        named(case, "ledger.jsonl")
        return
    # What came after the last seal is chained and not signed: only a head from outside tells that the end is missing.
    named(case, "ledger.jsonl", head=head)
    # Down to the seal's own entry, the seal is an unfinished one, and says so; before that, the seal names it.
    upto = next(i for i, row in enumerate(rows) if b'"seal":2' in row)
    path.write_bytes(b"".join(rows[:upto]))
    assert any("not on the ledger" in note for note in verify(case).notes)
    path.write_bytes(b"".join(rows[: upto - 1]))
    named(case, "ledger.jsonl")


def test_two_stored_bodies_that_changed_places_are_named_to_the_record(case: Path) -> None:
    path = visits(case)[0] / "records.warc.gz"
    rows = [json.loads(line) for line in lines(visits(case)[0] / "attempts.jsonl")]
    first, second = rows[0], rows[2]
    assert first["stored_as"] == second["stored_as"] == "response"
    data = path.read_bytes()
    one = data[first["warc_offset"] : first["warc_offset"] + first["warc_length"]]
    two = data[second["warc_offset"] : second["warc_offset"] + second["warc_length"]]
    between = data[first["warc_offset"] + first["warc_length"] : second["warc_offset"]]
    swapped = data[: first["warc_offset"]] + two + between + one + data[second["warc_offset"] + second["warc_length"] :]
    writable(path).write_bytes(swapped)
    named(case, f"{visits(case)[0].name}/records.warc.gz")
    assert any("attempts.jsonl" in item and first["observation"] in item for item in problems(case))


def test_a_swap_that_is_hashed_again_all_the_way_up_to_the_visit_is_caught_by_the_ledger(case: Path) -> None:
    one, two = (visits(case)[index] / "addresses.jsonl" for index in (0, 1))
    a, b = one.read_bytes(), two.read_bytes()
    for path, content in ((one, b), (two, a)):
        writable(path).write_bytes(content)
        record = path.parent / "visit.json"
        values = json.loads(record.read_bytes())
        values["files"]["addresses.jsonl"] = {"bytes": len(content), "sha256": sha256(content)}
        writable(record).write_bytes(canonical(values) + b"\n")
    named(case, f"{visits(case)[0].name}/visit.json")


def test_a_changed_time_is_named(case: Path) -> None:
    edit(visits(case)[0] / "attempts.jsonl", lambda data: data.replace(b'"started":"2', b'"started":"1', 1))
    named(case, "attempts.jsonl")


def test_a_changed_time_on_the_ledger_is_named_even_in_its_last_line(case: Path) -> None:
    def earlier(data: bytes) -> bytes:
        rows = data.splitlines(keepends=True)
        last = json.loads(rows[-1])
        rows[-1] = rows[-1].replace(last["at"].encode(), b"2020-01-01T00:00:00.000Z")
        return b"".join(rows)

    edit(case / "ledger.jsonl", earlier)
    named(case, "ledger.jsonl")


# --- the whole chain written again


def rewrite(case: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change entries and hash the whole ledger again, as a careful forger would."""
    head, out = GENESIS, []
    for row in lines(case / "ledger.jsonl"):
        values = json.loads(row)
        change(values)
        values.pop("self")
        values["prev"] = head
        values["self"] = sha256(canonical(values))
        line = canonical(values)
        head = sha256(line)
        out.append(line + b"\n")
    (case / "ledger.jsonl").write_bytes(b"".join(out))


def forge(case: Path) -> None:
    """Another outcome for a visit, in its record and on the ledger, everything hashed again."""
    record = visits(case)[0] / "visit.json"
    values = json.loads(record.read_bytes())
    values["outcome"] = "login_wall"
    writable(record).write_bytes(canonical(values) + b"\n")

    def change(entry: dict[str, object]) -> None:
        body = entry["body"]
        assert isinstance(body, dict)
        if entry["event"] == "visit.closed" and body["visit"] == visits(case)[0].name:
            body["outcome"] = "login_wall"
            content = record.read_bytes()
            body["files"]["visit.json"] = {"bytes": len(content), "sha256": sha256(content)}

    rewrite(case, change)


def test_a_rewritten_chain_fails_against_the_seal(case: Path) -> None:
    forge(case)
    named(case, "ledger.jsonl")
    assert any("sealed another head" in item for item in problems(case))


def test_a_rewritten_chain_without_seals_passes_alone_and_fails_against_a_printed_head(case: Path) -> None:
    head = sha256(lines(case / "ledger.jsonl")[6][:-1])
    assert problems(case, head=head) == []
    forge(case)
    kept = [row for row in lines(case / "ledger.jsonl") if json.loads(row)["event"] != "seal.made"]
    (case / "ledger.jsonl").write_bytes(b"".join(kept))
    rewrite(case, lambda entry: entry.update(seq=_next()))
    shutil.rmtree(case / "seals")
    (case / "seals").mkdir()
    assert problems(case) == []
    assert "UNSEALED" in "\n".join(verifier.summary(verify(case)))
    named(case, "ledger.jsonl", head=head)


_counter = iter(range(1, 10_000))


def _next() -> int:
    return next(_counter)


def test_a_forgery_sealed_with_another_key_passes_alone_and_fails_against_the_key(
    case: Path, prepared: tuple[Path, Key], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forge(case)
    kept = [row for row in lines(case / "ledger.jsonl") if json.loads(row)["event"] not in ("seal.made", "key.named")]
    numbers = iter(range(1, 1000))
    (case / "ledger.jsonl").write_bytes(b"".join(kept))
    rewrite(case, lambda entry: entry.update(seq=next(numbers)))
    shutil.rmtree(case / "seals")
    settings = (case / "case.toml").read_text().partition("\n[[seal")[0]
    (case / "case.toml").write_text(settings)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "forger"))
    opened = open_case(case)
    opened.record("services.added", {"services": []})
    make_seal(opened, make_key())
    assert problems(case) == []
    named(case, "seal-0001.json", key=prepared[1].identity)


# --- seals and stamps


def test_the_last_seal_cannot_be_dropped(case: Path) -> None:
    (case / "seals" / "seal-0002.json").unlink()
    named(case, "seals/seal-0002.json")


def test_the_first_seal_cannot_be_dropped(case: Path) -> None:
    (case / "seals" / "seal-0001.json").unlink()
    named(case, "seals/seal-0001.json")


def test_a_seal_and_its_entry_cannot_be_dropped_together(case: Path) -> None:
    for path in (case / "seals").glob("seal-0002*"):
        path.unlink()
    rows = lines(case / "ledger.jsonl")
    upto = next(i for i, row in enumerate(rows) if b'"seal":2' in row)
    (case / "ledger.jsonl").write_bytes(b"".join(rows[:upto]))
    # Nothing came after it: what is left is the case as it stood before, which only a head from outside can tell.
    assert problems(case) == []
    head = sha256(lines(case / "ledger.jsonl")[-1][:-1])
    assert problems(case, head=head) == []
    named(case, "ledger.jsonl", head=sha256(rows[upto][:-1]))


def test_a_seal_by_another_key_put_in_its_place_is_named(
    case: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "forger"))
    forger = make_key()
    path = case / "seals" / "seal-0002.json"
    values = json.loads(path.read_bytes())
    values["statement"] |= {"key": forger.identity, "public_key": forger.public.hex()}
    values["signature"] = forger.private.sign(canonical(values["statement"])).hex()
    path.write_bytes(canonical(values) + b"\n")
    named(case, "seals/seal-0002.json")


def test_swapped_time_stamp_tokens_are_named(case: Path) -> None:
    one, two = case / "seals" / "seal-0001.tsr", case / "seals" / "seal-0002.tsr"
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)
    named(case, "seals/seal-0001.tsr")
    assert any("stamps other bytes" in item for item in problems(case))


def test_a_token_for_other_bytes_is_named_though_the_ledger_is_written_again(
    case: Path, prepared: tuple[Path, Key]
) -> None:
    authority = prepared[0] / "tsa"
    query = case.parent / "q.tsq"
    (case.parent / "other").write_bytes(b"other bytes")
    subprocess.run(
        ["openssl", "ts", "-query", "-data", "other", "-sha256", "-cert", "-out", query], cwd=case.parent, check=True
    )
    token = case / "seals" / "seal-0002.tsr"
    subprocess.run(
        ["openssl", "ts", "-reply", "-config", authority / "authority.cnf", "-queryfile", query, "-out", token],
        check=True,
        capture_output=True,
    )

    def change(entry: dict[str, object]) -> None:
        body = entry["body"]
        assert isinstance(body, dict)
        if entry["event"] == "seal.made" and body["seal"] == 2:
            body["files"]["seals/seal-0002.tsr"] = {
                "bytes": token.stat().st_size,
                "sha256": sha256(token.read_bytes()),
            }

    rewrite(case, change)
    named(case, "seals/seal-0002.tsr")


def test_a_deleted_token_is_named(case: Path) -> None:
    (case / "seals" / "seal-0001.tsr").unlink()
    named(case, "seals/seal-0001.tsr")


# --- the index


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("UPDATE observations SET status = 404 WHERE seq = 1", "observations"),
        ("DELETE FROM observations WHERE seq = 2", "observations"),
        ("UPDATE visits SET outcome = 'blocked'", "visits"),
        ("DELETE FROM visits", "visits"),
        ("UPDATE addresses SET decision = 'out_of_scope'", "addresses"),
        ("INSERT INTO addresses SELECT * FROM addresses LIMIT 1", "addresses"),
        ("UPDATE services SET stratum = 'z'", "services"),
        ("UPDATE texts SET text = text || ' more'", "texts"),
        ("UPDATE passages SET text = upper(text)", "passages"),
        ("UPDATE flags SET quote = 'something else'", "flags"),
        ("DELETE FROM flags WHERE flag = (SELECT min(flag) FROM flags)", "flags: is not what the run"),
        ("UPDATE flags SET code = 'P02' WHERE flag = (SELECT min(flag) FROM flags)", "flags: is not what the run"),
        (
            "UPDATE flags SET confidence = 0.751 WHERE flag = (SELECT min(flag) FROM flags)",
            "flags: is not what the run",
        ),
        ("UPDATE flags SET sensitive = false", "flags: is not what the run"),
        ("DELETE FROM flags", "flags: is not what the run"),
        ("UPDATE passages SET heading = 'Prohibited uses'", "passages: is not what the run"),
        ("UPDATE texts SET title = 'another', page_role = 'blog'", "texts: is not what the run"),
        ("DELETE FROM observation_texts", "observation_texts: is not what the run"),
        ("UPDATE observation_texts SET text_id = (SELECT min(text_id) FROM texts)", "observation_texts"),
    ],
)
def test_an_edited_index_is_found_by_comparison_with_the_evidence(case: Path, sql: str, table: str) -> None:
    with reading(open_case(case)):
        pass  # up to date, so that nothing is mended by catching up
    with duckdb.connect(str(case / "case.duckdb")) as connection:
        connection.execute(sql)
    found = [str(item) for item in compare_index(open_case(case))]
    assert any(f"table {table}" in item for item in found), found


def test_a_damaged_index_says_how_to_make_it_again(case: Path) -> None:
    path = case / "case.duckdb"
    path.write_bytes(path.read_bytes()[:5000] + b"\0" * 5000)
    found = [str(item) for item in compare_index(open_case(case))]
    assert "plainview rebuild" in found[0]


# --- files that do not belong


@pytest.mark.parametrize(
    "place",
    ["notes.txt", "evidence/notes.txt", "evidence/{visit}/notes.txt", "seals/notes.txt", "seals/seal-0009.json"],
)
def test_an_extra_file_in_a_case_is_named(case: Path, place: str) -> None:
    name = place.format(visit=visits(case)[0].name)
    (case / name).write_text("put in")
    named(case, name)


@pytest.mark.parametrize(
    "place", ["notes.txt", "data/notes.txt", "data/evidence/notes.txt", "fetch.txt", "manifest-md5.txt"]
)
def test_an_extra_file_in_an_export_is_named(bag: Path, place: str) -> None:
    (bag / place).write_text("put in")
    named(bag, place)


def test_a_symbolic_link_is_named_even_to_the_same_bytes(case: Path, bag: Path) -> None:
    for root, name in ((case, f"evidence/{visits(case)[0].name}/visit.json"), (bag, "data/export.json")):
        path = root / name
        copy = root.parent / "copy"
        shutil.copyfile(path, copy)
        path.unlink()
        path.symlink_to(copy)
        named(root, name)


def test_a_link_to_a_folder_is_named_and_not_followed(case: Path) -> None:
    (case / "evidence" / "more").symlink_to("/usr/share", target_is_directory=True)
    named(case, "evidence/more")


def test_a_pipe_is_named_and_not_opened(case: Path) -> None:
    os.mkfifo(case / "evidence" / "pipe")
    named(case, "evidence/pipe")


def test_names_that_differ_only_in_case_are_named(bag: Path) -> None:
    shutil.copyfile(bag / "data" / "export.json", bag / "data" / "Export.json")
    named(bag, "data/Export.json")
    assert any("only in case" in str(item) or "only in case" in item for item in problems(bag))


@pytest.mark.parametrize("name", ["../outside", "data/../../outside", "/etc/passwd", "data\\..\\outside", "C:/windows"])
def test_a_manifest_that_leads_out_of_the_folder_is_named(bag: Path, name: str) -> None:
    (bag.parent / "outside").write_text("x")
    with (bag / "manifest-sha256.txt").open("a") as file:
        file.write(f"{sha256(b'x')}  {name}\n")
    named(bag, "manifest-sha256.txt")


def test_a_deleted_file_of_an_export_is_named(bag: Path) -> None:
    (bag / "data" / "exhibits" / "exhibits.csv").unlink()
    named(bag, "data/exhibits/exhibits.csv")


def test_a_file_named_twice_in_a_manifest_is_named(bag: Path) -> None:
    rows = (bag / "manifest-sha256.txt").read_text().splitlines(keepends=True)
    (bag / "manifest-sha256.txt").write_text("".join([*rows, rows[0]]))
    named(bag, "manifest-sha256.txt")


# --- an export whose manifests were written again


def hash_again(bag: Path) -> None:
    """Both manifests and the payload's size, as a forger would write them."""
    for path in bag.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    payload = sorted(path for path in (bag / "data").rglob("*") if path.is_file())
    rows = [f"{sha256(path.read_bytes())}  {path.relative_to(bag).as_posix()}\n" for path in payload]
    (bag / "manifest-sha256.txt").write_text("".join(rows))
    info = [
        f"Payload-Oxum: {sum(path.stat().st_size for path in payload)}.{len(payload)}\n"
        if row.startswith("Payload-Oxum")
        else row
        for row in (bag / "bag-info.txt").read_text().splitlines(keepends=True)
    ]
    (bag / "bag-info.txt").write_text("".join(info))
    tags = sorted(
        path
        for path in bag.iterdir()
        if path.is_file() and path.name not in ("tagmanifest-sha256.txt", "export-signature.json")
    )
    rows = [f"{sha256(path.read_bytes())}  {path.name}\n" for path in tags]
    (bag / "tagmanifest-sha256.txt").write_text("".join(rows))


FORGERIES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a status in a table": (
        "tables/observations.jsonl",
        lambda data: data.replace(b'"status":200', b'"status":404', 1),
    ),
    "a row taken out of a table": ("tables/observations.jsonl", lambda data: data.partition(b"\n")[2]),
    "a decision in a table": ("tables/addresses.jsonl", lambda data: data.replace(b"candidate", b"off-scope", 1)),
    "an outcome in a table": ("tables/visits.jsonl", lambda data: data.replace(b"reached", b"blocked", 1)),
    "an exhibit's quote": (
        "exhibits/exhibits.jsonl",
        lambda data: data.replace(b"after one hour", b"after one year", 1),
    ),
    "an exhibit's address": ("exhibits/exhibits.jsonl", lambda data: data.replace(b"page-1", b"page-9", 1)),
    "an exhibit's time": (
        "exhibits/exhibits.jsonl",
        lambda data: data.replace(b'"captured": "2', b'"captured": "1', 1),
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_table_or_exhibit_is_named_though_the_manifests_were_written_again(bag: Path, forgery: str) -> None:
    name, change = FORGERIES[forgery]
    edit(bag / "data" / name, change)
    hash_again(bag)
    (bag / "export-signature.json").unlink()
    named(bag, name)


def test_evidence_changed_in_an_export_is_named_though_the_manifests_were_written_again(bag: Path) -> None:
    path = next((bag / "data" / "evidence").glob("*/attempts.jsonl"))
    edit(path, lambda data: data.replace(b'"status":200', b'"status":404', 1))
    hash_again(bag)
    named(bag, f"evidence/{path.parent.name}/attempts.jsonl")


def test_a_changed_flag_table_is_named_by_the_signature_over_the_export(bag: Path) -> None:
    edit(bag / "data" / "tables" / "flags.csv", lambda data: data.replace(b"P01", b"P02", 1))
    hash_again(bag)
    named(bag, "export-signature.json")


def test_a_visit_left_out_of_an_export_is_named(bag: Path) -> None:
    gone = sorted((bag / "data" / "evidence").iterdir())[0]
    shutil.rmtree(gone)
    hash_again(bag)
    named(bag, f"evidence/{gone.name}")


# --- zip tricks


def entries(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as opened:
        return [(item.filename, opened.read(item)) for item in opened.infolist()]


def pack(path: Path, files: list[tuple[str, bytes]]) -> None:
    """A zip as ours is written, whatever is in it."""
    import zlib

    out, directory = bytearray(), bytearray()
    for name, content in files:
        raw, crc = name.encode("utf-8", "surrogateescape"), zlib.crc32(content)
        directory += zip_central(raw, crc, len(content), len(out))
        out += zip_local(raw, crc, len(content)) + content
    path.write_bytes(bytes(out) + bytes(directory) + zip_end(len(files), len(directory), len(out)))


def test_our_zip_is_one_that_python_reads_and_our_packing_here_gives_the_same_bytes(zipped: Path) -> None:
    before = zipped.read_bytes()
    pack(zipped, entries(zipped))
    assert zipped.read_bytes() == before


def test_a_name_that_stands_twice_in_a_zip_is_named(zipped: Path) -> None:
    files = entries(zipped)
    pack(zipped, [*files, ("bag/README.txt", b"another")])
    named(zipped, "bag/README.txt")


@pytest.mark.parametrize(
    "name", ["bag/../outside", "/etc/passwd", "bag/data/Export.json", "other/file", "bag\\outside"]
)
def test_a_name_that_does_not_belong_in_a_zip_is_named(zipped: Path, name: str) -> None:
    pack(zipped, [*entries(zipped), (name, b"x")])
    assert verify(zipped).problems
    done = subprocess.run([sys.executable, "-I", PROGRAM, zipped], capture_output=True, text=True)
    assert done.returncode == 4


def test_a_file_hidden_from_the_directory_is_named(zipped: Path) -> None:
    files = entries(zipped)
    data = zipped.read_bytes()
    start = data.index(b"PK\1\2")
    hidden = zip_local(b"bag/hidden", 0x8CDC1683, 1) + b"x"
    end = len(data) - 22
    size, offset = struct.unpack("<II", data[end + 12 : end + 20])
    shifted = data[:start] + hidden + data[start:end] + zip_end(len(files), size, offset + len(hidden))
    zipped.write_bytes(shifted)
    with zipfile.ZipFile(zipped) as opened:
        assert "bag/hidden" not in opened.namelist()
    named(zipped, "bag.zip")


def test_a_directory_that_shows_another_name_than_the_file_has_is_named(zipped: Path) -> None:
    data = zipped.read_bytes()
    place = data.rindex(b"bag/verify.py")
    zipped.write_bytes(data[:place] + b"bag/verifY.py" + data[place + 13 :])
    named(zipped, "bag.zip")


@pytest.mark.parametrize("where", ["before", "after"])
def test_bytes_around_a_zip_are_named(zipped: Path, where: str) -> None:
    data = zipped.read_bytes()
    zipped.write_bytes(b"#!/bin/sh\n" + data if where == "before" else data + b"more")
    done = subprocess.run([sys.executable, "-I", PROGRAM, zipped], capture_output=True, text=True)
    assert done.returncode == (2 if where == "before" else 4)


def test_a_zip_that_was_packed_again_with_compression_says_so(zipped: Path) -> None:
    files = entries(zipped)
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files:
            opened.writestr(name, content)
    named(zipped, "packed again")


# --- usage


def test_what_is_neither_case_nor_export_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    for path in (tmp_path, tmp_path / "x", tmp_path / "nowhere"):
        done = subprocess.run([sys.executable, "-I", PROGRAM, path], capture_output=True, text=True)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert subprocess.run([sys.executable, "-I", PROGRAM], capture_output=True).returncode == 2


def test_a_settings_change_nobody_recorded_is_named_and_recorded_by_the_next_command(case: Path) -> None:
    edit(case / "case.toml", lambda data: data.replace(b"A small case", b"A large case"))
    named(case, "case.toml")
    opened: Case = open_case(case)
    opened.record("services.added", {"services": []})
    assert problems(case) == []
    assert [entry.body["case"]["title"] for entry in opened.ledger.events("case.settings")][-1] == "A large case"
