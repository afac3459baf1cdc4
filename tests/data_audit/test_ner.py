"""Names found by a real spaCy pipeline, built here, through Presidio."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PIPELINE = """
import pathlib, spacy

def load(**overrides):
    return spacy.load(pathlib.Path(__file__).parent / "model", **overrides)
"""
AUDIT = """
import json, sys
from forgelm import audit_dataset

reports = [
    audit_dataset(sys.argv[1], enable_pii_ml=True, pii_ml_language="en", workers=workers)
    for workers in (1, 2)
]
print(json.dumps([
    [report.pii_summary, report.pii_severity["by_tier"], report.pii_findings.columns()]
    for report in reports
]))
"""
REFUSED = """
import sys
from forgelm import audit_dataset
from forgelm.errors import OptionalDependencyError

try:
    audit_dataset(sys.argv[1], enable_pii_ml=True, pii_ml_language="xx")
except OptionalDependencyError as error:
    print(error)
"""


@pytest.fixture
def pipeline(tmp_path):
    """A folder for the path, with an installed spaCy pipeline that knows three names."""
    spacy = pytest.importorskip("spacy")
    package = tmp_path / "site" / "en_three_names"
    package.mkdir(parents=True)
    nlp = spacy.blank("en")
    names = {"PERSON": "Ada Lovelace", "ORG": "Acme Corp", "GPE": "Ankara"}
    nlp.add_pipe("entity_ruler").add_patterns(
        [{"label": label, "pattern": name} for label, name in names.items()]
    )
    nlp.to_disk(package / "model")
    (package / "__init__.py").write_text(PIPELINE, encoding="utf-8")
    info = tmp_path / "site" / "en_three_names-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_three_names\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spacy_models]\nen_three_names = en_three_names\n")
    return tmp_path / "site"


def run(code, source, path=""):
    done = subprocess.run(
        [sys.executable, "-c", code, source],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for split in ("train", "test"):
        row = {"text": "Ada Lovelace of Acme Corp, Ankara: ada@example.com."}
        (folder / f"{split}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder


def test_names_are_counted_beside_the_patterns_for_any_number_of_workers(pipeline, corpus):
    pytest.importorskip("presidio_analyzer")

    one, two = json.loads(run(AUDIT, corpus, pipeline))

    assert one == two
    summary, tiers, findings = one
    assert summary == {"email": 2, "person": 2, "organization": 2, "location": 2}
    assert tiers == {"critical": 0, "high": 0, "medium": 4, "low": 4}
    assert list(zip(findings["kind"], findings["start"], findings["end"], strict=True))[:4] == [
        ("email", 35, 50),
        ("person", 0, 12),
        ("organization", 16, 25),
        ("location", 27, 33),
    ]


def test_a_language_without_a_pipeline_is_refused_with_the_command_to_get_one(corpus):
    pytest.importorskip("presidio_analyzer")

    assert run(REFUSED, corpus) == (
        "enable_pii_ml needs a spaCy pipeline for the language 'xx', and none is installed. "
        "Install one, for example with: python -m spacy download xx_core_news_sm\n"
    )
