"""`SyntheticDataGenerator`: seeds to a teacher, answers to rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.errors import ConfigError
from forgelm.synthetic._result import SyntheticResult
from forgelm.synthetic._run import Run, now
from forgelm.synthetic._seeds import Seed, read_seeds
from forgelm.synthetic._store import RowStore
from forgelm.synthetic._teachers import FileTeacher, Teacher

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig, SyntheticConfig

__all__ = ["SyntheticDataGenerator"]


class SyntheticDataGenerator:
    """Has a teacher model write training rows, as the block `synthetic` says.

    Args:
        config: The configuration.

    Raises:
        ConfigError: There is no block `synthetic`, or it lacks what its backend needs; every
            problem at once.
    """

    def __init__(self, config: ForgeConfig) -> None:
        self._config = config
        self._settings = _checked(config.synthetic)

    def generate(
        self,
        seeds: Sequence[str] | None = None,
        *,
        workers: int = 4,
        batch_size: int = 8,
        overwrite: bool = False,
        audit_dir: str | os.PathLike[str] | None = None,
    ) -> SyntheticResult:
        """Ask every prompt that has no answer yet, and write each accepted row at once.

        A row is on the disk before the next one is judged. After a kill, a power cut or Ctrl-C the
        same call goes on where this one was, and asks no prompt again that was answered.

        Args:
            seeds: Prompts to ask instead of `seed_file` and `seed_prompts`.
            workers: Requests under way at once, for the backend `api`.
            batch_size: Prompts answered together, for the backend `local`.
            overwrite: Begin anew though there are rows already.
            audit_dir: Also audit the rows, and write the report and the findings into this folder.

        Returns:
            What came of it. A teacher that writes nonsense, or too few rows, is a failed `verdict`.

        Raises:
            DataError: A prompt cannot be used, or the output is not ours to go on with.
            ConfigError: The key or the local teacher is not there.
            RemoteError: The server refuses or is gone. What was written stays.
            OSError: The disk is full or the folder cannot be written.
        """
        if workers < 1 or batch_size < 1:
            raise ValueError("workers and batch_size must be at least 1")
        asked = self._seeds(seeds)
        output = Path(self._settings.output_file).expanduser()
        fixed = _fixed_settings(self._settings)
        # What a file holds already is not worth waiting for the disk at every row.
        durable = self._settings.teacher_backend != "file"
        store = RowStore(output, fixed, overwrite=overwrite, durable=durable)
        try:
            run = Run(self._settings, asked, store)
            if run.todo:
                teacher = self._teacher(workers, batch_size)
                try:
                    store.begin(now(), fixed)
                    run.ask(teacher)
                finally:
                    run.write_record(teacher.identity())
                    teacher.close()
            result = run.result()
        finally:
            store.close()
        if audit_dir is not None and result.rows:
            from forgelm.data_audit import audit_dataset

            result = replace(result, audit=audit_dataset(str(output), output_dir=audit_dir))
        return result

    def _seeds(self, given: Sequence[str] | None) -> list[Seed]:
        answered = self._settings.teacher_backend == "file"
        if isinstance(given, str):
            raise ValueError("seeds must be a list of prompts, not one text")
        if given is not None:
            return read_seeds("", list(given), answered=answered)
        return read_seeds(self._settings.seed_file, self._settings.seed_prompts, answered=answered)

    def _teacher(self, workers: int, batch_size: int) -> Teacher:
        if self._settings.teacher_backend == "api":
            from forgelm.synthetic._api_teacher import ApiTeacher

            return ApiTeacher(self._settings, workers)
        if self._settings.teacher_backend == "local":
            from forgelm.synthetic._local_teacher import LocalTeacher

            return LocalTeacher(self._config, batch_size)
        return FileTeacher()


def _checked(settings: SyntheticConfig | None) -> SyntheticConfig:
    if settings is None:
        problem = "is missing; write at least teacher_model and seed_file or seed_prompts"
        raise ConfigError(issues=[("synthetic", problem)])
    issues: list[tuple[str, str]] = []
    backend = settings.teacher_backend
    if not settings.teacher_model and backend != "file":
        issues.append(("synthetic.teacher_model", f"is needed by teacher_backend {backend}"))
    if not settings.api_base and backend == "api":
        issues.append(("synthetic.api_base", "is needed by teacher_backend api"))
    if backend == "file" and not settings.seed_file:
        problem = "is needed by teacher_backend file: its rows have prompts and answers"
        issues.append(("synthetic.seed_file", problem))
    if backend == "file" and settings.seed_prompts:
        problem = "have no answers, as teacher_backend file needs; put both into seed_file"
        issues.append(("synthetic.seed_prompts", problem))
    if issues:
        raise ConfigError(issues=issues)
    return settings


def _fixed_settings(settings: SyntheticConfig) -> dict[str, Any]:
    """Return what all rows of one file have in common."""
    return {
        "teacher_backend": settings.teacher_backend,
        "teacher_model": settings.teacher_model,
        "teacher_revision": settings.teacher_revision,
        "system_prompt_sha256": hashlib.sha256(settings.system_prompt.encode()).hexdigest(),
        "temperature": settings.temperature,
        "max_new_tokens": settings.max_new_tokens,
        "output_format": settings.output_format,
    }
