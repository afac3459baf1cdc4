"""Resuming: from which checkpoint, with which settings, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer, ProgressEvent, read_progress
from forgelm.errors import TrainingError

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")

MANIFEST = "checkpoint_manifest.json"
KEYS = {"max_steps": 6, "eval_steps": 2, "save_steps": 2, "save_total_limit": 3}


@pytest.fixture(scope="module")
def stopped_run(make_config: ConfigMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a run that was stopped after step 5 of 6; never write into it."""
    run_dir = tmp_path_factory.mktemp("stopped") / "run"
    trainer = ForgeTrainer(make_config(run_dir, training=KEYS))

    def stop_at_five(event: ProgressEvent) -> None:
        if event.kind == "log" and event.step == 4:
            trainer.stop("seen enough")

    trainer.subscribe(stop_at_five)
    assert trainer.train().stopped
    return run_dir


@pytest.fixture
def run_dir(stopped_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stopped_run, tmp_path / "run")


def _resume(make_config: ConfigMaker, run_dir: Path, **blocks: Any) -> ForgeTrainer:
    training = KEYS | blocks.pop("training", {})
    return ForgeTrainer(make_config(run_dir, training=training, **blocks))


def test_best_weights_that_were_altered_since_are_not_taken(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    trainer = ForgeTrainer(make_config(run_dir, training=KEYS))

    def alter(event: ProgressEvent) -> None:
        if event.kind == "save" and event.step == 6:  # the best one, and the last
            weights = run_dir / "checkpoint-6" / "adapter_model.safetensors"
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)

    trainer.subscribe(alter)
    with pytest.raises(TrainingError, match=r"checkpoint-6 is not what was saved \(adapter_model"):
        trainer.train()
    assert not (run_dir / "final_model").exists()


def _last_entry(run_dir: Path, event: str) -> dict[str, Any]:
    lines = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [entry for entry in entries if entry["event"] == event][-1]


def test_a_manifest_names_every_file_and_what_it_was_trained_with(stopped_run: Path) -> None:
    folder = stopped_run / "checkpoint-4"
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = {path.name for path in folder.iterdir()} - {MANIFEST}
    assert set(manifest["files"]) == files
    assert {"adapter_model.safetensors", "optimizer.pt", "rng_state.pth"} <= files
    assert all(len(entry["sha256"]) == 64 for entry in manifest["files"].values())
    run = json.loads((stopped_run / "run.json").read_text(encoding="utf-8"))
    assert (manifest["step"], manifest["run_id"]) == (4, run["run_id"])
    assert manifest["config_hash"] == run["config_hash"]
    assert manifest["settings"]["training.learning_rate"] == 5e-3


def test_resuming_goes_on_from_the_newest_checkpoint_under_the_runs_own_name(
    make_config: ConfigMaker, run_dir: Path, stopped_run: Path
) -> None:
    before = read_progress(run_dir)
    trainer = _resume(make_config, run_dir)
    result = trainer.train(resume=True)
    assert result.success, result.error
    assert result.run_id == before[0].run_id
    events = read_progress(run_dir)
    assert [e.step for e in events if e.kind == "log"] == [1, 2, 3, 4, 5, 6]
    begins = [(e.step, e.message) for e in events if e.kind == "train_begin"]
    assert begins == [(0, None), (5, "resumed from checkpoint-5")]
    # the untrained model was measured by the first part
    assert result.metrics["baseline_eval_loss"] == before[1].metrics["eval_loss"]
    assert _last_entry(run_dir, "training.resumed")["checkpoint"] == str(run_dir / "checkpoint-5")
    assert (stopped_run / "checkpoint-6").exists() is False


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda c: _flip(c / "adapter_model.safetensors"), "adapter_model.safetensors was altered"),
        (lambda c: _flip(c / "optimizer.pt"), "optimizer.pt was altered"),
        (lambda c: (c / "scheduler.pt").unlink(), "scheduler.pt is missing"),
        (lambda c: (c / "extra.bin").write_bytes(b"x"), "extra.bin was added"),
        (lambda c: (c / "rng_state.pth").write_bytes(b""), "rng_state.pth has 0 bytes"),
        (lambda c: (c / MANIFEST).write_text("{"), "its manifest cannot be read"),
        (lambda c: (c / MANIFEST).write_text("[" * 99_999), "its manifest cannot be read"),
        (lambda c: (c / MANIFEST).unlink(), "it was not saved whole"),
        (lambda c: shutil.copy(c.parent / "checkpoint-4" / MANIFEST, c), "that of step 4"),
    ],
    ids=["weights", "optimizer", "missing", "added", "empty", "torn", "deep", "none", "other"],
)
def test_a_damaged_checkpoint_is_said_to_be_damaged(
    damage: Callable[[Path], object], reason: str, run_dir: Path, make_config: ConfigMaker
) -> None:
    newest = run_dir / "checkpoint-5"
    damage(newest)
    trainer = _resume(make_config, run_dir)
    with pytest.raises(TrainingError, match=f"checkpoint-5 cannot be resumed from.*{reason}"):
        trainer.train(resume=newest)


def test_a_damaged_checkpoint_is_skipped_kept_and_told_everywhere(
    make_config: ConfigMaker, run_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _flip(run_dir / "checkpoint-5" / "adapter_model.safetensors")
    trainer = _resume(make_config, run_dir)
    events: list[ProgressEvent] = []
    trainer.subscribe(events.append)
    assert trainer.train(resume=True).success
    assert events[0].step == 4
    assert events[0].message is not None
    assert "skipped checkpoint-5: adapter_model.safetensors was altered" in events[0].message
    entry = _last_entry(run_dir, "training.resumed")
    assert entry["skipped"] == [
        {
            "checkpoint": "checkpoint-5",
            "reason": "adapter_model.safetensors was altered after it was saved",
        }
    ]
    assert "checkpoint-5 is skipped" in caplog.text
    kept = run_dir / "earlier" / f"{trainer.run_id}-skipped" / "checkpoint-5"
    assert (kept / MANIFEST).is_file()


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_again_in_silence(
    make_config: ConfigMaker, run_dir: Path
) -> None:
    for folder in run_dir.glob("checkpoint-*"):
        _flip(folder / "optimizer.pt")
    with pytest.raises(TrainingError, match=r"no checkpoint in .* can be resumed from"):
        _resume(make_config, run_dir).train(resume=True)
    assert len(list(run_dir.glob("checkpoint-*"))) == 3


def test_a_checkpoint_of_other_settings_is_refused_and_every_difference_named(
    make_config: ConfigMaker, run_dir: Path
) -> None:
    trainer = _resume(
        make_config, run_dir, lora={"r": 4}, training={"learning_rate": 1e-3, "max_steps": 8}
    )
    with pytest.raises(ConfigError) as caught:
        trainer.train(resume=True)
    assert [path for path, _ in caught.value.issues] == [
        "lora.r",
        "training.learning_rate",
        "training.max_steps",
    ]
    assert "is 0.001, and checkpoint-5 was trained with 0.005" in str(caught.value)
    # the run keeps the configuration it can be resumed with
    run = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    assert run["config"]["training"]["learning_rate"] == 5e-3


def test_other_rows_are_other_settings(make_config: ConfigMaker, run_dir: Path) -> None:
    rows = [{"prompt": f"How {n}?", "completion": "So."} for n in range(60)]
    trainer = ForgeTrainer(make_config(run_dir, training=KEYS), dataset=rows)
    with pytest.raises(ConfigError, match="digest of the rows"):
        trainer.train(resume=True)


def test_settings_that_change_no_weight_may_differ(make_config: ConfigMaker, run_dir: Path) -> None:
    gates = {"max_acceptable_loss": 50.0}
    keys = {"save_total_limit": 1, "final_model_dir": "adapter", "run_name": "again"}
    result = _resume(make_config, run_dir, evaluation=gates, training=keys).train(resume=True)
    assert result.success, result.error
    assert result.final_model_path == str(run_dir / "adapter")
    # one is to be kept, and the newest is the best as well
    assert [path.name for path in run_dir.glob("checkpoint-*")] == ["checkpoint-6"]


def test_a_checkpoint_of_another_folder_begins_a_new_run(
    make_config: ConfigMaker, run_dir: Path, tmp_path: Path
) -> None:
    trainer = _resume(make_config, tmp_path / "second")
    result = trainer.train(resume=run_dir / "checkpoint-4")
    assert result.success, result.error
    events = read_progress(tmp_path / "second")
    assert (events[0].step, events[0].message) == (4, "resumed from checkpoint-4")
    assert {event.run_id for event in events} == {trainer.run_id}


def test_resuming_where_nothing_ran_yet_begins_and_says_so(
    make_config: ConfigMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = ForgeTrainer(make_config(tmp_path / "new", training={"max_steps": 1}))
    assert trainer.train(resume=True).success
    assert "training begins at the first step" in caplog.text
    with pytest.raises(TrainingError, match="has finished; there is nothing to resume"):
        trainer.train(resume=True)
