"""What the detectors find, and what they leave alone."""

from __future__ import annotations

import pytest

from forgelm.data_audit import (
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
    mask_pii,
    mask_secrets,
)

AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"  # the example key of the AWS documentation
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ"


def pem(label: str, body: str = PEM_BODY) -> str:
    return f"-----BEGIN {label}" + f"-----\n{body}\n-----END {label}-----"


def test_the_reference_snippet_runs_as_printed(capsys):
    text = f"Contact alice@example.com or use {AWS_KEY} for the call."

    pii = detect_pii(text)
    secrets = detect_secrets(text)

    print(f"pii: {[(f.kind, f.span) for f in pii]}")
    print(f"secrets: {[(f.kind, f.span) for f in secrets]}")

    masked = mask_secrets(mask_pii(text))
    print(masked)

    assert capsys.readouterr().out.splitlines() == [
        "pii: [('email', (8, 25))]",
        "secrets: [('aws_access_key', (33, 53))]",
        "Contact [REDACTED] or use [REDACTED-SECRET] for the call.",
    ]


# Sources: the examples in python-stdnum's documentation, the card issuers' test numbers, and the
# specimen identity card of the German Federal Ministry of the Interior.
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "alice.b+news@mail.example.co.uk"),
        ("email", "josé@exämple.de"),
        ("email", "x@xn--bcher-kva.example"),
        ("iban", "GB29NWBK60161331926819"),
        ("iban", "GB29 NWBK 6016 1331 9268 19"),
        ("iban", "gr1601101050000010547023795"),
        ("iban", "NO93 8601 1117 947"),
        ("credit_card", "4111111111111111"),
        ("credit_card", "4111 1111 1111 1111"),
        ("credit_card", "5555-5555-5555-4444"),
        ("credit_card", "3782 822463 10005"),
        ("credit_card", "2223003122003222"),
        ("us_ssn", "536-90-4399"),
        ("fr_ssn", "295109912611193"),
        ("fr_ssn", "2 95 10 99 126 111 93"),
        ("fr_ssn", "253072B07300470"),
        ("tr_id", "17291716060"),
        ("de_id", "36574261809"),
        ("de_id", "36 574 261 809"),
        ("de_id", "T220001293"),
        ("phone", "+1 202 555 0143"),
        ("phone", "+1-555-123-4567"),
        ("phone", "+442079460958"),
        ("phone", "+49 (0)30 901820"),
        ("phone", "0049 30 901820"),
        ("phone", "(212) 555-0187"),
        ("phone", "212-555-0187"),
        ("phone", "0532 123 45 67"),
        ("phone", "01 42 68 53 00"),
        ("phone", "030/901820"),
    ],
)
def test_personal_data_is_found_whole(kind, value):
    text = f"Note: {value}, thanks."

    assert [(f.kind, text[slice(*f.span)]) for f in find_pii(text)] == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("us_ssn", "my SSN is 536904399 ok", "536904399"),
        ("us_ssn", "Social Security number: 536 90 4399", "536 90 4399"),
        ("phone", "call me at 2125550187 please", "2125550187"),
        ("phone", "Tel.: 05321234567", "05321234567"),
    ],
)
def test_a_bare_number_counts_when_a_word_before_it_says_what_it_is(kind, text, found):
    assert [(f.kind, text[slice(*f.span)]) for f in find_pii(text)] == [(kind, found)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("aws_access_key", AWS_KEY),
        ("aws_access_key", "ASIA" + "Y34FZKBOKMUTVV7A"),
        ("github_token", "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("github_token", "github_pat_" + "11ABCDEFG0123456789_abcdefghij"),
        ("slack_token", "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKl"),
        ("slack_webhook", "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXX"),
        ("openai_api_key", "sk-" + "Ab3dEf7hIj1kLm5nOp9qRs2tUv8wXy4z"),
        ("openai_api_key", "sk-proj-" + "Ab3dEf7hIj1kLm5nOp9q_Rs2tUv8wXy4z"),
        ("anthropic_api_key", "sk-ant-api03-" + "Ab3dEf7hIj1kLm5nOp9qRs2tUv8wXy4zAb3dEf7h-AA"),
        ("google_api_key", "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
        ("jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + ".eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl"),
        ("openssh_private_key", pem("OPENSSH PRIVATE KEY")),
        ("pgp_private_key", pem("PGP PRIVATE KEY BLOCK")),
        ("private_key", pem("RSA PRIVATE KEY")),
        ("private_key", pem("PRIVATE KEY", PEM_BODY.replace("\n", "\\n"))),
        ("huggingface_token", "hf_" + "abCdEfGhIjKlMnOpQrStUvWxYzabCdEfGh"),
        ("stripe_api_key", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
        ("gitlab_token", "glpat-" + "Ab3dEf7hIj1kLm5nOp9q"),
        ("npm_token", "npm_" + "Ab3dEf7hIj1kLm5nOp9qRs2tUv8wXy4zAb3d"),
        ("pypi_token", "pypi-AgE" + "IcHlwaS5vcmcCJD" + "Ab3dEf7hIj1kLm5nOp9q" * 3),
    ],
)
def test_credentials_are_found_whole(kind, value):
    text = f"use '{value}' here"

    assert [(f.kind, text[slice(*f.span)]) for f in find_secrets(text)] == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "before", "value"),
    [
        ("azure_storage_key", "AccountName=a;AccountKey=", "Ab1/" * 21 + "Ab=="),
        ("azure_storage_key", '"account_key": "', "Ab1/" * 21 + "Ab=="),
        (
            "aws_secret_key",
            "aws_secret_access_key = ",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        ),
        ("gcp_service_account", '{"type": "service_account", "private_key": "', pem("PRIVATE KEY")),
    ],
)
def test_only_the_credential_is_masked_and_not_its_name(kind, before, value):
    assert mask_secrets(before + value + '"', return_counts=True) == (
        before + '[REDACTED-SECRET]"',
        {kind: 1},
    )


def test_a_private_key_without_its_end_is_masked_as_far_as_it_goes():
    text = "key: " + pem("RSA PRIVATE KEY").rpartition("\n")[0] + "\n\n[end of file]"

    assert mask_secrets(text) == "key: [REDACTED-SECRET][end of file]"


@pytest.mark.parametrize(
    "text",
    [
        "<div class='sk-toggleable__label-arrow sk-estimator-doc-link'>",
        ".sk-chasing-dots-animation-container { }",
        "pip install scikit-learn sk-learn-contrib-lightning-plugins",
        "part number 5000-1234-99 replaces PN-123-45-6789",
        "Order no. 123-45-6789 has shipped",
        "timestamps 1700000000000 and 1731571200123",
        "2024-01-15 10:30:00.123456 +0100",
        "v1.2.3.4, 10.15.7, 2024.10.01-rc2 and Chrome/120.0.6099.109",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 356a192b7913b04c54574d18c28d46e6395428ab",
        "uuid 550e8400-e29b-41d4-a716-446655440000",
        "ISBN 978-3-16-148410-0 or 9783161484100",
        "EAN 4006381333931",
        "IMEI 490154203237518 and 356938035643809",
        "order 1000482913, invoice 2024000123, ticket 99817263544",
        "pi is 3.14159265358979323846 and e is 2.718281828459045",
        "call 911, or dial 12345",
        "range 100-200-3000, 555-0199",
        "192.168.100.200 and 10.0.0.255:8080",
        "icon@2x.png and logo@3x.webp",
        "git clone git@github.com:owner/repository.git",
        "npm i lodash@4.17.21 @types/node@20.1.0",
        "@user mentioned @someone_else at 5 p.m.",
        "GB29 NWBK 6016 1331 9268 18 has a wrong check digit",
        "4111 1111 1111 1112 has a wrong check digit",
        "666-12-3456 and 123-00-4567 were never given out",
        "17291716061 and 36574261808 have wrong check digits",
        "coordinates 52.5200066, 13.4049540",
        "1 000 000 000 000 000 inhabitants",
        "sha512-" + "Ab1/" * 21 + "Ab==",
        "AKIA is how such keys begin; AKIAIOSFODNN7 is too short",
        "the ghp_ and xoxb- and hf_ prefixes",
        "eyJhbGciOiJ is how a token begins",
        "-----BEGIN CERTIFICATE" + "-----\nMIIB\n-----END CERTIFICATE-----",
        "write -----BEGIN RSA PRIVATE KEY" + "----- as the first line",
    ],
)
def test_look_alikes_are_left_alone(text):
    assert find_pii(text) == []
    assert find_secrets(text) == []


MEGABYTE = 1_000_000
HOSTILE = [
    "%E4%BD%A0",
    "a-",
    "a.",
    "1-",
    "+1",
    "x@a.a.",
    "-eyJhbGc",
    ".eyJhbGc",
    "-----BEGIN RSA PRIVATE KEY" + "-----\n",
    "-----BEGIN PRIVATE KEY" + "-----AAAAAAAAAAAAAAAAAA",
    "DE89 ",
    "1",
    "11 ",
    "01 ",
    "4111 ",
    "+1 2",
    "tel ",
    "ssn ",
    "@",
    "a@",
    "sk-a",
    "AccountKey=",
    "aws_secret_access_key=",
]


# The limit catches quadratic time (minutes a megabyte), not slowness.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", HOSTILE)
def test_a_megabyte_of_anything_is_searched_in_linear_time(run):
    text = (run * (MEGABYTE // len(run) + 1))[:MEGABYTE]

    assert find_pii(text) == []
    assert {finding.kind for finding in find_secrets(text)} <= {"private_key"}
