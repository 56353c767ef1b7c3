"""Numbered exhibits: one flag where it was first seen, with its quote, its place, its hashes and its WARC record."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import duckdb

from data.address import defang
from data.spreadsheet import cell
from data.store import rows

# The number is that of the whole case's state, so that EX-0007 is EX-0007 in every selection from it.
_EXHIBITS = """
WITH seen AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.url, f.code, f.stance, f.quote ORDER BY f.seen, f.observation, f.start, f.flag) AS nth,
           list(f.observation) OVER (PARTITION BY f.url, f.code, f.stance, f.quote) AS observations
    FROM flags_seen f
    WHERE f.raises AND NOT f.sensitive AND f.visit IN (SELECT unnest(?::VARCHAR[]))
)
SELECT row_number() OVER (ORDER BY s.service, s.url, s.start, s."end", s.code, s.stance, s.flag) AS number,
       s.service, s.visit, s.observation, s.url, o.started AS captured, s.page_role, s.code, s.stance, s.confidence,
       s.rule, s.quote, s.passage, s.heading, s.list_intro, s.zone, s.role, s.hidden, s.locator, s.text_id,
       s.text_sha256, s.start, s."end", o.status, o.fetcher, o.stored_as, o.stored_sha256, o.wire_sha256,
       o.warc_record, o.warc_offset, o.warc_length, s.observations
FROM seen s JOIN observations o ON o.observation = s.observation
WHERE s.nth = 1
ORDER BY number
"""


def find_exhibits(connection: duckdb.DuckDBPyConnection, visits: Sequence[str]) -> list[dict[str, Any]]:
    """Every exhibit of a case in the state where *visits* are closed, in the order of their numbers.

    Sensitive flags are never among them. The address stands defanged; the plain one is in the observation cited.
    """
    found = []
    for row in rows(connection, _EXHIBITS, [list(visits)]):
        number = row.pop("number")
        also = sorted(set(row.pop("observations")) - {row["observation"]})
        found.append(
            {
                "exhibit": f"EX-{number:04d}",
                "address": defang(row.pop("url")),
                **row,
                "warc_file": f"evidence/{row['visit']}/records.warc.gz",
                "also_seen": also,
            }
        )
    return found


def as_json_lines(exhibits: Sequence[dict[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n" for item in exhibits)


def as_csv(exhibits: Sequence[dict[str, Any]]) -> str:
    """A table for a spreadsheet; no cell is taken for a formula."""
    text = io.StringIO()
    columns = list(exhibits[0]) if exhibits else ["exhibit"]
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for item in exhibits:
        writer.writerow([cell(item[name]) for name in columns])
    return text.getvalue()


def as_pages(exhibits: Sequence[dict[str, Any]]) -> str:
    """Plain text to read and print, a page an exhibit."""
    return "\f".join(_page(item) for item in exhibits) or "There is no exhibit in this export.\n"


def _page(item: dict[str, Any]) -> str:
    also = ", ".join(item["also_seen"]) or "no other observation"
    status = item["status"] if item["status"] is not None else "none: no server sent this page, a browser rendered it"
    lines = [
        f"Exhibit {item['exhibit']}",
        "",
        "Quote (as it stands in the text)",
        *(f"    {line}" for line in item["quote"].splitlines() or [""]),
        "",
        "In its passage",
        *(f"    {line}" for line in item["passage"].splitlines() or [""]),
        "",
        f"Under the heading:   {item['heading'] or '(none)'}",
        f"Part of the page:    {item['zone']}, {item['role']}{', hidden: ' + item['hidden'] if item['hidden'] else ''}",
        f"Possible indicator:  {item['code']}, stance {item['stance']}",
        f"Put down by:         {item['rule']}, confidence {item['confidence']:.2f}",
        "",
        f"Service:             {item['service']}",
        f"Address:             {item['address']}",
        f"Captured:            {item['captured']} (UTC, our clock)",
        f"Server's status:     {status}",
        f"Visit, observation:  {item['visit']}, {item['observation']}",
        f"Also seen in:        {also}",
        "",
        f"Stored as:           {item['stored_as']} ({_STORED.get(item['stored_as'], '')})",
        f"SHA-256 of stored:   {item['stored_sha256']}",
        f"SHA-256 on the wire: {item['wire_sha256'] or '(not received from a server)'}",
        f"SHA-256 of the text: {item['text_sha256']}, characters {item['start']} to {item['end']}",
        f"WARC file:           {item['warc_file']}",
        f"WARC record:         {item['warc_record']}, byte {item['warc_offset']}, {item['warc_length']} bytes",
        "",
        "A possible indicator, not a finding of fact or law.",
        "",
    ]
    return "\n".join(lines)


_STORED = {
    "response": "the bytes exactly as received",
    "conversion": "text after media and payloads were taken out, or as a browser rendered it; not the bytes received",
}
