"""A GGUF file says what the model says, and what cannot be said in it is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm.errors import DataError
from forgelm.export import export_gguf, largest_difference, probe_logits

if TYPE_CHECKING:
    from conftest import AdapterMaker, ModelMaker

gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
# What an expression of the Qwen2 tokenizer looks like; llama.cpp knows it as "qwen2".
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def said(folder: Path, **options: Any) -> Any:
    return probe_logits(transformers.AutoModelForCausalLM.from_pretrained(folder, **options))


def fields(path: Path) -> dict[str, Any]:
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items()}


def rewritten(model: Path, tmp_path: Path, change: Any) -> Path:
    """Copy a model with its tokenizer.json changed."""
    folder = shutil.copytree(model, tmp_path / "changed")
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    change(document)
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {}),
        ("qwen2", {"tie_word_embeddings": True}),
        ("qwen3", {}),
    ],
)
def test_transformers_reads_the_file_back_as_the_same_model(
    kind: str, settings: dict[str, Any], make_model: ModelMaker, tmp_path: Path
) -> None:
    folder = make_model(kind, **settings)
    result = export_gguf(folder, tmp_path / "m.gguf", dtype="f32", probe=False)
    assert (result.architecture, result.largest_difference) == (kind, None)
    read = said(tmp_path, gguf_file="m.gguf")
    assert largest_difference(said(folder), read) < 1e-5


@pytest.mark.parametrize(
    "settings",
    [{"rope_parameters": LLAMA3}, {"head_dim": 32}, {"attention_bias": True}],
    ids=["llama 3.1", "wide heads", "biases"],
)
def test_what_transformers_does_not_read_back_is_written_too(
    settings: dict[str, Any], make_model: ModelMaker, tmp_path: Path
) -> None:
    folder = make_model("llama", **settings)
    result = export_gguf(folder, tmp_path / "m.gguf", dtype="f32")
    assert result.largest_difference == pytest.approx(0, abs=1e-6)
    found = fields(result.path)
    assert found["llama.attention.key_length"] == settings.get("head_dim", 16)
    if "rope_parameters" in settings:
        tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(result.path).tensors}
        factors = tensors["rope_freqs.weight"].tolist()
        # Short waves (2 pi tokens) are left alone, waves longer than 64 tokens stretched by 8.
        assert (factors[0], factors[-1]) == (1.0, 8.0)


def test_the_formats_differ_in_size_and_stay_near_the_model(
    tiny_model: Path, tmp_path: Path
) -> None:
    results = [
        export_gguf(tiny_model, tmp_path / f"{dtype}.gguf", dtype=dtype)  # type: ignore[arg-type]
        for dtype in ("f32", "f16", "bf16", "q8_0")
    ]
    sizes = [result.size_bytes for result in results]
    assert sizes[0] > sizes[1] == sizes[2] > sizes[3]
    errors = [result.largest_difference or 0.0 for result in results]
    assert errors[0] < 1e-5 < errors[1] < 2e-3 < errors[2] < 0.1
    assert errors[3] < 0.1


def test_every_tensor_and_the_file_have_a_digest_beside_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    result = export_gguf(tiny_model, tmp_path / "m.gguf", dtype="q8_0", probe=False)
    digest = hashlib.sha256(result.path.read_bytes()).hexdigest()
    sidecar = Path(f"{result.path}.sha256").read_text(encoding="utf-8")
    assert sidecar.split() == [digest, "m.gguf"] == [result.sha256, "m.gguf"]
    document = json.loads(result.digests_path.read_text(encoding="utf-8"))
    assert (document["file"], document["sha256"]) == ("m.gguf", digest)
    stored = {
        tensor.name: hashlib.sha256(tensor.data.tobytes()).hexdigest()
        for tensor in gguf.GGUFReader(result.path).tensors
    }
    assert {entry["name"]: entry["sha256"] for entry in document["tensors"]} == stored
    assert len(stored) == result.tensor_count == 20
    kinds = {entry["name"]: entry["type"] for entry in document["tensors"]}
    assert (kinds["token_embd.weight"], kinds["output_norm.weight"]) == ("q8_0", "f32")


def test_the_tokenizer_is_named_as_llama_cpp_knows_it(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    found = fields(export_gguf(tiny_model, tmp_path / "m.gguf", probe=False).path)
    assert (found["tokenizer.ggml.model"], found["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    assert found["tokenizer.ggml.tokens"] == tokenizer.convert_ids_to_tokens(range(512))
    assert found["tokenizer.ggml.eos_token_id"] == tokenizer.eos_token_id
    assert found["tokenizer.ggml.add_bos_token"] is False
    kinds = found["tokenizer.ggml.token_type"]
    assert [kinds[0], kinds[100]] == [gguf.TokenType.CONTROL, gguf.TokenType.NORMAL]
    template = found["tokenizer.chat_template"]
    assert "<|im_start|>" in template
    assert "generation %}" not in template.replace("add_generation_prompt %}", "")


def test_a_qwen_way_of_splitting_is_known_and_an_unknown_one_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    split = {"type": "Split", "pattern": {"Regex": QWEN2_SPLIT}, "behavior": "Isolated"}
    split["invert"] = False
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    bytes_only["use_regex"] = False

    def change(document: dict[str, Any]) -> None:
        document["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, bytes_only]}

    folder = rewritten(tiny_model, tmp_path, change)
    found = fields(export_gguf(folder, tmp_path / "m.gguf", probe=False).path)
    assert found["tokenizer.ggml.pre"] == "qwen2"
    split["pattern"] = {"Regex": r"\s+"}
    shutil.rmtree(folder)
    folder = rewritten(tiny_model, tmp_path, change)
    with pytest.raises(DataError, match="no name for this way of splitting text"):
        export_gguf(folder, tmp_path / "other.gguf")
    assert not list(tmp_path.glob("*other*"))


def test_a_sentencepiece_vocabulary_keeps_its_order_as_scores(
    tiny_model: Path, tmp_path: Path
) -> None:
    byte_tokens = {f"<0x{value:02X}>": value + 1 for value in range(256)}

    def change(document: dict[str, Any]) -> None:
        vocab = {"<unk>": 0, **byte_tokens, "a": 257, "b": 258, "ab": 259, "abb": 260}
        merges = [["a", "b"], ["ab", "b"]]
        model = {"type": "BPE", "vocab": vocab, "merges": merges, "byte_fallback": True}
        document["model"] |= model | {"unk_token": "<unk>"}
        document["pre_tokenizer"] = None
        document["added_tokens"] = []

    folder = rewritten(tiny_model, tmp_path, change)
    found = fields(export_gguf(folder, tmp_path / "m.gguf", probe=False).path)
    assert found["tokenizer.ggml.model"] == "llama"
    assert found["tokenizer.ggml.scores"][259] > found["tokenizer.ggml.scores"][260]
    assert found["tokenizer.ggml.token_type"][1] == gguf.TokenType.BYTE
    assert found["tokenizer.ggml.tokens"][511] == "[PAD511]"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_is_merged_into_its_base_first(
    make_adapter: AdapterMaker, tiny_model: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    adapter = make_adapter(1)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, adapter / name)
    result = export_gguf(adapter, tmp_path / "m.gguf", dtype="f32")
    base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    adapted = probe_logits(peft.PeftModel.from_pretrained(base, adapter))
    read = said(tmp_path, gguf_file="m.gguf")
    assert largest_difference(adapted, read) < 1e-5
    assert largest_difference(said(tiny_model), read) > 0.1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.gguf",
        "m.gguf.sha256",
        "m.gguf.tensors.json",
    ]
    assert result.path.name == "m.gguf"


def test_heads_in_the_wrong_order_are_beyond_every_tolerance(tiny_model: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    expected = probe_logits(model)
    weight = model.model.layers[0].self_attn.q_proj.weight
    with torch.no_grad():
        weight.copy_(weight.reshape(4, 2, 8, 64).swapaxes(1, 2).reshape(64, 64))
    assert largest_difference(expected, probe_logits(model)) > 0.2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").write_text("[]"), "not a JSON object"),
        (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "gpt2"}'),
            "'gpt2' cannot be exported; llama, qwen2, qwen3 can",
        ),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "config.json").unlink(), "neither a config.json nor"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "has no .safetensors file",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64), "cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_exported_is_named_and_nothing_is_left(
    spoil: Any, message: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    spoil(folder)
    with pytest.raises(DataError, match=message):
        export_gguf(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_existing_file_is_not_replaced(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "m.gguf.sha256").write_text("an older one", encoding="utf-8")
    with pytest.raises(FileExistsError, match="give another path"):
        export_gguf(tiny_model, tmp_path / "m.gguf")
    with pytest.raises(FileNotFoundError, match="no such model folder"):
        export_gguf(tmp_path / "none")
    with pytest.raises(ValueError, match="it is one of f32, f16, bf16, q8_0"):
        export_gguf(tiny_model, tmp_path / "x.gguf", dtype="q2_k")  # type: ignore[arg-type]
