"""Masked copies of every format: the same form, the same rows, nothing left to find."""

from __future__ import annotations

import gzip
import json

import pytest
from files_of_every_kind import FOUND, ROWS, SUFFIXES, write_source, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm.data_audit import audit_dataset, mask_dataset
from forgelm.errors import DataError

CELLS = st.lists(
    st.sampled_from(["bob@example.com", "4111 1111 1111 1111", "+1 202 555 0143", *' \n\t"\\,;|é']),
    max_size=6,
).map("".join)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_masked_copy_has_the_same_form_and_nothing_to_find(tmp_path, suffix):
    source = write_source(tmp_path / f"rows.{suffix}")
    out, again = tmp_path / f"masked.{suffix}", tmp_path / f"again.{suffix}"

    summary = mask_dataset(source, out)
    second = mask_dataset(out, again)

    report = audit_dataset(out)
    assert (report.pii_summary, report.secrets_summary) == ({}, {})
    assert report.splits["train"]["columns"] == ["text", "note"]
    assert (summary.rows, summary.rows_masked, summary.counts) == (3, 2, FOUND)
    assert (report.total_samples, summary.skipped) == (3, 0)
    assert (second.rows_masked, second.counts) == (0, {})
    assert again.read_bytes() == out.read_bytes()


def test_csv_keeps_what_needs_no_mask(tmp_path):
    (tmp_path / "rows.csv").write_bytes(
        b'id ;mail of zoe@example.com\r\n001;  \'x\'\r\n\r\n"2";"a;eve@example.com"\r\n3;\xff\r\n'
    )

    summary = mask_dataset(tmp_path / "rows.csv", tmp_path / "masked.csv")

    assert (tmp_path / "masked.csv").read_bytes() == (
        b"id ;mail of [REDACTED]\n001;  'x'\n\n2;\"a;[REDACTED]\"\n"
    )
    assert (summary.rows, summary.rows_masked, summary.counts) == (2, 1, {"email": 2})
    assert summary.skipped_lines == ("rows.csv:5: not UTF-8",)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_any_cells_are_masked_in_any_format(tmp_path, suffix, rows):
    source, out = tmp_path / f"rows.{suffix}", tmp_path / f"masked.{suffix}"
    if suffix == "csv":
        import csv

        with open(source, "w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "note"), *rows])
    elif suffix == "json":
        source.write_text(json.dumps([{"text": a, "note": b} for a, b in rows]))
    else:
        write_table(source, [{"text": a, "note": [{"b": b}]} for a, b in rows])

    before = audit_dataset(source)
    mask_dataset(source, out, overwrite=True)

    after = audit_dataset(out)
    assert (after.pii_summary, after.secrets_summary) == ({}, {})
    assert after.total_samples == before.total_samples == len(rows)


def test_a_json_object_around_the_rows_keeps_its_form(tmp_path):
    text = b'{"by": "zoe@example.com",\n "data": [{"text": "eve@example.com"}, {"text":  "x"}]}\n'
    (tmp_path / "rows.json").write_bytes(text)

    summary = mask_dataset(tmp_path / "rows.json", tmp_path / "masked.json")

    assert (tmp_path / "masked.json").read_bytes() == (
        b'{"by": "[REDACTED]",\n "data": [{"text": "[REDACTED]"}, {"text":  "x"}]}\n'
    )
    assert (summary.rows, summary.rows_masked, summary.counts) == (2, 1, {"email": 2})


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather"])
def test_a_table_keeps_its_types_nulls_and_other_columns(tmp_path, suffix):
    pa = pytest.importorskip("pyarrow")

    mail = "eve@example.com"
    message = pa.struct([("role", pa.string()), ("content", pa.large_string())])
    columns = {
        "messages": pa.array([[{"role": "u", "content": mail}, None], None, []], pa.list_(message)),
        "big": pa.array([[mail, None], [], None], pa.large_list(pa.string())),
        "pair": pa.array([["x", mail], None, ["y", "z"]], pa.list_(pa.string(), 2)),
        "map": pa.array([[("k", mail)], [], None], pa.map_(pa.string(), pa.string())),
        "word": pa.array([mail, "x", mail]).dictionary_encode(),
        "raw": pa.array([mail.encode(), b"\xff\x00", None]),
        "fixed": pa.array([mail.encode(), b"y" * 15, None], pa.binary(15)),
        "deep": pa.array([{"a": {"b": [mail]}}, None, {"a": None}]),
        "when": pa.array([1, 2**62, None], pa.timestamp("us")),
        "price": pa.array([1.5, float("nan"), None]),
        f"of {mail}": pa.array([1, 2, 3]),
    }
    table = pa.table(columns).replace_schema_metadata({"info": json.dumps({"by": mail})})
    source, out = tmp_path / f"rows.{suffix}", tmp_path / f"masked.{suffix}"
    if suffix == "parquet":
        pa.parquet.write_table(table, source, compression="zstd")
    elif suffix == "feather":
        pa.feather.write_feather(table, str(source))
    else:
        with pa.ipc.new_stream(str(source), table.schema) as writer:
            writer.write_table(table)

    summary = mask_dataset(source, out)

    if suffix == "parquet":
        masked = pa.parquet.read_table(out)
        assert pa.parquet.ParquetFile(out).metadata.row_group(0).column(0).compression == "ZSTD"
    elif suffix == "feather":
        masked = pa.feather.read_table(str(out))
    else:
        masked = pa.ipc.open_stream(out.read_bytes()).read_all()
    assert b"eve@" not in out.read_bytes()
    assert masked.schema.types == table.schema.types
    assert masked.column_names == [*list(columns)[:-1], "of [REDACTED]"]
    assert masked.schema.metadata[b"info"] == b'{"by": "[REDACTED]"}'
    assert masked["messages"].to_pylist() == [
        [{"role": "u", "content": "[REDACTED]"}, None],
        None,
        [],
    ]
    assert masked["big"].to_pylist() == [["[REDACTED]", None], [], None]
    assert masked["pair"].to_pylist() == [["x", "[REDACTED]"], None, ["y", "z"]]
    assert masked["map"].to_pylist() == [[("k", "[REDACTED]")], [], None]
    assert masked["word"].to_pylist() == ["[REDACTED]", "x", "[REDACTED]"]
    assert masked["raw"].to_pylist() == [b"[REDACTED]", b"\xff\x00", None]
    assert masked["fixed"].to_pylist() == [b"[REDACTED]*****", b"y" * 15, None]
    assert masked["deep"].to_pylist() == [{"a": {"b": ["[REDACTED]"]}}, None, {"a": None}]
    assert masked["when"].equals(table["when"])
    assert (summary.rows, summary.rows_masked) == (3, 2)
    assert audit_dataset(out).pii_summary == {}


def test_rows_of_a_table_that_make_no_sense_are_left_out(tmp_path):
    pa = pytest.importorskip("pyarrow")

    bad = pa.StringArray.from_buffers(
        3,
        pa.py_buffer(b"\0\0\0\0\x02\0\0\0\x04\0\0\0\x13\0\0\0"),
        pa.py_buffer(b"ok\xff\xfeeve@example.com"),
    )
    pa.parquet.write_table(pa.table({"text": bad}), tmp_path / "rows.parquet")

    summary = mask_dataset(tmp_path / "rows.parquet", tmp_path / "masked.parquet")

    assert summary.skipped_lines == ("rows.parquet:2: text that is not UTF-8",)
    masked = pa.parquet.read_table(tmp_path / "masked.parquet")
    assert masked["text"].to_pylist() == ["ok", "[REDACTED]"]


def test_rows_in_memory_are_written_as_json_lines(tmp_path):
    out = tmp_path / "masked.jsonl.gz"

    summary = mask_dataset(iter([*ROWS, 7]), out)
    mask_dataset({"val": ROWS, "train": ROWS[:1]}, tmp_path / "splits")

    rows = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert rows[0] == {"text": "Write to [REDACTED]", "note": "a"}
    assert (summary.source, summary.rows, summary.skipped) == ("(in memory)", 3, 1)
    assert summary.skipped_lines == ("(in memory):4: a Python int, not a mapping",)
    assert {path.name for path in (tmp_path / "splits").iterdir()} == {
        "train.jsonl",
        "validation.jsonl",
    }
    assert audit_dataset(tmp_path / "splits").pii_summary == {}


def test_a_pattern_is_masked_into_a_directory_with_the_same_folders(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / "corpus" / folder).mkdir(parents=True)
        write_source(tmp_path / "corpus" / folder / "train.csv")

    mask_dataset(f"{tmp_path}/corpus/*/train.csv", tmp_path / "masked")

    assert sorted(str(p.relative_to(tmp_path / "masked")) for p in tmp_path.glob("masked/*/*")) == [
        "a/train.csv",
        "b/train.csv",
    ]


def test_a_copy_cannot_be_named_as_another_format(tmp_path):
    source = write_source(tmp_path / "rows.csv")

    for name in ("masked.parquet", "masked.csv.gz", "masked.jsonl"):
        with pytest.raises(DataError, match=r"named as another format than the copy has.* csv"):
            mask_dataset(source, tmp_path / name)
    with pytest.raises(DataError, match="another format"):
        mask_dataset(ROWS, tmp_path / "masked.csv")
