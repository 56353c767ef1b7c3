"""The review screen: one unit at a time, one key a decision; made for 80 by 24 characters and for ssh."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from cli.coding import Session, pieces
from cli.terminal import harmless
from data.address import defang
from data.codebook import load_codebook
from data.decisions import DecisionError, Role, Verdict

if TYPE_CHECKING:
    from analysis.masking import Masker
    from data.units import Unit

_KEYS = (
    ("y", "confirm: the flag stands as it is"),
    ("n", "reject: nothing of the kind is here"),
    ("c", "correct the code (then its stance); for a passage: add a label"),
    ("s", "correct the stance only"),
    ("enter", "save the labels added to a passage"),
    ("u", "unsure: counts as missing"),
    ("r", "reveal hidden words (counted)"),
    ("t", "type a note; it goes with the next decision"),
    ("z", "undo the last decision"),
    ("k", "skip; it comes again at the end"),
    ("v", "next service"),
    ("d", "definition on or off"),
    ("b", "back from a break"),
    ("q", "quit; everything decided is on record already"),
)


_SAID: dict[str, str] = {
    Verdict.CONFIRM: "confirmed",
    Verdict.REJECT: "rejected",
    Verdict.CORRECT: "corrected to",
    Verdict.CODE: "coded",
    Verdict.UNSURE: "unsure",
    Verdict.WITHDRAWN: "withdrawn",
}


class Picker(ModalScreen[str]):
    """Choose one of a list by typing the beginning of its name; Enter takes the first."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "leave", "Back"), Binding("down", "down", show=False)]

    def __init__(self, title: str, choices: list[tuple[str, str]]) -> None:
        super().__init__()
        self.title_text, self.choices = title, choices

    def compose(self) -> ComposeResult:
        """Title, field, list."""
        yield Static(self.title_text, id="picker-title")
        yield Input(placeholder="type, Enter takes the first; Esc goes back", id="picker-field")
        yield OptionList(*self._options(""), id="picker-list")

    def _options(self, typed: str) -> list[Option]:
        wanted = typed.strip().casefold()
        first = [item for item in self.choices if item[0].casefold().startswith(wanted)]
        rest = [item for item in self.choices if item not in first and wanted in item[1].casefold()]
        return [Option(Text(f"{name:<9} {title}"), id=name) for name, title in [*first, *rest]]

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        chosen = self.query_one(OptionList)
        chosen.clear_options()
        chosen.add_options(self._options(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the first."""
        found = self._options(event.value)
        if found:
            self.dismiss(found[0].id or "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the one chosen."""
        self.dismiss(event.option.id or "")

    def action_down(self) -> None:
        """Into the list."""
        self.query_one(OptionList).focus()

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss("")


class Note(ModalScreen[str]):
    """One line of text."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "leave", "Back")]

    def __init__(self, before: str) -> None:
        super().__init__()
        self.before = before

    def compose(self) -> ComposeResult:
        """Title and field."""
        yield Static("Note (goes with the next decision; do not copy persons' names into it)", id="picker-title")
        yield Input(value=self.before, max_length=1000, id="picker-field")

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it."""
        self.dismiss(event.value)

    def action_leave(self) -> None:
        """Keep the old one."""
        self.dismiss(self.before)


class Help(ModalScreen[None]):
    """The keys."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape,question_mark,q,enter", "leave", "Back")]

    def compose(self) -> ComposeResult:
        """All keys with a sentence each."""
        text = Text("Keys\n\n", style="bold")
        for key, meaning in _KEYS:
            text.append(f"  {key:<6}", style="bold")
            text.append(f" {meaning}\n")
        text.append("\nAny of Esc, ?, q goes back.")
        yield Static(text, id="help")

    def action_leave(self) -> None:
        """Back to the unit."""
        self.dismiss(None)


class ReviewScreen(App[None]):
    """The screen. What it does is done by ``Session``; this shows it and reads keys."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #bar { height: 1; background: $primary-darken-2; color: $text; padding: 0 1; }
    #category { height: auto; max-height: 3; padding: 0 1; }
    #context { height: auto; max-height: 3; padding: 0 1; color: $text-muted; }
    #passage-box { height: 1fr; min-height: 5; border: round $primary; padding: 0 1; }
    #definition { height: auto; max-height: 6; padding: 0 1; color: $text-muted; }
    #message { height: 1; padding: 0 1; color: $warning; }
    #keys { height: 2; padding: 0 1; background: $panel; }
    Picker, Note, Help { align: center middle; }
    #picker-title, #picker-field, #picker-list, #help { width: 76; }
    #picker-title { background: $primary-darken-2; padding: 0 1; }
    #picker-list { height: 14; }
    #help { background: $panel; padding: 1 2; height: auto; }
    """
    BINDINGS: ClassVar[list[Any]] = [
        Binding("y", "yes", "confirm"),
        Binding("n", "no", "reject"),
        Binding("c", "code", "code"),
        Binding("s", "stance", "stance"),
        Binding("enter", "save", "save"),
        Binding("u", "unsure", "unsure"),
        Binding("r", "reveal", "reveal"),
        Binding("t", "note", "note"),
        Binding("z", "undo", "undo"),
        Binding("k", "skip", "skip"),
        Binding("v", "service", "next service"),
        Binding("d", "definition", "definition"),
        Binding("b", "rest", "break"),
        Binding("question_mark", "help", "help"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, session: Session, masker: Masker) -> None:
        super().__init__()
        self.session, self.masker = session, masker
        self.codebook = load_codebook()
        self.show_definition = True
        self.message = ""

    def compose(self) -> ComposeResult:
        """From top to bottom as it is read: where, what kind, the context, the words, the definition, the keys."""
        yield Static(id="bar")
        yield Static(id="category")
        yield Static(id="context")
        with VerticalScroll(id="passage-box"):
            yield Static(id="passage")
        yield Static(id="definition")
        yield Static(id="message")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Show the first unit."""
        self.query_one("#passage-box").can_focus = True
        self.query_one("#passage-box").focus()
        self.show()

    # --- what is shown

    def show(self) -> None:
        """Draw the unit that the session is at."""
        unit = self.session.unit
        self._put("bar", self._bar(unit))
        self._put("message", Text(self.session.suggests_break() or self.message, no_wrap=True, overflow="ellipsis"))
        self._put("keys", self._keys(unit))
        if unit is None:
            self._put("category", Text("Nothing is left in this queue.", style="bold"))
            self._put("context", Text(""))
            self._put("passage", self._summary())
            self._put("definition", Text(""))
            return
        self._put("category", self._category(unit))
        self._put("context", self._where(unit))
        self._put("passage", self._words(unit))
        self._put("definition", self._definition(unit) if self.show_definition else Text(""))
        self.query_one("#passage-box", VerticalScroll).scroll_home(animate=False)

    def _put(self, name: str, text: Text) -> None:
        self.query_one(f"#{name}", Static).update(text)

    def _bar(self, unit: Unit | None) -> Text:
        session = self.session
        done = session.queue.done + len(session.made)
        left = f"{done}/{session.queue.total} done"
        rate = f"{session.rate():.0f}/min" if session.rate() else ""
        parts = [session.coder, unit.service if unit else "", left, rate, f"hard: {session.exposure()} today"]
        return Text(
            "  ".join(harmless(part) for part in parts if part), style="bold", no_wrap=True, overflow="ellipsis"
        )

    def _category(self, unit: Unit) -> Text:
        text = Text()
        if unit.kind == "passage":
            text.append("Passage", style="bold")
            text.append("  which labels? (the machine's reading is withheld)")
        elif unit.kind == "finding":
            text.append(f"Finding {unit.code}", style="bold")
            text.append(
                f"  {len(unit.sides)} places, quoted below" if unit.sides else "  an absence; see: plainview show"
            )
        else:
            code = next((item for item in self.codebook.codes if item.id == unit.code), None)
            text.append(f"{unit.code} {code.title if code else ''}", style="bold")
            if unit.stance:
                text.append(f"\nread as {unit.stance}, confidence {unit.confidence:.2f}")
        for label in self.session.labels:
            text.append(f"  + {label}", style="bold green")
        if self.session.note:
            text.append("  [note]", style="italic")
        if self.session.queue.others:
            for at, item in enumerate(self.session.queue.others.get(unit.unit, ())):
                text.append(f"\ncoder {'AB'[at] if at < 2 else at + 1}: ", style="bold")
                text.append(f"{item.verdict}  {', '.join(item.labels) or 'no label'}  ")
        return text

    def _where(self, unit: Unit) -> Text:
        place = " ".join(part for part in (unit.page_role and f"{unit.page_role} page", unit.zone, unit.role) if part)
        many = f", on {unit.places} pages" if unit.places > 1 else ""
        text = Text(f"{place}{many}  {defang(unit.url) if unit.url else ''}", no_wrap=True, overflow="ellipsis")
        if unit.heading or unit.list_intro:
            words = "under: " + " / ".join(part for part in (unit.heading, unit.list_intro) if part)
            text.append("\n" + (words if not self.session.veiled else "under: (hidden)"))
        return Text(harmless(text.plain), no_wrap=True, overflow="ellipsis")

    def _words(self, unit: Unit) -> Text:
        if self.session.veiled:
            text = Text("\nThe words are hidden. ", style="bold")
            kind = "This passage" if unit.kind == "passage" else "This category"
            text.append(f"{kind} can be hard to read. r shows it (counted), k skips it.", style="")
            return text
        text = Text()
        if unit.kind == "finding":
            text.append(harmless(self.masker.passage(unit.summary)) + "\n")
            for at, side in enumerate(unit.sides, 1):
                text.append(f"\n{at}. ", style="bold")
                text.append(f"{side.page_role} {defang(side.url)} {side.seen[:10]}\n".lstrip(), style="dim")
                text.append(harmless(self.masker.passage(side.quote)) + "\n", style="reverse")
            return text
        for piece, inside in pieces(unit, self.masker):
            text.append(harmless(piece), style="bold reverse" if inside and unit.kind == "flag" else "")
        return text

    def _definition(self, unit: Unit) -> Text:
        code = next((item for item in self.codebook.codes if item.id == unit.code), None)
        if unit.kind == "finding":
            return Text(f"Do these words bear out what the first lines say? Rule {unit.rule}.")
        if code is None or unit.kind == "passage":
            return Text("Label what the operator, a customer, the press … says for or against a code. n: no label.")
        text = Text(code.definition)
        text.append(f"\nDo not confuse with: {code.confuser}")
        stance = next((item for item in self.codebook.stances if item.id == unit.stance), None)
        if stance:
            text.append(f"\n{stance.id}: {stance.definition}")
        return text

    def _keys(self, unit: Unit | None) -> Text:
        if unit is None:
            return Text("z undo   q quit")
        first = {
            "passage": "c add label  enter save  n none",
            "finding": "y it does  n it does not",
        }.get(unit.kind, "y confirm  n reject  c code  s stance")
        text = Text(f"{first}  u unsure  r reveal", style="bold")
        text.append("\nt note  z undo  k skip  v next service  d definition  ? help  q quit", style="")
        return text

    def _summary(self) -> Text:
        session = self.session
        text = Text(f"\n{len(session.made)} decisions in this sitting, {session.rate():.0f} a minute.\n")
        text.append(f"{session.exposure()} hard passages looked at today.\n")
        if session.queue.missing:
            text.append(
                f"{len(session.queue.missing)} units of the sample are no longer in the index (another codebook or "
                "extractor): draw a new sample.\n",
                style="bold",
            )
        text.append("\nEverything is on record. q leaves.")
        return text

    # --- keys

    def _decide(self, verdict: str, labels: tuple[str, ...] = ()) -> None:
        if self.session.unit is None:
            return
        if self.session.veiled and verdict not in (Verdict.UNSURE,):
            self.message = "Look at it first (r), or skip it (k)."
        else:
            try:
                made = self.session.decide(verdict, labels)
                labels_said = ", ".join(made.labels) or ("without a label" if made.verdict == Verdict.CODE else "")
                self.message = f"On record: {' '.join((_SAID[made.verdict], labels_said)).strip()} (z takes it back)"
            except DecisionError as error:
                self.message = str(error)
        self.show()

    def action_yes(self) -> None:
        """Confirm."""
        unit = self.session.unit
        if unit is not None and unit.kind == "passage":
            self.action_save()
        elif self.session.role == Role.ADJUDICATOR and unit is not None:
            self._decide(Verdict.CODE, (unit.machine,) if unit.machine else ())
        else:
            self._decide(Verdict.CONFIRM)

    def action_no(self) -> None:
        """Reject, or code a passage with nothing."""
        unit = self.session.unit
        if unit is not None and unit.kind == "passage":
            self.session.labels.clear()
            self._decide(Verdict.CODE)
        else:
            self._decide(Verdict.REJECT)

    def action_save(self) -> None:
        """Save the labels of a passage."""
        unit = self.session.unit
        if unit is None or unit.kind != "passage":
            return
        if not self.session.labels:
            self.message = "No label yet: c adds one, n says that there is none."
            self.show()
            return
        self._decide(Verdict.CODE, tuple(self.session.labels))

    def action_unsure(self) -> None:
        """Unsure."""
        self._decide(Verdict.UNSURE)

    def action_code(self) -> None:
        """Choose a code, then its stance."""
        if self._may_label():
            codes = [(code.id, code.title) for code in self.codebook.codes if code.kind != "referral"]
            self._pick("Which code?", codes, self._after_code)

    def _after_code(self, code: str | None) -> None:
        if code:
            self._pick(f"{code}: which stance?", self._stances(), lambda stance: self._label(code, stance))

    def action_stance(self) -> None:
        """Choose another stance for the same code."""
        unit = self.session.unit
        if self._may_label() and unit is not None and unit.kind == "flag":
            self._pick(f"{unit.code}: which stance?", self._stances(), lambda stance: self._label(unit.code, stance))

    def _label(self, code: str, stance: str | None) -> None:
        unit = self.session.unit
        if not stance or unit is None:
            return
        label = f"{code} {stance}"
        if unit.kind == "passage":
            if label not in self.session.labels:
                self.session.labels.append(label)
            self.show()
        else:
            self._decide(Verdict.CORRECT, (label,))

    def _stances(self) -> list[tuple[str, str]]:
        return [(stance.id, stance.definition) for stance in self.codebook.stances]

    def _pick(self, title: str, choices: list[tuple[str, str]], then: Callable[[str | None], None]) -> None:
        self.push_screen(Picker(title, choices), then)

    def _may_label(self) -> bool:
        if self.session.veiled:
            self.message = "Look at it first (r), or skip it (k)."
            self.show()
            return False
        if self.session.unit is not None and self.session.unit.kind == "finding":
            self.message = "A finding has no code to correct: y it does, n it does not, t for a note."
            self.show()
            return False
        return self.session.unit is not None

    def action_reveal(self) -> None:
        """Show hidden words."""
        self.message = self.session.reveal()
        self.show()

    def action_note(self) -> None:
        """Type a note."""
        if self.session.unit is not None:
            self.push_screen(Note(self.session.note), self._noted)

    def _noted(self, note: str | None) -> None:
        self.session.note = note or ""
        self.show()

    def action_undo(self) -> None:
        """Take the last decision back."""
        self.message = "" if self.session.undo() else "Nothing was decided in this sitting yet."
        self.show()

    def action_skip(self) -> None:
        """Later."""
        if self.session.unit is not None:
            self.session.skip()
        self.message = ""
        self.show()

    def action_service(self) -> None:
        """Next service."""
        self.session.next_service()
        self.message = ""
        self.show()

    def action_definition(self) -> None:
        """Definition on or off."""
        self.show_definition = not self.show_definition
        self.show()

    def action_rest(self) -> None:
        """Back from a break."""
        self.session.took_break()
        self.message = "Welcome back."
        self.show()

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(Help())
