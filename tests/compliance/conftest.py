"""A known operator and no secret, whatever the machine's own environment says."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _known_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGELM_OPERATOR", "ci:job-7")
    monkeypatch.delenv("FORGELM_AUDIT_SECRET", raising=False)
    monkeypatch.delenv("FORGELM_ALLOW_ANONYMOUS_OPERATOR", raising=False)
    monkeypatch.delenv("FORGELM_ALLOW_AUDIT_REROOT", raising=False)
