"""A process killed while it replaces the final model: the next run puts things right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forgelm.trainer.model import repair_interrupted_save

# Saves a "model" for real and kills itself at the rename whose number it is given.
_SAVE = """
import os, signal, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from forgelm.trainer.model import save_final_model

class Model:
    def save_pretrained(self, folder):
        Path(folder).mkdir()
        save_file({"a": torch.full((2,), 2.0)}, Path(folder) / "adapter_model.safetensors")

class Tokenizer:
    def save_pretrained(self, folder):
        pass

count = 0
def audit(event, args):
    global count
    if event == "os.rename":
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(audit)
run_dir = Path(sys.argv[1])
save_final_model(
    Model(), Tokenizer(), run_dir / "final_model", run_dir=run_dir, run_id="fg-2"
)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_kill_at_either_rename_leaves_the_earlier_model_in_place_after_repair(
    tmp_path: Path, killed_at: int
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    (tmp_path / "final_model").mkdir()
    (tmp_path / "final_model" / "adapter_model.safetensors").write_bytes(b"the first model")
    call = [sys.executable, "-c", _SAVE, str(tmp_path), str(killed_at)]
    ended = subprocess.run(call, env=dict(os.environ), check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr

    assert (tmp_path / "final_model").exists() == (killed_at == 1)
    assert repair_interrupted_save(tmp_path, "final_model") == (killed_at == 2)
    kept = tmp_path / "final_model" / "adapter_model.safetensors"
    assert kept.read_bytes() == b"the first model"
    assert (tmp_path / "earlier/unfinished-fg-2/.final_model.fg-2.tmp").is_dir()
    assert not repair_interrupted_save(tmp_path, "final_model")


@pytest.mark.parametrize("target", ["final_model", "final_model.staging.fg-2"])
def test_a_half_written_model_is_set_aside_and_never_taken_for_one(
    tmp_path: Path, target: str
) -> None:
    (tmp_path / f".{target}.fg-2.tmp").mkdir()
    (tmp_path / ".final_model.notes").write_text("not ours", encoding="utf-8")
    assert not repair_interrupted_save(tmp_path, "final_model")
    assert not (tmp_path / "final_model").exists()
    assert len(list((tmp_path / "earlier").rglob("*.tmp"))) == 1
    assert (tmp_path / ".final_model.notes").exists()
