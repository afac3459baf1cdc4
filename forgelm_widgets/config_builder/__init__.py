"""`ConfigBuilder`: a form and YAML side by side, both the same configuration."""

from __future__ import annotations

import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import traitlets

from forgelm import ForgeConfig
from forgelm.errors import ConfigError
from forgelm_widgets._base import ForgeWidget, command, front_end
from forgelm_widgets._card import Card
from forgelm_widgets.config_builder._document import ConfigDocument, dotted
from forgelm_widgets.config_builder._fields import form_payload
from forgelm_widgets.config_builder._outlook import complete_path, outlook
from forgelm_widgets.config_builder._presets import PRESETS
from forgelm_widgets.config_builder._static import config_card
from forgelm_widgets.config_builder._yaml_patch import DELETE, read, render

__all__ = ["Change", "ConfigBuilder"]

_SCRIPTS = ("calls.js", "dom.js")
_PARTS = ("controls.js", "form.js", "text_pane.js", "outlook.js", "view.js")
_OUTLOOK_AFTER_S = 0.3
_LONGEST_FILE_BYTES = 400_000


class Change(NamedTuple):
    """A key that two configurations set differently."""

    path: str
    this: Any
    other: Any


class ConfigBuilder(ForgeWidget):
    """A form for a whole configuration, with its YAML beside it; either changes the other.

    The YAML holds only what was set. Secrets typed into the form stay in this kernel's memory:
    they are in no trait, no YAML, no saved notebook and no log.

    Args:
        start: A YAML file, the blocks of a configuration, a `ForgeConfig`, or the name of a
            preset; nothing for an empty form.

    Example:
        >>> builder = ConfigBuilder("cpu-smoke")
        >>> builder.config.training.max_steps
        5
        >>> builder.close()
    """

    _esm = front_end(
        *(f"_shared/{name}" for name in _SCRIPTS), *(f"config_builder/{name}" for name in _PARTS)
    )
    _css = front_end("_shared/theme.css", "config_builder/view.css")
    presets: ClassVar[Mapping[str, str]] = {name: one.title for name, one in PRESETS.items()}

    form = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self, start: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig | None = None
    ) -> None:
        self._document = ConfigDocument()
        self._lock = threading.RLock()
        self._seq = 0
        self._outlook: dict[str, Any] = {}
        if start is not None:
            self._document.load(_text_of(start))
            self._document.forget_history()
        presets = [[name, title] for name, title in self.presets.items()]
        super().__init__(form={"tree": form_payload(), "presets": presets}, state=self._state())
        self._look_ahead()

    @property
    def config(self) -> ForgeConfig:
        """The configuration, secrets included.

        Raises:
            ConfigError: It is not valid yet; every problem is listed.
        """
        with self._lock:
            return self._document.config()

    @property
    def yaml(self) -> str:
        """The YAML as it stands, without secrets; the last that could be read."""
        return self._document.text

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Every problem as `(path, words)`; empty when the configuration is valid."""
        with self._lock:
            return [(one.path, one.text) for one in self._document.check()]

    def load(self, source: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig) -> Self:
        """Replace everything by a YAML file, blocks, a `ForgeConfig` or a preset.

        Raises:
            ConfigError: It cannot be read. Values that are wrong are shown in the form instead.
        """
        text = _text_of(source)
        with self._lock:
            self._document.load(text)
            self._changed()
        return self

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the YAML to a file, whole or not at all; secrets are left out.

        Raises:
            ConfigError: The configuration is not valid yet.
            FileExistsError: There is such a file, and `overwrite` is not set.
        """
        with self._lock:
            self._document.config()
            text = self._document.text
        target = Path(path).expanduser()
        _write(target, text, overwrite=overwrite)
        return target

    def diff(self, other: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig) -> list[Change]:
        """Return the keys that `other` sets differently, defaults counted, secrets left out."""
        theirs = ConfigDocument(_text_of(other)).config()
        return list(_changes(_full(self.config), _full(theirs)))

    def to_code(self) -> str:
        """Return Python that builds the same configuration, without secrets."""
        self.config  # noqa: B018 - raises what is wrong
        blocks = read(self.yaml) or {}
        lines = [f"    {name}={value!r}," for name, value in blocks.items()]
        return "\n".join(
            ["from forgelm import ForgeConfig", "", "config = ForgeConfig(", *lines, ")"]
        )

    def card(self) -> Card:
        """Return what to show in the form's place once it is closed."""
        with self._lock:
            return config_card(self._document)

    def __repr__(self) -> str:
        problems = len(self.errors)
        return f"ConfigBuilder({f'{problems} problems' if problems else 'valid'})"

    @command
    def _cmd_edit(self, *, text: str) -> int:
        return self._do(lambda document: document.edit(text))

    @command
    def _cmd_set(self, *, path: list[str | int], value: Any) -> int:
        return self._do(lambda document: document.set(path, value))

    @command
    def _cmd_set_yaml(self, *, path: list[str | int], text: str) -> int:
        value = ConfigDocument.plain(text)
        return self._do(lambda document: document.set(path, value))

    @command
    def _cmd_reset(self, *, path: list[str | int]) -> int:
        return self._do(lambda document: document.set(path, DELETE))

    @command
    def _cmd_secret(self, *, path: list[str], value: str) -> int:
        return self._do(lambda document: document.set_secret(path, value))

    @command
    def _cmd_undo(self) -> int:
        return self._do(ConfigDocument.undo)

    @command
    def _cmd_redo(self) -> int:
        return self._do(ConfigDocument.redo)

    @command
    def _cmd_preset(self, *, name: str) -> int:
        return self._do(lambda document: document.load(PRESETS[name].yaml))

    @command
    def _cmd_load(self, *, path: str) -> int:
        text = _read_file(path)
        return self._do(lambda document: document.load(text))

    @command
    def _cmd_save(self, *, path: str, overwrite: bool = False) -> dict[str, Any]:
        try:
            return {"saved": str(self.save(path, overwrite=overwrite is True))}
        except FileExistsError:
            return {"exists": path}

    @command
    def _cmd_complete(self, *, text: str) -> list[str]:
        return complete_path(text)

    def _do(self, edit: Callable[[ConfigDocument], None]) -> int:
        """Make an edit; return the number of the state that will show it."""
        with self._lock:
            try:
                edit(self._document)
            finally:
                self._changed()
            return self._seq

    def _changed(self) -> None:
        """Show the document as it is now, and soon what it would do."""
        self._seq += 1
        if self._publisher is not None:
            self._publisher.put(self._publish, key="state")
        self._look_ahead()

    def _publish(self) -> None:
        with self._lock:
            self.state = self._state()

    def _state(self) -> dict[str, Any]:
        document = self._document
        return {
            "seq": self._seq,
            "yaml": document.text,
            "values": document.values,
            "problems": [list(problem) for problem in document.check()[:100]],
            "draft": bool(document.draft),
            "undo": document.can_undo,
            "redo": document.can_redo,
            "secrets": [dotted(path) for path in document.secrets],
            "outlook": self._outlook,
        }

    def _look_ahead(self) -> None:
        if self._publisher is not None:
            self._publisher.put(self._foresee, after_s=_OUTLOOK_AFTER_S, key="outlook")

    def _foresee(self) -> None:
        with self._lock:
            seq = self._seq
            try:
                config = self._document.config()
            except ConfigError:
                return
        found: dict[str, Any] = {}
        try:
            found = outlook(config)
        finally:
            # a look that failed takes the old one away: it was about another configuration
            with self._lock:
                if seq == self._seq and found != self._outlook:
                    self._outlook = found
                    self.state = self._state()


def _text_of(source: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig) -> str:
    if isinstance(source, ForgeConfig):
        return source.to_yaml(include_secrets=True)
    if isinstance(source, Mapping):
        return render(dict(source)) + "\n" if source else ""
    if isinstance(source, str) and source in PRESETS:
        return PRESETS[source].yaml
    return _read_file(source)


def _read_file(path: str | os.PathLike[str]) -> str:
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file; check the path", source=str(file))
    with file.open("rb") as stream:
        data = stream.read(_LONGEST_FILE_BYTES + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8; save it as UTF-8", source=str(file)) from None


def _write(target: Path, text: str, *, overwrite: bool) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", text=False)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(0o666 & ~_umask())
        if overwrite:
            draft.replace(target)
        else:
            # unlike a rename, a link never takes the place of a file that came meanwhile
            os.link(draft, target)
    except FileExistsError:
        raise FileExistsError(f"{target} is there already; overwrite=True replaces it") from None
    finally:
        draft.unlink(missing_ok=True)


@functools.cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _full(config: ForgeConfig) -> dict[str, Any]:
    values: dict[str, Any] = read(config.to_yaml(include_defaults=True))
    return values


def _changes(this: Any, other: Any, path: str = "") -> Iterator[Change]:
    if isinstance(this, dict) and isinstance(other, dict):
        for key in [*this, *(key for key in other if key not in this)]:
            yield from _changes(this.get(key), other.get(key), f"{path}.{key}".lstrip("."))
    elif this != other:
        yield Change(path, this, other)
