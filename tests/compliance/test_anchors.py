"""A checkpoint is left elsewhere: in a file, at a real server, with a real time stamp."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from audit_log_page import NAME, write_page_log

pytest.importorskip("cryptography")
pytest.importorskip("httpcore")

from forgelm import verify_audit_log
from forgelm.compliance import (
    Checkpoint,
    anchor_checkpoint,
    create_signing_key,
    sign_checkpoint,
    timestamp_checkpoint,
    verify_timestamp,
)
from forgelm.errors import AuditLogError, RemoteError

EVENTS = [(f"event.{n}", {"n": n}) for n in range(1, 6)]


@pytest.fixture
def public(tmp_path: Path) -> str:
    write_page_log(tmp_path, EVENTS[:3])
    return create_signing_key(tmp_path / "key", "acme.example/audit")


@pytest.fixture
def checkpoint(tmp_path: Path, public: str) -> Checkpoint:
    assert public
    return sign_checkpoint(tmp_path, tmp_path / "key")


@contextmanager
def answering(answer: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """Run an HTTP server on loopback and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = answer(str(self.headers["Content-Type"]), body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook/the-token"
        finally:
            server.shutdown()
            thread.join()


def test_a_file_elsewhere_collects_checkpoints_that_a_rollback_cannot_reach(
    tmp_path: Path, public: str
) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    for size in (3, 5):
        write_page_log(tmp_path, EVENTS[:size])
        anchor_checkpoint(sign_checkpoint(tmp_path, tmp_path / "key"), elsewhere)
    record = tmp_path / f"{NAME}.checkpoints"
    assert elsewhere.read_bytes() == record.read_bytes()

    write_page_log(tmp_path, EVENTS[:3])
    record.unlink()
    result = verify_audit_log(tmp_path / NAME, public_key=public, checkpoint=elsewhere)
    assert "2 lines were removed at the end" in str(result.reason)


def test_one_file_elsewhere_may_serve_many_runs(tmp_path: Path, public: str) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        write_page_log(tmp_path / name, [(f"{name}.{n}", {}) for n in range(3 + number)])
        sign_checkpoint(tmp_path / name, tmp_path / "key", out=elsewhere)
    for name in ("one", "two"):
        log = tmp_path / name / NAME
        for quick in (False, True):
            result = verify_audit_log(
                log, public_key=public, checkpoint=elsewhere, only_new_lines=quick
            )
            assert result.valid
    write_page_log(tmp_path / "one", [("three", {})] * 3)
    result = verify_audit_log(tmp_path / "one" / NAME, public_key=public, checkpoint=elsewhere)
    assert "not the first line of any log that was signed" in str(result.reason)


def test_a_file_that_ends_inside_a_checkpoint_is_not_appended_to(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_bytes(checkpoint.note.encode()[:-9])
    with pytest.raises(AuditLogError, match="ends in the middle of a checkpoint"):
        anchor_checkpoint(checkpoint, elsewhere)
    elsewhere.unlink()
    elsewhere.symlink_to(tmp_path / NAME)
    with pytest.raises(OSError, match="symbolic links"):
        anchor_checkpoint(checkpoint, elsewhere)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")
def test_a_place_that_is_no_file_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        anchor_checkpoint(checkpoint, "/dev/full")
    with pytest.raises(OSError, match="No such file"):
        anchor_checkpoint(checkpoint, tmp_path / "no" / "folder")


def test_a_checkpoint_is_posted_as_it_is_and_a_refusal_is_an_error(checkpoint: Checkpoint) -> None:
    seen: list[tuple[str, bytes]] = []

    def answer(kind: str, body: bytes) -> tuple[int, bytes]:
        seen.append((kind, body))
        return (204, b"") if len(seen) == 1 else (403, b"no")

    with answering(answer) as url:
        anchor_checkpoint(checkpoint, url, allow_private=True)
        with pytest.raises(RemoteError, match="answered with status 403") as refused:
            anchor_checkpoint(checkpoint, url, allow_private=True)
        with pytest.raises(RemoteError, match="of a private network"):
            anchor_checkpoint(checkpoint, url)
    assert seen == [("text/plain; charset=utf-8", checkpoint.note.encode())] * 2
    assert "the-token" not in str(refused.value)


class Authority:
    """A time-stamping authority: OpenSSL's, with a certificate made here."""

    def __init__(self, folder: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.folder, self.root = folder, folder / "root.pem"
        folder.mkdir()
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
        names = [
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
            for name in ("root", "stamper")
        ]
        stamping = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
        for number, path in ((0, self.root), (1, folder / "cert.pem")):
            certificate = (
                x509.CertificateBuilder()
                .subject_name(names[number])
                .issuer_name(names[0])
                .public_key(keys[number].public_key())
                .serial_number(number + 1)
                .not_valid_before(now - day)
                .not_valid_after(now + day)
                .add_extension(
                    stamping if number else x509.BasicConstraints(True, None), critical=True
                )
                .sign(keys[0], hashes.SHA256())
            )
            path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = keys[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / "key.pem").write_bytes(private)
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(
            f"[tsa]\nserial={folder}/serial\nsigner_cert={folder}/cert.pem\n"
            f"signer_key={folder}/key.pem\nsigner_digest=sha256\ndefault_policy=1.2.3.4\n"
            "digests=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\n"
        )

    def stamp(self, request: bytes) -> bytes:
        query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(request)
        command = ["openssl", "ts", "-reply", "-section", "tsa", "-config", "tsa.cnf"]
        command += ["-queryfile", str(query), "-out", str(reply)]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True, timeout=60)
        return reply.read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    pytest.importorskip("rfc3161_client")
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program as the authority")
    return Authority(tmp_path / "authority")


def test_a_time_stamp_proves_that_the_checkpoint_existed_and_no_other(
    tmp_path: Path, checkpoint: Checkpoint, authority: Authority
) -> None:
    kinds: list[str] = []

    def answer(kind: str, body: bytes) -> tuple[int, bytes]:
        kinds.append(kind)
        return 200, authority.stamp(body)

    stamp = tmp_path / "stamp.tsr"
    with answering(answer) as url:
        stamped_at = timestamp_checkpoint(checkpoint, url, stamp, allow_private=True)
        with pytest.raises(FileExistsError):
            timestamp_checkpoint(checkpoint, url, stamp, allow_private=True)
    assert kinds == ["application/timestamp-query"]
    result = verify_timestamp(checkpoint, stamp, authority.root)
    assert (result.valid, result.reason, result.stamped_at) == (True, None, stamped_at)

    later = sign_checkpoint(tmp_path, tmp_path / "key")
    if later.note != checkpoint.note:
        assert "Mismatch" in str(verify_timestamp(later, stamp, authority.root).reason)
    stranger = Authority(tmp_path / "stranger")
    assert not verify_timestamp(checkpoint, stamp, stranger.root).valid

    whole = stamp.read_bytes()
    for place in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        stamp.write_bytes(changed)
        verdict = verify_timestamp(checkpoint, stamp, authority.root)
        assert not verdict.valid or verdict.stamped_at == stamped_at


def test_an_authority_that_answers_nonsense_or_stamps_something_else_is_refused(
    tmp_path: Path, checkpoint: Checkpoint, authority: Authority
) -> None:
    import rfc3161_client

    of_something_else = authority.stamp(
        rfc3161_client.TimestampRequestBuilder()
        .data(b"something else")
        .hash_algorithm(rfc3161_client.HashAlgorithm.SHA256)
        .build()
        .as_bytes()
    )
    for status, body, words in (
        (200, b"", "is no time stamp"),
        (200, b"\x30\x80" * 50_000, "is no time stamp"),
        (200, of_something_else, "not of what was asked for"),
        (500, b"", "status 500"),
    ):
        with (
            answering(lambda _, __, reply=(status, body): reply) as url,  # type: ignore[misc]
            pytest.raises(RemoteError, match=words),
        ):
            timestamp_checkpoint(checkpoint, url, tmp_path / "stamp", allow_private=True)
    assert not (tmp_path / "stamp").exists()
    with pytest.raises(ValueError, match="holds no PEM certificate"):
        verify_timestamp(checkpoint, tmp_path / NAME, tmp_path / NAME)
    assert "is no time stamp of it" in str(
        verify_timestamp(checkpoint, tmp_path / NAME, authority.root).reason
    )
