"""What this machine can do: devices, number formats, processes, memory."""

from __future__ import annotations

from forgelm.trainer.backend._capabilities import capability_issues, trained_experts
from forgelm.trainer.backend._distributed import (
    asks_for_processes,
    distributed_arguments,
    distributed_issues,
)
from forgelm.trainer.backend._machine import Machine, free_disk_bytes, look_at_machine
from forgelm.trainer.backend._out_of_memory import BatchPlan, is_out_of_memory, run_within_memory
from forgelm.trainer.backend._precision import Precision, choose_precision
from forgelm.trainer.backend._ranks import Ranks

__all__ = [
    "BatchPlan",
    "Machine",
    "Precision",
    "Ranks",
    "asks_for_processes",
    "capability_issues",
    "choose_precision",
    "distributed_arguments",
    "distributed_issues",
    "free_disk_bytes",
    "is_out_of_memory",
    "look_at_machine",
    "run_within_memory",
    "trained_experts",
]
