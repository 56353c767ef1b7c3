"""Imports into a case: provenance, whose they are, once only, interrupted, verified; and what a person is told."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.flags import analyze
from crawler.captures.importing import Imported, Progress, import_file
from data.case import Case
from data.ingest import take_in
from data.spool import VisitBusy, read_addresses, read_attempts, read_visit
from data.store import reading, rows
from tests.cli.run_plainview import plainview
from tests.crawler.captures.conftest import PAGE, gzipped, warc_record

Put = Callable[[str, bytes], Path]
HOME = "https://velvetpane.example/"
SYNTHETIC = Path(__file__).resolve().parents[2] / "fixtures" / "synthetic"


def take(case: Case, path: Path, service: str = "") -> Imported:
    found = import_file(case, path, lambda progress: None, service=service)
    take_in(case)
    return found


def archive(put: Put, *records: bytes, name: str = "given.warc.gz") -> Path:
    info = warc_record(
        "", b"software: Testmaker 3\r\noperator: Office of Tests\r\n", kind="warcinfo", http=False
    ).replace(b"WARC-Target-URI: \r\n", b"")
    return put(name, gzipped(info, *records))


def page(url: str, text: str = "One.") -> bytes:
    return warc_record(url, PAGE.format(text).encode(), name=f"n{abs(hash(url))}")


def test_a_text_is_kept_as_a_conversion_with_its_provenance(case: Case, put: Put) -> None:
    path = archive(put, page(HOME + "plans"))
    done = take(case, path)
    (visit,) = done.visits
    (found,) = read_attempts(case.evidence / visit)
    assert (found.fetcher, found.status_origin, found.stored_as) == ("import", "archive", "conversion")
    assert (found.started, found.status, found.requested_url) == ("2026-10-01T12:00:00.000Z", 200, HOME + "plans")
    told = found.provenance
    assert told is not None
    assert (told["file"], told["file_sha256"], told["format"]) == ("given.warc.gz", done.sha256, "WARC or ARC")
    assert told["captured_with"] == "Testmaker 3; Office of Tests"
    assert (told["captured"], told["time_from"], told["digest_state"]) == (found.started, "archive", "none stated")
    assert told["record"].startswith("<urn:uuid:n")
    assert told["offset"] > 0
    record = read_visit(case.evidence / visit)
    assert record.outcome == "imported"
    assert record.reason == "captured by others: given.warc.gz (Testmaker 3; Office of Tests)"
    with reading(case) as connection:
        (row,) = rows(connection, "SELECT provenance->>'file' AS file, fetcher FROM observations")
    assert row == {"file": "given.warc.gz", "fetcher": "import"}


def test_the_same_file_again_adds_nothing(case: Case, put: Put) -> None:
    path = archive(put, page(HOME))
    first = take(case, path)
    ledger = case.ledger.head().count
    again = take(case, put("renamed.warc.gz", path.read_bytes()))
    assert (again.visits, again.known, again.texts) == ((), ("Velvetpane",), 0)
    assert case.ledger.head().count == ledger
    assert sorted(item.name for item in case.evidence.iterdir()) == list(first.visits)
    assert list(case.spool.iterdir()) == []


def test_each_record_goes_to_the_service_it_is_of(case: Case, put: Put) -> None:
    done = take(
        case,
        archive(
            put,
            page(HOME),
            page("https://velvetpane.example/help/faq"),
            page("https://lumenhush.example/"),
            page("https://store.example/app/snapmarrow"),
            page("https://store.example/app/snapmarrow/privacy"),
            page("https://store.example/app/another"),
            page("https://elsewhere.example/"),
        ),
    )
    with reading(case) as connection:
        found = {
            row["url"]: row["service"]
            for row in rows(connection, "SELECT requested_url AS url, service FROM observations")
        }
    assert found == {
        HOME: "Velvetpane",
        "https://velvetpane.example/help/faq": "Velvetpane",
        "https://lumenhush.example/": "Lumenhush",
        "https://store.example/app/snapmarrow": "Snapmarrow",
        "https://store.example/app/snapmarrow/privacy": "Snapmarrow",
    }
    assert dict(done.unlisted) == {"store.example": 1, "elsewhere.example": 1}
    assert len(done.visits) == 3


def test_a_service_listed_later_gets_its_part_of_a_file_known_before(case: Case, put: Put) -> None:
    from data.records import Service

    path = archive(put, page(HOME), page("https://elsewhere.example/"))
    take(case, path)
    case.record("services.added", {"services": [Service("Elsewhere", urls=("https://elsewhere.example/",)).as_json()]})
    done = take(case, path)
    assert (len(done.visits), done.known, done.texts) == (1, ("Velvetpane",), 1)


def test_with_a_service_named_everything_is_its(case: Case, put: Put) -> None:
    done = take(case, archive(put, page("https://elsewhere.example/")), service="Velvetpane")
    assert (done.texts, done.unlisted) == (1, ())


def test_unchanged_redirected_and_refused_pages_are_observations_too(case: Case, put: Put) -> None:
    moved = warc_record(HOME + "old", b"", status="301 Moved\r\nLocation: /new")
    revisit = warc_record(HOME + "same", b"", kind="revisit", extra="WARC-Refers-To-Date: 2026-09-01T00:00:00Z\r\n")
    gone = warc_record(HOME + "gone", PAGE.format("Gone.").encode(), status="404 Not Found")
    (visit,) = take(case, archive(put, moved, revisit, gone)).visits
    found = {item.requested_url.rpartition("/")[2]: item for item in read_attempts(case.evidence / visit)}
    assert (found["old"].outcome, found["old"].redirect_to) == ("redirect", HOME + "new")
    assert (found["same"].outcome, found["same"].rule) == ("unchanged", "import.revisit")
    assert found["same"].reason == "the archive says: unchanged since 2026-09-01T00:00:00Z"
    assert (found["gone"].outcome, found["gone"].has_text) == ("not_found", True)


def test_what_is_left_out_is_on_record_with_its_rule(case: Case, put: Put) -> None:
    path = archive(put, page(HOME), warc_record(HOME + "a.png", b"\x89PNG\r\n\x1a\n", content_type="image/png"))
    (visit,) = take(case, path).visits
    (seen,) = read_addresses(case.evidence / visit)
    assert (seen.url, seen.decision, seen.rule) == (HOME + "a.png", "skipped", "response.type")
    about = read_visit(case.evidence / visit).provenance
    assert about is not None
    assert about["left_out"] == {"response.type": 1}


def test_payloads_are_scrubbed_and_their_hashes_kept(case: Case, put: Put) -> None:
    inline = '<img src="data:image/png;base64,' + "iVBORw0KGgo" + "A" * 400 + '">'
    (visit,) = take(case, archive(put, page(HOME, inline))).visits
    (found,) = read_attempts(case.evidence / visit)
    assert [item["kind"] for item in found.redactions] == ["data-uri"]


def test_an_interrupted_import_is_begun_anew(case: Case, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(put, *(page(f"{HOME}{number}") for number in range(200)))

    def cut(progress: Progress) -> None:
        if progress.texts > 90:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(case, path, cut)
    take_in(case)
    assert list(case.evidence.iterdir()) == [], "what was not closed is not evidence"
    done = take(case, path)
    assert done.texts == 200
    assert [item.seq for item in read_attempts(case.evidence / done.visits[0])] == list(range(1, 201))


def test_two_imports_of_one_file_at_once_do_not_mix(case: Case, put: Put) -> None:
    path = archive(put, *(page(f"{HOME}{number}") for number in range(200)))
    second: list[str] = []

    def start_another(progress: Progress) -> None:
        if progress.texts > 90 and not second:
            try:
                import_file(case, path, lambda _: None)
            except VisitBusy as error:
                second.append(str(error))

    import_file(case, path, start_another)
    assert len(second) == 1
    assert "is being imported by another process" in second[0]


def test_faults_are_on_record_and_the_visit_is_partial(case: Case, put: Put) -> None:
    whole = archive(put, page(HOME), page(HOME + "two", "x" * 3000)).read_bytes()
    done = take(case, put("cut.warc.gz", whole[:-40]))
    assert done.fault_count == 1
    record = read_visit(case.evidence / done.visits[0])
    assert record.partial == ("1 parts of cut.warc.gz could not be read",)
    assert record.provenance is not None
    assert record.provenance["faults"][0]["offset"] == done.faults[0].offset > 0


def test_progress_goes_from_nothing_to_all(case: Case, put: Put) -> None:
    told: list[Progress] = []
    import_file(case, archive(put, *(page(f"{HOME}{number}") for number in range(120))), told.append)
    assert list(dict.fromkeys(item.step for item in told)) == ["hash", "read"]
    done = [item.done for item in told if item.step == "read"]
    assert done == sorted(done)
    assert done[-1] == told[-1].size
    assert told[-1].texts == 120


def test_an_archive_may_hold_more_services_than_files_may_be_open(case: Case, put: Put) -> None:
    import resource

    from data.records import Service

    names = [f"s{number}" for number in range(80)]
    services = [Service(name, urls=(f"https://{name}.example/",)).as_json() for name in names]
    case.record("services.added", {"services": services})
    path = archive(put, *(page(f"https://{name}.example/") for name in names))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        done = import_file(case, path, lambda progress: None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (len(done.visits), done.texts) == (80, 80)


def test_imported_listings_and_advertisements_are_read_field_by_field(case: Case) -> None:
    take(case, SYNTHETIC / "meta_ads.json", service="Velvetpane")
    take(case, SYNTHETIC / "google_play.html", service="Snapmarrow")
    analyze(case, lambda progress: None)
    with reading(case) as connection:
        found = rows(
            connection,
            "SELECT service, platform, field, value FROM listings WHERE state = 'present' AND field IN ('ad_text', 'title')",
        )
        roles = {row["page_role"] for row in rows(connection, "SELECT page_role FROM texts")}
        spoken = {row["text"] for row in rows(connection, "SELECT text FROM passages")}
    assert {
        "service": "Velvetpane",
        "platform": "meta-ads",
        "field": "ad_text",
        "value": "Tidy your pictures.",
    } in found
    assert {
        "service": "Snapmarrow",
        "platform": "google-play",
        "field": "title",
        "value": "Snapmarrow: Photo Shelf",
    } in found
    assert roles == {"listing", "ad"}
    assert "Any outfit, one tap. Try it free today." in spoken


# --- the command


def test_the_command_says_what_was_taken_in_left_out_and_not_read(case: Case, put: Put) -> None:
    whole = archive(
        put,
        page(HOME),
        warc_record(HOME + "a", b"\x89PNG\r\n\x1a\n", content_type="image/png"),
        page("https://elsewhere.example/"),
        page(HOME + "two", "x" * 3000),
    ).read_bytes()
    path = put("cut.warc.gz", whole[:-40])
    done = plainview("import", str(path), "--case", str(case.root))
    assert done.returncode == 3
    assert done.stdout == ""
    assert "captured with software Testmaker 3; operator Office of Tests" in done.stderr
    assert "left out 1: declared as something other than text (response.type)" in done.stderr
    assert "passed over 1 records of no listed service: elsewhere.example 1" in done.stderr
    assert "could not be read: at byte" in done.stderr
    events = [entry.body for entry in case.ledger.events("capture.imported")]
    assert [(event["file"], event["unlisted"], event["unreadable"]) for event in events] == [("cut.warc.gz", 1, 1)]
    again = plainview("import", str(path), "--case", str(case.root))
    assert "taken in before, nothing new: Velvetpane" in again.stderr
    assert len(list(case.ledger.events("capture.imported"))) == 1
    verified = plainview("verify", str(case.root))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_command_asks_whose_a_capture_is(case: Case, put: Put) -> None:
    path = archive(put, page("https://elsewhere.example/"))
    unknown = plainview("import", str(path), "--case", str(case.root))
    assert unknown.returncode == 2
    assert "name the service they are about: --service NAME" in unknown.stderr
    misspelt = plainview("import", str(path), "--case", str(case.root), "--service", "Velvetpan")
    assert misspelt.returncode == 2
    assert "Did you mean 'Velvetpane'?" in misspelt.stderr
    new = plainview(
        "import", str(path), "--case", str(case.root), "--service", "Elsewhere", "--kind", "bot", "-f", "json"
    )
    assert new.returncode == 0
    assert json.loads(new.stdout)[0]["texts"] == 1
    assert case.services()["Elsewhere"].kind == "bot"


@pytest.mark.parametrize(
    "words", [("nowhere.warc",), ("case.toml", "--kind", "shop", "--service", "X"), ("case.toml", "--kind", "bot")]
)
def test_a_wrong_command_changes_nothing(case: Case, words: tuple[str, ...]) -> None:
    before = case.ledger.head()
    done = plainview("import", *words, cwd=case.root)
    assert done.returncode == 2
    assert case.ledger.head() == before


def test_suggestions_are_listed_and_only_added_when_accepted(case: Case) -> None:
    take(case, SYNTHETIC / "tiktok_ad_detail.json", service="Lumenhush")
    take(case, SYNTHETIC / "google_play.html", service="Snapmarrow")
    analyze(case, lambda progress: None)
    before = case.services()
    listed = plainview("services", "suggest", "--case", str(case.root), "-f", "json")
    found = json.loads(listed.stdout)
    assert {(row["for"], row["rule"], row["address"]) for row in found} == {
        ("Snapmarrow", "seam.developer-site", "https://snapmarrow.example/"),
        ("Snapmarrow", "seam.privacy", "https://snapmarrow.example/privacy"),
        ("Snapmarrow: other offers", "apps.developer", "https://play.store.example/store/apps/dev?id=7700112233"),
        ("Lumenhush", "seam.landing", "https://velvetpane.example/lp"),
    }
    assert case.services() == before
    number = next(row["n"] for row in found if row["rule"] == "seam.developer-site")
    accepted = plainview("services", "suggest", "--case", str(case.root), "--accept", str(number))
    assert accepted.returncode == 0, accepted.stderr
    service = case.services()["Snapmarrow"]
    assert service.urls == ("https://store.example/app/snapmarrow", "https://snapmarrow.example/")
    assert service.kind_of("https://snapmarrow.example/") == "website"
    (event,) = [entry.body for entry in case.ledger.events("services.added") if "suggested" in entry.body]
    assert event["suggested"][0]["rule"] == "seam.developer-site"
    wrong = plainview("services", "suggest", "--case", str(case.root), "--accept", "99")
    assert wrong.returncode == 2


def test_affiliate_links_and_named_mirrors_are_proposed(case: Case, put: Put) -> None:
    from analysis.suggestions import suggest

    words = (
        'Our favourite: <a href="https://quillobrite.example/start?aff=tool7">try it</a>, and the '
        '<a href="https://lumenhush.example/?ref=tool7">other one</a>.</p>'
        "<p>If this site is blocked for you, use our mirror at velvetpane-two.example instead.</p><p>"
    )
    take(case, archive(put, page(HOME, words)))
    analyze(case, lambda progress: None)
    with reading(case) as connection:
        found = suggest(connection, case.services())
    assert [(item.rule, item.service, item.new, item.url) for item in found] == [
        ("mirror.named", "Velvetpane", False, "https://velvetpane-two.example/"),
        ("affiliate.link", "quillobrite.example", True, "https://quillobrite.example/"),
    ], "Lumenhush is on the list already"
    assert all(item.observation and item.reason for item in found)


def test_a_listing_and_its_landing_page_stand_side_by_side(case: Case, put: Put) -> None:
    from data.records import Service

    urls = ("https://store.example/app/snapmarrow", "https://snapmarrow.example/")
    case.record(
        "services.added",
        {"services": [Service("Snapmarrow", "app_listing", urls=urls, kinds=("app_listing", "website")).as_json()]},
    )
    take(case, SYNTHETIC / "google_play.html", service="Snapmarrow")
    take(case, archive(put, page("https://snapmarrow.example/", "Remove clothing from any photo with one tap.")))
    analyze(case, lambda progress: None)
    shown = plainview("show", "Snapmarrow", "--case", str(case.root)).stdout
    assert "What the listing says, and what its own pages say" in shown
    assert "captured by others" in shown
    (line,) = [line for line in shown.splitlines() if "Snapmarrow: Photo Shelf" in line and "title" in line][:1]
    assert "Velvetpane" in line, "the landing page's title stands on the same line"
    assert "Remove clothing" in shown
    from analysis.report.gather import gather
    from analysis.report.html import render
    from analysis.report.word import word_document

    report = render(gather(case)).replace("&#39;", "'")
    part = report[report.index("What the listing says, and what its own pages say") :]
    part = part[: part.index("Possible indicators")]
    assert "Snapmarrow: Photo Shelf" in part
    assert "captured by others" in part
    assert part.index("Own pages") < part.index("Velvetpane")
    rows = _word_rows(word_document(gather(case)))
    head = rows.index(["Listing, bot or advertisement", "Own pages"])
    left, right = ("\n".join(row[side] for row in rows[head + 1 :] if len(row) == 2) for side in (0, 1))
    assert "Snapmarrow: Photo Shelf" in left
    assert "captured by others, hxxps" in left
    assert "Velvetpane" in right
    assert "Remove clothing" in right


def _word_rows(document: bytes) -> list[list[str]]:
    """The words of each row of each table of a Word document, cell by cell."""
    from xml.etree import ElementTree

    word = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(document)) as opened:
        root = ElementTree.fromstring(opened.read("word/document.xml"))
    return [
        ["".join(node.text or "" for node in cell.iter(f"{word}t")) for cell in row.iter(f"{word}tc")]
        for row in root.iter(f"{word}tr")
    ]
