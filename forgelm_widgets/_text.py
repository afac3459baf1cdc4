"""Text that came from data, made fit for a page: masked, visible and short."""

from __future__ import annotations

import math
import time
import unicodedata

__all__ = ["clean", "count", "duration", "moment", "number", "plural", "size"]

# A secret that begins just before the cut must be whole to be recognised: a key block is < 8 kB.
_LOOK_AHEAD_CHARS = 8_000
_LONGEST_S = 1e9
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit_chars: int) -> str:
    """Return `text` with secrets masked, invisible characters spelled out, cut to a length.

    Example:
        >>> clean("invoice\\u202efdp.exe", 40)
        'invoice\\\\u202efdp.exe'
    """
    # Here, because it brings all of the data audit: a form is on the page before it is needed.
    from forgelm import mask_secrets

    masked = mask_secrets(text[: limit_chars + _LOOK_AHEAD_CHARS])
    shown = "".join(_visible(character) for character in masked[: limit_chars + 1])
    return shown if len(shown) <= limit_chars else shown[: max(0, limit_chars - 1)] + "…"


def _visible(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if unicodedata.category(character) in _INVISIBLE:
        return f"\\u{ord(character):04x}"
    return character


def count(value: int) -> str:
    """Return a whole number with thousands set apart.

    Example:
        >>> count(12345)
        '12,345'
    """
    return f"{value:,}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    Example:
        >>> plural(1, "row"), plural(2, "row"), plural(0, "entry", "entries")
        ('1 row', '2 rows', '0 entries')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def number(value: float) -> str:
    """Return a measurement with four significant digits.

    Example:
        >>> number(2.345678), number(0.00002), number(float("nan"))
        ('2.346', '2e-05', 'not a number')
    """
    if math.isfinite(value):
        return f"{value:.4g}"
    return "not a number" if math.isnan(value) else ("infinite" if value > 0 else "−infinite")


def size(size_bytes: int) -> str:
    """Return an amount of data in the unit that fits it.

    Example:
        >>> size(512), size(1_240_000_000)
        ('512 bytes', '1.2 GB')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size_bytes) >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"


def duration(seconds: float) -> str:
    """Return a length of time as a person says it.

    Example:
        >>> duration(4.25), duration(84), duration(7380)
        ('4.2 s', '1 min 24 s', '2 h 3 min')
    """
    if not 0 <= seconds < _LONGEST_S:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min"


def moment(seconds: float | None) -> str | None:
    """Return a Unix time as UTC in words; a nonsense one costs only the words.

    Example:
        >>> moment(0.0)
        '1970-01-01 00:00 UTC'
    """
    if seconds is None:
        return None
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return None
