"""Charts as stand-alone SVG pictures for `<img>`: mid tones that read on white and on black.

They lie in every saved notebook, so they are written short: single quotes, which need no escape
there, groups for what many marks share, and one relative path a line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise

from forgelm_widgets._card import Bar
from forgelm_widgets._text import count, number

__all__ = ["bar_words", "bars_svg", "curves_svg", "ticks"]

_WIDTH = 440
_INK = "#757d89"
_TIERS = {
    "secret": "#d1435b",
    "critical": "#d1435b",
    "high": "#bf6a14",
    "medium": "#3b82b8",
    "low": "#757d89",
}

# Name in the curves, name in the legend, colour, width, dashes.
_LINES = (
    ("loss", "training", "#8ab4d3", 1.0, ""),
    ("smooth", "training, smoothed", "#3b82b8", 2.0, ""),
    ("eval_loss", "evaluation", "#c8651b", 2.0, "6 3"),
)
# Curves by any other name; colours that the colour-blind tell apart, and dashes.
_COLOURS = ("#3b82b8", "#c8651b", "#1a8a7d", "#a05fb0", "#757d89", "#9c7a1c")
_DASHES = ("", "6 3", "2 3", "9 3 2 3")
_SAMPLES = {"": "—", "6 3": "- -", "2 3": "···", "9 3 2 3": "-·-"}
_LEGEND_ROW = 18
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 36, 8, 26, 20, 170
_FINE = 2  # a line is drawn to half a pixel
_ROW = 22

_Curves = Mapping[str, Sequence[tuple[float, float]]]
_Style = tuple[str, str, str, float, str]
_Place = Callable[[float, float], tuple[float, float]]


def _svg(height: float, body: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height:g}' "
        f"style='font:12px sans-serif' fill='{_INK}'>{body}</svg>"
    )


def _label(x: float, y: float, text: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}'>{escape(text)}</text>"


def _anchored(side: str, labels: str) -> str:
    return f"<g text-anchor='{side}'>{labels}</g>" if labels else ""


def bar_words(bar: Bar) -> str:
    """Return what stands beside a bar: its count or score, its interval, and its tier."""
    if bar.low is not None and bar.high is not None:
        return f"{bar.count:.3f} ({bar.low:.3f}–{bar.high:.3f}) {bar.tier}".strip()
    value = count(bar.count) if isinstance(bar.count, int) else number(bar.count)
    return f"{value} {bar.tier}".strip()


def bars_svg(bars: Sequence[Bar], full: float | None = None) -> str:
    """Return horizontal bars in the order given; a thin line over a bar's end is its interval."""
    most = full or max((bar.high or bar.count for bar in bars), default=0) or 1
    left = min(200, 14 + 7 * max((len(bar.name) for bar in bars), default=0))
    room = _WIDTH - left - 7 * max((len(bar_words(bar)) for bar in bars), default=0) - 8
    names = words = whiskers = ""
    boxes: dict[str, str] = {}
    for row, bar in enumerate(bars):
        y = 4 + _ROW * row
        length, low, high = (
            round(room * min(1.0, max(0.0, value) / most))
            for value in (bar.count, bar.low or 0, bar.high or 0)
        )
        length = max(2, length)
        colour = _TIERS.get(bar.tier, _TIERS["medium"])
        boxes[colour] = boxes.get(colour, "") + f"M{left} {y}h{length}v16h-{length}z"
        names += _label(left - 8, y + 13, bar.name)
        words += _label(left + max(length, high) + 6, y + 13, bar_words(bar))
        if bar.low is not None and bar.high is not None:
            whiskers += f"M{left + low} {y + 4}v8m0-4H{left + high}m0-4v8"
    body = _anchored("end", names) + words
    # A whisker has to be seen on its bar, on white and on black.
    pale = " opacity='.5'" if whiskers else ""
    body += "".join(f"<path fill='{colour}'{pale} d='{path}'/>" for colour, path in boxes.items())
    if whiskers:
        body += f"<path fill='none' stroke='{_INK}' stroke-width='2' d='{whiskers}'/>"
    return _svg(6 + _ROW * len(bars), body)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers between `low` and `high`, around `about` of them.

    Example:
        >>> ticks(0, 97, 5)
        [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def curves_svg(curves: _Curves) -> str:
    """Return loss curves over steps with axes and a legend; the lines differ in dash and width.

    Curves that are not those of one run are told apart by colour, dash and their own name.
    """
    styles = _styles(curves)
    points = [point for line in curves.values() for point in line]
    if not points:
        return _svg(40, _label(_LEFT, 24, "No loss was logged."))
    x_low, x_high = _range([x for x, _ in points], 0.0)
    y_low, y_high = _range([y for _, y in points], 0.06)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        return _LEFT + across, _TOP + (y_high - y) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    heights = [(value, place(x_low, value)[1]) for value in ticks(y_low, y_high, 3)]
    grid = "".join(f"M{_LEFT} {y:.0f}H{_WIDTH - _RIGHT}" for _, y in heights)
    body = f"<path d='{grid}' stroke='{_INK}' opacity='.25'/>"
    body += _anchored("end", "".join(_label(_LEFT - 6, y + 4, f"{v:g}") for v, y in heights))
    below = [(place(v, y_low)[0], v) for v in ticks(x_low, x_high, 4)]
    steps = "".join(_label(min(x, _WIDTH - 18), _HEIGHT - 4, f"{v:g}") for x, v in below)
    body += _anchored("middle", steps) + _label(0, 13, "loss")
    legend, lower_by = _legend(styles)
    return _svg(_HEIGHT + lower_by, body + _lines(curves, styles, place) + legend)


def _styles(curves: _Curves) -> list[_Style]:
    known = [style for style in _LINES if curves.get(style[0])]
    others = [name for name in curves if curves[name] and name not in {line[0] for line in _LINES}]
    return known + [
        (name, name, _COLOURS[at % len(_COLOURS)], 1.6, _DASHES[at % len(_DASHES)])
        for at, name in enumerate(others)
    ]


def _range(values: list[float], margin: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = (high - low) * margin if low < high else max(0.5, abs(low) / 100)
    return low - pad, high + pad


def _lines(curves: _Curves, styles: Sequence[_Style], place: _Place) -> str:
    body = ""
    for name, _, colour, width, dashes in styles:
        spots = [place(x, y) for x, y in curves[name]]
        body += f"<path d='{_path(spots)}'{_stroke(colour, width, dashes)}/>"
        if len(spots) == 1:
            x, y = (round(_FINE * value) for value in spots[0])
            body += f"<circle cx='{x}' cy='{y}' r='6' fill='{colour}'/>"
    return f"<g transform='scale({1 / _FINE:g})' fill='none'>{body}</g>"


def _path(spots: Sequence[tuple[float, float]]) -> str:
    """Return a line as one relative path in whole numbers, without spaces where none are needed."""
    grid = [(round(_FINE * x), round(_FINE * y)) for x, y in spots]
    path = f"M{grid[0][0]} {grid[0][1]}"
    for (x, y), (to_x, to_y) in pairwise(grid):
        if (x, y) != (to_x, to_y):
            path += f"l{to_x - x} {to_y - y}".replace(" -", "-")
    return path


def _stroke(colour: str, width: float, dashes: str) -> str:
    said = f" stroke='{colour}' stroke-width='{_FINE * width:g}'"
    if dashes:
        spaced = " ".join(f"{_FINE * int(length)}" for length in dashes.split())
        said += f" stroke-dasharray='{spaced}'"
    return said


def _legend(styles: Sequence[_Style]) -> tuple[str, float]:
    """Return the legend, and by how much it lengthens the picture: names of any length go below."""
    names = [
        (f"fill='{colour}'", f"{_SAMPLES[dashes]} {escape(words)}")
        for _, words, colour, _, dashes in styles
    ]
    if sum(25 + 7 * len(words) for _, words, *_ in styles) <= _WIDTH - _LEFT:
        spans = " ".join(f"<tspan {fill} dx='12'>{words}</tspan>" for fill, words in names)
        return f"<text x='{_LEFT - 12}' y='13'>{spans}</text>", 0.0
    lines = (
        f"<text x='{_LEFT}' y='{_HEIGHT + _LEGEND_ROW * row - 4}' {fill}>{words}</text>"
        for row, (fill, words) in enumerate(names, start=1)
    )
    return "".join(lines), _LEGEND_ROW * len(names)
