"""Speed and truth of the data audit, on a seeded corpus with planted findings; run it by hand.

OMP_NUM_THREADS=1 python tests/benchmarks/bench_audit.py [ROWS]
"""

from __future__ import annotations

import json
import os
import random
import statistics
import string
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import phonenumbers
from datasketch import MinHash, MinHashLSH
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import luhn
from stdnum.fr import nir
from stdnum.iso7064 import mod_11_10, mod_97_10
from stdnum.tr import tckimlik

from forgelm.data_audit import (
    audit_dataset,
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
)

WORDS = [
    *("the", "of", "to", "and", "a", "in", "is", "it", "you", "that", "for", "on", "with", "your"),
    *("order", "parcel", "refund", "invoice", "account", "password", "router", "address", "please"),
    *(f"term{n}" for n in range(5000)),
]
ZIPF = list(accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))
SPLIT = "-----"


def prose(rng: random.Random, words: int) -> str:
    """Return sentences without anything to find."""
    return " ".join(rng.choices(WORDS, cum_weights=ZIPF, k=words)) + "."


def digits(rng: random.Random, count: int) -> str:
    """Return random digits, the first not 0."""
    return rng.choice("123456789") + "".join(rng.choices(string.digits, k=count - 1))


def token(
    rng: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits
) -> str:
    """Return random characters, as keys are made of."""
    return "".join(rng.choices(alphabet, k=count - 1)) + rng.choice(string.digits)


def grouped(text: str, size: int, separator: str) -> str:
    """Return `text` in groups of `size`."""
    return separator.join(text[i : i + size] for i in range(0, len(text), size))


def iban(rng: random.Random) -> str:
    """Return an IBAN of one of three countries."""
    country, bban = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("GB", token(rng, 4, "ABCDEFGHIJ")[:3] + "K" + digits(rng, 14)),
            ("NO", digits(rng, 11)),
        ]
    )
    return country + mod_97_10.calc_check_digits(bban + country) + bban


def card(rng: random.Random) -> str:
    """Return a Visa or Mastercard number."""
    body = rng.choice(["4", "51", "55"]) + digits(rng, 13)
    body = (body + digits(rng, 2))[:15]
    return body + luhn.calc_check_digit(body)


def french(rng: random.Random) -> str:
    """Return a French social security number."""
    body = f"{rng.choice('12')}{rng.randint(10, 99)}{rng.randint(1, 12):02d}75{digits(rng, 6)}"
    return body + nir.calc_check_digits(body)


def turkish(rng: random.Random) -> str:
    """Return a Turkish identity number."""
    body = digits(rng, 9)
    return body + tckimlik.calc_check_digits(body)


def german(rng: random.Random) -> str:
    """Return a German tax identification number: one digit twice, the others at most once."""
    while True:
        places = rng.sample(string.digits, 9)
        places.insert(rng.randrange(9), rng.choice(places))
        if places[0] != "0":
            body = "".join(places)
            return body + mod_11_10.calc_check_digit(body)


def telephone(rng: random.Random, style: int) -> str:
    """Return a number of one of six countries."""
    region = rng.choice(["US", "GB", "DE", "FR", "TR", "IT"])
    kind = rng.choice([PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE])
    number = phonenumbers.example_number_for_type(region, kind)
    number.national_number = number.national_number // 1000 * 1000 + rng.randrange(1000)
    return phonenumbers.format_number(number, style)


PLANTS: dict[str, tuple[Callable[[random.Random], str], Callable[[random.Random], str]]] = {
    "email": (
        lambda r: f"{token(r, 6).lower()}@example.com",
        lambda r: f"jürgen.{token(r, 4)}+x@bücher.example",
    ),
    "iban": (iban, lambda r: r.choice([str.lower, str.upper])(grouped(iban(r), 4, " "))),
    "credit_card": (card, lambda r: grouped(card(r), 4, r.choice([" ", "-", "."]))),
    "us_ssn": (
        lambda r: f"{r.randint(100, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}",
        lambda r: f"SSN {r.randint(100, 665)}{r.randint(10, 99)}{r.randint(1000, 9999)}",
    ),
    "fr_ssn": (
        french,
        lambda r: (
            (n := french(r)) and f"{n[0]} {n[1:3]} {n[3:5]} {n[5:7]} {n[7:10]} {n[10:13]} {n[13:]}"
        ),
    ),
    "tr_id": (turkish, lambda r: f"TC:{turkish(r)}."),
    "de_id": (german, lambda r: (n := german(r)) and f"{n[:2]} {n[2:5]} {n[5:8]} {n[8:]}"),
    "phone": (
        lambda r: telephone(r, PhoneNumberFormat.INTERNATIONAL),
        lambda r: telephone(r, PhoneNumberFormat.NATIONAL),
    ),
    "aws_access_key": (
        lambda r: "AKIA" + token(r, 16, string.ascii_uppercase),
        lambda r: f'"key":"ASIA{token(r, 16, string.ascii_uppercase)}"',
    ),
    "github_token": (lambda r: "ghp_" + token(r, 36), lambda r: "github_pat_" + token(r, 82)),
    "slack_token": (
        lambda r: f"xoxb-{digits(r, 12)}-{token(r, 24)}",
        lambda r: f"(xoxp-{digits(r, 12)}-{digits(r, 12)}-{token(r, 32).lower()})",
    ),
    "openai_api_key": (lambda r: "sk-" + token(r, 48), lambda r: "sk-proj-" + token(r, 100)),
    "google_api_key": (lambda r: "AIza" + token(r, 35), lambda r: f"?key=AIza{token(r, 35)}&v=1"),
    "huggingface_token": (lambda r: "hf_" + token(r, 34), lambda r: f"HF_TOKEN=hf_{token(r, 34)}"),
    "azure_storage_key": (
        lambda r: f"AccountKey={token(r, 86)}==",
        lambda r: f'"account_key": "{token(r, 86)}=="',
    ),
    "private_key": (
        lambda r: f"{SPLIT}BEGIN PRIVATE KEY{SPLIT}\n{token(r, 64)}\n{SPLIT}END PRIVATE KEY{SPLIT}",
        lambda r: f"{SPLIT}BEGIN RSA PRIVATE KEY{SPLIT}\\n{token(r, 64)}\\n",
    ),
}
NEGATIVES: list[Callable[[random.Random], str]] = [
    lambda r: f"part {token(r, 4).upper()}-{digits(r, 6)}",
    lambda r: f"at {r.randint(1_500_000_000_000, 1_800_000_000_000)}",
    lambda r: f"v{r.randint(1, 20)}.{r.randint(0, 20)}.{r.randint(0, 9999)}-rc{r.randint(1, 9)}",
    lambda r: f"sha {token(r, 64, '0123456789abcdef')}",
    lambda r: f"ISBN 978-{r.randint(0, 9)}-{digits(r, 4)}-{digits(r, 4)}-{r.randint(0, 9)}",
    lambda r: f"order {digits(r, r.randint(8, 14))}",
    lambda r: f"IMEI 35{digits(r, 13)}",
    lambda r: f"class sk-{r.choice(WORDS)}-{r.choice(WORDS)}-label-{r.randint(1, 99)}",
    lambda r: f"from {r.randint(100, 999)}-{r.randint(100, 999)} to {r.randint(1000, 9999)}",
    lambda r: (
        f"{r.randint(2000, 2026)}-0{r.randint(1, 9)}-{r.randint(10, 28)} 1{r.randint(0, 9)}:30"
    ),
]


def truth() -> None:
    """Print recall of each kind's easy and hard forms, and precision with hard negatives about."""
    rng = random.Random(1)
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    print(f"{'kind':<20} {'easy':>6} {'hard':>6} {'precision':>10}")
    recall: dict[str, list[float]] = {}
    for kind, forms in PLANTS.items():
        recall[kind] = []
        for form in forms:
            hits = 0
            for _ in range(300):
                before = f"{prose(rng, 5)} {rng.choice(NEGATIVES)(rng)}, "
                plant = form(rng)
                text = f"{before}{plant}, {rng.choice(NEGATIVES)(rng)}. {prose(rng, 5)}"
                found = False
                for finding in find_pii(text) + find_secrets(text):
                    start, end = finding.span
                    inside = start < len(before) + len(plant) and end > len(before)
                    found |= inside and finding.kind == kind
                    (right if inside and finding.kind == kind else wrong)[finding.kind] += 1
                hits += found
            recall[kind].append(hits / 300)
    for kind, (easy, hard) in recall.items():
        precision = right[kind] / max(right[kind] + wrong[kind], 1)
        print(f"{kind:<20} {easy:>6.3f} {hard:>6.3f} {precision:>10.3f}")
    print(
        f"{'all':<20} {statistics.mean(e for e, _ in recall.values()):>6.3f} "
        f"{statistics.mean(h for _, h in recall.values()):>6.3f} "
        f"{right.total() / (right.total() + wrong.total()):>10.3f}"
    )


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the median CPU time of `work`, child processes included."""
    times = []
    for _ in range(rounds):
        begin = sum(os.times()[:4])
        work()
        times.append(sum(os.times()[:4]) - begin)
    return statistics.median(times)


def rows(count: int) -> Iterator[str]:
    """Yield chat rows of about 1 kB, one in fifty with an address in it."""
    rng = random.Random(2)
    for n in range(count):
        extra = f" Write to user{n}@example.com." if n % 50 == 0 else ""
        chat = [("user", prose(rng, 90) + extra), ("assistant", prose(rng, 70))]
        messages = [{"role": role, "content": content} for role, content in chat]
        yield json.dumps({"messages": messages, "id": n}) + "\n"


def speed(count: int) -> None:
    """Print rows a second of whole audits, and the cost of the parts for a row of 1 kB."""
    rng = random.Random(3)
    text = prose(rng, 180)
    for detect in (detect_pii, detect_secrets):
        cost = seconds(lambda d=detect: [d(text) for _ in range(20_000)]) / 20_000
        print(f"{detect.__name__:<30} {1e6 * cost:8.1f} us a row of {len(text)} characters")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_text("".join(rows(count)), encoding="utf-8")
        for name, options in {
            "simhash": {},
            "simhash, 2 workers": {"workers": 2},
            "minhash": {"dedup_method": "minhash"},
            "simhash, quality": {"enable_quality_filter": True},
        }.items():
            taken = seconds(lambda o=options: audit_dataset(path, **o), 3)
            print(f"{'audit: ' + name:<30} {count / taken:8.0f} rows per CPU second")
    signatures([prose(rng, 180) for _ in range(1000)])


def signatures(texts: list[str]) -> None:
    """Print the cost of signatures beside datasketch's, and near-duplicate recall by edit rate."""
    from forgelm.data_audit.near_duplicates import MinHasher, simhash_batch, token_hashes

    def theirs() -> None:
        for text in texts:
            MinHash(num_perm=128).update_batch([w.encode() for w in text.lower().split()])

    def batches(sign: Callable[..., object]) -> None:
        for start in range(0, len(texts), 200):
            sign(*token_hashes(texts[start : start + 200]))

    base = seconds(theirs)
    for name, sign in {"simhash": simhash_batch, "minhash": MinHasher(128).batch}.items():
        print(
            f"{name + ' signatures':<30} {base / seconds(lambda s=sign: batches(s)):8.1f} x "
            "as fast as datasketch's MinHash"
        )
    recall(texts)


def recall(texts: list[str]) -> None:
    """Print how many edited copies whole audits find, beside datasketch's index, by edit rate."""
    rng = random.Random(4)
    print("near duplicates found   SimHash <= 3   MinHash >= 0.85   datasketch's MinHashLSH(0.85)")
    for rate in (0.01, 0.02, 0.05, 0.10):
        edited = []
        for text in texts:
            words = text.split()
            for place in rng.sample(range(len(words)), max(1, round(rate * len(words)))):
                words[place] = prose(rng, 1)
            edited.append(" ".join(words))
        found = [audited(texts, edited, method) for method in ("simhash", "minhash")]
        print(
            f"{rate:5.0%} of words changed {found[0]:12.3f} {found[1]:17.3f} "
            f"{datasketch_recall(texts, edited):19.3f}"
        )


def audited(texts: list[str], edited: list[str], method: str) -> float:
    """Return the share of `edited` that an audit says leaks into `texts`."""
    with tempfile.TemporaryDirectory() as folder:
        for split, rows in (("train", texts), ("test", edited)):
            lines = "".join(json.dumps({"text": text}) + "\n" for text in rows)
            Path(folder, f"{split}.jsonl").write_text(lines, encoding="utf-8")
        pairs = audit_dataset(folder, dedup_method=method).cross_split_overlap["pairs"]
        return float(pairs["train__test"]["leaked_rows_in_test"]) / len(edited)


def datasketch_recall(texts: list[str], edited: list[str]) -> float:
    """Return the share of `edited` whose original datasketch's index finds and confirms."""

    def sketch(text: str) -> MinHash:
        made = MinHash(num_perm=128)
        made.update_batch([word.encode() for word in text.lower().split()])
        return made

    index = MinHashLSH(threshold=0.85, num_perm=128)
    sketches = [sketch(text) for text in texts]
    for number, made in enumerate(sketches):
        index.insert(number, made)
    found = 0
    for number, text in enumerate(edited):
        made = sketch(text)
        found += number in index.query(made) and made.jaccard(sketches[number]) >= 0.85
    return found / len(texts)


if __name__ == "__main__":
    truth()
    speed(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
