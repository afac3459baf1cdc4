"""The card is accepted by MLCommons' own validator and leads to the rows."""

from __future__ import annotations

import hashlib
import json

import pytest

from forgelm.data_audit import audit_dataset

# rdflib and its parsers, which mlcroissant rests on, warn about their own calls.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "my corpus (v1)"
    folder.mkdir()
    rows = [
        {
            "text": "eve@example.com",
            "n": 1,
            "x": 1,
            "ok": True,
            "tags": ["a"],
            "messages": [{"c": 1}],
        },
        {"text": "b", "n": 2, "x": 2.5, "ok": False, "tags": ["b", "c"], "messages": []},
    ]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "val.jsonl").write_text('{"a b/c?": "x"}\n', encoding="utf-8")
    return folder


def test_the_card_describes_files_and_columns(corpus):
    card = audit_dataset(corpus, emit_croissant=True).croissant

    content = (corpus / "train.jsonl").read_bytes()
    assert card["name"] == "my-corpus-v1"
    assert card["distribution"][0] == {
        "@type": "cr:FileObject",
        "@id": "file-0",
        "name": "train.jsonl",
        "contentUrl": "train.jsonl",
        "contentSize": f"{len(content)} B",
        "encodingFormat": "application/jsonlines",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    fields = {field["name"]: field for field in card["recordSet"][0]["field"]}
    assert {name: field["dataType"] for name, field in fields.items()} == {
        "text": "sc:Text",
        "n": "sc:Integer",
        "x": "sc:Float",
        "ok": "sc:Boolean",
        "tags": "sc:Text",
        "messages": "sc:Text",
    }
    assert [name for name, field in fields.items() if field.get("repeated")] == ["tags", "messages"]
    assert card["rai:personalSensitiveInformation"] == ["train: email (1)"]
    assert "eve@example.com" not in json.dumps(card)


def test_no_card_is_made_unless_asked_for(corpus):
    assert audit_dataset(corpus).croissant == {}


def test_mlcroissant_validates_the_card_without_errors_and_reads_rows_by_it(corpus):
    croissant = pytest.importorskip("mlcroissant")
    card = audit_dataset(corpus, emit_croissant=True).croissant
    (corpus / "croissant.json").write_text(json.dumps(card), encoding="utf-8")

    dataset = croissant.Dataset(jsonld=str(corpus / "croissant.json"))

    assert dataset.metadata.ctx.issues.errors == set()
    assert list(dataset.records("validation")) == [{"validation/a-b-c": b"x"}]
