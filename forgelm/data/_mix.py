"""Choosing rows: how much of each data set, and which of them are held out."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forgelm._core import require
from forgelm.data._table import EncodedSource
from forgelm.errors import ConfigError

__all__ = ["Piece", "dataset_of", "held_out", "hold_out_count", "mixed"]

logger = logging.getLogger(__name__)

_SEED = 42


@dataclass(frozen=True)
class Piece:
    """A source, the places of the rows that are taken of it, and its weight in the mix."""

    source: EncodedSource
    rows: list[int]
    weight: float | None = None

    @classmethod
    def whole(cls, source: EncodedSource) -> Piece:
        """Return every row of `source`."""
        return cls(source, list(range(source.table.num_rows)))


def hold_out_count(rows: int) -> int:
    """Return how many of `rows` rows are held out for validation.

    Source: max(1 %, min(10 %, 2,000 rows)), one at least; none of a single row.

    Example:
        >>> [hold_out_count(n) for n in (1, 2, 300, 50_000, 1_000_000)]
        [0, 1, 30, 2000, 10000]
    """
    return max(1, int(max(0.01 * rows, min(0.1 * rows, 2_000)))) if rows > 1 else 0


def mixed(sources: Sequence[EncodedSource], ratio: Sequence[float] | None) -> list[Piece]:
    """Return which rows of each source are used: every row of the first, the others by weight.

    An extra source of weight w gives w / w_first times the first one's rows, drawn without
    replacement; one with fewer rows gives all it has. Without a ratio all rows are used.
    """
    everything = [Piece.whole(source) for source in sources]
    if not ratio or len(sources) == 1:
        return everything
    if ratio[0] <= 0:
        problem = "the first weight must be above zero: the first data set keeps every row"
        raise ConfigError(issues=[("data.mix_ratio", problem)])
    base = len(everything[0].rows)
    chosen = [Piece(sources[0], everything[0].rows, ratio[0])]
    for index, piece in enumerate(everything[1:], 1):
        wanted = round(base * ratio[index] / ratio[0])
        name, there = piece.source.summary.name, len(piece.rows)
        if wanted > there:
            logger.warning(
                "%s has %d rows where mix_ratio asks for %d; all are used, none twice",
                name, there, wanted,
            )  # fmt: skip
        drawn = random.Random(_SEED + index).sample(piece.rows, min(wanted, there))
        logger.info("%s: mix_ratio takes %d of its %d rows", name, len(drawn), there)
        chosen.append(Piece(piece.source, sorted(drawn), ratio[index]))
    return chosen


def held_out(pieces: Sequence[Piece]) -> tuple[list[Piece], dict[str, Any]]:
    """Split a validation set off, drawn from all pieces alike.

    Returns:
        What is left to train on, and `{"validation": ...}`, or nothing in it for a single row.
    """
    total = sum(len(piece.rows) for piece in pieces)
    count = hold_out_count(total)
    if total == 1:
        logger.warning("one row only: nothing is held out, so there is no evaluation loss")
    if not count:
        return list(pieces), {}
    held = set(random.Random(_SEED).sample(range(total), count))
    kept, out = [], []
    offset = 0
    for piece in pieces:
        places = list(enumerate(piece.rows, offset))
        kept.append(Piece(piece.source, [row for place, row in places if place not in held]))
        out.append(Piece(piece.source, [row for place, row in places if place in held]))
        offset += len(piece.rows)
    return kept, {"validation": dataset_of(out)}


def dataset_of(pieces: Sequence[Piece], *, drawn: bool = False) -> Any:
    """Return the rows of `pieces` as one data set, one piece after the other or drawn in turn."""
    datasets = require("datasets", extra="train", feature="Preparing data")
    pyarrow = require("pyarrow", extra="train", feature="Preparing data")
    taken = [
        piece.source.table.take(pyarrow.array(piece.rows, pyarrow.int64())) for piece in pieces
    ]
    table = pyarrow.concat_tables(taken)
    if drawn:
        order = random.Random(_SEED).sample(range(table.num_rows), table.num_rows)
        table = table.take(pyarrow.array(order, pyarrow.int64()))
    # A given fingerprint spares the library a hash over all the data.
    return datasets.Dataset(table, fingerprint=secrets.token_hex(8))
