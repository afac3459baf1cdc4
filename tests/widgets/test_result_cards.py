"""How results show themselves: right, safe, bounded, and the same in every face."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from forgelm import (
    AuditReport,
    ForgeConfig,
    ProgressEvent,
    QuickstartResult,
    TrainResult,
    Verdict,
    VerifyResult,
)
from forgelm.data_audit import MaskSummary
from forgelm_widgets._display import CARDS, bundle

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp\x00'\""
KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"

# What JupyterLab's sanitiser lets through in a notebook that nobody trusts yet.
_ELEMENTS = {
    *("div", "p", "br", "b", "small", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "img", "pre", "ul", "li"),
}
_ATTRIBUTES = {"style", "align", "src", "alt", "width"}


class _Page(HTMLParser):
    """Collects what an HTML text would put on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.words += "".join(f"[{value}]" for name, value in attrs if name == "alt")

    def handle_data(self, data: str) -> None:
        self.words += data + "|"


def _faces(name: str, result: Any) -> dict[str, Any]:
    faces = bundle(CARDS[name](result))
    json.dumps(faces, allow_nan=False)
    return faces


def _config(**training: Any) -> ForgeConfig:
    return ForgeConfig(
        model={"name_or_path": "acme/tiny", "load_in_4bit": False},
        lora={},
        data={"dataset_name_or_path": "data/train.jsonl"},
        training={"output_dir": "runs/a", **training},
    )


def test_an_audit_report_says_in_one_sentence_what_was_found(
    make_report: Callable[..., AuditReport],
) -> None:
    faces = _faces("AuditReport", make_report())
    sentence = (
        "Found 16 pieces of personal data (worst tier: critical), 1 secret, 5 near-duplicate "
        "pairs, 1 row shared between splits and 1 line that cannot be read in 412 rows"
    )
    assert faces["application/vnd.forgelm.audit-report+json"] == {"v": 1, "mark": "bad"}
    assert sentence in _Page(faces["text/html"]).words
    assert faces["text/plain"].startswith(
        f"Data audit of support: {sentence}\n  rows: 412 · personal data: 16 · secret: 1 · "
    )


def test_an_audit_report_lists_the_worst_kinds_first(
    make_report: Callable[..., AuditReport],
) -> None:
    card = CARDS["AuditReport"](make_report())
    tables = {table.caption: table.rows for table in card.tables}
    assert tables["Personal data"] == [("credit_card", "critical", 2), ("email", "medium", 14)]
    assert tables["Rows shared between splits"] == [
        ("train", "test", 1, 0.26),
        ("test", "train", 1, 3.12),
    ]
    assert [bar.name for bar in card.bars] == ["aws_access_key", "credit_card", "email"]
    assert card.mark == "bad"


def test_a_clean_audit_says_that_nothing_was_found(
    make_report: Callable[..., AuditReport],
) -> None:
    report = make_report(
        splits={"train": {"sample_count": 412}},
        cross_split_overlap={},
        pii_summary={},
        pii_severity={"worst_tier": None},
        near_duplicate_summary={},
        secrets_summary={},
        notes=[],
    )
    card = CARDS["AuditReport"](report)
    assert (card.mark, card.headline) == ("ok", "Nothing found in 412 rows")


def test_an_audit_of_nothing_is_no_clean_bill(make_report: Callable[..., AuditReport]) -> None:
    empty = make_report(total_samples=0, splits={})
    card = CARDS["AuditReport"](empty)
    assert (card.mark != "ok", card.headline) == (True, "No rows were read")


def test_a_huge_report_stays_small(make_report: Callable[..., AuditReport]) -> None:
    kinds = {f"kind_{number}_{'x' * 200}": number for number in range(5_000)}
    splits = {f"split-{n}-{'y' * 300}": {"sample_count": n} for n in range(5_000)}
    report = make_report(
        pii_summary=kinds,
        secrets_summary=kinds,
        splits=splits,
        near_duplicate_summary={"pairs_per_split": dict.fromkeys(splits, 1)},
        notes=["n" * 10_000] * 5_000,
    )
    faces = _faces("AuditReport", report)
    assert len(json.dumps(faces)) < 20_000
    assert "more rows, not shown" in faces["text/html"]


@pytest.mark.parametrize(
    ("result", "mark", "headline"),
    [
        (TrainResult(success=True), "ok", "Training succeeded"),
        (
            TrainResult(success=False, stopped=True, error="stopped after step 3: interrupted"),
            "attention",
            "Stopped after step 3: interrupted",
        ),
        (
            TrainResult(success=False, error="eval_loss 3.1 is above 2.5"),
            "bad",
            "Training did not succeed: eval_loss 3.1 is above 2.5",
        ),
        (
            TrainResult(success=False, reverted=True, error="worse than before"),
            "bad",
            "The model was rejected and the previous one restored: worse than before",
        ),
    ],
)
def test_a_training_result_says_in_words_how_it_ended(
    result: TrainResult, mark: str, headline: str
) -> None:
    card = CARDS["TrainResult"](result)
    assert (card.mark, card.headline) == (mark, headline)


def _write_metrics(folder: Path, events: list[ProgressEvent]) -> None:
    lines = "".join(json.dumps(event.to_json()) + "\n" for event in events)
    (folder / "metrics.jsonl").write_text(lines, "utf-8")


def test_a_training_result_draws_the_curve_that_lies_in_its_folder(
    make_events: Callable[..., Any], tmp_path: Path
) -> None:
    _write_metrics(tmp_path, list(make_events(40)))
    result = TrainResult(
        success=True,
        metrics={"eval_loss": 1.32, "baseline_eval_loss": 5.5},
        resource_usage={"training_duration_seconds": 84.0},
        verdicts=[Verdict("loss", "passed", "1.32 is below 2.5")],
        run_dir=str(tmp_path),
    )
    faces = _faces("TrainResult", result)
    card = CARDS["TrainResult"](result)
    assert [figure.value for figure in card.figures] == [
        "4.619 → 1.126",
        "5.5 → 1.32",
        "40",
        "1 min 24 s",
    ]
    assert set(card.curves) == {"loss", "smooth", "eval_loss"}
    assert 'src="data:image/svg+xml,' in faces["text/html"]
    assert "evaluation loss from 1.791 to 1.323" in _Page(faces["text/html"]).words


_LINE = (
    b'{"kind":"log","run_id":"a","seq":0,"time":%s,"step":%s,"max_steps":2,"epoch":1,"metrics":{}}'
)


@pytest.mark.parametrize(
    "content",
    [
        *(b"{", b"[]", b"null", b"\xff\xfe", b'{"metrics": 3}'),
        *(_LINE % (b'"noon"', b"1"), _LINE % (b"1", b'"one"'), _LINE % (b"1", b"null")),
    ],
)
def test_a_damaged_metrics_file_costs_only_the_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(content + b"\n")
    faces = _faces("TrainResult", TrainResult(success=True, run_dir=str(tmp_path)))
    assert "Training succeeded" in faces["text/html"]
    assert "<img" not in faces["text/html"]


def test_a_verified_log_shows_its_anchor() -> None:
    head = "ab" * 32
    result = VerifyResult(True, 1_234, last_hash=head)
    faces, card = _faces("VerifyResult", result), CARDS["VerifyResult"](result)
    assert card.headline == "The record is intact: 1,234 entries, each chained to the one before"
    assert "<b>1,234</b> entries read" in faces["text/html"]
    assert "<b>abababababab…</b> chain head" in faces["text/html"]
    assert head in faces["text/html"]


def test_a_broken_log_says_where_and_why() -> None:
    result = VerifyResult(False, 9, 7, reason="line 7 was altered")
    faces, card = _faces("VerifyResult", result), CARDS["VerifyResult"](result)
    assert card.mark == "bad"
    assert card.headline == "The record cannot be trusted: line 7 was altered"
    assert "<b>9</b> entries read" in faces["text/html"]
    assert "<b>7</b> first entry that does not fit" in faces["text/html"]


def test_a_configuration_says_what_it_will_do_and_shows_what_was_set() -> None:
    result = _config(num_train_epochs=2, gradient_accumulation_steps=4)
    faces, card = _faces("ForgeConfig", result), CARDS["ForgeConfig"](result)
    assert card.headline == (
        "Trains acme/tiny on data/train.jsonl by supervised fine-tuning, into runs/a"
    )
    assert "<b>2 epochs</b> training length" in faces["text/html"]
    assert "num_train_epochs: 2" in _Page(faces["text/html"]).words


def test_a_quickstart_tells_its_stages_one_a_line(
    make_report: Callable[..., AuditReport],
) -> None:
    run = Path("/runs/run-001")
    result = QuickstartResult(
        run_dir=run,
        model_path="/runs/run-001/model",
        data_path=run / "data",
        masked_path=run / "data_masked",
        config_path=run / "config.yaml",
        audit_before=make_report(),
        masked=MaskSummary("data", "data_masked", ("train.jsonl",), 412, 9, {"email": 14}, 0, ()),
        audit_after=make_report(pii_summary={}, secrets_summary={}),
        training=TrainResult(success=True, final_model_path="/runs/run-001/final_model"),
        verification=VerifyResult(False, 4, 3, reason="line 3 was altered"),
    )
    _faces("QuickstartResult", result)
    card = CARDS["QuickstartResult"](result)
    stages, paths = ([row[0] for row in table.rows] for table in card.tables)
    assert stages == ["Audit", "Masking", "Audit after masking", "Training", "Record"]
    assert card.tables[0].rows[1] == ("Masking", "14 findings replaced in 9 rows")
    assert card.tables[0].rows[4] == (
        "Record",
        "The record cannot be trusted: line 3 was altered",
    )
    assert paths[-1] == "Everything"
    assert card.mark == "bad"


def test_a_token_in_a_configuration_is_shown_nowhere() -> None:
    token = "hf_" + "a1B2" * 9
    settings = _config().model_dump(exclude_unset=True)
    config = ForgeConfig(**settings, auth={"hf_token": token})
    assert token not in json.dumps(_faces("ForgeConfig", config))


def test_a_secret_that_slipped_into_a_text_is_masked() -> None:
    result = TrainResult(success=False, error=f"upload refused for {KEY}")
    faces = json.dumps(_faces("TrainResult", result))
    assert KEY not in faces
    assert "[REDACTED-SECRET]" in faces


def _hostile_results(report: AuditReport) -> list[tuple[str, Any]]:
    return [
        ("AuditReport", report),
        (
            "TrainResult",
            TrainResult(
                success=False,
                error=HOSTILE,
                final_model_path=HOSTILE,
                metrics={HOSTILE: float("nan")},
                verdicts=[Verdict(HOSTILE, "failed", HOSTILE)],
                benchmark_scores={HOSTILE: float("inf")},
                run_dir="/nowhere",
            ),
        ),
        ("VerifyResult", VerifyResult(False, 1, 1, reason=HOSTILE, last_hash=HOSTILE)),
    ]


def test_hostile_texts_are_inert(make_report: Callable[..., AuditReport]) -> None:
    stats = {"sample_count": 1, "parse_errors": 0}
    report = make_report(
        source_input=HOSTILE,
        splits={HOSTILE: stats},
        pii_summary={HOSTILE: 3},
        secrets_summary={HOSTILE: 3},
        near_duplicate_summary={"pairs_per_split": {HOSTILE: 1}},
        notes=[HOSTILE],
    )
    for name, result in _hostile_results(report):
        faces = _faces(name, result)
        page = _Page(faces["text/html"])
        assert page.elements <= _ELEMENTS, name
        assert page.attributes <= _ATTRIBUTES, name
        for face in (json.dumps(faces, ensure_ascii=False), faces["text/plain"]):
            assert "\u202e" not in face
            assert "\x00" not in face
        assert "\\u202e" in page.words


def test_the_picture_itself_cannot_be_broken_out_of(
    make_report: Callable[..., AuditReport],
) -> None:
    from urllib.parse import unquote
    from xml.etree import ElementTree

    html = _faces("AuditReport", make_report(secrets_summary={HOSTILE: 1}))["text/html"]
    source = html.split('src="data:image/svg+xml,')[1].split('"')[0]
    drawn = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(unquote(source)).iter()}
    assert drawn == {"svg", "g", "text", "path"}
