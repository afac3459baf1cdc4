"""What files and columns of a data set call its splits."""

from __future__ import annotations

import re

__all__ = ["SPLIT_NAMES", "split_in_name"]

# One table for the audit and for training.
SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "eval": "test",
    "holdout": "test",
}
# What a file's name may say besides, as the Hub reads it.
_WORDS = {**SPLIT_NAMES, "training": "train", "testing": "test", "evaluation": "test"}
_WORD = re.compile(r"[^\W\d_]+")


def split_in_name(name: str) -> str | None:
    """Return the one split that the words of a file's name tell, None for none or several.

    Words are parted by digits and signs, so that shards and versions belong to their split.

    Source: the file names of the Hugging Face Hub, "File names and splits".

    Example:
        >>> split_in_name("train-00000-of-00002"), split_in_name("squad_dev")
        ('train', 'validation')
        >>> split_in_name("latest"), split_in_name("train_test")
        (None, None)
    """
    found = {_WORDS[word] for word in _WORD.findall(name.lower()) if word in _WORDS}
    return found.pop() if len(found) == 1 else None
