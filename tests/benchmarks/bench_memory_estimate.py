"""The memory estimate against the measured peak, for random models trained for two steps.

    python tests/benchmarks/bench_memory_estimate.py

Each model is built, saved and trained in child processes of their own. "measured" is the high-water
mark of the resident memory above what the process held before the model was loaded; "estimated" is
every part but `runtime`. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASES: list[dict[str, Any]] = [
    {"hidden": 64, "layers": 2, "vocab": 512, "batch": 4, "tokens": 128, "method": "lora"},
    {"hidden": 512, "layers": 8, "vocab": 32000, "batch": 4, "tokens": 256, "method": "lora"},
    {"hidden": 512, "layers": 8, "vocab": 32000, "batch": 4, "tokens": 256, "method": "full"},
    {"hidden": 768, "layers": 12, "vocab": 8000, "batch": 2, "tokens": 512, "method": "lora"},
]


def main() -> None:
    """Print one line a case."""
    if sys.argv[1:2] == ["--child"]:
        measure(json.loads(sys.argv[2]), Path(sys.argv[3]))
        return
    print(f"{'case':<58}{'estimated':>11}{'measured':>11}{'ratio':>7}")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            call = [sys.executable, __file__, "--child", json.dumps(case), folder]
            ended = subprocess.run(call, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(ended.stderr[-2000:])
            raise SystemExit(1)
        found = json.loads(ended.stdout.splitlines()[-1])
        estimated, measured = (found[key] / 2**20 for key in ("estimated", "measured"))
        name = " ".join(f"{key}={value}" for key, value in case.items())
        ratio = estimated / measured
        print(f"{name:<58}{estimated:>8.0f} MB{measured:>8.0f} MB{ratio:>7.2f}")
        parts = {**found["parts"], "libraries before": found["libraries"]}
        print("   ", {key: f"{size / 2**20:.0f}" for key, size in parts.items() if size})


def build(case: dict[str, Any], folder: Path) -> None:
    """Save a random Llama of the case's size with a byte-level tokenizer."""
    import transformers

    from forgelm.quickstart import build_tiny_model

    tiny = build_tiny_model(folder / "tiny")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    settings = transformers.LlamaConfig(
        vocab_size=case["vocab"],
        hidden_size=case["hidden"],
        intermediate_size=case["hidden"] * 8 // 3,
        num_hidden_layers=case["layers"],
        num_attention_heads=case["hidden"] // 32,
        num_key_value_heads=case["hidden"] // 32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(settings).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")


def measure(case: dict[str, Any], folder: Path) -> None:
    """Build in a fork, then train here and print estimate and peak as JSON."""
    import peft  # noqa: F401
    import trl
    from trl import SFTTrainer  # noqa: F401

    assert trl
    builder = os.fork()
    if builder == 0:
        build(case, folder)
        os._exit(0)
    assert os.waitpid(builder, 0)[1] == 0
    from forgelm import ForgeConfig, ForgeTrainer
    from forgelm.trainer.backend import look_at_machine
    from forgelm.trainer.planning import estimate_memory, read_model_files

    lora = {"method": case["method"]} if case["method"] == "full" else {}
    config = ForgeConfig(
        model={
            "name_or_path": str(folder / "model"),
            "max_length": case["tokens"],
            "load_in_4bit": False,
        },
        lora=lora,
        data={"dataset_name_or_path": "unused/rows"},
        training={
            "output_dir": str(folder / "run"),
            "max_steps": 2,
            "per_device_train_batch_size": case["batch"],
            "gradient_accumulation_steps": 1,
            "learning_rate": 1e-5,
            "report_to": "none",
        },
    )
    estimate = estimate_memory(config, read_model_files(folder / "model"), look_at_machine())
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    rows = [{"text": "many words " * case["tokens"]}] * 4 * case["batch"]
    peaks = []
    trainer = ForgeTrainer(config, dataset=rows)
    # A log comes at the end of a step; the reload of the final model is not part of the estimate.
    trainer.subscribe(lambda e: peaks.append(resident("VmHWM")) if e.kind == "log" else None)
    result = trainer.train()
    assert result.metrics["eval_loss"] > 0
    parts = {key: size for key, size in estimate.parts.items() if key != "runtime"}
    print(
        json.dumps(
            {
                "estimated": sum(parts.values()),
                "measured": max(peaks) - before,
                "libraries": before,
                "parts": parts,
            }
        )
    )


def resident(mark: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{mark}:"))


if __name__ == "__main__":
    main()
