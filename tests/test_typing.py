"""What a consumer under `mypy --strict` sees."""

from __future__ import annotations

from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api")

GOOD = """
import forgelm
from forgelm import ForgeConfig, ForgeTrainer, TrainResult

config = ForgeConfig(
    model={"name_or_path": "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
    lora={"r": 8, "alpha": 16, "target_modules": ["q_proj", "v_proj"]},
    data={"dataset_name_or_path": "data/train.jsonl"},
    training={"trainer_type": "sft", "output_dir": "./checkpoints/quick"},
)
result: TrainResult = ForgeTrainer(config).train()
print(result.output_dir, result.revert_reason, forgelm.__version__)
report = forgelm.audit_dataset("data.jsonl")
print(report.duplicate_count, len(report.pii_findings))
counts: dict[str, int] = forgelm.detect_secrets("text")
for finding in forgelm.detect_pii("text"):
    print(finding.kind, finding.span)
"""


def _check(tmp_path: Path, source: str) -> tuple[str, int]:
    module = tmp_path / "consumer.py"
    module.write_text(source, encoding="utf-8")
    cache = tmp_path.parent / "mypy-cache"
    out, err, status = api.run(
        ["--strict", "--no-error-summary", "--cache-dir", str(cache), str(module)]
    )
    assert not err
    return out, status


def test_the_reference_example_passes_strict_checking(tmp_path: Path) -> None:
    assert _check(tmp_path, GOOD) == ("", 0)


def test_a_typo_fails_strict_checking(tmp_path: Path) -> None:
    out, status = _check(tmp_path, "import forgelm\nforgelm.typo\n")
    assert status == 1
    assert 'Module has no attribute "typo"' in out
