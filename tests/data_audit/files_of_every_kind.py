"""The same three rows as a file of every kind that an audit reads."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest

ROWS = [
    {"text": "Write to alice@example.com", "note": "a"},
    {"text": "Line one\nline two, with a comma", "note": 'say "hi"'},
    {"text": "Call +1 202 555 0143 é", "note": ""},
]
FOUND = {"email": 1, "phone": 1}


def json_lines(rows=ROWS):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def delimited(rows=ROWS, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["text", "note"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def zstd(data):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


def write_table(path, rows=ROWS):
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.write_table(table, path, row_group_size=max(2, len(rows) // 5))
    elif path.suffix == ".feather":
        import pyarrow.feather

        pyarrow.feather.write_feather(table, str(path))
    else:
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=max(2, len(rows) // 5))


def write_source(path):
    texts = {
        "jsonl": json_lines,
        "ndjson": json_lines,
        "json": lambda: json.dumps(ROWS, indent=1).encode(),
        "csv": delimited,
        "tsv": lambda: delimited(delimiter="\t"),
    }
    pack = {".gz": gzip.compress, ".zst": zstd}.get(path.suffix)
    form = path.name.split(".")[1]
    if form in texts:
        path.write_bytes(pack(texts[form]()) if pack else texts[form]())
    else:
        write_table(path)
    return path


SUFFIXES = [
    *("jsonl", "ndjson", "json", "csv", "tsv", "parquet", "arrow", "feather"),
    *("jsonl.gz", "jsonl.zst", "json.gz", "csv.gz", "csv.zst", "tsv.gz", "ndjson.zst"),
]
