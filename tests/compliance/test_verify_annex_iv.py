"""Every way an Annex IV document can be broken or forged, and what the verifier says of it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm.compliance import AuditLogger, verify_annex_iv_artifact

Document = dict[str, Any]


def complete() -> Document:
    """Return a document with every required key, and no hash."""
    return {
        "system_identification": {
            "provider_name": "Acme",
            "system_name": "Desk",
            "intended_purpose": "Answer mail",
        },
        "intended_purpose": "Answer mail",
        "system_components": {"model_lineage": {"base": "m"}, "training_parameters": {"r": 8}},
        "computational_resources": {"gpu_hours": 0},
        "data_governance": {"personal_data_included": False},
        "technical_documentation": {"limits": "Türkçe yok"},
        "monitoring_and_logging": {"audit_log": "audit_log.jsonl"},
        "performance_metrics": {"eval_loss": 0.0},
        "risk_management": {"measures": ["a person looks"]},
    }


def hash_of(document: Document) -> str:
    """Return the hash as the format's page defines it, for a document without `metadata`."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def hashed(document: Document) -> Document:
    return {**document, "metadata": {"manifest_hash": hash_of(document)}}


def write(folder: Path, document: Document | str | bytes) -> Path:
    path = folder / "annex_iv_metadata.json"
    if isinstance(document, dict):
        document = json.dumps(document, indent=2)
    path.write_bytes(document if isinstance(document, bytes) else document.encode())
    return path


def without(name: str) -> Document:
    outer, _, inner = name.partition(".")
    document = complete()
    del (document[outer] if inner else document)[inner or outer]
    return document


NINE = tuple(complete())


def test_a_complete_document_with_its_hash_passes(tmp_path: Path) -> None:
    document = complete()
    result = verify_annex_iv_artifact(write(tmp_path, hashed(document)))
    assert (result.valid, result.reason, result.missing_fields) == (True, None, [])
    assert result.manifest_hash_actual == result.manifest_hash_expected == hash_of(document)
    assert result.notes == [
        "There is no audit log beside it: whoever rewrote it and its hash together would not be "
        "seen."
    ]
    assert set(result.to_dict()) >= {
        "valid",
        "reason",
        "missing_fields",
        "manifest_hash_actual",
        "manifest_hash_expected",
    }


@pytest.mark.parametrize("name", [*NINE, "system_identification.provider_name",
                                  "system_components.model_lineage"])  # fmt: skip
def test_a_required_key_that_is_gone_is_named(name: str, tmp_path: Path) -> None:
    result = verify_annex_iv_artifact(write(tmp_path, hashed(without(name))))
    assert not result.valid
    assert not result.altered
    assert result.missing_fields == [name]
    assert name in str(result.reason)


EMPTY = [None, "", "  \n", [], {}, [""], {"a": ""}, {"a": [None, {}]}, "TODO", "todo", "<TBD>",
         "TODO: ask Ann", "To be defined."]  # fmt: skip


@pytest.mark.parametrize("value", EMPTY, ids=repr)
def test_blanks_and_placeholders_do_not_count_as_filled(value: Any, tmp_path: Path) -> None:
    document = complete() | {"risk_management": value}
    result = verify_annex_iv_artifact(write(tmp_path, hashed(document)))
    assert result.missing_fields == ["risk_management"]


@pytest.mark.parametrize(
    "value", [0, 0.0, False, "Todoist sync", "no", [0], {"a": False}], ids=repr
)
def test_zero_and_false_count_as_filled(value: Any, tmp_path: Path) -> None:
    document = complete() | {"risk_management": value}
    assert verify_annex_iv_artifact(write(tmp_path, hashed(document))).valid


def _with_hash(value: Any) -> Callable[[Document], Document]:
    return lambda document: {**document, "metadata": {"manifest_hash": value}}


def _edited(document: Document) -> Document:
    changed = hashed(document)
    changed["performance_metrics"] = {"eval_loss": 0.01}
    return changed


# attack: (document, is it shown to be altered, what the reason says)
HASHES: dict[str, tuple[Callable[[Document], Document], bool, str]] = {
    "edited": (_edited, True, "it was altered: its hash is"),
    "metadata deleted": (dict, False, "it has no metadata.manifest_hash"),
    "metadata emptied": (lambda d: {**d, "metadata": {}}, False, "no metadata.manifest_hash"),
    "metadata replaced": (lambda d: {**d, "metadata": "x"}, False, "no metadata.manifest_hash"),
    "hash null": (_with_hash(None), False, "it has no metadata.manifest_hash"),
    "hash empty": (_with_hash(""), True, "is not 64 hex digits"),
    "hash malformed": (_with_hash("z" * 64), True, "is not 64 hex digits"),
    "hash cut": (_with_hash("0" * 63), True, "is not 64 hex digits"),
    "hash no text": (_with_hash(5), True, "is not 64 hex digits"),
    "hash of another": (_with_hash("0" * 64), True, "it was altered: its hash is"),
    "something in metadata": (
        lambda d: {**d, "metadata": {"manifest_hash": hash_of(d), "by": "x"}},
        True,
        "it was altered: its hash is",
    ),
}


@pytest.mark.parametrize("name", HASHES)
def test_a_hash_that_does_not_vouch_is_said_loudly(name: str, tmp_path: Path) -> None:
    change, altered, expected = HASHES[name]
    result = verify_annex_iv_artifact(write(tmp_path, change(complete())))
    assert not result.valid
    assert result.altered is altered
    assert expected in str(result.reason)


# attack: (bytes, what the reason says)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "line 1, column 1: it is not JSON"),
    "a list": (b"[]", "it is not a JSON object"),
    "no JSON": (b'{"a": 1,\n oops}', "line 2, column 2: it is not JSON"),
    "cut": (b'{"a": {"b": ', "line 1, column 13: it is not JSON"),
    "no UTF-8": (b'{"a": "\xff"}', "byte 7: it is not UTF-8"),
    "two documents": (b"{}{}", "line 1, column 3: it is not JSON"),
    "NaN": (b'{"a": NaN}', "it is not strict JSON (NaN is no JSON value)"),
    "a number beyond all bounds": (b'{"a": 1e999}', "it is not strict JSON (the number 1e999"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "it is not strict JSON"),
    "200,000 brackets": (b'{"a": ' + b"[" * 200_000, "it is nested too deeply"),
    "200 brackets": (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "nested more than 100 deep"),
    "9 MB": (b'{"a": "' + b"x" * 9_000_000 + b'"}', "it is longer than 8388608 bytes"),
    "a key twice": (b'{"a": {"b": 1, "b": 2}}', "keys that are there twice: a.b"),
    "a control character": (b'{"a": "\x00"}', "line 1, column 8: it is not JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_ends_in_a_verdict(name: str, tmp_path: Path) -> None:
    content, expected = HOSTILE[name]
    result = verify_annex_iv_artifact(write(tmp_path, content))
    assert not result.valid
    assert expected in str(result.reason)


def test_a_second_key_that_overrides_the_first_does_not_pass(tmp_path: Path) -> None:
    text = json.dumps(hashed(complete()))
    twice = '{"risk_management": {"measures": ["none"]}, ' + text[1:]
    result = verify_annex_iv_artifact(write(tmp_path, twice))
    assert result.reason == "keys that are there twice: risk_management"
    assert result.altered


_SOUND = json.dumps(hashed(complete())).encode()


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(_SOUND) - 1), byte=st.integers(0, 255))
def test_any_changed_byte_is_found_or_changes_nothing_that_is_said(at: int, byte: int) -> None:
    changed = _SOUND[:at] + bytes([byte]) + _SOUND[at + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        result = verify_annex_iv_artifact(write(Path(folder), changed))
    if result.valid:
        assert json.loads(changed) == json.loads(_SOUND)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_noise_ends_in_a_verdict(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert not verify_annex_iv_artifact(write(Path(folder), content)).valid


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in str(verify_annex_iv_artifact(tmp_path / "pipe").reason)
    assert "not a regular file" in str(verify_annex_iv_artifact("/dev/zero").reason)
    assert "there is no document" in str(verify_annex_iv_artifact(tmp_path / "none").reason)
    assert not verify_annex_iv_artifact("nul\0byte").valid


# --- with the audit log of the run beside it ---


def export(run_dir: Path, document: Document, digest: str | None = None) -> Path:
    """Write a document into a run directory and record its hash in the run's log."""
    (run_dir / "compliance").mkdir(parents=True, exist_ok=True)
    AuditLogger(run_dir, run_id="fg-0123456789ab").log_event(
        "compliance.artifacts_exported", annex_iv_manifest_hash=digest or hash_of(document)
    )
    return write(run_dir / "compliance", hashed(document))


def test_the_hash_in_the_log_confirms_a_document(tmp_path: Path) -> None:
    result = verify_annex_iv_artifact(export(tmp_path, complete()))
    assert (result.valid, result.notes) == (True, [])


_RETOLD = complete() | {"intended_purpose": "Score people"}
FORGERIES: dict[str, tuple[Document | bytes | None, str]] = {
    "metadata deleted": (complete(), "its metadata.manifest_hash was deleted"),
    "rewritten with its hash": (hashed(_RETOLD), "the audit log recorded"),
    "rewritten without a hash": (_RETOLD, "the audit log recorded"),
    "made unreadable": (b"{", "it is not JSON"),
    "deleted": (None, "the audit log recorded one: it was deleted or moved"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_by_the_log(name: str, tmp_path: Path) -> None:
    forged, expected = FORGERIES[name]
    path = export(tmp_path, complete())
    if forged is None:
        path.unlink()
    else:
        write(path.parent, forged)
    result = verify_annex_iv_artifact(path)
    assert not result.valid
    assert expected in str(result.reason)
    assert result.altered
    carries_its_own = name == "rewritten with its hash"
    if isinstance(forged, dict):
        assert result.manifest_hash_expected == hash_of(_RETOLD if carries_its_own else complete())


def test_an_older_document_put_back_is_found(tmp_path: Path) -> None:
    older = complete()
    path = export(tmp_path, older)
    export(tmp_path, complete() | {"risk_management": {"measures": ["two persons look"]}})
    write(path.parent, hashed(older))
    result = verify_annex_iv_artifact(path)
    assert result.altered
    assert "it is an older document" in str(result.reason)


def test_a_rotated_log_still_vouches(tmp_path: Path) -> None:
    path = export(tmp_path, complete())
    logger = AuditLogger(tmp_path, run_id="fg-0123456789ab")
    logger.rotate()
    logger.log_event("pipeline.completed")
    assert verify_annex_iv_artifact(path).valid
    write(path.parent, hashed(_RETOLD))
    assert "the audit log recorded" in str(verify_annex_iv_artifact(path).reason)


def test_an_altered_log_vouches_for_nothing(tmp_path: Path) -> None:
    path = export(tmp_path, complete())
    log = tmp_path / "audit_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"fg-0123456789ab", b"fg-0123456789aa"))
    result = verify_annex_iv_artifact(path)
    assert result.altered
    assert "audit_log.jsonl is altered" in str(result.reason)


def test_a_log_that_was_deleted_leaves_its_side_files_as_witnesses(tmp_path: Path) -> None:
    path = export(tmp_path, complete())
    (tmp_path / "audit_log.jsonl").unlink()
    result = verify_annex_iv_artifact(path)
    assert result.altered
    assert "its lines were deleted" in str(result.reason)
