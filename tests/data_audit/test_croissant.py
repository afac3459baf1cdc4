"""The card is accepted by MLCommons' own validator and leads to the rows."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import date

import pytest
from files_of_every_kind import ROWS, SUFFIXES, write_source

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
    assert {name: field.get("dataType") for name, field in fields.items()} == {
        "text": "sc:Text",
        "n": "sc:Integer",
        "x": "sc:Float",
        "ok": "sc:Boolean",
        "tags": "sc:Text",
        "messages": None,
    }
    assert fields["messages"]["subField"] == [
        {
            "@type": "cr:Field",
            "@id": "train/messages/c",
            "name": "c",
            "dataType": "sc:Integer",
            "source": {
                "fileObject": {"@id": "file-0"},
                "extract": {"column": "messages"},
                "transform": {"jsonPath": "c"},
            },
        }
    ]
    assert [name for name, field in fields.items() if field.get("repeated")] == ["tags", "messages"]
    assert card["rai:personalSensitiveInformation"] == ["train: email (1)"]
    assert "eve@example.com" not in json.dumps(card)


def test_no_card_is_made_unless_asked_for(corpus):
    assert audit_dataset(corpus).croissant == {}


def load(corpus, card):
    croissant = pytest.importorskip("mlcroissant")
    (corpus / "croissant.json").write_text(json.dumps(card), encoding="utf-8")
    return croissant.Dataset(jsonld=str(corpus / "croissant.json"))


def test_mlcroissant_validates_the_card_without_errors_or_warnings_and_reads_rows_by_it(corpus):
    dataset = load(corpus, audit_dataset(corpus, emit_croissant=True).croissant)

    assert dataset.metadata.ctx.issues.errors == set()
    assert dataset.metadata.ctx.issues.warnings == set()
    assert list(dataset.records("validation")) == [{"validation/a-b-c": b"x"}]
    assert list(dataset.records("train"))[1] == {
        "train/text": b"b",
        "train/n": 2,
        "train/x": 2.5,
        "train/ok": False,
        "train/tags": [b"b", b"c"],
        "train/messages": [],
    }


@pytest.fixture
def nested(tmp_path):
    folder = tmp_path / "nested"
    folder.mkdir()
    rows = [
        {
            "messages": [
                {"role": "user", "content": "hi", "from": {"name": "Ann"}},
                {"role": "assistant", "content": None, "calls": [{"f": "x"}]},
            ],
            "meta": {"lang": "en", "tags": ["a"], "stats": {"words": 2}},
            "odd": "text",
            "a b": 1,
            "a-b": 2,
        },
        {
            "messages": [{"role": "system", "content": "go"}],
            "meta": {"lang": "de", "stats": {"words": 3.5}},
            "odd": {"now": "an object"},
            "a b": 3,
        },
    ]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def test_nested_columns_are_streamed_by_their_sub_fields(nested):
    dataset = load(nested, audit_dataset(nested, emit_croissant=True).croissant)

    assert dataset.metadata.ctx.issues.warnings == set()
    first, second = dataset.records("train")
    assert first["train/messages"] == [
        {
            "train/messages/role": b"user",
            "train/messages/content": b"hi",
            "train/messages/from.name": b"Ann",
        },
        {
            "train/messages/role": b"assistant",
            "train/messages/content": None,
            "train/messages/from.name": None,
        },
    ]
    assert first["train/meta"] == {
        "train/meta/lang": b"en",
        "train/meta/tags": [b"a"],
        "train/meta/stats.words": 2.0,
    }
    assert (second["train/a-b"], second["train/a-b-2"]) == (3, None)
    assert second["train/meta"]["train/meta/tags"] is None


def test_what_croissant_cannot_type_is_named_and_not_described(nested):
    (record_set,) = audit_dataset(nested, emit_croissant=True).croissant["recordSet"]

    assert record_set["description"].endswith("of these columns: odd")
    assert "odd" not in [field["name"] for field in record_set["field"]]


def test_the_card_says_what_nobody_told_it(corpus):
    card = audit_dataset(corpus, emit_croissant=True).croissant

    assert card["license"] == "NOASSERTION"
    assert card["version"].startswith("0.0.0+sha256.")
    assert "The licence is not known" in card["description"]
    assert "The creator is not known" in card["description"]


def test_the_card_takes_what_the_caller_knows(corpus):
    known = {
        "name": "support-chats",
        "license": "https://spdx.org/licenses/CC-BY-4.0.html",
        "creator": "Example Ltd",
        "version": "2.1.0",
        "citation": "Example Ltd: Support chats, 2026",
        "date_published": "2026-01-31",
    }
    card = audit_dataset(corpus, emit_croissant=True, croissant_metadata=known).croissant
    dataset = load(corpus, card)

    assert dataset.metadata.ctx.issues.warnings == set()
    assert (dataset.metadata.name, dataset.metadata.version) == ("support-chats", "2.1.0")
    assert dataset.metadata.date_published.isoformat() == "2026-01-31T00:00:00"
    assert [creator.name for creator in dataset.metadata.creators] == ["Example Ltd"]
    assert "not known" not in card["description"]


def test_unknown_keys_of_the_card_are_refused(corpus):
    with pytest.raises(ValueError, match="croissant_metadata must be a mapping with keys of name,"):
        audit_dataset(corpus, emit_croissant=True, croissant_metadata={"licence": "MIT"})


def test_a_credential_among_the_keys_of_an_object_is_not_in_the_card(tmp_path):
    key = "AKIA" + "IOSFODNN7" + "EXAMPLE"
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "a", "by": {key: "b", "c": 1}}), encoding="utf-8")

    card = audit_dataset(path, emit_croissant=True).croissant

    assert key not in json.dumps(card)
    by = card["recordSet"][0]["field"][1]
    assert [field["name"] for field in by["subField"]] == ["c"]


@pytest.mark.parametrize("suffix", [*SUFFIXES, "memory"])
def test_a_card_of_any_source_is_valid_without_errors_or_warnings(tmp_path, suffix):
    source = ROWS if suffix == "memory" else write_source(tmp_path / f"train.{suffix}")

    issues = load(
        tmp_path, audit_dataset(source, emit_croissant=True).croissant
    ).metadata.ctx.issues

    assert (issues.errors, issues.warnings) == (set(), set())


def test_files_in_folders_and_columns_without_a_name_make_a_valid_card(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part é.jsonl").write_text('{"text": "a", "": 1, "a.b": 2}', "utf-8")

    card = audit_dataset(f"{tmp_path}/**/*.jsonl", emit_croissant=True).croissant
    dataset = load(tmp_path, card)

    assert [file["contentUrl"] for file in card["distribution"]] == [
        "train/part é.jsonl",
        "test/part é.jsonl",
    ]
    assert dataset.metadata.ctx.issues.warnings == set()
    assert list(dataset.records("test")) == [{"test/text": b"a", "test/a.b": 2}]


@pytest.mark.parametrize("name", ["train.jsonl.gz", "train.csv", "train.tsv", "train.parquet"])
def test_rows_of_other_kinds_of_files_are_streamed_too(tmp_path, name):
    rows = [{"text": "hello", "n": "one"}, {"text": "bye", "n": "two"}]
    if name.endswith(".gz"):
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as stream:
            stream.write("\n".join(map(json.dumps, rows)))
    elif name.endswith(".csv"):
        (tmp_path / name).write_text("text,n\nhello,one\nbye,two\n", encoding="utf-8")
    elif name.endswith(".tsv"):
        (tmp_path / name).write_text("text\tn\nhello\tone\nbye\ttwo\n", encoding="utf-8")
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / name)

    dataset = load(tmp_path, audit_dataset(tmp_path / name, emit_croissant=True).croissant)

    assert dataset.metadata.ctx.issues.warnings == set()
    assert list(dataset.records("train")) == [
        {"train/text": b"hello", "train/n": b"one"},
        {"train/text": b"bye", "train/n": b"two"},
    ]


def test_a_card_of_rows_in_memory_says_so():
    card = audit_dataset([{"text": "a"}], emit_croissant=True).croissant

    assert "there are no files to name" in card["description"]
    assert card["version"] == "0.0.0"
    assert date.fromisoformat(card["datePublished"])
