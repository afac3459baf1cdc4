"""Recall and precision on the benchmark's planted truth, and the hard negatives one by one."""

from __future__ import annotations

import importlib
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from forgelm.data_audit import find_pii, find_secrets, mask_pii, mask_secrets

# The corpus is a script beside the benchmarks, not a package.
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
corpus = importlib.import_module("audit_corpus")

KINDS = list(dict.fromkeys(form.kind for form in corpus.FORMS))


@pytest.fixture(scope="module")
def found():
    """Every plant with what was found in its text."""
    return [
        (plant, find_pii(plant.text) + find_secrets(plant.text)) for plant in corpus.planted(7, 12)
    ]


def hits(found, kind, *, hard):
    return [
        any(f.kind == kind and f.span[0] < plant.end and f.span[1] > plant.start for f in findings)
        for plant, findings in found
        if plant.kind == kind and plant.is_hard is hard
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_forms_that_are_planted_are_found(found, kind):
    easy, hard = hits(found, kind, hard=False), hits(found, kind, hard=True)

    assert sum(easy) >= 0.99 * len(easy) - 1
    assert sum(hard) >= 0.90 * len(hard) - 1


def test_recall_and_precision_over_all_kinds_hold(found):
    easy = [hit for kind in KINDS for hit in hits(found, kind, hard=False)]
    hard = [hit for kind in KINDS for hit in hits(found, kind, hard=True)]
    right, wrong = Counter(), Counter()
    for plant, findings in found:
        for f in findings:
            inside = f.kind == plant.kind and f.span[0] < plant.end and f.span[1] > plant.start
            (right if inside else wrong)[f.kind] += 1

    assert sum(easy) >= 0.99 * len(easy)
    assert sum(hard) >= 0.90 * len(hard)
    assert right.total() >= 0.97 * (right.total() + wrong.total())
    for kind in KINDS:
        assert right[kind] >= 0.90 * (right[kind] + wrong[kind]), kind


@pytest.mark.parametrize("name", corpus.NEGATIVES)
def test_hard_negatives_are_left_alone(name):
    rng = random.Random(11)
    texts = [corpus.NEGATIVES[name](rng) for _ in range(150)]

    wrong = [text for text in texts if find_pii(text) or find_secrets(text)]

    # A number of the right length has the right check digits now and then.
    assert len(wrong) <= 1, wrong


def test_masking_what_is_planted_leaves_the_rest_of_the_text_as_it_is(found):
    for plant, findings in found:
        if [(f.kind, f.span) for f in findings] == [(plant.kind, (plant.start, plant.end))]:
            before, after = plant.text[: plant.start], plant.text[plant.end :]
            masked = mask_secrets(mask_pii(plant.text))

            assert masked.startswith(before)
            assert masked.endswith(after)
            assert mask_secrets(mask_pii(masked)) == masked
