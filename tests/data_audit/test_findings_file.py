"""The findings file: what it holds, and what never gets into it."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgelm.data_audit import (
    audit_dataset,
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
    read_findings,
)
from forgelm.data_audit.scan import CONTEXT_CHARS, MAX_VALUES, masked_excerpts
from forgelm.errors import DataError

AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
VALUES = ["al@example.com", "4111 1111 1111 1111", "+1 202 555 0143", AWS_KEY]
PLACED = ("kind", "tier", "split", "file", "row", "column", "start", "end")


def write_jsonl(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path):
    rows = [
        {"text": "nothing here"},
        {"text": f"Mail al@example.com, key {AWS_KEY} or call +1 202 555 0143 now."},
    ]
    write_jsonl(tmp_path / "corpus" / "train.jsonl", rows)
    write_jsonl(tmp_path / "corpus" / "test.jsonl", [{"a": [{"b": "Ask bo@example.com\ntoday"}]}])
    return tmp_path / "corpus"


def test_each_finding_is_placed_and_shown_with_every_value_masked(corpus, tmp_path):
    report = audit_dataset(corpus, output_dir=tmp_path / "out")
    findings = read_findings(tmp_path / "out")

    assert len(findings) == 4
    assert f"Findings with masked excerpts are in {findings.path.name}." in report.notes
    rows = [tuple(finding[name] for name in PLACED) for finding in findings]
    assert rows == [
        ("email", "medium", "train", "train.jsonl", 1, "text", 5, 19),
        ("phone", "low", "train", "train.jsonl", 1, "text", 54, 69),
        ("aws_access_key", "critical", "train", "train.jsonl", 1, "text", 25, 45),
        ("email", "medium", "test", "test.jsonl", 0, "a[].b", 4, 18),
    ]
    excerpts = [finding["excerpt"] for finding in findings]
    assert excerpts[2] == "Mail [REDACTED], key [REDACTED-SECRET] or call [REDACTED] now."
    assert excerpts[3] == "Ask [REDACTED]\\ntoday"


def test_pages_and_filters_give_parts_of_the_findings(tmp_path):
    rows = [{"text": f"Mail user{n}@example.com or +1 202 555 0143"} for n in range(50)]
    audit_dataset(write_jsonl(tmp_path / "rows.jsonl", rows), output_dir=tmp_path / "out")
    findings = read_findings(tmp_path / "out")
    everything = list(findings)

    assert len(everything) == len(findings) == 100
    assert findings.page(30, 5) == everything[30:35]
    assert findings.page(98) == everything[98:]
    assert findings.page(200) == []
    assert [each["row"] for each in findings.page(10, 3, kind="email")] == [10, 11, 12]
    assert findings.page(split="test") == []
    with pytest.raises(ValueError, match="0 or more, not -1"):
        findings.page(-1)


def test_a_page_can_be_had_as_a_table(corpus, tmp_path):
    pytest.importorskip("pandas")
    audit_dataset(corpus, output_dir=tmp_path / "out")

    frame = read_findings(tmp_path / "out").to_frame(1, 2)

    assert frame["kind"].tolist() == ["phone", "aws_access_key"]


def test_the_bytes_are_the_same_for_any_number_of_workers(tmp_path):
    rows = [{"text": f"Mail user{n}@example.com " + "x" * 900} for n in range(9000)]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    files = []
    for workers in (1, 2):
        audit_dataset(source, output_dir=tmp_path / str(workers), workers=workers)
        files.append(read_findings(tmp_path / str(workers)))

    assert files[0].path.read_bytes() == files[1].path.read_bytes()
    assert [finding["row"] for finding in files[0]] == list(range(9000))


def test_without_pyarrow_the_findings_are_json_lines(corpus, tmp_path, monkeypatch):
    with_arrow = audit_dataset(corpus, output_dir=tmp_path / "out")
    before = list(read_findings(tmp_path / "out"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    report = audit_dataset(corpus, output_dir=tmp_path / "out")

    findings = read_findings(tmp_path / "out")
    assert findings.path.name == "data_audit_findings.jsonl"
    assert list(findings) == before
    assert findings.page(1, 2) == before[1:3]
    assert report.notes[-1].endswith("data_audit_findings.jsonl.")
    assert with_arrow.pii_summary == report.pii_summary
    assert not (tmp_path / "out" / "data_audit_findings.parquet").exists()


def test_what_is_no_findings_file_is_said_by_name(tmp_path):
    torn = tmp_path / "data_audit_findings.jsonl"
    torn.write_text('{"kind": 1}\n')
    for path, message in (
        (tmp_path / "none", "none: no such file"),
        (tmp_path.parent, "no findings file in there"),
    ):
        with pytest.raises(DataError, match=message):
            read_findings(path)
    with pytest.raises(DataError, match=r"data_audit_findings\.jsonl:1: no finding of an audit"):
        list(read_findings(torn))
    pytest.importorskip("pyarrow")
    fake = tmp_path / "x.parquet"
    fake.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="not a Parquet file"):
        read_findings(fake)


def test_a_string_with_very_many_values_shows_masks_only():
    text = " ".join(f"u{n}@example.com" for n in range(MAX_VALUES + 1))

    assert set(masked_excerpts(text, find_pii(text))) == {"[REDACTED]"}


def test_a_value_that_is_repeated_where_no_detector_sees_it_is_masked_too():
    text = "4111 1111 1111 1111, x4111 1111 1111 1111x"

    assert masked_excerpts(text, find_pii(text)) == ["[REDACTED], x[REDACTED]x"]


PIECES = st.lists(
    st.sampled_from([*VALUES, " ", ", ", "\n", "x" * 30, "(", "word ", "é", "\ud800", "-", "1"])
    | st.text(max_size=5),
    max_size=14,
)


@given(PIECES)
def test_no_excerpt_holds_a_value_of_any_finding(pieces):
    text = "".join(pieces)
    findings = find_pii(text) + find_secrets(text)
    excerpts = masked_excerpts(text, findings)

    assert len(excerpts) == len(findings)
    for excerpt in excerpts:
        assert "[REDACTED" in excerpt
        assert excerpt.isprintable()
        assert len(excerpt) <= 12 * (2 * CONTEXT_CHARS + 17)
        assert detect_pii(excerpt) == {}
        assert detect_secrets(excerpt) == {}
        assert not any(text[f.span[0] : f.span[1]] in excerpt for f in findings)
