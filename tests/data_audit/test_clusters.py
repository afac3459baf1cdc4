"""Clusters of near duplicates, and rows that leak, through reports."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgelm.data_audit import (
    AuditReport,
    Cluster,
    LeakedRow,
    audit_dataset,
    compute_minhash,
    compute_simhash,
)
from forgelm.data_audit.near_duplicates import Budget, UnionFind, equal_pairs

WORDS = [f"{a}{b}{c}" for a in "bdfgklmprst" for b in "aeiou" for c in ("n", "l", "ra", "ti")]


def sentence(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def write_corpus(folder, **splits):
    folder.mkdir()
    for split, texts in splits.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def report(tmp_path):
    a, b = sentence(1), sentence(2)
    splits = {"train": [b, a, "", a, sentence(3)], "validation": ["?", a], "test": [b, b]}
    return audit_dataset(write_corpus(tmp_path / "corpus", **splits))


def test_clusters_name_split_and_row_of_all_that_repeat_one_another(report):
    assert list(report.near_duplicate_clusters) == [
        Cluster(0, (("train", 0), ("test", 0), ("test", 1))),
        Cluster(1, (("train", 1), ("train", 3), ("validation", 1))),
    ]
    assert report.near_duplicate_clusters[-1].size == 3
    assert report.near_duplicate_clusters[0:1] == [report.near_duplicate_clusters[0]]
    with pytest.raises(IndexError, match="there are 2 clusters; no number 2"):
        report.near_duplicate_clusters[2]


def test_leaked_rows_name_the_row_that_they_repeat(report):
    assert list(report.leaked_rows) == [
        LeakedRow("train", 0, "test", 0),
        LeakedRow("train", 1, "validation", 1),
        LeakedRow("train", 3, "validation", 1),
        LeakedRow("validation", 1, "train", 1),
        LeakedRow("test", 0, "train", 0),
        LeakedRow("test", 1, "train", 0),
    ]
    assert report.leaked_rows[-1] == report.leaked_rows[5]
    for split, other, key in (("train", "test", "train__test"), ("test", "train", "train__test")):
        counted = report.cross_split_overlap["pairs"][key][f"leaked_rows_in_{split}"]
        rows = [row for row in report.leaked_rows if (row.split, row.other_split) == (split, other)]
        assert len(rows) == counted


def test_tables_hold_clusters_and_leaks(report):
    pytest.importorskip("pandas")
    frames = report.to_frames()

    assert frames["clusters"].iloc[5].to_dict() == {
        "split": "validation",
        "row": 1,
        "cluster": 1,
        "size": 3,
    }
    assert frames["leaked_rows"].columns.tolist() == ["split", "row", "other_split", "other_row"]
    assert len(frames["leaked_rows"]) == 6


def test_clusters_survive_copies_and_are_empty_in_a_report_rebuilt_from_json(report):
    for again in (copy.deepcopy(report), pickle.loads(pickle.dumps(report))):
        assert list(again.near_duplicate_clusters) == list(report.near_duplicate_clusters)
        assert list(again.leaked_rows) == list(report.leaked_rows)
    rebuilt = AuditReport(**report.to_dict())
    assert (len(rebuilt.near_duplicate_clusters), len(rebuilt.leaked_rows)) == (0, 0)
    assert rebuilt.leaked_rows.columns()["row"] == []


def test_a_chain_of_near_rows_is_one_cluster(tmp_path):
    words = sentence(5).split()
    texts = [" ".join([*words[:n], *(["changed"] * n), *words[n:]]) for n in range(12)]
    signs = [compute_simhash(text) for text in texts]
    assert (signs[0] ^ signs[-1]).bit_count() > 6
    near = max((a ^ b).bit_count() for a, b in itertools.pairwise(signs))

    report = audit_dataset(write_corpus(tmp_path / "corpus", train=texts), near_dup_threshold=near)

    assert [cluster.size for cluster in report.near_duplicate_clusters] == [12]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.integers(1, 9))
def test_joined_things_share_their_lowest_member_in_whatever_blocks_pairs_come(pairs, block):
    expected = list(range(31))
    for _ in range(31):
        for i, j in pairs:
            expected[i] = expected[j] = min(expected[i], expected[j])
    groups = UnionFind(31)
    for start in range(0, len(pairs), block):
        i, j = np.array(pairs[start : start + block]).T
        groups.join(i, j)

    assert groups.labels().tolist() == expected


@given(st.lists(st.integers(0, 5), max_size=40))
def test_all_equal_hashes_are_paired_once_while_the_budget_lasts(hashes):
    budget = Budget(10_000, 1)
    blocks = list(equal_pairs(np.array(hashes, np.uint32), budget))
    found = [tuple(pair) for i, j in blocks for pair in zip(i.tolist(), j.tolist(), strict=True)]

    assert budget.complete
    assert sorted(found) == [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if hashes[i] == hashes[j]
    ]


def test_a_spent_budget_leaves_neighbours_and_is_told():
    budget = Budget(5000, 1)
    pairs = sum(i.size for i, _ in equal_pairs(np.zeros(1000, np.uint32), budget))

    assert not budget.complete
    assert 4000 <= pairs <= 5000


@pytest.mark.parametrize("method", ["simhash", "minhash"])
def test_ten_thousand_rows_from_one_template_are_one_cluster(tmp_path, method):
    if method == "minhash":
        pytest.importorskip("datasketch")
    texts = [f"{sentence(1, 40)} order{n} {sentence(2, 40)}" for n in range(10_000)]

    report = audit_dataset(
        write_corpus(tmp_path / "corpus", train=texts), dedup_method=method, minhash_num_perm=64
    )

    largest = max(cluster.size for cluster in report.near_duplicate_clusters)
    assert largest > 9_950
    complete = not any(note.startswith("Near duplicates: so many") for note in report.notes)
    assert complete == (method == "simhash")


def test_a_minhash_equals_datasketchs_own_of_the_same_words():
    datasketch = pytest.importorskip("datasketch")
    text, other = sentence(7), f"{sentence(7)} {sentence(8, 9)}"
    ours, near = compute_minhash(text), compute_minhash(other)
    theirs = datasketch.MinHash(num_perm=128, scheme="affine32", hashfunc=ours.hashfunc)
    theirs.update_batch([word.encode() for word in text.split()])

    assert theirs.hashvalues.tolist() == ours.hashvalues.tolist()
    assert theirs.jaccard(near) == ours.jaccard(near)
    ours.update(b"more")
    assert ours.hashvalues.tolist() == compute_minhash(f"{text} more").hashvalues.tolist()


@pytest.mark.parametrize("changed", [1, 2, 4, 8])
def test_minhash_finds_what_datasketchs_index_finds_and_verifies(tmp_path, changed):
    datasketch = pytest.importorskip("datasketch")
    texts = [sentence(seed, 100) for seed in range(150)]
    rng = random.Random(changed)
    for text in list(texts):
        words = text.split()
        for place in rng.sample(range(100), changed):
            words[place] = f"new{place}"
        texts.append(" ".join(words))
    sketches = [compute_minhash(text) for text in texts]
    index = datasketch.MinHashLSH(threshold=0.85, num_perm=128)
    theirs = set()
    for row, sketch in enumerate(sketches):
        theirs |= {(n, row) for n in index.query(sketch) if sketch.jaccard(sketches[n]) >= 0.85}
        index.insert(row, sketch)

    report = audit_dataset(write_corpus(tmp_path / "c", train=texts), dedup_method="minhash")

    assert report.duplicate_count >= len(theirs)
