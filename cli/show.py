"""``plainview show``: everything known about one thing, in its context, and how it was obtained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import CaseOption, the_case
from cli.exits import Stop
from cli.terminal import lines, out, say, with_hits

if TYPE_CHECKING:
    import duckdb


_MOST = 50


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("show")(show)


def show(
    thing: Annotated[
        str, typer.Argument(help="A flag (F-…), a finding (X-…), an observation, a visit, a service or an address.")
    ],
    case: CaseOption = None,
) -> None:
    """Show everything known about a flag, a page, a visit or a service, with its context and how it was obtained."""
    from analysis.cleared import reading_cleared
    from cli.findings import show_finding

    opened = the_case(case)
    with reading_cleared(opened) as connection:
        if _show_flag(connection, thing) or show_finding(opened, connection, thing):
            return
        for attempt in (_show_observation, _show_visit, _show_service, _show_address):
            if attempt(connection, thing):
                return
    raise Stop(
        f"{thing!r} is no flag, finding, observation, visit, service or address of this case. "
        "See: plainview flags, plainview services list"
    )


_FLAG = """
SELECT f.*, w.text AS cleared, q.quote_start AS cleared_start, q.quote_end AS cleared_end, p.heading AS cleared_heading,
       p.list_intro AS cleared_intro
FROM flags_seen f
LEFT JOIN cleared_flags q ON q.flag = f.flag
LEFT JOIN cleared_passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal
LEFT JOIN cleared_words w ON w.words = p.words
WHERE f.flag = ? ORDER BY f.seen, f.observation
"""
_BESIDE = """
SELECT flag, code, stance, confidence, rule FROM flags WHERE text_id = ? AND ordinal = ? AND flag <> ? AND NOT sensitive ORDER BY start
"""
_CITING = "SELECT DISTINCT finding, kind, title FROM finding_sides_read WHERE list_contains(flags, ?) AND NOT sensitive ORDER BY finding"


def _show_flag(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from cli.flags import decided
    from data.address import defang
    from data.codebook import load_codebook
    from data.store import rows

    found = rows(connection, _FLAG, [thing])
    if not found:
        return False
    row = found[0]
    if row["sensitive"] or row["cleared_start"] is None:
        raise Stop(f"{thing} is in the referral queue and is shown only to the named officer: plainview refer")
    code = load_codebook().code(row["code"])
    out().print(with_hits(row["cleared"], [(row["cleared_start"], row["cleared_end"])]))
    lines([""])
    facts = {
        "possible indicator": f"{row['code']} {code.title}",
        "stance": f"{row['stance']}    confidence {row['confidence']:.2f}    rule {row['rule']}",
        "may bear on": ", ".join(code.hooks) or "a fact; no legal element",
        "definition": code.definition,
        "do not confuse with": code.confuser,
        "service": row["service"],
        "page": f"{defang(row['url'])}  ({row['page_role']}, {row['zone']}, {row['role']})",
        "under": row["cleared_heading"] or "-",
        "list intro": row["cleared_intro"] or "-",
        "where": row["locator"],
        "offsets": f"{row['start']}–{row['end']} of text {row['text_sha256']}",
        "stored body": row["stored_sha256"],
    }
    units = rows(connection, "SELECT DISTINCT unit FROM units WHERE flag = ? ORDER BY unit", [thing])
    made = decided(connection, [item["unit"] for item in units])
    facts["review"] = "; ".join(f"{unit}: {', '.join(said)}" for unit, said in made.items()) or "not reviewed"
    _facts(facts)
    _several(
        "seen", (f"{item['seen']}  {item['observation']}  {defang(item['url'])}  ({item['fetcher']})" for item in found)
    )
    beside = rows(connection, _BESIDE, [row["text_id"], row["ordinal"], thing])
    _several(
        "in the same passage",
        (f"{x['flag']}  {x['code']} {x['stance']}  {x['confidence']:.2f}  {x['rule']}" for x in beside),
    )
    _several(
        "findings that rest on it",
        (f"{x['finding']}  {x['kind']}  {x['title']}" for x in rows(connection, _CITING, [thing])),
    )
    _obtained(connection, row["observation"])
    return True


_OBSERVATION = (
    "SELECT o.*, v.environment, v.head FROM observations o LEFT JOIN visits v USING (visit) WHERE observation = ?"
)
_READ = """
SELECT t.* REPLACE (
           CASE WHEN list_bool_or(list_transform(k.quotes, lambda q: contains(t.title, q))) THEN '[closed queue]' ELSE t.title END AS title,
           CASE WHEN list_bool_or(list_transform(k.quotes, lambda q: contains(t.h1, q))) THEN '[closed queue]' ELSE t.h1 END AS h1),
       (SELECT count(*) FROM passages p WHERE p.text_id = t.text_id) AS passages, l.analysis
FROM observation_texts ot JOIN texts t USING (text_id) LEFT JOIN flags_read l USING (text_id)
LEFT JOIN (SELECT text_id, list(quote) AS quotes FROM flags WHERE sensitive AND length(quote) >= 12 GROUP BY text_id) k
     ON k.text_id = t.text_id
WHERE ot.observation = ?
"""
_MARKS = """
SELECT f.flag, f.code, f.stance, f.confidence, p.zone, w.text AS passage, q.quote_start, q.quote_end
FROM observation_texts ot JOIN flags f USING (text_id)
JOIN cleared_flags q ON q.flag = f.flag
JOIN cleared_passages p ON p.text_id = f.text_id AND p.ordinal = f.ordinal
JOIN cleared_words w ON w.words = p.words
WHERE ot.observation = ? AND NOT f.sensitive ORDER BY f.start, f.code
"""
_SIDES = """
SELECT DISTINCT finding, kind, title FROM finding_sides_read WHERE observation = ? AND NOT sensitive ORDER BY finding
"""


def _show_observation(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data.address import defang
    from data.store import rows

    found = rows(connection, _OBSERVATION, [thing])
    if not found:
        return False
    row = found[0]
    _facts(
        {
            "page": defang(row["requested_url"]),
            "service": row["service"],
            "outcome": f"{row['outcome']}{': ' + row['reason'] if row['reason'] else ''}",
            "role": row["role"],
            "found on": row["found_on"],
            "leads to": f"{defang(row['redirect_to'])} ({row['redirect_kind']})" if row["redirect_to"] else "",
        }
    )
    for text in rows(connection, _READ, [thing]):
        _facts(
            {
                "title": text["title"],
                "first heading": text["h1"] if text["h1"] != text["title"] else "",
                "language": text["lang"],
                "read as": f"{text['page_role']}; {text['passages']} passages, by {text['extractor']}",
                "not read": f"{text['media_without_alt']} images without a text alternative"
                if text["media_without_alt"]
                else "",
                "text": f"sha256 {text['text_sha256']}",
            }
        )
    _marks(rows(connection, _MARKS, [thing]))
    _several(
        "findings that rest on it",
        (f"{x['finding']}  {x['kind']}  {x['title']}" for x in rows(connection, _SIDES, [thing])),
    )
    _obtained(connection, thing)
    return True


def _marks(found: list[dict[str, Any]]) -> None:
    lines(["", f"marks: {len(found)}" if found else "marks: none that is shown"])
    for row in found[:_MOST]:
        lines([f"  {row['flag']}  {row['code']} {row['stance']}  {row['confidence']:.2f}  {row['zone']}"])
        words = with_hits(row["passage"], [(row["quote_start"], row["quote_end"])], around=120)
        words.pad_left(4)
        out().print(words)
    if len(found) > _MOST:
        lines([f"  … and {len(found) - _MOST} more: plainview flags --service NAME"])


def _obtained(connection: duckdb.DuckDBPyConnection, observation: str) -> None:
    """How the bytes came here, what was kept of them and where: enough to find and check them without this program."""
    from data.address import defang
    from data.store import rows

    (row,) = rows(connection, _OBSERVATION, [observation])
    tls, provenance = _read(row["tls"]), _read(row["provenance"])
    kept = {
        "response": "exactly as received",
        "conversion": "with parts taken out, each on record",
        "metadata": "no body",
    }
    lines(["", "how it was obtained"])
    _facts(
        {
            "observation": row["observation"],
            "visit": f"{row['visit']}  environment {row['environment']}",
            "asked for": f"{defang(row['requested_url'])}  as {row['purpose']}, profile {row['profile']}, by {row['fetcher']}",
            "when": f"{row['started']} to {row['ended']}",
            "as": f"{row['user_agent']}  language {row['accept_language']}",
            "by way of": "; ".join(
                f"{defang(str(hop.get('url', '')))} ({hop.get('kind', '')})" for hop in _read(row["hops"]) or []
            ),
            "answered by": f"{row['server_ip']}  {row['http_version']}  {row['via']}" if row["server_ip"] else "",
            "certificate": ", ".join(f"{name} {value}" for name, value in tls.items() if isinstance(value, str))
            if tls
            else "",
            "status": f"{row['status']}  {row['type_declared']}  {row['charset']}"
            if row["status"] is not None
            else f"none ({row['outcome']})",
            "received": f"{row['wire_len']:,} bytes, sha256 {row['wire_sha256']}" if row["wire_sha256"] else "",
            "kept": f"{row['stored_len']:,} bytes, sha256 {row['stored_sha256']}, {kept.get(row['stored_as'], row['stored_as'])}"
            if row["stored_sha256"]
            else kept.get(row["stored_as"], row["stored_as"]),
            "taken out": f"{len(_read(row['redactions']) or [])} parts" if _read(row["redactions"]) else "",
            "cut short": row["truncated"],
            "rendered from": row["rendered_from"],
            "captured by others": json.dumps(provenance, ensure_ascii=False) if provenance else "",
            "WARC record": row["warc_record"],
            "it lies in": f"evidence/{row['visit']}/records.warc.gz at byte {row['warc_offset']}, {row['warc_length']} bytes"
            if row["warc_record"]
            else "",
        },
        indent=2,
    )


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


_LEFT = """
SELECT decision, rule, reason, count(*) AS times FROM addresses_decided WHERE visit = ? GROUP BY ALL ORDER BY times DESC, decision, rule
"""
_COUNTED = """
SELECT f.code, f.stance, count(DISTINCT f.flag) AS times
FROM flags f JOIN observation_texts USING (text_id) JOIN observations o USING (observation)
WHERE {column} = ? AND NOT f.sensitive GROUP BY ALL ORDER BY f.code, f.stance
"""


def _show_visit(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data.store import rows

    found = rows(connection, "SELECT * FROM visits WHERE visit = ?", [thing])
    if not found:
        return False
    row = found[0]
    policy = _read(row["policy"]) or {}
    _facts(
        {
            "visit": row["visit"],
            "service": row["service"],
            "when": f"{row['started']} to {row['ended']}",
            "outcome": f"{row['outcome']}{': ' + row['reason'] if row['reason'] else ''}",
            "attempts": f"{row['observations']}; decisions on {row['addresses']} addresses",
            "not finished": ", ".join(item for item in row["partial"] if item),
            "taken up again": f"{row['resumed']} times" if row["resumed"] else "",
            "environment": row["environment"],
            "head of its chain": row["head"],
            "settings": ", ".join(f"{name} {value}" for name, value in policy.items() if value not in ("", [], None)),
            "captured by others": row["provenance"] or "",
        }
    )
    _list_observations(connection, "visit = ?", thing)
    _several(
        "addresses seen",
        (f"{x['times']:>6}  {x['decision']:<12} {x['rule']}: {x['reason']}" for x in rows(connection, _LEFT, [thing])),
    )
    counted = rows(connection, _COUNTED.format(column="o.visit"), [thing])
    _several("marks", (f"{x['times']:>6}  {x['code']} {x['stance']}" for x in counted))
    return True


_VISITS = "SELECT visit, started, outcome, reason FROM visits WHERE service = ? ORDER BY started DESC"
_FINDINGS = """
SELECT finding, kind, status, strength, title FROM findings
WHERE list_contains(services, ?) AND NOT sensitive AND status = 'found' ORDER BY kind, finding
"""
_TIES = """
SELECT a, b, weight, strength, decided, reason FROM operator_edges
WHERE (a = $name OR b = $name) AND (joins OR decided <> '') ORDER BY weight DESC
"""


def _show_service(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from cli.listings import show_listings
    from data.address import defang
    from data.store import rows

    found = rows(
        connection, "SELECT * FROM services WHERE lower(service) = lower(?) ORDER BY service = ? DESC", [thing, thing]
    )
    if not found:
        return False
    row = found[0]
    name = row["service"]
    _facts(
        {
            "service": name,
            "kind": row["kind"],
            "found through": f"{row['source']}  stratum {row['stratum']}" if row["source"] or row["stratum"] else "",
            "addresses": "  ".join(defang(url) for url in row["urls"]),
        }
    )
    visits = rows(connection, _VISITS, [name])
    _several("visits", (f"{x['started']}  {x['outcome']}  {x['reason']}  {x['visit']}" for x in visits))
    counted = rows(connection, _COUNTED.format(column="o.service"), [name])
    _several("marks", (f"{x['times']:>5}  {x['code']} {x['stance']}" for x in counted))
    if counted:
        lines([f"  in their words: plainview flags --service {name!r}"])
    made = rows(connection, _FINDINGS, [name])
    _several("findings", (f"{x['finding']}  {x['kind']:<11} {x['strength']:<9} {x['title']}" for x in made))
    ties = rows(connection, _TIES, {"name": name})
    _several(
        "shares identifiers with",
        (
            f"{x['b'] if x['a'] == name else x['a']}  {x['weight']:.1f} {x['strength']} {x['decided']}  {x['reason']}"
            for x in ties
        ),
    )
    changed = rows(
        connection, "SELECT kind, count(*) AS times FROM changes WHERE service = ? GROUP BY kind ORDER BY kind", [name]
    )
    _several("changes between visits", (f"{x['times']:>5}  {x['kind']}" for x in changed))
    show_listings(connection, name)
    return True


def _show_address(connection: duckdb.DuckDBPyConnection, thing: str) -> bool:
    from data import address
    from data.store import rows

    try:
        url = address.canonical(thing.replace("hxxp", "http", 1).replace("[.]", "."))
    except address.BadAddress:
        return False
    about = rows(connection, "SELECT * FROM addresses_decided WHERE url = ? ORDER BY visit", [url])
    seen = rows(
        connection,
        "SELECT observation, stored_as FROM observations WHERE requested_url = ? ORDER BY started DESC, observation DESC",
        [url],
    )
    if not about and not seen:
        return False
    for row in about:
        lines([f"{row['decision']} by {row['rule']} in {row['visit']}: {row['reason']}"])
    _list_observations(connection, "requested_url = ?", url)
    last = next((row["observation"] for row in seen if row["stored_as"] in ("response", "conversion")), None)
    if last:
        lines(["", f"as last read, in {last}"])
        _show_observation(connection, last)
    return True


_OBSERVATIONS = """
SELECT observation, started, purpose, profile, fetcher, status, outcome, reason, requested_url, redirect_to
FROM observations WHERE {where} ORDER BY visit, seq
"""


def _list_observations(connection: duckdb.DuckDBPyConnection, where: str, value: str) -> None:
    from data.address import defang
    from data.store import rows

    lines(["", "observations"])
    for row in rows(connection, _OBSERVATIONS.format(where=where), [value]):
        status = row["status"] if row["status"] is not None else "-"
        to = f" -> {defang(row['redirect_to'])}" if row["redirect_to"] else ""
        line = f"  {row['started']}  {row['purpose']:<11} {row['fetcher']:<7} {status:>3} {row['outcome']:<10} "
        lines([line + f"{defang(row['requested_url'])}{to}  {row['reason']}  [{row['observation']}]"])


def _facts(facts: dict[str, Any], indent: int = 0) -> None:
    """Name and value, one a line; what is empty is left out."""
    lines(f"{' ' * indent}{name:<19} {value}".rstrip() for name, value in facts.items() if value not in ("", None))


def _several(title: str, items: Iterable[str]) -> None:
    found = list(items)
    if not found:
        return
    lines(["", title])
    lines(f"  {item}" for item in found[:_MOST])
    if len(found) > _MOST:
        say(f"… and {len(found) - _MOST} more.")
