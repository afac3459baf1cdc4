"""What every block of the configuration shares: strictness, text types and rules across keys."""

from __future__ import annotations

import numbers
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

__all__ = [
    "UNION_TAGS",
    "Line",
    "Name",
    "Problem",
    "Secret",
    "SecretUrl",
    "Section",
    "Text",
    "Url",
    "form",
]

UNION_TAGS = ("#list", "#word")
"""What pydantic puts into the place of an error inside "a list or one word"."""

_MAX_DEPTH = 16
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def form(
    group: str,
    level: Literal["basic", "advanced"] = "advanced",
    *,
    unit: str | None = None,
    deprecated: bool = False,
    aliases: tuple[str, ...] = (),
    instead: str | None = None,
) -> dict[str, Any]:
    """Return what a form or a page shows beside a key, for `json_schema_extra`.

    Args:
        group: Heading the key stands under.
        level: "basic" for the keys a first run needs, "advanced" for the rest.
        unit: What a number counts, for example "tokens".
        deprecated: The key is an old spelling that still works.
        aliases: Other spellings of the key.
        instead: For a secret: where to put it when it must not be in the file.
    """
    extra: dict[str, Any] = {"group": group, "level": level}
    rest = {"unit": unit, "deprecated": deprecated, "aliases": list(aliases), "instead": instead}
    return extra | {key: value for key, value in rest.items() if value}


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("forgelm", text)


def _single_line(value: str) -> str:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise _refuse("has a control character or a line break in it; remove it")
    if value and not value.strip():
        raise _refuse("is blank; write a value or leave the key out")
    return value


def _not_empty(value: str) -> str:
    if not value:
        raise _refuse("is empty; write a value or leave the key out")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip() or any(
        character.isspace() or unicodedata.category(character) in _UNPRINTABLE for character in text
    ):
        raise _refuse("is empty or has a space or line break in it; paste the secret alone")
    if not text.strip("*"):
        raise _refuse("is the masked form of a secret; put the secret itself, or leave it out")
    return value


def _url(value: str) -> str:
    if not value:
        return value
    if any(character.isspace() for character in value):
        raise _refuse("has a space in it; an address has none")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise _refuse("is not a valid address; write it like https://host/path") from None
    if "@" in parts.netloc:
        raise _refuse(
            "has a user name or password in the address; take them out and use the key that "
            "names an environment variable"
        )
    if parts.scheme not in {"http", "https"} or not host:
        raise _refuse("must be an address that starts with https:// or http://")
    return value


def _secret_url(value: SecretStr) -> SecretStr:
    _url(value.get_secret_value())
    return value


Text = Annotated[str, WithJsonSchema({"type": "string", "format": "multi-line"})]
"""Prose: may be empty and have several lines."""
Line = Annotated[str, AfterValidator(_single_line)]
"""One line, or empty."""
Name = Annotated[str, AfterValidator(_not_empty), AfterValidator(_single_line)]
"""A name or a path: one line, never blank."""
Url = Annotated[Line, AfterValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]
"""An http address without credentials, or empty."""
Secret = Annotated[SecretStr, AfterValidator(_secret)]
"""A token or key, masked wherever it is shown."""
SecretUrl = Annotated[Secret, AfterValidator(_secret_url)]
"""An address that is a secret in itself."""


class Problem(NamedTuple):
    """A rule across keys that does not hold.

    Attributes:
        path: The key to change, relative to the block that found it: `stages.0.name`.
        text: What is wrong and what to do.
        reads: Every key the rule looked at; when one of them is wrong itself, the rule is moot.
    """

    path: str
    text: str
    reads: tuple[str, ...]


class Section(BaseModel):
    """A block of the configuration: unknown keys, wrong types and odd numbers are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        validate_assignment=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        loc_by_alias=False,
        protected_namespaces=(),
    )

    @field_validator("*", mode="before")
    @classmethod
    def _accept_paths_and_numpy(cls, value: Any) -> Any:
        return [_python(item) for item in value] if type(value) is list else _python(value)

    @field_validator("*", mode="after")
    @classmethod
    def _only_plain_values(cls, value: Any) -> Any:
        return _plain(value, _MAX_DEPTH)

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        problems = list(self._settle())
        if problems:
            text = "; ".join(f"{problem.path}: {problem.text}" for problem in problems)
            raise PydanticCustomError("forgelm_rules", text, {"problems": problems})
        return self

    def _settle(self) -> Iterator[Problem]:
        """Turn old spellings into new ones; yield each rule across keys that does not hold."""
        return iter(())

    def _adopt(self, old: str, new: str, value: Any) -> Iterator[Problem]:
        """Let the deprecated switch `old` mean `new: value`, and warn."""
        if not self.__dict__[old]:
            return
        if new in self.model_fields_set and self.__dict__[new] != value:
            yield Problem(old, f"contradicts {new}; keep {new} alone", (old, new))
            return
        written = str(value).lower() if isinstance(value, bool) else value
        warnings.warn(
            f"{old} is deprecated; write `{new}: {written}`",
            DeprecationWarning,
            stacklevel=_frames_to_caller(),
        )
        self.__dict__.update({old: False, new: value})
        self.__pydantic_fields_set__.discard(old)
        self.__pydantic_fields_set__.add(new)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            # pydantic keeps the new value when a rule across keys refuses it
            before, fields_set = dict(self.__dict__), set(self.__pydantic_fields_set__)
            try:
                super().__setattr__(name, value)
            except ValidationError:
                object.__setattr__(self, "__dict__", before)
                object.__setattr__(self, "__pydantic_fields_set__", fields_set)
                raise


def _python(value: Any) -> Any:
    """Return a path as text and a number of numpy as Python's own."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def _plain(value: Any, depth: int) -> Any:
    """Return `value`, copied, when YAML and JSON can hold it exactly."""
    value = _python(value)
    if isinstance(value, str):
        if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n\r" for c in value):
            raise _refuse("has a control character in it; remove it")
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise _refuse("is too large a number")
        return value
    if isinstance(value, float):
        if value - value != 0:
            raise _refuse("must be a finite number")
        return value + 0.0  # -0.0 becomes 0.0, so that equal configurations have equal digests
    if value is None or isinstance(value, BaseModel | SecretStr):
        return value
    if depth == 0:
        raise _refuse(f"is nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, list):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {_plain(key, 1): _plain(item, depth - 1) for key, item in value.items()}
    raise _refuse("must be made of text, numbers, true, false, null, lists and text keys")


def _frames_to_caller() -> int:
    """Count the frames from our caller up to the first one outside this package and pydantic."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(("forgelm.config", "pydantic")):
            break
        frame, level = frame.f_back, level + 1
    return level
