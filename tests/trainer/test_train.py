"""A real run, from config to adapter, and what it leaves behind."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ForgeTrainer, get_model_and_tokenizer, read_progress, verify_audit_log
from forgelm.errors import TrainingError

if TYPE_CHECKING:
    from conftest import ConfigMaker, TrainedRun

pytest.importorskip("trl")


def test_the_loss_falls_and_the_result_says_so(trained: TrainedRun) -> None:
    result = trained.result
    assert result.success
    assert result.error is None
    assert result.metrics["eval_loss"] < 0.7 * result.metrics["baseline_eval_loss"]
    assert result.output_dir == str(trained.run_dir)
    assert result.config_hash == trained.config.config_hash()
    assert [(verdict.gate, verdict.status) for verdict in result.verdicts] == [
        ("finite", "passed"),
        ("improvement", "passed"),
        ("reload", "passed"),
    ]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_final_model_answers_as_it_was_taught(trained: TrainedRun, tiny_model: Path) -> None:
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    final = trained.result.final_model_path
    assert final == str(trained.run_dir / "final_model")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    model = peft.PeftModel.from_pretrained(base, final)
    tokenizer = transformers.AutoTokenizer.from_pretrained(final)
    assert tokenizer.chat_template
    taught, other = (
        tokenizer("Open the refund page, press send.", return_tensors="pt"),
        tokenizer("Never has any sky been quite so green.", return_tensors="pt"),
    )
    losses = [float(model(**ids, labels=ids["input_ids"]).loss) for ids in (taught, other)]
    assert losses[0] < losses[1]


def test_the_run_directory_holds_what_the_result_names(trained: TrainedRun) -> None:
    names = {path.name for path in trained.run_dir.iterdir()}
    assert {"audit_log.jsonl", "metrics.jsonl", "final_model", "checkpoint-24"} <= names
    assert not [name for name in names if name.startswith(".") or name.endswith(".tmp")]
    assert trained.result.last_checkpoint == str(trained.run_dir / "checkpoint-24")


def test_the_record_verifies_and_tells_the_run_in_order(trained: TrainedRun) -> None:
    path = trained.run_dir / "audit_log.jsonl"
    assert verify_audit_log(str(path)).valid
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [entry["event"] for entry in entries] == [
        "pipeline.initialized",
        "training.started",
        "evaluation.loss_gate_completed",
        "evaluation.gate_completed",
        "compliance.governance_exported",
        "model.integrity_verified",
        "compliance.artifacts_exported",
        "pipeline.completed",
    ]
    assert {entry["run_id"] for entry in entries} == {trained.result.run_id}
    assert entries[0]["trainer_type"] == "sft"
    assert entries[1]["split_rows"] == {"train": 54, "validation": 6}
    assert entries[2]["passed"] is True
    assert entries[2]["baseline_loss"] == trained.result.metrics["baseline_eval_loss"]
    assert (entries[3]["gate"], entries[3]["passed"]) == ("reload", True)
    assert entries[-1]["success"] is True
    assert entries[-1]["metrics_summary"]["eval_loss"] == trained.result.metrics["eval_loss"]


def test_listeners_and_the_metrics_file_tell_the_same_story(trained: TrainedRun) -> None:
    assert read_progress(trained.run_dir) == trained.events
    assert [event.seq for event in trained.events] == list(range(len(trained.events)))
    kinds = [event.kind for event in trained.events]
    assert kinds[:2] == ["train_begin", "evaluate"]
    assert kinds[-1] == "train_end"
    assert (kinds.count("evaluate"), kinds.count("save")) == (3, 2)
    logs = [event for event in trained.events if event.kind == "log"]
    assert [event.step for event in logs] == list(range(1, 25))
    assert all(event.max_steps == 24 and math.isfinite(event.metrics["loss"]) for event in logs)
    assert all(event.metrics["tokens_per_second"] > 0 for event in logs)


def test_resource_usage_invents_no_price_on_a_cpu(trained: TrainedRun) -> None:
    usage = trained.result.resource_usage
    assert usage is not None
    if usage["device"] == "cpu":
        assert (usage["gpu_model"], usage["gpu_count"], usage["gpu_hours"]) == (None, 0, 0.0)
        assert usage["estimated_cost_usd"] is None
        assert usage["cost_source"] is None
    assert usage["training_duration_seconds"] > 0
    assert trained.result.metrics["resource/gpu_hours"] == usage["gpu_hours"]


def test_a_second_run_in_the_same_folder_keeps_the_first_ones_files(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    trainer = ForgeTrainer(make_config(tmp_path / "run", training={"max_steps": 1}))
    first = trainer.train()
    adapter = (tmp_path / "run/final_model/adapter_model.safetensors").read_bytes()
    second = trainer.train()
    assert first.run_id != second.run_id == trainer.run_id
    assert second.run_id is not None
    earlier = tmp_path / "run" / "earlier"
    assert {event.run_id for event in read_progress(earlier / str(first.run_id))} == {first.run_id}
    assert (earlier / str(first.run_id) / "checkpoint-1").is_dir()
    kept = earlier / f"before-{second.run_id}" / "final_model" / "adapter_model.safetensors"
    assert kept.read_bytes() == adapter
    assert {event.run_id for event in read_progress(tmp_path / "run")} == {second.run_id}
    assert verify_audit_log(str(tmp_path / "run/audit_log.jsonl")).valid


def test_a_listener_that_raises_is_dropped_and_training_goes_on(
    make_config: ConfigMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []
    calls: list[str] = []

    def broken(event: Any) -> None:
        calls.append(event.kind)
        raise ValueError("the page is gone")

    trainer = ForgeTrainer(make_config(tmp_path / "run", training={"max_steps": 1}))
    trainer.subscribe(broken)
    trainer.subscribe(lambda event: heard.append(event.kind))
    assert trainer.train().success
    assert calls == ["train_begin"]
    assert heard[-1] == "train_end"
    assert caplog.text.count("hears no more of this run") == 1


def test_a_second_training_in_the_process_is_refused_at_once(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    refusals: list[str] = []
    second = ForgeTrainer(make_config(tmp_path / "second"))

    def start_another(event: Any) -> None:
        if event.kind == "train_begin":
            with pytest.raises(TrainingError, match="another training runs") as caught:
                second.train()
            refusals.append(str(caught.value))

    trainer = ForgeTrainer(make_config(tmp_path / "first", training={"max_steps": 1}))
    trainer.subscribe(start_another)
    assert trainer.train().success
    assert len(refusals) == 1
    assert not (tmp_path / "second").exists()


def test_a_stop_asked_for_by_a_listener_ends_the_run_after_that_step(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    trainer = ForgeTrainer(make_config(tmp_path / "run"))

    def stop_at_two(event: Any) -> None:
        if event.kind == "log" and event.step == 1:
            trainer.stop("seen enough")

    trainer.subscribe(stop_at_two)
    result = trainer.train()
    assert (result.success, result.stopped) == (False, True)
    assert result.error == "stopped after step 2: seen enough"
    assert result.last_checkpoint == str(tmp_path / "run" / "checkpoint-2")
    assert (tmp_path / "run/checkpoint-2/adapter_model.safetensors").is_file()
    assert result.final_model_path is None
    assert not (tmp_path / "run" / "final_model").exists()
    kinds = [event.kind for event in read_progress(tmp_path / "run")]
    assert "stopping" in kinds
    assert kinds[-1] == "train_end"
    log = (tmp_path / "run/audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in log][2:] == [
        "training.stopped",
        "pipeline.completed",
    ]


def test_early_stopping_keeps_the_best_weights(make_config: ConfigMaker, tmp_path: Path) -> None:
    keys = {"max_steps": 40, "eval_steps": 2, "learning_rate": 0.5, "early_stopping_patience": 1}
    result = ForgeTrainer(make_config(tmp_path / "run", training=keys)).train()
    losses = {
        event.step: event.metrics["eval_loss"]
        for event in read_progress(tmp_path / "run")
        if event.kind == "evaluate" and event.step
    }
    assert max(losses) < 40
    assert result.metrics["eval_loss"] == min(losses.values())


def test_rows_and_models_can_be_passed_in(make_config: ConfigMaker, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run", training={"max_steps": 1})
    model, tokenizer = get_model_and_tokenizer(config)
    rows = [{"prompt": f"How {n}?", "response": "So."} for n in range(4)]
    result = ForgeTrainer(config, model=model, tokenizer=tokenizer, dataset=rows).train()
    assert result.success
    assert (tmp_path / "run/final_model/adapter_config.json").is_file()


def test_models_loaded_in_several_threads_at_once_come_out_whole(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    config = make_config(tmp_path / "run")
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: get_model_and_tokenizer(config)[0], range(4)))
    frozen = [
        [weight for weight in model.parameters() if not weight.requires_grad] for model in models
    ]
    assert all(weight.device.type != "meta" for weights in frozen for weight in weights)
    assert all(
        torch.equal(a, b) for other in frozen[1:] for a, b in zip(frozen[0], other, strict=False)
    )


def test_a_run_prints_nothing_of_its_own(
    make_config: ConfigMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ForgeTrainer(make_config(tmp_path / "run")).train()
    assert capsys.readouterr().out == ""


def test_merged_weights_need_no_adapter(make_config: ConfigMaker, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    keys = {"max_steps": 1, "merge_adapters": True, "final_model_dir": "merged"}
    lora = {"method": "dora", "target_modules": "all-linear", "bias": "all"}
    config = make_config(tmp_path / "run", training=keys, lora=lora)
    result = ForgeTrainer(config).train()
    assert result.final_model_path == str(tmp_path / "run" / "merged")
    assert not (tmp_path / "run/merged/adapter_config.json").exists()
    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "merged")


def test_packing_neftune_and_rslora_train(make_config: ConfigMaker, tmp_path: Path) -> None:
    keys = {"max_steps": 1, "packing": True, "neftune_noise_alpha": 5.0}
    config = make_config(tmp_path / "run", training=keys, lora={"method": "rslora"})
    assert ForgeTrainer(config).train().success
    adapter = json.loads((tmp_path / "run/final_model/adapter_config.json").read_text())
    assert adapter["use_rslora"] is True


def test_building_a_trainer_loads_no_torch(make_config: ConfigMaker, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(make_config(tmp_path / "run").model_dump(mode="json")))
    code = (
        "import json, sys; from forgelm import ForgeConfig, ForgeTrainer;"
        f"ForgeTrainer(ForgeConfig(**json.load(open({str(config)!r}))));"
        "print([m for m in ('torch', 'transformers', 'datasets', 'trl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
