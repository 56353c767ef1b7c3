"""A sweep on more than one machine: the same rows as on one, whatever is lost on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.sweep import Arrivals, Closed, Failed, Plan, Unit, Workers, _paces, _shares, plan_sweep
from data.case import Case, CaseError
from data.cluster import Cluster
from data.depot import Depot, DepotError
from data.disk import remove_tree
from data.engine import Lost
from data.ingest import take_in
from data.records import Service
from data.store import reading, rows
from data.verify import verify
from tests.cluster import S3, small_cluster
from tests.crawler.case import case_with
from tests.data.cases import spool_visit
from tests.hostile.server import Answer, Asked, Server

# What is another in two runs of the same sweep: names of visits, moments, and what hangs on them.
_OF_THE_RUN = ("observation", "visit", "started", "ended", "found_on", "warc_record", "warc_offset", "warc_length")


def site(asked: Asked) -> Answer | None:
    """A home page, three more pages, one redirect; each host says its own name."""
    pages = {"/": "/a /b /to /c", "/a": "/b", "/b": "/", "/c": "/a"}
    if asked.path == "/to":
        return Answer(b"", "text/html", 302, (("Location", "/c"),))
    if asked.path not in pages:
        return None
    links = "".join(f'<a href="{path}">{path}</a>' for path in pages[asked.path].split())
    return Answer(f"<!doctype html><title>T</title><p>{asked.path} of {asked.host}.</p>{links}".encode())


def services(server: Server) -> list[dict[str, Any]]:
    """One service a host."""
    return [{"service": f"s{number:02d}", "urls": [f"{server.origin(number)}/"]} for number in range(len(server.hosts))]


def seen(case: Case) -> list[str]:
    """Every observation and every decision on an address, without what names the run."""
    with reading(case) as connection:
        found = rows(connection, "SELECT * FROM observations") + rows(connection, "SELECT * FROM addresses")
    return sorted(
        json.dumps({key: value for key, value in row.items() if key not in _OF_THE_RUN}, sort_keys=True)
        for row in found
    )


def sweep(case: Case, **how: Any) -> list[object]:
    """Run the case's sweep and take in what came of it; the events."""
    plan = plan_sweep(case)
    if not plan.resumed:
        listed = [unit.service.service for unit in plan.units]
        case.record("sweep.started", {"sweep": plan.sweep, "services": listed})
    events = []
    for event in Workers(case, plan, **how).events():
        events.append(event)
        if isinstance(event, Closed):
            take_in(case)
    return events


def case_of(folder: Path, server: Server, **policy: str) -> Case:
    case = case_with(folder, **policy)
    case.record("services.added", {"services": services(server)})
    return case


def hosts(count: int) -> tuple[str, ...]:
    return tuple(f"127.0.{20 + number // 200}.{1 + number % 200}" for number in range(count))


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3]:
    with S3() as server:
        yield server


def test_on_ray_and_s3_a_sweep_gives_the_rows_of_a_local_one(tmp_path: Path, bucket: S3) -> None:
    with Server(site, hosts(4)) as server, small_cluster(1) as cluster:
        local = case_of(tmp_path / "local", server)
        sweep(local, processes=1)
        wide = case_of(tmp_path / "wide", server)
        engine = Cluster(cluster.address)
        events = sweep(wide, engine=engine, store=bucket.url("case"))
        engine.close()
    assert not [event for event in events if isinstance(event, Failed)]
    assert seen(wide) == seen(local)
    assert len(seen(wide)) > 4 * 8
    assert verify(wide.root, records=True).problems == []
    assert not list(wide.spool.iterdir())
    depot = Depot(bucket.url("case")).of(wide)
    for folder in wide.evidence.iterdir():
        held = depot.held(folder.name)
        assert held is not None
        depot.fetch(held, tmp_path / "again" / folder.name)
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
            file.name: file.read_bytes() for file in (tmp_path / "again" / folder.name).iterdir()
        }


class Heard(Cluster):
    """A cluster that keeps what was lost."""

    lost: list[Lost]

    def run(self, *given: Any, **options: Any) -> Iterator[tuple[int, object]]:
        self.lost = []
        for number, message in super().run(*given, **options):
            if isinstance(message, Lost):
                self.lost.append(message)
            yield number, message


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_two_of_three_nodes_die_and_nothing_is_missing_or_there_twice(tmp_path: Path, bucket: S3) -> None:
    with Server(site, hosts(60)) as server, small_cluster(3, cpus=1) as cluster:
        local = case_of(tmp_path / "local", server)
        sweep(local, processes=2)
        wide = case_of(tmp_path / "wide", server, delay_seconds="0.3", visits_at_once="2")
        engine = Heard(cluster.address)
        doomed = sorted(cluster.worker_nodes, key=lambda node: node.node_id)
        plan = plan_sweep(wide)
        wide.record("sweep.started", {"sweep": plan.sweep, "services": [unit.service.service for unit in plan.units]})
        events: list[object] = []
        for event in Workers(wide, plan, engine=engine, store=bucket.url("killed")).events():
            events.append(event)
            closed = sum(isinstance(item, Closed) for item in events)
            if isinstance(event, Closed) and closed in (8, 24):
                cluster.remove_node(doomed.pop(), allow_graceful=False)
            if isinstance(event, Closed):
                take_in(wide)
        engine.close()
    assert not doomed
    assert engine.lost
    assert all(item.again for item in engine.lost)
    assert not [event for event in events if isinstance(event, Failed)]
    visits = [event.visit for event in events if isinstance(event, Closed)]
    assert len(visits) == len(set(visits)) == 60
    assert seen(wide) == seen(local)
    assert verify(wide.root, records=True).problems == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_that_was_stopped_is_taken_up_on_another_cluster(tmp_path: Path, bucket: S3) -> None:
    with Server(site, hosts(12)) as server:
        local = case_of(tmp_path / "local", server)
        sweep(local, processes=2)
        wide = case_of(tmp_path / "wide", server, delay_seconds="0.3", visits_at_once="2")
        first = plan_sweep(wide)
        wide.record("sweep.started", {"sweep": first.sweep, "services": [unit.service.service for unit in first.units]})
        with small_cluster(2, cpus=1) as cluster:
            engine = Cluster(cluster.address)
            events = Workers(wide, first, engine=engine, store=bucket.url("moved")).events()
            closed = 0
            for event in events:
                closed += isinstance(event, Closed)
                if closed == 3:
                    break
            events.close()  # type: ignore[attr-defined]
            engine.close()
        with small_cluster(1) as cluster:
            engine = Cluster(cluster.address)
            take_in(wide)
            second = plan_sweep(wide)
            assert second.resumed
            assert second.sweep == first.sweep
            assert len(second.done) == 3
            sweep(wide, engine=engine, store=bucket.url("moved"))
            engine.close()
    assert seen(wide) == seen(local)
    assert verify(wide.root, records=True).problems == []


def test_a_visit_is_in_the_depot_only_when_all_of_it_is(tmp_path: Path) -> None:
    case = case_with(tmp_path)
    folder = spool_visit(case, 1)
    depot = Depot(str(tmp_path / "depot")).of(case)
    depot.put(folder)
    held = depot.held(folder.name)
    assert held is not None
    assert set(held.files) == {"attempts.jsonl", "addresses.jsonl", "records.warc.gz", "visit.json"}
    place = tmp_path / "depot"
    manifest = next(place.rglob("closed.json"))
    manifest.unlink()
    assert depot.held(folder.name) is None


@pytest.mark.parametrize("name", ["records.warc.gz", "attempts.jsonl", "visit.json"])
def test_a_changed_byte_in_the_store_is_not_taken_in(tmp_path: Path, name: str) -> None:
    case = case_with(tmp_path)
    folder = spool_visit(case, 1)
    store = tmp_path / "depot"
    Depot(str(store)).of(case).put(folder)
    remove_tree(folder)
    file = next(store.rglob(name))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(DepotError, match=name):
        Arrivals(case, str(store)).fetch(folder.name)
    assert not folder.exists()
    assert take_in(case) == []


def test_what_is_not_closed_is_not_put(tmp_path: Path) -> None:
    case = case_with(tmp_path)
    folder = spool_visit(case, 1, close=False)
    with pytest.raises(DepotError, match="not closed"):
        Depot(str(tmp_path / "depot")).put(folder)


def test_a_store_with_a_key_in_its_address_is_refused() -> None:
    with pytest.raises(CaseError, match="environment"):
        Depot("s3://name:secret@bucket/prefix")


def test_two_cases_in_one_store_do_not_see_each_other(tmp_path: Path) -> None:
    one, other = case_with(tmp_path / "one"), case_with(tmp_path / "other")
    folder = spool_visit(one, 1)
    Depot(str(tmp_path / "depot")).of(one).put(folder)
    assert Depot(str(tmp_path / "depot")).of(other).held(folder.name) is None


def listing(number: int) -> Service:
    """A service with a site of its own and a listing in a store that many share."""
    return Service(
        f"s{number}",
        kinds=("website", "app_listing"),
        urls=(f"http://own{number}.example/", f"http://store.example/app/{number}"),
    )


def test_services_of_one_site_stay_together_and_a_shared_store_is_paced() -> None:
    units = tuple(Unit(f"v{number}", listing(number)) for number in range(12))
    twins = tuple(Unit(f"w{number}", Service(f"w{number}", urls=("http://twins.example/",))) for number in range(5))
    shares = _shares((*units, *twins), 3, 1)
    assert sorted(unit.visit for share in shares for unit in share) == sorted(unit.visit for unit in (*units, *twins))
    assert sum(any(unit in share for unit in twins) for share in shares) == 1
    paces = _paces(shares, 3)
    holding = [pace["store.example"] for pace in paces if "store.example" in pace]
    assert len(holding) == sum(any(unit in share for unit in units) for share in shares) > 1
    assert {pace.workers for pace in holding} == {min(3, len(holding))}
    assert {pace.turn for pace in holding} == set(range(min(3, len(holding))))
    assert not any("twins.example" in pace for pace in paces)


def test_workers_together_keep_the_delay_of_a_site_that_they_share(tmp_path: Path) -> None:
    times: list[float] = []

    def shop(asked: Asked) -> Answer | None:
        if asked.host.startswith("127.0.30.1:") or asked.host == "127.0.30.1":
            times.append(time.monotonic())
            return Answer(b"<!doctype html><title>T</title><p>A listing.</p>") if asked.path != "/robots.txt" else None
        return site(asked)

    with Server(shop, ("127.0.30.1", *hosts(2))) as server:
        case = case_with(tmp_path, delay_seconds="0.5")
        units = tuple(
            Unit(
                f"v{number}",
                Service(
                    f"s{number}",
                    kinds=("website", "app_listing"),
                    urls=(f"{server.origin(number)}/", f"{server.origin(0)}/app/{number}"),
                ),
            )
            for number in (1, 2)
        )
        events = list(Workers(case, Plan("s", units, (), False), processes=2).events())
    assert sum(isinstance(event, Closed) for event in events) == 2
    assert len(times) >= 4
    # Over the whole of it, not between any two: each worker keeps twice the delay, and they began in turn.
    assert (max(times) - min(times)) / (len(times) - 1) > 0.4
