"""What happens to the files of a log under a logger that keeps them open is seen by its next event.

With group commit a logger keeps the log and its head file open between events. One without opens
them for each: so each attack is made under both, and both must end alike.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_log_page import NAME

from forgelm import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

HEAD = f"{NAME}.head"
Attack = Callable[[Path], object]


def _cut_last_line(folder: Path) -> None:
    log = folder / NAME
    os.truncate(log, log.read_bytes()[:-1].rfind(b"\n") + 1)


def _edit_last_line(folder: Path) -> None:
    log = folder / NAME
    begin = log.read_bytes()[:-1].rfind(b"\n") + 1
    with open(log, "r+b") as file:
        file.seek(begin + log.read_bytes()[begin:].index(b'"step"'))
        file.write(b'"stop"')


def _move_all_away(folder: Path) -> None:
    (folder / "away").mkdir()
    for path in folder.glob(f"{NAME}*"):
        path.rename(folder / "away" / path.name)


def _put_a_copy_in_place_of(name: str) -> Attack:
    def replace(folder: Path) -> None:
        shutil.copy(folder / name, folder / "copy")
        os.replace(folder / "copy", folder / name)

    return replace


def _put_a_link_in_place_of(name: str) -> Attack:
    def replace(folder: Path) -> None:
        (folder / name).rename(folder / "elsewhere")
        (folder / name).symlink_to(folder / "elsewhere")

    return replace


def _append(data: bytes) -> Attack:
    def append(folder: Path) -> None:
        with open(folder / NAME, "ab") as log:
            log.write(data)

    return append


def _roll_back(folder: Path) -> None:
    for path in (folder / "before").iterdir():
        shutil.copy(path, folder / path.name)


def _write_with_a_key(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGELM_AUDIT_SECRET", "not-a-real-secret")
        AuditLogger(folder, run_id="fg-000000000000").log_event("step", n=31)


ATTACKS: dict[str, Attack] = {
    "nothing": lambda _: None,
    "last line cut": _cut_last_line,
    "all lines cut": lambda folder: os.truncate(folder / NAME, 0),
    "last line edited": _edit_last_line,
    "log deleted": lambda folder: (folder / NAME).unlink(),
    "log moved": lambda folder: (folder / NAME).rename(folder / "moved"),
    "log and side files moved": _move_all_away,
    "log replaced by a copy": _put_a_copy_in_place_of(NAME),
    "log replaced by a link": _put_a_link_in_place_of(NAME),
    "log replaced by a folder": lambda folder: (folder / NAME).unlink() or (folder / NAME).mkdir(),
    "head file deleted": lambda folder: (folder / HEAD).unlink(),
    "head file spoiled": lambda folder: (folder / HEAD).write_bytes(b"x" * 8192),
    "head file replaced by a copy": _put_a_copy_in_place_of(HEAD),
    "head file replaced by a link": _put_a_link_in_place_of(HEAD),
    "half a line written": _append(b'{"timestamp": "20'),
    "a line that is no entry": _append(b"no entry\n"),
    "log and head file rolled back": _roll_back,
    "a line written with a key": _write_with_a_key,
    "the rights taken": lambda folder: (folder / NAME).chmod(0o400),
}


@pytest.mark.parametrize("secret", ["", "not-a-real-secret"])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("last_is", ["its own", "another's"])
def test_an_attack_under_an_open_logger_ends_as_under_one_that_opens_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str, secret: str, last_is: str
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", secret)
    single, grouped = (_outcome(tmp_path / kind, attack, last_is) for kind in ("single", "grouped"))
    assert grouped == single


def _outcome(folder: Path, attack: str, last_is: str) -> tuple[object, ...]:
    run_id, grouped = "fg-000000000000", folder.name == "grouped"
    logger = AuditLogger(folder, run_id=run_id, group_commit=grouped)
    for n in (1, 2):
        logger.log_event("step", n=n)
    (folder / "before").mkdir()
    for path in folder.glob(f"{NAME}*"):
        shutil.copy(path, folder / "before" / path.name)
    logger.log_event("step", n=3)
    if last_is == "another's":
        AuditLogger(folder, run_id=run_id, group_commit=grouped).log_event("step", n=30)
    ATTACKS[attack](folder)
    errors = []
    for n in (4, 5):
        try:
            logger.log_event("step", n=n)
        except AuditLogError as error:
            errors.append(str(error).replace(str(folder), ""))
    try:
        result = verify_audit_log(folder / NAME)
        lines = (folder / NAME).read_text().splitlines() if result.valid else []
    except OSError as error:
        return errors, type(error)
    return (
        errors,
        result.valid,
        result.first_invalid_index,
        [(entry["event"], entry.get("n")) for entry in map(json.loads, lines)],
    )
