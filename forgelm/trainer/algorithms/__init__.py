"""The six algorithms, their arguments and their rewards."""

from __future__ import annotations

from forgelm.trainer.algorithms._algorithm_checks import (
    check_answer_room,
    check_kept,
    check_labels,
    check_passed,
)
from forgelm.trainer.algorithms._algorithms import ALGORITHMS
from forgelm.trainer.algorithms._arguments import build_arguments, common_arguments
from forgelm.trainer.algorithms._reward_plan import (
    RewardFunction,
    RewardPlan,
    as_reward_functions,
    plan_rewards,
)
from forgelm.trainer.algorithms._rewards import format_reward, gold_answer_reward, length_reward
from forgelm.trainer.algorithms._tracking import tracking_issues

__all__ = [
    "ALGORITHMS",
    "RewardFunction",
    "RewardPlan",
    "as_reward_functions",
    "build_arguments",
    "check_answer_room",
    "check_kept",
    "check_labels",
    "check_passed",
    "common_arguments",
    "format_reward",
    "gold_answer_reward",
    "length_reward",
    "plan_rewards",
    "tracking_issues",
]
