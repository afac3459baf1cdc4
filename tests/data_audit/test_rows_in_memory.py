"""What is asked of rows that are no files is done, or said not to be."""

from __future__ import annotations

import logging

import pytest

from forgelm.data_audit import audit_dataset

ROWS = [{"text": f"Write to user{number}@example.com"} for number in range(3)]


def test_engines_and_going_on_after_a_crash_need_files(tmp_path):
    with pytest.raises(ValueError, match="engine and resume_dir need files: rows in memory"):
        audit_dataset(ROWS, engine=map, resume_dir=tmp_path / "parts")
    with pytest.raises(ValueError, match=r"audit_dataset: resume_dir need files"):
        audit_dataset({"train": iter(ROWS)}, resume_dir=tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


def test_workers_that_rows_in_memory_cannot_use_are_told_and_change_nothing(caplog):
    alone = audit_dataset(ROWS).to_dict()
    assert caplog.records == []
    with caplog.at_level(logging.WARNING, "forgelm"):
        shared = audit_dataset(ROWS, workers=3).to_dict()

    assert "are scanned in this process, not in 3" in caplog.text
    assert {**shared, "generated_at": ""} == {**alone, "generated_at": ""}
