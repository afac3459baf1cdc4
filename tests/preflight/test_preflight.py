"""Every problem of a training at once, from files alone."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig
from forgelm.trainer import PreflightReport, preflight

ROWS = [{"prompt": f"Where is parcel {n}?", "response": "On its way."} for n in range(40)]
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def write_model(folder: Path, *, template: str | None = TEMPLATE, positions: int = 512) -> Path:
    """Write what a model folder says about its model: settings and headers, no weights."""
    folder.mkdir(parents=True)
    settings = {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 32,
        "max_position_embeddings": positions,
    }
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    shapes = {
        "model.embed_tokens.weight": [32, 8],
        "model.layers.0.self_attn.q_proj.weight": [8, 8],
        "model.layers.0.self_attn.v_proj.weight": [8, 8],
        "model.norm.weight": [8],
    }
    header = {name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}
    write_header(folder / "model.safetensors", json.dumps(header).encode())
    return folder


def write_header(path: Path, header: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def blocks(tmp_path: Path) -> dict[str, Any]:
    return {
        "model": {
            "name_or_path": str(write_model(tmp_path / "model")),
            "max_length": 128,
            "load_in_4bit": False,
        },
        "lora": {"r": 4},
        "data": {"dataset_name_or_path": str(write_rows(tmp_path / "rows.jsonl", ROWS))},
        "training": {"output_dir": str(tmp_path / "run"), "num_train_epochs": 1, "eval_steps": 1},
    }


def look(blocks: dict[str, Any], **options: Any) -> PreflightReport:
    return preflight(blocks, count_tokens=False, **options)


def found(report: PreflightReport, severity: str) -> dict[str, str]:
    return {one.path: one.message for one in report.findings if one.severity == severity}


def test_answers_of_one_kind_alone_cannot_be_learned_from_with_kto(
    blocks: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"prompt": "Where?", "completion": f"Here, {n}.", "label": True} for n in range(9)]
    blocks["data"]["dataset_name_or_path"] = str(write_rows(tmp_path / "kto.jsonl", rows))
    blocks["training"]["trainer_type"] = "kto"
    said = found(look(blocks), "error")["data.dataset_name_or_path"]
    assert said == (
        "kto learns from good and bad answers, and every label to train on is true; add rows of "
        "the other"
    )


def test_weights_that_are_missing_or_cut_off_are_found(blocks: dict[str, Any]) -> None:
    weights = Path(blocks["model"]["name_or_path"]) / "model.safetensors"
    tensor = {"dtype": "F32", "shape": [8, 8], "data_offsets": [0, 256]}
    write_header(weights, json.dumps({"model.norm.weight": tensor}).encode())
    assert found(look(blocks), "error")["model.name_or_path"] == (
        "the weights cannot be read: model.safetensors was cut off: 0 bytes of 256 or more are "
        "there; get the model anew"
    )
    weights.unlink()
    assert found(look(blocks), "error")["model.name_or_path"] == (
        "there are no weights; get the model anew"
    )


def test_a_sound_training_has_nothing_against_it(blocks: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("trl")
    before = sorted(tmp_path.rglob("*"))
    report = look(blocks)
    assert report.ok
    assert not found(report, "error")
    (data,) = report.data
    assert (data.rows, data.is_whole, data.format) == (40, True, "prompt_response")
    assert data.columns == ("prompt", "response")
    # 40 rows less 4 held out, 4 at once, 2 batches a step
    assert report.planned_steps == 5
    assert sorted(tmp_path.rglob("*")) == before
    json.dumps(report.to_dict(), allow_nan=False)


def test_problems_of_every_kind_are_found_at_once(blocks: dict[str, Any], tmp_path: Path) -> None:
    blocks["data"]["dataset_name_or_path"] = str(tmp_path / "missing.jsonl")
    blocks["model"]["name_or_path"] = str(tmp_path)
    blocks["training"]["output_dir"] = str(tmp_path / "rows.jsonl")
    blocks["lora"]["task_type"] = "SEQ_CLS"
    report = look(blocks)
    assert not report.ok
    assert {
        "data.dataset_name_or_path",
        "model.name_or_path",
        "training.output_dir",
        "lora.task_type",
    } <= found(report, "error").keys()
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_a_configuration_that_is_not_valid_is_a_report_of_its_problems(
    blocks: dict[str, Any], tmp_path: Path
) -> None:
    blocks["lora"]["r"] = 0
    blocks["training"]["learning_rat"] = 1e-3
    report = look(blocks)
    assert found(report, "error").keys() == {"lora.r", "training.learning_rat"}
    path = tmp_path / "config.yaml"
    path.write_text("model: {name_or_path: x/y}\n", encoding="utf-8")
    assert not preflight(path, count_tokens=False).ok
    (absent,) = preflight(tmp_path / "absent.yaml").findings
    assert absent.message == "there is no such file; check the path"


def test_the_sample_row_is_masked_and_cut(blocks: dict[str, Any], tmp_path: Path) -> None:
    token = "ghp_" + "A1b2" * 9
    row = {"prompt": f"I am ada@example.com, {token}", "response": "word " * 500}
    path = write_rows(tmp_path / "one.jsonl", [row, *ROWS])
    blocks["data"]["dataset_name_or_path"] = str(path)
    (data,) = look(blocks).data
    shown = json.dumps(data.sample)
    assert "[REDACTED]" in shown
    assert "[REDACTED-SECRET]" in shown
    assert "ada@" not in shown
    assert token not in shown
    assert len(shown) < 1_000


def test_rows_are_named_with_what_is_wrong_with_them(
    blocks: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"prompt": "x"}\nnot json\n')
    message = found(look(blocks), "error")["data.dataset_name_or_path"]
    assert "2 rows cannot be used" in message
    assert "row 41" in message
    assert "row 42" in message


def test_columns_of_another_algorithm_are_an_error_with_a_row_that_would_do(
    blocks: dict[str, Any],
) -> None:
    blocks["training"]["trainer_type"] = "dpo"
    message = found(look(blocks), "error")["data.dataset_name_or_path"]
    assert "holds prompt_response rows, which dpo cannot learn from" in message
    assert '"chosen"' in message


def test_only_so_many_rows_are_read(blocks: dict[str, Any]) -> None:
    report = look(blocks, rows=7)
    assert (report.data[0].rows, report.data[0].is_whole) == (7, False)
    assert report.planned_steps is None
    assert look(blocks, rows=0).data == ()


@pytest.mark.parametrize(
    ("template", "severity"),
    [(None, "error"), (TEMPLATE, "note"), ("{% generation %}{% endgeneration %}", None)],
)
def test_conversations_need_a_chat_template_that_marks_the_answers_at_best(
    blocks: dict[str, Any], tmp_path: Path, template: str | None, severity: str | None
) -> None:
    blocks["model"]["name_or_path"] = str(write_model(tmp_path / "other", template=template))
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    path = write_rows(tmp_path / "chat.jsonl", [{"messages": turns}] * 4)
    blocks["data"]["dataset_name_or_path"] = str(path)
    report = look(blocks)
    about = {one.severity for one in report.findings if one.path == "model.name_or_path"}
    assert about == ({severity} if severity else set())


def test_a_schedule_that_never_evaluates_is_said(blocks: dict[str, Any]) -> None:
    blocks["training"] |= {"eval_steps": 50, "gradient_accumulation_steps": 20}
    warnings = found(look(blocks), "warning")
    assert "the run has 1 steps" in warnings["training.eval_steps"]
    assert (
        "a step takes 80 rows and there are 40" in warnings["training.gradient_accumulation_steps"]
    )


def test_four_bits_are_an_error_only_when_asked_for(blocks: dict[str, Any]) -> None:
    if look(blocks, rows=0).machine.device == "cuda":  # type: ignore[union-attr]
        pytest.skip("a GPU is here")
    del blocks["model"]["load_in_4bit"]
    assert "model.load_in_4bit" in found(look(blocks, rows=0), "note")
    blocks["model"]["load_in_4bit"] = True
    assert "model.load_in_4bit" in found(look(blocks, rows=0), "error")


def test_a_model_on_the_hub_is_not_fetched_and_unknown(blocks: dict[str, Any]) -> None:
    blocks["model"]["name_or_path"] = "nobody/nothing"
    report = look(blocks)
    assert report.memory is not None
    assert report.memory.outlook == "unknown"
    assert "not on this machine" in found(report, "note")["model.name_or_path"]


@pytest.mark.parametrize(
    "header",
    [b"", b"[1]", b'{"a": {"shape": [-1]}}', b'{"a": {"shape": "x"}}', b"[" * 100_000, b"\xff"],
)
def test_weights_that_cannot_be_described_are_unknown_never_an_exception(
    blocks: dict[str, Any], header: bytes
) -> None:
    write_header(Path(blocks["model"]["name_or_path"]) / "model.safetensors", header)
    report = look(blocks)
    assert report.memory is not None
    assert report.memory.outlook == "unknown"
    assert report.memory.reason is not None


def test_a_header_that_claims_more_than_the_file_holds_is_not_read(blocks: dict[str, Any]) -> None:
    path = Path(blocks["model"]["name_or_path"]) / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    report = look(blocks)
    assert report.memory is not None
    assert report.memory.reason is not None
    assert "model.safetensors is no safetensors file" in report.memory.reason


def test_weights_that_memory_cannot_hold_are_refused_before_loading(
    blocks: dict[str, Any],
) -> None:
    from forgelm import ConfigError, ForgeTrainer

    header = {"model.embed_tokens.weight": {"dtype": "F32", "shape": [1 << 24, 1 << 24]}}
    path = Path(blocks["model"]["name_or_path"]) / "model.safetensors"
    write_header(path, json.dumps(header).encode())
    report = look(blocks)
    assert "its weights alone take" in found(report, "error")["model.name_or_path"]
    with pytest.raises(ConfigError, match="its weights alone take"):
        ForgeTrainer(ForgeConfig(**blocks)).train()
    assert not Path(blocks["training"]["output_dir"]).exists()


def test_without_counting_tokens_nothing_heavy_is_imported(blocks: dict[str, Any]) -> None:
    code = (
        "import json, sys; from forgelm.trainer import preflight;"
        "report = preflight(json.loads(sys.argv[1]), count_tokens=False);"
        "heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules);"
        "print(report.data[0].rows, sorted(heavy))"
    )
    call = [sys.executable, "-c", code, json.dumps(blocks)]
    ended = subprocess.run(call, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["40", "[]"]


def dry_run(
    blocks: dict[str, Any], folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    path = folder / "config.yaml"
    path.write_text(json.dumps(blocks), encoding="utf-8")  # JSON is YAML
    call = [sys.executable, "-m", "forgelm.cli", "train", str(path), "--dry-run", *options]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_the_command_line_says_the_same_and_trains_nothing(
    blocks: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("trl")
    blocks["model"]["name_or_path"] = "nobody/nothing"
    ended = dry_run(blocks, tmp_path, "--output-format", "json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["ok"], document["data"][0]["rows"]) == (True, 40)
    assert not (tmp_path / "run").exists()


def test_the_command_line_exits_with_1_for_errors(blocks: dict[str, Any], tmp_path: Path) -> None:
    blocks["lora"]["r"] = 0
    ended = dry_run(blocks, tmp_path)
    assert ended.returncode == 1
    assert "This training would fail:" in ended.stdout
    assert "error    lora.r:" in ended.stdout
