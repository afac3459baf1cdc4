"""What a failed request says about asking again."""

from __future__ import annotations

import time

__all__ = ["is_tls_failure", "retry_after_s"]


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for. Source: RFC 9110, 10.2.3.

    Example:
        >>> retry_after_s("120"), retry_after_s("Thu, 01 Jan 1970 00:00:00 GMT")
        (120.0, 0.0)
        >>> retry_after_s("soon")
    """
    from email.utils import parsedate_to_datetime

    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def is_tls_failure(error: BaseException | None) -> bool:
    """Say whether a server could not prove who it is, which asking again does not change."""
    import ssl  # slow to import, and most runs ask no server

    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE" in str(error):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
