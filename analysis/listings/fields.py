"""The fields of a listing: each present with its value and place, absent after a stated search, or not read for a reason.

*Absent* is a finding, so it needs a witness: the page or record showed every mark of the layout that the reader knows, and the
field was not in it. Where a mark is missing, the layout may have changed, and what was not found is *unparsed*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Present:
    """The field's text, white space collapsed, and where it stood: a CSS path, a JSON pointer, a heading."""

    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The field is not there; ``searched`` says where it would have been."""

    searched: str


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Whether the field is there is not known; ``reason`` says why."""

    reason: str


Field = Present | Absent | Unparsed

FIELDS: Final = {
    "title": "The name of the app, bot, model or advertisement.",
    "subtitle": "The line under the name.",
    "category": "The category that it is listed under.",
    "age_rating": "The age rating or the audience that it is rated for.",
    "price": "What it costs to get.",
    "in_app_prices": "What is sold inside, as the listing says.",
    "installs": "Downloads or installs, as the platform shows them.",
    "rating": "The average rating.",
    "rating_count": "How many ratings, reviews or likes.",
    "description": "The description.",
    "whats_new": "Notes on the last version.",
    "privacy_label": "What the listing says about data: privacy label, data safety.",
    "developer": "The name of who offers it.",
    "developer_site": "The address of the developer's own site.",
    "developer_email": "The developer's e-mail address.",
    "developer_address": "The developer's postal address.",
    "privacy_link": "The address of the privacy policy.",
    "other_apps": "Other offers of the same developer, or the page that lists them.",
    "permissions": "Permissions that it asks for.",
    "reviews": "Texts of reviews shown with it, without their authors.",
    "members": "Members, subscribers or users, as the platform shows them.",
    "messages": "Texts of posts shown in a preview.",
    "buttons": "Buttons with their addresses.",
    "version": "The version, or when it was last changed.",
    "tags": "Tags and kinds that a library gives it.",
    "ad_text": "The words of an advertisement.",
    "landing": "Where an advertisement leads.",
    "run_dates": "From when to when an advertisement ran.",
    "advertiser": "Who placed an advertisement.",
    "payer": "Who paid for an advertisement.",
    "reach": "How many an advertisement reached, and where.",
}

# The fields whose words speak to a consumer: what is put beside the landing page.
SPOKEN: Final = ("title", "subtitle", "category", "age_rating", "price", "in_app_prices", "description", "whats_new",
                 "privacy_label", "ad_text", "messages", "tags")  # fmt: skip
# The fields that lead elsewhere.
LEADS: Final = ("developer_site", "privacy_link", "landing", "buttons", "other_apps")


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing or advertisement as one reader read it. A field may have several present values, in their order."""

    platform: str
    kind: str
    fields: tuple[tuple[str, Field], ...]

    def values(self, name: str) -> tuple[str, ...]:
        """The present values of a field."""
        return tuple(item.value for key, item in self.fields if key == name and isinstance(item, Present))

    def state(self, name: str) -> str:
        """``present``, ``absent`` or ``unparsed``; a field that the platform does not have is ``unparsed``."""
        return next((type(item).__name__.lower() for key, item in self.fields if key == name), "unparsed")


@dataclass(slots=True)
class Sheet:
    """What a reader fills in. ``doubt`` says why the layout is not the known one; empty while every mark was found."""

    platform: str
    kind: str
    expected: tuple[str, ...]
    doubt: str = ""
    found: list[tuple[str, Field]] = field(default_factory=list)
    searched: dict[str, str] = field(default_factory=dict)

    def replace(self, name: str, value: object, where: str) -> bool:
        """Put down a better value of a field in place of those before."""
        self.found = [item for item in self.found if item[0] != name]
        return self.put(name, value, where)

    def mark(self, name: str, *, there: bool) -> bool:
        """Note a mark of the known layout; the first one that is missing puts every field not found in doubt."""
        if not there and not self.doubt:
            self.doubt = f"the layout may have changed: {name} was not found"
        return there

    def put(self, name: str, value: object, where: str) -> bool:
        """Put down a value; nothing is put down for an empty one. True where there was one."""
        text = " ".join(str(value).split()) if value is not None and not isinstance(value, bool) else ""
        if text and any(key == name and isinstance(item, Present) and item.value == text for key, item in self.found):
            return True
        if text:
            self.found.append((name, Present(text, where)))
        else:
            self.searched.setdefault(name, where)
        return bool(text)

    def unparsed(self, name: str, reason: str) -> None:
        """Put down that a field is there and was not understood."""
        self.found.append((name, Unparsed(reason)))

    def done(self) -> Listing:
        """The listing, with every expected field in one of its three states."""
        named = {name for name, _ in self.found}
        rest: list[tuple[str, Field]] = [
            (
                name,
                Unparsed(self.doubt)
                if self.doubt
                else Absent(self.searched.get(name, "every place that this layout has for it")),
            )
            for name in self.expected
            if name not in named
        ]
        order = {name: number for number, name in enumerate(FIELDS)}
        return Listing(self.platform, self.kind, tuple(sorted([*self.found, *rest], key=lambda item: order[item[0]])))
