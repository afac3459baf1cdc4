"""Masked copies of text files: JSON Lines, JSON and CSV, packed or not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from forgelm.data_audit.detectors import Masker
from forgelm.data_audit.sources import (
    IN_MEMORY,
    Line,
    Record,
    document_shape,
    printable,
    read_json,
    read_lines,
    read_objects,
    read_records,
    whole_document,
)

__all__ = ["mask_csv", "mask_json", "mask_lines", "mask_objects"]


def mask_lines(path: str, masker: Masker) -> Iterator[tuple[bytes, int]]:
    """Yield the masked lines of a JSON Lines file, each with the bytes that were read for it."""
    for line, masked in _masked(Path(path).name, read_lines(path), masker):
        yield masked.encode("utf-8") + b"\n" if masked else b"", line.size_bytes


def _masked(name: str, lines: Iterable[Line], masker: Masker) -> Iterator[tuple[Line, str]]:
    for number, line in enumerate(lines, 1):
        masked = ""
        if line.problem is not None:
            masker.skip(f"{printable(name)}:{number}: {line.problem.reason}")
        elif line.row is not None:
            text = line.text or json.dumps(line.row, default=str)
            masked = masker.json(text)
            masker.count_row(masked != text)
        yield line, masked


def mask_objects(rows: Iterable[Any], masker: Masker, stream: BinaryIO) -> None:
    """Write the masked rows of a source in memory as JSON Lines."""
    for _, masked in _masked(IN_MEMORY, read_objects(rows), masker):
        if masked:
            stream.write(masked.encode("utf-8", "backslashreplace") + b"\n")


def mask_json(path: str, masker: Masker, stream: BinaryIO) -> None:
    """Write the masked copy of a JSON document.

    An array is written with one item a line; an object keeps its form to the byte.
    """
    shape = document_shape(path)
    if shape == "lines":
        stream.writelines(text for text, _ in mask_lines(path, masker))
    elif shape == "object":
        text = whole_document(path) or ""
        probe = Masker(masker.pii, masker.secrets)
        for line in read_json(path):
            row = line.text or json.dumps(line.row)
            masker.count_row(probe.json(row) != row)
        stream.write(masker.json(text).encode("utf-8") + b"\n")
    else:
        start = b"[\n"
        for _, masked in _masked(Path(path).name, read_json(path), masker):
            if masked:
                stream.write(start + masked.encode("utf-8"))
                start = b",\n"
        stream.write(b"[]\n" if start == b"[\n" else b"\n]\n")


def mask_csv(path: str, masker: Masker, stream: BinaryIO) -> None:
    """Write the masked copy of a CSV file; what needs no mask stays byte for byte."""
    number = 1
    is_header = True
    for record in read_records(path):
        if record.problem is not None:
            masker.skip(f"{printable(Path(path).name)}:{number}: {record.problem.reason}")
        else:
            cells = [masker.text(cell) for cell in record.cells]
            is_masked = cells != record.cells
            text = _written(record, cells) if is_masked else record.text
            stream.write((text.rstrip("\r\n") + "\n").encode("utf-8"))
            if record.cells and not is_header:
                masker.count_row(is_masked)
            is_header = is_header and not record.cells
        number += record.lines


def _written(record: Record, cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=record.delimiter, lineterminator="\n").writerow(cells)
    return text.getvalue()
