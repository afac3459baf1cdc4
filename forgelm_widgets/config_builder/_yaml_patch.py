"""Changing one value in YAML text: every other character of the file stays as it is.

The places come from PyYAML's marks, so comments, the order of keys, quotes and anchors survive.
Each result is read back; where the text does not mean what was asked (a shared anchor, a merge
key), the document is written anew from its values.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import yaml

__all__ = ["DELETE", "Path", "UnreadableYamlError", "patch", "read", "render"]

Path = Sequence[str | int]
DELETE: Any = object()
"""The value that takes a key or an item away."""

_MOST_CHARS = 100_000
_MOST_NODES = 20_000
_WORD = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null|inf|nan)$)[a-z_][\w./-]*", re.I)
_INT = r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)"
_FLOAT = r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_SPECIAL = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"


class UnreadableYamlError(Exception):
    """The text is no YAML, or more of it than a form takes."""


class _Loader(yaml.SafeLoader):
    """Reads plain scalars as forgelm's own loader does: `2e-05` is a number, a date is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] in {"bool", "null", "merge"}]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(f"(?:{_INT})$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT}|{_SPECIAL})$"), list("-+.0123456789")
)


def read(text: str) -> Any:
    """Return the plain values in `text`; None for an empty document.

    Raises:
        UnreadableYamlError: It cannot be read.

    Example:
        >>> read("lora: {r: 8}  # small")
        {'lora': {'r': 8}}
    """
    root = _compose(text)
    return None if root is None else _plain(root, [_MOST_NODES])


def _compose(text: str) -> yaml.Node | None:
    if len(text) > _MOST_CHARS:
        raise UnreadableYamlError(f"is longer than {_MOST_CHARS:,} characters")
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnreadableYamlError(str(error)) from None
    return root


def _plain(node: yaml.Node, budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise UnreadableYamlError("has too many values")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, budget) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            plain = _plain(value, budget)
            if key.tag == "tag:yaml.org,2002:merge":
                for block in plain if isinstance(plain, list) else [plain]:
                    merged = {**block, **merged} if isinstance(block, dict) else merged
            else:
                own[str(key.value)] = plain
        return {**merged, **own}
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind not in {"int", "float"}:
        return text
    try:
        if kind == "int":
            return int(text)
        return float(text.replace(".", "", 1) if text[-1].isalpha() else text)
    except ValueError:
        return text


def patch(text: str, path: Path, value: Any) -> str:
    """Return `text` with `value` at `path`, and nothing else changed.

    Args:
        text: A YAML document whose top is a mapping, or an empty one.
        path: Keys, and numbers for items of lists; blocks on the way are made.
        value: Plain values, or `DELETE`.

    Example:
        >>> print(patch("lora:  # adapter\\n  r: 8 # rank\\n", ["lora", "r"], 16))
        lora:  # adapter
          r: 16 # rank
        <BLANKLINE>
    """
    values = read(text)
    wanted = _assigned({} if values is None else values, path, value)
    try:
        changed = _Patch(text).apply(list(path), value, wanted)
        # an anchor that was edited has changed its aliases too: they get the old value
        for other, old in _differences(read(changed) or {}, wanted):
            changed = _Patch(changed).apply(other, old, wanted)
        if (read(changed) or {}) == wanted:
            return changed
    except (UnreadableYamlError, _TooIntricateError):
        pass
    head = re.match(r"(?:[ \t]*(?:#[^\n]*)?\n)*", text)
    return (head.group() if head else "") + render(wanted) + "\n"


def _assigned(values: Any, path: Path, value: Any) -> Any:
    """Return a copy of `values` with `value` at `path`."""
    values = copy.deepcopy(values)
    if not path:
        return value
    here = values
    for part in path[:-1]:
        if isinstance(part, str):
            if not isinstance(here.get(part), dict | list):
                here[part] = {}
            here = here[part]
        else:
            here = here[part]
    last = path[-1]
    if value is DELETE:
        if isinstance(here, list):
            here.pop(int(last))
        else:
            here.pop(last, None)
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value
    return values


def _differences(found: Any, wanted: Any) -> list[tuple[list[str | int], Any]]:
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return [] if found == wanted else [([], wanted)]
    return [
        ([key, *path], value)
        for key in wanted
        for path, value in _differences(found.get(key), wanted[key])
    ]


class _TooIntricateError(Exception):
    """The text has a shape that is not patched in place."""


class _Patch:
    """One text and the nodes in it."""

    def __init__(self, text: str) -> None:
        self.text = text if text.endswith("\n") or not text else text + "\n"
        self.root = _compose(self.text)

    def apply(self, path: list[str | int], value: Any, wanted: Any) -> str:
        """Return the text changed at `path`; `wanted` is the whole document afterwards."""
        if not path:
            raise _TooIntricateError
        node: Any = self.root
        parents: list[Any] = []
        depth = 0
        while depth < len(path):
            pair = _child(node, path[depth])
            if pair is None:
                break
            parents.append((node, *pair))
            node, depth = pair[1], depth + 1
            if parents[-1][1] is not None and node.start_mark.index < pair[0].start_mark.index:
                return self._replace_alias(pair[0], path[:depth], wanted)
        if depth < len(path):
            if value is DELETE:
                return self.text
            rest = path[depth:]
            for part in reversed(rest[1:]):
                value = {part: value}
            return self._add(node, parents, rest[0], value)
        parent, key = parents[-1][:2]
        if value is DELETE:
            return self._delete(parent, parents, key, node)
        return self._replace(key, node, value)

    def _replace(self, key: yaml.Node | None, node: yaml.Node, value: Any) -> str:
        start, end = node.start_mark.index, _end(node, self.text)
        if key is None or _is_scalar(value):
            gap = " " if self.text[start - 1 : start] == ":" else ""
            return self._splice(start, end, gap + _flow(value))
        return self._splice(self._colon(key), end, self._value(value, key.start_mark.column, key))

    def _replace_alias(self, key: yaml.Node, path: list[str | int], wanted: Any) -> str:
        for part in path:
            wanted = wanted[part]
        at = self._colon(key)
        found = re.compile(r"[ \t]*\*[^\s,\]}]+").match(self.text, at)
        if found is None:
            raise _TooIntricateError
        return self._splice(at, found.end(), self._value(wanted, key.start_mark.column, key))

    def _add(self, node: Any, parents: list[Any], part: str | int, value: Any) -> str:
        if node is None:
            return self.text + render({part: value}) + "\n"
        if isinstance(node, yaml.SequenceNode):
            return self._append(node, value)
        if not isinstance(node, yaml.MappingNode) or (not node.value and node.flow_style):
            if not parents:
                end = _end(node, self.text)
                return self._splice(node.start_mark.index, end, render({part: value}))
            return self._replace(parents[-1][1], node, {part: value})
        entry = f"{_flow(part)}: {_flow(value)}"
        if node.flow_style:
            return self._splice(_end(node.value[-1][1], self.text), None, f", {entry}")
        column = node.value[0][0].start_mark.column
        at = self._line_end(max(_end(value, self.text) for _, value in node.value))
        return self._splice(at, None, _indented(render({part: value}), column) + "\n")

    def _append(self, node: yaml.SequenceNode, value: Any) -> str:
        if node.flow_style or not node.value:
            gap = ", " if node.value else ""
            at = _end(node.value[-1], self.text) if node.value else node.end_mark.index - 1
            return self._splice(at, None, gap + _flow(value))
        at = self._line_end(_end(node.value[-1], self.text))
        first = node.value[0].start_mark.index
        dash = self.text.rindex("-", 0, first)
        column = dash - (self.text.rfind("\n", 0, dash) + 1)
        entry = "- " + _indented(render(value), 2).lstrip(" ")
        return self._splice(at, None, _indented(entry, column) + "\n")

    def _delete(self, parent: Any, parents: list[Any], key: yaml.Node | None, node: Any) -> str:
        start = (key or node).start_mark.index
        end = _end(node, self.text)
        if parent.flow_style:
            after = re.compile(r"\s*,[ \t]*").match(self.text, end)
            if after:
                return self._splice(start, after.end(), "")
            before = re.search(r",?\s*$", self.text[:start])
            return self._splice(before.start() if before else start, end, "")
        if key is None:
            start = self.text.rindex("-", 0, start)
        line = self.text.rfind("\n", 0, start) + 1
        if self.text[line:start].strip():
            raise _TooIntricateError  # the first key of a list's item, beside its dash
        cut = self._splice(line, self._line_end(end), "")
        if len(parent.value) > 1 or len(parents) < 2 or parents[-2][1] is None:
            return cut
        at = self._colon(parents[-2][1])
        return cut[:at] + (" {}" if key is not None else " []") + cut[at:]

    def _value(self, value: Any, column: int, key: yaml.Node) -> str:
        line = self.text[self.text.rfind("\n", 0, key.start_mark.index) + 1 : key.start_mark.index]
        if not isinstance(value, dict) or not value or line.strip(" -"):
            return " " + _flow(value)
        return "\n" + _indented(render(value), column + 2)

    def _colon(self, key: yaml.Node) -> int:
        return self.text.index(":", key.end_mark.index) + 1

    def _line_end(self, at: int) -> int:
        return self.text.find("\n", at) + 1 or len(self.text)

    def _splice(self, start: int, end: int | None, new: str) -> str:
        return self.text[:start] + new + self.text[start if end is None else end :]


def _child(node: Any, part: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part and key.tag != "tag:yaml.org,2002:merge":
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _end(node: yaml.Node, text: str) -> int:
    """Return where the value ends; PyYAML puts a block's end before the token that follows."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    end: int = node.end_mark.index
    start: int = node.start_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        return start + len(text[start:end].rstrip())
    return end


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _flow(value: Any) -> str:
    """Return `value` on one line, in a way that every loader reads alike."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else f'"{"".join(map(_quoted, value))}"'
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = repr(value)
    if isinstance(value, float) and text.strip("-") in {"inf", "nan"}:
        return text.replace("inf", ".inf").replace("nan", ".nan")
    # with a dot, so that readers of YAML 1.1 see a number too
    return re.sub(r"^(-?\d+)e", r"\1.0e", text)


def _quoted(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def render(value: Any) -> str:
    """Return `value` as block YAML, lists of plain values on one line."""
    if isinstance(value, dict) and value:
        parts = []
        for key, item in value.items():
            nested = isinstance(item, dict) and item
            blocks = isinstance(item, list) and any(isinstance(one, dict) for one in item)
            inside = f"\n{_indented(render(item), 2)}" if nested or blocks else f" {_flow(item)}"
            parts.append(f"{_flow(key)}:{inside}")
        return "\n".join(parts)
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return "\n".join("- " + _indented(render(item), 2).lstrip(" ") for item in value)
    return _flow(value)


def _indented(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line for line in text.split("\n"))
