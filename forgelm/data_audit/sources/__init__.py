"""Reading rows, with their file and line, from whatever holds them."""

from __future__ import annotations

from forgelm.data_audit.sources._delimited import Record, read_records
from forgelm.data_audit.sources._files import Damaged, FileKind, check_packages, file_kind, packing
from forgelm.data_audit.sources._json_document import document_shape, read_json, whole_document
from forgelm.data_audit.sources._jsonl import Line, Problem, read_lines
from forgelm.data_audit.sources._memory import IN_MEMORY, chunks, read_objects
from forgelm.data_audit.sources._ranges import ByteRange, damage, read_range
from forgelm.data_audit.sources._rows import column_name, printable, string_leaves, training_text
from forgelm.data_audit.sources._sources import Corpus, Source, find_corpus
from forgelm.data_audit.sources._storage import is_address, open_binary, size_of, stamp_of
from forgelm.data_audit.sources._tables import (
    all_batches,
    batch_lines,
    is_binary,
    open_table,
    pyarrow,
    row_problem,
)

__all__ = [
    "IN_MEMORY",
    "ByteRange",
    "Corpus",
    "Damaged",
    "FileKind",
    "Line",
    "Problem",
    "Record",
    "Source",
    "all_batches",
    "batch_lines",
    "check_packages",
    "chunks",
    "column_name",
    "damage",
    "document_shape",
    "file_kind",
    "find_corpus",
    "is_address",
    "is_binary",
    "open_binary",
    "open_table",
    "packing",
    "printable",
    "pyarrow",
    "read_json",
    "read_lines",
    "read_objects",
    "read_range",
    "read_records",
    "row_problem",
    "size_of",
    "stamp_of",
    "string_leaves",
    "training_text",
    "whole_document",
]
