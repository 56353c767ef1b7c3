"""Time stamps from an outside authority (RFC 3161): asked for over HTTP, and taken only where they verify.

A reply is checked twice, by ``rfc3161-client`` and by the verifier that travels with every export: what is kept is what
a stranger will be able to check.
"""

from __future__ import annotations

import http.client
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data import clock
from data.verify import TokenError, TokenFacts, check_token, der, pem_certificates

if TYPE_CHECKING:
    from rfc3161_client import TimeStampRequest

_MOST_BYTES = 1 << 20
_REPLY = "application/timestamp-reply"


class TimestampFailed(Exception):
    """No stamp that verifies was obtained; the message is the reason that goes on record."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp that verified: the reply's bytes as they came, the nonce it answered, and what it says."""

    authority: str
    token: bytes
    nonce: int
    facts: TokenFacts
    clock_difference_ms: int


def roots(pem: bytes) -> list[bytes]:
    """The certificates (DER) in a PEM file. Raises ``TimestampFailed`` where there is none."""
    found = pem_certificates(pem)
    if not found:
        raise TimestampFailed("the ca_file holds no certificate")
    return found


def obtain(authority: str, trusted: list[bytes], data: bytes, *, seconds: float = 30.0) -> Stamp:
    """A stamp over *data* from the authority at that address, which leads to one of the *trusted* certificates (DER).

    Raises ``TimestampFailed`` for anything else: no answer in time, another status or type, a refusal, other bytes,
    another nonce, a signature or chain that does not hold.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    request = (
        TimestampRequestBuilder()
        .data(data)
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
    ).build()
    nonce = request.nonce
    if nonce is None:
        raise TimestampFailed("the request could not be given a nonce")
    reply = _exchange(authority, request.as_bytes(), seconds)
    _check_with_client(reply, request, trusted, data)
    try:
        facts = check_token(reply, data, trusted, nonce=nonce)
    except TokenError as error:
        raise TimestampFailed(f"the reply does not verify: {error}") from None
    ahead = clock.parse(clock.now()) - clock.parse(facts.time)
    return Stamp(authority, reply, nonce, facts, int(ahead.total_seconds() * 1000))


def _check_with_client(reply: bytes, request: TimeStampRequest, trusted: list[bytes], data: bytes) -> None:
    from cryptography.x509 import load_der_x509_certificate
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    try:
        response = decode_timestamp_response(_in_der_order(reply))
    except ValueError:
        raise TimestampFailed("the reply is not a time-stamp response") from None
    try:
        builder = VerifierBuilder.from_request(request)
        for certificate in trusted:
            builder = builder.add_root_certificate(load_der_x509_certificate(certificate))
        builder.build().verify_message(response, data)
    except (VerificationError, ValueError) as error:
        raise TimestampFailed(f"the reply does not verify: {error}") from None


def _in_der_order(reply: bytes) -> bytes:
    """The reply with its certificates in the order that DER asks of a set. Authorities send them in any order (OpenSSL
    does), the client's parser takes none but DER's, and no signature covers the order."""
    try:
        token = der(reply).children()[1]
        parts = token.children()[1].children()[0].children()
        certificates = next(part for part in parts[3:] if part.tag == 0xA0)
        ordered = b"".join(sorted(item.raw for item in certificates.children()))
    except (TokenError, IndexError, StopIteration):
        return reply
    return reply.replace(certificates.content, ordered, 1)


def _exchange(authority: str, request: bytes, seconds: float) -> bytes:
    """POST the request (RFC 3161, 3.4). No redirect is followed: a stamp comes from whom the case names."""
    parts = urllib.parse.urlsplit(authority)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    deadline = time.monotonic() + seconds
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, request, {"Content-Type": "application/timestamp-query", "Accept": _REPLY})
        answer = connection.getresponse()
        if answer.status != 200:
            raise TimestampFailed(f"the authority answered with status {answer.status}")
        declared = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if declared != _REPLY:
            raise TimestampFailed(f"the authority answered with {declared or 'no type'!r} instead of a time stamp")
        body = bytearray()
        while chunk := answer.read1(65536):
            body += chunk
            if len(body) > _MOST_BYTES:
                raise TimestampFailed("the authority's answer is too large to be a time stamp")
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(body)
    except TimeoutError:
        raise TimestampFailed(f"the authority did not answer within {seconds:g} seconds") from None
    except (OSError, http.client.HTTPException) as error:
        raise TimestampFailed(f"the authority could not be asked ({type(error).__name__}: {error})") from None
    finally:
        connection.close()
