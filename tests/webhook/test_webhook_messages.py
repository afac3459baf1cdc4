"""What the messages say, and what never leaves the machine in them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from webhook_receivers import Receiver

from forgelm import ForgeConfig
from forgelm.config import SyntheticConfig
from forgelm.webhook import WebhookNotifier

pytest.importorskip("httpcore")

Maker = Callable[..., ForgeConfig]
HIGH = "Zq7Rk2Vw9XbT4nLp8MdS" * 2
SECRETS = [
    "hf_" + HIGH[:34],
    "ghp_" + HIGH[:36],
    "AKIA" + "Q7RK2VW9XBT4NLP8",
    "xoxb-" + "123456789012-" + HIGH[:24],
    "https://hooks.slack.com/services/" + "T00000000/B00000000/" + HIGH[:24],
    "https://acme.webhook.office.com/" + "webhookb2/" + HIGH,
    "postgres://ada:" + "s3cret" + "@db.example.org/x",
    "password=" + "hunter2",
    "pass" + "word: correct",
    "Authorization: Bearer " + "abcdef123",
    "api_key='" + "k-12345" + "'",
    "https://api.example.org/v1?sig=" + HIGH,
    "-----BEGIN " + "PRIVATE KEY-----\n" + HIGH * 3 + "\n-----END " + "PRIVATE KEY-----",
    "my-own-" + "token-42",
]
# The part of each that must not be seen.
CORES = [
    *SECRETS[:4],
    "T00000000/B00000000",
    "webhookb2",
    "s3cret",
    "hunter2",
    "correct",
    "abcdef123",
    "k-12345",
    HIGH,
    HIGH,
    SECRETS[-1],
]


def send(config: ForgeConfig, receiver: Receiver, **options: Any) -> list[Any]:
    notifier = WebhookNotifier(config, **options)
    notifier.notify_start("nightly")
    notifier.notify_success("nightly", {"eval_loss": 0.25}, model_path="out/final_model")
    notifier.notify_failure("nightly", "the disk is full")
    notifier.notify_reverted("nightly", "eval_loss 2.1 is above 2.0", metrics={"eval_loss": 2.1})
    notifier.notify_awaiting_approval("nightly", "out/final_model.staging.x")
    assert notifier.flush(30)
    return receiver.bodies


def test_every_event_has_every_key(make_config: Maker, receiver: Receiver) -> None:
    bodies = send(make_config(receiver.url), receiver)
    keys = ["event", "run_name", "status", "metrics", "reason", "model_path", "attachments"]
    assert all(list(body) == keys for body in bodies)
    assert [(body["event"], body["status"]) for body in bodies] == [
        ("training.start", "started"),
        ("training.success", "succeeded"),
        ("training.failure", "failed"),
        ("training.reverted", "reverted"),
        ("approval.required", "awaiting_approval"),
    ]
    assert bodies[0]["metrics"] == {}
    assert (bodies[0]["reason"], bodies[0]["model_path"]) == (None, None)
    assert bodies[3] == {
        "event": "training.reverted",
        "run_name": "nightly",
        "status": "reverted",
        "metrics": {"eval_loss": 2.1},
        "reason": "eval_loss 2.1 is above 2.0",
        "model_path": None,
        "attachments": [
            {
                "title": "Model rejected by a gate: nightly",
                "text": "eval_loss 2.1 is above 2.0\neval_loss: 2.1",
                "color": "#daa038",
            }
        ],
    }


@pytest.mark.parametrize(
    ("switch", "left"),
    [
        ("notify_on_start", {"succeeded", "failed", "reverted", "awaiting_approval"}),
        ("notify_on_success", {"started", "failed", "reverted"}),
        ("notify_on_failure", {"started", "succeeded", "awaiting_approval"}),
    ],
)
def test_each_switch_turns_its_messages_off(
    make_config: Maker, receiver: Receiver, switch: str, left: set[str]
) -> None:
    bodies = send(make_config(receiver.url, **{switch: False}), receiver)
    assert {body["status"] for body in bodies} == left


def test_slack_gets_an_attachment_with_nothing_live_in_it(
    make_config: Maker, receiver: Receiver
) -> None:
    notifier = WebhookNotifier(make_config(receiver.url), payload_format="slack")
    notifier.notify_failure("<!channel> run & co", "see <https://evil.example|the log> @everyone")
    assert notifier.flush(30)
    (body,) = receiver.bodies
    assert set(body) == {"text", "attachments"}
    text = json.dumps(body, ensure_ascii=False)
    for live in ("<", ">", "@everyone"):
        assert live not in text
    assert body["text"].startswith("Training failed: &lt;")
    assert body["attachments"][0]["color"] == "#a30200"


def test_teams_gets_an_adaptive_card(make_config: Maker, receiver: Receiver) -> None:
    notifier = WebhookNotifier(make_config(receiver.url), payload_format="teams")
    notifier.notify_success("a [link](https://evil.example)", {"eval_loss": 0.123456789})
    assert notifier.flush(30)
    (body,) = receiver.bodies
    attachment = body["attachments"][0]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"] == r"Training succeeded: a \[link\](https://evil.example)"
    assert card["body"][1]["facts"] == [
        {"title": "status", "value": "succeeded"},
        {"title": r"eval\_loss", "value": "0.123457"},
    ]


@pytest.mark.parametrize("payload_format", ["generic", "slack", "teams"])
def test_no_secret_leaves_the_machine_wherever_it_stands(
    make_config: Maker, receiver: Receiver, payload_format: str
) -> None:
    config = make_config(receiver.url)
    notifier = WebhookNotifier(config, payload_format=payload_format)  # type: ignore[arg-type]
    for secret in SECRETS:
        notifier.notify_reverted(f"run {secret} x", f"it said: {secret}", metrics={secret: 1.0})
        notifier.notify_awaiting_approval("run", f"/models/{secret}")
        notifier.notify_success("run", {"note": secret})  # type: ignore[dict-item]
        assert notifier.flush(30)
    assert len(receiver.bodies) == 3 * len(SECRETS)
    for number, secret in enumerate(SECRETS):
        sent = json.dumps(receiver.bodies[3 * number : 3 * number + 3], ensure_ascii=False)
        assert CORES[number] not in sent, secret
        assert "REDACTED" in sent


def test_secrets_of_the_configuration_are_masked_wherever_they_came_from(
    make_config: Maker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_KEY", "plain-looking-key")
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "correct horse battery")
    monkeypatch.setenv("HOOK", receiver.url)
    config = make_config(None, url_env="HOOK")
    config.synthetic = SyntheticConfig(api_key_env="TEACHER_KEY")
    notifier = WebhookNotifier(config)
    reason = f"plain-looking-key, correct horse battery, my-own-token-42, {receiver.url}"
    notifier.notify_failure("run", reason)
    assert notifier.flush(30)
    assert receiver.bodies[0]["reason"] == ", ".join(["[REDACTED-SECRET]"] * 4)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.text(max_size=40),
    after=st.text(max_size=40),
    number=st.integers(0, 3),
    padding=st.sampled_from([0, 1980, 19_960, 19_990, 50_000]),
)
def test_a_token_is_masked_between_any_two_texts_however_long(
    make_config: Maker, receiver: Receiver, before: str, after: str, number: int, padding: int
) -> None:
    receiver.bodies.clear()
    notifier = WebhookNotifier(make_config(receiver.url))
    secret = SECRETS[number]
    notifier.notify_failure("run", f"{'x ' * (padding // 2)}{before} {secret} {after}")
    assert notifier.flush(30)
    (body,) = receiver.bodies
    assert secret[:24] not in json.dumps(body)
    assert len(body["reason"]) <= 2_000


def test_huge_odd_and_hostile_values_make_a_small_valid_body(
    make_config: Maker, receiver: Receiver
) -> None:
    notifier = WebhookNotifier(make_config(receiver.url))
    metrics: dict[Any, Any] = {f"m{n}": n for n in range(1_000)}
    odd = {"nan": math.nan, "inf": -math.inf, 7: 10**400, "bidi \u202e\x00": True, "deep": [[{}]]}
    notifier.notify_success("r" * 10_000_000, odd | metrics)
    for text in ("%E4%BD%A0" * 120_000, "a-" * 500_000, "x@a.a." * 200_000, "token" * 200_000):
        notifier.notify_failure("run", text)
    assert notifier.flush(60)
    first = receiver.bodies[0]
    assert len(json.dumps(first)) < 28_000
    assert len(first["metrics"]) == 50
    assert first["metrics"]["nan"] == "NaN"
    assert first["metrics"]["inf"] == "-Infinity"
    assert first["metrics"]["bidi "] is True
    assert isinstance(first["metrics"]["7"], str)
