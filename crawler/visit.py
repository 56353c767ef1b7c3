"""A visit: one bounded look at one service. Read from top to bottom, this is all that happens.

entry addresses -> scope -> robots -> guard -> fetch -> guard -> record -> (browser) -> links -> scope …
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

from playwright.async_api import BrowserContext

from crawler import guard
from crawler.browser import Answer, Browser, Rendered
from crawler.fetch import ACCEPT, ACCEPT_ENCODING, Fetched
from crawler.frontier import Candidate, Frontier
from crawler.page import Link, Page, header_refresh, is_html, read_page
from crawler.recording import Asked, Text, readable, record, record_rendered
from crawler.robots import MAX_REDIRECTS, PRODUCT, RobotsRules, read_robots
from crawler.scope import Scope
from crawler.seam import LISTED_KINDS, seam_links
from crawler.walls import Wall, find_walls
from data import address, clock
from data.case import Policy
from data.outcomes import Outcome
from data.records import Hop, Observation, PageFacts, Service, Visit
from data.spool import Spool
from data.stored import StoredTexts, decode_text

# Characters of programs that a visit keeps for its other pages.
_PROGRAMS_LENGTH = 16_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask of a server, as the visit hands it to the sweep's downloader."""

    method: str
    url: str
    headers: dict[str, str]
    jar: str
    scripts: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How a visit stands, sent after every step."""

    visit: str
    service: str
    done: int
    queued: int
    blocked: int
    outcome: str
    url: str = ""
    finished: bool = False


Download = Callable[[Request], Awaitable[Fetched]]
Tell = Callable[[Progress], None]

# These say that the server does not want the visit now; after three in a row the rest of the site is left alone.
_UNWELCOME = frozenset({Outcome.BLOCKED, Outcome.CHALLENGE})
_BLOCKED_STATUS = frozenset({401, 403, 407, 429, 451, 503})
# These say "later": the site is left in peace and the address asked for once more.
_BUSY = frozenset({429, 503})
_LONGEST_WAIT = 120.0
_UNREACHABLE = frozenset({Outcome.DNS_ERROR, Outcome.REFUSED, Outcome.PRIVATE_ADDRESS, Outcome.TLS_ERROR})


def user_agent(policy: Policy, version: str) -> str:
    """The honest name: product, version and, where the case gives one, whom to write to."""
    if policy.user_agent:
        return policy.user_agent
    contact = f"; {policy.contact}" if policy.contact else ""
    return f"{PRODUCT}/{version} (text-only review{contact})"


async def visit(
    service: Service,
    policy: Policy,
    spool: Spool,
    download: Download,
    browser: Browser | None,
    tell: Tell,
    *,
    agent: str,
) -> Visit:
    """Look at *service* within the bounds of *policy*, put everything on *spool*, and close it."""
    look = _Look(service, policy, spool, download, browser, tell, agent)
    return await look.run()


@dataclass(slots=True)
class _Look:
    service: Service
    policy: Policy
    spool: Spool
    download: Download
    browser: Browser | None
    tell: Tell
    agent: str
    frontier: Frontier = field(init=False)
    scope: Scope = field(init=False)
    robots: dict[str, RobotsRules] = field(default_factory=dict)
    partial: dict[str, None] = field(default_factory=dict)
    pages: int = 0
    rendered: int = 0
    blocked: int = 0
    unwelcome: int = 0
    first_outcome: str = ""
    last_outcome: str = ""
    deadline: float = 0.0
    quiet_until: float = 0.0
    context: BrowserContext | None = None
    context_users: Counter[BrowserContext] = field(default_factory=Counter)
    programs: dict[str, Answer] = field(default_factory=dict)
    programs_length: int = 0
    robots_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    context_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rendering: asyncio.Semaphore = field(init=False)

    async def run(self) -> Visit:
        listed = tuple(url for url in self.service.urls if self.service.kind_of(url) in LISTED_KINDS)
        self.scope = Scope(self.service.urls, listed)
        self.frontier = Frontier(self.spool, self.scope)
        self.deadline = time.monotonic() + self.policy.visit_minutes * 60
        self.rendering = asyncio.Semaphore(self.policy.concurrency_per_host)
        self._take_up()
        for url in self.service.urls:
            self.frontier.offer(Link(url, "", "entry"), found_on="", depth=0)
        try:
            await self._make_good()
            await self._work()
            await self._profiles()
        finally:
            for context in {*filter(None, (self.context,)), *self.context_users}:
                await _quietly(context.close())
        return self._close()

    # --- the queue

    async def _work(self) -> None:
        """Fetch from the queue, several at a time, until it is empty or a bound is reached."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                while len(running) < self.policy.concurrency_per_host and (candidate := self._next()) is not None:
                    running.add(asyncio.create_task(self._look_at(candidate)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in running:
                task.cancel()

    def _next(self) -> Candidate | None:
        """The next address, or None where nothing waits or a bound is reached; what is left then is on record."""
        if not len(self.frontier):
            return None
        if self.policy.page_budget and self.pages >= self.policy.page_budget:
            self.frontier.leave("budget.pages", f"the page budget of {self.policy.page_budget} was used up")
            return None
        if time.monotonic() > self.deadline:
            self.frontier.leave("budget.time", f"the visit's {self.policy.visit_minutes:g} minutes were used up")
            self.partial["time ran out"] = None
            return None
        if self.unwelcome >= 3:
            self.frontier.leave("manners.unwelcome", "the site refused three visits in a row and was left alone")
            self.partial["the site refused to be visited"] = None
            return None
        self.pages += 1
        return self.frontier.pop()

    # --- one address

    async def _look_at(self, candidate: Candidate) -> None:
        rules = await self._robots_for(candidate.url)
        if not rules.allows(candidate.url) and self.policy.obey_robots:
            self.pages -= 1
            self.blocked += 1
            self._refused_by_robots(candidate, rules)
            return
        asked = self._asked("entry" if candidate.depth == 0 else "page", candidate)
        fetched = await self._fetch(candidate.url, asked, delay=rules.delay())
        text = readable(fetched)
        if fetched.status in _BUSY and not candidate.retry_of:
            candidate, asked, fetched, text = await self._ask_again(candidate, asked, fetched, text)
        self._note(fetched.outcome)
        if fetched.status is not None and 300 <= fetched.status < 400 and fetched.status != 304:
            self._redirected(candidate, asked, fetched, text)
            return
        page = self._read(fetched, text)
        walls = find_walls(fetched.status, fetched.headers, page.words if page else text.text[:20_000], text.text)
        outcome, reason, rule = _judge(fetched, walls)
        refresh = header_refresh(fetched.headers, fetched.url)
        sends_to, kind = (refresh, "refresh") if refresh else (page.refresh if page else "", "meta")
        observation = record(
            self.spool,
            fetched,
            asked,
            text,
            outcome=outcome,
            reason=reason,
            rule=rule,
            redirect_to=sends_to,
            redirect_kind=kind if sends_to else "",
            page=_with_walls(page.facts, walls) if page else None,
        )
        self._count(candidate, outcome)
        if sends_to:
            self._follow(candidate, observation, sends_to, kind)
        if page is not None:
            await self._offer_links(candidate, observation, page, text.text)
            if outcome in (Outcome.OK, Outcome.TRUNCATED) and self._wants_browser(page):
                await self._render(candidate, observation, fetched, text, page)
        self._report(fetched.url)

    async def _ask_again(
        self, candidate: Candidate, asked: Asked, fetched: Fetched, text: Text
    ) -> tuple[Candidate, Asked, Fetched, Text]:
        """A server that is busy is left in peace for as long as it asks, within bounds, and asked once more."""
        seconds = min(_retry_after(fetched, 2 * self.policy.delay_seconds), max(0.0, self.deadline - time.monotonic()))
        outcome, reason, rule = _judge(fetched, ())
        said = f"{reason}; asked once more after {seconds:.0f} s"
        first = record(self.spool, fetched, asked, text, outcome=outcome, reason=said, rule=rule)
        self.quiet_until = time.monotonic() + seconds
        candidate = replace(candidate, retry_of=first.observation)
        asked = replace(asked, retry_of=first.observation)
        again = await self._fetch(candidate.url, asked)
        return candidate, asked, again, readable(again)

    def _read(self, fetched: Fetched, text: Text) -> Page | None:
        if not text.text or not is_html(fetched.type_declared, text.text):
            return None
        return read_page(text.text, fetched.url, fetched.headers)

    def _redirected(self, candidate: Candidate, asked: Asked, fetched: Fetched, text: Text) -> None:
        target = ""
        location = fetched.header("location")
        if location:
            try:
                # Servers send raw UTF-8 in Location; HTTP hands it over as Latin-1.
                target = address.canonical(_as_sent(location), fetched.url)
            except address.BadAddress:
                target = ""
        loop = bool(target) and (
            address.identity(target) == address.identity(fetched.url)
            or any(hop["url"] == target for hop in candidate.hops)
            or len(candidate.hops) >= self.policy.max_redirects
        )
        outcome = Outcome.REDIRECT_LOOP if loop else Outcome.REDIRECT
        reason = (
            f"status {fetched.status} to {target[:300]}" if target else f"status {fetched.status} without an address"
        )
        if fetched.outcome not in (Outcome.OK, Outcome.TRUNCATED, Outcome.NO_CONTENT):
            reason += f"; body: {fetched.reason}"
        observation = record(
            self.spool,
            fetched,
            asked,
            text,
            outcome=outcome,
            reason=reason,
            rule="redirect.loop" if loop else "",
            redirect_to=target,
            redirect_kind="http" if target else "",
        )
        self._count(candidate, outcome)
        if target and not loop:
            self._follow(candidate, observation, target, "http")
        self._report(fetched.url)

    def _follow(self, candidate: Candidate, source: Observation, target: str, kind: str) -> None:
        """Queue where a page sends its visitors, with the hops that led there."""
        hop = Hop(kind, candidate.url, source.status).as_json()
        hops = (*candidate.hops, hop)
        if len(hops) > self.policy.max_redirects:
            return
        link = Link(target, "", "redirect")
        self.frontier.offer(
            link, found_on=source.observation, depth=candidate.depth, hops=hops, from_entry=candidate.depth == 0
        )

    async def _offer_links(self, candidate: Candidate, source: Observation, page: Page, html: str) -> None:
        kind = self._listed_as(candidate)
        if kind:
            # Where a listing leads is an entry of the same service: it is fetched first, and redirects from it are followed.
            for link in seam_links(html, candidate.url, kind):
                self.frontier.offer(link, found_on=source.observation, depth=0)
        for number, link in enumerate(page.links):
            self.frontier.offer(link, found_on=source.observation, depth=candidate.depth + 1)
            if number % 200 == 199:
                await asyncio.sleep(0)  # other visits' time limits run meanwhile

    def _listed_as(self, candidate: Candidate) -> str:
        """As what a store page, a bot or an advertisement is listed, also where it redirected; empty for other pages."""
        first = str(candidate.hops[0]["url"]) if candidate.hops else candidate.url
        kind = self.service.kind_of(first) if candidate.depth == 0 and first in self.service.urls else ""
        return kind if kind in LISTED_KINDS else ""

    # --- robots

    async def _robots_for(self, url: str) -> RobotsRules:
        """The rules of *url*'s origin; fetched, decided and recorded once a visit."""
        origin = address.origin(url)
        async with self.robots_lock:
            if origin not in self.robots:
                self.robots[origin] = await self._read_robots(origin)
            return self.robots[origin]

    async def _read_robots(self, origin: str) -> RobotsRules:
        url, hops = f"{origin}/robots.txt", ()
        for _ in range(MAX_REDIRECTS + 1):
            asked = Asked("robots", hops=hops, user_agent=self.agent, accept_language=self.policy.accept_language)
            fetched = await self._fetch(url, asked)
            location = fetched.header("location")
            if fetched.status is None or not 300 <= fetched.status < 400 or not location:
                break
            try:
                target = address.canonical(_as_sent(location), url)
            except address.BadAddress:
                break
            record(
                self.spool,
                fetched,
                asked,
                readable(fetched),
                outcome=Outcome.REDIRECT,
                redirect_to=target,
                redirect_kind="http",
            )
            hops = (*hops, Hop("http", url, fetched.status).as_json())  # type: ignore[assignment]
            url = target
        rules = read_robots(fetched)
        outcome, _, rule = _judge(fetched, ())
        said = f"robots: {rules.state}: {rules.reason}"
        record(self.spool, fetched, asked, readable(fetched), outcome=outcome, reason=said, rule=rule)
        return rules

    def _refused_by_robots(self, candidate: Candidate, rules: RobotsRules) -> None:
        if rules.met is not None:
            reason = f"{rules.reason}; with robots.txt out of reach nothing else is asked for (RFC 9309 2.3.1.4)"
        elif rules.state == "unreachable":
            reason = f"robots.txt could not be read ({rules.reason}), which means no (RFC 9309 2.3.1.4)"
        else:
            reason = "robots.txt asks crawlers not to fetch it"
        if self._listed_as(candidate) and rules.met is None:
            # A store that may not be looked at is the usual case, and the listing matters: a person can look and save it.
            name = self.service.service
            reason += f"; look at it by hand, save the page and give it with: plainview import FILE --service {name!r}"
        outcome = rules.met or Outcome.ROBOTS
        never = Fetched(url=candidate.url, started=_now(), ended=_now(), outcome=outcome, reason=reason)
        never.rule = f"robots.{rules.state}"
        record(self.spool, never, self._asked("entry" if candidate.depth == 0 else "page", candidate), Text())
        self._count(candidate, outcome)
        self._report(candidate.url)

    # --- asking

    def _asked(self, purpose: str, candidate: Candidate, profile: str = "A") -> Asked:
        language = self.policy.profile_b_accept_language if profile == "B" else self.policy.accept_language
        return Asked(
            purpose=purpose,
            profile=profile,
            found_on=candidate.found_on,
            depth=candidate.depth,
            role=candidate.role,
            hops=candidate.hops,
            retry_of=candidate.retry_of,
            user_agent=self.agent,
            accept_language=language,
        )

    async def _fetch(self, url: str, asked: Asked, *, scripts: bool = False, delay: float = 0.0) -> Fetched:
        left = self.quiet_until - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)
        self.spool.begin(url)
        headers = {
            "User-Agent": asked.user_agent,
            "Accept": "*/*" if scripts else ACCEPT,
            "Accept-Language": asked.accept_language,
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        jar = f"{self.spool.visit.visit}.{asked.profile}"
        return await self.download(Request("GET", url, headers, jar, scripts, delay))

    # --- the browser

    def _wants_browser(self, page: Page) -> bool:
        if self.browser is None or self.policy.render == "never":
            return False
        if self.policy.render_pages and self.rendered >= self.policy.render_pages and self.policy.render == "auto":
            if page.scripted:
                self.partial[f"more than {self.policy.render_pages} pages needed a browser"] = None
            return False
        return self.policy.render == "always" or bool(page.scripted)

    async def _render(
        self, candidate: Candidate, source: Observation, fetched: Fetched, text: Text, page: Page
    ) -> None:
        assert self.browser is not None
        self.rendered += 1
        async with self.rendering:
            try:
                rendered = await self._rendered(candidate, fetched, text)
            except Exception as error:
                rendered = Rendered(failed=f"{type(error).__name__}: {str(error).splitlines()[0][:300]}")
        if rendered.failed and not rendered.html:
            self._render_failed(candidate, fetched, rendered.failed)
        else:
            html = guard.scrub(rendered.html).text
            made = read_page(html, fetched.url, fetched.headers)
            facts = _with_hosts(made.facts, tuple(rendered.hosts_asked))
            reason = page.scripted or "every page is rendered in this case"
            after = record_rendered(
                self.spool,
                source,
                rendered.html,
                rendered.started,
                rendered.ended,
                facts,
                reason=reason,
                partial=rendered.failed or rendered.partial,
            )
            await self._offer_links(candidate, after, made, html)
            for moved in rendered.history:
                self._follow_history(candidate, after, moved)
        # A meta refresh fires in the browser as well; it is on record already.
        if rendered.left_for and rendered.left_for.partition("#")[0] != page.refresh:
            self._follow(candidate, source, _plain(rendered.left_for), "script")

    async def _rendered(self, candidate: Candidate, fetched: Fetched, text: Text) -> Rendered:
        """Render; once more where it was the browser that died and not the page that failed."""
        assert self.browser is not None
        for last in (False, True):
            async with self.context_lock:
                if self.context is None:
                    self.context = await self.browser.context(self.agent, self.policy.accept_language)
                context = self.context
                self.context_users[context] += 1
            try:
                rendered = await self.browser.render(context, fetched.url, text.text, self._bring_for(candidate))
                alive = self.browser.alive(context)
                # What hung or died may have harmed the context: the pages after this one get another.
                if not rendered.html and self.context is context:
                    self.context = None
            finally:
                await self._leave(context)
            if last or rendered.html or alive:
                break
        return rendered

    async def _leave(self, context: BrowserContext) -> None:
        """Close a context that no page uses and no further one is going to."""
        self.context_users[context] -= 1
        if self.context_users[context] <= 0:
            del self.context_users[context]
            if context is not self.context:
                await _quietly(context.close())

    def _render_failed(self, candidate: Candidate, fetched: Fetched, reason: str) -> None:
        self.partial["a page could not be rendered"] = None
        never = Fetched(url=fetched.url, started=_now(), ended=_now(), outcome=Outcome.RENDER_FAILED, reason=reason)
        never.rule = "browser.failed"
        record(self.spool, never, self._asked("rendered", candidate), Text())

    def _follow_history(self, candidate: Candidate, source: Observation, url: str) -> None:
        try:
            target = address.canonical(url)
        except address.BadAddress:
            return
        hop = Hop("history", candidate.url, None).as_json()
        self.frontier.offer(
            Link(target, "", "history"), found_on=source.observation, depth=candidate.depth, hops=(*candidate.hops, hop)
        )

    def _bring_for(self, candidate: Candidate) -> Callable[[str, str], Awaitable[Answer | None]]:
        """What the browser's requests become: fetches by the same fetcher, of the service's own site only."""

        async def bring(url: str, kind: str) -> Answer | None:
            try:
                target = address.canonical(url)
            except address.BadAddress:
                return None
            if not self.scope.is_own(target):
                return None
            if kind == "script" and target in self.programs:
                return self.programs[target]
            if self.policy.obey_robots and not (await self._robots_for(target)).allows(target):
                return None
            fetched = await self._fetch_subresource(candidate, target)
            if fetched.outcome is not Outcome.OK or fetched.status is None:
                return None
            text, _ = _decoded(fetched)
            clean = guard.scrub(text, program=True).text
            essence = guard.media_type(fetched.type_declared) or "text/plain"
            answer = Answer(fetched.status, f"{essence}; charset=utf-8", clean)
            if kind == "script":
                self._remember(target, fetched, answer)
            return answer

        return bring

    def _remember(self, url: str, fetched: Fetched, answer: Answer) -> None:
        """Keep a program for the visit's other pages, as any browser would: fewer requests to the site."""
        control = (fetched.header("cache-control") or "").lower()
        if url in self.programs or "no-store" in control or len(answer.text) > _PROGRAMS_LENGTH:
            return
        while self.programs and self.programs_length + len(answer.text) > _PROGRAMS_LENGTH:
            oldest = next(iter(self.programs))
            self.programs_length -= len(self.programs.pop(oldest).text)
        self.programs[url] = answer
        self.programs_length += len(answer.text)

    async def _fetch_subresource(self, candidate: Candidate, url: str) -> Fetched:
        """Fetch for the browser; at most five redirects, each on record. Programs are hashed, not kept."""
        hops: tuple[dict[str, Any], ...] = ()
        for _ in range(6):
            asked = Asked(
                "subresource",
                depth=candidate.depth,
                hops=hops,
                user_agent=self.agent,
                accept_language=self.policy.accept_language,
                keep_body=False,
            )
            fetched = await self._fetch(url, asked, scripts=True)
            location = fetched.header("location")
            target = ""
            if fetched.status is not None and 300 <= fetched.status < 400 and location:
                try:
                    target = address.canonical(_as_sent(location), url)
                except address.BadAddress:
                    target = ""
            record(
                self.spool,
                fetched,
                asked,
                Text(),
                outcome=Outcome.REDIRECT if target else None,
                redirect_to=target,
                redirect_kind="http" if target else "",
            )
            if not target or not self.scope.is_own(target):
                return fetched
            hops = (*hops, Hop("http", url, fetched.status).as_json())
            url = target
        return fetched

    # --- profiles

    async def _profiles(self) -> None:
        """Fetch the first entry page again as B and then as A: a difference counts only beyond what A and A show."""
        entry = next(
            (
                item
                for item in self.spool.observations
                # A gate may be all that profile A is shown: whether B is shown another page is the question.
                if item.purpose in ("entry", "page")
                and item.outcome in (Outcome.OK, Outcome.AGE_GATE)
                and item.has_text
            ),
            None,
        )
        if not self.policy.profiles or entry is None:
            return
        resumed = self.spool.observations if self.spool.visit.resumed else ()
        done = {item.profile for item in resumed if item.purpose == "profile"}
        rules = await self._robots_for(entry.requested_url)
        for profile in ("B", "A2"):
            if profile in done:
                continue
            candidate = Candidate(entry.requested_url, entry.role, entry.depth, entry.found_on, entry.hops)
            asked = self._asked("profile", candidate, profile)
            fetched = await self._fetch(entry.requested_url, asked, delay=rules.delay())
            text = readable(fetched)
            page = self._read(fetched, text)
            location = fetched.header("location")
            record(
                self.spool,
                fetched,
                asked,
                text,
                outcome=Outcome.REDIRECT if location and fetched.status and 300 <= fetched.status < 400 else None,
                redirect_to=location[:2000] if location else "",
                redirect_kind="http" if location else "",
                page=page.facts if page else None,
            )

    # --- the end

    def _take_up(self) -> None:
        """After an interruption: count what was done, say what was cut off, queue the rest."""
        for url in self.spool.cut_off:
            cut = Fetched(url=url, started=_now(), ended=_now(), outcome=Outcome.INTERRUPTED)
            cut.reason, cut.rule = "the sweep ended while this was being fetched", "sweep.interrupted"
            record(self.spool, cut, Asked("interrupted", user_agent=self.agent), Text())
        for item in self.spool.observations:
            if item.purpose in ("page", "entry") and not item.rule.startswith("robots."):
                self.pages += 1
            if item.purpose == "entry" and not self.first_outcome:
                self.first_outcome = item.outcome
            self.rendered += item.purpose == "rendered"
        self.frontier.take_up()
        retried = {item.retry_of for item in self.spool.observations}
        for item in self.spool.observations:
            first = item.status in _BUSY and not item.retry_of and item.observation not in retried
            if first and item.purpose in ("page", "entry"):
                again = Candidate(item.requested_url, item.role, item.depth, item.found_on, item.hops, item.observation)
                self.frontier.put(again)
        # Redirect chains that were cut off between an answer and the queueing of where it leads.
        for item in self.spool.observations:
            if item.redirect_to and item.purpose in ("page", "entry") and item.outcome != Outcome.REDIRECT_LOOP:
                hop = Hop(item.redirect_kind, item.requested_url, item.status).as_json()
                self.frontier.offer(
                    Link(item.redirect_to, "", "redirect"),
                    found_on=item.observation,
                    depth=item.depth,
                    hops=(*item.hops, hop),
                    from_entry=item.depth == 0,
                )

    async def _make_good(self) -> None:
        """After an interruption: read again the pages on record whose links or rendering may not have come to be."""
        if not self.spool.visit.resumed:
            return
        texts = StoredTexts(self.spool.folder.parent)
        rendered = {item.rendered_from for item in self.spool.observations}
        for item in self.spool.observations:
            if not item.has_text or item.purpose not in ("entry", "page", "rendered"):
                continue
            text, content_type = texts.text(item)
            if not is_html(content_type, text):
                continue
            page = read_page(text, item.requested_url, item.headers)
            candidate = Candidate(item.requested_url, item.role, item.depth, item.found_on, item.hops, item.retry_of)
            await self._offer_links(candidate, item, page, text)
            wanted = item.purpose != "rendered" and item.outcome in (Outcome.OK, Outcome.TRUNCATED)
            if wanted and item.observation not in rendered and self._wants_browser(page):
                fetched = Fetched(url=item.requested_url, status=item.status, headers=item.headers)
                await self._render(candidate, item, fetched, Text(text), page)

    def _close(self) -> Visit:
        left = self.frontier.leave("visit.closed", "the visit ended first")
        if left:
            self.partial[f"{left} addresses were left"] = None
        texts = any(item.has_text and item.purpose in ("entry", "page") for item in self.spool.observations)
        outcome = "reached" if texts else (self.first_outcome or "nothing")
        if texts and self.first_outcome in (
            Outcome.CHALLENGE,
            Outcome.LOGIN_WALL,
            Outcome.AGE_GATE,
            Outcome.GEO_BLOCK,
            Outcome.BLOCKED,
        ):
            outcome = self.first_outcome
        reason = "" if texts else next((item.reason for item in self.spool.observations if item.purpose == "entry"), "")
        closed = self.spool.close(outcome=outcome, reason=reason, partial=tuple(self.partial))
        self._report("", finished=True, outcome=outcome)
        return closed

    def _note(self, outcome: Outcome) -> None:
        self.last_outcome = outcome.value

    def _count(self, candidate: Candidate, outcome: Outcome) -> None:
        if candidate.depth == 0 and outcome is not Outcome.REDIRECT:
            self.first_outcome = self.first_outcome or outcome.value
        self.last_outcome = outcome.value
        if outcome in _UNWELCOME:
            self.blocked += 1
            self.unwelcome += 1
        else:
            self.unwelcome = 0
        if outcome in _UNREACHABLE:
            self.blocked += 1

    def _report(self, url: str, *, finished: bool = False, outcome: str = "") -> None:
        self.tell(
            Progress(
                visit=self.spool.visit.visit,
                service=self.service.service,
                done=self.pages,
                queued=len(self.frontier),
                blocked=self.blocked,
                outcome=outcome or self.last_outcome,
                url=url,
                finished=finished,
            )
        )


def _judge(fetched: Fetched, walls: tuple[Wall, ...]) -> tuple[Outcome, str, str]:
    """The outcome of an answer that is no redirect: a wall, a status, or what the exchange itself says."""
    for wall in walls:
        if wall.whole and fetched.outcome in (Outcome.OK, Outcome.TRUNCATED):
            return wall.outcome, wall.reason, wall.rule
    if fetched.outcome is not Outcome.OK or fetched.status is None:
        return fetched.outcome, fetched.reason, fetched.rule
    if fetched.status in _BLOCKED_STATUS:
        return Outcome.BLOCKED, f"status {fetched.status}", "status.blocked"
    if fetched.status in (404, 410):
        return Outcome.NOT_FOUND, f"status {fetched.status}", "status.not-found"
    if fetched.status >= 400:
        return Outcome.HTTP_ERROR, f"status {fetched.status}", "status.error"
    return fetched.outcome, fetched.reason, fetched.rule


def _retry_after(fetched: Fetched, usual: float) -> float:
    """Seconds that a busy server asks for (RFC 9110 10.2.3: a number or a date), at most ``_LONGEST_WAIT``."""
    said = fetched.header("retry-after").strip()
    try:
        seconds = (
            float(said)
            if said.isascii() and said.isdigit()
            else (parsedate_to_datetime(said).timestamp() - time.time())
        )
    except (ValueError, TypeError, OverflowError):
        seconds = max(usual, 2.0)
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _with_walls(facts: PageFacts, walls: tuple[Wall, ...]) -> PageFacts:
    return replace(facts, walls=tuple(f"{wall.rule}: {wall.reason}" for wall in walls)) if walls else facts


def _with_hosts(facts: PageFacts, hosts: tuple[str, ...]) -> PageFacts:
    return replace(facts, hosts_asked=tuple(dict.fromkeys((*facts.hosts_asked, *hosts))))


def _decoded(fetched: Fetched) -> tuple[str, str]:
    return decode_text(fetched.body, fetched.type_declared)


def _as_sent(header: str) -> str:
    try:
        return header.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return header


def _plain(url: str) -> str:
    try:
        return address.canonical(url)
    except address.BadAddress:
        return url


def _now() -> str:
    return clock.now()


async def _quietly(closing: Awaitable[None]) -> None:
    """Wait at most ten seconds for something to close, whatever it says."""
    try:
        await asyncio.wait_for(closing, 10)
    except Exception:
        return
