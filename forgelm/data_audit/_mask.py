"""Masked copies of a corpus: the same JSON, with personal data and credentials replaced."""
from __future__ import annotations
