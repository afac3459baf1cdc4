"""Model and adapter folders: what lies in them, and writing a new one whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forgelm.errors import DataError

__all__ = [
    "adapter_base",
    "copy_tokenizer",
    "is_adapter",
    "model_folder",
    "new_folder",
    "read_json",
    "refuse_existing",
]

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
_LARGEST_JSON = 256 * 2**20


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`.

    Raises:
        DataError: It is not one, or far too large.
        OSError: It cannot be read.
    """
    if path.stat().st_size > _LARGEST_JSON:
        raise DataError(f"{path}: larger than any such file is; it was not read")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: not a JSON object")
    return document


def is_adapter(folder: Path) -> bool:
    """Say whether `folder` holds an adapter in place of a model."""
    return (folder / "adapter_config.json").is_file()


def model_folder(path: str | Path) -> Path:
    """Return `path` as the folder of a model or adapter stored as safetensors.

    Raises:
        DataError: It holds neither, or weights in a format that can run code when it is read.
        FileNotFoundError: There is no such folder.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such model folder", str(path))
    if not is_adapter(folder) and not (folder / "config.json").is_file():
        raise DataError(f"{folder}: holds neither a config.json nor an adapter_config.json")
    if not any(folder.glob("*.safetensors")):
        raise DataError(f"{folder}: has no .safetensors file; save the model as safetensors")
    return folder


def adapter_base(folder: Path) -> str:
    """Return the name or path of the base model that the adapter in `folder` was trained on.

    Raises:
        DataError: Its adapter_config.json does not say.
    """
    name = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
    if not isinstance(name, str) or not name:
        raise DataError(f"{folder}: adapter_config.json names no base model; give it as `base`")
    return name


def copy_tokenizer(sources: list[Path], target: Path) -> None:
    """Copy the tokenizer files of the first folder that has any, byte for byte."""
    for source in sources:
        found = [source / name for name in _TOKENIZER_FILES if (source / name).is_file()]
        if found:
            for path in found:
                shutil.copyfile(path, target / path.name)
            return


def refuse_existing(path: Path) -> None:
    """Raise FileExistsError when something stands at `path`."""
    if path.exists() or path.is_symlink():
        message = "exists already; give another path or move it away"
        raise FileExistsError(errno.EEXIST, message, str(path))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `target` when the block ends without an error."""
    refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    written.mkdir()
    try:
        yield written
        os.rename(written, target)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
