"""Writing a model as one GGUF file, for llama.cpp and what is built on it."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tqdm import tqdm

from forgelm._core import (
    MODEL_LOADING,
    quiet_libraries,
    require,
    sha256_file,
    write_atomic,
    write_json_atomic,
)
from forgelm.errors import DataError, TrainingError
from forgelm.export._adapter import merge_adapter
from forgelm.export._folders import adapter_base, is_adapter, model_folder, refuse_existing
from forgelm.export._gguf_model import GgufModel, TensorPlan
from forgelm.export._gguf_tokenizer import write_tokenizer
from forgelm.export._probe import free_weights, largest_difference, probe_logits

__all__ = ["ExportResult", "GgufType", "export_gguf"]

GgufType = Literal["f32", "f16", "bf16", "q8_0"]

_FEATURE = "Exporting to GGUF"
_FILE_TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
# Largest difference of a logit, as a share of the largest one, that each format may cause.
_TOLERANCE = {"f32": 1e-4, "f16": 2e-2, "bf16": 0.1, "q8_0": 0.2}


@dataclass(frozen=True)
class ExportResult:
    """A GGUF file and what is known of it.

    Attributes:
        path: The file.
        dtype: Number format of its matrices.
        architecture: "llama", "qwen2" or "qwen3".
        tensor_count: How many tensors it has.
        size_bytes: Its size.
        sha256: Digest of the whole file, also in `<file>.sha256`.
        digests_path: JSON file with the digest of every tensor.
        largest_difference: Difference to the model's own logits on a probe, as a share of the
            largest logit; None when it was not measured.
        tolerance: The largest difference that was allowed.
    """

    path: Path
    dtype: str
    architecture: str
    tensor_count: int
    size_bytes: int
    sha256: str
    digests_path: Path
    largest_difference: float | None
    tolerance: float


def export_gguf(
    model_dir: str | Path,
    out: str | Path | None = None,
    *,
    dtype: GgufType = "f16",
    base: str | Path | None = None,
    probe: bool = True,
) -> ExportResult:
    """Write the model in a folder as one GGUF file, and read it back.

    Beside it lie `<file>.sha256` and `<file>.tensors.json`. An adapter is melted into its base
    first. Writing holds one tensor in memory at a time.

    Args:
        model_dir: Folder of a Llama, Qwen2 or Qwen3 model, or of an adapter for one.
        out: The file to write; left out, `<folder>-<dtype>.gguf` beside the folder.
        dtype: Number format of the matrices; vectors stay in f32.
        base: For an adapter: its base model; left out, the one it names.
        probe: Load model and file with transformers and compare their logits. It needs memory
            for the whole model; without it only the stored bytes are compared.

    Raises:
        ConfigError, DataError: The model cannot be written as GGUF.
        FileExistsError: `out` exists.
        TrainingError: The file computes something else than the model.
        OSError: A file cannot be read or written.
        ValueError: There is no such `dtype`.
    """
    if dtype not in get_args(GgufType):
        raise ValueError(f"dtype is {dtype!r}; it is one of {', '.join(get_args(GgufType))}")
    folder = model_folder(model_dir)
    target = Path(out).expanduser() if out else folder.parent / f"{folder.name}-{dtype}.gguf"
    sidecar, digests_path = (
        target.with_name(target.name + suffix) for suffix in (".sha256", ".tensors.json")
    )
    for path in (target, sidecar, digests_path):
        refuse_existing(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _whole_model(folder, base, target.parent) as whole, _unfinished(target) as written:
        model = GgufModel(whole)
        digests = _write(model, whole, written, dtype, name=folder.name)
        _check_bytes(written, digests)
        with quiet_libraries():
            difference = _compare(whole, written, dtype, model) if probe else None
        digest, size = sha256_file(written), written.stat().st_size
        os.replace(written, target)
    document = {"file": target.name, "sha256": digest, "dtype": dtype, "tensors": digests}
    write_json_atomic(digests_path, document)
    write_atomic(sidecar, f"{digest}  {target.name}\n")
    return ExportResult(
        path=target,
        dtype=dtype,
        architecture=model.architecture,
        tensor_count=len(digests),
        size_bytes=size,
        sha256=digest,
        digests_path=digests_path,
        largest_difference=difference,
        tolerance=_TOLERANCE[dtype],
    )


@contextmanager
def _whole_model(folder: Path, base: str | Path | None, place: Path) -> Iterator[Path]:
    if not is_adapter(folder):
        if base is not None:
            raise DataError(f"{folder}: is a whole model and needs no base")
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=place, prefix=".merging-") as temporary:
        merged = Path(temporary, folder.name)
        merge_adapter(folder, merged, base=base if base is not None else adapter_base(folder))
        yield merged


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    written = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield written
    finally:
        written.unlink(missing_ok=True)


def _write(
    model: GgufModel, folder: Path, written: Path, dtype: str, *, name: str
) -> list[dict[str, Any]]:
    """Write the file; return name, type, shape and digest of each tensor in it."""
    gguf = require("gguf", extra="export", feature=_FEATURE)
    writer = gguf.GGUFWriter(written, model.architecture)
    writer.add_name(name)
    writer.add_file_type(getattr(gguf.LlamaFileType, _FILE_TYPES[dtype]))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    model.write_metadata(writer)
    write_tokenizer(folder, writer, model.vocabulary)
    plans = sorted(model.tensors(), key=lambda plan: plan.name)
    kinds = {plan.name: _kind(gguf, plan, dtype) for plan in plans}
    for plan in plans:
        _announce(gguf, writer, plan, kinds[plan.name])
    digests = []
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for plan in tqdm(plans, desc="Exporting", unit="tensor", disable=None):
            kind = kinds[plan.name]
            data = gguf.quants.quantize(model.values(plan), kind)
            writer.write_tensor_data(data)
            digests.append(
                {
                    "name": plan.name,
                    "type": kind.name.lower(),
                    "shape": list(plan.shape),
                    "sha256": hashlib.sha256(data.tobytes()).hexdigest(),
                }
            )
        for stream in writer.fout:
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        writer.close()
    return digests


def _kind(gguf: Any, plan: TensorPlan, dtype: str) -> Any:
    kinds = gguf.GGMLQuantizationType
    if len(plan.shape) == 1:
        return kinds.F32
    if dtype == "q8_0" and plan.shape[-1] % 32:  # it goes by blocks of 32
        return kinds.F16
    return getattr(kinds, dtype.upper())


def _announce(gguf: Any, writer: Any, plan: TensorPlan, kind: Any) -> None:
    numpy = require("numpy", extra="export", feature=_FEATURE)
    if kind in {gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16}:
        stored = numpy.dtype(kind.name.replace("F", "float"))
        size = int(numpy.prod(plan.shape)) * stored.itemsize
        writer.add_tensor_info(plan.name, plan.shape, stored, size, raw_dtype=kind)
        return
    shape = gguf.quants.quant_shape_to_byte_shape(plan.shape, kind)
    size = int(numpy.prod(shape))
    writer.add_tensor_info(plan.name, shape, numpy.dtype("uint8"), size, raw_dtype=kind)


def _check_bytes(written: Path, digests: list[dict[str, Any]]) -> None:
    gguf = require("gguf", extra="export", feature=_FEATURE)
    # The reader trusts its file, and this one was written here.
    found = {
        tensor.name: hashlib.sha256(tensor.data.tobytes()).hexdigest()
        for tensor in gguf.GGUFReader(written).tensors
    }
    for entry in digests:
        if found.get(entry["name"]) != entry["sha256"]:
            raise TrainingError(f"the tensor {entry['name']} was not written as it should be")


def _compare(folder: Path, written: Path, dtype: str, model: GgufModel) -> float:
    """Return how far the file's logits are from the model's."""
    transformers = require("transformers", extra="export", feature=_FEATURE)
    with MODEL_LOADING:
        own = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    expected = probe_logits(own)
    config = None if model.is_plain else own.config
    free_weights(own)
    with MODEL_LOADING:
        read = transformers.AutoModelForCausalLM.from_pretrained(
            written.parent, gguf_file=written.name, dtype="float32", config=config
        )
    difference = largest_difference(expected, probe_logits(read))
    if difference > _TOLERANCE[dtype]:
        raise TrainingError(
            f"the GGUF file does not compute what the model does: the logits differ by "
            f"{difference:.2g} of the largest, {_TOLERANCE[dtype]:.2g} is allowed for {dtype}"
        )
    return difference
