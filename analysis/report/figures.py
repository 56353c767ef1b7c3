"""Figures as inline SVG that holds nothing but shapes and letters, in the colours of the page around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

_SVG: Final = "http://www.w3.org/2000/svg"
_SHAPES: Final = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan"})
_ATTRIBUTES: Final = frozenset(
    {"viewBox", "transform", "d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "rx", "ry", "fill",
     "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "text-anchor", "font-size",
     "font-weight", "font-style"}
)  # fmt: skip
# Colours that stand for a role until the page gives it one.
_INK, _BAR, _GRID = "#010101", "#020202", "#030303"
_ROLES: Final = {_INK: "currentColor", _BAR: "var(--bar)", _GRID: "var(--rule)"}
_LOCAL: Final = re.compile(r"[#\w().,%+\s-]*")


class UnsafeFigure(ValueError):
    """The drawing holds something that a report may not carry; the message names it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a figure: short name, full name, and a whole number."""

    short: str
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure in two widths with the table that says the same; ``describe`` is its text alternative."""

    id: str
    title: str
    describe: str
    first_column: str
    value_column: str
    bars: tuple[Bar, ...]
    total: int
    wide: str
    narrow: str


def bar_figure(
    id: str, title: str, first_column: str, value_column: str, bars: Sequence[Bar], total: int, *, noun: str
) -> Figure:
    """Horizontal bars, one a row in the order given, on an axis from 0 to *total* (the denominator)."""
    rows = tuple(bars)
    top = max(rows, key=lambda bar: bar.value, default=None)
    describe = f"{title}. {len(rows)} rows, out of {total} {noun}."
    if top is not None and top.value:
        describe += f" Most: {top.name}, {top.value}."
    return Figure(
        id=id,
        title=title,
        describe=describe,
        first_column=first_column,
        value_column=value_column,
        bars=rows,
        total=total,
        wide=_draw(rows, total, width=430, label_width=420, named=True),
        narrow=_draw(rows, total, width=180, label_width=120, named=False),
    )


def _draw(bars: tuple[Bar, ...], total: int, *, width: int, label_width: int, named: bool) -> str:
    if not bars:
        return ""
    import altair
    import vl_convert

    labels = [f"{bar.short}  {bar.name}" if named and bar.short != bar.name else bar.short for bar in bars]
    rows = [{"row": label, "value": bar.value} for label, bar in zip(labels, bars, strict=True)]
    base = altair.Chart({"values": rows}).encode(
        y=altair.Y("row:N", sort=labels, title=None).axis(
            labelLimit=label_width, domain=False, ticks=False, labelPadding=8
        ),
        x=altair.X("value:Q", title=None)
        .scale(domain=[0, max(total, 1)])
        .axis(tickMinStep=1, tickCount=5, ticks=False),
    )
    drawn = base.mark_bar(color=_BAR, height=14) + base.mark_text(
        align="left", dx=5, color=_INK, fontSize=13, fontWeight="bold"
    ).encode(text="value:Q")
    chart = (
        drawn.properties(width=width, height=altair.Step(24), background="transparent")
        .configure(font="Liberation Sans", padding={"left": 4, "right": 24, "top": 4, "bottom": 4})
        .configure_view(stroke=None)
        .configure_axis(labelColor=_INK, gridColor=_GRID, domainColor=_GRID, labelFontSize=13)
    )
    return clean(vl_convert.vegalite_to_svg(chart.to_dict()))


def clean(svg: str) -> str:
    """*svg* rebuilt from the shapes and attributes that a figure needs, and nothing else.

    Raises ``UnsafeFigure`` for an element that is not a shape; attributes that are not needed (styles, references,
    events, names for screen readers, which the figure's own text alternative replaces) are left out.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - drawn by our own renderer from our own numbers and names
    size = root.get("viewBox", "0 0 1 1").split()
    rebuilt = _rebuild(root)
    rebuilt.attrib.pop("height", None)
    rebuilt.set("width", size[2])
    rebuilt.set("aria-hidden", "true")
    rebuilt.set("focusable", "false")
    return ElementTree.tostring(rebuilt, encoding="unicode")


def _rebuild(node: ElementTree.Element) -> ElementTree.Element:
    name = node.tag.removeprefix(f"{{{_SVG}}}")
    if name not in _SHAPES:
        raise UnsafeFigure(f"<{name}> in a figure")
    attributes: dict[str, Any] = {
        key: _ROLES.get(value, value)
        for key, value in node.attrib.items()
        if key in _ATTRIBUTES and _LOCAL.fullmatch(value)
    }
    new = ElementTree.Element(name, attributes)
    new.text = node.text
    for child in node:
        if child.tag.removeprefix(f"{{{_SVG}}}") in ("style", "title", "desc", "defs"):
            continue
        built = _rebuild(child)
        built.tail = child.tail
        new.append(built)
    return new
