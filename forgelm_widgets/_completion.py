"""What Tab offers after `%forgelm`, and inside the YAML of a `%%forgelm` cell."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Offer", "offers", "path_offers", "variable_offers"]

Kind = Literal["function", "param", "path", "instance", "keyword", "value"]

_LINE = re.compile(r"^\s*(?:[\w, ]+=\s*)?%forgelm\s+(.*)$", flags=re.DOTALL)
_CELL = re.compile(r"^\s*%%forgelm(?:[ \t]+(.*))?$")
_PATHS = {"base", "config", "data", "model", "out", "output_dir", "resume_dir"}
_MOST_PATHS = 200


@dataclass(frozen=True)
class Offer:
    """One completion: what takes the place of `fragment`, the text before the cursor."""

    text: str
    fragment: str
    kind: Kind


def offers(
    text: str, line: int, column: int, variables: Mapping[str, Any]
) -> tuple[Offer, ...] | None:
    """Return what fits at a place of a cell; None where the cell does not talk to forgelm.

    Args:
        text: The whole cell.
        line: Line of the cursor, from 0.
        column: Characters before the cursor in its line.
        variables: The notebook's variables by name.
    """
    lines = text.split("\n")
    head = _CELL.match(lines[0])
    before = lines[line][:column]
    if head is not None and line > 0:
        from forgelm_widgets._yaml_completion import yaml_offers

        return tuple(yaml_offers(lines[1:], line - 1, column, variables))
    typed = _CELL.match(before) if head is not None else _LINE.match(before)
    if typed is None or typed[1] is None:
        return None
    return tuple(_word_offers(typed[1], variables, in_cell=head is not None))


def _word_offers(typed: str, variables: Mapping[str, Any], *, in_cell: bool) -> Iterator[Offer]:
    import click

    from forgelm_widgets._commands import cell_commands, line_commands

    *words, fragment = re.split(r"\s+", typed)
    if "{" in fragment:
        yield from variable_offers(fragment, variables)
        return
    command: click.Command = cell_commands("") if in_cell else line_commands()
    asks_for_help = words[:1] == ["help"]
    rest = words[1:] if asks_for_help else list(words)
    while rest and isinstance(command, click.Group) and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    if isinstance(command, click.Group) and not rest:
        yield from _starting(fragment, command.commands, "function")
    if asks_for_help:
        return
    pending = _pending_option(command, rest)
    if pending is not None:
        yield from _value_offers(pending, fragment)
    elif fragment.startswith("-"):
        names = (name for each in command.params for name in _switches(each))
        yield from _starting(fragment, [n for n in names if n not in rest], "param")
    elif command.name == "runs" or any(isinstance(p, click.Argument) for p in command.params):
        yield from path_offers(fragment, quote=shlex.quote)


def _pending_option(command: Any, words: list[str]) -> Any:
    """Return the option that waits for its value, None where the last word is none."""
    last = words[-1] if words else ""
    for each in command.params:
        if last in _switches(each) and not getattr(each, "is_flag", False):
            return each
    return None


def _switches(parameter: Any) -> list[str]:
    if parameter.param_type_name != "option" or parameter.hidden:
        return []
    return [*parameter.opts, *parameter.secondary_opts]


def _value_offers(parameter: Any, fragment: str) -> Iterator[Offer]:
    choices = getattr(parameter.type, "choices", None)
    if choices is not None:
        yield from _starting(fragment, map(str, choices), "value")
    elif parameter.name in _PATHS:
        yield from path_offers(fragment, quote=shlex.quote)


def _starting(fragment: str, names: Iterable[str], kind: Kind) -> Iterator[Offer]:
    yield from (Offer(name, fragment, kind) for name in names if name.startswith(fragment))


def variable_offers(fragment: str, variables: Mapping[str, Any]) -> Iterator[Offer]:
    """Yield the variables whose value can stand in a line, for a `{` that is not closed yet."""
    start = fragment.rindex("{") + 1
    if "}" in fragment[start:]:
        return
    for name, value in sorted(variables.items()):
        fits = isinstance(value, str | int | float | os.PathLike) and not isinstance(value, bool)
        if fits and name.startswith(fragment[start:]) and not name.startswith("_"):
            yield Offer(f"{fragment[:start]}{name}}}", fragment, "instance")


def path_offers(fragment: str, *, quote: Any = str) -> Iterator[Offer]:
    """Yield the files and folders that begin like `fragment`, folders with a slash."""
    folder, start = os.path.split(fragment)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            found = sorted((each.name, each.is_dir()) for each in entries)
    except (OSError, ValueError):
        return
    fitting = (
        (name, is_dir)
        for name, is_dir in found
        if name.startswith(start) and (start or not name.startswith(".")) and name.isprintable()
    )
    for _, (name, is_dir) in zip(range(_MOST_PATHS), fitting, strict=False):
        yield Offer(quote(os.path.join(folder, name)) + "/" * is_dir, fragment, "path")
