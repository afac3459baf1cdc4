"""Hostile bytes in a log get a verdict: never a traceback, a hang or a pass."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, page_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm import AuditLogger, verify_audit_log

SECRET = "not-a-" + "real-secret"
EVENTS: list[tuple[str, dict[str, Any]]] = [(f"event.{n}", {"n": n}) for n in range(1, 6)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Five events of ours, with manifest and head file; no secret."""
    logger = AuditLogger(tmp_path, "fg-1")
    for name, fields in EVENTS:
        logger.log_event(name, **fields)
    return tmp_path / NAME


HOSTILE = {
    "deep nesting": b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
    "open brackets": b"[" * 100_000 + b"\n",
    "huge integer": b'{"a": ' + b"9" * 100_000 + b"}\n",
    "one long line": b'{"a": "' + b"x" * 5_000_000,
    "only newlines": b"\n" * 1000,
    "NUL bytes": b"\0" * 1000 + b"\n",
    "a float that overflows": b'{"a": 1e999}\n',
    "a lone surrogate half": b'{"a": "\\ud800"}\n',
    "carriage returns": b"\r\r\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("position", ["first", "last"])
def test_hostile_text_gets_a_verdict(log: Path, name: str, position: str) -> None:
    content = log.read_bytes()
    log.write_bytes(HOSTILE[name] + content if position == "first" else content + HOSTILE[name])
    result = verify_audit_log(log)
    assert not result.valid
    assert result.first_invalid_index == (1 if position == "first" else 6)


def test_hostile_values_deep_in_a_well_formed_entry_get_a_verdict(tmp_path: Path) -> None:
    (line,) = page_lines([("e", {"x": 0})])
    for value in (b"[" * 50_000 + b"]" * 50_000, b"9" * 10_000, b"1e999", b"0.10", b"-0"):
        path = tmp_path / NAME
        path.write_bytes(line.replace(b'"x": 0', b'"x": ' + value) + b"\n")
        result = verify_audit_log(path)
        assert (result.valid, result.first_invalid_index) == (False, 1), value[:10]


def test_a_line_of_many_blocks_among_short_ones_is_held_to_the_same(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("short")
    logger.log_event("long", text="x" * 3_000_000, loss=0.1234567890123)
    logger.log_event("short")
    assert verify_audit_log(logger.path).entries_count == 3

    whole = logger.path.read_bytes()
    for start, edited in ((2_000_000, b"y"), (2_000_000, b"\n"), (2_000_000, b"\xff")):
        logger.path.write_bytes(whole[:start] + edited + whole[start + 1 :])
        result = verify_audit_log(logger.path)
        assert not result.valid
        assert result.first_invalid_index == (3 if edited == b"y" else 2)

    logger.path.write_bytes(whole[:2_000_000])
    assert "it is incomplete" in str(verify_audit_log(logger.path).reason)


_PRISTINE: dict[bool, dict[str, bytes]] = {}


def _pristine(keyed: bool, folder: Path) -> dict[str, bytes]:
    if keyed not in _PRISTINE:
        with pytest.MonkeyPatch.context() as patch:
            if keyed:
                patch.setenv("FORGELM_AUDIT_SECRET", SECRET)
            logger = AuditLogger(folder, "fg-1")
            for name, fields in EVENTS[:3]:
                logger.log_event(name, **fields)
        _PRISTINE[keyed] = {path.name: path.read_bytes() for path in folder.iterdir()}
    return _PRISTINE[keyed]


@settings(max_examples=300, deadline=None)
@given(data=st.data(), keyed=st.booleans(), kind=st.sampled_from(["edit", "delete", "insert"]))
def test_any_one_byte_change_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, keyed: bool, kind: str
) -> None:
    files = _pristine(keyed, tmp_path_factory.mktemp("pristine"))
    content = files[NAME]
    at = data.draw(st.integers(0, len(content) - (kind != "insert")))
    byte = bytes([data.draw(st.integers(0, 255))])
    if kind == "edit" and content[at : at + 1] == byte:
        byte = bytes([byte[0] ^ 1])
    kept = content[at:] if kind == "insert" else content[at + 1 :]
    changed = content[:at] + (b"" if kind == "delete" else byte) + kept
    folder = tmp_path_factory.mktemp("changed")
    for name, original in files.items():
        (folder / name).write_bytes(changed if name == NAME else original)

    for secret in (SECRET, "") if keyed else ("",):
        result = verify_audit_log(folder / NAME, hmac_secret=secret)
        assert not result.valid
        assert result.reason


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=200), head=st.binary(max_size=60), manifest=st.binary(max_size=60)
)
def test_any_bytes_at_all_get_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes, manifest: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / NAME).write_bytes(content)
    (folder / f"{NAME}.head").write_bytes(head)
    (folder / f"{NAME}.manifest.json").write_bytes(manifest)
    assert not verify_audit_log(folder / NAME).valid


@pytest.mark.parametrize("mac", ['"\\ud800"', '"x"', "1", '[["x"]]', '{"a": 1}'])
def test_a_hostile_mac_in_a_head_file_that_is_whole_gets_a_verdict(
    log: Path, monkeypatch: pytest.MonkeyPatch, mac: str
) -> None:
    head = log.with_name(f"{NAME}.head")
    text = head.read_bytes()[:4096].rstrip().decode()
    values, _, _ = text.rpartition(', "sha256": ')
    sealed = f'{values}, "hmac": {mac}'
    digest = hashlib.sha256(f"{sealed}}}".encode()).hexdigest()
    slot = f'{sealed}, "sha256": "{digest}"}}'.encode().ljust(4095) + b"\n"
    head.write_bytes(slot * 2)
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "a-secret" + "-of-the-test")
    result = verify_audit_log(log)
    assert not result.valid
    assert "head file" in str(result.reason)
