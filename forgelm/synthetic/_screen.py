"""Which answers become rows: plausible ones that say something new."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict

from forgelm.data_audit import compute_simhash
from forgelm.synthetic._seeds import Seed
from forgelm.synthetic._teachers import Answer

__all__ = ["IMPLAUSIBLE", "Screen"]

IMPLAUSIBLE = ("empty", "cut off", "unreadable", "repeats the prompt", "loops", "repeated answer")
"""Reasons that speak against the teacher; a near duplicate speaks for the prompts being alike."""

_NEAR_DUPLICATE = "near duplicate"
_NEAR_BITS = 3
# Labels and other short answers may well be the same for many prompts.
_MIN_WORDS = 8
_WORD = re.compile(r"\w+")
_LOOP_WORDS = 40
_LOOP_SHARE = 0.2


class Screen:
    """Judges answers one after the other, in the light of those before."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._rows = _Signatures()

    def judge(self, seed: Seed, answer: Answer) -> str | None:
        """Return why the answer is not kept, or None after remembering it."""
        text = answer.text.strip()
        problem = _problem_alone(seed.prompt, text, answer.finish_reason)
        return problem or self._remember(seed.prompt, text)

    def recall(self, prompt: str, text: str) -> None:
        """Remember a row that was kept earlier."""
        self._remember(prompt, text)

    def _remember(self, prompt: str, text: str) -> str | None:
        words = _WORD.findall(text.lower())
        if len(words) < _MIN_WORDS:
            return None
        told = " ".join(words)
        if self._answers[told]:
            return "repeated answer"
        if not self._rows.add(f"{prompt}\n{text}"):
            return _NEAR_DUPLICATE
        self._answers[told] += 1
        return None


class _Signatures:
    """64-bit SimHashes of which no two are within three bits of each other."""

    def __init__(self) -> None:
        # Of four bands, three changed bits leave at least one whole.
        self._bands: dict[tuple[int, int], list[int]] = defaultdict(list)

    def add(self, text: str) -> bool:
        signature = compute_simhash(text)
        bands = [(band, signature >> 16 * band & 0xFFFF) for band in range(4)]
        for band in bands:
            if any((signature ^ other).bit_count() <= _NEAR_BITS for other in self._bands[band]):
                return False
        for band in bands:
            self._bands[band].append(signature)
        return True


def _problem_alone(prompt: str, text: str, finish_reason: str | None) -> str | None:
    if not text:
        return "empty"
    if finish_reason == "length":
        return "cut off"
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n\r" for c in text):
        return "unreadable"
    if "\ufffd" in text:
        return "unreadable"
    words = _WORD.findall(text.lower())
    asked = _WORD.findall(prompt.lower())
    if len(asked) >= _MIN_WORDS and words == asked:
        return "repeats the prompt"
    if len(words) >= _LOOP_WORDS:
        threes = Counter(zip(words, words[1:], words[2:], strict=False))
        if len(threes) / (len(words) - 2) < _LOOP_SHARE:
            return "loops"
    return None
