"""The interactive layer: what a notebook shows and steers, over forgelm's public functions."""

from typing import TYPE_CHECKING

from forgelm_widgets._extension import load_ipython_extension, unload_ipython_extension

__all__ = ["TrainingMonitor", "load_ipython_extension", "unload_ipython_extension"]

if TYPE_CHECKING:
    from forgelm_widgets.training_monitor import TrainingMonitor
else:

    def __getattr__(name):
        if name != "TrainingMonitor":
            raise AttributeError(f"module 'forgelm_widgets' has no attribute {name!r}")
        from forgelm_widgets.training_monitor import TrainingMonitor

        globals()[name] = TrainingMonitor
        return TrainingMonitor


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
