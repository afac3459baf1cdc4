"""The keys that runs were configured differently in, defaults counted."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from forgelm import ForgeConfig, describe_config

if TYPE_CHECKING:
    from forgelm import ConfigField

__all__ = ["NOT_SET", "Difference", "find_differences"]

Difference = tuple[str, list[str]]
NOT_SET = "–"

_DEEPEST = 12
_MOST_KEYS = 3_000
# Two runs never share it, and it says nothing of how they were trained.
_OWN = "training.output_dir"


def find_differences(configs: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Return each key that is not the same in all of `configs`, with its value in each as text.

    Values are those that count: a key that was left out has its default. Of a block that only some
    of them have, the keys are told that somebody wrote. A configuration that is not valid any more
    is compared as it was written. Secrets are in no `run.json`; where somebody wrote one into it,
    it is left out.

    Args:
        configs: Configurations as `run.json` has them.

    Example:
        >>> find_differences([{"model": {"name_or_path": "a"}}, {"model": {"name_or_path": "b"}}])
        [('model.name_or_path', ['a', 'b'])]
    """
    values = [dict(_flat(_whole(config))) for config in configs]
    written = {key for config in configs for key, _ in _flat(config)}
    keys = dict.fromkeys(key for one in values for key in one)
    rows = ((key, [one.get(key, NOT_SET) for one in values]) for key in keys)
    return [
        (key, row)
        for key, row in rows
        if len(set(row)) > 1 and (NOT_SET not in row or key in written)
    ]


def _whole(config: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ForgeConfig(**config).model_dump(mode="json")
    except Exception:  # noqa: BLE001 - anybody may have written it
        return config


def _flat(block: Mapping[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in list(block.items())[:_MOST_KEYS]:
        place = f"{path}{key}"
        if place == _OWN or str(key) in _secret_names():
            continue
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from _flat(value, f"{place}.", depth + 1)
        elif value is not None:
            yield place, _words(value)


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.12g}"
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "…"


@cache
def _secret_names() -> frozenset[str]:
    def names(field: ConfigField) -> Iterator[str]:
        if field.secret:
            yield field.name
        for child in field.children:
            yield from names(child)

    return frozenset(names(describe_config()))
