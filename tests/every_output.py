"""A notebook that shows every kind of result and what every widget leaves; a secret is in all."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from forgelm_widgets._display import CARDS
from forgelm_widgets._display._lists import LISTS

__all__ = ["CELLS", "FIRST_CELL", "KINDS", "TOKEN", "run_notebook"]

TOKEN = "hf_" + "QwErTyUiOpAsDfGhJ" + "kLzXcVbNmPoIuYtRe"
_WIDGETS = 3
_LIST_NAMES = sorted(set(LISTS) - {"RunStatus"})
KINDS = len(CARDS) + len(_LIST_NAMES) + _WIDGETS

FIRST_CELL = """%load_ext forgelm
import os
from pathlib import Path
from result_examples import lists_saying, results_saying, write_run
from forgelm import parse_config, read_progress
from forgelm_widgets import ConfigBuilder, RunComparison, TrainingMonitor
TEXT = "see " + os.environ["HF_TOKEN"]
run = write_run(Path("runs/support"), TEXT)
results = results_saying(TEXT, run)
lists = lists_saying(TEXT)"""


def _cells(names: list[str], table: str) -> list[str]:
    """Return cells that show six results each."""
    groups = [names[at : at + 6] for at in range(0, len(names), 6)]
    return [
        "display(" + ", ".join(f"{table}[{name!r}]" for name in group) + ")" for group in groups
    ]


CELLS = [
    *_cells(sorted(CARDS), "results"),
    *_cells(_LIST_NAMES, "lists"),
    "TrainingMonitor.from_records(read_progress(run))",
    "builder = ConfigBuilder(results['ForgeConfig'])\nbuilder.show()\nbuilder.close()",
    "both = RunComparison('runs')\nboth.show()\nboth.close()",
]


def run_notebook(path: Path) -> Path:
    """Run the notebook in a kernel of its own, save it at `path` as JupyterLab would."""
    cells = [nbformat.v4.new_code_cell(source) for source in (FIRST_CELL, *CELLS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    here = os.environ.copy()
    tests = str(Path(__file__).parent)
    inherited = [tests, *filter(None, [here.get("PYTHONPATH")])]
    environment = {**here, "PYTHONPATH": os.pathsep.join(inherited), "HF_TOKEN": TOKEN}
    place = {"metadata": {"path": str(path.parent)}}
    # record_timing: JupyterLab records none unless it is told to.
    client = NotebookClient(
        notebook, kernel_name="python3", resources=place, record_timing=False, timeout=120
    )
    client.execute(env=environment)
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)
    return path
