"""A server that misbehaves costs its time limit, leaves the right outcome on record, and little memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.sweep import Plan, Unit, Workers
from data.case import CaseFacts, make_case
from data.outcomes import Outcome
from data.records import AddressSeen, Observation, Service, Visit
from data.spool import read_addresses, read_attempts, read_visit
from tests.hostile.certificates import make_authority, server_context
from tests.hostile.misbehaviour import Misbehaviour, misbehaviours
from tests.hostile.server import Answer, Asked, Server, Wild

ALL = {item.name: item for item in misbehaviours()}
POLICY = """
page_budget = 15
delay_seconds = 0.0
concurrency_per_host = 2
visits_at_once = 24
render = "never"
profiles = false
allow_private = ["127.0.0.0/8"]
timeout_seconds = 15.0
page_seconds = 60.0
max_body_bytes = 5_000_000
"""


@dataclass
class Record:
    visit: Visit
    observations: list[Observation]
    addresses: list[AddressSeen]

    @property
    def entry(self) -> Observation:
        return next(item for item in self.observations if item.purpose == "entry")


@dataclass
class Swept:
    records: dict[str, Record] = field(default_factory=dict)
    failures: list[object] = field(default_factory=list)
    memory: int = 0


def site_of(item: Misbehaviour) -> object:
    def site(asked: Asked) -> Answer | Wild | None:
        if asked.path == "/robots.txt":
            return None
        return item.answer if asked.path == "/" or item.rest is None else item.rest

    return site


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    folder = tmp_path_factory.mktemp("misbehaviour")
    authority = make_authority(folder)
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority.file)
    result = Swept()
    case = make_case(folder / "case", CaseFacts(title="Misbehaviour", authority="a test on loopback"), POLICY)
    with contextlib.ExitStack() as stack:
        units = []
        for number, item in enumerate(ALL.values(), 1):
            host = f"127.0.8.{number}"
            tls = server_context(folder, item.name, host, authority) if item.tls else None
            server = stack.enter_context(Server(site_of(item), (host,), tls))  # type: ignore[arg-type]
            units.append(Unit(item.name, Service(item.name, urls=(f"{server.origin()}/",))))
        workers = Workers(case, Plan("s", tuple(units), (), False))
        for event in workers.events():
            if type(event).__name__ == "Failed":
                result.failures.append(event)
            for pid in workers._running.pids():
                result.memory = max(result.memory, _peak(pid))
    for name in ALL:
        path = case.spool / name
        result.records[name] = Record(read_visit(path), list(read_attempts(path)), list(read_addresses(path)))
    yield result
    if before is None:
        del os.environ["SSL_CERT_FILE"]
    else:
        os.environ["SSL_CERT_FILE"] = before


def _peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def test_the_sweep_finishes_and_every_visit_is_closed(swept: Swept) -> None:
    assert swept.failures == []
    assert {record.visit.state for record in swept.records.values()} == {"closed"}


@pytest.mark.parametrize("name", ALL, ids=lambda name: name)
def test_the_outcome_is_right(swept: Swept, name: str) -> None:
    entry = swept.records[name].entry
    assert entry.outcome in ALL[name].outcome.split("|"), f"{ALL[name].promise}: {entry.outcome} ({entry.reason})"


def test_memory_stays_below_600_megabytes(swept: Swept) -> None:
    assert 30_000_000 < swept.memory < 600_000_000, swept.memory


def test_no_status_is_written_that_no_server_sent(swept: Swept) -> None:
    for name, record in swept.records.items():
        for item in record.observations:
            assert (item.status is None) == (item.status_origin == "none"), name
            if item.outcome in (Outcome.RESET, Outcome.REFUSED, Outcome.TLS_ERROR, Outcome.PRIVATE_ADDRESS):
                assert item.status is None, name


def test_what_came_of_a_cut_answer_is_kept(swept: Swept) -> None:
    for name in ("truncated", "chunk-missing", "cut-gzip"):
        entry = swept.records[name].entry
        assert entry.truncated
        assert entry.has_text
        assert entry.stored_len > 0


def test_a_bad_certificate_is_kept_and_its_page_is_not(swept: Swept) -> None:
    for name in ("self-signed", "expired", "wrong-name"):
        # The first to be asked for is robots.txt; what it met is why nothing else was.
        shown = next(item for item in swept.records[name].observations if item.tls is not None)
        assert shown.outcome == Outcome.TLS_ERROR
        assert shown.tls is not None
        assert shown.tls["verified"] is False
        assert shown.tls["subject"]
        assert not any(item.has_text for item in swept.records[name].observations)
    assert swept.records["good-certificate"].entry.tls["issuer"] == "CN=Test authority"  # type: ignore[index]
    assert "shop.example" in swept.records["good-certificate"].entry.tls["names"]  # type: ignore[index]


def test_redirects_without_an_end_stop_at_the_limit(swept: Swept) -> None:
    observations = swept.records["endless-redirects"].observations
    assert observations[-1].outcome == Outcome.REDIRECT_LOOP
    assert len([item for item in observations if item.purpose in ("entry", "page")]) == 11
    other = swept.records["two-step-loop"].observations
    assert other[-1].outcome == Outcome.REDIRECT_LOOP


@pytest.mark.parametrize("name", ["to-private", "to-metadata", "to-mapped", "to-decimal"])
def test_a_redirect_into_a_private_network_connects_to_nothing(swept: Swept, name: str) -> None:
    last = swept.records[name].observations[-1]
    assert last.outcome == Outcome.PRIVATE_ADDRESS
    assert "private" in last.reason or "link local" in last.reason
    assert last.hops[-1]["kind"] == "http"


def test_a_redirect_to_a_file_is_an_address_out_of_scope(swept: Swept) -> None:
    seen = {item.url: item for item in swept.records["to-file"].addresses}
    assert seen["file:///etc/passwd"].rule == "scope.scheme"


def test_endless_spaces_end_with_the_budget_and_say_what_is_left(swept: Swept) -> None:
    calendar = swept.records["calendar"]
    assert len([item for item in calendar.observations if item.purpose in ("entry", "page")]) == 15
    assert any(item.decision == "not_reached" and item.rule == "budget.pages" for item in calendar.addresses)
    assert len(swept.records["session-ids"].observations) == 5  # robots.txt, the entry, and three pages


def test_each_of_ten_thousand_links_has_exactly_one_first_decision(swept: Swept) -> None:
    seen = [item for item in swept.records["many-links"].addresses if item.decision in ("candidate", "skipped")]
    assert len(seen) == 10_001
    assert len({item.url for item in seen}) == 10_001
    left = [item for item in swept.records["many-links"].addresses if item.decision == "not_reached"]
    assert len(left) == 10_001 - 15
