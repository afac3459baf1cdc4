"""Training rows written by a teacher model: asked, checked, kept at once, and accounted for."""

from forgelm.synthetic._generator import SyntheticDataGenerator
from forgelm.synthetic._result import SeedFailure, SyntheticResult

__all__ = ["SeedFailure", "SyntheticDataGenerator", "SyntheticResult"]
