"""Listings on the terminal: fields in their three states, and what a listing says beside what its landing pages say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.terminal import harmless, lines, out

if TYPE_CHECKING:
    import duckdb

_LONGEST = 300


def show_listings(connection: duckdb.DuckDBPyConnection, service: str) -> None:
    """Print the listings of a service beside its own pages; nothing where none is on record."""
    from analysis.listings.beside import beside
    from data.address import defang
    from data.store import rows

    fields = rows(connection, _FIELDS, [service])
    if not fields:
        return
    found = beside(connection, service)
    for url in dict.fromkeys(row["url"] for row in fields):
        own = [row for row in fields if row["url"] == url]
        others = "  captured by others" if own[0]["fetcher"] == "import" else ""
        lines(["", f"listing {defang(url)} ({own[0]['platform']}){others}"])
        silent = [row["field"] for row in own if row["state"] == "absent"]
        unread = sorted({(row["location"], row["field"]) for row in own if row["state"] == "unparsed"})
        if silent:
            lines([f"  absent    {', '.join(silent)}"])
        for reason in dict.fromkeys(item for item, _ in unread):
            lines([f"  unparsed  {', '.join(name for item, name in unread if item == reason)}: {reason}"])
    if found.listing or found.landing:
        out().print(_side_by_side(found.listing, found.landing))


def _side_by_side(listing: tuple[Any, ...], landing: tuple[Any, ...]) -> Any:
    from rich.table import Table

    table = Table(title="What the listing says, and what its own pages say", title_justify="left", expand=True)
    table.add_column("listing or advertisement", ratio=1, overflow="fold")
    table.add_column("own pages", ratio=1, overflow="fold")
    for number in range(max(len(listing), len(landing))):
        table.add_row(
            _cell(listing[number]) if number < len(listing) else "",
            _cell(landing[number]) if number < len(landing) else "",
        )
    return table


def _cell(said: Any) -> Any:
    from rich.text import Text

    name = f"{said.code} {said.stance}, {said.name}" if said.code else said.name
    text = Text(harmless(name), style="bold")
    words = said.text if len(said.text) <= _LONGEST else said.text[:_LONGEST] + "…"
    text.append("  " + harmless(words), style="not bold")
    return text


_FIELDS = """
SELECT url, platform, field, state, location, fetcher FROM listings WHERE service = ?
QUALIFY rank() OVER (PARTITION BY url ORDER BY seen DESC, observation DESC) = 1
ORDER BY url, ordinal
"""
