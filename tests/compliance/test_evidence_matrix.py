"""What is promised of documents, verifiers, bundles and decisions, and the test that attacks it.

The attacks on the log itself are in `test_audit_log_matrix.py`. Run as a script, this module prints
its table.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forgelm.compliance import (
    RunFacts,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
)

HERE = Path(__file__).parent

# (what is done, verdict, test module without "test_", test in it)
MATRIX: list[tuple[str, str, str, str]] = [
    # The log, where the words of the promise are not those of the other table
    ("an event in steady state", "one flush",
     "audit_log_faults", "test_one_event_costs_one_flush"),
    ("logs built from the format page alone, with and without HMAC", "valid",
     "audit_log_format", "test_a_log_built_from_the_page_verifies_and_is_called_unanchored"),
    ("logs of ours under a checker made from the page alone", "valid",
     "audit_log_format", "test_a_log_of_ours_is_what_the_page_describes"),
    ("a log cut under an open logger", "refused, nothing is changed",
     "audit_log_recovery", "test_damage_is_refused_and_nothing_is_changed"),
    ("keyed log continued without its secret", "refused",
     "audit_log_recovery", "test_a_keyed_log_is_not_continued_without_its_secret"),
    ("tags removed from the whole log", "altered",
     "audit_log_tampering", "test_tags_cannot_be_stripped_from_the_whole_log"),
    ("tags required, no secret given", "not valid",
     "audit_log_tampering", "test_requiring_tags_without_a_secret_never_passes"),
    ("old lines after the secret was changed", "valid",
     "audit_log_since", "test_old_lines_verify_after_the_key_was_changed"),
    ("one slot of the head file spoiled, lines removed", "altered",
     "audit_log_tampering", "test_spoiling_one_slot_of_the_head_file_hides_no_removed_line"),
    ("hostile values in a head file that is whole", "altered",
     "audit_log_hostile", "test_a_hostile_mac_in_a_head_file_that_is_whole_gets_a_verdict"),
    ("non-UTF-8, CRLF, blank lines, re-encoded JSON, equal keys", "altered, with the line",
     "audit_log_tampering", "test_an_attack_on_an_unkeyed_log_is_found"),
    ("the newest file of a rotated log deleted with its side files", "altered",
     "audit_log_rotation",
     "test_the_file_after_an_archive_begins_at_once_so_that_a_missing_one_was_deleted"),
    ("a disk that is full right after a rotation", "archived; the next event begins the file",
     "audit_log_rotation", "test_a_log_that_cannot_begin_anew_is_archived_all_the_same"),
    # Checkpoints, proofs, anchors
    ("a third party with the public key alone", "verifies",
     "checkpoints", "test_a_log_that_grew_verifies_with_the_public_key_alone"),
    ("a checker made from the specifications alone", "agrees",
     "checkpoints", "test_a_checker_made_from_the_specifications_alone_agrees"),
    ("every proof of every tree up to 65 leaves", "holds, and no other",
     "merkle", "test_every_proof_of_every_tree_up_to_65_leaves_verifies_and_no_other_place_does"),
    ("every growth of those trees", "proved, and no other",
     "merkle", "test_every_growth_up_to_65_leaves_is_proved_and_no_other"),
    ("a log rewritten between two checkpoints", "no proof",
     "log_proofs", "test_growth_of_a_log_that_was_rewritten_in_between_has_no_proof"),
    ("a signer of two histories", "not valid",
     "checkpoint_attacks", "test_a_signer_of_two_histories_is_caught"),
    ("log rolled back, checkpoint kept in another path", "altered",
     "anchors", "test_a_file_elsewhere_collects_checkpoints_that_a_rollback_cannot_reach"),
    ("an anchor server that refuses", "an error, the checkpoint stands",
     "anchors", "test_a_checkpoint_is_posted_as_it_is_and_a_refusal_is_an_error"),
    ("a time stamp authority that answers nonsense", "refused",
     "anchors", "test_an_authority_that_answers_nonsense_or_stamps_something_else_is_refused"),
    # Documents of a run
    ("the disk full at any write of a document", "the old document, or none; nothing half",
     "evidence_matrix", "test_a_document_is_written_whole_or_not_at_all"),
    ("secrets and addresses planted in everything declared", "in no document",
     "documents", "test_no_planted_secret_or_address_reaches_a_document"),
    ("the model card under the Hub's own validation", "accepted",
     "documents", "test_the_hub_reads_the_card_and_text_in_it_stays_text"),
    ("what nobody declared", "said to be unknown",
     "documents", "test_what_nobody_declared_is_said_to_be_unknown_and_never_made_up"),
    ("data changed after the run began", "marked",
     "documents", "test_data_that_changed_after_the_run_began_is_marked"),
    ("base model replaced during the run, its time put back", "named",
     "documents",
     "test_a_base_model_that_is_not_what_was_loaded_is_named_even_under_an_old_time"),
    ("data exchanged, removed or added to during training, under an old time", "marked, by name",
     "documents", "test_data_that_is_not_what_was_read_is_named_even_under_an_old_time"),
    ("a signed model, then anything in its folder changed", "the signature fails",
     "model_signing", "test_a_signature_holds_until_anything_in_the_folder_changes"),
    # Verifiers
    ("required keys missing, blank or TODO", "not valid, by dotted name",
     "verify_annex_iv", "test_a_required_key_that_is_gone_is_named"),
    ("a manifest hash missing, malformed or another", "not valid",
     "verify_annex_iv", "test_a_hash_that_does_not_vouch_is_said_loudly"),
    ("metadata deleted, rewritten, an older document put back", "altered, by the log",
     "verify_annex_iv", "test_a_forgery_is_found_by_the_log"),
    ("any byte of a document changed", "altered",
     "verify_annex_iv", "test_any_changed_byte_is_found_or_changes_nothing_that_is_said"),
    ("links out of a model's folder", "altered",
     "verify_integrity", "test_a_link_that_leads_out_is_called_so"),
    ("files and manifest of a model changed together", "altered, by the log",
     "verify_integrity", "test_files_and_manifest_changed_together_are_found_by_the_log"),
    ("GGUF header, metadata, catalogue broken", "altered, by name",
     "verify_gguf", "test_a_broken_structure_is_named"),
    ("GGUF vocabulary and special ids that do not fit", "altered",
     "verify_gguf", "test_metadata_that_does_not_fit_the_model_is_named"),
    ("a GGUF file of 2^40 bytes of nothing", "altered, at once",
     "verify_gguf", "test_a_vast_file_of_holes_is_refused_by_its_counts"),
    ("GGUF against the gguf package", "the same",
     "verify_gguf", "test_the_gguf_package_reads_the_same"),
    ("a changed weight with a sidecar", "altered",
     "verify_gguf", "test_one_changed_weight_is_found_by_the_sidecar_alone"),
    # Run directory and bundle
    ("one byte of every file of a real run", "altered, and the file named",
     "whole_story", "test_one_byte_of_any_file_of_the_run_is_found_and_the_file_named"),
    ("one byte of every file of its bundle", "altered, and the file named",
     "whole_story", "test_one_byte_of_any_file_of_the_bundle_is_found_and_the_file_named"),
    ("one byte of the zip", "altered", "verify_anything",
     "test_any_changed_byte_of_a_bundle_is_found"),
    ("a rotated run", "valid over all files, and bundled with them",
     "whole_story", "test_a_run_that_was_rotated_is_verified_and_bundled_over_all_its_files"),
    ("what earlier runs left, altered", "altered",
     "run_files", "test_what_earlier_runs_in_the_folder_left_goes_in_and_is_verified"),
    ("checkpoints altered, added to, linked away", "altered",
     "run_files", "test_a_checkpoint_is_held_to_its_manifest_and_one_without_was_never_finished"),
    ("names in a log that lead out of the folder", "not followed",
     "run_files", "test_odd_names_of_run_files_in_a_log_lead_nowhere"),
    ("hostile zips", "altered, by the entry",
     "verify_anything", "test_a_hostile_or_altered_bundle_gets_a_verdict_that_names_the_entry"),
    ("zip bombs", "altered, little memory",
     "verify_anything", "test_a_vast_bundle_takes_little_memory"),
    ("what is no evidence", "not valid",
     "verify_anything", "test_what_is_no_evidence_is_said_to_be_none"),
    # Decisions
    ("two people at once, by the command line", "one decision",
     "whole_story", "test_two_who_approve_at_once_leave_one_decision_and_one_model"),
    ("four people at once", "one decision",
     "approvals", "test_of_two_people_at_once_exactly_one_decides"),
    ("a staged model altered before the decision", "not approved",
     "approvals", "test_what_is_not_as_it_was_judged_cannot_be_approved"),
    ("a staging path that leads elsewhere", "refused",
     "approvals", "test_a_staging_path_that_leads_elsewhere_is_refused"),
    ("a kill between any two steps of a decision", "a repeated call completes it",
     "approvals", "test_a_kill_between_any_two_steps_leaves_what_a_repeated_call_completes"),
]  # fmt: skip


@pytest.mark.parametrize("row", MATRIX, ids=[row[0] for row in MATRIX])
def test_each_promise_has_a_test(row: tuple[str, str, str, str]) -> None:
    _, _, module, name = row
    source = (HERE / f"test_{module}.py").read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)


def _exports(run: Path) -> list[Callable[[], Any]]:
    facts = RunFacts(run_id="fg-1", generated_at="2026-01-02T03:04:05+00:00")
    return [
        lambda: export_data_governance(facts, run / "compliance"),
        lambda: export_model_documents(facts, run / "final_model"),
        lambda: export_compliance_documents(facts, run / "compliance", []),
    ]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_document_is_written_whole_or_not_at_all(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "final_model").mkdir()
    (tmp_path / "final_model" / "adapter_model.safetensors").write_bytes(b"weights")
    for export in _exports(tmp_path):
        export()
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    whole = {path: path.read_bytes() for path in files}
    assert len(files) == 10

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    for export in _exports(tmp_path):
        with pytest.raises(OSError, match="No space left"):
            export()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole


if __name__ == "__main__":
    for done, verdict, module, name in MATRIX:
        print(f"| {done} | {verdict} | `test_{module}.py::{name}` |")
