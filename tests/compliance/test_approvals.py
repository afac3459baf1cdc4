"""A person's decision on a staged model: what it does, what it refuses, and crashes within it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from staged_run import RUN_ID, write_run

from forgelm.compliance import (
    AuditLogger,
    approve_model,
    list_approvals,
    reject_model,
    verify_audit_log,
    verify_integrity,
)
from forgelm.errors import ConfigError, DataError

STAGED = f"final_model.staging.{RUN_ID}"
SCRIPT = Path(__file__).with_name("staged_run.py")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_run(tmp_path / "run", staged=True)
    return tmp_path / "run"


def _events(run_dir: Path, name: str) -> list[dict[str, Any]]:
    lines = (run_dir / "audit_log.jsonl").read_text("utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == name]


def test_an_approved_model_is_recorded_and_put_into_use(run_dir: Path) -> None:
    token = "ghp_" + "PlantedTokenQ7XN4ZT2LWJ5VKRMabcdefgh"
    result = approve_model(run_dir, comment=f"looked at 40 answers {token}")
    assert (result.decided, result.decision, result.approver) == (True, "granted", "ci:job-7")
    assert result.model_path == run_dir / "final_model"
    assert result.earlier_path is None
    assert not (run_dir / STAGED).exists()
    (event,) = _events(run_dir, "human_approval.granted")
    assert event["run_id"] == RUN_ID
    assert event["gate"] == "human_approval"
    assert event["approver"] == "ci:job-7"
    assert event["comment"].startswith("looked at 40 answers")
    assert token not in event["comment"]
    assert event["staging_path"] == str(run_dir / STAGED)
    assert verify_audit_log(run_dir / "audit_log.jsonl").valid
    assert verify_integrity(run_dir / "final_model").valid
    assert list_approvals(run_dir) == []


def test_the_model_in_use_moves_to_earlier_and_nothing_is_deleted(run_dir: Path) -> None:
    (run_dir / "final_model").mkdir()
    (run_dir / "final_model" / "old").write_text("x")
    before = run_dir / "earlier" / f"before-{RUN_ID}"
    (before / "final_model").mkdir(parents=True)
    result = approve_model(run_dir)
    assert result.earlier_path == before.with_name(f"before-{RUN_ID}-2") / "final_model"
    assert (result.earlier_path / "old").read_text() == "x"


def test_a_rejected_model_goes_to_quarantine_and_the_one_in_use_stays(run_dir: Path) -> None:
    (run_dir / "final_model").mkdir()
    result = reject_model(run_dir, approver="bob", reason="it swears")
    assert (result.decided, result.decision, result.approver) == (True, "rejected", "bob")
    assert result.model_path == run_dir / "rejected" / RUN_ID / "final_model"
    assert (result.model_path / "model_integrity.json").is_file()
    assert (run_dir / "final_model").is_dir()
    (event,) = _events(run_dir, "human_approval.rejected")
    assert (event["approver"], event["reason"]) == ("bob", "it swears")


@pytest.mark.parametrize("second", ["approve", "reject"])
def test_the_second_decision_is_told_who_made_the_first(run_dir: Path, second: str) -> None:
    approve_model(run_dir, approver="ada")
    if second == "approve":
        result = approve_model(run_dir, approver="bob")
    else:
        result = reject_model(run_dir, approver="bob", reason="no")
    assert (result.decided, result.decision, result.approver) == (False, "granted", "ada")
    assert str(result.reason).startswith(f"ada approved the model of {RUN_ID} at 20")
    assert (run_dir / "final_model").is_dir()
    assert len(_events(run_dir, "human_approval.granted")) == 1
    assert _events(run_dir, "human_approval.rejected") == []


def test_of_two_people_at_once_exactly_one_decides(run_dir: Path) -> None:
    def decide(number: int) -> bool:
        name = f"person-{number}"
        if number % 2:
            return approve_model(run_dir, approver=name).decided
        return reject_model(run_dir, approver=name, reason="no").decided

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(decide, range(4))) == [False, False, False, True]
    decisions = [
        *_events(run_dir, "human_approval.granted"),
        *_events(run_dir, "human_approval.rejected"),
    ]
    assert len(decisions) == 1
    assert verify_audit_log(run_dir / "audit_log.jsonl").valid


def _edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _exchange(run_dir: Path) -> None:
    """Put another run's model, whole and with its own manifest, in the place of the staged one."""
    other = write_run(run_dir, run_id="fg-ffffffffffff", staged=True)
    (run_dir / STAGED).rename(run_dir / "aside")
    other.rename(run_dir / STAGED)


def _link_staged(run_dir: Path) -> None:
    (run_dir / STAGED).rename(run_dir.parent / "elsewhere")
    (run_dir / STAGED).symlink_to(run_dir.parent / "elsewhere")


def _link_earlier(run_dir: Path) -> None:
    (run_dir.parent / "outside").mkdir()
    (run_dir / "earlier").symlink_to(run_dir.parent / "outside")


def _remove_manifest(run_dir: Path) -> None:
    (run_dir / STAGED / "model_integrity.json").unlink()


def _edit_log(run_dir: Path) -> None:
    log = run_dir / "audit_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"0.25", b"0.15", 1))


ATTACKS: dict[str, tuple[Callable[[Path], object], bool, str]] = {
    "weights edited": (
        lambda run: _edit(run / STAGED / "adapter_model.safetensors"),
        True,
        "changed: 'adapter_model.safetensors'",
    ),
    "file added": (lambda run: _edit_new(run / STAGED / "more.py"), True, "added: 'more.py'"),
    "file removed": (lambda run: (run / STAGED / "tokenizer.json").unlink(), True, "removed: "),
    "manifest removed": (_remove_manifest, True, "there is no model_integrity.json"),
    "link in the model": (
        lambda run: (run / STAGED / "link").symlink_to("/etc"),
        True,
        "is a symbolic link that leads out",
    ),
    "model of another run": (_exchange, True, "is not the one whose files the log recorded"),
    "staged folder a link": (_link_staged, True, "is not a folder but a link"),
    "staged folder gone": (
        lambda run: (run / STAGED).rename(run / "aside"),
        False,
        "the staged model is gone",
    ),
    "earlier a link": (_link_earlier, False, "is not a folder but a link"),
    "log edited": (_edit_log, True, "the audit log"),
}


def _edit_new(path: Path) -> None:
    path.write_text("import os")


@pytest.mark.skipif(os.name == "nt", reason="POSIX links")
@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_not_as_it_was_judged_cannot_be_approved(name: str, run_dir: Path) -> None:
    attack, altered, expected = ATTACKS[name]
    attack(run_dir)
    result = approve_model(run_dir, run_id=RUN_ID)
    assert (result.decided, result.altered) == (False, altered)
    assert expected in str(result.reason)
    assert _events(run_dir, "human_approval.granted") == []
    assert not (run_dir / "final_model").exists()


def test_an_altered_model_can_be_rejected(run_dir: Path) -> None:
    _edit(run_dir / STAGED / "adapter_model.safetensors")
    assert reject_model(run_dir, reason="somebody changed it").decided


PATHS = {
    "another folder": ("{out}/final_model.staging.fg-1", "leads out of the run directory"),
    "parent": ("{run}/x/../../final_model.staging.fg-1", "is not final_model.staging.fg-1"),
    "another name": ("{run}/compliance", "is not "),
    "the run itself": ("{run}", "is not "),
    "blank": ("", "the log names no staged model"),
    "no text": (None, "the log names no staged model"),
    "NUL": ("{run}/\0/final_model.staging.fg-1", "is not final_model.staging.fg-1"),
    "only the suffix": ("{run}/.staging.fg-1", "the log names no staged model"),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_staging_path_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    path, expected = PATHS[name]
    run_dir, out = tmp_path / "run", tmp_path / "out"
    (out / "final_model.staging.fg-1").mkdir(parents=True)
    (run_dir / "compliance").mkdir(parents=True)
    log = AuditLogger(run_dir, run_id="fg-1")
    staging = None if path is None else path.format(run=run_dir, out=out)
    log.log_event("human_approval.required", gate="g", staging_path=staging)
    for result in (approve_model(run_dir), reject_model(run_dir, reason="no")):
        assert not result.decided
        assert expected in str(result.reason)
    assert {path.name for path in run_dir.iterdir()} >= {"audit_log.jsonl", "compliance"}
    assert (out / "final_model.staging.fg-1").is_dir()


def test_a_run_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    log = AuditLogger(tmp_path, run_id="../../x")
    log.log_event("human_approval.required", gate="g", staging_path="a.staging.../../x")
    assert "cannot be part of a folder's name" in str(reject_model(tmp_path, reason="no").reason)


@pytest.mark.skipif(os.name == "nt", reason="kills a process")
@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_kill_between_any_two_steps_leaves_what_a_repeated_call_completes(
    verb: str, tmp_path: Path
) -> None:
    outcomes = []
    for step in range(1, 9):
        run_dir = tmp_path / str(step)
        write_run(run_dir, staged=True)
        (run_dir / "final_model").mkdir()
        (run_dir / "final_model" / "old").write_text("x")
        command = [sys.executable, str(SCRIPT), verb, str(run_dir), str(step)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        outcomes.append(done.returncode)
        recorded = len(_events(run_dir, f"human_approval.{_PAST[verb]}"))
        assert not (run_dir / "final_model" / "adapter_model.safetensors").exists() or recorded
        if verb == "approve":
            approve_model(run_dir, approver="bob")
        else:
            reject_model(run_dir, approver="bob", reason="wrong")
        _assert_settled(run_dir, verb, "ada" if recorded else "bob")
        if done.returncode == 0:
            break
    assert outcomes[-1] == 0, done.stderr
    assert outcomes[:-1] == [-9] * (len(outcomes) - 1)
    assert len(outcomes) > 3


_PAST = {"approve": "granted", "reject": "rejected"}


def _assert_settled(run_dir: Path, verb: str, approver: str) -> None:
    (event,) = _events(run_dir, f"human_approval.{_PAST[verb]}")
    assert event["approver"] == approver
    assert not (run_dir / STAGED).exists()
    approved, rejected = run_dir / "final_model", run_dir / "rejected" / RUN_ID / "final_model"
    old = run_dir / "earlier" / f"before-{RUN_ID}" / "final_model"
    model, kept = (approved, old) if verb == "approve" else (rejected, approved)
    assert (model / "adapter_model.safetensors").is_file()
    assert (kept / "old").read_text() == "x"
    assert verify_audit_log(run_dir / "audit_log.jsonl").valid


def test_a_line_that_a_kill_tore_is_set_aside_and_the_decision_goes_on(run_dir: Path) -> None:
    with (run_dir / "audit_log.jsonl").open("ab") as stream:
        stream.write(b'{"timestamp": "2026-')
    assert approve_model(run_dir, approver="ada").decided
    assert len(_events(run_dir, "audit.tail_recovered")) == 1
    (event,) = _events(run_dir, "human_approval.attempted")
    assert event["approver"] == "ada"
    assert len(list(run_dir.glob("audit_log.jsonl.torn-*"))) == 1
    assert verify_audit_log(run_dir / "audit_log.jsonl").valid


def test_a_decision_that_was_not_carried_out_is_listed_and_only_its_own_verb_ends_it(
    run_dir: Path,
) -> None:
    log = AuditLogger(run_dir, run_id=RUN_ID)
    log.log_event("human_approval.granted", gate="human_approval", approver="ada")
    (pending,) = list_approvals(run_dir)
    assert pending.problem == "granted by ada, but not moved yet: call approve again"
    refused = reject_model(run_dir, reason="no")
    assert "call approve again to finish moving the model" in str(refused.reason)
    _edit(run_dir / STAGED / "tokenizer.json")
    assert approve_model(run_dir).altered
    (run_dir / STAGED / "tokenizer.json").write_text("{}")
    result = approve_model(run_dir, approver="bob")
    assert (result.decided, result.approver) == (True, "ada")
    assert "The model had not been moved yet; it is now." in result.notes[0]


def test_whoever_trained_the_model_is_refused_where_four_eyes_are_asked_for(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for approver in (None, "CI:job-7", "ada"):  # a name alone does not hide who is acting
        result = approve_model(run_dir, approver=approver, four_eyes=True)
        assert result.reason == "ci:job-7 trained this model, so somebody else has to decide on it"
    monkeypatch.setenv("FORGELM_OPERATOR", "ada")
    assert approve_model(run_dir, four_eyes=True).decided


@pytest.mark.parametrize("name", ["", " ", "a\nb", "anonymous@host", "x" * 201])
def test_the_approver_must_be_named(name: str, run_dir: Path) -> None:
    with pytest.raises(ConfigError, match="needs the name of a person"):
        approve_model(run_dir, approver=name)


def test_a_rejection_needs_a_reason(run_dir: Path) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        reject_model(run_dir, reason=" ")


def test_several_waiting_models_have_to_be_told_apart(run_dir: Path) -> None:
    (run_dir / "compliance").rename(run_dir / "first")
    write_run(run_dir, run_id="fg-ffffffffffff", staged=True)
    with pytest.raises(ValueError, match=f"several models wait: {RUN_ID}, fg-ffffffffffff"):
        approve_model(run_dir)
    with pytest.raises(ValueError, match="no model of a run 'fg-x' waits or waited"):
        approve_model(run_dir, run_id="fg-x")
    assert approve_model(run_dir, run_id="fg-ffffffffffff").run_id == "fg-ffffffffffff"
    assert approve_model(run_dir).run_id == RUN_ID


def test_a_run_that_asks_nobody_and_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no audit_log\.jsonl"):
        approve_model(tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_run(tmp_path)
    assert approve_model(tmp_path).reason == "no model in this run waits for approval"


def test_a_moved_run_directory_can_still_be_decided_on(run_dir: Path) -> None:
    moved = run_dir.rename(run_dir.with_name("moved"))
    assert approve_model(moved).model_path == moved / "final_model"


def test_waiting_models_are_listed_with_their_age_and_the_limit_of_their_run(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "a" / "run", staged=True, retention={"staging_ttl_days": 3})
    write_run(tmp_path / "b", staged=True)
    write_run(tmp_path / "c")
    first, second = list_approvals(tmp_path)
    assert (first.run_dir, first.ttl_days, first.overdue) == (tmp_path / "a" / "run", 3, False)
    assert (second.run_id, second.ttl_days, second.problem) == (RUN_ID, 7, None)
    assert second.metrics == {"eval_loss": 0.25}
    assert second.requested_by == "ci:job-7"
    assert second.staging_path == tmp_path / "b" / STAGED
    _edit_log(tmp_path / "b")
    problems = [one.problem for one in list_approvals(tmp_path)]
    assert str(problems[0]).startswith("the audit log is altered: ")
    with pytest.raises(DataError, match="there is no such folder"):
        list_approvals(tmp_path / "none")


def test_a_model_that_waits_too_long_is_said_to(tmp_path: Path) -> None:
    write_run(tmp_path, staged=True, retention={"staging_ttl_days": 0})
    log = tmp_path / "audit_log.jsonl"
    for beside in tmp_path.glob("audit_log.jsonl.*"):
        beside.unlink()
    log.unlink()
    entry = {
        "timestamp": "2026-01-01T00:00:00+00:00",
        "run_id": RUN_ID,
        "operator": "ada",
        "event": "human_approval.required",
        "prev_hash": "genesis",
        "staging_path": str(tmp_path / STAGED),
    }
    log.write_text(json.dumps(entry) + "\n")
    (pending,) = list_approvals(tmp_path)
    assert pending.overdue
    assert pending.ttl_days == 0
