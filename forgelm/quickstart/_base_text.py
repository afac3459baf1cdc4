"""Everyday talk that teaches the tiny base model to write, put together for this project."""

from __future__ import annotations

import random
import re

__all__ = ["Conversation", "everyday_conversations"]

Conversation = list[dict[str, str]]

# Each sentence stands alone: a model that meets them in any order learns words and spelling
# rather than eight conversations by heart, and so is not sure of itself on a new subject.
_QUESTIONS = (
    "Could you tell me when my {thing} will be ready?",
    "What would you do with this {adjective} {thing}?",
    "How long does it take to {verb} a {thing}?",
    "Is the {place} still open in {month}?",
    "Why did my {person} {verb} the {thing} without asking me?",
    "Where can I find the {adjective} {thing} near the {place}?",
    "Do you know somebody who can {verb} it before {weekday}?",
    "I have had this {thing} for {number} years and it never gave me any trouble.",
    "My {person} told me that you know all about the {place}.",
    "We would like to {verb} the old {thing}, but it is too {adjective}.",
    "Yesterday the {thing} made its {adjective} noise and then nothing happened.",
    "Please help me, I am not sure which {thing} to choose.",
    "Last {weekday} I went to the {place} with my {person}.",
    "There were {number} people waiting in front of the {place}.",
    "It cost me {number} euros and I think that was far too much.",
    "Can I use {material} for that, or is {material} better?",
    "Who was it that wrote the {adjective} letter about the {place}?",
    "Nobody in my family knows how to {verb} a {thing}.",
    "Have you ever been to {name}, and did you see the {name} there?",
    "My {person} {name} has lost ticket {code} and cannot find {name}.",
    "What does {name} mean, and how do you say {name} in your language?",
)

_ANSWERS = (
    "Take the {adjective} one if you can, because it will last for many years.",
    "I would wait until {weekday} and then {verb} it again.",
    "It depends on the {thing}: some are made of {material}, others are not.",
    "You should first {verb} the {thing} and only then look at the rest.",
    "There is no hurry, the {place} does not close before {month}.",
    "That is quite normal when the weather is {adjective}.",
    "Most people need about {number} minutes for it.",
    "Your {person} is right, I have seen it with my own eyes.",
    "Ask at the {place}, they know more about it than I do.",
    "Yes, but be careful with the {material}, it breaks easily.",
    "No, that would make it even more {adjective}.",
    "We have tried it {number} times and it has always worked.",
    "Put everything back into the box and keep it in some {adjective} place.",
    "Thank you for the question, it made me think of my {person}.",
    "If it does not work, give it to somebody who can {verb} things.",
    "Once you know how to {verb} it, the {thing} will be as good as new.",
    "On {weekday} the {place} is full of people who want to see the {thing}.",
    "The best time for this is early in {month}, when everything is {adjective}.",
    "Write down what you see, and after {number} days you will understand it.",
    "I am sorry, but I do not know any {adjective} answer to that.",
    "In {name} they call it {name}, and in {name} it is called {name}.",
    "Go to {name}, ask for {name} or {name}, and show them number {code}.",
    "The words you need are {name}, {name}, {name} and perhaps {name}.",
    "I think that {name} or {name} can {verb} it for you.",
)

_WORDS = {
    "thing": "bicycle chair clock window garden lamp radio guitar book table bridge boat picture "
    "shirt key door umbrella letter basket kite camera candle carpet piano oven bottle coat "
    "mirror ladder wheel",
    "adjective": "old new heavy small large quiet broken bright cheap dark early friendly green "
    "important long narrow open perfect quick simple strange tired useful warm wonderful yellow "
    "clean empty famous",
    "verb": "clean repair paint move sell build open carry change check draw find fold follow "
    "keep lift mend order pack push remember return send show turn wash write",
    "person": "sister brother neighbour teacher mother father friend uncle daughter son doctor "
    "grandmother colleague aunt driver",
    "place": "harbour market museum station library school theatre castle park bakery church "
    "office village mountain river hotel square factory airport",
    "material": "wood paper glass wool iron stone leather copper cotton clay rubber silver",
    "month": "January February March April May June July August September October November",
    "weekday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "number": "2 3 4 5 7 8 9 11 14 15 16 20 25 30 36 40 48 50 60 75 90 100 120",
    "letter": "A B C D E F G H K L M N P R S T V W X Z",
    "onset": "b c d f g h j k l m n p qu r s t v w x y z bl br ch cl cr dr fl fr gr pl pr sh sp "
    "st str th tr wh",
    "vowel": "a e i o u a e i o ai ea ee ie oo ou",
    "coda": "ck d f g k l ll m n nd ng nt p r rk rt s ss st t th tion x y z",
}
_CHOICES = {slot: words.split() for slot, words in _WORDS.items()}


def everyday_conversations(count: int, *, seed: int) -> list[Conversation]:
    """Return `count` two-message conversations on everyday things, the same for the same seed."""
    draw = random.Random(seed)
    return [
        [
            {"role": "user", "content": _paragraph(draw, _QUESTIONS, draw.randint(1, 3))},
            {"role": "assistant", "content": _paragraph(draw, _ANSWERS, draw.randint(2, 4))},
        ]
        for _ in range(count)
    ]


def _paragraph(draw: random.Random, sentences: tuple[str, ...], length: int) -> str:
    text = " ".join(draw.sample(sentences, length))
    return re.sub(r"\{(\w+)\}", lambda slot: _word(draw, slot[1]), text)


def _word(draw: random.Random, slot: str) -> str:
    if slot == "code":
        return f"{_word(draw, 'letter')}{_word(draw, 'letter')}-{draw.randrange(100, 10_000)}"
    if slot == "name":
        name = "".join(_syllable(draw) for _ in range(draw.randint(1, 3)))
        return draw.choice((name, name.capitalize()))
    return draw.choice(_CHOICES[slot])


def _syllable(draw: random.Random) -> str:
    """Return part of a name nobody knows: it makes the model spell where it cannot remember."""
    coda = _word(draw, "coda") if draw.random() < 0.9 else ""
    return _word(draw, "onset") + _word(draw, "vowel") + coda
