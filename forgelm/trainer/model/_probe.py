"""The trained model on its way to disk, and the proof that what lies there computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, require, write_json_atomic
from forgelm.errors import TrainingError
from forgelm.export import (
    BASE_SETTINGS,
    free_weights,
    largest_difference,
    merge_into,
    probe_logits,
)
from forgelm.results import Verdict
from forgelm.trainer.backend import Precision, choose_precision
from forgelm.trainer.model._adapters import is_pissa, save_adapter
from forgelm.trainer.model._attention import changed_settings
from forgelm.trainer.model._model import load_model

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["CheckFailedError", "FinalModel"]

_ADAPTER = "adapter"
# Largest difference of a logit, as a share of the largest one: (32 bits, fewer). Equal weights
# give equal logits; weights that were melted together were rounded once more.
_SAME, _ROUNDED = (1e-4, 1e-2), (1e-3, 5e-2)


class CheckFailedError(TrainingError):
    """What was written does not compute what was trained, or nobody can say whether it does."""


class FinalModel:
    """A trained model that can be saved once and then checked against what was saved.

    Attributes:
        verdict: Whether the saved model gave the trained one's logits; None before `check`.
    """

    def __init__(
        self, model: Any, config: ForgeConfig, precision: Precision, run_dir: Path, *, is_ours: bool
    ) -> None:
        """Remember what was trained.

        Args:
            model: The trained model, with its adapter if it has one.
            config: The configuration.
            precision: Number formats it was trained with.
            run_dir: The folder of the run.
            is_ours: It was loaded here, so that its memory may be given up for the check.
        """
        peft = require("peft", extra="train", feature="Training")
        self.verdict: Verdict | None = None
        self._model = model
        self._config = config
        self._precision = precision
        self._run_dir = run_dir
        self._is_ours = is_ours
        self._has_adapter = isinstance(model, peft.PeftModel)
        self._melts = self._has_adapter and config.training.merge_adapters
        self._is_pissa = self._has_adapter and is_pissa(model)
        self._is_quantized = precision.is_quantized or bool(getattr(model, "is_quantized", False))
        own = str(getattr(model, "dtype", precision.dtype)).removeprefix("torch.")
        self._dtype = precision.dtype if is_ours else own
        self._tolerance = self._allowed()
        self._expected: Any = None

    def save_pretrained(self, folder: Path) -> None:
        """Write the adapter, or the merged or fully trained model, to `folder`."""
        if self._why_not() is None:
            self._expected = self._logits(self._model)
        if not self._has_adapter:
            self._model.save_pretrained(folder)
        elif not self._melts:
            self._save_adapter(folder)
        elif self._precision.is_quantized and self._is_ours:
            self._melt_into_whole_weights(folder)
        else:
            self._model = self._model.merge_and_unload()
            self._model.save_pretrained(folder)

    def check(self, folder: Path) -> None:
        """Load what lies in `folder` and compare; the trained model is of no use afterwards.

        Raises:
            CheckFailedError: Its logits differ, or it could not be loaded.
        """
        reason = self._why_not()
        if reason is not None:
            self.verdict = Verdict("reload", "skipped", f"not compared: {reason}")
            return
        if self.verdict is not None:  # melting compared already
            return
        if self._is_ours:
            free_weights(self._model)
        try:
            found = self._reloaded_logits(folder)
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise CheckFailedError(
                f"the saved model could not be loaded to compare it with what was trained: {first}"
            ) from error
        difference = largest_difference(self._expected, found)
        measured = {"largest_logit_difference": difference, "tolerance": self._tolerance}
        if difference > self._tolerance:
            raise CheckFailedError(
                f"the saved model does not compute what was trained: the logits differ by "
                f"{difference:.2g} of the largest, {self._tolerance:.2g} is allowed"
            )
        self.verdict = Verdict("reload", "passed", measured=measured)

    def _why_not(self) -> str | None:
        if self._is_ours or not self._has_adapter or self._melts:
            return None
        if self._is_pissa:
            return "pissa changed the model that was handed in, and there is no other copy of it"
        if set(self._model.peft_config) != {"default"}:
            return "the model that was handed in has adapters of its own"
        return None

    def _allowed(self) -> float:
        is_rounded = self._melts or self._is_pissa or self._config.model.backend == "unsloth"
        exact, reduced = _ROUNDED if is_rounded else _SAME
        formats = {self._dtype, self._precision.compute_dtype or self._dtype}
        return exact if formats == {"float32"} and not self._is_quantized else reduced

    def _logits(self, model: Any) -> Any:
        computed = self._precision.compute_dtype or self._precision.dtype
        on_gpu = self._precision.device == "cuda"
        return probe_logits(model, autocast=computed if on_gpu else None)

    def _save_adapter(self, folder: Path) -> None:
        save_adapter(self._model, folder, self._run_dir)
        changed = changed_settings(self._config, self._model.config)
        if changed:
            write_json_atomic(folder / BASE_SETTINGS, changed)

    def _melt_into_whole_weights(self, folder: Path) -> None:
        """Melt into weights that are not quantised: rounding to 4 bits would lose the adapter."""
        folder.mkdir()
        adapter = folder / _ADAPTER
        self._save_adapter(adapter)
        free_weights(self._model)
        update = {"load_in_4bit": False, "load_in_8bit": False}
        model = self._config.model.model_copy(update=update)
        whole = self._config.model_copy(update={"model": model})
        try:
            base = load_model(whole, choose_precision(whole))
            difference, tolerance = merge_into(base, adapter, folder)
        except Exception as error:
            raise CheckFailedError(f"the adapter could not be merged: {error}") from error
        measured = {"largest_logit_difference": difference, "tolerance": tolerance}
        self.verdict = Verdict("reload", "passed", measured=measured)
        for path in adapter.iterdir():
            path.unlink()
        adapter.rmdir()

    def _reloaded_logits(self, folder: Path) -> Any:
        peft = require("peft", extra="train", feature="Training")
        if not self._has_adapter or self._melts:
            return self._logits(self._reloaded(folder))
        if self._is_ours:
            with MODEL_LOADING:
                return self._logits(peft.PeftModel.from_pretrained(self._fresh_base(), folder))
        # There is no other copy of the base: the saved adapter takes the trained one's place.
        self._model.load_adapter(str(folder), adapter_name="reloaded")
        try:
            self._model.set_adapter("reloaded")
            return self._logits(self._model)
        finally:
            self._model.set_adapter("default")
            self._model.delete_adapter("reloaded")

    def _fresh_base(self) -> Any:
        model = self._config.model.model_copy(update={"backend": "transformers"})
        base: Any = load_model(self._config.model_copy(update={"model": model}), self._precision)
        # Quantised weights are on their device already, and may not be moved.
        return base if self._is_quantized else base.to(self._precision.device)

    def _reloaded(self, folder: Path) -> Any:
        torch = require("torch", extra="train", feature="Training")
        transformers = require("transformers", extra="train", feature="Training")
        with MODEL_LOADING:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, self._dtype),
                trust_remote_code=self._config.model.trust_remote_code,
            )
        return model if self._is_quantized else model.to(self._precision.device)
