"""Recall, precision and speed of the detectors on planted truth, beside other tools; run by hand.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_detectors.py [SAMPLES_A_FORM]

Peers that are installed are compared: detect-secrets (plugins only, no file walk) and
presidio-analyzer (pattern recognisers, no model). A finding is right when it overlaps what was
planted and, for our own figures, has its kind; for a peer any kind will do, since names differ.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import random
import re
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from audit_corpus import FORMS, Plant, planted
from audit_values import prose

from forgelm.data_audit import (
    audit_dataset,
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
    mask_pii,
    mask_secrets,
    quality_flags,
)

Span = tuple[int, int]
Finder = Callable[[str], Iterable[tuple[str, Span]]]
MEGABYTE = 1_000_000
HOSTILE = (
    *(
        "%E4%BD%A0",
        "a-",
        "a.",
        "1-",
        "+1",
        "x@a.a.",
        "-eyJhbGc",
        "-----BEGIN RSA PRIVATE KEY-----\n",
    ),
    *("1", "11 ", "DE89 ", "4111 ", "AB12 34 56 ", "@", "(at)a.", "://a:", "password=", "Bearer a"),
    *("api_key=a", "1.1.1.", "a:b:", "sk-a", "key: ", "АБ@б.", "SG.a.", "12:AA", "RSSMRA85T10A"),
)


def ours(text: str) -> list[tuple[str, Span]]:
    """Return our findings."""
    return [(found.kind, found.span) for found in find_pii(text) + find_secrets(text)]


def detect_secrets_peer() -> Finder:
    """Return detect-secrets with its default plugins."""
    scan = importlib.import_module("detect_secrets.core.scan")
    settings = importlib.import_module("detect_secrets.settings")

    def find(text: str) -> list[tuple[str, Span]]:
        found, base = [], 0
        with settings.default_settings():
            for line in text.splitlines(keepends=True):
                for secret in scan.scan_line(line):
                    at = line.find(secret.secret_value)
                    if at >= 0:
                        span = (base + at, base + at + len(secret.secret_value))
                        found.append((secret.type, span))
                base += len(line)
        return found

    return find


def presidio_peer() -> Finder:
    """Return every pattern recogniser of presidio-analyzer for English, at its default scores."""
    names = importlib.import_module("presidio_analyzer.predefined_recognizers")
    pattern = importlib.import_module("presidio_analyzer").PatternRecognizer
    recognizers = []
    for name in names.__all__:
        cls = getattr(names, name)
        if isinstance(cls, type) and (issubclass(cls, pattern) or name == "PhoneRecognizer"):
            try:
                recognizers.append(cls())
            except (TypeError, ValueError, ImportError, OSError):  # needs arguments or a service
                continue

    def find(text: str) -> list[tuple[str, Span]]:
        return [
            (result.entity_type, (result.start, result.end))
            for recognizer in recognizers
            for result in recognizer.analyze(text, recognizer.supported_entities, None) or []
            if result.score >= 0.4
        ]

    return find


PEERS = {
    "detect_secrets": detect_secrets_peer,
    "presidio_analyzer": presidio_peer,
}
PII = ("email", "iban", "credit_card", "phone", "ip_address", "passport")
SECRETS = frozenset(
    form.kind
    for form in FORMS
    if re.search(r"key|token|secret|web|auth|jwt|cred|pass|acc|sas", form.kind)
) - {"passport"}


def truth(plants: Sequence[Plant]) -> None:
    """Print our recall of each kind's easy and hard forms, and its precision."""
    hits: defaultdict[tuple[str, bool], list[bool]] = defaultdict(list)
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    exact = 0
    for plant in plants:
        found = False
        for kind, (start, end) in ours(plant.text):
            inside = start < plant.end and end > plant.start and plant.kind == kind
            exact += inside and (start, end) == (plant.start, plant.end)
            found |= inside
            (right if inside else wrong)[kind] += 1
        if plant.kind:
            hits[plant.kind, plant.is_hard].append(found)
    print(f"{'kind':<22} {'easy':>6} {'hard':>6} {'precision':>10}")
    for kind in dict.fromkeys(form.kind for form in FORMS):
        shown = [_share(hits.get((kind, hard), [])) for hard in (False, True)]
        precision = right[kind] / max(right[kind] + wrong[kind], 1)
        print(f"{kind:<22} {shown[0]:>6} {shown[1]:>6} {precision:>10.3f}")
    for kind in set(wrong) - set(right):
        print(f"{kind:<22} {'-':>6} {'-':>6} {0:>10.3f}   ({wrong[kind]} found, none planted)")
    total = right.total() + wrong.total()
    shown = [
        _share([h for (_, hard), some in hits.items() if hard is want for h in some])
        for want in (False, True)
    ]
    print(f"{'all':<22} {shown[0]:>6} {shown[1]:>6} {right.total() / total:>10.3f}")
    print(f"spans exact to the character: {exact / right.total():.3f}\n")


def _share(hits: Sequence[bool]) -> str:
    return f"{sum(hits) / len(hits):.3f}" if hits else "-"


def peers(plants: Sequence[Plant]) -> None:
    """Print recall and precision of others on the kinds that they know, and the cost of a text."""
    finders: dict[str, Finder] = {"ours": ours}
    for module, make in PEERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{module} is not installed")
            continue
        finders[module] = make()
    print(f"{'tool':<20} {'of':<8} {'easy':>6} {'hard':>6} {'precision':>10} {'us a text':>10}")
    for name, find in finders.items():
        for family in ("pii", "secrets"):
            if family == {
                "detect_secrets": "pii",
                "presidio_analyzer": "secrets",
            }.get(name):
                continue
            _print_peer(name, family, find, plants)
    print()


def _print_peer(name: str, family: str, find: Finder, plants: Sequence[Plant]) -> None:
    hits: dict[bool, list[bool]] = {False: [], True: []}
    right = wrong = 0
    begin = time.process_time()
    some = [p for p in plants if p.kind is None or (p.kind in SECRETS) == (family == "secrets")]
    for plant in some:
        found = False
        for kind, (start, end) in find(plant.text):
            if name == "ours" and (kind in SECRETS) != (family == "secrets"):
                continue
            inside = plant.kind is not None and start < plant.end and end > plant.start
            found |= inside
            right, wrong = right + inside, wrong + (not inside)
        if plant.kind:
            hits[plant.is_hard].append(found)
    cost = 1e6 * (time.process_time() - begin) / len(some)
    precision = right / max(right + wrong, 1)
    print(
        f"{name:<20} {family:<8} {_share(hits[False]):>6} {_share(hits[True]):>6} "
        f"{precision:>10.3f} {cost:>10.0f}"
    )


def speed() -> None:
    """Print the cost of a row of 1 kB by what is in it."""
    rng = random.Random(3)
    rows = {
        "nothing": "",
        "an order number": "order 1000482913",
        "numbers and dates": "2024-01-15 10:30:00, IMEI 490154203237518, 1731571200123",
        "a telephone number": "(212) 555-0187",
        "an e-mail address": "alice@example.com",
        "a link": "https://example.com/a/b-c/d_e?utm_source=newsletter&x=1",
    }
    for name, extra in rows.items():
        text = f"{prose(rng, 80)} {extra} {prose(rng, 75)}"
        costs = [_seconds(f, text, 2000) for f in (detect_pii, detect_secrets, quality_flags)]
        print(
            f"1 kB with {name:<20} pii {costs[0]:6.1f} us, secrets {costs[1]:6.1f} us, "
            f"quality {costs[2]:6.1f} us"
        )
    print()


def _seconds(work: Callable[[str], object], text: str, rounds: int) -> float:
    times = []
    for _ in range(5):
        begin = time.process_time()
        for _ in range(rounds // 5):
            work(text)
        times.append(time.process_time() - begin)
    return 1e6 * sorted(times)[2] / (rounds // 5)


def hostile() -> None:
    """Print the seconds that a megabyte of each hostile run takes."""
    for run in HOSTILE:
        text = (run * (MEGABYTE // len(run) + 1))[:MEGABYTE]
        costs = {}
        for work in (mask_pii, mask_secrets, quality_flags):
            begin = time.process_time()
            work(text)
            costs[work.__name__] = time.process_time() - begin
        shown = ", ".join(f"{name} {cost:5.2f} s" for name, cost in costs.items())
        print(f"1 MB of {run!r:<38} {shown}")
    print()


def whole(plants: Sequence[Plant]) -> None:
    """Print the report's counts by role for the corpus as chat rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        with path.open("w", encoding="utf-8") as file:
            for number, plant in enumerate(plants):
                role = ("user", "assistant")[number % 2]
                file.write(json.dumps({"messages": [{"role": role, "content": plant.text}]}) + "\n")
        split: dict[str, Any] = audit_dataset(path).splits["train"]
    for role, counts in split["pii_counts_by_role"].items():
        print(f"pii said by {role}: {sum(counts.values())}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    corpus = list(planted(1, int(sys.argv[1]) if len(sys.argv) > 1 else 100))
    truth(corpus)
    peers(corpus[::5])
    speed()
    hostile()
    whole(corpus)
