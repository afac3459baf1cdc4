"""A Croissant card of the corpus, for catalogues and data loaders.

Source: MLCommons Croissant format specification 1.0.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.data_audit.report._croissant_fields import field_of, unique_names
from forgelm.data_audit.scan import OTHER_COLUMNS, PII_KINDS, Partial, count_kinds
from forgelm.data_audit.sources import Corpus, is_address, open_binary, printable, size_of

__all__ = ["CARD_KEYS", "croissant_card"]

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
CARD_KEYS = (
    *("name", "description", "license", "creator", "publisher", "version", "citation"),
    *("date_published", "url", "keywords"),
)
_FORMATS = {
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".json": "application/json",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".parquet": "application/x-parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".feather": "application/vnd.apache.arrow.file",
}
_COMPRESSED = (".gz", ".zst")
_BLOCK_BYTES = 1 << 20


def croissant_card(
    corpus: Corpus, scanned: Mapping[str, Partial], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the card: files with hash and size, one record set a file, a field a column.

    Args:
        corpus: The files.
        scanned: What each split holds; scanned with `ScanOptions(shapes=True)`.
        known: What the caller knows, by `CARD_KEYS`. What a catalogue wants and nobody told is
            filled in so that it says as much.

    Raises:
        OSError: A file cannot be read.
    """
    files = [_file_object(place, path, corpus.root) for place, path in enumerate(corpus.files)]
    pii = {
        f"{split}: {kind} ({n})"
        for split, part in scanned.items()
        for kind, n in count_kinds(part.findings, PII_KINDS).items()
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **_about(corpus, scanned, known, files),
        "rai:personalSensitiveInformation": sorted(pii) or ["none found by pattern"],
        "distribution": files,
        "recordSet": list(_record_sets(corpus, scanned)),
    }


def _about(
    corpus: Corpus,
    scanned: Mapping[str, Partial],
    known: Mapping[str, Any],
    files: list[dict[str, Any]],
) -> dict[str, Any]:
    digest = hashlib.sha256("".join(each["sha256"] for each in files).encode()).hexdigest()
    name = known.get("name") or _identifier(Path(corpus.path).stem)
    changed = _last_change(corpus)
    stated = {
        "license": "NOASSERTION",
        "version": f"0.0.0+sha256.{digest[:12]}" if files else "0.0.0",
        "citeAs": f"{name}, SHA-256 of its files {digest}" if files else name,
        "datePublished": changed,
    }
    names = {"citation": "citeAs", "date_published": "datePublished"}
    given = {names.get(k, k): _organisation(k, v) for k, v in known.items() if v}
    rows = sum(part.rows for part in scanned.values())
    unknown = [key for key in (*stated, "creator") if key not in given]
    notes = "".join(_UNKNOWN[key] for key in unknown)
    intro = known.get("description") or f"{rows} rows in the splits {', '.join(scanned)}."
    if not files:
        notes += " The rows were in memory when they were audited: there are no files to name."
    return {**stated, **given, "name": name, "description": f"{intro}{notes}"}


_UNKNOWN = {
    "license": " The licence is not known to the audit that wrote this card: NOASSERTION.",
    "version": " No version was given: the one here names the content of the files.",
    "citeAs": " No citation is known.",
    "datePublished": " The date of publication is not known: it is the last change of the files, "
    "or the day of the audit.",
    "creator": " The creator is not known.",
}


def _organisation(key: str, value: Any) -> Any:
    if key in ("creator", "publisher") and isinstance(value, str):
        return {"@type": "sc:Organization", "name": value}
    return value


def _last_change(corpus: Corpus) -> str:
    """Return the day of the last change of a file; today where no file tells."""
    times = [os.stat(path).st_mtime for path in corpus.files if not is_address(path)]
    moment = datetime.fromtimestamp(max(times), UTC) if times else datetime.now(UTC)
    return moment.date().isoformat()


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", printable(text)).strip("-.") or "dataset"


def _file_object(place: int, path: str, root: str) -> dict[str, Any]:
    name = printable(Path(path).name)
    below = os.path.relpath(path, root).replace(os.sep, "/") if root else name
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{place}",
        "name": name,
        "contentUrl": path if is_address(path) else below,
        "contentSize": f"{size_of(path)} B",
        "encodingFormat": _format(path),
        "sha256": _sha256(path),
    }


def _format(path: str) -> str:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _FORMATS.get(suffixes[-1] if suffixes else "", "application/jsonlines")


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open_binary(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _record_sets(corpus: Corpus, scanned: Mapping[str, Partial]) -> Iterator[dict[str, Any]]:
    for split, paths in corpus.splits.items():
        shapes = scanned[split].shapes
        columns = [name for name in scanned[split].columns if name != OTHER_COLUMNS]
        for place, path in enumerate(paths):
            name = _identifier(split) + (f"-{place}" if len(paths) > 1 else "")
            file = f"file-{corpus.files.index(path)}"
            identifiers = unique_names([_identifier(column) for column in columns])
            fields, left_out = [], []
            for identifier, column in zip(identifiers, columns, strict=True):
                field = field_of(f"{name}/{identifier}", column, shapes, file)
                if field is None:
                    left_out.append(column)
                else:
                    fields.append(field)
            if fields:
                yield {
                    "@type": "cr:RecordSet",
                    "@id": name,
                    "name": name,
                    **({"description": _LEFT_OUT + ", ".join(left_out)} if left_out else {}),
                    "field": fields,
                }


_LEFT_OUT = "Croissant has no type for the values of these columns: "
