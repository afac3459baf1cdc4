"""Judges: a model behind an OpenAI-compatible API, or one on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tqdm import tqdm

from forgelm._core import MODEL_LOADING, ChatClient, ChatError, quiet_bars, require, without_secrets
from forgelm.errors import ConfigError, EvaluationError
from forgelm.evaluation._generation import chat_text, context_length, defused, generate
from forgelm.evaluation._models import first_line

if TYPE_CHECKING:
    from forgelm.config import JudgeConfig

__all__ = [
    "NOT_ASKED",
    "Judge",
    "JudgeReply",
    "RemoteJudge",
    "is_remote",
    "judge_address",
    "judge_key",
    "load_local_judge",
]

NOT_ASKED = "not asked, because the server failed at another row"
_STOPPED = "not asked, because Ctrl-C ended the evaluation"
_API = "https://api.openai.com/v1"
_REPLY_TOKENS = 512
_THREADS = 8
_LOST_IN_A_ROW = 5
_FEATURE = "The LLM judge"


class JudgeReply(NamedTuple):
    """A judge's reply, or the problem why there is none; tokens are None where nobody counted."""

    text: str | None
    problem: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Judge(Protocol):
    """Replies to questions, in their order.

    Attributes:
        stopped: Ctrl-C ended the asking.
    """

    stopped: bool

    def reply(self, questions: Sequence[str], *, batch_size: int) -> list[JudgeReply]:
        """Return a reply for each question; a problem is a reply too."""


class RemoteJudge:
    """Asks an OpenAI-compatible server, some questions at a time."""

    def __init__(self, settings: JudgeConfig, *, api_key: str | None, timeout_s: float) -> None:
        self._settings, self._key, self._timeout_s = settings, api_key, timeout_s
        self._lost = 0
        self.stopped = False

    def reply(self, questions: Sequence[str], *, batch_size: int) -> list[JudgeReply]:
        """Ask each question; no more after Ctrl-C, or once the server refuses or keeps failing."""
        client = ChatClient(
            self._settings.judge_api_base or _API,
            self._settings.judge_model,
            api_key=self._key,
            timeout_s=self._timeout_s,
            feature=_FEATURE,
        )
        pool = ThreadPoolExecutor(min(batch_size, _THREADS))
        coming: list[Future[JudgeReply]] = []
        try:
            coming = [pool.submit(self._ask, client, question) for question in questions]
            for reply in tqdm(coming, desc="judging", unit=" answers", leave=False, disable=None):
                reply.result()
        except KeyboardInterrupt:
            self.stopped = True
        finally:
            # After Ctrl-C nobody waits for an answer that is on its way.
            pool.shutdown(wait=False, cancel_futures=True)
            client.stop()
            client.close()
        replies = [JudgeReply(None, _STOPPED)] * len(questions)
        for n, reply in enumerate(coming):
            if reply.done() and not reply.cancelled():
                replies[n] = reply.result()
        return replies

    def _ask(self, client: ChatClient, question: str) -> JudgeReply:
        messages = [{"role": "user", "content": question}]
        try:
            found = client.ask(messages, max_tokens=_REPLY_TOKENS, temperature=0.0)
        except ChatError as error:
            if error.kind == "stopped":
                return JudgeReply(None, _STOPPED if self.stopped else NOT_ASKED)
            self._lost += error.kind == "failed"
            if error.kind in {"refused", "unreachable"} or self._lost >= _LOST_IN_A_ROW:
                client.stop()
            return JudgeReply(None, f"{judge_address(self._settings)}: {error}")
        self._lost = 0
        return JudgeReply(found.text, None, found.prompt_tokens, found.completion_tokens)


class LocalJudge:
    """A causal language model on this machine."""

    stopped = False

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def reply(self, questions: Sequence[str], *, batch_size: int) -> list[JudgeReply]:
        """Answer the questions in batches."""
        tokenizer = self._tokenizer
        texts = [
            chat_text(tokenizer, [{"role": "user", "content": defused(question, tokenizer)}])
            for question in questions
        ]
        replies = generate(
            self._model,
            tokenizer,
            texts,
            batch_size=batch_size,
            max_new_tokens=min(_REPLY_TOKENS, context_length(self._model, tokenizer) // 2),
            label="judging",
        )
        return [
            JudgeReply(found.text, None, found.prompt_tokens, len(found.token_ids))
            if found
            else JudgeReply(None, "question and answer are longer than the judge's context")
            for found in replies
        ]


def is_remote(settings: JudgeConfig) -> bool:
    """Say whether the judge is behind an API."""
    return bool(settings.judge_api_base or settings.judge_api_key_env)


def judge_address(settings: JudgeConfig) -> str | None:
    """Return the server of a remote judge as it may be shown: scheme, host and port."""
    return without_secrets(settings.judge_api_base or _API) if is_remote(settings) else None


def judge_key(settings: JudgeConfig) -> str | None:
    """Return the API key from the environment, or None where the config names none.

    Raises:
        ConfigError: The variable is not set.
    """
    name = settings.judge_api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        problem = f"the environment variable {name} is not set; put the judge's API key there"
        raise ConfigError(issues=[("evaluation.llm_judge.judge_api_key_env", problem)])
    return key


def load_local_judge(settings: JudgeConfig, device: Any, *, token: str | None) -> Judge:
    """Load a judge for this machine.

    Raises:
        EvaluationError: It cannot be loaded.
    """
    transformers = require("transformers", extra="train", feature=_FEATURE)
    options: dict[str, Any] = {"trust_remote_code": False, "token": token}
    options["revision"] = settings.judge_model_revision or "main"
    name = settings.judge_model
    try:
        with MODEL_LOADING, quiet_bars():
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
            model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype="auto", **options)
    except Exception as error:
        told = f"the judge {name!r} cannot be loaded: {first_line(error)}"
        raise EvaluationError(told) from error
    return LocalJudge(model.to(device).eval(), tokenizer)
