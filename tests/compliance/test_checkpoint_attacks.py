"""Whatever becomes of a log that was signed, whoever has the public key sees it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, write_page_log
from checkpoint_runs import EVENTS, Events, SignedLog, changed, sign_a_log
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography")

from forgelm import AuditLogger, verify_audit_log
from forgelm.compliance import (
    create_signing_key,
    read_checkpoints,
    sign_checkpoint,
)

SECRET = "an-audit-" + "secret"


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    return sign_a_log(tmp_path)


# what became of the events -> (line at fault, words); every chain is sound in itself
REWRITTEN: dict[str, tuple[Events, int | None, str]] = {
    "a line edited": (changed((5, 50)), None, "lines 4 to 6 are not those that"),
    "the first line edited": (changed((1, 10)), 1, "the log was replaced by another"),
    "the last signed line edited": (changed((6, 60)), None, "lines 4 to 6 are not those that"),
    "lines reordered": (changed((4, 5), (5, 4)), None, "repeated or reordered, and all hashes"),
    "a line removed": (EVENTS[:4] + EVENTS[5:], None, "lines 4 to 6 are not those that"),
    "a line repeated": (EVENTS[:4] + EVENTS[3:], None, "lines 4 to 6 are not those that"),
    "a line inserted": ([*EVENTS[:4], ("x", {}), *EVENTS[4:]], None, "lines 4 to 6 are not"),
    "lines removed at the end": (EVENTS[:4], 5, "2 lines were removed at the end: there were 6"),
    "one line removed at the end": (EVENTS[:5], 6, "1 line was removed at the end: there were 6"),
    "put back to an earlier state": (EVENTS[:3], 4, "3 lines were removed at the end"),
    "the last five cut and five others appended": (
        EVENTS[:3] + [("other", {"n": n}) for n in range(5)],
        None,
        "lines 4 to 6 are not those that acme.example/audit signed on 20",
    ),
}


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("name", REWRITTEN)
def test_a_log_rewritten_with_all_side_files_is_found_even_by_who_has_the_hmac_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, secret: str | None
) -> None:
    if secret:
        monkeypatch.setenv("FORGELM_AUDIT_SECRET", secret)
    signed = sign_a_log(tmp_path, secret)
    events, line, words = REWRITTEN[name]
    signed.rewrite(events, secret)
    assert verify_audit_log(signed.log, require_hmac=secret is not None).valid

    monkeypatch.delenv("FORGELM_AUDIT_SECRET", raising=False)
    for checkpoint in (None, signed.kept, str(signed.kept)):
        result = verify_audit_log(signed.log, public_key=signed.public, checkpoint=checkpoint)
        assert (result.valid, result.first_invalid_index) == (False, line)
        assert words in str(result.reason)
        assert result.head is None


def test_lines_that_nobody_signed_yet_may_change_unseen_and_the_notes_say_so(
    signed: SignedLog,
) -> None:
    signed.rewrite(changed((7, 70)))
    result = verify_audit_log(signed.log, public_key=signed.public)
    assert result.valid
    assert "The lines after line 6 are in no signed checkpoint yet." in result.notes


def test_one_signed_line_alone_is_named_when_it_changed(signed: SignedLog) -> None:
    signed.rewrite(EVENTS[:7])
    sign_checkpoint(signed.run, signed.key)
    signed.rewrite(changed((7, 70)))
    result = verify_audit_log(signed.log, public_key=signed.public)
    assert result.first_invalid_index == 7
    assert str(result.reason).startswith("line 7: it is not the one that acme.example/audit signed")


# what became of the checkpoints beside the log -> words of the verdict
def _forge(signed: SignedLog) -> str:
    other = signed.run.parent / "other-key"
    create_signing_key(other, "acme.example/audit")
    signed.rewrite(changed((2, 20)))
    signed.record.unlink()
    sign_checkpoint(signed.run, other)
    return "is not signed with a key that was given"


def _edit_size(signed: SignedLog) -> str:
    signed.record.write_text(signed.record.read_text().replace("\n6\n", "\n5\n"))
    return "line 'forgelm-log' that is malformed or contradicts it"


def _edit_root(signed: SignedLog) -> str:
    first, second = read_checkpoints(signed.record)
    signed.record.write_text(signed.record.read_text().replace(second.root, first.root))
    return "has a signature of acme.example/audit that does not hold"


def _delete(signed: SignedLog) -> str:
    signed.record.unlink()
    return "there is no signed checkpoint to hold the log to"


def _empty(signed: SignedLog) -> str:
    signed.record.write_bytes(b"")
    return "ends in the middle of a checkpoint"


def _cut(signed: SignedLog) -> str:
    signed.record.write_bytes(signed.record.read_bytes()[:-5])
    return "ends in the middle of a checkpoint"


def _binary(signed: SignedLog) -> str:
    signed.record.write_bytes(b"\xff\n")
    return "is not UTF-8"


def _of_another_log(signed: SignedLog) -> str:
    other = signed.run.parent / "other-run"
    other.mkdir()
    write_page_log(other, [("another", {"n": n}) for n in range(4)])
    sign_checkpoint(other, signed.key)
    shutil.copy(other / f"{NAME}.checkpoints", signed.record)
    return "line 1: it is not the first line of any log that was signed"


@pytest.mark.parametrize(
    "attack", [_forge, _edit_size, _edit_root, _delete, _empty, _cut, _binary, _of_another_log]
)
def test_checkpoints_made_up_altered_or_taken_away_prove_nothing(
    signed: SignedLog, attack: Any
) -> None:
    words = attack(signed)
    result = verify_audit_log(signed.log, public_key=signed.public)
    assert not result.valid
    assert words in str(result.reason)


def test_log_and_checkpoints_put_back_together_are_found_by_the_copy_kept_elsewhere(
    signed: SignedLog,
) -> None:
    signed.rewrite(EVENTS[:3])
    notes = read_checkpoints(signed.record)
    signed.record.write_text(notes[0].note)
    assert verify_audit_log(signed.log, public_key=signed.public).valid

    for kept in (signed.kept, notes[1]):
        result = verify_audit_log(signed.log, public_key=signed.public, checkpoint=kept)
        assert "3 lines were removed at the end" in str(result.reason)


def test_a_file_that_no_checkpoint_ends_in_is_not_passed_as_proved(tmp_path: Path) -> None:
    public = create_signing_key(tmp_path / "key", "me")
    logger = AuditLogger(tmp_path / "run")
    logger.log_event("before")
    archived = logger.rotate()
    logger.log_event("after")
    sign_checkpoint(tmp_path / "run", tmp_path / "key")
    result = verify_audit_log(archived, public_key=public)
    assert not result.valid
    assert "no signed checkpoint ends within it" in str(result.reason)


def test_a_signer_of_two_histories_is_caught(signed: SignedLog, tmp_path: Path) -> None:
    other = tmp_path / "other-history"
    other.mkdir()
    write_page_log(other, changed((2, 20))[:6])
    second = sign_checkpoint(other, signed.key)
    signed.kept.write_text(f"{signed.record.read_text()}\n{second.note}")
    result = verify_audit_log(signed.log, public_key=signed.public, checkpoint=signed.kept)
    assert "two checkpoints of 6 lines contradict each other" in str(result.reason)


_changes = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("insert"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("repeat"), st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.just("swap"), st.integers(0, 5), st.integers(0, 7)),
    st.tuples(st.just("cut"), st.integers(1, 5), st.just(0)),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SignedLog:
    return sign_a_log(tmp_path_factory.mktemp("shared"))


@given(_changes)
@settings(max_examples=60, deadline=None)
def test_any_single_change_of_signed_lines_is_found_however_well_the_chain_was_remade(
    shared: SignedLog, change: tuple[str, int, int]
) -> None:
    kind, at, other = change
    events = list(EVENTS)
    if kind == "edit":
        events[at] = (events[at][0], {"n": -1})
    elif kind == "remove":
        del events[at]
    elif kind in ("insert", "repeat"):
        events.insert(at, events[other] if kind == "repeat" else ("new", {}))
    elif kind == "swap":
        events[at], events[other] = events[other], events[at]
    else:
        events = events[:at]
    shared.rewrite(events)
    result = verify_audit_log(shared.log, public_key=shared.public)
    # A line repeated at the place of its like leaves the signed lines as they were.
    assert result.valid == (events[:6] == EVENTS[:6])


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_any_byte_changed_in_signed_lines_is_found(
    shared: SignedLog, place: int, flip: int
) -> None:
    shared.rewrite(EVENTS)
    content = bytearray(shared.log.read_bytes())
    end = len(b"".join(bytes(content).splitlines(keepends=True)[:6]))
    content[place % end] ^= flip
    shared.log.write_bytes(content)
    assert not verify_audit_log(shared.log, public_key=shared.public).valid
