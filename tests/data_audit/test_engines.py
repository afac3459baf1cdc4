"""The same report however the work is cut, and no worker left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from forgelm.data_audit import audit_dataset
from forgelm.data_audit.quality import named_checks
from forgelm.data_audit.scan import Merger, ScanOptions, merge, scan_range
from forgelm.data_audit.sources import ByteRange

LINES = [
    b"\xef\xbb\xbf" + b'{"text": "write to bob@example.com", "id": 1}\n',
    b'{"messages": [{"role": "user", "content": "\xe4\xbd\xa0\xe5\xa5\xbd +1 202 555 0143"}]}\r\n',
    b"\n",
    b"{torn\n",
    b"[1]\n",
    b'{"text": "write to bob@example.com", "id": 2, "other": null}\n',
    b'{"text": "\xff"}\n',
    b'{"text": "no newline at the end, 4111 1111 1111 1111"}',
]


def plain(partial):
    """Everything in a partial as comparable values."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(partial).items()
    }


def test_a_file_cut_at_any_byte_gives_the_same_result(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(LINES))
    size = path.stat().st_size
    options = ScanOptions(quality=named_checks("default"))

    def scan(start, end):
        return scan_range(ByteRange("train", str(path), start, end), options)

    whole = plain(scan(0, size))
    assert whole["faults"] == {"parse_errors": 1, "non_object_rows": 1, "decode_errors": 1}
    assert [line for _, line, _ in whole["problems"]] == [4, 5, 7]
    for cut in range(1, size):
        assert plain(merge([scan(0, cut), scan(cut, size)])) == whole


def test_merging_is_associative(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(LINES))
    other = tmp_path / "more.jsonl"
    other.write_bytes(b"{bad\n" * 30 + b'{"text": "eve@example.com", "x": {"y": "a@example.com"}}')
    ranges = [
        *(ByteRange("train", str(path), n, n + 60) for n in range(0, path.stat().st_size, 60)),
        *(ByteRange("train", str(other), n, n + 60) for n in range(0, other.stat().st_size, 60)),
    ]
    parts = [scan_range(byte_range, ScanOptions()) for byte_range in ranges]

    whole = plain(merge(parts))
    for cut in range(1, len(parts)):
        assert plain(merge([merge(parts[:cut]), merge(parts[cut:])])) == whole
    assert len(whole["problems"]) == 20


def test_merging_as_results_come_is_merging_at_once(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(LINES) * 8)
    cuts = [ByteRange("train", str(path), n, n + 5) for n in range(0, path.stat().st_size, 5)]
    parts = [scan_range(each, ScanOptions()) for each in cuts]
    merger = Merger()
    for part in parts:
        merger.add(part)

    assert len(parts) > 16 * 16
    assert plain(merger.merged()) == plain(merge(parts))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Ten megabytes in three files, so that there are several ranges."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(7)
    words = [f"word{n}" for n in range(2000)]
    for name, rows in (("train", 9000), ("validation", 900), ("test", 900)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as stream:
            for n in range(rows):
                text = " ".join(rng.choices(words, k=120))
                row = {"prompt": text, "completion": f"user{n}@example.com" if n % 9 == 0 else text}
                stream.write("{torn\n" if n % 1000 == 500 else json.dumps(row) + "\n")
    return folder


@pytest.mark.parametrize("method", ["simhash", "minhash"])
def test_reports_are_identical_for_any_number_of_workers(corpus, tmp_path, method):
    if method == "minhash":
        pytest.importorskip("datasketch")
    texts = []
    for workers in (1, 3):
        report = audit_dataset(
            corpus,
            workers=workers,
            dedup_method=method,
            enable_quality_filter=True,
            emit_croissant=True,
            output_dir=tmp_path / str(workers),
        )
        text = (tmp_path / str(workers) / "data_audit_report.json").read_text(encoding="utf-8")
        texts.append(text.replace(report.generated_at, "now"))

    assert texts[0] == texts[1]


def test_a_plain_script_may_use_workers(corpus, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from forgelm import audit_dataset\n"
        "print(audit_dataset(sys.argv[1], workers=2).total_samples)\n",
        encoding="utf-8",
    )

    run = subprocess.run(
        [sys.executable, script, corpus], capture_output=True, text=True, check=False
    )

    assert (run.stdout, run.stderr, run.returncode) == ("10789\n", "", 0)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_worker_that_dies_is_an_error_and_not_a_hang(corpus, tmp_path, monkeypatch):
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))

    with pytest.raises(OSError, match=r"a worker process ended early .* try again with workers=1"):
        audit_dataset(corpus, workers=2)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_a_stopped_audit_leaves_no_worker_and_no_half_report(corpus, tmp_path, name):
    big = tmp_path / "big.jsonl"
    big.write_bytes((corpus / "train.jsonl").read_bytes() * 20)
    code = (
        "import sys; from forgelm import audit_dataset; "
        "audit_dataset(sys.argv[1], workers=2, output_dir=sys.argv[2])"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, big, tmp_path / "out"], stderr=subprocess.PIPE
    )
    while len(workers := children(parent.pid)) < 2:
        assert parent.poll() is None
        time.sleep(0.02)
    os.kill(parent.pid, getattr(signal, name))
    _, errors = parent.communicate()

    assert parent.returncode != 0
    assert b"KeyboardInterrupt" in errors or name == "SIGKILL"
    for pid in workers:
        while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.05)  # the test's time limit says when an orphan has stayed
    assert list((tmp_path / "out").iterdir()) == []
