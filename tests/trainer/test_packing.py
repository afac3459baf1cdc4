"""Several rows in one sequence, none of which sees another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm._core import quiet_bars
from forgelm.data import hub_session, prepare_splits
from forgelm.trainer.algorithms import common_arguments
from forgelm.trainer.backend import Precision
from forgelm.trainer.loop import build_trainer
from forgelm.trainer.model import load_model, load_tokenizer

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
CPU = Precision("cpu", "float32", load_in_4bit=False)


def test_packed_rows_keep_every_token_and_do_not_see_each_other(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    config = make_config(tmp_path / "run", training={"packing": True, "max_steps": 2})
    tokenizer = load_tokenizer(config)
    splits = prepare_splits(config, tokenizer).splits
    arguments = common_arguments(config, CPU, tmp_path / "run", evaluates=True)
    with hub_session(config), quiet_bars():
        trainer = build_trainer(config, load_model(config, CPU), tokenizer, splits, arguments)
    assert len(trainer.train_dataset) < len(splits["train"])
    given, packed = (
        sorted(token for ids in data["input_ids"] for token in ids)
        for data in (splits["train"], trainer.train_dataset)
    )
    assert packed == given

    batch = next(iter(trainer.get_train_dataloader()))
    places = batch["position_ids"][0].tolist()
    starts = [index for index, place in enumerate(places) if place == 0]
    model = trainer.model.eval()
    with torch.no_grad():
        together = model(**{name: part for name, part in batch.items() if name != "labels"})
        second = slice(starts[1], starts[2])
        alone = model(input_ids=batch["input_ids"][:, second])
    torch.testing.assert_close(together.logits[0, second], alone.logits[0], atol=1e-3, rtol=0)
