"""Finding and loading a safety classifier, and refusing one whose answers nobody could read."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, quiet_bars, require
from forgelm.errors import EvaluationError
from forgelm.evaluation._guards import (
    ClassificationHead,
    Classifier,
    GuardModel,
    is_safe_label,
    render_conversation,
)
from forgelm.evaluation._models import first_line

if TYPE_CHECKING:
    from forgelm.config import SafetyConfig

__all__ = ["ClassifierError", "FoundClassifier", "find_classifier"]

_FEATURE = "The safety evaluation"


class ClassifierError(EvaluationError):
    """The classifier cannot be loaded, or nobody could tell what its answers mean."""


@dataclass(frozen=True)
class FoundClassifier:
    """A classifier whose files are there, its weights not loaded yet."""

    name: str
    mode: str
    tokenizer: Any
    options: dict[str, Any]
    labels: dict[int, str]
    several: bool
    commit: str | None

    def load(self, device: Any) -> Classifier:
        """Load the weights.

        Raises:
            ClassifierError: They cannot be loaded.
        """
        transformers = require("transformers", extra="train", feature=_FEATURE)
        head = self.mode == "classification"
        kind = "AutoModelForSequenceClassification" if head else "AutoModelForCausalLM"
        try:
            with MODEL_LOADING, quiet_bars():
                model, told = getattr(transformers, kind).from_pretrained(
                    self.name, dtype="auto", output_loading_info=True, **self.options
                )
                model = model.to(device).eval()
        except Exception as error:
            raise ClassifierError(_unloadable(self.name, error)) from error
        if told["missing_keys"]:
            absent = ", ".join(sorted(map(str, told["missing_keys"]))[:3])
            raise ClassifierError(
                f"the safety classifier {self.name!r} lacks weights and would answer by chance: "
                f"{absent}"
            )
        if head:
            return ClassificationHead(model, self.tokenizer, self.labels, self.several)
        return GuardModel(model, self.tokenizer)


def find_classifier(settings: SafetyConfig, *, token: str | None = None) -> FoundClassifier:
    """Look at a classifier's configuration and tokenizer, before any prompt is answered.

    Raises:
        ClassifierError: It is not there, or nobody could tell what its answers mean.
    """
    transformers = require("transformers", extra="train", feature=_FEATURE)
    # Left open, a repository with code of its own would ask on the terminal.
    options: dict[str, Any] = {"trust_remote_code": False, "token": token}
    options["revision"] = settings.classifier_revision or "main"
    name = settings.classifier
    try:
        with MODEL_LOADING, quiet_bars():
            config = transformers.AutoConfig.from_pretrained(name, **options)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **options)
    except Exception as error:
        raise ClassifierError(_unloadable(name, error)) from error
    mode: str = settings.classifier_mode
    if mode == "auto":
        mode = _mode_of(name, config.architectures or [])
    labels = {int(number): str(label) for number, label in config.id2label.items()}
    several = config.problem_type == "multi_label_classification"
    if mode == "classification":
        _check_labels(name, labels, several)
    else:
        _check_template(name, tokenizer)
    commit = getattr(config, "_commit_hash", None)
    return FoundClassifier(name, mode, tokenizer, options, labels, several, commit)


def _check_template(name: str, tokenizer: Any) -> None:
    if not tokenizer.chat_template:
        raise ClassifierError(f"the classifier {name!r} has no chat template to ask it with")
    # Words that no template holds of itself.
    asked, answered = secrets.token_hex(8), secrets.token_hex(8)
    if not render_conversation(tokenizer, [("user", asked), ("assistant", answered)]):
        raise ClassifierError(
            f"the chat template of the classifier {name!r} leaves out the answer it should judge"
        )


def _check_labels(name: str, labels: dict[int, str], several: bool) -> None:
    told = [label for label in labels.values() if not re.fullmatch(r"LABEL_\d+", label)]
    safe = [label for label in told if is_safe_label(label)]
    if len(told) == len(labels) > len(safe) and (several or safe):
        return
    raise ClassifierError(
        f"nobody can tell which labels of the classifier {name!r} mean safe: its id2label has "
        f"{', '.join(list(labels.values())[:8])}; name one of them 'safe'"
    )


def _mode_of(name: str, architectures: Sequence[str]) -> str:
    if any(kind.endswith("ForSequenceClassification") for kind in architectures):
        return "classification"
    if any(kind.endswith("ForCausalLM") for kind in architectures):
        return "generation"
    raise ClassifierError(
        f"the classifier {name!r} is neither a causal language model nor a sequence classifier; "
        "choose another, or set classifier_mode"
    )


def _unloadable(name: str, error: BaseException) -> str:
    return f"the safety classifier {name!r} cannot be loaded: {first_line(error)}"
