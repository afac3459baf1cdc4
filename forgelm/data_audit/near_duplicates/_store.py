"""The signatures of a corpus: 12 bytes a row in memory, MinHash's own in a temporary file."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._arrays import fold

__all__ = ["SignatureStore"]

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

_IN_MEMORY_BYTES = 8 << 20
_NEARBY = 8  # rows: reading so many too much is cheaper than one more read


class SignatureStore:
    """Signatures of the rows that have any words, each called an entry and numbered from 0.

    Args:
        splits: The splits, in order.
        bands: MinHash: how many bands a signature is cut into, and the places of each; None for
            SimHash.
    """

    def __init__(self, splits: list[str], bands: tuple[int, int] | None = None) -> None:
        self.splits = splits
        self._bands = bands
        self._keys: list[U64] = [np.zeros(0, np.uint64)]
        self._rows: list[U32] = [np.zeros(0, np.uint32)]
        self._entries_of = dict.fromkeys(splits, 0)
        self._rows_of = dict.fromkeys(splits, 0)
        self._signatures = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  closed in close()
        self._band_hashes = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
        self._num_perm = 0

    def add(self, split: str, signatures: NDArray[Any], has_words: NDArray[np.bool_]) -> None:
        """Append the rows of one range; the ranges come in the order of the splits.

        Shapes:
            signatures: (rows,) or (rows, num_perm); has_words: (rows,).
        """
        filled = signatures[has_words]
        rows = np.flatnonzero(has_words) + self._rows_of[split]
        self._rows.append(rows.astype(np.uint32))
        self._rows_of[split] += has_words.size
        self._entries_of[split] += filled.shape[0]
        if self._bands is None:
            self._keys.append(filled.astype(np.uint64))
            return
        self._keys.append(fold(filled))
        self._num_perm = signatures.shape[1]
        self._signatures.write(np.ascontiguousarray(filled, np.uint32).tobytes())
        count, places = self._bands
        for band in range(count):
            hashes = fold(filled[:, band * places : (band + 1) * places]) >> np.uint64(32)
            self._band_hashes.write(hashes.astype(np.uint32).tobytes())

    @property
    def keys(self) -> U64:
        """One number an entry, equal for equal signatures; with SimHash the signature itself."""
        if len(self._keys) > 1:
            self._keys = [np.concatenate(self._keys)]
        return self._keys[0]

    @property
    def split_of(self) -> NDArray[np.uint16]:
        """The split of each entry, as its position in `splits`."""
        counts = [self._entries_of[split] for split in self.splits]
        return np.repeat(np.arange(len(counts), dtype=np.uint16), counts)

    def splits_of(self, entries: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the splits of some entries, as positions in `splits`."""
        ends = np.cumsum([self._entries_of[split] for split in self.splits])
        return np.searchsorted(ends, entries, side="right")

    @property
    def rows(self) -> U32:
        """The row of each entry, from 0 in its split."""
        return np.concatenate(self._rows)

    @property
    def row_counts(self) -> dict[str, int]:
        """All rows by split, those without words among them."""
        return dict(self._rows_of)

    @property
    def positions(self) -> NDArray[np.int64]:
        """The place of each entry among the rows of all splits, in order."""
        before = np.cumsum([0, *self._rows_of.values()], dtype=np.int64)
        return before[self.split_of] + self.rows.astype(np.int64)

    def band(self, band: int) -> U32:
        """Return the hash of one band of every entry's MinHash."""
        assert self._bands is not None
        hashes = np.empty(sum(self._entries_of.values()), np.uint32)
        done = 0
        for rows in self._rows:
            end = done + rows.size
            self._band_hashes.seek(4 * (done * self._bands[0] + band * rows.size))
            hashes[done:end] = np.frombuffer(self._band_hashes.read(4 * rows.size), np.uint32)
            done = end
        return hashes

    def signatures(self, entries: NDArray[np.integer[Any]]) -> U32:
        """Return the MinHash of some entries, read from the file in few reads.

        Shapes:
            entries: (n,), ascending; result: (n, num_perm).
        """
        result = np.empty((entries.size, self._num_perm), np.uint32)
        edges = np.flatnonzero(np.diff(entries) > _NEARBY) + 1
        starts = [0, *edges.tolist()]
        for start, end in zip(starts, [*starts[1:], entries.size], strict=True):
            first, last = int(entries[start]), int(entries[end - 1])
            self._signatures.seek(4 * self._num_perm * first)
            raw = self._signatures.read(4 * self._num_perm * (last - first + 1))
            block = np.frombuffer(raw, np.uint32).reshape(-1, self._num_perm)
            result[start:end] = block[entries[start:end] - first]
        return result

    def close(self) -> None:
        """Let go of the temporary files."""
        self._signatures.close()
        self._band_hashes.close()
