"""Large arrays, gone through in pieces, so that temporary ones stay small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Indices", "fold", "gather", "pieces", "places_where"]

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
# Entries, groups and places are four bytes each; sums and products of them need eight.
Indices = NDArray[np.uint32]
Scalar = TypeVar("Scalar", bound=np.generic)

_PIECE = 1 << 17


def pieces(size: int) -> Iterator[slice]:
    """Yield slices that together cover an array of this size."""
    return (slice(start, start + _PIECE) for start in range(0, size, _PIECE))


def gather(table: NDArray[Scalar], places: NDArray[np.integer[Any]]) -> NDArray[Scalar]:
    """Return `table[places]`; at once, numpy would copy the places as 64-bit numbers first."""
    result = np.empty(places.size, table.dtype)
    for piece in pieces(places.size):
        result[piece] = table[places[piece]]
    return result


def places_where(holds: Callable[[slice], NDArray[np.bool_]], size: int) -> Indices:
    """Return the places, ascending, at which `holds` says yes; it is asked for slices of them."""
    found = [np.zeros(0, np.uint32)]
    for piece in pieces(size):
        found.append((np.flatnonzero(holds(piece)) + piece.start).astype(np.uint32))
    return np.concatenate(found)


def fold(columns: NDArray[Any]) -> U64:
    """Hash each row of `columns` to 64 bits."""
    result = np.zeros(columns.shape[0], np.uint64)
    for column in columns.T:
        result ^= column.astype(np.uint64, copy=False)
        result *= np.uint64(0x9E3779B97F4A7C15)
        result ^= result >> np.uint64(29)
    result *= np.uint64(0xBF58476D1CE4E5B9)
    return result
