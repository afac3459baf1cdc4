"""Every way a model's folder can be tampered with, and what the verifier says of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forgelm.compliance import AuditLogger, VerifyIntegrityResult, verify_integrity

FILES = {"adapter.safetensors": b"weights", "tokenizer.json": b"{}", "sub/config.json": b"{ }"}


def entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in files.items()
    ]


def write_manifest(folder: Path, artifacts: Any) -> None:
    document = {"verified_at": "2026-01-01", "model_path": "m", "artifacts": artifacts}
    (folder / "model_integrity.json").write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Give a model's folder with a manifest, inside a run directory."""
    folder = tmp_path / "run" / "final_model"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    write_manifest(folder, entries(FILES))
    return folder


def test_an_untouched_folder_passes(model: Path) -> None:
    result = verify_integrity(model)
    assert (result.valid, result.reason, result.files_checked) == (True, None, 3)
    assert result.notes == [
        "There is no audit log beside the folder: whoever changed files and manifest together "
        "would not be seen."
    ]


def _relink(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _replace_folder(folder: Path) -> None:
    (folder / "sub" / "config.json").unlink()
    (folder / "sub").rmdir()
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "config.json").write_bytes(b"{ }")
    (folder / "sub").symlink_to(folder.parent / "elsewhere")


# attack: (what is done, the fields that tell it)
TAMPERING: dict[str, tuple[Callable[[Path], Any], dict[str, list[str]]]] = {
    "a file changed": (
        lambda m: (m / "tokenizer.json").write_bytes(b"[]"),
        {"changed": ["tokenizer.json"]},
    ),
    "a file emptied": (
        lambda m: (m / "sub/config.json").write_bytes(b""),
        {"changed": ["sub/config.json"]},
    ),
    "a file grown": (
        lambda m: (m / "adapter.safetensors").write_bytes(b"weights!"),
        {"changed": ["adapter.safetensors"]},
    ),
    "a file removed": (
        lambda m: (m / "tokenizer.json").unlink(),
        {"removed": ["tokenizer.json"]},
    ),
    "a file added": (lambda m: (m / "modeling.py").write_bytes(b"x"), {"added": ["modeling.py"]}),
    "a hidden file added": (lambda m: (m / ".x").write_bytes(b"x"), {"added": [".x"]}),
    "a file added below": (
        lambda m: (m / "sub" / "x.bin").write_bytes(b"x"),
        {"added": ["sub/x.bin"]},
    ),
    "a file renamed": (
        lambda m: (m / "tokenizer.json").rename(m / "Tokenizer.json"),
        {"removed": ["tokenizer.json"], "added": ["Tokenizer.json"]},
    ),
    "two files swapped": (
        lambda m: [
            (m / "tokenizer.json").write_bytes(b"{ }"),
            (m / "sub/config.json").write_bytes(b"{}"),
        ],
        {"changed": ["sub/config.json", "tokenizer.json"]},
    ),
    "a file made a folder": (
        lambda m: [(m / "tokenizer.json").unlink(), (m / "tokenizer.json").mkdir()],
        {"removed": ["tokenizer.json"]},
    ),
}
if os.name != "nt":
    TAMPERING |= {
        "a file made a link out": (
            lambda m: _relink(m / "tokenizer.json", Path("/etc/hostname")),
            {"changed": ["tokenizer.json"], "links": ["tokenizer.json"]},
        ),
        "a file made a link to the same bytes": (
            lambda m: [
                (m.parent / "copy").write_bytes(b"{}"),
                _relink(m / "tokenizer.json", m.parent / "copy"),
            ],
            {"changed": ["tokenizer.json"], "links": ["tokenizer.json"]},
        ),
        "a link added": (lambda m: _relink(m / "x", m / "tokenizer.json"), {"links": ["x"]}),
        "a link to nothing added": (lambda m: _relink(m / "x", Path("/none")), {"links": ["x"]}),
        "a link to itself added": (lambda m: _relink(m / "x", m / "x"), {"links": ["x"]}),
        "a link to the folder above added": (
            lambda m: _relink(m / "up", m.parent),
            {"links": ["up"]},
        ),
        "a folder made a link": (
            _replace_folder,
            {"removed": ["sub/config.json"], "links": ["sub"]},
        ),
        "a pipe added": (lambda m: os.mkfifo(m / "pipe"), {"added": ["pipe"]}),
        "a file made a pipe": (
            lambda m: [(m / "tokenizer.json").unlink(), os.mkfifo(m / "tokenizer.json")],
            {"changed": ["tokenizer.json"]},
        ),
        "a name that is no UTF-8": (
            lambda m: open(os.fsencode(m) + b"/\xff.bin", "wb").close(),
            {"added": ["\udcff.bin"]},
        ),
        "a name with a line break": (
            lambda m: (m / "a\nvalid: yes").write_bytes(b""),
            {"added": ["a\nvalid: yes"]},
        ),
    }


def lists_of(result: VerifyIntegrityResult) -> dict[str, list[str]]:
    names = ("added", "changed", "removed", "links")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_told_by_kind_and_name(name: str, model: Path) -> None:
    tamper, expected = TAMPERING[name]
    tamper(model)
    result = verify_integrity(model)
    assert lists_of(result) == expected
    assert not result.valid
    assert result.altered
    assert "\n" not in str(result.reason)


def test_a_link_that_leads_out_is_called_so(model: Path) -> None:
    (model / "x").symlink_to("/etc")
    assert "'x' is a symbolic link that leads out of the folder" in str(
        verify_integrity(model).reason
    )


ONE = entries({"tokenizer.json": b"{}"})[0]
MANIFESTS: dict[str, tuple[Any, str]] = {
    "no list": ({}, "lists no artifacts"),
    "empty list": ([], "lists no artifacts"),
    "an entry that is a text": (["x"], "artifacts[0] is no object"),
    "a name out of the folder": ([ONE | {"file": "../x"}], "names nothing inside the folder"),
    "an absolute name": ([ONE | {"file": "/etc/passwd"}], "names nothing inside the folder"),
    "a name with NUL": ([ONE | {"file": "a\0b"}], "names nothing inside the folder"),
    "a name spelled oddly": ([ONE | {"file": "./tokenizer.json"}], "names nothing inside"),
    "no name": ([ONE | {"file": None}], "names nothing inside the folder"),
    "the manifest itself": ([ONE | {"file": "model_integrity.json"}], "names nothing inside"),
    "a name twice": ([ONE, ONE], "artifacts[1]: file 'tokenizer.json' is there twice"),
    "no digest": ([ONE | {"sha256": ""}], "artifacts[0]: sha256 is not 64 hex digits"),
    "a size of true": ([ONE | {"size_bytes": True}], "size_bytes is no number of bytes"),
    "a size below zero": ([ONE | {"size_bytes": -1}], "size_bytes is no number of bytes"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_malformed_manifest_is_named_by_its_entry(name: str, model: Path) -> None:
    artifacts, expected = MANIFESTS[name]
    write_manifest(model, artifacts)
    result = verify_integrity(model)
    assert not result.valid
    assert expected in str(result.reason)


def test_a_manifest_that_is_no_json_or_gone_or_a_pipe_ends_in_a_verdict(model: Path) -> None:
    manifest = model / "model_integrity.json"
    manifest.write_bytes(b"{" * 100_000)
    assert "model_integrity.json: " in str(verify_integrity(model).reason)
    manifest.unlink()
    result = verify_integrity(model)
    assert "there is no model_integrity.json" in str(result.reason)
    assert not result.altered
    if os.name != "nt":
        os.mkfifo(manifest)
        assert "it is not a regular file" in str(verify_integrity(model).reason)
    assert "there is no folder" in str(verify_integrity(model / "none").reason)
    assert not verify_integrity("nul\0byte").valid


# --- with the audit log of the run beside it ---


def record(model: Path, files: dict[str, bytes]) -> None:
    AuditLogger(model.parent, run_id="fg-0123456789ab").log_event(
        "model.integrity_verified", artifacts=entries(files)
    )


def test_files_and_manifest_changed_together_are_found_by_the_log(model: Path) -> None:
    record(model, FILES)
    assert verify_integrity(model).valid
    (model / "tokenizer.json").write_bytes(b"[]")
    write_manifest(model, entries(FILES | {"tokenizer.json": b"[]"}))
    result = verify_integrity(model)
    assert result.altered
    assert "is not the one whose files the audit log recorded" in str(result.reason)


def test_a_log_that_records_no_model_is_said_to_vouch_for_nothing(model: Path) -> None:
    AuditLogger(model.parent, run_id="fg-0123456789ab").log_event("pipeline.initialized")
    result = verify_integrity(model)
    assert result.valid
    assert result.notes == ["The audit log beside the folder records no files of a model."]


def test_a_deleted_manifest_is_an_alteration_when_the_log_knows_the_files(model: Path) -> None:
    record(model, FILES)
    (model / "model_integrity.json").unlink()
    result = verify_integrity(model)
    assert result.altered
    assert "it was deleted" in str(result.reason)


def test_the_model_of_an_earlier_run_still_passes_beside_a_later_record(model: Path) -> None:
    record(model, FILES)
    record(model, {"other": b"later"})
    assert verify_integrity(model).valid


def test_a_signature_is_no_added_file_and_is_told(model: Path) -> None:
    (model / "model.sig").write_text("{}")
    result = verify_integrity(model)
    assert result.valid
    assert "There is a signature, model.sig" in result.notes[1]
