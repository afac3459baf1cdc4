"""Positions and reach of attention, set on a model's own configuration before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forgelm.errors import ConfigError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["adjust_attention", "changed_settings"]

_SETTINGS = {
    "rope_scaling": ("rope_parameters", "max_position_embeddings"),
    "sliding_window_attention": ("sliding_window", "use_sliding_window", "layer_types"),
}


def adjust_attention(config: ForgeConfig, found: Any) -> None:
    """Apply `training.rope_scaling` and `training.sliding_window_attention` to `found`.

    Args:
        config: The configuration.
        found: The `PretrainedConfig` of the model; it is changed.

    Raises:
        ConfigError: The model has no rotary positions or no sliding window, or lacks a value that
            the kind of scaling needs.
    """
    text = found.get_text_config()
    if config.training.rope_scaling:
        _scale_positions(text, dict(config.training.rope_scaling))
    if config.training.sliding_window_attention:
        _limit_reach(text, config.training.sliding_window_attention)


def changed_settings(config: ForgeConfig, found: Any) -> dict[str, Any]:
    """Return what `adjust_attention` set in `found`: whoever loads the base has to set it, too."""
    text = found.get_text_config()
    names = [
        name
        for key, settings in _SETTINGS.items()
        if getattr(config.training, key)
        for name in settings
    ]
    return {name: getattr(text, name) for name in names if hasattr(text, name)}


def _scale_positions(text: Any, wanted: dict[str, Any]) -> None:
    own = getattr(text, "rope_parameters", None)
    if not isinstance(own, dict) or "rope_theta" not in own:
        raise _refused("rope_scaling", text, "has no rotary positions, or several kinds of them")
    wanted.setdefault("rope_type", wanted.pop("type", None))
    length = own.get("original_max_position_embeddings", text.max_position_embeddings)
    wanted.setdefault("original_max_position_embeddings", length)
    if wanted["rope_type"] == "linear":
        del wanted["original_max_position_embeddings"]
    kept = {key: own[key] for key in ("rope_theta", "partial_rotary_factor") if key in own}
    text.rope_parameters = kept | wanted
    text.max_position_embeddings = int(length * wanted["factor"])
    try:
        text.validate_rope()
    except (KeyError, ValueError, TypeError) as error:
        reason = str(error.args[0] if error.args else error)
        raise ConfigError(issues=[("training.rope_scaling", reason)]) from error


def _limit_reach(text: Any, tokens: int) -> None:
    if not hasattr(text, "sliding_window"):
        raise _refused("sliding_window_attention", text, "has no sliding window")
    text.sliding_window = tokens
    layers = getattr(text, "layer_types", None)
    if hasattr(text, "use_sliding_window"):
        text.use_sliding_window = True
    # A model that mixes both kinds of layer keeps its mixture; one that has none uses it in all.
    if layers and "sliding_attention" not in layers:
        text.layer_types = ["sliding_attention"] * len(layers)


def _refused(key: str, text: Any, reason: str) -> ConfigError:
    return ConfigError(
        issues=[(f"training.{key}", f"a model of type {text.model_type} {reason}; leave it out")]
    )
