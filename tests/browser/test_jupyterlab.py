"""Stories in a real JupyterLab: what a person sees while training, after it, and next week."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.browser

_SCRIPT = Path(__file__).parent / "scripted_trainer.py"
_LOOKS = [{"width": width, "dark": dark} for width in (1280, 480) for dark in (False, True)]
_POINTS = "Number(document.querySelector('.forgelm-monitor-main [role=img]')?.dataset.points ?? 0)"


def _name(look: dict[str, Any]) -> str:
    return f"{'dark' if look['dark'] else 'light'}-{look['width']}"


# A data set with one finding of most sorts; the key is the example of AWS' own documentation.
_AUDIT = """%load_ext forgelm
import json
from pathlib import Path
import forgelm
rows = [f"Ticket {n}: my parcel number {n * n} has not come, please look" for n in range(40)]
rows[3] += " or write to ana.lopez@example.com"
rows[4] += " or call +1 202 555 0143, card 4111 1111 1111 1111"
rows[5] += " with AKIA" + "IOSFODNN7" + "EXAMPLE"
rows[7] = rows[6]
Path("support").mkdir(exist_ok=True)
def write(name, texts):
    lines = [json.dumps({"text": text}) for text in texts]
    Path(f"support/{name}.jsonl").write_text("\\n".join(lines) + "\\n")
write("train", rows[:30])
write("test", rows[30:] + rows[:1])
forgelm.audit_dataset("support")"""
_CONFIG = """forgelm.ForgeConfig(
    model={"name_or_path": "acme/tiny-llama", "load_in_4bit": False},
    lora={"r": 8, "alpha": 16},
    data={"dataset_name_or_path": "support"},
    training={"num_train_epochs": 2, "output_dir": "runs/support"},
)"""
_LOG = """logger = forgelm.AuditLogger("runs/support")
logger.log_event("training.started", model="acme/tiny-llama")
logger.log_event("pipeline.completed", success=True)
forgelm.verify_audit_log("runs/support/audit_log.jsonl")"""
_BROKEN_LOG = """log = Path("runs/support/audit_log.jsonl")
log.write_text(log.read_text().replace("tiny-llama", "other-llama"))
forgelm.verify_audit_log(log)"""
_RESULT = """trainer = ScriptedTrainer(80)
with open("runs/support/metrics.jsonl", "w") as stream:
    trainer.subscribe(lambda event: print(json.dumps(event.to_json()), file=stream))
    trainer.train()
forgelm.TrainResult(
    success=True, metrics={"eval_loss": 1.92, "baseline_eval_loss": 5.1}, run_id="fg-1",
    final_model_path="runs/support/final_model", last_checkpoint="runs/support/checkpoint-80",
    resource_usage={"training_duration_seconds": 84.2}, run_dir="runs/support",
    verdicts=[forgelm.Verdict("loss", "passed", "1.92 is below 2.5")],
)"""
_REAL = """%load_ext forgelm
import json
from pathlib import Path
import forgelm
from forgelm_widgets import TrainingMonitor
with open("rows.jsonl", "w") as stream:
    for n in range(64):
        reply = {"prompt": f"Where is parcel {n}?", "completion": f"Parcel {n} is on its way."}
        print(json.dumps(reply), file=stream)
config = forgelm.ForgeConfig(
    model={"name_or_path": MODEL, "max_length": 64, "load_in_4bit": False},
    lora={"r": 4, "alpha": 8},
    data={"dataset_name_or_path": "rows.jsonl"},
    training={"output_dir": "run", "max_steps": 5000},
)
trainer = forgelm.ForgeTrainer(config)"""
_TRAIN = """TrainingMonitor(trainer).show()
result = trainer.train()
result"""
_RECORD = 'TrainingMonitor.from_records(forgelm.read_progress("runs/support"))'


def _notebook(path: Path, *cells: str) -> Path:
    sources = [f"exec(open({str(_SCRIPT)!r}).read())", *cells]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbformat.write(notebook, path)
    return path


def test_the_chart_moves_while_the_cell_runs_and_a_card_stays(
    open_notebook: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    path = _notebook(tmp_path / "train.ipynb", "watch(ScriptedTrainer(160, pause_s=0.06))")
    notebook = open_notebook(path)
    notebook.start()
    chart = notebook.page.locator(".forgelm-monitor-main [role=img]")
    drawn = []
    for look in _LOOKS:
        notebook.dress(**look)
        more = drawn[-1] + 10 if drawn else 20
        notebook.page.wait_for_function(f"{_POINTS} >= {more}")
        drawn.append(int(chart.get_attribute("data-points")))
        notebook.page.screenshot(path=screenshots / f"lab-live-{_name(look)}.png")
        assert notebook.page.evaluate("window.done") is False
    assert drawn == sorted(set(drawn))
    notebook.wait()
    notebook.page.get_by_text("Finished at step 160 of 160").wait_for()
    assert chart.count() == 0
    saved = notebook.save()
    outputs = [output for cell in saved["cells"] for output in cell["outputs"]]
    assert [set(output["data"]) for output in outputs] == [{"text/html", "text/plain"}]
    assert "widget" not in json.dumps(saved)
    assert notebook.tab.outside == []


def test_every_result_shows_itself(
    open_notebook: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    cells = (_AUDIT, _CONFIG, _LOG, _BROKEN_LOG, _RESULT, _RECORD)
    notebook = open_notebook(_notebook(tmp_path / "cards.ipynb", *cells))
    notebook.run_all()
    for words in (
        "near-duplicate pair",
        "Trains acme/tiny-llama on support",
        "The record is intact: 2 entries",
        "The record cannot be trusted",
        "Training succeeded",
        "Finished at step 80 of 80",
    ):
        assert notebook.page.locator(".jp-OutputArea").get_by_text(words).first.is_visible()
    for look in _LOOKS:
        notebook.dress(**look)
        notebook.fit()
        notebook.page.screenshot(path=screenshots / f"lab-cards-{_name(look)}.png")
        wide = notebook.page.locator(".jp-RenderedHTML > div").evaluate_all(
            "(cards) => cards.some((card) => card.scrollWidth > card.clientWidth + 1)"
        )
        assert not wide
    assert notebook.tab.outside == []


def test_a_notebook_that_nobody_trusts_yet_looks_the_same_without_a_kernel(
    open_notebook: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    path = _notebook(tmp_path / "sent.ipynb", _AUDIT, "watch(ScriptedTrainer(40))")
    document = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(document, kernel_name="python3", resources=place).execute()
    document.metadata.pop("widgets", None)
    nbformat.write(document, path)
    notebook = open_notebook(path)
    notebook.fit()
    cards = notebook.page.locator(".jp-RenderedHTML")
    assert cards.count() == 2
    assert cards.nth(1).get_by_text("Finished at step 40 of 40").is_visible()
    pictures = notebook.page.locator(".jp-RenderedHTML img")
    widths = pictures.evaluate_all("(all) => all.map((img) => img.naturalWidth)")
    assert len(widths) == 2
    assert all(widths)
    borders = cards.locator("> div").evaluate_all(
        "(all) => all.map((card) => getComputedStyle(card).borderLeftWidth)"
    )
    assert borders == ["3px", "3px"]
    notebook.page.screenshot(path=screenshots / "lab-untrusted-light-1280.png")
    assert notebook.tab.outside == []


def test_interrupting_the_kernel_stops_a_real_run_and_keeps_a_checkpoint(
    open_notebook: Callable[..., Any], tiny_model: Path, tmp_path: Path, screenshots: Path
) -> None:
    path = _notebook(tmp_path / "stop.ipynb", f"MODEL = {str(tiny_model)!r}\n{_REAL}", _TRAIN)
    notebook = open_notebook(path)
    notebook.start()
    notebook.page.wait_for_function(f"window.done || {_POINTS} > 20", timeout=120_000)
    assert notebook.page.evaluate("window.done") is False
    notebook.page.screenshot(path=screenshots / "lab-real-live-light-1280.png")
    notebook.page.evaluate("() => jupyterapp.commands.execute('kernelmenu:interrupt')")
    notebook.wait()
    cards = notebook.page.locator(".jp-RenderedHTML")
    cards.nth(1).wait_for()
    assert cards.nth(0).get_by_text("Stopped on request at step").is_visible()
    assert notebook.kernel_value("result.stopped") == "True"
    kept = notebook.kernel_value("Path(result.last_checkpoint, 'trainer_state.json').is_file()")
    assert kept == "True"
    notebook.fit()
    notebook.page.screenshot(path=screenshots / "lab-real-stopped-light-1280.png")
