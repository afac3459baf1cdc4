"""The block `training`: how the model learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import AliasChoices, Field

from forgelm.config._base import Name, Problem, Section, form

__all__ = ["TrainingConfig"]


class TrainingConfig(Section):
    """How long, how fast and by which method the model learns."""

    output_dir: Name = Field(
        "./checkpoints",
        description="Folder for everything the run writes: checkpoints, metrics, the record and "
        "the final model.",
        json_schema_extra=form("Output", "basic"),
    )
    final_model_dir: Name = Field(
        "final_model",
        description="Folder inside `output_dir` for the finished model or adapter.",
        json_schema_extra=form("Output"),
    )
    merge_adapters: bool = Field(
        False,
        description="Melts the adapter into the base model at the end. The result is one large "
        "model that needs no adapter file.",
        json_schema_extra=form("Output"),
    )
    trainer_type: Literal["sft", "orpo", "dpo", "simpo", "kto", "grpo"] = Field(
        "sft",
        description="Method of training. `sft` learns from examples; `dpo`, `orpo` and `simpo` "
        "from pairs of better and worse answers, `kto` from thumbs up or down, `grpo` from a "
        "reward.",
        json_schema_extra=form("Method", "basic"),
    )
    max_steps: int = Field(
        -1,
        ge=-1,
        description="Stops after this many steps, whatever `num_train_epochs` says. -1 or 0 means "
        "no such limit.",
        json_schema_extra=form("Duration", "basic", unit="steps"),
    )
    num_train_epochs: int = Field(
        3,
        ge=1,
        description="How many times the model sees every row. 1 to 3 suits most jobs; more can "
        "make it learn rows by heart.",
        json_schema_extra=form("Duration", "basic", unit="epochs"),
    )
    per_device_train_batch_size: int = Field(
        4,
        ge=1,
        description="Rows a GPU handles at once. Halve it when memory runs out.",
        json_schema_extra=form("Batches", "basic", unit="rows"),
    )
    gradient_accumulation_steps: int = Field(
        2,
        ge=1,
        description="Batches gathered before the weights change once. Double it when you halve "
        "the batch size, and the training stays the same.",
        json_schema_extra=form("Batches", unit="batches"),
    )
    learning_rate: float = Field(
        2e-05,
        gt=0,
        description="How far the weights move at each step. For adapters 1e-4 to 2e-4 is common; "
        "lower it when the loss jumps.",
        json_schema_extra=form("Optimiser", "basic"),
    )
    warmup_ratio: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the steps over which the learning rate rises from zero. 0.03 to "
        "0.1 is usual.",
        json_schema_extra=form("Optimiser"),
    )
    weight_decay: float = Field(
        0.01,
        ge=0,
        description="Pulls weights towards zero a little, against learning rows by heart. 0 turns "
        "it off.",
        json_schema_extra=form("Optimiser"),
    )
    eval_steps: int = Field(
        200,
        ge=1,
        description="Measures the model on the validation rows every so many steps.",
        json_schema_extra=form("Checkpoints", unit="steps"),
    )
    save_steps: int = Field(
        200,
        ge=1,
        description="Saves a checkpoint every so many steps. When you set both, make it a "
        "multiple of `eval_steps`.",
        json_schema_extra=form("Checkpoints", unit="steps"),
    )
    save_total_limit: int = Field(
        3,
        ge=1,
        description="How many checkpoints are kept; older ones are deleted.",
        json_schema_extra=form("Checkpoints", unit="checkpoints"),
    )
    packing: bool = Field(
        False,
        description="Puts several short rows into one sequence, which is faster on a GPU. Leave "
        "it off for a small data set.",
        json_schema_extra=form("Batches"),
    )
    early_stopping_patience: int = Field(
        3,
        ge=1,
        description="Stops when the validation loss has not improved for so many evaluations in "
        "a row; with `trainer_type: grpo`, the mean reward. It needs validation rows.",
        json_schema_extra=form("Duration", unit="evaluations"),
    )
    orpo_beta: float = Field(
        0.1,
        gt=0,
        description="With `trainer_type: orpo`: weight of preferring the better answer.",
        json_schema_extra=form("Preference methods"),
    )
    dpo_beta: float = Field(
        0.1,
        gt=0,
        description="With `trainer_type: dpo`: how closely the model stays to where it started. "
        "Higher stays closer.",
        json_schema_extra=form("Preference methods"),
    )
    simpo_gamma: float = Field(
        0.5,
        ge=0,
        description="With `trainer_type: simpo`: how much better the better answer has to be.",
        json_schema_extra=form("Preference methods"),
    )
    simpo_beta: float = Field(
        2.0,
        gt=0,
        description="With `trainer_type: simpo`: how sharply better and worse answers are told "
        "apart.",
        json_schema_extra=form("Preference methods"),
    )
    kto_beta: float = Field(
        0.1,
        gt=0,
        description="With `trainer_type: kto`: how closely the model stays to where it started. "
        "Higher stays closer.",
        json_schema_extra=form("Preference methods"),
    )
    grpo_num_generations: int = Field(
        4,
        ge=2,
        description="With `trainer_type: grpo`: answers tried for each prompt. More is steadier "
        "and slower.",
        json_schema_extra=form("Reward method", unit="answers"),
    )
    grpo_max_completion_length: int = Field(
        512,
        ge=1,
        validation_alias=AliasChoices("grpo_max_completion_length", "grpo_max_new_tokens"),
        description="With `trainer_type: grpo`: longest answer the model may write while it "
        "learns. `grpo_max_new_tokens` is another name for it.",
        json_schema_extra=form("Reward method", unit="tokens", aliases=("grpo_max_new_tokens",)),
    )
    grpo_reward_model: Name | None = Field(
        None,
        description="With `trainer_type: grpo`: model that scores the answers with one number, a "
        "Hub name or a folder. Without it, answers are rewarded for agreeing with `gold_answer`.",
        json_schema_extra=form("Reward method"),
    )
    grpo_reward_model_revision: Name | None = Field(
        None,
        description="Exact version of the reward model on the Hub: a commit, tag or branch.",
        json_schema_extra=form("Reward method"),
    )
    gradient_checkpointing: bool | None = Field(
        None,
        description="Computes parts of the model twice instead of keeping them: less memory, a "
        "third more time. Left out, it is on for a GPU and off for a CPU.",
        json_schema_extra=form("Batches"),
    )
    galore_enabled: bool = Field(
        False,
        description="Trains all weights with GaLore, which keeps the optimiser small. It goes "
        "with `lora.method: full`.",
        json_schema_extra=form("GaLore"),
    )
    galore_optim: Literal[
        "galore_adamw",
        "galore_adamw_8bit",
        "galore_adafactor",
        "galore_adamw_layerwise",
        "galore_adamw_8bit_layerwise",
        "galore_adafactor_layerwise",
    ] = Field(
        "galore_adamw",
        description="GaLore's optimiser. The 8-bit and layer-wise ones need less memory; the "
        "layer-wise ones run on one GPU only.",
        json_schema_extra=form("GaLore"),
    )
    galore_rank: int = Field(
        128,
        ge=1,
        description="How much of each gradient GaLore keeps. Higher is closer to full training "
        "and needs more memory.",
        json_schema_extra=form("GaLore"),
    )
    galore_update_proj_gap: int = Field(
        200,
        ge=1,
        description="How often GaLore chooses anew what to keep of the gradients.",
        json_schema_extra=form("GaLore", unit="steps"),
    )
    galore_scale: float = Field(
        0.25,
        gt=0,
        description="How strongly GaLore's steps act, much like `lora.alpha`.",
        json_schema_extra=form("GaLore"),
    )
    galore_proj_type: Literal["std", "reverse_std", "right", "left", "full"] = Field(
        "std",
        description="Side from which GaLore shrinks the gradients. The default suits most models.",
        json_schema_extra=form("GaLore"),
    )
    galore_target_modules: list[Name] | None = Field(
        None,
        description="Layers trained with GaLore, by name. Leave it out for the usual attention "
        "and feed-forward layers.",
        json_schema_extra=form("GaLore"),
    )
    rope_scaling: dict[str, Any] | None = Field(
        None,
        description="Stretches the model's position encoding to longer texts, for example "
        "`{rope_type: linear, factor: 2.0}`.",
        json_schema_extra=form("Long texts"),
    )
    neftune_noise_alpha: float | None = Field(
        None,
        ge=0,
        description="Adds noise to the inputs while training, which can make chat answers "
        "better. 5 is a common value; leave it out for none.",
        json_schema_extra=form("Optimiser"),
    )
    sliding_window_attention: int | None = Field(
        None,
        ge=1,
        description="Lets each token look back only so far, for models that support it.",
        json_schema_extra=form("Long texts", unit="tokens"),
    )
    sample_packing: bool = Field(
        False,
        description="Old spelling of `packing`. It is turned into that and reads false afterwards.",
        json_schema_extra=form("Batches", deprecated=True),
    )
    oom_recovery: bool = Field(
        False,
        description="When memory runs out, halves the batch size and tries again instead of "
        "failing.",
        json_schema_extra=form("Batches"),
    )
    oom_recovery_min_batch_size: int = Field(
        1,
        ge=1,
        description="With `oom_recovery`: the batch size below which it gives up.",
        json_schema_extra=form("Batches", unit="rows"),
    )
    report_to: Literal["tensorboard", "wandb", "mlflow", "none", "trackio"] = Field(
        "tensorboard",
        description="Tool that also gets the training figures. `none` keeps them in the run's "
        "own folder only.",
        json_schema_extra=form("Tracking"),
    )
    run_name: Name | None = Field(
        None,
        description="Name of the run in the tracking tool.",
        json_schema_extra=form("Tracking"),
    )
    gpu_cost_per_hour: float | None = Field(
        None,
        ge=0,
        description="What one GPU costs, so that the result can say what the run cost.",
        json_schema_extra=form("Tracking", unit="USD per hour"),
    )

    def _settle(self) -> Iterator[Problem]:
        yield from self._adopt("sample_packing", "packing", True)
        yield from self._method()
        smallest, batch = self.oom_recovery_min_batch_size, self.per_device_train_batch_size
        if self.oom_recovery and smallest > batch:
            yield Problem(
                "oom_recovery_min_batch_size",
                f"is {smallest}, above per_device_train_batch_size, which is {batch}; lower it",
                ("oom_recovery", "oom_recovery_min_batch_size", "per_device_train_batch_size"),
            )
        # A default is not a choice: the trainer moves it to fit the other value.
        defaults = {"eval_steps": 200, "save_steps": 200}
        chosen = all(getattr(self, key) != value for key, value in defaults.items())
        if chosen and self.save_steps % self.eval_steps:
            yield Problem(
                "save_steps",
                f"is {self.save_steps}, not a multiple of eval_steps, which is {self.eval_steps}; "
                "early stopping can only keep a checkpoint that was evaluated",
                ("save_steps", "eval_steps"),
            )

    def _method(self) -> Iterator[Problem]:
        method = self.trainer_type
        if self.packing and method != "sft":
            text = f"is for trainer_type sft, and this is {method}; take it out"
            yield Problem("packing", text, ("packing", "trainer_type"))
        if self.grpo_reward_model is not None and method != "grpo":
            text = f"is for trainer_type grpo, and this is {method}; take it out"
            yield Problem("grpo_reward_model", text, ("grpo_reward_model", "trainer_type"))
        if method == "kto" and self.per_device_train_batch_size < 2:
            yield Problem(
                "per_device_train_batch_size",
                "is 1, and kto compares the answers of a batch with each other; take 2 or more",
                ("per_device_train_batch_size", "trainer_type"),
            )
