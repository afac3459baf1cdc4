"""The memory estimate: its exact parts by hand, the rest against a real peak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig
from forgelm.trainer.backend import Machine
from forgelm.trainer.planning import MemoryEstimate, ModelFiles, estimate_memory

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "bench_memory_estimate.py"
GB = 1 << 30
CPU = Machine("cpu", "x86_64", "float32", 8 * GB, 8 * GB)
GPU = Machine("cuda", "a card", "bfloat16", 24 * GB, 24 * GB)
FILES = ModelFiles(
    settings={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 1000,
    },
    shapes={
        "model.embed_tokens.weight": (1000, 64),
        "model.layers.0.self_attn.q_proj.weight": (64, 64),
        "model.layers.0.self_attn.v_proj.weight": (32, 64),
        "model.layers.1.self_attn.q_proj.weight": (64, 64),
        "model.layers.1.self_attn.v_proj.weight": (32, 64),
        "model.norm.weight": (64,),
    },
)
# 1000 * 64 + 2 * (64 * 64 + 32 * 64) + 64
PARAMETERS = 76_352
LINEAR = 12_288


def estimate(machine: Machine = CPU, **blocks: Any) -> MemoryEstimate:
    config = ForgeConfig(
        model={"name_or_path": "x/y", "max_length": 128} | blocks.pop("model", {}),
        lora={"r": 8} | blocks.pop("lora", {}),
        data={"dataset_name_or_path": "x/y"},
        training=blocks.pop("training", {}),
    )
    return estimate_memory(config, FILES, machine, **blocks)


def test_weights_adapter_gradients_and_optimizer_are_exact() -> None:
    found = estimate(model={"load_in_4bit": False})
    # two layers of r * (in + out): 8 * (64 + 64) + 8 * (64 + 32)
    assert found.trainable_parameters == 3_584
    assert found.parts["weights"] == 4 * PARAMETERS
    assert found.parts["adapter"] == 4 * 3_584
    assert found.parts["gradients"] == 4 * 3_584
    assert found.parts["optimizer"] == 8 * 3_584


def test_full_training_trains_every_number_in_32_bits() -> None:
    found = estimate(GPU, lora={"method": "full"}, model={"load_in_4bit": False})
    assert found.trainable_parameters == PARAMETERS
    assert found.parts["weights"] == 4 * PARAMETERS
    assert found.parts["adapter"] == 0
    assert found.parts["optimizer"] == 8 * PARAMETERS


def test_all_linear_takes_every_matrix_inside_the_layers() -> None:
    assert estimate(lora={"target_modules": "all-linear"}).trainable_parameters == 3_584
    assert estimate(lora={"target_modules": ["q_proj"]}).trainable_parameters == 2_048


def test_four_bits_shrink_the_layers_and_not_the_embeddings() -> None:
    rest = 2 * (PARAMETERS - LINEAR)
    # half a byte and 0.127 bits of scale a weight
    assert estimate(GPU).parts["weights"] == rest + round(LINEAR * (0.5 + 0.127 / 8))
    plain = estimate(GPU, model={"bnb_4bit_use_double_quant": False})
    assert plain.parts["weights"] == rest + round(LINEAR * 0.5625)
    assert estimate(CPU).parts["weights"] == 4 * PARAMETERS


def test_more_rows_and_longer_ones_need_more_activations() -> None:
    one = estimate(training={"per_device_train_batch_size": 1})
    two = estimate(training={"per_device_train_batch_size": 2})
    assert two.parts["activations"] == 2 * one.parts["activations"]
    assert estimate(tokens=64).parts["activations"] == estimate().parts["activations"] // 2
    pairs = estimate(training={"trainer_type": "dpo"})
    assert pairs.parts["activations"] == 2 * estimate().parts["activations"]
    saved = estimate(training={"gradient_checkpointing": True})
    assert saved.parts["activations"] < estimate().parts["activations"]


def test_keys_and_values_are_kept_for_the_answers_that_are_written() -> None:
    keys = {"trainer_type": "grpo", "grpo_max_completion_length": 72}
    # 4 rows * 2 batches, 128 + 72 tokens, keys and values of 2 layers * 64 in 4 bytes
    assert estimate(training=keys).parts["kv_cache"] == 8 * 200 * 2 * 2 * 64 * 4
    assert estimate().parts["kv_cache"] == 0


@pytest.mark.parametrize(
    ("share", "outlook"), [(0.5, "fits"), (0.9, "tight"), (1.01, "will not fit")]
)
def test_the_outlook_compares_with_what_is_free(share: float, outlook: str) -> None:
    needed = estimate().total_bytes
    machine = Machine("cpu", "x86_64", "float32", None, int(needed / share))
    assert estimate(machine).outlook == outlook


def test_without_free_memory_or_weights_it_is_unknown() -> None:
    assert estimate(Machine("cpu", "x86_64", "float32", None, None)).outlook == "unknown"
    config = ForgeConfig(
        model={"name_or_path": "x/y"}, lora={}, data={"dataset_name_or_path": "x/y"}, training={}
    )
    nothing = estimate_memory(config, ModelFiles(problem="no files"), CPU)
    assert (nothing.outlook, nothing.reason, nothing.parts) == ("unknown", "no files", {})


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_real_training_peaks_within_a_third_of_the_estimate(tmp_path: Path, method: str) -> None:
    pytest.importorskip("trl")
    case = {"hidden": 256, "layers": 4, "vocab": 16000, "batch": 4, "tokens": 256}
    case_json = json.dumps({**case, "method": method})
    call = [sys.executable, str(BENCHMARK), "--child", case_json, str(tmp_path)]
    ended = subprocess.run(call, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert 2 / 3 < found["estimated"] / found["measured"] < 3 / 2
