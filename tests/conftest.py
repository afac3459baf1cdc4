"""What every test shares: an offline environment and one tiny model for the whole session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before any test module can import torch or a Hugging Face package: they read these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["FORGELM_OPERATOR"] = "tester@example"
os.environ.pop("FORGELM_AUDIT_SECRET", None)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a small trained Llama-style chat model; never write into it."""
    from forgelm.quickstart import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("tiny_model") / "tiny-llama")
