"""A data set of the Hub is streamed over HTTP, from a server on this machine that answers alike."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hub_on_loopback import hub

pytest.importorskip("datasets")

ROW = b'{"text": "Write to alice@example.com"}\n'
FILES = {
    "data/train-00000-of-00002.jsonl": ROW * 3,
    "data/train-00001-of-00002.jsonl": ROW * 2,
    "data/test-00000-of-00001.jsonl": ROW,
    "broken/rows.txt": b"not looked at",
}
TOKEN = "a-token-of-" + "our-own"
CODE = """
import sys
from forgelm import audit_dataset, mask_dataset
from forgelm.errors import DataError
try:
    report = audit_dataset(sys.argv[1])
    print(report.source_path, report.pii_summary)
    print({name: split["sample_count"] for name, split in report.splits.items()})
    print(mask_dataset(sys.argv[1], sys.argv[2]).counts)
except DataError as error:
    print(error)
"""


def said(endpoint, name, folder, **environment):
    """What a program that uses the Hub at `endpoint` says; libraries read it when imported."""
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_DATASETS_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **environment,
    }
    tokens = {"HF_TOKEN", "HUGGINGFACE_TOKEN"} - set(environment)
    inherited = {name: value for name, value in os.environ.items() if name not in tokens}
    command = [sys.executable, "-c", CODE, name, str(folder / "masked")]
    return subprocess.check_output(
        command, env={**inherited, **settings}, stderr=subprocess.DEVNULL, text=True
    ).splitlines()


def test_a_data_set_of_the_hub_is_audited_and_masked_as_it_streams_in(tmp_path):
    with hub("acme/chats", FILES, token=TOKEN) as endpoint:
        lines = said(endpoint, "acme/chats", tmp_path, HUGGINGFACE_TOKEN=TOKEN)

    assert lines == [
        "hf://datasets/acme/chats {'email': 6}",
        "{'train': 5, 'test': 1}",
        "{'email': 6}",
    ]
    assert sorted(file.name for file in (tmp_path / "masked").iterdir()) == [
        "test.jsonl",
        "train.jsonl",
    ]
    assert (tmp_path / "masked" / "test.jsonl").read_text() == '{"text": "Write to [REDACTED]"}\n'


def test_a_data_set_that_is_not_there_or_not_for_you_is_told(tmp_path):
    with hub("acme/chats", FILES, token=TOKEN) as endpoint:
        [line] = said(endpoint, "acme/chats", tmp_path)

    assert line.startswith("acme/chats: no such file or directory, and no data set of the Hub")
    assert "Check the name, your access and the connection, or name a local file." in line


def test_a_data_set_that_breaks_off_says_where_and_what_to_do(tmp_path):
    files = {"train.jsonl": ROW * 2 + b"{torn\n", "test.jsonl": ROW}
    with hub("acme/torn", files) as endpoint:
        [line] = said(endpoint, "acme/torn", tmp_path)

    assert line.startswith("acme/torn, split train: it cannot be read after row ")
    assert line.endswith("name their directory: there, what cannot be read is passed over.")
