"""Counts by column path and by the role of the chat message."""

from __future__ import annotations

import json

import pytest

from forgelm.data_audit import audit_dataset

KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"


def audit_rows(tmp_path, rows, **options):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return audit_dataset(path, **options).splits["train"]


def test_findings_are_counted_by_column_path(tmp_path):
    rows = [
        {"prompt": "a@example.com", "meta": {"tags": ["b@example.com", KEY]}},
        {"prompt": "c@example.com 4111 1111 1111 1111"},
    ]

    split = audit_rows(tmp_path, rows)

    assert split["pii_counts_by_column"] == {
        "prompt": {"credit_card": 1, "email": 2},
        "meta.tags[]": {"email": 1},
    }
    assert split["secrets_counts_by_column"] == {"meta.tags[]": {"aws_access_key": 1}}


def test_findings_are_counted_by_the_role_of_their_message(tmp_path):
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Mail a@example.com."},
                {"role": "user", "content": f"Use {KEY}."},
                {"role": "assistant", "content": "Mail b@example.com or c@example.com."},
                {"role": "tool", "content": [{"type": "text", "text": "d@example.com"}]},
            ],
            "note": "not in a message: e@example.com",
        },
        {
            "conversations": [
                {"from": "human", "value": "Mail f@example.com."},
                {"from": "gpt", "value": "Mail f@example.com."},
                {"from": "g@example.com", "value": "no role of any format"},
            ]
        },
    ]

    split = audit_rows(tmp_path, rows)

    assert split["pii_counts_by_role"] == {
        "system": {"email": 1},
        "user": {"email": 1},
        "assistant": {"email": 3},
        "tool": {"email": 1},
        "other": {"email": 1},
    }
    assert split["secrets_counts_by_role"] == {"user": {"aws_access_key": 1}}


def test_the_same_words_of_two_speakers_are_counted_for_each(tmp_path):
    said = [{"role": role, "content": "a@example.com"} for role in ("user", "assistant", "user")]

    split = audit_rows(tmp_path, [{"messages": said}])

    assert split["pii_counts_by_role"] == {"user": {"email": 2}, "assistant": {"email": 1}}


def test_rows_that_are_no_chat_have_no_roles(tmp_path):
    split = audit_rows(tmp_path, [{"text": "a@example.com", "role": "user"}])

    assert split["pii_counts_by_role"] == {}
    assert split["pii_counts_by_column"] == {"text": {"email": 1}}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_order_of_columns_and_roles_is_that_of_the_corpus_for_any_workers(tmp_path, workers):
    rows = [{f"c{n % 7}": f"x{n}@example.com"} for n in range(700)]

    split = audit_rows(tmp_path, rows, workers=workers)

    assert list(split["pii_counts_by_column"]) == [f"c{n}" for n in range(7)]
