"""A card: what any result shows, as plain values; every face of it is made from these."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from forgelm_widgets._text import clean

__all__ = ["Bar", "Card", "Figure", "Mark", "Table", "Text"]

Mark = Literal["ok", "attention", "bad", "neutral"]
Cell = str | int | float | None

# Rows a table, characters a cell; the next pair is tried while the card is over its budget.
_LIMITS = ((40, 240), (15, 120), (5, 60), (2, 30))
_BUDGET_CHARS = 60_000
_BARS = 12


@dataclass(frozen=True)
class Figure:
    """One figure to read at a glance, with what it counts."""

    value: str
    label: str


@dataclass(frozen=True)
class Bar:
    """One bar of the chart: a name, a count, and the tier in words."""

    name: str
    count: int
    tier: str


@dataclass(frozen=True)
class Table:
    """A small table; `left_out` says how many rows are not shown."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    left_out: int = 0


@dataclass(frozen=True)
class Text:
    """Lines under a title: notes, or YAML with `code`."""

    title: str
    lines: Sequence[str]
    code: bool = False
    folded: bool = True
    left_out: int = 0


@dataclass(frozen=True)
class Card:
    """What a result shows.

    Attributes:
        kind: Last part of the MIME type, for example "audit-report".
        label: What sort of thing it is, for a person.
        mark: How to take it; always said in the headline too.
        headline: The one sentence to read when there is no time for more.
        curves: Loss curves, name to `[step, value]` pairs; drawn as a picture.
        picture_text: What the picture shows, for those who do not see it.
    """

    kind: str
    label: str
    mark: Mark
    headline: str
    figures: Sequence[Figure] = ()
    bars: Sequence[Bar] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    picture_text: str = ""
    tables: Sequence[Table] = ()
    texts: Sequence[Text] = ()

    def safe(self) -> Card:
        """Return the card as it may be shown: masked, no invisible characters, within bounds."""
        for rows, cell in _LIMITS:
            card = self._bounded(rows, cell)
            if len(json.dumps(asdict(card), ensure_ascii=False)) <= _BUDGET_CHARS:
                break
        return card

    def _bounded(self, rows: int, cell: int) -> Card:
        def short(text: str) -> str:
            return clean(text, cell)

        return replace(
            self,
            label=short(self.label),
            headline=clean(self.headline, 3 * cell),
            picture_text=short(self.picture_text),
            figures=[Figure(short(item.value), short(item.label)) for item in self.figures[:12]],
            bars=[Bar(clean(b.name, 40), b.count, clean(b.tier, 20)) for b in self.bars[:_BARS]],
            tables=[_bounded_table(table, rows, cell) for table in self.tables[:12]],
            texts=[_bounded_text(text, rows, cell) for text in self.texts[:12]],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the card as strict JSON types: the content of its own MIME type.

        A curve is one text, "step,value step,value": a notebook writes each number of a list on a
        line of its own.
        """
        curves = {
            name: " ".join(f"{step:g},{value:.4g}" for step, value in pairs)
            for name, pairs in self.curves.items()
        }
        return {"v": 1, **asdict(self), "curves": curves}


def _bounded_table(table: Table, rows: int, cell: int) -> Table:
    return replace(
        table,
        head=[clean(name, cell) for name in table.head],
        rows=[[_bounded_cell(value, cell) for value in row] for row in table.rows[:rows]],
        left_out=table.left_out + max(0, len(table.rows) - rows),
    )


def _bounded_cell(value: Cell, cell: int) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return clean(value, cell) if isinstance(value, str) else value


def _bounded_text(text: Text, rows: int, cell: int) -> Text:
    lines = 4 * rows if text.code else rows
    return replace(
        text,
        lines=[clean(line, 2 * cell) for line in text.lines[:lines]],
        left_out=text.left_out + max(0, len(text.lines) - lines),
    )
