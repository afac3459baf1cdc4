"""What a command hands back to the shell: a text or one JSON object, and an exit code."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgelm._core import json_safe
from forgelm.cli._exit_codes import ExitCode, exit_code_of_error, is_bad_argument
from forgelm.errors import ConfigError, ForgeError

if TYPE_CHECKING:
    from forgelm.results import Verdict

__all__ = [
    "ForgeCommand",
    "Presentation",
    "Session",
    "error_message",
    "listed",
    "present_error",
    "shared_options",
    "shown",
    "verdict_lines",
    "write",
]


@dataclass(frozen=True)
class Presentation:
    """What one call says: a text for people, a document for programs, a code for the shell.

    An error is told in place of a result: as text on stderr, as JSON on stdout like any other.
    """

    text: str
    document: Mapping[str, Any]
    exit_code: ExitCode = ExitCode.SUCCESS
    is_error: bool = False


@dataclass
class Session:
    """One call of the command line; its command leaves here what is to be said."""

    presentation: Presentation | None = None


def shared_options() -> list[click.Parameter]:
    """Return the options that every command takes; `run` reads them from the arguments itself."""
    return [
        click.Option(
            ["--output-format"],
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            expose_value=False,
            help="json: exactly one object on stdout, everything else on stderr.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            help="Show the traceback of an error.",
        ),
    ]


class ForgeCommand(click.Command):
    """A command that returns a public function's object and knows how to present it.

    `command.main(arguments, standalone_mode=False)` yields the object and prints nothing.
    """

    def __init__(self, *args: Any, present: Callable[[Any], Presentation], **options: Any) -> None:
        super().__init__(*args, **options)
        self.present = present
        self.params += shared_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; in a session keep stdout free of whatever libraries print."""
        session = ctx.find_object(Session)
        if session is None:
            return super().invoke(ctx)
        with contextlib.redirect_stdout(sys.stderr):
            result = super().invoke(ctx)
            session.presentation = self.present(result)
        return result


def listed(counts: Mapping[str, int]) -> str:
    """Return `{"email": 8, "phone": 6}` as "email 8, phone 6", and "none" where all are zero."""
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


def verdict_lines(verdict: Verdict) -> str:
    """Return what a gate decided, why, and the figures it rests on, a line each."""
    reason = f": {verdict.reason}" if verdict.reason else ""
    line = f"  gate {verdict.gate:<11} {verdict.status}{reason}"
    figures = [f"{name} {value:.4g}" for name, value in verdict.measured.items()]
    return "\n".join([line, *(f"    {figure}" for figure in figures)])


def shown(path: str | Path) -> str:
    """Return a path as seen from here, where it lies below."""
    here = Path.cwd()
    place = Path(path)
    return str(place.relative_to(here) if place.is_relative_to(here) else place)


def present_error(error: BaseException) -> Presentation:
    """Return one clear message for `error`; a traceback is never part of it."""
    message = error_message(error)
    document: dict[str, Any] = {"type": type(error).__name__, "message": message}
    if isinstance(error, ConfigError):
        document["issues"] = error.errors()
    code = exit_code_of_error(error)
    return Presentation(
        f"error: {message}", {"error": document, "exit_code": int(code)}, code, is_error=True
    )


def error_message(error: BaseException) -> str:
    """Return what went wrong and what to do, in words and without a traceback."""
    if isinstance(error, ForgeError) or is_bad_argument(error):
        return str(error)
    if isinstance(error, click.UsageError):
        help_of = error.ctx.command_path if error.ctx else "forgelm"
        return f"{error.format_message()} Try '{help_of} --help'."
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "stopped at once; whatever was saved before stays where it is."
    if isinstance(error, OSError) and error.filename is not None and error.errno is not None:
        said = error.strerror == os.strerror(error.errno)
        hint = ". Check the path and who may use it." if said else ""
        return f"{error.filename}: {error.strerror}{hint}"
    return f"unexpected {type(error).__name__}: {error}. Repeat with --debug for the traceback."


def write(presentation: Presentation, *, as_json: bool) -> ExitCode:
    """Print a presentation, a result to stdout and an error's text to stderr; return its code.

    A reader that went away (`| head`) is not an error; a full disk behind stdout is.
    """
    text = presentation.text
    if as_json:
        text = json.dumps(json_safe(presentation.document), ensure_ascii=False, allow_nan=False)
    try:
        click.echo(text, err=presentation.is_error and not as_json)
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes stdout once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            click.echo(present_error(error).text, err=True)
            return ExitCode.RUNTIME
    return presentation.exit_code
