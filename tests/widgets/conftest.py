"""Scripted runs and reports: the same objects that training and auditing hand out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from forgelm import AuditReport, ProgressEvent


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Give an IPython shell of our own, without a history file."""
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.fixture
def make_events() -> Callable[..., Iterator[ProgressEvent]]:
    """Give a function that yields a run: one log a step, an evaluation every 20th, an end."""

    def events(
        steps: int = 40, end: str = "train_end", message: str | None = None, run_id: str = "fg-1"
    ) -> Iterator[ProgressEvent]:
        places: list[tuple[str, int, dict[str, float], str | None]] = [("train_begin", 0, {}, None)]
        for step in range(1, steps + 1):
            loss = 1.0 + 4.0 * math.exp(-step / 10)
            places.append(("log", step, {"loss": loss, "learning_rate": 1e-4}, None))
            if step % 20 == 0:
                places.append(("evaluate", step, {"eval_loss": loss + 0.25}, None))
        if end:
            places.append((end, steps, {}, message))
        for seq, (kind, step, metrics, text) in enumerate(places):
            yield ProgressEvent(
                kind=kind,  # type: ignore[arg-type]
                run_id=run_id,
                seq=seq,
                time=1_800_000_000.0 + 0.5 * step,
                step=step,
                max_steps=steps,
                epoch=2.0 * step / steps,
                metrics=metrics,
                message=text,
            )

    return events


@pytest.fixture
def make_report() -> Callable[..., AuditReport]:
    """Give a function that returns an audit report with findings; keywords replace fields."""

    def report(**fields: Any) -> AuditReport:
        lengths = {"min": 3, "max": 90, "mean": 40.0, "p50": 38, "p95": 80}
        tiers = {"credit_card": "critical", "email": "medium"}
        found = {"email": 14, "credit_card": 2}
        values: dict[str, Any] = {
            "generated_at": "2026-01-02T03:04:05+00:00",
            "source_path": "/data/support",
            "source_input": "support",
            "total_samples": 412,
            "splits": {
                "train": {"sample_count": 380, "text_length": lengths, "parse_errors": 1},
                "test": {"sample_count": 32, "text_length": lengths, "null_or_empty_count": 2},
            },
            "cross_split_overlap": {
                "pairs": {
                    "train__test": {
                        "leaked_rows_in_train": 1,
                        "leak_rate_train": 0.0026,
                        "leaked_rows_in_test": 1,
                        "leak_rate_test": 0.03125,
                    }
                }
            },
            "pii_summary": found,
            "pii_severity": {
                "worst_tier": "critical",
                "by_type": {k: {"count": found[k], "tier": t} for k, t in tiers.items()},
            },
            "near_duplicate_summary": {"pairs_per_split": {"train": 5, "test": 0}},
            "secrets_summary": {"aws_access_key": 1},
            "notes": ["Split train: 1 lines passed over."],
        }
        values |= fields
        counts: dict[str, Any] = {"pii_counts": {}, "secrets_counts": {}}
        values["splits"] = {name: {**counts, **stats} for name, stats in values["splits"].items()}
        return AuditReport(**values)

    return report
