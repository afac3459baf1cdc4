"""The blocks `model`, `lora` and `distributed`: what is trained, and with which adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from forgelm.config._base import UNION_TAGS, Name, Problem, Section, form

__all__ = [
    "DistributedConfig",
    "LoraConfigModel",
    "ModelConfig",
    "MoeConfig",
    "MultimodalConfig",
]


_LIST, _WORD = UNION_TAGS


def _list_or_word(value: Any) -> str:
    return _WORD if isinstance(value, str) else _LIST


ModuleNames = Annotated[
    Annotated[list[Name], Field(min_length=1), Tag(_LIST)]
    | Annotated[Literal["all-linear"], Tag(_WORD)],
    Discriminator(_list_or_word),
]


class MoeConfig(Section):
    """Mixture-of-experts models."""

    quantize_experts: bool = Field(
        False,
        description="Also loads the expert layers of a mixture-of-experts model in 4 bits. Models "
        "that keep their experts in one piece, as all current ones do, cannot: leave it off.",
        json_schema_extra=form("Mixture of experts"),
    )
    experts_to_train: Name = Field(
        "all",
        description="Which experts get an adapter, besides `lora.target_modules`: `all`, or "
        "their numbers separated by commas, such as `0,1,5`.",
        json_schema_extra=form("Mixture of experts"),
    )


class MultimodalConfig(Section):
    """Models that see images as well as text."""

    enabled: bool = Field(
        False,
        description="Trains on images together with text. Turn it on only for a model that "
        "accepts images.",
        json_schema_extra=form("Images"),
    )
    image_column: Name = Field(
        "image",
        description="Name of the column that holds the image of each row.",
        json_schema_extra=form("Images"),
    )
    text_column: Name = Field(
        "text",
        description="Name of the column that holds the text of each row.",
        json_schema_extra=form("Images"),
    )


class ModelConfig(Section):
    """The model that is fine-tuned and how it is loaded."""

    name_or_path: Name = Field(
        description="The model to start from: a Hub name such as "
        "`TinyLlama/TinyLlama-1.1B-Chat-v1.0`, or a folder on this machine.",
        json_schema_extra=form("Base model", "basic"),
    )
    max_length: int = Field(
        2048,
        gt=0,
        description="Longest row the model sees; longer rows are cut. Smaller values need less "
        "memory and time.",
        json_schema_extra=form("Base model", "basic", unit="tokens"),
    )
    load_in_4bit: bool = Field(
        True,
        description="Loads the base model in 4 bits, so that it needs about a quarter of the "
        "memory. It needs an NVIDIA GPU; turn it off on a CPU.",
        json_schema_extra=form("Memory", "basic"),
    )
    load_in_8bit: bool = Field(
        False,
        description="Loads the base model in 8 bits instead: half the saving of 4 bits, closer to "
        "the original. It needs an NVIDIA GPU.",
        json_schema_extra=form("Memory"),
    )
    backend: Literal["transformers", "unsloth"] = Field(
        "transformers",
        description="The library that loads the model. `transformers` works everywhere; "
        "`unsloth` is faster on one NVIDIA GPU and must be installed separately.",
        json_schema_extra=form("Loading"),
    )
    trust_remote_code: bool = Field(
        False,
        description="Runs Python code that comes with the model. Turn it on only for a model "
        "whose code you have read, and pin `revision` with it.",
        json_schema_extra=form("Loading"),
    )
    offline: bool = Field(
        False,
        description="Uses only files that are already on this machine and makes no network "
        "request.",
        json_schema_extra=form("Loading", "basic"),
    )
    revision: Name | None = Field(
        None,
        description="Exact version of the model on the Hub: a commit, tag or branch. Pin a commit "
        "when the run must be repeatable.",
        json_schema_extra=form("Loading"),
    )
    moe: MoeConfig | None = Field(
        None,
        description="Settings for mixture-of-experts models. Leave it out for any other model.",
        json_schema_extra=form("Mixture of experts"),
    )
    multimodal: MultimodalConfig | None = Field(
        None,
        description="Settings for models that see images. Leave it out when you train on text.",
        json_schema_extra=form("Images"),
    )
    bnb_4bit_use_double_quant: bool = Field(
        True,
        description="With `load_in_4bit`: also compresses the scale factors, which saves a little "
        "more memory. The default is right for nearly everyone.",
        json_schema_extra=form("Memory"),
    )
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = Field(
        "nf4",
        description="With `load_in_4bit`: how weights are stored in 4 bits. `nf4` suits trained "
        "models best.",
        json_schema_extra=form("Memory"),
    )
    bnb_4bit_compute_dtype: Literal[
        "auto", "bfloat16", "bf16", "float16", "fp16", "float32", "fp32"
    ] = Field(
        "auto",
        description="With `load_in_4bit`: the number format used while computing. `auto` takes "
        "bfloat16 where the GPU has it.",
        json_schema_extra=form("Memory"),
    )

    def _settle(self) -> Iterator[Problem]:
        if not (self.load_in_8bit and self.load_in_4bit):
            return
        if "load_in_4bit" in self.model_fields_set:
            keys = ("load_in_8bit", "load_in_4bit")
            yield Problem("load_in_8bit", "cannot be combined with load_in_4bit; keep one", keys)
            return
        self.__dict__["load_in_4bit"] = False  # it was only the default
        self.__pydantic_fields_set__.add("load_in_4bit")


class LoraConfigModel(Section):
    """The adapter: the small set of weights that is trained."""

    r: int = Field(
        8,
        ge=1,
        description="Rank of the adapter: how much it can learn. 8 or 16 suits most jobs; higher "
        "needs more memory.",
        json_schema_extra=form("Adapter", "basic"),
    )
    alpha: int = Field(
        16,
        ge=1,
        description="How strongly the adapter acts; it is divided by `r`. Twice `r` is a common "
        "choice.",
        json_schema_extra=form("Adapter", "basic"),
    )
    dropout: float = Field(
        0.1,
        ge=0.0,
        le=1.0,
        description="Share of adapter inputs switched off at random while training, against "
        "learning rows by heart. 0 to 0.1 is usual.",
        json_schema_extra=form("Adapter"),
    )
    bias: Literal["none", "all", "lora_only"] = Field(
        "none",
        description="Which bias weights are trained besides the adapter. `none` is usual.",
        json_schema_extra=form("Adapter"),
    )
    method: Literal["lora", "dora", "pissa", "rslora", "full"] = Field(
        "lora",
        description="Kind of adapter. `lora` is the standard; `rslora` helps at high ranks, "
        "`dora` and `pissa` can learn more. `full` has no adapter: it trains every weight and "
        "needs many times the memory.",
        json_schema_extra=form("Adapter"),
    )
    use_dora: bool = Field(
        False,
        description="Old spelling of `method: dora`. It is turned into that and reads false "
        "afterwards.",
        json_schema_extra=form("Adapter", deprecated=True),
    )
    use_rslora: bool = Field(
        False,
        description="Old spelling of `method: rslora`. It is turned into that and reads false "
        "afterwards.",
        json_schema_extra=form("Adapter", deprecated=True),
    )
    target_modules: ModuleNames = Field(
        ["q_proj", "v_proj"],
        description="Layers that get an adapter, by name, or `all-linear` for every linear layer. "
        "More layers learn more and need more memory.",
        json_schema_extra=form("Adapter", "basic"),
    )
    task_type: Name = Field(
        "CAUSAL_LM",
        description="What the model does, in PEFT's words. `CAUSAL_LM`, predicting the next "
        "token, is right for chat and text models.",
        json_schema_extra=form("Adapter"),
    )

    def _settle(self) -> Iterator[Problem]:
        if self.use_dora and self.use_rslora:
            reads = ("use_dora", "use_rslora")
            yield Problem("use_dora", "cannot be combined with use_rslora; write method", reads)
            return
        yield from self._adopt("use_dora", "method", "dora")
        yield from self._adopt("use_rslora", "method", "rslora")


class DistributedConfig(Section):
    """Training in several processes, one for each GPU."""

    strategy: Literal["deepspeed", "fsdp", "ddp"] | None = Field(
        None,
        description="How the work is spread: `ddp` keeps the whole model on every GPU, `fsdp` and "
        "`deepspeed` a part of it. Leave it out for one GPU or a CPU.",
        json_schema_extra=form("Several GPUs"),
    )
    processes: int | None = Field(
        None,
        ge=1,
        description="How many processes train together. Leave it out for one on each GPU.",
        json_schema_extra=form("Several GPUs", unit="processes"),
    )
    deepspeed_config: Name | None = Field(
        None,
        description="Path of a DeepSpeed JSON file, used with `strategy: deepspeed`.",
        json_schema_extra=form("Several GPUs"),
    )
    fsdp_strategy: Literal["full_shard", "shard_grad_op", "no_shard", "hybrid_shard"] = Field(
        "full_shard",
        description="With `strategy: fsdp`: what is split over the GPUs. `full_shard` saves the "
        "most memory.",
        json_schema_extra=form("Several GPUs"),
    )
    fsdp_auto_wrap: bool = Field(
        True,
        description="With `strategy: fsdp`: splits the model layer by layer. Leave it on.",
        json_schema_extra=form("Several GPUs"),
    )
    fsdp_offload: bool = Field(
        False,
        description="With `strategy: fsdp`: keeps weights in the computer's own memory while they "
        "are not needed. Slower, for models that do not fit.",
        json_schema_extra=form("Several GPUs"),
    )
    fsdp_backward_prefetch: Literal["backward_pre", "backward_post"] = Field(
        "backward_pre",
        description="With `strategy: fsdp`: when the next weights are fetched. `backward_pre` is "
        "faster, `backward_post` needs less memory.",
        json_schema_extra=form("Several GPUs"),
    )
    fsdp_state_dict_type: Literal["FULL_STATE_DICT", "SHARDED_STATE_DICT"] = Field(
        "FULL_STATE_DICT",
        description="With `strategy: fsdp`: whether a checkpoint is one whole or one piece a GPU. "
        "Take the pieces only for very large models.",
        json_schema_extra=form("Several GPUs"),
    )

    def _settle(self) -> Iterator[Problem]:
        if self.processes is not None and self.strategy is None:
            keys = ("processes", "strategy")
            yield Problem("processes", "needs a strategy; write `strategy: ddp`", keys)
