"""Copies without near duplicates and leaks, and leak-free splits."""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm.data_audit import audit_dataset, deduplicate_dataset, split_dataset
from forgelm.errors import DataError

WORDS = [f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in ("n", "l", "ra", "ti")]


def sentence(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def write_corpus(folder, **splits):
    folder.mkdir(parents=True)
    for split, texts in splits.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def texts_of(path):
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def record_of(summary):
    lines = Path(summary.record).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


A, B, C, D = (sentence(seed) for seed in range(4))
EDITED = f"{A} once more"


def test_one_row_of_each_cluster_stays_and_the_record_says_why_the_others_went(tmp_path):
    corpus = write_corpus(tmp_path / "raw", train=[A, B, A, EDITED, "", ""])

    summary = deduplicate_dataset(corpus, tmp_path / "clean", near_dup_threshold=5)

    assert texts_of(tmp_path / "clean" / "train.jsonl") == [A, B, "", ""]
    assert (summary.rows, summary.rows_kept) == (6, 4)
    assert summary.duplicates == {"train": 2}
    assert summary.leaked == {}
    assert summary.record == str(tmp_path / "clean.dedup_record.jsonl")
    record = record_of(summary)
    assert record[0] == {
        "split": "train",
        "row": 2,
        "kept_split": "train",
        "kept_row": 0,
        "distance": 0,
        "reason": "near_duplicate",
    }
    assert (record[1]["row"], record[1]["kept_row"]) == (3, 0)
    assert 0 < record[1]["distance"] <= 5


@pytest.mark.parametrize(
    ("keep", "kept"), [("first", [A, B]), ("last", [B, A]), ("longest", [B, EDITED])]
)
def test_which_row_of_a_cluster_stays_can_be_chosen(tmp_path, keep, kept):
    corpus = write_corpus(tmp_path / "raw", train=[A, B, EDITED, A])

    deduplicate_dataset(corpus, tmp_path / "clean", keep=keep, near_dup_threshold=5)

    assert texts_of(tmp_path / "clean" / "train.jsonl") == kept


def test_protected_splits_stay_as_they_are_and_take_their_rows_out_of_training(tmp_path):
    corpus = write_corpus(tmp_path / "raw", train=[A, B, C, C], validation=[A, A, D], test=[D, B])

    summary = deduplicate_dataset(corpus, tmp_path / "clean")

    assert texts_of(tmp_path / "clean" / "train.jsonl") == [C]
    for name in ("validation.jsonl", "test.jsonl"):
        assert (tmp_path / "clean" / name).read_bytes() == (corpus / name).read_bytes()
    assert summary.leaked == {"train": 2}
    assert summary.duplicates == {"train": 1}
    assert [(line["reason"], line["kept_split"]) for line in record_of(summary)] == [
        ("leak", "validation"),
        ("leak", "test"),
        ("near_duplicate", "train"),
    ]
    assert len(summary.notes) == 2
    report = audit_dataset(tmp_path / "clean")
    assert report.cross_split_overlap["pairs"]["train__test"]["leaked_rows_in_train"] == 0


def test_leaks_can_be_left_alone(tmp_path):
    corpus = write_corpus(tmp_path / "raw", train=[A, B], test=[B])

    summary = deduplicate_dataset(corpus, tmp_path / "clean", remove_leaked=False)

    assert summary.rows_kept == 3
    assert len(summary.notes) == 1


ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=12)


@pytest.mark.parametrize("method", ["simhash", "minhash"])
@settings(max_examples=25, deadline=None)
@given(train=ROWS, validation=ROWS, test=ROWS, keep=st.sampled_from(["first", "last", "longest"]))
def test_an_audit_of_the_copy_finds_no_duplicates_and_no_leaks(
    method, train, validation, test, keep
):
    if method == "minhash":
        pytest.importorskip("datasketch")
    splits = {
        name: [f"{sentence(seed)} {'more ' * extra}" for seed, extra in rows]
        for name, rows in (("train", train), ("validation", validation), ("test", test))
    }
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder, "raw"), **{**splits, "train": [D, *splits["train"]]})
        for protect in ((), ("validation", "test")):
            out = Path(folder, f"clean{len(protect)}")
            summary = deduplicate_dataset(corpus, out, method=method, keep=keep, protect=protect)
            report = audit_dataset(out, dedup_method=method)

            assert summary.rows_kept == report.total_samples
            assert summary.rows - summary.rows_kept == len(record_of(summary))
            gone = {(line["split"], line["row"]) for line in record_of(summary)}
            assert not gone & {(r["kept_split"], r["kept_row"]) for r in record_of(summary)}
            assert report.near_duplicate_summary["pairs_per_split"].get("train", 0) == 0
            assert not [
                row for row in report.leaked_rows if "train" in (row.split, row.other_split)
            ]
            if not protect:
                assert report.duplicate_count == len(report.leaked_rows) == 0


def test_a_file_gives_a_file_and_lines_that_cannot_be_read_are_told(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text":  "One row here"}\n{torn\n{"text": "One row here"}\n')

    summary = deduplicate_dataset(source, tmp_path / "clean.jsonl")

    assert (tmp_path / "clean.jsonl").read_text() == '{"text":  "One row here"}\n'
    assert summary.skipped == 1
    assert summary.skipped_lines == ("rows.jsonl:2: not JSON (column 2)",)


def test_rows_of_other_formats_and_in_memory_are_written_as_json_lines(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "train.csv").write_text("text,n\nOne row here,1\nOne row here,1\n")
    (tmp_path / "raw" / "test.json").write_text('[{"text": "Nothing like it"}]')

    deduplicate_dataset(tmp_path / "raw", tmp_path / "clean")
    rows = ({"text": text} for text in (A, A, B))
    summary = deduplicate_dataset({"train": rows, "val": [{"text": C}]}, tmp_path / "memory")

    assert texts_of(tmp_path / "clean" / "train.jsonl") == ["One row here"]
    assert texts_of(tmp_path / "clean" / "test.jsonl") == ["Nothing like it"]
    assert texts_of(tmp_path / "memory" / "train.jsonl") == [A, B]
    assert (summary.rows, summary.rows_kept) == (4, 3)
    with pytest.raises(DataError, match=r"let the name end in \.jsonl"):
        deduplicate_dataset([{"text": A}], tmp_path / "out.parquet")


def test_nothing_is_replaced_and_nothing_left_half_done(tmp_path):
    corpus = write_corpus(tmp_path / "raw", train=[A, A])

    with pytest.raises(DataError, match="is the source itself"):
        deduplicate_dataset(corpus, corpus, overwrite=True)
    deduplicate_dataset(corpus, tmp_path / "clean")
    with pytest.raises(DataError, match=r"Already there: .*train.jsonl.*overwrite=True"):
        deduplicate_dataset(corpus, tmp_path / "clean")
    deduplicate_dataset(corpus, tmp_path / "clean", overwrite=True)
    with pytest.raises(DataError, match="is a file; name a directory"):
        deduplicate_dataset(corpus, tmp_path / "clean" / "train.jsonl")
    with pytest.raises(ValueError, match="keep must be 'first', 'last' or 'longest', not 'best'"):
        deduplicate_dataset(corpus, tmp_path / "other", keep="best")
    with pytest.raises(ValueError, match="near_dup_threshold must be from 0 to 16, not 99"):
        deduplicate_dataset(corpus, tmp_path / "other", near_dup_threshold=99)

    assert {path.name for path in tmp_path.iterdir()} == {
        "raw",
        "clean",
        "clean.dedup_record.jsonl",
    }


def test_a_damaged_file_leaves_nothing_behind(tmp_path):
    corpus = write_corpus(tmp_path / "raw", train=[A, A])
    packed = gzip.compress(json.dumps({"text": B}).encode() * 1000)
    (corpus / "test.jsonl.gz").write_bytes(packed[:-20])

    for write in (deduplicate_dataset, split_dataset):
        with pytest.raises(DataError, match=r"test\.jsonl\.gz is damaged"):
            write(corpus, tmp_path / "clean")

    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_splits_share_no_near_duplicate_and_have_the_sizes_asked_for(tmp_path):
    texts = [f"{sentence(n // 3)} {'more ' * (n % 3)}" for n in range(300)]
    corpus = write_corpus(tmp_path / "raw", train=texts)

    summary = split_dataset(
        corpus / "train.jsonl", tmp_path / "out", validation=0.2, test=0.1, near_dup_threshold=8
    )
    again = split_dataset(
        corpus, tmp_path / "again", validation=0.2, test=0.1, near_dup_threshold=8
    )
    other = split_dataset(corpus, tmp_path / "other", validation=0.2, near_dup_threshold=8, seed=7)

    assert summary.rows == again.rows == {"train": 210, "validation": 60, "test": 30}
    assert other.rows == {"train": 240, "validation": 60}
    report = audit_dataset(tmp_path / "out", near_dup_threshold=8)
    assert len(report.leaked_rows) == 0
    written = [text for name in summary.files for text in texts_of(Path(summary.files[name]))]
    assert sorted(written) == sorted(texts)
    for split, path in summary.files.items():
        assert Path(path).read_bytes() == Path(again.files[split]).read_bytes()
    validations = [Path(each.files["validation"]).read_bytes() for each in (summary, other)]
    assert validations[0] != validations[1]


def test_shares_of_splits_must_leave_something_to_train_on(tmp_path):
    with pytest.raises(ValueError, match=r"below 1 together, not 0\.5, 0\.5"):
        split_dataset(tmp_path, tmp_path / "out", validation=0.5, test=0.5)
