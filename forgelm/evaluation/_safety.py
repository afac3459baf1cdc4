"""Answers to risky prompts, before and after training, judged by a safety classifier."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import sha256_file, write_json_atomic
from forgelm.config import SafetyConfig
from forgelm.data import hub_session, hub_token
from forgelm.errors import ConfigError
from forgelm.evaluation._classifiers import ClassifierError, FoundClassifier, find_classifier
from forgelm.evaluation._generation import chat_text, context_length, generate
from forgelm.evaluation._prompts import SEVERITIES, Prompt, read_prompts
from forgelm.evaluation._safety_result import SafetyResult
from forgelm.evaluation._safety_score import Tried, score_safety

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["evaluate_safety", "intact_base", "probes_file"]

logger = logging.getLogger(__name__)

_ANSWER_TOKENS = 256
# Those of `lora_init` that leave the base model's weights alone; PiSSA and OLoRA change them.
_BASE_KEPT = (True, False, "gaussian", "eva", "orthogonal")


def evaluate_safety(
    model: Any,
    tokenizer: Any,
    config: ForgeConfig | SafetyConfig,
    *,
    base_model: Any = None,
    output_dir: str | None = None,
) -> SafetyResult:
    """Ask a model risky questions and return how often its answers are unsafe.

    The same questions go to the base model, so that what training changed can be told from what
    was there before. A classifier that cannot be loaded fails the evaluation, with the reason.

    Args:
        model: A causal language model, with or without an adapter; left as it was found.
        tokenizer: Its tokenizer.
        config: A whole config (`evaluation.safety`, `auth`, `model.offline`), or its safety block.
        base_model: What the model was before training. Left out, a LoRA adapter is switched off
            for the comparison; without an adapter there is none.
        output_dir: Where `safety_results.json` is written, if it is to be.

    Raises:
        ConfigError: `severity_thresholds` names a severity that does not exist.
        DataError: The prompt file is missing or has rows that cannot be used.
        EvaluationError: Memory ran out.
        OptionalDependencyError: The `train` extra is not installed.
        OSError: The results cannot be written.
    """
    settings = _settings(config)
    _check_thresholds(settings)
    path = probes_file(settings)
    prompts = read_prompts(path)
    session = nullcontext() if isinstance(config, SafetyConfig) else hub_session(config)
    token = None if isinstance(config, SafetyConfig) else hub_token(config)
    with session:
        try:
            found = find_classifier(settings, token=token)
            result = _evaluate(model, tokenizer, prompts, settings, found, base_model)
            result.classifier = {"name": found.name, "mode": found.mode, "commit": found.commit}
        except ClassifierError as error:
            result = SafetyResult(False, str(error), classifier_problem=str(error))
            result.total_count = sum(prompt.risky for prompt in prompts)
            result.classifier = {"name": settings.classifier, "mode": settings.classifier_mode}
    _warn(result, settings)
    result.classifier["revision"] = settings.classifier_revision
    result.probes = {"source": path.name, "count": len(prompts), "sha256": sha256_file(path)}
    if output_dir is not None:
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        document = {**asdict(result), "settings": settings.model_dump(mode="json")}
        write_json_atomic(folder / "safety_results.json", document)
    return result


def _warn(result: SafetyResult, settings: SafetyConfig) -> None:
    """Say it where "passed" only means that training made nothing worse."""
    limited = settings.min_safety_score is not None or settings.severity_thresholds
    if result.passed and result.unsafe_count and not limited:
        logger.warning(
            "%d of %d answers to risky prompts are unsafe; the gate only compares with the base "
            "model: set min_safety_score or severity_thresholds to demand more",
            result.unsafe_count,
            result.scored_count,
        )


def probes_file(settings: SafetyConfig) -> Path:
    """Return the file with the prompts: the config's, else the one that comes with forgelm."""
    path = Path(settings.test_prompts).expanduser()
    default = SafetyConfig.model_fields["test_prompts"].default
    if settings.test_prompts == default and not path.exists():
        return Path(__file__).with_name("probes.jsonl")
    return path


def intact_base(model: Any) -> bool:
    """Say whether a model is an adapter on a base whose weights are as they were."""
    configs = getattr(model, "peft_config", None)
    if not isinstance(configs, dict) or not hasattr(model, "disable_adapter"):
        return False
    return all(getattr(c, "init_lora_weights", True) in _BASE_KEPT for c in configs.values())


def _evaluate(
    model: Any,
    tokenizer: Any,
    prompts: list[Prompt],
    settings: SafetyConfig,
    found: FoundClassifier,
    base_model: Any,
) -> SafetyResult:
    batch_size = settings.batch_size
    after: list[str | None] = _answers(model, tokenizer, prompts, batch_size, "answering")
    with _base_of(model, base_model) as base:
        compared = base is not None
        before: list[str | None] = [None] * len(prompts)
        if compared:
            before = _answers(base, tokenizer, prompts, batch_size, "the base model answering")
    asked = [prompt.text for prompt in prompts]
    pairs = list(zip(asked * 2, after + before, strict=True))
    answered = [n for n, (_, answer) in enumerate(pairs) if answer is not None]
    judged = found.load(model.device).judge(
        [(asked, answer or "") for asked, answer in (pairs[n] for n in answered)],
        batch_size=batch_size,
        label="judging",
    )
    verdicts = dict(zip(answered, judged, strict=True))
    tried = [
        Tried(prompt, after[n], verdicts.get(n), before[n], verdicts.get(n + len(prompts)))
        for n, prompt in enumerate(prompts)
    ]
    return score_safety(tried, settings, compared=compared)


def _answers(
    model: Any, tokenizer: Any, prompts: list[Prompt], batch_size: int, label: str
) -> list[str | None]:
    """Return each prompt's answer; None for an empty one, of which nothing can be said."""
    texts = [chat_text(tokenizer, [{"role": "user", "content": p.text}]) for p in prompts]
    replies = generate(
        model,
        tokenizer,
        texts,
        batch_size=batch_size,
        max_new_tokens=min(_ANSWER_TOKENS, context_length(model, tokenizer) // 2),
        label=label,
    )
    return [reply.text if reply and reply.text.strip() else None for reply in replies]


@contextmanager
def _base_of(model: Any, base_model: Any) -> Iterator[Any]:
    """Give the model as it was before training, or None."""
    if base_model is not None or not intact_base(model):
        yield base_model
        return
    # Switching the adapter on again makes it trainable, whatever it was.
    learned = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        with model.disable_adapter():
            yield model
    finally:
        for weight, requires_grad in learned:
            weight.requires_grad_(requires_grad)


def _settings(config: ForgeConfig | SafetyConfig) -> SafetyConfig:
    if isinstance(config, SafetyConfig):
        return config
    return (config.evaluation and config.evaluation.safety) or SafetyConfig.model_validate({})


def _check_thresholds(settings: SafetyConfig) -> None:
    unknown = [name for name in settings.severity_thresholds or {} if name not in SEVERITIES]
    if unknown:
        problem = f"there is no severity {', '.join(unknown)}; write {', '.join(SEVERITIES)}"
        raise ConfigError(issues=[("evaluation.safety.severity_thresholds", problem)])
