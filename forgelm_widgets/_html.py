"""A card as HTML that a notebook's sanitiser leaves as it is, and as plain text.

Only tables, details, images with a data URI and inline styles: no script, style or svg element,
so a notebook that is opened untrusted, or without a kernel, shows the same. The page's own look
of tables and lists is left to it, and end tags that HTML does without are left out: a notebook
holds many cards, and all of that would be in each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from forgelm_widgets._card import Card, Cell, Mark, Table, Text
from forgelm_widgets._picture import bars_svg, curves_svg
from forgelm_widgets._text import count, number

__all__ = ["card_html", "card_text"]

# Colours that keep a contrast of 3.5 to 1 on white and on near-black alike.
_COLOURS: dict[Mark, str] = {
    "ok": "#1a8a7d",
    "attention": "#bf6a14",
    "bad": "#d1435b",
    "neutral": "#6e7b8b",
}
_SYMBOLS: dict[Mark, str] = {"ok": "✓", "attention": "!", "bad": "✕", "neutral": "›"}
# JupyterLab sets cells to the right, where only its own kind of style can set them back.
_TEXT_CELL = " style=text-align:left"
_LONG_CELL = " style='text-align:left;min-width:11em;overflow-wrap:anywhere'"
_LIST = "<ul style=margin-top:0>"
_LONG_CHARS = 32
_ROWS_IN_TEXT = 4
_UNBROKEN = re.compile(r">[^<]*[^\s<]{28}")  # wider than a narrow page, such as a digest
_PAIR = 2
_WIDE_SPACE = "\u2003 "


def card_html(card: Card) -> str:
    """Return `card` as sanitiser-safe HTML; every text in it is escaped."""
    colour, symbol = _COLOURS[card.mark], _SYMBOLS[card.mark]
    shown = [table for table in card.tables if not table.drawn]
    parts = [
        f"<p><small>{_words(card.label)}</small><br><b>{symbol} {_words(card.headline)}</b>",
        _figures(card),
        _picture(card),
        *(_listed(table) for table in shown if not table.folded and _is_in_words(table)),
        _side_by_side([t for t in shown if not t.folded and not _is_in_words(t)]),
        *(_title(text.title) + _text(text) for text in card.texts if not text.folded),
        *(_folded(table.caption, _listed_or_table(table)) for table in shown if table.folded),
        *(_folded(text.title, _text(text)) for text in card.texts if text.folded),
    ]
    body = "".join(parts)
    wrap = ";overflow-wrap:break-word" if _UNBROKEN.search(body) else ""
    return f"<div style='border-left:3px solid {colour};padding-left:14px{wrap}'>{body}</div>"


def card_text(card: Card) -> str:
    """Return `card` in a few lines of plain text; what to put right is in them."""
    lines = [f"{card.label}: {card.headline}"]
    if card.figures:
        lines.append("  " + " · ".join(f"{each.label}: {each.value}" for each in card.figures))
    for text in card.texts:
        if not text.folded and not text.code:
            lines += [f"  {line}" for line in (text.title, *text.lines) if line]
    return "\n".join([*lines, *_told(card.tables)])


def _told(tables: Sequence[Table]) -> list[str]:
    """Return the first rows of the table that the text has to tell."""
    for table in tables:
        if table.told:
            told = table.rows[:_ROWS_IN_TEXT]
            more = len(table.rows) - len(told) + table.left_out
            lines = [f"  {_in_words(row)}" for row in told]
            return lines + ([f"  and {count(more)} more"] if more else [])
    return []


def _is_in_words(table: Table) -> bool:
    """Return whether a line a row says it all: no figures but one, beside its name."""
    if table.listed:
        return True
    if len(table.head) == _PAIR:
        return not any(isinstance(row[0], int | float) for row in table.rows)
    return not any(isinstance(cell, int | float) for row in table.rows for cell in row)


def _in_words(row: Sequence[Cell]) -> str:
    if len(row) == _PAIR and row[0] and row[1] is not None:
        return f"{_cell(row[0])}: {_cell(row[1])}"
    return " · ".join(_cell(cell) for cell in row if cell not in (None, ""))


def _words(text: str) -> str:
    """Return text for between tags, where a quotation mark needs no escape."""
    return escape(text, quote=False)


def _figures(card: Card) -> str:
    items = [f"<b>{_words(each.value)}</b> {_words(each.label)}" for each in card.figures]
    return f"<br>{_WIDE_SPACE.join(items)}</p>" if items else "</p>"


def _picture(card: Card) -> str:
    if card.curves:
        svg = curves_svg(card.curves)
    elif card.bars:
        svg = bars_svg(card.bars, card.full)
    else:
        return ""
    # With its quotes and angles encoded it needs no escape in an attribute.
    source = "data:image/svg+xml," + quote(svg, safe=" /:;,=()'")
    alt = escape(card.picture_text)
    return f'<p><img src="{source}" alt="{alt}" width=500 style=max-width:100%></p>'


def _side_by_side(tables: Sequence[Table]) -> str:
    several = "display:flex;flex-wrap:wrap;gap:0 44px;" if len(tables) > 1 else ""
    shown = "".join(_table(table) for table in tables)
    return f"<div style='{several}overflow-x:auto'>{shown}</div>" if tables else ""


def _table(table: Table) -> str:
    is_text = [
        any(_is_text(row[column]) for row in table.rows) for column in range(len(table.head))
    ]
    head = "".join(
        f"<th{_TEXT_CELL if left else ''}>{_words(name)}"
        for name, left in zip(table.head, is_text, strict=True)
    )
    body = "".join(_row(row, is_text) for row in table.rows)
    caption = f"<caption{_TEXT_CELL}><b>{_words(table.caption)}</b></caption>"
    shown = f"<table>{caption}<thead><tr>{head}<tbody align=right>{body}</table>"
    left_out = _left_out(table.left_out, "row")
    return f"<div>{shown}{left_out}</div>" if left_out else shown


def _is_text(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.lstrip("+-")[:1].isdigit()


def _row(row: Iterable[Cell], is_text: list[bool]) -> str:
    cells = "".join(
        f"<td{_cell_style(value, left)}>{_words(_cell(value))}"
        for value, left in zip(row, is_text, strict=True)
    )
    return f"<tr>{cells}"


def _listed(table: Table) -> str:
    return _title(table.caption) + _listed_or_table(table)


def _listed_or_table(table: Table) -> str:
    """Return a table in words as a list, which a narrow page wraps, and another as it is."""
    if not _is_in_words(table):
        return f"<div style=overflow-x:auto>{_table(table)}</div>"
    items = "".join(f"<li>{_words(_in_words(row))}" for row in table.rows)
    return f"{_LIST}{items}</ul>{_left_out(table.left_out, 'row')}"


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return count(value) if isinstance(value, int) else number(value)


def _cell_style(value: Cell, left: bool) -> str:
    if isinstance(value, str) and len(value) > _LONG_CHARS:
        return _LONG_CELL
    return _TEXT_CELL if left else ""


def _title(title: str) -> str:
    return f"<b>{_words(title)}</b>" if title else ""


def _text(text: Text) -> str:
    left_out = _left_out(text.left_out, "line")
    if text.code:
        code = _words("\n".join(text.lines))
        style = "margin:0;padding:8px 12px;overflow-x:auto;background:rgba(128,128,128,.1)"
        return f"<pre style='{style}'>{code}</pre>{left_out}"
    items = "".join(f"<li>{_words(line)}" for line in text.lines)
    return f"{_LIST}{items}</ul>{left_out}"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{_words(title)}</summary>{body}</details>"


def _left_out(rows: int, noun: str) -> str:
    if not rows:
        return ""
    return f"<small>and {count(rows)} more {noun}{'s' if rows != 1 else ''}, not shown</small>"
