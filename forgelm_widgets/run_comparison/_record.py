"""All that a comparison knows of one run, read from its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from forgelm import Run, RunStatus
from forgelm_widgets.run_comparison._files import mapping, odd_files, read_json, text
from forgelm_widgets.run_comparison._losses import Losses, read_losses
from forgelm_widgets.run_comparison._scores import Score, read_scores
from forgelm_widgets.run_comparison._usage import Usage, read_usage

__all__ = ["Gate", "Judgement", "RunRecord", "read_record"]

Judgement = Literal["passed", "not judged", "awaits approval", "decided since", "rejected"]
_MOST_GATES = 40


@dataclass(frozen=True)
class Gate:
    """What one gate decided."""

    name: str
    status: str
    reason: str | None


@dataclass(frozen=True)
class RunRecord:
    """What one run directory holds, as far as it can be read.

    Attributes:
        run_dir: The folder.
        status: Where the run stands; None where there is no run that can be read.
        problems: What is wrong with the folder, in words.
        config: The configuration as `run.json` has it: the keys that were set, without secrets.
        judgement: What became of the model; None while there is none. "decided since": a person
            approved or rejected it after the run, and the audit log says which.
        gates: What each gate decided.
        usage: What the run cost.
        scores: What the model scored.
        losses: Its evaluation losses.
    """

    run_dir: Path
    status: RunStatus | None = None
    problems: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    judgement: Judgement | None = None
    gates: tuple[Gate, ...] = ()
    usage: Usage = field(default_factory=Usage)
    scores: tuple[Score, ...] = ()
    losses: Losses = field(default_factory=Losses)

    @property
    def data(self) -> str | None:
        """The training data, as the configuration names it."""
        return text(mapping(self.config.get("data")).get("dataset_name_or_path"))


def read_record(run_dir: Path) -> RunRecord:
    """Return what is known of the run in a folder; whatever is wrong is in `problems`.

    Raises:
        OptionalDependencyError: psutil is not installed.
    """
    problems = list(odd_files(run_dir))
    if problems:
        return RunRecord(run_dir, problems=tuple(problems))
    try:
        status = Run(run_dir).status()
    except FileNotFoundError:
        there = "is no folder" if not run_dir.is_dir() else "has no run.json that can be read"
        return RunRecord(run_dir, problems=(there,))
    except (OSError, ValueError, OverflowError) as error:
        return RunRecord(run_dir, problems=(f"cannot be read: {type(error).__name__}",))
    run, in_run = read_json(run_dir / "run.json")
    ended, in_exit = read_json(run_dir / "exit.json")
    result = mapping(ended.get("result"))
    losses = read_losses(run_dir / "metrics.jsonl", training=False)
    scores, in_scores = read_scores(run_dir, result)
    problems = [told for told in (in_run, in_exit, losses.problem, *in_scores) if told]
    return RunRecord(
        run_dir,
        status,
        tuple(problems),
        mapping(run.get("config")),
        _judgement(run_dir, result),
        tuple(_gates(result)),
        read_usage(run_dir, ended, status.run_id, losses.parts),
        tuple(scores),
        losses,
    )


def _gates(result: Mapping[str, Any]) -> Iterator[Gate]:
    verdicts = result.get("verdicts")
    for verdict in verdicts[:_MOST_GATES] if isinstance(verdicts, list) else ():
        told = mapping(verdict)
        name, status = text(told.get("gate")), text(told.get("status"))
        if name and status:
            yield Gate(name, status, text(told.get("reason")))


def _judgement(run_dir: Path, result: Mapping[str, Any]) -> Judgement | None:
    if not result or result.get("stopped") is True:
        return None
    gates = list(_gates(result))
    if result.get("reverted") is True or any(gate.status == "failed" for gate in gates):
        return "rejected"
    if result.get("success") is not True:
        return "not judged"
    staged = text(result.get("staging_path"))
    if result.get("awaiting_approval") is True:
        waits = staged is None or (run_dir / Path(staged).name).is_dir()
        return "awaits approval" if waits else "decided since"
    return "passed" if any(gate.status == "passed" for gate in gates) else "not judged"
