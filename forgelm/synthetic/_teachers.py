"""What a teacher is: something that answers prompts, in any order, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from forgelm.synthetic._seeds import Seed

__all__ = ["Answer", "FileTeacher", "NoAnswer", "Teacher"]


class Answer(NamedTuple):
    """What the teacher wrote; token counts are None where nobody counted."""

    text: str
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class NoAnswer(NamedTuple):
    """Why the teacher wrote nothing for one prompt."""

    reason: str


class Teacher(Protocol):
    """A source of answers."""

    def answers(self, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, Answer | NoAnswer]]:
        """Yield an answer or none for every seed, in any order.

        Raises:
            RemoteError: It is no use to go on.
        """
        ...

    def settled(self) -> list[tuple[Seed, Answer]]:
        """Return answers that came though nobody asked for them any more, after Ctrl-C."""
        ...

    def identity(self) -> dict[str, str | None]:
        """Return what the record says about who wrote the answers."""
        ...

    def close(self) -> None:
        """Let go of connections and memory."""
        ...


class FileTeacher:
    """Answers that were written earlier and came with the prompts."""

    def answers(self, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, Answer | NoAnswer]]:
        """Yield each seed with the answer of its row."""
        for seed in seeds:
            yield seed, Answer(seed.answer or "")

    def settled(self) -> list[tuple[Seed, Answer]]:
        """Return none: nothing is under way."""
        return []

    def identity(self) -> dict[str, str | None]:
        """Return nothing: only `teacher_model` says who wrote the answers."""
        return {}

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
