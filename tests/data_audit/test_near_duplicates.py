"""Signatures and near duplicates, through the functions and through reports."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from forgelm.data_audit import audit_dataset, compute_minhash, compute_simhash

SENTENCES = [
    "The parcel left our warehouse on Monday and should reach you within three working days.",
    "Please restart the router, wait two minutes, and check whether the light turns green.",
    "Your subscription renews each month until you cancel it in the account settings.",
    "Refunds are paid back to the card you used and take up to five working days.",
    "We close at six on weekdays, and on Saturday the shop opens at ten in the morning.",
    "The invoice carries the tax number of your company when you add it before ordering.",
]
LONG = " ".join(SENTENCES)


def write_rows(path, texts):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
    return str(path)


def distance(a: str, b: str) -> int:
    return (compute_simhash(a) ^ compute_simhash(b)).bit_count()


def test_a_simhash_ignores_case_and_spacing_and_is_zero_without_words():
    assert compute_simhash("Hello,  WORLD!") == compute_simhash("hello world")
    assert compute_simhash("") == compute_simhash(" ...!") == 0
    assert 0 <= compute_simhash(LONG) < 2**64


def test_similar_texts_are_near_and_different_texts_are_far():
    assert distance(LONG, LONG.replace("Monday", "Friday")) <= 3
    assert min(distance(a, b) for a, b in itertools.combinations(SENTENCES, 2)) > 10


def test_scripts_without_spaces_are_compared_by_character():
    text = "我们的仓库星期一发出了包裹三个工作日内送达请在账户设置中取消订阅退款会退回到您使用的卡"

    assert distance(text, text.replace("星期一", "星期五")) < distance(
        text, "完全不同的一句话和内容"
    )


def plain_simhash(text: str) -> int:
    """SimHash over words by its definition, in plain integers."""
    size = 1 << 64
    votes = [0] * 64
    for word in text.lower().split():
        value = sum(ord(c) * pow(0x9E3779B97F4A7C15, n, size) for n, c in enumerate(word)) % size
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            value = (value ^ (value >> shift)) * factor % size
        value ^= value >> 31
        votes = [vote + (1 if value >> bit & 1 else -1) for bit, vote in enumerate(votes)]
    return sum(1 << bit for bit, vote in enumerate(votes) if vote > 0)


def test_a_simhash_is_the_majority_vote_of_its_words_hashes():
    for text in ("one", "to be or not to be", "žluťoučký kůň 42", "a b c d e f g a b c"):
        assert compute_simhash(text) == plain_simhash(text)


def test_a_simhash_is_the_same_in_every_process():
    code = "from forgelm import compute_simhash; print(compute_simhash('the same words'))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert runs == {str(plain_simhash("the same words"))}


def test_a_minhash_is_a_datasketch_object_that_estimates_the_share_of_common_words():
    datasketch = pytest.importorskip("datasketch")
    words = [f"word{n}" for n in range(100)]
    left, right = (
        compute_minhash(" ".join(part), num_perm=512) for part in (words[:80], words[20:])
    )

    assert isinstance(left, datasketch.MinHash)
    assert left.jaccard(right) == pytest.approx(0.6, abs=0.07)
    assert compute_minhash("") is None


def test_a_minhash_needs_at_least_one_place():
    with pytest.raises(ValueError, match="num_perm must be at least 1, not 0"):
        compute_minhash("words", num_perm=0)


@pytest.mark.parametrize("method", ["simhash", "minhash"])
def test_pairs_are_counted_within_a_split_and_leaks_between_splits(tmp_path, method):
    if method == "minhash":
        pytest.importorskip("datasketch")
    edited = LONG.replace("Monday", "Friday")
    write_rows(tmp_path / "corpus" / "train.jsonl", [LONG, LONG, edited, *SENTENCES])
    write_rows(tmp_path / "corpus" / "test.jsonl", [edited, "Nothing like it in the other file."])

    report = audit_dataset(tmp_path / "corpus", dedup_method=method)

    assert report.near_duplicate_summary["pairs_per_split"] == {"train": 3, "test": 0}
    assert report.duplicate_count == 3
    assert report.splits["train"]["near_duplicate_pairs"] == 3
    # One changed word of eighty moves no bit of the SimHash, but places of the MinHash.
    distinct = {"simhash": 7, "minhash": 8}[method]
    assert report.splits["train"][f"{method}_distinct"] == distinct
    assert report.cross_split_overlap["pairs"] == {
        "train__test": {
            "leaked_rows_in_train": 3,
            "leak_rate_train": 0.333333,
            "leaked_rows_in_test": 1,
            "leak_rate_test": 0.5,
        }
    }


def test_a_hundred_thousand_equal_rows_are_collapsed_and_counted_right(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "the same row"}\n' * 100_000, encoding="utf-8")

    report = audit_dataset(path)

    assert report.duplicate_count == 100_000 * 99_999 // 2
    assert report.splits["train"]["simhash_distinct"] == 1


def test_rows_without_words_are_no_duplicates_of_one_another(tmp_path):
    report = audit_dataset(write_rows(tmp_path / "rows.jsonl", ["", "...", "!", "", "one word"]))

    assert report.duplicate_count == 0
    assert report.splits["train"]["null_or_empty_count"] == 2
    assert report.splits["train"]["null_or_empty_rate"] == 0.4


def test_identifiers_beside_the_text_do_not_hide_a_duplicate(tmp_path):
    path = tmp_path / "rows.jsonl"
    chat = {
        "messages": [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes"}]
    }
    rows = [{**chat, "id": "first-0001"}, {**chat, "id": "second-9000"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    assert audit_dataset(path).duplicate_count == 1


@pytest.mark.parametrize("threshold", [0, 1, 3, 7, 16])
def test_every_pair_within_the_threshold_is_found(tmp_path, threshold):
    words = LONG.split()
    texts = [" ".join(words[:n] + ["changed"] * (n % 5) + words[n:]) for n in range(0, 80, 2)]
    texts += [" ".join(words[n:] + words[: n // 3]) for n in range(0, 60, 3)]
    pairs = itertools.combinations(map(compute_simhash, texts), 2)
    expected = sum((a ^ b).bit_count() <= threshold for a, b in pairs)

    report = audit_dataset(write_rows(tmp_path / "rows.jsonl", texts), near_dup_threshold=threshold)

    assert report.duplicate_count == expected
