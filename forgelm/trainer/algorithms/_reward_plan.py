"""Which rewards a GRPO run learns from, and calling them the way their authors expect."""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forgelm.data import ROW_COLUMN, DataSummary
from forgelm.errors import ConfigError, TrainingError
from forgelm.trainer.algorithms._algorithms import ALGORITHMS
from forgelm.trainer.algorithms._reward_model import load_reward_model
from forgelm.trainer.algorithms._rewards import format_reward, gold_answer_reward, length_reward
from forgelm.trainer.backend import Precision, is_out_of_memory

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["RewardFunction", "RewardPlan", "as_reward_functions", "plan_rewards"]

logger = logging.getLogger(__name__)

RewardFunction = Callable[..., Sequence[float]]
"""Returns a number for each completion. It is called with the keyword arguments it names, out of
`prompts` (as in the rows), `completions` (texts), `completion_ids`, `max_completion_length` (the
room for an answer, in tokens) and every column of the rows."""

_GIVEN = ("prompts", "completions", "completion_ids", "max_completion_length")
# Form and length break ties between answers; being right is what counts.
_FORM_WEIGHT = 0.2


@dataclass(frozen=True)
class RewardPlan:
    """The rewards of a run: what to call, by which names, and how much each counts."""

    functions: tuple[_RowReward, ...]
    weights: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the rewards, as they appear in the metrics `rewards/<name>/mean`."""
        return tuple(function.__name__ for function in self.functions)


def as_reward_functions(
    config: ForgeConfig, given: RewardFunction | Sequence[RewardFunction] | None
) -> tuple[RewardFunction, ...]:
    """Return the functions in `given`, checked.

    Raises:
        TypeError: One of them cannot be called and return numbers.
        ConfigError: The configured algorithm does not learn from rewards.
    """
    functions = () if given is None else (given,) if callable(given) else tuple(given)
    if functions and config.training.trainer_type != "grpo":
        problem = f"is {config.training.trainer_type}; reward functions are for grpo alone"
        raise ConfigError(issues=[("training.trainer_type", problem)])
    for function in functions:
        if not callable(function):
            raise TypeError(f"a reward function must be callable, not {type(function).__name__}")
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"the reward function {_name(function)} is async; give a plain one")
    return functions


def plan_rewards(
    config: ForgeConfig, given: Sequence[RewardFunction], data: DataSummary, precision: Precision
) -> RewardPlan | None:
    """Return the rewards of a run: the caller's and the reward model's, or the built-in ones.

    None for an algorithm that learns from none.

    Raises:
        ConfigError: A function asks for a column that the rows do not have, or the reward model
            cannot be used.
    """
    if not ALGORITHMS[config.training.trainer_type].is_rewarded:
        return None
    model = config.training.grpo_reward_model
    columns = {column for source in data.sources for column in source.columns}
    weighted = [(function, 1.0) for function in given]
    if model is not None:
        weighted.append((load_reward_model(config, precision), 1.0))
    if not weighted:
        weighted = _built_in(columns)
    names = _distinct([_name(function) for function, _ in weighted])
    room = config.training.grpo_max_completion_length
    functions = tuple(
        _RowReward(function, name, room)
        for (function, _), name in zip(weighted, names, strict=True)
    )
    _check_columns(functions, columns)
    return RewardPlan(functions, tuple(weight for _, weight in weighted))


def _built_in(columns: set[str]) -> list[tuple[RewardFunction, float]]:
    form: list[tuple[RewardFunction, float]] = [
        (format_reward, _FORM_WEIGHT),
        (length_reward, _FORM_WEIGHT),
    ]
    if "gold_answer" in columns:
        return [(gold_answer_reward, 1.0), *form]
    logger.warning(
        "nothing says which answers are right: the rows have no gold_answer, and there is no "
        "training.grpo_reward_model and no reward function. Only form and length are rewarded."
    )
    return form


class _RowReward:
    """A reward function with the call that TRL makes, and an answer that is checked."""

    def __init__(self, function: RewardFunction, name: str, room: int) -> None:
        self._function = function
        self._room = room
        self.__name__ = name
        parameters = inspect.signature(function).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        self._takes_all = inspect.Parameter.VAR_KEYWORD in kinds
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        self._takes = {p.name for p in parameters if p.kind in named}
        self.needs = {
            p.name for p in parameters if p.kind in named and p.default is inspect.Parameter.empty
        }

    def __call__(
        self, *, completions: list[Any], completion_ids: list[Any], **columns: Any
    ) -> list[float]:
        """Return the rewards; TrainingError when they are not one finite number each."""
        rows = [json.loads(row) for row in columns[ROW_COLUMN]]
        names = dict.fromkeys(name for row in rows for name in row)
        values: dict[str, Any] = {
            name: [row.get(name) for row in rows] for name in names if name not in _GIVEN
        }
        values |= {name: [None] * len(rows) for name in self.needs - values.keys()}
        values |= {
            "prompts": [row["prompt"] for row in rows],
            "completions": completions,
            "completion_ids": completion_ids,
            "max_completion_length": self._room,
        }
        wanted = {k: v for k, v in values.items() if self._takes_all or k in self._takes}
        try:
            rewards = list(self._function(**wanted))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise TrainingError(
                f"the reward function {self.__name__} failed: {type(error).__name__}: {error}"
            ) from error
        return self._checked(rewards, len(completions))

    def _checked(self, rewards: list[Any], expected: int) -> list[float]:
        if len(rewards) != expected:
            raise TrainingError(
                f"the reward function {self.__name__} returned {len(rewards)} rewards for "
                f"{expected} completions; return one number for each."
            )
        try:
            numbers = [float(reward) for reward in rewards]
        except (TypeError, ValueError):
            numbers = [math.nan]
        if not all(math.isfinite(number) for number in numbers):
            raise TrainingError(
                f"the reward function {self.__name__} returned something that is no finite "
                "number; return a number for every completion, 0 where it has nothing to say."
            )
        return numbers


def _check_columns(functions: Sequence[_RowReward], columns: set[str]) -> None:
    there = columns | set(_GIVEN)
    lacking = [
        f"the reward function {function.__name__} needs {', '.join(sorted(missing))}"
        for function in functions
        if (missing := function.needs - there)
    ]
    if lacking:
        has = ", ".join(sorted(columns))
        text = f"{'; '.join(lacking)}, and the rows have the columns {has}"
        raise ConfigError(issues=[("data.dataset_name_or_path", text)])


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__)).strip("<>")


def _distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result
