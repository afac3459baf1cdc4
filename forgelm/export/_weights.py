"""The weights of a model folder, one tensor at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.errors import DataError
from forgelm.export._folders import read_json

__all__ = ["INDEX", "ModelWeights"]

INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_OUTPUT = "lm_head.weight"


class ModelWeights:
    """The tensors of a model stored as safetensors, in one file or several.

    Attributes:
        folder: Where they lie.
        files: Name of each file and the tensors in it, in order.
    """

    def __init__(self, folder: Path) -> None:
        """Read the names, but no weights.

        Raises:
            DataError: The files are not whole.
        """
        self.folder = folder
        self._safetensors = require("safetensors", extra="train", feature="Reading a model")
        names = [_SINGLE] if (folder / _SINGLE).is_file() else self._indexed()
        # Some store the output layer though it is the embedding once more, and some do not.
        twice = {_OUTPUT} if read_json(folder / "config.json").get("tie_word_embeddings") else set()
        self.files: dict[str, list[str]] = {
            name: [tensor for tensor in self._names_in(name) if tensor not in twice]
            for name in names
        }
        self._file_of = {name: file for file, names in self.files.items() for name in names}

    def __contains__(self, name: str) -> bool:
        return name in self._file_of

    def names(self) -> list[str]:
        """Return the name of every tensor, sorted."""
        return sorted(self._file_of)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape without reading it."""
        with self._open(self._file_of[name]) as stream:
            return tuple(stream.get_slice(name).get_shape())

    def tensor(self, name: str) -> Any:
        """Return a tensor as it is stored."""
        try:
            with self._open(self._file_of[name]) as stream:
                return stream.get_tensor(name)
        except self._safetensors.SafetensorError as error:
            raise DataError(f"{self.folder}: the tensor {name} cannot be read: {error}") from error

    def check_same_layout(self, other: ModelWeights) -> None:
        """Raise DataError naming the first tensor that is not in both with one shape."""
        odd = sorted(set(self.names()) ^ set(other.names()))
        if odd:
            raise DataError(
                f"{odd[0]} is in only one of {self.folder} and {other.folder}; "
                "models can be merged when they come from the same base"
            )
        for name in self.names():
            if self.shape(name) != other.shape(name):
                raise DataError(
                    f"{name} is {self.shape(name)} in {self.folder} and {other.shape(name)} in "
                    f"{other.folder}; models can be merged when they come from the same base"
                )

    def _indexed(self) -> list[str]:
        path = self.folder / INDEX
        if not path.is_file():
            raise DataError(f"{self.folder}: has neither {_SINGLE} nor {INDEX}")
        table = read_json(path).get("weight_map")
        files = sorted(set(table.values())) if isinstance(table, dict) else []
        if not files or not all(isinstance(name, str) and _is_plain(name) for name in files):
            raise DataError(f"{path}: does not name the files beside it")
        return files

    def _names_in(self, file: str) -> list[str]:
        try:
            with self._open(file) as stream:
                return list(stream.keys())
        except (OSError, self._safetensors.SafetensorError) as error:
            raise DataError(f"{self.folder / file}: cannot be read: {error}") from error

    def _open(self, file: str) -> Any:
        return self._safetensors.safe_open(self.folder / file, framework="pt")


def _is_plain(name: str) -> bool:
    return Path(name).name == name and name.endswith(".safetensors")
