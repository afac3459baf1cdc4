"""Saying whether a log is whole and unaltered, over all the files it was rotated into."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from forgelm.compliance.audit_log import (
    SECRET_VARIABLE,
    Expected,
    KeyRing,
    Link,
    LogHead,
    LongLine,
    Snapshot,
    UnreadableError,
    Verification,
    VerifyResult,
    Walk,
    change_since,
    link_of,
    read_at,
    read_expected,
    snapshot_of,
)
from forgelm.compliance.checkpoints import (
    CheckpointScan,
    CheckpointSource,
    KeySource,
    find_signed,
    newest_head,
    scan_for,
)

__all__ = ["verify_audit_log", "verify_lines"]

_MAX_PARTS = 10_000


def verify_audit_log(
    path: str | os.PathLike[str],
    *,
    hmac_secret: str | None = None,
    require_hmac: bool = False,
    hmac_keys: Mapping[str, str] | None = None,
    expected_head: Expected | None = None,
    only_new_lines: bool = False,
    public_key: KeySource | None = None,
    checkpoint: CheckpointSource | None = None,
) -> VerifyResult:
    """Say whether a log is whole and unaltered, and if not, what is wrong and where.

    A log that was rotated is followed through its earlier files, which must lie beside it.

    Args:
        path: The log file. The files beside it are read when they are there.
        hmac_secret: The secret the tags were made with; `FORGELM_AUDIT_SECRET` when not given.
        require_hmac: Every line must carry a tag that matches; without a secret nothing passes.
        hmac_keys: Secrets by key id, for a log whose key was changed; "" is the key id of lines
            that name none. `FORGELM_AUDIT_KEYS` when not given.
        expected_head: What was kept elsewhere of an earlier result: itself, its `head` (or that as
            a mapping) or its `chain_head`. The log must still contain that line at that place.
        only_new_lines: Read only what came after `expected_head` or the newest checkpoint. The
            lines before it are taken on trust: the last of them is compared, changes to the
            others are not seen.
        public_key: The verifier key of who signs checkpoints of the log, or a file of such keys.
            The log must then have a signed checkpoint, and still be what was signed.
        checkpoint: The checkpoint to hold it to, or a file of some, best kept where the log's
            writers cannot write; `<path>.checkpoints` when not given.

    Returns:
        The verdict; a missing, empty or malformed log is one, too.

    Raises:
        OSError: The log or a file beside it cannot be read, or is no regular file.
        ValueError: `expected_head` holds no hash, `public_key` is no key or missing for a
            `checkpoint`, or `only_new_lines` has nothing to go by.
    """
    keys = KeyRing.for_verifying(hmac_secret, hmac_keys)
    expected = None if expected_head is None else read_expected(expected_head)
    signed = find_signed(Path(path), checkpoint, public_key)
    _refuse_contradictions(expected, only_new_lines, signed=public_key is not None)
    if isinstance(signed, str):
        return _invalid(signed)
    if require_hmac and not keys:
        return _invalid(
            "require_hmac is set, but there is no secret to check the tags with: pass hmac_secret= "
            f"or set {SECRET_VARIABLE}; with several keys pass hmac_keys="
        )
    check = _Check(Path(path), Walk(keys, require_hmac), expected, scan_for(signed, Path(path)))
    return check.run((expected or newest_head(signed)) if only_new_lines else None)


def verify_lines(
    log: Path, on_line: Callable[[bytes | LongLine], None] | None = None
) -> VerifyResult:
    """Verify a log, with the environment's secrets, and hand on each line that stands up."""
    walk = Walk(KeyRing.for_verifying(None, None), False, on_line=on_line)
    return _Check(log, walk).run()


def _refuse_contradictions(expected: LogHead | None, only_new_lines: bool, *, signed: bool) -> None:
    if only_new_lines and not signed and (expected is None or not expected.size_bytes):
        raise ValueError("only_new_lines needs expected_head to be an earlier result or its head")
    if only_new_lines and signed and expected is not None:
        raise ValueError("only_new_lines goes by expected_head or by a checkpoint, not by both")


class _Check:
    """All files of a log, from the oldest, against what was kept elsewhere."""

    def __init__(
        self,
        log: Path,
        walk: Walk,
        expected: LogHead | None = None,
        scan: CheckpointScan | None = None,
    ) -> None:
        self._log = log
        self._scan = scan
        wanted = expected.chain_head if expected else None
        self._walk = dataclasses.replace(walk, wanted=wanted)
        self._expected = expected
        self._found_at = 0

    def run(self, trusted: LogHead | None = None) -> VerifyResult:
        """Walk over everything, or over what came after `trusted` where it still is there."""
        try:
            with snapshot_of(self._log, self._walk.keys) as newest:
                result = None if trusted is None else self.new_lines(newest, trusted)
                result = result or self.everything(newest)
            return self.personal_data(self._held_to_checkpoints(result))
        except UnreadableError as problem:
            return _invalid(str(problem))

    def everything(self, newest: Snapshot) -> VerifyResult:
        if self._scan is not None:
            self._walk = dataclasses.replace(self._walk, on_line=self._scan.accept)
        parts = self._parts(newest)
        begin: LogHead | None = None
        notes: list[str] = []
        for number, (log, link) in enumerate(parts):
            problem = _link_problem(link, begin)
            if problem:
                return _invalid(f"{log}: line 1: {problem}")
            result = self._one(newest if number == len(parts) - 1 else log, begin)
            if not result.valid:
                rotated = len(parts) > 1 and result.reason
                return _restated(result, f"{log.name}: {result.reason}") if rotated else result
            begin = _turned(result.head)
            if number < len(parts) - 1:
                notes += [f"{log.name}: {note}" for note in result.notes]
        return self._held_to_expected(_noted(result, notes))

    def new_lines(self, newest: Snapshot, expected: LogHead) -> VerifyResult | None:
        """Walk over what came after `expected`; None where that is not in its place."""
        line = read_at(
            newest.descriptor,
            expected.last_line_bytes,
            expected.size_bytes - expected.last_line_bytes,
        )
        if hashlib.sha256(line[:-1]).hexdigest() != expected.chain_head:
            return None
        self._found_at = expected.entries_count
        result = self._one(newest, expected)
        if not result.valid:
            return result
        return _noted(
            result,
            [
                f"The lines before line {expected.entries_count} were not read: that they are as "
                "they were then is taken on trust."
            ],
        )

    def personal_data(self, result: VerifyResult) -> VerifyResult:
        """Add what became of the personal data that valid lines commit to."""
        if not result.valid:
            return result
        states = self._walk.commitments.states(self._log)
        altered = [name for name, state in states.items() if state == "altered"]
        if altered:
            return _restated(
                result,
                f"{len(altered)} of the personal values beside the log do not match what its lines "
                f"commit to (the first: {altered[0]}): they were edited",
            )
        return _noted(result, [], states) if states else result

    def _one(self, log: Path | Snapshot, begin: LogHead | None) -> VerifyResult:
        if isinstance(log, Path):
            with snapshot_of(log, self._walk.keys) as snapshot:
                return self._one(snapshot, begin)
        verification = Verification(log, dataclasses.replace(self._walk, begin=begin))
        result = verification.run()
        self._found_at = self._found_at or verification.found_at
        return result

    def _parts(self, newest: Snapshot) -> list[tuple[Path, Link | None]]:
        """Return the files of the log and what each says it continues, the oldest first."""
        link = _said_by(newest)
        parts: list[tuple[Path, Link | None]] = [(newest.log, link)]
        while link is not None:
            if len(parts) >= _MAX_PARTS:
                raise UnreadableError(f"{link.path}: it continues more files than can be followed")
            if not link.path.exists():
                raise UnreadableError(
                    f"{link.path.name}, which {parts[-1][0].name} continues, is not beside it"
                )
            with snapshot_of(link.path, self._walk.keys) as snapshot:
                link = _said_by(snapshot)
            parts.append((snapshot.log, link))
        return parts[::-1]

    def _held_to_expected(self, result: VerifyResult) -> VerifyResult:
        expected = self._expected
        if expected is None:
            return result
        change = change_since(expected, self._found_at, result.entries_count)
        if change is None:
            return result
        line, problem = change
        where = f"line {line}: " if line is not None and line <= result.entries_count else ""
        return _restated(result, where + problem, line)

    def _held_to_checkpoints(self, result: VerifyResult) -> VerifyResult:
        if self._scan is None:
            return result
        change = self._scan.change() if result.valid else None
        if change is None:
            return _noted(result, self._scan.notes())
        line, problem = change
        where = f"line {line}: " if line is not None and line <= result.entries_count else ""
        return _restated(result, where + problem, line)


def _said_by(snapshot: Snapshot) -> Link | None:
    """Return what a file says that it continues."""
    link = link_of(snapshot.log, snapshot.descriptor)
    if isinstance(link, str):
        raise UnreadableError(f"{snapshot.log}: line 1: {link}")
    return link


def _invalid(reason: str) -> VerifyResult:
    return VerifyResult(valid=False, reason=reason)


def _turned(head: LogHead | None) -> LogHead | None:
    """Return where the file after the one that ends at `head` begins."""
    if head is None:
        return None
    return dataclasses.replace(
        head, earlier_entries=head.entries_count, size_bytes=0, last_line_bytes=0
    )


def _link_problem(link: Link | None, begin: LogHead | None) -> str | None:
    if link is None or begin is None:
        return None
    if (link.chain_head, link.entries) == (begin.chain_head, begin.entries_count):
        return None
    return (
        f"it continues {link.path.name} after line {link.entries}, which is not how that file "
        "ends: lines were removed there, or one of the files was replaced"
    )


def _noted(
    result: VerifyResult, notes: list[str], states: Mapping[str, str] | None = None
) -> VerifyResult:
    return VerifyResult(
        result.valid,
        result.entries_count,
        result.first_invalid_index,
        result.reason,
        last_hash=result.chain_head,
        remarks=(*notes, *result.notes),
        has_head=result.anchored,
        end=result.head,
        commitments=states,
    )


def _restated(result: VerifyResult, reason: str, line: int | None = None) -> VerifyResult:
    """Return an invalid result like `result`."""
    contradicted = result.valid
    return VerifyResult(
        False,
        result.entries_count,
        line if contradicted else result.first_invalid_index,
        reason,
        last_hash=None if contradicted else result.chain_head,
        remarks=result.notes,
        has_head=result.anchored,
    )
