"""A real time-stamp authority on loopback, made with OpenSSL, and what an authority can do wrong.

``openssl ts -reply`` answers; ``serve(authority, mode)`` is the HTTP side. Modes other than ``right`` misbehave on purpose.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
O = Invented Authority
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[middle]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
[tsa]
default_tsa = policy
[policy]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
certs = {folder}/chain.pem
signer_key = {folder}/signer.key
signer_digest = {digest}
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {digest}
"""

_KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Where its files lie; ``root`` is what a case trusts."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root certificate (PEM)."""
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        """OpenSSL's answer to a request."""
        asked, answer = self.folder / "query.tsq", self.folder / "answer.tsr"
        asked.write_bytes(query)
        _run("ts", "-reply", "-config", f"{self.folder}/authority.cnf", "-queryfile", f"{asked}", "-out", f"{answer}")
        return answer.read_bytes()


def make_authority(
    folder: Path, *, kind: str = "rsa", digest: str = "sha256", usage: str = "critical, timeStamping", days: int = 30
) -> Authority:
    """A root, a certificate between, and a signer for time stamps, with keys of that *kind*: rsa, p256 or p384."""
    folder.mkdir(parents=True)
    config = folder / "authority.cnf"
    settings = {"folder": folder, "usage": usage, "digest": digest}
    for part in ("root", "middle", "signer"):
        config.write_text(_CONFIG.format(name=f"Invented {part} {folder.name}", **settings))
        request = [
            "req",
            "-config",
            f"{config}",
            *_KEYS[kind],
            "-nodes",
            "-keyout",
            f"{folder}/{part}.key",
            f"-{digest}",
        ]
        if part == "root":
            _run(*request, "-x509", "-days", "3650", "-extensions", "root", "-out", f"{folder}/root.pem")
            continue
        _run(*request, "-out", f"{folder}/{part}.csr")
        issuer = "root" if part == "middle" else "middle"
        _run(
            *("x509", "-req", "-in", f"{folder}/{part}.csr", "-CA", f"{folder}/{issuer}.pem"),
            *("-CAkey", f"{folder}/{issuer}.key", "-CAcreateserial", "-days", str(days), f"-{digest}"),
            *("-extfile", f"{config}", "-extensions", part, "-out", f"{folder}/{part}.pem"),
        )
    (folder / "chain.pem").write_bytes((folder / "middle.pem").read_bytes())
    (folder / "serial").write_text("01\n")
    return Authority(folder)


def _run(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


@contextlib.contextmanager
def serve(authority: Authority, mode: str = "right", other: Authority | None = None) -> Iterator[str]:
    """The address of *authority* on loopback, behaving as *mode* says."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, body = _answer(authority, other, mode, query)
            if mode == "late":
                time.sleep(3)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if mode == "elsewhere":
                self.send_header("Location", "http://127.0.0.1:9/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                if mode == "dripping":
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.05)
                else:
                    self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
    finally:
        server.shutdown()
        server.server_close()


_REPLY = "application/timestamp-reply"


def _answer(authority: Authority, other: Authority | None, mode: str, query: bytes) -> tuple[int, str, bytes]:
    match mode:
        case "status 500":
            return 500, "text/plain", b"down for repair"
        case "status 500 with a good stamp":
            return 500, _REPLY, authority.reply(query)
        case "elsewhere":
            return 302, "text/plain", b""
        case "html":
            return 200, "text/html", b"<html><body>Welcome</body></html>"
        case "html called a stamp":
            return 200, _REPLY, b"<html><body>Welcome</body></html>"
        case "json error":
            return 200, "application/json", b'{"error": "quota"}'
        case "empty":
            return 200, _REPLY, b""
        case "wrong digest":
            return 200, _REPLY, authority.reply(_other_query(query, digest=True))
        case "wrong nonce":
            return 200, _REPLY, authority.reply(_other_query(query, digest=False))
        case "refusal":
            # PKIStatus 2 (rejection) with failure info badAlg, RFC 3161 section 2.4.2.
            return 200, _REPLY, bytes.fromhex("30093007020102030207 80".replace(" ", ""))
        case "another authority":
            assert other is not None
            return 200, _REPLY, other.reply(query)
        case "changed signature":
            token = bytearray(authority.reply(query))
            token[-10] ^= 1
            return 200, _REPLY, bytes(token)
        case "changed time":
            token = authority.reply(query)
            at = token.index(b"\x18\x0f20")
            return 200, _REPLY, token[: at + 4] + b"19" + token[at + 6 :]
        case "huge":
            return 200, _REPLY, b"0" * (2 << 20)
    return 200, _REPLY, authority.reply(query)


def _other_query(query: bytes, *, digest: bool) -> bytes:
    """The same request for other bytes, or with another nonce."""
    changed = bytearray(query)
    place = query.index(b"\x04\x20") + 2 if digest else len(query) - 5
    changed[place] ^= 1
    return bytes(changed)
