"""A bar of progress: in a terminal, or in a notebook that can show widgets."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from forgelm._core import is_installed

__all__ = ["progress_bar"]


def progress_bar(total: int | None, description: str, unit: str = "B") -> tqdm[Any]:
    """Return a bar for work of over a second; it shows nothing where nobody watches.

    IPython is asked only where it is loaded already.
    """
    options: dict[str, Any] = {
        "total": total,
        "unit": unit,
        "unit_scale": True,
        "desc": description,
        "delay": 1,
    }
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if hasattr(shell, "kernel") and is_installed("ipywidgets"):
        from tqdm.notebook import tqdm as notebook_bar

        return notebook_bar(**options)
    return tqdm(**options, disable=None)
