"""Whatever a kill leaves on disk, the next call ends with every row once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm import ForgeConfig
from forgelm.synthetic import SyntheticDataGenerator

ANSWERS = [
    (f"Frage {n} – wie geht das?", f"So: {'é' * n}\nund so." if n % 3 else "") for n in range(9)
]
KEPT = [prompt for prompt, answer in ANSWERS if answer]


def configured(folder: Path) -> ForgeConfig:
    lines = [json.dumps({"prompt": prompt, "response": answer}) for prompt, answer in ANSWERS]
    (folder / "answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return ForgeConfig(
        model={"name_or_path": "any/model"},
        lora={},
        training={},
        data={"dataset_name_or_path": "rows.jsonl"},
        synthetic={
            "teacher_backend": "file",
            "seed_file": str(folder / "answers.jsonl"),
            "output_file": str(folder / "rows.jsonl"),
            "output_format": "prompt_response",
            "sanity_failure_rate": 1.0,
        },
    )


def whole_lines(data: bytes) -> int:
    return data.count(b"\n")


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10_000), lag=st.integers(0, 3), torn=st.integers(0, 200))
def test_every_row_is_there_once_after_any_kill(cut: int, lag: int, torn: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = configured(folder)
        SyntheticDataGenerator(config).generate()
        output, journal = folder / "rows.jsonl", folder / "rows.jsonl.journal"
        finished, entries = output.read_bytes(), journal.read_bytes().splitlines(keepends=True)
        # A kill may come at any byte of a row, and the journal is never ahead of the rows.
        left = finished[: cut % (len(finished) + 1)]
        known = [
            entry
            for entry in entries[1:]
            if json.loads(entry)["size_bytes"] <= len(left.rpartition(b"\n")[0]) + 1
        ]
        known = known[: max(len(known) - lag, 0)]
        if not known and whole_lines(left) == 0:
            left = left[: min(len(left), torn)]
        after = entries[1 + len(known)][:-1][:torn] if 1 + len(known) < len(entries) else b""
        output.write_bytes(left)
        journal.write_bytes(entries[0] + b"".join(known) + after)
        result = SyntheticDataGenerator(config).generate()
        rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        assert sorted(row["prompt"] for row in rows) == sorted(KEPT)
        assert (result.rows, result.rejected) == (6, {"empty": 3})
