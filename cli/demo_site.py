"""The fictional sites of the bundled web: what each address answers, read from `demo_web/*/site.toml`."""

from __future__ import annotations

import csv
import difflib
import io
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

WEB = Path(__file__).parent / "demo_web"

SERVICES_HEADER = ("service", "url", "kind", "source", "stratum")

_Record = TypeVar("_Record")

_PLACEHOLDER = re.compile(r"\{\{(host:[a-z]+|self|clock|nonce)\}\}")


class DemoWebError(ValueError):
    """A site description that cannot be served as it stands."""


@dataclass(frozen=True)
class DemoVariant:
    """Another body for visitors whose first Accept-Language is not `not_language` (a primary tag such as `en`)."""

    not_language: str
    file: str


@dataclass(frozen=True)
class DemoPage:
    """One address of a site and how it answers."""

    path: str
    role: str
    file: str = ""
    status: int = 200
    type: str = "text/html; charset=utf-8"
    location: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    variants: tuple[DemoVariant, ...] = ()
    delay_seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class DemoEntry:
    """One row of the services list: where an investigator would start, and how that address was found."""

    path: str
    kind: str
    source: str
    stratum: str
    service: str = ""


@dataclass(frozen=True)
class DemoSite:
    """One site. `entry` is empty for infrastructure: hosts that others point to and nobody reviews."""

    key: str
    name: str
    address: str
    description: str
    style: str = ""
    service: str = ""
    server: str = "nginx"
    down: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    entry: tuple[DemoEntry, ...] = ()
    page: tuple[DemoPage, ...] = ()
    web: Path = WEB

    @property
    def folder(self) -> Path:
        """Where the site's files are; those under `later/` replace their namesakes on a second visit."""
        return self.web / self.key


def load_sites(web: Path = WEB) -> tuple[DemoSite, ...]:
    """All sites of the bundled web, in the order of their addresses.

    Raises DemoWebError for an unknown key, a missing file, or an address that two sites claim.
    """
    sites = sorted((_site(path) for path in web.glob("*/site.toml")), key=lambda site: _quad(site.address))
    taken: dict[str, str] = {}
    for site in sites:
        if site.address in taken:
            raise DemoWebError(f"{site.key} and {taken[site.address]} both claim {site.address}")
        taken[site.address] = site.key
    return tuple(sites)


def services_csv(port: int, sites: tuple[DemoSite, ...] | None = None) -> str:
    """The services list of the bundled web for a server on `port`, as `plainview services add` takes it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(SERVICES_HEADER)
    for site in load_sites() if sites is None else sites:
        for entry in site.entry:
            url = f"http://{site.address}:{port}{entry.path}"
            writer.writerow((entry.service or site.service, url, entry.kind, entry.source, entry.stratum))
    return out.getvalue()


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{{placeholder}}` replaced; raises DemoWebError for one that has no value."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise DemoWebError(f"no value for the placeholder {{{{{name}}}}}")
        return values[name]

    return _PLACEHOLDER.sub(value, text)


def _site(path: Path) -> DemoSite:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    raw["headers"] = tuple(raw.get("headers", {}).items())
    raw["entry"] = tuple(_record(DemoEntry, row, path) for row in raw.get("entry", []))
    raw["page"] = tuple(_page(row, path) for row in raw.get("page", []))
    site = _record(DemoSite, raw | {"key": path.parent.name, "web": path.parent.parent}, path)
    for page in site.page:
        for file in (page.file, *(variant.file for variant in page.variants)):
            if file and not (path.parent / file).is_file():
                raise DemoWebError(f"{path}: {page.path} names {file}, which is not there")
    return site


def _page(row: dict[str, Any], path: Path) -> DemoPage:
    row["headers"] = tuple(row.get("headers", {}).items())
    row["variants"] = tuple(_record(DemoVariant, variant, path) for variant in row.get("variants", []))
    return _record(DemoPage, row, path)


def _record(kind: type[_Record], row: dict[str, Any], path: Path) -> _Record:
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in row:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise DemoWebError(f"{path}: unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    try:
        return kind(**row)
    except TypeError as error:
        raise DemoWebError(f"{path}: {error}") from error


def _quad(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split("."))
