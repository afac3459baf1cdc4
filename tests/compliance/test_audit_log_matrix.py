"""Every attack on an audit log and every fault it must survive, with the verdict, in one table.

Each row of `MATRIX` names the tests that show it; this module checks that they exist, and prints
the table when it is run: `python tests/compliance/test_audit_log_matrix.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# (what is done, verdict, test module without "test_audit_log_" or "test_", test in it)
MATRIX: list[tuple[str, str, str, str]] = [
    # Faults while an event is written
    ("killed before or after any call, at any byte of the line", "kept or absent, never twice",
     "faults", "test_a_fault_at_any_call_and_any_byte_loses_and_doubles_nothing"),
    ("EIO, ENOSPC, short writes at any call, once or from then on", "error; a retry writes once",
     "faults", "test_a_fault_at_any_call_and_any_byte_loses_and_doubles_nothing"),
    ("the same with group commit, and while the log is rotated", "the same",
     "faults", "test_a_fault_at_any_call_and_any_byte_loses_and_doubles_nothing"),
    ("power loss, unflushed sectors lost or reordered", "acknowledged events are all there",
     "faults", "test_a_power_loss_at_any_point_loses_no_acknowledged_event"),
    ("power loss with lines of several threads unflushed", "acknowledged events are all there",
     "faults", "test_a_power_loss_while_threads_share_flushes_loses_no_acknowledged_event"),
    ("a full disk that frees up", "error, then each event once",
     "faults", "test_a_file_system_that_is_full_and_frees_up_takes_each_event_once"),
    ("a torn tail above the head", "recovered, bytes kept, an event says so",
     "recovery", "test_an_interrupted_write_is_set_aside_and_recorded"),
    ("damage below the head", "the logger refuses, nothing is changed",
     "recovery", "test_damage_is_refused_and_nothing_is_changed"),
    ("a torn slot of the head file", "goes on",
     "recovery", "test_a_crash_that_tore_the_newest_slot_needs_no_help"),
    # Many writers
    ("eight threads", "one chain, each in order",
     "concurrency", "test_eight_threads_write_one_chain"),
    ("several processes", "one chain", "concurrency", "test_four_processes_write_one_chain"),
    ("8 processes and 8 threads, 1,000 events each", "one chain (marker slow)",
     "group", "test_eight_processes_and_eight_threads_write_a_thousand_events_each"),
    ("garbage between two events with group commit", "set aside, recorded",
     "group", "test_a_line_that_no_writer_made_is_set_aside_between_two_grouped_events"),
    ("a forged line that names the one before it, with group commit", "refused, then set aside",
     "group", "test_a_line_that_only_looks_like_the_next_is_found_before_it_counts"),
    ("19 attacks on the files under a logger that keeps them open", "as under one that does not",
     "held_open", "test_an_attack_under_an_open_logger_ends_as_under_one_that_opens_anew"),
    ("more writers than can wake each other, or none that can", "one chain",
     "bells", "test_more_writers_than_bells_share_a_log"),
    ("somebody who wakes waiting writers without end", "an error after a bounded wait",
     "bells", "test_one_who_rings_without_end_wins_nothing"),
    ("killed during an event, after a fork that kept the open files", "no lost lock",
     "concurrency", "test_a_child_keeps_no_lock_of_a_parent_that_keeps_its_files_open"),
    ("writers with and without group commit", "one chain",
     "group", "test_writers_with_and_without_group_commit_share_a_log"),
    ("rotated while others write", "one chain over all files",
     "group", "test_writers_and_a_rotation_at_once_lose_nothing"),
    ("verified while another rotates it", "valid, with every acknowledged line",
     "rotation", "test_a_log_verified_while_another_thread_rotates_it_never_has_fewer_lines"),
    ("rotated between the verifier's opening and reading", "valid, with every line",
     "rotation", "test_a_rotation_while_the_log_is_verified_loses_no_line"),
    ("a logger used in a forked child", "an error that says what to do",
     "concurrency", "test_a_logger_used_in_a_forked_child_says_what_to_do"),
    ("forks while threads log", "no hang, no lost lock",
     "concurrency", "test_children_forked_while_threads_log_neither_hang_nor_hold_the_lock"),
    ("an event inside a signal handler", "both events",
     "concurrency", "test_a_signal_handler_may_log_while_an_event_is_being_logged"),
    ("a signal while an event waits for a stuck writer", "its handler runs, the event once",
     "concurrency", "test_a_handler_that_only_takes_note_does_not_cost_the_event"),
    ("Ctrl-C", "a whole event or none", "concurrency", "test_ctrl_c_leaves_a_whole_event_or_none"),
    ("a stuck foreign lock", "an error after a bounded wait",
     "concurrency", "test_a_stuck_writer_is_waited_for_only_so_long"),
    # The files under an open logger
    ("log deleted or emptied", "refused, or begun anew where that is allowed, in its first line",
     "recovery", "test_a_log_that_is_gone_is_started_anew_only_when_that_is_allowed"),
    ("log renamed", "refused",
     "recovery", "test_a_log_moved_away_under_an_open_logger_is_not_silently_begun_anew"),
    ("log renamed with its side files", "a new log",
     "recovery", "test_a_log_moved_away_with_its_side_files_is_begun_anew"),
    ("symbolic links in place of the files", "refused, never written through",
     "recovery", "test_a_link_in_place_of_a_file_is_never_written_through"),
    ("hard links", "one chain", "recovery", "test_a_hard_linked_log_stays_one_chain"),
    ("pipes, folders, devices", "refused at once",
     "recovery", "test_a_pipe_or_a_folder_in_place_of_the_log_is_refused_without_waiting"),
    ("odd file modes", "kept as they are; a read-only log is an error",
     "matrix", "test_odd_modes_of_the_log_are_left_alone"),
    # What a caller hands in
    ("fields named like the envelope", "kept as field_…",
     "format", "test_a_field_never_replaces_what_the_line_itself_says"),
    ("any Python value", "strict JSON", "format", "test_any_python_value_becomes_strict_json"),
    # Tampering
    ("lines edited, removed, swapped, repeated, inserted, re-encoded, cut", "found, with the line",
     "tampering", "test_an_attack_on_an_unkeyed_log_is_found"),
    ("the same on a keyed log", "found", "tampering", "test_an_attack_on_a_keyed_log_is_found"),
    ("any one byte changed, removed, inserted", "found",
     "hostile", "test_any_one_byte_change_is_found"),
    ("tags stripped from some or all lines", "found",
     "tampering", "test_tags_cannot_be_stripped_from_the_end_on"),
    ("head file forged without the secret", "found",
     "tampering", "test_a_head_file_forged_without_the_secret_is_found"),
    ("log and side files replaced together", "found with expected_head",
     "since", "test_log_and_side_files_replaced_together_are_found_by_the_head_alone"),
    ("the whole folder put back to an earlier hour", "found with expected_head",
     "since", "test_the_whole_folder_put_back_to_an_earlier_hour_is_found"),
    ("what was done where a chain breaks", "said: edited, removed, repeated, reordered",
     "since", "test_where_the_chain_breaks_the_lines_tell_what_was_done"),
    ("a key used again after another replaced it", "found",
     "since", "test_the_key_id_cannot_go_back_nor_the_tags_away"),
    ("an earlier file of a rotated log edited, cut, deleted, swapped", "found",
     "rotation", "test_an_attack_on_an_earlier_file_is_found_from_the_newest"),
    ("a stored personal value edited", "found",
     "rotation", "test_a_value_that_was_edited_or_lost_is_told_apart"),
    ("a stored personal value erased", "valid, and named as erased",
     "rotation", "test_erasing_leaves_the_chain_whole_and_says_so"),
    # Signed checkpoints: a public key, no secret
    ("log and side files rewritten, with the HMAC secret: lines edited, removed, inserted, "
     "repeated, reordered, cut, rolled back", "found, between which lines",
     "checkpoint_attacks",
     "test_a_log_rewritten_with_all_side_files_is_found_even_by_who_has_the_hmac_secret"),
    ("checkpoints forged, edited, cut, deleted, of another log", "found",
     "checkpoint_attacks", "test_checkpoints_made_up_altered_or_taken_away_prove_nothing"),
    ("log and checkpoints put back together", "found with checkpoint= kept elsewhere",
     "checkpoint_attacks",
     "test_log_and_checkpoints_put_back_together_are_found_by_the_copy_kept_elsewhere"),
    ("a log altered before it is signed again", "not signed",
     "checkpoints", "test_a_signer_does_not_vouch_for_a_log_that_changed_since_it_last_signed"),
    ("any single change of signed lines, hashes remade", "found",
     "checkpoint_attacks",
     "test_any_single_change_of_signed_lines_is_found_however_well_the_chain_was_remade"),
    ("a proof for another line, place, size or log", "does not hold",
     "log_proofs", "test_another_line_or_another_place_is_not_proved"),
    ("a time stamp of something else, or altered", "does not hold",
     "anchors", "test_a_time_stamp_proves_that_the_checkpoint_existed_and_no_other"),
    ("malformed notes and keys", "a reason",
     "signed_notes", "test_a_malformed_note_is_refused_with_a_reason"),
    # Hostile bytes
    ("deep nesting, huge numbers, NUL bytes, CRLF, no newline", "found, never an exception",
     "hostile", "test_hostile_text_gets_a_verdict"),
    ("a line of many blocks, edited, split or cut", "found, and whole it is valid",
     "hostile", "test_a_line_of_many_blocks_among_short_ones_is_held_to_the_same"),
    ("any bytes at all", "found", "hostile", "test_any_bytes_at_all_get_a_verdict"),
    ("any spelling of a field", "the quick look and the slow one agree",
     "plain_lines", "test_any_text_as_a_field_gets_the_verdict_of_the_slow_look"),
    # What the log vouches for
    ("hostile Annex IV documents", "a verdict",
     "verify_annex_iv", "test_a_hostile_document_ends_in_a_verdict"),
    ("a document rewritten with its hash, or without one", "found by the log",
     "verify_annex_iv", "test_a_forgery_is_found_by_the_log"),
    ("files of a model added, changed, removed, linked away", "found",
     "verify_integrity", "test_tampering_is_told_by_kind_and_name"),
    ("10,000 mutated and 1,000 random GGUF files", "a verdict", "verify_gguf",
     "test_ten_thousand_mutants_and_a_thousand_random_files_end_in_a_verdict"),
    # Not found, and said to be
    ("unkeyed: log, head and manifest all rewritten, no expected_head", "valid",
     "matrix", "test_what_no_log_on_one_disk_can_show"),
]  # fmt: skip


def _file(module: str) -> Path:
    of_the_log = HERE / f"test_audit_log_{module}.py"
    return of_the_log if of_the_log.exists() else HERE / f"test_{module}.py"


@pytest.mark.parametrize("row", MATRIX, ids=[row[0] for row in MATRIX])
def test_each_attack_and_fault_has_a_test(row: tuple[str, str, str, str]) -> None:
    _, _, module, name = row
    source = _file(module).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)


def test_what_no_log_on_one_disk_can_show(tmp_path: Path) -> None:
    from forgelm import AuditLogger, verify_audit_log

    AuditLogger(tmp_path).log_event("real")
    kept = verify_audit_log(tmp_path / "audit_log.jsonl")
    for path in tmp_path.iterdir():
        path.unlink()
    AuditLogger(tmp_path).log_event("forged")
    assert verify_audit_log(tmp_path / "audit_log.jsonl").valid
    assert not verify_audit_log(tmp_path / "audit_log.jsonl", expected_head=kept).valid


@pytest.mark.parametrize("mode", [0o644, 0o666, 0o400, 0o000])
def test_odd_modes_of_the_log_are_left_alone(tmp_path: Path, mode: int) -> None:
    import os

    from forgelm import AuditLogger, verify_audit_log
    from forgelm.errors import AuditLogError

    logger = AuditLogger(tmp_path)
    logger.log_event("a")
    logger.path.chmod(mode)
    if mode & 0o200 or os.geteuid() == 0:
        logger.log_event("b")
    else:
        with pytest.raises(AuditLogError, match="Permission denied"):
            logger.log_event("b")
    assert logger.path.stat().st_mode & 0o777 == mode
    logger.path.chmod(0o600)
    assert verify_audit_log(logger.path).valid


def test_the_windows_lock_calls_the_runtime_as_documented() -> None:
    """One byte far behind the text, without blocking; held means try again, for so long."""
    run = subprocess.run(
        [sys.executable, str(HERE / "windows_lock.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.splitlines() == [
        "held after 3",
        str([(0x7FFF_0000, 2, 1)] * 3 + [(0x7FFF_0000, 0, 1)]),
        "another process held the lock for 0.05 s",
        "broken",
        "size 0",
    ], run.stderr


if __name__ == "__main__":
    for done, verdict, module, name in MATRIX:
        print(f"| {done} | {verdict} | `{_file(module).name}::{name}` |")
