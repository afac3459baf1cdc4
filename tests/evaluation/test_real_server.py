"""The judge and the teacher against a server that is not ours: `transformers serve`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig
from forgelm.config import JudgeConfig
from forgelm.errors import RemoteError
from forgelm.evaluation import judge_answers
from forgelm.synthetic import SyntheticDataGenerator

for package in ("fastapi", "uvicorn", "openai", "httpx"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def served(marker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the judge that marks everything with an 8, and give the server's address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = "from transformers.cli.transformers import main; main()"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = tmp_path_factory.mktemp("served") / "log.txt"
    with open(log, "wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", script, "serve", str(marker), *options],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))


def test_a_judge_behind_it_marks_every_answer_and_its_tokens_are_counted(
    tiny: tuple[Any, Any], served: str, marker: Path, tmp_path: Path
) -> None:
    rows = [{"prompt": "Where is the red cup?"}, {"prompt": "Who has the garden?"}]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings = {
        "judge_model": str(marker),
        "judge_api_base": served,
        "eval_dataset": str(path),
    }
    result = judge_answers(*tiny, JudgeConfig.model_validate(settings))
    assert (result.average_score, result.verdict.status) == (8.0, "passed")
    assert result.tokens["counted_replies"] == 2
    assert result.tokens["prompt"] > 200  # the rubric alone has more
    assert 2 <= result.tokens["completion"] <= 40


def _config(served: str, folder: Path, **synthetic: Any) -> ForgeConfig:
    block = {
        "teacher_backend": "api",
        "api_base": served,
        "api_delay": 0.0,
        "seed_prompts": ["Where is the door?", "Who has the letter?"],
        "output_file": str(folder / "rows.jsonl"),
        "max_new_tokens": 32,
        "temperature": 0.0,
        "sanity_failure_rate": 1.0,
    }
    return ForgeConfig(
        model={"name_or_path": "any/model"},
        lora={},
        training={},
        data={"dataset_name_or_path": "rows.jsonl"},
        synthetic=block | synthetic,
    )


def test_a_teacher_behind_it_answers_and_the_record_names_what_it_ran(
    served: str, marker: Path, tmp_path: Path
) -> None:
    config = _config(served, tmp_path, teacher_model=str(marker))
    result = SyntheticDataGenerator(config).generate(workers=2)
    assert (result.rows + sum(result.rejected.values()), result.unanswered) == (2, 0)
    assert result.prompt_tokens > 20
    record = json.loads(Path(result.provenance_file).read_text(encoding="utf-8"))
    assert str(marker) in record["teacher"]["served_model"]


def test_an_address_that_it_does_not_know_is_told_as_such(
    served: str, marker: Path, tmp_path: Path
) -> None:
    config = _config(served.replace("/v1", "/v2"), tmp_path, teacher_model=str(marker))
    with pytest.raises(RemoteError, match=r"no such address or model.*\(seed_prompts\[0\]\)"):
        SyntheticDataGenerator(config).generate(workers=1)
