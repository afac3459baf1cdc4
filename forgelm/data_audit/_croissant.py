"""A Croissant card of the corpus, for catalogues and data loaders.

Source: MLCommons Croissant format specification 1.0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from forgelm._core import sha256_file
from forgelm.data_audit._findings import PII_KINDS, count_kinds
from forgelm.data_audit._rows import printable
from forgelm.data_audit._scan import OTHER_COLUMNS, ColumnSeen, Partial
from forgelm.data_audit._sources import Corpus

__all__ = ["croissant_card"]

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_DATA_TYPES = {
    "str": "sc:Text",
    "bool": "sc:Boolean",
    "int": "sc:Integer",
    "float": "sc:Float",
}


def croissant_card(corpus: Corpus, scanned: Mapping[str, Partial]) -> dict[str, Any]:
    """Return the card: files with hash and size, one record set a file, a field a column.

    Raises:
        OSError: A file cannot be read.
    """
    name = _identifier(Path(corpus.path).stem)
    rows = sum(part.rows for part in scanned.values())
    pii = {
        f"{split}: {kind} ({n})"
        for split, part in scanned.items()
        for kind, n in count_kinds(part.findings, PII_KINDS).items()
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": (
            f"{rows} rows in the splits {', '.join(scanned)}. Licence, creator, version and date "
            "of publication are unknown to the audit that wrote this card; add them before use."
        ),
        "rai:personalSensitiveInformation": sorted(pii) or ["none found by pattern"],
        "distribution": [_file_object(place, path) for place, path in enumerate(corpus.files)],
        "recordSet": list(_record_sets(corpus, scanned)),
    }


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", printable(text)).strip("-.") or "dataset"


def _file_object(place: int, path: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{place}",
        "name": printable(Path(path).name),
        "contentUrl": printable(Path(path).name),
        "contentSize": f"{os.path.getsize(path)} B",
        "encodingFormat": "application/jsonlines",
        "sha256": sha256_file(path),
    }


def _record_sets(corpus: Corpus, scanned: Mapping[str, Partial]) -> Iterator[dict[str, Any]]:
    for split, paths in corpus.splits.items():
        for place, path in enumerate(paths):
            name = _identifier(split) + (f"-{place}" if len(paths) > 1 else "")
            file = f"file-{corpus.files.index(path)}"
            columns = scanned[split].columns
            fields = [
                _field(f"{name}/{_identifier(column)}", column, columns[column], file)
                for column in {_identifier(c): c for c in columns if c != OTHER_COLUMNS}.values()
            ]
            if fields:
                yield {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _field(identifier: str, column: str, seen: ColumnSeen, file: str) -> dict[str, Any]:
    types = seen.types - {"NoneType"}
    is_list = bool(types) and all(name.startswith("list[") for name in types)
    items = {name[5:-1] if name.startswith("list[") else name for name in types} - {""}
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": identifier,
        "name": column,
        "dataType": _data_type(items),
        "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
    }
    if "dict" in items:  # Croissant has no type for an object whose keys vary
        field["description"] = "JSON objects."
    if is_list:
        field["repeated"] = True
    return field


def _data_type(names: set[str]) -> str:
    if names == {"int", "float"}:
        return "sc:Float"
    return _DATA_TYPES.get(min(names), "sc:Text") if len(names) == 1 else "sc:Text"
