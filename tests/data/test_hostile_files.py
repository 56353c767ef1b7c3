"""What a hostile insider puts in a case or an export to fool, crash, tire or deface the verifier: each is named."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from data import verify as verifier
from data.canonical import canonical, sha256
from data.case import Case, open_case
from data.export import make_export
from data.ledger import GENESIS
from data.seal import Key, NotIntact, make_key, make_seal
from data.verify import TokenError, check_token
from tests.data.cases import small_case

PROGRAM = Path(verifier.__file__)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """A sealed case with an export in its own folder, and the same export elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("PLAINVIEW_ACTOR", "tester")
        root = tmp_path_factory.mktemp("hostile")
        key = make_key()
        case = small_case(root / "case", visits=2, pages=2)
        make_seal(case, key)
        make_export(case, name="inside")
        make_export(case, root / "out", name="bag")
        return root, key


@pytest.fixture
def case(prepared: tuple[Path, Key], tmp_path: Path) -> Path:
    shutil.copytree(prepared[0] / "case", tmp_path / "case")
    return tmp_path / "case"


@pytest.fixture
def bag(prepared: tuple[Path, Key], tmp_path: Path) -> Path:
    shutil.copytree(prepared[0] / "out" / "bag", tmp_path / "bag")
    return tmp_path / "bag"


class Done(NamedTuple):
    """How a run of the program ended, and what it said."""

    returncode: int
    stdout: str


def run(path: Path, *options: str) -> Done:
    """The program's own ``main``: whatever it raises fails the test."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = verifier.main([str(path), *options])
    return Done(code, said.getvalue())


def apart(path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, as a stranger runs it: it ends, and never with a traceback."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", PROGRAM, path],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **settings},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def named(path: Path, file: str, *options: str) -> str:
    done = run(path, *options)
    assert done.returncode == 4, done.stdout
    assert any(line.startswith("PROBLEM") and file in line for line in done.stdout.splitlines()), done.stdout
    return done.stdout


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    after = change(before)
    assert before != after
    path.chmod(0o644)
    path.write_bytes(after)


def first_visit(root: Path) -> Path:
    return min((root / "evidence").iterdir())


# --- the ledger, line by line

LINES: dict[str, Callable[[bytes], bytes]] = {
    "a doubled key": lambda line: line.replace(b'{"actor":', b'{"actor":"other","actor":', 1),
    "a byte order mark": lambda line: b"\xef\xbb\xbf" + line,
    "a carriage return": lambda line: line.replace(b"\n", b"\r\n"),
    "a space": lambda line: line.replace(b":", b": ", 1),
    "a key spelt with an escape": lambda line: line.replace(b'"actor"', b'"\\u0061ctor"', 1),
    "half of a surrogate pair": lambda line: line.replace(b'"actor":"', b'"actor":"\\ud800', 1),
    "a number that is none": lambda line: line.replace(b'"body":', b'"body":NaN,"x":', 1),
    "a number without end": lambda line: line.replace(b'"body":', b'"body":' + b"9" * 10_000 + b',"x":', 1),
    "true for one": lambda line: line.replace(b'"seq":1}', b'"seq":true}', 1),
    "a list": lambda line: b"[" + line.rstrip(b"\n") + b"]\n",
    "nothing": lambda line: b"\n",
    "bytes that are no text": lambda line: b"\xff\xfe" + line,
    "brackets without end": lambda line: b"[" * 200_000 + b"\n",
}


@pytest.mark.parametrize("trick", LINES)
def test_a_first_line_of_the_ledger_with(case: Path, trick: str) -> None:
    def change(data: bytes) -> bytes:
        head, mark, rest = data.partition(b"\n")
        return LINES[trick](head + mark) + rest

    edit(case / "ledger.jsonl", change)
    assert "line 1" in named(case, "ledger.jsonl")


ENDS = {"zeros": b"\0" * 1000, "a blank line": b"\n", "an entry again": b"", "a gzip": gzip.compress(b"more")}


@pytest.mark.parametrize("trick", ENDS)
def test_a_ledger_with_garbage_behind_its_end(case: Path, trick: str) -> None:
    edit(case / "ledger.jsonl", lambda data: data + (ENDS[trick] or data.splitlines(keepends=True)[-1]))
    named(case, "ledger.jsonl")


def test_a_case_that_was_emptied_is_not_in_order(case: Path) -> None:
    for folder in ("evidence", "seals", "exports", "spool"):
        shutil.rmtree(case / folder)
    (case / "ledger.jsonl").write_bytes(b"")
    named(case, "ledger.jsonl")


def hash_again(case: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change entries and hash the whole ledger again; the seals go, as nothing signs this any more."""
    head, out = GENESIS, []
    rows = [json.loads(row) for row in (case / "ledger.jsonl").read_bytes().splitlines()]
    for number, values in enumerate((row for row in rows if row["event"] != "seal.made"), 1):
        change(values)
        values.pop("self", None)
        values |= {"prev": head, "seq": number}
        values["self"] = sha256(verifier._canonical(values))
        line = verifier._canonical(values)
        head = sha256(line)
        out.append(line + b"\n")
    (case / "ledger.jsonl").write_bytes(b"".join(out))
    shutil.rmtree(case / "seals")


BODIES: dict[str, tuple[str, object]] = {
    "files that are a list": ("files", ["visit.json"]),
    "files that are text": ("files", "visit.json"),
    "no file at all": ("files", {}),
    "a file without facts": ("files", {"visit.json": "abc"}),
    "a file that leads out": ("files", {"../../../etc/passwd": {"sha256": "0" * 64, "bytes": 1}}),
    "a head that is an object": ("head", {}),
    "a visit that is a number": ("visit", 7),
    "a visit with the marks of a terminal": ("visit", "\x1b[2J\u202enothing is wrong\n"),
}


@pytest.mark.parametrize("trick", BODIES)
def test_a_forged_entry_with(case: Path, trick: str) -> None:
    name, value = BODIES[trick]

    def change(entry: dict[str, object]) -> None:
        if entry["event"] == "visit.closed":
            entry["body"] |= {name: value}  # type: ignore[operator]

    hash_again(case, change)
    text = named(case, "")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_an_entry_that_closes_a_visit_twice_and_one_for_another_folder(case: Path) -> None:
    closed: list[dict[str, object]] = []

    def change(entry: dict[str, object]) -> None:
        if entry["event"] == "visit.closed":
            closed.append(dict(entry["body"]))  # type: ignore[call-overload]
            entry["body"] = closed[0]

    hash_again(case, change)
    assert "again" in named(case, "ledger.jsonl")


# --- evidence


def test_records_that_do_not_fit_their_attempts_are_not_sealed_though_every_hash_was_written_again(
    prepared: tuple[Path, Key], case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever crawls can write what he likes before the seal: but what is signed has been opened record by record."""
    folder = first_visit(case)
    edit(folder / "attempts.jsonl", lambda data: data.replace(b'"status":200', b'"status":404', 1))
    rows = [json.loads(line) for line in (folder / "attempts.jsonl").read_bytes().splitlines()]
    rows[0]["stored_sha256"] = "0" * 64
    head, out = sha256(f"plainview chain {folder.name}".encode()), []
    for row in rows:
        line = canonical(row | {"prev": head})
        head = sha256(line)
        out.append(line + b"\n")
    (folder / "attempts.jsonl").write_bytes(b"".join(out))

    def facts(path: Path) -> dict[str, object]:
        return {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes())}

    record = json.loads((folder / "visit.json").read_bytes())
    record |= {"head": head, "files": {**record["files"], "attempts.jsonl": facts(folder / "attempts.jsonl")}}
    edit(folder / "visit.json", lambda _: canonical(record) + b"\n")

    def change(entry: dict[str, object]) -> None:
        body = entry["body"]
        assert isinstance(body, dict)
        if entry["event"] == "visit.closed" and body["visit"] == folder.name:
            body |= {"head": head}
            body["files"] |= {name: facts(folder / name) for name in ("visit.json", "attempts.jsonl")}

    hash_again(case, change)
    assert run(case).returncode == 0
    assert "--records opens each" in run(case).stdout
    named(case, "attempts.jsonl", "--records")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(case.parent / "config"))
    with pytest.raises(NotIntact, match=r"attempts\.jsonl"):
        make_seal(open_case(case), make_key())


@pytest.mark.parametrize("name", ["attempts.jsonl", "records.warc.gz", "visit.json"])
def test_a_file_of_a_terabyte_of_holes_is_named_and_not_read_to_its_end(case: Path, name: str) -> None:
    path = first_visit(case) / name
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert "bytes" in named(case, name)


@pytest.mark.parametrize(
    "name", ["ledger.jsonl", "case.toml", "seals/seal-0001.json", "exports/inside/manifest-sha256.txt"]
)
def test_holes_behind_the_end_of(case: Path, name: str) -> None:
    with (case / name).open("r+b") as file:
        file.truncate(1 << 40)
    named(case, name)


@pytest.mark.parametrize(
    "name", ["data/export.json", "verify.py", "bag-info.txt", "manifest-sha256.txt", "data/ledger.jsonl"]
)
def test_holes_behind_the_end_in_an_export_of(bag: Path, name: str) -> None:
    with (bag / name).open("r+b") as file:
        file.truncate(1 << 40)
    named(bag, name.removeprefix("data/"))


def test_a_record_that_unpacks_to_far_more_than_any_record_is_named_and_not_unpacked_whole(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = first_visit(case) / "records.warc.gz"
    path.chmod(0o644)
    path.write_bytes(gzip.compress(b"\0" * (64 << 20), 9))
    monkeypatch.setattr(verifier, "_LARGEST_RECORD", 4 << 20)
    tracemalloc.start()
    try:
        assert "larger than any record" in named(case, "records.warc.gz")
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


# --- files that do not belong


@pytest.mark.parametrize("place", ["spool/notes.txt", "spool/x/notes.txt", "spool/x/y/attempts.jsonl"])
def test_an_extra_file_in_the_spool_is_named(case: Path, place: str) -> None:
    (case / place).parent.mkdir(parents=True, exist_ok=True)
    (case / place).write_text("put in")
    named(case, place)


NAMES = {
    "turned around": "evidence/\u202egnp.tij",
    "not seen": "evidence/vis\u200bit",
    "half a character": b"evidence/\xff\xfe",
    "a line of its own": "evidence/x\nnothing is wrong",
    "a colour": "evidence/\x1b[31mred",
    "an end that Windows drops": "case.toml.",
}


@pytest.mark.parametrize("trick", NAMES)
def test_a_name_that_is(case: Path, trick: str) -> None:
    place = os.fsencode(case) + b"/" + os.fsencode(NAMES[trick])
    with open(place, "wb") as file:  # noqa: PTH123 - a name may be any bytes
        file.write(b"x")
    for language in ("ascii", "utf-8"):
        done = apart(case, PYTHONIOENCODING=language)
        assert done.returncode == 4
        assert all(line.isprintable() for line in done.stdout.splitlines())
        assert "\nnothing is wrong" not in done.stdout


def test_a_second_name_for_a_file_is_worth_a_note(case: Path) -> None:
    (case.parent / "elsewhere").hardlink_to(first_visit(case) / "visit.json")
    done = run(case)
    assert done.returncode == 0
    assert "hard link" in done.stdout
    assert "visit.json" in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root can hide a folder from somebody else")
def test_a_folder_that_may_not_be_read_is_named(case: Path) -> None:
    for parent in (case, *case.parents[:4]):
        parent.chmod(0o755)
    first_visit(case).chmod(0o700)
    os.chown(first_visit(case), 0, 0)
    program = case.parent / "verify.py"
    shutil.copyfile(PROGRAM, program)
    done = subprocess.run(
        ["python3" if shutil.which("/usr/bin/python3") is None else "/usr/bin/python3", "-I", program, case],
        capture_output=True,
        text=True,
        user=65534,
        timeout=60,
    )
    if "Permission denied" in done.stderr or "datetime" in done.stderr:
        pytest.skip("no Python here that another account may run")
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{first_visit(case).name}/: this folder cannot be read" in done.stdout


def test_a_folder_deeper_than_any_path_may_be_is_named(case: Path) -> None:
    here = os.open(case / "evidence", os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        there = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(here)
    try:
        assert "cannot be read" in named(case, "evidence/ddd")
    finally:
        subprocess.run(["rm", "-rf", "evidence"], cwd=case, check=True)


def test_a_pipe_for_the_ledger_and_for_a_manifest(case: Path, bag: Path) -> None:
    for path in (case / "ledger.jsonl", bag / "manifest-sha256.txt"):
        path.unlink()
        os.mkfifo(path)
        named(path.parent, path.name)
    pipe = case.parent / "pipe"
    os.mkfifo(pipe)
    assert run(pipe).returncode == 2


def test_thousands_of_extra_files_are_counted_and_not_all_listed(case: Path) -> None:
    folder = first_visit(case) / "more"
    folder.mkdir()
    for number in range(3000):
        (folder / str(number)).touch()
    begun = time.monotonic()
    text = named(case, "more/")
    assert "1000 more are not listed" in text
    assert time.monotonic() - begun < 10


# --- exports


def test_an_export_in_the_case_cannot_lose_its_tag_manifest_to_go_unchecked(case: Path) -> None:
    folder = case / "exports" / "inside"
    (folder / "tagmanifest-sha256.txt").unlink()
    edit(folder / "data" / "tables" / "flags.csv", lambda data: data.replace(b"P01", b"P02", 1))
    named(case, "exports/inside/tagmanifest-sha256.txt")
    assert "flags.csv" in named(case, "exports/inside/data/tables/flags.csv")


@pytest.mark.parametrize("mark", [b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xe2\x80\xa8", b"\r", b"\r\n", b""])
@pytest.mark.parametrize("manifest", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_manifest_whose_lines_end_in_another_way(bag: Path, manifest: str, mark: bytes) -> None:
    def change(data: bytes) -> bytes:
        rows = data.split(b"\n")
        return b"\n".join(rows[:-2]) + mark.join(rows[-2:])

    edit(bag / manifest, change)
    named(bag, manifest)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\n", b"# a comment\n"])
def test_a_manifest_that_begins_in_another_way(bag: Path, mark: bytes) -> None:
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        edit(bag / manifest, lambda data: mark + data)
        named(bag, manifest)


def manifests(bag: Path) -> None:
    """Both manifests and the payload's size written again, as a forger would."""
    payload = sorted(path for path in (bag / "data").rglob("*") if path.is_file())
    rows = [f"{sha256(path.read_bytes())}  {path.relative_to(bag).as_posix()}\n" for path in payload]
    (bag / "manifest-sha256.txt").write_text("".join(rows))
    info = (bag / "bag-info.txt").read_text().splitlines(keepends=True)
    size = f"Payload-Oxum: {sum(path.stat().st_size for path in payload)}.{len(payload)}\n"
    (bag / "bag-info.txt").write_text("".join(size if row.startswith("Payload-Oxum") else row for row in info))
    tags = sorted(path for path in bag.iterdir() if path.is_file() and path.name != "tagmanifest-sha256.txt")
    rows = [f"{sha256(path.read_bytes())}  {path.name}\n" for path in tags]
    (bag / "tagmanifest-sha256.txt").write_text("".join(rows))


ROWS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a table that is no JSON": ("tables/visits.jsonl", lambda data: b"<html>\n" + data),
    "a table of lists": ("tables/observations.jsonl", lambda data: b"[]\n" + data),
    "a table with a doubled key": (
        "tables/visits.jsonl",
        lambda data: data.replace(b'"visit":', b'"visit":"a","visit":', 1).replace(
            b'"visit": ', b'"visit": "a","visit": ', 1
        ),
    ),
    "exhibits that are no objects": ("exhibits/exhibits.jsonl", lambda data: b"7\n" + data),
    "an exhibit whose place is a word": (
        "exhibits/exhibits.jsonl",
        lambda data: data.replace(b'"start": ', b'"start": "a", "was": ', 1),
    ),
    "an exhibit whose place is before the file": (
        "exhibits/exhibits.jsonl",
        lambda data: data.replace(b'"warc_offset": ', b'"warc_offset": -', 1),
    ),
    "an export that says nothing of itself": ("export.json", lambda _: b"[]"),
    "an export that is brackets without end": ("export.json", lambda _: b"[" * 100_000),
}


@pytest.mark.parametrize("trick", ROWS)
def test_an_export_written_again_with(bag: Path, trick: str) -> None:
    name, change = ROWS[trick]
    edit(bag / "data" / name, change)
    manifests(bag)
    named(bag, name)


def test_entries_withheld_by_a_forger_are_counted_in_the_open(bag: Path) -> None:
    """A whole visit can be left out and its entries replaced by their hashes: that is what a selection is, and it says so."""
    data = bag / "data"
    gone = first_visit(data)
    shutil.rmtree(gone)
    rows = (data / "ledger.jsonl").read_bytes().splitlines()
    for index, row in enumerate(rows):
        values = json.loads(row)
        if values.get("event") == "visit.closed" and values["body"]["visit"] == gone.name:
            rows[index] = canonical(
                {"seq": values["seq"], "withheld": sha256(row), "why": "outside the \x1b[8mselection"}
            )
    (data / "ledger.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    about = json.loads((data / "export.json").read_bytes())
    about["visits"].remove(gone.name)
    about["ledger"]["withheld"] += 1
    (data / "export.json").write_text(json.dumps(about))
    for table in ("visits", "observations", "addresses"):
        path = data / "tables" / f"{table}.jsonl"
        path.write_bytes(
            b"".join(row for row in path.read_bytes().splitlines(keepends=True) if gone.name.encode() not in row)
        )
    path = data / "exhibits" / "exhibits.jsonl"
    path.write_bytes(
        b"".join(row for row in path.read_bytes().splitlines(keepends=True) if gone.name.encode() not in row)
    )
    manifests(bag)
    done = run(bag)
    assert "withheld: 1 ledger entries" in done.stdout, done.stdout
    assert "\x1b" not in done.stdout


def test_a_zip_in_a_zip_is_an_extra_file_and_not_opened(bag: Path) -> None:
    with zipfile.ZipFile(bag / "data" / "more.zip", "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("bag/data/ledger.jsonl", b"\0" * (8 << 20))
    named(bag, "data/more.zip")
    with zipfile.ZipFile(bag.parent / "outer.zip", "w") as outer:
        outer.write(bag / "data" / "more.zip", "bag/more.zip")
    named(bag.parent / "outer.zip", "outer.zip")


@pytest.mark.parametrize(
    "content", [b"PK\3\4", b"PK\3\4" + b"\xff" * 26, b"PK\3\4" + b"\0" * 4000, b"PK\5\6" + b"\0" * 18, b""]
)
def test_a_zip_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert run(tmp_path / "x.zip").returncode in (2, 4)


# --- pages and stamps made to break a reader


@pytest.mark.parametrize(
    "start", ["<", "<!--", "<script", "<style ", "&#" + "9" * 5000 + ";", "&#x" + "f" * 5000 + ";"]
)
def test_a_page_of_nothing_but_beginnings_takes_no_longer_to_search(start: str) -> None:
    page = (start * (4_000_000 // len(start)) + " sold here").encode()
    begun = time.monotonic()
    verifier._says(page, "not there")
    assert verifier._says(
        b"<p>Sold <script>if (1 < 2) x</script><b>h</b>ere &amp; <!-- > --> now</p>", "Sold here & now"
    )
    assert not verifier._says(b"<script>Sold here</script>", "Sold elsewhere")
    assert time.monotonic() - begun < 8


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


STAMPS = {
    "an identifier without end": der(0x30, der(0x06, b"\xff" * 900_000) + der(0x30, b"")),
    "a number without end": der(0x30, der(0x30, der(0x02, b"\x7f" * 900_000)) + der(0x30, b"")),
    "two megabytes": b"\x30" * 2_000_000,
    "boxes in boxes": b"\x30\x80" * 1000,
    "nothing": b"",
    "text": b"<html>sorry</html>",
}


@pytest.mark.parametrize("trick", STAMPS)
def test_a_stamp_that_is(trick: str) -> None:
    begun = time.monotonic()
    with pytest.raises(TokenError):
        check_token(STAMPS[trick], b"data", [])
    assert time.monotonic() - begun < 2


def test_a_seal_of_another_case_does_not_fit(case: Path, prepared: tuple[Path, Key], tmp_path: Path) -> None:
    """The same key signed both: the head in it belongs to one."""
    other = small_case(tmp_path / "other", visits=1, pages=1)
    other.record("services.added", {"services": []})
    make_seal(other, prepared[1])
    shutil.copyfile(other.root / "seals" / "seal-0001.json", case / "seals" / "seal-0001.json")
    named(case, "seals/seal-0001.json", "--key", prepared[1].identity)


def test_an_older_state_put_back_passes_alone_and_fails_against_the_later_head(
    case: Path, prepared: tuple[Path, Key]
) -> None:
    """A replay: everything is genuine and old. Only what was written down elsewhere tells."""
    old = case.parent / "old"
    shutil.copytree(case, old)
    opened: Case = open_case(case)
    opened.record("services.added", {"services": []})
    later = make_seal(opened, prepared[1])
    assert run(old, "--key", prepared[1].identity).returncode == 0
    named(old, "ledger.jsonl", "--head", later.head)
    # Nor can the new seal be put beside the old ledger, or the old ledger beside the new seal.
    shutil.copyfile(case / "seals" / "seal-0002.json", old / "seals" / "seal-0002.json")
    named(old, "ledger.jsonl")


def test_a_key_id_that_is_too_short_says_so(case: Path, prepared: tuple[Path, Key]) -> None:
    assert "too short" in named(case, "seals", "--key", prepared[1].identity[:8])


def test_what_came_after_the_last_seal_is_said(case: Path) -> None:
    from data.ingest import take_in
    from tests.data.cases import spool_visit

    opened = open_case(case)
    spool_visit(opened, 7, pages=1)
    take_in(opened)
    assert "1 visits were closed after the last seal and are not signed" in run(case).stdout
