"""Retention of checkpoints: what goes, what stays, and what is never touched."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from forgelm.checkpoints import manage_checkpoints
from forgelm.errors import DataError


def add_checkpoint(run: Path, step: int, best: str | None = None) -> Path:
    folder = run / f"checkpoint-{step}"
    (folder / "rng").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes([step % 256]) * 5000)
    (folder / "rng" / "state.pth").write_bytes(b"\x00\x01" * 100)
    state = {"global_step": step, "best_model_checkpoint": best}
    (folder / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with three checkpoints, the second the best, and much that is none."""
    folder = tmp_path / "run"
    for step in (5, 10, 100):
        add_checkpoint(folder, step, best=str(folder / "checkpoint-10"))
    for name in ("final_model", "checkpoint-best", "checkpoint-10-copy", "earlier/checkpoint-1"):
        (folder / name).mkdir(parents=True)
        (folder / name / "trainer_state.json").write_text("{}", encoding="utf-8")
    (folder / "checkpoint-7").mkdir()  # killed before it was whole
    (folder / "checkpoint-7" / "model.safetensors").write_bytes(b"half")
    (folder / "checkpoint-8").write_text("a file", encoding="utf-8")
    (folder / "audit_log.jsonl").write_text("{}\n", encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def without(files: dict[str, bytes], *checkpoints: str) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.split("/")[0] not in checkpoints}


def test_keep_changes_nothing_and_tells_what_is_there(run: Path) -> None:
    before = contents(run)
    summary = manage_checkpoints(str(run))
    assert summary.kept == ["checkpoint-5", "checkpoint-10", "checkpoint-100"]
    assert summary.skipped == {
        "checkpoint-7": "no trainer_state.json: not a checkpoint, or not saved whole",
        "checkpoint-8": "not a folder",
    }
    assert contents(run) == before


@pytest.mark.parametrize(
    ("action", "gone"),
    [
        ("delete", ["checkpoint-5", "checkpoint-10", "checkpoint-100"]),
        ("keep-best", ["checkpoint-5", "checkpoint-100"]),
        ("keep-last=1", ["checkpoint-5", "checkpoint-10"]),
        ("keep-last=2", ["checkpoint-5"]),
        ("keep-last=9", []),
    ],
)
def test_only_the_checkpoints_that_were_chosen_go(run: Path, action: str, gone: list[str]) -> None:
    before = contents(run)
    planned = manage_checkpoints(str(run), action, dry_run=True)
    assert contents(run) == before
    summary = manage_checkpoints(str(run), action)
    assert summary.deleted == planned.deleted == gone
    assert contents(run) == without(before, *gone)
    assert summary.freed_bytes == sum(map(len, before.values())) - sum(
        map(len, contents(run).values())
    )


@pytest.mark.parametrize("suffix", [".tar.zst", ".tar.gz"])
def test_compress_leaves_an_archive_with_the_same_bytes_and_its_digest(
    run: Path, tmp_path: Path, suffix: str
) -> None:
    before = contents(run)
    if suffix == ".tar.zst":
        pytest.importorskip("zstandard")
        summary = manage_checkpoints(str(run), "compress")
        assert summary.compressed["checkpoint-5"] == "checkpoint-5.tar.zst"
    else:
        code = (
            "import sys; sys.path.insert(0, sys.argv[2]); import hidden; "
            "from forgelm.checkpoints import manage_checkpoints; "
            "print(manage_checkpoints(sys.argv[1], 'compress').compressed['checkpoint-5'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(run), str(without_zstandard(tmp_path))],
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == "checkpoint-5.tar.gz", done.stderr
    archive = run / f"checkpoint-5{suffix}"
    digest, name = (run / f"{archive.name}.sha256").read_text().split()
    assert (digest, name) == (hashlib.sha256(archive.read_bytes()).hexdigest(), archive.name)
    assert not (run / "checkpoint-5").exists()
    unpacked = tmp_path / "unpacked"
    unpack(archive, unpacked)
    assert {name: before[name] for name in contents(unpacked)} == contents(unpacked)
    assert len(contents(unpacked)) == 3
    others = {name: data for name, data in contents(run).items() if ".tar." not in name}
    assert others == without(before, "checkpoint-5", "checkpoint-10", "checkpoint-100")


def without_zstandard(tmp_path: Path) -> Path:
    """Give a folder that hides the package, as if it were not installed."""
    site = tmp_path / "site"
    site.mkdir()
    hide = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'zstandard' else find(name, *rest)\n"
    )
    (site / "hidden.py").write_text(hide, encoding="utf-8")
    return site


def unpack(archive: Path, target: Path) -> None:
    if archive.suffix == ".zst":
        import zstandard

        plain = archive.with_suffix("")
        with open(archive, "rb") as packed, open(plain, "wb") as stream:
            zstandard.ZstdDecompressor().copy_stream(packed, stream)
        with tarfile.open(plain) as tar:
            tar.extractall(target, filter="data")
        plain.unlink()
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")


def test_an_archive_from_an_interrupted_call_is_taken_when_it_holds_the_same(run: Path) -> None:
    manage_checkpoints(str(run), "compress")
    add_checkpoint(run, 5, best=str(run / "checkpoint-10"))
    add_checkpoint(run, 10, best="another")
    archive = run / next(name for name in os.listdir(run) if name.startswith("checkpoint-100.tar"))
    add_checkpoint(run, 100)
    archive.write_bytes(archive.read_bytes()[:-20])
    summary = manage_checkpoints(str(run), "compress")
    assert list(summary.compressed) == ["checkpoint-5"]
    assert set(summary.skipped) == {
        "checkpoint-7",
        "checkpoint-8",
        "checkpoint-10",
        "checkpoint-100",
    }
    assert "does not hold the files" in summary.skipped["checkpoint-10"]
    assert "cannot be read back" in summary.skipped["checkpoint-100"]
    assert (run / "checkpoint-10").is_dir()
    assert (run / "checkpoint-100").is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes as POSIX has them")
def test_links_are_never_followed(run: Path, tmp_path: Path) -> None:
    outside = add_checkpoint(tmp_path / "outside", 50)
    before = contents(outside)
    (run / "checkpoint-50").symlink_to(outside)
    (run / "checkpoint-5" / "outside").symlink_to(outside)
    os.mkfifo(run / "checkpoint-10" / "pipe")
    packed = manage_checkpoints(str(run), "compress")
    assert packed.skipped["checkpoint-50"] == "a symbolic link"
    assert packed.skipped["checkpoint-5"] == "outside is a link or a special file"
    assert packed.skipped["checkpoint-10"] == "pipe is a link or a special file"
    deleted = manage_checkpoints(str(run), "delete")
    assert deleted.deleted == ["checkpoint-5", "checkpoint-10"]
    assert contents(outside) == before
    assert (run / "checkpoint-50").is_symlink()


@pytest.mark.parametrize(
    "state",
    [
        b"{}",
        b"not json",
        b"[" * 50_000,
        b'{"best_model_checkpoint": 5}',
        b'{"best_model_checkpoint": "../final_model"}',
        b'{"best_model_checkpoint": "/elsewhere/checkpoint-77"}',
    ],
)
def test_keep_best_without_a_best_one_deletes_nothing(run: Path, state: bytes) -> None:
    (run / "checkpoint-100" / "trainer_state.json").write_bytes(state)
    before = contents(run)
    with pytest.raises(DataError, match="nothing was changed"):
        manage_checkpoints(str(run), "keep-best")
    assert contents(run) == before


def test_a_deletion_that_was_interrupted_is_finished(run: Path) -> None:
    (run / "checkpoint-5").rename(run / ".checkpoint-5.deleted")
    (run / ".checkpoint-x.deleted").mkdir()
    manage_checkpoints(str(run), "keep-last=5")
    assert not (run / ".checkpoint-5.deleted").exists()
    assert (run / ".checkpoint-x.deleted").exists()


@pytest.mark.parametrize(
    "action", ["", "remove", "keep-last=0", "keep-last=-1", "keep-last", "KEEP"]
)
def test_an_unknown_action_is_refused_before_anything_is_done(run: Path, action: str) -> None:
    with pytest.raises(ValueError, match="keep-last=N"):
        manage_checkpoints(str(run), action)


def test_a_folder_that_is_none_or_a_checkpoint_itself_is_refused(run: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        manage_checkpoints(str(run / "nowhere"), "delete")
    with pytest.raises(DataError, match="is a checkpoint itself"):
        manage_checkpoints(str(run / "checkpoint-5"), "delete")


def test_importing_it_loads_no_torch() -> None:
    code = (
        "import sys, forgelm.checkpoints, forgelm.auth, forgelm.webhook, forgelm.synthetic\n"
        "heavy = {'torch', 'transformers', 'httpx', 'httpcore', 'huggingface_hub', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
