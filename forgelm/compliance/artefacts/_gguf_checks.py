"""Whether the metadata of a GGUF file suits its architecture, and its tensors fill the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forgelm.compliance.artefacts._gguf_format import (
    ARRAY,
    DECODERS,
    REQUIRED_OF_ADAPTERS,
    REQUIRED_OF_DECODERS,
    STRING,
    UNSIGNED,
)
from forgelm.compliance.artefacts._gguf_reader import GgufHead, shown

__all__ = ["architecture_problems", "catalogue_problems", "is_decoder", "is_split"]

_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BLOCK = re.compile(r"blk\.(\d{1,6})\.")
_DEFAULT_ALIGNMENT = 32


def is_decoder(head: GgufHead) -> bool:
    """Say whether it holds a whole language model of a family whose keys are known."""
    whole = head.texts.get("general.type", "model") == "model"
    return whole and head.texts.get("general.architecture") in DECODERS


def is_split(head: GgufHead) -> bool:
    """Say whether the file is one part of a model that lies in several."""
    return head.scalars.get("split.count", 0) > 1


def architecture_problems(head: GgufHead) -> Iterator[str]:
    """Yield what the metadata lacks for a model of its architecture."""
    name = head.texts.get("general.architecture")
    if name is None or not _ARCHITECTURE.fullmatch(name):
        yield "metadata key 'general.architecture' names no architecture"
        return
    required: tuple[str, ...]
    if head.texts.get("general.type") == "adapter":
        required = REQUIRED_OF_ADAPTERS
    elif is_decoder(head) and not (is_split(head) and head.scalars.get("split.no", 0)):
        required = tuple(f"{name}.{key}" for key in REQUIRED_OF_DECODERS)
    else:
        return
    for key in required:
        kind = head.kinds.get(key)
        if kind is None:
            yield f"metadata key {key!r} is missing"
        elif kind in UNSIGNED and not head.scalars[key]:
            yield f"metadata key {key!r} is 0"
        elif key.startswith(name) and kind not in UNSIGNED | {ARRAY}:
            yield f"metadata key {key!r} is no positive whole number"
    yield from _layer_problems(head, name)


def _layer_problems(head: GgufHead, name: str) -> Iterator[str]:
    declared = head.scalars.get(f"{name}.block_count")
    if not is_decoder(head) or not isinstance(declared, int) or not head.tensors:
        return
    layers = {int(found[1]) for tensor in head.tensors if (found := _BLOCK.match(tensor.name))}
    beyond = sorted(layer for layer in layers if layer >= declared)
    if beyond:
        yield f"there are tensors of layer {beyond[0]}, and {name}.block_count is {declared}"
    elif len(layers) < declared and not is_split(head):
        lacking = next(layer for layer in range(declared) if layer not in layers)
        yield f"layer {lacking} has no tensor, and {name}.block_count is {declared}"


def catalogue_problems(head: GgufHead) -> Iterator[str]:
    """Yield where the tensors do not lie one after the other from the first byte to the last."""
    alignment = head.scalars.get("general.alignment", _DEFAULT_ALIGNMENT)
    kind = head.kinds.get("general.alignment")
    if kind not in {None, 4} or not isinstance(alignment, int) or not _is_power_of_2(alignment):
        yield f"metadata key 'general.alignment' is {_told(kind, alignment)}, no power of two"
        return
    begin = _aligned(head.end, alignment)
    free, last = 0, ""
    for tensor in sorted(head.tensors, key=lambda tensor: tensor.offset):
        named = f"tensor {shown(tensor.name)} at byte {begin + tensor.offset}"
        if tensor.offset % alignment:
            yield f"{named} is not aligned to {alignment}"
        elif tensor.offset + tensor.size_bytes > head.size_bytes - begin:
            yield f"{named} needs {tensor.size_bytes} bytes and lies beyond the end of the file"
        elif tensor.offset < free:
            yield f"{named} overlaps tensor {shown(last)}"
        elif tensor.offset > free:
            yield f"{named} leaves {tensor.offset - free} bytes before it that belong to no tensor"
        free = max(free, _aligned(tensor.offset + tensor.size_bytes, alignment))
        last = tensor.name
    over = head.size_bytes - (begin + free)
    if over > 0 and head.size_bytes != head.end:
        yield f"{over} bytes after the last tensor belong to none"


def _told(kind: int | None, alignment: float) -> str:
    return "a text" if kind in {STRING, ARRAY} else str(alignment)


def _is_power_of_2(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
