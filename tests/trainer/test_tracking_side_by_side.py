"""A tracking tool of the Trainer's own beside our record: both have every figure."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from forgelm import ForgeTrainer, preflight
from forgelm_widgets import TrainingMonitor

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")

Curve = dict[int, float]
Curves = tuple[Curve, Curve]


def _of_tensorboard(_: Path, run_dir: Path) -> Curves:
    events: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (written,) = run_dir.rglob("events.out.tfevents.*")
    board = events.EventAccumulator(str(written.parent))
    board.Reload()
    trained, evaluated = (
        {point.step: point.value for point in board.Scalars(name)}
        for name in ("train/loss", "eval/loss")
    )
    return trained, evaluated


def _of_wandb(folder: Path, _: Path) -> Curves:
    wandb: Any = import_module("wandb")
    record: Any = import_module("wandb.proto.wandb_internal_pb2").Record
    wandb.finish()  # the Trainer leaves its run open, as a notebook may go on with it
    (written,) = folder.rglob("*.wandb")
    rows: list[dict[str, Any]] = []
    for data in _leveldb_records(written.read_bytes()):
        history = record.FromString(data).history
        rows.append(
            {(i.key or ".".join(i.nested_key)): json.loads(i.value_json) for i in history.item}
        )
    return _curves(rows)


def _leveldb_records(data: bytes) -> list[bytes]:
    """Return the records of a wandb file, which has the form of a LevelDB log.

    Source: github.com/google/leveldb, doc/log_format.md; wandb's own header takes 7 bytes.
    """
    found, place = [b""], 7
    while place + 7 <= len(data):
        left = 32_768 - place % 32_768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        found[-1] += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in {1, 4}:  # the whole of a record, or its last part
            found.append(b"")
    return found[:-1]


def _of_mlflow(folder: Path, _: Path) -> Curves:
    client: Any = import_module("mlflow").MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs(["0"])
    trained, evaluated = (
        {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}
        for name in ("loss", "eval_loss")
    )
    return trained, evaluated


def _of_trackio(folder: Path, _: Path) -> Curves:
    with closing(sqlite3.connect(folder / "huggingface.db")) as store:
        return _curves([json.loads(row) for (row,) in store.execute("SELECT metrics FROM metrics")])


def _curves(rows: list[dict[str, Any]]) -> Curves:
    trained, evaluated = (
        {int(row["train/global_step"]): row[name] for row in rows if name in row}
        for name in ("train/loss", "eval/loss")
    )
    return trained, evaluated


class Tool(NamedTuple):
    """How a tool is kept on this machine, and how its figures are read."""

    settings: dict[str, str]
    read: Callable[[Path, Path], Curves]


OFFLINE = {"model": {"offline": True}}
TOOLS = {
    "tensorboard": Tool({}, _of_tensorboard),
    "wandb": Tool({"WANDB_MODE": "offline", "WANDB_DIR": "{folder}"}, _of_wandb),
    "mlflow": Tool({"MLFLOW_TRACKING_URI": "sqlite:///{folder}/mlflow.db"}, _of_mlflow),
    "trackio": Tool({"TRACKIO_DIR": "{folder}"}, _of_trackio),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", TOOLS)
def test_a_tracking_tool_and_the_monitor_show_the_same_losses(
    name: str, make_config: ConfigMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, folder, run_dir = TOOLS[name], tmp_path / "tracked", tmp_path / "run"
    folder.mkdir()
    for variable, value in tool.settings.items():
        monkeypatch.setenv(variable, value.format(folder=folder))
    token = "hf" + "_" + "Ab3" * 11
    monkeypatch.setenv("HF_TOKEN", token)
    pytest.importorskip(name)
    training = {"report_to": name, "max_steps": 6, "eval_steps": 3}
    assert ForgeTrainer(make_config(run_dir, training=training, **OFFLINE)).train().success
    monitor = TrainingMonitor(run_dir)
    frame = monitor.to_frame()
    monitor.close()
    trained, evaluated = tool.read(folder, run_dir)
    ours = frame[frame["kind"] == "log"].set_index("step")["loss"].to_dict()
    assert trained == pytest.approx(ours)
    kept = frame[frame["kind"] == "evaluate"].set_index("step")["eval_loss"].to_dict()
    assert evaluated == pytest.approx(kept)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if token.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("name", "variable", "value", "said"),
    [
        ("wandb", "WANDB_MODE", "online", "WANDB_MODE=offline"),
        ("mlflow", "MLFLOW_TRACKING_URI", "https://mlflow.invalid", "a local store"),
        (
            "trackio",
            "TRACKIO_SPACE_ID",
            "team/runs",
            "unset the environment variable TRACKIO",
        ),
    ],
)
def test_a_tool_that_would_use_the_network_is_refused_where_nothing_may(
    name: str,
    variable: str,
    value: str,
    said: str,
    make_config: ConfigMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / f"{name}.py").write_text("")  # installed, as far as anybody looks before loading
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(variable, value)
    config = make_config(tmp_path / "run", training={"report_to": name}, **OFFLINE)
    (problem,) = [one for one in preflight(config, rows=0).findings if "report_to" in one.path]
    assert problem.severity == "error"
    assert f"{name} would use the network" in problem.message
    assert said in problem.message


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_that_is_not_installed_is_told_before_anything_is_loaded(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    if find_spec(name):
        pytest.skip(f"{name} is installed")
    config = make_config(tmp_path / "run", training={"report_to": name})
    (problem,) = [one for one in preflight(config, rows=0).findings if "report_to" in one.path]
    assert (problem.severity, problem.message) == (
        "error",
        f"the package {name} is not installed; run pip install {name}, or write none",
    )
