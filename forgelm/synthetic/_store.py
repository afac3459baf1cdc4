"""The rows on disk and the journal beside them: nothing lost by a kill, nothing asked twice.

A row is appended to the output and flushed to the disk before the journal names it. After a kill
the output may so be one row ahead of the journal, never behind: that row is taken over, half a row
is cut off.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from forgelm._core import sync_folder
from forgelm.errors import DataError
from forgelm.synthetic._rows import pair_of_row
from forgelm.synthetic._seeds import Seed
from forgelm.synthetic._teachers import Answer

__all__ = ["KEPT", "RowStore"]

KEPT = "kept"
_FORMAT = 1


class RowStore:
    """The output file and its journal, held by one process at a time.

    Args:
        output: The file of rows; its folder is made.
        settings: What must be the same for a later call to go on. It holds no secret.
        overwrite: Begin anew, whatever is there.
        durable: Wait for the disk after each row; otherwise once, at the end.

    Raises:
        DataError: The file is not ours, was altered, or belongs to other settings.
        OSError: It cannot be written.
    """

    def __init__(
        self, output: Path, settings: Mapping[str, Any], *, overwrite: bool, durable: bool
    ) -> None:
        self.output = output
        self.journal = output.with_name(f"{output.name}.journal")
        self.outcomes: dict[str, str] = {}
        self.tokens: Counter[str] = Counter()
        self.started_at: str | None = None
        self._durable = durable
        for path in (output, self.journal):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise DataError(f"{path} is a link or no regular file; name another output_file.")
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.exists() and not self.journal.exists() and not overwrite:
            raise DataError(
                f"{output} exists and has no journal beside it, so it was not begun by this "
                "generator. Name another output_file, or allow it to be overwritten."
            )
        self._journal = open(self.journal, "a+b")  # noqa: SIM115 - closed by `close`
        try:
            _lock(self._journal, output)
            if overwrite:
                self._journal.truncate(0)
                output.unlink(missing_ok=True)
            self._output = open(output, "a+b")  # noqa: SIM115 - closed by `close`
        except BaseException:
            self._journal.close()
            raise
        try:
            self._resume(dict(settings))
        except BaseException:
            self.close()
            raise

    def begin(self, now: str, settings: Mapping[str, Any]) -> None:
        """Write the journal's first line, unless an earlier call did."""
        if self.started_at is None:
            self.started_at = now
            head = {"format": _FORMAT, "started_at": now, "settings": dict(settings)}
            self._note(head)
            os.fsync(self._journal.fileno())
            sync_folder(self.output.parent)

    def keep(self, seed: Seed, answer: Answer, row: Mapping[str, Any]) -> None:
        """Put a row on the disk; on return it is there, if the store is durable."""
        self._output.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
        self._output.flush()
        if self._durable:
            os.fsync(self._output.fileno())
        self._record(seed.key, KEPT, answer)

    def reject(self, seed: Seed, answer: Answer, reason: str) -> None:
        """Remember that the answer to a prompt was not kept, so that it is not asked again."""
        self._record(seed.key, reason, answer)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield prompt and answer of every row on disk."""
        self._output.seek(0)
        for line in self._output:
            pair = pair_of_row(json.loads(line))
            if pair is not None:
                yield pair

    def close(self) -> None:
        """Close both files, which also lets other processes at them."""
        try:
            with self._output:
                self._output.flush()
                os.fsync(self._output.fileno())
        finally:
            self._journal.close()

    def _record(self, key: str, outcome: str, answer: Answer) -> None:
        self.outcomes[key] = outcome
        entry = {
            "prompt": key,
            "outcome": outcome,
            "tokens": [answer.prompt_tokens, answer.completion_tokens],
            "size_bytes": self._output.seek(0, os.SEEK_END),
        }
        self._count_tokens(entry["tokens"])
        self._note(entry)

    def _note(self, entry: Mapping[str, Any]) -> None:
        self._journal.write(json.dumps(entry).encode() + b"\n")
        self._journal.flush()

    def _count_tokens(self, tokens: Any) -> None:
        for name, count in zip(("prompt", "completion"), tokens, strict=True):
            self.tokens[name] += count or 0

    def _resume(self, settings: dict[str, Any]) -> None:
        self._journal.seek(0)
        size, good = 0, 0
        before: dict[str, Any] = settings
        for number, line in enumerate(self._journal, 1):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
                if number == 1:
                    before, self.started_at = dict(entry["settings"]), str(entry["started_at"])
                else:
                    self.outcomes[str(entry["prompt"])] = str(entry["outcome"])
                    self._count_tokens(entry["tokens"])
                    size = int(entry["size_bytes"])
            except (ValueError, TypeError, LookupError, RecursionError):
                told = f"line {number} of {self.journal.name} is none of ours"
                raise self._altered(told) from None
            good += len(line)
        _check_settings(self.output, before, settings)
        self._journal.truncate(good)
        self._adopt(size)

    def _adopt(self, size: int) -> None:
        """Take over rows that the journal does not name yet; cut off half a row."""
        there = self._output.seek(0, os.SEEK_END)
        if there < size:
            raise self._altered(f"it has {there} bytes and the journal counted {size}")
        if there and self.started_at is None:
            raise self._altered(f"{self.journal.name} is empty")
        self._output.seek(size)
        found: list[tuple[str, int]] = []
        for line in self._output:
            if not line.endswith(b"\n"):
                self._output.truncate(size)
                break
            size += len(line)
            found.append((self._prompt_of(line), size))
        for prompt, end in found:
            self._adopted(prompt, end)

    def _prompt_of(self, line: bytes) -> str:
        pair = None
        with suppress(ValueError, RecursionError):
            pair = pair_of_row(json.loads(line))
        if pair is None:
            raise self._altered("rows of another form were added at its end")
        return pair[0]

    def _adopted(self, prompt: str, size: int) -> None:
        key = Seed(prompt, "").key
        self.outcomes[key] = KEPT
        entry = {"prompt": key, "outcome": KEPT, "tokens": [None, None], "size_bytes": size}
        self._note(entry)

    def _altered(self, how: str) -> DataError:
        return DataError(
            f"{self.output} was altered since it was begun: {how}. Put it back, or allow it to be "
            "overwritten."
        )


def _check_settings(output: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    different = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if different:
        raise DataError(
            f"{output} was begun with another {', '.join(different)}: rows of two teachers would "
            "be mixed. Name another output_file, or allow it to be overwritten."
        )


def _posix_lock() -> Callable[[BinaryIO], None] | None:
    try:
        import fcntl
    except ImportError:
        return None
    return lambda stream: fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock(stream: BinaryIO, output: Path) -> None:
    """Hold the journal for this process; the lock ends with the process, however that ends."""
    lock = _posix_lock()
    if lock is None:
        return
    try:
        lock(stream)
    except BlockingIOError:
        raise DataError(f"{output} is being written by another process; wait for it.") from None
