"""A sweep: many visits, several at a time, in worker processes; taken up again where it was cut off.

A worker is one Scrapy engine on one asyncio loop: its downloader slots keep delay and concurrency per host for HTTP and
browser alike, because both fetch through it. Services of one site go to one worker, so that the delay holds there too.
A visit needs nothing but its service, the policy and a folder; so the same ``visit`` runs in a process pool or on Ray.
"""

from __future__ import annotations

import asyncio
import heapq
import re
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from data import clock, environment
from data.case import Case, Policy, policy_record
from data.depot import Depot, DepotError
from data.disk import remove_tree, sync_folder
from data.engine import RETRIES, Done, Engine, Fault, Local, Lost
from data.records import Service, Visit
from data.referral import halted_services
from data.scratch import scratch
from data.spool import VISIT, Spool, VisitBusy, read_visit

if TYPE_CHECKING:
    from crawler.fetch import Fetcher

_TOLD_EVERY = 1.0
_PATIENCE = (1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True)
class Unit:
    """One visit to make: which service, under which id."""

    visit: str
    service: Service


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep is to do: ``units`` are left to visit, ``done`` were visited before it was cut off."""

    sweep: str
    units: tuple[Unit, ...]
    done: tuple[str, ...]
    resumed: bool
    halted: tuple[tuple[str, str], ...] = ()
    """Services that may not be visited, each with the reason (referral queue)."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A visit's folder is closed and waits in the spool to be taken in."""

    visit: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Failed:
    """A visit could not be run; what it wrote stays in the spool and is taken up by the next sweep."""

    visit: str
    service: str
    reason: str


def plan_sweep(case: Case, names: tuple[str, ...] = (), *, fresh: bool = False) -> Plan:
    """The visits to make: the rest of a sweep that was cut off, or a new sweep over *names* (all services where empty).

    With *fresh*, a sweep that was cut off is left as it is and a new one is planned.
    """
    services = case.services()
    started, finished = None, set()
    for entry in case.ledger.events("sweep.started", "sweep.finished"):
        if entry.event == "sweep.started":
            started = entry
        else:
            finished.add(entry.body["sweep"])
    if started is not None and started.body["sweep"] not in finished and not fresh:
        sweep, resumed = started.body["sweep"], True
        chosen = [services[name] for name in started.body["services"] if name in services]
    else:
        moment = re.sub(r"[-:]|\.\d+", "", clock.now())
        sweep, resumed = f"{moment}-{secrets.token_hex(2)}", False
        chosen = [services[name] for name in names] if names else list(services.values())
    units, done, halted = [], [], []
    stopped = halted_services(case)
    for service in chosen:
        visit = f"{sweep}-{slug(service.service)}"
        if (case.evidence / visit).exists():
            done.append(visit)
        elif service.service in stopped:
            halted.append((service.service, stopped[service.service]))
        else:
            units.append(Unit(visit, service))
    return Plan(sweep, tuple(units), tuple(done), resumed, tuple(halted))


def slug(name: str) -> str:
    """A service's name as part of a folder's name: ASCII, short, and different for different names."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    exact = plain == name and plain
    return plain if exact else f"{plain or 'service'}-{zlib.crc32(name.encode()):08x}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker behaves on a site that others visit at the same time (a store with many listings): it keeps the delay as
    many times as there are *workers*, and begins in its *turn*, so that all of them together keep it once."""

    workers: int
    turn: int


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker is given: visits to make one beside the other. *store* is where to put them, empty where the worker
    writes to the case's own spool."""

    case: Case
    units: tuple[Unit, ...]
    store: str = ""
    pace: Mapping[str, Pace] = field(default_factory=dict)


@dataclass(slots=True)
class Workers:
    """The workers of one sweep, and what they report. Without an engine: *processes* of this machine.

    With a *store* (an fsspec URL) workers need not see the case's folder: each puts the visits that it closed there, and
    they are fetched, checked and laid into the spool here.
    """

    case: Case
    plan: Plan
    processes: int = 1
    engine: Engine | None = None
    store: str = ""
    retries: int = RETRIES
    _running: Engine = field(init=False)

    def events(self) -> Iterator[object]:
        """Run the plan; yield ``Progress``, ``Closed`` and ``Failed`` as they come. Closing the iterator ends the workers."""
        self._running = self.engine or Local(self.processes)
        arrivals = Arrivals(self.case, self.store) if self.store else None
        begun: list[Unit] = []
        rest: list[Unit] = []
        for unit in self.plan.units:
            # What this machine has begun is taken up where it stands, by this machine.
            (begun if arrivals and (self.case.spool / unit.visit / VISIT).exists() else rest).append(unit)
        if begun:
            yield from Workers(self.case, replace(self.plan, units=tuple(begun)), self.processes).events()
        places = self._running.places
        lists = _shares(tuple(rest), places, self.case.policy.visits_at_once)
        # Without the case's folder a worker knows its policy, and nothing else of it.
        case = Case(Path(), policy=self.case.policy) if arrivals else self.case
        shares = [
            Share(case, tuple(units), arrivals.url if arrivals else "", pace)
            for units, pace in zip(lists, _paces(lists, places), strict=True)
        ]
        left = [dict.fromkeys(unit.visit for unit in share.units) for share in shares]
        services = {unit.visit: unit.service.service for unit in rest}
        events = self._running.run(work, shares, retries=self.retries)
        try:
            for number, message in events:
                yield from self._heard(message, left[number], services, arrivals)
        finally:
            events.close()  # type: ignore[attr-defined]

    def _heard(
        self, message: object, left: dict[str, None], services: dict[str, str], arrivals: Arrivals | None
    ) -> Iterator[object]:
        match message:
            case Closed() | Failed() if message.visit not in left:
                pass  # a worker that was thought dead, or one that took the share over, says it again
            case Closed():
                try:
                    folder = arrivals.fetch(message.visit) if arrivals else message.folder
                except (DepotError, OSError) as error:
                    yield Failed(message.visit, services[message.visit], str(error))
                else:
                    yield Closed(message.visit, folder)
                del left[message.visit]
            case Failed():
                del left[message.visit]
                yield message
            case Lost(again=True) | Done():
                pass
            case Lost() | Fault():
                for visit in left:
                    yield Failed(visit, services[visit], message.reason)
                left.clear()
            case _:
                yield message

    def stop(self) -> None:
        """End the workers. What they wrote stays; a visit that was open is taken up by the next sweep."""
        self._running.close()


def _shares(units: tuple[Unit, ...], places: int, at_once: int) -> list[list[Unit]]:
    """The units by worker; services of one site stay together, so that the delay holds there whoever gets them.

    Each worker gets several shares where there are many, so that one slow site does not keep the others' worker waiting,
    and a worker that is lost costs little.
    """
    groups = _groups(units)
    most = -(-len(units) // max(1, places))
    size = max(1, min(most, 8 * at_once))
    count = max(1, min(len(groups), -(-len(units) // size)))
    shares: list[list[Unit]] = [[] for _ in range(count)]
    heap = [(0, number) for number in range(count)]
    for group in sorted(groups, key=len, reverse=True):
        held, number = heapq.heappop(heap)
        shares[number].extend(group)
        heapq.heappush(heap, (held + len(group), number))
    return [share for share in shares if share]


def _groups(units: tuple[Unit, ...]) -> list[list[Unit]]:
    """Units whose own sites have one in common, directly or through others, in the order of the plan."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    groups: dict[str, list[Unit]] = {}
    for unit in units:
        first, *others = _own_sites(unit.service)
        for other in others:
            root[find(other)] = find(first)
    for unit in units:
        groups.setdefault(find(_own_sites(unit.service)[0]), []).append(unit)
    return list(groups.values())


def _own_sites(service: Service) -> list[str]:
    """The sites of a service; of its listings on others' sites only where it has none of its own."""
    from crawler.scope import site
    from crawler.seam import LISTED_KINDS

    own = [url for url in service.urls if service.kind_of(url) not in LISTED_KINDS]
    # A listing alone says little of where a worker's time goes: stores are shared, and paced instead.
    return list(dict.fromkeys(site(url) for url in own)) or [f"listing:{service.service}"]


def _paces(shares: list[list[Unit]], places: int) -> list[dict[str, Pace]]:
    """For each share the sites that stand in others as well, with its pace there."""
    from crawler.scope import site

    holders: dict[str, list[int]] = {}
    for number, units in enumerate(shares):
        for one in {site(url) for unit in units for url in unit.service.urls}:
            holders.setdefault(one, []).append(number)
    paces: list[dict[str, Pace]] = [{} for _ in shares]
    for one, numbers in holders.items():
        together = min(len(numbers), places)
        if together > 1:
            for turn, number in enumerate(numbers):
                paces[number][one] = Pace(together, turn % together)
    return paces


class Arrivals:
    """Visits that workers put into a store, laid into the case's spool as if they had been made here."""

    def __init__(self, case: Case, store: str) -> None:
        self._case = case
        self._depot = Depot(store).of(case)
        self.url = self._depot.url
        # A store inside the case is a way station: what was fetched needs no second copy.
        self._passing = "://" not in store and Path(store).resolve().is_relative_to(case.root.resolve())
        self._environments = {entry.body["id"] for entry in case.ledger.events("environment.recorded")}

    def fetch(self, visit: str) -> Path:
        """Lay a visit into the spool, whole or not at all; its folder. Raises ``DepotError`` and ``OSError``."""
        folder = self._case.spool / visit
        if folder.exists() or (self._case.evidence / visit).exists():
            return folder
        held = self._depot.held(visit)
        if held is None:
            raise DepotError(f"{visit} was said to be in the store and is not there")
        arriving = self._case.root / "arriving" / visit
        remove_tree(arriving)
        self._depot.fetch(held, arriving)
        made_in = read_visit(arriving)
        if made_in.visit != visit or made_in.environment != environment.environment_id(held.environment):
            raise DepotError(f"{visit} in the store holds another visit, or one made elsewhere than it says")
        if made_in.environment not in self._environments:
            self._case.ledger.append(
                "environment.recorded",
                {"id": made_in.environment, "record": held.environment},
                environment=self._case.note(),
            )
            self._environments.add(made_in.environment)
        self._case.spool.mkdir(exist_ok=True)
        arriving.rename(folder)
        sync_folder(self._case.spool)
        if self._passing:
            self._depot.remove(visit)
        return folder


# --- inside a worker


def work(share: Share, tell: Callable[[object], None]) -> None:
    """Make the visits of a share; what another worker closed before is not made again."""
    if not share.store:
        asyncio.run(run_units(share.case, list(share.units), tell, None, share.pace))
        return
    depot = Depot(share.store)
    missing = []
    for unit in share.units:
        if depot.held(unit.visit) is not None:
            tell(Closed(unit.visit, Path()))
        else:
            missing.append(unit)
    if missing:
        _check_this_machine(render=share.case.policy.render != "never")
        with scratch() as folder:
            case = replace(share.case, root=folder)
            asyncio.run(run_units(case, missing, _seldom(tell), depot, share.pace))


@cache
def _check_this_machine(*, render: bool) -> None:
    """The guard's self-test, on every machine and before its first visit; what it raises fails the share."""
    from crawler.selftest import check_guard

    check_guard(render=render)


def _seldom(tell: Callable[[object], None]) -> Callable[[object], None]:
    """*tell* with at most one ``Progress`` a second and visit: each message is a journey over the network."""
    last: dict[str, float] = {}

    def told(message: object) -> None:
        visit = getattr(message, "visit", "")
        now = time.monotonic()
        if isinstance(message, Closed | Failed) or now - last.get(visit, -2.0) > _TOLD_EVERY:
            last[visit] = now
            tell(message)

    return told


async def run_units(
    case: Case,
    units: list[Unit],
    tell: Callable[[object], None],
    depot: Depot | None = None,
    pace: Mapping[str, Pace] = MappingProxyType({}),
) -> None:
    """Make the visits *units*, several at a time, on one Scrapy engine and one browser; put them into *depot* if given."""
    from scrapy.crawler import AsyncCrawlerRunner

    from crawler.fetch import Fetcher, Limits

    policy = case.policy
    fetcher = Fetcher(
        Limits(policy.max_body_bytes, policy.timeout_seconds, max(policy.page_seconds, policy.timeout_seconds)),
        policy.networks(),
        policy.proxy,
    )
    runner = AsyncCrawlerRunner(_settings(policy))
    try:
        await runner.crawl(_spider(), job=_Job(case, units, tell, depot, pace), fetcher=fetcher)
    finally:
        await fetcher.close()


@dataclass(slots=True)
class _Job:
    """What a worker does at the moment, and for whom."""

    case: Case
    units: list[Unit]
    tell: Callable[[object], None]
    depot: Depot | None
    pace: Mapping[str, Pace]
    _begun: dict[str, float] = field(default_factory=dict)

    async def wait_for_turn(self, site: str, pace: Pace) -> None:
        """Before the first requests to a shared site, wait until those of the workers before this one are over."""
        now = time.monotonic()
        begin = self._begun.setdefault(site, now + pace.turn * self.case.policy.delay_seconds)
        if begin > now:
            await asyncio.sleep(begin - now)


def _settings(policy: Policy) -> dict[str, Any]:
    nothing = dict.fromkeys(("data", "file", "ftp", "s3"))
    handler = "crawler.fetch.Downloads"
    return {
        "TWISTED_REACTOR_ENABLED": False,
        "DOWNLOAD_HANDLERS": {**nothing, "http": handler, "https": handler},
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {"scrapy.extensions.throttle.AutoThrottle": 0},
        "AUTOTHROTTLE_ENABLED": policy.delay_seconds > 0,
        "AUTOTHROTTLE_START_DELAY": policy.delay_seconds,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": float(policy.concurrency_per_host),
        "DOWNLOAD_DELAY": policy.delay_seconds,
        "DOWNLOAD_DELAY_JITTER": 0.0,
        "CONCURRENT_REQUESTS": policy.visits_at_once * policy.concurrency_per_host * 2,
        "CONCURRENT_REQUESTS_PER_DOMAIN": policy.concurrency_per_host,
        # Scrapy's own middleware fetches a list of suffixes from the network, past the guard, and keeps jars for good.
        "COOKIES_ENABLED": False,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "STATS_DUMP": False,
    }


def _spider() -> Any:
    """The spider class; made here because Scrapy is imported only where a crawl runs."""
    import scrapy

    class SweepSpider(scrapy.Spider):
        name = "plainview"

        def __init__(self, job: _Job, fetcher: Fetcher, **values: Any) -> None:
            super().__init__(**values)
            self.job, self.fetcher = job, fetcher

        async def start(self) -> AsyncIterator[Any]:
            await _visits(self.crawler.engine, self.job)
            # Scrapy wants an asynchronous generator; this one has nothing to yield, because every request goes
            # through the engine's downloader from inside the visit.
            nothing: Any
            for nothing in ():
                yield nothing

    return SweepSpider


async def _visits(engine: Any, job: _Job) -> None:
    from crawler.browser import Browser

    policy = job.case.policy
    browser = Browser(page_seconds=policy.page_seconds) if policy.render != "never" else None
    places = asyncio.Semaphore(policy.visits_at_once)

    async def one(unit: Unit) -> None:
        async with places:
            try:
                closed = await _one_visit(engine, job, unit, browser)
                if job.depot is not None:
                    await asyncio.to_thread(_hand_in, job.depot, closed.folder)
                job.tell(closed)
            except VisitBusy as error:
                job.tell(Failed(unit.visit, unit.service.service, str(error)))
            except Exception as error:
                job.tell(Failed(unit.visit, unit.service.service, f"{type(error).__name__}: {error}"))

    try:
        await asyncio.gather(*(one(unit) for unit in job.units))
    finally:
        if browser is not None:
            await browser.close()


def _hand_in(depot: Depot, folder: Path) -> None:
    """Put a closed visit into the store, trying again for a while: a visit takes minutes, a hiccup seconds."""
    for seconds in (*_PATIENCE, None):
        try:
            depot.put(folder)
            break
        except Exception:
            if seconds is None:
                raise
            time.sleep(seconds)
    remove_tree(folder)


async def _one_visit(engine: Any, job: _Job, unit: Unit, browser: Any) -> Closed:
    from scrapy import Request as ScrapyRequest

    from crawler.cookies import Jars
    from crawler.fetch import Fetched
    from crawler.scope import site
    from crawler.visit import Request, user_agent, visit

    case = job.case
    folder = case.spool / unit.visit
    if (folder / VISIT).exists() and read_visit(folder).state == "closed":
        return Closed(unit.visit, folder)
    opened = Visit(
        visit=unit.visit,
        service=unit.service.service,
        started=clock.now(),
        entry_urls=unit.service.urls,
        environment=environment.environment_id(),
        policy=policy_record(case.policy),
    )

    jars = Jars()

    async def download(request: Request) -> Fetched:
        asked = ScrapyRequest(
            request.url,
            method=request.method,
            headers=request.headers,
            meta={"scripts": request.scripts},
            dont_filter=True,
        )
        pace = job.pace.get(site(request.url)) if job.pace else None
        delay = request.delay
        if pace is not None:
            delay = max(delay, case.policy.delay_seconds * pace.workers)
            await job.wait_for_turn(site(request.url), pace)
        jar = jars[request.jar]
        jar.add_cookie_header(asked)
        response = await engine.download_async(asked)
        jar.extract_cookies(response, asked)
        slot = engine.downloader.slots.get(asked.meta.get("download_slot"))
        if slot is not None and delay > slot.delay:
            slot.delay = delay
        fetched: Fetched = response.request.meta["fetched"]
        return fetched

    agent = user_agent(case.policy, environment.environment()["parts"]["plainview"])
    with Spool(folder, opened) as spool:
        await visit(unit.service, case.policy, spool, download, browser, job.tell, agent=agent)
    return Closed(unit.visit, folder)
