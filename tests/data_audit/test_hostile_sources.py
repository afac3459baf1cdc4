"""Sources that are missing, empty or full of lines that cannot be read."""

from __future__ import annotations

import json
import os

import pytest

from forgelm.data_audit import audit_dataset, mask_dataset
from forgelm.errors import DataError

GOOD = b'{"text": "a good row"}'


def audit_bytes(path, *lines):
    path.write_bytes(b"\n".join(lines))
    return audit_dataset(path)


@pytest.mark.parametrize("use", [audit_dataset, lambda source: mask_dataset(source, "unused")])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, r"missing\.jsonl: no such file or directory\. Name a file"),
        ("empty.jsonl", b"", r"empty\.jsonl: the file is empty"),
        ("rows.xls", b"a,b\n1,2\n", r"rows\.xls: files of type '\.xls' are not read\. .*\.jsonl"),
        ("rows", b"{}\n", "are not read"),
    ],
)
def test_a_source_that_cannot_be_used_is_named_with_the_next_step(
    tmp_path, use, name, content, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=message):
        use(tmp_path / name)


def test_a_directory_without_data_is_refused(tmp_path):
    (tmp_path / "readme.md").write_text("nothing here", encoding="utf-8")
    (tmp_path / "train.jsonl").write_bytes(b"")

    with pytest.raises(DataError, match="the directory has no data to audit"):
        audit_dataset(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")

    with pytest.raises(DataError, match="not a regular file"):
        audit_dataset(tmp_path / "rows.jsonl")


def test_the_names_of_files_give_the_splits(tmp_path):
    names = ["train-00000-of-00002", "train-00001-of-00002", "val", "dev", "holdout", "extra"]
    for name in names:
        (tmp_path / f"{name}.jsonl").write_bytes(GOOD)
    (tmp_path / "notes.txt").write_bytes(b"a,b")

    report = audit_dataset(tmp_path)

    counts = {name: stats["sample_count"] for name, stats in report.splits.items()}
    assert counts == {"train": 2, "validation": 2, "test": 1, "extra": 1}
    assert any("extra.jsonl names no split that is usual" in note for note in report.notes)
    assert any("notes.txt" in note for note in report.notes)


@pytest.mark.parametrize(
    ("line", "fault", "reason"),
    [
        (b'{"text": "torn', "parse_errors", "not JSON"),
        (b"[1, 2]", "non_object_rows", "a JSON array, not an object"),
        (b'"text"', "non_object_rows", "a JSON string, not an object"),
        (b"null", "non_object_rows", "a JSON null, not an object"),
        (b'{"text": "\xff\xfe"}', "decode_errors", "not UTF-8 (byte 11 of the line)"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "parse_errors", "nested deeper than 200 levels"),
        (b"[" * 100_000, "parse_errors", "nested deeper than 200 levels"),
        (b'{"text": "' + b"x" * (33 << 20) + b'"}', "parse_errors", "longer than 32 MiB"),
    ],
    ids=["torn", "array", "string", "null", "bytes", "deep", "very deep", "long"],
)
def test_a_line_that_cannot_be_read_is_counted_located_and_passed_over(
    tmp_path, line, fault, reason
):
    report = audit_bytes(tmp_path / "rows.jsonl", GOOD, b"", line, GOOD)

    train = report.splits["train"]
    faults = {name: train[name] for name in ("parse_errors", "decode_errors", "non_object_rows")}
    assert faults == {**dict.fromkeys(faults, 0), fault: 1}
    assert train["sample_count"] == 2
    assert any(f"rows.jsonl:3: {reason}" in note for note in report.notes)


@pytest.mark.parametrize(
    "line",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD + b"\r",
        b'{"text": "a good row", "id": ' + b"9" * 5000 + b"}",
        b'{"text": "a good row", "x": NaN}',
        b'{"text": "a good row \\ud800"}',
        b'{"text": "a good row", "text": "twice"}',
    ],
    ids=["bom", "crlf", "huge integer", "nan", "lone surrogate", "repeated key"],
)
def test_an_odd_but_readable_line_is_a_row(tmp_path, line):
    report = audit_bytes(tmp_path / "rows.jsonl", line, GOOD)

    assert report.total_samples == 2
    assert not any("passed over" in note for note in report.notes)


def test_what_a_repeated_key_hides_is_found(tmp_path):
    line = b'{"text": "bob@example.com", "m": [{"a": "eve@example.com", "a": 1}], "text": "x"}'

    report = audit_bytes(tmp_path / "rows.jsonl", line)

    assert [finding.column for finding in report.pii_findings] == ["text", "m[].a"]
    assert report.splits["train"]["columns"] == ["text", "m"]
    assert report.splits["train"]["text_length"]["max"] == 1


def test_deep_nesting_is_passed_over_even_where_a_repeated_key_hides_it(tmp_path):
    line = b'{"a": ' + b"[" * 300 + b"]" * 300 + b', "a": 1}'

    report = audit_bytes(tmp_path / "rows.jsonl", line, GOOD)

    assert report.splits["train"]["parse_errors"] == 1
    assert report.total_samples == 1


def test_only_the_first_bad_lines_are_listed(tmp_path):
    report = audit_bytes(tmp_path / "rows.jsonl", *[b"{bad"] * 1000)

    (note,) = [note for note in report.notes if "passed over" in note]
    assert note.startswith("Split train: 1,000 lines passed over: rows.jsonl:1: not JSON")
    assert note.endswith("; and 980 more")
    assert report.total_samples == 0
    assert report.splits["train"]["text_length"]["max"] == 0


def test_column_names_never_carry_personal_data_or_control_characters(tmp_path):
    row = {"eve@example.com": "x", "\x1b[31mred": "bob@example.com", "n" * 5000: 1}

    report = audit_bytes(tmp_path / "rows.jsonl", json.dumps(row).encode())

    shown = json.dumps([report.to_dict(), report.pii_findings.columns()], ensure_ascii=False)
    assert "eve@example.com" not in shown
    assert "\x1b" not in shown
    assert "\\u001b" not in shown
    assert max(map(len, report.splits["train"]["columns"])) == 120
    assert [(f.kind, f.column) for f in report.pii_findings] == [
        ("email", "(key)"),
        ("email", "\\x1b[31mred"),
    ]


def test_a_column_for_every_row_does_not_fill_the_report(tmp_path):
    lines = [json.dumps({f"key{n}": f"user{n}@example.com"}).encode() for n in range(5000)]

    report = audit_bytes(tmp_path / "rows.jsonl", *lines)

    assert len(report.splits["train"]["columns"]) <= 2001
    assert report.pii_summary == {"email": 5000}
    assert any("over 2,000 columns" in note for note in report.notes)
