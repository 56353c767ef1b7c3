"""Sealing: an Ed25519 signature over the head of the ledger, and time stamps over that signature (design section 5).

The key lies outside of the case folder, so that who can write the case cannot sign it for that reason. A seal is

    seals/seal-0001.json     {"signature": …, "statement": {…}}: canonical JSON and a newline
    seals/seal-0001.tsr      the first authority's reply over the bytes of that file; -2.tsr the second's, and so on
    seals/authority-….pem    the root certificate that the case trusted for it

Order of writing: stamps, then the seal (one rename: that is the moment it exists), then the ledger's ``seal.made``. A
crash leaves the case as it was, or with a seal that holds and that the next command puts on the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import clock, environment
from data.canonical import canonical, sha256
from data.case import Case, TimestampAuthority
from data.disk import write_file
from data.ledger import Event
from data.spool import file_record
from data.standing import FAILED, NOT_REQUESTED, STAMPED
from data.timestamp import Stamp, TimestampFailed, obtain, roots
from data.verify import Problem, verify

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class SealFailed(Exception):
    """No seal could be made; the message says why and what to do. Nothing was written."""


class NotIntact(Exception):
    """The case does not verify, so it was not signed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"the case does not verify, so it was not sealed: {problems[0]}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: its name, its id (SHA-256 of the public half, hex) and the public half (32 bytes)."""

    name: str
    identity: str
    public: bytes
    private: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class StampResult:
    """What became of one authority that was asked: ``stamped``, or ``failed`` with the reason."""

    authority: str
    state: str
    reason: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal that was made: the entries it covers, and the state of its stamps."""

    number: int
    file: Path
    count: int
    head: str
    at: str
    key: str
    state: str
    reason: str
    stamps: tuple[StampResult, ...]


# --- keys


def key_folder() -> Path:
    """Where keys lie: ``$XDG_CONFIG_HOME/plainview/keys``, else ``~/.config/plainview/keys``."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(config) if config else Path.home() / ".config") / "plainview" / "keys"


def has_key(name: str = "plainview") -> bool:
    """Whether there is a key of that name."""
    return (key_folder() / f"{name}.pem").is_file()


def make_key(name: str = "plainview", passphrase: str = "") -> Key:
    """Make a key, readable by its owner alone. Raises ``SealFailed`` where there is one of that name already."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = key_folder()
    path = folder / f"{name}.pem"
    if path.exists():
        raise SealFailed(f"there is a key called {name} already; it was left as it is")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = Ed25519PrivateKey.generate()
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    write_file(path, pem, mode=0o600)
    return _key(name, private)


def load_key(name: str = "plainview", passphrase: str = "") -> Key:
    """The key of that name. Raises ``SealFailed`` where it is missing, locked, or no Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = key_folder() / f"{name}.pem"
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        raise SealFailed(f"there is no key called {name}. Make one with: plainview seal --new-key") from None
    except OSError as error:
        raise SealFailed(f"the key {name} cannot be read: {error.strerror}") from None
    try:
        private = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except TypeError:
        need = "it has none" if passphrase else "it is locked with one; set PLAINVIEW_PASSPHRASE or answer the prompt"
        raise SealFailed(f"the passphrase of the key {name}: {need}") from None
    except ValueError:
        raise SealFailed(f"the key {name} could not be opened: a wrong passphrase, or a damaged file") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SealFailed(f"the key {name} is not an Ed25519 key")
    return _key(name, private)


def is_locked(name: str = "plainview") -> bool:
    """Whether a key needs a passphrase."""
    path = key_folder() / f"{name}.pem"
    return path.is_file() and b"ENCRYPTED" in path.read_bytes()[:64]


def _key(name: str, private: Ed25519PrivateKey) -> Key:
    public = private.public_key().public_bytes_raw()
    return Key(name, sha256(public), public, private)


def name_key(case: Case, key: Key) -> Event:
    """Put on the ledger which key is going to seal the case: from then on another key is a question."""
    return case.record("key.named", {"key": key.identity, "public_key": key.public.hex()})


# --- sealing


def make_seal(case: Case, key: Key, *, seconds: float = 30.0) -> Seal:
    """Seal the case as it is now.

    Raises ``NotIntact`` where it does not verify, ``SealFailed`` where no seal can be made. A stamp that was asked for
    and not obtained gives a seal whose state is ``failed``: the signature stands, and the case says ``unsealed``.
    """
    if key_folder().resolve().is_relative_to(case.root.resolve()):
        raise SealFailed(
            "the key lies inside of the case folder, where it proves nothing. Set XDG_CONFIG_HOME elsewhere"
        )
    with _alone(case):
        number = _finish(case)
        case.note()
        report = verify(case.root, records=_new_visits(case))
        if not report.ok:
            raise NotIntact(report.problems)
        if not any(entry.body["key"] == key.identity for entry in case.ledger.events("key.named")):
            name_key(case, key)
        trusted = [_authority_files(case, item) for item in case.seal.timestamp_authorities]
        head = case.ledger.head()
        previous = case.seals / f"seal-{number - 1:04d}.json"
        statement: dict[str, Any] = {
            "format": "plainview seal 1",
            "seal": number,
            "previous": file_record(previous)["sha256"] if number > 1 else "",
            "count": head.count,
            "head": head.hash,
            "at": clock.now(),
            "key": key.identity,
            "public_key": key.public.hex(),
            "environment": environment.environment_id(),
            "timestamps": [
                {"authority": item.url, "ca_file": _ca_name(pem), "ca_sha256": sha256(pem)}
                for item, pem in zip(case.seal.timestamp_authorities, trusted, strict=True)
            ],
        }
        signature = key.private.sign(canonical(statement))
        content = canonical({"signature": signature.hex(), "statement": statement}) + b"\n"
        outcomes = [
            _stamp(item, pem, content, seconds)
            for item, pem in zip(case.seal.timestamp_authorities, trusted, strict=True)
        ]
        for index, (outcome, pem) in enumerate(zip(outcomes, trusted, strict=True), 1):
            if isinstance(outcome, Stamp):
                if not (case.seals / _ca_name(pem)).exists():
                    write_file(case.seals / _ca_name(pem), pem)
                write_file(case.seals / _token_name(number, index), outcome.token)
        path = case.seals / f"seal-{number:04d}.json"
        write_file(path, content)
        return _on_ledger(case, path, statement, outcomes)


def _new_visits(case: Case) -> set[str]:
    """The visits closed since the last seal: their records are opened once, before they are signed for the first time."""
    found: set[str] = set()
    for entry in case.ledger.events("visit.closed", "seal.made"):
        if entry.event == "seal.made":
            found.clear()
        else:
            found.add(str(entry.body["visit"]))
    return found


@contextlib.contextmanager
def _alone(case: Case) -> Iterator[None]:
    """One sealing at a time; the folder itself is the lock."""
    case.seals.mkdir(exist_ok=True)
    descriptor = os.open(case.seals, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _finish(case: Case) -> int:
    """Put a seal on the ledger that was cut off before it got there, clear what an unfinished one left; the next number."""
    known = {entry.body["file"] for entry in case.ledger.events("seal.made")}
    number = 1
    while (path := case.seals / f"seal-{number:04d}.json").exists():
        if f"seals/{path.name}" not in known:
            statement = json.loads(path.read_bytes())["statement"]
            outcomes: list[Stamp | TimestampFailed] = []
            for index, asked in enumerate(statement["timestamps"], 1):
                outcomes.append(_taken_up(case, path, number, index, asked))
            _on_ledger(case, path, statement, outcomes)
        number += 1
    for item in case.seals.iterdir():
        if item.name.endswith(".new") or re.fullmatch(rf"seal-{number:04d}(-\d+)?\.tsr", item.name):
            item.unlink()
    return number


def _taken_up(case: Case, seal: Path, number: int, index: int, asked: dict[str, Any]) -> Stamp | TimestampFailed:
    from data.verify import TokenError, check_token

    try:
        token = (case.seals / _token_name(number, index)).read_bytes()
        trusted = roots((case.seals / asked["ca_file"]).read_bytes())
        facts = check_token(token, seal.read_bytes(), trusted)
    except (OSError, TokenError, TimestampFailed):
        return TimestampFailed("the command was cut off before a stamp was obtained")
    return Stamp(asked["authority"], token, facts.nonce, facts, 0)


def _authority_files(case: Case, authority: TimestampAuthority) -> bytes:
    path = Path(authority.ca_file).expanduser()
    path = path if path.is_absolute() else case.root / path
    try:
        return path.read_bytes()
    except OSError as error:
        raise SealFailed(f"the ca_file of {authority.url} cannot be read: {error.strerror or error}") from None


def _ca_name(pem: bytes) -> str:
    return f"authority-{sha256(pem)[:16]}.pem"


def _token_name(number: int, index: int) -> str:
    return f"seal-{number:04d}.tsr" if index == 1 else f"seal-{number:04d}-{index}.tsr"


def _stamp(authority: TimestampAuthority, pem: bytes, content: bytes, seconds: float) -> Stamp | TimestampFailed:
    try:
        return obtain(authority.url, roots(pem), content, seconds=seconds)
    except TimestampFailed as failed:
        return failed


def _on_ledger(case: Case, path: Path, statement: dict[str, Any], outcomes: list[Stamp | TimestampFailed]) -> Seal:
    number = statement["seal"]
    rows: list[dict[str, Any]] = []
    results: list[StampResult] = []
    names = [path.name]
    for index, (asked, outcome) in enumerate(zip(statement["timestamps"], outcomes, strict=True), 1):
        row: dict[str, Any] = {"authority": asked["authority"]}
        if isinstance(outcome, Stamp):
            row |= {
                "state": STAMPED,
                "file": f"seals/{_token_name(number, index)}",
                "nonce": format(outcome.nonce, "x"),
                "time": outcome.facts.time,
                "serial": format(outcome.facts.serial, "x"),
                "policy": outcome.facts.policy,
                "clock_difference_ms": outcome.clock_difference_ms,
            }
            names += [_token_name(number, index), asked["ca_file"]]
            results.append(StampResult(asked["authority"], STAMPED, "", outcome.facts.time))
        else:
            row |= {"state": FAILED, "reason": str(outcome)}
            results.append(StampResult(asked["authority"], FAILED, str(outcome)))
        rows.append(row)
    failed = [item for item in results if item.state == FAILED]
    state = FAILED if failed else STAMPED if results else NOT_REQUESTED
    reason = "; ".join(f"{item.authority}: {item.reason}" for item in failed)
    case.record(
        "seal.made",
        {
            "seal": number,
            "file": f"seals/{path.name}",
            "count": statement["count"],
            "head": statement["head"],
            "key": statement["key"],
            "state": state,
            "reason": reason,
            "timestamps": rows,
            "files": {f"seals/{name}": file_record(path.parent / name) for name in dict.fromkeys(names)},
        },
    )
    return Seal(
        number,
        path,
        statement["count"],
        statement["head"],
        statement["at"],
        statement["key"],
        state,
        reason,
        tuple(results),
    )
