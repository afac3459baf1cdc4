"""A card as HTML that a notebook's sanitiser leaves as it is, and as plain text.

Only tables, details, images with a data URI and inline styles: no script, style or svg element,
so a notebook that is opened untrusted, or without a kernel, shows the same.
"""

from __future__ import annotations

from collections.abc import Iterable
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
_RULE = "1px solid rgba(128,128,128,0.3)"
_CELL = "padding:3px 18px 3px 0"


def card_html(card: Card) -> str:
    """Return `card` as sanitiser-safe HTML; every text in it is escaped."""
    colour, symbol = _COLOURS[card.mark], _SYMBOLS[card.mark]
    open_tables = "".join(_table(table) for table in card.tables if not table.folded)
    tables = f'<div style="display:flex;flex-wrap:wrap;gap:0 44px">{open_tables}</div>'
    parts = [
        f'<div style="font-size:0.85em;opacity:0.75">{escape(card.label)}</div>',
        '<div style="font-size:1.15em;font-weight:600;margin:0 0 8px;overflow-wrap:anywhere">'
        f'<span style="color:{colour}">{symbol}</span> {escape(card.headline)}</div>',
        _figures(card),
        _picture(card),
        tables if open_tables else "",
        *(_title(text.title) + _text(text) for text in card.texts if not text.folded),
        *(_folded(table.caption, _table(table)) for table in card.tables if table.folded),
        *(_folded(text.title, _text(text)) for text in card.texts if text.folded),
    ]
    return (
        f'<div style="max-width:860px;margin:6px 0;padding:2px 0 2px 14px;line-height:1.5;'
        f'border-left:3px solid {colour}">{"".join(parts)}</div>'
    )


def card_text(card: Card) -> str:
    """Return `card` in a few lines of plain text."""
    lines = [f"{card.label}: {card.headline}"]
    lines += [f"  {figure.label}: {figure.value}" for figure in card.figures]
    for text in card.texts:
        if not text.folded:
            lines += [f"  {line}" for line in (text.title, *text.lines) if line]
    return "\n".join(lines)


def _figures(card: Card) -> str:
    items = "".join(
        f'<div><div style="font-size:1.3em;line-height:1.3">{escape(figure.value)}</div>'
        f'<div style="font-size:0.85em;opacity:0.75">{escape(figure.label)}</div></div>'
        for figure in card.figures
    )
    style = "display:flex;flex-wrap:wrap;gap:6px 32px;margin:0 0 12px"
    return f'<div style="{style}">{items}</div>' if items else ""


def _picture(card: Card) -> str:
    svg = curves_svg(card.curves) if card.curves else bars_svg(card.bars) if card.bars else None
    if svg is None:
        return ""
    source = "data:image/svg+xml," + quote(svg, safe=" /:;,=()'")
    return (
        f'<img src="{escape(source)}" alt="{escape(card.picture_text)}" '
        'style="display:block;width:100%;max-width:500px;margin:0 0 12px">'
    )


def _table(table: Table) -> str:
    numeric = [
        all(not isinstance(row[column], str) for row in table.rows)
        for column in range(len(table.head))
    ]
    head = "".join(
        f'<th scope="col" style="{_CELL};{_side(right)};font-weight:500;opacity:0.75{_wrap(name)}">'
        f"{escape(name)}</th>"
        for name, right in zip(table.head, numeric, strict=True)
    )
    body = "".join(_row(row, numeric) for row in table.rows)
    return (
        '<div style="overflow-x:auto;margin:0 0 12px"><table style="border-collapse:collapse;'
        'margin:0;border:0;font-size:0.95em">'
        f"{_caption(table.caption)}"
        f'<thead style="border:0"><tr style="border-bottom:{_RULE}">{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{_left_out(table.left_out, 'row')}</div>"
    )


def _caption(title: str) -> str:
    return (
        '<caption style="text-align:left;font-weight:600;padding:2px 0;caption-side:top;'
        f'color:inherit;white-space:nowrap">{escape(title)}</caption>'
    )


def _row(row: Iterable[Cell], numeric: list[bool]) -> str:
    name, *cells = (
        (escape(_cell(value)), f"{_CELL};{_side(right)}{_wrap(value)}")
        for value, right in zip(row, numeric, strict=True)
    )
    head = f'<th scope="row" style="{name[1]};font-weight:400">{name[0]}</th>'
    rest = "".join(f'<td style="{style}">{text}</td>' for text, style in cells)
    return f'<tr style="background:none">{head}{rest}</tr>'


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return count(value) if isinstance(value, int) else number(value)


def _wrap(value: Cell) -> str:
    if not isinstance(value, str):
        return ""
    if len(value) > 32:
        return ";min-width:180px;overflow-wrap:anywhere"
    return "" if value.isalnum() else ";white-space:nowrap"


def _side(right: bool) -> str:
    return "text-align:right" if right else "text-align:left"


def _title(title: str) -> str:
    return f'<div style="font-weight:600;padding:2px 0">{escape(title)}</div>' if title else ""


def _text(text: Text) -> str:
    left_out = _left_out(text.left_out, "line")
    if text.code:
        code = escape("\n".join(text.lines))
        return (
            '<pre style="margin:0 0 8px;padding:8px 12px;overflow-x:auto;border-radius:4px;'
            f'background:rgba(128,128,128,0.1);font-size:0.92em;line-height:1.45">{code}</pre>'
            f"{left_out}"
        )
    items = "".join(f"<li>{escape(line)}</li>" for line in text.lines)
    return f'<ul style="margin:2px 0 8px;padding-left:20px">{items}</ul>{left_out}'


def _folded(title: str, body: str) -> str:
    return (
        f'<details style="margin:0 0 6px"><summary style="cursor:pointer">{escape(title)}'
        f'</summary><div style="padding:4px 0 0 14px">{body}</div></details>'
    )


def _left_out(rows: int, noun: str) -> str:
    if not rows:
        return ""
    words = f"and {count(rows)} more {noun}{'s' if rows != 1 else ''}, not shown"
    return f'<div style="font-size:0.85em;opacity:0.75">{words}</div>'
