"""A small customer-support data set with known faults in it, for the audit to find."""

from __future__ import annotations

import json
import random
from pathlib import Path

from forgelm._core import write_atomic
from forgelm.errors import DataError
from forgelm.quickstart._base_text import Conversation
from forgelm.quickstart._support_text import (
    CLOSINGS,
    DETAILS,
    GREETINGS,
    OPENINGS,
    SIGNATURES,
    TOPICS,
    WORDS,
)

__all__ = ["write_support_corpus"]

_SIZES = {"train": 400, "validation": 60, "test": 40}
_TOO_ALIKE = 0.6

# Reserved for examples: RFC 2606 domains, 555-01xx (North American Numbering Plan) and
# 020 7946 0xxx (Ofcom) numbers, the IBAN registry's samples, the card networks' test numbers.
_CONTACTS = (
    *(f"You can write to {name}@example.com." for name in ("mona.berg", "t.okafor", "j-lind")),
    *(f"Please answer to {name}@example.org." for name in ("office.graz", "luis_prado")),
    *(f"My address is {name}@mail.example.com." for name in ("ines.f", "sven82", "a.novak")),
    *(f"Call me on +1 202 555 01{number}." for number in ("13", "42", "87")),
    *(f"My phone is +44 20 7946 0{number}." for number in ("018", "356", "991")),
    "Refund it to IBAN DE89 3704 0044 0532 0130 00.",
    "The account is GB82 WEST 1234 5698 7654 32.",
    "I paid with card 4111 1111 1111 1111.",
    "The card was 5555 5555 5555 4444.",
)
_CREDENTIAL = "Our ordering script uses the key {key} and gets no answer."
_NEAR_DUPLICATES = 6


def write_support_corpus(folder: str | Path) -> Path:
    """Return `folder`, now holding `train.jsonl`, `validation.jsonl` and `test.jsonl`.

    500 chat rows from a coffee shop that does not exist, the same on every machine. Planted in
    the training split: 8 e-mail addresses, 6 phone numbers, 2 IBANs and 2 card numbers (all
    reserved for examples), one fake access key, and 6 rows that are near copies of others. One
    training row is also in the validation split.

    Args:
        folder: Made if it is not there. Files of the same content are left as they are.

    Raises:
        DataError: One of the three files is there already with other rows; nothing is written.
        OSError: The folder cannot be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = {target / f"{split}.jsonl": _jsonl(rows) for split, rows in _build_splits().items()}
    present = [path for path in files if path.exists()]
    taken = [str(path) for path in present if path.read_bytes() != files[path]]
    if taken:
        raise DataError(
            f"{', '.join(taken)}: already there with other rows. Choose another folder."
        )
    for path in files.keys() - set(present):
        write_atomic(path, files[path])
    return target


def _build_splits() -> dict[str, list[Conversation]]:
    draw = random.Random(17)
    rows = _distinct_rows(draw, sum(_SIZES.values()) - _NEAR_DUPLICATES - 1)
    splits = {
        "test": [rows.pop() for _ in range(_SIZES["test"])],
        "validation": [rows.pop() for _ in range(_SIZES["validation"] - 1)],
        "train": rows,
    }
    train = splits["train"]
    _plant_personal_data(train)
    originals = range(200, 200 + 10 * _NEAR_DUPLICATES, 10)
    train += [_near_copy(train[index]) for index in originals]
    splits["validation"].insert(30, train[150])
    return splits


def _distinct_rows(draw: random.Random, count: int) -> list[Conversation]:
    """Draw rows of which no two share most of their words."""
    rows: list[Conversation] = []
    seen: list[set[str]] = []
    while len(rows) < count:
        row = _draw_row(draw)
        words = set(" ".join(message["content"] for message in row).split())
        if all(len(words & other) < _TOO_ALIKE * len(words | other) for other in seen):
            rows.append(row)
            seen.append(words)
    return rows


def _draw_row(draw: random.Random) -> Conversation:
    topic = draw.choice(TOPICS)
    problem, reply = draw.choice(topic.cases)
    question = (
        draw.choice(OPENINGS),
        problem,
        draw.choice(DETAILS),
        draw.choice(topic.wishes),
        draw.choice(SIGNATURES),
    )
    answer = (
        draw.choice(GREETINGS),
        reply,
        draw.choice(topic.steps),
        draw.choice(CLOSINGS),
    )
    words = {slot: draw.choice(choices) for slot, choices in WORDS.items()}
    words["order"] = f"HP-{draw.randrange(1000, 10_000)}"
    return [
        {"role": "user", "content": " ".join(filter(None, question)).format(**words)},
        {"role": "assistant", "content": " ".join(answer).format(**words)},
    ]


def _plant_personal_data(rows: list[Conversation]) -> None:
    # The documentation's example key, put together here so that no scanner takes it for a leak.
    key = "AKIA" + "IOSFODNN7" + "EXAMPLE"
    sentences = (*_CONTACTS, _CREDENTIAL.format(key=key))
    for index, sentence in enumerate(sentences):
        question = rows[7 * index + 3][0]
        question["content"] = f"{question['content']} {sentence}"


def _near_copy(row: Conversation) -> Conversation:
    question, answer = row
    return [question, {**answer, "content": answer["content"].replace(".", "!", 1)}]


def _jsonl(rows: list[Conversation]) -> bytes:
    lines = (json.dumps({"messages": row}, ensure_ascii=False) + "\n" for row in rows)
    return "".join(lines).encode()
