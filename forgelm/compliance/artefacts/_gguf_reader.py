"""Reading the head of a GGUF file, never trusting a number in it.

Every count is held against the bytes that are left before anything is read, lists and texts have
limits of their own, and nothing is mapped into memory, where a file cut meanwhile would kill the
process. Time grows with the file's own size, memory stays below a fixed bound.

Source: the GGUF specification of the ggml project, versions 2 and 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from forgelm.compliance.artefacts._gguf_format import ARRAY, BOOL, SCALARS, STRING, TENSOR_TYPES
from forgelm.compliance.audit_log import read_at

__all__ = ["GgufArray", "GgufHead", "GgufTensor", "MalformedError", "read_head", "shown"]

_WINDOW_BYTES = 1024 * 1024
_MAX_KEY_BYTES = 65_535
_MAX_KEPT_BYTES = 256
_MAX_NAME_BYTES = 64
_MAX_PAIRS = 16_384
_MAX_TENSORS = 65_536
_MAX_STRINGS = 4 * 1024 * 1024
_LEAST_PAIR_BYTES = 8 + 1 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8


class MalformedError(Exception):
    """The file breaks the format; the message begins with the byte offset."""


class GgufArray(NamedTuple):
    """An array of the metadata: the type of its items, how many, and where they begin."""

    kind: int
    length: int
    offset: int


class GgufTensor(NamedTuple):
    """One entry of the catalogue; `offset` counts from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int
    size_bytes: int


@dataclass
class GgufHead:
    """Everything before the tensor data. Texts over 256 bytes are checked, not kept."""

    version: int
    order: str
    size_bytes: int
    pairs: int = 0
    scalars: dict[str, int | float] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, GgufArray] = field(default_factory=dict)
    tensors: list[GgufTensor] = field(default_factory=list)
    end: int = 0


def read_head(descriptor: int, size: int) -> GgufHead:
    """Return the head of an open GGUF file of `size` bytes.

    Raises:
        MalformedError: It breaks the format.
        OSError: It cannot be read.
    """
    cursor = _Cursor(descriptor, size)
    cursor.take(4, "the magic bytes")
    version = cursor.number("I", "the version")
    if version & 0xFFFF == 0:  # the bytes of a big-endian file, read the other way round
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in (2, 3):
        raise MalformedError(f"byte 4: version {version} is none of 2 and 3")
    tensors = cursor.count("tensors", _MAX_TENSORS, _LEAST_TENSOR_BYTES)
    pairs = cursor.count("metadata keys", _MAX_PAIRS, _LEAST_PAIR_BYTES)
    head = GgufHead(version, cursor.order, size, pairs)
    seen: set[int] = set()
    for _ in range(pairs):
        _read_pair(cursor, head, seen)
    names: set[int] = set()
    for _ in range(tensors):
        head.tensors.append(_read_tensor(cursor, names))
    head.end = cursor.offset
    return head


def shown(text: str) -> str:
    """Return a name out of a file for a message: escaped, and cut where it is long."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")


class _Cursor:
    """Walks over a file, one block in memory."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.order = "<"
        self._descriptor = descriptor
        self._size = size
        self._block = b""
        self._start = 0
        self._at = 0

    @property
    def offset(self) -> int:
        return self._start + self._at

    def take(self, count: int, what: str) -> bytes:
        self._load(count, what)
        self._at += count
        return self._block[self._at - count : self._at]

    def skip(self, count: int, what: str) -> None:
        self._check_left(count, what)
        self._start, self._at, self._block = self.offset + count, 0, b""

    def number(self, code: str, what: str) -> int:
        form = self.order + code
        found: int = struct.unpack(form, self.take(struct.calcsize(form), what))[0]
        return found

    def count(self, what: str, most: int, least_bytes: int) -> int:
        """Read how many of something follow, and refuse what cannot be there."""
        where = self.offset
        count = self.number("Q", f"the number of {what}")
        if count > most:
            raise MalformedError(f"byte {where}: {count} {what}; no model has more than {most}")
        if count * least_bytes > self._size - self.offset:
            raise MalformedError(f"byte {where}: {count} {what} do not fit into the file")
        return count

    def text(self, what: str, most: int | None = None) -> str:
        """Read a text; one that is longer than a block is checked, and comes back empty."""
        where = self.offset
        length = self.number("Q", what)
        if most is not None and length > most:
            raise MalformedError(f"byte {where}: {what} of {length} bytes; {most} are allowed")
        self._check_left(length, what)
        whole = length <= _WINDOW_BYTES
        try:
            if whole:
                return self.take(length, what).decode("utf-8")
            self._check_utf8(length, what)
        except UnicodeDecodeError:
            raise MalformedError(f"byte {where}: {what} is not UTF-8") from None
        return ""

    def strings(self, count: int, what: str) -> Iterator[bytes]:
        """Yield the raw bytes of `count` texts in a row."""
        length_at = struct.Struct(self.order + "Q").unpack_from
        for _ in range(count):
            if self._at + 8 > len(self._block):
                self._load(8, what)
            length = length_at(self._block, self._at)[0]
            if self._at + 8 + length > len(self._block):
                if length > _WINDOW_BYTES:
                    raise MalformedError(f"byte {self.offset}: a text of {length} bytes in {what}")
                self._load(8 + length, what)
            begin = self._at + 8
            self._at = begin + length
            yield self._block[begin : self._at]

    def _check_utf8(self, length: int, what: str) -> None:
        rest = b""
        while length:
            block = rest + self.take(min(length, _WINDOW_BYTES // 2), what)
            length -= len(block) - len(rest)
            try:
                block.decode("utf-8")
                rest = b""
            except UnicodeDecodeError as error:
                if not length or error.reason != "unexpected end of data":
                    raise
                rest = block[error.start :]

    def _load(self, count: int, what: str) -> None:
        if self._at + count <= len(self._block):
            return
        self._check_left(count, what)
        self._start, self._at = self.offset, 0
        self._block = read_at(self._descriptor, max(count, _WINDOW_BYTES), self._start)
        if len(self._block) < count:
            raise MalformedError(f"byte {self._start}: the file was cut while it was read")

    def _check_left(self, count: int, what: str) -> None:
        if count > self._size - self.offset:
            raise MalformedError(f"byte {self.offset}: the file ends inside {what}")


def _read_pair(cursor: _Cursor, head: GgufHead, seen: set[int]) -> None:
    where = cursor.offset
    key = cursor.text("a metadata key", _MAX_KEY_BYTES)
    if not key or hash(key) in seen:
        raise MalformedError(f"byte {where}: metadata key {shown(key)} is {_again(key)}")
    seen.add(hash(key))
    named = f"metadata key {shown(key)}"
    kind = cursor.number("I", named)
    if kind == STRING:
        text = cursor.text(named)
        if len(text) <= _MAX_KEPT_BYTES:
            head.texts[key] = text
    elif kind == ARRAY:
        head.arrays[key] = _read_array(cursor, key, named)
    elif kind in SCALARS:
        value = cursor.number(SCALARS[kind], named)
        if (kind == BOOL and value > 1) or math.isnan(value):
            raise MalformedError(f"byte {where}: {named} is {value}, which is no value of its type")
        head.scalars[key] = value
    else:
        raise MalformedError(f"byte {where}: {named} has the unknown type {kind}")
    if len(key) <= _MAX_KEPT_BYTES:
        head.kinds[key] = kind
    else:
        head.scalars.pop(key, None)
        head.texts.pop(key, None)
        head.arrays.pop(key, None)


def _again(key: str) -> str:
    return "there twice" if key else "empty"


def _read_array(cursor: _Cursor, key: str, named: str) -> GgufArray:
    where = cursor.offset
    kind = cursor.number("I", named)
    if kind == STRING:
        count = cursor.count(f"texts in {named}", _MAX_STRINGS, 8)
        found = GgufArray(kind, count, cursor.offset)
        _check_strings(cursor, count, named, merges=key == "tokenizer.ggml.merges")
        return found
    if kind not in SCALARS:
        what = "an array of arrays" if kind == ARRAY else f"an array of the unknown type {kind}"
        raise MalformedError(f"byte {where}: {named} is {what}")
    count = cursor.number("Q", named)
    found = GgufArray(kind, count, cursor.offset)
    cursor.skip(count * struct.calcsize(SCALARS[kind]), named)
    return found


def _check_strings(cursor: _Cursor, count: int, named: str, *, merges: bool) -> None:
    for number, raw in enumerate(cursor.strings(count, named)):
        problem = ""
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            problem = "not UTF-8"
        if merges and not 0 < raw.find(b" ", 1) < len(raw) - 1:
            problem = "not two parts with a space between them"
        if problem:
            where = cursor.offset - len(raw)
            raise MalformedError(f"byte {where}: item {number} of {named} is {problem}")


def _read_tensor(cursor: _Cursor, names: set[int]) -> GgufTensor:
    where = cursor.offset
    name = cursor.text("a tensor's name", _MAX_NAME_BYTES)
    named = f"byte {where}: tensor {shown(name)}"
    if not name or hash(name) in names:
        raise MalformedError(f"{named} is {_again(name)}")
    names.add(hash(name))
    dimensions = cursor.number("I", "a tensor's dimensions")
    if not 1 <= dimensions <= 4:
        raise MalformedError(f"{named} has {dimensions} dimensions, not 1 to 4")
    shape = tuple(cursor.number("Q", "a tensor's dimensions") for _ in range(dimensions))
    kind = cursor.number("I", "a tensor's type")
    offset = cursor.number("Q", "a tensor's offset")
    if kind not in TENSOR_TYPES:
        raise MalformedError(f"{named} has the unknown type {kind}")
    type_name, per_block, block_bytes = TENSOR_TYPES[kind]
    if 0 in shape:
        raise MalformedError(f"{named} has a dimension of 0")
    if shape[0] % per_block:
        raise MalformedError(f"{named}: rows of {shape[0]} are no whole blocks of {type_name}")
    return GgufTensor(name, shape, kind, offset, math.prod(shape) // per_block * block_bytes)
