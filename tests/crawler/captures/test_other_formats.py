"""WACZ, HAR, saved pages, MHTML, exports and CSV: made on the spot or read from ../shared/data and tests/fixtures/synthetic."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from crawler.captures.capture import Capture, Item, LeftOut, NotAnArchive, Origin, Unreadable
from crawler.captures.importing import recognise
from data.roles import ROLES
from tests.crawler.captures.conftest import PAGE, gzipped, warc_record
from tests.real_input import shared

LIMIT = 1_000_000
URL = "https://velvetpane.example/"
PNG = b"\x89PNG\r\n\x1a\nCANARY"
SYNTHETIC = Path(__file__).resolve().parents[2] / "fixtures" / "synthetic"
Put = Callable[[str, bytes], Path]


def read(path: Path) -> list[Item]:
    return list(recognise(path).read(path, LIMIT))


def captures(items: list[Item]) -> list[Capture]:
    return [item for item in items if isinstance(item, Capture)]


def rules(items: list[Item]) -> list[str]:
    return [item.rule for item in items if isinstance(item, LeftOut)]


def faults(items: list[Item]) -> list[str]:
    return [f"{item.place.part}@{item.place.offset}: {item.reason}" for item in items if isinstance(item, Unreadable)]


def said(items: list[Item]) -> dict[str, str]:
    return {key: value for item in items if isinstance(item, Origin) for key, value in item.facts}


# --- WACZ


def wacz(path: Path, *, wrong_digest: bool = False, sign: str = "", extra: dict[str, bytes] | None = None) -> Path:
    warc = gzipped(warc_record(URL, PAGE.format("One.").encode()))
    digest = hashlib.sha256(b"x" if wrong_digest else warc).hexdigest()
    package = json.dumps(
        {
            "profile": "data-package",
            "wacz_version": "1.1.1",
            "software": "Testmaker 1",
            "resources": [{"name": "a", "path": "archive/a.warc.gz", "hash": f"sha256:{digest}", "bytes": len(warc)}],
        }
    ).encode()
    stated = "sha256:" + hashlib.sha256(package).hexdigest()
    whole: dict[str, Any] = {"path": "datapackage.json", "hash": stated}
    if sign:
        key = ec.generate_private_key(ec.SECP384R1())
        made = key.sign((stated if sign == "good" else "sha256:other").encode(), ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(made)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        whole["signedData"] = {
            "hash": stated,
            "signature": base64.b64encode(r.to_bytes(48, "big") + s.to_bytes(48, "big")).decode(),
            "publicKey": base64.b64encode(public).decode(),
        }
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/a.warc.gz", warc)
        for name, content in (extra or {}).items():
            file.writestr(name, content)
        file.writestr("datapackage.json", package)
        file.writestr("datapackage-digest.json", json.dumps(whole))
    return path


def test_a_package_gives_its_records_its_digests_and_the_state_of_its_signature(tmp_path: Path) -> None:
    items = read(wacz(tmp_path / "a.wacz"))
    assert [item.place.part for item in captures(items)] == ["archive/a.warc.gz"]
    assert said(items)["digests"] == "1 of 1 files fit"
    assert said(items)["signature"] == "unsigned: the digest of datapackage.json fits, nobody signed it"
    assert faults(items) == []


def test_a_wrong_digest_is_named(tmp_path: Path) -> None:
    items = read(wacz(tmp_path / "a.wacz", wrong_digest=True))
    assert captures(items)
    assert faults(items) == ["archive/a.warc.gz@0: its sha256 digest does not fit the one in datapackage.json"]


@pytest.mark.parametrize(
    ("sign", "state"),
    [
        ("good", "fits the key inside the package, which names nobody"),
        ("bad", "does not fit: it was not made with the key that the package names"),
    ],
)
def test_an_anonymous_signature_is_checked(tmp_path: Path, sign: str, state: str) -> None:
    assert said(read(wacz(tmp_path / "a.wacz", sign=sign)))["signature"] == state


def test_files_beside_the_archives_are_never_unpacked_as_pages(tmp_path: Path) -> None:
    items = read(wacz(tmp_path / "a.wacz", extra={"screenshots/a.png": PNG, "raw/response_1": PNG}))
    assert len(captures(items)) == 1


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("assets/fixtures/example.com.wacz", "5 of 5 files fit"),
        ("assets/fixtures/noarchive.netlify.app.wacz", "5 of 5 files fit"),
        (".github/assets/example.wacz", "65 of 66 files fit"),
    ],
)
def test_recorded_packages(name: str, fits: str) -> None:
    items = read(shared("warc") / "scoop" / name)
    assert said(items)["digests"] == fits
    assert sum(bool(item.body) for item in captures(items)) == 1
    if fits.startswith("65"):
        # The package's own digest of this file is wrong: sha256sum says so too.
        assert faults(items) == [
            "archive/data.warc.gz@1472117: its sha256 digest does not fit the one in datapackage.json"
        ]


def test_a_package_cut_in_two_says_that_it_cannot_be_opened(tmp_path: Path) -> None:
    whole = wacz(tmp_path / "a.wacz").read_bytes()
    cut = tmp_path / "cut.wacz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotAnArchive, match="cannot be opened as a WACZ package: File is not a zip file"):
        read(cut)


# --- HAR


def entry(url: str, text: str, mime: str = "text/html", method: str = "GET", **content: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-10-01T12:00:00.000+02:00",
        "request": {"method": method, "url": url, "headers": [{"name": "Cookie", "value": "secret=1"}]},
        "response": {
            "status": 200,
            "httpVersion": "HTTP/2",
            "headers": [{"name": "content-type", "value": mime}],
            "content": {"mimeType": mime, "text": text, "size": len(text), **content},
        },
    }


def har(*entries: dict[str, Any]) -> bytes:
    log = {"version": "1.2", "creator": {"name": "Testbrowser", "version": "9"}, "entries": list(entries)}
    return json.dumps({"log": log}).encode()


def test_a_browser_log_gives_its_pages(put: Put) -> None:
    items = read(put("a.har", har(entry(URL, PAGE.format("Grüße")))))
    (found,) = captures(items)
    assert (found.url, found.status, found.captured) == (URL, 200, "2026-10-01T10:00:00.000Z")
    assert "Grüße" in found.body.decode("utf-8")
    assert said(items)["creator"] == "Testbrowser 9"


def test_pictures_posts_and_empty_entries_of_a_log_are_left_out(put: Put) -> None:
    png = base64.b64encode(PNG).decode()
    items = read(
        put(
            "a.har",
            har(
                entry(URL + "i", png, "image/png", encoding="base64"),
                entry(URL + "j", png, "text/html", encoding="base64"),
                entry(URL + "p", "<p>", method="POST"),
                entry("data:text/html,x", "<p>"),
                {
                    **entry(URL + "n", ""),
                    "response": {"status": 200, "content": {"mimeType": "text/html"}, "headers": []},
                },
            ),
        )
    )
    assert captures(items) == []
    assert rules(items) == ["response.type", "response.sniffed", "import.method", "import.scheme", "import.no-body"]


def test_a_cut_off_log_gives_the_entries_before_the_cut(put: Put) -> None:
    whole = har(*(entry(f"{URL}{number}", PAGE.format(number)) for number in range(3)))
    items = read(put("a.har", whole[: whole.rindex(b"startedDateTime") + 40]))
    assert [item.url[-1] for item in captures(items)] == ["0", "1"]
    (fault,) = faults(items)
    offset = whole.rindex(b'{"startedDateTime"')
    assert fault.startswith(f"@{offset}: item 3 is cut off or not JSON")


# --- saved pages


def test_a_saved_page_says_where_it_is_from(put: Put) -> None:
    comment = "\n Page saved with SingleFile \n url: https://velvetpane.example/plans \n saved date: Thu\n"
    singlefile = f"<!DOCTYPE html><html><!--{comment}--><body>One."
    for content, url, how in (
        ("<!-- saved from url=(0028)https://velvetpane.example/a --><html>One.", URL + "a", "the browser's comment"),
        (singlefile, URL + "plans", "SingleFile's comment"),
        (
            '<html><head><link rel="canonical" href="https://velvetpane.example/b">',
            URL + "b",
            "the page's canonical link",
        ),
        ("<html><body>One.", "", "nothing: the page does not say where it is from"),
    ):
        (found,) = captures(read(put("page.html", content.encode())))
        assert (found.url, dict(found.notes)["address from"]) == (url, how)


def test_a_folder_gives_its_pages_and_counts_the_rest(put: Put) -> None:
    folder = put("saved/one.html", b"<html><p>One.</p></html>").parent
    put("saved/one_files/logo.png", PNG)
    put("saved/one_files/style.css", b"p{}")
    put("saved/two.htm", PNG)
    put("saved/notes.txt", b"Two.")
    (folder / "link.html").symlink_to("/etc/hostname")
    items = read(folder)
    assert [item.place.part for item in captures(items)] == ["notes.txt", "one.html"]
    assert rules(items) == ["import.file", "import.file", "response.sniffed"]


def mhtml(picture: bytes = PNG) -> bytes:
    return (
        b"From: <Saved by Testbrowser>\r\nSnapshot-Content-Location: https://velvetpane.example/\r\nSubject: Velvetpane\r\n"
        b"Date: Thu, 1 Oct 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; type="text/html"; boundary="----b"\r\n\r\n\r\n'
        b"------b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"Content-Location: https://velvetpane.example/\r\n\r\n<html><body>One=\r\n.</body></html>\r\n"
        b"------b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-Location: https://velvetpane.example/a.png\r\n\r\n"
        + base64.b64encode(picture)
        + b"\r\n------b--\r\n"
    )


def test_an_mhtml_file_gives_its_page_and_leaves_its_pictures(put: Put) -> None:
    items = read(put("a.mhtml", mhtml()))
    (found,) = captures(items)
    assert (found.url, found.captured) == (URL, "2026-10-01T12:00:00.000Z")
    assert b"One." in found.body
    assert rules(items) == ["response.type"]


def test_a_cut_off_mhtml_file_says_so(put: Put) -> None:
    whole = mhtml()
    items = read(put("a.mhtml", whole[: whole.index(b"</body>")]))
    assert b"One." in captures(items)[0].body
    assert any("the message is not whole" in fault for fault in faults(items))


# --- exports and CSV


@pytest.mark.parametrize(
    ("file", "count"),
    [("bbedit.json", 1), ("slack-lookup.json", 1), ("slack.json", 39), ("things-lookup.json", 1), ("things.json", 12)],
)
def test_recorded_store_answers_give_one_capture_a_listing(file: str, count: int) -> None:
    found = captures(read(shared("itunes") / file))
    assert len(found) == count
    assert {item.role for item in found} == {"listing"}
    assert all(item.url.startswith(("https://apps.apple.com/", "https://itunes.apple.com/")) for item in found)


def test_advertisements_come_without_tokens_and_without_addresses_of_pictures() -> None:
    meta = captures(read(SYNTHETIC / "meta_ads.json"))
    assert [item.url for item in meta] == [f"https://ads.library.example/render_ad/?id=90010020030{n}" for n in (0, 1)]
    assert meta[0].leads_to == ("https://velvetpane.example/",)
    tiktok = captures(read(SYNTHETIC / "tiktok_ads.json"))
    detail = captures(read(SYNTHETIC / "tiktok_ad_detail.json"))
    assert detail[0].leads_to == ("https://velvetpane.example/lp",)
    bodies = b"".join(item.body for item in (*meta, *tiktok, *detail))
    assert b"SECRETTOKEN" not in bodies
    assert b"media.example" not in bodies


def test_each_row_of_an_advertisement_csv_is_one_capture() -> None:
    found = captures(read(SYNTHETIC / "google_ads.csv"))
    assert [item.record for item in found] == ["CR00000000000000000001", "CR00000000000000000002"]
    assert json.loads(found[0].body)["advertiser_disclosed_name"] == "Velvetpane"
    assert {item.role for item in found} == {"ad"}


def test_a_csv_of_texts_gives_its_rows_and_names_bad_ones(put: Put) -> None:
    content = (
        "text,url,service,captured,role\n"
        '"First line,\nsecond line",https://velvetpane.example/a,Velvetpane,2026-10-01T12:00:00Z,faq\n'
        "Two,not an address,Velvetpane,,\n"
        "Three,https://velvetpane.example/c,Velvetpane,yesterday,\n"
        "Four,https://velvetpane.example/d,Velvetpane,,poem\n"
        "Five,only two\n"
        ",https://velvetpane.example/f,Velvetpane,,\n"
    )
    items = read(put("texts.csv", content.encode()))
    (found,) = captures(items)
    assert (found.url, found.service, found.role, found.captured) == (
        URL + "a",
        "Velvetpane",
        "faq",
        "2026-10-01T12:00:00.000Z",
    )
    assert [fault.partition(": ")[2] for fault in faults(items)] == [
        "line 4: 'not an address' is not an address",
        "line 5: 'yesterday' is not a time such as 2026-10-01T12:00:00Z",
        f"line 6: role must be one of {', '.join(ROLES)}, not 'poem'",
        "line 7: 2 cells where the header has 5",
    ]
    assert rules(items) == ["import.empty"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.warc", b"", "empty.warc is empty."),
        ("a.png", PNG, "a.png begins like image/png."),
        ("a.csv", b"name,words\nx,y\n", "line 1: no known columns"),
        ("a.json", b'{"colour": "red"}', "JSON of no known export (its records have colour …)"),
        ("b.json", b'{"entries": [{"a": ', "begins like JSON and cannot be read as such at byte 13: item 1 is cut off"),
        ("c.json", b"[]", "JSON without a single record"),
        ("a.bin", b"\x00\x01\x02\x03" * 50, "of no format that can be imported"),
    ],
)
def test_a_file_that_is_none_of_them_is_refused_with_what_it_is(put: Put, name: str, content: bytes, says: str) -> None:
    with pytest.raises(NotAnArchive) as refused:
        read(put(name, content))
    assert says in str(refused.value)
    assert str(refused.value).startswith(name)


def test_recorded_files_of_other_kinds_are_refused() -> None:
    folder = shared("warc") / "pywb" / "sample_archive"
    for name in (
        "cdx/bad.cdx",
        "zipcdx/zipnum-sample.cdx.gz",
        "text_content/sample_dash.mpd",
        "text_content/link_headers.yaml",
    ):
        with pytest.raises(NotAnArchive):
            read(folder / name)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "pages.cdxj",
            'com,velvetpane)/ 20260101000000 {"url": "https://velvetpane.example/", "length": "9"}\n',
            "points to",
        ),
        ("pages.cdx.gz", "\x1f\x8b\x08", "points to"),
        ("rules.aclj", 'com,velvetpane)/ - {"access": "allow"}\n', "of no format"),
        ("texts.csv", "a,b\n1,2\n", "no known columns"),
    ],
)
def test_what_is_no_capture_is_told_what_it_is_and_what_to_give(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(NotAnArchive, match=says):
        recognise(path)


def test_a_page_that_begins_with_a_script_is_a_page_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "part.html"
    path.write_text("<script>\nvar a = 1;\n</script>\nThe tool, free to try\n<a href='/x'>here</a>\n")
    assert recognise(path).name == "saved page"
