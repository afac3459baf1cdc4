"""The model card and the instructions for use, as Markdown that shows text as text.

Source: Regulation (EU) 2024/1689, Article 13 (instructions for use); Mitchell et al. 2019, "Model
Cards for Model Reporting", for the sections of the card.
"""

from __future__ import annotations

import html
import re
from typing import Any

from forgelm._version import __version__
from forgelm.compliance.documents._doc_facts import RunFacts, publishable

__all__ = ["deployer_instructions", "model_card"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_UNKNOWN = "Not declared."
_MARKDOWN = re.compile(r"([\\`*_\[\]#|])")


def model_card(facts: RunFacts) -> str:
    """Return the model card: metadata that the Hub can read, then what is known of the model."""
    import yaml

    name = facts.said("compliance.system_name") or "Fine-tuned model"
    sections = {
        "Intended purpose": _quoted(facts.said("compliance.intended_purpose")),
        "Limitations": _quoted(facts.said("compliance.known_limitations")),
        "Training": _listed(
            {
                "Base model": facts.base_model,
                "Revision of the base model": facts.base_model
                and facts.setting("model", "revision"),
                "Method": facts.setting("training", "trainer_type"),
                "Data": ", ".join(facts.datasets) or "rows that were in memory",
                "Rows": _rows(facts),
                "Run": facts.run_id,
                "Hash of the settings": facts.config_hash,
                "Made with": f"forgelm {__version__}",
            }
        ),
        "Evaluation": _metrics(facts),
        "Provider": _listed(
            {
                "Name": facts.said("compliance.provider_name"),
                "Contact": facts.said("compliance.provider_contact"),
                "Version of the system": facts.said("compliance.system_version"),
                "Risk class": facts.said("compliance.risk_classification"),
            }
        ),
        "Licence": "Not declared. The terms of the base model and of the data apply.",
    }
    metadata = yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True)
    return f"---\n{metadata}---\n\n{_page(name, sections)}"


def deployer_instructions(facts: RunFacts) -> str:
    """Return the instructions for use that belong to the model."""
    sections = {
        "What it is for": _quoted(facts.said("compliance.intended_purpose")),
        "Who provides it": _listed(
            {
                "Name": facts.said("compliance.provider_name"),
                "Contact": facts.said("compliance.provider_contact"),
            }
        ),
        "What it must not be used for": _items(facts.said("risk_assessment.foreseeable_misuse")),
        "What it does badly": _quoted(facts.said("compliance.known_limitations")),
        "How well it did": _metrics(facts),
        "What is done against the risks": _items(facts.said("risk_assessment.mitigation_measures")),
        "Before use": (
            "1. Check that nobody changed the files: `forgelm verify-integrity .` in this folder.\n"
            "2. Let a person who can stop the system watch over its use (Article 14).\n"
            "3. Keep the logs that the system writes in use for six months at least (Article 26).\n"
            "4. Report serious incidents to the provider (Article 26)."
        ),
        "What these pages do not know": (
            "How well the model does for particular groups of people, on which hardware it is to "
            "run, and how it is built into a product. The provider has to add that."
        ),
    }
    return _page("Instructions for use", sections)


def _metadata(facts: RunFacts) -> dict[str, Any]:
    base = facts.base_model or ""
    merged = bool(facts.setting("training", "merge_adapters"))
    method = facts.setting("training", "trainer_type")
    metadata: dict[str, Any] = {
        "library_name": "transformers" if merged else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["forgelm", *([str(method)] if method else [])],
    }
    if _HUB_ID.fullmatch(base):
        metadata["base_model"] = base
    named = [name for name in facts.datasets if _HUB_ID.fullmatch(name) and "." not in name]
    if named:
        metadata["datasets"] = named
    cleaned: dict[str, Any] = publishable(metadata)
    return cleaned


def _page(title: str, sections: dict[str, str]) -> str:
    body = "".join(f"\n## {name}\n\n{text}\n" for name, text in sections.items())
    return f"# {_plain(title)}\n{body}"


def _plain(value: Any) -> str:
    """Return a value as one line in which Markdown and HTML have no meaning."""
    text = " ".join(str(publishable(value)).split())
    return _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False))


def _quoted(text: Any) -> str:
    if text is None:
        return _UNKNOWN
    lines = str(text).splitlines()
    return "\n".join(f"> {_plain(line)}".rstrip() for line in lines)


def _items(texts: Any) -> str:
    return "\n".join(f"- {_plain(text)}" for text in texts) if texts else _UNKNOWN


def _listed(values: dict[str, Any]) -> str:
    shown = {name: _plain(value) if value else "not known" for name, value in values.items()}
    return "\n".join(f"- {name}: {value}" for name, value in shown.items())


def _rows(facts: RunFacts) -> str | None:
    rows = facts.data.get("split_rows") or {}
    return ", ".join(f"{count} {name}" for name, count in rows.items()) or None


def _metrics(facts: RunFacts) -> str:
    shown = {
        name: value
        for name, value in sorted(facts.metrics.items())
        if not name.startswith("resource/") and isinstance(value, int | float)
    }
    if not shown:
        return "Nothing was measured."
    rows = "".join(f"| {_plain(name)} | {value:.6g} |\n" for name, value in shown.items())
    return f"| Measure | Value |\n|---|---|\n{rows}".rstrip("\n")
