"""Running loaded tasks on a model: lm-eval's own evaluation, without what it does around it.

`lm_eval.simple_evaluate` also starts git, pip and the driver's tools, to describe the machine.
"""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from tqdm import tqdm

from forgelm._core import quiet_libraries, require
from forgelm.errors import EvaluationError
from forgelm.evaluation._benchmark_tasks import LoadedTasks
from forgelm.evaluation._generation import left_as_found
from forgelm.evaluation._models import first_line

__all__ = ["run_tasks"]

_FEATURE = "Running benchmarks"
# Those of `lm_eval.simple_evaluate`, so that scores agree with published ones.
_SEED, _OTHER_SEED = 0, 1234
# Bounds the metrics that need resampling for a standard error; accuracies have a closed form.
_BOOTSTRAPS = 100


def run_tasks(
    model: Any,
    tokenizer: Any,
    loaded: LoadedTasks,
    batch: int | str,
    *,
    num_fewshot: int | None,
    limit: int | None,
) -> Mapping[str, Any]:
    """Return lm-eval's figures for tasks, the model left as it was found.

    Raises:
        EvaluationError: Memory ran out, or a task failed.
    """
    torch = require("torch", extra="train", feature=_FEATURE)
    with left_as_found(model, tokenizer), loaded.network(), quiet_libraries(), _quiet_bars():
        try:
            answer = _evaluated(model, tokenizer, loaded, batch, num_fewshot, limit)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise EvaluationError(
                f"memory ran out with a benchmark batch_size of {batch}; lower it"
            ) from error
        except Exception as error:
            raise EvaluationError(
                f"the benchmarks could not finish: {first_line(error)}"
            ) from error
    if not answer:
        raise EvaluationError("lm-eval gave no results; run benchmarks in one process only")
    versions = {f"{name}_version": version(name) for name in ("lm_eval", "transformers")}
    return {**answer, **versions}


def _evaluated(
    model: Any,
    tokenizer: Any,
    loaded: LoadedTasks,
    batch: int | str,
    num_fewshot: int | None,
    limit: int | None,
) -> Any:
    lm_eval = require("lm_eval", extra="eval", feature=_FEATURE)
    torch = require("torch", extra="train", feature=_FEATURE)
    import numpy as np

    lm = _language_model(model, tokenizer, batch)
    random.seed(_SEED)
    np.random.seed(_OTHER_SEED)
    torch.manual_seed(_OTHER_SEED)
    tasks = loaded.manager.load(loaded.objects)
    for task in tasks["tasks"].values():
        own = task.get_config("num_fewshot")
        # A task that says 0 cannot have examples; that is what lm-eval's own command does too.
        if own is None or (num_fewshot is not None and own != 0):
            task.set_config(key="num_fewshot", value=num_fewshot or 0)
        task.set_fewshot_seed(seed=_OTHER_SEED)
    return lm_eval.evaluate(
        lm=lm, task_dict=tasks, limit=limit, bootstrap_iters=_BOOTSTRAPS, log_samples=False
    )


def _language_model(model: Any, tokenizer: Any, batch: int | str) -> Any:
    hf = require("lm_eval.models.huggingface", extra="eval", feature=_FEATURE)
    logger = logging.getLogger(hf.__name__)
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of every model that is in memory already
    try:
        return hf.HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch)
    finally:
        logger.setLevel(level)


@contextmanager
def _quiet_bars() -> Iterator[None]:
    """Keep lm-eval's bars, which know no terminal, from filling logs and notebooks."""
    if sys.stderr.isatty():
        yield
        return
    shown = tqdm.__init__

    def hidden(self: Any, *args: Any, **options: Any) -> None:
        shown(self, *args, **{**options, "disable": True})

    tqdm.__init__ = hidden  # type: ignore[method-assign]
    try:
        yield
    finally:
        tqdm.__init__ = shown  # type: ignore[method-assign]
