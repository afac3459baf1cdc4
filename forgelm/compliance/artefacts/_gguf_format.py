"""The tables of the GGUF format.

Source: the GGUF specification of the ggml project; block sizes from its `ggml-common.h`.
"""

from __future__ import annotations

__all__ = [
    "ARRAY",
    "BOOL",
    "DECODERS",
    "NO_VOCABULARY",
    "REQUIRED_OF_ADAPTERS",
    "REQUIRED_OF_DECODERS",
    "SCALARS",
    "STRING",
    "TENSOR_TYPES",
    "UNSIGNED",
]

# struct codes of the scalar value types, by their number in a file
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "B",
    10: "Q",
    11: "q",
    12: "d",
}
BOOL, STRING, ARRAY = 7, 8, 9
UNSIGNED = frozenset({0, 2, 4, 10})

# type number: (name, elements a block, bytes a block)
TENSOR_TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}

# Architectures of plain decoders, which all need the keys below and a vocabulary.
DECODERS = frozenset({
    "baichuan", "bloom", "command-r", "deepseek2", "falcon", "gemma", "gemma2", "gemma3",
    "gpt2", "gptneox", "granite", "internlm2", "llama", "mistral3", "mpt", "olmo", "olmo2",
    "phi2", "phi3", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "smollm3", "stablelm",
    "starcoder", "starcoder2",
})  # fmt: skip
REQUIRED_OF_DECODERS = (
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "attention.head_count",
)
REQUIRED_OF_ADAPTERS = ("adapter.type", "adapter.lora.alpha")
NO_VOCABULARY = frozenset({"none", "no_vocab"})
