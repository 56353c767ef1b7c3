"""A case with services, and archives made on the spot."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from data.case import Case, CaseFacts, make_case
from data.records import Service

PAGE = "<html><head><title>Velvetpane</title></head><body><h1>Velvetpane</h1><p>{}</p></body></html>"


def warc_record(
    url: str,
    body: bytes,
    *,
    kind: str = "response",
    content_type: str = "text/html; charset=utf-8",
    status: str = "200 OK",
    name: str = "",
    extra: str = "",
    http: bool = True,
) -> bytes:
    """One WARC record; *http* puts an HTTP head before the body."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        if http
        else b""
    )
    block = head + body
    outer = "application/http; msgtype=response" if http else content_type
    lines = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{name or abs(hash((url, body)))}>\r\n"
        f"WARC-Date: 2026-10-01T12:00:00Z\r\nWARC-Target-URI: {url}\r\n{extra}"
        f"Content-Type: {outer}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return lines.encode() + block + b"\r\n\r\n"


def gzipped(*records: bytes) -> bytes:
    """Records as one gzip member each."""
    return b"".join(gzip.compress(record, mtime=0) for record in records)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case that reviews two websites and an app listing on a store's site."""
    made = make_case(tmp_path / "case", CaseFacts(title="t", authority="a"))
    services = [
        Service("Velvetpane", "website", "search", "", ("https://velvetpane.example/",), ("website",)),
        Service("Lumenhush", "website", "search", "", ("https://lumenhush.example/",), ("website",)),
        Service(
            "Snapmarrow", "app_listing", "app_store", "", ("https://store.example/app/snapmarrow",), ("app_listing",)
        ),
    ]
    made.record("services.added", {"services": [item.as_json() for item in services]})
    return made


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write a file and return its path."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write
