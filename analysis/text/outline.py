"""The headings in force at a place, and how far each of them reaches."""

from __future__ import annotations

from typing import Final

HEADING_LENGTH: Final = 200
CAPTION_LEVEL: Final = 7
"""Below h6: a caption, legend, summary, or a short line in bold."""
QUESTION_LEVEL: Final = 8
"""Below those: a term of a definition list, a question."""


class Outline:
    """Headings of one part of a page. A section starts from its parent's and keeps its own; a landmark starts anew."""

    __slots__ = ("_base", "_entries", "child", "only_headings", "path")

    def __init__(self, base: tuple[tuple[int, str], ...] = ()) -> None:
        self._base = base
        self._entries: list[tuple[int, str]] = []
        self.path = " > ".join([text for _, text in base])
        """The headings in force, outermost first, joined with " > "."""
        self.only_headings = True
        self.child: Outline | None = None

    def section(self) -> Outline:
        """The outline of a section that begins here."""
        self.settle()
        self.child = Outline((*self._base, *self._entries))
        return self.child

    def settle(self) -> None:
        """Close the section before. One that held nothing but a heading titles what follows (page builders part them)."""
        closed: list[Outline] = []
        outline: Outline | None = self
        while outline is not None and outline.child is not None:
            closed.append(outline)
            outline.child, outline = None, outline.child
        for parent in reversed(closed):
            child = outline
            if child is not None and child.only_headings:
                for level, text in child._entries:
                    parent.push(level, text)
            else:
                parent.only_headings = False
            outline = parent

    def push(self, level: int, text: str) -> None:
        """A heading of *level* (1 to 8) begins; those of its level and below end."""
        if level < CAPTION_LEVEL:
            self._base = tuple(entry for entry in self._base if entry[0] < level)
        self._entries = [entry for entry in self._entries if entry[0] < level]
        self._entries.append((level, text[:HEADING_LENGTH]))
        self.path = " > ".join([text for _, text in (*self._base, *self._entries)])

    def copy(self) -> Outline:
        """The same headings, for a part that is read later."""
        return Outline((*self._base, *self._entries))
