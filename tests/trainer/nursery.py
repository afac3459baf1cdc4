"""A process that has imported everything and forks a training a second after it is asked to.

Run as a script it is that process; imported it is `Nursery`, which starts and asks it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Self


class Nursery:
    """Starts trainings in processes of their own, without the seconds that imports take."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def start(self, config: Path, log: Path, *, resume: bool = False) -> int:
        """Start a training and return its process number; what it prints goes to `log`."""
        return int(self._ask({"config": str(config), "log": str(log), "resume": resume}))

    def wait(self, pid: int) -> int:
        """Return the exit code of a training, below 0 for the signal that killed it."""
        return int(self._ask({"wait": pid}))

    def kill(self, pid: int) -> None:
        """Kill a training with SIGKILL and see that it is gone."""
        os.kill(pid, signal.SIGKILL)
        assert self.wait(pid) == -signal.SIGKILL

    def _ask(self, question: dict[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _train(config: str, log: str, resume: bool) -> int:
    """Be the training: return the exit code of this process."""
    from forgelm import ForgeConfig, ForgeTrainer

    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        sections = json.loads(Path(config).read_text(encoding="utf-8"))
        ForgeTrainer(ForgeConfig(**sections)).train(resume=resume)
    except Exception:  # noqa: BLE001 - the outermost handler of this process
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    import datasets
    import peft
    import torch
    import transformers
    import trl

    import forgelm.trainer

    assert all((datasets, peft, transformers, forgelm.trainer))
    assert trl.SFTTrainer
    torch.set_num_threads(1)
    gc.freeze()  # or each child walks through all that was imported, several times
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            _, status = os.waitpid(question["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            os._exit(_train(**question))
        print(pid, flush=True)


if __name__ == "__main__":
    _serve()
