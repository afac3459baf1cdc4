"""The comparison of runs: its real kernel side and its real view, in a bare Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from run_comparison_page import Comparison
from run_directories import write_run

pytestmark = pytest.mark.browser


def test_a_person_sorts_filters_compares_and_picks(
    open_comparison: Callable[..., Comparison], runs: Path
) -> None:
    one = open_comparison(runs)
    page = one.page
    assert one.names() == [
        "died-in-the-night",
        "lr-4e-4",
        "lr-3e-4",
        "lr-2e-4",
        "lr-1e-4",
        "damaged",
    ]
    page.get_by_role("button", name="Best eval loss").click()
    assert one.names()[0] == "lr-1e-4"
    page.get_by_role("button", name="Best eval loss").click()
    assert one.names()[-1] == "damaged"
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Best eval loss")
    page.get_by_label("Filter runs by any word in the table").fill("passed lr")
    assert sorted(one.names()) == ["lr-1e-4", "lr-2e-4", "lr-4e-4"]
    assert page.locator(".forgelm-runs-count").inner_text().startswith("3 of 6 runs, as of ")
    page.get_by_label("Filter runs by any word in the table").fill("")

    page.get_by_label("Compare lr-1e-4").check()
    page.get_by_label("Compare died-in-the-night").uncheck()
    page.get_by_label("Compare lr-2e-4").uncheck()
    page.get_by_role("heading", name="3 runs compared").wait_for()
    assert one.comparison.chosen == [runs / f"lr-{number}e-4" for number in (4, 3, 1)]
    page.get_by_role("button", name="lr-3e-4").click()
    page.get_by_text("the safety score 0.8900 is below").first.wait_for()
    assert one.comparison.selected == runs / "lr-3e-4"
    assert page.get_by_role("button", name="lr-3e-4").get_attribute("aria-pressed") == "true"


def test_the_chosen_runs_are_drawn_and_told_in_words(
    open_comparison: Callable[..., Comparison], runs: Path
) -> None:
    one = open_comparison([runs / "lr-1e-4", runs / "lr-4e-4"])
    page = one.page
    pictures = page.get_by_role("img")
    assert pictures.count() == 2
    told = pictures.first.get_attribute("aria-label")
    assert told.startswith("Evaluation loss over steps. lr-1e-4: from 3.462 to 1.423, lowest 1.423")
    assert page.locator(".forgelm-runs-value").first.inner_text() == "1.423"
    box = pictures.first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    assert page.locator(".forgelm-runs-value").first.inner_text().endswith(" at 150")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 200)
    dashes = page.locator(".forgelm-runs-svg .forgelm-runs-line").evaluate_all(
        "(lines) => lines.map((line) => line.getAttribute('stroke-dasharray'))"
    )
    assert dashes == ["", "6 3", "", "6 3"]
    page.get_by_text("Show data").first.click()
    row = page.locator(".forgelm-runs-data tr").nth(1).inner_text().split()
    assert row == ["lr-1e-4", "3.462", "1.423", "300", "1.423"]
    settings = page.locator(".forgelm-runs-settings tr").all_inner_texts()
    assert [text.split() for text in settings] == [
        ["Setting", "lr-1e-4", "lr-4e-4"],
        ["lora.r", "8", "16"],
        ["training.learning_rate", "0.0001", "0.0004"],
    ]
    assert page.locator(".forgelm-runs-bars tr").all_inner_texts()[0].split("\n")[-1].strip() == (
        "0.65 (0.582 to 0.713), 200 answers"
    )
    before = page.locator(".forgelm-runs-svg path").nth(1).get_attribute("d")
    page.get_by_label("Log scale").check()
    assert page.locator(".forgelm-runs-svg path").nth(1).get_attribute("d") != before


def test_the_keyboard_is_enough_and_no_key_reaches_the_notebook(
    open_comparison: Callable[..., Comparison], runs: Path
) -> None:
    one = open_comparison(runs)
    page = one.page
    one.note_keys()
    page.get_by_label("Filter runs by any word in the table").focus()
    while not page.locator(".forgelm-runs-tick input:focus").count():
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.get_by_role("heading", name="3 runs compared").wait_for()
    assert runs / "lr-4e-4" not in one.comparison.chosen
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.locator(".forgelm-runs-facts").wait_for()
    assert one.comparison.selected == runs / "lr-1e-4"
    focused = "() => document.activeElement.textContent"
    assert page.evaluate(focused) == "lr-1e-4"
    for key in ("b", "a", "d"):
        page.keyboard.press(key)
    assert page.evaluate("keys") == []


def test_what_is_read_again_shows_new_runs_and_keeps_what_was_ticked(
    open_comparison: Callable[..., Comparison], runs: Path
) -> None:
    one = open_comparison(runs)
    page = one.page
    page.get_by_label("Compare lr-2e-4").uncheck()
    page.get_by_role("button", name="Started").click()
    write_run(runs / "the newest", number=30, steps=10)
    page.get_by_role("button", name="Read again").click()
    page.get_by_role("button", name="the newest").wait_for()
    assert one.names()[-2:] == ["the newest", "damaged"]
    assert not page.get_by_label("Compare lr-2e-4").is_checked()
    assert page.get_by_label("Compare lr-4e-4").is_checked()


def test_hundreds_of_runs_are_drawn_in_part_and_twelve_compared(
    open_comparison: Callable[..., Comparison], tmp_path: Path
) -> None:
    for number in range(260):
        write_run(tmp_path / f"run-{number:03}", number=number, metrics=False)
    one = open_comparison(tmp_path)
    page = one.page
    assert len(one.names()) == 200
    page.get_by_role("button", name="Show 60 more").click()
    assert len(one.names()) == 260
    page.get_by_label("Filter runs by any word in the table").fill("run-00")
    for number in range(8):
        page.get_by_label(f"Compare run-00{number}", exact=True).check()
        page.get_by_role("heading", name=f"{5 + number} runs compared").wait_for()
    assert page.get_by_label("Compare run-009").is_disabled()
    assert len(one.comparison.chosen) == 12


def test_hostile_words_stay_words(
    open_comparison: Callable[..., Comparison], tmp_path: Path
) -> None:
    words = "<img src=x onerror=window.hurt=1>"
    verdict = {"gate": words, "status": "failed", "reason": words}
    result = {"success": False, "verdicts": [verdict], "benchmark_scores": {words: 0.5}}
    for number, name in enumerate(("a", words.replace("/", ""))):
        config = {"model": {"name_or_path": f"{words}{number}"}}
        write_run(tmp_path / name, number=number, config=config, result=result, error=words)
    one = open_comparison([tmp_path / "a", tmp_path / words])
    one.page.get_by_role("button", name=words).click()
    one.page.locator(".forgelm-runs-facts").wait_for()
    assert one.page.locator(".forgelm-runs").get_by_text(words).count() > 5
    assert one.page.locator(".forgelm-runs img").count() == 0
    assert one.page.evaluate("window.hurt") is None


def test_no_run_is_an_answer_too(
    open_comparison: Callable[..., Comparison], tmp_path: Path
) -> None:
    one = open_comparison(tmp_path)
    assert one.page.locator(".forgelm-runs-count").inner_text() == "There are no runs here"
    assert not one.page.locator(".forgelm-runs-part").first.is_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 480])
def test_it_fits_the_page_and_breaks_no_rule_of_accessibility(
    open_comparison: Callable[..., Comparison],
    runs: Path,
    screenshots: Path,
    width: int,
    dark: bool,
) -> None:
    one = open_comparison(runs, width=width, height=900, dark=dark)
    page = one.page
    page.get_by_role("button", name="lr-3e-4").click()
    page.locator(".forgelm-runs-facts").wait_for()
    theme = "dark" if dark else "light"
    page.screenshot(path=screenshots / f"runs-{theme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_text("Show data").first.click()
    assert one.broken_rules() == []
    page.emulate_media(forced_colors="active")
    page.screenshot(path=screenshots / f"runs-forced-{theme}-{width}.png")
