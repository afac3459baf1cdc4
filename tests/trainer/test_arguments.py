"""The contract with the installed TRL: every argument that is used has somewhere to go."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm.errors import TrainingError
from forgelm.trainer._algorithms import ALGORITHMS
from forgelm.trainer._arguments import build_arguments, common_arguments
from forgelm.trainer._precision import Precision

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
CPU = Precision("cpu", "float32", load_in_4bit=False)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_argument_of_every_algorithm_exists_in_the_installed_release(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path, training={"warmup_ratio": 0.25, "weight_decay": 0.5})
    algorithm = ALGORITHMS[name]
    _, config_class = algorithm.classes()
    wanted = common_arguments(config, CPU, tmp_path, evaluates=True)
    built = build_arguments(config_class, wanted | algorithm.arguments(config))
    assert built.warmup_steps == 0.25
    assert built.weight_decay == 0.5
    assert built.logging_nan_inf_filter is False
    assert built.use_cpu is True
    assert (built.bf16, built.fp16) == (False, False)


def test_an_argument_that_vanished_is_named() -> None:
    @dataclasses.dataclass
    class Shrunk:
        learning_rate: float = 0.0

    with pytest.raises(TrainingError, match=r"Shrunk of TRL .* no argument for save_steps"):
        build_arguments(Shrunk, {"learning_rate": 0.1, "save_steps": 5})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (200, 200)),
        ({"eval_steps": 30}, (30, 30)),
        ({"save_steps": 50}, (50, 50)),
        ({"eval_steps": 50, "save_steps": 100}, (50, 100)),
    ],
)
def test_save_steps_are_a_multiple_of_eval_steps(
    given: dict[str, int], expected: tuple[int, int], make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path, training={"eval_steps": 200} | given)
    wanted = common_arguments(config, CPU, tmp_path, evaluates=True)
    assert (wanted["eval_steps"], wanted["save_steps"]) == expected


def test_rows_in_their_own_order_are_not_shuffled_by_the_sampler(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path, data={"shuffle": False})
    wanted = common_arguments(config, CPU, tmp_path, evaluates=False)
    assert wanted["train_sampling_strategy"] == "sequential"
