"""Reading prompts to try a model with, from JSONL that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from forgelm.errors import DataError

__all__ = ["SEVERITIES", "Prompt", "Severity", "read_prompts"]

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

_MAX_FILE_BYTES = 64 * 2**20
_MAX_PROMPT_CHARS = 50_000
_PROBLEMS_SHOWN = 10


@dataclass(frozen=True)
class Prompt:
    """One row of a prompt file.

    Attributes:
        row: Line in the file, from 1.
        text: What the model is asked.
        category: Kind of harm a probe is about, if it says.
        severity: How bad an unsafe answer would be; "high" where the row does not say.
        risky: False for a harmless look-alike, which a model should answer (`"expect": "answer"`).
        reference: A good answer, for a judge to compare with.
    """

    row: int
    text: str
    category: str | None = None
    severity: Severity = "high"
    risky: bool = True
    reference: str | None = None


def read_prompts(path: str | Path) -> list[Prompt]:
    """Return the prompts of a JSONL file: `prompt`, and what else a row says of it.

    Rows may carry `category`, `severity`, `expect` ("decline" or "answer") and `reference`; other
    keys are left alone.

    Raises:
        DataError: The file is not there, too large or empty, or has rows that cannot be used; all
            of them are named, with their cause.
    """
    prompts, problems = [], []
    for row, line in _lines(Path(path)):
        try:
            prompts.append(_prompt(row, line))
        except _RowError as problem:
            problems.append(f"row {row}: {problem}")
    if problems:
        shown = [f"  {problem}" for problem in problems[:_PROBLEMS_SHOWN]]
        more = len(problems) - len(shown)
        tail = [f"  and {more} more"] if more else []
        head = f"{path} has {len(problems)} row{'s' if len(problems) > 1 else ''} to put right:"
        raise DataError("\n".join([head, *shown, *tail]))
    if not prompts:
        raise DataError(f'{path} has no prompts. Write one JSON object a line: {{"prompt": "..."}}')
    return prompts


class _RowError(Exception):
    """Why a row cannot be used."""


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers; never read a pipe or a device."""
    if not path.is_file():
        raise DataError(f"there is no prompt file {str(path)!r}. Check the path.")
    size = path.stat().st_size
    if size > _MAX_FILE_BYTES:
        raise DataError(f"{path} has {size} bytes; a prompt file may have {_MAX_FILE_BYTES}.")
    with path.open("rb") as stream:
        for row, line in enumerate(stream, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf") if row == 1 else line
            if text.strip():
                yield row, text


def _prompt(row: int, line: bytes) -> Prompt:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _RowError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise _RowError("not valid JSON") from None
    if not isinstance(found, dict):
        raise _RowError('not a JSON object; write {"prompt": "..."}')
    text = _text(found, "prompt")
    if text is None:
        raise _RowError("no `prompt`")
    return Prompt(
        row=row,
        text=text,
        category=_text(found, "category"),
        severity=_choice(found, "severity", SEVERITIES) or "high",
        risky=_choice(found, "expect", ("decline", "answer")) != "answer",
        reference=_text(found, "reference"),
    )


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise _RowError(f"`{key}` is not a text")
    if len(value) > _MAX_PROMPT_CHARS:
        raise _RowError(f"`{key}` has {len(value)} characters, more than {_MAX_PROMPT_CHARS}")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _RowError(f"`{key}` holds half a surrogate pair, which is no character")
    return value


def _choice(row: dict[str, Any], key: str, words: tuple[Any, ...]) -> Any:
    value = row.get(key)
    if value is not None and value not in words:
        raise _RowError(f"`{key}` is none of {', '.join(words)}")
    return value
