"""Merging whole models: the arithmetic on tensors small enough to work out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError
from forgelm.config import MergeConfig
from forgelm.errors import DataError
from forgelm.export import largest_difference, merge_models, probe_logits

if TYPE_CHECKING:
    from conftest import AdapterMaker

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")


def write_model(folder: Path, dtype: Any = torch.float32, **tensors: list[float]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    stored = {name: torch.tensor(values, dtype=dtype) for name, values in tensors.items()}
    safetensors.save_file(stored, folder / "model.safetensors")
    return folder


def merged(tmp_path: Path, models: list[Any], base: Path | None = None, **block: Any) -> Any:
    """Merge and return the tensors."""
    entries = [entry if isinstance(entry, dict) else {"path": str(entry)} for entry in models]
    out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    made = MergeConfig(models=entries, output_dir=str(out), **block)
    result = merge_models(made, base=base)
    assert result.path == out
    return safetensors.load_file(out / "model.safetensors")


def test_linear_is_the_weighted_average(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", w=[4.0, 0.0, -8.0])
    second = write_model(tmp_path / "b", w=[8.0, 4.0, 0.0])
    models = [{"path": str(first), "weight": 1}, {"path": str(second), "weight": 3.0}]
    assert merged(tmp_path, models, method="linear")["w"].tolist() == [7.0, 3.0, -2.0]


def test_slerp_goes_along_the_arc(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", w=[1.0, 0.0], same=[2.0, 4.0])
    second = write_model(tmp_path / "b", w=[0.0, 1.0], same=[2.0, 4.0])
    found = merged(tmp_path, [first, second], method="slerp")
    assert found["w"].tolist() == pytest.approx([math.sqrt(0.5)] * 2)
    assert found["same"].tolist() == [2.0, 4.0]
    models = [{"path": str(first), "weight": 2.0}, {"path": str(second), "weight": 1.0}]
    third = merged(tmp_path, models, method="slerp")["w"].tolist()
    assert third == pytest.approx([math.cos(math.pi / 6), math.sin(math.pi / 6)])


def test_ties_trims_elects_a_sign_and_averages_those_that_agree(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", w=[10.0, 10.0, 10.0, 10.0])
    # Differences (4, 1, -2, .5) and (2, -3, 1, .1); half is trimmed: (4, 0, -2, 0), (2, -3, 0, 0).
    first = write_model(tmp_path / "a", w=[14.0, 11.0, 8.0, 10.5])
    second = write_model(tmp_path / "b", w=[12.0, 7.0, 11.0, 10.1])
    found = merged(tmp_path, [first, second], base, method="ties", ties_trim_fraction=0.5)
    assert found["w"].tolist() == [13.0, 7.0, 8.0, 10.0]


def test_dare_drops_at_random_rescales_and_can_be_repeated(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", w=[1.0] * 64, v=[1.0] * 64)
    first = write_model(tmp_path / "a", w=[3.0] * 64, v=[3.0] * 64)
    second = write_model(tmp_path / "b", w=[1.0] * 64, v=[1.0] * 64)
    settings = {"method": "dare", "dare_drop_rate": 0.5, "dare_seed": 7}
    found = merged(tmp_path, [first, second], base, **settings)
    # A difference of 2, half the weight, doubled where it is kept: 1 + 2 or 1 + 0.
    assert set(found["w"].tolist()) == {1.0, 3.0}
    assert found["w"].tolist() != found["v"].tolist()
    again = merged(tmp_path, [first, second], base, **settings)
    other = merged(tmp_path, [first, second], base, **settings | {"dare_seed": 8})
    assert again["w"].tolist() == found["w"].tolist() != other["w"].tolist()


@pytest.mark.parametrize(
    ("method", "key"), [("ties", "ties_trim_fraction"), ("dare", "dare_drop_rate")]
)
def test_dropping_nothing_and_dropping_all(method: str, key: str, tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", w=[1.0, 1.0])
    first = write_model(tmp_path / "a", w=[3.0, 1.0])
    second = write_model(tmp_path / "b", w=[5.0, 1.0])
    kept = merged(tmp_path, [first, second], base, method=method, **{key: 0.0})
    assert kept["w"].tolist() == [4.0, 1.0]
    dropped = merged(tmp_path, [first, second], base, method=method, **{key: 1.0})
    assert dropped["w"].tolist() == [1.0, 1.0]


def test_the_number_format_and_the_files_are_those_of_the_base(tmp_path: Path) -> None:
    models = [write_model(tmp_path / name, torch.bfloat16, w=[1.0], v=[2.0]) for name in "ab"]
    for folder in models:
        names = {"w": "model-00001-of-00002.safetensors", "v": "model-00002-of-00002.safetensors"}
        tensors = safetensors.load_file(folder / "model.safetensors")
        for name, file in names.items():
            safetensors.save_file({name: tensors[name]}, folder / file)
        (folder / "model.safetensors").unlink()
        index = {"metadata": {}, "weight_map": names}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    block = MergeConfig(
        method="linear",
        models=[{"path": str(folder)} for folder in models],
        output_dir=str(tmp_path / "out"),
    )
    result = merge_models(block)
    assert sorted(path.name for path in result.path.iterdir()) == [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    ]
    part = safetensors.load_file(result.path / "model-00001-of-00002.safetensors")["w"]
    assert (part.dtype, part.item()) == (torch.bfloat16, 1.0)


def test_adapters_are_merged_as_the_models_they_make(
    make_adapter: AdapterMaker, tiny_model: Path, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    adapters = [make_adapter(1), make_adapter(2)]
    before = safetensors.load_file(tiny_model / "model.safetensors")
    found = merged(tmp_path, adapters, method="linear")
    name = "model.layers.0.self_attn.q_proj.weight"
    product = torch.zeros(64, 64)
    for adapter in adapters:
        factors = safetensors.load_file(adapter / "adapter_model.safetensors")
        prefix = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
        # alpha / r is 2, and each adapter has half the weight
        product += factors[f"{prefix}B.weight"] @ factors[f"{prefix}A.weight"]
    assert torch.allclose(found[name], before[name] + product, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-0"]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out-0")
    assert largest_difference(probe_logits(model), probe_logits(model)) == 0.0


def test_models_that_do_not_come_from_one_base_are_refused(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", w=[1.0, 2.0])
    with pytest.raises(DataError, match=r"^v is in only one of"):
        merged(tmp_path, [first, write_model(tmp_path / "b", v=[1.0, 2.0])], method="linear")
    with pytest.raises(DataError, match=r"w is \(2,\) in .* and \(3,\) in"):
        merged(tmp_path, [first, write_model(tmp_path / "c", w=[1.0] * 3)], method="linear")
    index = {"weight_map": {"w": "../a/model.safetensors"}}
    hostile = write_model(tmp_path / "d", w=[1.0, 2.0])
    (hostile / "model.safetensors").rename(hostile / "x.safetensors")
    (hostile / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(DataError, match="does not name the files beside it"):
        merged(tmp_path, [first, hostile], method="linear")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_an_output_layer_that_is_the_embedding_may_be_stored_or_left_out(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a", w=[1.0], **{"lm_head.weight": [9.0]})
    second = write_model(tmp_path / "b", w=[3.0])
    for folder in (first, second):
        config = {"model_type": "llama", "tie_word_embeddings": True}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = merged(tmp_path, [first, second], method="linear")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"w": [2.0]}


def test_everything_wrong_with_the_block_is_said_at_once(tmp_path: Path) -> None:
    good = write_model(tmp_path / "a", w=[1.0])
    models = [
        {"path": str(good), "weight": -1},
        {"path": str(tmp_path / "none")},
        {"path": str(good), "share": 0.5},
        {"path": str(tmp_path)},
    ]
    block = MergeConfig(method="slerp", models=models, output_dir=str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        merge_models(block)
    assert [path for path, _ in caught.value.issues] == [
        "merge.models",
        "merge.models[0].weight",
        "merge.models[1].path",
        "merge.models[2]",
        "merge.models[3].path",
        "merge.output_dir",
    ]
    with pytest.raises(ConfigError, match="ties needs the base model"):
        merged(tmp_path, [good, good], method="ties")
