"""WACZ packages: the archives inside are read where they lie; every file's digest is checked, the signature's state is said."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from crawler import guard
from crawler.captures.capture import Item, NotAnArchive, Origin, Place, Unreadable
from crawler.captures.warc import read_warc_file

_ARCHIVES = (".warc", ".warc.gz", ".arc", ".arc.gz")
_SAID = ("wacz_version", "software", "created", "modified", "title", "mainPageUrl", "mainPageDate")
_BLOCK = 1 << 20
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    offset: int


def read_wacz(path: Path, limit: int) -> Iterator[Item]:
    """The records of every archive in the package. Raises ``NotAnArchive`` where the zip has no directory that can be read."""
    try:
        package = zipfile.ZipFile(path)
    except _ZIP_FAULTS as error:
        raise NotAnArchive(f"{path.name} cannot be opened as a WACZ package: {error}") from None
    with package:
        members = [_Member(item.filename, item.file_size, item.header_offset) for item in package.infolist()]
        yield from _about(package, members)
        reached = 0
        for member in members:
            if not member.name.lower().endswith(_ARCHIVES):
                reached += member.size
                continue
            try:
                with package.open(member.name) as file:
                    yield from read_warc_file(file, limit, part=member.name, start=reached)
            except _ZIP_FAULTS as error:
                yield Unreadable(Place(0, member.offset, reached, member.name), f"cannot be unpacked: {error}")
            reached += member.size


def packed_size(path: Path) -> int:
    """What ``Place.reached`` counts up to: the unpacked size of all members."""
    try:
        with zipfile.ZipFile(path) as package:
            return sum(item.file_size for item in package.infolist())
    except _ZIP_FAULTS:
        return 0


def _about(package: zipfile.ZipFile, members: list[_Member]) -> Iterator[Item]:
    names = {member.name: member for member in members}
    facts: list[tuple[str, str]] = [("archive", "WACZ")]
    whole = _read_json(package, "datapackage.json") if "datapackage.json" in names else None
    if whole is None:
        reason = "no datapackage.json that can be read: nothing says what the package should hold"
        yield Unreadable(Place(0, 0, 0, "datapackage.json"), reason)
        facts.append(("digests", "none stated"))
    else:
        stated = ((key, whole.get(key)) for key in _SAID)
        facts += [(key, guard.scrub(value).text[:500]) for key, value in stated if isinstance(value, str)]
        faults = list(_digests(package, whole, names))
        yield from faults
        count = sum(1 for item in whole.get("resources", ()) if isinstance(item, dict))
        facts.append(("digests", f"{count - len(faults)} of {count} files fit" if count else "none stated"))
    facts.append(("signature", _signature(package, names)))
    yield Origin(tuple(facts))


def _digests(package: zipfile.ZipFile, whole: dict[str, Any], names: dict[str, _Member]) -> Iterator[Unreadable]:
    resources = whole.get("resources")
    for item in resources if isinstance(resources, list) else ():
        if not isinstance(item, dict):
            continue
        name = str(item.get("path", ""))
        member = names.get(name)
        if member is None:
            yield Unreadable(Place(0, 0, 0, name), "named in datapackage.json and not in the package")
            continue
        place = Place(0, member.offset, 0, name)
        kind, _, stated = str(item.get("hash", "")).partition(":")
        if kind not in ("sha256", "md5", "sha1", "sha512"):
            yield Unreadable(place, f"its digest is of a kind that is not checked ({kind[:20] or 'none'})")
            continue
        digest = hashlib.new(kind, usedforsecurity=False)
        try:
            with package.open(name) as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except _ZIP_FAULTS as error:
            yield Unreadable(place, f"cannot be unpacked: {error}")
            continue
        if digest.hexdigest() != stated.lower():
            yield Unreadable(place, f"its {kind} digest does not fit the one in datapackage.json")


def _signature(package: zipfile.ZipFile, names: dict[str, _Member]) -> str:
    """The state of the package's signature in words. What a time stamp or a certificate's chain is worth is not checked."""
    if "datapackage-digest.json" not in names:
        return "unsigned: no datapackage-digest.json"
    digest = _read_json(package, "datapackage-digest.json")
    if digest is None:
        return "cannot be read: datapackage-digest.json is not JSON"
    stated = str(digest.get("hash", ""))
    try:
        found = "sha256:" + hashlib.sha256(package.read("datapackage.json")).hexdigest()
    except (KeyError, *_ZIP_FAULTS):
        return "cannot be checked: no datapackage.json that can be read"
    if stated != found:
        return "does not fit: datapackage.json was changed after datapackage-digest.json was written"
    signed = digest.get("signedData")
    if not isinstance(signed, dict):
        return "unsigned: the digest of datapackage.json fits, nobody signed it"
    if signed.get("hash") != found:
        return "does not fit: another package was signed"
    return _signed(signed, found)


def _signed(signed: dict[str, Any], message: str) -> str:
    domain = str(signed.get("domain", ""))
    try:
        signature = base64.b64decode(str(signed.get("signature", "")), validate=True)
        if domain:
            certificate = x509.load_pem_x509_certificate(str(signed.get("domainCert", "")).encode())
            key: Any = certificate.public_key()
            who = f"the certificate of {domain[:100]}, whose chain and time stamp were not checked"
        else:
            key = serialization.load_der_public_key(base64.b64decode(str(signed.get("publicKey", "")), validate=True))
            who = "the key inside the package, which names nobody"
    except (ValueError, TypeError, binascii.Error) as error:
        return f"cannot be checked: {' '.join(str(error).split())[:120]}"
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return "cannot be checked: the key is of a kind that WACZ does not use"
    for form in (signature, _as_der(signature)):
        if not form:
            continue
        for kind in (hashes.SHA256(), hashes.SHA384()):
            try:
                key.verify(form, message.encode(), ec.ECDSA(kind))
            except InvalidSignature:
                continue
            return f"fits {who}"
    return "does not fit: it was not made with the key that the package names"


def _as_der(signature: bytes) -> bytes:
    """Browsers write r and s one after the other (IEEE P1363); the check wants DER."""
    half = len(signature) // 2
    if len(signature) % 2 or half not in (32, 48, 66):
        return b""
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def _read_json(package: zipfile.ZipFile, name: str) -> dict[str, Any] | None:
    try:
        with package.open(name) as file:
            found = json.loads(_limited(file, 64 << 20))
    except (ValueError, KeyError, *_ZIP_FAULTS):
        return None
    return found if isinstance(found, dict) else None


def _limited(file: IO[bytes], most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise ValueError("too long")
    return data
