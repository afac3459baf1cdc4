"""The blocks `data`, `auth` and `synthetic`: what the model learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from forgelm.config._base import Line, Name, Problem, Secret, Section, Text, Url, form

__all__ = ["AuthConfig", "DataConfig", "DataGovernanceConfig", "SyntheticConfig"]


class DataGovernanceConfig(Section):
    """What an auditor asks about the data; copied into the governance report."""

    collection_method: Text = Field(
        "",
        description="How the data was collected, in your own words.",
        json_schema_extra=form("Governance"),
    )
    annotation_process: Text = Field(
        "",
        description="Who labelled or wrote the answers, and how they were checked.",
        json_schema_extra=form("Governance"),
    )
    known_biases: Text = Field(
        "",
        description="Groups, topics or situations the data is known to show too often, too "
        "rarely or unfairly.",
        json_schema_extra=form("Governance"),
    )
    personal_data_included: bool = Field(
        False,
        description="Say true when the data holds information about identifiable people.",
        json_schema_extra=form("Governance"),
    )
    dpia_completed: bool = Field(
        False,
        description="Say true when a data protection impact assessment has been done.",
        json_schema_extra=form("Governance"),
    )


class DataConfig(Section):
    """The rows the model learns from."""

    dataset_name_or_path: Name = Field(
        description="The training data: a JSONL, JSON, CSV or Parquet file, a folder with such "
        "files, or the name of a Hub data set.",
        json_schema_extra=form("Data", "basic"),
    )
    extra_datasets: list[Name] | None = Field(
        None,
        description="More data sets, mixed with the first one.",
        json_schema_extra=form("Data"),
    )
    mix_ratio: list[Annotated[float, Field(ge=0)]] | None = Field(
        None,
        description="One weight for each data set, the first data set's first. `[2, 1]` adds half "
        "as many rows of the second as the first has.",
        json_schema_extra=form("Data"),
    )
    shuffle: bool = Field(
        True,
        description="Puts the training rows in random order. Leave it on unless the order matters.",
        json_schema_extra=form("Data"),
    )
    clean_text: bool = Field(
        True,
        description="Removes characters nobody can see and blanks at the end of a text. Line "
        "breaks and indentation stay as they are.",
        json_schema_extra=form("Data"),
    )
    add_eos: bool = Field(
        True,
        description="Ends each row with the model's end mark, so that it learns to stop. Leave "
        "it on.",
        json_schema_extra=form("Data"),
    )
    governance: DataGovernanceConfig | None = Field(
        None,
        description="Facts about the data for the governance report.",
        json_schema_extra=form("Governance"),
    )

    def _settle(self) -> Iterator[Problem]:
        if self.mix_ratio is None:
            return
        datasets = 1 + len(self.extra_datasets or ())
        reads = ("mix_ratio", "extra_datasets")
        if len(self.mix_ratio) != datasets:
            yield Problem(
                "mix_ratio",
                f"has {len(self.mix_ratio)} weights for {datasets} data sets; give one weight for "
                "dataset_name_or_path and one for each of extra_datasets",
                reads,
            )
        elif self.mix_ratio[0] == 0:
            text = "starts with 0; the first data set is always used, so give it a weight above 0"
            yield Problem("mix_ratio", text, reads)


class AuthConfig(Section):
    """Access to the Hugging Face Hub."""

    hf_token: Secret | None = Field(
        None,
        description="Token for private models and data sets on the Hub. Better kept in the "
        "environment variable HUGGINGFACE_TOKEN than in a file.",
        json_schema_extra=form(
            "Access", instead="set the environment variable HUGGINGFACE_TOKEN to it"
        ),
    )


class SyntheticConfig(Section):
    """Training rows written by a stronger model, the teacher."""

    enabled: bool = Field(
        False,
        description="Lets a teacher model write training rows before training.",
        json_schema_extra=form("Synthetic data"),
    )
    teacher_model: Line = Field(
        "",
        description="The teacher: a model name the API knows, or a Hub name or folder for "
        "`teacher_backend: local`.",
        json_schema_extra=form("Synthetic data"),
    )
    teacher_backend: Literal["api", "local", "file"] = Field(
        "api",
        description="Where the teacher runs: `api` asks a server, `local` loads it here, `file` "
        "reads answers written earlier.",
        json_schema_extra=form("Synthetic data"),
    )
    teacher_revision: Name | None = Field(
        None,
        description="Exact version of a local teacher on the Hub: a commit, tag or branch.",
        json_schema_extra=form("Synthetic data"),
    )
    api_base: Url = Field(
        "",
        description="Address of an OpenAI-compatible server, such as `https://host/v1`. The key "
        "does not belong in it.",
        json_schema_extra=form("Teacher's API"),
    )
    api_key: Secret | None = Field(
        None,
        description="Key for the teacher's API. Better named in `api_key_env` than written here.",
        json_schema_extra=form(
            "Teacher's API", instead="name the environment variable that holds it in api_key_env"
        ),
    )
    api_key_env: Name | None = Field(
        None,
        description="Name of the environment variable that holds the key for the teacher's API.",
        json_schema_extra=form("Teacher's API"),
    )
    api_delay: float = Field(
        0.5,
        ge=0.0,
        description="Pause between two requests. Raise it when the server says there are too many.",
        json_schema_extra=form("Teacher's API", unit="seconds"),
    )
    api_timeout: int = Field(
        60,
        ge=10,
        description="How long to wait for one answer.",
        json_schema_extra=form("Teacher's API", unit="seconds"),
    )
    seed_file: Line = Field(
        "",
        description="File with the prompts for the teacher, one a line or JSONL.",
        json_schema_extra=form("Synthetic data"),
    )
    seed_prompts: list[Text] = Field(
        [],
        description="Prompts for the teacher, written here instead of in a file.",
        json_schema_extra=form("Synthetic data"),
    )
    system_prompt: Text = Field(
        "",
        description="What the teacher is told before each prompt, for example the tone to write "
        "in.",
        json_schema_extra=form("Synthetic data"),
    )
    max_new_tokens: int = Field(
        1024,
        ge=1,
        description="Longest answer the teacher may write.",
        json_schema_extra=form("Synthetic data", unit="tokens"),
    )
    temperature: float = Field(
        0.7,
        ge=0.0,
        description="How varied the answers are: 0 always takes the likeliest word, 1 varies "
        "freely.",
        json_schema_extra=form("Synthetic data"),
    )
    output_file: Name = Field(
        "synthetic_data.jsonl",
        description="File the new rows are written to.",
        json_schema_extra=form("Synthetic data"),
    )
    output_format: Literal["messages", "instruction", "chatml", "prompt_response"] = Field(
        "messages",
        description="Shape of the new rows. `messages` suits chat models.",
        json_schema_extra=form("Synthetic data"),
    )
    min_success_rate: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of prompts that must get a usable answer, or the step fails.",
        json_schema_extra=form("Synthetic data"),
    )
    sanity_failure_rate: float = Field(
        0.2,
        ge=0.0,
        le=1.0,
        description="Share of answers that may fail the plausibility checks before the step stops.",
        json_schema_extra=form("Synthetic data"),
    )
