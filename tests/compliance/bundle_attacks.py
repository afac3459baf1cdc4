"""Hostile and altered evidence bundles, made from the bytes of a sound one."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

INDEX = "evidence_index.json"

Files = dict[str, bytes]


def read_zip(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def write_zip(files: Files, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return stream.getvalue()


def _with(files: Files, name: str, content: bytes) -> Files:
    return {**files, name: content}


def _entry(**changes: Any) -> Callable[[bytes], bytes]:
    """Add one entry with the given attributes of a ZipInfo."""

    def attack(data: bytes) -> bytes:
        stream = io.BytesIO(data)
        with zipfile.ZipFile(stream, "a") as bundle:
            info = zipfile.ZipInfo(changes.get("name", "odd"))
            info.external_attr = changes.get("mode", 0o100644) << 16
            info.compress_type = changes.get("method", zipfile.ZIP_STORED)
            bundle.writestr(info, changes.get("content", b"x"))
        return stream.getvalue()

    return attack


def _encrypted(data: bytes) -> bytes:
    """Set the flag of an encrypted entry in the table's first line."""
    at = data.index(b"PK\1\2") + 8
    return data[:at] + b"\1" + data[at + 1 :]


def _wrong_crc(data: bytes) -> bytes:
    return data.replace(b'{"step": 1}', b'{"step": 2}', 1)


def _overlapping(data: bytes) -> bytes:
    """Let the table's second line name the first one's bytes."""
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    return data[: second + 42] + bytes(4) + data[second + 46 :]


def _other_local_name(data: bytes) -> bytes:
    """Let an entry's own header name another file than the table does."""
    return data.replace(b'metrics.jsonl{"step"', b'metrics.jsonk{"step"', 1)


def _end(data: bytes, **changes: int) -> bytes:
    """Rewrite numbers at the end of the zip."""
    end = list(struct.unpack("<4s4H2LH", data[-22:]))
    for name, value in changes.items():
        end[{"entries": 4, "table_bytes": 5, "table_at": 6}[name]] = value
    return data[:-22] + struct.pack("<4s4H2LH", *end)


def _million(_: bytes) -> bytes:
    """A zip whose table really has 10^6 lines, as its 64-bit end says."""
    line = b"PK\1\2" + bytes(42)
    table = line * 1_000_000
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, len(table), 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(table), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return table + end + locator + last


def _bomb(_: bytes) -> bytes:
    return write_zip({"huge": bytes(200 * 1024 * 1024), INDEX: b"{}"}, zipfile.ZIP_DEFLATED)


def _understated_bomb(data: bytes) -> bytes:
    """An entry that expands to far more than the table says."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bomb.compress(bytes(50_000_000)) + bomb.flush()
    zipped = _entry(name="metrics.txt", content=content)(data)
    at = zipped.rindex(b"PK\1\2") + 10
    return zipped[:at] + struct.pack("<H", 8) + zipped[at + 2 :]


def _edit_zip(change: Callable[[Files], Files]) -> Callable[[bytes], bytes]:
    return lambda data: write_zip(change(read_zip(data)))


def _without(*names: str) -> Callable[[bytes], bytes]:
    return _edit_zip(lambda files: {n: c for n, c in files.items() if n not in names})


def _reindexed(change: Callable[[Files], Files]) -> Callable[[bytes], bytes]:
    """Change files and make the index fit, as somebody would who knows the format."""

    def attack(data: bytes) -> bytes:
        files = change(read_zip(data))
        index = json.loads(files[INDEX])
        index["files"] = [
            {"path": n, "size_bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()}
            for n, c in files.items()
            if n != INDEX
        ]
        return write_zip(_with(files, INDEX, json.dumps(index).encode()))

    return attack


def _index_with(**changes: Any) -> Callable[[bytes], bytes]:
    def change(files: Files) -> Files:
        return _with(files, INDEX, json.dumps({**json.loads(files[INDEX]), **changes}).encode())

    return _edit_zip(change)


ANNEX = "compliance/annex_iv_metadata.json"
REPORT = "compliance/compliance_report.json"
MANIFEST = "final_model/model_integrity.json"


def _other_weights(files: Files) -> Files:
    manifest = json.loads(files[MANIFEST])
    for entry in manifest["artifacts"]:
        if entry["file"].endswith(".safetensors"):
            entry["sha256"] = "0" * 64
    index = json.loads(files[INDEX])
    for line in index["digests_only"]:
        if line["path"].endswith(".safetensors"):
            line["sha256"] = "0" * 64
    return {
        **files,
        MANIFEST: json.dumps(manifest).encode(),
        INDEX: json.dumps(index).encode(),
    }


def _cut_log(files: Files) -> Files:
    kept = files["audit_log.jsonl"].splitlines(keepends=True)[:-1]
    left = {name: content for name, content in files.items() if not name.endswith(".head")}
    return _with(left, "audit_log.jsonl", b"".join(kept))


BUNDLES: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    # name: the attack, the part that is blamed ("." is the bundle), what is said of it
    "empty file": (lambda _: b"", ".", "it was cut"),
    "cut in the middle": (lambda data: data[: len(data) // 2], ".", "it was cut"),
    "cut by one byte": (lambda data: data[:-1], ".", "it was cut"),
    "bytes behind it": (lambda data: data + b"x", ".", "something was appended"),
    "bytes before it": (lambda data: b"PK" + data, ".", "not where its end says"),
    "a comment": (lambda data: data[:-2] + b"\1\0x", ".", "something was appended"),
    "10^6 entries announced": (
        lambda data: _end(data, entries=65_535),
        ".",
        "it announces 65535 entries",
    ),
    "10^6 entries": (_million, ".", "it announces 1000000 entries in 46000000 bytes"),
    "a table of 2^31 bytes": (
        lambda data: _end(data, table_bytes=1 << 31),
        ".",
        "2147483648 bytes of table",
    ),
    "a table elsewhere": (lambda data: _end(data, table_at=0), ".", "not where its end says"),
    "fewer entries than the table": (
        lambda data: _end(data, entries=1),
        ".",
        "its end says 1 entries",
    ),
    "a table of noise": (
        lambda data: data.replace(b"PK\1\2", b"PK\1\3"),
        ".",
        "its table of entries is damaged",
    ),
    "zip bomb": (_bomb, ".", "most of it 'huge': it is a zip bomb"),
    "bomb with a false size": (_understated_bomb, "metrics.txt", "it is damaged"),
    "path that climbs": (_entry(name="../../evil"), "../../evil", "leads out of the bundle"),
    "path that climbs inside": (_entry(name="a/../../b"), "a/../../b", "leads out"),
    "absolute path": (_entry(name="/etc/passwd"), "/etc/passwd", "leads out"),
    "drive letter": (_entry(name="C:evil"), "C:evil", "leads out"),
    "backslashes": (_entry(name="..\\evil"), "..\\evil", "leads out"),
    "control characters": (_entry(name="a\x1b[2Jb"), "a\x1b[2Jb", "leads out"),
    "a folder as entry": (_entry(name="folder/", content=b""), "folder/", "leads out"),
    "a name of 2000 letters": (_entry(name="x" * 2000), "x" * 2000, "leads out"),
    "a symbolic link": (_entry(mode=0o120777), "odd", "it is a symbolic link"),
    "a device": (_entry(mode=0o020666), "odd", "it is not a regular file"),
    "compressed by bzip2": (_entry(method=zipfile.ZIP_BZIP2), "odd", "compressed by method 12"),
    "an encrypted entry": (_encrypted, "audit_log.jsonl", "it is encrypted"),
    "a name twice": (
        _entry(name="metrics.jsonl", content=b'{"step": 2}\n'),
        "metrics.jsonl",
        "the zip has it twice",
    ),
    "a name twice but for case": (_entry(name="METRICS.jsonl"), "METRICS.jsonl", "only in case"),
    "a file below a file": (
        _entry(name=f"{MANIFEST}/x/model_integrity.json"),
        f"{MANIFEST}/x/model_integrity.json",
        "it lies below what the zip has as a file",
    ),
    "a second index": (_entry(name=INDEX, content=b"{}"), INDEX, "the zip has it twice"),
    "overlapping entries": (_overlapping, "audit_log.jsonl", "overlap"),
    "two names for one entry": (_other_local_name, "metrics.jsonl", "it is damaged"),
    "wrong CRC": (_wrong_crc, "metrics.jsonl", "Bad CRC-32"),
    "file edited": (
        _edit_zip(lambda files: _with(files, "metrics.jsonl", b"{}")),
        "metrics.jsonl",
        "is not the one in the index: it was altered",
    ),
    "file removed": (_without("metrics.jsonl"), "metrics.jsonl", "it was removed"),
    "file added": (_entry(name="more.json"), "more.json", "does not name it: it was added"),
    "log removed": (_without("audit_log.jsonl"), "audit_log.jsonl", "it was removed"),
    "index is no JSON": (
        _edit_zip(lambda files: _with(files, INDEX, b"{")),
        INDEX,
        "line 1, column 2: it is not JSON",
    ),
    "index nested 10^5 deep": (
        _edit_zip(lambda files: _with(files, INDEX, b"[" * 100_000)),
        INDEX,
        "nested too deeply",
    ),
    "index of another format": (_index_with(format="x"), INDEX, "its format is 'x'"),
    "index with no list": (_index_with(files={}), INDEX, "files is no list"),
    "index with odd lines": (
        _index_with(digests_only=[{"path": "../x", "size_bytes": 1, "sha256": "0" * 64}]),
        INDEX,
        "digests_only[0] is no entry",
    ),
    "index with another head": (
        _index_with(log={"head": {"chain_head": "0" * 64}}),
        "audit_log.jsonl",
        "its last line is not the one that the index records",
    ),
    "Annex IV edited, index fitted": (
        _reindexed(lambda files: _with(files, ANNEX, files[ANNEX].replace(b"Acme", b"Acne"))),
        ANNEX,
        "it was altered",
    ),
    "report edited, index fitted": (
        _reindexed(lambda files: _with(files, REPORT, b"{}")),
        REPORT,
        "not the one whose SHA-256 the audit log recorded",
    ),
    "report removed, index fitted": (
        _reindexed(lambda files: {n: c for n, c in files.items() if n != REPORT}),
        REPORT,
        "but the audit log recorded it",
    ),
    "log cut, index fitted": (
        _reindexed(_cut_log),
        "audit_log.jsonl",
        "its last line is not the one that the index records",
    ),
    "weights exchanged, all fitted": (
        _reindexed(_other_weights),
        "final_model",
        "not the one whose files the audit log recorded",
    ),
    "model manifest removed, index fitted": (
        _reindexed(lambda files: {n: c for n, c in files.items() if n != MANIFEST}),
        "final_model",
        "the log recorded a model",
    ),
}

VAST: dict[str, Callable[[bytes], bytes]] = {
    "10^6 entries": _million,
    "zip bomb": _bomb,
    "bomb with a false size": _understated_bomb,
    "9,999 entries": lambda _: write_zip({f"{n}": b"" for n in range(9_998)} | {INDEX: b"{}"}),
    "an index of 60 MiB": _edit_zip(lambda files: _with(files, INDEX, b" " * 60 * 2**20)),
}
