"""`forgelm export MODEL`, `forgelm merge CONFIG` and `forgelm merge-adapter ADAPTER OUT`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from forgelm.cli._output import ForgeCommand, Presentation, shown

if TYPE_CHECKING:
    from forgelm.export import ExportResult, MergeResult

__all__ = ["export", "merge", "merge_adapter"]


def _present_export(result: ExportResult) -> Presentation:
    lines = [
        f"{shown(result.path)}: {result.architecture}, {result.tensor_count} tensors in "
        f"{result.dtype}, {result.size_bytes:,} bytes",
        f"  sha256     {result.sha256}",
        f"  checked    {_checked(result.largest_difference, result.tolerance)}",
        f"  digests    {shown(result.digests_path)}",
    ]
    return Presentation("\n".join(lines), dataclasses.asdict(result))


def _present_merge(result: MergeResult) -> Presentation:
    lines = [f"{shown(result.path)}: merged by {result.method} from"]
    lines += [f"  {source}" for source in result.sources]
    if result.largest_difference is not None:
        lines.append(f"  checked    {_checked(result.largest_difference, result.tolerance)}")
    return Presentation("\n".join(lines), dataclasses.asdict(result))


def _checked(difference: float | None, tolerance: float | None) -> str:
    if difference is None or tolerance is None:
        return "bytes only; the logits were not compared"
    return f"logits differ by {difference:.1e} of the largest, {tolerance:.1e} is allowed"


_BASE = click.option("--base", help="Base model of an adapter; left out, the one it names.")


@click.command(cls=ForgeCommand, present=_present_export)
@click.argument("model_dir")
@click.option("--out", help="File to write; left out, MODEL_DIR-DTYPE.gguf.")
@click.option(
    "--dtype",
    type=click.Choice(["f32", "f16", "bf16", "q8_0"]),
    default="f16",
    show_default=True,
    help="Number format of the matrices.",
)
@_BASE
@click.option(
    "--probe/--no-probe",
    default=True,
    show_default=True,
    help="Compare logits of model and file; needs memory for the whole model.",
)
def export(
    model_dir: str, out: str | None, dtype: str, base: str | None, probe: bool
) -> ExportResult:
    """Write a Llama, Qwen2 or Qwen3 model as one GGUF file for llama.cpp.

    MODEL_DIR is the folder of a model or of an adapter, which is merged into its base first.
    """
    from forgelm.export import export_gguf

    return export_gguf(model_dir, out, dtype=dtype, base=base, probe=probe)  # type: ignore[arg-type]


@click.command(cls=ForgeCommand, present=_present_merge)
@click.argument("config")
def merge(config: str) -> MergeResult:
    """Merge the models that the block `merge` of the YAML file CONFIG names into one."""
    from forgelm.config import load_config
    from forgelm.export import merge_models

    return merge_models(load_config(config))


@click.command(name="merge-adapter", cls=ForgeCommand, present=_present_merge)
@click.argument("adapter_dir")
@click.argument("out")
@_BASE
def merge_adapter(adapter_dir: str, out: str, base: str | None) -> MergeResult:
    """Merge an adapter into its base model and write the whole model to the new folder OUT."""
    from forgelm.export import merge_adapter

    return merge_adapter(adapter_dir, out, base=base)
