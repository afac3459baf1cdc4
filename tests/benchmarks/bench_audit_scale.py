"""Time and memory of whole audits of 1 kB chat rows, each in a fresh process; run it by hand.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_audit_scale.py [ROWS ...]

The corpus is seeded: a pool of sentences, one in twenty with letters beyond ASCII and one in fifty
with a part number, a hash or the like; findings planted in one row of 25, 2 % near duplicates, and
a test split of 2 % of which a tenth leaks.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

from audit_corpus import FORMS, NEGATIVES

COMMON = [*("the", "of", "to", "and", "a", "in", "is", "it", "you"), *("for", "on", "with", "your")]
ACCENTED = ["café", "naïve", "für", "Zürich", "señor", "größer", "déjà", "smørrebrød", "你好", "да"]
WORDS = COMMON + [f"{a}{b}" for a in ("re", "un", "dis", "over", "in") for b in range(100, 1000)]
ALPHABET = str.maketrans("0123456789", "aeioutnsrl")
WORDS = [word.translate(ALPHABET) for word in WORDS]
WEIGHTS = list(accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))
WORKERS = 2

VARIANTS: dict[str, dict[str, object]] = {
    "simhash": {},
    "simhash, quality": {"enable_quality_filter": True},
    "minhash": {"dedup_method": "minhash"},
}
AUDIT = "import json, sys; from forgelm import audit_dataset; "
AUDIT += "audit_dataset(sys.argv[1], output_dir=sys.argv[2], **json.loads(sys.argv[3]))"


def sentences(rng: random.Random, count: int) -> list[str]:
    """Return sentences of 8 to 24 words."""
    pool, negatives = [], list(NEGATIVES.values())
    for _ in range(count):
        words = rng.choices(WORDS, cum_weights=WEIGHTS, k=rng.randint(8, 24))
        if rng.random() < 0.05:
            words[rng.randrange(len(words))] = rng.choice(ACCENTED)
        if rng.random() < 0.02:
            words[rng.randrange(len(words))] = rng.choice(negatives)(rng)
        pool.append(" ".join(words).capitalize() + rng.choice(".?!..."))
    return pool


def rows(count: int, seed: int) -> Iterator[str]:
    """Yield chat rows of about 1 kB."""
    rng = random.Random(seed)
    pool = sentences(rng, 50_000)
    last: list[str] = []
    for n in range(count):
        if rng.random() < 0.02 and last:
            parts = [*last[:-1], rng.choice(pool)]
        else:
            parts = rng.choices(pool, k=11)
        last = parts
        if rng.random() < 0.04:
            form = rng.choice(FORMS)
            parts = [*parts, f"Here it is: {form.around.format(form.make(rng))}"]
        cut = rng.randint(2, 8)
        chat = [("user", " ".join(parts[:cut])), ("assistant", " ".join(parts[cut:]))]
        messages = [{"role": role, "content": content} for role, content in chat]
        yield json.dumps({"messages": messages, "id": n}, ensure_ascii=False) + "\n"


def write_corpus(folder: Path, count: int) -> None:
    """Write 98 % of the rows as train, and a test split with one row in ten from train."""
    tests = count // 50
    kept = []
    with open(folder / "train.jsonl", "w", encoding="utf-8") as stream:
        for n, row in enumerate(rows(count - tests, seed=1)):
            stream.write(row)
            if n % 500 == 0:
                kept.append(row)
    with open(folder / "test.jsonl", "w", encoding="utf-8") as stream:
        leaked = iter(kept)
        for n, row in enumerate(rows(tests, seed=2)):
            stream.write(next(leaked, row) if n % 10 == 0 else row)


def tree_memory(pid: int) -> int:
    """Return the resident bytes of a process and all below it."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(tree_memory(int(child)) for child in below)


def measure(corpus: Path, options: dict[str, object]) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak megabytes of one audit, all processes together."""
    with tempfile.TemporaryDirectory() as out:
        arguments = [corpus, out, json.dumps({"workers": WORKERS, **options})]
        before = os.times()
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", AUDIT, *map(str, arguments)])
        peak = 0
        while process.poll() is None:
            peak = max(peak, tree_memory(process.pid))
            time.sleep(0.05)
        wall, after = time.perf_counter() - begin, os.times()
        assert process.returncode == 0
    cpu = sum(after[2:4]) - sum(before[2:4])
    return wall, cpu, peak / 1e6


def main(sizes: list[int]) -> None:
    """Print a line for each size and variant, then how they compare."""
    spent: dict[tuple[str, int], tuple[float, float]] = {}
    print(f"{WORKERS} workers, whole processes, start included")
    print(f"{'rows':>9}  {'variant':<17} {'wall s':>7} {'rows/s':>8} {'rows/CPU s':>10} {'MB':>6}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder), size)
            total = sum(path.stat().st_size for path in Path(folder).iterdir())
            for name, options in VARIANTS.items():
                wall, cpu, peak = measure(Path(folder), options)
                spent[name, size] = wall, cpu
                print(
                    f"{size:>9,}  {name:<17} {wall:>7.1f} {size / wall:>8,.0f} "
                    f"{size / cpu:>10,.0f} {peak:>6.0f}  ({total / size:,.0f} B a row; "
                    f"allowed {300 + 32e-6 * size:,.0f} MB)",
                    flush=True,
                )
    last = sizes[-1]
    for name in VARIANTS:
        for clock, unit in enumerate(("wall", "CPU ")):
            time_of = {size: spent[name, size][clock] for size in sizes}
            ratio = time_of[last] / spent["simhash", last][clock]
            growth = {
                f"{a:,} to {b:,} rows": math.log(time_of[b] / time_of[a]) / math.log(b / a)
                for a, b in sorted({(sizes[0], last), *pairwise(sizes)})
                if a < b
            }
            shown = "; ".join(f"{power:.3f} from {span}" for span, power in growth.items())
            print(f"{name:<17} {unit} {ratio:.2f} x simhash at {last:,} rows; exponents {shown}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
