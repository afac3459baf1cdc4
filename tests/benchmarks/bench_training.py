"""CPU time of a ForgeTrainer run over the same steps in plain TRL; run it by hand.

Both are measured over the loop, from its beginning to the last checkpoint (steps, evaluations,
events, status, metrics and manifests), and over the whole run, with loading and judging.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_training.py [STEPS] [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from forgelm import ForgeConfig, ForgeTrainer
from forgelm.quickstart import build_tiny_model

ROWS = 200


def main(steps: int, rounds: int) -> None:
    """Print the CPU seconds of both, round by round, and the ratio of their medians."""
    import datasets
    import torch
    import transformers

    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = build_tiny_model(folder / "tiny")
        data = _write_rows(folder / "rows.jsonl")
        _plain(model, data, folder / "warm-up", 2)
        _forge(model, data, folder / "warm-up-too", 2)
        loops, wholes = [], []
        for number in range(rounds):
            plain = _cpu_s(_plain, model, data, folder / f"plain-{number}", steps)
            forge = _cpu_s(_forge, model, data, folder / f"forge-{number}", steps)
            loops.append(forge[0] / plain[0])
            wholes.append(forge[1] / plain[1])
            print(
                f"round {number + 1}: loop {plain[0]:.2f} s in plain TRL, {forge[0]:.2f} s in "
                f"ForgeTrainer; whole run {plain[1]:.2f} s and {forge[1]:.2f} s"
            )
    print(f"ForgeTrainer / plain TRL, median of {rounds} pairs of {steps} steps, x CPU:")
    print(f"  loop {statistics.median(loops):.3f}, whole run {statistics.median(wholes):.3f}")


def _write_rows(path: Path) -> Path:
    turns = [
        [
            {"role": "user", "content": f"Where is my order number {n}?"},
            {"role": "assistant", "content": "Open the orders page and press the green button."},
        ]
        for n in range(ROWS)
    ]
    path.write_text("".join(json.dumps({"messages": t}) + "\n" for t in turns), encoding="utf-8")
    return path


def _cpu_s(job: Callable[..., list[float]], *arguments: object) -> tuple[float, float]:
    """Return the CPU seconds of the loop and of the whole run."""
    began = time.process_time()
    marks = job(*arguments)
    return marks[-1] - marks[0], time.process_time() - began


def _forge(model: Path, data: Path, run_dir: Path, steps: int) -> list[float]:
    marks: list[float] = []
    config = ForgeConfig(
        model={"name_or_path": str(model), "max_length": 128, "load_in_4bit": False},
        lora={},
        data={"dataset_name_or_path": str(data)},
        training={
            "output_dir": str(run_dir),
            "max_steps": steps,
            "learning_rate": 5e-4,
            "eval_steps": steps,
            "report_to": "none",
        },
    )
    trainer = ForgeTrainer(config)
    trainer.subscribe(
        lambda event: (
            marks.append(time.process_time()) if event.kind in {"train_begin", "save"} else None
        )
    )
    assert trainer.train().success
    return marks


def _plain(model: Path, data: Path, run_dir: Path, steps: int) -> list[float]:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        PrinterCallback,
        TrainerCallback,
    )
    from trl import SFTConfig, SFTTrainer

    marks: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: object, **__: object) -> None:
            marks.append(time.process_time())

        def on_save(self, *_: object, **__: object) -> None:
            marks.append(time.process_time())

    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    splits = Dataset.from_list(rows).train_test_split(test_size=0.1, seed=42)
    tokenizer = AutoTokenizer.from_pretrained(model)
    arguments = SFTConfig(
        str(run_dir),
        max_steps=steps,
        per_device_train_batch_size=4,
        per_device_eval_batch_size=4,
        gradient_accumulation_steps=2,
        learning_rate=5e-4,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=steps,
        eval_on_start=True,
        save_steps=steps,
        assistant_only_loss=True,
        max_length=128,
        activation_checkpointing=False,
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(model),
        arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["test"],
        processing_class=tokenizer,
        peft_config=LoraConfig(r=8, lora_alpha=16, lora_dropout=0.1, task_type="CAUSAL_LM",
                               target_modules=["q_proj", "v_proj"]),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Clock())
    trainer.train()
    trainer.save_model(str(run_dir / "final_model"))
    return marks


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main(*(int(value) for value in sys.argv[1:3] or ("200", "3")))
