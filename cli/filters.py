"""The filters that questions share: how they are given, what the shell completes, and the tests in SQL they become."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Stop

if TYPE_CHECKING:
    import duckdb

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z)?")


def complete_code(incomplete: str) -> list[tuple[str, str]]:
    """Codes for the shell's completion, with their titles."""
    from data.codebook import load_codebook

    return [(code.id, code.title) for code in load_codebook().codes if code.id.startswith(incomplete.upper())]


def complete_stance(incomplete: str) -> list[tuple[str, str]]:
    """Stances, with their meaning; in the case in which the first letters were typed."""
    from data.codebook import load_codebook

    lower = incomplete != incomplete.upper()
    found = [item for item in load_codebook().stances if item.id.startswith(incomplete.upper())]
    return [(item.id.lower() if lower else item.id, item.definition) for item in found]


def complete_role(incomplete: str) -> list[str]:
    """Roles of a page."""
    from data.roles import ROLES

    return [role for role in ROLES if role.startswith(incomplete)]


def complete_service(incomplete: str) -> list[str]:
    """The services of the case in which the shell stands; none where it is in no case."""
    with contextlib.suppress(Exception):
        from data.case import find_case, open_case

        return [name for name in open_case(find_case()).services() if name.lower().startswith(incomplete.lower())]
    return []


CodeOption = Annotated[
    list[str] | None,
    typer.Option(help="Only these codes, e.g. D04; may be given several times.", autocompletion=complete_code),
]
StanceOption = Annotated[
    list[str] | None, typer.Option(help="Only these stances, e.g. promo.", autocompletion=complete_stance)
]
ServiceOption = Annotated[list[str] | None, typer.Option(help="Only these services.", autocompletion=complete_service)]
RoleOption = Annotated[
    list[str] | None,
    typer.Option(help="Only pages of this role, e.g. home, terms.", autocompletion=complete_role),
]
ZoneOption = Annotated[list[str] | None, typer.Option(help="Only this zone of the page, e.g. footer.")]
SinceOption = Annotated[str, typer.Option(metavar="DATE", help="Seen on this day (UTC) or later, e.g. 2026-10-01.")]
UntilOption = Annotated[str, typer.Option(metavar="DATE", help="Seen on this day (UTC) or earlier.")]
ConfidenceOption = Annotated[float, typer.Option(min=0.0, max=1.0, help="At least this confident.")]
UnreviewedOption = Annotated[bool, typer.Option("--unreviewed", help="Only what nobody has decided on yet.")]


class Tests:
    """Tests in SQL that a row must pass, with their values bound by name."""

    def __init__(self, beside: Tests | None = None) -> None:
        """*beside* are tests on other rows of the same statement; their values go along."""
        self.tests: list[str] = []
        self.values: dict[str, Any] = dict(beside.values) if beside else {}

    def add(self, test: str, *values: Any) -> Tests:
        """One more test; each ``?`` in it stands for the next of *values*."""
        for value in values:
            name = f"v{len(self.values)}"
            test = test.replace("?", f"${name}", 1)
            self.values[name] = value
        self.tests.append(test)
        return self

    def among(self, column: str, wanted: Sequence[str] | None) -> Tests:
        """*column* is one of *wanted*; no test where nothing is wanted."""
        return self.add(f"list_contains(?, {column})", list(wanted)) if wanted else self

    def any_of(self, column: str, wanted: Sequence[str] | None) -> Tests:
        """The list *column* shares an element with *wanted*."""
        return self.add(f"list_has_any({column}, ?)", list(wanted)) if wanted else self

    def between(self, column: str, since: str, until: str) -> Tests:
        """The time *column* is on the day *since* or later, and on the day *until* or earlier."""
        if since:
            self.add(f"{column} >= ?", day(since, "--since"))
        if until:
            # "T24" comes after every time of that day and before the next.
            self.add(f"{column} <= ?", day(until, "--until") + ("" if "T" in until else "T24"))
        return self

    @property
    def where(self) -> str:
        """All of them as one condition."""
        return " AND ".join(f"({test})" for test in self.tests) or "TRUE"


def day(given: str, option: str) -> str:
    """*given* as it compares with a time in the index. Raises ``Stop`` for what is no day."""
    from datetime import date

    with contextlib.suppress(ValueError):
        if _DAY.fullmatch(given) and date.fromisoformat(given[:10]):
            return given
    raise Stop(f"{option} takes a day such as 2026-10-01, not {given!r}.")


def codes(given: Sequence[str] | None) -> list[str]:
    """Codes in capitals. Raises ``Stop`` for one that the codebook does not have, naming the nearest."""
    from data.codebook import load_codebook

    wanted = [item.upper() for item in given or ()]
    _known(wanted, load_codebook().code_ids if wanted else (), "code", "plainview codebook show")
    return wanted


def stances(given: Sequence[str] | None) -> list[str]:
    """Stances in capitals. Raises ``Stop`` for one that the codebook does not have, naming the nearest."""
    from data.codebook import load_codebook

    wanted = [item.upper() for item in given or ()]
    _known(wanted, load_codebook().stance_ids if wanted else (), "stance", "plainview codebook show")
    return wanted


def roles(given: Sequence[str] | None) -> list[str]:
    """Page roles. Raises ``Stop`` for one that there is not, naming the nearest."""
    from data.roles import ROLES

    wanted = [item.lower() for item in given or ()]
    _known(wanted, ROLES, "page role", "")
    return wanted


def services(connection: duckdb.DuckDBPyConnection, given: Sequence[str] | None) -> list[str]:
    """Services by name, whatever the capitals. Raises ``Stop`` for one that is not on the list, naming the nearest."""
    if not given:
        return []
    known = [row[0] for row in connection.execute("SELECT service FROM services ORDER BY service").fetchall()]
    folded = {name.lower(): name for name in known}
    wanted = [item if item in known else folded.get(item.lower(), item) for item in given]
    _known(wanted, known, "service", "plainview services list")
    return wanted


def zones(connection: duckdb.DuckDBPyConnection, given: Sequence[str] | None) -> list[str]:
    """Zones of a page. Raises ``Stop`` for one that no passage stands in."""
    if given:
        known = [row[0] for row in connection.execute("SELECT DISTINCT zone FROM passages ORDER BY zone").fetchall()]
        _known(given, known, "zone in this case", "")
    return list(given or ())


def _known(wanted: Sequence[str], known: Sequence[str] | frozenset[str], what: str, see: str) -> None:
    for item in wanted:
        if item not in known:
            raise Stop(unknown(item, known, what) + (f" See: {see}" if see else f" There are: {', '.join(known)}."))


def unknown(given: str, known: Sequence[str] | frozenset[str], what: str) -> str:
    """The sentence that says that there is no such thing, naming the nearest there is."""
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"There is no {what} {given!r}.{f' Did you mean {near[0]!r}?' if near else ''}"
