"""Settings that the Hugging Face libraries keep for the whole process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forgelm import ForgeConfig
from forgelm.data import hub_session, hub_token

constants = pytest.importorskip("huggingface_hub.constants")


def make_config(*, offline: bool, token: str | None = None) -> ForgeConfig:
    return ForgeConfig(
        model={"name_or_path": "a/b", "offline": offline},
        lora={},
        data={"dataset_name_or_path": str(Path("rows.jsonl"))},
        training={},
        auth={"hf_token": token} if token else None,
    )


@pytest.fixture
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("_online")
def test_the_offline_switch_holds_until_the_last_session_ends_and_is_put_back() -> None:
    first, second = (hub_session(make_config(offline=True)) for _ in range(2))
    first.__enter__()
    second.__enter__()
    assert (constants.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]) == (True, "1")
    first.__exit__(None, None, None)
    assert (constants.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]) == (True, "1")
    second.__exit__(None, None, None)
    assert constants.HF_HUB_OFFLINE is False
    assert "HF_HUB_OFFLINE" not in os.environ


@pytest.mark.usefixtures("_online")
def test_without_model_offline_the_switch_stays_where_it_is() -> None:
    with hub_session(make_config(offline=False)):
        assert constants.HF_HUB_OFFLINE is False
        assert "HF_HUB_OFFLINE" not in os.environ


def test_telemetry_is_off_even_where_the_library_was_imported_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    with hub_session(make_config(offline=False)):
        pass
    assert constants.HF_HUB_DISABLE_TELEMETRY is True
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_the_configs_token_comes_before_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUGGINGFACE_TOKEN", raising=False)
    assert hub_token(make_config(offline=False)) is None
    monkeypatch.setenv("HUGGINGFACE_TOKEN", "from-environment")
    assert hub_token(make_config(offline=False)) == "from-environment"
    assert hub_token(make_config(offline=False, token="from-config")) == "from-config"
