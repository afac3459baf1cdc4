"""`forgelm generate` and `forgelm manage-checkpoints`: the same functions, with an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forgelm.cli import run

CONFIG = """
model: {{name_or_path: any/model}}
lora: {{}}
training: {{}}
data: {{dataset_name_or_path: rows.jsonl}}
synthetic:
  teacher_backend: file
  seed_file: {seeds}
  output_file: {output}
  min_success_rate: {rate}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    rows = [("One", "1"), ("Two", "2"), ("Three", "")]
    seeds = tmp_path / "seeds.jsonl"
    lines = [json.dumps({"prompt": prompt, "response": answer}) for prompt, answer in rows]
    seeds.write_text("\n".join(lines), encoding="utf-8")
    path = tmp_path / "config.yaml"
    filled = CONFIG.format(seeds=seeds, output=tmp_path / "rows.jsonl", rate=0.5)
    path.write_text(filled + "  sanity_failure_rate: 0.5\n", encoding="utf-8")
    return path


def test_generate_says_what_came_of_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", str(config)]) == 0
    out = capsys.readouterr().out
    assert "rows.jsonl: 2 rows for 3 prompts" in out
    assert "rejected         empty 1" in out
    assert "seeds.jsonl, line 3: empty" in out


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal as POSIX has them")
@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(config: Path, on_terminal: bool) -> None:
    termios = pytest.importorskip("termios")
    screen, inside = os.openpty()
    termios.tcsetwinsize(inside, (24, 100))
    log = config.with_name("log.txt")
    with open(log, "wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "forgelm.cli", "generate", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=inside if on_terminal else stream,
            timeout=60,
        )
    os.close(inside)
    shown = os.read(screen, 65536) if on_terminal else log.read_bytes()
    os.close(screen)
    assert done.returncode == 0
    assert (b"synthetic rows" in shown) is on_terminal


def test_too_few_rows_exit_with_3_and_one_json_object(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = config.read_text().replace("min_success_rate: 0.5", "min_success_rate: 0.9")
    config.write_text(strict, encoding="utf-8")
    arguments = ["generate", str(config), "--audit-dir", str(tmp_path / "audit")]
    assert run([*arguments, "--output-format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["rows"], document["verdict"]["status"]) == (2, "failed")
    assert document["audit"]["splits"]["train"]["sample_count"] == 2


def test_a_block_that_is_missing_exits_with_1(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text().split("synthetic:")[0], encoding="utf-8")
    assert run(["generate", str(config)]) == 1
    assert "synthetic: is missing" in capsys.readouterr().err


def test_checkpoints_tells_before_it_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (5, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}", encoding="utf-8")
    assert run(["manage-checkpoints", str(tmp_path), "--action", "keep-last=1", "--dry-run"]) == 0
    assert "keep-last=1 would be done" in capsys.readouterr().out
    arguments = ["manage-checkpoints", str(tmp_path), "--action", "keep-last=1"]
    assert run([*arguments, "--output-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["deleted"] == ["checkpoint-5"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10"]
    assert run(["manage-checkpoints", str(tmp_path), "--action", "purge"]) == 1
    assert "keep-last=N" in capsys.readouterr().err
