"""`%load_ext forgelm`: how results show themselves, registered by name so that nothing loads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def _show(name: str, result: Any) -> dict[str, Any]:
    from forgelm_widgets._display import CARDS, bundle

    return bundle(CARDS[name](result))


# Where IPython finds the class, written out so that it need not be imported to register it.
_PRINTERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "forgelm.compliance.audit_log._results.VerifyResult": partial(_show, "VerifyResult"),
    "forgelm.config._root.ForgeConfig": partial(_show, "ForgeConfig"),
    "forgelm.data_audit.report._types.AuditReport": partial(_show, "AuditReport"),
    "forgelm.quickstart._quickstart.QuickstartResult": partial(_show, "QuickstartResult"),
    "forgelm.results.TrainResult": partial(_show, "TrainResult"),
}


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Let the public results show themselves as cards; loading twice changes nothing."""
    formatter = _formatter(ipython)
    for path, printer in _PRINTERS.items():
        if _registered(formatter, path) is None:
            formatter.for_type(path, printer)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Take away exactly what loading added; a formatter somebody else registered stays."""
    formatter = _formatter(ipython)
    for path, printer in _PRINTERS.items():
        if _registered(formatter, path) is printer:
            formatter.pop(path)


def _formatter(ipython: Any) -> Any:
    return ipython.display_formatter.mimebundle_formatter


def _registered(formatter: Any, path: str) -> Any:
    try:
        return formatter.lookup_by_type(path)
    except KeyError:
        return None
