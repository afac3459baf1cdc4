"""The process of a run that was launched: it finds everything it needs in the run directory."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from forgelm.errors import TrainingError
from forgelm.results import TrainResult
from forgelm.runs import RUN_FILE, RunDirectory, config_from_document, read_document
from forgelm.trainer._trainer import ForgeTrainer
from forgelm.trainer.backend import Ranks

__all__ = ["train_launched"]


def train_launched(run_dir: str | os.PathLike[str], *, resume: bool = False) -> TrainResult:
    """Train as the `run.json` says that `launch_run` wrote; for its processes alone.

    Raises:
        TrainingError: There is no `run.json` of a launched run.
        ForgeError: As `ForgeTrainer.train`; the run directory says it too.
    """
    folder = Path(run_dir)
    document = read_document(folder / RUN_FILE)
    if document is None or document.get("detached") is not True:
        raise TrainingError(f"{folder} has no launched run; start one: forgelm train --detach.")
    ranks = Ranks.here()
    if not ranks.is_first:
        logging.getLogger().setLevel(logging.ERROR)
        logging.getLogger("forgelm").setLevel(logging.ERROR)
    directory = RunDirectory(folder)
    try:
        config = config_from_document(
            document.get("config") or {}, document.get("secrets") or [], os.environ
        )
        trainer = ForgeTrainer(config)
    except Exception as error:
        directory.failed(error, str(error))
        raise
    try:
        return trainer._train_launched(directory, str(document["run_id"]), resume=resume)
    finally:
        ranks.leave()
