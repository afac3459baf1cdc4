"""The completion of `%forgelm` as IPython asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    Matcher = Callable[[CompletionContext], SimpleMatcherResult]

__all__ = ["make_matcher"]


def make_matcher(shell: InteractiveShell) -> Matcher:
    """Return a matcher for `shell.Completer.custom_matchers`; it speaks only in our cells."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    def match(context: CompletionContext) -> SimpleMatcherResult:
        nothing: SimpleMatcherResult = {"completions": []}
        if "%forgelm" not in context.full_text:
            return nothing
        from forgelm_widgets._completion import offers

        place = (context.full_text, context.cursor_line, context.cursor_position)
        found = offers(*place, shell.user_ns)
        if found is None:
            return nothing
        # Python's names would be offered where there is no completion at all: offer what is there.
        fragment = found[0].fragment if found else re.split(r"\s", context.text_until_cursor)[-1]
        here = [SimpleCompletion(text=each.text, type=each.kind) for each in found]
        return {
            "completions": here or [SimpleCompletion(text=fragment, type="text")],
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    matcher: Matcher = context_matcher(identifier="forgelm", priority=200)(match)
    return matcher
