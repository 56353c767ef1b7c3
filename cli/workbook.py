"""``plainview workbook``: the whole case as an Excel workbook."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, the_case
from cli.terminal import say

if TYPE_CHECKING:
    import duckdb

    from cli.spreadsheet import Sheet
    from data.case import Case


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("workbook")(workbook)


def workbook(
    case: CaseOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to put it; else the case's exports/.")
    ] = None,
) -> None:
    """Make an Excel workbook of the case: services, flags, findings, exhibits, codebook. No cell is ever a formula."""
    from analysis.cleared import reading_cleared
    from cli.spreadsheet import workbook as made
    from data.canonical import sha256

    opened = the_case(case)
    with reading_cleared(opened) as connection:
        sheets = [_about(opened), *_lists(opened, connection), _exhibits(connection), _codebook()]
    content = made(sheets)
    path = output or opened.exports / "workbook.xlsx"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)
    counts = {sheet.name: len(sheet.rows) for sheet in sheets}
    opened.record("workbook.made", {"file": path.name, "sha256": sha256(content), "rows": counts})
    sys.stdout.write(f"{path}\n")
    say(", ".join(f"{count:,} {name}" for name, count in counts.items() if name != "about"))


def _about(opened: Case) -> Sheet:
    from cli.spreadsheet import Sheet
    from data import clock
    from data.standing import seal_state

    state, head = seal_state(opened), opened.ledger.head()
    facts = {
        "case": opened.facts.title,
        "matter": opened.facts.matter,
        "authority": opened.facts.authority,
        "custodian": opened.facts.custodian,
        "made": clock.now(),
        "ledger": f"{head.count} entries, head {head.hash}",
        "seal": "sealed" if state.sealed else f"UNSEALED: {state.reason}",
        "flags": "Possible indicators, never verdicts. The words are those of the pages; third parties are masked.",
        "left out": "What refers to minors, or to use meant to harm somebody, waits in the closed queue and is in no sheet.",
        "not proven": "Bytes were recorded by this tool, not attested by the server. Claims inside images are not read.",
    }
    return Sheet("about", ("what", "value"), [{"what": name, "value": value} for name, value in facts.items()])


def _lists(opened: Case, connection: duckdb.DuckDBPyConnection) -> list[Sheet]:
    from cli.findings import found_ones
    from cli.flags import raised
    from cli.query import columns
    from cli.services import listed
    from cli.spreadsheet import Sheet
    from data.address import defang

    def defanged(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in found:
            row |= {name: defang(row[name]) for name in ("url",) if name in row}
            row |= {name: [defang(url) for url in row[name]] for name in ("urls",) if name in row}
        return found

    findings = [{**row, "sides": _sides(row["sides"])} for row in found_ones(opened, connection)]
    lists = {"services": defanged(listed(connection)), "flags": defanged(raised(connection)), "findings": findings}
    shown = {name: {n: text for n, text in columns(name).items() if n not in _NOT_IN_A_SHEET} for name in lists}
    return [Sheet(name, tuple(shown[name]), rows, shown[name]) for name, rows in lists.items()]


_NOT_IN_A_SHEET = ("searched", "details", "analysis", "quote_start", "quote_end")


def _sides(sides: list[dict[str, Any]]) -> str:
    from data.address import defang

    return "\n".join(
        f"{side['part']}: “{side['quote'] or side['says']}” ({side['service']}, {defang(side['url'])}, {side['seen']})"
        for side in sides
    )


_EXHIBIT = {
    "exhibit": "Number of the exhibit, as in an export of the whole case.",
    "service": "The service.",
    "code": "Code of the codebook.",
    "stance": "How it is said.",
    "confidence": "0 to 1.",
    "quote": "The words; third parties masked.",
    "passage": "The passage around them; third parties masked.",
    "address": "Address of the page, defanged.",
    "captured": "When the page was seen (UTC).",
    "page_role": "What the page is for.",
    "rule": "The rule or model that flagged it.",
    "observation": "The observation cited.",
    "start": "Where the words begin in the text version, in characters; counted before masking.",
    "end": "Where they end.",
    "text_sha256": "SHA-256 of the text version.",
    "stored_sha256": "SHA-256 of the stored body.",
    "wire_sha256": "SHA-256 of the bytes received.",
    "warc_file": "The evidence file.",
    "warc_record": "The record in it.",
    "warc_offset": "Where the record begins, in bytes.",
    "warc_length": "Its length in bytes.",
    "also_seen": "Other observations that show the same words at this address.",
}
_CLEARED = """
SELECT f.text_id, f.code, f.stance, f.start, f."end", w.text AS passage, q.quote_start, q.quote_end
FROM flags f JOIN cleared_flags q ON q.flag = f.flag JOIN cleared_passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal
JOIN cleared_words w ON w.words = p.words WHERE f.raises AND NOT f.sensitive
"""


def _exhibits(connection: duckdb.DuckDBPyConnection) -> Sheet:
    from analysis.cleared import HELD
    from cli.spreadsheet import Sheet
    from data.export.exhibits import find_exhibits
    from data.store import rows

    visits = [row["visit"] for row in rows(connection, "SELECT visit FROM visits ORDER BY visit")]
    key = ("text_id", "code", "stance", "start", "end")
    cleared = {tuple(row[name] for name in key): row for row in rows(connection, _CLEARED)}
    found = []
    for item in find_exhibits(connection, visits):
        words = cleared.get(tuple(item[name] for name in key))
        shown = {"passage": HELD, "quote": HELD}
        if words:
            shown = {"passage": words["passage"], "quote": words["passage"][words["quote_start"] : words["quote_end"]]}
        found.append({**item, **shown})
    return Sheet("exhibits", tuple(_EXHIBIT), found, _EXHIBIT)


def _codebook() -> Sheet:
    from cli.spreadsheet import Sheet
    from data.codebook import load_codebook

    codes = [
        {
            "code": code.id,
            "name": code.name,
            "title": code.title,
            "theory": code.theory,
            "definition": code.definition,
            "included": "; ".join(code.includes),
            "not included": "; ".join(code.excludes),
            "do not confuse with": code.confuser,
            "may bear on": "; ".join(code.hooks),
        }
        for code in load_codebook().codes
    ]
    return Sheet("codebook", tuple(codes[0]), codes)
