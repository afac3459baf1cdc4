"""The field tree: what forms, documents and templates know about every key."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

__all__ = ["ConfigField", "field_tree"]

_TYPES = {"array": "list", "object": "mapping"}


@dataclass(frozen=True)
class ConfigField:
    """One key of the configuration, or one block with its keys as `children`.

    Attributes:
        name: The key alone, for example "r".
        path: The key from the top, for example "lora.r"; "pipeline.stages[].name" inside a list.
        type: "string", "integer", "number", "boolean", "choice", "list", "mapping" or "object".
        required: The key must be written.
        default: What holds when it is left out, as plain JSON; None for a required key.
        minimum: Smallest value, itself allowed unless `exclusive_minimum`; in a list or mapping,
            of each entry.
        maximum: Largest value, itself allowed unless `exclusive_maximum`; likewise.
        choices: The values allowed; for a list, words allowed in its place.
        pattern: Regular expression that the text has to match.
        format: "multi-line" for prose, "uri" for an address, "password" for a secret, or None.
        item_type: Type of a list's items or a mapping's values.
        nullable: The key may be null, which means "not set".
        secret: A token or key: show it masked, never store it in clear.
        deprecated: An old spelling that still works.
        aliases: Other spellings of the key.
        help: One or two sentences for a beginner.
        group: Heading to show the key under.
        unit: What a number counts, for example "tokens".
        level: "basic" for a first run, else "advanced".
        children: The keys of a block, or of each block in a list.
    """

    name: str
    path: str
    type: str
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    format: str | None = None
    item_type: str | None = None
    nullable: bool = False
    secret: bool = False
    deprecated: bool = False
    aliases: tuple[str, ...] = ()
    help: str = ""
    group: str = ""
    unit: str | None = None
    level: str = "advanced"
    children: tuple[ConfigField, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the tree as dicts, lists and scalars, ready for JSON."""
        document = asdict(self)
        return document | {
            "choices": list(self.choices),
            "aliases": list(self.aliases),
            "children": [child.to_dict() for child in self.children],
        }

    def child(self, name: str) -> ConfigField | None:
        """Return the key `name` of this block, by its name or another spelling of it."""
        matches = (c for c in self.children if name == c.name or name in c.aliases)
        return next(matches, None)


def field_tree(model: type[BaseModel]) -> ConfigField:
    """Return the tree of `model`, read off its JSON schema."""
    schema = model.model_json_schema(by_alias=False)
    return _field(model.__name__, "", schema, schema.get("$defs", {}), required=True)


def _field(
    name: str, path: str, schema: dict[str, Any], defs: dict[str, Any], *, required: bool
) -> ConfigField:
    schema = _resolve(schema, defs)
    options = [_resolve(option, defs) for option in schema.get("anyOf", [schema])]
    shapes = [option for option in options if option.get("type") != "null"]
    shape: dict[str, Any] = shapes[0] if len(shapes) == 1 else {"oneOf": shapes}
    words = [option["const"] for option in shape.get("oneOf", []) if "const" in option]
    if "oneOf" in shape:
        shape = next(option for option in shape["oneOf"] if "const" not in option)
    item = _resolve(_item_schema(shape), defs)
    kind = _kind(shape)
    inside = shape if kind == "object" else item
    return ConfigField(
        name=name,
        path=path,
        type=kind,
        required=required,
        default=copy.deepcopy(schema.get("default")),
        **_bounds(item or shape),
        choices=tuple(shape.get("enum", words)),
        pattern=shape.get("pattern"),
        format=shape.get("format"),
        item_type=_kind(item) if item else None,
        nullable=len(shapes) < len(options),
        secret=shape.get("format") == "password",
        deprecated=schema.get("deprecated", False),
        aliases=tuple(schema.get("aliases", ())),
        help=schema.get("description", ""),
        group=schema.get("group", ""),
        unit=schema.get("unit"),
        level=schema.get("level", "advanced"),
        children=_children(f"{path}[]" if kind == "list" else path, inside, defs),
    )


def _children(path: str, block: dict[str, Any], defs: dict[str, Any]) -> tuple[ConfigField, ...]:
    required = block.get("required", ())
    return tuple(
        _field(name, f"{path}.{name}".lstrip("."), schema, defs, required=name in required)
        for name, schema in block.get("properties", {}).items()
    )


def _bounds(shape: dict[str, Any]) -> dict[str, Any]:
    return {
        "minimum": shape.get("exclusiveMinimum", shape.get("minimum")),
        "maximum": shape.get("exclusiveMaximum", shape.get("maximum")),
        "exclusive_minimum": "exclusiveMinimum" in shape,
        "exclusive_maximum": "exclusiveMaximum" in shape,
    }


def _resolve(schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Put the definition a `$ref` names in its place, under what stands beside it."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return {**defs[reference.rpartition("/")[2]], **schema}


def _item_schema(shape: dict[str, Any]) -> dict[str, Any]:
    inner = shape.get("items", shape.get("additionalProperties"))
    return inner if isinstance(inner, dict) else {}


def _kind(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return "choice"
    if "properties" in shape:
        return "object"
    kind: str = shape.get("type", "any")
    return _TYPES.get(kind, kind)
