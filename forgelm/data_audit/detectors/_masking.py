"""Masking of strings and of the strings in JSON, and the count of what was replaced."""

from __future__ import annotations

import json
import re
from collections import Counter

from forgelm.data_audit.detectors._pii import mask_pii
from forgelm.data_audit.detectors._secrets import mask_secrets

__all__ = ["MAX_SHOWN", "Masker"]

MAX_SHOWN = 20
# A string of JSON that has been parsed already, so that quotes are known to pair up.
_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')


class Masker:
    """Masks strings, and counts.

    Args:
        pii: Mask personal data.
        secrets: Mask credentials.
    """

    def __init__(self, pii: bool, secrets: bool) -> None:
        self.pii = pii
        self.secrets = secrets
        self.counts: Counter[str] = Counter()
        self.rows = self.rows_masked = self.skipped = 0
        self.skipped_lines: list[str] = []

    def skip(self, where: str) -> None:
        """Count a row that is in no output."""
        self.skipped += 1
        if len(self.skipped_lines) < MAX_SHOWN:
            self.skipped_lines.append(where)

    def count_row(self, is_masked: bool) -> None:
        """Count a row that was written."""
        self.rows += 1
        self.rows_masked += is_masked

    def json(self, text: str) -> str:
        """Return JSON with its strings masked, keys included; all else stays byte for byte."""
        return _JSON_STRING.sub(self._token, text)

    def _token(self, match: re.Match[str]) -> str:
        token = match[0]
        text = json.loads(token) if "\\" in token else token[1:-1]
        masked = self.text(text)
        return token if masked == text else json.dumps(masked)

    def text(self, text: str) -> str:
        """Return a string with what is found in it replaced."""
        # Masking personal data can part what looked like one token, so look for secrets again.
        before = ""
        while text != before:
            before = text
            if self.secrets:
                text, counts = mask_secrets(text, return_counts=True)
                self.counts.update(counts)
            if self.pii:
                text, counts = mask_pii(text, return_counts=True)
                self.counts.update(counts)
        return text
