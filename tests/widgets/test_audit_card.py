"""The card of a real audit leads to columns, roles, rows, checks and the findings file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from forgelm import AuditReport, audit_dataset
from forgelm_widgets._display._audit_report import audit_report_card

ANSWER = "The parcel left our warehouse on Monday and should be with you by the end of the week."


def _audit(folder: Path, **options: Any) -> AuditReport:
    question = "Write to alice@example.com or +1 202 555 0143 about my parcel, please."
    row = {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": ANSWER},
        ]
    }
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "train.jsonl").write_text((json.dumps(row) + "\n") * 8, encoding="utf-8")
    (corpus / "test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return audit_dataset(corpus, **options)


def _tables(report: AuditReport) -> dict[str, Any]:
    return {table.caption: table for table in audit_report_card(report).tables}


def test_the_card_says_in_which_column_and_role_findings_are(tmp_path: Path) -> None:
    tables = _tables(_audit(tmp_path))
    assert tables["Where: columns"].rows == [
        ("train", "messages[].content", "email", 8),
        ("train", "messages[].content", "phone", 8),
        ("test", "messages[].content", "email", 1),
        ("test", "messages[].content", "phone", 1),
    ]
    assert tables["Where: roles"].rows[0] == ("train", "user", "email", 8)
    assert tables["Where: roles"].folded


def test_the_card_names_rows_that_repeat_and_rows_that_leak(tmp_path: Path) -> None:
    tables = _tables(_audit(tmp_path))
    assert tables["Rows that repeat one another: 1 cluster"].rows == [
        (0, 9, "train 0, train 1, train 2, train 3, train 4 and 4 more")
    ]
    leaked = tables["Rows that are in two splits"]
    assert leaked.rows[0] == ("train", 0, "test", 0)
    assert leaked.rows[-1] == ("test", 0, "train", 0)


def test_the_card_counts_poor_text_and_names_the_findings_file(tmp_path: Path) -> None:
    report = _audit(tmp_path, enable_quality_filter=True, output_dir=tmp_path / "out")
    card = audit_report_card(report)
    flagged = report.quality_summary["samples_flagged"]
    assert (str(flagged), "rows of poor text") in {(f.value, f.label) for f in card.figures}
    [findings] = [text for text in card.texts if text.title.startswith("Findings file")]
    assert [Path(line).parent for line in findings.lines] == [tmp_path / "out"]
    assert not findings.folded


def test_poor_text_alone_is_a_reason_to_look() -> None:
    rows = [{"text": "Buy it today!\n" * 40}, {"text": ANSWER}]
    card = audit_report_card(audit_dataset(rows, enable_quality_filter=True))
    assert card.mark == "attention"
    assert card.headline == "Found 1 row of poor text in 2 rows"


def test_a_report_that_was_read_from_its_file_has_no_rows_behind_its_counts(tmp_path: Path) -> None:
    report = AuditReport(**_audit(tmp_path).to_dict())
    assert "Rows that are in two splits" not in _tables(report)
    assert "Rows shared between splits" in _tables(report)
