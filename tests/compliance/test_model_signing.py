"""Signatures over a model's folder, with keys made here and no service asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgelm.compliance import sign_model, verify_model_signature

pytest.importorskip("model_signing")
cryptography = pytest.importorskip("cryptography.hazmat.primitives.serialization")


def _keys(folder: Path, name: str) -> tuple[Path, Path]:
    from cryptography.hazmat.primitives.asymmetric import ec

    serialization = cryptography
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def test_a_signature_holds_until_anything_in_the_folder_changes(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "weights.safetensors").write_bytes(b"weights")
    (model / "sub" / "config.json").write_bytes(b"{}")
    private, public = _keys(tmp_path, "ours")
    _, foreign = _keys(tmp_path, "theirs")
    assert not verify_model_signature(model, public).altered

    assert sign_model(model, private) == model / "model.sig"
    result = verify_model_signature(model, public)
    assert (result.valid, result.reason, result.files_checked) == (True, None, 2)
    assert "signature does not hold" in str(verify_model_signature(model, foreign).reason)

    (model / "weights.safetensors").write_bytes(b"WEIGHTS")
    changed = verify_model_signature(model, public)
    assert changed.altered
    assert "weights.safetensors" in str(changed.reason)

    (model / "weights.safetensors").write_bytes(b"weights")
    (model / "added.py").write_bytes(b"")
    assert "added.py" in str(verify_model_signature(model, public).reason)

    (model / "added.py").unlink()
    for broken in (b"", b"{}", b'{"a": ' + b"[" * 100_000, b"\xff", b"null"):
        (model / "model.sig").write_bytes(broken)
        assert verify_model_signature(model, public).altered
