"""What can be done to a data set in Python can be done in a shell, with the same words."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import forgelm
from forgelm.cli import cli, run

UNSET = click.Option(["--none"]).default

WORDS = "The quick brown fox jumps over the lazy dog near the old river bank at dawn"
ROWS = [
    *({"text": f"{WORDS} {number * 7919}"} for number in range(8)),
    {"text": "Write to ann@example.com about the invoice of last month"},
    {"text": "Write to ann@example.com about the invoice of last month"},
]


@pytest.fixture(autouse=True)
def _rows_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")


def _json_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = run([*arguments, "--output-format", "json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


@pytest.mark.parametrize(
    ("command", "function", "only_in_a_shell"),
    [
        ("audit", forgelm.audit_dataset, set()),
        ("mask", forgelm.mask_dataset, set()),
        ("dedup", forgelm.deduplicate_dataset, {"no_protect"}),
        ("split", forgelm.split_dataset, set()),
        ("audit-diff", forgelm.audit_diff, set()),
    ],
)
def test_a_command_takes_what_its_function_takes_with_the_same_defaults(
    command: str, function: Callable[..., Any], only_in_a_shell: set[str]
) -> None:
    parameters = inspect.signature(function).parameters
    options = {each.name: each for each in cli.commands[command].params if each.expose_value}
    assert set(options) - only_in_a_shell == set(parameters)
    for name, parameter in parameters.items():
        option = options[name]
        assert option.required is (parameter.default is parameter.empty)
        if isinstance(option, click.Option):
            assert option.help
            assert option.default in (parameter.default, (parameter.default,), UNSET)


def test_the_checks_and_the_card_of_an_audit_can_be_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--quality-filter", "--quality-checks", "c4", "--quality-checks", "short_paragraphs"]
    card = ["license=CC-BY-4.0", "keywords=a", "keywords=b=c"]
    options += ["--croissant", *(word for pair in card for word in ("--croissant-metadata", pair))]
    report = _json_of(["audit", "rows.jsonl", *options], capsys)
    assert report["quality_summary"]["samples_evaluated"] == 10
    assert report["croissant"]["license"] == "CC-BY-4.0"
    assert report["croissant"]["keywords"] == ["a", "b=c"]


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        (["--quality-checks", "gopher"], "quality_checks needs enable_quality_filter=True"),
        (["--croissant-metadata", "license=MIT"], "croissant_metadata needs emit_croissant=True"),
        (["--croissant", "--croissant-metadata", "MIT"], "'MIT' is not KEY=VALUE"),
        (["--croissant", "--croissant-metadata", "colour=red"], "croissant_metadata must be"),
        (["--quality-filter", "--quality-checks", "taste"], "quality_checks has 'taste'"),
        (["--engine", "spark"], "'spark' is not one of"),
    ],
)
def test_what_an_audit_cannot_do_is_said_in_one_line(
    options: list[str], needle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "rows.jsonl", *options]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert needle in err


def test_an_engine_that_is_not_running_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    assert run(["audit", "rows.jsonl", "--engine", "dask"]) == 1
    assert "set DASK_SCHEDULER_ADDRESS" in capsys.readouterr().err


def test_an_audit_that_can_go_on_gives_the_same_report(capsys: pytest.CaptureFixture[str]) -> None:
    plain = _json_of(["audit", "rows.jsonl"], capsys)
    resumed = _json_of(["audit", "rows.jsonl", "--resume-dir", "parts", "--workers", "2"], capsys)
    assert {**plain, "generated_at": ""} == {**resumed, "generated_at": ""}
    assert not Path("parts").exists()


def test_findings_are_paged_with_masked_excerpts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "rows.jsonl", "--output-dir", "out"]) == 0
    capsys.readouterr()
    page = _json_of(["findings", "out", "--kind", "email", "--offset", "1"], capsys)["findings"]
    assert [(each["row"], each["column"], each["start"]) for each in page] == [(9, "text", 9)]
    assert run(["findings", "out", "--limit", "1"]) == 0
    assert capsys.readouterr().out == (
        "train:8 text [9:24] email (medium): Write to [REDACTED] about the invoice of last month\n"
    )
    assert run(["findings", "out", "--split", "test"]) == 0
    assert capsys.readouterr().out == "no such finding\n"
    assert run(["findings", "rows"]) == 1
    assert "rows: no such file; name the file" in capsys.readouterr().err


def test_duplicates_go_and_the_record_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dedup", "rows.jsonl", "clean.jsonl", "--near-dup-threshold", "0"]) == 0
    assert capsys.readouterr().out == (
        "clean.jsonl: 9 of 10 rows stay\n"
        "  near duplicates  train 1\n"
        "  leaked           none\n"
        "  record           clean.jsonl.dedup_record.jsonl\n"
    )
    options = ["--no-protect", "--keep", "last", "--overwrite", "--near-dup-threshold", "0"]
    document = _json_of(["dedup", "rows.jsonl", "clean.jsonl", *options], capsys)
    assert (document["rows"], document["rows_kept"]) == (10, 9)
    assert run(["dedup", "rows.jsonl", "clean.jsonl"]) == 1
    assert "Already there: clean.jsonl" in capsys.readouterr().err


def test_splits_are_written_with_their_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--near-dup-threshold", "0", "--test", "0.2", "--validation", "0"]
    assert run(["split", "rows.jsonl", "splits", *options]) == 0
    assert capsys.readouterr().out == (
        "splits: 10 rows\n"
        "  train            8 splits/train.jsonl\n"
        "  test             2 splits/test.jsonl\n"
    )
    document = _json_of(["split", "rows.jsonl", "more", *options], capsys)
    assert document["rows"] == {"train": 8, "test": 2}


def test_two_audits_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mask", "rows.jsonl", "masked.jsonl"]) == 0
    assert run(["audit", "rows.jsonl", "--output-dir", "before"]) == 0
    assert run(["audit", "masked.jsonl", "--output-dir", "after"]) == 0
    capsys.readouterr()
    document = _json_of(["audit-diff", "before", "after/data_audit_report.json"], capsys)
    assert {"section": "pii", "name": "email", "before": 2, "after": 0, "delta": -2} in (
        document["changes"]
    )
    assert run(["audit-diff", "before", "after"]) == 0
    assert "email" in capsys.readouterr().out
    assert run(["audit-diff", "before", "nowhere"]) == 1
    assert "nowhere: no such file; name a data_audit_report.json" in capsys.readouterr().err
