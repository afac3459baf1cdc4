"""The contract with the installed TRL: every argument that is used has somewhere to go."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm.errors import TrainingError
from forgelm.trainer.algorithms import ALGORITHMS, build_arguments, common_arguments
from forgelm.trainer.backend import Precision

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


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_trainer_of_the_installed_release_takes_what_it_is_built_with(name: str) -> None:
    trainer_class, _ = ALGORITHMS[name].classes()
    used = {"model", "args", "train_dataset", "eval_dataset", "processing_class"}
    used |= {"peft_config", "callbacks"} | ({"reward_funcs"} if name == "grpo" else set())
    used |= {"ref_model"} if ALGORITHMS[name].keeps_reference else set()
    assert used - set(inspect.signature(trainer_class.__init__).parameters) == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sft", {"packing_strategy": "bfd", "max_length": None}),
        ("dpo", {"beta": 0.3, "max_length": 128, "loss_type": ["sigmoid"]}),
        ("kto", {"beta": 0.4, "max_length": 128, "train_sampling_strategy": "sequential"}),
        ("orpo", {"beta": 0.5, "max_length": 128}),
        ("simpo", {"beta": 2.5, "simpo_gamma": 0.7, "loss_type": "simpo", "cpo_alpha": 0.0}),
        ("grpo", {"num_generations": 4, "per_device_eval_batch_size": 8, "shuffle_dataset": True}),
    ],
)
def test_the_keys_of_an_algorithm_reach_its_arguments(
    name: str, expected: dict[str, object], make_config: ConfigMaker, tmp_path: Path
) -> None:
    betas = {"dpo_beta": 0.3, "kto_beta": 0.4, "orpo_beta": 0.5, "simpo_beta": 2.5}
    keys = betas | {"simpo_gamma": 0.7, "trainer_type": name, "per_device_train_batch_size": 6}
    config = make_config(tmp_path, training=keys)
    wanted = common_arguments(config, CPU, tmp_path, evaluates=True)
    built = build_arguments(
        ALGORITHMS[name].classes()[1], wanted | ALGORITHMS[name].arguments(config)
    )
    assert {key: getattr(built, key) for key in expected} == expected
    judged = ("eval_reward", True) if name == "grpo" else ("eval_loss", False)
    assert (built.metric_for_best_model, built.greater_is_better) == judged


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
