"""Writing Parquet batch by batch."""

from __future__ import annotations

from typing import Any, BinaryIO

from forgelm.data_audit.sources import pyarrow

__all__ = ["ParquetWriter", "codec_of"]

_GROUP_BYTES = 32 << 20


class ParquetWriter:
    """Writes record batches of one schema, some 32 MiB a row group."""

    def __init__(self, stream: BinaryIO, schema: Any, codec: str) -> None:
        self._schema = schema
        self._writer = pyarrow("pyarrow.parquet").ParquetWriter(stream, schema, compression=codec)
        self._group: list[Any] = []
        self._size = 0

    def write_batch(self, batch: Any) -> None:
        """Take a batch; it is written when there are enough."""
        self._group.append(batch)
        self._size += batch.nbytes
        if self._size >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        if self._group:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pyarrow().Table.from_batches(self._group, self._schema))
        self._group, self._size = [], 0


def codec_of(table: Any) -> str:
    """Return how an open Parquet file packs its columns, as a writer names it."""
    metadata = table.metadata
    codec = "snappy"
    if metadata.num_row_groups and metadata.num_columns:
        codec = metadata.row_group(0).column(0).compression.lower()
    return {"uncompressed": "none", "lz4_raw": "lz4"}.get(codec, codec)
