"""Pages saved by hand: HTML files, folders of them, and MHTML. What lies beside them (pictures, styles) is left out and counted."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from crawler import guard
from crawler.captures.capture import (
    Capture,
    Item,
    LeftOut,
    NotAnArchive,
    Origin,
    Place,
    Unreadable,
    file_time,
    judge_bytes,
    read_body,
    utc,
)
from data import address
from data.canonical import sha256

# Browsers write where a page was saved from (Internet Explorer's mark of the web, SingleFile, Firefox's own).
_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d+\)(\S+?)\s*-->")
_SINGLE_FILE = re.compile(r"Page saved with SingleFile\s+url:\s*(\S+)\s+saved date:\s*([^\n]+)")
_HTML = (".html", ".htm", ".xhtml", ".shtml")
_MHTML = (".mhtml", ".mht")
_PLAIN = (".txt", ".md")
# A whole message is held while it is taken apart.
_LARGEST_MHTML = 256 << 20


def read_html_file(path: Path, limit: int) -> Iterator[Item]:
    """One saved page."""
    yield _page(path, limit, 1, path.name, path.stat().st_size)


def read_folder(path: Path, limit: int) -> Iterator[Item]:
    """Every saved page below *path*, by name; other files are left out, symbolic links are not followed."""
    yield Origin((("archive", "folder of saved pages"),))
    reached = 0
    files = sorted(item for item in path.rglob("*") if item.is_file() and not item.is_symlink())
    for number, file in enumerate(files, 1):
        name = file.relative_to(path).as_posix()
        reached += file.stat().st_size
        ending = file.suffix.lower()
        try:
            if ending in _HTML or ending in _PLAIN:
                yield _page(file, limit, number, name, reached)
            elif ending in _MHTML:
                yield from read_mhtml(file, limit, number=number, part=name, reached=reached)
            else:
                yield LeftOut(
                    Place(number, 0, reached, name),
                    "import.file",
                    f"a file of the kind {ending or 'nameless'} is no page",
                    size=file.stat().st_size,
                )
        except OSError as error:
            yield Unreadable(Place(number, 0, reached, name), f"cannot be read: {error.strerror}")
        except NotAnArchive as error:
            yield Unreadable(Place(number, 0, reached, name), str(error))


def folder_size(path: Path) -> int:
    """Bytes of all files below *path*."""
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file() and not item.is_symlink())


def _page(file: Path, limit: int, number: int, name: str, reached: int) -> Item:
    place = Place(number, 0, reached, name)
    declared = "text/plain" if file.suffix.lower() in _PLAIN else "text/html"
    with file.open("rb") as stream:
        body = read_body(stream, declared, limit)
    if body.refused is not None:
        return LeftOut(place, body.refused.rule, body.refused.reason, size=file.stat().st_size)
    url, captured, said = _saved_from(body.data)
    return Capture(
        place=place,
        url=url,
        body=body.data,
        captured=captured,
        type_declared=declared,
        wire_len=body.read,
        wire_sha256=body.sha256,
        notes=(("address from", said), ("file time", file_time(file))),
    )


def _saved_from(body: bytes) -> tuple[str, str, str]:
    """Address, time and how the address is known, as the page itself says; empty where it does not."""
    text = body[:400_000].decode("utf-8", "replace")
    if found := _SINGLE_FILE.search(text[:5000]):
        return _known(found[1]), utc(found[2].partition("(")[0]), "SingleFile's comment"
    if found := _SAVED_FROM.search(text[:5000]):
        return _known(found[1]), "", "the browser's comment"
    tree = LexborHTMLParser(text)
    for selector, name, said in (
        ('link[rel="canonical"]', "href", "the page's canonical link"),
        ('meta[property="og:url"]', "content", "the page's og:url"),
    ):
        node = tree.css_first(selector)
        if node is not None and (url := _known(node.attributes.get(name) or "")):
            return url, "", said
    return "", "", "nothing: the page does not say where it is from"


def _known(text: str) -> str:
    try:
        url = address.canonical(text.strip())
    except address.BadAddress:
        return ""
    return url if url.startswith(("http://", "https://")) else ""


def read_mhtml(path: Path, limit: int, *, number: int = 0, part: str = "", reached: int = 0) -> Iterator[Item]:
    """The pages of a web archive in one file (RFC 2557); frames are pages of their own."""
    size = path.stat().st_size
    if size > _LARGEST_MHTML:
        raise NotAnArchive(f"{path.name} is larger than {_LARGEST_MHTML >> 20} MB, too large for one MHTML file.")
    data = path.read_bytes()
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    if not message.is_multipart() and message.get_content_type() not in guard.TEXT_TYPES:
        raise NotAnArchive(f"{path.name} is not an MHTML file: it holds no parts.")
    if not part:
        facts = [("archive", "MHTML")]
        facts += [(key, str(message[key])[:500]) for key in ("From", "Subject", "Date") if message[key]]
        yield Origin(tuple(facts))
    when = _date(message)
    first = str(message.get("Snapshot-Content-Location") or "")
    for count, piece in enumerate((item for item in message.walk() if not item.is_multipart()), 1):
        yield _piece(piece, Place(number or count, _where(data, piece), reached or size, part), limit, when, first)
        first = ""
    for fault in message.defects:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(fault).__name__.removesuffix("Defect")).lower()
        yield Unreadable(Place(number, len(data), reached or size, part), f"the message is not whole: {kind}")


def _piece(piece: Message, place: Place, limit: int, when: str, first: str) -> Item:
    declared = str(piece.get("Content-Type") or "text/html").replace("\r\n", "").replace("\n", "")
    url = _known(str(piece.get("Content-Location") or "")) or _known(first)
    verdict = guard.judge_head(declared, None, limit)
    if not verdict.allowed:
        stated = len(piece.get_payload() or "")
        return LeftOut(place, verdict.rule, verdict.reason, url, stated)
    payload = piece.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    refused = judge_bytes(data, declared, limit)
    if refused is not None:
        return LeftOut(place, refused.rule, refused.reason, url, len(data))
    return Capture(
        place=place,
        url=url,
        body=data,
        captured=when,
        type_declared=declared,
        wire_len=len(data),
        wire_sha256=sha256(data),
        record=str(piece.get("Content-ID") or ""),
    )


def _where(data: bytes, piece: Message) -> int:
    """Where a part begins: its address or id is looked for, since the parser keeps no offsets."""
    for name in ("Content-Location", "Content-ID"):
        value = piece.get(name)
        if value and (at := data.find(str(value).encode("utf-8", "replace"))) >= 0:
            return at
    return 0


def _date(message: Message) -> str:
    try:
        found = email.utils.parsedate_to_datetime(str(message["Date"])) if message["Date"] else None
    except (ValueError, TypeError):
        return ""
    return utc(found.isoformat()) if found else ""
