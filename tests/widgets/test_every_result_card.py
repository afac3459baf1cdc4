"""The cards of all results: right words, inert whatever they hold, small, and without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from result_examples import results_saying, write_run

from forgelm import BenchmarkResult, MergeResult, RunStatus
from forgelm_widgets import figure_of, frames_of
from forgelm_widgets._card import Bar
from forgelm_widgets._display import CARDS, bundle

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp\x00'\""
KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
SAFE = {
    *("div", "p", "br", "b", "small", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "img", "pre", "ul", "li"),
}
NAMES = sorted(CARDS)


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Give a function that returns a result of each kind in which every text is the same."""

    def results(text: str) -> dict[str, Any]:
        return results_saying(text, write_run(tmp_path_factory.mktemp("run"), text))

    return results


def _headline(name: str, result: Any) -> tuple[str, str]:
    card = CARDS[name](result)
    return card.mark, card.headline


@pytest.mark.parametrize(
    ("name", "mark", "headline"),
    [
        ("MaskSummary", "attention", "14 findings replaced in 9 rows of 412; 1 line could not be"),
        ("DedupSummary", "attention", "12 rows of 412 taken out; 1 line could not be read"),
        ("SplitSummary", "ok", "100 rows in 2 splits, no near duplicate in two"),
        ("AuditDiff", "neutral", "1 figure changed"),
        ("ExportResult", "ok", "Written as f16; its logits differ by 3.0e-04 of the largest"),
        ("MergeResult", "attention", "2 models merged (adapter); its logits were not compared"),
        ("Run", "bad", "Failed at step 300 of 1,200: news"),
        ("RunStatus", "attention", "Stalled at step 3 of 12: news"),
        ("RunList", "neutral", "1 run, 1 of them still going on"),
        ("VerifyAnnexIVResult", "bad", "It was altered: news"),
        ("VerifyIntegrityResult", "bad", "It was altered: news"),
        ("VerifyGgufResult", "bad", "It was altered: news"),
        ("PreflightReport", "bad", "This training would fail: 1 error to put right"),
        ("DoctorReport", "bad", "1 thing to put right before training"),
        ("BenchmarkResult", "bad", "Did not pass: news"),
        ("SafetyResult", "bad", "Did not pass: news"),
        ("JudgeResult", "bad", "Did not pass: news"),
        ("EvaluationReport", "bad", "Failed: benchmark, safety, judge"),
        ("SyntheticResult", "ok", "112 rows from 120 prompts"),
        ("EvidenceVerdict", "bad", "It was altered: audit_log.jsonl: news"),
        ("EvidenceBundle", "attention", "2 files packed"),
        ("ApprovalResult", "ok", "Approved by news"),
        ("PendingApproval", "attention", "news"),
        ("CheckpointSummary", "attention", "keep-best: 1 kept, 1 deleted"),
        ("FindingsFile", "attention", "8 findings"),
        ("ProofResult", "bad", "It does not hold: news"),
        ("TimestampResult", "ok", "Stamped 2026-11-22 09:30:00 UTC"),
        ("Checkpoint", "neutral", "412 lines of a log; the signature is not checked here"),
        ("MemoryEstimate", "attention", "It is tight: 3.2 GB needed, 34.4 GB free"),
        ("ConfigField", "neutral", "The adapter"),
    ],
)
def test_a_card_says_the_outcome_in_a_sentence(
    name: str, mark: str, headline: str, say: Callable[[str], dict[str, Any]]
) -> None:
    found = _headline(name, say("news")[name])
    assert (found[0], found[1][: len(headline)]) == (mark, headline)


def test_a_run_that_a_gate_rejected_is_no_success() -> None:
    rejected = RunStatus("fg-1", "finished", "/runs/a", success=False, message="loss too high")
    assert _headline("RunStatus", rejected) == ("bad", "Rejected: loss too high")


def test_a_mixture_of_models_has_nothing_it_should_equal() -> None:
    merged = MergeResult(Path("out"), "ties", ("a", "b"))
    assert _headline("MergeResult", merged) == (
        "ok",
        "2 models merged (ties); there is no model it should be equal to",
    )


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"@{name}" for name, _ in attrs)}


@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_are_inert_in_every_card(
    name: str, say: Callable[[str], dict[str, Any]]
) -> None:
    faces = bundle(CARDS[name](say(HOSTILE)[name]))
    allowed = SAFE | {"@style", "@align", "@src", "@alt", "@width"}
    assert _Page(faces["text/html"]).found <= allowed
    for face in (json.dumps(faces, ensure_ascii=False), faces["text/plain"]):
        assert "\u202e" not in face
        assert "\x00" not in face


def test_the_frames_of_a_result_hold_no_secret(say: Callable[[str], dict[str, Any]]) -> None:
    results = say(f"see {KEY} here")
    frames = {name: frames_of(result) for name, result in results.items()}
    assert KEY not in "".join(frame.to_csv() for each in frames.values() for frame in each.values())
    bare = {"ForgeConfig", "ProofResult", "TimestampResult", "VerifyResult"}
    assert {name for name, each in frames.items() if not each} == bare


def test_every_table_of_a_card_can_be_had_as_a_frame(
    say: Callable[[str], dict[str, Any]],
) -> None:
    frames = frames_of(say("news")["DedupSummary"])
    taken = frames["Taken out"]
    assert list(taken.columns) == ["split", "near_duplicates", "leaked"]
    assert taken.to_dict("list") == {
        "split": ["news", "test"],
        "near_duplicates": [10, 0],
        "leaked": [0, 2],
    }
    assert str(taken["leaked"].dtype) == "Int64"


def test_a_chart_can_be_had_as_a_plotly_figure(say: Callable[[str], dict[str, Any]]) -> None:
    figure = figure_of(say("<b>x</b>")["PreflightReport"])
    assert list(figure.data[0].x) == [2048, 1024]
    assert list(figure.data[0].y) == ["weights", "&lt;b&gt;x&lt;/b&gt;"]
    with pytest.raises(ValueError, match="MergeResult has no chart"):
        figure_of(say("x")["MergeResult"])
    with pytest.raises(TypeError, match="int is not a result"):
        frames_of(3)


def test_benchmark_scores_are_bars_with_their_95_percent_intervals(
    say: Callable[[str], dict[str, Any]],
) -> None:
    result = say("news")["BenchmarkResult"]
    card = CARDS["BenchmarkResult"](result)
    low, high = 0.75 - 1.96 * 0.05, 0.75 + 1.96 * 0.05
    assert card.bars == [Bar("quiz", 0.75, "", low, high), Bar("news", 0.6, "")]
    assert "0.750 (0.652–0.848)" in unquote(bundle(card)["text/html"])
    figure = figure_of(result)
    assert list(figure.data[0].x) == [0.75, 0.6]
    assert list(figure.data[0].error_x.array) == pytest.approx([0.098, 0.0])
    assert list(figure.data[0].error_x.arrayminus) == pytest.approx([0.098, 0.0])
    assert tuple(figure.layout.xaxis.range) == (0, 1)


def test_a_perplexity_is_in_the_table_and_no_bar_of_shares() -> None:
    raw = {"picked": {"wiki": "word_perplexity,none"}, "not_averaged": ["wiki"]}
    card = CARDS["BenchmarkResult"](BenchmarkResult({"wiki": 21.5}, math.nan, True, None, raw))
    assert list(card.bars) == []
    assert card.tables[0].rows == [("wiki", "word_perplexity,none", 21.5, None, None)]
    assert card.headline == "Passed"
