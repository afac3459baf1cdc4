"""National numbers and tokens that are seldom met: right ones, broken ones and look-alikes."""

from __future__ import annotations

import pytest

from forgelm.data_audit import find_pii, find_secrets, mask_pii, mask_secrets

RANDOM = "Ab3dEf7hIj1kLm5nOp9qRs2tUv8wXy4zGh6K"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2


# Valid numbers: the examples in python-stdnum's documentation.
@pytest.mark.parametrize(
    ("kind", "before", "value"),
    [
        ("ro_cnp", "CNP ", "1630615123457"),
        ("ro_cnp", "my numeric personal code: ", "1630615123457"),
        ("cz_rc", "rodné číslo ", "710319/2745"),
        ("cz_rc", "RČ: ", "7103192745"),
        ("no_fnr", "", "151086 95088"),
        ("no_fnr", "fødselsnummer ", "15108695088"),
    ],
)
def test_a_right_number_is_found_whole(kind, before, value):
    text = f"Note: {before}{value}, thanks."

    assert [(f.kind, text[slice(*f.span)]) for f in find_pii(text)] == [(kind, value)]
    assert mask_pii(text) == f"Note: {before}[REDACTED], thanks."


@pytest.mark.parametrize(
    "text",
    [
        "CNP 1630615123458 has a wrong check digit",
        "the code 1630615123457 without a word for it",
        "CNP of the customer is in section 1630615",
        "rodné číslo 710319/2746 has a wrong check digit",
        "batch 710319/2745 of the paint",
        "151086 95077 has a wrong check digit",
        "order 15108695088",
        "the 32nd of a month: 321086 95088",
        "v1.15108695088",
    ],
)
def test_a_broken_number_and_a_number_of_a_thing_are_left_alone(text):
    assert find_pii(text) == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("google_oauth_token", "ya29." + "a0" + RANDOM * 2),
        ("vault_token", "hvs." + RANDOM * 2 + RANDOM[:20]),
        ("atlassian_token", "ATATT3" + "xFfGF0" + RANDOM * 2),
        ("age_secret_key", "AGE-SECRET-" + "KEY-1" + BECH32[:58]),
    ],
)
def test_a_token_is_masked_and_nothing_beside_it(kind, value):
    text = f"export TOKEN_FILE='{value}' # keep"

    assert mask_secrets(text, return_counts=True) == (
        "export TOKEN_FILE='[REDACTED-SECRET]' # keep",
        {kind: 1},
    )


@pytest.mark.parametrize(
    "text",
    [
        "ya29.short and ya29. alone",
        "a call to hvs.render_the_page_that_follows_the_first_one()",
        "hvs." + RANDOM + " is too short",
        "ATATT3 is how they begin",
        "ATATT3" + "-" * 80 + " is a ruler",
        "AGE-SECRET-" + "KEY-1" + "B" * 58 + " has letters that Bech32 has not",
        "AGE-SECRET-" + "KEY-1" + BECH32[:40] + " is cut off",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p is a public key",
    ],
)
def test_what_only_begins_like_a_token_is_left_alone(text):
    assert find_secrets(text) == []
