"""The card that a monitor leaves: small, masked, and a picture that any notebook shows."""

from __future__ import annotations

import json
import math
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psutil")

from monitor_stage import end, event, write_events, write_run

from forgelm.errors import OptionalDependencyError
from forgelm_widgets import TrainingMonitor
from forgelm_widgets._html import card_html

TOKEN = "hf_" + "A1b2C3d4E5" * 3 + "F6g7"


def _long_run(run_dir: Path, *, name: str = "acme/tiny", message: str | None = None) -> Path:
    write_run(run_dir, model={"name_or_path": name}, evaluation={"max_acceptable_loss": 0.5})
    lines = [event("train_begin", 0), event("evaluate", 0, eval_loss=5.0)]
    for step in range(1, 1001):
        loss = 1 + 4 * math.exp(-step / 100) + math.sin(step) / 9
        lines.append(event("log", step, loss=loss, learning_rate=1e-4, grad_norm=1 / step))
        if step % 10 == 0:
            lines.append(event("evaluate", step, eval_loss=loss + 0.2))
    write_events(run_dir, [*lines, event("train_end", 1000, message=message)])
    return run_dir


def _shown(run_dir: Path) -> str:
    monitor = TrainingMonitor(run_dir)
    monitor.close()
    return card_html(monitor.card().safe())


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.words: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.words |= {name for name, _ in attrs}


def test_the_card_of_a_finished_run_is_under_10_kb_and_has_its_picture(tmp_path: Path) -> None:
    run_dir = _long_run(tmp_path / "a_folder_with_a_longer_name" / "run")
    end(run_dir, "finished", result={"success": True, "final_model_path": str(run_dir / "final")})
    shown = _shown(run_dir)
    assert len(json.dumps({"text/html": shown})) < 10_000
    assert '<img src="data:image/svg+xml' in shown
    assert "Finished at step 1,000 of 1,000" in shown
    assert "would fail: eval_loss" in shown


def test_the_card_of_a_failed_run_has_the_last_lines_of_its_log_masked(tmp_path: Path) -> None:
    run_dir = _long_run(tmp_path / "run")
    log = [f"step {n} " + "x" * 500 for n in range(40)] + [f"no access with {TOKEN}"]
    (run_dir / "stdout.log").write_text("\n".join(log))
    end(run_dir, "failed", error=f"no access with {TOKEN}")
    shown = _shown(run_dir)
    assert len(json.dumps({"text/html": shown})) < 10_000
    assert TOKEN not in shown
    assert shown.count("no access with [REDACTED-SECRET]") == 2


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e</script>"
    run_dir = _long_run(tmp_path / "<marquee onload=x>", name=evil, message=evil)
    write_events(run_dir, [event("log", 1001, **{evil: 1.0, f"{TOKEN}": 2.0, "loss": 1.0})])
    monitor = TrainingMonitor(run_dir)
    end(run_dir, "stopped", error=evil)
    monitor.close()
    tags = _Tags()
    tags.feed(card_html(monitor.card().safe()))
    assert not {"script", "svg", "marquee"} & tags.names
    assert not {word for word in tags.words if word.startswith("on")}
    frame, figure = monitor.to_frame(), monitor.figure()
    told = json.dumps([monitor.status, list(frame.columns), figure.to_json()], default=str)
    assert TOKEN not in told
    assert "<img" not in figure.to_json().replace("\\u003c", "<").replace("&lt;", "")


def test_the_figure_has_the_gates_and_the_marks_in_their_panels(tmp_path: Path) -> None:
    run_dir = _long_run(tmp_path / "run")
    write_events(run_dir, [event("save", 1000, message=str(run_dir / "checkpoint-1000"))])
    monitor = TrainingMonitor(run_dir)
    figure = monitor.figure()
    monitor.close()
    notes = [note.text for note in figure.layout.annotations]
    assert notes[:3] == ["loss", "learning rate", "grad norm"]
    assert "evaluation.max_acceptable_loss (0.5)" in notes
    assert {trace.name: len(trace.x) for trace in figure.data} == {
        "training loss": 1000,
        "training loss, smoothed": 1000,
        "evaluation loss": 101,
        "learning rate": 1000,
        "gradient norm": 1000,
    }
    assert {shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1} == {790, 1000}


def test_a_picture_needs_kaleido_and_a_known_ending(tmp_path: Path) -> None:
    monitor = TrainingMonitor.from_records([])
    with pytest.raises(ValueError, match="the ending must be one of png, svg, pdf, jpg, webp"):
        monitor.to_image(tmp_path / "run.exe")
    try:
        import kaleido  # noqa: F401
    except ImportError:
        with pytest.raises(OptionalDependencyError, match="kaleido"):
            monitor.to_image(tmp_path / "run.svg")


@pytest.mark.skipif(not shutil.which("chromium"), reason="kaleido draws with a Chromium")
def test_the_figure_is_written_as_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    monitor = TrainingMonitor(_long_run(tmp_path / "run"))
    picture = monitor.to_image(tmp_path / "run.svg")
    monitor.close()
    assert "training loss" in picture.read_text("utf-8")


def test_a_status_is_small_strict_and_masked_whatever_the_run_says(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run", model={"name_or_path": f"acme/{TOKEN} " + "m" * 9000})
    metrics: dict[str, Any] = {f"metric_{n}_" + "n" * 400: float(n) for n in range(300)}
    write_events(run_dir, [event("train_begin", 0), event("log", 1, **metrics, loss="Infinity")])
    (run_dir / "stdout.log").write_text("\n".join("w" * 900 for _ in range(90)))
    end(run_dir, "failed", error="e" * 90_000)
    monitor = TrainingMonitor(run_dir)
    assert monitor.wait()
    status = json.dumps(monitor.status, allow_nan=False)
    monitor.close()
    assert len(status) < 2_000
    assert TOKEN not in status
    assert monitor.status["state"] == "failed"
