"""Ctrl-C while a teacher on this machine writes: what is whole is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forgelm import ForgeConfig
from forgelm.synthetic import SyntheticDataGenerator

pytest.importorskip("transformers")

Maker = Callable[..., ForgeConfig]
SHORT = ["How are you?", "Where is my order?", "Who are you?"]
LONG = "What is the weather like?"  # the tiny model does not find an end to it
SCRIPT = """
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import torch, transformers
from forgelm import ForgeConfig
from forgelm.synthetic import SyntheticDataGenerator

steps = []
def count(module, *_):
    if isinstance(module, transformers.LlamaForCausalLM):
        steps.append(1)
        if len(steps) == 200:
            os.kill(os.getpid(), signal.SIGINT)
torch.nn.modules.module.register_module_forward_pre_hook(count)
config = ForgeConfig(**json.load(open(sys.argv[1])))
result = SyntheticDataGenerator(config).generate(batch_size=2)
print(json.dumps([result.rows, result.stopped, result.not_asked, result.verdict.status]))
"""


def test_of_the_batch_at_hand_the_answers_that_have_an_end_are_kept(
    make_config: Maker, tiny_model: Path, tmp_path: Path
) -> None:
    config = make_config(
        teacher_backend="local",
        teacher_model=str(tiny_model),
        seed_prompts=[*SHORT, LONG],
        temperature=0.0,
        max_new_tokens=400,
        sanity_failure_rate=1.0,
    )
    written = tmp_path / "config.json"
    written.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(written)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [3, True, 1, "skipped"]
    rows = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["messages"][0]["content"] for row in rows] == SHORT
    assert json.loads((tmp_path / "rows.jsonl.provenance").read_text())["complete"] is False
    again = SyntheticDataGenerator(config).generate(batch_size=2)
    assert (again.resumed_rows, again.not_asked) == (3, 0)
    assert again.rejected == {"cut off": 1}
