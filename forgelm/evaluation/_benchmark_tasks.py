"""Finding and loading the tasks of lm-eval: from this machine first, each counted once."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.data import hub_offline
from forgelm.errors import ConfigError, EvaluationError
from forgelm.evaluation._models import first_line

__all__ = ["LoadedTasks", "load_tasks"]


@dataclass(frozen=True)
class LoadedTasks:
    """Tasks ready to run.

    Attributes:
        manager: lm-eval's own register of tasks.
        objects: The tasks and groups to run, none of them inside another.
        entries: Names that get a score: what was asked for, a tag or a group without a figure of
            its own replaced by its tasks.
        averaged: Those of `entries` that no other entry contains.
        leaves: For each entry, the tasks whose questions it counts.
        network: Opens the block in which they were loaded, and are to be run.
    """

    manager: Any
    objects: list[Any]
    entries: list[str]
    averaged: list[str]
    leaves: dict[str, list[str]]
    network: Callable[[], AbstractContextManager[None]]


def load_tasks(tasks: list[str], include_path: str | None) -> LoadedTasks:
    """Load tasks by name, from `include_path` alone where that has them all.

    Raises:
        ConfigError: There are none, or some that nobody knows.
        EvaluationError: A task's data cannot be loaded.
    """
    manager = _manager(tasks, include_path)
    network: Callable[[], AbstractContextManager[None]] = hub_offline
    try:
        with network():
            loaded = [_load(manager, task) for task in dict.fromkeys(tasks)]
    except EvaluationError:  # a task's data may not be here yet
        network = nullcontext
        loaded = [_load(manager, task) for task in dict.fromkeys(tasks)]
    return _arranged(manager, loaded, network)


def _load(manager: Any, task: str) -> Any:
    try:
        return manager.load([task])
    except Exception as error:
        empty = isinstance(error, StopIteration)
        told = "its data has no rows" if empty else first_line(error)
        raise EvaluationError(f"the benchmark {task!r} could not be loaded: {told}") from error


def _manager(tasks: list[str], include_path: str | None) -> Any:
    register = require("lm_eval.tasks", extra="eval", feature="Running benchmarks")
    path = "evaluation.benchmark.tasks"
    if not tasks:
        raise ConfigError(issues=[(path, "there are none; name at least one")])
    if include_path is not None and not Path(include_path).is_dir():
        raise ConfigError(issues=[("include_path", f"there is no folder {include_path!r}")])
    files = [task for task in tasks if _is_file(task)]
    folders = [str(folder) for folder in [include_path] if folder]
    # Reading lm-eval's own thousands of task files takes 16 s.
    manager = register.TaskManager(include_path=folders, include_defaults=False)
    if {*tasks} - {*files, *manager.all_tasks}:
        manager = register.TaskManager(include_path=folders or None)
    issues = [(path, _unknown(task, manager.all_tasks)) for task in tasks if task not in files]
    issues = [(where, problem) for where, problem in issues if problem]
    if issues:
        raise ConfigError(issues=issues)
    return manager


def _is_file(task: str) -> bool:
    return Path(task).suffix in {".yaml", ".yml"} and Path(task).is_file()


def _unknown(task: str, known: list[str]) -> str:
    if task in known:
        return ""
    near = difflib.get_close_matches(task, known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"lm-eval knows no task {task!r}{hint}"


def _arranged(
    manager: Any, loaded: list[Any], network: Callable[[], AbstractContextManager[None]]
) -> LoadedTasks:
    groups = {name: group for found in loaded for name, group in found["groups"].items()}
    leaves: dict[str, list[str]] = {}
    objects: dict[str, Any] = {}
    for found in loaded:
        inside = {child for children in found["group_map"].values() for child in children}
        tops = [name for name in found["groups"] if name not in inside]
        for name, item in ({n: groups[n] for n in tops} or found["tasks"]).items():
            objects[name] = item
            for entry in _scored(name, groups):
                leaves[entry] = _tasks_in(entry, groups)
    within = {inner for name in objects for inner in _inside(name, groups)}
    counted = {inner for name in leaves for inner in _inside(name, groups)}
    return LoadedTasks(
        manager=manager,
        objects=[item for name, item in objects.items() if name not in within],
        entries=list(leaves),
        averaged=[name for name in leaves if name not in counted],
        leaves=leaves,
        network=network,
    )


def _scored(name: str, groups: dict[str, Any]) -> list[str]:
    """Return the names below `name` that lm-eval computes a figure for."""
    group = groups.get(name)
    if group is None or group.has_aggregation:
        return [name]
    return [entry for child in group.child_names for entry in _scored(child, groups)]


def _tasks_in(name: str, groups: dict[str, Any]) -> list[str]:
    return [task.task_name for task in groups[name].get_all_tasks()] if name in groups else [name]


def _inside(name: str, groups: dict[str, Any]) -> list[str]:
    """Return all tasks and groups below `name`."""
    if name not in groups:
        return []
    below = [group.name for group in groups[name].get_all_groups()]
    return [*_tasks_in(name, groups), *below]
