"""Media canaries in every format, in every place of it: afterwards they are nowhere below the case and the temporary folder."""

from __future__ import annotations

import base64
import gzip
import json
import zipfile
from pathlib import Path

import pytest

from crawler.captures.importing import import_file
from data.case import Case
from data.ingest import take_in
from tests.crawler.captures.conftest import PAGE, gzipped, warc_record
from tests.hostile.remains import forms, readings

MARK = b"PLAINVIEWCANARY"
# A header and a marker, no picture.
CANARIES = {
    "png": b"\x89PNG\r\n\x1a\n" + MARK * 4,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + MARK * 4,
    "webp": b"RIFF\x40\x00\x00\x00WEBPVP8 " + MARK * 4,
    "mp4": b"\x00\x00\x00\x18ftypmp42" + MARK * 4,
    "gzip": gzip.compress(MARK * 4),
}
HOME = "https://velvetpane.example/"


def texts() -> dict[str, bytes]:
    """Pages that carry a canary inside what is declared as text."""
    found = {}
    for name, canary in CANARIES.items():
        coded = base64.b64encode(canary + canary * 4).decode()
        found[f"{name}-as-is"] = canary
        found[f"{name}-after-text"] = b"<html>" + b"word " * 300 + canary
        found[f"{name}-far-behind"] = b"<html>" + b"word " * 40_000 + canary
        found[f"{name}-data-uri"] = PAGE.format(f'<img src="data:image/{name};base64,{coded}">').encode()
        found[f"{name}-bare-base64"] = PAGE.format(f"<script>var a='{coded}'</script>").encode()
        found[f"{name}-in-json"] = json.dumps({"a": coded}).encode()
    return found


def archives(folder: Path) -> list[Path]:
    """One archive a format, full of canaries."""
    folder.mkdir()
    records = []
    for name, body in texts().items():
        kind = "application/json" if name.endswith("json") else "text/html"
        records.append(warc_record(f"{HOME}{name}", body, content_type=kind))
        records.append(warc_record(f"{HOME}r-{name}", body, kind="resource", content_type=kind, http=False))
        records.append(warc_record(f"{HOME}c-{name}", body, kind="conversion", content_type="text/plain", http=False))
        records.append(warc_record(f"{HOME}packed-{name}", gzip.compress(body), content_type="text/html; x=1"))
    records += [warc_record(f"{HOME}{name}.bin", body, content_type=f"image/{name}") for name, body in CANARIES.items()]
    records += [
        warc_record(HOME, body, kind="metadata", content_type="text/html", http=False) for body in CANARIES.values()
    ]
    whole = gzipped(*records)
    (folder / "a.warc.gz").write_bytes(whole)
    (folder / "plain.warc").write_bytes(b"".join(records))
    (folder / "cut.warc.gz").write_bytes(whole[: len(whole) * 2 // 3])
    with zipfile.ZipFile(folder / "a.wacz", "w") as package:
        package.writestr("archive/a.warc.gz", whole)
        for name, body in CANARIES.items():
            package.writestr(f"screenshots/{name}", body)
    entries = [
        {
            "startedDateTime": "2026-10-01T12:00:00Z",
            "request": {"method": "GET", "url": f"{HOME}{name}", "headers": []},
            "response": {
                "status": 200,
                "headers": [{"name": "x-picture", "value": base64.b64encode(body[:400]).decode()}],
                "content": {"mimeType": "text/html", "encoding": "base64", "text": base64.b64encode(body).decode()},
            },
        }
        for name, body in texts().items()
    ]
    (folder / "a.har").write_text(json.dumps({"log": {"creator": {"name": "x", "version": "1"}, "entries": entries}}))
    saved = folder / "saved"
    saved.mkdir()
    for name, body in texts().items():
        (saved / f"{name}.html").write_bytes(body)
    for name, body in CANARIES.items():
        (saved / f"{name}.{name}").write_bytes(body)
    parts = [
        b"------b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\nContent-Location: "
        + f"{HOME}{name}\r\n\r\n".encode()
        + base64.encodebytes(body)
        for name, body in texts().items()
    ]
    head = b'MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="----b"\r\n\r\n'
    (folder / "a.mhtml").write_bytes(head + b"\r\n".join(parts) + b"\r\n------b--\r\n")
    coded = base64.b64encode(CANARIES["png"] * 9).decode()
    (folder / "ads.json").write_text(
        json.dumps(
            {
                "data": [
                    {
                        "id": "1",
                        "page_id": "2",
                        "page_name": coded,
                        "ad_creative_bodies": [coded, "Words."],
                        "images": [coded],
                    }
                ]
            }
        )
    )
    (folder / "app.json").write_text(
        json.dumps({"resultCount": 1, "results": [{"trackId": 1, "trackName": "A", "description": coded}]})
    )
    (folder / "texts.csv").write_text(f"text,url\n{coded} and words,{HOME}csv\n")
    return sorted(folder.iterdir())


def remains(folder: Path) -> dict[str, bytes]:
    """Every file below *folder* that holds the marker in any form, also packed."""
    wanted = forms(MARK)
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            for data in readings(path.read_bytes()):
                for form in wanted:
                    if form in data:
                        at = data.index(form)
                        found[str(path.relative_to(folder))] = data[max(0, at - 60) : at + 60]
    return found


def test_canaries_inside_archives_leave_no_trace(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = archives(tmp_path / "given")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert remains(tmp_path / "given"), "the scan finds canaries where they are"
    texts_taken = left_out = 0
    for path in given:
        done = import_file(case, path, lambda progress: None, service="Velvetpane")
        texts_taken += done.texts
        left_out += sum(count for _, count in done.left_out)
    assert remains(case.root) == {}, "not in the spool either"
    take_in(case)
    assert remains(case.root) == {}
    assert remains(scratch) == {}
    assert texts_taken > 20, "the words around scrubbed payloads are kept"
    assert left_out > 200
