"""The cards of results on a page: nothing sticks out, nothing runs, nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from forgelm import (
    DedupSummary,
    ExportResult,
    MaskSummary,
    MemoryEstimate,
    PreflightFinding,
    PreflightReport,
    RunStatus,
    SplitSummary,
)
from forgelm.installation import doctor
from forgelm.trainer.backend import Machine
from forgelm_widgets._display import CARDS, bundle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
_PAGE = """<!doctype html><meta charset="utf-8"><title>cards</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 13px/1.5 system-ui, sans-serif; margin: 12px; color: CanvasText; background: Canvas }}
</style>{}"""


def _results(text: str) -> dict[str, Any]:
    status = RunStatus(
        run_id="fg-4be1c02f77aa",
        state="running",
        run_dir="/srv/runs/support/2026-11-22",
        model=text,
        step=420,
        max_steps=1200,
        loss=1.234,
        eval_loss=1.31,
        eta_s=3120,
        started_at=1.8e9,
        updated_at=1.8e9 + 1800,
        pid=4711,
        host="gpu-07",
    )
    memory = MemoryEstimate(
        "tight", {"weights": 6 * 2**30, "activations": 9 * 2**29, "optimizer": 2**28}, 2**34
    )
    files = ("masked/train.jsonl", "masked/test.jsonl")
    return {
        "MaskSummary": MaskSummary(
            text, "masked", files, 412, 9, {"email": 14, "iban": 2}, 1, ("train.jsonl:9: no JSON",)
        ),
        "DedupSummary": DedupSummary(
            text, "d", files, "d.record", 412, 380, {"train": 30}, {"train": 2}, 0, (), (text,)
        ),
        "SplitSummary": SplitSummary(
            text, "s", {"train": "s/train.jsonl"}, {"train": 900, "validation": 100}, 0, ()
        ),
        "ExportResult": ExportResult(
            Path("m.gguf"), "f16", "llama", 290, 10**9, "ab" * 32, Path("m.json"), 3e-4, 1e-3
        ),
        "PreflightReport": PreflightReport(
            findings=(
                PreflightFinding("warning", "model.max_length", f"12 rows are cut short. {text}"),
                PreflightFinding("note", "training.seed", "The default seed is used."),
            ),
            machine=Machine("cuda", "NVIDIA H100", "bfloat16", 2**36, 2**35),
            memory=memory,
            versions={"torch": "2.13.0", "trl": None},
            planned_steps=1200,
        ),
        "RunStatus": status,
        "RunList": [status, status],
        "VerifyIntegrityResult": SimpleNamespace(
            valid=False,
            reason="2 files are not those of the manifest",
            altered=True,
            notes=["It does not say who changed them."],
            added=["final_model/extra.bin"],
            changed=["final_model/adapter_model.safetensors"],
            removed=[],
            links=[],
            files_checked=14,
        ),
        "DoctorReport": doctor(),
    }


@pytest.mark.parametrize("width", [1280, 480])
def test_cards_fit_their_page_in_both_themes(
    new_tab: Callable[..., Any], screenshots: Path, width: int
) -> None:
    cards = "".join(
        bundle(CARDS[name](each))["text/html"] for name, each in _results("support").items()
    )
    for dark in (False, True):
        tab = new_tab(width, 900, dark)
        tab.page.set_content(_PAGE.format(cards))
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.page.evaluate(overflow) <= 0
        theme = "dark" if dark else "light"
        tab.page.screenshot(path=screenshots / f"cards-{theme}-{width}.png", full_page=True)
        assert (tab.outside, tab.errors) == ([], [])


def test_a_hostile_text_on_the_page_stays_a_text(new_tab: Callable[..., Any]) -> None:
    html = "".join(
        bundle(CARDS[name](each))["text/html"] for name, each in _results(HOSTILE).items()
    )
    tab = new_tab()
    tab.page.set_content(_PAGE.format(html))
    assert tab.page.title() == "cards"
    assert tab.page.locator("script").count() == 0
    assert tab.page.locator("img:not([src^='data:image/svg+xml,'])").count() == 0
    assert tab.page.get_by_text("onerror=").count() > 0
