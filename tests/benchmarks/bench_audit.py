"""Speed of the data audit, and the near duplicates that it finds; run it by hand.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_audit.py [ROWS]
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from datasketch import MinHash, MinHashLSH

from forgelm.data_audit import (
    audit_dataset,
    detect_pii,
    detect_secrets,
)

WORDS = [
    *("the", "of", "to", "and", "a", "in", "is", "it", "you", "that", "for", "on", "with", "your"),
    *("order", "parcel", "refund", "invoice", "account", "password", "router", "address", "please"),
    *(f"term{n}" for n in range(5000)),
]
ZIPF = list(accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))


def prose(rng: random.Random, words: int) -> str:
    """Return sentences without anything to find."""
    return " ".join(rng.choices(WORDS, cum_weights=ZIPF, k=words)) + "."


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the median CPU time of `work`, child processes included."""
    times = []
    for _ in range(rounds):
        begin = sum(os.times()[:4])
        work()
        times.append(sum(os.times()[:4]) - begin)
    return statistics.median(times)


def rows(count: int) -> Iterator[str]:
    """Yield chat rows of about 1 kB, one in fifty with an address in it."""
    rng = random.Random(2)
    for n in range(count):
        extra = f" Write to user{n}@example.com." if n % 50 == 0 else ""
        chat = [("user", prose(rng, 90) + extra), ("assistant", prose(rng, 70))]
        messages = [{"role": role, "content": content} for role, content in chat]
        yield json.dumps({"messages": messages, "id": n}) + "\n"


def speed(count: int) -> None:
    """Print rows a second of whole audits, and the cost of the parts for a row of 1 kB."""
    rng = random.Random(3)
    text = prose(rng, 180)
    for detect in (detect_pii, detect_secrets):
        cost = seconds(lambda d=detect: [d(text) for _ in range(20_000)]) / 20_000
        print(f"{detect.__name__:<30} {1e6 * cost:8.1f} us a row of {len(text)} characters")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_text("".join(rows(count)), encoding="utf-8")
        for name, options in {
            "simhash": {},
            "simhash, 2 workers": {"workers": 2},
            "minhash": {"dedup_method": "minhash"},
            "simhash, quality": {"enable_quality_filter": True},
        }.items():
            taken = seconds(lambda o=options: audit_dataset(path, **o), 3)
            print(f"{'audit: ' + name:<30} {count / taken:8.0f} rows per CPU second")
    signatures([prose(rng, 180) for _ in range(1000)])


def signatures(texts: list[str]) -> None:
    """Print the cost of signatures beside datasketch's, and near-duplicate recall by edit rate."""
    from forgelm.data_audit.near_duplicates import MinHasher, simhash_batch, token_hashes

    def theirs() -> None:
        for text in texts:
            MinHash(num_perm=128).update_batch([w.encode() for w in text.lower().split()])

    def batches(sign: Callable[..., object]) -> None:
        for start in range(0, len(texts), 200):
            sign(*token_hashes(texts[start : start + 200]))

    base = seconds(theirs)
    for name, sign in {"simhash": simhash_batch, "minhash": MinHasher(128).batch}.items():
        print(
            f"{name + ' signatures':<30} {base / seconds(lambda s=sign: batches(s)):8.1f} x "
            "as fast as datasketch's MinHash"
        )
    recall(texts)


def recall(texts: list[str]) -> None:
    """Print how many edited copies whole audits find, beside datasketch's index, by edit rate."""
    rng = random.Random(4)
    print("near duplicates found   SimHash <= 3   MinHash >= 0.85   datasketch's MinHashLSH(0.85)")
    for rate in (0.01, 0.02, 0.05, 0.10):
        edited = []
        for text in texts:
            words = text.split()
            for place in rng.sample(range(len(words)), max(1, round(rate * len(words)))):
                words[place] = prose(rng, 1)
            edited.append(" ".join(words))
        found = [audited(texts, edited, method) for method in ("simhash", "minhash")]
        print(
            f"{rate:5.0%} of words changed {found[0]:12.3f} {found[1]:17.3f} "
            f"{datasketch_recall(texts, edited):19.3f}"
        )


def audited(texts: list[str], edited: list[str], method: str) -> float:
    """Return the share of `edited` that an audit says leaks into `texts`."""
    with tempfile.TemporaryDirectory() as folder:
        for split, rows in (("train", texts), ("test", edited)):
            lines = "".join(json.dumps({"text": text}) + "\n" for text in rows)
            Path(folder, f"{split}.jsonl").write_text(lines, encoding="utf-8")
        pairs = audit_dataset(folder, dedup_method=method).cross_split_overlap["pairs"]
        return float(pairs["train__test"]["leaked_rows_in_test"]) / len(edited)


def datasketch_recall(texts: list[str], edited: list[str]) -> float:
    """Return the share of `edited` whose original datasketch's index finds and confirms."""

    def sketch(text: str) -> MinHash:
        made = MinHash(num_perm=128)
        made.update_batch([word.encode() for word in text.lower().split()])
        return made

    index = MinHashLSH(threshold=0.85, num_perm=128)
    sketches = [sketch(text) for text in texts]
    for number, made in enumerate(sketches):
        index.insert(number, made)
    found = 0
    for number, text in enumerate(edited):
        made = sketch(text)
        found += number in index.query(made) and made.jaccard(sketches[number]) >= 0.85
    return found / len(texts)


if __name__ == "__main__":
    speed(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
