"""National numbers, addresses and tokens beyond the first kinds: easy, hard and look-alikes."""

from __future__ import annotations

import json

import pytest

from forgelm.data_audit import find_pii, find_secrets, mask_pii, mask_secrets


def kinds_and_values(text):
    return [(f.kind, text[slice(*f.span)]) for f in find_pii(text)]


# Sources: the examples in python-stdnum's documentation and in the issuing offices' leaflets.
@pytest.mark.parametrize(
    ("kind", "value", "before"),
    [
        ("uk_nino", "AB 12 34 56 C", ""),
        ("uk_nino", "AB123456C", "National Insurance number: "),
        ("uk_nino", "ab123456c", "NI number "),
        ("uk_nhs", "943 476 5919", "NHS number "),
        ("es_nif", "12345678Z", ""),
        ("es_nif", "12.345.678-Z", ""),
        ("es_nif", "X-2482300W", ""),
        ("it_codice_fiscale", "RCCMNL83S18D969H", ""),
        ("it_codice_fiscale", "RCC MNL 83S18 D969H", ""),
        ("nl_bsn", "111222333", "BSN "),
        ("nl_bsn", "1112.22.333", "burgerservicenummer: "),
        ("pl_pesel", "44051401359", "PESEL: "),
        ("br_cpf", "390.533.447-05", ""),
        ("br_cpf", "39053344705", "CPF "),
        ("in_aadhaar", "2341 2341 2346", "Aadhaar no. "),
        ("in_pan", "ACUPA7085R", "PAN "),
        ("ch_ahv", "756.9217.0769.85", ""),
        ("ch_ahv", "7569217076985", ""),
        ("be_nn", "85.07.30-033.28", ""),
        ("se_personnummer", "880320-0016", ""),
        ("fi_hetu", "131052-308T", ""),
        ("fi_hetu", "131052A308T", ""),
        ("mx_curp", "BOXW310820HNERXN09", ""),
        ("cn_ric", "360426199101010071", ""),
        ("kr_rrn", "971013-9019902", ""),
        ("za_id", "7503305044089", "RSA ID number "),
        ("ca_sin", "123-456-782", "SIN: "),
        ("au_tfn", "123 456 782", "TFN "),
        ("us_itin", "912-90-3456", "ITIN "),
        ("dk_cpr", "211062-5629", "CPR "),
        ("pt_nif", "501964843", "NIF "),
        ("passport", "C01X00T47", "Passport No: "),
        ("passport", "123456789", "passport number is "),
        ("ip_address", "93.184.215.14", ""),
        ("ip_address", "8.26.56.26", "from IP "),
        ("passport", "C01X00T47", "passport: "),
        ("ip_address", "2a00:1450:4001:81b::200e", ""),
        ("email", "用户@例子.广告", "写信: "),
        ("email", "иван@почта.рф", ""),
        ("email", "alice [at] example [dot] org", ""),
        ("email", "alice(at)example.org", ""),
        ("email", "alice%40example.org", "?to="),
        ("iban", "GB29-NWBK-6016-1331-9268-19", ""),
        ("iban", "GB29.NWBK.6016.1331.9268.19", ""),
        ("iban", "MT84MALT011000012345MTLCAST001S", ""),
        ("credit_card", "4111.1111.1111.1111", ""),
        ("credit_card", "4111\u00a01111\u00a01111\u00a01111", ""),
        ("us_ssn", "536\u201390\u20134399", ""),
        ("phone", "1-212-555-0187", ""),
        ("phone", "1 (212) 555-0187", ""),
        ("phone", "612 34 56 78", ""),
        ("phone", "(11) 96123-4567", ""),
        ("phone", "8 (912) 345-67-89", ""),
        ("phone", "138 0013 8000", ""),
    ],
)
def test_each_kind_is_found_whole(kind, value, before):
    assert kinds_and_values(f"Note: {before}{value}, thanks.") == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "part AB123456C and code CE654321A",
        "12345678A has a wrong letter",
        "RCCMNL83S18D969X has a wrong letter",
        "the code 111222333 and 44051401359 with no word before them",
        "BSN 111222334 has a wrong check digit",
        "390.533.447-06 has wrong check digits",
        "756.9217.0769.84 has a wrong check digit",
        "the passport was issued on 20240115",
        "release 10.15.72.140 of the driver, version 93.184.216.34",
        "192.168.100.200, 127.0.0.1:8080, 10.20.30.40 and 203.0.113.250",
        "OID 1.3.6.1.4.1.311.21.20",
        "std::vector<int>::iterator a::b::c::d and 12:30:45",
        "00:1a:2b:3c:4d:5e is the adapter",
        "array[at] index, look(at)me",
        "50%40 of it",
        "联系@用户 and 你好@世界",
        "1.234.567,89 EUR and 12 345 678 people",
        "call order 1000482913",
    ],
)
def test_what_looks_like_a_person_s_number_is_left_alone(text):
    assert find_pii(text) == []


RANDOM = "Ab3dEf7hIj1kLm5nOp9qRs2tUv8wXy4zGh6K"
HEX = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


@pytest.mark.parametrize(
    ("kind", "before", "value", "after"),
    [
        ("bearer_token", "Authorization: Bearer ", RANDOM, "\n"),
        ("bearer_token", '-H "authorization: bearer ', RANDOM, '"'),
        ("basic_auth", "Authorization: Basic ", "QWxhZGRpbjpvcGVu" + "IHNlc2FtZQ==", ""),
        ("url_credentials", "postgres://app:", "s3cr3t" + "Pa55", "@db.example.com/main"),
        ("url_credentials", "redis://:", "s3cr3t" + "Pa55", "@10.0.0.3:6379/0"),
        ("url_credentials", "https://bot:", "s3cr3t" + "Pa55", "@git.example.com/a/b.git"),
        ("password", "password=", "Tr0ub4dor" + "&3", ""),
        ("password", '"DB_PASSWORD": "', "Tr0ub4dor" + "3!", '",'),
        ("password", "Server=db;Uid=app;Pwd=", "Tr0ub4dor" + "3!", ";"),
        ("password", "<password>", "Tr0ub4dor" + "3!", "</password>"),
        ("password", "my password is ", "Tr0ub4dor" + "3!", ""),
        ("generic_secret", 'api_key = "', RANDOM, '"'),
        ("generic_secret", "CLIENT_SECRET=", HEX, ""),
        ("aws_secret_key", "AKIA" + "IOSFODNN7EXAMPLE".replace("E", "F"), None, ""),
        ("azure_sas", "?sv=2022-11-02&sig=", RANDOM + "Ab3dEf7%3D", "&sp=r"),
        ("azure_client_secret", "", "abC8" + "Q~" + RANDOM[:34], ""),
        ("sendgrid_api_key", "", "SG." + RANDOM[:22] + "." + RANDOM + "Ab3dEf7", ""),
        ("twilio_api_key", "", "SK" + HEX, ""),
        ("telegram_bot_token", "", "123456789:" + "AA" + RANDOM[:33], ""),
        ("mailgun_api_key", "", "key-" + HEX, ""),
        ("mailchimp_api_key", "", HEX + "-us12", ""),
        ("digitalocean_token", "", "dop_v1_" + HEX * 2, ""),
        ("shopify_token", "", "shpat_" + HEX, ""),
        ("databricks_token", "", "dapi" + HEX, ""),
        ("docker_token", "", "dckr_pat_" + RANDOM[:27], ""),
        ("grafana_token", "", "glsa_" + RANDOM[:32] + "_0a1b2c3d", ""),
        ("groq_api_key", "", "gsk_" + RANDOM + RANDOM[:16], ""),
        ("replicate_token", "", "r8_" + RANDOM + "7", ""),
        ("rubygems_token", "", "rubygems_" + HEX + HEX[:16], ""),
        ("google_oauth_secret", "", "GOCSPX-" + RANDOM[:28], ""),
        (
            "discord_webhook",
            "",
            "https://discord.com/api/" + "webhooks/123456789012345678/" + RANDOM * 2,
            "",
        ),
        ("gitlab_token", "", "glrt-" + RANDOM[:20], ""),
        ("slack_token", "", "xapp-1-" + "A0123456789-" + HEX, ""),
        ("stripe_api_key", "", "whsec_" + RANDOM[:32], ""),
    ],
)
def test_each_credential_is_masked_and_nothing_beside_it(kind, before, value, after):
    if value is None:  # a key and its secret side by side, as in a downloaded CSV file
        value = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "ZZ3XZZ4KEY"
        assert [f.kind for f in find_secrets(f"{before},{value}")] == ["aws_access_key", kind]
        return
    assert mask_secrets(before + value + after, return_counts=True) == (
        before + "[REDACTED-SECRET]" + after,
        {kind: 1},
    )


@pytest.mark.parametrize(
    "text",
    [
        'password="<your password>"',
        "password=your_password_here",
        "PASSWORD=${DB_PASSWORD}",
        "password = os.environ['DB_PASSWORD_1']",
        "password = getpass.getpass()",
        "password: str = Field(min_length=8)",
        "passwd: ********",
        "Your password is base64-encoded and salted",
        "the password must be changed: see section 12",
        "password:\nplease enter one",
        "http://user:password@host/ and http://<user>:<pass>@host/",
        "https://example.com:8080/@user",
        "Authorization: Bearer <token>",
        "Bearer authentication-is-the-scheme-we-use",
        "api_key=YOUR_API_KEY_GOES_HERE_PLEASE",
        'token = tokenizer.convert_ids_to_tokens("x")',
        "the key- prefix, SG. and SK and dapi",
        "sig=abc&x=1",
        "12:AAA grade bonds",
    ],
)
def test_names_and_stand_ins_are_no_credentials(text):
    assert find_secrets(text) == []


def test_a_password_in_a_url_is_no_e_mail_address():
    text = "postgres://app:" + "s3cr3tPa55" + "@db.example.com/main"

    assert find_pii(text) == []
    assert [f.kind for f in find_secrets(text)] == ["url_credentials"]


@pytest.mark.parametrize(
    "value",
    [
        {"password": "Tr0ub4dor" + "3!", "n": 1},
        {"url": "postgres://app:" + "s3cr3tPa55" + "@db.example.com/main"},
        {"text": 'a "password": "' + "Tr0ub4dor" + '3!" in quotes'},
        {"ip": "93.184.215.14", "tel": "+12025550143", "nif": "12345678Z"},
        {"headers": {"Authorization": "Bearer " + RANDOM}},
    ],
)
def test_masked_json_is_still_json(value):
    text = json.dumps(value)
    masked = mask_secrets(mask_pii(text))

    assert "REDACTED" in masked
    assert json.loads(masked).keys() == value.keys()


HOSTILE = [
    *("AB12 34 56 ", "12 34 56 A", "(at)a.", "a (at) ", "%40a.", "://a:", "://a:b@", "password="),
    *(
        "password is ",
        "Bearer a",
        "api_key=",
        "api_key=a",
        "1.1.1.",
        "1.1.1.1 ",
        "a:b:",
        "a::",
        ":",
    ),
    *("SG.a.", "1:AA", "RSSMRA85T10A", "АБ@б.", "用@户.", "sig=", "Basic ", "key-", "-us1", "756."),
    *("passport ", "bsn 1", "PAN A", "01 02 ", "(0", "1 (", "600 ", "AKIA", "8 (9", "X1"),
]


# The limit catches quadratic time (minutes a megabyte), not slowness.
@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", HOSTILE)
def test_a_megabyte_of_any_new_shape_is_searched_in_linear_time(run):
    text = (run * (1_000_000 // len(run) + 1))[:1_000_000]

    find_pii(text)
    find_secrets(text)
