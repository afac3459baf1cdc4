"""Handing the secrets of a configuration to another process, and keeping them out of files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from forgelm.config import ForgeConfig
from forgelm.errors import ConfigError

__all__ = [
    "SECRETS_VARIABLE",
    "config_from_document",
    "config_to_document",
    "redacted",
    "secret_paths",
    "secrets_as_text",
]

SECRETS_VARIABLE = "FORGELM_RUN_SECRETS"
"""Environment variable that carries `{"auth.hf_token": ...}` to the process of a run."""

_TELLING = re.compile(r"(?i)token|secret|passw|api[-_]?key|credential")


def config_to_document(config: ForgeConfig) -> dict[str, Any]:
    """Return the keys that were set as plain values; secrets are not among them."""
    document: dict[str, Any] = yaml.safe_load(config.to_yaml())
    return document


def secret_paths(config: ForgeConfig) -> list[str]:
    """Return where `config` has secrets, as dotted paths."""
    return [path for path, _ in _secrets(config)]


def secrets_as_text(config: ForgeConfig) -> str:
    """Return the secrets of `config` as the value of `SECRETS_VARIABLE`."""
    return json.dumps(dict(_secrets(config)))


def config_from_document(
    document: Mapping[str, Any], expected: Sequence[str], environment: MutableMapping[str, str]
) -> ForgeConfig:
    """Return the configuration of a run directory with the secrets it was started with.

    Args:
        document: What `config_to_document` returned.
        expected: What `secret_paths` returned.
        environment: Variables of this process; `SECRETS_VARIABLE` is taken out of them.

    Raises:
        ConfigError: A secret is missing, or the configuration was altered and is not valid.
    """
    sections = json.loads(json.dumps(document))
    given: dict[str, str] = json.loads(environment.pop(SECRETS_VARIABLE, "{}"))
    missing = [path for path in expected if path not in given]
    if missing:
        told = "is a secret, which a run directory does not keep; give the configuration again"
        raise ConfigError(issues=[(path, told) for path in missing])
    for path, value in given.items():
        *parents, name = path.split(".")
        block = sections
        for parent in parents:
            block = block.setdefault(parent, {})
        block[name] = value
    return ForgeConfig(**sections)


def redacted(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments with whatever may be a secret taken out."""
    shown: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        name, equals, _ = argument.partition("=")
        if equals and _TELLING.search(name):
            shown.append(f"{name}=[REDACTED]")
        elif before.startswith("-") and "=" not in before and _TELLING.search(before):
            shown.append("[REDACTED]")
        else:
            shown.append(argument)
    return shown


def _secrets(block: BaseModel, path: str = "") -> Iterator[tuple[str, str]]:
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, SecretStr):
            yield f"{path}{name}", value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value, f"{path}{name}.")
