"""Ways to spell the fields of a line, canonical or not, and logs of two lines that have them."""

from __future__ import annotations

import hashlib
import hmac

SECRET = "not-a-" + "real-secret"
RUN = b"fg-00112233aabb"
WHEN = b"2026-01-02T03:04:05.000000+00:00"
ENVELOPE = (
    b'{"timestamp": "%b", "run_id": "%b", "operator": "ci", "event": "e", "prev_hash": "%b", '
)

# what a field may be, as text that need not be canonical
FIELDS = [
    '"a": 1', '"a": -1', '"a": -0', '"a": 0', '"a": 01', '"a": 1.0', '"a": 1.50', '"a": 0.5',
    '"a": -0.0', '"a": 1e5', '"a": 1e+16', '"a": 1e+15', '"a": 1E+16', '"a": 1e-05', '"a": 1e-5',
    '"a": 0.00001', '"a": 0.0001', '"a": 1e-04', '"a": 10e-05', '"a": 1.5e-07', '"a": 1.50e-07',
    '"a": 0.1234567890123456', '"a": 0.12345678901234567', '"a": 0.123456789012345678',
    '"a": 123456.123456789', '"a": 1234567.5', '"a": 100000000000000000.5', '"a": 1e999',
    '"a": 1e-400', '"a": 5e-324', '"a": 4e-324', '"a": 9e+307', '"a": 2e+308', '"a": NaN',
    '"a": Infinity', '"a": 12345678901234567890123', '"a": [0.1234567890123456, 1]', '"a": []',
    '"a": [1,2]', '"a": {}', '"a": {"b": 1, "b": 1}', '"a": {"b":1}', '"a": [[1], {"x": [2]}]',
    '"a": "x", "a": "y"', '"a": 1, "b": 2', '"event": 1', '"a": {"event": 1}', '"_hmac": 1',
    '"_kid": "k"', '"_kid": 3', '"a b": 1', '"": 1', '"a": "\\u00e9"', '"a": "\\u00E9"',
    '"a": "\u00e9"', '"a": "\\u0041"', '"a": "\\/"', '"a": "\\n\\t"', '"a": "\\u000a"',
    '"a": "\\u007f"', '"a": "\x7f"', '"a": "\\u001f"', '"a": "\\u0008"', '"a": "\\ud83d\\ude00"',
    '"a": "\\ud800"', '"a": "\\\\"', '"a": "\\\""', '"a": ", \\"b\\": 1"', '"a": true',
    '"a": True', '"a": null', '"a": tru', '"a": ""', '"a":1', '"a" : 1', '"a": 1 ', '"a": "\t"',
    '"x": {"prev_hash": "genesis"}', '"a": " 0.12345678901234567,"', '"a": 1234567890.123456',
    '"a": 12345678901234.5', '"a": 123456789012345.6', '"a": 1234567890123456.7', '"a": 1e+22',
    '"a": 12345678901234567.0', '"a": 123456789012345678', '"a": 1.0e-05', '"a": 1e-005',
    '"a": 1e-100', '"a": 1e+100', '"a": 0.0000', '"a": -0.00001', '"a": -', '"a": .5', '"a": 1.',
    '"a": [1e-05]', '"a": [1e-5]', '"a": [0.1234567890123456]', '"a": [0.12345678901234567]',
    '"a": [1, 1e-5]', '"a": {"b": 1e-5}', '"a": 0.1, "b": {"c": 0, "a": 2}', '"a": [1, ]',
    '"a": [, 1]', '"a": [1 2]', '"a": {"b", 1}', '"a": {"b": 1, }', '"a": {1: 2}', '"a": [}',
    '"a": [[[[1, [2], {"x": [0.5, 3]}]]], {"y": {"z": {"w": 1e-07}}}]', '"a": [[[[1e-7]]]]',
    '"a": [[[["\\u00E9"]]]]', '"a": -Infinity', '"a": [NaN]', '"a": "\\x"', '"a": "\\u12"',
    '"a b": 1, "a b": 2', '"x": "y, ", ": z": 1, "x": 2', '"x": "y, ", "x": 2', '", a": 1, "a": 2',
    '", a": 1, ", a": 2', '": ": 1, ": ": 2', '"a, ": 1, "a": 2', '"a/b (%)": 1', '"]": 1, "]": 2',
    '"x": ["y, ", "x"], "x": 2', '"x": {"y, ": 1, ": z": 2}, "x": 2', '"a": "\\ud83d"',
    '"a": "\\uDE00"', '"a": 1}, {"b": 1', '"a": 1} ', '"a": [[[[[],  1]]]]',
]  # fmt: skip


def with_tag(body: bytes) -> bytes:
    """Put the tag on a line that ends in a brace."""
    key = hashlib.sha256(SECRET.encode() + RUN).digest()
    tag = hmac.digest(key, body, "sha256").hex()
    return body[:-1] + b', "_hmac": "%b"}' % tag.encode()


def two_lines(fields: bytes, *, keyed: bool, when: bytes = WHEN) -> list[bytes]:
    """A first line, behind which a log is known to be keyed or not, and one with `fields`."""
    lines: list[bytes] = []
    for inner in (b'"n": 1', fields):
        previous = hashlib.sha256(lines[-1][:-1]).hexdigest() if lines else "genesis"
        body = ENVELOPE % (when if lines else WHEN, RUN, previous.encode()) + inner + b"}"
        lines.append((with_tag(body) if keyed else body) + b"\n")
    return lines
