"""Every way a GGUF file can be broken, and what the verifier says of it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf_files import SPECIAL, TOKENS, WIDTH, write_gguf

from forgelm.compliance import verify_gguf

gguf = pytest.importorskip("gguf")

Attack = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "sound.gguf").read_bytes()


def _put(at: int, code: str, value: int) -> Attack:
    return lambda data: data[:at] + struct.pack(code, value) + data[at + struct.calcsize(code) :]


def _after(text: bytes, skip: int, code: str, value: int) -> Attack:
    """Overwrite what stands `skip` bytes after the first `text`."""
    return lambda data: _put(data.index(text) + len(text) + skip, code, value)(data)


def _swap(old: bytes, new: bytes) -> Attack:
    def attack(data: bytes) -> bytes:
        assert old in data
        assert len(old) == len(new)
        return data.replace(old, new, 1)

    return attack


_Q0, _Q1 = b"blk.0.attn_q.weight", b"blk.1.attn_q.weight"
_COUNT = b"llama.block_count"
_LIST = b"tokenizer.ggml.tokens"

# The 2-dimensional tensors: name, dimensions (4), 2 sizes (8 each), type (4), offset (8).
STRUCTURE: dict[str, tuple[Attack, str]] = {
    "empty file": (lambda _: b"", "it is empty"),
    "another kind of file": (lambda data: b"\x89PNG" + data[4:], "byte 0: it does not begin"),
    "three bytes": (lambda data: data[:3], "byte 0: it does not begin"),
    "magic alone": (lambda data: data[:4], "byte 4: the file ends inside the version"),
    "version 1": (_put(4, "<I", 1), "byte 4: version 1 is none of 2 and 3"),
    "a version nobody knows": (_put(4, "<I", 900), "byte 4: version 900"),
    "2^62 tensors": (_put(8, "<Q", 1 << 62), "byte 8: 4611686018427387904 tensors"),
    "more tensors than fit": (_put(8, "<Q", 60_000), "byte 8: 60000 tensors do not fit"),
    "2^62 keys": (_put(16, "<Q", 1 << 62), "byte 16: 4611686018427387904 metadata keys"),
    "a key of 2^62 bytes": (_put(24, "<Q", 1 << 62), "byte 24: a metadata key of"),
    "a key that is no UTF-8": (_swap(_COUNT, b"llama.bl\xffck_count"), "is not UTF-8"),
    "a key twice": (
        _swap(b"tokenizer.ggml.bos_token_id", b"tokenizer.ggml.eos_token_id"),
        "'tokenizer.ggml.eos_token_id' is there twice",
    ),
    "a value of no type": (_after(_COUNT, 0, "<I", 77), "'llama.block_count' has the unknown type"),
    "an array of arrays": (_after(_LIST, 4, "<I", 9), "is an array of arrays"),
    "an array of no type": (_after(_LIST, 4, "<I", 13), "is an array of the unknown type 13"),
    "2^62 tokens": (_after(_LIST, 8, "<Q", 1 << 62), "4611686018427387904 texts in metadata key"),
    "2^62 scores": (
        _after(b"tokenizer.ggml.scores", 8, "<Q", 1 << 62),
        "ends inside metadata key 'tokenizer.ggml.scores'",
    ),
    "a token of 2^40 bytes": (_after(_LIST, 16, "<Q", 1 << 40), "a text of 1099511627776 bytes"),
    "a token that is no UTF-8": (_swap(b"t40", b"t\xff0"), "item 40 of metadata key"),
    "a bool of 7": (_after(b"add_bos_token", 4, "<B", 7), "is 7, which is no value of its type"),
    "a tensor twice": (_swap(_Q1, _Q0), "'blk.0.attn_q.weight' is there twice"),
    "no dimensions": (_after(_Q0, 0, "<I", 0), "has 0 dimensions, not 1 to 4"),
    "five dimensions": (_after(_Q0, 0, "<I", 5), "has 5 dimensions, not 1 to 4"),
    "a dimension of 0": (_after(_Q0, 4, "<Q", 0), "has a dimension of 0"),
    "a dimension of 2^63": (_after(_Q0, 4, "<Q", 1 << 63), "beyond the end of the file"),
    "a tensor of no type": (_after(_Q0, 20, "<I", 4), "has the unknown type 4"),
    "a row of half a block": (_after(_Q0, 20, "<I", 8), "rows of 16 are no whole blocks of Q8_0"),
    "a type of another size": (_after(_Q0, 20, "<I", 0), "overlaps tensor 'blk.0.attn_q.weight'"),
    "an offset off the grid": (_after(_Q0, 24, "<Q", 3073), "is not aligned to 32"),
    "an offset of 2^63": (_after(_Q0, 24, "<Q", 1 << 63), "lies beyond the end of the file"),
    "two tensors at one place": (_after(_Q1, 24, "<Q", 3072), "overlaps tensor"),
    "bytes between tensors": (
        lambda data: _after(b"output_norm.weight", 16, "<Q", 4128)(data + bytes(32)),
        "leaves 32 bytes before it that belong to no tensor",
    ),
    "bytes at the end": (lambda data: data + b"x" * 40, "40 bytes after the last tensor"),
    "cut in the middle": (lambda data: data[: len(data) // 2], "beyond the end of the file"),
    "cut by one byte of weight": (lambda data: data[:-33], "beyond the end of the file"),
    "cut in the metadata": (lambda data: data[:300], "byte 300: the file ends inside a metadata"),
    "a merge without a space": (_swap(b"t1 2", b"t1_2"), "item 2 of metadata key"),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_a_broken_structure_is_named(name: str, sound: bytes, tmp_path: Path) -> None:
    attack, expected = STRUCTURE[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(attack(sound))
    result = verify_gguf(path)
    assert not result.valid
    assert expected in str(result.reason)
    assert result.altered == result.checks["magic_ok"]


CONTENT: dict[str, tuple[dict[str, Any], str]] = {
    "no context length": ({"without": "context_length"}, "'llama.context_length' is missing"),
    "no heads": ({"without": "attention.head_count"}, "'llama.attention.head_count' is missing"),
    "no vocabulary": ({"without": "tokenizer"}, "'tokenizer.ggml.model' is missing"),
    "a bigger embedding": ({"rows": TOKENS + 1}, "has the shape (16, 49), and the vocabulary has"),
    "fewer scores": ({"scores": TOKENS - 1}, "'tokenizer.ggml.scores' has 47 items for 48 tokens"),
    "more types": ({"types": TOKENS + 1}, "'tokenizer.ggml.token_type' has 49 items"),
    "a special id too high": ({"eos_token_id": TOKENS}, "'tokenizer.ggml.eos_token_id' is 48"),
    "a special id of -1": ({"padding_token_id": 2**32 - 1}, "is 4294967295, and the vocabulary"),
    "a layer too many": ({"layers": 3}, "there are tensors of layer 2, and llama.block_count is 2"),
    "a layer too few": ({"layers": 1}, "layer 1 has no tensor, and llama.block_count is 2"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_metadata_that_does_not_fit_the_model_is_named(name: str, tmp_path: Path) -> None:
    changes, expected = CONTENT[name]
    result = verify_gguf(write_gguf(tmp_path / "model.gguf", **changes))
    assert not result.valid
    assert result.checks["metadata_parsed"]
    assert expected in str(result.reason)


VALUES = {
    "an alignment of 48": ({"alignment": 64}, b"general.alignment", 4, "<I", 48, "is 48, no power"),
    "a score that is no number": ({}, b"tokenizer.ggml.scores", 16, "<I", 0x7FC00000, "item 0 of"),
    "a token of no type": ({}, b"tokenizer.ggml.token_type", 20, "<i", 9, "item 1 of metadata key"),
    "a width of 0": ({}, b"llama.embedding_length", 4, "<I", 0, "'llama.embedding_length' is 0"),
    "another width": ({}, b"llama.embedding_length", 4, "<I", 8, "the embedding is 16 wide"),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_out_of_their_range_are_named(name: str, tmp_path: Path) -> None:
    changes, key, skip, code, value, expected = VALUES[name]
    path = write_gguf(tmp_path / "model.gguf", **changes)
    path.write_bytes(_after(key, skip, code, value)(path.read_bytes()))
    assert expected in str(verify_gguf(path).reason)


def test_a_sound_file_passes_and_its_checks_say_what_it_holds(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound)
    digest = hashlib.sha256(sound).hexdigest()
    (tmp_path / "model.gguf.sha256").write_text(f"{digest.upper()}  model.gguf\n")
    result = verify_gguf(path)
    assert (result.valid, result.reason) == (True, None)
    assert result.checks == {
        "magic_ok": True,
        "metadata_parsed": True,
        "metadata_error": None,
        "sidecar_present": True,
        "sidecar_match": True,
        "tensor_count": 4,
        "sha256_actual": digest,
        "sha256_expected": digest,
        "size_bytes": len(sound),
        "version": 3,
        "byte_order": "little",
        "architecture": "llama",
        "metadata_count": 15,
        "architecture_ok": True,
        "tensor_catalogue_ok": True,
        "tokenizer_ok": True,
        "tokenizer_model": "gpt2",
        "vocabulary_size": 48,
    }
    assert result.to_dict()["checks"] == result.checks


def test_without_a_sidecar_the_digest_is_told_and_the_file_passes(
    sound: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound)
    result = verify_gguf(str(path))
    assert result.valid
    assert result.checks["sidecar_present"] is False
    assert result.checks["sidecar_match"] is None
    assert result.checks["sha256_actual"] == hashlib.sha256(sound).hexdigest()


SIDECARS = {
    "another digest": ("0" * 64, "is not the one in model.gguf.sha256"),
    "63 digits": ("0" * 63, "does not begin with 64 hex digits"),
    "no hex": ("g" * 64, "does not begin with 64 hex digits"),
    "blank": (" \n", "does not begin with 64 hex digits"),
    "the name first": ("model.gguf " + "0" * 64, "does not begin with 64 hex digits"),
}


@pytest.mark.parametrize("name", SIDECARS)
def test_a_sidecar_that_does_not_vouch_makes_it_invalid(
    name: str, sound: bytes, tmp_path: Path
) -> None:
    content, expected = SIDECARS[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(sound)
    Path(f"{path}.sha256").write_text(content)
    result = verify_gguf(path)
    assert not result.valid
    assert result.altered
    assert result.checks["sidecar_match"] is False
    assert expected in str(result.reason)


def test_one_changed_weight_is_found_by_the_sidecar_alone(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound[:-40] + bytes([sound[-40] ^ 1]) + sound[-39:])
    assert verify_gguf(path).valid
    Path(f"{path}.sha256").write_text(hashlib.sha256(sound).hexdigest())
    assert verify_gguf(path).checks["sidecar_match"] is False


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_pipes_devices_folders_and_nothing_at_all_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in str(verify_gguf(tmp_path / "pipe").reason)
    assert "not a regular file" in str(verify_gguf("/dev/zero").reason)
    assert "is no file" in str(verify_gguf(tmp_path).reason)
    assert "there is no file" in str(verify_gguf(tmp_path / "none.gguf").reason)
    assert "is no file" in str(verify_gguf("nul\0byte").reason)


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_a_pipe_as_the_sidecar_does_not_hang(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound)
    os.mkfifo(f"{path}.sha256")
    assert verify_gguf(path).checks["sidecar_match"] is False


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_ten_thousand_mutants_and_a_thousand_random_files_end_in_a_verdict(
    sound: bytes, tmp_path: Path
) -> None:
    (tmp_path / "sound.gguf").write_bytes(sound)
    script = Path(__file__).with_name("gguf_fuzz.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "sound.gguf"), "10000", "1000"],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout)
    assert figures["files"] == 11_000
    assert figures["refused"] > 0.9 * figures["changed"]
    assert figures["growth_mib"] < 64


def test_a_vast_file_of_holes_is_refused_by_its_counts(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(_after(_LIST, 8, "<Q", 1 << 32)(sound))
    os.truncate(path, 1 << 40)
    assert "4294967296 texts in metadata key" in str(verify_gguf(path).reason)


@pytest.mark.parametrize("damage", [None, 5, 1_500_001, 2_999_990])
def test_a_text_longer_than_a_block_is_checked_to_its_end(
    damage: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    text = "ä€" * 600_000  # 2 and 3 bytes, so that blocks end inside a character
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_chat_template(text)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert verify_gguf(path).reason is None
    if damage is not None:
        data = bytearray(path.read_bytes())
        data[data.index("ä".encode()) + damage] = 0xFF
        path.write_bytes(data)
        assert "metadata key 'tokenizer.chat_template' is not UTF-8" in str(
            verify_gguf(path).reason
        )


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_context_length(7)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    checks = verify_gguf(path).checks
    assert (checks["byte_order"], checks["architecture"]) == ("big", "llama")


def test_an_adapter_needs_no_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert verify_gguf(path).reason is None


def test_the_gguf_package_reads_the_same(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(sound)
    reader = gguf.GGUFReader(path)
    checks = verify_gguf(path).checks
    assert len(reader.tensors) == checks["tensor_count"]
    assert len(reader.get_field("tokenizer.ggml.tokens").data) == checks["vocabulary_size"]
    assert reader.tensors[0].shape.tolist() == [WIDTH, TOKENS]
    assert len(SPECIAL) == sum(name.endswith("_token_id") for name in reader.fields)


@pytest.mark.parametrize("kind", gguf.GGML_QUANT_SIZES, ids=lambda kind: kind.name)
def test_every_tensor_type_has_the_size_that_the_gguf_package_gives_it(
    kind: Any, tmp_path: Path
) -> None:
    import numpy as np

    path = tmp_path / "one.gguf"
    _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    writer = gguf.GGUFWriter(path, "clip")
    blocks = np.zeros((2, 3 * block_bytes), np.uint8)
    writer.add_tensor("weights", blocks, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert verify_gguf(path).reason is None
    path.write_bytes(path.read_bytes() + bytes(32))
    assert verify_gguf(path).reason == "32 bytes after the last tensor belong to none"
