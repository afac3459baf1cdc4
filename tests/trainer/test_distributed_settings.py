"""The block `distributed`: what becomes of it without GPUs, and on the way to transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
torch = pytest.importorskip("torch")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


def _issues(make_config: ConfigMaker, run_dir: Path, **blocks: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(make_config(run_dir, **blocks)).train()
    assert not run_dir.exists()
    return dict(caught.value.issues)


@without_gpu
@pytest.mark.parametrize("strategy", ["fsdp", "deepspeed"])
def test_sharding_without_a_gpu_is_refused_because_it_would_be_plain_ddp(
    strategy: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    distributed = {"strategy": strategy, "processes": 2}
    issues = _issues(make_config, tmp_path / "run", distributed=distributed)
    assert "distributed.strategy" in issues


@without_gpu
def test_the_number_of_processes_must_be_said_where_no_gpu_can_be_counted(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    issues = _issues(make_config, tmp_path / "run", distributed={"strategy": "ddp"})
    assert issues == {"distributed.processes": "there is no GPU to count; say how many processes"}


def test_processes_need_a_strategy(make_config: ConfigMaker, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write `strategy: ddp`"):
        make_config(tmp_path / "run", distributed={"processes": 2})


def test_everything_that_cannot_be_honoured_is_named_at_once(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    distributed = {
        "strategy": "fsdp",
        "processes": 999,
        "fsdp_strategy": "hybrid_shard",
        "fsdp_backward_prefetch": "backward_post",
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    }
    issues = _issues(
        make_config,
        tmp_path / "run",
        distributed=distributed,
        training={"oom_recovery": True},
        lora={"method": "pissa"},
    )
    assert {
        "distributed.fsdp_strategy",
        "distributed.fsdp_backward_prefetch",
        "distributed.fsdp_state_dict_type",
        "lora.method",
        "training.oom_recovery",
    } <= set(issues)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"zero_optimization": {"stage": 3}}', "stage3_gather_16bit_weights_on_model_save: true"),
        ("[]", "cannot be read as JSON"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_deepspeed_file_that_gathers_no_final_model_is_refused(
    text: str, problem: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    path = tmp_path / "zero3.json"
    path.write_text(text, encoding="utf-8")
    distributed = {"strategy": "deepspeed", "processes": 1, "deepspeed_config": str(path)}
    issues = _issues(make_config, tmp_path / "run", distributed=distributed)
    assert problem in issues["distributed.deepspeed_config"]


def test_a_deepspeed_file_that_is_not_there_is_named(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    distributed = {"strategy": "deepspeed", "processes": 1, "deepspeed_config": "no/zero3.json"}
    issues = _issues(make_config, tmp_path / "run", distributed=distributed)
    assert "no/zero3.json" in issues["distributed.deepspeed_config"]
