"""The interactive layer: what a notebook shows and steers, over forgelm's public functions."""

from typing import TYPE_CHECKING

from forgelm_widgets._extension import load_ipython_extension, unload_ipython_extension

__all__ = [
    "ConfigBuilder",
    "RunComparison",
    "TrainingMonitor",
    "attach",
    "figure_of",
    "frames_of",
    "launch",
    "load_ipython_extension",
    "unload_ipython_extension",
]

if TYPE_CHECKING:
    from forgelm_widgets._frames import figure_of, frames_of
    from forgelm_widgets._launching import attach, launch
    from forgelm_widgets.config_builder import ConfigBuilder
    from forgelm_widgets.run_comparison import RunComparison
    from forgelm_widgets.training_monitor import TrainingMonitor
else:
    _HOMES = {
        "ConfigBuilder": "forgelm_widgets.config_builder",
        "RunComparison": "forgelm_widgets.run_comparison",
        "TrainingMonitor": "forgelm_widgets.training_monitor",
        "attach": "forgelm_widgets._launching",
        "figure_of": "forgelm_widgets._frames",
        "frames_of": "forgelm_widgets._frames",
        "launch": "forgelm_widgets._launching",
    }

    def __getattr__(name):
        import importlib

        if name not in _HOMES:
            raise AttributeError(f"module 'forgelm_widgets' has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
