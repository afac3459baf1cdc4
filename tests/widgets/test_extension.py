"""`%load_ext forgelm`: light, symmetric, and it knows where the results live."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

import forgelm
from forgelm_widgets._display import CARDS
from forgelm_widgets._extension import _PRINTERS

_HEAVY = {"torch", "datasets", "pandas", "plotly", "numpy", "pydantic", "anywidget"}


def _registered(shell: InteractiveShell) -> dict[Any, Any]:
    formatter: Any = shell.display_formatter.mimebundle_formatter  # type: ignore[union-attr]
    return {**formatter.type_printers, **formatter.deferred_printers}


def test_loading_brings_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'forgelm')\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & _HEAVY == set()


def _everything(shell: InteractiveShell) -> list[Any]:
    """Return all that an extension can leave behind in a shell."""
    manager: Any = shell.magics_manager
    return [
        _registered(shell),
        dict(shell.display_formatter.formatters["text/plain"].type_printers),  # type: ignore[union-attr]
        dict(manager.magics["line"]),
        dict(manager.magics["cell"]),
        dict(vars(manager.user_magics)),
        list(manager.registry),
        list(shell.Completer.custom_matchers),  # type: ignore[union-attr]
        list(shell.input_transformers_cleanup),
        list(shell.input_transformers_post),
        {event: list(calls) for event, calls in shell.events.callbacks.items()},
        sorted(set(shell.user_ns) - {"_", "__", "___"}),
        sorted(vars(shell)),
    ]


def test_unloading_removes_exactly_what_loading_added(shell: InteractiveShell) -> None:
    before = _everything(shell)
    forgelm.load_ipython_extension(shell)
    assert len(_registered(shell)) == len(before[0]) + 35
    assert all(now != then for now, then in zip(_everything(shell)[:5], before, strict=False))
    forgelm.unload_ipython_extension(shell)
    assert _everything(shell) == before


def test_a_magic_of_the_same_name_comes_back(shell: InteractiveShell) -> None:
    shell.register_magic_function(lambda _: "mine", "line", "forgelm")  # type: ignore[union-attr]
    before = _everything(shell)
    forgelm.load_ipython_extension(shell)
    forgelm.unload_ipython_extension(shell)
    assert _everything(shell) == before
    assert shell.run_line_magic("forgelm", "") == "mine"


def test_loading_twice_is_harmless_even_after_something_was_shown(shell: InteractiveShell) -> None:
    before = _registered(shell)
    forgelm.load_ipython_extension(shell)
    formatted, _ = shell.display_formatter.format(forgelm.TrainResult(success=True))  # type: ignore[union-attr]
    forgelm.load_ipython_extension(shell)
    forgelm.unload_ipython_extension(shell)
    assert _registered(shell) == before
    assert "application/vnd.forgelm.train-result+json" in formatted
    assert formatted["text/plain"].startswith("Training: Training succeeded")


def test_a_list_of_results_is_one_table_and_any_other_list_is_as_ever(
    shell: InteractiveShell,
) -> None:
    forgelm.load_ipython_extension(shell)
    show: Any = shell.display_formatter.format  # type: ignore[union-attr]
    found = [forgelm.Verdict("loss", "passed"), forgelm.Verdict("safety", "failed", "2 unsafe")]
    faces, _ = show(found)
    assert (
        faces["text/plain"]
        == "Gates: Failed: safety\n  loss · passed\n  safety · failed · 2 unsafe"
    )
    assert "<li>safety · failed · 2 unsafe" in faces["text/html"]
    for other in ([], [1, 2], [found[0], 3], [[found[0]]], {"a": found[:1]}):
        assert show(other)[0] == {"text/plain": repr(other)}
    forgelm.unload_ipython_extension(shell)
    assert set(show(found)[0]) == {"text/plain"}


class _Named(list):  # type: ignore[type-arg]
    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": "mine"}


def test_a_kind_of_list_that_shows_itself_still_does(shell: InteractiveShell) -> None:
    forgelm.load_ipython_extension(shell)
    faces, _ = shell.display_formatter.format(_Named([1]))  # type: ignore[union-attr]
    assert faces["text/html"] == "mine"


def test_a_formatter_of_somebody_else_stays(shell: InteractiveShell) -> None:
    def mine(_: Any) -> dict[str, str]:
        return {"text/plain": "mine"}

    formatter: Any = shell.display_formatter.mimebundle_formatter  # type: ignore[union-attr]
    formatter.for_type(forgelm.TrainResult, mine)
    forgelm.load_ipython_extension(shell)
    forgelm.unload_ipython_extension(shell)
    assert formatter.lookup_by_type(forgelm.TrainResult) is mine


def test_every_printer_is_registered_where_its_public_class_is_defined() -> None:
    paths = {path.rpartition(".")[2]: path for path in _PRINTERS}
    assert set(paths) == set(CARDS) - {"RunList"} | {"list"}
    public = {name: getattr(forgelm, name) for name in set(paths) & set(forgelm.__all__)}
    assert len(public) == 34
    for name, cls in public.items():
        assert f"{cls.__module__}.{cls.__name__}" == paths[name]
