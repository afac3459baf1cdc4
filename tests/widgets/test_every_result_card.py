"""The cards of all results: right words, inert whatever they hold, small, and without secrets."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from result_examples import results_saying

from forgelm import MergeResult, RunStatus, TrainResult, VerifyResult, parse_config
from forgelm_widgets import figure_of, frames_of
from forgelm_widgets._display import CARDS, bundle

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp\x00'\""
KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
SAFE = {
    *("div", "span", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "img", "pre", "ul", "li"),
}
CONFIG = """
model: {name_or_path: acme/tiny}
lora: {}
training: {output_dir: runs/a}
data: {dataset_name_or_path: train.jsonl}
auth: {hf_token: hf_%s}
""" % ("q9Zx" * 9)
NAMES = sorted(results_saying(""))


def _headline(name: str, result: Any) -> tuple[str, str]:
    card = CARDS[name](result)
    return card.mark, card.headline


@pytest.mark.parametrize(
    ("name", "mark", "headline"),
    [
        ("MaskSummary", "attention", "14 findings replaced in 9 rows of 412; 25 lines could not"),
        ("DedupSummary", "attention", "12 rows of 412 taken out; 25 lines could not be read"),
        ("SplitSummary", "ok", "100 rows in 2 splits, no near duplicate in two"),
        ("AuditDiff", "neutral", "1 figure changed"),
        ("ExportResult", "ok", "Written as news; its logits differ by 3.0e-04 of the largest"),
        ("MergeResult", "attention", "2 models merged (adapter); its logits were not compared"),
        ("Run", "attention", "Stalled at step 3 of 12: news"),
        ("RunStatus", "attention", "Stalled at step 3 of 12: news"),
        ("RunList", "neutral", "1 run, 1 of them still going on"),
        ("VerifyAnnexIVResult", "bad", "It was altered: news"),
        ("VerifyIntegrityResult", "bad", "It was altered: news"),
        ("VerifyGgufResult", "bad", "It was altered: news"),
        ("PreflightReport", "bad", "This training would fail: 1 error to put right"),
        ("DoctorReport", "bad", "1 thing to put right before training"),
    ],
)
def test_a_card_says_the_outcome_in_a_sentence(name: str, mark: str, headline: str) -> None:
    found = _headline(name, results_saying("news")[name])
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
def test_hostile_texts_are_inert_in_every_card(name: str) -> None:
    faces = bundle(CARDS[name](results_saying(HOSTILE)[name]))
    allowed = SAFE | {"@style", "@scope", "@src", "@alt"}
    assert _Page(faces["text/html"]).found <= allowed
    for face in (json.dumps(faces, ensure_ascii=False), faces["text/plain"]):
        assert "\u202e" not in face
        assert "\x00" not in face


def _saved(results: dict[str, Any]) -> dict[str, str]:
    """Return each result as a cell of a notebook file."""
    notebooks = {}
    for name, result in results.items():
        output = new_output("display_data", data=bundle(CARDS[name](result)))
        notebook = new_notebook(cells=[new_code_cell("result", outputs=[output])])
        notebooks[name] = nbformat.writes(notebook)
    return notebooks


def test_a_saved_notebook_is_small_shows_a_picture_and_has_no_secret(
    make_events: Any, make_report: Any, tmp_path: Path
) -> None:
    events = "".join(json.dumps(event.to_json()) + "\n" for event in make_events(200))
    (tmp_path / "metrics.jsonl").write_text(events, "utf-8")
    results = results_saying(f"see {KEY} here")
    results["TrainResult"] = TrainResult(success=False, error=KEY, run_dir=str(tmp_path))
    results["AuditReport"] = make_report(notes=[KEY])
    results["ForgeConfig"] = parse_config(CONFIG)
    results["VerifyResult"] = VerifyResult(False, 4, 3, reason=KEY)
    saved = _saved(results)
    for text in saved.values():
        assert KEY not in text
        assert "q9Zx" not in text
    for name in ("TrainResult", "AuditReport", "PreflightReport"):
        assert "data:image/svg+xml," in saved[name]
    first = ("AuditReport", "TrainResult", "VerifyResult", "ForgeConfig", "VerifyAnnexIVResult")
    assert sum(len(saved[name]) for name in (*first, "VerifyGgufResult")) < 60_000
    assert max(map(len, saved.values())) < 20_000
    frames = [frame for result in results.values() for frame in frames_of(result).values()]
    assert KEY not in "".join(frame.to_csv() for frame in frames)


def test_every_table_of_a_card_can_be_had_as_a_frame() -> None:
    frames = frames_of(results_saying("news")["DedupSummary"])
    taken = frames["Taken out"]
    assert list(taken.columns) == ["split", "near_duplicates", "leaked"]
    assert taken.to_dict("list") == {
        "split": ["news", "test"],
        "near_duplicates": [10, 0],
        "leaked": [0, 2],
    }
    assert str(taken["leaked"].dtype) == "Int64"


def test_a_chart_can_be_had_as_a_plotly_figure() -> None:
    figure = figure_of(results_saying("<b>x</b>")["PreflightReport"])
    assert list(figure.data[0].x) == [2048, 1024]
    assert list(figure.data[0].y) == ["weights", "&lt;b&gt;x&lt;/b&gt;"]
    with pytest.raises(ValueError, match="MergeResult has no chart"):
        figure_of(results_saying("x")["MergeResult"])
    with pytest.raises(TypeError, match="int is not a result"):
        frames_of(3)
