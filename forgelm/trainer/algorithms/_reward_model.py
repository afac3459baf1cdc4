"""A reward from a model that was trained to score answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, require
from forgelm.data import hub_token
from forgelm.errors import ConfigError
from forgelm.trainer.backend import Precision

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["RewardModel", "load_reward_model"]

_BATCH = 8
_KEY = "training.grpo_reward_model"


class RewardModel:
    """A sequence classifier with one score, as a reward function.

    A conversation goes through the model's own chat template where it has one, and is otherwise
    its turns one a line. One that is too long for the model loses its beginning.
    """

    __name__ = "reward_model"

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._device = device
        tokenizer.truncation_side = "left"
        longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._options = {"truncation": True, "max_length": longest} if longest else {}

    def __call__(self, prompts: Sequence[Any], completions: Sequence[str]) -> list[float]:
        """Return the model's score for each completion."""
        texts = [self._text(prompt, c) for prompt, c in zip(prompts, completions, strict=True)]
        scores: list[float] = []
        for start in range(0, len(texts), _BATCH):
            scores += self._scores(texts[start : start + _BATCH])
        return scores

    def _scores(self, texts: list[str]) -> list[float]:
        torch = require("torch", extra="train", feature="A reward model")
        # Only now does each process of a run know which of several GPUs is its own.
        model = self._model.to(self._device)
        batch = self._tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=not self._tokenizer.chat_template,
            **self._options,
        ).to(model.device)
        batch.pop("token_type_ids", None)
        with torch.inference_mode():
            logits = model(**batch).logits
        scores: list[float] = logits[:, 0].float().tolist()
        return scores

    def _text(self, prompt: Any, completion: str) -> str:
        turns = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        turns = [*turns, {"role": "assistant", "content": completion}]
        if self._tokenizer.chat_template:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False))
        return "\n".join(str(turn.get("content", "")) for turn in turns)


def load_reward_model(config: ForgeConfig, precision: Precision) -> RewardModel:
    """Load `training.grpo_reward_model`, a folder or a name on the Hub.

    Raises:
        ConfigError: It is not there, or is no model that scores with one number. A model without
            a trained score would be given a random one by transformers.
    """
    transformers = require("transformers", extra="train", feature="A reward model")
    torch = require("torch", extra="train", feature="A reward model")
    name = str(config.training.grpo_reward_model)
    where = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    source = {
        "revision": config.training.grpo_reward_model_revision or "main",
        "trust_remote_code": config.model.trust_remote_code,
        "token": hub_token(config),
    }
    try:
        with MODEL_LOADING:
            tokenizer = transformers.AutoTokenizer.from_pretrained(where, **source)
            model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
                where,
                dtype=getattr(torch, precision.dtype),
                output_loading_info=True,
                num_labels=1,
                ignore_mismatched_sizes=True,
                **source,
            )
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise _refused(f"{name!r} cannot be loaded: {reason}") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise _refused(
            f"{name!r} has no trained score of one number, so it is no reward model; give a "
            "sequence-classification model with one label"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return RewardModel(model.eval(), tokenizer, precision.device)


def _refused(problem: str) -> ConfigError:
    return ConfigError(issues=[(_KEY, problem)])
