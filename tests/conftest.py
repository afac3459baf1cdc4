"""What every test shares: an offline environment and one tiny model for the whole session."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

# Before any test module can import torch or a Hugging Face package: they read these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["FORGELM_OPERATOR"] = "tester@example"
os.environ.pop("FORGELM_AUDIT_SECRET", None)

# A shell starts its background jobs with SIGINT ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a small trained Llama-style chat model; never write into it."""
    from forgelm.quickstart import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("tiny_model") / "tiny-llama")


@pytest.fixture(scope="session")
def tls_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a PEM file with a self-signed certificate for `localhost` and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path


_NAMES = """
import spacy

NAMES = {"PERSON": "Ada Lovelace", "ORG": "Acme Corp", "GPE": "Ankara"}

def load(**overrides):
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": label, "pattern": name} for label, name in NAMES.items()])
    return nlp
"""


@pytest.fixture
def spacy_pipeline(tmp_path: Path) -> Path:
    """Give a folder for PYTHONPATH with an installed English spaCy pipeline; it knows 3 names."""
    package = tmp_path / "site" / "en_three_names"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_NAMES, encoding="utf-8")
    info = tmp_path / "site" / "en_three_names-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: en_three_names\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spacy_models]\nen_three_names = en_three_names\n")
    return tmp_path / "site"
