"""The only way out: names are resolved, addresses judged, and connections made here and nowhere else.

A private, loopback, link-local, metadata or otherwise special address is refused before connecting and again by the
peer actually connected to, so that a DNS answer that changes between the two (rebinding) gains nothing. Every byte sent
and received is noted, because a WARC ``response`` record holds bytes exactly as received.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import certifi
import httpcore

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What ``is_global`` leaves open or answers differently between Python versions (IANA special-purpose registries).
_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(block), reason)
    for block, reason in (
        ("0.0.0.0/8", "this network (RFC 791)"),
        ("100.64.0.0/10", "shared address space (RFC 6598)"),
        ("169.254.0.0/16", "link local, cloud metadata (RFC 3927)"),
        ("192.0.0.0/24", "IETF protocol assignments (RFC 6890)"),
        ("192.88.99.0/24", "6to4 relay (RFC 7526)"),
        ("198.18.0.0/15", "benchmarking (RFC 2544)"),
        ("224.0.0.0/4", "multicast (RFC 5771)"),
        ("240.0.0.0/4", "reserved (RFC 1112)"),
        ("::/96", "IPv4-compatible (RFC 4291)"),
        ("64:ff9b:1::/48", "local-use NAT64 (RFC 8215)"),
        ("5f00::/16", "segment routing (RFC 9602)"),
        ("fd00:ec2::/32", "cloud metadata"),
        ("fe80::/10", "link local (RFC 4291)"),
        ("fec0::/10", "site local (RFC 3879)"),
        ("ff00::/8", "multicast (RFC 4291)"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddressError(Exception):
    """The name leads to an address that is never contacted; the message says which and why."""

    def __init__(self, host: str, address: str, reason: str) -> None:
        super().__init__(f"{host} leads to {address}: {reason}")
        self.address = address
        self.reason = reason


class UnresolvedNameError(Exception):
    """The name could not be resolved."""


class PeerRefusedError(Exception):
    """Nothing listens at the address."""


class CertificateError(Exception):
    """The server's certificate could not be verified; ``certificate`` holds it (DER) where it could be read."""

    def __init__(self, message: str, certificate: bytes | None) -> None:
        super().__init__(message)
        self.certificate = certificate


def special(address: Address) -> str:
    """Why *address* is not an ordinary public one, or an empty string. Addresses inside IPv6 addresses count too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is not None and (reason := special(inner)):
            return f"{reason}, inside an IPv6 address"
    for block, reason in _SPECIAL:
        if address.version == block.version and address in block:
            return reason
    if address.is_loopback:
        return "loopback"
    if address.is_private:
        return "private network"
    if not address.is_global:
        return "not a public address"
    return ""


def judge_address(host: str, address: str, allowed: Iterable[Network]) -> None:
    """Raise ``PrivateAddressError`` unless *address* is public or lies in one of *allowed*."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    reason = special(parsed)
    if not reason:
        return
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    for network in allowed:
        if (parsed.version == network.version and parsed in network) or (
            mapped is not None and network.version == 4 and mapped in network
        ):
            return
    raise PrivateAddressError(host, address, reason)


class Egress(httpcore.AsyncNetworkBackend):
    """httpcore's network backend that judges every peer. *allowed* are the case's opened ranges."""

    def __init__(self, allowed: tuple[Network, ...] = (), proxy_host: str = "") -> None:
        self._allowed = allowed
        self._proxy_host = proxy_host.strip("[]")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect, judge the peer. The case's own proxy is the one host that may be private."""
        allowed = (*self._allowed, *_EVERYTHING) if host.strip("[]") == self._proxy_host else self._allowed
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                return await self._connect(host, port, addresses, allowed)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection to {host} in {timeout} s") from error

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Never: a visit has no business with local sockets."""
        raise httpcore.ConnectError("no local sockets")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore's retry uses it."""
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            pass
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError, OSError) as error:
            raise UnresolvedNameError(f"{host}: {error}") from error
        return list(dict.fromkeys(str(item[4][0]) for item in found))

    async def _connect(
        self, host: str, port: int, addresses: list[str], allowed: tuple[Network, ...]
    ) -> httpcore.AsyncNetworkStream:
        # One special address among public ones is enough to refuse: such an answer is what rebinding looks like.
        for address in addresses:
            judge_address(host, address, allowed)
        failure: OSError | None = None
        for address in addresses:
            try:
                reader, writer = await asyncio.open_connection(address, port, limit=2**18)
            except OSError as error:
                failure = error
                continue
            peer = str(writer.get_extra_info("peername")[0])
            try:
                judge_address(host, peer, allowed)
            except PrivateAddressError:
                writer.transport.abort()
                raise
            return NotedStream(reader, writer, peer)
        if isinstance(failure, ConnectionRefusedError):
            raise PeerRefusedError(f"{host}:{port} refused the connection") from failure
        raise httpcore.ConnectError(str(failure or f"{host} has no address"))


_EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


class NotedStream(httpcore.AsyncNetworkStream):
    """A connection that remembers the bytes of the exchange under way: ``sent`` and ``received``.

    HTTP/1.1 without pipelining: a write after a read begins the next exchange.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        self._reader = reader
        self._writer = writer
        self.peer = peer
        self.sent = bytearray()
        self.received = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to *max_bytes* as they came; empty at the end."""
        try:
            async with asyncio.timeout(timeout):
                data = await self._reader.read(max_bytes)
                # A server that floods has always sent more: without this, nobody else would get a turn, nor a time limit.
                await asyncio.sleep(0)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(f"nothing came for {timeout} s") from error
        except OSError as error:
            raise httpcore.ReadError(str(error) or type(error).__name__) from error
        self.received += data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send *buffer*."""
        if self.received:
            self.sent, self.received = bytearray(), bytearray()
        self.sent += buffer
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as error:
            raise httpcore.WriteTimeout(f"could not send for {timeout} s") from error
        except OSError as error:
            raise httpcore.WriteError(str(error) or type(error).__name__) from error

    async def aclose(self) -> None:
        """Cut the connection at once: after a refusal there is nothing to be polite about."""
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The same connection, encrypted and verified. Raises ``CertificateError`` where it cannot be."""
        try:
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self._writer.transport.abort()
            raise CertificateError(error.verify_message or str(error), None) from error
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no TLS in {timeout} s") from error
        except (ssl.SSLError, OSError) as error:
            self._writer.transport.abort()
            raise httpcore.ConnectError(f"TLS: {error}") from error
        return NotedStream(self._reader, self._writer, self.peer)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a stream: ``ssl_object``, ``server_addr``, ``is_readable``."""
        if info == "ssl_object":
            return self._writer.get_extra_info("ssl_object")
        if info == "server_addr":
            return self._writer.get_extra_info("peername")
        if info == "is_readable":
            # httpcore asks before it reuses an idle connection: readable means closed or out of step.
            return self._reader.at_eof() or bool(self._reader._buffer)  # type: ignore[attr-defined]
        return None


def tls_context() -> ssl.SSLContext:
    """Verification against this machine's authorities, or certifi's list where the machine has none."""
    context = ssl.create_default_context()
    if not context.get_ca_certs() and not any(ssl.get_default_verify_paths()[:2]):
        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


async def read_certificate(host: str, address: str, port: int, timeout: float) -> bytes | None:
    """The certificate (DER) of a server whose certificate does not verify: a second handshake, in which nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    except (OSError, TimeoutError, ValueError):
        return None
    try:
        found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found
    finally:
        writer.transport.abort()
