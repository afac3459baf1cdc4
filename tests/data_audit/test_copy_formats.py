"""Copies without duplicates, and leak-free splits, in the format of their source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from files_of_every_kind import SUFFIXES, delimited, write_source, write_table

from forgelm.data_audit import audit_dataset, deduplicate_dataset, split_dataset
from forgelm.errors import DataError

ROWS = [{"text": f"Row {n} is about the {word}", "n": n} for n, word in enumerate("abcdefgh")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_copy_without_duplicates_has_the_format_of_its_source(tmp_path, suffix):
    source, out = write_source(tmp_path / f"rows.{suffix}"), tmp_path / f"clean.{suffix}"

    summary = deduplicate_dataset(source, out, file_format="source")
    before, after = audit_dataset(source), audit_dataset(out)

    assert (summary.rows, summary.rows_kept) == (3, 3)
    assert after.splits == before.splits
    assert after.pii_summary == {"email": 1, "phone": 1}
    with pytest.raises(DataError, match="is named as another format"):
        deduplicate_dataset(source, tmp_path / "clean.other.gz", file_format="source")


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather"])
def test_a_table_keeps_its_columns_and_types_and_loses_its_duplicates(tmp_path, suffix):
    pa = pytest.importorskip("pyarrow")
    rows = [{**row, "tags": ["x", None], "score": 0.5} for row in (*ROWS, ROWS[0], ROWS[3])]
    write_table(tmp_path / f"rows.{suffix}", rows)

    out = tmp_path / f"clean.{suffix}"
    deduplicate_dataset(tmp_path / f"rows.{suffix}", out, file_format="source")

    if suffix == "parquet":
        table = pytest.importorskip("pyarrow.parquet").read_table(out)
    else:
        stream = pa.memory_map(str(out))
        table = (pa.ipc.open_file if suffix == "feather" else pa.ipc.open_stream)(stream).read_all()
    assert table.to_pylist() == rows[:8]
    assert table.schema == pa.Table.from_pylist(rows).schema


def test_records_of_csv_stay_as_they_stand_and_bad_ones_are_told(tmp_path):
    text = (
        b'text;n\n"One row\nof two lines";1\n\n"bad \xff byte";2\n"One row\nof two lines";1\nB;3\n'
    )
    (tmp_path / "rows.csv").write_bytes(text)

    summary = deduplicate_dataset(
        tmp_path / "rows.csv", tmp_path / "clean.csv", file_format="source"
    )

    assert (tmp_path / "clean.csv").read_bytes() == b'text;n\n"One row\nof two lines";1\nB;3\n'
    assert summary.skipped_lines == ("rows.csv:5: not UTF-8",)
    assert summary.duplicates == {"train": 1}


def test_a_pretty_json_array_gives_one_line_a_row(tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps(ROWS, indent=2), encoding="utf-8")

    deduplicate_dataset(tmp_path / "rows.json", tmp_path / "clean.jsonl")
    split_dataset(tmp_path / "rows.json", tmp_path / "splits", validation=0.25)

    lines = (tmp_path / "clean.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert len((tmp_path / "splits" / "train.jsonl").read_text().splitlines()) == 6


def test_a_directory_keeps_its_files_whatever_they_are(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train.csv").write_bytes(delimited([*ROWS_OF_TEXT, *ROWS_OF_TEXT]))
    write_table(tmp_path / "raw" / "test.parquet", ROWS)

    summary = deduplicate_dataset(tmp_path / "raw", tmp_path / "clean", file_format="source")

    assert {Path(name).name for name in summary.files} == {"train.csv", "test.parquet"}
    assert (tmp_path / "clean" / "train.csv").read_bytes() == delimited(ROWS_OF_TEXT)
    assert audit_dataset(tmp_path / "clean").duplicate_count == 0


ROWS_OF_TEXT = [{"text": "Alone in here", "note": "x"}, {"text": "Nothing alike", "note": "y"}]


@pytest.mark.filterwarnings("default")
def test_a_copy_of_what_datasets_has_saved_can_be_loaded(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([*ROWS, *ROWS])
    datasets.DatasetDict({"train": rows, "test": rows.select([2])}).save_to_disk(tmp_path / "raw")

    deduplicate_dataset(tmp_path / "raw", tmp_path / "clean", file_format="source")

    again = datasets.load_from_disk(str(tmp_path / "clean"))
    assert again["train"].to_list() == [row for row in ROWS if row != ROWS[2]]
    assert again["test"].to_list() == [ROWS[2]]


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if not s.startswith("json.")])
def test_splits_have_the_format_of_their_source(tmp_path, suffix):
    for name in ("a", "b"):
        (tmp_path / "raw").mkdir(exist_ok=True)
        write_source(tmp_path / "raw" / f"{name}.{suffix}")

    summary = split_dataset(tmp_path / "raw", tmp_path / "out", test=0.5, file_format="source")

    assert [Path(path).name for path in summary.files.values()] == [
        f"{name}.{suffix}" for name in ("train", "validation", "test")
    ]
    report = audit_dataset(f"{tmp_path}/out/*")
    assert (report.total_samples, len(report.leaked_rows)) == (6, 0)
    assert report.pii_summary == {"email": 2, "phone": 2}
    assert summary.notes == ()


def test_files_that_do_not_fit_together_are_split_as_json_lines_and_a_note_says_so(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_bytes(delimited())
    (tmp_path / "raw" / "b.csv").write_text("other,columns\n1,2\n")

    summary = split_dataset(tmp_path / "raw", tmp_path / "out", file_format="source")

    assert Path(summary.files["train"]).name == "train.jsonl"
    assert summary.notes == (
        "The files of the source differ in format or columns: JSON Lines were written.",
    )
    with pytest.raises(ValueError, match="file_format must be 'jsonl' or 'source', not 'csv'"):
        split_dataset(tmp_path / "raw", tmp_path / "out2", file_format="csv")
