"""The prompts for the teacher, and answers written earlier: from a list or a file."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm.errors import DataError

__all__ = ["Seed", "read_seeds"]

_MAX_LINE_BYTES = 2**20
_MAX_FILE_BYTES = 2**30
_SHOWN = 20
_JSON_LINES = (".jsonl", ".ndjson")
_PROMPTS = ("prompt", "instruction", "User", "question")
_ANSWERS = ("response", "completion", "output", "Assistant", "answer")


@dataclass(frozen=True)
class Seed:
    """One prompt.

    Attributes:
        prompt: Its text.
        place: File and line, or number in the list: for messages.
        answer: The answer that came with it, for the backend `file`.
    """

    prompt: str
    place: str
    answer: str | None = None

    @property
    def key(self) -> str:
        """What the journal knows the prompt by: the first 128 bits of its SHA-256."""
        return hashlib.sha256(self.prompt.encode("utf-8")).hexdigest()[:32]


class _Odd(Exception):  # noqa: N818 - one row of a list of problems
    """What is wrong with one row."""


def read_seeds(file: str, prompts: Sequence[str], *, answered: bool) -> list[Seed]:
    """Return the prompts of a file and of a list, each prompt once, in order.

    Args:
        file: One prompt a line, or JSON Lines (`.jsonl`, `.ndjson`); empty for none.
        prompts: More of them.
        answered: Each row of the file must also have an answer.

    Raises:
        DataError: A row cannot be used (every one is named), or there is no prompt at all.
        OSError: The file cannot be read.
    """
    problems: list[str] = []
    seeds: dict[str, Seed] = {}
    numbered = ((f"seed_prompts[{n}]", text) for n, text in enumerate(prompts))
    rows = _file_rows(Path(file).expanduser(), problems) if file else iter(())
    for place, row in (*rows, *numbered):
        try:
            seed = _seed(place, row, answered=answered)
        except _Odd as odd:
            problems.append(f"{place}: {odd}")
        else:
            seeds.setdefault(seed.key, seed)
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:_SHOWN])
        raise DataError(f"{len(problems)} prompts cannot be used:{listed}{more}")
    if not seeds:
        where = f"{file} has none" if file else "give seed_prompts, or a seed_file"
        raise DataError(f"there is no prompt to ask the teacher: {where}.")
    return list(seeds.values())


def _seed(place: str, row: Any, *, answered: bool) -> Seed:
    prompt: str | None
    answer: str | None = None
    if isinstance(row, str):
        prompt = row
    elif isinstance(row, Mapping) and isinstance(row.get("messages"), list):
        prompt, answer = _turns(row["messages"])
    elif isinstance(row, Mapping):
        prompt, answer = _first(row, _PROMPTS), _first(row, _ANSWERS)
        if prompt and isinstance(row.get("input"), str) and row["input"].strip():
            prompt = f"{prompt}\n\n{row['input']}"
    else:
        raise _Odd("must be an object or a string")
    if prompt is None:
        raise _Odd(f"has no prompt: none of {', '.join((*_PROMPTS, 'messages'))} is text in it")
    if answered and answer is None:
        raise _Odd(f"has no answer: none of {', '.join((*_ANSWERS, 'messages'))} is text in it")
    for text in (prompt, answer or ""):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise _Odd("has half of a surrogate pair, which is no character")
    if not prompt.strip():
        raise _Odd("is empty")
    return Seed(prompt.strip(), place, answer)


def _first(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((row[name] for name in names if isinstance(row.get(name), str)), None)


def _turns(turns: list[Any]) -> tuple[str | None, str | None]:
    """Return the first thing the user says, and the answer to it."""
    said = [
        (turn.get("role"), turn.get("content"))
        for turn in turns
        if isinstance(turn, Mapping) and isinstance(turn.get("content"), str)
    ]
    said = [turn for turn in said if turn[0] != "system"]
    if not said or said[0][0] != "user":
        return None, None
    answer = said[1][1] if len(said) > 1 and said[1][0] == "assistant" else None
    return said[0][1], answer


def _file_rows(path: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"the seed file {path} cannot be read: {error.strerror}.") from None
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"the seed file {path} is not a regular file.")
    if found.st_size > _MAX_FILE_BYTES:
        raise DataError(f"the seed file {path} is larger than 1 GiB; split it.")
    is_json = path.suffix.lower() in _JSON_LINES
    with open(path, "rb") as stream:
        number = 0
        while line := stream.readline(_MAX_LINE_BYTES + 1):
            number += 1
            place = f"{path.name}, line {number}"
            if len(line) > _MAX_LINE_BYTES:
                raise DataError(f"{place} is longer than 1 MiB: write one prompt a line.")
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if text:
                    yield place, json.loads(text) if is_json else text
            except UnicodeDecodeError as error:
                problems.append(f"{place}: is not UTF-8 at byte {error.start + 1}")
            except (ValueError, RecursionError):
                problems.append(f"{place}: is not JSON that can be read")
