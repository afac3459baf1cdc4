"""JSON documents, CSV and tables: their rows, and where they break."""

from __future__ import annotations

import csv
import json

import pytest
from files_of_every_kind import json_lines, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm.data_audit import audit_dataset


@pytest.mark.parametrize(
    ("text", "rows", "faults", "note"),
    [
        (b'\xef\xbb\xbf [\n{"a": 1},\n{"a": 2}\n]\n', 2, 0, None),
        (b"[]", 0, 0, None),
        (b"  \n", 0, 0, None),
        (b'{"version": 1, "data": [{"a": 1}, {"a": 2}, 3]}', 2, 1, "not an object"),
        (b'{\n"messages": [{"role": "user", "content": "x"}]\n}', 1, 0, None),
        (b'{"a": 1}\n{"a": 2}\n{torn\n{"a": 3}', 3, 1, "rows.json:3: not JSON"),
        (b'[{"a": 1}, {"a": torn}, {"a": 3}]', 1, 1, "rows.json:2: not JSON from here on"),
        (b'[{"a": 1} {"a": 2}]', 1, 1, "rows.json:2: not JSON from here on"),
        (b'[{"a": 1}, {"a": "cut', 1, 1, "rows.json:2: not JSON from here on"),
        (b'[{"a": 1}] x', 1, 1, "rows.json:2: more text after the end"),
        (b'[{"a": "\xff"}, {"a": "good"}]', 1, 1, "rows.json:1: not UTF-8"),
        (b'[{"a": 1}, ' + b"[" * 3000, 1, 1, "nested too deep from here on"),
        (b'[{"a": ' + b"9" * 5000 + b"}, 12, null]", 1, 2, "a JSON number, not an object"),
        (b'[{"a": ' + b"[" * 300 + b"]" * 300 + b'}, {"a": 1}]', 1, 1, "deeper than 200 levels"),
    ],
)
def test_a_json_document_gives_its_objects_and_says_where_it_breaks(
    tmp_path, text, rows, faults, note
):
    (tmp_path / "rows.json").write_bytes(text)

    report = audit_dataset(tmp_path / "rows.json")

    train = report.splits["train"]
    found = train["parse_errors"] + train["decode_errors"] + train["non_object_rows"]
    assert (report.total_samples, found) == (rows, faults)
    assert note is None or any(note in each for each in report.notes)


@given(
    rows=st.lists(
        st.dictionaries(st.text(max_size=3), st.text(max_size=9) | st.floats() | st.integers()),
        max_size=6,
    ),
    indent=st.sampled_from([None, 1]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_array_holds_what_its_lines_would(tmp_path, rows, indent):
    (tmp_path / "rows.json").write_text(json.dumps(rows, indent=indent))
    (tmp_path / "rows.jsonl").write_text("\n" + "".join(json.dumps(row) + "\n" for row in rows))

    array, lines = audit_dataset(tmp_path / "rows.json"), audit_dataset(tmp_path / "rows.jsonl")

    assert array.splits == lines.splits


def test_an_array_of_many_blocks_is_read_in_pieces(tmp_path):
    rows = [{"text": "é" * n, "n": n} for n in range(3000)]
    (tmp_path / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")

    report = audit_dataset(tmp_path / "rows.json")

    assert report.total_samples == 3000
    assert report.splits["train"]["text_length"]["max"] == 2999


def test_an_item_of_an_array_that_is_too_long_ends_the_reading(tmp_path):
    text = b'[{"text": "a"}, {"text": "' + b"x" * (70 << 20) + b'"}, {"text": "b"}]'
    (tmp_path / "rows.json").write_bytes(text)

    report = audit_dataset(tmp_path / "rows.json")

    assert (report.total_samples, report.splits["train"]["parse_errors"]) == (1, 1)
    assert any("rows.json:2: longer than 32 MiB from here on" in note for note in report.notes)


def test_a_row_of_csv_is_located_by_its_first_line(tmp_path):
    (tmp_path / "rows.csv").write_bytes(
        b'\xef\xbb\xbftext;note\r\n"two\r\nlines";x\r\n\r\n\xff;bad\r\n'
        b'eve@example.com;a;more@example.com\r\nshort\r\n"bob@example.com'
    )

    report = audit_dataset(tmp_path / "rows.csv")

    train = report.splits["train"]
    assert (train["sample_count"], train["decode_errors"]) == (4, 1)
    assert any("rows.csv:5: not UTF-8" in note for note in report.notes)
    assert [(f.row, f.column) for f in report.pii_findings] == [
        (1, "text"),
        (1, "(cells without a name)[]"),
        (3, "text"),
    ]


def test_csv_with_null_bytes_long_cells_and_repeated_names_is_read(tmp_path):
    (tmp_path / "rows.csv").write_bytes(
        b"text,text\neve@example.com,x\na\0b,"
        + b"y" * 200_000
        + b"\n"
        + b'"'
        + b"z" * (33 << 20)
        + b'"\nlast,row\n'
    )
    limit = csv.field_size_limit()

    report = audit_dataset(tmp_path / "rows.csv")

    assert (report.total_samples, report.pii_summary) == (3, {"email": 1})
    assert any("rows.csv:4: longer than 32 MiB" in note for note in report.notes)
    assert csv.field_size_limit() == limit


def test_nested_odd_and_undecodable_columns_of_tables_are_searched(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    bad = pa.StringArray.from_buffers(
        2, pa.py_buffer(b"\0\0\0\0\x02\0\0\0\x04\0\0\0"), pa.py_buffer(b"ok\xff\xfe")
    )
    table = pa.table(
        {
            "messages": [[{"role": "user", "content": "alice@example.com"}], None],
            "map": pa.array([[("k", "bob@example.com")], []], pa.map_("string", "string")),
            "raw": pa.array([b"eve@example.com", b"\xff\x00"]),
            "word": pa.array(["dan@example.com", None]).dictionary_encode(),
            "when": pa.array([2**62, None], pa.timestamp("us")),
            "bad": bad,
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")

    report = audit_dataset(tmp_path / "rows.parquet")

    assert [f.column for f in report.pii_findings] == [
        "messages[].content",
        "map[][]",
        "raw",
        "word",
    ]
    assert report.splits["train"]["decode_errors"] == 1
    assert any("rows.parquet:2: text that is not UTF-8" in note for note in report.notes)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_table_is_scanned_in_parts_with_the_same_result(tmp_path, suffix):
    pad = "x " * 5000
    rows = [{"text": f"row {n} {pad}", "mail": f"u{n}@example.com"} for n in range(1200)]
    write_table(tmp_path / f"rows.{suffix}", rows)
    (tmp_path / "rows.jsonl").write_bytes(json_lines(rows))

    one = audit_dataset(tmp_path / f"rows.{suffix}")
    two = audit_dataset(tmp_path / f"rows.{suffix}", workers=2)

    assert one.splits == two.splits == audit_dataset(tmp_path / "rows.jsonl").splits
    assert [f.row for f in two.pii_findings] == list(range(1200))
