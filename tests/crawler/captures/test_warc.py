"""WARC and ARC: recorded files read from ../shared/data, and broken ones made on the spot."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.captures.capture import Capture, Item, LeftOut, Unreadable
from crawler.captures.warc import looks_like_warc, read_warc
from tests.crawler.captures.conftest import PAGE, gzipped, warc_record
from tests.real_input import shared

LIMIT = 10_000_000
URL = "https://velvetpane.example/"


def read(path: Path, limit: int = LIMIT) -> list[Item]:
    return list(read_warc(path, limit))


def captures(items: list[Item]) -> list[Capture]:
    return [item for item in items if isinstance(item, Capture)]


def faults(items: list[Item]) -> list[tuple[int, str]]:
    return [(item.place.offset, item.reason) for item in items if isinstance(item, Unreadable)]


def left_out(items: list[Item]) -> Counter[str]:
    return Counter(item.rule for item in items if isinstance(item, LeftOut))


# name of the file in ../shared/data/warc: (texts, unchanged, other captures, faults, left out)
RECORDED: dict[str, tuple[int, int, int, int, dict[str, int]]] = {
    "warcio/example.warc": (1, 1, 0, 0, {"import.request": 2}),
    "warcio/example.warc.gz": (1, 1, 0, 0, {"import.request": 2}),
    "warcio/example.arc": (1, 0, 0, 0, {}),
    "warcio/example.arc.gz": (1, 0, 0, 0, {}),
    "warcio/example-iana.org-chunked.warc": (1, 0, 0, 0, {"import.request": 1}),
    "warcio/example-resource.warc.gz": (1, 0, 0, 0, {}),
    "warcio/example-digest.warc": (0, 0, 0, 0, {"import.request": 4}),
    "warcio/example-space-in-target-uri.warc.gz": (0, 0, 0, 0, {"import.scheme": 1}),
    "warcio/example-wget-bad-target-uri.warc.gz": (
        1,
        0,
        0,
        0,
        {"import.request": 1, "import.record-type": 1, "import.scheme": 2},
    ),
    "warcio/post-test.warc.gz": (0, 0, 0, 0, {"import.method": 3, "import.request": 3}),
    "warcio/bad.arc": (0, 0, 1, 2, {}),
    "warcio/example-bad-non-chunked.warc.gz": (1, 1, 0, 1, {"import.request": 2}),
    "warcio/example-bad.warc.gz.bad": (1, 1, 1, 1, {"import.request": 2}),
    "warcio/example-space-in-url.arc": (1, 0, 0, 1, {}),
    "warcio/example-trunc.warc": (1, 0, 0, 1, {"import.request": 1}),
    "warcio/example-wrong-chunks.warc.gz": (1, 0, 0, 1, {"import.request": 1}),
    "pywb/sample_archive/warcs/bad.arc": (0, 0, 1, 2, {}),
    "pywb/sample_archive/warcs/dupes.warc.gz": (1, 9, 1, 0, {"import.request": 12, "response.type": 1}),
    "pywb/sample_archive/warcs/example-bad.warc.gz.bad": (1, 1, 1, 1, {"import.request": 2}),
    "pywb/sample_archive/warcs/example-extra.warc": (1, 2, 0, 0, {"import.request": 2, "import.method": 1}),
    "pywb/sample_archive/warcs/example-url-agnostic-orig.warc.gz": (1, 0, 0, 0, {}),
    "pywb/sample_archive/warcs/example-url-agnostic-revisit.warc.gz": (0, 1, 0, 0, {}),
    "pywb/sample_archive/warcs/example-wget-1-14.warc.gz": (1, 0, 0, 0, {"import.request": 1, "import.scheme": 3}),
    "pywb/sample_archive/warcs/example-wpull.warc.gz": (1, 0, 0, 0, {"import.request": 1, "import.scheme": 1}),
    "pywb/sample_archive/warcs/example.arc": (1, 0, 0, 0, {}),
    "pywb/sample_archive/warcs/example.arc.gz": (1, 0, 0, 0, {}),
    "pywb/sample_archive/warcs/example.warc": (1, 1, 1, 1, {"import.request": 2}),
    "pywb/sample_archive/warcs/example.warc.gz": (1, 1, 1, 0, {"import.request": 2}),
    "pywb/sample_archive/warcs/example2.warc.gz": (1, 0, 0, 0, {"import.request": 1}),
    "pywb/sample_archive/warcs/httpbin-resource.warc.gz": (1, 0, 0, 0, {}),
    "pywb/sample_archive/warcs/iana.warc.gz": (16, 123, 4, 0, {"import.request": 171, "response.type": 28}),
    "pywb/sample_archive/warcs/missing-status-text.warc": (0, 0, 1, 0, {}),
    "pywb/sample_archive/warcs/post-test.warc.gz": (0, 0, 0, 0, {"import.method": 3, "import.request": 3}),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_archives_give_their_records_and_faults(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    items = read(shared("warc") / name)
    found = captures(items)
    texts = sum(bool(item.body) for item in found)
    unchanged = sum(bool(item.unchanged) for item in found)
    counted = (texts, unchanged, len(found) - texts - unchanged, len(faults(items)), dict(left_out(items)))
    assert counted == RECORDED[name]
    assert capfd.readouterr() == ("", ""), "the readers print nothing"


def test_every_recorded_archive_is_in_the_table() -> None:
    folder = shared("warc")
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and (".warc" in path.name or ".arc" in path.name)
    }
    assert files == set(RECORDED)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "warcio/bad.arc",
            [
                (134, "the record states no length that can be read ('-1')"),
                (262, "the record states no length that can be read ('abc')"),
            ],
        ),
        (
            "warcio/example-bad.warc.gz.bad",
            [
                (
                    0,
                    "not gzipped record by record; read as one stream, offsets count in the data unpacked from byte 0 on",
                )
            ],
        ),
        ("warcio/example-space-in-url.arc", [(151, "the record ends 12 bytes short of the length it states")]),
        ("warcio/example-trunc.warc", [(2560, "the record is longer than the length it states")]),
    ],
)
def test_recorded_faults_are_named_with_offset_and_reason(name: str, wanted: list[tuple[int, str]]) -> None:
    assert faults(read(shared("warc") / name)) == wanted


def test_digests_are_checked() -> None:
    good = captures(read(shared("warc") / "warcio/example.warc"))[0]
    bad = captures(read(shared("warc") / "warcio/example-trunc.warc"))[0]
    none = captures(read(shared("warc") / "warcio/example.arc"))[0]
    assert (good.digest_state, bad.digest_state, none.digest_state) == ("fits", "does not fit", "none stated")


def test_a_record_brings_its_address_time_status_and_identity(put: Callable[[str, bytes], Path]) -> None:
    path = put("a.warc.gz", gzipped(warc_record(URL, PAGE.format("One.").encode(), name="1-2-3")))
    (found,) = captures(read(path))
    assert (found.url, found.captured, found.status) == (URL, "2026-10-01T12:00:00.000Z", 200)
    assert (found.record, found.place.number, found.place.offset) == ("<urn:uuid:1-2-3>", 1, 0)


def test_conversion_records_are_texts_too(put: Callable[[str, bytes], Path]) -> None:
    """Common Crawl keeps extracted text in them (WET files)."""
    wet = warc_record(URL, b"Tidy your photos.", kind="conversion", content_type="text/plain", http=False)
    (found,) = captures(read(put("a.warc.wet.gz", gzipped(wet))))
    assert (found.body, found.type_declared) == (b"Tidy your photos.", "text/plain")


@pytest.mark.parametrize("compressed", [True, False])
def test_what_stands_behind_a_damaged_record_is_still_read(put: Callable[[str, bytes], Path], compressed: bool) -> None:
    records = [warc_record(f"{URL}{number}", PAGE.format(number).encode() * 40) for number in range(5)]
    members = [gzipped(item) for item in records] if compressed else records
    start = len(members[0] + members[1])
    broken = bytearray(b"".join(members))
    if compressed:
        broken[start + 30 : start + 120] = b"\xee" * 90
    else:
        broken[start : start + 300] = b"\xee" * 300
    items = read(put("broken.warc", bytes(broken)))
    assert [item.url[-1] for item in captures(items) if item.body and not item.truncated][-2:] == ["3", "4"]
    assert [item.url[-1] for item in captures(items)][:2] == ["0", "1"]
    assert any(start - 4 <= offset <= start + 4 for offset, _ in faults(items)), faults(items)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_cut_off_archive_gives_all_before_the_cut_and_names_the_place(
    put: Callable[[str, bytes], Path], compressed: bool
) -> None:
    records = [warc_record(f"{URL}{number}", PAGE.format("x" * 900).encode()) for number in range(3)]
    members = [gzipped(item) for item in records] if compressed else records
    whole = b"".join(members)
    items = read(put("cut.warc", whole[: len(whole) - len(members[2]) // 2]))
    assert [item.url[-1] for item in captures(items) if not item.truncated] == ["0", "1"]
    ((offset, reason),) = faults(items)
    assert offset == len(members[0] + members[1])
    assert re.search("short of the length it states|states no length|head is (?:not )?whole", reason)


def test_bytes_that_only_look_like_a_record_are_passed_over(put: Callable[[str, bytes], Path]) -> None:
    noise = b"\x1f\x8b\x08" + b"\x00\x11\x22" * 100
    good = gzipped(warc_record(URL, PAGE.format("One.").encode()))
    items = read(put("noise.warc.gz", good + noise + good))
    assert len(captures(items)) == 2
    assert faults(items)


def test_media_is_left_out_by_type_by_first_bytes_and_inside_the_text(put: Callable[[str, bytes], Path]) -> None:
    png = b"\x89PNG\r\n\x1a\nCANARY"
    path = put(
        "media.warc.gz",
        gzipped(
            warc_record(URL + "a", png, content_type="image/png"),
            warc_record(URL + "b", png),
            warc_record(URL + "c", b"<html>" + b"word " * 30_000 + png + b"</html>"),
            warc_record(URL + "d", PAGE.format("One.").encode()),
        ),
    )
    items = read(path)
    assert [item.url for item in captures(items)] == [URL + "d"]
    assert left_out(items) == {"response.type": 1, "response.sniffed": 1, "response.inside": 1}


def test_a_body_beyond_the_limit_is_left_out(put: Callable[[str, bytes], Path]) -> None:
    big = warc_record(URL, b"<html>" + b"word " * 400_000)
    items = read(put("big.warc.gz", gzipped(big)), limit=1_000_000)
    assert left_out(items) == {"response.size": 1}


def test_a_packed_body_that_unpacks_beyond_the_limit_is_left_out(put: Callable[[str, bytes], Path]) -> None:
    import gzip

    packed = gzip.compress(b"<html>" + b"word " * 2_000_000)
    record = warc_record(URL, packed).replace(
        b"Content-Type: text/html", b"Content-Encoding: gzip\r\nContent-Type: text/html", 1
    )
    length = len(record.split(b"\r\n\r\n", 1)[1]) - 4
    record = b"\r\n".join(
        b"Content-Length: " + str(length).encode() if line.startswith(b"Content-Length") and number < 9 else line
        for number, line in enumerate(record.split(b"\r\n"))
    )
    items = read(put("bomb.warc", record), limit=1_000_000)
    assert not captures(items)
    assert left_out(items) == {"response.size": 1}


def test_files_that_are_no_archive_are_told_apart() -> None:
    assert looks_like_warc(b"WARC/1.0\r\nWARC-Type: warcinfo\r\n")
    assert looks_like_warc(b"filedesc://a.arc 127.0.0.1 20140301000000 text/plain 75\n")
    assert not looks_like_warc(b"\x1f\x8b\x08broken")
    assert not looks_like_warc(b"<html>WARC/1.0</html>")
