"""Masked copies: nothing left to find, nothing else changed."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm.data_audit import MaskSummary, audit_dataset, mask_dataset
from forgelm.errors import DataError

AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
PIECES = ["bob@example.com", "4111 1111 1111 1111", "+1 202 555 0143", AWS_KEY, "x"]
STRINGS = st.lists(st.sampled_from([*PIECES, *' \n\t"\\/{}[]:,0é\ud800\u2028']), max_size=8).map(
    "".join
)
ROWS = st.dictionaries(
    STRINGS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | STRINGS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def test_only_what_was_found_is_replaced(tmp_path):
    source, out = tmp_path / "rows.jsonl", tmp_path / "deep" / "masked.jsonl"
    source.write_bytes(
        b'\xef\xbb\xbf{"text":  "To bob@example.com\\n\\u0041t", "n": 1.10, "big": 12345678901}\r\n'
        b"\n"
        b'{"a": 1, "text": "x", "text": "eve@example.com", "k": [{"eve@example.com": "'
        + AWS_KEY.encode()
        + b'"}]}\n'
        b'{"text": "clean \\u00e9", "f": 1e400}\n'
    )

    summary = mask_dataset(source, out)

    assert out.read_bytes() == (
        b'{"text":  "To [REDACTED]\\nAt", "n": 1.10, "big": 12345678901}\n'
        b'{"a": 1, "text": "x", "text": "[REDACTED]", "k": [{"[REDACTED]": "[REDACTED-SECRET]"}]}\n'
        b'{"text": "clean \\u00e9", "f": 1e400}\n'
    )
    assert summary == MaskSummary(
        source=str(source),
        out=str(out),
        files=(str(out),),
        rows=3,
        rows_masked=2,
        counts={"aws_access_key": 1, "email": 3},
        skipped=0,
        skipped_lines=(),
    )


def test_lines_that_cannot_be_read_are_left_out_and_reported(tmp_path):
    source, out = tmp_path / "rows.jsonl", tmp_path / "masked.jsonl"
    source.write_bytes(b'{"text": "ok"}\n{"text": "bob@example.com\n["eve@example.com"]\n\xff\n')

    summary = mask_dataset(source, out)

    assert out.read_bytes() == b'{"text": "ok"}\n'
    assert (summary.rows, summary.skipped) == (1, 3)
    assert [line.rpartition(": ")[0] for line in summary.skipped_lines] == [
        "rows.jsonl:2",
        "rows.jsonl:3",
        "rows.jsonl:4",
    ]


@given(rows=st.lists(ROWS, min_size=1, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_masked_copy_has_as_many_rows_and_nothing_to_find(tmp_path, rows):
    source, out, again = (tmp_path / f"{name}.jsonl" for name in ("rows", "masked", "again"))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    mask_dataset(source, out, overwrite=True)
    second = mask_dataset(out, again, overwrite=True)

    report = audit_dataset(out)
    assert (report.total_samples, report.pii_summary, report.secrets_summary) == (len(rows), {}, {})
    assert second.counts == {}
    assert again.read_bytes() == out.read_bytes()


def test_kinds_can_be_left_as_they_are(tmp_path):
    source, out = tmp_path / "rows.jsonl", tmp_path / "masked.jsonl"
    source.write_text(json.dumps({"text": f"bob@example.com {AWS_KEY}"}), encoding="utf-8")

    mask_dataset(source, out, pii=False)
    assert json.loads(out.read_text(encoding="utf-8")) == {
        "text": "bob@example.com [REDACTED-SECRET]"
    }
    mask_dataset(source, out, secrets=False, overwrite=True)
    assert json.loads(out.read_text(encoding="utf-8")) == {"text": f"[REDACTED] {AWS_KEY}"}
    with pytest.raises(ValueError, match="nothing to mask"):
        mask_dataset(source, out, pii=False, secrets=False)


def test_a_directory_is_masked_into_a_directory(tmp_path):
    (tmp_path / "corpus").mkdir()
    for name in ("train", "test"):
        (tmp_path / "corpus" / f"{name}.jsonl").write_text('{"text": "bob@example.com"}\n')

    summary = mask_dataset(tmp_path / "corpus", tmp_path / "masked")

    assert sorted(p.name for p in (tmp_path / "masked").iterdir()) == ["test.jsonl", "train.jsonl"]
    assert summary.counts == {"email": 2}
    assert audit_dataset(tmp_path / "masked").pii_summary == {}


def test_the_source_and_what_is_there_already_are_not_overwritten(tmp_path):
    source, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    source.write_text('{"text": "bob@example.com"}\n')
    other.write_text("precious")

    with pytest.raises(DataError, match="is the source itself"):
        mask_dataset(source, tmp_path / "." / "rows.jsonl", overwrite=True)
    with pytest.raises(DataError, match=r"Already there: .*other\.jsonl.*overwrite=True"):
        mask_dataset(source, other)
    with pytest.raises(DataError, match="is a directory; name the file"):
        mask_dataset(source, tmp_path)
    with pytest.raises(DataError, match="is a file; name a directory"):
        mask_dataset(tmp_path, other)

    assert other.read_text() == "precious"
    assert "bob@example.com" in source.read_text()


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    source, out = tmp_path / "rows.jsonl", tmp_path / "out" / "masked.jsonl"
    source.write_text('{"text": "bob@example.com"}\n')

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        mask_dataset(source, out)

    assert list(out.parent.iterdir()) == []
