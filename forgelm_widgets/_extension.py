"""`%load_ext forgelm`: cards, `%forgelm` and its completion; nothing loads before it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def _show(name: str, result: Any) -> dict[str, Any]:
    from forgelm_widgets._display import CARDS, bundle

    return bundle(CARDS[name](result))


def _show_list(result: list[Any]) -> dict[str, Any] | None:
    """Show a list of results, such as `list_approvals()`; any other shows itself as ever."""
    if type(result) is not list:
        # One who made a kind of list of his own has said how it shows itself.
        method = getattr(type(result), "_repr_mimebundle_", None)
        return method(result, include=None, exclude=None) if method else None
    if not result or not type(result[0]).__module__.startswith("forgelm."):
        return None
    from forgelm_widgets._display import bundle, card_of

    card = card_of(result)
    return bundle(card) if card else None


def _print_list(before: Callable[..., Any]) -> Callable[..., Any]:
    """Return what prints a list: IPython's own printer of lists would win over the card's text."""

    def show(found: list[Any], printer: Any, cycle: bool) -> None:
        is_whole = type(found) is list and len(printer.stack) == 1
        faces = _show_list(found) if is_whole else None
        if faces:
            printer.text(faces["text/plain"])
        else:
            before(found, printer, cycle)

    return show


# Where IPython finds the class, written out so that it need not be imported to register it.
_CLASSES = (
    "forgelm.checkpoints._retention.CheckpointSummary",
    "forgelm.compliance.approvals._approval_results.ApprovalResult",
    "forgelm.compliance.approvals._approval_results.PendingApproval",
    "forgelm.compliance.artefacts._artefact_results.VerifyAnnexIVResult",
    "forgelm.compliance.artefacts._artefact_results.VerifyGgufResult",
    "forgelm.compliance.artefacts._artefact_results.VerifyIntegrityResult",
    "forgelm.compliance.audit_log._results.VerifyResult",
    "forgelm.compliance.bundle._bundle.EvidenceBundle",
    "forgelm.compliance.bundle._evidence_verdict.EvidenceVerdict",
    "forgelm.compliance.checkpoints._checkpoints.Checkpoint",
    "forgelm.compliance.signing._anchors.TimestampResult",
    "forgelm.compliance.signing._proofs.ProofResult",
    "forgelm.config._root.ForgeConfig",
    "forgelm.config._schema.ConfigField",
    "forgelm.data_audit.copies._deduplicate.DedupSummary",
    "forgelm.data_audit.copies._mask.MaskSummary",
    "forgelm.data_audit.copies._split.SplitSummary",
    "forgelm.data_audit.report._diff.AuditDiff",
    "forgelm.data_audit.report._findings_file.FindingsFile",
    "forgelm.data_audit.report._types.AuditReport",
    "forgelm.evaluation._benchmark.BenchmarkResult",
    "forgelm.evaluation._gates.EvaluationReport",
    "forgelm.evaluation._judge.JudgeResult",
    "forgelm.evaluation._safety_result.SafetyResult",
    "forgelm.export._gguf.ExportResult",
    "forgelm.export._adapter.MergeResult",
    "forgelm.installation.DoctorReport",
    "forgelm.quickstart._quickstart.QuickstartResult",
    "forgelm.results.TrainResult",
    "forgelm.runs._run.Run",
    "forgelm.runs._status.RunStatus",
    "forgelm.synthetic._result.SyntheticResult",
    "forgelm.trainer.planning._memory_estimate.MemoryEstimate",
    "forgelm.trainer.planning._preflight_report.PreflightReport",
)
_PRINTERS: dict[str, Callable[[Any], dict[str, Any] | None]] = {
    **{path: partial(_show, path.rpartition(".")[2]) for path in _CLASSES},
    "builtins.list": _show_list,
}

_ASKS = re.compile(r"^(%forgelm)((?:\s+[\w-]+)+)\s*\?{1,2}\s*$")


def _ask_for_help(lines: list[str]) -> list[str]:
    """Read `%forgelm audit?` as `%forgelm help audit`; IPython would look for a name `audit`."""
    asked = _ASKS.match(lines[0]) if len(lines) == 1 else None
    return [f"{asked[1]} help{asked[2]}\n"] if asked else lines


class _Added:
    """What loading added to one shell, so that unloading takes away just that."""

    def __init__(self, shell: Any) -> None:
        from forgelm_widgets._magics import ForgelmMagic
        from forgelm_widgets._matcher import make_matcher

        self.magic = ForgelmMagic(shell).run
        self.matcher = make_matcher(shell)
        manager = shell.magics_manager
        self._tables = (*map(manager.magics.get, ("line", "cell")), vars(manager.user_magics))
        self._before = [table.get("forgelm") for table in self._tables]
        shell.register_magic_function(self.magic, "line_cell", "forgelm")
        shell.Completer.custom_matchers.append(self.matcher)
        shell.input_transformers_cleanup.append(_ask_for_help)
        self._plain = shell.display_formatter.formatters["text/plain"]
        self._list_before = self._plain.for_type(list)
        self._list_printer = _print_list(self._list_before)
        self._plain.for_type(list, self._list_printer)

    def remove(self, shell: Any) -> None:
        for table, before in zip(self._tables, self._before, strict=True):
            if table.get("forgelm") is self.magic:
                del table["forgelm"]
                if before is not None:
                    table["forgelm"] = before
        for added, place in (
            (self.matcher, shell.Completer.custom_matchers),
            (_ask_for_help, shell.input_transformers_cleanup),
        ):
            if added in place:
                place.remove(added)
        if self._plain.for_type(list) is self._list_printer:
            self._plain.for_type(list, self._list_before)


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add cards for the public results, `%forgelm` and its completion; twice changes nothing."""
    formatter = _formatter(ipython)
    for path, printer in _PRINTERS.items():
        if _registered(formatter, path) is None:
            formatter.for_type(path, printer)
    if not hasattr(ipython, "_forgelm_added"):
        ipython._forgelm_added = _Added(ipython)  # type: ignore[attr-defined]


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Take away exactly what loading added; what somebody else registered stays."""
    formatter = _formatter(ipython)
    for path, printer in _PRINTERS.items():
        if _registered(formatter, path) is printer:
            formatter.pop(path)
    added: _Added | None = vars(ipython).pop("_forgelm_added", None)
    if added is not None:
        added.remove(ipython)


def _formatter(ipython: Any) -> Any:
    return ipython.display_formatter.mimebundle_formatter


def _registered(formatter: Any, path: str) -> Any:
    try:
        return formatter.lookup_by_type(path)
    except KeyError:
        return None
