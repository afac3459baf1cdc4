"""A run that is benchmarked at its end, and tells a webhook how it goes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from quiz_tasks import write_quiz

from forgelm import ConfigError, ForgeTrainer, verify_audit_log

if TYPE_CHECKING:
    from conftest import ConfigMaker


@pytest.fixture
def heard() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver on loopback: its address, and the bodies it was sent."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def _events(run_dir: Path) -> list[dict[str, Any]]:
    lines = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_benchmark_decides_about_the_model_and_the_webhook_hears_of_it(
    make_config: ConfigMaker,
    tmp_path: Path,
    heard: tuple[str, list[dict[str, Any]]],
) -> None:
    address, bodies = heard
    run_dir = tmp_path / "run"
    benchmark = {"enabled": True, "tasks": [str(write_quiz(tmp_path))], "min_score": 0.75}
    config = make_config(
        run_dir,
        evaluation={"benchmark": benchmark, "auto_revert": True},
        webhook={"url": address, "allow_private_destinations": True},
    )
    result = ForgeTrainer(config).train()

    # One of the two questions has the likelier answer as the right one.
    assert result.benchmark_scores == {"letters": 0.5}
    assert (result.success, result.benchmark_passed, result.reverted) == (False, False, True)
    assert result.metrics["benchmark/letters"] == 0.5
    assert [verdict.status for verdict in result.verdicts if verdict.gate == "benchmark"] == [
        "failed"
    ]
    assert (run_dir / "benchmark" / "benchmark_results.json").is_file()
    events = _events(run_dir)
    names = [event["event"] for event in events]
    assert names.count("benchmark.evaluation_completed") == 1
    assert "evaluation.gate_completed" not in names
    assert [body["event"] for body in bodies] == ["training.start", "training.reverted"]
    sent = [event for event in events if event["event"] == "webhook.delivery"]
    assert [(event["notice"], event["status"]) for event in sent] == [
        ("training.start", "delivered"),
        ("training.reverted", "delivered"),
    ]
    assert address not in (run_dir / "audit_log.jsonl").read_text(encoding="utf-8")
    assert verify_audit_log(run_dir / "audit_log.jsonl").valid


def test_what_goes_on_beside_a_training_is_checked_before_it(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    judge = {"enabled": True, "eval_dataset": str(tmp_path / "none.jsonl")}
    config = make_config(
        tmp_path / "run",
        evaluation={"llm_judge": judge},
        synthetic={"enabled": True, "seed_prompts": ["a"], "teacher_model": "m"},
    )
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(config).train()
    assert {
        "synthetic.enabled",
        "evaluation.llm_judge.eval_dataset",
    } <= {path for path, _ in caught.value.issues}
    assert not (tmp_path / "run").exists()
