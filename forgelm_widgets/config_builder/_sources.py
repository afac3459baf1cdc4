"""What a form is loaded from, what it is saved to, and how two configurations differ."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from forgelm import ForgeConfig
from forgelm.errors import ConfigError
from forgelm_widgets.config_builder._presets import PRESETS
from forgelm_widgets.config_builder._yaml_patch import read, render

__all__ = ["Change", "changes", "full_values", "read_file", "text_of", "write_whole"]

_LONGEST_FILE_BYTES = 400_000


class Change(NamedTuple):
    """A key that two configurations set differently."""

    path: str
    this: Any
    other: Any


def text_of(source: str | os.PathLike[str] | Mapping[str, Any] | ForgeConfig) -> str:
    """Return the YAML of a file, of blocks, of a configuration or of a preset."""
    if isinstance(source, ForgeConfig):
        return source.to_yaml(include_secrets=True)
    if isinstance(source, Mapping):
        return render(dict(source)) + "\n" if source else ""
    if isinstance(source, str) and source in PRESETS:
        return PRESETS[source].yaml
    return read_file(source)


def read_file(path: str | os.PathLike[str]) -> str:
    """Return the text of a file of bearable length.

    Raises:
        ConfigError: There is no such file, or it is not UTF-8.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file; check the path", source=str(file))
    with file.open("rb") as stream:
        data = stream.read(_LONGEST_FILE_BYTES + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8; save it as UTF-8", source=str(file)) from None


def write_whole(target: Path, text: str, *, overwrite: bool) -> None:
    """Write a file whole or not at all.

    Raises:
        FileExistsError: There is such a file, and `overwrite` is not set.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", text=False)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(0o666 & ~_umask())
        if overwrite:
            draft.replace(target)
        else:
            # unlike a rename, a link never takes the place of a file that came meanwhile
            os.link(draft, target)
    except FileExistsError:
        raise FileExistsError(f"{target} is there already; overwrite=True replaces it") from None
    finally:
        draft.unlink(missing_ok=True)


@functools.cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def full_values(config: ForgeConfig) -> dict[str, Any]:
    """Return every value of a configuration, defaults included, secrets masked."""
    values: dict[str, Any] = read(config.to_yaml(include_defaults=True))
    return values


def changes(this: Any, other: Any, path: str = "") -> Iterator[Change]:
    """Yield the keys whose values differ."""
    if isinstance(this, dict) and isinstance(other, dict):
        for key in [*this, *(key for key in other if key not in this)]:
            yield from changes(this.get(key), other.get(key), f"{path}.{key}".lstrip("."))
    elif this != other:
        yield Change(path, this, other)
