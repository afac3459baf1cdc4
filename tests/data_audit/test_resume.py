"""An audit that was killed goes on where it stood, with the same report."""

from __future__ import annotations

import json
import logging
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
from forgelm.data_audit.engines import dump_partial, load_partial
from forgelm.data_audit.quality import named_checks
from forgelm.data_audit.scan import Partial, ScanOptions, scan_range
from forgelm.data_audit.sources import ByteRange

AUDIT = (
    "import sys; from forgelm import audit_dataset; "
    "audit_dataset(sys.argv[1], resume_dir=sys.argv[2])"
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Twenty megabytes: five ranges."""
    path = tmp_path_factory.mktemp("corpus") / "rows.jsonl"
    rng = random.Random(11)
    words = [f"word{n}" for n in range(500)]
    with open(path, "w", encoding="utf-8") as stream:
        for n in range(21_000):
            text = " ".join(rng.choices(words, k=110))
            row = {"text": text, "by": f"user{n}@example.com" if n % 7 == 0 else None}
            stream.write("{torn\n" if n % 9000 == 500 else json.dumps(row) + "\n")
    return path


def report_of(path, **options):
    report = audit_dataset(path, **options)
    return {**report.to_dict(), "generated_at": ""}, list(report.pii_findings)


@pytest.fixture(scope="module")
def expected(corpus):
    return report_of(corpus)


def killed(corpus, folder):
    """Start an audit in a process of its own and kill it when two ranges are finished."""
    process = subprocess.Popen([sys.executable, "-c", AUDIT, corpus, folder])
    while len(list(folder.glob("*.range.npz"))) < 2:
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    process.wait()
    return sorted(folder.glob("*.range.npz"))


def test_a_killed_audit_goes_on_where_it_stood(corpus, expected, tmp_path, caplog):
    folder = tmp_path / "state"
    kept = killed(corpus, folder)

    with caplog.at_level(logging.INFO, logger="forgelm.data_audit"):
        resumed = report_of(corpus, resume_dir=folder, workers=2)

    assert 2 <= len(kept) < 5
    assert f"{len(kept)} of 5 ranges were scanned before" in caplog.text
    assert resumed == expected
    assert not folder.exists()


def test_torn_and_foreign_results_are_scanned_again(corpus, expected, tmp_path, caplog):
    folder = tmp_path / "state"
    first, second, *others = killed(corpus, folder)
    (folder / f".{first.name}.0123.tmp").write_bytes(b"half a result")
    first.write_bytes(first.read_bytes()[:1000])
    second.write_bytes(b"")

    with caplog.at_level(logging.INFO, logger="forgelm.data_audit"):
        resumed = report_of(corpus, resume_dir=folder)

    assert f"{len(others)} of 5 ranges were scanned before" in caplog.text
    assert resumed == expected
    assert not folder.exists()


def test_results_of_other_options_or_another_file_are_not_used(tmp_path, caplog):
    source, folder = tmp_path / "rows.jsonl", tmp_path / "state"
    source.write_text('{"text": "bob@example.com"}\n', encoding="utf-8")
    folder.mkdir()
    note = folder / "note.txt"
    note.write_text("somebody else's", encoding="utf-8")
    with caplog.at_level(logging.INFO, logger="forgelm.data_audit"):
        audit_dataset(source, resume_dir=folder)
        audit_dataset(source, resume_dir=folder, enable_quality_filter=True)
        source.write_text('{"text": "nobody at all here"}\n', encoding="utf-8")
        report = audit_dataset(source, resume_dir=folder)

    assert report.pii_summary == {}
    assert [record.getMessage()[:8] for record in caplog.records] == ["0 of 1 r"] * 3
    assert list(folder.iterdir()) == [note]


def test_results_are_for_the_owner_only(corpus, tmp_path):
    if os.name != "posix":
        pytest.skip("permissions as on POSIX")
    folder = tmp_path / "state"
    killed(corpus, folder)

    assert folder.stat().st_mode & 0o077 == 0
    first, *_ = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
    assert first.stat().st_mode & 0o077 == 0


def equal(one, other):
    for name, value in vars(one).items():
        theirs = getattr(other, name)
        if isinstance(value, np.ndarray):
            assert value.dtype == theirs.dtype
            assert value.tolist() == theirs.tolist()
        else:
            assert value == theirs
            assert type(value) is type(theirs)
    return True


def test_a_result_comes_back_as_it_was_stored(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [
        '{"text": "bob@example.com", "n": 1, "x": [1, "a"], "lone": "\\ud800 end"}',
        '{"messages": [{"role": "user", "content": "4111 1111 1111 1111"}], "n": null}',
        "{torn",
        "[1]",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    size = path.stat().st_size
    options = ScanOptions(quality=named_checks("default"), shapes=True, excerpts=True)
    partial = scan_range(ByteRange("train", str(path), 0, size), options)

    assert equal(partial, load_partial(dump_partial(partial)))
    assert equal(Partial(), load_partial(dump_partial(Partial())))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY", b"x" * 100])
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError, match="not the result of a range"):
        load_partial(data)


def test_an_object_smuggled_into_a_result_is_not_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    stored = tmp_path / "evil.npz"
    np.savez(stored, json=np.array([Trap()], dtype=object))

    with pytest.raises(ValueError, match="not the result of a range"):
        load_partial(stored.read_bytes())
    assert not (tmp_path / "sprung").exists()
