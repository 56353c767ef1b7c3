"""The review in the index: decisions, samples and assignments, filled from the ledger whenever the index catches up."""

from __future__ import annotations

from typing import Any

import duckdb

from data.case import Case
from data.decisions import IMPORTED, MADE, MERGED, Decision, decisions_of
from data.sampling import DRAWN, Sample
from data.store import append


def take_in_review(case: Case, connection: duckdb.DuckDBPyConnection) -> None:
    """Add what the ledger has of decisions and samples and the index not yet; inside the caller's transaction."""
    last = connection.execute(
        "SELECT max(entry) FROM (SELECT entry FROM decisions UNION ALL SELECT entry FROM samples)"
    )
    seen = last.fetchall()[0][0] or 0
    found: list[dict[str, Any]] = []
    for event in case.ledger.events(MADE, MERGED, IMPORTED, DRAWN):
        if event.seq <= seen:
            continue
        if event.event == DRAWN:
            _take_sample(connection, Sample.from_json(event.body), event.seq, event.at)
        else:
            found += [_row(item, event.seq, event.event != MADE) for item in decisions_of(event)]
    append(connection, "decisions", found)


def _row(item: Decision, entry: int, merged: bool) -> dict[str, Any]:
    values = item.as_json()
    values["made"] = values.pop("at")
    return {"entry": entry, **values, "labels": list(item.labels), "merged": merged}


def _take_sample(connection: duckdb.DuckDBPyConnection, sample: Sample, entry: int, at: str) -> None:
    append(
        connection,
        "samples",
        [
            {
                "sample": sample.sample,
                "entry": entry,
                "made": at,
                "what": sample.what,
                "stratified_by": sample.stratified_by,
                "seed": sample.seed,
                "size": sum(item.drawn for item in sample.sizes()),
                "frame_size": sum(item.frame for item in sample.sizes()),
                "frame_sha256": sample.frame_sha256,
                "double_percent": sample.double_percent,
                "coders": list(sample.coders),
                "analysis": sample.analysis,
                "codebook_sha256": sample.codebook_sha256,
            }
        ],
    )
    append(connection, "sample_strata", [{"sample": sample.sample, **item.as_json()} for item in sample.sizes()])
    append(
        connection,
        "assignments",
        [
            {
                "sample": sample.sample,
                "place": place,
                "unit": item.unit,
                "service": item.service,
                "stratum": item.stratum,
                "coder": coder,
                "double": len(item.coders) > 1,
            }
            for place, item in enumerate(sample.assigned())
            for coder in item.coders
        ],
    )
