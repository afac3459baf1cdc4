"""Leaving a checkpoint where those who can write the log cannot: elsewhere, or with a time stamp.

Source: RFC 3161 (time-stamp protocol over HTTP, section 3.4).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from forgelm._core import post, require, without_secrets
from forgelm.compliance.audit_log import create_durably, open_regular, read_at
from forgelm.compliance.checkpoints import Checkpoint
from forgelm.compliance.signing._sign_checkpoint import append_note
from forgelm.errors import RemoteError

__all__ = ["TimestampResult", "anchor_checkpoint", "timestamp_checkpoint", "verify_timestamp"]

_FEATURE = "Time-stamping a checkpoint"
_MAX_ANSWER_BYTES = 256 * 1024


@dataclass(frozen=True)
class TimestampResult:
    """What `verify_timestamp` found.

    Attributes:
        valid: The authority stamped this checkpoint.
        reason: What is wrong, in one sentence; None when valid.
        stamped_at: When it did, as the authority says; None when not valid.
    """

    valid: bool
    reason: str | None = None
    stamped_at: datetime | None = None


def anchor_checkpoint(
    checkpoint: Checkpoint,
    target: str | os.PathLike[str],
    *,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    deadline_s: float = 10.0,
) -> None:
    """Copy a checkpoint to where the log's writers cannot change it.

    Args:
        checkpoint: From `sign_checkpoint`.
        target: A file that it is appended to, or an http(s) URL that it is posted to as text.
        headers: For a URL: more headers, for example an Authorization.
        allow_private: For a URL: also post to this machine and to private networks.
        deadline_s: For a URL: seconds for everything together.

    Raises:
        OptionalDependencyError: The `anchor` extra is not installed.
        ValueError: The URL cannot be used.
        RemoteError: The server refused it or cannot be reached; an OSError.
        OSError: The file cannot be written.
    """
    where = os.fspath(target)
    if "://" not in where:
        append_note(Path(where), checkpoint.note)
        return
    answer = post(
        where,
        checkpoint.note.encode(),
        content_type="text/plain; charset=utf-8",
        headers=headers,
        deadline_s=deadline_s,
        allow_private=allow_private,
    )
    _refuse_failure(answer.status, where)


def timestamp_checkpoint(
    checkpoint: Checkpoint,
    url: str,
    out: str | os.PathLike[str],
    *,
    allow_private: bool = False,
    deadline_s: float = 30.0,
) -> datetime:
    """Have a time-stamping authority stamp a checkpoint; return the time it says.

    The authority sees a hash, nothing of the log. Nobody has checked its certificate yet: see
    `verify_timestamp`.

    Args:
        checkpoint: From `sign_checkpoint`.
        url: Where the authority takes requests.
        out: The new file for its answer (.tsr); nothing is overwritten.
        allow_private: Also ask this machine and private networks.
        deadline_s: Seconds for everything together.

    Raises:
        OptionalDependencyError: The `anchor` extra is not installed.
        ValueError: The URL cannot be used.
        FileExistsError: There is something at `out`.
        RemoteError: The authority did not stamp it; an OSError.
        OSError: The file cannot be written.
    """
    client = _client()
    target = Path(out)
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists already, and no time stamp is overwritten")
    request = (
        client.TimestampRequestBuilder()
        .data(checkpoint.note.encode())
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .build()
    )
    answer = post(
        url,
        request.as_bytes(),
        content_type="application/timestamp-query",
        deadline_s=deadline_s,
        max_body_bytes=_MAX_ANSWER_BYTES,
        allow_private=allow_private,
    )
    _refuse_failure(answer.status, url)
    stamped_at = _stamped_at(answer.body, request, url)
    create_durably(target, answer.body)
    return stamped_at


def _stamped_at(body: bytes, request: Any, url: str) -> datetime:
    """Return the time in an answer to `request`, whose certificate is not checked here."""
    try:
        response = _client().decode_timestamp_response(body)
        info = response.tst_info
        fits = (
            response.status == 0
            and info.nonce == request.nonce
            and info.message_imprint.message == request.message_imprint.message
        )
        stamped_at: datetime = info.gen_time
    except Exception as error:  # noqa: BLE001 - the parser raises whatever it meets
        raise RemoteError(
            f"{without_secrets(url)}: the answer is no time stamp ({str(error)[:200]})"
        ) from None
    if not fits:
        raise RemoteError(f"{without_secrets(url)}: the time stamp is not of what was asked for")
    return stamped_at


def verify_timestamp(
    checkpoint: Checkpoint,
    timestamp: str | os.PathLike[str],
    roots: str | os.PathLike[str],
) -> TimestampResult:
    """Say whether an authority stamped a checkpoint, and when: it existed by then.

    Args:
        checkpoint: What was stamped.
        timestamp: The file that `timestamp_checkpoint` wrote.
        roots: PEM file with the root certificates that you trust.

    Raises:
        OptionalDependencyError: The `anchor` extra is not installed.
        ValueError: `roots` holds no certificate.
        OSError: A file cannot be read.
    """
    client = _client()
    x509 = require("cryptography.x509", extra="anchor", feature=_FEATURE)
    try:
        certificates = x509.load_pem_x509_certificates(_read(Path(roots)))
    except ValueError:
        raise ValueError(f"roots: {roots} holds no PEM certificate") from None
    try:
        response = client.decode_timestamp_response(_read(Path(timestamp)))
        verifier = client.VerifierBuilder(roots=certificates).build()
        verifier.verify_message(response, checkpoint.note.encode())
        return TimestampResult(True, stamped_at=response.tst_info.gen_time)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the library raises whatever it meets
        reason = str(error) or type(error).__name__
        return TimestampResult(False, f"{timestamp} is no time stamp of it: {reason[:500]}")


def _read(path: Path) -> bytes:
    descriptor = open_regular(path, os.O_RDONLY, follow_links=True)
    try:
        return read_at(descriptor, 4 * _MAX_ANSWER_BYTES, 0)
    finally:
        os.close(descriptor)


def _refuse_failure(status: int, url: str) -> None:
    if not 200 <= status < 300:
        raise RemoteError(f"{without_secrets(url)}: the server answered with status {status}")


def _client() -> Any:
    return require("rfc3161_client", extra="anchor", feature=_FEATURE)
