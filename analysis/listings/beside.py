"""A listing and its landing pages side by side: what each says, with the possible indicators on either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import duckdb

from analysis.listings.fields import SPOKEN
from data.store import rows

HELD: Final = "[held for the named officer]"
_ZONES: Final = ("title", "meta", "main")


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a page says: in which field or place, whether a rule marked it, and where it was read.

    ``text`` is ``HELD`` where the words touch on minors.
    """

    name: str
    text: str
    code: str
    stance: str
    url: str
    observation: str
    seen: str
    captured_by_others: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """The two sides of one service. ``listing`` holds stores, bots, model pages and advertisements."""

    listing: tuple[Said, ...]
    landing: tuple[Said, ...]


def beside(connection: duckdb.DuckDBPyConnection, service: str) -> Beside:
    """What the listings of *service* say, and what its own pages say: a listing's fields, the first words of the pages that
    visitors land on, and on either side every passage that raises a flag. An empty side: nothing of it is on record."""
    listing = [
        Said(
            row["field"],
            HELD if row["held"] else row["value"],
            "",
            "",
            row["url"],
            row["observation"],
            row["seen"],
            row["fetcher"] == "import",
        )
        for row in rows(connection, _FIELDS, [service, list(SPOKEN)])
    ]
    landing = [_said(row) for row in rows(connection, _NAMES, [service, list(_ZONES)])]
    for row in rows(connection, _MARKS, [service]):
        (listing if row["page_role"] in ("listing", "ad") else landing).append(_said(row))
    return Beside(tuple(listing), tuple(landing))


def _said(row: dict[str, Any]) -> Said:
    return Said(
        row["name"],
        row["text"],
        row["code"],
        row["stance"],
        row["url"],
        row["observation"],
        row["seen"],
        row["fetcher"] == "import",
    )


# Each field once a listing, as the last look at it showed it.
_FIELDS = """
SELECT field, value, url, observation, seen, fetcher, held FROM listings
WHERE service = ? AND state = 'present' AND list_contains(?, field) AND platform <> 'unknown'
QUALIFY rank() OVER (PARTITION BY url ORDER BY seen DESC, observation DESC) = 1
ORDER BY url, ordinal
"""

# The first words of the pages that visitors land on, in their order.
_NAMES = """
SELECT p.zone AS name, p.text, '' AS code, '' AS stance, o.requested_url AS url, o.observation, o.started AS seen, o.fetcher
FROM observations o
JOIN observation_texts ot ON ot.observation = o.observation
JOIN texts t ON t.text_id = ot.text_id
JOIN passages p ON p.text_id = t.text_id
WHERE o.service = ? AND t.page_role = 'home' AND list_contains(?, p.zone) AND p.hidden = ''
  AND NOT EXISTS (SELECT 1 FROM flags f WHERE f.text_id = p.text_id AND f.ordinal = p.ordinal AND f.sensitive)
QUALIFY row_number() OVER (PARTITION BY o.requested_url, p.text ORDER BY o.started DESC, o.observation DESC) = 1
    AND dense_rank() OVER (PARTITION BY o.requested_url, p.zone ORDER BY p.ordinal) <= 12
ORDER BY url, p.ordinal LIMIT 24
"""

# What raises a flag, once a service; what touches on minors is not among it.
_MARKS = """
SELECT page_role, page_role AS name, quote AS text, code, stance, url, observation, seen, fetcher FROM flags_seen f
WHERE service = ? AND raises AND NOT sensitive
QUALIFY row_number() OVER (PARTITION BY code, quote, page_role IN ('listing', 'ad') ORDER BY seen, observation) = 1
ORDER BY code, url, start LIMIT 400
"""
