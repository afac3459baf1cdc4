"""Rows of every supported format as one of two things: plain text, or a conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from forgelm.data._formats import FORMATS, DataFormat, name_columns
from forgelm.data._problems import RowError

__all__ = [
    "SURROGATE",
    "Clean",
    "Conversation",
    "Message",
    "PlainText",
    "clean_text",
    "filled_text",
    "normalise_row",
    "offered_tools",
    "read_turns",
    "require_columns",
]

# Zero-width space, word joiner, byte-order mark, and control characters but tab and newline.
# The zero-width (non-)joiners stay: Persian, Indic scripts and emoji need them.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\x00-\x08\x0b-\x1f\x7f-\x9f]")
SURROGATE = re.compile("[\ud800-\udfff]")
_ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "tool": "tool",
    "function_response": "tool",
    "observation": "tool",
}

Message = dict[str, Any]
Clean = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text without turns: every token carries loss."""

    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of a conversation: the assistant's tokens carry loss.

    Attributes:
        messages: Dicts with `role` and `content`.
        context: How many leading messages are context only, whoever speaks.
        separator: What joins prompt and completion where the tokenizer has no chat template;
            None for a row that means nothing without one.
        tools: Tools offered to the model, passed to the template.
    """

    messages: list[Message]
    context: int = 0
    separator: str | None = None
    tools: list[Any] | None = None


def clean_text(text: str) -> str:
    r"""Return `text` without invisible characters and trailing blanks.

    Line ends become `\n`; newlines, indentation and inner spaces stay as they are.

    Example:
        >>> clean_text("\ufeffdef f():\r\n    return 1\u200b \n\n")
        'def f():\n    return 1'
    """
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return _INVISIBLE.sub("", unified).rstrip()


def normalise_row(
    row: Mapping[str, Any], data_format: DataFormat, *, clean: bool
) -> PlainText | Conversation:
    """Return what a row of `data_format` says.

    Raises:
        RowError: The row is not of that format, or has nothing to learn from.
    """
    require_columns(row, data_format)
    return _CONVERTERS[data_format](row, clean_text if clean else str)


def require_columns(row: Mapping[str, Any], data_format: DataFormat) -> None:
    """Raise RowError for the columns that rows of `data_format` must have and this one lacks."""
    missing = [name for name in FORMATS[data_format].columns if row.get(name) is None]
    if missing:
        raise RowError(f"no {name_columns(missing)}, as {data_format} rows must have")


def _from_text(row: Mapping[str, Any], clean: Clean) -> PlainText:
    return PlainText(filled_text(row, "text", clean))


def _from_messages(row: Mapping[str, Any], clean: Clean) -> Conversation:
    return _conversation(read_turns(row["messages"], clean), row)


def _from_conversations(row: Mapping[str, Any], clean: Clean) -> Conversation:
    turns = row["conversations"]
    if isinstance(turns, list):
        turns = [_from_sharegpt(turn) for turn in turns]
    return _conversation(read_turns(turns, clean), row)


def _from_sharegpt(turn: Any) -> Any:
    if isinstance(turn, Mapping) and turn.get("from") is not None:
        return {"role": turn["from"], "content": turn.get("value")}
    return turn


def _from_prompt_completion(row: Mapping[str, Any], clean: Clean) -> Conversation:
    if isinstance(row["prompt"], list) and isinstance(row["completion"], list):
        prompt = read_turns(row["prompt"], clean, "prompt")
        completion = read_turns(row["completion"], clean, "completion")
        return _conversation([*prompt, *completion], row, context=len(prompt))
    # A blank at the end of the prompt is part of a plain continuation.
    prompt_text = filled_text(row, "prompt", str)
    return _pair(prompt_text, filled_text(row, "completion", clean), separator="")


def _from_prompt_response(row: Mapping[str, Any], clean: Clean) -> Conversation:
    return _pair(
        filled_text(row, "prompt", clean), filled_text(row, "response", clean), separator="\n"
    )


def _from_instruction(row: Mapping[str, Any], clean: Clean) -> Conversation:
    instruction = filled_text(row, "instruction", clean)
    context = _text(row.get("input") or "", "input", clean)
    prompt = f"{instruction}\n\n{context}" if context.strip() else instruction
    return _pair(prompt, filled_text(row, "output", clean), separator="\n")


def _from_user_assistant(row: Mapping[str, Any], clean: Clean) -> Conversation:
    system = _text(row.get("System") or "", "System", clean)
    messages = [{"role": "system", "content": system}] if system.strip() else []
    messages.append({"role": "user", "content": filled_text(row, "User", clean)})
    messages.append({"role": "assistant", "content": filled_text(row, "Assistant", clean)})
    return Conversation(messages)


_CONVERTERS: dict[DataFormat, Callable[[Mapping[str, Any], Clean], PlainText | Conversation]] = {
    "text": _from_text,
    "messages": _from_messages,
    "conversations": _from_conversations,
    "prompt_completion": _from_prompt_completion,
    "prompt_response": _from_prompt_response,
    "instruction": _from_instruction,
    "user_assistant": _from_user_assistant,
}


def _pair(prompt: str, completion: str, separator: str) -> Conversation:
    messages = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": completion},
    ]
    return Conversation(messages, separator=separator)


def _conversation(
    messages: list[Message], row: Mapping[str, Any], context: int = 0
) -> Conversation:
    if not any(message["role"] == "assistant" for message in messages[context:]):
        raise RowError("no assistant turn to learn from")
    return Conversation(messages, context, tools=offered_tools(row.get("tools")))


def read_turns(value: Any, clean: Clean, column: str = "messages") -> list[Message]:
    """Return the turns in `value`, checked; RowError for what is none."""
    if not isinstance(value, list) or not value:
        raise RowError(f"{column} must be a non-empty list of turns")
    return [_message(turn, position, clean) for position, turn in enumerate(value, 1)]


def _message(turn: Any, position: int, clean: Clean) -> Message:
    if not isinstance(turn, Mapping):
        raise RowError(f"turn {position} must be an object with role and content")
    role = turn.get("role")
    known = _ROLES.get(role.strip().lower()) if isinstance(role, str) else None
    if known is None:
        roles = ", ".join(sorted(_ROLES))
        raise RowError(f"turn {position} has {_role_words(role)}; known roles: {roles}")
    content = _joined(turn.get("content"))
    calls = turn.get("tool_calls")
    if content is None and calls:
        content = ""
    text = _text(content, f"content of turn {position}", clean)
    if known == "assistant" and not text.strip() and not calls:
        raise RowError(f"the assistant's turn {position} is empty")
    others = {key: item for key, item in turn.items() if item is not None}
    return {**others, "role": known, "content": text}


def _role_words(role: Any) -> str:
    shown = isinstance(role, str) and re.fullmatch(r"[A-Za-z_-]{1,24}", role)
    return f"the unknown role {role!r}" if shown else "no usable role"


def _joined(content: Any) -> Any:
    """Join the parts of a content list, if all of them are text."""
    if not isinstance(content, list):
        return content
    parts = [part.get("text") for part in content if isinstance(part, Mapping)]
    if len(parts) != len(content) or not all(isinstance(part, str) for part in parts):
        raise RowError("only text can be trained on, and a content list has other parts")
    return "".join(str(part) for part in parts)


def offered_tools(value: Any) -> list[Any] | None:
    """Return the tools in a `tools` column, which may hold them as JSON text."""
    if value is None or value == "":
        return None
    try:
        tools = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        tools = None
    if not isinstance(tools, list):
        raise RowError("tools must be a list, or the JSON text of one")
    return tools or None


def filled_text(row: Mapping[str, Any], column: str, clean: Clean) -> str:
    """Return the text of a column; RowError when it is empty or no text."""
    text = _text(row[column], column, clean)
    if not text.strip():
        raise RowError(f"{column} is empty")
    return text


def _text(value: Any, place: str, clean: Clean) -> str:
    if not isinstance(value, str):
        raise RowError(f"{place} must be text, not {type(value).__name__}")
    if SURROGATE.search(value):
        raise RowError(f"{place} has half of a surrogate pair, which is no character")
    return clean(value)
