"""A polite receiver, and configurations that name one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from webhook_receivers import Receiver, receiving

from forgelm import ForgeConfig


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def make_config() -> Callable[..., ForgeConfig]:
    def make(url: str | None, **webhook: Any) -> ForgeConfig:
        block = {"url": url, "allow_private_destinations": True, "timeout": 5}
        return ForgeConfig(
            model={"name_or_path": "any/model"},
            lora={},
            training={},
            data={"dataset_name_or_path": "rows.jsonl"},
            auth={"hf_token": "my-own-" + "token-42"},
            webhook=block | webhook,
        )

    return make
