"""Seals: made whole or not at all, with a key kept elsewhere; anything that failed says ``unsealed``."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data.canonical import canonical, sha256
from data.case import Case, CaseError, open_case
from data.export import make_export
from data.ledger import Ledger
from data.seal import (
    Key,
    NotIntact,
    SealFailed,
    has_key,
    is_locked,
    key_folder,
    load_key,
    make_key,
    make_seal,
)
from data.standing import seal_state
from data.verify import ed25519_verify, verify
from tests.data.cases import small_case
from tests.hostile.authority import Authority, make_authority, serve


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa") / "a", kind="p256")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tsa") / "b", kind="p384", digest="sha384")


def with_authorities(case: Case, *entries: tuple[str, Authority]) -> Case:
    with (case.root / "case.toml").open("a") as file:
        for url, authority in entries:
            file.write(f'\n[[seal.timestamp_authorities]]\nurl = "{url}"\nca_file = "{authority.root}"\n')
    return open_case(case.root)


# --- Ed25519 in pure Python


def test_pure_python_ed25519_agrees_with_the_library_on_many_signatures() -> None:
    dice = random.Random(1)
    for _ in range(20):
        private = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        public, message = private.public_key().public_bytes_raw(), dice.randbytes(dice.randrange(200))
        signature = private.sign(message)
        assert ed25519_verify(public, signature, message)
        assert not ed25519_verify(public, signature, message + b"x")
        changed = bytearray(signature)
        changed[dice.randrange(64)] ^= 1 << dice.randrange(8)
        assert not ed25519_verify(public, bytes(changed), message)


def test_the_first_vectors_of_rfc_8032_hold() -> None:
    for public, message, signature in (
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                "d25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                "387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
    ):
        assert ed25519_verify(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


def test_a_signature_whose_number_was_raised_by_the_order_is_refused() -> None:
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    raised = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not ed25519_verify(public, signature[:32] + raised, b"m")


def test_keys_and_signatures_of_a_wrong_length_are_refused() -> None:
    assert not ed25519_verify(b"", b"", b"")
    assert not ed25519_verify(b"\xff" * 32, b"\xff" * 64, b"m")


# --- keys


def test_a_key_is_its_owners_alone_and_lies_outside_of_the_case(case: Case) -> None:
    assert not has_key()
    key = make_key()
    path = key_folder() / "plainview.pem"
    assert path.stat().st_mode & 0o077 == 0
    assert not path.is_relative_to(case.root)
    assert load_key().identity == key.identity
    with pytest.raises(SealFailed, match="already"):
        make_key()
    assert load_key().identity == key.identity


def test_a_locked_key_needs_its_passphrase() -> None:
    key = make_key("locked", "correct horse")
    assert is_locked("locked")
    assert load_key("locked", "correct horse").identity == key.identity
    for wrong in ("", "wrong"):
        with pytest.raises(SealFailed, match="passphrase"):
            load_key("locked", wrong)


def test_what_is_no_key_of_ours_is_refused() -> None:
    with pytest.raises(SealFailed, match="no key called"):
        load_key("missing")
    make_key("x")
    path = key_folder() / "x.pem"
    path.write_bytes(b"not a key")
    with pytest.raises(SealFailed, match="could not be opened"):
        load_key("x")
    for other in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)):
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(other.private_bytes(*form))
        with pytest.raises(SealFailed, match="not an Ed25519 key"):
            load_key("x")


def test_a_key_inside_of_the_case_folder_is_not_used(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(case.root / "spool"))
    key = make_key()
    with pytest.raises(SealFailed, match="inside of the case"):
        make_seal(case, key)
    assert list(case.seals.iterdir()) == []


# --- seals


def test_a_seal_signs_head_count_time_and_key(case: Case, key: Key) -> None:
    assert seal_state(case).reason == "it was never sealed"
    done = make_seal(case, key)
    values = json.loads(done.file.read_bytes())
    assert ed25519_verify(key.public, bytes.fromhex(values["signature"]), canonical(values["statement"]))
    assert values["statement"]["head"] == done.head
    assert values["statement"]["count"] == done.count
    assert values["statement"]["at"].endswith("Z")
    assert done.state == "not_requested"
    state = seal_state(case)
    assert state.sealed
    assert state.word == "sealed"
    assert verify(case.root, key=key.identity).problems == []


def test_reading_a_sealed_case_leaves_it_sealed_and_adding_to_it_does_not(case: Case, key: Key) -> None:
    make_seal(case, key)
    case.record("export.made", {"files": {}})
    case.record("report.made", {"files": {}})
    assert seal_state(case).sealed
    case.record("services.added", {"services": []})
    state = seal_state(case)
    assert not state.sealed
    assert "1 entries were added" in state.reason


def test_seals_follow_from_one_another(case: Case, key: Key) -> None:
    for number in (1, 2, 3):
        case.record("services.added", {"services": []})
        assert make_seal(case, key).number == number
    report = verify(case.root)
    assert report.problems == []
    assert report.facts["seals"] == 3


def test_a_case_that_does_not_verify_is_not_signed(case: Case, key: Key) -> None:
    path = next(case.evidence.glob("*/attempts.jsonl"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NotIntact) as broken:
        make_seal(case, key)
    assert any("attempts.jsonl" in item.file for item in broken.value.problems)
    assert list(case.seals.iterdir()) == []
    assert not list(case.ledger.events("seal.made"))


# --- stamps


def test_two_authorities_stamp_one_seal_and_both_are_checked(
    case: Case, key: Key, authority: Authority, second: Authority
) -> None:
    with serve(authority) as one, serve(second) as two:
        case = with_authorities(case, (one, authority), (two, second))
        done = make_seal(case, key)
    assert done.state == "stamped"
    assert [item.state for item in done.stamps] == ["stamped", "stamped"]
    assert {path.name for path in case.seals.iterdir()} >= {"seal-0001.json", "seal-0001.tsr", "seal-0001-2.tsr"}
    report = verify(case.root, key=key.identity, authorities=[authority.root, second.root])
    assert report.problems == []
    assert len(report.facts["stamps"]) == 2
    named = [str(item) for item in verify(case.root, authorities=[second.root]).problems]
    assert any("seal-0001.tsr" in item and "does not lead to the authority" in item for item in named)


@pytest.mark.parametrize(
    "mode", ["status 500", "html", "json error", "wrong digest", "wrong nonce", "late", "another authority"]
)
def test_a_stamp_that_was_not_obtained_leaves_the_case_unsealed_with_the_reason(
    case: Case, key: Key, authority: Authority, second: Authority, mode: str
) -> None:
    with serve(authority, mode, second) as address:
        case = with_authorities(case, (address, authority))
        done = make_seal(case, key, seconds=1)
    assert done.state == "failed"
    assert done.reason
    assert not list(case.seals.glob("*.tsr"))
    state = seal_state(case)
    assert not state.sealed
    assert done.reason in state.reason
    # The signature stands, nothing false was kept, and a second try can mend it.
    assert verify(case.root, key=key.identity).problems == []
    url = case.seal.timestamp_authorities[0].url
    assert case.ledger.head().count > done.count
    with serve(authority) as working:
        text = (case.root / "case.toml").read_text().replace(url, working)
        (case.root / "case.toml").write_text(text)
        assert make_seal(open_case(case.root), key).state == "stamped"
    assert seal_state(case).sealed


def test_one_of_two_stamps_missing_is_a_failure_and_the_other_is_kept(
    case: Case, key: Key, authority: Authority, second: Authority
) -> None:
    with serve(authority) as one, serve(second, "html") as two:
        case = with_authorities(case, (one, authority), (two, second))
        done = make_seal(case, key)
    assert done.state == "failed"
    assert [item.state for item in done.stamps] == ["stamped", "failed"]
    assert [path.name for path in case.seals.glob("*.tsr")] == ["seal-0001.tsr"]
    assert not seal_state(case).sealed
    assert verify(case.root).problems == []


def test_a_missing_certificate_file_is_an_error_before_anything_is_written(
    case: Case, key: Key, tmp_path: Path
) -> None:
    with (case.root / "case.toml").open("a") as file:
        file.write('\n[[seal.timestamp_authorities]]\nurl = "http://127.0.0.1:9/"\nca_file = "nowhere.pem"\n')
    with pytest.raises(SealFailed, match="cannot be read: No such file"):
        make_seal(open_case(case.root), key)
    assert list(case.seals.iterdir()) == []


# --- settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[seal]\nkeey = 'x'", "Did you mean 'key'"),
        ("[seal]\nkey = '../x'", "plain name"),
        ("[seal]\ntimestamp_authorities = 'x'", r"\[\[seal.timestamp_authorities\]\]"),
        ("[[seal.timestamp_authorities]]\nurl = 'ftp://x'\nca_file = 'a'", "must look like"),
        ("[[seal.timestamp_authorities]]\nurl = 'http://x.example/'", "needs ca_file"),
        ("[[seal.timestamp_authorities]]\nurl = 'http://x.example/'\nca = 'a'", "ca_file"),
    ],
)
def test_a_wrong_seal_setting_is_an_error_that_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "case.toml").write_text(text)
    with pytest.raises(CaseError, match=message):
        open_case(tmp_path)


def test_a_seal_that_was_cut_off_before_the_ledger_is_taken_up_by_the_next(
    case: Case, key: Key, authority: Authority
) -> None:
    with serve(authority) as address:
        case = with_authorities(case, (address, authority))
        make_seal(case, key)
        path = case.root / "ledger.jsonl"
        kept = [line for line in path.read_bytes().splitlines(keepends=True) if b'"seal.made"' not in line]
        path.write_bytes(b"".join(kept))
        (case.seals / "seal-0002.tsr").write_bytes(b"half")
        report = verify(case.root)
        assert report.problems == []
        assert any("cut off" in note for note in report.notes)
        assert make_seal(case, key).number == 2
    made = list(case.ledger.events("seal.made"))
    assert [entry.body["seal"] for entry in made] == [1, 2]
    assert made[0].body["state"] == "stamped"
    assert verify(case.root).problems == []


def test_small_cases_in_one_process_do_not_share_what_they_recorded(tmp_path: Path) -> None:
    for name in ("one", "two"):
        case = small_case(tmp_path / name, visits=0)
        assert len(list(Ledger(case.root / "ledger.jsonl").events("environment.recorded"))) == 1


def test_an_export_of_a_case_that_is_not_sealed_as_it_stands_says_so_in_its_papers(
    case: Case, key: Key, tmp_path: Path
) -> None:
    def papers(name: str) -> str:
        path = make_export(case, tmp_path / name, name=name).path
        return (path / "README.txt").read_text() + (path / "data" / "not-proven.txt").read_text()

    assert "UNSEALED STATE: it was never sealed" in papers("before")
    seal = make_seal(case, key)
    sealed = papers("sealed")
    assert "UNSEALED" not in sealed
    assert f"This folder claims: {seal.head}" in sealed, "the head that was printed, not that of today"
    case.record("services.added", {"services": []})
    assert "UNSEALED: 1 entries were added after the last seal" in papers("after")


@pytest.mark.parametrize("name", ["case.duckdb.new", "case.duckdb.new.wal", "case.toml.new", "case.duckdb.tmp/block"])
def test_what_a_killed_command_left_is_a_note_and_no_problem(case: Case, name: str) -> None:
    (case.root / name).parent.mkdir(exist_ok=True)
    (case.root / name).write_bytes(b"half")
    report = verify(case.root)
    assert report.problems == []
    assert any(name in note and "cut off" in note for note in report.notes)


def test_making_a_workbook_reads_a_case_and_does_not_unseal_it(case: Case, key: Key) -> None:
    make_seal(case, key)
    (case.exports / "workbook.xlsx").write_bytes(b"sheet")
    case.record("workbook.made", {"file": "workbook.xlsx", "sha256": sha256(b"sheet"), "rows": {}})
    assert seal_state(case).sealed
    assert verify(case.root).problems == []
    (case.exports / "workbook.xlsx").write_bytes(b"other")
    assert [item.file for item in verify(case.root).problems] == ["exports/workbook.xlsx"]
