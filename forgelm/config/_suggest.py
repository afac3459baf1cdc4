"""Finding the key somebody meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from forgelm.config._schema import ConfigField

__all__ = ["block_at", "explain_unknown_key"]

_OTHER_TOOLS = {
    "adapter_r": "r",
    "base_model": "name_or_path",
    "dataset": "dataset_name_or_path",
    "dataset_name": "dataset_name_or_path",
    "dataset_path": "dataset_name_or_path",
    "epochs": "num_train_epochs",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_r": "r",
    "lr": "learning_rate",
    "max_seq_len": "max_length",
    "max_seq_length": "max_length",
    "model_name": "name_or_path",
    "model_name_or_path": "name_or_path",
    "rank": "r",
    "sequence_len": "max_length",
    "train_file": "dataset_name_or_path",
}
_SHOWN_KEYS = 12


def block_at(root: ConfigField, loc: Sequence[str | int]) -> ConfigField | None:
    """Return the field at `loc`; indices of list items are passed over."""
    field: ConfigField | None = root
    for part in loc:
        if isinstance(part, str) and field is not None:
            field = field.child(part)
    return field


def explain_unknown_key(root: ConfigField, loc: Sequence[str | int]) -> tuple[str, str | None]:
    """Return the problem with the unknown key at `loc`, and the key meant in the same block."""
    key, block = str(loc[-1]), block_at(root, loc[:-1])
    if block is None or not block.children:
        return "unknown key; remove it", None
    twin = block.child(key)
    if twin is not None:
        return f"is another name for {twin.name}, which is also given; keep one of them", None
    names = [child.name for child in block.children]
    near = _nearest(key, names, cutoff=0.7)
    if near:
        return f"unknown key; did you mean {near}?", near
    blocks = [other for other in _blocks(root) if other is not block]
    homes = [other.path or "the top level" for other in blocks if other.child(key)]
    if homes:
        return f"unknown key here; {key} belongs to {_any_of(homes)}", None
    for other in blocks:
        far = _nearest(key, [child.name for child in other.children], cutoff=0.75)
        if far:
            return f"unknown key; did you mean {f'{other.path}.{far}'.lstrip('.')}?", None
    shown = ", ".join(names[:_SHOWN_KEYS])
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return f"unknown key; remove it. Keys known here: {shown}{more}", None


def _nearest(key: str, names: list[str], *, cutoff: float) -> str | None:
    lowered = key.lower().replace("-", "_")[:80]
    known = _OTHER_TOOLS.get(lowered)
    if known in names:
        return known
    close = difflib.get_close_matches(lowered, names, n=1, cutoff=cutoff)
    if close:
        return close[0]
    parts = [name for name in names if len(lowered) > 3 and f"_{lowered}_" in f"_{name}_"]
    return parts[0] if parts else None


def _blocks(field: ConfigField) -> Iterator[ConfigField]:
    """Yield every block, the outer ones first; a pipeline's stages repeat them and are left out."""
    if field.type == "object":
        yield field
        for child in field.children:
            yield from _blocks(child)


def _any_of(paths: list[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{', '.join(paths[:-1])} or {paths[-1]}"
