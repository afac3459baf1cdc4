"""Held to a head that was kept elsewhere, a log shows what changed since; and keys change by id."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page, write_page_log

from forgelm import AuditLogger, ConfigError, VerifyResult, verify_audit_log
from forgelm.compliance import LogHead
from forgelm.errors import AuditLogError

FIRST, SECOND = "the-first-" + "secret", "the-second-" + "secret"
EVENTS = [(f"event.{n}", {"n": n}) for n in range(1, 6)]


def _rewrite(folder: Path, numbers: list[int]) -> None:
    """Replace log and side files by a whole log of other events: its own chain is sound."""
    for path in folder.iterdir():
        path.unlink()
    logger = AuditLogger(folder, "fg-1")
    for n in numbers:
        logger.log_event(f"event.{n}", n=n)


@pytest.fixture
def kept(tmp_path: Path) -> VerifyResult:
    write_page_log(tmp_path, EVENTS)
    return verify_audit_log(tmp_path / NAME)


def _forms(kept: VerifyResult) -> list[object]:
    head = kept.head
    assert head is not None
    document = json.loads(json.dumps(dataclasses.asdict(head)))
    return [kept, head, document, {"chain_head": head.chain_head, "entries_count": 5}]


def test_a_log_that_grew_still_contains_the_head_in_each_form_it_was_kept(
    tmp_path: Path, kept: VerifyResult
) -> None:
    AuditLogger(tmp_path).log_event("later")
    for form in [*_forms(kept), kept.chain_head]:
        result = verify_audit_log(tmp_path / NAME, expected_head=form)  # type: ignore[arg-type]
        assert (result.valid, result.entries_count) == (True, 6)


# what became of events 1 to 5 -> (line at fault, words); all side files fit the new log
REPLACED = {
    "lines removed at the end": ([1, 2, 3], 4, "2 lines were removed at the end since"),
    "the last line removed": ([1, 2, 3, 4], 5, "1 line was removed at the end since"),
    "a line edited": ([1, 2, 9, 4, 5], 5, "edited, removed, inserted, repeated or reordered"),
    "lines reordered": ([1, 3, 2, 4, 5], 5, "edited, removed, inserted, repeated or reordered"),
    "a line repeated": ([1, 2, 2, 3, 4, 5], 5, "edited, removed, inserted, repeated or"),
    "a line inserted": ([1, 2, 7, 3, 4, 5], 5, "edited, removed, inserted, repeated or"),
    "the last five cut and five appended": ([6, 7, 8, 9, 10], 5, "all hashes and side files"),
}


@pytest.mark.parametrize("name", REPLACED)
def test_log_and_side_files_replaced_together_are_found_by_the_head_alone(
    tmp_path: Path, kept: VerifyResult, name: str
) -> None:
    numbers, line, words = REPLACED[name]
    _rewrite(tmp_path, numbers)
    assert verify_audit_log(tmp_path / NAME).valid

    for form in _forms(kept):
        result = verify_audit_log(tmp_path / NAME, expected_head=form)  # type: ignore[arg-type]
        assert (result.valid, result.first_invalid_index) == (False, line)
        assert words in str(result.reason)

    by_hash = verify_audit_log(tmp_path / NAME, expected_head=kept.chain_head)
    assert (by_hash.valid, by_hash.first_invalid_index) == (False, None)
    assert "no line has the hash of the expected head" in str(by_hash.reason)


def test_the_whole_folder_put_back_to_an_earlier_hour_is_found(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("a")
    earlier = {path: path.read_bytes() for path in tmp_path.iterdir()}
    logger.log_event("b")
    kept = verify_audit_log(tmp_path / NAME)
    for path, content in earlier.items():
        path.write_bytes(content)
    assert verify_audit_log(tmp_path / NAME).valid
    result = verify_audit_log(tmp_path / NAME, expected_head=kept)
    assert (result.valid, result.first_invalid_index) == (False, 2)


def test_a_head_with_another_line_number_is_called_altered(
    tmp_path: Path, kept: VerifyResult
) -> None:
    head = LogHead(str(kept.chain_head), 4)
    result = verify_audit_log(tmp_path / NAME, expected_head=head)
    assert "the head is not of this log, or was altered itself" in str(result.reason)


Change = Callable[[list[bytes]], list[bytes]]

# a chain that was not made to fit says itself what was done
BROKEN: dict[str, tuple[Change, str]] = {
    "edited": (
        lambda ls: [ls[0], ls[1].replace(b'"n": 2', b'"n": 9'), *ls[2:]],
        "(no line is missing, so line 2 was edited)",
    ),
    "removed": (lambda ls: [ls[0], *ls[2:]], "(1 line is missing in all)"),
    "repeated": (lambda ls: [*ls[:3], ls[1], *ls[3:]], "(it repeats line 2)"),
    "reordered": (
        lambda ls: [ls[0], ls[2], ls[1], *ls[3:]],
        "(it belongs behind line 3: lines were reordered)",
    ),
    "inserted": (
        lambda ls: [*ls[:2], ls[2].replace(b'"n": 3', b'"n": 9'), *ls[2:]],
        "(it follows line 2: what stands between was inserted)",
    ),
    "another log behind": (lambda ls: [*ls, ls[0].replace(b'"n": 1', b'"n": 7')], "another log"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_where_the_chain_breaks_the_lines_tell_what_was_done(tmp_path: Path, name: str) -> None:
    logger = AuditLogger(tmp_path)
    for event, fields in EVENTS:
        logger.log_event(event, **fields)
    change, words = BROKEN[name]
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join(change(lines)))
    assert words in str(verify_audit_log(tmp_path / NAME).reason)


@pytest.mark.parametrize("head", ["", "abc", {"entries_count": 3}, {"chain_head": "G" * 64}])
def test_a_head_without_a_hash_is_refused(tmp_path: Path, head: object) -> None:
    with pytest.raises(ValueError, match="64 lower-case hex digits"):
        verify_audit_log(tmp_path / NAME, expected_head=head)  # type: ignore[arg-type]


def test_only_new_lines_are_read_and_the_verdict_says_so(
    tmp_path: Path, kept: VerifyResult
) -> None:
    AuditLogger(tmp_path).log_event("later")
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content.replace(b'"n": 1', b'"n": 9'))

    result = verify_audit_log(tmp_path / NAME, expected_head=kept, only_new_lines=True)

    assert (result.valid, result.entries_count) == (True, 6)
    assert "The lines before line 5 were not read" in result.notes[0]
    assert not verify_audit_log(tmp_path / NAME, expected_head=kept).valid

    (tmp_path / NAME).write_bytes(content.replace(b'"later"', b'"never"'))
    result = verify_audit_log(tmp_path / NAME, expected_head=kept, only_new_lines=True)
    assert (result.valid, result.first_invalid_index) == (False, 6)


def test_where_the_kept_line_is_gone_everything_is_read_again(
    tmp_path: Path, kept: VerifyResult
) -> None:
    _rewrite(tmp_path, [1, 2, 3])
    result = verify_audit_log(tmp_path / NAME, expected_head=kept, only_new_lines=True)
    assert (result.valid, result.first_invalid_index) == (False, 4)
    with pytest.raises(ValueError, match="only_new_lines needs expected_head"):
        verify_audit_log(tmp_path / NAME, expected_head=kept.chain_head, only_new_lines=True)


@pytest.fixture
def two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two lines under key k1, then two under k2."""
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", FIRST)
    monkeypatch.setenv("FORGELM_AUDIT_KEY_ID", "k1")
    for event in "ab":
        AuditLogger(tmp_path, "fg-1").log_event(event)
    monkeypatch.setenv("FORGELM_AUDIT_KEYS", json.dumps({"k1": FIRST}))
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECOND)
    monkeypatch.setenv("FORGELM_AUDIT_KEY_ID", "k2")
    for event in "cd":
        AuditLogger(tmp_path, "fg-1").log_event(event)
    for name in ("SECRET", "KEY_ID", "KEYS"):
        monkeypatch.delenv(f"FORGELM_AUDIT_{name}")
    return tmp_path / NAME


def test_old_lines_verify_after_the_key_was_changed(two_keys: Path) -> None:
    keys = {"k1": FIRST, "k2": SECOND}
    result = verify_audit_log(two_keys, hmac_keys=keys, require_hmac=True)
    assert (result.valid, result.entries_count, result.notes) == (True, 4, ())
    lines = [json.loads(line) for line in two_keys.read_bytes().splitlines()]
    assert [line["_kid"] for line in lines] == ["k1", "k1", "k2", "k2"]
    assert all(list(line)[-2:] == ["_kid", "_hmac"] for line in lines)


@pytest.mark.parametrize(
    ("keys", "line", "words"),
    [
        ({"k1": FIRST}, None, "MAC that does not match"),
        ({"k2": SECOND}, 1, "the key id 'k1', for which no secret was given"),
        ({"k1": SECOND, "k2": SECOND}, 1, "_hmac tag does not match"),
        ({"k1": FIRST, "k2": FIRST}, None, "MAC that does not match"),
    ],
)
def test_a_key_that_is_missing_or_another_one_is_found(
    two_keys: Path, keys: dict[str, str], line: int | None, words: str
) -> None:
    result = verify_audit_log(two_keys, hmac_keys=keys, require_hmac=True)
    assert (result.valid, result.first_invalid_index) == (False, line)
    assert words in str(result.reason)


def test_one_secret_for_the_file_suits_a_log_with_one_key_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", FIRST)
    monkeypatch.setenv("FORGELM_AUDIT_KEY_ID", "k1")
    AuditLogger(tmp_path).log_event("a", _kid="mine")
    (entry,) = check_by_the_page(tmp_path / NAME, FIRST)
    assert (entry["_kid"], entry["field__kid"]) == ("k1", "mine")
    assert verify_audit_log(tmp_path / NAME, hmac_secret=FIRST, require_hmac=True).valid


def test_the_key_id_cannot_go_back_nor_the_tags_away(
    two_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"k1": FIRST, "k2": SECOND}
    monkeypatch.setenv("FORGELM_AUDIT_KEYS", json.dumps(keys))
    monkeypatch.setenv("FORGELM_AUDIT_KEY_ID", "k1")
    AuditLogger(two_keys.parent, "fg-1").log_event("e")
    result = verify_audit_log(two_keys, hmac_keys=keys)
    assert (result.valid, result.first_invalid_index) == (False, 5)
    assert "its key id goes back to 'k1'" in str(result.reason)
    monkeypatch.delenv("FORGELM_AUDIT_KEYS")
    monkeypatch.delenv("FORGELM_AUDIT_KEY_ID")
    with pytest.raises(AuditLogError, match="is keyed"):
        AuditLogger(two_keys.parent).log_event("f")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYS", "{"),
        ("KEYS", "[]"),
        ("KEYS", '{"a b": "x"}'),
        ("KEYS", '{"k": ""}'),
        ("KEY_ID", "a b"),
        ("KEY_ID", "k9"),
    ],
)
def test_malformed_keys_are_a_config_error_that_shows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"FORGELM_AUDIT_{name}", value)
    with pytest.raises(ConfigError, match=f"FORGELM_AUDIT_{name}"):
        AuditLogger(tmp_path)
