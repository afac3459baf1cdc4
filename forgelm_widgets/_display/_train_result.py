"""The result of a training run as a card: how it ended, what it learned, where everything lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from forgelm import Run
from forgelm_widgets._card import Card, Figure, Mark, Table
from forgelm_widgets._text import count, duration, number

if TYPE_CHECKING:
    from forgelm import TrainResult
    from forgelm_widgets._curves import RunCurves

__all__ = ["read_curves", "train_result_card"]

_POINTS_DRAWN = 40
_MOST_BYTES_READ = 64_000_000


def train_result_card(result: TrainResult) -> Card:
    """Return a training result as a card, with its loss curve when the run directory has one."""
    curves = read_curves(result.output_dir)
    mark, headline = _verdict(result)
    return Card(
        kind="train-result",
        label="Training",
        mark=mark,
        headline=headline,
        figures=list(_figures(result, curves)),
        curves=curves.pairs(_POINTS_DRAWN) if curves else {},
        picture_text=curves.summary() if curves else "",
        tables=list(_tables(result)),
    )


def read_curves(output_dir: str | None) -> RunCurves | None:
    """Return the run's metrics; a file that is missing, huge or damaged only costs the picture."""
    from forgelm_widgets._curves import RunCurves

    if output_dir is None:
        return None
    path = Path(output_dir) / "metrics.jsonl"
    try:
        if path.stat().st_size > _MOST_BYTES_READ:
            return None
        return RunCurves.read(Run(output_dir).tail())
    except OSError:
        return None


def _verdict(result: TrainResult) -> tuple[Mark, str]:
    reason = f": {result.error}" if result.error else ""
    if result.awaiting_approval:
        return "attention", "Trained; a person has to approve the model"
    if result.success:
        return "ok", "Training succeeded"
    if result.stopped:
        words = result.error or "stopped on request"
        return "attention", words[0].upper() + words[1:]
    if result.reverted:
        return "bad", f"The model was rejected and the previous one restored{reason}"
    return "bad", f"Training did not succeed{reason}"


def _figures(result: TrainResult, curves: RunCurves | None) -> Iterator[Figure]:
    ends = curves.first_and_last("loss~smooth") if curves else None
    if ends:
        yield Figure(f"{number(ends[0])} → {number(ends[1])}", "training loss, smoothed")
    before, after = (result.metrics.get(key) for key in ("baseline_eval_loss", "eval_loss"))
    if after is not None:
        start = f"{number(before)} → " if before is not None else ""
        yield Figure(start + number(after), "evaluation loss")
    if curves and len(curves):
        yield Figure(count(curves.step), "steps")
    usage = result.resource_usage or {}
    if isinstance(seconds := usage.get("training_duration_seconds"), int | float):
        yield Figure(duration(seconds), "duration")
    if isinstance(memory := usage.get("peak_vram_gb"), int | float) and memory:
        yield Figure(f"{memory:.1f} GB", "GPU memory at most")


def _tables(result: TrainResult) -> Iterator[Table]:
    paths = [
        ("Final model", result.final_model_path),
        ("Waits for approval", result.staging_path),
        ("Last checkpoint", result.last_checkpoint),
        ("Run directory", result.output_dir),
    ]
    yield Table("Where it lies", ("What", "Path"), [row for row in paths if row[1]], told=True)
    if result.verdicts:
        rows = [(v.gate, v.status.replace("_", " "), v.reason) for v in result.verdicts]
        yield Table("Gates", ("Gate", "Verdict", "Reason"), rows)
    if result.benchmark_scores:
        yield Table("Benchmarks", ("Task", "Score"), list(result.benchmark_scores.items()))
    if result.metrics:
        rows_of = sorted(result.metrics.items())
        yield Table("All metrics", ("Metric", "Value"), rows_of, folded=True)
