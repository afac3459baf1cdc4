"""`ConfigBuilder`: a form and YAML side by side, both the same configuration."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import traitlets
from IPython.display import display

from forgelm import ForgeConfig
from forgelm.errors import ConfigError
from forgelm_widgets._base import ForgeWidget, command, front_end
from forgelm_widgets._card import Card
from forgelm_widgets._publisher import Publisher
from forgelm_widgets.config_builder._document import ConfigDocument, dotted
from forgelm_widgets.config_builder._fields import form_payload
from forgelm_widgets.config_builder._outlook import complete_path, outlook
from forgelm_widgets.config_builder._presets import PRESETS
from forgelm_widgets.config_builder._sources import (
    Change,
    changes,
    full_values,
    read_file,
    text_of,
    write_whole,
)
from forgelm_widgets.config_builder._static import config_card
from forgelm_widgets.config_builder._yaml_patch import DELETE, read

if TYPE_CHECKING:
    from forgelm_widgets.training_monitor import TrainingMonitor

__all__ = ["Change", "ConfigBuilder"]

_SCRIPTS = ("calls.js", "dom.js")
_PARTS = ("controls.js", "row.js", "form.js", "text_pane.js", "outlook.js", "view.js")
_OUTLOOK_AFTER_S = 0.3


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
    _css = front_end("_shared/theme.css", "_shared/controls.css", "config_builder/view.css")
    presets: ClassVar[Mapping[str, str]] = {name: one.title for name, one in PRESETS.items()}

    form = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    # On the class, because a widget whose __init__ raised is closed all the same.
    _foreseer: Publisher | None = None

    def __init__(
        self, start: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig | None = None
    ) -> None:
        self._document = ConfigDocument()
        self._lock = threading.RLock()
        self._seq = 0
        self._outlook: dict[str, Any] = {}
        self._monitor: TrainingMonitor | None = None
        self._monitor_place: str | None = None
        self._told = ""
        if start is not None:
            self._document.load(text_of(start))
            self._document.forget_history()
        presets = [[name, title] for name, title in self.presets.items()]
        super().__init__(form={"tree": form_payload(), "presets": presets}, state=self._state())
        # A thread of its own: what it looks at may be slow, and keys pressed do not wait for it.
        self._foreseer = Publisher(self._on_error)
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
        text = text_of(source)
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
        write_whole(target, text, overwrite=overwrite)
        return target

    def diff(self, other: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig) -> list[Change]:
        """Return the keys that `other` sets differently, defaults counted, secrets left out."""
        theirs = ConfigDocument(text_of(other)).config()
        return list(changes(full_values(self.config), full_values(theirs)))

    def to_code(self) -> str:
        """Return Python that builds the same configuration, without secrets."""
        self.config  # noqa: B018 - raises what is wrong
        blocks = read(self.yaml) or {}
        lines = [f"    {name}={value!r}," for name, value in blocks.items()]
        return "\n".join(
            ["from forgelm import ForgeConfig", "", "config = ForgeConfig(", *lines, ")"]
        )

    @property
    def monitor(self) -> TrainingMonitor | None:
        """The live view of the training that was started here last, None before."""
        return self._monitor

    def train(self) -> TrainingMonitor:
        """Start a training as the form says, in a process of its own; return its live view.

        A form that is on the page shows the view below itself too.

        Raises:
            ConfigError: It is not valid, or something would stop the training; all is listed.
            TrainingError: A run is going on in its folder.
        """
        import forgelm_widgets

        config = self.config
        monitor: TrainingMonitor = forgelm_widgets.launch(config)
        with self._lock:
            self._monitor = monitor
            folder = Path(config.training.output_dir).expanduser().absolute()
            below = self._monitor_place is not None
            where = "Its live view is below" if below else "builder.monitor shows it"
            self._told = f"A training was started in a process of its own, in {folder}. {where}."
            self._changed()
        if self._monitor_place is not None:
            monitor.show_at(self._monitor_place)
        return monitor

    def show(self) -> None:
        """Show the form here, with a place below for a training, or its card once it is closed."""
        super().show()
        if self._is_live:
            self._monitor_place = self._monitor_place or f"forgelm-{uuid.uuid4().hex}"
            display(  # type: ignore[no-untyped-call]
                {"text/html": "", "text/plain": ""}, raw=True, display_id=self._monitor_place
            )

    _ipython_display_ = show

    def freeze(self) -> None:
        """Put a card with the YAML in the form's place; a training that was started goes on."""
        if self._foreseer is not None:
            self._foreseer.close()
        super().freeze()

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until every command that came has been carried out, and its outlook is shown."""
        foreseer = self._foreseer
        seen = foreseer is None or (super().wait(timeout_s) and foreseer.wait(timeout_s))
        return seen and super().wait(timeout_s)

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
        text = read_file(path)
        return self._do(lambda document: document.load(text))

    @command
    def _cmd_save(self, *, path: str, overwrite: bool = False) -> dict[str, Any]:
        try:
            return {"saved": str(self.save(path, overwrite=overwrite is True))}
        except FileExistsError:
            return {"exists": path}

    @command
    def _cmd_train(self) -> None:
        self.train()

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
            "run": self._told,
        }

    def _look_ahead(self) -> None:
        if self._foreseer is not None:
            self._foreseer.put(self._foresee, after_s=_OUTLOOK_AFTER_S, key="outlook")

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
                if seq == self._seq and found != self._outlook and self._publisher is not None:
                    self._outlook = found
                    self._publisher.put(self._publish, key="state")
