"""A model gathered from its processes; here one process, which goes the same way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import prepare_dataset
from forgelm.errors import TrainingError
from forgelm.trainer.algorithms import common_arguments
from forgelm.trainer.backend import choose_precision
from forgelm.trainer.loop import build_trainer
from forgelm.trainer.model import assemble_model, gather_model, load_model, load_tokenizer

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_what_was_gathered_computes_what_was_trained_or_is_refused(
    method: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", lora={"method": method}, training={"max_steps": 2})
    precision = choose_precision(config)
    tokenizer = load_tokenizer(config)
    splits = prepare_dataset(config, tokenizer)
    arguments = common_arguments(config, precision, tmp_path / "run", evaluates=False)
    splits.pop("validation")
    model = load_model(config, precision)
    trainer: Any = build_trainer(config, model, tokenizer, splits, arguments)
    trainer.train()
    gathered = gather_model(trainer, tmp_path / "gathered")
    whole = assemble_model(gathered, config, precision)
    trained = dict(trainer.model.named_parameters())
    assert all(torch.equal(weight, trained[name]) for name, weight in whole.named_parameters())
    assert not gathered.folder.exists()

    again = gather_model(trainer, tmp_path / "again")
    again.logits.mul_(-1)  # the processes answered something else
    with pytest.raises(TrainingError, match="does not compute what they trained"):
        assemble_model(again, config, precision)

    cut = gather_model(trainer, tmp_path / "cut")
    for weights in cut.folder.glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(TrainingError, match="could not be gathered"):
        assemble_model(cut, config, precision)
