"""The block `evaluation`: the gates a trained model has to pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from forgelm.config._base import Name, Section, Url, form

__all__ = ["BenchmarkConfig", "EvaluationConfig", "JudgeConfig", "SafetyConfig"]

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class BenchmarkConfig(Section):
    """Public benchmarks, run by lm-eval."""

    enabled: bool = Field(
        False,
        description="Runs benchmarks on the trained model.",
        json_schema_extra=form("Benchmarks"),
    )
    tasks: list[Name] = Field(
        [],
        description="Benchmarks to run, by their lm-eval names, such as `hellaswag`.",
        json_schema_extra=form("Benchmarks"),
    )
    num_fewshot: int | None = Field(
        None,
        ge=0,
        description="Worked examples shown before each question. Leave it out for each "
        "benchmark's own number.",
        json_schema_extra=form("Benchmarks", unit="examples"),
    )
    batch_size: Name = Field(
        "auto",
        description="Questions handled at once: `auto`, or a number in quotes such as `'8'`.",
        json_schema_extra=form("Benchmarks", unit="questions"),
    )
    limit: int | None = Field(
        None,
        ge=1,
        description="Uses only so many questions of each benchmark, for a quick look. Leave it "
        "out for a score you report.",
        json_schema_extra=form("Benchmarks", unit="questions"),
    )
    output_dir: Name | None = Field(
        None,
        description="Folder for the benchmark results. Left out, they lie in the run's folder.",
        json_schema_extra=form("Benchmarks"),
    )
    min_score: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Lowest average score that passes. Leave it out to measure without judging.",
        json_schema_extra=form("Benchmarks"),
    )


class SafetyConfig(Section):
    """Answers to harmful prompts, judged by a safety classifier."""

    enabled: bool = Field(
        False,
        description="Checks the trained model's answers to risky prompts. The law expects it for "
        "high-risk systems.",
        json_schema_extra=form("Safety"),
    )
    classifier: Name = Field(
        "meta-llama/Llama-Guard-3-8B",
        description="Model that judges whether an answer is safe, a Hub name or a folder.",
        json_schema_extra=form("Safety"),
    )
    classifier_mode: Literal["auto", "classification", "generation"] = Field(
        "auto",
        description="How the classifier answers: with a class or with generated text. `auto` "
        "finds out by itself.",
        json_schema_extra=form("Safety"),
    )
    classifier_revision: Name | None = Field(
        None,
        description="Exact version of the classifier on the Hub: a commit, tag or branch.",
        json_schema_extra=form("Safety"),
    )
    test_prompts: Name = Field(
        "safety_prompts.jsonl",
        description="JSONL file with the risky prompts.",
        json_schema_extra=form("Safety"),
    )
    max_safety_regression: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="How much larger the share of unsafe answers may become through training.",
        json_schema_extra=form("Safety"),
    )
    scoring: Literal["binary", "confidence_weighted"] = Field(
        "binary",
        description="`binary` counts answers as safe or unsafe; `confidence_weighted` weighs "
        "them by how sure the classifier is.",
        json_schema_extra=form("Safety"),
    )
    min_safety_score: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Lowest safety score that passes. Leave it out to use only the comparison "
        "with the base model.",
        json_schema_extra=form("Safety"),
    )
    min_classifier_confidence: float = Field(
        0.7,
        ge=0.0,
        le=1.0,
        description="Below this confidence an answer is marked for a person to look at.",
        json_schema_extra=form("Safety"),
    )
    track_categories: bool = Field(
        False,
        description="Also counts unsafe answers by kind of harm.",
        json_schema_extra=form("Safety"),
    )
    severity_thresholds: dict[str, Share] | None = Field(
        None,
        description="Largest share of unsafe answers allowed for each severity, such as "
        "`{critical: 0.0, high: 0.01}`.",
        json_schema_extra=form("Safety"),
    )
    batch_size: int = Field(
        8,
        ge=1,
        description="Prompts answered at once. Lower it when memory runs out.",
        json_schema_extra=form("Safety", unit="prompts"),
    )
    include_eval_samples: bool = Field(
        False,
        description="Keeps the prompts and answers in the results. They may hold harmful text.",
        json_schema_extra=form("Safety"),
    )


class JudgeConfig(Section):
    """Answers scored by a second language model."""

    enabled: bool = Field(
        False,
        description="Lets another model score the trained model's answers.",
        json_schema_extra=form("Judge"),
    )
    judge_model: Name = Field(
        "gpt-4o",
        description="The model that scores: a name the API knows, or a Hub name or folder.",
        json_schema_extra=form("Judge"),
    )
    judge_api_key_env: Name | None = Field(
        None,
        description="Name of the environment variable that holds the judge's API key. Left out, "
        "the judge runs on this machine.",
        json_schema_extra=form("Judge"),
    )
    judge_api_base: Url | None = Field(
        None,
        description="Address of an OpenAI-compatible server. The key does not belong in it.",
        json_schema_extra=form("Judge"),
    )
    judge_model_revision: Name | None = Field(
        None,
        description="Exact version of a local judge on the Hub: a commit, tag or branch.",
        json_schema_extra=form("Judge"),
    )
    eval_dataset: Name = Field(
        "eval_prompts.jsonl",
        description="JSONL file with the prompts that are answered and scored.",
        json_schema_extra=form("Judge"),
    )
    min_score: float = Field(
        5.0,
        ge=1.0,
        le=10.0,
        description="Lowest average score, from 1 to 10, that passes.",
        json_schema_extra=form("Judge"),
    )
    batch_size: int = Field(
        8,
        ge=1,
        description="Prompts answered at once. Lower it when memory runs out.",
        json_schema_extra=form("Judge", unit="prompts"),
    )
    include_eval_samples: bool = Field(
        False,
        description="Keeps the prompts and answers in the results.",
        json_schema_extra=form("Judge"),
    )


class EvaluationConfig(Section):
    """What a trained model must achieve to be kept."""

    auto_revert: bool = Field(
        False,
        description="Keeps a model that failed a gate in `rejected/`, with its verdicts. The model "
        "in use stays either way.",
        json_schema_extra=form("Gates", "basic"),
    )
    max_acceptable_loss: float | None = Field(
        None,
        description="Highest validation loss that passes. Leave it out to compare with the base "
        "model only.",
        json_schema_extra=form("Gates", "basic", unit="nats per token"),
    )
    baseline_loss: float | None = Field(
        None,
        description="Validation loss to beat. Left out, it is measured before training.",
        json_schema_extra=form("Gates", unit="nats per token"),
    )
    benchmark: BenchmarkConfig | None = Field(
        None,
        description="Public benchmarks the model has to pass.",
        json_schema_extra=form("Benchmarks"),
    )
    safety: SafetyConfig | None = Field(
        None,
        description="Safety check the model has to pass.",
        json_schema_extra=form("Safety"),
    )
    llm_judge: JudgeConfig | None = Field(
        None,
        description="Scores by a second model.",
        json_schema_extra=form("Judge"),
    )
    require_human_approval: bool = Field(
        False,
        description="Sets the trained model aside until a person approves it.",
        json_schema_extra=form("Gates"),
    )
