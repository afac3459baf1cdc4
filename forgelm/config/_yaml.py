"""A YAML reader for hostile files: bounded, exact, and with the place of every key.

It reads the events of PyYAML's parser and builds nothing but plain values. Plain scalars are read
as YAML 1.2 does (`2e-05` is a number, `1:30` and `010` are text); `yes`, `no`, `on` and `off`
stay true and false, because existing files use them.

Source: YAML 1.2.2, chapter 10.3 (core schema).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml

from forgelm.config._problems import Issue, Loc

__all__ = ["Finding", "Node", "UnreadableError", "locate", "read_tree", "resolve_plain", "to_plain"]

Place = tuple[int, int]

MAX_NODES = 20_000
MAX_DEPTH = 32

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_STANDARD_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {"int": int, "float": float | int, "bool": bool, "null": type(None)}
_LONGEST_INT = 30
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Finding(NamedTuple):
    """A problem of the text itself, with its line and column."""

    issue: Issue
    place: Place


class UnreadableError(Exception):
    """The text cannot be read any further; `finding` says where and why."""

    def __init__(self, loc: Loc, text: str, place: Place) -> None:
        super().__init__(text)
        self.finding = Finding(Issue(loc, "yaml", text), place)


@dataclass(slots=True, eq=False)
class Node:
    """A value in the file; `value` holds nodes in a list or a mapping, else a plain scalar."""

    value: Any
    place: Place  # line and column, from 1
    key_places: dict[str, Place] = field(default_factory=dict)
    size: int = 0  # nodes in it, aliases counted in full; 0 while it is still open
    height: int = 1


def resolve_plain(text: str) -> Any:
    """Return what the unquoted scalar `text` means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        digits = text.replace("_", "")
        return int(digits) if len(digits) <= _LONGEST_INT else float(digits)
    return float(text) if _FLOAT.fullmatch(text) else text


def to_plain(node: Node) -> Any:
    """Return the value as dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(child) for child in node.value]
    return node.value


def locate(root: Node, loc: Loc) -> Place:
    """Return line and column of the key or item at `loc`, or of the nearest block around it."""
    node, place = root, root.place
    for part in loc:
        if isinstance(part, str) and isinstance(node.value, dict) and part in node.value:
            place, node = node.key_places[part], node.value[part]
        elif isinstance(part, int) and isinstance(node.value, list) and part < len(node.value):
            node = node.value[part]
            place = node.place
        else:
            break
    return place


def read_tree(text: str) -> tuple[Node | None, list[Finding]]:
    """Return the one document in `text`, None if empty, and what did not stop the reading.

    Raises:
        UnreadableError: The text is not YAML, has several documents, is too deep or too large,
            or has an alias that leads nowhere.
    """
    reader = _Reader()
    parser = _PARSER(text)
    try:
        while parser.check_event():
            reader.take(parser.get_event())
    except yaml.YAMLError as error:
        raise _syntax_problem(error, reader.loc()) from None
    finally:
        parser.dispose()
    return reader.document, reader.findings


def _syntax_problem(error: yaml.YAMLError, loc: Loc) -> UnreadableError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    hint = "check quotes and indentation"
    if "cannot start any token" in problem:
        hint = "indent with spaces, not tabs, and quote text that starts with @, ` or %"
    return UnreadableError(loc, f"is not valid YAML here: {problem}; {hint}", place)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    node: Node
    before: int
    key: str | None = None
    key_place: Place = (1, 1)
    is_merge: bool = False  # the key is `<<`, unquoted
    merges: list[Node] = field(default_factory=list)


class _Reader:
    """Builds nodes from events, without recursion."""

    def __init__(self) -> None:
        self.document: Node | None = None
        self.findings: list[Finding] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def take(self, event: Any) -> None:
        """Add what one event of the parser brings."""
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent) and self.document is not None:
            raise UnreadableError((), "is a second document; keep one, without a `---` line", place)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, place)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", place)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event, place)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def loc(self) -> Loc:
        """Say where in the document the reader is."""
        parts: list[str | int] = []
        for frame in self._open:
            if isinstance(frame.node.value, list):
                parts.append(len(frame.node.value))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        self._spend(1, place)
        plain = event.implicit[0] and event.tag is None
        value = resolve_plain(event.value) if plain else event.value
        if event.tag not in {None, "!", f"{_STANDARD_TAG}str"}:
            value = resolve_plain(event.value)
            wanted = _SCALAR_TAGS.get(event.tag.removeprefix(_STANDARD_TAG))
            if wanted is None or not isinstance(value, wanted):
                self._refuse_tag(place)
        node = Node(value, place, size=1)
        if event.anchor:
            self._anchors[event.anchor] = node
        if self._expects_key():
            frame = self._open[-1]
            frame.key, frame.key_place = event.value, place
            frame.is_merge = plain and event.value == "<<"
        else:
            self._add(node)

    def _alias(self, anchor: str, place: Place) -> None:
        node = self._anchors.get(anchor)
        if node is None:
            raise UnreadableError(
                self.loc(), "is an alias of nothing; write the value itself", place
            )
        if node.size == 0:
            raise UnreadableError(
                self.loc(), "is an alias of itself; write the value itself", place
            )
        self._spend(node.size, place)
        if len(self._open) + node.height > MAX_DEPTH:
            raise self._too_deep(place)
        self._add(replace(node, place=place))

    def _start(self, event: yaml.CollectionStartEvent, place: Place) -> None:
        self._spend(1, place)
        if len(self._open) >= MAX_DEPTH:
            raise self._too_deep(place)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in {None, "!", f"{_STANDARD_TAG}{'seq' if is_list else 'map'}"}:
            self._refuse_tag(place)
        node = Node([] if is_list else {}, place)
        if event.anchor:
            self._anchors[event.anchor] = node
        if self._expects_key():
            raise UnreadableError(self.loc(), "has a list or a block as a key; use text", place)
        self._open.append(_Open(node, self._count - 1))

    def _end(self) -> None:
        frame = self._open.pop()
        for source in frame.merges:
            self._merge(frame.node, source)
        frame.node.size = self._count - frame.before
        self._add(frame.node)

    def _add(self, node: Node) -> None:
        if not self._open:
            self.document = node
            return
        frame = self._open[-1]
        parent, key = frame.node, frame.key
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent.value, list):
            parent.value.append(node)
            return
        if key is None:
            raise UnreadableError(
                self.loc(), "has an alias as a key; write the key itself", node.place
            )
        if frame.is_merge:
            frame.merges.append(node)
        elif key in parent.value:
            first = parent.key_places[key][0]
            text = f"is written twice, first on line {first}; keep one of them"
            self.findings.append(Finding(Issue(self.loc(), "duplicate", text), frame.key_place))
        else:
            parent.value[key] = node
            parent.key_places[key] = frame.key_place
        frame.key = None

    def _merge(self, target: Node, source: Node) -> None:
        blocks = source.value if isinstance(source.value, list) else [source]
        for block in blocks:
            if not isinstance(block.value, dict):
                text = "`<<` takes a block of keys, or a list of blocks"
                self.findings.append(Finding(Issue(self.loc(), "merge", text), block.place))
                continue
            for key, child in block.value.items():
                target.key_places.setdefault(key, block.key_places[key])
                target.value.setdefault(key, child)

    def _expects_key(self) -> bool:
        return (
            bool(self._open)
            and isinstance(self._open[-1].node.value, dict)
            and self._open[-1].key is None
        )

    def _refuse_tag(self, place: Place) -> None:
        text = "has a tag (a word that starts with !); write the plain value instead"
        self.findings.append(Finding(Issue(self.loc(), "tag", text), place))

    def _spend(self, nodes: int, place: Place) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            text = f"has more than {MAX_NODES} values, aliases counted in full; no configuration is"
            raise UnreadableError((), f"{text} that large", place)

    def _too_deep(self, place: Place) -> UnreadableError:
        return UnreadableError((), f"is nested more than {MAX_DEPTH} levels deep", place)
