"""Everyday small talk that teaches the tiny base model to write, written for this project."""

from __future__ import annotations

import random

__all__ = ["Conversation", "everyday_conversations"]

Conversation = list[dict[str, str]]

_PAIRS = (
    (
        "How do I keep {plant} alive over the {season}?",
        "Put the {plant} near a bright window and water it when the soil feels dry. In the {season} "
        "it needs {less} water than you think.",
    ),
    (
        "What should I cook with {food} and {food2}?",
        "Fry the {food} slowly in a little oil, add the {food2} and let it all simmer for "
        "{number} minutes. Taste it before you add salt.",
    ),
    (
        "Is {place} worth a visit in the {season}?",
        "Yes, {place} is lovely in the {season}. Go early in the day, take the path by the water "
        "and allow about {number} hours for the walk.",
    ),
    (
        "Can you explain why {thing} happens?",
        "People have wondered about {thing} for a long time. In short, warm air rises, cold air "
        "sinks, and the light does the rest. It takes {number} minutes to explain properly.",
    ),
    (
        "How many {food} are in {number} boxes?",
        "That depends on the box. If each box holds {number2} {food}, count the boxes and multiply "
        "the two numbers.",
    ),
    (
        "Which book about {thing} would you read first?",
        "I would begin with a short book about {thing}, one with pictures. After that the longer "
        "ones are easier, and {number} pages a day is enough.",
    ),
    (
        "My neighbour plays the {music} at night. What can I do?",
        "Talk to your neighbour in a friendly way and agree on a time. Most people who play the "
        "{music} are glad to stop at {number} in the evening if they are asked.",
    ),
    (
        "Tell me something about {place}.",
        "There is an old bridge at {place}, and a market every week in the {season}. They sell "
        "{food}, {food2} and a few {plant} there.",
    ),
)

_WORDS = {
    "plant": ("fern", "lemon tree", "cactus", "basil", "orchid", "rose", "ivy"),
    "season": ("winter", "spring", "summer", "autumn", "rainy weeks", "holidays"),
    "less": ("much less", "a bit more", "far less", "slightly less", "no more"),
    "food": ("onions", "carrots", "apples", "beans", "mushrooms", "tomatoes", "potatoes"),
    "food2": ("rice", "cheese", "lentils", "eggs", "noodles", "butter", "spinach"),
    "place": ("the harbour", "the old mill", "the castle hill", "the north beach", "the museum"),
    "thing": ("thunder", "a rainbow", "the tide", "an echo", "fog", "a solar eclipse"),
    "music": ("piano", "violin", "drums", "trumpet", "guitar"),
    "number": tuple(str(number) for number in range(2, 12)),
    "number2": ("12", "20", "24", "30", "48"),
}


def everyday_conversations(count: int, *, seed: int) -> list[Conversation]:
    """Return `count` two-message conversations on everyday things, the same for the same seed."""
    draw = random.Random(seed)
    return [_conversation(draw) for _ in range(count)]


def _conversation(draw: random.Random) -> Conversation:
    question, answer = draw.choice(_PAIRS)
    words = {slot: draw.choice(choices) for slot, choices in _WORDS.items()}
    return [
        {"role": "user", "content": question.format(**words)},
        {"role": "assistant", "content": answer.format(**words)},
    ]
