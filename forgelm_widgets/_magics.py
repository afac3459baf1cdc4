"""`%forgelm` and `%%forgelm`: the command line's commands, with objects for answers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand, output_can_be_silenced

from forgelm_widgets._variables import expand_words, expand_yaml, shown_by_name

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from forgelm_widgets._commands import Call

__all__ = ["CommandError", "ForgelmMagic"]


class CommandError(Exception):
    """Why a `%forgelm` line gave nothing; a notebook shows the sentence without a traceback.

    It ends the cell as any error does, so "Run all" stops there. `__cause__` is the error itself.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"forgelm: {self}"]


class ForgelmMagic:
    """The function behind `%forgelm` and `%%forgelm`, bound to one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    @no_var_expand
    @output_can_be_silenced
    def run(self, line: str, cell: str | None = None) -> Any:
        """Run a forgelm command and return its object.

        %forgelm help                       every command
        %forgelm help audit                 one command; %forgelm audit? does the same
        %forgelm audit data.jsonl -o report
        %forgelm train config.yaml          in a process of its own; --in-cell: in this one
        %%forgelm config -o config          a configuration written in the cell
        %%forgelm train                     the same, and train as it says

        `{name}` stands for the value of a variable, `{{name}}` for itself. Tab completes commands,
        options, paths, variables, and in a cell the keys and values of the YAML.
        """
        from forgelm_widgets._commands import Call

        call = Call()
        variables: Mapping[str, Any] = self._shell.user_ns
        inserted: dict[str, str] = {}
        try:
            words = expand_words(_split(line.rstrip().removesuffix(";")), variables)
            yaml = None
            if cell is not None:
                yaml, inserted = expand_yaml(cell, variables)
            result = self._invoke(words, yaml, call)
        except (Exception, KeyboardInterrupt) as error:
            if call.debug:
                raise
            raise CommandError(_sentence(error, inserted)) from error
        if call.assign_to is not None and result is not None:
            self._shell.user_ns[call.assign_to] = result
        return result

    def _invoke(self, words: list[str], yaml: str | None, call: Call) -> Any:
        from forgelm_widgets._commands import cell_commands, line_commands

        group = line_commands() if yaml is None else cell_commands(yaml)
        name = "%forgelm" if yaml is None else "%%forgelm"
        result = group.main(words or ["help"], prog_name=name, obj=call, standalone_mode=False)
        # `--help` ends with the code 0 in place of a result.
        return None if isinstance(result, int) else result


def _split(line: str) -> list[str]:
    """Return the words of a line as a shell sees them; on Windows a backslash is a path's."""
    try:
        reader = shlex.shlex(line, posix=True, punctuation_chars=False)
        reader.whitespace_split, reader.commenters = True, ""
        if sys.platform == "win32":
            reader.escape = ""
        return list(reader)
    except ValueError as error:
        raise ValueError(f"{error}: close the quotation, or escape it.") from None


def _sentence(error: BaseException, inserted: Mapping[str, str]) -> str:
    from forgelm import mask_secrets
    from forgelm.cli import error_message

    return mask_secrets(shown_by_name(error_message(error), inserted))
