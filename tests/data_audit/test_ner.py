"""Names found by a real spaCy pipeline, built here, through Presidio."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

AUDIT = """
import json, sys

# Presidio loads both where they are installed, which takes ten seconds; spaCy's rules need neither.
sys.modules["torch"] = sys.modules["transformers"] = None

from forgelm import audit_dataset
from forgelm.errors import OptionalDependencyError

report = audit_dataset(sys.argv[1], enable_pii_ml=True, pii_ml_language="en")
try:
    audit_dataset(sys.argv[1], enable_pii_ml=True, pii_ml_language="xx")
except OptionalDependencyError as error:
    refusal = str(error)
findings = [(f.kind, f.span, f.column) for f in report.pii_findings]
print(json.dumps([report.pii_summary, report.pii_severity["by_tier"], findings, refusal]))
"""


def test_names_are_found_beside_the_patterns_and_need_a_pipeline_for_the_language(
    spacy_pipeline, tmp_path
):
    pytest.importorskip("presidio_analyzer")
    source = tmp_path / "rows.jsonl"
    row = {"text": "Ada Lovelace of Acme Corp, Ankara: ada@example.com."}
    source.write_text(json.dumps(row), encoding="utf-8")

    # A process of its own: spaCy looks for installed pipelines once, when it is imported.
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, source],
        env={**os.environ, "PYTHONPATH": str(spacy_pipeline)},
        capture_output=True,
        check=True,
        text=True,
    )
    summary, tiers, findings, refusal = json.loads(done.stdout)

    assert summary == {"email": 1, "person": 1, "organization": 1, "location": 1}
    assert tiers == {"critical": 0, "high": 0, "medium": 2, "low": 2}
    assert findings == [
        ["email", [35, 50], "text"],
        ["person", [0, 12], "text"],
        ["organization", [16, 25], "text"],
        ["location", [27, 33], "text"],
    ]
    assert refusal == (
        "enable_pii_ml needs a spaCy pipeline for the language 'xx', and none is installed. "
        "Install one, for example with: python -m spacy download xx_core_news_sm"
    )
