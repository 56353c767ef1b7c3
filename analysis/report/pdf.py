"""The report on paper: the HTML page printed by Chromium, tagged, with bookmarks and a text layer, without a network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Route

# TCP port 9 (discard) on loopback: whatever reached for the network would be refused at once.
_CLOSED_PROXY: Final = "http://127.0.0.1:9"
_PRINT_SECONDS: Final = 1200


class PrintFailed(Exception):
    """Chromium could not print the report; the message says why and what to do."""


def print_pdf(page: str, chromium: str) -> bytes:
    """*page* (the HTML of ``html.render``) as PDF, printed by the program *chromium*. Raises ``PrintFailed``."""
    from playwright.sync_api import Error, sync_playwright

    with tempfile.TemporaryDirectory(prefix="plainview-") as folder:
        file = Path(folder) / "report.html"
        file.write_text(page, encoding="utf-8", errors="replace")
        address = file.as_uri()

        def only_the_report(route: Route) -> None:
            if route.request.url == address:
                route.continue_()
            else:
                route.abort()

        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium,
                    proxy={"server": _CLOSED_PROXY, "bypass": "<-loopback>"},
                    chromium_sandbox=os.geteuid() != 0,
                )
                try:
                    tab = browser.new_page()
                    tab.set_default_timeout(_PRINT_SECONDS * 1000)
                    tab.route("**/*", only_the_report)
                    tab.goto(address)
                    return tab.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
                finally:
                    browser.close()
        except Error as error:
            reason = str(error).splitlines()[0]
            raise PrintFailed(
                f"Chromium could not print the report: {reason}. The HTML report needs no browser to be made: "
                "plainview report; or print one service at a time with --service."
            ) from error
