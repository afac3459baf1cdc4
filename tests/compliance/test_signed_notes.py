"""Notes, keys and checkpoints are read and written as other programs do; all else is refused."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("cryptography")

from forgelm.compliance import Checkpoint, create_signing_key, read_checkpoints
from forgelm.compliance.checkpoints import (
    NoteError,
    SigningKey,
    UnknownSignerError,
    VerifierKey,
    open_note,
)

# The example of golang.org/x/mod/sumdb/note, which defined the format.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+" + "KEY+PeterNeumann+c74f20a3+" + "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
NOTE = TEXT + (
    "\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
    "qdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example of c2sp.org/tlog-witness.
CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zh"
    "cyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def test_a_note_of_the_first_implementation_is_verified_and_written_byte_for_byte() -> None:
    assert open_note(NOTE, [VerifierKey.parse(PUBLIC)]) == (TEXT, VerifierKey.parse(PUBLIC))
    key = SigningKey.parse(PRIVATE)
    assert (str(key.verifier), key.to_text(), key.sign(TEXT)) == (PUBLIC, PRIVATE, NOTE)


def test_the_key_id_is_that_of_the_specification() -> None:
    public = "e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4"
    assert VerifierKey("example.com/foo", bytes.fromhex(public)).key_id.hex() == "530d903a"


def test_the_checkpoint_of_the_specification_is_read() -> None:
    checkpoint = Checkpoint.parse(CHECKPOINT)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20852163
    assert checkpoint.root == "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert (checkpoint.signed_at, checkpoint.head) == (None, None)


def test_a_key_is_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    public = create_signing_key(path, "acme.example/audit")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(SigningKey.parse(path.read_text()).verifier) == public
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_signing_key(path, "acme.example/audit")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\0b", "x" * 201])
def test_a_name_that_a_signature_line_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a key's name must have"):
        create_signing_key(tmp_path / "key", name)
    assert not (tmp_path / "key").exists()


def test_any_part_of_a_verifier_key_is_no_key() -> None:
    for begin in range(len(PUBLIC)):
        for end in (len(PUBLIC), len(PUBLIC) - 1):
            if (begin, end) != (0, len(PUBLIC)):
                with pytest.raises(NoteError):
                    VerifierKey.parse(PUBLIC[begin:end])


@pytest.mark.parametrize("place", range(len(PUBLIC)))
def test_any_changed_character_of_a_verifier_key_is_seen(place: int) -> None:
    changed = PUBLIC[:place] + chr(ord(PUBLIC[place]) + 1) + PUBLIC[place + 1 :]
    with pytest.raises(NoteError):
        VerifierKey.parse(changed)


def test_a_signing_key_that_cannot_be_used_is_refused_without_showing_it() -> None:
    for broken in (PRIVATE[:-4], PRIVATE.replace("PeterN", "PeterM"), PUBLIC, "", "\0" * 99):
        with pytest.raises(NoteError) as refused:
            SigningKey.parse(broken)
        assert "AYEKFALVFG" not in str(refused.value)


def test_signatures_of_others_are_ignored_and_a_wrong_one_of_a_known_key_is_not() -> None:
    mine, other = SigningKey.generate("me"), SigningKey.generate("other")
    block = other.sign(TEXT).removeprefix(TEXT + "\n")
    both = mine.sign(TEXT) + block
    assert open_note(both, [mine.verifier])[1] == mine.verifier
    assert open_note(both, [other.verifier])[1] == other.verifier
    with pytest.raises(UnknownSignerError, match="not signed with a key that was given"):
        open_note(both, [VerifierKey.parse(PUBLIC)])

    wrong = other.sign("something else\n").removeprefix("something else\n\n")
    with pytest.raises(NoteError, match="other that does not hold"):
        open_note(mine.sign(TEXT) + wrong, [mine.verifier, other.verifier])


def test_a_signature_of_a_name_with_another_key_is_not_taken_for_that_names() -> None:
    real, forged = SigningKey.generate("acme"), SigningKey.generate("acme")
    with pytest.raises(UnknownSignerError):
        open_note(forged.sign(TEXT), [real.verifier])


MALFORMED_NOTES = {
    "no signature": TEXT,
    "no empty line": NOTE.replace("\n\n", "\n"),
    "an empty block": TEXT + "\n",
    "no newline at the end": NOTE[:-1],
    "another dash": NOTE.replace("\u2014", "-"),
    "no name": NOTE.replace("\u2014 PeterNeumann", "\u2014 "),
    "two spaces": NOTE.replace("PeterNeumann ", "PeterNeumann  "),
    "base64 cut": NOTE.replace("AM=\n", "AM\n"),
    "base64 of another alphabet": NOTE.replace("/", "_"),
    "base64 with bits left over": NOTE.replace("AM=\n", "AN=\n"),
    "a signature of four bytes": TEXT + "\n\u2014 PeterNeumann x08gow==\n",
    "CRLF": NOTE.replace("\n", "\r\n"),
    "a NUL": NOTE.replace("think", "th\0nk"),
    "a lone surrogate": NOTE.replace("think", "th\udc80nk"),
    "text behind the signatures": NOTE + "more\n",
    "a hundred and one signatures": NOTE + NOTE.removeprefix(TEXT + "\n") * 100,
    "two megabytes": "x" * 2_000_000 + NOTE,
    "": "",
}


@pytest.mark.parametrize("name", MALFORMED_NOTES)
def test_a_malformed_note_is_refused_with_a_reason(name: str) -> None:
    with pytest.raises(NoteError):
        open_note(MALFORMED_NOTES[name], [VerifierKey.parse(PUBLIC)])


def _as_checkpoint(text: str) -> str:
    return text + "\n\u2014 me " + base64.b64encode(bytes(68)).decode() + "\n"


ROOT = base64.b64encode(bytes(32)).decode()
MALFORMED_CHECKPOINTS = {
    "no root": "o\n1\n",
    "no origin": f"\n1\n{ROOT}\n",
    "a leading zero": f"o\n01\n{ROOT}\n",
    "a sign": f"o\n+1\n{ROOT}\n",
    "other digits": f"o\n\u0661\n{ROOT}\n",
    "a huge number": f"o\n{'9' * 5000}\n{ROOT}\n",
    "a short root": f"o\n1\n{ROOT[:-4]}\n",
    "an empty extension": f"o\n1\n{ROOT}\n\nx\n",
    "an extension of ours that is no JSON": f"o\n1\n{ROOT}\nforgelm-log {{\n",
    "an extension of ours, nested deep": f"o\n1\n{ROOT}\nforgelm-log {'[' * 100_000}\n",
    "an extension of ours that is a list": f"o\n1\n{ROOT}\nforgelm-log []\n",
    "an extension of ours for another size": (
        f'o\n1\n{ROOT}\nforgelm-log {{"signed_at": "2026-11-22", "chain_head": "{"0" * 64}", '
        '"entries_count": 2, "size_bytes": 9, "last_line_bytes": 9}\n'
    ),
    "an extension of ours with a wrong type": (
        f'o\n1\n{ROOT}\nforgelm-log {{"signed_at": "2026-11-22", "chain_head": "{"0" * 64}", '
        '"entries_count": 1, "size_bytes": "9", "last_line_bytes": 9}\n'
    ),
    "an extension of ours with a made-up time": (
        f'o\n1\n{ROOT}\nforgelm-log {{"signed_at": "\\u001b[2J", "chain_head": "{"0" * 64}", '
        '"entries_count": 1, "size_bytes": 9, "last_line_bytes": 9}\n'
    ),
}


@pytest.mark.parametrize("name", MALFORMED_CHECKPOINTS)
def test_a_malformed_checkpoint_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    note = _as_checkpoint(MALFORMED_CHECKPOINTS[name])
    with pytest.raises(ValueError, match=r"is no |has a "):
        Checkpoint.parse(note)
    (tmp_path / "notes").write_text(note, "utf-8", newline="")
    with pytest.raises(ValueError, match="notes: it "):
        read_checkpoints(tmp_path / "notes")


def test_a_file_of_checkpoints_is_read_in_order(tmp_path: Path) -> None:
    notes = [_as_checkpoint(f"o\n{size}\n{ROOT}\nanything else\n") for size in (1, 5, 9)]
    (tmp_path / "notes").write_text("\n".join(notes), "utf-8")
    found = read_checkpoints(tmp_path / "notes")
    assert [(each.size, each.note) for each in found] == list(zip((1, 5, 9), notes, strict=True))


@given(
    st.binary(max_size=400)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
@example(CHECKPOINT.encode().replace(b"\xe2\x80\x94", b"\xff"))
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_of_checkpoints_holds_the_answer_is_a_reason(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-notes"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="any-notes: it "):
        read_checkpoints(path)


@given(st.integers(0, len(CHECKPOINT) - 1), st.characters())
@settings(max_examples=150, deadline=None)
def test_a_note_with_one_character_changed_is_never_taken_for_the_signed_one(
    place: int, character: str
) -> None:
    key = SigningKey.parse(PRIVATE)
    note = key.sign(CHECKPOINT.partition("\n\n")[0] + "\n")
    place %= len(note)
    changed = note[:place] + character + note[place + 1 :]
    if changed != note:
        with pytest.raises(NoteError):
            open_note(changed, [key.verifier])
