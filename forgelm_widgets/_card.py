"""A card: what any result shows, as plain values; every face of it is made from these."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from forgelm_widgets._text import clean, count

__all__ = ["BARS_DRAWN", "Bar", "Card", "Figure", "Mark", "Table", "Text"]

Mark = Literal["ok", "attention", "bad", "neutral"]
Cell = str | int | float | None

# Rows a table, characters a cell; the next pair is tried while the card is over its budget.
_LIMITS = ((20, 200), (8, 100), (4, 60), (2, 30))
_BUDGET_CHARS = 10_000
_CODE_LINES = 5  # for each row of a table
_FIGURES = _PARTS = 12
BARS_DRAWN = 12


@dataclass(frozen=True)
class Figure:
    """One figure to read at a glance, with what it counts."""

    value: str
    label: str

    @classmethod
    def of(cls, value: int, one: str, many: str | None = None) -> Figure:
        """Return a count with what it counts, in the number that fits."""
        return cls(count(value), one if value == 1 else many or one + "s")


@dataclass(frozen=True)
class Bar:
    """One bar of the chart: a name, a count or a score, and the tier in words.

    `low` and `high` are the ends of its confidence interval.
    """

    name: str
    count: int | float
    tier: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Table:
    """A small table.

    Attributes:
        folded: It is a click away.
        left_out: How many rows are not shown.
        told: The plain text has its first rows, too: what a reader must not miss.
        drawn: The picture shows the same, so that the card leaves it out; a frame has it.
        listed: It is better read line by line than compared column by column.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    left_out: int = 0
    told: bool = False
    drawn: bool = False
    listed: bool = False


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
        full: The count or score that fills a bar's room; by default the largest there is.
        curves: Loss curves, name to `[step, value]` pairs; drawn as a picture.
        picture_text: What the picture shows, for those who do not see it.
    """

    kind: str
    label: str
    mark: Mark
    headline: str
    figures: Sequence[Figure] = ()
    bars: Sequence[Bar] = ()
    full: float | None = None
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    picture_text: str = ""
    tables: Sequence[Table] = ()
    texts: Sequence[Text] = ()

    def safe(self) -> Card:
        """Return the card as it may be shown: masked, no invisible characters, within bounds."""
        for rows, cell in _LIMITS:
            card = self._bounded(rows, cell)
            said = asdict(replace(card, curves={}))
            if len(json.dumps(said, ensure_ascii=False)) <= _BUDGET_CHARS:
                break
        return card

    def _bounded(self, rows: int, cell: int) -> Card:
        def short(text: str) -> str:
            return clean(text, cell)

        figures = [Figure(short(item.value), short(item.label)) for item in self.figures]
        return replace(
            self,
            label=short(self.label),
            headline=clean(self.headline, 3 * cell),
            picture_text=short(self.picture_text),
            figures=figures[:_FIGURES],
            bars=[
                replace(bar, name=clean(bar.name, 40), tier=clean(bar.tier, 20))
                for bar in self.bars[:BARS_DRAWN]
            ],
            curves={clean(name, 60): pairs for name, pairs in self.curves.items()},
            tables=[_bounded_table(table, rows, cell) for table in self.tables[:_PARTS]],
            texts=[_bounded_text(text, rows, cell) for text in self.texts[:_PARTS]],
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a program cannot read off the text: the content of the card's own MIME type.

        The first line of the text beside it has the sentence.
        """
        return {"v": 1, "mark": self.mark}


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
    lines = _CODE_LINES * rows if text.code else rows
    return replace(
        text,
        lines=[clean(line, 2 * cell) for line in text.lines[:lines]],
        left_out=text.left_out + max(0, len(text.lines) - lines),
    )
