"""Logs of ours pass a checker written from the format page, and logs built from it pass ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, check_by_the_page, page_lines, write_page_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm import AuditLogger, ConfigError, VerifyResult, verify_audit_log

SECRET = "not-a-" + "real-secret"


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_log_of_ours_is_what_the_page_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    if secret:
        monkeypatch.setenv("FORGELM_AUDIT_SECRET", secret)
    logger = AuditLogger(str(tmp_path), run_id="fg-0123456789ab")
    logger.log_event("pipeline.initialized", model="tiny", trainer_type="sft")
    logger.log_event("training.started")
    logger.log_event("pipeline.completed", success=True, metrics_summary={"eval_loss": 0.43})

    entries = check_by_the_page(tmp_path / NAME, secret)

    assert [entry["event"] for entry in entries] == [
        "pipeline.initialized",
        "training.started",
        "pipeline.completed",
    ]
    assert {entry["run_id"] for entry in entries} == {"fg-0123456789ab"}
    assert {entry["operator"] for entry in entries} == {"ci:job-7"}
    assert entries[2]["metrics_summary"] == {"eval_loss": 0.43}
    result = verify_audit_log(str(tmp_path / NAME), require_hmac=secret is not None)
    assert result == VerifyResult(valid=True, entries_count=3)
    assert (result.notes, result.anchored) == ((), True)


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("manifest", [True, False])
def test_a_log_built_from_the_page_verifies_and_is_called_unanchored(
    tmp_path: Path, secret: str | None, manifest: bool
) -> None:
    events = [("a", {}), ("b", {"x": 1.5, "text": 'ü "\ud800" \x7f'}), ("c", {"d": {1: 2, "1": 3}})]
    path = write_page_log(tmp_path, events, secret, manifest=manifest)

    result = verify_audit_log(path, hmac_secret=secret, require_hmac=secret is not None)

    assert result == VerifyResult(valid=True, entries_count=3)
    assert result.entries_checked == 3
    assert result.chain_head == hashlib.sha256(page_lines(events, secret)[-1]).hexdigest()
    assert not result.anchored
    assert any("head file" in note for note in result.notes)
    assert any("manifest" in note for note in result.notes) is not manifest


@pytest.mark.parametrize("secret", [None, SECRET])
def test_a_log_built_from_the_page_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    path = write_page_log(tmp_path, [("a", {}), ("b", {})], secret)
    before = path.read_bytes()
    if secret:
        monkeypatch.setenv("FORGELM_AUDIT_SECRET", secret)

    AuditLogger(tmp_path).log_event("c")

    assert path.read_bytes().startswith(before)
    assert [entry["event"] for entry in check_by_the_page(path, secret)] == ["a", "b", "c"]
    result = verify_audit_log(path)
    assert result.valid
    assert result.anchored
    assert "begun after line 2" in result.notes[0]


def test_the_verdict_has_four_fields_and_two_more_names() -> None:
    assert [field.name for field in dataclasses.fields(VerifyResult)] == [
        "valid",
        "entries_count",
        "first_invalid_index",
        "reason",
    ]
    result = VerifyResult(False, 3, 2, "line 2 (byte 10): edited")
    assert dataclasses.asdict(result) == {
        "valid": False,
        "entries_count": 3,
        "first_invalid_index": 2,
        "reason": "line 2 (byte 10): edited",
    }
    assert result.entries_checked == 1
    assert result.chain_head is None


def test_a_fresh_logger_writes_no_file_and_a_made_up_run_id(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path / "run")
    assert re.fullmatch("fg-[0-9a-f]{12}", logger.run_id)
    assert not (tmp_path / "run").exists()
    logger.log_event("training.started")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        NAME,
        f"{NAME}.head",
        f"{NAME}.manifest.json",
    ]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()} == {0o600}


def test_a_field_never_replaces_what_the_line_itself_says(tmp_path: Path) -> None:
    forged: dict[str, Any] = dict.fromkeys(
        ["timestamp", "run_id", "operator", "event", "prev_hash", "_hmac", "self"], "forged"
    )
    AuditLogger(tmp_path, "fg-1").log_event("real", **forged, field_event="mine")

    (entry,) = check_by_the_page(tmp_path / NAME)

    assert (entry["event"], entry["run_id"], entry["operator"]) == ("real", "fg-1", "ci:job-7")
    assert entry["field_field_event"] == "forged"
    assert entry["field_event"] == "mine"
    assert {key for key, value in entry.items() if value == "forged"} == {
        "field_timestamp",
        "field_run_id",
        "field_operator",
        "field_field_event",
        "field_prev_hash",
        "field__hmac",
        "self",
    }


def test_the_event_may_be_named_by_keyword(tmp_path: Path) -> None:
    AuditLogger(tmp_path).log_event(event="training.started", model="tiny")
    (entry,) = check_by_the_page(tmp_path / NAME)
    assert (entry["event"], entry["model"]) == ("training.started", "tiny")


@pytest.mark.parametrize("event", [None, "", 3])
def test_an_event_without_a_name_is_refused(tmp_path: Path, event: Any) -> None:
    with pytest.raises(TypeError, match="non-empty string"):
        AuditLogger(tmp_path).log_event(event)
    assert not (tmp_path / NAME).exists()


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_any_python_value_becomes_strict_json(tmp_path: Path) -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    AuditLogger(tmp_path).log_event(
        "values",
        floats=[float("nan"), float("inf"), -float("inf"), 0.1],
        raw=b"\xff",
        path=Path("a/b"),
        keys={1: "one", "1": "text", None: 0, False: 1, 2.5: 2, (1, 2): 3},
        members={"b", "a"},
        huge=10**5000,
        circle=circle,
        deep=deep,
        broken=_Unprintable(),
        surrogate="\ud800 \u2028",
    )

    (entry,) = check_by_the_page(tmp_path / NAME)

    assert entry["floats"] == ["NaN", "Infinity", "-Infinity", 0.1]
    assert entry["raw"] == "b'\\xff'"
    assert entry["path"] == "a/b"
    assert entry["keys"] == {
        "1 (int)": "one",
        "1": "text",
        "null": 0,
        "false": 1,
        "2.5": 2,
        "[1, 2]": 3,
    }
    assert entry["members"] == ["a", "b"]
    assert int(entry["huge"], 16) == 10**5000
    assert entry["circle"] == [1, "[1, [...]]"]
    assert entry["broken"] == "<_Unprintable without a text>"
    assert entry["surrogate"] == "\ud800 \u2028"
    assert verify_audit_log(tmp_path / NAME).valid


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=8)
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.integers(-2, 2) | st.text(max_size=2) | st.booleans(), inner, max_size=4
        )
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fields=st.dictionaries(st.text(max_size=8), _values, max_size=4), keyed=st.booleans())
def test_whatever_is_logged_the_page_and_the_verifier_accept(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any], keyed: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        if keyed:
            patch.setenv("FORGELM_AUDIT_SECRET", SECRET)
        logger = AuditLogger(folder)
        logger.log_event("first", **fields)
        logger.log_event("second")
    secret = SECRET if keyed else None
    assert len(check_by_the_page(folder / NAME, secret)) == 2
    assert verify_audit_log(folder / NAME, hmac_secret=secret).valid


def test_no_two_keys_of_a_mapping_fall_together(tmp_path: Path) -> None:
    keys = {1: "a", "1": "b", "1 (int)": "c", "1 (int) #2": "d"}
    AuditLogger(tmp_path).log_event("keys", keys=keys)
    (entry,) = check_by_the_page(tmp_path / NAME)
    assert sorted(entry["keys"].values()) == ["a", "b", "c", "d"]


def test_the_operator_is_the_variable_then_the_account_then_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert AuditLogger(tmp_path).operator == "ci:job-7"
    monkeypatch.setenv("FORGELM_OPERATOR", "  ")
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "engine")
    assert AuditLogger(tmp_path).operator == "ada@engine"

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(ConfigError, match=r"Set FORGELM_OPERATOR.*FORGELM_ALLOW_ANONYMOUS"):
        AuditLogger(tmp_path)
    monkeypatch.setenv("FORGELM_ALLOW_ANONYMOUS_OPERATOR", "1")
    assert AuditLogger(tmp_path).operator == "anonymous@engine"


def test_the_secret_is_in_no_text_of_the_logger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    logger = AuditLogger(tmp_path, "fg-1")
    logger.log_event("x")
    assert repr(logger) == f"AuditLogger({str(tmp_path)!r}, run_id='fg-1')"
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_importing_the_log_loads_nothing_heavy() -> None:
    code = (
        "import sys, forgelm.compliance;"
        "print({'torch', 'numpy', 'pydantic', 'pandas', 'yaml'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_manifest_is_a_small_json_document(tmp_path: Path) -> None:
    AuditLogger(tmp_path, "fg-1").log_event("x")
    manifest = json.loads((tmp_path / f"{NAME}.manifest.json").read_text())
    line = (tmp_path / NAME).read_bytes()[:-1]
    assert manifest["audit_log"] == NAME
    assert manifest["run_id"] == "fg-1"
    assert manifest["created_at"].endswith("+00:00")
    assert manifest["first_entry_sha256"] == hashlib.sha256(line).hexdigest()
