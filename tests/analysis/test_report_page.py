"""The report in a real browser, on paper and in Word."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from analysis.report.gather import gather
from analysis.report.html import render
from analysis.report.pdf import PrintFailed, print_pdf
from analysis.report.snapshot import Snapshot
from analysis.report.word import word_document
from crawler.browser import BrowserUnavailable, find_chromium
from tests.analysis.report_case import PLAIN, PROMISE, RETENTION, report_case

# axe-core comes from npm: PLAINVIEW_AXE names its axe.min.js.
AXE = os.environ.get("PLAINVIEW_AXE", "")


def _chromium() -> str:
    try:
        return find_chromium()
    except BrowserUnavailable:
        return ""


needs_browser = [pytest.mark.browser, pytest.mark.skipif(not _chromium(), reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return gather(report_case(tmp_path_factory.mktemp("page") / "case"))


@pytest.fixture(scope="module")
def file(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(snapshot), encoding="utf-8")
    return path


@pytest.fixture(scope="class")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_chromium(), chromium_sandbox=os.geteuid() != 0)
        yield started
        started.close()


def _open(browser: Browser, file: Path, *, width: int = 1280, scripts: bool = True, scheme: str = "light") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=False,
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(file.as_uri())
    return page


class TestInABrowser:
    pytestmark = needs_browser

    def test_opening_it_asks_for_nothing_and_complains_of_nothing(self, browser: Browser, file: Path) -> None:
        context = browser.new_context()
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(file.as_uri())
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(300)
        assert asked == [file.as_uri()]
        assert said == []

    @pytest.mark.parametrize("width", [360, 1280, 1920])
    def test_nothing_is_wider_than_the_window(self, browser: Browser, file: Path, width: int) -> None:
        page = _open(browser, file, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_a_filter_leaves_the_passages_that_fit_and_says_how_many(self, browser: Browser, file: Path) -> None:
        page = _open(browser, file)
        before = page.locator(".ind:visible").count()
        page.fill("#filter-text", "DELETE every  photo")
        page.select_option("#filter-code", "D04")
        expect(page.locator("#filter-result")).to_contain_text("fit", timeout=60_000)
        assert page.inner_text("#filter-result") == "1 passages of 1 services fit."
        shown = page.locator(".ind:visible")
        assert shown.count() == 1
        expect(shown).to_contain_text(PROMISE, timeout=60_000)
        page.click("button[type=reset]")
        expect(page.locator("#filter-result")).to_be_empty(timeout=60_000)
        assert page.locator(".ind:visible").count() == before > 4

    def test_a_filter_by_stance_or_service_name_works_as_well(self, browser: Browser, file: Path) -> None:
        page = _open(browser, file)
        page.select_option("#filter-stance", "PROHIB")
        expect(page.locator("#filter-result")).to_contain_text("fit", timeout=60_000)
        assert page.locator(".ind:visible").evaluate_all("all => all.map(item => item.dataset.stance)") == ["PROHIB"]
        page.click("button[type=reset]")
        page.fill("#filter-text", "lantern")
        expect(page.locator("#filter-result")).to_contain_text("fit", timeout=60_000)
        assert page.locator(".dossier:visible h3").all_inner_texts() == [f"1 {PLAIN}"]

    def test_without_scripts_everything_is_there_and_nothing_is_dead(self, browser: Browser, file: Path) -> None:
        page = _open(browser, file, scripts=False)
        assert not page.locator("#filter").is_visible()
        assert page.get_by_text(PROMISE, exact=True).first.is_visible()
        assert page.get_by_text(RETENTION, exact=True).first.is_visible()
        page.locator("details.record summary").first.click()
        assert page.get_by_text(re.compile("text sha256 [0-9a-f]{64}")).first.is_visible()

    def test_the_keyboard_reaches_the_report_past_the_contents(self, browser: Browser, file: Path) -> None:
        page = _open(browser, file)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"

    @pytest.mark.skipif(not AXE, reason="PLAINVIEW_AXE names no axe.min.js")
    @pytest.mark.timeout(1200)
    @pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
    def test_axe_finds_no_violation(self, browser: Browser, file: Path, width: int, scheme: str) -> None:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=True,
        )
        page = context.new_page()
        page.set_default_timeout(600_000)
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
        page.add_script_tag(path=AXE)
        found = page.evaluate("axe.run(document)")
        assert found["passes"]
        assert [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]] == []


class TestOnPaper:
    pytestmark = needs_browser

    def test_printed_it_has_text_bookmarks_and_nothing_folded(self, file: Path, tmp_path: Path) -> None:
        printed = print_pdf(file.read_text(encoding="utf-8"), _chromium())
        assert printed.startswith(b"%PDF-")
        assert b"/Outlines" in printed
        assert b"/StructTreeRoot" in printed
        assert b"/URI" not in printed
        if not shutil.which("pdftotext"):
            return
        import subprocess

        path = tmp_path / "report.pdf"
        path.write_bytes(printed)
        text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
        plain = re.sub(r"\s+", " ", text)
        assert PROMISE in plain
        assert "locator" in plain
        assert "Possible indicators, not findings of law" in plain
        assert re.search(r"\b1 / \d+\b", plain)

    def test_a_browser_that_does_not_start_is_said_so(self, file: Path, tmp_path: Path) -> None:
        broken = tmp_path / "chromium"
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        with pytest.raises(PrintFailed, match="could not print the report") as told:
            print_pdf(file.read_text(encoding="utf-8"), str(broken))
        assert "Sync API" not in str(told.value)


def _word_xml(snapshot: Snapshot) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(word_document(snapshot))) as archive:
        return {
            name: archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith((".xml", ".rels"))
        }


def test_the_word_document_says_what_the_page_says(snapshot: Snapshot) -> None:
    files = _word_xml(snapshot)
    root = ElementTree.fromstring(files["word/document.xml"])
    word = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    paragraphs = ["".join(node.text or "" for node in item.iter(f"{word}t")) for item in root.iter(f"{word}p")]
    said = "\n".join(paragraphs)
    for words in (f"{PROMISE} Nobody can trace you.", RETENTION, "2 of 4 (50%) services on the list were reached"):
        assert words in said
    for item in snapshot.dossiers[0].groups[0].raising:
        assert item.sightings[0].exhibit in said
    for name, sentence in (("Recorded by us", "as they arrived"), ("Our clock", "recording machine's clock")):
        assert any(text.startswith(name) and sentence in text for text in paragraphs)
    assert "classmates" not in said


def test_the_word_document_leads_nowhere_and_runs_nothing(snapshot: Snapshot) -> None:
    files = _word_xml(snapshot)
    assert not [name for name in files if "vbaProject" in name or "embeddings" in name]
    for name, content in files.items():
        if name.endswith(".rels"):
            assert 'TargetMode="External"' not in content, name
    document = files["word/document.xml"]
    assert set(re.findall(r"<w:instrText[^>]*>([^<]*)<", document)) == {'TOC \\o "1-2" \\h \\z \\u'}
    assert "hostile.example" not in document
    assert "⟦U+202E⟧" in document


def test_every_table_in_word_repeats_its_header(snapshot: Snapshot) -> None:
    document = _word_xml(snapshot)["word/document.xml"]
    assert document.count("<w:tbl>") == document.count("<w:tblHeader/>") > 3
