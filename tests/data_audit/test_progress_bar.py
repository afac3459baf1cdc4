"""Long work shows its progress where somebody watches: a bar that ends at all of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from files_of_every_kind import write_source

# A slow engine instead of a large corpus: a bar shows itself after a second.
CODE = """
import sys, time
from forgelm import audit_dataset

def slow(function, items):
    for item in items:
        time.sleep(0.4)
        yield function(item)

audit_dataset(sys.argv[1], engine=slow)
"""


def test_in_a_terminal_a_bar_runs_to_the_end_of_all_files(tmp_path):
    termios = pytest.importorskip("termios")
    for suffix in ("jsonl", "csv.gz", "parquet", "arrow", "json"):
        write_source(tmp_path / f"train.{suffix}")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))

    subprocess.run([sys.executable, "-c", CODE, str(tmp_path)], stderr=theirs, check=True)
    os.close(theirs)

    shown = re.findall(r"audit: +(\d+)%", os.read(ours, 1 << 16).decode())
    os.close(ours)
    assert len(shown) >= 3
    assert shown == sorted(shown, key=int)
    assert shown[-1] == "100"


def test_where_nobody_watches_there_is_no_bar(tmp_path):
    write_source(tmp_path / "train.jsonl")

    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("0.4", "1.2"), str(tmp_path)],
        capture_output=True,
        check=True,
    )

    assert done.stderr == b""
