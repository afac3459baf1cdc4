"""No public result without a card: what `forgelm` offers is asked, not listed here."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import forgelm
from forgelm_widgets._display import CARDS
from forgelm_widgets._display._lists import LISTS

# What a person does not look at as a result, and why.
_NO_CARD = {
    "AuditLogger": "writes a log",
    "ConfigError": "is raised; its message says all",
    "ConsistencyProof": "is handed to whoever verifies it",
    "DoctorCheck": "is a row of DoctorReport",
    "ForgeTrainer": "trains",
    "InclusionProof": "is handed to whoever verifies it",
    "LogHead": "is kept, and given to verify_audit_log",
    "Personal": "never shows what it holds",
    "PreflightFinding": "is a row of PreflightReport",
    "ProgressEvent": "is a point of TrainingMonitor",
    "ProgressTail": "reads metrics",
    "QualityCheck": "is a row of its list",
    "QualityFlag": "is a row of its list",
    "SeedFailure": "is a row of SyntheticResult",
    "SyntheticDataGenerator": "generates",
    "Verdict": "is a row of its list",
    "WebhookNotifier": "sends messages",
    "WebhookOutcome": "is a line for a log",
}
_SHOWN_AS_IT_IS = {
    *("None", "Any", "str", "int", "bool", "Path", "datetime", "dict", "tuple"),
    "KindCounts",  # a dict
    "PreTrainedModel",
    "PreTrainedTokenizerBase",
}


def test_every_public_class_has_a_card_or_a_reason_why_not() -> None:
    classes = {name for name in forgelm.__all__ if inspect.isclass(getattr(forgelm, name))}
    assert classes == (set(CARDS) - {"RunList"}) | set(_NO_CARD)
    assert not set(CARDS) & set(_NO_CARD)


def test_whatever_a_public_function_returns_shows_itself() -> None:
    missing = []
    for name in forgelm.__all__:
        member = getattr(forgelm, name)
        if not inspect.isfunction(member):
            continue
        said = str(inspect.signature(member).return_annotation)
        held = re.fullmatch(r"list\[(\w+)\]", said)
        known = LISTS if held else CARDS
        words = {held[1]} if held else set(re.findall(r"\w+", said))
        if not words <= known.keys() | _SHOWN_AS_IT_IS | set(_NO_CARD):
            missing.append(f"{name} -> {said}")
    assert missing == []


def test_showing_any_result_loads_nothing_heavy() -> None:
    code = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, "tests")
from result_examples import results_saying, write_run
from forgelm_widgets._display import CARDS, bundle
results = results_saying("news", write_run(Path(tempfile.mkdtemp()), "news"))
assert set(results) == set(CARDS)
heavy = {"pandas", "plotly", "torch", "transformers", "matplotlib", "IPython", "ipywidgets"}
for name, result in results.items():
    bundle(CARDS[name](result))
    assert not heavy & set(sys.modules), (name, heavy & set(sys.modules))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
