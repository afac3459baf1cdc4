"""Masked copies of Parquet and Arrow files: the same columns and types, other strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from forgelm.data_audit.copies._parquet import ParquetWriter, codec_of
from forgelm.data_audit.detectors import Masker
from forgelm.data_audit.sources import (
    all_batches,
    is_binary,
    open_table,
    printable,
    pyarrow,
    row_problem,
)

__all__ = ["mask_table"]


def mask_table(path: str, form: str, masker: Masker, stream: BinaryIO) -> None:
    """Write the masked copy of a table.

    Raises:
        Damaged: The file stops making sense.
        OSError: It cannot be read or written.
    """
    with open_table(path, form) as table:
        columns = _Columns(masker, table.schema_arrow if form == "parquet" else table.schema)
        name = printable(Path(path).name)
        batches = _masked_batches(columns, all_batches(table, form), name)
        if form == "parquet":
            _write_parquet(table, columns.schema, batches, stream)
        else:
            pa = pyarrow()
            new = pa.ipc.new_file if hasattr(table, "get_batch") else pa.ipc.new_stream
            with new(stream, columns.schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)


def _write_parquet(table: Any, schema: Any, batches: Iterator[Any], stream: BinaryIO) -> None:
    with closing(ParquetWriter(stream, schema, codec_of(table))) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _masked_batches(columns: _Columns, batches: Iterator[Any], name: str) -> Iterator[Any]:
    row = 1
    for batch in batches:
        yield from _masked_batch(columns, batch, name, row)
        row += batch.num_rows


def _masked_batch(columns: _Columns, batch: Any, name: str, row: int) -> Iterator[Any]:
    before = columns.masker.counts.copy()
    try:
        batch.validate(full=True)
        masked, changed = columns.mask(batch)
    except (ValueError, OverflowError) as error:
        columns.masker.counts = before
        if batch.num_rows > 1:
            half = batch.num_rows // 2
            yield from _masked_batch(columns, batch.slice(0, half), name, row)
            yield from _masked_batch(columns, batch.slice(half), name, row + half)
        else:
            columns.masker.skip(f"{name}:{row}: {row_problem(error).reason}")
        return
    for place in range(batch.num_rows):
        columns.masker.count_row(any(_differ(old[place], new[place]) for old, new in changed))
    yield masked


def _differ(old: Any, new: Any) -> bool:
    # Words of unlike dictionaries never are equal, so compare what they stand for.
    if pyarrow("pyarrow.types").is_dictionary(old.type):
        return bool(old.as_py() != new.as_py())
    return bool(old != new)


class _Columns:
    """Masks record batches of one schema."""

    def __init__(self, masker: Masker, schema: Any) -> None:
        self.masker = masker
        self._pa = pyarrow()
        self._types = pyarrow("pyarrow.types")
        fields = [
            self._pa.field(name, self._masked_type(field.type), field.nullable, field.metadata)
            for name, field in zip(self._names(schema.names), schema, strict=True)
        ]
        metadata = {
            key: self._masked_metadata(value) for key, value in (schema.metadata or {}).items()
        }
        self.schema = self._pa.schema(fields, metadata or None)

    def mask(self, batch: Any) -> tuple[Any, list[tuple[Any, Any]]]:
        """Return the masked batch, and the columns that changed: before and after."""
        columns = batch.columns
        arrays = [
            self._array(column) if field.type == column.type else self._rebuilt(column, field.type)
            for column, field in zip(columns, self.schema, strict=True)
        ]
        pairs = zip(columns, arrays, strict=True)
        changed = [(old, new) for old, new in pairs if new is not old]
        return self._pa.RecordBatch.from_arrays(arrays, schema=self.schema), changed

    def _names(self, names: list[str]) -> list[str]:
        """Mask names, and keep apart those that were: two columns cannot share one."""
        result: list[str] = []
        for name in names:
            masked = new = self.masker.text(name)
            while new in result and masked != name:
                new += "_"
            result.append(new)
        return result

    def _masked_type(self, kind: Any) -> Any:
        types = self._types
        if types.is_struct(kind):
            names = self._names([field.name for field in kind])
            return self._pa.struct(
                [
                    field.with_name(name).with_type(self._masked_type(field.type))
                    for name, field in zip(names, kind, strict=True)
                ]
            )
        if types.is_list(kind):
            return self._pa.list_(self._masked_field(kind.value_field))
        if types.is_large_list(kind):
            return self._pa.large_list(self._masked_field(kind.value_field))
        return kind

    def _masked_field(self, field: Any) -> Any:
        return field.with_type(self._masked_type(field.type))

    def _masked_metadata(self, value: bytes) -> bytes:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return value
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return self.masker.text(text).encode("utf-8")
        return self.masker.json(text).encode("utf-8")

    def _array(self, array: Any) -> Any:
        """Return the masked array; the same object where nothing was found."""
        types, kind = self._types, array.type
        if isinstance(kind, self._pa.BaseExtensionType):
            storage = self._array(array.storage)
            unchanged = storage is array.storage or storage.equals(array.storage)
            return array if unchanged else self._pa.ExtensionArray.from_storage(kind, storage)
        if not self._has_text(kind):
            return array
        if types.is_struct(kind):
            return self._struct(array)
        if types.is_list(kind) or types.is_large_list(kind):
            return self._list(array)
        if types.is_dictionary(kind):
            return self._dictionary(array)
        values = array.to_pylist()
        masked = [self._value(value, kind) for value in values]
        return array if masked == values else self._pa.array(masked, kind)

    def _has_text(self, kind: Any) -> bool:
        types = self._types
        if types.is_dictionary(kind):
            return self._has_text(kind.value_type)
        if types.is_nested(kind):
            return any(self._has_text(kind.field(n).type) for n in range(kind.num_fields))
        return (
            types.is_string(kind)
            or types.is_large_string(kind)
            or types.is_string_view(kind)
            or is_binary(kind)
            or isinstance(kind, self._pa.BaseExtensionType)
        )

    def _struct(self, array: Any) -> Any:
        children = [array.field(place) for place in range(array.type.num_fields)]
        masked = [self._array(child) for child in children]
        if all(new is old for new, old in zip(masked, children, strict=True)):
            return array
        return self._pa.StructArray.from_arrays(
            masked, fields=list(array.type), mask=array.is_null()
        )

    def _list(self, array: Any) -> Any:
        pa, compute = self._pa, pyarrow("pyarrow.compute")
        items = array.flatten()
        masked = self._array(items)
        if masked is items:
            return array
        is_large = self._types.is_large_list(array.type)
        lengths = compute.fill_null(compute.list_value_length(array), 0)
        start = pa.array([0], lengths.type)
        offsets = pa.concat_arrays([start, compute.cumulative_sum(lengths)])
        make = pa.LargeListArray if is_large else pa.ListArray
        return make.from_arrays(offsets, masked, type=array.type, mask=array.is_null())

    def _dictionary(self, array: Any) -> Any:
        compute = pyarrow("pyarrow.compute")
        masked = self._array(array.dictionary)
        if masked is array.dictionary or masked.equals(array.dictionary):
            return array
        words = masked.unique()
        places = compute.index_in(masked, words).take(array.indices)
        return self._pa.DictionaryArray.from_arrays(
            places.cast(array.type.index_type), words, ordered=array.type.ordered
        )

    def _rebuilt(self, array: Any, kind: Any) -> Any:
        return self._pa.array([self._value(value, kind) for value in array.to_pylist()], kind)

    def _value(self, value: Any, kind: Any) -> Any:
        if isinstance(value, str):
            return self.masker.text(value)
        if isinstance(value, bytes):
            return self._bytes(value, kind)
        if isinstance(value, dict):
            names = self._names(list(value))
            return {
                name: self._value(item, None)
                for name, item in zip(names, value.values(), strict=True)
            }
        if isinstance(value, list | tuple):
            return type(value)(self._value(item, None) for item in value)
        return value

    def _bytes(self, value: bytes, kind: Any) -> bytes:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return value
        masked = self.masker.text(text)
        if masked == text:
            return value
        raw = masked.encode("utf-8")
        if kind is not None and self._types.is_fixed_size_binary(kind):
            raw = raw[: len(value)].ljust(len(value), b"*")
        return raw
