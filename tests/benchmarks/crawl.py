"""HTTP crawl of a real website: ours (guard, chain, WARC, facts, links) against a bare Scrapy link-follower.

python -m tests.benchmarks.crawl            the contest
python -m tests.benchmarks.crawl ours URL   one run of ours
python -m tests.benchmarks.crawl bare URL   one run of the peer
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.contest import Result, contest, machine, table
from tests.real_input import real_site, served, truth

_AT_ONCE = 8


def ours(url: str) -> None:
    """Crawl with everything that a real visit does, into a temporary case."""
    import asyncio

    from crawler.sweep import plan_sweep, run_units
    from data.case import CaseFacts, make_case
    from data.records import Service

    policy = "\n".join(
        (
            "page_budget = 0",
            "delay_seconds = 0.0",
            f"concurrency_per_host = {_AT_ONCE}",
            'allow_private = ["127.0.0.0/8"]',
            'render = "never"',
            "profiles = false",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        case = make_case(Path(folder) / "case", CaseFacts(authority="benchmark"), policy)
        case.record("services.added", {"services": [Service("site", urls=(url,)).as_json()]})
        asyncio.run(run_units(case, list(plan_sweep(case).units), lambda _: None))


def bare(url: str) -> None:
    """Scrapy as its tutorial has it: a CrawlSpider that follows every link of the site and keeps nothing."""
    from scrapy.crawler import CrawlerProcess
    from scrapy.linkextractors import LinkExtractor
    from scrapy.spiders import CrawlSpider, Rule

    class Follower(CrawlSpider):
        name = "follower"
        start_urls = [url]
        allowed_domains = ["127.0.0.2"]
        rules = (Rule(LinkExtractor(), callback="keep", follow=True),)

        def keep(self, response: object) -> None:
            return

    settings = {
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "ROBOTSTXT_OBEY": True,
        "DOWNLOAD_DELAY": 0,
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": _AT_ONCE,
    }
    process = CrawlerProcess(settings)
    process.crawl(Follower)
    process.start()


def run(runs: int = 5) -> Result:
    """The contest on the 757-page site."""
    with served(real_site("sqlite")) as origin:
        url = f"{origin}/{truth('sqlite')['entry']}"
        me = [sys.executable, "-m", "tests.benchmarks.crawl"]
        return contest(
            "HTTP crawl with guard, WARC, chain, links (757 pages)",
            [*me, "ours", url],
            [*me, "bare", url],
            peer="bare Scrapy CrawlSpider",
            goal="≥ 1.5",
            runs=runs,
            versions=("scrapy", "httpcore", "selectolax"),
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", address]:
            ours(address)
        case ["bare", address]:
            bare(address)
        case _:
            result = run()
            sys.stdout.write(f"{machine()}\n\n{table([result])}\n")
