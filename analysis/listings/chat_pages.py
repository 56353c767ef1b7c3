"""Public pages of a messenger: the preview of a channel, and the page of a bot, group or account (Telegram's markup)."""

from __future__ import annotations

from typing import Final

from bs4 import BeautifulSoup, Tag

from analysis.listings.fields import Listing, Sheet

_CHANNEL: Final = ("title", "subtitle", "members", "description", "messages", "buttons", "landing")
_PAGE: Final = ("title", "subtitle", "members", "description", "buttons", "landing")


def read_channel(page: BeautifulSoup) -> Listing:
    """A channel's preview: who it is, how many follow, and the posts shown, without the names of other people."""
    sheet = Sheet("telegram-channel", "listing", _CHANNEL)
    for name, selector in (
        ("title", ".tgme_channel_info_header_title"),
        ("subtitle", ".tgme_channel_info_header_username"),
        ("members", ".tgme_channel_info_counters"),
    ):
        sheet.mark(selector, there=_put(sheet, page, name, selector))
    _put(sheet, page, "description", ".tgme_channel_info_description")
    posts = page.select(".tgme_widget_message")
    sheet.mark(".tgme_widget_message", there=bool(posts))
    for number, post in enumerate(posts, 1):
        text = post.select_one(".tgme_widget_message_text")
        if isinstance(text, Tag):
            sheet.put("messages", text.get_text(" "), f".tgme_widget_message({number})")
        for button in post.select("a.tgme_widget_message_inline_button"):
            _button(sheet, button, f".tgme_widget_message({number}) a.tgme_widget_message_inline_button")
    _landings(sheet, page, ".tgme_channel_info_description, .tgme_widget_message_text")
    return sheet.done()


def read_account(page: BeautifulSoup) -> Listing:
    """The page that a link to a bot, group or account opens."""
    title = page.select_one(".tgme_page_extra")
    words = title.get_text(" ").lower() if isinstance(title, Tag) else ""
    bot = "monthly users" in words or words.strip().endswith("bot")
    sheet = Sheet("telegram-bot" if bot else "telegram-page", "listing", _PAGE)
    for name, selector in (("title", ".tgme_page_title"), ("members", ".tgme_page_extra")):
        sheet.mark(selector, there=_put(sheet, page, name, selector))
    _put(sheet, page, "description", ".tgme_page_description")
    button = page.select_one("a.tgme_action_button_new")
    if sheet.mark("a.tgme_action_button_new", there=isinstance(button, Tag)) and button is not None:
        _button(sheet, button, "a.tgme_action_button_new")
    _landings(sheet, page, ".tgme_page_description")
    return sheet.done()


def _button(sheet: Sheet, button: Tag, where: str) -> None:
    words = " ".join(button.get_text(" ").split())
    sheet.put("buttons", f"{words} {button.get('href') or ''}", where)
    href = str(button.get("href") or "")
    if href.startswith(("http://", "https://")):
        sheet.put("landing", href, where)


def _landings(sheet: Sheet, page: BeautifulSoup, selector: str) -> None:
    seen: set[str] = set()
    for holder in page.select(selector):
        for link in holder.find_all("a", href=True):
            href = str(link["href"])
            if href.startswith(("http://", "https://")) and href not in seen:
                seen.add(href)
                sheet.put("landing", href, f"{selector.partition(',')[0]} a")


def _put(sheet: Sheet, page: BeautifulSoup, name: str, selector: str) -> bool:
    node = page.select_one(selector)
    if not isinstance(node, Tag):
        sheet.searched.setdefault(name, selector)
        return False
    return sheet.put(name, node.get_text(" "), selector)
