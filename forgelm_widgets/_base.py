"""What every widget here is made of: its front end, its commands and its end."""

from __future__ import annotations

import inspect
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from forgelm.errors import ForgeError, OptionalDependencyError

try:
    import anywidget
    from IPython.display import display, update_display
except ImportError as error:
    raise OptionalDependencyError(
        "anywidget", extra="notebook", feature="A forgelm widget"
    ) from error

from forgelm_widgets._card import Card
from forgelm_widgets._html import card_html, card_text
from forgelm_widgets._publisher import Publisher

__all__ = ["ForgeWidget", "command", "front_end"]

_FOLDER = Path(__file__).parent
_Method = TypeVar("_Method", bound=Callable[..., Any])


def command(method: _Method) -> _Method:
    """Let the view call `method`, with keyword arguments alone.

    Its name is what follows `_cmd_`.
    """
    method.is_command = True  # type: ignore[attr-defined]
    return method


def front_end(*names: str) -> str:
    """Return front-end sources as one script.

    They are classic scripts without imports, the shared ones first and the view last, so that
    what is reviewed is what runs and an installation needs nothing but Python.
    """
    return "\n".join((_FOLDER / name).read_text("utf-8") for name in names)


class ForgeWidget(anywidget.AnyWidget):
    """A view with commands: `{kind: "cmd", id, name, args}` is answered by an ack and a result.

    The ack comes at once, from whichever thread the message arrives on; the command itself runs
    on the widget's own thread, which is the only one that sends anything else.
    """

    _commands: ClassVar[dict[str, Callable[..., Any]]] = {}
    # On the class, because a widget whose __init__ raised is closed all the same.
    _publisher: Publisher | None = None
    _display_id: str | None = None
    _is_live = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {
            name.removeprefix("_cmd_"): member
            for name, member in vars(cls).items()
            if getattr(member, "is_command", False)
        }
        cls._commands = {**cls._commands, **own}

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._publisher = Publisher(self._on_error)
        self._seen: deque[Any] = deque(maxlen=200)
        self._is_live = True
        self.on_msg(self._on_message)

    def card(self) -> Card:
        """Return what to show in the view's place once it has ended."""
        raise NotImplementedError

    def show(self) -> None:
        """Show the view here, or its static card once it has ended."""
        self._display_id = self._display_id or f"forgelm-{uuid.uuid4().hex}"
        display(self._face(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    _ipython_display_ = show

    def show_at(self, display_id: str) -> None:
        """Show the view in place of the output that has this id."""
        self._display_id = display_id
        update_display(self._face(), raw=True, display_id=display_id)  # type: ignore[no-untyped-call]

    def freeze(self) -> None:
        """Put the static card in the view's place, so that the saved notebook shows it."""
        if not self._is_live:
            return
        self._is_live = False
        if self._publisher is not None:
            self._publisher.close()
        if self._display_id:
            update_display(self._face(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]
        self._leave()

    def _leave(self) -> None:
        """Take the view away: the card stands in its place."""
        layout = self.layout
        super().close()
        layout.close()

    def close(self) -> None:
        """End the widget's thread and leave the static card."""
        self.freeze()

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until every command that came has been carried out."""
        return self._publisher is None or self._publisher.wait(timeout_s)

    def _face(self) -> dict[str, Any]:
        if self._is_live:
            bundle, _ = self._repr_mimebundle_() or ({}, {})
            return bundle
        card = self.card().safe()
        return {"text/html": card_html(card), "text/plain": card_text(card)}

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "cmd" or not self._publisher:
            return
        number, name, args = (content.get(key) for key in ("id", "name", "args"))
        self.send({"kind": "ack", "id": number})
        # a view that waited too long, because a cell ran, has sent it twice
        if number in self._seen:
            return
        self._seen.append(number)
        self._publisher.put(lambda: self._answer(number, name, args))

    def _answer(self, number: Any, name: Any, args: Any) -> None:
        try:
            method = self._commands.get(name) if isinstance(name, str) else None
            if method is None:
                raise ForgeError("there is no such command")
            arguments = args if isinstance(args, dict) else {}
            try:
                inspect.signature(method).bind(self, **arguments)
            except TypeError as error:
                raise ForgeError(f"{name}: {error}") from None
            result: dict[str, Any] = {"ok": True, "value": method(self, **arguments)}
        except (ForgeError, OSError, LookupError, ValueError) as error:
            words = error.args[0] if isinstance(error, KeyError) and error.args else error
            result = {"ok": False, "error": str(words)[:2000]}
        except Exception as error:  # noqa: BLE001 - the view waits for an answer
            result = {"ok": False, "error": f"{type(error).__name__} in the kernel"}
        self.send({"kind": "result", "id": number, **result})

    def _on_error(self, error: Exception) -> None:
        """Say in the view that something went wrong here, by kind alone: values stay unsaid."""
        self.send({"kind": "fault", "error": f"{type(error).__name__} in the kernel"})
