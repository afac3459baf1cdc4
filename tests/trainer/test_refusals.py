"""What a trainer refuses, and how early it says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer, get_model_and_tokenizer
from forgelm.errors import DataError, TrainingError

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")


def test_everything_wrong_with_the_paths_is_said_at_once_and_nothing_is_written(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    config = make_config(
        tmp_path / "file" / "run",
        model={"name_or_path": "./no/such/model"},
        data={"dataset_name_or_path": "missing.jsonl", "extra_datasets": [str(tmp_path / "x.csv")]},
        training={"final_model_dir": "../elsewhere"},
    )
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(config).train()
    assert [path for path, _ in caught.value.issues] == [
        "training.final_model_dir",
        "training.output_dir",
        "model.name_or_path",
        "data.dataset_name_or_path",
        "data.extra_datasets[0]",
    ]
    assert "is a file, not a folder" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_keys_that_are_not_honoured_yet_are_all_named_and_none_is_ignored(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(
        tmp_path / "run",
        model={"backend": "unsloth"},
        training={"galore_enabled": True},
        monitoring={"enabled": True},
    )
    with pytest.raises(ConfigError, match="not supported by this release yet") as caught:
        ForgeTrainer(config).train()
    assert {path for path, _ in caught.value.issues} == {
        "model.backend",
        "training.galore_enabled",
        "monitoring.enabled",
    }


@pytest.mark.parametrize("problem", ["empty", "adapter", "file"])
def test_a_model_path_that_holds_no_model_is_a_config_error(
    problem: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    if problem == "file":
        path.write_text("", encoding="utf-8")
    else:
        path.mkdir()
    if problem == "adapter":
        (path / "adapter_config.json").write_text("{}", encoding="utf-8")
    expected = {"empty": "has no config.json", "adapter": "is an adapter", "file": "is a file"}
    with pytest.raises(ConfigError, match=expected[problem]):
        get_model_and_tokenizer(make_config(tmp_path, model={"name_or_path": str(path)}))


def test_a_hub_model_that_is_not_cached_offline_is_a_config_error(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", model={"name_or_path": "nobody/no", "offline": True})
    with pytest.raises(ConfigError, match=r"'nobody/no' cannot be loaded from the local cache"):
        ForgeTrainer(config).train()


def test_weights_that_cannot_be_read_are_a_training_error(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    weights = broken / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(b"\xff" * 64)
    config = make_config(tmp_path / "run", model={"name_or_path": str(broken)})
    with pytest.raises(ConfigError, match="is no safetensors file; get the model anew"):
        ForgeTrainer(config).train()
    assert not (tmp_path / "run").exists()
    weights.write_bytes(whole.replace(b'"F32"', b'"F99"'))  # shows only when it is loaded
    with pytest.raises(TrainingError, match="cannot be loaded"):
        ForgeTrainer(config).train()
    log = (tmp_path / "run/audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in log] == [
        "pipeline.initialized",
        "pipeline.failed",
    ]


def test_a_layer_that_the_model_lacks_is_named_beside_those_it_has(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", lora={"target_modules": ["q_proj", "c_attn"]})
    with pytest.raises(ConfigError, match=r"no layer named c_attn; .* k_proj, o_proj, q_proj"):
        ForgeTrainer(config).train()


def test_rows_longer_than_the_models_positions_are_refused(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", model={"max_length": 2_000})
    rows = [{"text": "many words " * 400}] * 3
    with pytest.raises(ConfigError, match="set max_length to 512 or less"):
        ForgeTrainer(config, dataset=rows).train()


def test_four_bits_without_a_gpu_are_refused_when_asked_for_and_dropped_when_not(
    make_config: ConfigMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture, tiny_model: Path
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises(ConfigError, match=r"load_in_4bit: .* Set it to false"):
        ForgeTrainer(make_config(tmp_path / "a", model={"load_in_4bit": True})).train()
    config = make_config(tmp_path / "b", training={"max_steps": 1})
    by_default = config.model_copy(
        update={"model": type(config.model)(name_or_path=str(tiny_model), max_length=128)}
    )
    result = ForgeTrainer(by_default).train()
    assert result.success
    assert result.resource_usage is not None
    assert result.resource_usage["load_in_4bit"] is False
    assert "needs an NVIDIA GPU" in result.resource_usage["load_in_4bit_downgrade"]
    assert "4-bit loading needs an NVIDIA GPU" in caplog.text


def test_a_tracking_tool_that_is_missing_is_refused_when_asked_for(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", training={"report_to": "mlflow"})
    with pytest.raises(ConfigError, match=r"training.report_to: the package mlflow"):
        ForgeTrainer(config).train()


def test_bad_rows_fail_the_run_and_the_record_keeps_their_text_out(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    private = "alice" + "@example.com"
    data.write_text(json.dumps({"prompt": private, "completion": ""}) + "\n", encoding="utf-8")
    config = make_config(tmp_path / "run", data={"dataset_name_or_path": str(data)})
    with pytest.raises(DataError, match=r"rows.jsonl, row 1: completion is empty"):
        ForgeTrainer(config).train()
    log = (tmp_path / "run/audit_log.jsonl").read_text(encoding="utf-8")
    assert json.loads(log.splitlines()[-1])["event"] == "pipeline.failed"
    assert private not in log
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_one_row_alone_is_refused_because_nothing_could_judge_the_model(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{"text": "all there is to learn"}]
    config = make_config(tmp_path / "run", training={"max_steps": 2})
    with pytest.raises(DataError, match=r"has one row to train on .* add rows"):
        ForgeTrainer(config, dataset=rows).train()
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_one_row_with_a_validation_split_trains(make_config: ConfigMaker, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "all there is to learn"}]
    config = make_config(tmp_path / "run", training={"max_steps": 2})
    result = ForgeTrainer(config, dataset={"train": rows, "validation": rows}).train()
    assert result.success
    assert "eval_loss" in result.metrics


def test_a_loss_that_is_no_number_fails_the_run(make_config: ConfigMaker, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    config = make_config(tmp_path / "run")
    model, tokenizer = get_model_and_tokenizer(config)
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "lora_A" in n).fill_(float("nan"))
    result = ForgeTrainer(config, model=model, tokenizer=tokenizer).train()
    assert not result.success
    assert result.error is not None
    assert result.error.startswith("training broke down: eval_loss is nan at step 0.")
    assert result.final_model_path is None
    assert '"NaN"' in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8")
    assert not list((tmp_path / "run").glob("checkpoint-*"))


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        ({"max_acceptable_loss": 0.01}, "above evaluation.max_acceptable_loss (0.0100)"),
        ({"baseline_loss": 0.02}, "above evaluation.baseline_loss (0.0200)"),
    ],
)
def test_a_loss_above_its_ceiling_fails_the_run_and_promotes_nothing(
    gates: dict[str, float], reason: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", evaluation=gates, training={"max_steps": 1})
    result = ForgeTrainer(config).train()
    assert not result.success
    assert result.error is not None
    assert reason in result.error
    assert not (tmp_path / "run" / "final_model").exists()
    log = (tmp_path / "run/audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("passed") for line in log][2] is False


def test_a_model_that_got_worse_than_untrained_is_not_promoted(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"learning_rate": 50.0, "max_steps": 6, "eval_steps": 6}
    result = ForgeTrainer(make_config(tmp_path / "run", training=keys)).train()
    assert not result.success
    assert not (tmp_path / "run" / "final_model").exists()
    assert result.error is not None
    assert "the untrained model's eval_loss" in result.error or "broke down" in result.error
