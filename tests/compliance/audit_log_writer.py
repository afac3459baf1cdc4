"""Log events from this process: `python audit_log_writer.py FOLDER FIRST COUNT [KIND]`.

KIND is `single` or `grouped`, how events are flushed. With `held`, take the lock of the log, say
so, and keep it until standard input ends.
"""

from __future__ import annotations

import fcntl
import sys

from forgelm.compliance import AuditLogger


def main(folder: str, first: int, count: int, kind: str) -> None:
    logger = AuditLogger(folder, group_commit=kind == "grouped")
    if kind == "held":
        with open(logger.path, "ab") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            print("held", flush=True)
            sys.stdin.read()
        return
    for n in range(first, first + count):
        logger.log_event("step", n=n)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "".join(sys.argv[4:]))
