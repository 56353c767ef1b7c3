"""A sweep: many visits, several at a time, in worker processes; taken up again where it was cut off.

A worker is one Scrapy engine on one asyncio loop: its downloader slots keep delay and concurrency per host for HTTP and
browser alike, because both fetch through it. Services of one site go to one worker, so that the delay holds there too.
A visit needs nothing but its service, the policy and a folder; so the same ``visit`` runs in a process pool or on Ray.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import secrets
import signal
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import clock, environment
from data.case import Case, Policy, open_case, policy_record
from data.records import Service, Visit
from data.referral import halted_services
from data.spool import VISIT, Spool, VisitBusy, read_visit

if TYPE_CHECKING:
    from crawler.fetch import Fetcher


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


@dataclass(slots=True)
class Workers:
    """The processes of one sweep, and what they report."""

    case: Case
    plan: Plan
    processes: int = 1
    _running: dict[int, tuple[Any, Connection, set[str]]] = field(default_factory=dict)

    def events(self) -> Iterator[object]:
        """Run the plan; yield ``Progress``, ``Closed`` and ``Failed`` as they come. Closing the iterator ends the workers."""
        context = multiprocessing.get_context("spawn")
        try:
            for number, units in enumerate(_shares(self.plan.units, self.processes)):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_worker,
                    args=(str(self.case.root), units, theirs),
                    name=f"plainview-worker-{number}",
                    daemon=True,
                )
                process.start()
                theirs.close()
                self._running[number] = (process, ours, {unit.visit for unit in units})
            while self._running:
                yield from self._next()
        finally:
            self.stop()

    def _next(self) -> Iterator[object]:
        ready = wait([connection for _, connection, _ in self._running.values()], timeout=1.0)
        for number, (process, connection, left) in list(self._running.items()):
            if connection not in ready:
                continue
            try:
                message = connection.recv()
            except (EOFError, OSError):
                process.join(10)
                del self._running[number]
                services = {unit.visit: unit.service.service for unit in self.plan.units}
                for visit in sorted(left):
                    yield Failed(visit, services[visit], f"its worker process ended (exit code {process.exitcode})")
                continue
            if isinstance(message, Closed | Failed):
                left.discard(message.visit)
            yield message

    def stop(self) -> None:
        """End the workers. What they wrote stays; a visit that was open is taken up by the next sweep."""
        for process, connection, _ in self._running.values():
            connection.close()
            process.terminate()
        for process, _, _ in self._running.values():
            process.join(5)
            if process.is_alive():
                process.kill()
        self._running.clear()


def _shares(units: tuple[Unit, ...], processes: int) -> list[list[Unit]]:
    """The units by worker; services of one site stay together, larger sites' lists are spread evenly."""
    from crawler.scope import site

    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(site(unit.service.urls[0]) if unit.service.urls else "", []).append(unit)
    shares: list[list[Unit]] = [[] for _ in range(max(1, min(processes, len(groups))))]
    for group in sorted(groups.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    return [share for share in shares if share]


# --- inside a worker


def _worker(root: str, units: list[Unit], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    case = open_case(Path(root))
    asyncio.run(run_units(case, units, connection.send))
    connection.close()


def _die_with_parent(parent: int) -> None:
    """A worker whose parent was killed has nobody to report to: it ends, and what it wrote is taken up later."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


async def run_units(case: Case, units: list[Unit], tell: Callable[[object], None]) -> None:
    """Make the visits *units*, several at a time, on one Scrapy engine and one browser."""
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
        await runner.crawl(_spider(), case=case, units=units, tell=tell, fetcher=fetcher)
    finally:
        await fetcher.close()


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

        def __init__(
            self, case: Case, units: list[Unit], tell: Callable[[object], None], fetcher: Fetcher, **values: Any
        ) -> None:
            super().__init__(**values)
            self.case, self.units, self.tell, self.fetcher = case, units, tell, fetcher

        async def start(self) -> AsyncIterator[Any]:
            await _visits(self.crawler.engine, self.case, self.units, self.tell)
            # Scrapy wants an asynchronous generator; this one has nothing to yield, because every request goes
            # through the engine's downloader from inside the visit.
            nothing: Any
            for nothing in ():
                yield nothing

    return SweepSpider


async def _visits(engine: Any, case: Case, units: list[Unit], tell: Callable[[object], None]) -> None:
    from crawler.browser import Browser

    browser = Browser(page_seconds=case.policy.page_seconds) if case.policy.render != "never" else None
    places = asyncio.Semaphore(case.policy.visits_at_once)

    async def one(unit: Unit) -> None:
        async with places:
            try:
                tell(await _one_visit(engine, case, unit, browser, tell))
            except VisitBusy as error:
                tell(Failed(unit.visit, unit.service.service, str(error)))
            except Exception as error:
                tell(Failed(unit.visit, unit.service.service, f"{type(error).__name__}: {error}"))

    try:
        await asyncio.gather(*(one(unit) for unit in units))
    finally:
        if browser is not None:
            await browser.close()


async def _one_visit(engine: Any, case: Case, unit: Unit, browser: Any, tell: Callable[[object], None]) -> Closed:
    from scrapy import Request as ScrapyRequest

    from crawler.cookies import Jars
    from crawler.fetch import Fetched
    from crawler.visit import Request, user_agent, visit

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
        jar = jars[request.jar]
        jar.add_cookie_header(asked)
        response = await engine.download_async(asked)
        jar.extract_cookies(response, asked)
        slot = engine.downloader.slots.get(asked.meta.get("download_slot"))
        if slot is not None and request.delay > slot.delay:
            slot.delay = request.delay
        fetched: Fetched = response.request.meta["fetched"]
        return fetched

    agent = user_agent(case.policy, environment.environment()["parts"]["plainview"])
    with Spool(folder, opened) as spool:
        await visit(unit.service, case.policy, spool, download, browser, tell, agent=agent)
    return Closed(unit.visit, folder)
