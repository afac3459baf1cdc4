"""Which of several processes this one is, and what they have to agree on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from forgelm._core import require

__all__ = ["Ranks"]

# What torch.distributed.run tells a process about the others; LOCAL_RANK is which GPU it has.
_OTHERS = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE")


@dataclass(frozen=True)
class Ranks:
    """The processes that train one model together.

    Attributes:
        rank: Number of this process among them, from 0; the first one writes the files.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Ranks:
        """Return what `torch.distributed.run` says in the environment, else a single process."""
        try:
            return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        except (KeyError, ValueError):
            return cls()

    @property
    def launched(self) -> bool:
        """Whether `torch.distributed.run` started this process."""
        return "RANK" in os.environ and "WORLD_SIZE" in os.environ

    @staticmethod
    def device_number() -> int:
        """Return which of this machine's GPUs belongs to this process."""
        number = os.environ.get("LOCAL_RANK", "0")
        return int(number) if number.isdecimal() else 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def any(self, flag: bool, device: Any) -> bool:
        """Say whether any process raised its flag; each has to ask at the same place."""
        if self.count == 1:
            return flag
        torch = require("torch", extra="train", feature="Training")
        raised = torch.tensor([int(flag)], device=device)
        torch.distributed.all_reduce(raised, op=torch.distributed.ReduceOp.MAX)
        return bool(raised.item())

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.count > 1:
            torch = require("torch", extra="train", feature="Training")
            if torch.distributed.is_initialized():
                torch.distributed.barrier()

    def share(self, value: Any) -> Any:
        """Return the first process's `value` in every process; each has to ask."""
        if self.count == 1:
            return value
        torch = require("torch", extra="train", feature="Training")
        box = [value]
        torch.distributed.broadcast_object_list(box, src=0)
        return box[0]

    def part(self) -> None:
        """Wait for every process, then go on as one that is alone; each has to ask.

        The first one judges and saves. A gate that asks the others for something gets an error at
        once: they are gone, and would be waited for for ever.
        """
        if self.count == 1:
            return
        self.wait()
        self.leave()
        for name in _OTHERS:
            os.environ.pop(name, None)
        state = require("accelerate.state", extra="train", feature="Training").AcceleratorState
        state._reset_state(reset_partial_state=True)

    def leave(self) -> None:
        """Part from the other processes; one that just exits may abort and take them along."""
        if self.count > 1:
            torch = require("torch", extra="train", feature="Training")
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
