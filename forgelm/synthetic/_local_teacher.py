"""A teacher that runs here, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, quiet_bars, require
from forgelm.data import hub_session, hub_token
from forgelm.errors import ConfigError
from forgelm.synthetic._seeds import Seed
from forgelm.synthetic._teachers import Answer, NoAnswer

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig, SyntheticConfig

__all__ = ["LocalTeacher"]

_FEATURE = "A local teacher"


class LocalTeacher:
    """Loads `synthetic.teacher_model` and generates.

    Args:
        config: The whole configuration: `model.offline` and the Hub token count here too.
        batch_size: Prompts that are answered together.

    Raises:
        ConfigError: There is no such model, or it has no tokenizer that can pad.
        OptionalDependencyError: The `train` extra is not installed.
    """

    def __init__(self, config: ForgeConfig, batch_size: int) -> None:
        assert config.synthetic is not None
        self._settings = config.synthetic
        self._batch_size = batch_size
        self._torch = require("torch", extra="train", feature=_FEATURE)
        self._tokenizer, model = _load(config, self._settings)
        context = getattr(model.config, "max_position_embeddings", None)
        self._room = (
            context if isinstance(context, int) else 2**31
        ) - self._settings.max_new_tokens
        if self._room <= 0:
            problem = f"leaves no room for a prompt: the teacher reads and writes {context} tokens"
            raise ConfigError(issues=[("synthetic.max_new_tokens", problem)])
        self._settled: list[tuple[Seed, Answer]] = []
        device = "cuda" if self._torch.cuda.is_available() else "cpu"
        self._model = (model if device == "cuda" else model.float()).to(device).eval()

    def answers(self, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, Answer | NoAnswer]]:
        """Yield the answers of one batch after the other."""
        start = 0
        while start < len(seeds):
            batch = seeds[start : start + self._batch_size]
            start += len(batch)
            prompts = [self._prompt_ids(seed.prompt) for seed in batch]
            room = self._room
            fitting = [
                (seed, ids) for seed, ids in zip(batch, prompts, strict=True) if len(ids) <= room
            ]
            for seed, ids in zip(batch, prompts, strict=True):
                if len(ids) > room:
                    told = f"the prompt has {len(ids)} tokens, and the teacher has room for {room}"
                    yield seed, NoAnswer(f"{told} beside max_new_tokens")
            if fitting:
                yield from self._answered(fitting)

    def settled(self) -> list[tuple[Seed, Answer]]:
        """Return the answers of the batch at hand that were written to their end."""
        return self._settled

    def identity(self) -> dict[str, str | None]:
        """Return the commit of the weights, where the Hub gave one."""
        return {"commit": getattr(self._model.config, "_commit_hash", None)}

    def close(self) -> None:
        """Free the memory of the weights."""
        self.__dict__.pop("_model", None)
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()

    def _prompt_ids(self, prompt: str) -> list[int]:
        system = self._settings.system_prompt.strip()
        if self._tokenizer.chat_template is None:
            text = f"{system}\n\n{prompt}\n" if system else f"{prompt}\n"
            return list(self._tokenizer(text)["input_ids"])
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        jinja2 = require("jinja2", extra="train", feature=_FEATURE)
        try:
            ids = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_dict=True
            )
        except jinja2.TemplateError as error:
            problem = f"the teacher's chat template refuses it: {str(error)[:200]}"
            raise ConfigError(issues=[("synthetic.system_prompt", problem)]) from error
        return list(ids["input_ids"])

    def _answered(self, batch: Sequence[tuple[Seed, list[int]]]) -> Iterator[tuple[Seed, Answer]]:
        """Yield the answers to prompts asked together, or half as many where memory is short."""
        seeds, prompts = [seed for seed, _ in batch], [ids for _, ids in batch]
        try:
            answers = self._generate(seeds, prompts)
        except self._torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        else:
            self._settled = list(zip(seeds, answers, strict=True))
            yield from self._settled
            return
        self._batch_size = half = len(batch) // 2
        self._torch.cuda.empty_cache()
        yield from self._answered(batch[:half])
        yield from self._answered(batch[half:])

    def _generate(self, seeds: list[Seed], prompts: list[list[int]]) -> list[Answer]:
        """Return an answer for each prompt; Ctrl-C leaves those that are whole in `settled`."""
        torch, tokenizer = self._torch, self._tokenizer
        padded = tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self._model.device)
        width = padded["input_ids"].shape[1]
        sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None}
        if self._settings.temperature > 0:
            sampling = {"do_sample": True, "temperature": self._settings.temperature, "top_p": 1.0}
        written: list[Any] = []

        def remember(ids: Any, _scores: Any, **_: Any) -> Any:
            written[:] = [ids]
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

        try:
            with torch.inference_mode():
                output = self._model.generate(
                    **padded,
                    max_new_tokens=self._settings.max_new_tokens,
                    pad_token_id=tokenizer.pad_token_id,
                    top_k=None if self._settings.temperature == 0 else 0,
                    stopping_criteria=[remember],
                    **sampling,
                )
        except KeyboardInterrupt:
            so_far = written[0][:, width:].tolist() if written else [[]] * len(seeds)
            answers = map(self._answer, prompts, so_far)
            ended = zip(seeds, answers, strict=True)
            self._settled = [
                (seed, answer) for seed, answer in ended if answer.finish_reason == "stop"
            ]
            raise
        return [
            self._answer(ids, row[width:].tolist())
            for ids, row in zip(prompts, output, strict=True)
        ]

    def _answer(self, prompt: list[int], written: list[int]) -> Answer:
        ends = self._model.generation_config.eos_token_id
        stops = set(ends if isinstance(ends, list) else [ends]) | {self._tokenizer.eos_token_id}
        length = next((n for n, token in enumerate(written) if token in stops), None)
        kept = written if length is None else written[:length]
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        return Answer(text, "length" if length is None else "stop", len(prompt), len(kept))


def _load(config: ForgeConfig, settings: SyntheticConfig) -> tuple[Any, Any]:
    """Return the tokenizer, padding on the left, and the model."""
    transformers = require("transformers", extra="train", feature=_FEATURE)
    source: dict[str, Any] = {
        "revision": settings.teacher_revision or "main",
        "token": hub_token(config),
        "local_files_only": config.model.offline,
        "trust_remote_code": False,
    }
    name = settings.teacher_model
    try:
        with MODEL_LOADING, hub_session(config), quiet_bars():
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **source)
            model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype="auto", **source)
    except (OSError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        problem = f"{name!r} cannot be loaded: {first}"
        raise ConfigError(issues=[("synthetic.teacher_model", problem)]) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        problem = "its tokenizer has no padding or end token"
        raise ConfigError(issues=[("synthetic.teacher_model", problem)])
    tokenizer.padding_side = "left"
    return tokenizer, model
