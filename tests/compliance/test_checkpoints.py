"""A third party with a public key sees every change of what was signed; so does the signer."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from checkpoint_runs import EVENTS, SignedLog, changed, sign_a_log

pytest.importorskip("cryptography")

from forgelm import AuditLogger, verify_audit_log
from forgelm.compliance import (
    Checkpoint,
    create_signing_key,
    read_checkpoints,
    sign_checkpoint,
)
from forgelm.errors import AuditLogError


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    return sign_a_log(tmp_path)


def test_a_log_that_grew_verifies_with_the_public_key_alone(signed: SignedLog) -> None:
    result = verify_audit_log(signed.log, public_key=signed.public)
    assert (result.valid, result.entries_count) == (True, 8)
    assert "The first 6 lines are those that were signed." in result.notes
    assert "The lines after line 6 are in no signed checkpoint yet." in result.notes


def test_a_checkpoint_says_whose_it_is_of_which_log_and_where_that_ended(signed: SignedLog) -> None:
    first, second = read_checkpoints(signed.record)
    lines = signed.log.read_bytes().splitlines()
    assert first.origin == f"acme.example/audit/{hashlib.sha256(lines[0]).hexdigest()}"
    assert (first.size, second.size) == (3, 6)
    assert second.head is not None
    assert second.head.chain_head == hashlib.sha256(lines[5]).hexdigest()


def test_where_the_chain_itself_breaks_the_notes_say_what_still_is_as_signed(
    signed: SignedLog,
) -> None:
    signed.log.write_bytes(signed.log.read_bytes().replace(b'"n": 5', b'"n": 6'))
    result = verify_audit_log(signed.log, public_key=signed.public)
    assert (result.valid, result.first_invalid_index) == (False, 6)
    assert "The first 3 lines are those that were signed." in result.notes


def test_a_signer_does_not_vouch_for_a_log_that_changed_since_it_last_signed(
    signed: SignedLog,
) -> None:
    before = signed.record.read_bytes()
    signed.rewrite(changed((2, 20)))
    with pytest.raises(AuditLogError, match="was not signed, because it does not stand up: lines"):
        sign_checkpoint(signed.run, signed.key)
    with pytest.raises(AuditLogError, match="was not signed"):
        sign_checkpoint(signed.run, signed.key, out=signed.run.parent / "elsewhere")
    signed.log.write_bytes(signed.log.read_bytes()[:-3])
    with pytest.raises(AuditLogError, match="was not signed"):
        sign_checkpoint(signed.run, signed.key, out=signed.run.parent / "elsewhere")
    signed.record.write_bytes(before[:-5])
    with pytest.raises(AuditLogError, match="Nothing was signed"):
        sign_checkpoint(signed.run, signed.key)
    assert signed.record.read_bytes() == before[:-5]
    assert not (signed.run.parent / "elsewhere").exists()


def test_keys_change_and_checkpoints_of_both_count(signed: SignedLog, tmp_path: Path) -> None:
    second = tmp_path / "key-2"
    keys = tmp_path / "keys.pub"
    keys.write_text(f"# ours\n{signed.public}\n\n{create_signing_key(second, 'acme.example/b')}\n")
    sign_checkpoint(signed.run, second)
    result = verify_audit_log(signed.log, public_key=keys)
    assert result.notes[0] == "The first 8 lines are those that were signed."
    signed.rewrite(changed((8, 80)))
    assert "acme.example/b signed" in str(verify_audit_log(signed.log, public_key=keys).reason)
    assert verify_audit_log(signed.log, public_key=signed.public).valid


def test_a_rotated_log_is_one_tree_over_all_its_files(tmp_path: Path) -> None:
    public = create_signing_key(tmp_path / "key", "me")
    logger = AuditLogger(tmp_path / "run")
    for n in range(3):
        logger.log_event("before", n=n)
    sign_checkpoint(tmp_path / "run", tmp_path / "key")
    logger.rotate()
    logger.log_event("after")
    checkpoint = sign_checkpoint(tmp_path / "run", tmp_path / "key")
    assert checkpoint.size == 6  # the rotation adds a line to each of the two files
    for log in (logger.path, Path(f"{logger.path}.0001")):
        assert verify_audit_log(log, public_key=public).valid
        assert verify_audit_log(log, public_key=public, only_new_lines=True).valid


def test_from_a_checkpoint_only_new_lines_are_read_and_the_rest_is_said_to_be_trusted(
    signed: SignedLog,
) -> None:
    def quick() -> Any:
        return verify_audit_log(signed.log, public_key=signed.public, only_new_lines=True)

    assert quick().valid
    assert any("taken on trust" in note for note in quick().notes)
    assert any("Line 6 is the last of those that acme" in note for note in quick().notes)

    whole = signed.log.read_bytes()
    signed.log.write_bytes(whole.replace(b'"n": 2}', b'"n": 7}'))
    assert quick().valid
    assert not verify_audit_log(signed.log, public_key=signed.public).valid

    signed.log.write_bytes(whole.replace(b'"n": 7}', b'"n": 2}'))
    assert quick().first_invalid_index == 8
    signed.rewrite(changed((2, 20)))
    assert "lines 1 to 3 are not those" in str(quick().reason)
    signed.rewrite(EVENTS[:5])
    assert "1 line was removed at the end" in str(quick().reason)


def test_a_checkpoint_without_our_extension_is_held_to_all_the_same(signed: SignedLog) -> None:
    from forgelm.compliance.checkpoints import SigningKey

    key = SigningKey.parse(signed.key.read_text())
    text = "\n".join(signed.record.read_text().split("\n")[:3]) + "\n"
    foreign = Checkpoint.parse(key.sign(text))
    for quick in (False, True):
        options: Any = {"public_key": signed.public, "checkpoint": foreign}
        assert verify_audit_log(signed.log, only_new_lines=quick, **options).valid
        signed.rewrite(changed((2, 20)))
        assert not verify_audit_log(signed.log, only_new_lines=quick, **options).valid
        signed.rewrite(EVENTS)


def test_a_name_that_no_file_can_have_is_an_answer(signed: SignedLog) -> None:
    for log, checkpoint in (("a\0b", None), (signed.log, "a\0b")):
        result = verify_audit_log(log, public_key=signed.public, checkpoint=checkpoint)
        assert "null byte" in str(result.reason)


def test_what_makes_no_sense_together_is_refused(signed: SignedLog) -> None:
    with pytest.raises(ValueError, match="checkpoint needs public_key"):
        verify_audit_log(signed.log, checkpoint=signed.kept)
    with pytest.raises(ValueError, match="public_key is no key"):
        verify_audit_log(signed.log, public_key="nonsense")
    with pytest.raises(ValueError, match="public_key holds no verifier key"):
        verify_audit_log(signed.log, public_key="")
    with pytest.raises(ValueError, match="not by both"):
        verify_audit_log(
            signed.log,
            public_key=signed.public,
            only_new_lines=True,
            expected_head=verify_audit_log(signed.log),
        )
    with pytest.raises(FileNotFoundError, match="there is no audit log to sign"):
        sign_checkpoint(signed.run / "nothing", signed.key)
    with pytest.raises(ValueError, match="is no signing key"):
        sign_checkpoint(signed.run, signed.kept)


def test_a_checker_made_from_the_specifications_alone_agrees(signed: SignedLog) -> None:
    """RFC 9162, section 2.1.1; c2sp.org/tlog-checkpoint; c2sp.org/signed-note."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def tree_hash(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        half = 1 << (len(leaves) - 1).bit_length() - 1
        both = tree_hash(leaves[:half]) + tree_hash(leaves[half:])
        return hashlib.sha256(b"\1" + both).digest()

    checkpoint = sign_checkpoint(signed.run, signed.key)
    text, _, signature = checkpoint.note.partition("\n\n")
    _, size, root, *_ = text.split("\n")
    lines = signed.log.read_bytes().splitlines()
    assert base64.b64decode(root) == tree_hash(lines[: int(size)])
    name, key_id, encoded = signed.public.split("+", 2)
    public = base64.b64decode(encoded)
    dash, signer, signed_text = signature.rstrip("\n").split(" ")
    blob = base64.b64decode(signed_text)
    assert (dash, signer, blob[:4].hex()) == ("\u2014", name, key_id)
    assert hashlib.sha256(name.encode() + b"\n" + public).digest()[:4] == blob[:4]
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[4:], text.encode() + b"\n")


def test_the_note_is_plain_text_that_json_tools_can_carry(signed: SignedLog) -> None:
    note = read_checkpoints(signed.record)[0].note
    assert json.loads(json.dumps(note)) == note
    assert note.count("\n\n") == 1
