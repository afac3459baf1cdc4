"""Loading the model with its adapter, and saving it so that it reloads."""

from __future__ import annotations

from forgelm.trainer.model._adapters import lora_config, prepare_adapter
from forgelm.trainer.model._artefacts import repair_interrupted_save, save_final_model
from forgelm.trainer.model._model import get_model_and_tokenizer, load_model, load_tokenizer
from forgelm.trainer.model._probe import FinalModel
from forgelm.trainer.model._shards import GatheredModel, assemble_model, gather_model

__all__ = [
    "FinalModel",
    "GatheredModel",
    "assemble_model",
    "gather_model",
    "get_model_and_tokenizer",
    "load_model",
    "load_tokenizer",
    "lora_config",
    "prepare_adapter",
    "repair_interrupted_save",
    "save_final_model",
]
