"""Two reports side by side."""

from __future__ import annotations

import json

import pytest

from forgelm.data_audit import audit_dataset, audit_diff, deduplicate_dataset, mask_dataset
from forgelm.errors import DataError

TEXT = "The parcel left our warehouse on Monday and should reach you within three working days."
ROWS = [TEXT, TEXT, "Write to al@example.com or bo@example.com about the invoice of last month."]


@pytest.fixture
def reports(tmp_path):
    corpus = tmp_path / "raw"
    corpus.mkdir()
    for name, texts in (("train", ROWS), ("test", [TEXT])):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (corpus / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    mask_dataset(corpus, tmp_path / "masked")
    deduplicate_dataset(tmp_path / "masked", tmp_path / "clean")
    before = audit_dataset(corpus, output_dir=tmp_path / "before")
    return before, audit_dataset(tmp_path / "clean", output_dir=tmp_path / "after")


def test_a_diff_counts_rows_findings_duplicates_and_leaks(reports):
    diff = audit_diff(*reports)

    assert diff.section("rows")["total"].delta == -2
    assert diff.section("rows")["train"].after == 1
    assert diff.section("pii")["email"].before == 2
    assert diff.section("pii")["email"].after == 0
    assert diff.section("duplicates")["train"].delta == -1
    assert diff.section("leaks")["train__test: train"].delta == -2
    assert diff.section("lengths")["train min"].before == 74
    assert diff.section("lengths")["train min"].after == 74 - 2 * 14 + 2 * 10
    assert diff.section("lengths")["test min"].delta == 0


def test_reports_can_be_named_by_file_or_directory(reports, tmp_path):
    by_path = audit_diff(tmp_path / "before", tmp_path / "after" / "data_audit_report.json")

    assert by_path == audit_diff(*reports)


def test_the_text_shows_only_what_changed(reports):
    lines = str(audit_diff(*reports)).splitlines()

    assert lines[1].split() == ["rows", "total", "4", "->", "2", "(-2)"]
    assert not [line for line in lines if "(+0)" in line]
    assert str(audit_diff(reports[0], reports[0])).endswith("no figure changed")


def test_a_diff_is_a_table_too(reports):
    pytest.importorskip("pandas")
    frame = audit_diff(*reports).to_frame()

    assert frame.columns.tolist() == ["section", "name", "before", "after", "delta"]
    assert frame.set_index(["section", "name"]).loc[("pii", "email"), "delta"] == -2


@pytest.mark.parametrize(
    "text", ["{torn", "[]", "{}", '{"splits": 1}', "[" * 100_000, '{"generated_at": null}']
)
def test_what_is_no_report_is_said_by_name(tmp_path, text, reports):
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(DataError, match=r"other\.json: (not JSON|no audit report); name a"):
        audit_diff(reports[0], path)
    with pytest.raises(DataError, match="no such file"):
        audit_diff(tmp_path / "nowhere", path)
