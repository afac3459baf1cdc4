"""The worked snippets of the reference, verbatim, as a user would paste them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = """
from forgelm import audit_dataset

report = audit_dataset(
    "data/customer_support.jsonl",
    output_dir="audit_out",
    enable_pii_ml=True,
    pii_ml_language="en",
    emit_croissant=True,
)

print(f"samples: {report.total_samples}")
print(f"duplicates: {report.duplicate_count}")
print(f"pii findings: {len(report.pii_findings)}")
# cross_split_overlap is dict[str, Any], access by key
print(f"split overlap pairs: {report.cross_split_overlap.get('pairs', {})}")
"""

VERIFY = """
from forgelm import verify_audit_log

result = verify_audit_log(
    "outputs/run-001/audit_log.jsonl",
    hmac_secret=None,
    require_hmac=True,
)

if not result.valid:
    raise SystemExit(f"audit chain broken: {result.reason}")

print(f"verified {result.entries_checked} entries; head={result.chain_head}")
"""

TRAIN = """
from forgelm import ForgeConfig, ForgeTrainer

config = ForgeConfig(
    model={"name_or_path": "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
    lora={"r": 8, "alpha": 16, "target_modules": ["q_proj", "v_proj"]},
    data={"dataset_name_or_path": "data/train.jsonl"},
    training={
        "trainer_type": "sft",
        "num_train_epochs": 1,
        "per_device_train_batch_size": 1,
        "output_dir": "./checkpoints/quick",
    },
)

trainer = ForgeTrainer(config)
result = trainer.train()

print(f"success={result.success}  output={result.output_dir}")
if not result.success and result.revert_reason:
    print(f"reverted: {result.revert_reason}")
"""

EVENTS = """
import os
from forgelm import AuditLogger

os.environ.setdefault("FORGELM_OPERATOR", "airflow:dag-1234:run-5678")

logger = AuditLogger(output_dir="outputs/dag-1234")
logger.log_event(
    "training.started",
    trainer_type="sft",
    model="meta-llama/Llama-3.1-8B-Instruct",
    dataset="acme/customer-support-v3",
)
# ... your pipeline runs ...
logger.log_event(
    "pipeline.completed",
    exit_code=0,
    duration_seconds=4218.7,
    success=True,
    metrics_summary={"eval_loss": 0.43, "rouge_l": 0.61},
)
"""

DETECT = """
from forgelm import detect_pii, detect_secrets, mask_pii, mask_secrets

text = "Contact alice@example.com or use {key} for the call."

pii = detect_pii(text)
secrets = detect_secrets(text)

print(f"pii: {[(f.kind, f.span) for f in pii]}")
print(f"secrets: {[(f.kind, f.span) for f in secrets]}")

masked = mask_secrets(mask_pii(text))
print(masked)
""".replace("{key}", "AKIA" + "IOSFODNN7" + "EXAMPLE")


def _paste(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def _lines(code: str, folder: Path, **environment: str) -> list[str]:
    done = _paste(code, folder, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_snippet_1_audits_a_corpus_from_a_notebook(tmp_path: Path, spacy_pipeline: Path) -> None:
    pytest.importorskip("presidio_analyzer")
    data = tmp_path / "data" / "customer_support.jsonl"
    data.parent.mkdir()
    texts = ["Ada Lovelace wrote from ada@example.com about an order", "My parcel is late"]
    rows = [{"text": text} for text in [*texts, texts[1]]]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    assert _lines(AUDIT, tmp_path, PYTHONPATH=str(spacy_pipeline)) == [
        "samples: 3",
        "duplicates: 1",
        "pii findings: 2",
        "split overlap pairs: {}",
    ]
    report = json.loads((tmp_path / "audit_out/data_audit_report.json").read_text("utf-8"))
    assert report["pii_summary"] == {"email": 1, "person": 1}
    assert report["croissant"]["@type"] == "sc:Dataset"


def test_snippet_2_verifies_a_keyed_log_in_ci(tmp_path: Path) -> None:
    run_dir = tmp_path / "outputs" / "run-001"
    logging = f"from forgelm import AuditLogger; AuditLogger({str(run_dir)!r}).log_event('a.b')"
    key = {"FORGELM_AUDIT_SECRET": "a long passphrase kept by the team"}
    _lines(logging, tmp_path, **key)

    [line] = _lines(VERIFY, tmp_path, **key)
    assert line.startswith("verified 1 entries; head=")

    without_key = _paste(VERIFY, tmp_path, FORGELM_AUDIT_SECRET="")
    assert without_key.returncode == 1
    assert without_key.stderr.startswith("audit chain broken: ")


@pytest.mark.timeout(240)
def test_snippet_3_trains_end_to_end(tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("trl")
    shutil.copytree(tiny_model, tmp_path / "TinyLlama" / "TinyLlama-1.1B-Chat-v1.0")
    data = tmp_path / "data" / "train.jsonl"
    data.parent.mkdir()
    rows = [
        {"messages": [{"role": "user", "content": f"Order {n}?"},
                      {"role": "assistant", "content": f"Order {n} is on its way."}]}
        for n in range(12)
    ]  # fmt: skip
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    assert _lines(TRAIN, tmp_path)[-1] == "success=True  output=./checkpoints/quick"
    assert (tmp_path / "checkpoints/quick/final_model/adapter_model.safetensors").exists()


def test_snippet_4_records_events_of_a_foreign_pipeline(tmp_path: Path) -> None:
    environment = {"FORGELM_OPERATOR": "airflow:dag-1234:run-5678"}
    _lines(EVENTS, tmp_path, **environment)
    log = (tmp_path / "outputs/dag-1234/audit_log.jsonl").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in log.splitlines()]
    assert [entry["event"] for entry in entries] == ["training.started", "pipeline.completed"]
    assert entries[1]["metrics_summary"] == {"eval_loss": 0.43, "rouge_l": 0.61}
    assert {entry["operator"] for entry in entries} == {"airflow:dag-1234:run-5678"}


def test_snippet_5_finds_and_masks_in_free_text(tmp_path: Path) -> None:
    assert _lines(DETECT, tmp_path) == [
        "pii: [('email', (8, 25))]",
        "secrets: [('aws_access_key', (33, 53))]",
        "Contact [REDACTED] or use [REDACTED-SECRET] for the call.",
    ]
