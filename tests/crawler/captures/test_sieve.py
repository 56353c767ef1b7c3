"""Large archives: only what is asked for is read, and it is read as if all had been."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.sift import Sift
from cli.imports import Parcel, Seeking, import_parcel
from crawler.captures.importing import Imported, Sought, import_file
from crawler.captures.sieve import Wanted, sieve
from data.case import Case, CaseFacts, make_case
from data.engine import Local, in_order
from data.spool import read_attempts
from data.store import reading, rows
from tests.cli.run_plainview import plainview
from tests.crawler.captures.conftest import PAGE, gzipped, warc_record

Put = Callable[[str, bytes], Path]
CLAIMS = (
    "<ul><li>Remove clothing from any photo without their permission.</li><li>100% free, no card needed.</li>"
    "<li>We delete every photo after one hour.</li></ul><p>Loved by 2 million users.</p>"
)


def records(hosts: int, *, wanted: str = "velvetpane.example", text: str = "One.") -> list[bytes]:
    """A file as Common Crawl has it: request and response of page after page, one host in eight of interest."""
    made = [warc_record("", b"software: Testmaker 3\r\n", kind="warcinfo", http=False)]
    for number in range(hosts):
        host = wanted if number % 8 == 3 else f"other{number}.example"
        url = f"https://{host}/page-{number}"
        body = PAGE.format(text if host == wanted else f"Weather of day {number}.").encode()
        asked = warc_record(url, b"GET / HTTP/1.1\r\n\r\n", kind="request", http=False, name=f"q{number}")
        made += [asked, warc_record(url, body, name=f"n{number}")]
    return made


def provenances(case: Case, found: Imported) -> list[Any]:
    """What is on record of each capture, but the moment of the import."""
    kept = []
    for visit in found.visits:
        for item in read_attempts(case.spool / visit):
            assert item.provenance is not None
            provenance = {key: value for key, value in item.provenance.items() if key != "imported"}
            kept.append((item.requested_url, item.outcome, item.wire_sha256, json.dumps(provenance, sort_keys=True)))
    return kept


def other(case: Case, tmp_path: Path) -> Case:
    """A second case with the same services."""
    made = make_case(tmp_path / "other", CaseFacts(title="t", authority="a"))
    made.record("services.added", {"services": [item.as_json() for item in case.services().values()]})
    return made


@pytest.mark.parametrize("damage", ["none", "a damaged member", "one stream", "not gzipped"])
def test_what_is_sought_is_read_as_the_whole_file_would_be(case: Case, put: Put, tmp_path: Path, damage: str) -> None:
    made = records(40)
    content = bytearray(gzipped(*made))
    if damage == "a damaged member":
        at = len(gzipped(*made[:30]))
        content[at + 60 : at + 80] = b"\0" * 20
    elif damage == "one stream":
        content = bytearray(gzip.compress(b"".join(made)))
    elif damage == "not gzipped":
        content = bytearray(b"".join(made))
    path = put("cc.warc.gz", bytes(content))
    whole = other(case, tmp_path)
    expected = import_file(whole, path, lambda _: None)
    found = import_file(case, path, lambda _: None, sought=Sought())
    assert provenances(case, found) == provenances(whole, expected)
    assert found.texts == expected.texts > 2
    assert found.fault_count == expected.fault_count
    assert sum(count for _, count in found.unlisted) > 20


def test_records_that_are_not_asked_for_are_not_read(put: Put) -> None:
    path = put("cc.warc.gz", gzipped(*records(16)))
    with path.open("rb") as file:
        members = list(sieve(file, Wanted(lambda url: "velvetpane" in url)))
    wanted = [member for member in members if member.wanted]
    # The file's own description, and of each page of interest the request and the answer.
    assert [member.url.rpartition("/")[2] for member in wanted] == ["", "page-3", "page-3", "page-11", "page-11"]
    assert sum(not member.wanted for member in members) == 14


def test_the_claims_prefilter_makes_a_service_of_each_site_that_it_finds(case: Case, put: Put) -> None:
    path = put("cc.warc.gz", gzipped(*records(16, wanted="nimbuvane.example", text=CLAIMS)))
    found = import_file(case, path, lambda _: None, sought=Sought(Sift(3), anywhere=True))
    assert [service.service for service in found.found] == ["nimbuvane.example"]
    assert found.texts == 2


def test_a_plain_shop_is_not_found_by_the_claims_prefilter() -> None:
    shop = PAGE.format("<p>Free delivery. Cancel any time. Loved by 2 million users.</p><p>We delete your data.</p>")
    assert not Sift(3)(warc_record("https://shop.example/", shop.encode()))
    assert Sift(3)(warc_record("https://nimbuvane.example/", PAGE.format(CLAIMS).encode()))
    assert Sift(3)(
        warc_record("https://nimbuvane.example/", CLAIMS.replace("<", "\n<").encode(), kind="conversion", http=False)
    )


def test_files_side_by_side_give_what_one_after_the_other_gives(case: Case, put: Put, tmp_path: Path) -> None:
    paths = [put(f"cc-{number}.warc.gz", gzipped(*records(24 + number))) for number in range(4)]
    one = other(case, tmp_path)
    expected = [import_file(one, path, lambda _: None, sought=Sought()) for path in paths]
    seeking = Seeking(0, False)
    parcels = (Parcel(case, str(path), "", case.services(), seeking, "") for path in paths)
    found = list(in_order(Local(2), import_parcel, parcels))
    assert [item.texts for item in found] == [item.texts for item in expected]
    assert [provenances(case, item) for item in found] == [provenances(one, item) for item in expected]


def test_hosts_are_listed_and_their_pages_taken_in_as_a_user_does_it(case: Case, put: Put, tmp_path: Path) -> None:
    paths = [put(f"cc-{number}.warc.gz", gzipped(*records(16, wanted="nimbuvane.example"))) for number in range(2)]
    paths[1].write_bytes(gzipped(*records(24, wanted="nimbuvane.example", text="Two.")))
    hosts = tmp_path / "hosts.txt"
    hosts.write_text("# a list\nnimbuvane.example\nvelvetpane.example\n")
    store = tmp_path / "store"
    done = plainview(
        "import",
        *map(str, paths),
        "--hosts",
        str(hosts),
        "--processes",
        "2",
        "--store",
        str(store),
        "--case",
        str(case.root),
    )
    assert done.returncode == 0, done.stderr
    assert "1 hosts of hosts.txt are on the list" in done.stderr
    with reading(case) as connection:
        found = rows(connection, "SELECT service, count(*) AS n FROM observations GROUP BY service")
    assert found == [{"service": "nimbuvane.example", "n": 5}]
    again = plainview("import", str(paths[0]), str(paths[1]), "--processes", "2", "--store", str(store), "--hosts", str(hosts),
                      "--case", str(case.root))  # fmt: skip
    assert "taken in before" in again.stderr
    assert len(list(case.ledger.events("capture.imported"))) == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_on_ray_files_are_imported_as_a_user_does_it(case: Case, put: Put, tmp_path: Path) -> None:
    paths = [put(f"cc-{number}.warc.gz", gzipped(*records(16 + 8 * number))) for number in range(2)]
    one = other(case, tmp_path)
    expected = [import_file(one, path, lambda _: None, sought=Sought()) for path in paths]
    hosts = tmp_path / "hosts.txt"
    hosts.write_text("velvetpane.example\n")
    done = plainview(
        "import", *map(str, paths), "--hosts", str(hosts), "--engine", "ray", "--case", str(case.root), timeout=400
    )
    assert done.returncode == 0, done.stderr
    with reading(case) as connection:
        found = rows(connection, "SELECT count(*) AS n FROM observations WHERE fetcher = 'import'")
    assert found[0]["n"] == sum(item.texts for item in expected) == 5
    assert not list((case.root / "arriving").rglob("closed.json"))
