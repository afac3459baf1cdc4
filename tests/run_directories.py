"""Run directories as the trainer writes them, without training: for what only reads them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

__all__ = ["write_metrics", "write_run", "write_scores"]

_BEGAN = 1_795_000_000.0


def write_run(folder: Path, *, number: int = 0, steps: int = 40, **changes: Any) -> Path:
    """Write a run that finished well; its losses fall slower the larger `number` is.

    Args:
        folder: The run directory, made anew.
        number: Tells runs apart: learning rate, start time, losses and cost.
        steps: Optimizer steps, with an evaluation every tenth of them.
        changes: `config`, `result` and `usage` are merged into what is written, `state` and `error`
            replace it; `metrics=False` leaves the metrics out, `ended=False` the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run_id = f"fg-{number:012x}"
    config: dict[str, Any] = {
        "model": {"name_or_path": "acme/tiny"},
        "lora": {"r": 8},
        "training": {"output_dir": str(folder), "learning_rate": 1e-4 * (number + 1)},
        "data": {"dataset_name_or_path": "support.jsonl"},
    } | changes.get("config", {})
    run = {"format": 1, "run_id": run_id, "config_hash": "0" * 64, "config": config, "secrets": []}
    run |= {"pid": 1, "process_started_at": 1.0, "host": "gone", "started_at": _began(number)}
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    last = _loss(steps, steps, number)
    status = {"state": "running", "step": steps, "max_steps": steps, "epoch": 1.0, "loss": last}
    status |= {"eval_loss": last + 0.2, "time": _began(number) + 60}
    (folder / "status.json").write_text(json.dumps(status), "utf-8")
    if changes.get("metrics", True):
        write_metrics(folder, number=number, steps=steps)
    if changes.get("ended", True):
        _write_end(folder, run_id, number, changes)
    return folder


def _write_end(folder: Path, run_id: str, number: int, changes: dict[str, Any]) -> None:
    usage = {"training_duration_seconds": 60.0 + number, "gpu_hours": 0.5, "energy_kwh": 0.25}
    usage |= {"estimated_cost_usd": 1.25 + number, **changes.get("usage", {})}
    verdicts = [{"gate": "loss", "status": "passed", "reason": None, "measured": {}}]
    result = {"success": True, "verdicts": verdicts, "resource_usage": usage, "stopped": False}
    result |= {"final_model_path": str(folder / "final_model"), **changes.get("result", {})}
    ended = {"state": changes.get("state", "finished"), "error": changes.get("error")}
    ended |= {"run_id": run_id, "time": _began(number) + 60, "result": result}
    (folder / "exit.json").write_text(json.dumps(ended), "utf-8")


def write_metrics(folder: Path, *, number: int = 0, steps: int = 40) -> None:
    """Write a `metrics.jsonl`: a loss a step, an evaluation every tenth of the run."""
    lines = [_event(number, "train_begin", 0, steps)]
    for step in range(1, steps + 1):
        loss = _loss(step, steps, number)
        lines.append(_event(number, "log", step, steps, loss=loss + 0.15 * math.sin(3 * step)))
        if step % max(1, steps // 10) == 0:
            lines.append(_event(number, "evaluate", step, steps, eval_loss=loss + 0.2))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def write_scores(folder: Path, *, right: int, unsafe: int, of: int = 200) -> dict[str, Any]:
    """Write benchmark and safety results; return what the run's own result says of them."""
    scores = {"quiz": right / of}
    row = {"acc,none": right / of, "acc_stderr,none": 0.03}
    raw = {"results": {"quiz": row}, "picked": {"quiz": "acc,none"}, "not_averaged": []}
    raw["n-samples"] = {"quiz": {"original": of, "effective": of}}
    _write(folder / "benchmark" / "benchmark_results.json", {"scores": scores, "raw_results": raw})
    safe = 1 - unsafe / of
    safety = {"safe_ratio": safe, "safety_score": safe, "scored_count": of, "unsafe_count": unsafe}
    _write(folder / "safety" / "safety_results.json", safety)
    marks = [{"row": row, "score": 6 + row % 4} for row in range(20)]
    _write(folder / "judge" / "judge_results.json", {"average_score": 7.5, "details": marks})
    return {"benchmark_scores": scores, "safety_score": safe, "judge_score": 7.5}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), "utf-8")


def _began(number: int) -> float:
    return _BEGAN + 3600 * number


def _loss(step: int, steps: int, number: int) -> float:
    return 1.2 + 0.08 * number + 3.4 * math.exp(-5 * step / steps / (1 + 0.4 * number))


def _event(number: int, kind: str, step: int, steps: int, **metrics: float) -> str:
    event = {"kind": kind, "run_id": f"fg-{number:012x}", "seq": 0, "time": _began(number) + step}
    event |= {"step": step, "max_steps": steps, "epoch": step / steps, "metrics": metrics}
    return json.dumps({**event, "message": None})
