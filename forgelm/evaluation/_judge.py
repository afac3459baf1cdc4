"""A second model's marks, from 1 to 10, for the answers of a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import sha256_file, write_json_atomic
from forgelm.config import JudgeConfig
from forgelm.data import hub_session, hub_token
from forgelm.evaluation._generation import chat_text, context_length, generate
from forgelm.evaluation._judges import (
    NOT_ASKED,
    JudgeReply,
    RemoteJudge,
    is_remote,
    judge_address,
    judge_key,
    load_local_judge,
)
from forgelm.evaluation._prompts import Prompt, read_prompts
from forgelm.evaluation._rubric import judge_question, parse_mark
from forgelm.results import Verdict, VerdictStatus

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["JudgeResult", "judge_answers"]

# Below this share of marked answers their average is not taken for the model's.
_LEAST_MARKED = 0.9
_ANSWER_TOKENS = 512
_NO_ANSWER = "the model gave no answer"
_UNPARSABLE = "the judge's reply is no mark"


@dataclass
class JudgeResult:
    """What a second model thought of the answers.

    Attributes:
        passed: The average reaches `min_score`, and enough answers have a mark.
        average_score: Mean of the marks, from 1 to 10; None where there are none.
        failure_reason: Why it did not pass, in one sentence, with the row where it stopped.
        total_count: Prompts asked.
        scored_count: Answers with a mark.
        unparsable_count: Replies of the judge that were no mark. They are counted, never guessed.
        details: For each prompt its `row`, `score` and `problem`; texts only with
            `include_eval_samples`.
        tokens: What the judge read and wrote, `prompt` and `completion`, as far as it was told.
        estimated_cost_usd: Of those tokens, where a price was given.
        judge: Which model judged, and where.
        prompts: The file of the prompts and its digest.
    """

    passed: bool
    average_score: float | None
    failure_reason: str | None = None
    total_count: int = 0
    scored_count: int = 0
    unparsable_count: int = 0
    details: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    estimated_cost_usd: float | None = None
    judge: dict[str, Any] = field(default_factory=dict)
    prompts: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The gate's answer, "judge"."""
        measured = {} if self.average_score is None else {"average_score": self.average_score}
        status: VerdictStatus = "passed" if self.passed else "failed"
        return Verdict("judge", status, self.failure_reason, measured)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit log's entries, as `(event, fields)`; they hold no prompt and no answer."""
        fields: dict[str, Any] = {
            "passed": self.passed,
            "average_score": self.average_score,
            "total_count": self.total_count,
            "scored_count": self.scored_count,
            "unparsable_count": self.unparsable_count,
            "tokens": self.tokens,
            "judge": self.judge,
        }
        if self.failure_reason:
            fields["reason"] = self.failure_reason
        return [("judge.evaluation_completed", fields)]

    @property
    def train_fields(self) -> dict[str, Any]:
        """What a `TrainResult` takes over, `metrics` among it."""
        average = self.average_score
        return {
            "judge_score": average,
            "judge_details": self.details,
            "metrics": {} if average is None else {"judge/average_score": average},
        }


def judge_answers(
    model: Any,
    tokenizer: Any,
    config: ForgeConfig | JudgeConfig,
    *,
    output_dir: str | None = None,
    prices_usd: tuple[float, float] | None = None,
    timeout_s: float = 120.0,
) -> JudgeResult:
    """Let a second model mark a model's answers from 1 to 10, and return the marks.

    A server that fails for good ends the asking: the marks so far are kept, and the result fails
    with the cause. After Ctrl-C those that a server gave are written, too. The API key comes from
    the environment and is written nowhere.

    Args:
        model: A causal language model, with or without an adapter; left as it was found.
        tokenizer: Its tokenizer.
        config: A whole config (`evaluation.llm_judge`, `auth`, `model.offline`), or its judge
            block.
        output_dir: Where `judge_results.json` is written, if it is to be.
        prices_usd: What a million tokens cost, read and written. Left out, no cost is estimated.
        timeout_s: How long a server may take for one whole answer, however slowly it comes.

    Raises:
        ConfigError: The environment variable with the API key is not set.
        DataError: The prompt file is missing or has rows that cannot be used.
        EvaluationError: A local judge cannot be loaded, or memory ran out.
        OptionalDependencyError: An extra is not installed.
        OSError: The results cannot be written.
        KeyboardInterrupt: Ctrl-C ended the asking; what came before is in `output_dir`.
    """
    settings = _settings(config)
    key = judge_key(settings)
    path = Path(settings.eval_dataset).expanduser()
    prompts = read_prompts(path)
    session = nullcontext() if isinstance(config, JudgeConfig) else hub_session(config)
    with session:
        answers = _answers(model, tokenizer, prompts, settings.batch_size)
        if is_remote(settings):
            judge: Any = RemoteJudge(settings, api_key=key, timeout_s=timeout_s)
        else:
            token = None if isinstance(config, JudgeConfig) else hub_token(config)
            judge = load_local_judge(settings, model.device, token=token)
        replies = _replies(judge, prompts, answers, settings.batch_size)
    result = _result(prompts, answers, replies, settings, prices_usd)
    result.prompts = {"source": path.name, "count": len(prompts), "sha256": sha256_file(path)}
    if output_dir is not None:
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        told = settings.model_dump(mode="json") | {"judge_api_base": judge_address(settings)}
        document = {**asdict(result), "settings": told}
        write_json_atomic(folder / "judge_results.json", document)
    if judge.stopped:
        raise KeyboardInterrupt
    return result


def _answers(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], batch_size: int
) -> list[str | None]:
    replies = generate(
        model,
        tokenizer,
        [chat_text(tokenizer, [{"role": "user", "content": prompt.text}]) for prompt in prompts],
        batch_size=batch_size,
        max_new_tokens=min(_ANSWER_TOKENS, context_length(model, tokenizer) // 2),
        label="answering",
    )
    return [reply.text if reply and reply.text.strip() else None for reply in replies]


def _replies(
    judge: Any, prompts: Sequence[Prompt], answers: Sequence[str | None], batch_size: int
) -> list[JudgeReply]:
    """Return a reply for each prompt; of an empty answer nobody is asked."""
    asked = [n for n, answer in enumerate(answers) if answer is not None]
    questions = [
        judge_question(prompts[n].text, answers[n] or "", prompts[n].reference) for n in asked
    ]
    replies = [JudgeReply(None, _NO_ANSWER)] * len(prompts)
    for n, reply in zip(asked, judge.reply(questions, batch_size=batch_size), strict=True):
        replies[n] = reply
    return replies


def _result(
    prompts: Sequence[Prompt],
    answers: Sequence[str | None],
    replies: Sequence[JudgeReply],
    settings: JudgeConfig,
    prices_usd: tuple[float, float] | None,
) -> JudgeResult:
    details: list[dict[str, Any]] = []
    for prompt, answer, reply in zip(prompts, answers, replies, strict=True):
        mark = parse_mark(reply.text) if reply.text is not None else None
        problem = reply.problem or (_UNPARSABLE if mark is None else None)
        row = {"row": prompt.row, "score": mark, "problem": problem}
        if settings.include_eval_samples:
            row |= {"prompt": prompt.text, "answer": answer, "reply": reply.text}
        details.append(row)
    marks = [row["score"] for row in details if row["score"] is not None]
    average = math.fsum(marks) / len(marks) if marks else None
    reason = _failure(details, average, settings.min_score)
    tokens = _tokens(replies)
    return JudgeResult(
        passed=reason is None,
        average_score=average,
        failure_reason=reason,
        total_count=len(prompts),
        scored_count=len(marks),
        unparsable_count=sum(row["problem"] == _UNPARSABLE for row in details),
        details=details,
        tokens=tokens,
        estimated_cost_usd=_cost(tokens, prices_usd),
        judge={
            "model": settings.judge_model,
            "revision": settings.judge_model_revision,
            "remote": is_remote(settings),
            "server": judge_address(settings),
        },
    )


def _failure(
    details: Sequence[dict[str, Any]], average: float | None, min_score: float
) -> str | None:
    marked = sum(row["score"] is not None for row in details)
    if average is None or marked < _LEAST_MARKED * len(details):
        without = [row for row in details if row["problem"]]
        first = next((row for row in without if row["problem"] != NOT_ASKED), without[0])
        told = f"only {marked} of {len(details)} answers have a mark"
        return f"{told}; the first without, row {first['row']}: {first['problem']}"
    if average < min_score:
        return f"the average mark {average:.2f} is below min_score ({min_score:.2f})"
    return None


def _tokens(replies: Sequence[JudgeReply]) -> dict[str, int]:
    read = [reply.prompt_tokens for reply in replies if reply.prompt_tokens is not None]
    wrote = [reply.completion_tokens for reply in replies if reply.completion_tokens is not None]
    return {"prompt": sum(read), "completion": sum(wrote), "counted_replies": len(read)}


def _cost(tokens: dict[str, int], prices_usd: tuple[float, float] | None) -> float | None:
    if prices_usd is None:
        return None
    return (tokens["prompt"] * prices_usd[0] + tokens["completion"] * prices_usd[1]) / 1e6


def _settings(config: ForgeConfig | JudgeConfig) -> JudgeConfig:
    if isinstance(config, JudgeConfig):
        return config
    return (config.evaluation and config.evaluation.llm_judge) or JudgeConfig.model_validate({})
