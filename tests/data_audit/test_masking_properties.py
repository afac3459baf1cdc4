"""Properties of finding and masking, on texts made of the pieces that detectors look for."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm.data_audit import (
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
    mask_pii,
    mask_secrets,
)

PIECES = [
    "alice@example.com",
    "josé@exämple.de",
    "GB29 NWBK 6016 1331 9268 19",
    "DE89370400440532013000",
    "4111 1111 1111 1111",
    "4111111111111111",
    "378282246310005",
    "123-45-6789",
    "ssn 123456789",
    "17291716060",
    "36574261809",
    "2 95 10 99 126 111 93",
    "T220001293",
    "+1 202 555 0143",
    "(212) 555-0187",
    "030 901820",
    "tel: 0532 123 45 67",
    "AKIA" + "IOSFODNN7" + "EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "xoxb-" + "123456789012-abcdef",
    "sk-" + "Ab3dEf7hIj1kLm5nOp9q",
    "AIza" + "Sy" * 17 + "0",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl",
    "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END " + "PRIVATE KEY-----",
    "AccountKey=" + "Ab1/" * 21 + "Ab==",
    "AB 12 34 56 C",
    "12345678Z",
    "RCCMNL83S18D969H",
    "BSN 111222333",
    "390.533.447-05",
    "passport C01X00T47",
    "93.184.215.14",
    "2a00:1450:4001:81b::200e",
    "иван@почта.рф",
    "用户@例子.广告",
    "bob [at] example [dot] org",
    "(at)",
    "%40",
    "password=Tr0ub4dor" + "3!",
    "assword is ",
    "postgres://app:s3cr3t" + "Pa55@db.example.com",
    "://",
    "Authorization: Bearer " + "a1B2" * 9,
    "api_key=" + "a1B2c3D4" * 4,
    "SG." + "a1B2c3D4e5F6g7H8i9J0k1" + "." + "a1B2c3D4e5F6g7H8i9J0k1",
    *" -_.,:;/()[]@+=\n\t\u00a0",
    *"017aZeé系",
    "12",
    "555",
    "[REDACTED]",
    "[REDACTED-SECRET]",
    "-----BEGIN ",
    "tel ",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60)
VIEWS = [
    pytest.param(find_pii, detect_pii, mask_pii, "[REDACTED]", id="pii"),
    pytest.param(find_secrets, detect_secrets, mask_secrets, "[REDACTED-SECRET]", id="secrets"),
]


@pytest.mark.parametrize(
    ("find", "mask"),
    [
        pytest.param(find_pii, mask_pii, id="pii"),
        pytest.param(find_secrets, mask_secrets, id="secrets"),
    ],
)
@given(text=TEXTS)
@settings(max_examples=400, deadline=None)
def test_masking_a_masked_text_changes_nothing(find, mask, text):
    masked = mask(text)

    assert mask(masked) == masked
    assert find(masked) == []


@pytest.mark.parametrize(("find", "detect", "mask", "token"), VIEWS)
@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_counting_and_masking_are_views_of_the_same_findings(find, detect, mask, token, text):
    findings = find(text)
    spans = [finding.span for finding in findings]
    rebuilt, end = "", 0
    for start, stop in spans:
        assert end <= start < stop <= len(text)
        rebuilt, end = rebuilt + text[end:start] + token, stop

    counts = detect(text)
    assert mask(text, return_counts=True) == (rebuilt + text[end:], dict(counts))
    assert sum(counts.values()) == len(findings)
    assert sorted(span for key in counts for span in key.spans) == spans
    assert counts == {f.kind: [g.kind for g in findings].count(f.kind) for f in findings}


@given(text=TEXTS)
@settings(max_examples=100, deadline=None)
def test_counts_survive_json_and_pickle(text):
    counts = detect_pii(text)
    again = pickle.loads(pickle.dumps(counts))

    assert json.loads(json.dumps(counts)) == counts == again
    assert [key.spans for key in again] == [key.spans for key in counts]


@pytest.mark.parametrize("value", [None, 7, 2.5, True, b"a@example.com", ["a@example.com"]])
def test_what_is_no_text_passes_through_and_counts_nothing(value):
    assert mask_pii(value) is value
    assert mask_secrets(value, return_counts=True) == (value, {})
    assert detect_pii(value) == detect_secrets(value) == {}


def test_masking_leaves_every_neighbour_in_place():
    text = (
        "联系alice@example.com谢谢, card 4111 1111 1111 1111 12/27, "
        "GB29 NWBK 6016 1331 9268 19 PLEASE."
    )

    assert mask_pii(text) == "联系[REDACTED]谢谢, card [REDACTED] 12/27, [REDACTED] PLEASE."
