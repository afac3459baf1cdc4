"""Signs that a text is not good prose: each check gives its reason, or None when it is content.

Checks that count words do not judge scripts which do not part them by spaces.
"""

from __future__ import annotations

import re
from collections import Counter

from forgelm.data_audit.quality._prose import Prose

__all__ = [
    "abnormal_mean_word_length",
    "c4_boilerplate",
    "c4_curly_bracket",
    "c4_few_sentences",
    "fineweb_duplicate_line_chars",
    "fineweb_line_punctuation",
    "fineweb_short_lines",
    "gopher_alphabetic_words",
    "gopher_bullet_lines",
    "gopher_duplicate_lines",
    "gopher_duplicate_ngrams",
    "gopher_duplicate_paragraphs",
    "gopher_ellipsis_lines",
    "gopher_mean_word_length",
    "gopher_stop_words",
    "gopher_symbol_ratio",
    "gopher_top_ngrams",
    "gopher_word_count",
    "low_alpha_ratio",
    "low_punct_endings",
    "repeated_lines",
    "short_paragraphs",
]

_ENDINGS = frozenset(".!?…:;。！？：；؟۔।॥։՞”’»\"')]）」』】>")
_BULLETS = ("•", "‣", "▶", "◀", "◦", "■", "□", "▪", "▫", "–", "- ", "* ", "+ ")
_SENTENCE_END = re.compile(r"[.!?…。！？؟۔।॥։](?=[\s\"'”’»)\]」』]|$|[^\x00-\x7f])")
_BOILERPLATE = re.compile(
    r"(?i)lorem ipsum|javascript (?:must be|is) (?:enabled|disabled)|enable javascript|"
    r"terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
)
# Rae et al. name the English ones; a text in another language is not bad prose for it.
_STOP_WORDS = frozenset(
    (
        *("the", "be", "to", "of", "and", "that", "have", "with", "is", "a", "in", "it", "you"),
        *("der", "die", "und", "das", "ist", "nicht", "ein", "zu", "den", "mit", "le", "la", "les"),
        *("des", "et", "est", "une", "que", "el", "los", "en", "y", "por", "il", "di", "che", "un"),
        *("per", "o", "os", "as", "do", "da", "para", "het", "een", "van", "de", "bir", "ve", "bu"),
        *("için", "da", "i", "w", "na", "się", "nie", "z", "do", "och", "att", "som", "på", "og"),
        *("и", "в", "не", "на", "что", "с", "من", "في", "على", "و", "של", "את", "על", "के", "में"),
        *("है", "और", "का", "και", "το", "να", "ja", "on", "ei", "és", "az", "hogy", "si", "cu"),
    )
)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"


def low_alpha_ratio(prose: Prose) -> str | None:
    """Under 70 % of the visible characters are letters."""
    if prose.letters >= 0.70 * prose.visible:
        return None
    share = _percent(prose.letters, prose.visible)
    return f"{share} of the visible characters are letters, under 70 %"


def low_punct_endings(prose: Prose) -> str | None:
    """Under half of the lines of four words or more end in punctuation."""
    sentences = [line[-1] for line in prose.lines if line.count(" ") >= 3]
    ended = sum(map(_ENDINGS.__contains__, sentences))
    # Thai, for one, has no full stop.
    if 2 * ended >= len(sentences) or not prose.is_spaced:
        return None
    return f"{_percent(ended, len(sentences))} of the lines end in punctuation, under 50 %"


def abnormal_mean_word_length(prose: Prose) -> str | None:
    """The mean word is shorter than 3 or longer than 12 characters."""
    mean = prose.visible / prose.word_count
    if 3 <= mean <= 12 or not prose.is_spaced:
        return None
    return f"the mean word has {mean:.1f} characters, not 3 to 12"


def short_paragraphs(prose: Prose) -> str | None:
    """Of several paragraphs more than half have under five words."""
    count = len(prose.paragraphs)
    if count < 2:
        return None
    short = sum(_is_short(paragraph) for paragraph in prose.paragraphs)
    if 2 * short <= count or not prose.is_spaced:
        return None
    return f"{_percent(short, count)} of the paragraphs have under five words, over 50 %"


def _is_short(paragraph: list[str]) -> bool:
    return sum(len(line.split(None, 5)) for line in paragraph[:5]) < 5


def repeated_lines(prose: Prose) -> str | None:
    """The three lines repeated most often make up over 30 % of all lines."""
    count = len(prose.lines)
    if len(set(prose.lines)) == count:
        return None
    top = sum(times for _, times in Counter(prose.lines).most_common(3) if times > 1)
    if top <= 0.30 * count:
        return None
    return f"three repeated lines make up {_percent(top, count)} of all lines, over 30 %"


def gopher_word_count(prose: Prose) -> str | None:
    """Fewer than 50 or more than 100,000 words."""
    count = prose.word_count
    if 50 <= count <= 100_000 or not prose.is_spaced:
        return None
    return f"{count:,} words, not 50 to 100,000"


def gopher_mean_word_length(prose: Prose) -> str | None:
    """The mean word is shorter than 3 or longer than 10 characters."""
    mean = prose.visible / prose.word_count
    if 3 <= mean <= 10 or not prose.is_spaced:
        return None
    return f"the mean word has {mean:.1f} characters, not 3 to 10"


def gopher_symbol_ratio(prose: Prose) -> str | None:
    """More than one hash sign or ellipsis in ten words."""
    symbols = prose.text.count("#") + prose.text.count("...") + prose.text.count("…")
    if symbols <= 0.1 * prose.word_count or not prose.is_spaced:
        return None
    return f"{symbols} hash signs and ellipses in {prose.word_count} words, over 10 %"


def gopher_bullet_lines(prose: Prose) -> str | None:
    """More than 90 % of the lines begin with a bullet."""
    bullets = sum(line.startswith(_BULLETS) for line in prose.all_lines)
    if bullets <= 0.9 * len(prose.all_lines):
        return None
    return f"{_percent(bullets, len(prose.all_lines))} of the lines begin with a bullet, over 90 %"


def gopher_ellipsis_lines(prose: Prose) -> str | None:
    """More than 30 % of the lines end in an ellipsis."""
    open_ended = sum(line.endswith(("...", "…")) for line in prose.lines)
    if open_ended <= 0.3 * len(prose.lines):
        return None
    return f"{_percent(open_ended, len(prose.lines))} of the lines end in an ellipsis, over 30 %"


def gopher_alphabetic_words(prose: Prose) -> str | None:
    """Under 80 % of the words contain a letter."""
    worded = sum(not word.isascii() or any(map(str.isalpha, word)) for word in prose.words)
    if worded >= 0.8 * len(prose.words) or not prose.is_spaced:
        return None
    return f"{_percent(worded, len(prose.words))} of the words contain a letter, under 80 %"


def gopher_stop_words(prose: Prose) -> str | None:
    """Fewer than two stop words, of some twenty languages."""
    found = sum(word in _STOP_WORDS for word in prose.lower_words)
    if found >= 2 or not prose.is_spaced:
        return None
    return f"{found} stop words, under 2"


def gopher_duplicate_lines(prose: Prose) -> str | None:
    """More than 30 % of the lines, or 20 % of the characters, repeat an earlier line."""
    return _repeats(prose.lines, "lines")


def gopher_duplicate_paragraphs(prose: Prose) -> str | None:
    """More than 30 % of the paragraphs, or 20 % of the characters, repeat an earlier one."""
    return _repeats(["\n".join(paragraph) for paragraph in prose.paragraphs], "paragraphs")


def _repeats(pieces: list[str], name: str) -> str | None:
    lengths = Counter(pieces)
    again = len(pieces) - len(lengths)
    chars = sum(len(piece) * (times - 1) for piece, times in lengths.items() if times > 1)
    whole = sum(map(len, pieces))
    if again > 0.3 * len(pieces):
        return f"{_percent(again, len(pieces))} of the {name} are repeats, over 30 %"
    if chars > 0.2 * whole:
        return f"repeated {name} hold {_percent(chars, whole)} of the characters, over 20 %"
    return None


def gopher_top_ngrams(prose: Prose) -> str | None:
    """The most frequent 2-, 3- or 4-gram holds over 20, 18 or 16 % of the characters."""
    words = prose.lower_words
    if not prose.is_spaced:
        return None
    for size, limit in ((2, 0.20), (3, 0.18), (4, 0.16)):
        grams = Counter(zip(*(words[i:] for i in range(size)), strict=False))
        if not grams:
            continue
        top, times = max(grams.items(), key=lambda item: (item[1], sum(map(len, item[0]))))
        held = times * (sum(map(len, top)) + size - 1)
        if times > 1 and held > limit * len(prose.text):
            share = _percent(held, len(prose.text))
            return f"one {size}-gram holds {share} of the characters, over {100 * limit:.0f} %"
    return None


def gopher_duplicate_ngrams(prose: Prose) -> str | None:
    """Repeated 5- to 10-grams hold over 15 to 10 % of the characters."""
    words = prose.lower_words
    fives = list(zip(*(words[i:] for i in range(5)), strict=False))
    if not prose.is_spaced or len(set(fives)) == len(fives):  # then no longer one repeats
        return None
    for size, limit in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True):
        seen: set[tuple[str, ...]] = set()
        held = place = 0
        while place <= len(words) - size:
            gram = tuple(words[place : place + size])
            if gram in seen:
                held += sum(map(len, gram)) + size - 1
                place += size
            else:
                seen.add(gram)
                place += 1
        if held > limit * len(prose.text):
            share = _percent(held, len(prose.text))
            return f"repeated {size}-grams hold {share} of the characters, over {100 * limit:.0f} %"
    return None


def c4_few_sentences(prose: Prose) -> str | None:
    """Fewer than three sentences."""
    count = len(_SENTENCE_END.findall(prose.text))
    # Thai has no sentence end to count.
    if count >= 3 or (not prose.is_spaced and not count):
        return None
    return f"{count} sentences, under 3"


def c4_curly_bracket(prose: Prose) -> str | None:
    """A curly bracket in the prose: left-over code."""
    return "a curly bracket outside code" if "{" in prose.text else None


def c4_boilerplate(prose: Prose) -> str | None:
    """Placeholder text, a policy notice, or a demand to turn on JavaScript."""
    found = _BOILERPLATE.search(prose.text)
    return f"the words {found[0].lower()!r}" if found else None


def fineweb_line_punctuation(prose: Prose) -> str | None:
    """At most 12 % of the lines end in punctuation."""
    ended = sum(line[-1] in _ENDINGS for line in prose.lines)
    if ended > 0.12 * len(prose.lines) or not prose.is_spaced:
        return None
    return f"{_percent(ended, len(prose.lines))} of the lines end in punctuation, at most 12 %"


def fineweb_duplicate_line_chars(prose: Prose) -> str | None:
    """Repeated lines hold at least 10 % of the characters."""
    counts = Counter(prose.lines)
    chars = sum(len(line) * (times - 1) for line, times in counts.items() if times > 1)
    whole = sum(map(len, prose.lines))
    if chars < 0.1 * whole:
        return None
    return f"repeated lines hold {_percent(chars, whole)} of the characters, at least 10 %"


def fineweb_short_lines(prose: Prose) -> str | None:
    """At least 67 % of the lines have under 30 characters."""
    short = sum(len(line) < 30 for line in prose.lines)
    if len(prose.lines) < 2 or short < 0.67 * len(prose.lines) or not prose.is_spaced:
        return None
    return f"{_percent(short, len(prose.lines))} of the lines have under 30 characters"
