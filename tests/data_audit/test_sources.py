"""Every kind of source gives the rows that are in it, and says where it is damaged."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections import UserDict
from contextlib import suppress

import pytest
from files_of_every_kind import FOUND, ROWS, SUFFIXES, json_lines, write_source, zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm.data_audit import audit_dataset, mask_dataset
from forgelm.errors import DataError


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_any_format_gives_the_same_rows_columns_and_findings(tmp_path, suffix):
    path = write_source(tmp_path / f"rows.{suffix}")

    report = audit_dataset(path, workers=2)

    train = report.splits["train"]
    assert (report.total_samples, report.pii_summary) == (3, FOUND)
    assert train["columns"] == ["text", "note"]
    assert [(f.row, f.column) for f in report.pii_findings] == [(0, "text"), (2, "text")]
    assert not any("passed over" in note for note in report.notes)
    assert report.source_path == str(path)


def in_memory_sources():
    yield "list", lambda: ROWS
    yield "generator", lambda: (dict(row) for row in ROWS)
    yield "mappings", lambda: [UserDict(row) for row in ROWS]
    yield "splits", lambda: {"train": iter(ROWS)}
    yield "frame", lambda: pytest.importorskip("pandas").DataFrame(ROWS)
    yield "data set", lambda: pytest.importorskip("datasets").Dataset.from_list(ROWS)


@pytest.mark.parametrize(("_name", "make"), [*in_memory_sources()])
@pytest.mark.filterwarnings("default")
def test_rows_in_memory_give_the_same_as_a_file(_name, make):
    report = audit_dataset(make())

    assert (report.total_samples, report.pii_summary) == (3, FOUND)
    assert report.splits["train"]["columns"] == ["text", "note"]
    assert (report.source_path, report.source_input) == ("(in memory)", "(in memory)")


def test_rows_in_memory_give_the_numbers_that_their_json_lines_give(tmp_path):
    rows = [{**row, "id": n} for n in range(700) for row in ROWS]
    (tmp_path / "rows.jsonl").write_bytes(json_lines(rows))

    from_file, from_list = audit_dataset(tmp_path / "rows.jsonl"), audit_dataset(iter(rows))

    assert from_list.splits == from_file.splits
    assert from_list.near_duplicate_summary == from_file.near_duplicate_summary
    assert list(from_list.pii_findings) == list(from_file.pii_findings)


def test_a_mapping_gives_the_splits():
    report = audit_dataset({"extra": ROWS, "val": ROWS, "train": ROWS[:1]})

    assert {name: s["sample_count"] for name, s in report.splits.items()} == {
        "train": 1,
        "validation": 3,
        "extra": 3,
    }
    assert list(report.splits) == ["train", "validation", "extra"]


def test_odd_rows_in_memory_are_counted_and_passed_over():
    loop = {}
    loop["self"] = loop
    deep = []
    for _ in range(5000):
        deep = [deep]

    report = audit_dataset([ROWS[0], "text", None, loop, {"x": deep}, {1: b"eve@example.com"}])

    assert report.total_samples == 2
    assert report.splits["train"]["non_object_rows"] == 2
    assert report.splits["train"]["parse_errors"] == 2
    assert report.splits["train"]["columns"] == ["text", "note", "1"]
    assert report.pii_summary == {"email": 2}
    (note,) = [note for note in report.notes if "passed over" in note]
    assert "(in memory):2: a Python str, not a mapping" in note
    assert "(in memory):4: nested deeper than 200 levels" in note


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "no rows are in an empty mapping"),
        ({"text": "a single row"}, "no rows are in text. Put a single row into a list"),
        (7, "A int is no source of rows"),
        ({"val": [], "dev": []}, "Two of the splits are 'validation'"),
    ],
)
def test_what_holds_no_rows_is_refused_with_the_next_step(source, message):
    with pytest.raises(DataError, match=message):
        audit_dataset(source)


def test_no_rows_are_a_report_on_none():
    assert audit_dataset([]).total_samples == 0
    assert audit_dataset(iter(()), dedup_method="simhash").splits["train"]["sample_count"] == 0


def test_a_pattern_gives_splits_by_name(tmp_path):
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(json_lines()))
    (tmp_path / "readme.md").write_text("no data")

    report = audit_dataset(f"{tmp_path}/*")

    counts = {name: stats["sample_count"] for name, stats in report.splits.items()}
    assert counts == {"train": 6, "test": 3}
    assert any("readme.md" in note for note in report.notes)
    assert list(audit_dataset(str(tmp_path / "train-*.jsonl.gz")).splits) == ["train"]
    with pytest.raises(DataError, match="no data file has such a name"):
        audit_dataset(str(tmp_path / "valid-*.jsonl"))


def test_below_a_pattern_a_folder_names_the_split_where_the_file_does_not(tmp_path):
    for name in ("en/train/part-0.jsonl", "en/test/part-0.jsonl", "de/train/val.jsonl"):
        file = tmp_path / "eval" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(json_lines())
    file.with_name("rows.jsonl").write_bytes(json_lines())

    splits = audit_dataset(f"{tmp_path}/eval/**/*.jsonl").splits

    counts = {name: stats["sample_count"] for name, stats in splits.items()}
    assert counts == {"train": 6, "validation": 3, "test": 3}


def test_formats_can_be_mixed_in_a_directory(tmp_path):
    for name in ("train.parquet", "val.csv", "test.json", "dev.jsonl.gz"):
        write_source(tmp_path / name)
    (tmp_path / "dataset_info.json").write_text("{}")

    report = audit_dataset(tmp_path, workers=3)

    counts = {name: stats["sample_count"] for name, stats in report.splits.items()}
    assert counts == {"train": 3, "validation": 6, "test": 3}
    assert report.pii_summary == {"email": 4, "phone": 4}


@pytest.mark.filterwarnings("default")
def test_what_datasets_has_saved_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list(ROWS)
    rows.save_to_disk(tmp_path / "one", num_shards=2)
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "both")

    one, both = audit_dataset(tmp_path / "one"), audit_dataset(tmp_path / "both", workers=2)
    mask_dataset(tmp_path / "both", tmp_path / "masked")

    assert (one.total_samples, one.pii_summary) == (3, FOUND)
    assert {name: s["sample_count"] for name, s in both.splits.items()} == {"train": 3, "test": 3}
    assert audit_dataset(tmp_path / "masked").pii_summary == {}
    again = datasets.load_from_disk(str(tmp_path / "masked"))
    assert again["test"][0] == {"text": "Write to [REDACTED]", "note": "a"}


def test_a_name_of_the_hub_without_a_connection_is_an_error_that_says_so(monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="no such file or directory, and no data set of the Hub"):
        audit_dataset("nobody-at-all/no-such-set")


@pytest.mark.parametrize("suffix", ["jsonl.gz", "jsonl.zst", "csv.gz", "json.zst"])
@pytest.mark.parametrize("workers", [1, 2])
def test_packed_data_that_were_cut_off_are_refused_with_their_place(tmp_path, suffix, workers):
    (tmp_path / "corpus").mkdir()
    path = write_source(tmp_path / "corpus" / f"rows.{suffix}")
    path.write_bytes(path.read_bytes()[:-9])
    (tmp_path / "corpus" / "train.jsonl").write_bytes(json_lines())

    message = rf"rows\.{suffix} is damaged: .* after row or line \d+\. Fetch or write"
    with pytest.raises(DataError, match=message):
        audit_dataset(tmp_path / "corpus", workers=workers)
    with pytest.raises(DataError, match=rf"rows\.{suffix} is damaged"):
        mask_dataset(tmp_path / "corpus", tmp_path / "masked")


@pytest.mark.parametrize("suffix", ["jsonl.gz", "jsonl.zst", "parquet", "arrow", "feather"])
@pytest.mark.parametrize("content", [b"no such thing at all", b"\x1f\x8b\x08\x00PAR1ARROW1\0\0"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, suffix, content):
    if suffix in ("parquet", "arrow", "feather"):
        pytest.importorskip("pyarrow")
    if suffix.endswith(".zst"):
        pytest.importorskip("zstandard")
    (tmp_path / f"rows.{suffix}").write_bytes(content)

    with pytest.raises(DataError, match=rf"rows\.{suffix} is damaged"):
        audit_dataset(tmp_path / f"rows.{suffix}")


@pytest.mark.parametrize("suffix", ["jsonl.gz", "jsonl.zst", "parquet", "arrow"])
@given(data=st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_byte_is_read_or_refused_but_never_a_crash(tmp_path, suffix, data):
    path = write_source(tmp_path / f"rows.{suffix}")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    with suppress(DataError):
        audit_dataset(path)


def test_members_and_padding_of_packed_files_are_read_through(tmp_path):
    parts = [gzip.compress(json_lines([row])) for row in ROWS]
    (tmp_path / "rows.jsonl.gz").write_bytes(b"".join(parts) + b"\0" * 600)
    (tmp_path / "rows.jsonl.zst").write_bytes(b"".join(zstd(json_lines([row])) for row in ROWS))

    assert audit_dataset(tmp_path / "rows.jsonl.gz").total_samples == 3
    assert audit_dataset(tmp_path / "rows.jsonl.zst").total_samples == 3


def test_an_audit_loads_nothing_that_it_does_not_need(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(json_lines())
    program = """
import sys
from forgelm.data_audit import audit_dataset
audit_dataset(sys.argv[1])
assert not {"IPython", "ipywidgets", "pandas", "pyarrow", "datasets"} & set(sys.modules)
"""
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "rows.jsonl")], check=True, timeout=120
    )


@pytest.mark.filterwarnings("default")
def test_in_a_notebook_the_bar_of_progress_is_a_widget():
    pytest.importorskip("ipykernel")
    pytest.importorskip("ipywidgets")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cell = nbformat.v4.new_code_cell(
        "import time\n"
        "from forgelm.data_audit import audit_dataset\n"
        "def rows():\n"
        "    for n in range(3000):\n"
        "        time.sleep(0.0008)\n"
        "        yield {'text': str(n)}\n"
        "audit_dataset(rows()).total_samples"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])

    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()

    kinds = [kind for output in notebook.cells[0].outputs for kind in output.get("data", {})]
    assert "application/vnd.jupyter.widget-view+json" in kinds


def test_a_link_is_read_by_its_own_name(tmp_path):
    (tmp_path / "blob").write_bytes(json_lines())
    (tmp_path / "train.jsonl").symlink_to(tmp_path / "blob")

    assert audit_dataset(tmp_path / "train.jsonl").total_samples == 3
    shutil.rmtree(tmp_path)
