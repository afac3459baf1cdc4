"""How long `verify_gguf` takes for the head of a model with a vocabulary of 152,000 tokens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from forgelm.compliance import verify_gguf

TOKENS, MERGES, WIDTH = 151_936, 151_387, 64


def write(path: Path) -> None:
    """Write a model of one thin layer with a vocabulary of Qwen's size."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(1)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{number}" for number in range(TOKENS)])
    writer.add_token_types([1] * TOKENS)
    writer.add_token_merges([f"to ken{number}" for number in range(MERGES)])
    writer.add_eos_token_id(7)
    writer.add_tensor("token_embd.weight", np.zeros((TOKENS, WIDTH), np.float16))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((WIDTH, WIDTH), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Write a file, and let a process of its own measure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write(path)
        subprocess.run([sys.executable, __file__, str(path)], check=True)


def peak_kib() -> int:
    """Return the most memory that this process held (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(path: Path) -> None:
    """Print the median of five runs, and the memory that they took."""
    verify_gguf(__file__)
    before = peak_kib()
    times = []
    for _ in range(5):
        began = time.process_time()
        result = verify_gguf(path)
        times.append(time.process_time() - began)
        assert result.valid, result.reason
    grown = (peak_kib() - before) / 1024
    print(
        f"{TOKENS} tokens, {path.stat().st_size / 1e6:.1f} MB: {sorted(times)[2]:.2f} s of CPU, "
        f"{grown:.1f} MiB above the interpreter"
    )


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if sys.argv[1:] else main()
