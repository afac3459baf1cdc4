"""Every error forgelm raises on purpose.

```
ForgeError(Exception)
├── ConfigError                                  the configuration is wrong            exit 1
├── DataError(ForgeError, ValueError)            rows or files that cannot be used     exit 1
├── OptionalDependencyError(ForgeError, ImportError)   an extra is not installed       exit 1
├── TrainingError(ForgeError, RuntimeError)      training could not go on              exit 2
├── EvaluationError(ForgeError, RuntimeError)    a model could not be evaluated        exit 2
├── RemoteError(ForgeError, OSError)             a server did not answer as it should  exit 2
└── AuditLogError(ForgeError, OSError)           the record could not be written       exit 2
```

A failed gate or a broken chain is an answer, not an error: see `Verdict` and `VerifyResult`.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AuditLogError",
    "ConfigError",
    "DataError",
    "EvaluationError",
    "ForgeError",
    "OptionalDependencyError",
    "RemoteError",
    "TrainingError",
]


class ForgeError(Exception):
    """Base of every error forgelm raises on purpose."""


class ConfigError(ForgeError):
    """The configuration is wrong; every problem is listed at once.

    Not a `ValueError`: pydantic would swallow it inside its own validation.

    Attributes:
        issues: `(path, problem)` pairs, for example `("training.num_epochs", "unknown key; did you
            mean num_train_epochs?")`. The path is dotted, and empty for the document itself.
        source: The file the configuration came from, or None.
    """

    def __init__(
        self,
        message: str | None = None,
        *,
        issues: Iterable[tuple[str, str]] = (),
        source: str | None = None,
    ) -> None:
        self.issues: tuple[tuple[str, str], ...] = tuple(issues)
        self.source = source
        super().__init__(message if message is not None else self._summary())

    def _summary(self) -> str:
        where = f" in {self.source}" if self.source else ""
        count = len(self.issues)
        head = f"{count} problem{'s' if count != 1 else ''} in the configuration{where}:"
        return "\n".join(
            [head, *(f"  {path or '(document)'}: {text}" for path, text in self.issues)]
        )

    def errors(self) -> list[dict[str, str]]:
        """List the problems as `{"path": ..., "problem": ...}`, one dict each."""
        return [{"path": path, "problem": problem} for path, problem in self.issues]


class DataError(ForgeError, ValueError):
    """Rows or files that cannot be used; names the file and the row."""


class OptionalDependencyError(ForgeError, ImportError):
    """A feature needs an extra that is not installed.

    Attributes:
        extra: The extra of forgelm that brings what is missing.
        feature: What was asked for, in words.
    """

    def __init__(self, module: str, *, extra: str, feature: str) -> None:
        self.extra = extra
        self.feature = feature
        super().__init__(
            f"{feature} needs the package {module!r}, which is not installed. "
            f"Install it with: pip install 'forgelm[{extra}]'",
            name=module,
        )


class TrainingError(ForgeError, RuntimeError):
    """Training could not start or go on."""


class EvaluationError(ForgeError, RuntimeError):
    """A model could not be evaluated."""


class RemoteError(ForgeError, OSError):
    """A remote service failed or answered with something unusable."""


class AuditLogError(ForgeError, OSError):
    """The audit log could not be written, or what stands on disk must be repaired first."""
