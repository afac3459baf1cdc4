"""What `doctor` found as a card: problems first, then what is good to know."""

from __future__ import annotations

from typing import Any

from forgelm_widgets._card import Card, Figure, Mark, Table
from forgelm_widgets._text import plural

__all__ = ["doctor_report_card"]


def doctor_report_card(report: Any) -> Card:
    """Return what is installed and what is in the way of a training as a card."""
    groups: dict[str, list[tuple[str, str]]] = {"problem": [], "note": [], "ok": []}
    for check in report.checks:
        groups[check.status].append((check.name, check.message))
    problems, notes = len(groups["problem"]), len(groups["note"])
    mark: Mark = "bad" if problems else "attention" if notes else "ok"
    good = f"Ready to train, with {plural(notes, 'thing')} to know" if notes else "Ready to train"
    titles = (("problem", "In the way"), ("note", "Good to know"), ("ok", "In order"))
    return Card(
        kind="doctor-report",
        label="Doctor",
        mark=mark,
        headline=f"{plural(problems, 'thing')} to put right before training" if problems else good,
        figures=[
            Figure(report.machine.device, report.machine.name),
            Figure(f"{report.free_disk_bytes / 1e9:,.0f} GB", "free on the disk"),
            Figure("on" if report.offline else "off", "offline mode"),
        ],
        tables=[
            Table(
                title, ("What", "Found"), groups[status], status == "ok", told=status == "problem"
            )
            for status, title in titles
            if groups[status]
        ],
    )
