"""Where synthetic rows come from: the record beside them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forgelm._core import sha256_file, write_json_atomic
from forgelm._version import __version__
from forgelm.synthetic._result import SyntheticResult

if TYPE_CHECKING:
    from forgelm.config import SyntheticConfig

__all__ = ["write_provenance"]


def write_provenance(
    path: Path,
    settings: SyntheticConfig,
    result: SyntheticResult,
    *,
    identity: Mapping[str, str | None],
    seed_keys: Sequence[str],
    started_at: str | None,
    finished_at: str,
) -> None:
    """Write who made the rows of a file, when, from what and how many; no text and no secret.

    Args:
        path: The record.
        settings: The block `synthetic`.
        result: What came of it so far.
        identity: What the teacher says about itself.
        seed_keys: Digests of the prompts, in order.
        started_at: When the first call began, in ISO 8601.
        finished_at: When this call ended.
    """
    output = Path(result.output_file)
    document = {
        "format": 1,
        "forgelm_version": __version__,
        "started_at": started_at,
        "finished_at": finished_at,
        "complete": result.not_asked + result.unanswered == 0,
        "teacher": {
            "backend": settings.teacher_backend,
            "model": settings.teacher_model,
            "revision": settings.teacher_revision,
            **identity,
        },
        "settings": {
            "temperature": settings.temperature,
            "max_new_tokens": settings.max_new_tokens,
            "system_prompt_sha256": _digest(settings.system_prompt),
        },
        "prompts": {
            "count": result.prompts,
            "sha256": _digest("\n".join(seed_keys)),
            "seed_file": Path(settings.seed_file).name or None,
        },
        "rows": {
            "written": result.rows,
            "rejected": result.rejected,
            "unanswered": result.unanswered,
            "not_asked": result.not_asked,
        },
        "tokens": {"prompt": result.prompt_tokens, "completion": result.completion_tokens},
        "output": {
            "file": output.name,
            "format": result.output_format,
            "size_bytes": output.stat().st_size,
            "sha256": sha256_file(output),
        },
        "verdict": dataclasses.asdict(result.verdict),
    }
    write_json_atomic(path, document)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
