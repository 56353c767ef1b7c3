"""The list of commands as ``plainview --help`` shows it: by what a person wants to do, each with its whole first sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperGroup, TyperOption

if TYPE_CHECKING:
    from typer import Context

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Begin": ("demo", "doctor", "init", "services"),
    "Look": ("crawl", "import"),
    "Understand": ("analyze", "codebook", "classify", "evaluate", "train"),
    "Ask": ("flags", "findings", "show", "search", "changes", "operators", "sql"),
    "Decide": ("review", "refer", "agreement", "prevalence"),
    "Hand over": ("report", "workbook", "seal", "export", "verify", "custody", "rebuild"),
}

# What stands for the value of an option that names none: nobody at a terminal wants to read the type of a variable.
_PLAIN: Final = {"str": "", "list[str]": "", "str | None": "", "list[str] | None": "", "int": "N", "float": "X"}


class Sections(TyperGroup):
    """A group whose commands stand in sections; a group of none of them lists its own in their order."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        for command in self.commands.values():
            for option in command.params:
                if isinstance(option, TyperOption) and not option.metavar and not option.is_flag:
                    kind = option.bare_type()
                    if kind in _PLAIN:
                        option.metavar = _PLAIN[kind] or option.opts[0].lstrip("-").upper().replace("-", "_")

    def list_commands(self, ctx: Context) -> list[str]:  # type: ignore[override]  # the vendored context is the same class
        """The names in the order of the sections."""
        named = [name for names in SECTIONS.values() for name in names if name in self.commands]
        return named + [name for name in self.commands if name not in named]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections."""
        names = self.list_commands(ctx)
        width = max(len(name) for name in names)
        listed = {name for section in SECTIONS.values() for name in section}
        rest = tuple(name for name in names if name not in listed)
        more = "More" if len(rest) < len(names) else "Commands"
        for title, section in {**SECTIONS, more: rest}.items():
            found = [(name, self.commands[name]) for name in section if name in self.commands]
            if found:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(width), first_sentence(command.help)) for name, command in found])


def first_sentence(text: str | None) -> str:
    """The first sentence of a help text, on one line."""
    line = " ".join((text or "").split("\n\n")[0].split())
    end = line.find(". ")
    return line[: end + 1] if end >= 0 else line
