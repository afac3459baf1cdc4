"""Results of finished ranges on disk, so that an audit that was killed goes on where it stood.

One file a range: arrays in NumPy's .npz and the rest as tagged JSON. Reading one runs no code that
is in it, and one that is torn or of another version is scanned again.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from forgelm._core import write_atomic
from forgelm.data_audit.scan import ColumnSeen, Partial, ScanOptions
from forgelm.data_audit.sources import ByteRange, Problem, stamp_of

__all__ = ["FinishedRanges", "dump_partial", "load_partial"]

_FORMAT = 1
_SUFFIX = ".range.npz"
_JUDGES = ("forgelm", "numpy", "phonenumbers", "python-stdnum", "datasketch", "presidio-analyzer")
_log = logging.getLogger("forgelm.data_audit")


@dataclass(frozen=True)
class FinishedRanges:
    """A folder with the results of the ranges that are done.

    The name of a result is a digest of all it depends on: file, size, time of change, range,
    options and the versions of the code. So a result is used for nothing else.

    Attributes:
        folder: Made when it is not there, readable by the owner only: results hold excerpts.
        options: What the scan looks for.
    """

    folder: Path
    options: ScanOptions

    def scan(
        self,
        ranges: Sequence[ByteRange],
        scan_rest: Callable[[Sequence[ByteRange]], Generator[Partial, None, None]],
    ) -> Generator[Partial, None, None]:
        """Yield the result of each range in order; keep those that `scan_rest` has to make.

        Raises:
            OSError: A file cannot be read, or a result not be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = self._paths(ranges)
        done = {path for path in paths if _is_whole(path)}
        _log.info("%d of %d ranges were scanned before", len(done), len(ranges))
        rest = scan_rest([r for r, path in zip(ranges, paths, strict=True) if path not in done])
        with closing(rest):
            for path in paths:
                if path in done:
                    yield load_partial(path.read_bytes())
                else:
                    partial = next(rest)
                    write_atomic(path, dump_partial(partial))
                    path.chmod(0o600)
                    yield partial

    def clear(self, ranges: Sequence[ByteRange]) -> None:
        """Remove the results of `ranges`, and the folder if it is empty then."""
        half_written = self.folder.glob(f".*{_SUFFIX}.*.tmp")  # when the audit was killed
        for path in [*self._paths(ranges), *half_written]:
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self, ranges: Sequence[ByteRange]) -> list[Path]:
        stamps = {path: stamp_of(path) for path in {each.path for each in ranges}}
        common = [_FORMAT, _judges(), asdict(self.options)]
        places = [(each.split, each.path, each.start, each.end) for each in ranges]
        digests = [_digest([*common, *place, stamps[place[1]]]) for place in places]
        return [self.folder / (digest + _SUFFIX) for digest in digests]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _judges() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    versions = {}
    for name in _JUDGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions


def _is_whole(path: Path) -> bool:
    try:
        load_partial(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def dump_partial(partial: Partial) -> bytes:
    """Return a result as bytes that `load_partial` turns back into an equal one."""
    arrays: list[NDArray[Any]] = []
    values = {each.name: _packed(getattr(partial, each.name), arrays) for each in fields(partial)}
    text = np.frombuffer(json.dumps(values).encode("ascii"), np.uint8)
    stream = io.BytesIO()
    named: dict[str, Any] = {f"array_{n}": array for n, array in enumerate(arrays)}
    np.savez(stream, json=text, **named)
    return stream.getvalue()


def load_partial(data: bytes) -> Partial:
    """Return what `dump_partial` was given.

    Raises:
        ValueError: These are no such bytes.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            values = json.loads(archive["json"].tobytes())
            arrays = [archive[f"array_{n}"] for n in range(len(archive.files) - 1)]
        return Partial(**{name: _unpacked(value, arrays) for name, value in values.items()})
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, OSError, BadZipFile) as e:
        raise ValueError("not the result of a range") from e


_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple, "set": set}
_RECORDS: dict[str, Callable[..., Any]] = {"ColumnSeen": ColumnSeen, "Problem": Problem}


def _packed(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return `value` as JSON: plain values as they are, others as [tag, ...]."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return ["array", len(arrays) - 1]
    if isinstance(value, dict):
        tag = "Counter" if isinstance(value, Counter) else "dict"
        return [tag, *([_packed(k, arrays), _packed(v, arrays)] for k, v in value.items())]
    name = type(value).__name__
    if name == "ColumnSeen":
        value = [getattr(value, each.name) for each in fields(value)]
    elif name not in _RECORDS and name not in _SEQUENCES:
        raise TypeError(f"a result of a range cannot hold a {name}")
    items = sorted(value) if isinstance(value, set) else value
    return [name, *(_packed(item, arrays) for item in items)]


def _unpacked(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if not isinstance(value, list):
        return value
    tag, items = value[0], value[1:]
    if tag == "bytes":
        return bytes.fromhex(items[0])
    if tag == "array":
        return arrays[items[0]]
    if tag in ("dict", "Counter"):
        pairs = {_unpacked(k, arrays): _unpacked(v, arrays) for k, v in items}
        return Counter(pairs) if tag == "Counter" else pairs
    parts = [_unpacked(item, arrays) for item in items]
    return _SEQUENCES[tag](parts) if tag in _SEQUENCES else _RECORDS[tag](*parts)
