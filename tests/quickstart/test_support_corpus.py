"""The support corpus: natural enough to read, the same everywhere, with faults we know of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgelm.data_audit import audit_dataset
from forgelm.errors import DataError
from forgelm.quickstart import write_support_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_support_corpus(tmp_path_factory.mktemp("corpus") / "data")


def test_three_splits_of_chat_rows_are_written(corpus: Path) -> None:
    counts = {}
    for path in corpus.iterdir():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        counts[path.name] = len(rows)
        for row in rows:
            assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
            assert all("{" not in message["content"] for message in row["messages"])
    assert counts == {"train.jsonl": 400, "validation.jsonl": 60, "test.jsonl": 40}


def test_the_audit_finds_what_was_planted(corpus: Path) -> None:
    report = audit_dataset(str(corpus))

    assert report.pii_summary == {"email": 8, "phone": 6, "iban": 2, "credit_card": 2}
    assert report.secrets_summary == {"aws_access_key": 1}
    assert report.near_duplicate_summary["pairs_per_split"]["train"] == 6
    pairs = report.cross_split_overlap["pairs"]
    assert pairs["train__validation"]["leaked_rows_in_validation"] == 1


def test_writing_again_changes_nothing(corpus: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in corpus.iterdir()}
    write_support_corpus(corpus)
    assert {path.name: path.stat().st_mtime_ns for path in corpus.iterdir()} == before


def test_rows_of_somebody_else_are_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "train.jsonl"
    mine.write_text('{"text": "mine"}\n', encoding="utf-8")

    with pytest.raises(DataError, match=r"train\.jsonl: already there"):
        write_support_corpus(tmp_path)

    assert mine.read_text(encoding="utf-8") == '{"text": "mine"}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["train.jsonl"]
