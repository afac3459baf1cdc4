"""Text files that lie about their form or their size: what is lost is told, the rest is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forgelm.data_audit import audit_dataset, mask_dataset
from forgelm.errors import DataError


@pytest.mark.parametrize(
    "rest", [b"", b"z y " * 8_000 + b"\n"], ids=["to the end", "beyond 32 MiB"]
)
def test_a_quote_that_is_never_closed_costs_its_line_and_no_other(tmp_path, rest):
    lines = (b'text;n\n"two\nlines";1\n"never closed;2\n', b"eve@example.com;3\nlast;4\n")
    (tmp_path / "rows.csv").write_bytes(b"".join(lines) + rest * 1_100)

    report = audit_dataset(tmp_path / "rows.csv")

    assert report.splits["train"]["sample_count"] == 3 + (1_100 if rest else 0)
    assert report.splits["train"]["parse_errors"] == 1
    assert any("rows.csv:4: a quote that is never closed" in note for note in report.notes)
    assert [(finding.row, finding.column) for finding in report.pii_findings] == [(1, "text")]
    mask_dataset(tmp_path / "rows.csv", tmp_path / "masked.csv")
    start = b'text;n\n"two\nlines";1\n[REDACTED];3\nlast;4\n'
    assert (tmp_path / "masked.csv").read_bytes() == start + rest * 1_100


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_table_in_another_encoding_is_not_taken_for_clean(tmp_path, encoding):
    text = "text,n\neve@example.com,1\n"
    (tmp_path / "rows.csv").write_bytes(text.encode(encoding))

    train = audit_dataset(tmp_path / "rows.csv").splits["train"]

    assert (train["sample_count"], train["decode_errors"]) == (0, 3)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_small_file_that_unpacks_to_very_much_needs_little_memory(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    file = open(tmp_path / "rows.jsonl.zst", "wb")  # noqa: SIM115  the writer closes it
    with zstandard.ZstdCompressor().stream_writer(file) as packed:
        packed.write(b'{"text": "eve@example.com"}\n')
        for _ in range(400):
            packed.write(b"x" * (1 << 20))
        packed.write(b'\n{"text": "last"}\n')
    code = (
        "import sys\nfrom forgelm import audit_dataset\n"
        "report = audit_dataset(sys.argv[1])\nprint(report.total_samples, report.notes[0])\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "rows.jsonl.zst")]

    said, peak_kib = subprocess.check_output(command, text=True).splitlines()

    assert said.startswith("2 Split train: 1 lines passed over: rows.jsonl.zst:2: longer than 32")
    assert int(peak_kib) < 300 << 10


def test_names_that_lead_nowhere_are_told_apart(tmp_path):
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(DataError, match=r"loop\.jsonl: a link that leads nowhere"):
        audit_dataset(tmp_path / "loop.jsonl")
    with pytest.raises(DataError, match="An empty name: no such file or directory"):
        audit_dataset("")
    with pytest.raises(DataError, match="x…: File name too long"):
        audit_dataset("x" * 5_000)
