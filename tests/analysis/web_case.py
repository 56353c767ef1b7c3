"""A case of a folder of invented sites (``site.toml`` and ``expected.toml``), served on loopback and really crawled, twice."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from analysis.findings import find
from analysis.flags import analyze
from cli.demo_server import DemoServer
from cli.demo_site import load_sites
from crawler.sweep import plan_sweep, run_units
from data.case import Case, CaseFacts, make_case
from data.ingest import take_in
from data.records import Service
from data.store import reading, rows

POLICY = 'delay_seconds = 0.0\nconcurrency_per_host = 2\nallow_private = ["127.0.0.0/8"]\nrender = "{render}"'


def visited(root: Path, web: Path, *, render: str = "auto") -> Case:
    """A case of all services of *web*, visited in their first and then in their second state, and analysed."""
    case = make_case(root, CaseFacts(title="Invented sites", authority="test"), POLICY.format(render=render))
    port = _free_port()
    for later in (False, True):
        with DemoServer(web=web, later=later, port=port) as server:
            if not later:
                case.record("services.added", {"services": _services(server.services_csv())})
            asyncio.run(run_units(case, list(plan_sweep(case, fresh=True).units), lambda _: None))
        take_in(case)
    analyze(case, lambda _: None)
    find(case, lambda _: None)
    return case


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _services(listed: str) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(listed)):
        found.setdefault(row["service"], []).append(row)
    return [
        Service(name, entries[0]["kind"], entries[0]["source"], entries[0]["stratum"], tuple(entry["url"] for entry in entries)).as_json()
        for name, entries in found.items()
    ]  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """An answer sheet held against a case."""

    findings: list[dict[str, Any]]
    sides: dict[str, list[dict[str, Any]]]
    expected: list[dict[str, Any]]
    decoys: list[dict[str, Any]]
    site_of: dict[str, str]
    service_of: dict[str, str]

    def holds(self, finding: dict[str, Any], side: dict[str, str]) -> bool:
        """Whether *finding* rests on the quote of *side*, on that site."""
        wanted = _plain(side["quote"])
        return any(
            self.site_of.get(urlsplit(item["url"]).hostname or "") == side["site"]
            and (wanted in _plain(item["passage"] or "") or wanted in _plain(item["quote"]))
            for item in self.sides[finding["finding"]]
        )

    def answers(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The findings of a case that are what an expected *row* describes, with every side of it."""
        return [
            finding
            for finding in self.findings
            if finding["kind"] == row["kind"]
            and finding["status"] == "found"
            and ("code" not in row or row["code"] in finding["codes"])
            and ("change" not in row or json.loads(finding["details"]).get("change") == row["change"])
            and {self.service_of[site] for site in row.get("sites", [])} <= set(finding["services"])
            and all(self.holds(finding, side) for side in row.get("side", []))
        ]

    def taken(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The findings of a case that a decoy's *row* says must not be there."""
        return [finding for finding in self.findings if finding["status"] == "found" and self._takes(finding, row)]

    def _takes(self, finding: dict[str, Any], row: dict[str, Any]) -> bool:
        contradiction = {"X1", "X2", "X3"}
        if finding["kind"] != row["kind"] and not {finding["kind"], row["kind"]} <= contradiction:
            return False
        service = self.service_of[row["site"]]
        if row["kind"] == "absence":
            return service in finding["services"] and row["code"] in finding["codes"]
        if not row.get("side"):
            return service in finding["services"]
        return all(self.holds(finding, side) for side in row["side"])


def sheet(case: Case, web: Path) -> Sheet:
    """The answer sheet of *web* held against *case*. Referrals are the officer's queue, not findings."""
    raw = tomllib.loads((web / "expected.toml").read_text(encoding="utf-8"))
    sites = load_sites(web)
    with reading(case) as connection:
        found = rows(connection, "SELECT * FROM findings ORDER BY finding")
        sides: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows(connection, "SELECT * FROM finding_sides_read ORDER BY finding, number"):
            sides[row["finding"]].append(row)
    return Sheet(
        found,
        sides,
        [row for row in raw["finding"] if row["kind"] != "referral"],
        [row for row in raw["decoy"] if row["kind"] != "referral"],
        {site.address: site.key for site in sites},
        {site.key: site.service for site in sites},
    )


def _plain(text: str) -> str:
    return " ".join(text.split())
