"""WACZ 1.1.1 of the evidence, for replay programs: the WARC files as they are, with honest record types.

Only ``response`` records are indexed: bytes exactly as received. A scrubbed or rendered page is a ``conversion``, which
no replay program shows as what a server sent; it stays in the archive and out of the index.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from data.canonical import sha256
from data.spool import WARC, file_record, read_attempts, read_record, read_visit

_DAY_ONE = (1980, 1, 1, 0, 0, 0)


def write_wacz(data: Path, visits: Sequence[str]) -> None:
    """Write ``evidence.wacz`` of the visits below *data*/evidence. The same evidence gives the same bytes."""
    index: list[str] = []
    pages: list[dict[str, str]] = []
    ended = ""
    for visit in visits:
        folder = data / "evidence" / visit
        ended = max(ended, read_visit(folder).ended)
        for line, page in _responses(folder, f"{visit}.warc.gz"):
            index.append(line)
            if page:
                pages.append(page)
    header = {"format": "json-pages-1.0", "id": "pages", "title": "Pages as received"}
    listed = "".join(json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n" for item in (header, *pages))
    small = {"pages/pages.jsonl": listed.encode(), "indexes/index.cdxj": "".join(sorted(index)).encode()}
    resources = [
        _resource(f"archive/{visit}.warc.gz", **file_record(data / "evidence" / visit / WARC)) for visit in visits
    ]
    resources += [_resource(name, len(content), sha256(content)) for name, content in small.items()]
    package = {
        "profile": "data-package",
        "wacz_version": "1.1.1",
        "title": "Evidence, text only",
        "description": "response = bytes as received; conversion = scrubbed or rendered text, not indexed.",
        "software": f"plainview {metadata.version('plainview')}",
        "created": ended or "1970-01-01T00:00:00.000Z",
        "resources": resources,
    }
    described = (json.dumps(package, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
    digest = {"path": "datapackage.json", "hash": f"sha256:{sha256(described)}"}
    with zipfile.ZipFile(data / "evidence.wacz", "x", zipfile.ZIP_STORED) as packed:
        for visit in visits:
            with (
                (data / "evidence" / visit / WARC).open("rb") as source,
                packed.open(_entry(f"archive/{visit}.warc.gz"), "w", force_zip64=True) as target,
            ):
                while block := source.read(1 << 20):
                    target.write(block)
        for name, content in {
            **small,
            "datapackage.json": described,
            "datapackage-digest.json": (json.dumps(digest, sort_keys=True) + "\n").encode(),
        }.items():
            packed.writestr(_entry(name), content)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DAY_ONE)
    entry.external_attr = 0o100644 << 16
    entry.create_system = 3
    return entry


def _resource(path: str, bytes: int, sha256: str) -> dict[str, Any]:
    return {"name": path.rpartition("/")[2], "path": path, "hash": f"sha256:{sha256}", "bytes": bytes}


def _responses(folder: Path, archive: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The CDXJ line of each response, and its line in the list of pages where it is one."""
    for item in read_attempts(folder):
        if item.stored_as != "response":
            continue
        headers, _ = read_record(folder, item.warc_offset, item.warc_length)
        moment = re.sub(r"\D", "", headers["warc-date"])[:14]
        values = {
            "url": item.requested_url,
            "mime": item.type_declared.partition(";")[0].strip(),
            "status": str(item.status),
            "digest": f"sha256:{item.stored_sha256}",
            "length": str(item.warc_length),
            "offset": str(item.warc_offset),
            "filename": archive,
        }
        line = f"{_sort_key(item.requested_url)} {moment} {json.dumps(values, ensure_ascii=False)}\n"
        page = {}
        if values["mime"] in ("text/html", "application/xhtml+xml") and item.profile == "A":
            title = (item.page or {}).get("title", "")
            page = {"id": item.observation, "url": item.requested_url, "ts": headers["warc-date"], "title": title}
        yield line, page


def _sort_key(url: str) -> str:
    """The address as indexes sort it: host backwards, then path and query, lower case (SURT)."""
    parts = urllib.parse.urlsplit(url.lower())
    host = ",".join(reversed((parts.hostname or "").split(".")))
    port = f":{parts.port}" if parts.port else ""
    return f"{host}{port}){parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
