"""Coverage-guided fuzzing of the guard and of the path from bytes to a read page (needs atheris; not part of the suite).

    python tests/hostile/fuzz.py CORPUS -max_total_time=3600 -max_len=8192

The first byte of an input chooses what is tried. Each ``assert`` is a promise that no input may break.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["crawler.guard", "crawler.page", "crawler.walls", "data.stored", "data.address"]
):
    from crawler import guard, page, walls
    from data import address
    from data.stored import decode_text


def try_scrub(data: bytes) -> None:
    """Scrubbing never raises, says exactly what it took, and leaves nothing that it would take a second time."""
    text, _ = decode_text(data, "text/html")
    clean = guard.scrub(text)
    for cut in clean.cuts:
        piece = text[cut.offset : cut.offset + cut.length]
        assert hashlib.sha256(piece.encode("utf-8", "surrogatepass")).hexdigest() == cut.sha256
    again = guard.scrub(clean.text)
    assert not again.cuts, again.cuts
    block = clean.text.encode("utf-8", "replace")
    verdict = guard.judge_store(block)
    assert verdict.allowed or verdict.rule == "store.signature", verdict


def try_judges(data: bytes) -> None:
    """The judges of bytes answer, whatever the bytes are."""
    guard.judge_piece(data)
    guard.judge_piece(data, wide=True)
    guard.judge_store(data)
    guard.sniff(data)
    head = data[:200].decode("latin-1")
    guard.judge_start(data[: guard.SNIFF_LENGTH], head[:20])
    guard.judge_head(head, len(data), 4096, scripts=bool(data[:1] > b"m"), disposition=head[::-1])
    guard.judge_request("GET", "http://a.example/" + head)


def try_page(data: bytes) -> None:
    """A page is read whatever it holds, and every link that it gives is an address that stands for itself."""
    text, _ = decode_text(data, "")
    clean = guard.scrub(text).text
    read = page.read_page(
        clean, "http://a.example/b/c?d", (("Content-Security-Policy", text[:300]), ("Refresh", text[:99]))
    )
    walls.find_walls(200, (), read.words, clean)
    for link in read.links:
        assert address.canonical(link.url) == link.url
        address.identity(link.url)
        address.host(link.url)


_TARGETS = (try_scrub, try_judges, try_page)


def one(data: bytes) -> None:
    """One input."""
    if data:
        _TARGETS[data[0] % len(_TARGETS)](data[1:])


def seeds(folder: Path) -> None:
    """The pages and media of the leak suite, once for each target."""
    from tests.hostile.server import Answer, Asked
    from tests.hostile.vectors import Web

    folder.mkdir(parents=True, exist_ok=True)
    web = Web(hosts=("127.0.0.1",), origins={"127.0.0.1": "http://127.0.0.1:1"}, token="000000")
    for number, vector in enumerate(web.vectors):
        for path in (f"/v/{vector.name}", f"/m/{vector.name}"):
            answer = web.site(Asked("127.0.0.1", "GET", path, {}))
            if isinstance(answer, Answer):
                for target in range(len(_TARGETS)):
                    (folder / f"{number}{path[1]}{target}").write_bytes(bytes([target]) + answer.body[:4000])


if __name__ == "__main__":
    corpus = Path(sys.argv[1])
    if not corpus.exists():
        seeds(corpus)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
