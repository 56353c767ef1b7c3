"""From stored evidence back to text: the one decoding that the crawler writes by and the analysis reads by."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import IO

import h11
from w3lib.encoding import html_to_unicode

from data.records import Observation
from data.spool import WARC, read_member


def decode_text(body: bytes, content_type: str) -> tuple[str, str]:
    """The text of *body* and the name of its encoding: BOM, then header, then what the page declares, then UTF-8,
    then windows-1252 (the WHATWG Encoding Standard's order; its default for the unlabelled).

    Undecodable bytes become U+FFFD. Never raises.
    """
    try:
        encoding, text = html_to_unicode(content_type or None, body, auto_detect_fun=_unlabelled)
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace"), "utf-8"
    return text, encoding


def _unlabelled(body: bytes) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def entity_body(received: bytes) -> bytes:
    """The body inside the bytes of an HTTP/1.x answer exactly as received: after the head, chunk framing undone."""
    head, mark, body = received.partition(b"\r\n\r\n")
    if not mark or b"chunked" not in head.lower():
        return body
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(received)
    connection.receive_data(b"")
    parts = []
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError:
        pass  # cut off in the middle: what came before the cut is the body
    return b"".join(parts)


class StoredTexts:
    """Reads the stored text of observations from a case's evidence folder; keeps one WARC file open."""

    def __init__(self, evidence: Path) -> None:
        self._evidence = evidence
        self._open = lru_cache(maxsize=8)(self._open_warc)

    def _open_warc(self, visit: str) -> IO[bytes]:
        return (self._evidence / visit / WARC).open("rb")

    def text(self, observation: Observation) -> tuple[str, str]:
        """The text of *observation* and its content type; two empty strings where none is stored."""
        if not observation.has_text:
            return "", ""
        _, block = read_member(self._open(observation.visit), observation.warc_offset, observation.warc_length)
        return text_of(observation, block)


def text_of(observation: Observation, block: bytes) -> tuple[str, str]:
    """The text and content type of *observation*, whose WARC record has this *block*."""
    if observation.stored_as == "conversion":
        return block.decode("utf-8"), observation.type_declared or "text/html"
    text, _ = decode_text(entity_body(block), observation.type_declared)
    return text, observation.type_declared or "text/html"
