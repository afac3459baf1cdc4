"""The configuration being built: its YAML text, its history and what is wrong with it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from forgelm import ForgeConfig, parse_config
from forgelm.errors import ConfigError
from forgelm_widgets.config_builder._fields import field_at, secret_paths, to_value
from forgelm_widgets.config_builder._yaml_patch import (
    DELETE,
    UnreadableYamlError,
    patch,
    read,
)

__all__ = ["ConfigDocument", "Problem", "dotted"]

_PLACE = re.compile(r"line (\d+), column (\d+): (.*)", re.DOTALL)
_HISTORY = 200


class Problem(NamedTuple):
    """One thing that is wrong: the key, the words, and the place in the text (from 1, or 0)."""

    path: str
    text: str
    line: int = 0
    column: int = 0


def dotted(path: Sequence[str | int]) -> str:
    """Return a place as people write it: `pipeline.stages[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class ConfigDocument:
    """YAML text and everything that follows from it; secrets stand beside it, never in it."""

    def __init__(self, text: str = "") -> None:
        self.secrets: dict[tuple[str, ...], str] = {}
        self.draft: tuple[Problem, ...] = ()
        self._past: list[str] = []
        self._future: list[str] = []
        text, self.secrets = _taken_apart(text)
        self._adopt(text)

    @property
    def can_undo(self) -> bool:
        """There is an edit to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """There is an edit that was taken back."""
        return bool(self._future)

    def config(self) -> ForgeConfig:
        """Return the configuration, secrets included.

        Raises:
            ConfigError: It is not valid, or the YAML being typed cannot be read.
        """
        if self.draft:
            raise ConfigError(issues=[(one.path, one.text) for one in self.draft])
        config = _parsed(self.text)
        if not self.secrets:
            return config
        values = read(self.text) or {}
        for path, secret in self.secrets.items():
            here = values
            for part in path[:-1]:
                here = here[part]
            here[path[-1]] = secret
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return ForgeConfig.model_validate(values)

    def check(self) -> tuple[Problem, ...]:
        """Return every problem, in the order of the text."""
        if self.draft:
            return self.draft
        found = list(_problems(self.text))
        if not found and self.secrets:
            try:
                self.config()
            except ConfigError as error:
                found += [Problem(path, text) for path, text in error.issues]
        return tuple(found)

    def edit(self, text: str) -> None:
        """Take YAML typed by a person; one that cannot be read leaves the last good state."""
        try:
            values = read(text)
        except UnreadableYamlError as error:
            self.draft = _problems(text) or (Problem("", str(error)),)
            return
        if values is not None and not isinstance(values, dict):
            self.draft = (Problem("", "must be a block of keys, such as `model:`", 1, 1),)
            return
        written = _secrets_in(values)
        if written:
            self.draft = tuple(
                Problem(dotted(path), "is a secret: type it into its field, not into the YAML")
                for path in written
            )
            return
        self.draft = ()
        self._remember()
        self._adopt(text)

    def load(self, text: str) -> None:
        """Replace everything by `text`; secrets in it are taken out and kept beside it.

        Raises:
            ConfigError: It is not YAML, or a secret in it stands in another place too.
        """
        text, secrets = _taken_apart(text)
        self._remember()
        self.draft = ()
        self.secrets = secrets
        self._adopt(text)

    def set(self, path: Sequence[str | int], value: Any) -> None:
        """Write one value into the text, or take the key away with `DELETE`.

        Raises:
            KeyError: There is no such field.
        """
        field = field_at(path)
        if field is None or not path:
            raise KeyError(f"there is no field {dotted(path)!r}")
        if field.secret:
            raise KeyError(f"{dotted(path)} is a secret; use set_secret")
        try:
            text = patch(self.text, path, to_value(path, value))
        except (IndexError, TypeError, AttributeError):
            raise KeyError(f"there is no place {dotted(path)!r} in the document") from None
        if _secrets_in(read(text)):
            raise KeyError(f"there is a secret in {dotted(path)}; use its own field")
        self._remember()
        self._adopt(text)

    def set_secret(self, path: Sequence[str], value: str) -> None:
        """Keep a secret in this object alone; an empty one is forgotten."""
        place = tuple(path)
        if place not in set(secret_paths()):
            raise KeyError(f"{dotted(path)} is no secret field")
        if not value:
            self.secrets.pop(place, None)
            return
        if not isinstance(_value(self.values, place[:-1]), dict):
            self.set(place[:-1], {})
        self.secrets[place] = value

    def undo(self) -> None:
        """Take the last edit back."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Make the edit again that was taken back."""
        self._step(self._future, self._past)

    def forget_history(self) -> None:
        """Make the present text the first one."""
        self._past, self._future = [], []

    @staticmethod
    def plain(text: str) -> Any:
        """Return the plain value that YAML typed into one field means.

        Raises:
            ConfigError: It is not YAML.
        """
        try:
            return read(text)
        except UnreadableYamlError as error:
            raise ConfigError(str(error)) from None

    def _step(self, source: list[str], target: list[str]) -> None:
        if self.draft:
            self.draft = ()
        elif source:
            target.append(self.text)
            self._adopt(source.pop())

    def _remember(self) -> None:
        self._past = [*self._past, self.text][-_HISTORY:]
        self._future = []

    def _adopt(self, text: str) -> None:
        self.text = text
        self.values: dict[str, Any] = read(text) or {}
        if self._past and self._past[-1] == text:
            self._past.pop()
        self.secrets = {
            path: secret
            for path, secret in self.secrets.items()
            if isinstance(_value(self.values, path[:-1]), dict)
        }


def _taken_apart(text: str) -> tuple[str, dict[tuple[str, ...], str]]:
    """Return the YAML without its secrets, and the secrets by their place."""
    try:
        values = read(text)
    except UnreadableYamlError as error:
        _parsed(text)
        raise ConfigError(issues=[("", str(error))]) from None
    if values is not None and not isinstance(values, dict):
        raise ConfigError(issues=[("", "must be a block of keys, such as `model:`")])
    secrets = {path: str(_value(values, path)) for path in _secrets_in(values)}
    for path in secrets:
        text = patch(text, path, DELETE)
    for path, secret in secrets.items():
        if secret in text:
            problem = "is a secret that stands in another place of the YAML too; take it out there"
            raise ConfigError(issues=[(dotted(path), problem)])
    return text, secrets


def _parsed(text: str) -> ForgeConfig:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return parse_config(text)


def _problems(text: str) -> tuple[Problem, ...]:
    try:
        _parsed(text)
    except ConfigError as error:
        return tuple(_located(path, words) for path, words in error.issues)
    return ()


def _located(path: str, words: str) -> Problem:
    place = _PLACE.fullmatch(words)
    if place is None:
        return Problem(path, words)
    return Problem(path, place[3], int(place[1]), int(place[2]))


def _value(values: Any, path: Sequence[str]) -> Any:
    for part in path:
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _secrets_in(values: Any) -> list[tuple[str, ...]]:
    """Return the places of secrets that are written out, not masked."""
    return [path for path in secret_paths() if set(str(_value(values, path) or "")) - {"*"}]
