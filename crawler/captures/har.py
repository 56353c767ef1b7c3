"""HAR (HTTP Archive 1.2): a browser's log of exchanges, read one entry at a time."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crawler import guard
from crawler.captures.capture import Capture, Item, LeftOut, Origin, Place, Unreadable, judge_bytes, utc
from crawler.captures.json_items import BrokenJson, JsonItem, json_head, json_items
from data.canonical import sha256


def looks_like_har(head: str) -> bool:
    """Whether the first text of a JSON file is a HAR's."""
    return '"log"' in head and ('"creator"' in head or '"entries"' in head)


def read_har(path: Path, limit: int) -> Iterator[Item]:
    """Every exchange. Cookies, credentials and what was posted are never read; answers to anything but GET are left out."""
    with path.open("rb") as file:
        yield Origin((("archive", "HAR"), *_creator(json_head(file))))
        try:
            for item in json_items(file):
                yield _entry(item, limit)
        except BrokenJson as error:
            yield Unreadable(Place(0, error.offset, file.tell()), str(error))


def _entry(item: JsonItem, limit: int) -> Item:
    place = Place(item.number, item.offset, item.reached)
    request, response = _object(item.value, "request"), _object(item.value, "response")
    content = _object(response, "content")
    url, method = str(request.get("url", "")), str(request.get("method", ""))
    if not request or not response:
        return Unreadable(place, f"entry {item.number} has no request or no response")
    if not url.startswith(("http://", "https://")):
        kind = url.partition(":")[0][:20] or "no"
        return LeftOut(place, "import.scheme", f"not a page of the web: {kind} address", url[:500])
    if method not in guard.ALLOWED_METHODS:
        reason = f"the answer to a {method[:20]}: something was sent for it"
        return LeftOut(place, "import.method", reason, url)
    declared = str(content.get("mimeType") or "")
    size = content.get("size") if isinstance(content.get("size"), int) else 0
    status = response.get("status") if isinstance(response.get("status"), int) else None
    headers = _headers(response)
    redirect = status is not None and (300 <= status < 400 or status in (204, 205))
    body = b""
    if not redirect:
        verdict = guard.judge_head(declared if declared != "x-unknown" else "", None, limit)
        if not verdict.allowed:
            return LeftOut(place, verdict.rule, verdict.reason, url, max(0, int(size or 0)))
        text = content.get("text")
        if not isinstance(text, str):
            return LeftOut(place, "import.no-body", "the log holds no body for it", url, max(0, int(size or 0)))
        found = _decoded(text, str(content.get("encoding") or ""))
        if found is None:
            return Unreadable(place, f"entry {item.number}: its body is not the base64 that it says it is")
        body = found
        refused = judge_bytes(body, declared, limit)
        if refused is not None:
            return LeftOut(place, refused.rule, refused.reason, url, len(body))
    if content.get("text") is not None and not content.get("encoding"):
        # A HAR keeps decoded text: whatever charset the server declared, the bytes are now UTF-8.
        declared = f"{guard.media_type(declared) or 'text/html'}; charset=utf-8"
    return Capture(
        place=place,
        url=url,
        body=body,
        captured=utc(str(item.value.get("startedDateTime", ""))),
        status=status,
        http_version=str(response.get("httpVersion", ""))[:20],
        headers=headers,
        type_declared=declared,
        server_ip=str(item.value.get("serverIPAddress", ""))[:60],
        wire_len=len(body),
        wire_sha256=sha256(body) if body else "",
    )


def _decoded(text: str, encoding: str) -> bytes | None:
    if encoding.lower() != "base64":
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None


def _headers(response: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    rows = response.get("headers")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple((str(row.get("name", "")), str(row.get("value", ""))) for row in found)


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _creator(head: str) -> tuple[tuple[str, str], ...]:
    facts = []
    for key in ("creator", "browser"):
        at = head.find(f'"{key}"')
        begin = head.find("{", at) if at >= 0 else -1
        if begin < 0:
            continue
        try:
            found, _ = json.JSONDecoder().raw_decode(head, begin)
        except ValueError:
            continue
        facts.append((key, f"{found.get('name', '')} {found.get('version', '')}".strip()[:200]))
    return tuple(facts)
