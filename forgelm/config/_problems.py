"""From pydantic's errors to every problem at once, in plain words."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from forgelm.config._base import UNION_TAGS
from forgelm.config._schema import ConfigField, field_tree
from forgelm.config._suggest import block_at, explain_unknown_key
from forgelm.config._wording import explain
from forgelm.errors import ConfigError

__all__ = ["Issue", "Loc", "build_config_error", "dotted", "find_issues"]

Loc = tuple[str | int, ...]

_ROUNDS = 8
_EXPLAINED = 50  # finding the key that was meant takes a millisecond
_UNEXPLAINED: tuple[str, str | None] = ("unknown key; remove it", None)


class Issue(NamedTuple):
    """One problem: where, of which kind, and what to do about it."""

    loc: Loc
    kind: str
    text: str


def dotted(loc: Sequence[str | int]) -> str:
    """Write a place as people write it: `pipeline.stages[0].name`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part.isprintable() and len(part) <= 80 else ascii(part[:80])
            text += f".{shown}"
    return text.removeprefix(".")


def build_config_error(
    issues: Iterable[Issue], *, message: str | None = None, source: str | None = None
) -> ConfigError:
    """Return a `ConfigError` caused by a `ValidationError` that holds no value that was given."""
    listed = list(issues)
    details: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError(issue.kind, issue.text),
            "loc": issue.loc,
            "input": None,
        }
        for issue in listed
    ]
    pairs = [(dotted(issue.loc), issue.text) for issue in listed]
    problem = ConfigError(message, issues=pairs, source=source)
    problem.__cause__ = ValidationError.from_exception_data("ForgeConfig", details, hide_input=True)
    return problem


def find_issues(
    model: type[BaseModel], data: dict[str, Any], error: ValidationError
) -> list[Issue]:
    """Return every problem in `data`: those in `error`, and the rules it kept from being checked.

    A rule across keys only runs when all keys are right by themselves. So the wrong ones are taken
    out and the rest is checked again; a rule that reads a key taken out is not reported.
    """
    tree = _tree(model)
    issues: list[Issue] = []
    rest = _copy(data)
    moot = _mend(tree, rest, error, issues)
    for _ in range(_ROUNDS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                BaseModel.__init__(model.__new__(model), **rest)
        except ValidationError as further:
            later: list[Issue] = []
            reached = _mend(tree, rest, further, later, moot)
            issues += [issue for issue in later if issue.kind == "rule"]
            moot |= reached
        else:
            break
    return issues


def _mend(
    tree: ConfigField,
    data: dict[str, Any],
    error: ValidationError,
    issues: list[Issue],
    moot: frozenset[Loc] = frozenset(),
) -> frozenset[Loc]:
    """List the problems in `error`, take what is wrong out of `data`, and return those places."""
    places: list[Loc] = []
    for line in error.errors(include_url=False):
        loc = tuple(part for part in line["loc"] if part not in UNION_TAGS)
        wrong = [loc]
        if line["type"] == "forgelm_rules":
            wrong = []
            for problem in line["ctx"]["problems"]:
                reads = [_place(loc, path) for path in problem.reads]
                if not any(_overlap(one, other) for one in reads for other in moot):
                    issues.append(Issue(_place(loc, problem.path), "rule", problem.text))
                wrong += reads
        elif line["type"] == "extra_forbidden":
            text, meant = _UNEXPLAINED
            if len(issues) < _EXPLAINED:
                text, meant = explain_unknown_key(tree, loc)
            issues.append(Issue(loc, line["type"], text))
            places += [(*loc[:-1], meant)] if meant else []
        else:
            issues.append(Issue(loc, line["type"], explain(block_at(tree, loc), line)))
        for place in wrong:
            _replace(data, place, _stand_in(tree, place) if line["type"] == "missing" else None)
        places += wrong
    return frozenset(places)


_tree = functools.cache(field_tree)


def _place(within: Loc, path: str) -> Loc:
    return within + tuple(int(part) if part.isdigit() else part for part in path.split("."))


def _overlap(one: Loc, other: Loc) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _stand_in(tree: ConfigField, loc: Loc) -> Any:
    field = block_at(tree, loc)
    return {} if field is not None and field.type == "object" else "placeholder"


def _replace(data: Any, loc: Loc, value: Any) -> None:
    """Put `value` at `loc`, or take what is there out when `value` is None."""
    if not loc:
        return
    for part in loc[:-1]:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        data.pop(loc[-1], None)
        if value is not None:
            data[loc[-1]] = value
    elif isinstance(data, list) and isinstance(loc[-1], int):
        del data[loc[-1] : loc[-1] + 1]


def _copy(value: Any) -> Any:
    """Copy dicts and lists; everything else, blocks that were built before too, is shared."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
