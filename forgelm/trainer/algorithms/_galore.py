"""GaLore: full training with an optimiser that keeps little of each gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["galore_arguments"]

# The names of attention and feed-forward blocks contain these, in every model of transformers.
_USUAL_TARGETS = ["attn", "mlp"]


def galore_arguments(config: ForgeConfig) -> dict[str, Any]:
    """Return the optimiser's arguments where `training.galore_enabled` is set.

    Source: Zhao et al., "GaLore", ICML 2024.
    """
    training = config.training
    if not training.galore_enabled:
        return {}
    settings = {
        "rank": training.galore_rank,
        "update_proj_gap": training.galore_update_proj_gap,
        "scale": training.galore_scale,
        "proj_type": training.galore_proj_type,
    }
    return {
        "optim": training.galore_optim,
        "optim_target_modules": training.galore_target_modules or _USUAL_TARGETS,
        "optim_args": ", ".join(f"{name}={value}" for name, value in settings.items()),
    }
