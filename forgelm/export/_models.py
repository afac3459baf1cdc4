"""One model made of several, tensor by tensor."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from forgelm._core import require, write_json_atomic
from forgelm.data import hub_session
from forgelm.errors import ConfigError, DataError
from forgelm.export._adapter import MergeResult, merge_adapter
from forgelm.export._combine import combination
from forgelm.export._folders import (
    adapter_base,
    copy_tokenizer,
    is_adapter,
    model_folder,
    new_folder,
)
from forgelm.export._weights import INDEX, ModelWeights

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig, MergeConfig

__all__ = ["merge_issues", "merge_models"]

_ENTRY_KEYS = frozenset({"path", "weight"})
_NEEDS_BASE = frozenset({"ties", "dare"})


@dataclass(frozen=True)
class _Part:
    folder: Path
    weight: float


def merge_models(
    config: ForgeConfig | MergeConfig, *, base: str | Path | None = None
) -> MergeResult:
    """Write the model that the block `merge` describes to its `output_dir`.

    Each of `merge.models` is a folder with a model or an adapter; adapters are melted into the
    base first. All must come from the same base: equal tensor names and shapes. Memory holds one
    file of weights at a time.

    Args:
        config: A whole configuration, or its block `merge`. `enabled` does not matter here.
        base: The model they all come from; left out, `model.name_or_path`, else the one that an
            adapter names. `linear` and `slerp` of whole models need none.

    Raises:
        ConfigError: The block does not say what to merge, or `output_dir` exists.
        DataError: The models do not fit together.
        TrainingError: An adapter could not be melted in faithfully.
        OSError: A file cannot be read or written.
    """
    whole: Any = config
    block: MergeConfig | None = whole.merge if hasattr(whole, "merge") else whole
    if block is None:
        raise ConfigError(issues=[("merge", "is missing; say which models to merge")])
    session: Any = nullcontext()
    if hasattr(whole, "model"):
        session = hub_session(whole)
        base = whole.model.name_or_path if base is None else base
    parts = _parts(block)
    with session:
        origin = _origin(block, parts, base)
        _merge(block, parts, origin)
    sources = [str(part.folder) for part in parts]
    return MergeResult(
        Path(block.output_dir).expanduser(),
        block.method,
        tuple([origin, *sources] if origin else sources),
    )


def _merge(block: MergeConfig, parts: Sequence[_Part], origin: str | None) -> None:
    target = Path(block.output_dir).expanduser()
    with new_folder(target) as written, _whole_models(parts, origin, target) as folders:
        models = [ModelWeights(folder) for folder in folders]
        reference = ModelWeights(model_folder(origin)) if origin else models[0]
        for model in models:
            reference.check_same_layout(model)
        _write(reference, models, block, [part.weight for part in parts], written)
        _copy_the_rest(folders[0], reference.folder, written)


def merge_issues(
    block: MergeConfig, *, coming: str | Path | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the block `merge`, as (key, problem).

    Args:
        block: The block.
        coming: A model folder that is not there yet, but will be when it is merged.
    """
    if len(block.models) < 2:
        yield "merge.models", "needs two models or more"
    elif block.method == "slerp" and len(block.models) != 2:
        yield "merge.models", f"slerp takes two models, not {len(block.models)}"
    for number, entry in enumerate(block.models):
        key = f"merge.models[{number}]"
        path, weight = entry.get("path"), entry.get("weight", 1.0)
        if set(entry) - _ENTRY_KEYS or not isinstance(path, str) or not path:
            yield key, "write a `path` and, if you like, a `weight`, nothing else"
            continue
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
            yield f"{key}.weight", "must be a number above 0"
        if coming is None or Path(path).expanduser().absolute() != Path(coming).absolute():
            try:
                model_folder(path)
            except DataError as error:
                yield f"{key}.path", str(error)
            except OSError as error:
                yield f"{key}.path", f"{path!r}: {error.strerror}; correct the path"
    if Path(block.output_dir).expanduser().exists():
        yield "merge.output_dir", f"{block.output_dir!r} exists already; give another folder"


def _parts(block: MergeConfig) -> list[_Part]:
    issues = list(merge_issues(block))
    if issues:
        raise ConfigError(issues=issues)
    return [
        _Part(model_folder(entry["path"]), float(entry.get("weight", 1.0)))
        for entry in block.models
    ]


def _origin(block: MergeConfig, parts: Sequence[_Part], base: str | Path | None) -> str | None:
    """Return the base model where the merge needs one."""
    adapters = [part.folder for part in parts if is_adapter(part.folder)]
    if not adapters and block.method not in _NEEDS_BASE:
        return None
    if base is not None:
        return _local(str(base))
    if not adapters:
        raise ConfigError(
            issues=[("merge.method", f"{block.method} needs the base model; give it as `base`")]
        )
    return _local(adapter_base(adapters[0]))


def _local(name: str) -> str:
    """Return the folder of a model, from the Hub's cache where `name` is not a folder itself."""
    if Path(name).expanduser().is_dir():
        return str(Path(name).expanduser())
    hub = require("huggingface_hub", extra="train", feature="Merging models")
    patterns = ["*.safetensors", "*.json", "*.model", "*.jinja", "merges.txt"]
    try:
        return str(hub.snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        raise DataError(f"the base model {name!r} cannot be found: {error}") from error


@contextmanager
def _whole_models(parts: Sequence[_Part], origin: str | None, target: Path) -> Iterator[list[Path]]:
    """Give a whole model for each part, in temporary folders where it is an adapter."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".merging-") as place:
        folders = []
        for number, part in enumerate(parts):
            if is_adapter(part.folder):
                whole = Path(place, f"model-{number}")
                merge_adapter(part.folder, whole, base=origin)
                folders.append(whole)
            else:
                folders.append(part.folder)
        yield folders


def _write(
    reference: ModelWeights,
    models: Sequence[ModelWeights],
    block: MergeConfig,
    weights: list[float],
    written: Path,
) -> None:
    """Write the merged weights in the files of `reference`."""
    save = require("safetensors.torch", extra="train", feature="Merging models").save_file
    combine = combination(block, weights)
    bar = tqdm(total=len(reference.names()), desc="Merging", unit="tensor", disable=None)
    with bar:
        for file, names in reference.files.items():
            merged = {}
            for name in names:
                own = reference.tensor(name)
                parts = [model.tensor(name) for model in models]
                merged[name] = combine(name, own, parts).to(own.dtype).contiguous()
                bar.update()
            save(merged, written / file, metadata={"format": "pt"})
    if len(reference.files) > 1:
        places = {name: file for file, names in reference.files.items() for name in names}
        write_json_atomic(written / INDEX, {"metadata": {}, "weight_map": places})


def _copy_the_rest(first: Path, reference: Path, written: Path) -> None:
    for name in ("config.json", "generation_config.json"):
        source = reference if (reference / name).is_file() else first
        if (source / name).is_file():
            shutil.copyfile(source / name, written / name)
    copy_tokenizer([first, reference], written)
