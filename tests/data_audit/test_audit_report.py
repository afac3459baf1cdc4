"""What a report holds and how it shows itself."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest

from forgelm.data_audit import AuditReport, Finding, audit_dataset, read_findings
from forgelm.errors import DataError

FIELDS = [
    "generated_at",
    "source_path",
    "source_input",
    "total_samples",
    "splits",
    "cross_split_overlap",
    "pii_summary",
    "pii_severity",
    "near_duplicate_summary",
    "secrets_summary",
    "quality_summary",
    "croissant",
    "notes",
]
SPLIT_KEYS = {
    "sample_count",
    "columns",
    "schema_drift_columns",
    "non_object_rows",
    "text_length",
    "null_or_empty_count",
    "null_or_empty_rate",
    "languages_top3",
    "simhash_distinct",
    "pii_counts",
    "secrets_counts",
    "quality_samples_evaluated",
    "quality_samples_flagged",
    "quality_flags_counts",
    "near_duplicate_pairs",
    "parse_errors",
    "decode_errors",
}
AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
ROWS = [
    {
        "messages": [
            {"role": "user", "content": "My card is 4111 1111 1111 1111, mail bob@example.com"},
            {"role": "assistant", "content": "Noted, I wrote to bob@example.com."},
        ],
        "lang": "en",
    },
    {"prompt": "Which key?", "chosen": "None.", "rejected": f"Use {AWS_KEY}.", "lang": "en"},
    {"prompt": "deep", "completion": "x", "meta": {"notes": [{"by": "eve@example.com"}]}},
]


def write_jsonl(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def report(tmp_path):
    write_jsonl(tmp_path / "corpus" / "train.jsonl", ROWS)
    write_jsonl(tmp_path / "corpus" / "dev.jsonl", [{"text": "+1 202 555 0143"}])
    return audit_dataset(tmp_path / "corpus", output_dir=tmp_path / "out")


def test_a_report_has_the_thirteen_fields_and_every_key_of_a_split(report):
    assert [field.name for field in dataclasses.fields(AuditReport)] == FIELDS
    assert list(report.to_dict()) == FIELDS
    assert set(report.splits["train"]) >= SPLIT_KEYS
    assert list(report.splits) == ["train", "validation"]


def test_every_string_of_every_row_is_searched_and_placed(report):
    assert list(report.pii_findings) == [
        Finding("credit_card", (11, 30), "train", 0, "messages[].content"),
        Finding("email", (37, 52), "train", 0, "messages[].content"),
        Finding("email", (18, 33), "train", 0, "messages[].content"),
        Finding("email", (0, 15), "train", 2, "meta.notes[].by"),
        Finding("phone", (0, 15), "validation", 0, "text"),
    ]
    assert list(report.secrets_findings) == [
        Finding("aws_access_key", (4, 24), "train", 1, "rejected")
    ]


def test_counts_and_tiers_follow_from_the_findings(report):
    assert report.total_samples == 4
    assert report.pii_summary == {"credit_card": 1, "email": 3, "phone": 1}
    assert report.secrets_summary == {"aws_access_key": 1}
    assert report.splits["train"]["pii_counts"] == {"credit_card": 1, "email": 3}
    assert report.splits["validation"]["secrets_counts"] == {}
    assert len(report.pii_findings) == sum(report.pii_summary.values())
    assert report.pii_severity == {
        "total": 5,
        "by_tier": {"critical": 1, "high": 0, "medium": 3, "low": 1},
        "by_type": {
            "credit_card": {"count": 1, "tier": "critical"},
            "email": {"count": 3, "tier": "medium"},
            "phone": {"count": 1, "tier": "low"},
        },
        "worst_tier": "critical",
    }


def test_columns_that_some_rows_lack_are_named(report):
    train = report.splits["train"]

    assert train["columns"] == [
        "messages",
        "lang",
        "prompt",
        "chosen",
        "rejected",
        "completion",
        "meta",
    ]
    assert train["schema_drift_columns"] == train["columns"]
    assert report.splits["validation"]["schema_drift_columns"] == []


def test_lengths_are_those_of_the_text_a_trainer_sees(tmp_path):
    rows = [{"text": "x" * n, "id": "not counted"} for n in (10, 20, 30, 40, 100)]

    length = audit_dataset(write_jsonl(tmp_path / "rows.jsonl", rows)).splits["train"][
        "text_length"
    ]

    assert length == {"min": 10, "max": 100, "mean": 40.0, "p50": 30, "p95": 100}


def test_the_file_holds_the_report_and_no_value_of_the_corpus(report, tmp_path):
    text = (tmp_path / "out" / "data_audit_report.json").read_text(encoding="utf-8")

    assert json.loads(text) == report.to_dict()
    findings = read_findings(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "data_audit_report.json",
        findings.path.name,
    }
    for secret in ("bob@example.com", "4111", AWS_KEY, "202 555"):
        assert secret not in text
        assert secret not in str(list(findings))
        assert secret not in f"{report!s}{report!r}{list(report.pii_findings)}"


def test_a_report_rebuilt_from_its_file_still_counts_its_findings(report):
    rebuilt = AuditReport(**json.loads(json.dumps(report.to_dict())))

    assert rebuilt == report
    assert len(rebuilt.pii_findings) == 5
    assert rebuilt.pii_findings[0] == Finding("credit_card", (0, 0), "train")


def test_copies_of_a_report_keep_its_findings(report):
    for again in (copy.deepcopy(report), pickle.loads(pickle.dumps(report))):
        assert again == report
        assert list(again.pii_findings) == list(report.pii_findings)


def test_findings_can_be_indexed_and_sliced_like_a_list(report):
    findings = report.pii_findings

    assert findings[-1] == findings[4] == list(findings)[4]
    assert findings[1:3] == list(findings)[1:3]
    with pytest.raises(IndexError, match="there are 5 findings; no number 5"):
        findings[5]


def test_tables_hold_what_the_report_says(report):
    pytest.importorskip("pandas")

    frames = report.to_frames()

    assert list(frames) == [
        "splits",
        "pii",
        "secrets",
        "overlap",
        "near_duplicates",
        "findings",
        "clusters",
        "leaked_rows",
    ]
    assert frames["pii"].to_dict("list") == {
        "kind": ["credit_card", "email", "phone"],
        "tier": ["critical", "medium", "low"],
        "count": [1, 3, 1],
    }
    assert frames["splits"].set_index("split").loc["train", "sample_count"] == 3
    assert len(frames["findings"]) == 6
    assert frames["findings"].iloc[0].to_dict() == {
        "kind": "credit_card",
        "split": "train",
        "row": 0,
        "column": "messages[].content",
        "start": 11,
        "end": 30,
    }
    assert frames["overlap"]["leaked_rows"].tolist() == [0, 0]


def test_charts_show_what_the_report_says(report):
    pytest.importorskip("plotly")

    figures = report.figures()

    assert list(figures) == ["pii", "secrets", "lengths", "duplicates", "leaks"]
    assert list(figures["pii"].data[0].y) == [1, 3, 1]
    assert [bar.name for bar in figures["lengths"].data] == ["train", "validation"]


def test_the_summary_for_a_terminal_says_what_matters(report):
    lines = str(report).splitlines()

    assert lines[0].startswith("Audit of ")
    assert "  personal data   5 (credit_card 1, email 3, phone 1); worst: critical" in lines
    assert "  secrets         1 (aws_access_key 1)" in lines
    assert repr(report) == "<AuditReport: 4 rows, 5 pii, 1 secrets, 0 duplicate pairs>"


def test_every_bad_argument_is_named_at_once(tmp_path):
    with pytest.raises(ValueError, match="near_dup_threshold") as caught:
        audit_dataset(
            tmp_path,
            near_dup_threshold=99,
            dedup_method="md5",
            minhash_jaccard=0,
            minhash_num_perm=3,
            pii_ml_language="../en",
            workers=0,
        )

    for name in (
        "dedup_method",
        "minhash_jaccard",
        "minhash_num_perm",
        "pii_ml_language",
        "workers",
    ):
        assert f"{name} must be" in str(caught.value)
    assert not isinstance(caught.value, DataError)


def test_an_output_directory_that_cannot_be_made_is_an_os_error_that_names_it(tmp_path):
    source = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    blocked = tmp_path / "rows.jsonl" / "out"

    with pytest.raises(OSError, match="choose another output_dir") as caught:
        audit_dataset(source, output_dir=blocked)

    assert caught.value.filename == str(blocked)


def test_the_quality_checks_run_when_asked_for(tmp_path):
    rows = [{"text": "A full sentence that ends well."}, {"text": "12 34 56 78 90 !! ?? 11 22 33"}]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)

    assert audit_dataset(source).quality_summary == {}
    report = audit_dataset(source, enable_quality_filter=True)
    assert report.quality_summary["samples_evaluated"] == 2
    assert report.quality_summary["samples_flagged"] == 1
    assert report.quality_summary["by_check"]["low_alpha_ratio"] == 1
    assert report.quality_summary["overall_quality_score"] == 0.5


def test_the_languages_of_a_sample_are_counted(tmp_path):
    pytest.importorskip("py3langid")
    rows = [
        {"text": "The parcel left our warehouse on Monday and should arrive this week."},
        {"text": "The shop opens at ten in the morning and closes at six in the evening."},
        {"text": "Das Paket hat unser Lager am Montag verlassen und kommt diese Woche an."},
    ]

    report = audit_dataset(write_jsonl(tmp_path / "rows.jsonl", rows))

    assert report.splits["train"]["languages_top3"] == [
        {"code": "en", "count": 2},
        {"code": "de", "count": 1},
    ]
