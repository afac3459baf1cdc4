"""Every way of training a model's weights learns, and what it saves is what it trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer, ProgressEvent, get_model_and_tokenizer
from forgelm.errors import TrainingError
from forgelm.export import merge_adapter

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

METHODS: dict[str, dict[str, Any]] = {
    "dora": {"lora": {"method": "dora"}},
    "rslora": {"lora": {"method": "rslora", "target_modules": "all-linear"}},
    "pissa": {"lora": {"method": "pissa", "target_modules": ["all-linear"]}},
    "full": {"lora": {"method": "full"}, "training": {"learning_rate": 1e-3}},
    "merged": {"training": {"merge_adapters": True}},
    "pissa merged": {"lora": {"method": "pissa"}, "training": {"merge_adapters": True}},
}


def reload_verdict(result: Any) -> Any:
    return next(verdict for verdict in result.verdicts if verdict.gate == "reload")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_learns_and_its_saved_model_gives_the_same_logits(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path, **METHODS[name])
    result = ForgeTrainer(config).train()
    assert result.success, result.error
    assert result.metrics["eval_loss"] < result.metrics["baseline_eval_loss"] - 0.5
    verdict = reload_verdict(result)
    assert verdict.status == "passed"
    assert verdict.measured["largest_logit_difference"] < 1e-5
    final = Path(result.final_model_path or "")
    is_whole = (final / "model.safetensors").is_file()
    assert is_whole == (name in {"full", "merged", "pissa merged"})
    assert is_whole != (final / "adapter_config.json").is_file()


def test_a_pissa_adapter_is_a_plain_lora_for_the_untouched_base(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    config = make_config(tmp_path, lora={"method": "pissa", "r": 4}, training={"max_steps": 2})
    result = ForgeTrainer(config).train()
    final = Path(result.final_model_path or "")
    adapter = json.loads((final / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["lora_alpha"], adapter["init_lora_weights"]) == (8, 32, True)
    assert (tmp_path / "initial_adapter/adapter_model.safetensors").is_file()
    merged = merge_adapter(final, tmp_path / "merged", base=tiny_model)
    assert (merged.largest_difference or 0.0) < 1e-5


@pytest.mark.parametrize(
    ("fault", "message"),
    [("altered", "does not compute what was trained"), ("removed", "could not be loaded")],
)
def test_a_saved_model_that_cannot_be_vouched_for_fails_the_run_and_is_kept_apart(
    fault: str, message: str, make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    base = shutil.copytree(tiny_model, tmp_path / "base")
    config = make_config(tmp_path / "run", model={"name_or_path": str(base)})

    def disturb(event: ProgressEvent) -> None:
        if event.kind != "save":
            return
        weights = base / "model.safetensors"
        if fault == "removed":
            weights.unlink(missing_ok=True)
        else:  # somebody replaces the base model while it is trained
            tensors = safetensors.load_file(weights)
            tensors["model.layers.0.self_attn.v_proj.weight"] *= 1.5
            safetensors.save_file(tensors, weights, {"format": "pt"})

    trainer = ForgeTrainer(config)
    trainer.subscribe(disturb)
    with pytest.raises(TrainingError, match=message) as caught:
        trainer.train()
    kept = tmp_path / "run/unverified" / trainer.run_id / "final_model"
    assert str(kept) in str(caught.value)
    assert (kept / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "run/final_model").exists()


@pytest.mark.parametrize(
    ("method", "status"), [("dora", "passed"), ("pissa", "skipped"), ("full", "passed")]
)
def test_a_model_handed_in_is_compared_where_that_can_be_done(
    method: str, status: str, make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    config = make_config(
        tmp_path,
        lora={"method": method},
        training={"max_steps": 2, "gradient_checkpointing": True, "neftune_noise_alpha": 5.0},
    )
    result = ForgeTrainer(config, model=model).train()
    verdict = reload_verdict(result)
    assert (verdict.status, result.success) == (status, True)
    assert ("no other copy of it" in (verdict.reason or "")) == (method == "pissa")
    assert model.is_activation_checkpointing
    assert model.get_input_embeddings().weight.numel() > 0  # still there for its owner


def test_the_chosen_experts_alone_are_trained(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    experts = _mixture(tmp_path / "base", tiny_model)
    config = make_config(
        tmp_path / "run",
        model={"name_or_path": str(experts), "moe": {"experts_to_train": "0, 2"}},
        lora={"r": 2},
        training={"max_steps": 4},
    )
    result = ForgeTrainer(config).train()
    assert reload_verdict(result).status == "passed", result.error
    final = Path(result.final_model_path or "")
    merge_adapter(final, tmp_path / "merged")
    before = safetensors.load_file(experts / "model.safetensors")
    after = safetensors.load_file(tmp_path / "merged/model.safetensors")
    names = [name for name in before if ".experts.1." in name or ".experts.3." in name]
    assert len(names) == 12
    assert all(torch.equal(before[name], after[name]) for name in names)
    trained = [name for name in before if ".experts.0." in name or ".experts.2." in name]
    assert not any(torch.equal(before[name], after[name]) for name in trained)


def _mixture(folder: Path, tiny_model: Path) -> Path:
    config = transformers.Qwen3MoeConfig(
        vocab_size=512,
        hidden_size=32,
        moe_intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        num_experts=4,
        num_experts_per_tok=2,
        max_position_embeddings=256,
    )
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_model / name, folder / name)
    return folder


def test_experts_are_asked_of_models_that_have_them(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    with pytest.raises(ConfigError, match="a model of type llama has no experts"):
        get_model_and_tokenizer(make_config(tmp_path, model={"moe": {}}))
    name = str(_mixture(tmp_path / "base", tiny_model))
    model = {"name_or_path": name, "moe": {"experts_to_train": "1,4"}}
    with pytest.raises(ConfigError, match=r"no expert 4; this model has 4, 0 to 3"):
        get_model_and_tokenizer(make_config(tmp_path, model=model))


def test_positions_are_stretched_and_whoever_loads_the_adapter_is_told(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    rope = {"type": "yarn", "factor": 2.0}
    config = make_config(tmp_path, training={"rope_scaling": rope, "max_steps": 1})
    result = ForgeTrainer(config).train()
    assert reload_verdict(result).status == "passed"
    settings = Path(result.final_model_path or "", "base_settings.json")
    written = json.loads(settings.read_text(encoding="utf-8"))
    assert written["max_position_embeddings"] == 1024
    assert written["rope_parameters"]["rope_type"] == "yarn"
    assert written["rope_parameters"]["original_max_position_embeddings"] == 512


def test_a_sliding_window_hides_what_is_further_back(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    common = {"vocab_size": 512, "hidden_size": 32, "intermediate_size": 32, "head_dim": 16}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    made = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**common, **heads))
    made.save_pretrained(tmp_path / "base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, tmp_path / "base" / name)
    config = make_config(
        tmp_path,
        model={"name_or_path": str(tmp_path / "base")},
        lora={"method": "full"},
        training={"sliding_window_attention": 3},
    )
    model, _ = get_model_and_tokenizer(config)
    rows = torch.tensor([[9, 5, 6, 7, 8], [9, 5, 100, 7, 8], [100, 5, 6, 7, 8]])
    with torch.no_grad():
        last = model(rows).logits[:, -1]
    assert torch.equal(last[0], last[2])  # four back: out of reach
    assert not torch.allclose(last[0], last[1])  # two back: seen
    with pytest.raises(ConfigError, match="a model of type llama has no sliding window"):
        get_model_and_tokenizer(make_config(tmp_path, training={"sliding_window_attention": 3}))


def test_galore_trains_all_weights_with_a_small_optimiser(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    pytest.importorskip("galore_torch")
    training = {"galore_enabled": True, "galore_rank": 8, "galore_optim": "galore_adafactor"}
    config = make_config(
        tmp_path, lora={"method": "full"}, training=training | {"learning_rate": 1e-3}
    )
    result = ForgeTrainer(config).train()
    assert result.success, result.error
    assert result.metrics["eval_loss"] < result.metrics["baseline_eval_loss"] - 0.5


def test_the_final_model_is_merged_with_others_and_the_record_says_so(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    run_dir = tmp_path / "run"
    models = [{"path": str(run_dir / "final_model")}, {"path": str(tiny_model)}]
    merge = {
        "enabled": True,
        "method": "slerp",
        "models": models,
        "output_dir": str(tmp_path / "both"),
    }
    config = make_config(run_dir, training={"max_steps": 1}, merge=merge)
    assert ForgeTrainer(config).train().success
    assert (tmp_path / "both/model.safetensors").is_file()
    log = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    events = {json.loads(line)["event"]: json.loads(line) for line in log}
    assert events["model.merged"]["method"] == "slerp"
    assert events["evaluation.gate_completed"]["gate"] == "reload"
    models[1]["path"] = str(tmp_path / "none")
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(make_config(tmp_path / "again", merge=merge)).train()
    assert [path for path, _ in caught.value.issues] == [
        "merge.models[1].path",
        "merge.output_dir",
    ]
