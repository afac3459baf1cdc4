"""64-bit SimHash and MinHash signatures of texts, computed for many texts at a time.

Tokens are lower-case words; each character of a script that is written without spaces is a token of
its own. Token hashes are polynomials over code points, mixed by splitmix64: the same on every
machine, whatever is installed.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgelm._core import is_installed, require

__all__ = ["MinHasher", "compute_minhash", "compute_simhash", "simhash_batch", "token_hashes"]

U64 = NDArray[np.uint64]

MAX_TEXT_CHARS = 1_000_000
_WORD, _SINGLE, _OTHER, _UNSEEN = 1, 2, 0, 255
# Thai to Lao, Myanmar, Khmer, Japanese kana, Han: written without spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_BASE = 0x9E3779B97F4A7C15  # odd, hence invertible modulo 2**64
_BASE_INVERSE = pow(_BASE, -1, 1 << 64)

_classes = np.full(0x110000, _UNSEEN, dtype=np.uint8)


def token_hashes(texts: Sequence[str]) -> tuple[U64, NDArray[np.int64]]:
    """Hash the tokens of `texts`.

    Only the first million characters of a text count.

    Returns:
        The hashes of all tokens in order, shape (tokens,), and the index of each text's first one
        followed by the total, shape (texts + 1,).
    """
    lowered = [text[:MAX_TEXT_CHARS].lower() for text in texts]
    lengths = np.fromiter((len(text) + 1 for text in lowered), np.int64, len(lowered))
    text_starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    codes = _code_points("\n".join(lowered) + "\n")
    classes = _classify(codes)
    word = classes == _WORD
    single = classes == _SINGLE
    before = np.concatenate([[False], word[:-1]])
    after = np.concatenate([word[1:], [False]])
    starts = np.flatnonzero((word & ~before) | single)
    ends = np.flatnonzero((word & ~after) | single) + 1
    powers = _powers(_BASE, codes.size)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(codes.astype(np.uint64) * powers)])
    hashes = (sums[ends] - sums[starts]) * _powers(_BASE_INVERSE, codes.size)[starts]
    return _mix(hashes), np.searchsorted(starts, text_starts).astype(np.int64)


def simhash_batch(hashes: U64, offsets: NDArray[np.int64]) -> U64:
    """Return one SimHash a text, 0 for a text without tokens.

    Source: M. Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.

    Shapes:
        hashes: (tokens,); offsets: (texts + 1,); result: (texts,).
    """
    result = np.zeros(offsets.size - 1, np.uint64)
    sizes = np.diff(offsets)
    filled = sizes > 0
    if filled.any():
        bits = np.unpackbits(hashes.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1)
        ones = _column_sums(bits, offsets[:-1][filled], sizes[filled])
        majority = (2 * ones > sizes[filled][:, None]).astype(np.uint8)
        result[filled] = np.packbits(majority, axis=1).view("<u8").reshape(-1)
    return result


def _column_sums(
    bits: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Sum the rows of each text: eight bits at a time, in the bytes of 64-bit words.

    A byte holds sums up to 255, hence pieces of so many tokens.

    Shapes:
        bits: (tokens, 64), zeros and ones; starts, sizes: (texts,); result: (texts, 64).
    """
    pieces = -(-sizes // 255)
    first = np.cumsum(pieces) - pieces
    place = np.arange(pieces.sum()) - np.repeat(first, pieces)
    sums = np.add.reduceat(bits.view(np.uint64), np.repeat(starts, pieces) + 255 * place, axis=0)
    totals: NDArray[np.int32] = np.add.reduceat(sums.view(np.uint8), first, axis=0, dtype=np.int32)
    return totals


def compute_simhash(text: str) -> int:
    """Return the 64-bit SimHash of `text`, 0 when it has no words.

    Texts that differ in few words differ in few bits.
    """
    return int(simhash_batch(*token_hashes([text]))[0])


class MinHasher:
    """MinHash signatures as datasketch makes them, many texts at a time.

    They are equal, place by place, to those of a `datasketch.MinHash` of the scheme "affine32" that
    is updated with the same words and has `word_hash` as its `hashfunc`.

    Source: A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
    """

    def __init__(self, num_perm: int) -> None:
        if not is_installed("datasketch"):
            require("datasketch", extra="dedup", feature="MinHash")
        self.num_perm = num_perm
        # As datasketch draws them; importing it takes 60 MB in every worker process.
        draw = np.random.RandomState(1).randint
        odd = draw(0, 1 << 31, num_perm, np.uint32) * np.uint32(2) + np.uint32(1)
        self._permutations = np.array([odd, draw(0, 1 << 32, num_perm, np.uint32)])

    def batch(self, hashes: U64, offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return one signature a text, all ones for a text without tokens.

        Shapes:
            hashes: (tokens,); offsets: (texts + 1,); result: (texts, num_perm).
        """
        result = np.full((offsets.size - 1, self.num_perm), 0xFFFFFFFF, np.uint32)
        filled = np.flatnonzero(np.diff(offsets))
        if filled.size:
            values = _fmix32((hashes >> np.uint64(32)).astype(np.uint32))
            for k, (a, b) in enumerate(self._permutations.T):
                result[filled, k] = np.minimum.reduceat(values * a + b, offsets[:-1][filled])
        return result

    def sketch(self, signature: NDArray[np.uint32]) -> Any:
        """Return a signature as a `datasketch.MinHash`."""
        datasketch = require("datasketch", extra="dedup", feature="MinHash")
        return datasketch.MinHash(
            hashvalues=signature,
            permutations=self._permutations,
            scheme="affine32",
            hashfunc=word_hash,
        )


def word_hash(word: bytes) -> int:
    """Return the 32-bit hash of one word, as `MinHash.update` of datasketch asks for it."""
    hashes, _ = token_hashes([word.decode("utf-8", "replace")])
    return int(hashes[0]) >> 32 if hashes.size else 0


def compute_minhash(text: str, *, num_perm: int = 128) -> Any | None:
    """Return the MinHash of the words of `text` as a `datasketch.MinHash`.

    Compare it with others made by this function only: their words are hashed alike.

    Returns:
        None for a text without words, and where datasketch is not installed.

    Raises:
        ValueError: `num_perm` is below 1.
    """
    if num_perm < 1:
        raise ValueError(f"num_perm must be at least 1, not {num_perm}")
    hashes, offsets = token_hashes([text])
    if not hashes.size or not is_installed("datasketch"):
        return None
    hasher = MinHasher(num_perm)
    return hasher.sketch(hasher.batch(hashes, offsets)[0])


def _code_points(text: str) -> NDArray[Any]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _classify(codes: NDArray[Any]) -> NDArray[np.uint8]:
    classes: NDArray[np.uint8] = _classes[codes]
    unseen = classes == _UNSEEN
    if unseen.any():
        for code in np.unique(codes[unseen]).tolist():
            _classes[code] = _class_of(code)
        classes = _classes[codes]
    return classes


def _class_of(code: int) -> int:
    if any(first <= code <= last for first, last in _UNSPACED):
        return _SINGLE if chr(code).isalnum() else _OTHER
    is_mark = unicodedata.category(chr(code)).startswith("M")
    return _WORD if chr(code).isalnum() or chr(code) == "_" or is_mark else _OTHER


def _fmix32(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mix as datasketch's "affine32" does. Source: MurmurHash3's finaliser, A. Appleby."""
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


_power_tables: dict[int, U64] = {}


def _powers(base: int, size: int) -> U64:
    """Return base**0, base**1, ... modulo 2**64; the table is kept and grows by doubling."""
    table = _power_tables.get(base)
    if table is None or table.size < size:
        factors = np.full(1 << math.ceil(math.log2(max(size, 1 << 16))), base, np.uint64)
        factors[0] = 1
        table = np.cumprod(factors)
        _power_tables[base] = table
    return table[:size]


def _mix(values: U64) -> U64:
    """Spread every bit over all 64. Source: splitmix64's finaliser, S. Vigna."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
