"""Certificates for loopback servers: one authority that the test trusts, and what it and others sign."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; ``file`` is what a client is to trust."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    file: Path


def make_authority(folder: Path) -> Authority:
    """A new authority, its certificate in *folder*."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed("Test authority", key, None, None, days=30, authority=True)
    file = folder / "authority.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(key, certificate, file)


def server_context(folder: Path, kind: str, host: str, authority: Authority) -> ssl.SSLContext:
    """A server's side for *host*: ``self-signed``, ``expired``, ``wrong-name`` or anything else for a good one."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = None if kind == "self-signed" else authority
    name = "127.9.9.9" if kind == "wrong-name" else host
    certificate = _signed(name, key, signer, name, days=-2 if kind == "expired" else 30)
    file = folder / f"{kind}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: Authority | None,
    host: str | None,
    *,
    days: int,
    authority: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - datetime.timedelta(days=9))
        .not_valid_after(_NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if host:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host)), x509.DNSName("shop.example")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer.key if signer else key, hashes.SHA256())
