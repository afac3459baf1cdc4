"""The card that stays when the form is gone."""

from __future__ import annotations

from forgelm_widgets._card import Card, Table, Text
from forgelm_widgets._text import plural
from forgelm_widgets.config_builder._document import ConfigDocument

__all__ = ["config_card"]


def config_card(document: ConfigDocument) -> Card:
    """Return the YAML and what is wrong with it; secrets are in neither."""
    problems = document.check()
    tables = [Table("Problems", ["Key", "Problem"], [[one.path, one.text] for one in problems])]
    return Card(
        kind="config",
        label="Configuration",
        mark="bad" if problems else "ok",
        headline=f"{plural(len(problems), 'problem')}" if problems else "Valid",
        tables=tables if problems else [],
        texts=[Text("YAML", document.text.splitlines(), code=True, folded=False)],
    )
