"""Who is acting: the name that every line of the audit log carries."""

from __future__ import annotations

import getpass
import os
import socket

from forgelm.errors import ConfigError

__all__ = ["resolve_operator"]


def resolve_operator() -> str:
    """Return `FORGELM_OPERATOR`, else `user@host`, else `anonymous@host` where that is allowed.

    Raises:
        ConfigError: Nobody can be named and `FORGELM_ALLOW_ANONYMOUS_OPERATOR=1` is not set.
    """
    named = os.environ.get("FORGELM_OPERATOR", "").strip()
    if named:
        return named
    host = socket.gethostname() or "localhost"
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    if user:
        return f"{user}@{host}"
    if os.environ.get("FORGELM_ALLOW_ANONYMOUS_OPERATOR") == "1":
        return f"anonymous@{host}"
    raise ConfigError(
        "The audit log needs the name of who is acting, and this account has none. Set "
        "FORGELM_OPERATOR (for example to a service name and run id), or set "
        "FORGELM_ALLOW_ANONYMOUS_OPERATOR=1 to record anonymous@host."
    )
