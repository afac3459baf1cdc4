"""Signatures and near duplicates beside other libraries, where they are installed; run it by hand.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_audit_peers.py [TEXTS]

All get the same words (lower case, split at spaces) of the same texts and 128 permutations, in one
thread. "found" is the share of copies with 2 % of the words changed that have their original among
the near duplicates: signatures that agree in 0.85 of their places, or SimHash at most 3 bits apart.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from typing import Any

import numpy as np
from bench_audit import prose

from forgelm.data_audit.near_duplicates import MinHasher, simhash_batch, token_hashes

PERMUTATIONS = 128
JACCARD = 0.85
BATCH = 100

Sign = Callable[[Sequence[str]], Any]
Agree = Callable[[Any, Any], np.ndarray]


def same_places(a: Any, b: Any) -> np.ndarray:
    """Return which signatures agree in enough places."""
    return (np.asarray(a) == np.asarray(b)).mean(axis=1) >= JACCARD


def few_bits(a: Any, b: Any) -> np.ndarray:
    """Return which SimHashes are at most 3 bits apart."""
    return np.array([(x ^ y).bit_count() <= 3 for x, y in zip(list(a), list(b), strict=True)])


def batched(sign: Callable[..., Any]) -> Sign:
    """Return our own function over texts, a batch at a time as the scan does."""

    def run(texts: Sequence[str]) -> Any:
        parts = [texts[n : n + BATCH] for n in range(0, len(texts), BATCH)]
        return np.concatenate([sign(*token_hashes(part)) for part in parts])

    return run


def ours_minhash() -> tuple[Sign, Agree]:
    """MinHash of forgelm."""
    return batched(MinHasher(PERMUTATIONS).batch), same_places


def ours_simhash() -> tuple[Sign, Agree]:
    """SimHash of forgelm."""
    run = batched(simhash_batch)
    return lambda texts: run(texts).tolist(), few_bits


def datasketch() -> tuple[Sign, Agree]:
    """MinHash of datasketch, all words of a text at once."""
    make = import_module("datasketch").MinHash

    def run(texts: Sequence[str]) -> Any:
        result = []
        for text in texts:
            sketch = make(num_perm=PERMUTATIONS)
            sketch.update_batch([word.encode() for word in text.lower().split()])
            result.append(sketch.hashvalues)
        return np.array(result)

    return run, same_places


def rensa() -> tuple[Sign, Agree]:
    """R-MinHash of rensa (Rust)."""
    make = import_module("rensa").RMinHash

    def run(texts: Sequence[str]) -> Any:
        result = []
        for text in texts:
            sketch = make(num_perm=PERMUTATIONS, seed=42)
            sketch.update(text.lower().split())
            result.append(sketch.digest())
        return np.array(result, dtype=np.uint64)

    return run, same_places


def gaoya() -> tuple[Sign, Agree]:
    """MinHash index of gaoya (Rust); it keeps its signatures to itself, so only the time counts."""
    index = import_module("gaoya.minhash").MinHashStringIndex

    def run(texts: Sequence[str]) -> Any:
        bands = 16
        kept = index(
            hash_size=32,
            jaccard_threshold=JACCARD,
            num_bands=bands,
            band_size=PERMUTATIONS // bands,
            num_hashes=PERMUTATIONS,
            analyzer="word",
            lowercase=True,
        )
        for number, text in enumerate(texts):
            kept.insert_document(number, text)
        return None

    return run, lambda _a, _b: np.array([np.nan])


def datatrove() -> tuple[Sign, Agree]:
    """MinHash of datatrove's signatures on single words, as all others here: no tokenizer runs."""
    module = import_module("datatrove.pipeline.dedup.minhash")
    hashes = import_module("datatrove.utils.hashing")
    hashing = hashes.HashConfig(precision=32, hash_fc="sha1")
    hash_word = hashes.create_hash_func(hashing)
    step = module.MinhashDedupSignature(
        output_folder=tempfile.gettempdir(),
        config=module.MinhashConfig(
            n_grams=1, num_buckets=16, hashes_per_bucket=PERMUTATIONS // 16, hash_config=hashing
        ),
    )

    def shingles(text: str) -> Any:
        words = [hash_word(word) for word in text.lower().split()]
        return np.array(words, dtype=np.uint64).reshape(-1, 1)

    def run(texts: Sequence[str]) -> Any:
        signed = [np.concatenate(step.get_signature(shingles(text))) for text in texts]
        return np.array(signed, dtype=np.uint64)

    return run, same_places


PEERS: dict[str, tuple[str, Callable[[], tuple[Sign, Agree]]]] = {
    "forgelm MinHash": ("forgelm", ours_minhash),
    "forgelm SimHash": ("forgelm", ours_simhash),
    "datasketch": ("datasketch", datasketch),
    "rensa": ("rensa", rensa),
    "gaoya": ("gaoya", gaoya),
    "datatrove": ("datatrove", datatrove),
}


def edited(rng: random.Random, text: str) -> str:
    """Return `text` with 2 % of its words changed."""
    words = text.split()
    for place in rng.sample(range(len(words)), max(1, round(0.02 * len(words)))):
        words[place] = prose(rng, 1)
    return " ".join(words)


def main(count: int) -> None:
    """Print for each library the time a text, the ratio to ours, and the share of copies found."""
    rng = random.Random(5)
    texts = [prose(rng, 180) for _ in range(count)]
    copies = [edited(rng, text) for text in texts]
    base = 0.0
    for name, (package, make) in PEERS.items():
        try:
            sign, agree = make()
        except ImportError as error:
            print(f"{name:<16} left out: {error}")
            continue
        sign(texts[:50])
        times = []
        for _ in range(3):
            begin = time.process_time()
            signed = sign(texts)
            times.append(time.process_time() - begin)
        taken = min(times)
        base = base or taken
        found = float(np.mean(agree(signed, sign(copies))))
        shown = "-" if np.isnan(found) else f"{found:.3f}"
        print(
            f"{name:<16} {metadata.version(package):>8} {1e6 * taken / count:>8.1f} us a text "
            f"{taken / base:>7.2f} x forgelm MinHash   found {shown}",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
