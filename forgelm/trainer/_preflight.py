"""`preflight`: every problem of a training at once, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from forgelm.config import ForgeConfig, load_config
from forgelm.data import SourceSample, sample_sources
from forgelm.errors import ConfigError, ForgeError
from forgelm.trainer._checks import find_issues
from forgelm.trainer.model import load_tokenizer
from forgelm.trainer.planning import (
    DataLook,
    PreflightFinding,
    PreflightReport,
    TokenLengths,
    data_findings,
    find_model_folder,
    installed_versions,
    look_at_fit,
    masked_sample,
    model_findings,
    package_findings,
    planned_steps,
    precision_findings,
    schedule_findings,
)

__all__ = ["preflight"]

_ORDER = {"error": 0, "warning": 1, "note": 2}


def preflight(
    config: ForgeConfig | Mapping[str, Any] | str | PathLike[str],
    *,
    rows: int | None = 1_000,
    count_tokens: bool = True,
) -> PreflightReport:
    """Return everything that can be known about a training before it starts.

    No model is loaded and nothing is fetched or written. `train()` makes the same checks.

    Args:
        config: A configuration, the blocks of one, or the path of its YAML file. One that is not
            valid gives a report of its problems alone.
        rows: Rows of each split to look at; None for all of them, 0 for none.
        count_tokens: Count tokens with the model's tokenizer. It takes seconds, as the libraries
            of training are imported; everything else takes milliseconds.

    Example:
        >>> report = preflight({"model": {"name_or_path": "./none"}}, rows=0, count_tokens=False)
        >>> report.ok, [finding.path for finding in report.findings]
        (False, ['lora', 'training', 'data'])
    """
    try:
        checked = _checked(config)
    except ConfigError as error:
        return PreflightReport(_errors(error))
    findings = [
        PreflightFinding("error", path, problem)
        for path, problem in find_issues(checked, has_model=False, has_data=False)
    ]
    known = {finding.path for finding in findings}
    versions = installed_versions()
    findings += package_findings(versions)
    samples: list[SourceSample] = []
    if rows != 0:
        counts = count_tokens and None not in versions.values()
        samples, problems = _sampled(checked, rows, find_model_folder(checked) if counts else None)
        found = [*problems, *data_findings(samples, checked)]
        findings += [one for one in found if one.path not in known]
    steps = planned_steps(checked, samples)
    findings += schedule_findings(checked, samples, steps)
    longest = max((length for sample in samples for length in sample.lengths), default=None)
    fit = look_at_fit(checked, tokens=longest)
    if "model.name_or_path" not in known:
        findings += model_findings(fit.files, checked, samples)
    findings += [*precision_findings(checked, fit.machine), *fit.findings(checked)]
    return PreflightReport(
        findings=_ordered(findings),
        data=tuple(_look(sample) for sample in samples),
        machine=fit.machine,
        memory=fit.memory,
        versions=versions,
        planned_steps=steps,
    )


def _checked(config: ForgeConfig | Mapping[str, Any] | str | PathLike[str]) -> ForgeConfig:
    if isinstance(config, ForgeConfig):
        return config
    if isinstance(config, Mapping):
        return ForgeConfig.model_validate(dict(config))
    return load_config(config)


def _errors(error: ConfigError) -> tuple[PreflightFinding, ...]:
    return tuple(PreflightFinding("error", path, problem) for path, problem in error.issues)


def _sampled(
    config: ForgeConfig, rows: int | None, folder: Path | None
) -> tuple[list[SourceSample], list[PreflightFinding]]:
    """Return a look at the data, and what went wrong; tokens are counted with `folder`."""
    problems: list[PreflightFinding] = []
    tokenizer = None
    try:
        if folder is not None:
            # the folder itself, so that nothing is asked of the Hub
            here = config.model.model_copy(update={"name_or_path": str(folder)})
            tokenizer = load_tokenizer(config.model_copy(update={"model": here}))
        return sample_sources(config, limit=rows, tokenizer=tokenizer), problems
    except ConfigError as error:
        problems += _errors(error)
    except (ForgeError, OSError) as error:
        problems.append(PreflightFinding("error", "data.dataset_name_or_path", str(error)))
    try:
        return sample_sources(config, limit=rows), problems
    except OSError:
        return [], problems


def _look(sample: SourceSample) -> DataLook:
    return DataLook(
        name=sample.name,
        split=sample.split,
        rows=sample.rows,
        is_whole=sample.is_whole,
        format=sample.format,
        columns=sample.columns,
        sample=masked_sample(sample.first),
        tokens=TokenLengths.of(sample.lengths) if sample.lengths else None,
        truncated_rows=sample.truncated_rows,
        dropped_rows=sample.dropped_rows,
        trainable_tokens=sample.trainable_tokens,
        lost_tokens=sample.lost_tokens,
    )


def _ordered(findings: list[PreflightFinding]) -> tuple[PreflightFinding, ...]:
    once = {(finding.path, finding.message): finding for finding in reversed(findings)}
    kept = list(reversed(once.values()))
    return tuple(sorted(kept, key=lambda finding: _ORDER[finding.severity]))
