"""An adapter melted into its base says what both say together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm.errors import DataError
from forgelm.export import largest_difference, merge_adapter, probe_logits

if TYPE_CHECKING:
    from conftest import AdapterMaker, ModelMaker

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)


def load(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


def test_the_merged_model_says_what_base_and_adapter_say(
    make_adapter: AdapterMaker, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(1)
    result = merge_adapter(adapter, tmp_path / "deep" / "merged")
    together = probe_logits(peft.PeftModel.from_pretrained(load(tiny_model), adapter))
    merged = probe_logits(load(result.path))
    assert largest_difference(together, merged) < 1e-5
    assert largest_difference(probe_logits(load(tiny_model)), merged) > 0.1
    assert (result.method, result.sources) == ("adapter", (str(tiny_model), str(adapter)))
    assert (result.largest_difference or 0.0) < 1e-5 < (result.tolerance or 0.0)
    tokenizer = (result.path / "tokenizer.json").read_bytes()
    assert tokenizer == (tiny_model / "tokenizer.json").read_bytes()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["merged"]


def test_settings_that_the_base_was_changed_by_are_changed_again(
    make_adapter: AdapterMaker, tmp_path: Path
) -> None:
    adapter = shutil.copytree(make_adapter(1), tmp_path / "adapter")
    rope = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.0}
    settings = {"rope_parameters": rope, "max_position_embeddings": 1024}
    (adapter / "base_settings.json").write_text(json.dumps(settings), encoding="utf-8")
    result = merge_adapter(adapter, tmp_path / "merged")
    config = json.loads((result.path / "config.json").read_text(encoding="utf-8"))
    assert config["rope_parameters"] == rope
    assert config["max_position_embeddings"] == 1024


def test_what_does_not_fit_is_refused_and_nothing_is_left(
    make_adapter: AdapterMaker, make_model: ModelMaker, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(1)
    other = make_model("llama", hidden_size=32)
    with pytest.raises(DataError, match="does not fit the base model"):
        merge_adapter(adapter, tmp_path / "out", base=other)
    with pytest.raises(DataError, match=r"base model 'nobody/no' cannot be loaded"):
        merge_adapter(adapter, tmp_path / "out", base="nobody/no")
    with pytest.raises(DataError, match="holds a model, not an adapter"):
        merge_adapter(tiny_model, tmp_path / "out")
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="give another path"):
        merge_adapter(adapter, tmp_path / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_tensor_that_has_no_place_in_the_base_is_named(
    make_adapter: AdapterMaker, tmp_path: Path
) -> None:
    adapter = shutil.copytree(make_adapter(1), tmp_path / "adapter")
    path = adapter / "adapter_model.safetensors"
    tensors = safetensors.load_file(path)
    name = "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"
    safetensors.save_file(tensors | {name: next(iter(tensors.values())).clone()}, path)
    with pytest.raises(DataError, match=r"layers\.9\.self_attn\.q_proj"):
        merge_adapter(adapter, tmp_path / "out")


@pytest.mark.parametrize(
    ("document", "message"),
    [("{", "not valid JSON"), ("{}", "names no base model"), ("[" * 100_000, "not valid JSON")],
)
def test_a_spoilt_adapter_config_is_a_clear_error(
    document: str, message: str, make_adapter: AdapterMaker, tmp_path: Path
) -> None:
    adapter = shutil.copytree(make_adapter(1), tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text(document, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        merge_adapter(adapter, tmp_path / "out")
