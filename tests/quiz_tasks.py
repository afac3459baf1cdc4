"""Tasks for lm-eval whose scores are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

QUIZ = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
# The shorter choice is always the likelier one: the first row is answered right, the second wrong.
LETTERS = [{"question": "Say", "choices": [" the", " zqxj zqxj zqxj"], "answer": n} for n in (0, 1)]


def write_quiz(
    folder: Path, name: str = "letters", rows: Iterable[Mapping[str, Any]] = LETTERS
) -> Path:
    """Return the file of a task over these rows, written beside its data."""
    data, task = folder / f"{name}.json", folder / f"{name}.yaml"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task.write_text(QUIZ.format(name=name, data=data), encoding="utf-8")
    return task
