"""Charts as stand-alone SVG pictures for `<img>`: mid tones that read on white and on black."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from forgelm_widgets._card import Bar

__all__ = ["bars_svg", "curves_svg", "ticks"]

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
    ("loss", "training", "#3b82b8", 0.8, ""),
    ("smooth", "training, smoothed", "#3b82b8", 2.0, ""),
    ("eval_loss", "evaluation", "#c8651b", 2.0, "6 3"),
)
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 46, 16, 28, 36, 230

_Curves = Mapping[str, Sequence[tuple[float, float]]]
_Place = Callable[[float, float], tuple[float, float]]


def _svg(height: float, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
        f'font-family="system-ui,sans-serif" font-size="12" fill="{_INK}">{body}</svg>'
    )


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.0f}" y="{y:.0f}"{side}>{escape(text)}</text>'


def bars_svg(bars: Sequence[Bar]) -> str:
    """Return horizontal bars in the order given, each with its count and tier in words."""
    most = max((bar.count for bar in bars), default=0) or 1
    name_width = 14 + 7 * max((len(bar.name) for bar in bars), default=0)
    left = min(220.0, name_width)
    room = _WIDTH - left - 110
    body = ""
    for row, bar in enumerate(bars):
        y, length = 6 + 24 * row, max(2.0, room * bar.count / most)
        colour = _TIERS.get(bar.tier, _INK)
        words = f"{bar.count:,} {bar.tier}".strip()
        body += _label(left - 8, y + 13, bar.name, "end")
        body += f'<rect x="{left:g}" y="{y}" width="{length:.1f}" height="17" rx="2" '
        body += f'fill="{colour}"/>' + _label(left + length + 6, y + 13, words)
    return _svg(12 + 24 * len(bars), body)


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
    """Return loss curves over steps with axes and a legend; the lines differ in dash and width."""
    points = [point for line in curves.values() for point in line]
    if not points:
        return _svg(40, _label(_LEFT, 24, "No loss was logged."))
    x_low, x_high = _range([x for x, _ in points], 0.0)
    y_low, y_high = _range([y for _, y in points], 0.06)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
        return _LEFT + across, _TOP + (y_high - y) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)

    heights = [(value, place(x_low, value)[1]) for value in ticks(y_low, y_high, 5)]
    grid = "".join(f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" for _, y in heights)
    body = f'<path d="{grid}" stroke="{_INK}" opacity="0.25"/>'
    body += "".join(_label(_LEFT - 6, y + 4, f"{value:g}", "end") for value, y in heights)
    for value in ticks(x_low, x_high, 6):
        body += _label(place(value, y_low)[0], _HEIGHT - _BOTTOM + 15, f"{value:g}", "middle")
    body += _label((_LEFT + _WIDTH) / 2, _HEIGHT - 3, "step", "middle") + _label(0, 14, "loss")
    return _svg(_HEIGHT, body + _lines(curves, place) + _legend(curves))


def _range(values: list[float], margin: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = (high - low) * margin if low < high else max(0.5, abs(low) / 100)
    return low - pad, high + pad


def _lines(curves: _Curves, place: _Place) -> str:
    body = ""
    for name, _, colour, width, dashes in _LINES:
        spots = [place(x, y) for x, y in curves.get(name, ())]
        if not spots:
            continue
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        body += f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        body += f'stroke-dasharray="{dashes}" opacity="{0.6 if name == "loss" else 1}"/>'
        if name == "eval_loss" and len(spots) <= 60:
            body += "".join(
                f'<path d="M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z" fill="{colour}"/>'
                for x, y in spots
            )
    return body


def _legend(curves: _Curves) -> str:
    body, x = "", float(_LEFT)
    for name, words, colour, width, dashes in _LINES:
        if curves.get(name):
            body += f'<path d="M{x:g} 10h18" stroke="{colour}" stroke-width="{width}" '
            body += f'stroke-dasharray="{dashes}"/>' + _label(x + 23, 14, words)
            x += 42 + 7 * len(words)
    return body
