"""The table of training algorithms: which TRL classes run them, with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forgelm._core import require

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ALGORITHMS", "Algorithm"]


@dataclass(frozen=True)
class Algorithm:
    """One training algorithm.

    Attributes:
        module: Where TRL keeps its classes.
        trainer: Name of the trainer class.
        config: Name of its configuration class.
        arguments: The algorithm's own arguments, from the config.
    """

    module: str
    trainer: str
    config: str
    arguments: Callable[[ForgeConfig], dict[str, Any]]

    def classes(self) -> tuple[Any, type]:
        """Return the trainer class and its configuration class."""
        module = require(self.module, extra="train", feature="Training")
        return getattr(module, self.trainer), getattr(module, self.config)


def _sft(config: ForgeConfig) -> dict[str, Any]:
    packing = config.training.packing
    # Rows come truncated; only packing needs to know the length.
    return {"packing": packing, "max_length": config.model.max_length if packing else None}


ALGORITHMS: dict[str, Algorithm] = {
    "sft": Algorithm("trl", "SFTTrainer", "SFTConfig", _sft),
}
