"""Somebody without the log checks one line of it, or that it only grew."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from audit_log_page import NAME, write_page_log

pytest.importorskip("cryptography")

from forgelm.compliance import (
    Checkpoint,
    ConsistencyProof,
    InclusionProof,
    consistency_proof,
    create_signing_key,
    inclusion_proof,
    sign_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from forgelm.errors import AuditLogError

EVENTS = [(f"event.{n}", {"n": n}) for n in range(1, 12)]
ALL, OLD = 11, 6


@dataclass
class Signed:
    run: Path
    lines: list[bytes]
    old: Checkpoint
    new: Checkpoint
    public: str


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("proofs")
    public = create_signing_key(folder / "key", "acme.example/audit")
    run = folder / "run"
    run.mkdir()
    write_page_log(run, EVENTS[:OLD])
    old = sign_checkpoint(run, folder / "key")
    log = write_page_log(run, EVENTS)
    new = sign_checkpoint(run, folder / "key")
    return Signed(run, log.read_bytes().splitlines(), old, new, public)


def test_every_line_is_proved_by_line_proof_and_checkpoint_alone(signed: Signed) -> None:
    for number, line in enumerate(signed.lines, 1):
        proof = inclusion_proof(signed.run, number)
        carried = InclusionProof(**json.loads(json.dumps(dataclasses.asdict(proof))))
        for text in (line, line.decode(), line + b"\n"):
            assert verify_inclusion(text, carried, signed.new, signed.public).valid


def test_a_proof_for_an_earlier_checkpoint_is_made_from_the_log_as_it_is_now(
    signed: Signed,
) -> None:
    proof = inclusion_proof(signed.run, 2, signed.old.size)
    record = signed.run / f"{NAME}.checkpoints"
    for checkpoint in (signed.old, record):
        assert verify_inclusion(signed.lines[1], proof, checkpoint, signed.public).valid
    answer = verify_inclusion(signed.lines[1], proof, signed.new, signed.public)
    assert answer.reason == "the proof is for 6 lines, and no checkpoint is of so many"


def test_another_line_or_another_place_is_not_proved(signed: Signed) -> None:
    proof = inclusion_proof(signed.run, 4)
    changed = signed.lines[3].replace(b'"n": 4', b'"n": 5')
    for line in (changed, signed.lines[4], b"", "\udcff"):
        answer = verify_inclusion(line, proof, signed.new, signed.public)
        assert not answer.valid
        assert "this is not line 4 of the 11 lines that were signed" in str(answer.reason)
    moved = dataclasses.replace(proof, line=3)
    assert not verify_inclusion(signed.lines[3], moved, signed.new, signed.public).valid


def test_growth_is_proved_by_two_checkpoints_and_the_proof_alone(signed: Signed) -> None:
    proof = consistency_proof(signed.run, OLD)
    carried = ConsistencyProof(**json.loads(json.dumps(dataclasses.asdict(proof))))
    assert verify_consistency(signed.old, signed.new, carried, signed.public).valid
    shorter = dataclasses.replace(proof, hashes=proof.hashes[1:])
    answer = verify_consistency(signed.old, signed.new, shorter, signed.public)
    assert "did not grow from the one of 6" in str(answer.reason)


def test_growth_of_a_log_that_was_rewritten_in_between_has_no_proof(
    signed: Signed, tmp_path: Path
) -> None:
    public = create_signing_key(tmp_path / "key", "me")
    write_page_log(tmp_path, EVENTS[:OLD])
    old = sign_checkpoint(tmp_path, tmp_path / "key", out=tmp_path / "first")
    write_page_log(tmp_path, [EVENTS[0], ("other", {}), *EVENTS[2:]])
    new = sign_checkpoint(tmp_path, tmp_path / "key", out=tmp_path / "second")
    for run in (tmp_path, signed.run):
        proof = consistency_proof(run, OLD)
        assert not verify_consistency(old, new, proof, public).valid


def test_checkpoints_of_different_logs_or_of_another_signer_are_told_apart(
    signed: Signed, tmp_path: Path
) -> None:
    public = create_signing_key(tmp_path / "key", "me")
    write_page_log(tmp_path, [("other", {"n": n}) for n in range(OLD)])
    other = sign_checkpoint(tmp_path, tmp_path / "key")
    proof = consistency_proof(signed.run, OLD)
    keys = f"{signed.public}\n{public}"
    assert "different logs" in str(verify_consistency(other, signed.new, proof, keys).reason)
    answer = verify_consistency(signed.old, signed.new, proof, public)
    assert str(answer.reason).startswith("the checkpoint is not signed with a key that was given")


HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    ("line", "size", "hashes"),
    [
        (0, 11, [HASH]),
        (12, 11, [HASH]),
        (1, 1 << 80, [HASH]),
        ("1", 11, [HASH]),
        (True, 11, [HASH]),
        (1, 11, HASH),
        (1, 11, [HASH] * 65),
        (1, 11, [7]),
        (1, 11, ["AAAA"]),
        (1, 11, ["\ud800"]),
        (1, 11, None),
        (1, None, [HASH]),
    ],
)
def test_a_malformed_proof_is_an_answer(
    signed: Signed, line: object, size: object, hashes: object
) -> None:
    proof = InclusionProof(line, size, hashes)  # type: ignore[arg-type]
    answer = verify_inclusion(b"x", proof, signed.new, signed.public)
    assert answer.reason == "the proof is malformed"
    growth = ConsistencyProof(line, size, hashes)  # type: ignore[arg-type]
    assert not verify_consistency(signed.old, signed.new, growth, signed.public).valid


def test_lines_that_do_not_exist_and_altered_logs_are_not_proved(
    signed: Signed, tmp_path: Path
) -> None:
    for line, size in ((0, None), (12, None), (7, 6), (12, 12)):
        with pytest.raises(ValueError, match=r"line must be from 1|has 11 lines, not 12"):
            inclusion_proof(signed.run, line, size)
    with pytest.raises(ValueError, match="old_size must be from 1 to 11; got 12"):
        consistency_proof(signed.run, 12)
    log = write_page_log(tmp_path, EVENTS)
    log.write_bytes(log.read_bytes().replace(b'"n": 5', b'"n": 6'))
    for size in (None, 3):
        with pytest.raises(AuditLogError, match="is altered, so nothing is proved with it"):
            inclusion_proof(tmp_path, 1, size)
