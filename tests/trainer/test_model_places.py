"""Where a trained model goes: kept, set aside for a person, or rejected. Nothing is deleted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ForgeConfig, ForgeTrainer, TrainResult, Verdict, verify_audit_log
from forgelm.cli._exit_codes import exit_code_of_training

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")


def events_of(run_dir: Path) -> list[dict[str, Any]]:
    log = run_dir / "audit_log.jsonl"
    assert verify_audit_log(str(log)).valid
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def answers_something(
    model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path
) -> tuple[Verdict, Mapping[str, Any]]:
    """Let the model write, as a gate of one's own would."""
    ids = tokenizer("Open the refund page", return_tensors="pt")
    written = model.generate(**ids, min_new_tokens=4, max_new_tokens=4, do_sample=False)
    length = written.shape[1] - ids["input_ids"].shape[1]
    assert not model.training
    assert run_dir == Path(config.training.output_dir)
    verdict = Verdict("answers", "passed", measured={"length": float(length)})
    return verdict, {"metrics": {"answers/length": length}, "judge_score": 7.5}


def rejects(*_: Any) -> tuple[Verdict, Mapping[str, Any]]:
    return Verdict("taste", "failed", "it is rude"), {}


def raises(*_: Any) -> tuple[Verdict, Mapping[str, Any]]:
    raise OSError("https://user:hunter2@judge.example is down")


@pytest.fixture(scope="module")
def kept(make_config: ConfigMaker, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A first good run, whose model stands at `final_model/`; later tests train beside it."""
    run_dir = tmp_path_factory.mktemp("places") / "run"
    config = make_config(run_dir, training={"max_steps": 2, "eval_steps": 1})
    return ForgeTrainer(config, gates=[answers_something]).train()


def test_a_gate_of_ones_own_is_asked_and_recorded(kept: TrainResult) -> None:
    assert kept.success
    assert Verdict("answers", "passed", measured={"length": 4.0}) in kept.verdicts
    assert (kept.metrics["answers/length"], kept.judge_score) == (4.0, 7.5)
    (entry,) = [
        entry
        for entry in events_of(Path(str(kept.output_dir)))
        if entry["event"] == "evaluation.gate_completed" and entry["gate"] == "answers"
    ]
    assert (entry["passed"], entry["measured"]) == (True, {"length": 4.0})


def test_a_rejected_model_is_quarantined_and_the_earlier_one_stands(
    kept: TrainResult, make_config: ConfigMaker
) -> None:
    run_dir = Path(str(kept.output_dir))
    before = files_of(run_dir / "final_model")
    evaluation = {"auto_revert": True, "max_acceptable_loss": 0.001}
    config = make_config(run_dir, training={"max_steps": 1}, evaluation=evaluation)
    result = ForgeTrainer(config, gates=[answers_something]).train()

    assert (result.success, result.reverted, result.final_model_path) == (False, True, None)
    assert result.revert_reason is not None
    assert "is above evaluation.max_acceptable_loss (0.0010)" in result.revert_reason
    assert files_of(run_dir / "final_model") == before
    rejected = run_dir / "rejected" / str(result.run_id)
    assert result.rejected_path == str(rejected / "final_model")
    assert (rejected / "final_model" / "adapter_model.safetensors").is_file()
    verdicts = json.loads((rejected / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]
    assert [(verdict["gate"], verdict["status"]) for verdict in verdicts] == [
        ("finite", "passed"),
        ("loss", "failed"),
        ("improvement", "passed"),
        ("answers_something", "skipped"),
    ]
    reverted, completed = events_of(run_dir)[-2:]
    assert reverted["event"] == "model.reverted"
    assert reverted["reason"] == result.error
    assert str(run_dir / "final_model") in reverted["detail"]
    assert completed["success"] is False
    assert exit_code_of_training(result) == 3


def test_a_gate_that_rejects_stops_the_model_without_auto_revert_too(
    kept: TrainResult, make_config: ConfigMaker
) -> None:
    run_dir = Path(str(kept.output_dir))
    before = files_of(run_dir / "final_model")
    config = make_config(run_dir, training={"max_steps": 1})
    result = ForgeTrainer(config, gates=[raises, rejects]).train()
    assert (result.success, result.reverted, result.rejected_path) == (False, False, None)
    assert [(verdict.gate, verdict.status) for verdict in result.verdicts[-2:]] == [
        ("raises", "failed"),
        ("rejects", "skipped"),
    ]
    assert result.error is not None
    assert "could not be judged: OSError" in result.error
    assert "hunter2" not in (run_dir / "audit_log.jsonl").read_text(encoding="utf-8")
    assert files_of(run_dir / "final_model") == before


def test_a_model_waits_for_a_person_beside_the_one_in_use(
    kept: TrainResult, make_config: ConfigMaker
) -> None:
    transformers = pytest.importorskip("transformers")
    run_dir = Path(str(kept.output_dir))
    before = files_of(run_dir / "final_model")
    evaluation = {"require_human_approval": True, "auto_revert": True}
    config = make_config(run_dir, training={"max_steps": 1}, evaluation=evaluation)
    result = ForgeTrainer(config).train()

    staged = run_dir / f"final_model.staging.{result.run_id}"
    assert (result.success, result.awaiting_approval) == (True, True)
    assert (result.staging_path, result.final_model_path) == (str(staged), None)
    statuses = {verdict.gate: verdict.status for verdict in result.verdicts}
    assert statuses["human_approval"] == "awaiting_approval"
    assert "failed" not in statuses.values()
    assert files_of(run_dir / "final_model") == before
    assert (staged / "adapter_model.safetensors").is_file()
    assert transformers.AutoTokenizer.from_pretrained(staged).chat_template
    (entry,) = [
        entry for entry in events_of(run_dir) if entry["event"] == "human_approval.required"
    ]
    assert (entry["gate"], entry["staging_path"]) == ("human_approval", str(staged))
    assert entry["metrics"]["eval_loss"] == result.metrics["eval_loss"]
    assert exit_code_of_training(result) == 4


def test_a_run_that_diverged_and_stayed_finite_is_caught(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"max_steps": 6, "eval_steps": 6, "learning_rate": 1e4}
    result = ForgeTrainer(make_config(tmp_path / "run", training=keys)).train()
    assert not result.success
    assert result.metrics["eval_loss"] == pytest.approx(math.log(512), abs=0.01)
    assert "6.2383" in str(result.error)  # ln(512): every token is as likely as any other
    assert not (tmp_path / "run" / "final_model").exists()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "could not be judged"),
        (("passed", {}), "this one returned str"),
        ((Verdict("own", "passed"), {"success": True}), "may not set success"),
        ((Verdict("own", "passed"), {"metrics": {"a": "high"}}), "could not be judged"),
    ],
)
def test_an_answer_in_another_shape_has_not_passed(answer: Any, reason: str) -> None:
    from forgelm.trainer.outcome import run_gates

    torch = pytest.importorskip("torch")
    result = TrainResult(success=False)
    (verdict,) = run_gates(
        [lambda *_: answer],
        result,
        model=torch.nn.Linear(1, 1),
        tokenizer=None,
        config=ForgeConfig.model_construct(),
        run_dir=Path(),
    )
    assert verdict.status == "failed"
    assert reason in str(verdict.reason)
    assert (result.success, result.metrics) == (False, {})
