"""`forgelm checkpoint` and `forgelm verify-audit --public-key`, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from forgelm import AuditLogger
from forgelm.cli import run

KEY = ["--key", "key"]


@pytest.fixture(autouse=True)
def _a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORGELM_OPERATOR", "ci:job-7")
    monkeypatch.delenv("FORGELM_AUDIT_SECRET", raising=False)
    logger = AuditLogger("run")
    for n in range(3):
        logger.log_event("step", n=n)


def _sign(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Make a key, sign with it, and return the verifier key."""
    arguments = ["checkpoint", "run", *KEY, "--new-key", "acme/audit", *more]
    assert run([*arguments, "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["checkpoint"]["size"] == 3
    return str(document["verifier_key"])


def test_a_run_is_signed_and_verified_by_the_key_that_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    public = _sign(capsys, "--anchor", "copy.txt")
    Path("public.txt").write_text(public)
    for key in (public, "public.txt"):
        assert run(["verify-audit", "run", "--public-key", key]) == 0
        assert "The first 3 lines are those that were signed." in capsys.readouterr().out
    options = ["--public-key", public, "--checkpoint", "copy.txt"]
    Path("run/audit_log.jsonl.checkpoints").unlink()
    assert run(["verify-audit", "run", *options]) == 0
    assert run(["verify-audit", "run", "--public-key", public]) == 6
    assert "ALTERED: there is no signed checkpoint" in capsys.readouterr().out


def test_signing_again_prints_where_the_checkpoint_went(capsys: pytest.CaptureFixture[str]) -> None:
    _sign(capsys)
    assert run(["checkpoint", "run", *KEY, "--anchor", "copy.txt"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("signed: 3 entries, root ")
    assert "anchored  copy.txt" in out


def test_an_altered_log_is_not_signed_and_exits_with_6(capsys: pytest.CaptureFixture[str]) -> None:
    _sign(capsys)
    log = Path("run/audit_log.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"n": 1', b'"n": 7'))
    assert run(["checkpoint", "run", *KEY]) == 6
    out = capsys.readouterr().out
    assert out.startswith("ALTERED: run/audit_log.jsonl was not signed, because it does not stand")


def test_wrong_calls_exit_with_1_and_failed_anchors_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    public = _sign(capsys)
    assert run(["checkpoint", "run", *KEY, "--timestamp", "http://x/"]) == 1
    assert "--timestamp and --timestamp-out go together" in capsys.readouterr().err
    assert run(["verify-audit", "run", "--checkpoint", "copy.txt"]) == 1
    assert "checkpoint needs public_key" in capsys.readouterr().err
    assert run(["verify-audit", "run", "--public-key", public[:-3]]) == 1
    assert run(["checkpoint", "run", "--key", "run/audit_log.jsonl"]) == 1
    assert "is no signing key" in capsys.readouterr().err


def test_a_failed_anchor_exits_with_2_says_that_it_was_signed_and_shows_no_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("httpcore")
    _sign(capsys)
    url = "http://127.0.0.1:9/the-token"
    assert run(["checkpoint", "run", *KEY, "--anchor", url, "--anchor", "copy.txt"]) == 2
    err = capsys.readouterr().err
    assert "The checkpoint was signed, but not anchored: http://127.0.0.1:9: nothing was se" in err
    assert "the-token" not in err
    assert Path("copy.txt").exists()
