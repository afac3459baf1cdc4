"""`%%forgelm train`: a real training, started from a cell and followed from another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from forgelm import Run, TrainResult

CELL = """%%forgelm train OPTIONS
model:
  name_or_path: {model}
  load_in_4bit: false
  max_length: 64
lora: {r: 2, alpha: 4}
training:
  output_dir: {folder}
  max_steps: 2
  per_device_train_batch_size: 2
  gradient_accumulation_steps: 1
data:
  dataset_name_or_path: {data}
"""


@pytest.mark.timeout(280)
def test_a_cell_trains_in_its_own_process_or_in_the_kernel(
    shell: InteractiveShell,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"messages": _talk(number)} for number in range(8)]
    data = tmp_path / "train.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    shell.user_ns |= {"folder": tmp_path / "runs" / "a", "data": data, "model": tiny_model}
    shell.run_line_magic("load_ext", "forgelm")

    def run(code: str) -> Any:
        done = shell.run_cell(code)
        assert done.success, capsys.readouterr().out
        return done.result

    started = run(CELL.replace("OPTIONS", "-o job"))
    assert isinstance(started, Run)
    attached = run("%forgelm attach {folder}")
    assert attached.run_dir == started.run_dir
    assert attached.wait(240).state == "finished", attached.log_tail()
    [listed] = run("%forgelm runs runs")
    assert (listed.step, listed.success) == (2, True)
    assert run("%forgelm verify-audit {job.run_dir}").valid
    faces: Any = shell.display_formatter.format(attached)[0]  # type: ignore[union-attr]
    assert faces["text/plain"].splitlines()[0].endswith("Finished at step 2 of 2")

    shell.user_ns["folder"] = tmp_path / "runs" / "b"
    result = run(CELL.replace("OPTIONS", "--in-cell"))
    assert isinstance(result, TrainResult)
    assert result.success


def _talk(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"What is {number} and {number}?"},
        {"role": "assistant", "content": f"It is {2 * number}."},
    ]
