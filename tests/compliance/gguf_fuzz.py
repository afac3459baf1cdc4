"""Verifies damaged copies of a GGUF file in a process of its own; run with the path of a sound one.

Prints, as JSON, how many were refused, the slowest one, and how much memory it all took.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from forgelm.compliance import verify_gguf

_EDGES = [0, 1, 2, 7, 8, 9, 12, 13, 0x7F, 0x80, 0xFF]
_WIDE = [(1 << 62), (1 << 63) - 1, (1 << 64) - 1, 1 << 40, 1 << 32, 65_536]


def mutants(sound: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies with a few bytes, a whole number or a stretch changed, mostly near the head."""
    rng = random.Random(seed)
    head = len(sound) - 4200
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(head if rng.random() < 0.9 else len(sound))
            kind = rng.randrange(5)
            if kind == 0:
                data[at] = rng.choice(_EDGES)
            elif kind == 1:
                data[at] = rng.randrange(256)
            elif kind == 2:
                data[at : at + 8] = rng.choice(_WIDE).to_bytes(8, "little")
            elif kind == 3:
                del data[at : at + rng.randint(1, 64)]
            else:
                data[at:at] = rng.randbytes(rng.randint(1, 64))
        yield bytes(data[: rng.randrange(1, len(data))] if rng.random() < 0.05 else data)


def random_files(count: int, seed: int) -> Iterator[bytes]:
    """Yield noise; every second one begins like a GGUF file of version 3 with few entries."""
    rng = random.Random(seed)
    for number in range(count):
        noise = rng.randbytes(rng.randrange(4096))
        counts = rng.randrange(8).to_bytes(8, "little") + rng.randrange(8).to_bytes(8, "little")
        yield b"GGUF\3\0\0\0" + counts + noise if number % 2 else noise


def peak_kib() -> int:
    """Return the most memory that this process held; ru_maxrss would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def main(sound: Path, mutations: int, noises: int) -> None:
    """Verify everything and print the figures."""
    original = sound.read_bytes()
    path = sound.with_name("damaged.gguf")
    verify_gguf(sound)
    before, slowest, refused, changed = peak_kib(), 0.0, 0, 0
    # Opening a file anew to replace its bytes costs five times what verifying it does.
    with path.open("wb", buffering=0) as stream:
        for data in chain(mutants(original, mutations, 1), random_files(noises, 2)):
            os.pwrite(stream.fileno(), data, 0)
            os.ftruncate(stream.fileno(), len(data))
            began = time.perf_counter()
            refused += not verify_gguf(path).valid
            slowest = max(slowest, time.perf_counter() - began)
            changed += data != original
    figures = {
        "files": mutations + noises,
        "changed": changed,
        "refused": refused,
        "slowest_s": slowest,
        "growth_mib": (peak_kib() - before) / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
