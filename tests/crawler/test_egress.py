"""Nothing is contacted that is not an ordinary public address, by whatever name it comes; and nothing passes the proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Any

import httpcore
import pytest

from crawler.egress import Egress, PrivateAddressError, judge_address, special
from crawler.fetch import Fetched, Fetcher, Limits
from data import address
from data.outcomes import Outcome
from tests.crawler.case import case_with, sweep
from tests.hostile.proxies import Proxy
from tests.hostile.reach import reach
from tests.hostile.server import Answer, Asked, Server

SPECIAL = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "100::1",
    "64:ff9b:1::1",
    "::127.0.0.1",
    "5f00::1",
]


@pytest.mark.parametrize("number", SPECIAL)
def test_a_special_address_is_refused(number: str) -> None:
    assert special(ipaddress.ip_address(number))
    with pytest.raises(PrivateAddressError):
        judge_address("shop.example", number, ())


@pytest.mark.parametrize(
    "number", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_ordinary_address_is_not(number: str) -> None:
    assert special(ipaddress.ip_address(number)) == ""


def test_only_the_ranges_that_the_case_opens_are_open() -> None:
    opened = (ipaddress.ip_network("127.0.0.0/8"),)
    judge_address("a", "127.0.0.5", opened)
    judge_address("a", "::ffff:127.0.0.5", opened)
    for number in ("10.0.0.1", "::1", "169.254.169.254"):
        with pytest.raises(PrivateAddressError):
            judge_address("a", number, opened)


ODD_HOSTS = [
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0x7f.1",
    "127.0.0.1.",
    "①②⑦.⓪.⓪.①",
    "[::ffff:7f00:1]",
    "0",
    "[::1]",
]


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_a_loopback_address_in_disguise_is_refused(host: str) -> None:
    with Server(lambda asked: Answer(b"<p>Reached.</p>"), ("127.0.0.1",)) as server:
        url = address.canonical(f"http://{host}:{server.port}/")
        assert fetch(url).outcome in (Outcome.PRIVATE_ADDRESS, Outcome.DNS_ERROR)
        assert server.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/html,x", "javascript:alert(1)", "ftp://a.example/",
                                 "view-source:http://a.example/", "blob:http://a.example/1", "ws://a.example/", "about:blank"])  # fmt: skip
def test_only_http_and_https_are_fetched(url: str) -> None:
    with reach() as reached:
        assert fetch(url).outcome == Outcome.SCHEME
    assert reached == set()


def fetch(url: str, *, allowed: tuple[Any, ...] = (), proxy: str = "") -> Fetched:
    async def run() -> Fetched:
        fetcher = Fetcher(Limits(1_000_000, 5.0, 8.0), allowed, proxy)
        try:
            return await fetcher.fetch("GET", url, [(b"Host", b"shop.example")])
        finally:
            await fetcher.close()

    return asyncio.run(run())


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to *answers*, one list after another; returns the names asked for."""
    asked: list[str] = []
    left = list(answers)

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port)) for number in found]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(monkeypatch, ["10.1.2.3"])
    fetched = fetch("http://shop.example/")
    assert fetched.outcome == Outcome.PRIVATE_ADDRESS
    assert fetched.server_ip == "10.1.2.3"
    assert fetched.status is None


def test_one_private_answer_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with reach() as reached:
        assert fetch("http://shop.example/").outcome == Outcome.PRIVATE_ADDRESS
    assert "93.184.215.14" not in reached


def test_an_answer_that_changes_is_never_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda asked: Answer(b"<p>Reached.</p>"), ("127.0.0.1",)) as server:
        asked = resolver(monkeypatch, ["192.0.2.1"], ["127.0.0.1"])
        assert fetch(f"http://shop.example:{server.port}/").outcome == Outcome.PRIVATE_ADDRESS
        assert asked == ["shop.example"]
        assert server.asked == []


def test_the_peer_itself_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the judged address and the connected one ever different, the second look would see it."""
    calls: list[str] = []

    def judge(host: str, number: str, allowed: Any) -> None:
        calls.append(number)
        if len(calls) == 2:
            raise PrivateAddressError(host, number, "the second look")

    monkeypatch.setattr("crawler.egress.judge_address", judge)
    with Server(lambda asked: Answer(b"<p>Reached.</p>"), ("127.0.0.1",)) as server:
        assert fetch(f"http://127.0.0.1:{server.port}/").reason.endswith("the second look")
        assert server.asked == []


def test_no_local_socket_is_opened() -> None:
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(Egress().connect_unix_socket("/tmp/socket"))


# --- the proxy


def web(asked: Asked) -> Answer | None:
    return (
        Answer(b"<!doctype html><title>T</title><p>Words behind a proxy.</p>") if asked.path != "/robots.txt" else None
    )


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_with_a_proxy_everything_goes_through_it(tmp_path: Path, scheme: str) -> None:
    with Server(web, ("127.0.0.1",)) as server, Proxy(scheme) as proxy:
        case = case_with(tmp_path, proxy=f'"{scheme}://user:secret@127.0.0.1:{proxy.port}"')
        with reach() as reached:
            swept = sweep(case, f"{server.origin()}/")
        entry = swept.entry()
        assert entry.outcome == Outcome.OK
        assert entry.via == f"{scheme}://127.0.0.1:{proxy.port}"
        assert proxy.targets
        assert set(proxy.targets) == {f"127.0.0.1:{server.port}"}
        assert len(server.asked) == 2
        assert len(proxy.targets) <= len(server.asked)
        assert reached <= {"127.0.0.1"}


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_names_are_left_to_the_proxy(tmp_path: Path, scheme: str) -> None:
    with Proxy(scheme) as proxy:
        with reach() as reached:
            swept = sweep(case_with(tmp_path, proxy=f'"{scheme}://127.0.0.1:{proxy.port}"'), "http://shop.example/")
        assert swept.entry().outcome != Outcome.OK
        assert "shop.example" not in reached


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_private_target_is_refused_before_the_proxy_hears_of_it(tmp_path: Path, scheme: str) -> None:
    with Proxy(scheme) as proxy:
        case = case_with(tmp_path, proxy=f'"{scheme}://127.0.0.1:{proxy.port}"')
        swept = sweep(case, "http://10.0.0.1/", "http://[::ffff:169.254.169.254]/", "http://2852039166/")
        for number in range(3):
            assert swept.entry(f"v{number}").outcome == Outcome.PRIVATE_ADDRESS
        assert proxy.targets == []


def test_a_proxy_that_is_down_means_that_nothing_is_fetched(tmp_path: Path) -> None:
    with Server(web, ("127.0.0.1",)) as server:
        for scheme in ("http", "socks5"):
            case = case_with(tmp_path / scheme, proxy=f'"{scheme}://127.0.0.1:9"')
            assert sweep(case, f"{server.origin()}/").entry().outcome != Outcome.OK
        assert server.asked == []
