"""Writing a configuration as YAML that every loader reads alike, and its digest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from forgelm._core import sha256_hex

__all__ = ["config_digest", "config_to_yaml"]

# Letters first and no word that some loader reads as a number, date, truth value or nothing
_SAFE_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null|inf|nan)$)[a-z_][\w./-]*", re.I)
_FLOW_WIDTH = 80


def config_to_yaml(config: BaseModel, *, include_secrets: bool, include_defaults: bool) -> str:
    """Return `config` as YAML; comment lines at the top name the secrets left out."""
    values = _values(config, secrets=include_secrets, defaults=include_defaults)
    notes = [] if include_secrets else _notes(config)
    body = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return "".join([*(f"# {note}\n" for note in notes), body])


def config_digest(config: BaseModel) -> str:
    """Return the SHA-256 of the full configuration as canonical JSON, secrets left out."""
    values = _values(config, secrets=False, defaults=True)
    text = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return sha256_hex(text.encode())


def _values(block: BaseModel, *, secrets: bool, defaults: bool) -> dict[str, Any]:
    """Return the keys of `block` that were set or differ from their default, or all of them."""
    values: dict[str, Any] = {}
    for name, info in type(block).model_fields.items():
        value = getattr(block, name)
        chosen = name in block.model_fields_set or value != info.get_default()
        if not (defaults or chosen) or (_instead(info) and not secrets):
            continue
        if isinstance(value, SecretStr):
            values[name] = value.get_secret_value()
        elif isinstance(value, BaseModel):
            values[name] = _values(value, secrets=secrets, defaults=defaults)
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            values[name] = [_values(item, secrets=secrets, defaults=defaults) for item in value]
        else:
            values[name] = value
    return values


def _notes(block: BaseModel, path: str = "") -> Iterator[str]:
    for name, info in type(block).model_fields.items():
        value = getattr(block, name)
        if isinstance(value, SecretStr):
            yield f"{path}{name} is a secret and left out: {_instead(info)}."
        elif isinstance(value, BaseModel):
            yield from _notes(value, f"{path}{name}.")


def _instead(info: FieldInfo) -> str | None:
    """Return where a secret belongs instead of the file, None for a key that is no secret."""
    extra = info.json_schema_extra
    return str(extra["instead"]) if isinstance(extra, dict) and "instead" in extra else None


class _Dumper(yaml.SafeDumper):
    """Quotes every text that is not plainly a word, and writes short lists in one line."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def _text(self, text: str) -> yaml.ScalarNode:
        if _SAFE_PLAIN.fullmatch(text):
            return self.represent_scalar("tag:yaml.org,2002:str", text)
        lines = text.split("\n")
        block = len(lines) > 1 and all(
            line.isprintable() and line == line.strip(" ") for line in lines
        )
        return self.represent_scalar(
            "tag:yaml.org,2002:str", text, style="|" if block and lines[0] else '"'
        )

    def _list(self, items: list[Any]) -> yaml.SequenceNode:
        short = all(isinstance(item, str | int | float) for item in items)
        short = short and sum(len(str(item)) + 2 for item in items) <= _FLOW_WIDTH
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


_Dumper.add_representer(str, _Dumper._text)
_Dumper.add_representer(list, _Dumper._list)
