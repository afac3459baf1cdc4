"""The whole configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, ValidationError

from forgelm.config._base import Name, Problem, Section, form
from forgelm.config._data import AuthConfig, DataConfig, SyntheticConfig
from forgelm.config._evaluation import EvaluationConfig
from forgelm.config._governance import (
    ComplianceMetadataConfig,
    MergeConfig,
    MonitoringConfig,
    RetentionConfig,
    RiskAssessmentConfig,
    WebhookConfig,
)
from forgelm.config._model import DistributedConfig, LoraConfigModel, ModelConfig
from forgelm.config._problems import Issue, build_config_error, find_issues
from forgelm.config._schema import ConfigField, field_tree
from forgelm.config._training import TrainingConfig
from forgelm.config._write import config_digest, config_to_yaml

__all__ = ["ForgeConfig", "PipelineConfig", "PipelineStage", "describe_config"]


class PipelineStage(Section):
    """One training run of a pipeline; a block left out is taken from the file's own."""

    name: str = Field(
        pattern="^[a-z0-9_]{1,32}$",
        description="Name of the stage: lower-case letters, digits and underscores, at most 32.",
        json_schema_extra=form("Pipeline"),
    )
    model: ModelConfig | None = Field(
        None,
        description="Model of this stage, instead of the file's own.",
        json_schema_extra=form("Pipeline"),
    )
    lora: LoraConfigModel | None = Field(
        None,
        description="Adapter of this stage, instead of the file's own.",
        json_schema_extra=form("Pipeline"),
    )
    training: TrainingConfig | None = Field(
        None,
        description="Training settings of this stage, instead of the file's own.",
        json_schema_extra=form("Pipeline"),
    )
    data: DataConfig | None = Field(
        None,
        description="Data of this stage, instead of the file's own.",
        json_schema_extra=form("Pipeline"),
    )
    evaluation: EvaluationConfig | None = Field(
        None,
        description="Gates of this stage, instead of the file's own.",
        json_schema_extra=form("Pipeline"),
    )


class PipelineConfig(Section):
    """Several training runs, one after the other."""

    output_dir: Name = Field(
        "./pipeline_run",
        description="Folder for everything the pipeline writes.",
        json_schema_extra=form("Pipeline"),
    )
    stages: list[PipelineStage] = Field(
        min_length=1,
        description="The stages, in the order they run.",
        json_schema_extra=form("Pipeline"),
    )

    def _settle(self) -> Iterator[Problem]:
        names = [stage.name for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            text = f"two stages are called {twice[0]}; give each its own name"
            yield Problem("stages", text, ("stages",))


class ForgeConfig(Section):
    """A whole configuration, checked: every problem is reported at once as `ConfigError`.

    Example:
        >>> config = ForgeConfig(
        ...     model={"name_or_path": "my/model"},
        ...     lora={"r": 16},
        ...     training={},
        ...     data={"dataset_name_or_path": "train.jsonl"},
        ... )
        >>> print(config.to_yaml())
        model:
          name_or_path: my/model
        lora:
          r: 16
        training: {}
        data:
          dataset_name_or_path: train.jsonl
        <BLANKLINE>
    """

    model: ModelConfig = Field(
        description="The model that is fine-tuned and how it is loaded.",
        json_schema_extra=form("The run", "basic"),
    )
    lora: LoraConfigModel = Field(
        description="The adapter: the small set of weights that is trained. `{}` takes every "
        "default.",
        json_schema_extra=form("The run", "basic"),
    )
    training: TrainingConfig = Field(
        description="How long, how fast and by which method the model learns. `{}` takes every "
        "default.",
        json_schema_extra=form("The run", "basic"),
    )
    data: DataConfig = Field(
        description="The rows the model learns from.",
        json_schema_extra=form("The run", "basic"),
    )
    auth: AuthConfig | None = Field(
        None,
        description="Access to private models and data sets on the Hugging Face Hub.",
        json_schema_extra=form("Services"),
    )
    evaluation: EvaluationConfig | None = Field(
        None,
        description="What the trained model must achieve to be kept.",
        json_schema_extra=form("The run"),
    )
    webhook: WebhookConfig | None = Field(
        None,
        description="Messages to a chat channel or a service of your own.",
        json_schema_extra=form("Services"),
    )
    distributed: DistributedConfig | None = Field(
        None,
        description="Training on several GPUs. Leave it out for one GPU or a CPU.",
        json_schema_extra=form("The run"),
    )
    merge: MergeConfig | None = Field(
        None,
        description="Makes several trained models into one.",
        json_schema_extra=form("More steps"),
    )
    compliance: ComplianceMetadataConfig | None = Field(
        None,
        description="What the technical documentation says about the system and its provider.",
        json_schema_extra=form("The record"),
    )
    risk_assessment: RiskAssessmentConfig | None = Field(
        None,
        description="What could go wrong with the system, and what is done about it.",
        json_schema_extra=form("The record"),
    )
    monitoring: MonitoringConfig | None = Field(
        None,
        description="How the model is watched after it is in use.",
        json_schema_extra=form("The record"),
    )
    synthetic: SyntheticConfig | None = Field(
        None,
        description="Training rows written by a stronger model.",
        json_schema_extra=form("More steps"),
    )
    retention: RetentionConfig | None = Field(
        None,
        description="How long what a run leaves behind is kept.",
        json_schema_extra=form("The record"),
    )
    pipeline: PipelineConfig | None = Field(
        None,
        description="Several training runs, one after the other.",
        json_schema_extra=form("More steps"),
    )

    def __init__(self, /, **sections: Any) -> None:
        try:
            super().__init__(**sections)
            return
        except ValidationError as error:
            issues = find_issues(type(self), sections, error)
        # outside the handler: the error's own context would hold the values given
        raise build_config_error(issues)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the configuration in `obj`, a dict of blocks.

        Raises:
            ConfigError: Every problem at once.
        """
        if isinstance(obj, dict):
            odd = [key for key in obj if not isinstance(key, str)]
            if odd:
                issue = Issue((), "key", f"a key is {type(odd[0]).__name__}, not text")
                raise build_config_error([issue])
        elif not isinstance(obj, cls):
            raise build_config_error([Issue((), "model_type", _NOT_A_MAPPING)])
        return super().model_validate(obj, **options)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Return the configuration in the JSON text `json_data`.

        Raises:
            ConfigError: Every problem at once.
        """
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            issues = find_issues(cls, {}, error)
        raise build_config_error(issues)

    def to_yaml(self, *, include_secrets: bool = False, include_defaults: bool = False) -> str:
        """Return the configuration as YAML that `load_config` reads back.

        Args:
            include_secrets: Write tokens and keys in clear. Otherwise comment lines at the top say
                which were left out and where to put them.
            include_defaults: Write every key, not only those that were set.
        """
        return config_to_yaml(
            self, include_secrets=include_secrets, include_defaults=include_defaults
        )

    def config_hash(self) -> str:
        """Return the SHA-256 of all settings, secrets left out, as 64 hex digits.

        Two configurations that train alike have the same hash, however they were written.
        """
        return config_digest(self)

    def _settle(self) -> Iterator[Problem]:
        yield from self._several_gpus()
        yield from self._methods()
        tiers = {
            "compliance.risk_classification": self.compliance
            and self.compliance.risk_classification,
            "risk_assessment.risk_category": self.risk_assessment
            and self.risk_assessment.risk_category,
        }
        safety = self.evaluation.safety if self.evaluation else None
        for path, tier in tiers.items():
            if tier in {"high-risk", "unacceptable"} and not (safety and safety.enabled):
                key = "evaluation.safety.enabled"
                yield Problem(key, f"must be true, because {path} is {tier}", (key, path))

    def _several_gpus(self) -> Iterator[Problem]:
        strategy = self.distributed.strategy if self.distributed else None
        if strategy is None:
            return
        alone = f"cannot be combined with distributed.strategy, which is {strategy}"
        for prefix, run in self._runs():
            if run.model and run.model.backend == "unsloth":
                path = f"{prefix}model.backend"
                text = f"unsloth {alone}; take transformers"
                yield Problem(path, text, (path, "distributed.strategy"))
            training = run.training
            layerwise = training and training.galore_optim.endswith("_layerwise")
            if training and layerwise and training.galore_enabled:
                path = f"{prefix}training.galore_optim"
                other = training.galore_optim.removesuffix("_layerwise")
                reads = (path, f"{prefix}training.galore_enabled", "distributed.strategy")
                yield Problem(path, f"{training.galore_optim} {alone}; take {other}", reads)

    def _methods(self) -> Iterator[Problem]:
        for prefix, run in self._runs():
            training, data = run.training or self.training, run.data or self.data
            method = training.trainer_type
            if method != "sft" and not data.add_eos:
                path = f"{prefix if run.data else ''}data.add_eos"
                text = f"must be true: {method} always ends an answer with the model's end mark"
                yield Problem(path, text, (path, f"{prefix}training.trainer_type"))
            batch, gathered = "per_device_train_batch_size", "gradient_accumulation_steps"
            rows = training.per_device_train_batch_size * training.gradient_accumulation_steps
            # Several processes share a step, and how many there are is not known here.
            alone = self.distributed is None or self.distributed.strategy is None
            if method == "grpo" and alone and rows % training.grpo_num_generations:
                path = f"{prefix}training.grpo_num_generations"
                text = (
                    f"is {training.grpo_num_generations}, and the {rows} answers of a step "
                    f"({batch} x {gathered}) must be a multiple of it; change one of the three"
                )
                keys = ("grpo_num_generations", "trainer_type", batch, gathered)
                yield Problem(path, text, tuple(f"{prefix}training.{key}" for key in keys))

    def _runs(self) -> Iterator[tuple[str, ForgeConfig | PipelineStage]]:
        """Yield everything that trains, with the prefix of its keys."""
        yield "", self
        for number, stage in enumerate(self.pipeline.stages if self.pipeline else ()):
            yield f"pipeline.stages.{number}.", stage

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
                return
            except ValidationError as error:
                issues = find_issues(type(self), {**self.__dict__, name: value}, error)
            raise build_config_error(issues)


def describe_config(model: type[BaseModel] = ForgeConfig) -> ConfigField:
    """Return the field tree of `model`: every key with its type, default, bounds and help.

    Example:
        >>> rank = describe_config().child("lora").child("r")
        >>> rank.type, rank.default, rank.minimum
        ('integer', 8, 1)
    """
    return field_tree(model)


_NOT_A_MAPPING = "must be a block of keys; write at least model, lora, training and data"
