"""`%%forgelm train`: a real training, started from a cell, watched and compared from others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from forgelm import TrainResult
from forgelm_widgets import TrainingMonitor

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
    assert isinstance(started, TrainingMonitor)
    assert shell.user_ns["job"] is started
    attached = run("%forgelm attach {folder}")
    assert isinstance(attached, TrainingMonitor)
    assert attached.run.run_dir == started.run.run_dir
    assert attached.run.wait(240).state == "finished", attached.run.log_tail()
    compared = run("%forgelm runs runs")
    [listed] = compared.runs
    assert (listed.step, listed.success) == (2, True)
    compared.select(started.run)
    assert compared.selected == started.run.run_dir
    assert run("%forgelm verify-audit {job.run.run_dir}").valid
    for widget in (started, attached, compared):
        widget.close()

    shell.user_ns["folder"] = tmp_path / "runs" / "b"
    result = run(CELL.replace("OPTIONS", "--in-cell"))
    assert isinstance(result, TrainResult)
    assert result.success
    assert "Finished at step 2 of 2" in capsys.readouterr().out

    missing = CELL.replace("OPTIONS", "").replace("{data}", "nowhere.jsonl")
    assert not shell.run_cell(missing).success
    assert "nowhere.jsonl" in capsys.readouterr().out


def _talk(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"What is {number} and {number}?"},
        {"role": "assistant", "content": f"It is {2 * number}."},
    ]
