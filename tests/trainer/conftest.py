"""One small trained run that the tests of this room look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig, ForgeTrainer, ProgressEvent, TrainResult

ConfigMaker = Callable[..., ForgeConfig]
TOPICS = ("refund", "invoice", "password", "delivery", "warranty")


@dataclass
class TrainedRun:
    """A finished run and everything it told."""

    config: ForgeConfig
    result: TrainResult
    events: list[ProgressEvent]
    run_dir: Path


def support_rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": f"Where is my {TOPICS[n % 5]} number {n}?"},
                {"role": "assistant", "content": f"Open the {TOPICS[n % 5]} page, press send."},
            ]
        }
        for n in range(count)
    ]


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def support_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "support.jsonl", support_rows(60))


@pytest.fixture(scope="session")
def make_config(tiny_model: Path, support_data: Path) -> ConfigMaker:
    def make(run_dir: Path, **blocks: Any) -> ForgeConfig:
        model = {"name_or_path": str(tiny_model), "max_length": 128, "load_in_4bit": False}
        training = {
            "output_dir": str(run_dir),
            "max_steps": 6,
            "learning_rate": 5e-3,
            "eval_steps": 3,
            "report_to": "none",
        }
        return ForgeConfig(
            model=model | blocks.pop("model", {}),
            lora=blocks.pop("lora", {}),
            data={"dataset_name_or_path": str(support_data)} | blocks.pop("data", {}),
            training=training | blocks.pop("training", {}),
            **blocks,
        )

    return make


@pytest.fixture(scope="session")
def trained(make_config: ConfigMaker, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run of 24 steps with evaluation; its files are for looking at only."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    config = make_config(
        run_dir, model={"offline": True}, training={"max_steps": 24, "eval_steps": 12}
    )
    events: list[ProgressEvent] = []
    trainer = ForgeTrainer(config)
    trainer.subscribe(events.append)
    return TrainedRun(config, trainer.train(), events, run_dir)
