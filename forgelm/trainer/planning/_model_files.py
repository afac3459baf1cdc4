"""What a model folder says about its model, read without loading a weight."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import is_installed, require

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ModelFiles", "find_model_folder", "read_model_files"]

_MAX_JSON_BYTES = 50 << 20
_MAX_HEADER_BYTES = 100 << 20  # the format's own limit
_OTHER_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.gguf")
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True)
class ModelFiles:
    """A model as its files describe it.

    Attributes:
        settings: What `config.json` holds, of the language part where there are several.
        shapes: Shape of each tensor in the safetensors files; empty where there are none.
        template: Text of the chat template, or None.
        problem: Why the weights cannot be described, or None.
        is_unusable: For that reason no library could load them.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    template: str | None = None
    problem: str | None = None
    is_unusable: bool = False

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def marks_answers(self) -> bool:
        """The chat template says which tokens are the assistant's."""
        return bool(self.template and _GENERATION.search(self.template))

    def size(self, name: str, default: int = 0) -> int:
        """Return a whole number of the settings, `default` where it is none."""
        value = self.settings.get(name)
        return value if isinstance(value, int) and value > 0 else default


def find_model_folder(config: ForgeConfig) -> Path | None:
    """Return the folder of the configured model: its own, or the Hub's cache; None for neither."""
    name = config.model.name_or_path
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not is_installed("huggingface_hub"):
        return None
    hub = require("huggingface_hub", extra="train", feature="Looking at a model")
    try:
        found = hub.try_to_load_from_cache(name, "config.json", revision=config.model.revision)
    except ValueError:  # not a name that the Hub could have
        return None
    return Path(found).parent if isinstance(found, str) else None


def read_model_files(folder: Path) -> ModelFiles:
    """Return what the files in `folder` say; what cannot be read is named, never raised."""
    settings = _json_object(folder / "config.json")
    nested = settings.get("text_config")
    text = nested if isinstance(nested, dict) else settings
    template = _template(folder)
    try:
        shapes = {name: shape for file in _weight_files(folder) for name, shape in _header(file)}
    except (OSError, ValueError) as error:
        return ModelFiles(text, {}, template, f"the weights cannot be read: {error}", True)
    if shapes:
        return ModelFiles(text, shapes, template)
    others = [path.name for kind in _OTHER_WEIGHTS for path in folder.glob(kind)]
    problem = "there are no safetensors files to look at" if others else "there are no weights"
    return ModelFiles(text, shapes, template, problem, not others)


def _weight_files(folder: Path) -> list[Path]:
    index = _json_object(folder / "model.safetensors.index.json").get("weight_map")
    if isinstance(index, dict):
        names = sorted({str(name) for name in index.values()})
        if any(Path(name).name != name for name in names):
            raise ValueError("model.safetensors.index.json names files elsewhere")
        return [folder / name for name in names]
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("*.safetensors"))


def _header(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of each tensor of a safetensors file.

    Source: the safetensors format: 8 bytes little-endian length, then that many bytes of JSON.
    """
    if not path.is_file():
        raise ValueError(f"{path.name} is not there")
    with open(path, "rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
            raise ValueError(f"{path.name} is no safetensors file")
        header = _parsed(stream.read(length))
    found = path.stat().st_size - 8 - length
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        values = entry if isinstance(entry, dict) else {}
        shape, place = values.get("shape"), values.get("data_offsets")
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError(f"{path.name} has a tensor without a shape")
        end = place[-1] if isinstance(place, list) and place else 0
        if isinstance(end, int) and end > found:
            raise ValueError(f"{path.name} was cut off: {found} bytes of {end} or more are there")
        yield name, tuple(shape)


def _template(folder: Path) -> str | None:
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, ValueError):
        value = _json_object(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(value, list):  # several, by name
        named = {entry.get("name"): entry for entry in value if isinstance(entry, dict)}
        value = named.get("default", {}).get("template")
    return value if isinstance(value, str) and value else None


def _json_object(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_JSON_BYTES:
            return {}
        return _parsed(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("JSON that is no object")
    return value
