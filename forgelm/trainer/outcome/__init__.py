"""What becomes of a trained model: verdicts, its place, the record, the cost."""

from __future__ import annotations

from forgelm.trainer.outcome._conclusion import judge_model, place_model
from forgelm.trainer.outcome._energy import EnergyMeter
from forgelm.trainer.outcome._evaluators import Gate, run_gates
from forgelm.trainer.outcome._evidence import write_evidence
from forgelm.trainer.outcome._gates import RunFigures, judge_figures
from forgelm.trainer.outcome._notices import notices
from forgelm.trainer.outcome._record import RunRecord, public_reason
from forgelm.trainer.outcome._resources import ResourceMeter, hourly_price

__all__ = [
    "EnergyMeter",
    "Gate",
    "ResourceMeter",
    "RunFigures",
    "RunRecord",
    "hourly_price",
    "judge_figures",
    "judge_model",
    "notices",
    "place_model",
    "public_reason",
    "run_gates",
    "write_evidence",
]
