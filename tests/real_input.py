"""Real material that the tests read where it lies: ``../shared/data``, and websites that are Debian packages."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_SITES = {
    "sqlite": ("sqlite3-doc", "usr/share/doc/sqlite3"),
    "httpd-manual": ("apache2-doc", "usr/share/doc/apache2-doc/manual"),
}


def shared(name: str) -> Path:
    """A folder of the shared material, or a skip that says where it should be."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"../shared/data/{name} is not beside the checkout")
    return folder


def truth(site: str) -> dict[str, Any]:
    """The independently computed link structure of a real site."""
    values: dict[str, Any] = json.loads((shared("sites") / f"{site}.truth.json").read_text(encoding="utf-8"))
    return values


def real_site(site: str) -> Path:
    """The folder of a real website, taken from its Debian package; without scripts, as its truth was computed."""
    package, inside = _SITES[site]
    cache = Path(tempfile.gettempdir()) / f"plainview-sites-{os.getuid()}" / package
    if not (cache / inside).is_dir():
        work = Path(tempfile.mkdtemp(prefix="plainview-site-"))
        try:
            subprocess.run(["apt-get", "download", package], cwd=work, check=True, capture_output=True, timeout=180)
            subprocess.run(
                ["dpkg", "-x", str(next(work.glob("*.deb"))), str(work / "tree")], check=True, capture_output=True
            )
        except (OSError, subprocess.SubprocessError, StopIteration):
            pytest.skip(f"Debian's package {package} cannot be had here")
        for script in (work / "tree").rglob("*.js"):
            script.unlink()
        cache.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            (work / "tree").rename(cache)
        shutil.rmtree(work, ignore_errors=True)
    return cache / inside


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def served(folder: Path, host: str = "127.0.0.2") -> Iterator[str]:
    """*folder* over HTTP/1.1 on loopback; yields the origin."""
    server = http.server.ThreadingHTTPServer((host, 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def real_pages() -> dict[str, bytes]:
    """The 199 real marketing pages by name."""
    return {
        path.name[:4]: gzip.decompress(path.read_bytes()) for path in sorted((shared("webpages") / "html").glob("*.gz"))
    }


@contextlib.contextmanager
def served_pages(pages: dict[str, bytes]) -> Iterator[dict[str, str]]:
    """Each page as the home of a host of its own (127.1.0.N); yields the address of each."""
    servers = []
    addresses = {}
    for number, (name, body) in enumerate(pages.items(), 1):
        host = f"127.1.{number // 250}.{number % 250 + 1}"
        handler = functools.partial(_OnePage, body)
        server = http.server.ThreadingHTTPServer((host, 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 5.0}, daemon=True).start()
        servers.append(server)
        addresses[name] = f"http://{host}:{server.server_address[1]}/"
    try:
        yield addresses
    finally:
        for server in servers:
            server.server_close()


class _OnePage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, body: bytes, *values: Any) -> None:
        self.body = body
        super().__init__(*values)

    def do_GET(self) -> None:
        body = self.body if self.path == "/" else b"not here"
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return
