"""Memory that really runs out: the allocator refuses what the test asks it for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer, read_progress
from forgelm.errors import TrainingError
from forgelm.trainer.backend import BatchPlan

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
torch = pytest.importorskip("torch")

_A_PEBIBYTE = 1 << 50
Limit = Callable[[int], None]


@pytest.fixture
def limit_rows() -> Iterator[Limit]:
    """Give a function after which training more rows at once than so many runs out of memory."""
    allowed: list[int] = []

    def allocate(module: Any, inputs: Any) -> None:
        trains = module.training and isinstance(module, torch.nn.Embedding)
        if allowed and trains and inputs[0].shape[0] > allowed[-1]:
            torch.empty(_A_PEBIBYTE, dtype=torch.uint8)

    handle = torch.nn.modules.module.register_module_forward_pre_hook(allocate)
    yield allowed.append
    handle.remove()


def recoveries(run_dir: Path) -> list[tuple[int, int, int]]:
    log = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in log]
    return [
        (entry["old_batch_size"], entry["new_batch_size"], entry["new_grad_accum"])
        for entry in entries
        if entry["event"] == "training.oom_recovery"
    ]


def test_the_batch_is_halved_until_it_fits_and_the_rows_a_step_stay(
    make_config: ConfigMaker, tmp_path: Path, limit_rows: Limit
) -> None:
    limit_rows(2)
    keys = {"max_steps": 3, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    config = make_config(tmp_path / "run", training={**keys, "oom_recovery": True})
    result = ForgeTrainer(config).train()
    assert result.success, result.error
    assert recoveries(tmp_path / "run") == [(8, 4, 2), (4, 2, 4)]
    assert result.metrics["eval_loss"] < result.metrics["baseline_eval_loss"]
    assert read_progress(tmp_path / "run")[-1].step == 3


def test_a_run_goes_on_from_its_last_checkpoint(
    make_config: ConfigMaker, tmp_path: Path, limit_rows: Limit
) -> None:
    keys = {"max_steps": 5, "per_device_train_batch_size": 4, "eval_steps": 2, "save_steps": 2}
    config = make_config(tmp_path / "run", training={**keys, "oom_recovery": True})
    trainer = ForgeTrainer(config)
    begins: list[int] = []

    def listen(event: Any) -> None:
        if event.kind == "train_begin":
            begins.append(event.step)
        if event.kind == "log" and event.step == 3:
            limit_rows(2)

    trainer.subscribe(listen)
    result = trainer.train()
    assert result.success, result.error
    assert begins == [0, 2]
    assert recoveries(tmp_path / "run") == [(4, 2, 4)]


def test_without_recovery_one_error_says_what_to_change(
    make_config: ConfigMaker, tmp_path: Path, limit_rows: Limit
) -> None:
    limit_rows(2)
    config = make_config(tmp_path / "run", training={"per_device_train_batch_size": 4})
    with pytest.raises(TrainingError, match=r"with 4 rows at once; set training\.oom_recovery"):
        ForgeTrainer(config).train()
    assert not recoveries(tmp_path / "run")


def test_recovery_ends_at_the_smallest_batch_that_may_be_tried(
    make_config: ConfigMaker, tmp_path: Path, limit_rows: Limit
) -> None:
    limit_rows(1)
    keys = {"per_device_train_batch_size": 4, "oom_recovery_min_batch_size": 2}
    config = make_config(tmp_path / "run", training={**keys, "oom_recovery": True})
    with pytest.raises(TrainingError, match=r"oom_recovery_min_batch_size \(2\)"):
        ForgeTrainer(config).train()
    assert recoveries(tmp_path / "run") == [(4, 2, 4)]


def test_recovery_of_a_model_that_was_passed_in_is_refused(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", training={"oom_recovery": True})
    with pytest.raises(ConfigError, match=r"training\.oom_recovery: needs to load the model again"):
        ForgeTrainer(config, model=object()).train()


@pytest.mark.parametrize(
    ("plan", "smallest", "expected"),
    [
        (BatchPlan(8, 2), 1, BatchPlan(4, 4)),
        (BatchPlan(5, 1), 1, BatchPlan(1, 5)),
        (BatchPlan(6, 1), 2, BatchPlan(3, 2)),
        (BatchPlan(7, 1), 2, None),
        (BatchPlan(1, 8), 1, None),
    ],
)
def test_a_smaller_plan_has_as_many_rows_a_step(
    plan: BatchPlan, smallest: int, expected: BatchPlan | None
) -> None:
    assert plan.smaller(smallest) == expected
