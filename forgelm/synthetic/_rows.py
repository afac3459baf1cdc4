"""The four shapes of a synthetic row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["OutputFormat", "build_row", "pair_of_row"]

OutputFormat = Literal["messages", "instruction", "chatml", "prompt_response"]

_COLUMNS: dict[str, tuple[str, str]] = {
    "instruction": ("instruction", "output"),
    "chatml": ("User", "Assistant"),
    "prompt_response": ("prompt", "response"),
}


def build_row(prompt: str, answer: str, output_format: OutputFormat) -> dict[str, Any]:
    """Return prompt and answer as a row.

    Example:
        >>> build_row("Hi", "Hello.", "chatml")
        {'User': 'Hi', 'Assistant': 'Hello.'}
    """
    if output_format == "messages":
        turns = (("user", prompt), ("assistant", answer))
        return {"messages": [{"role": role, "content": content} for role, content in turns]}
    asked, answered = _COLUMNS[output_format]
    return {asked: prompt, answered: answer}


def pair_of_row(row: Any) -> tuple[str, str] | None:
    """Return prompt and answer of a row that `build_row` made, None for any other."""
    if not isinstance(row, Mapping):
        return None
    pair = _turns(row["messages"]) if "messages" in row else _columns(row)
    if len(pair) != 2 or not all(isinstance(text, str) for text in pair):
        return None
    return str(pair[0]), str(pair[1])


def _turns(turns: Any) -> list[Any]:
    if not isinstance(turns, list):
        return []
    return [turn.get("content") for turn in turns if isinstance(turn, Mapping)]


def _columns(row: Mapping[str, Any]) -> list[Any]:
    names = next((pair for pair in _COLUMNS.values() if set(pair) <= set(row)), ())
    return [row[name] for name in names]
