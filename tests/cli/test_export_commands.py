"""`forgelm export`, `forgelm merge` and `forgelm merge-adapter`, from the shell's side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from forgelm.cli import run

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write_adapter(base: Path) -> None:
    """Write an adapter of rank 1 for one layer by hand."""
    Path("adapter").mkdir()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": 1,
        "lora_alpha": 2,
        "target_modules": ["q_proj"],
        "layers_to_transform": [0],
    }
    Path("adapter/adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    tensors = {name.format("A"): torch.ones(1, 64), name.format("B"): torch.ones(64, 1) * 0.01}
    safetensors.save_file(tensors, "adapter/adapter_model.safetensors")


def test_an_adapter_becomes_a_model_and_the_model_a_file(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gguf")
    _write_adapter(tiny_model)
    assert run(["merge-adapter", "adapter", "merged"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("merged: merged by adapter from")
    assert "logits differ by" in out
    before = safetensors.load_file(tiny_model / "model.safetensors")
    after = safetensors.load_file("merged/model.safetensors")
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.allclose(after[name], before[name] + 0.02)

    arguments = ["export", "merged", "--dtype", "q8_0", "--no-probe", "--output-format", "json"]
    assert run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["path"], document["architecture"]) == ("merged-q8_0.gguf", "llama")
    assert Path("merged-q8_0.gguf.sha256").read_text().split()[0] == document["sha256"]
    assert run(arguments[:-2]) == 1
    assert "exists already; give another path or move it away" in capsys.readouterr().err


def test_a_merge_is_described_by_a_configuration(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_model, "other")
    models = [{"path": str(tiny_model)}, {"path": "other"}]
    document = {
        "model": {"name_or_path": str(tiny_model)},
        "lora": {},
        "training": {},
        "data": {"dataset_name_or_path": "rows.jsonl"},
        "merge": {"method": "linear", "models": models, "output_dir": "both"},
    }
    Path("config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert run(["merge", "config.yaml"]) == 0
    assert capsys.readouterr().out.startswith("both: merged by linear from\n")
    merged = safetensors.load_file("both/model.safetensors")
    before = safetensors.load_file(tiny_model / "model.safetensors")
    assert all(torch.allclose(merged[name], before[name]) for name in before)
    assert run(["merge", "config.yaml"]) == 1
    assert "merge.output_dir: 'both' exists already" in capsys.readouterr().err
