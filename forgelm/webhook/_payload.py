"""What is sent: a plain JSON body, a Slack message, or a Teams card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from forgelm._core import json_safe
from forgelm.webhook._clean import Cleaner

__all__ = ["EVENTS", "Notice", "PayloadFormat", "build_body", "format_for"]

PayloadFormat = Literal["generic", "slack", "teams"]

_NAME_CHARS, _TEXT_CHARS, _METRICS = 200, 2_000, 50
_TEAMS_HOSTS = (".webhook.office.com", ".logic.azure.com", ".powerplatform.com")
_SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")


class EventKind(NamedTuple):
    """One kind of message.

    Attributes:
        event: Its name in the body.
        status: What it says about the run.
        title: Its headline; the run's name follows.
        color: Bar beside it in Slack.
        style: Colour of the headline in Teams.
    """

    event: str
    status: str
    title: str
    color: str
    style: str


EVENTS = {
    "start": EventKind("training.start", "started", "Training started", "#439fe0", "accent"),
    "success": EventKind("training.success", "succeeded", "Training succeeded", "#2eb886", "good"),
    "failure": EventKind("training.failure", "failed", "Training failed", "#a30200", "attention"),
    "reverted": EventKind(
        "training.reverted", "reverted", "Model rejected by a gate", "#daa038", "warning"
    ),
    "awaiting_approval": EventKind(
        "approval.required", "awaiting_approval", "Model awaits approval", "#daa038", "warning"
    ),
}


@dataclass(frozen=True)
class Notice:
    """One message, as it was handed over."""

    kind: EventKind
    run_name: Any
    metrics: Mapping[Any, Any] = field(default_factory=dict)
    reason: Any = None
    model_path: Any = None


def format_for(url: str) -> PayloadFormat:
    """Return the shape that the receiver at an address reads, by its host.

    Example:
        >>> format_for("https://hooks.slack.com/services/T0/B0/x")
        'slack'
        >>> format_for("https://ci.example.org/hook")
        'generic'
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return "generic"
    if host in _SLACK_HOSTS:
        return "slack"
    return "teams" if host.endswith(_TEAMS_HOSTS) else "generic"


def build_body(notice: Notice, payload_format: PayloadFormat, cleaner: Cleaner) -> bytes:
    """Return the body of a message as JSON, everything in it clean."""
    document = _document(notice, cleaner)
    if payload_format == "slack":
        document = _slack(document)
    elif payload_format == "teams":
        document = _teams(document, notice.kind)
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _document(notice: Notice, cleaner: Cleaner) -> dict[str, Any]:
    name = cleaner.text(notice.run_name, _NAME_CHARS)
    metrics = {
        cleaner.text(key, _NAME_CHARS): _figure(value, cleaner)
        for key, value in islice(notice.metrics.items(), _METRICS)
    }
    reason = None if notice.reason is None else cleaner.text(notice.reason, _TEXT_CHARS)
    path = None if notice.model_path is None else cleaner.text(notice.model_path, _TEXT_CHARS)
    lines = [reason, path and f"model: {path}"]
    lines += [f"{key}: {_shown(value)}" for key, value in metrics.items()]
    attachment = {
        "title": _for_slack(f"{notice.kind.title}: {name}"),
        "text": _for_slack("\n".join(line for line in lines if line)[:_TEXT_CHARS]),
        "color": notice.kind.color,
    }
    return {
        "event": notice.kind.event,
        "run_name": name,
        "status": notice.kind.status,
        "metrics": metrics,
        "reason": reason,
        "model_path": path,
        "attachments": [attachment],
    }


def _figure(value: Any, cleaner: Cleaner) -> Any:
    figure = json_safe(value)
    if isinstance(figure, bool | int | float) and len(str(figure)) <= 40:
        return figure
    return cleaner.text(figure, _NAME_CHARS)


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _for_slack(text: str) -> str:
    """Escape what Slack reads as a link or a mention. Source: Slack, "Formatting message text"."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack(document: dict[str, Any]) -> dict[str, Any]:
    attachment = document["attachments"][0]
    title = attachment["title"]
    return {"text": title, "attachments": [{**attachment, "fallback": title, "mrkdwn_in": []}]}


def _teams(document: dict[str, Any], kind: EventKind) -> dict[str, Any]:
    """Return an Adaptive Card. Source: Adaptive Cards schema 1.4; Teams "Workflows" webhooks."""
    block = {"type": "TextBlock", "wrap": True}
    body: list[dict[str, Any]] = [
        {
            **block,
            "text": _for_teams(f"{kind.title}: {document['run_name']}"),
            "weight": "bolder",
            "size": "medium",
            "color": kind.style,
        }
    ]
    if document["reason"]:
        body.append({**block, "text": _for_teams(document["reason"])})
    facts = [("status", document["status"]), ("model", document["model_path"])]
    facts += [(key, _shown(value)) for key, value in document["metrics"].items()]
    pairs = [{"title": _for_teams(k), "value": _for_teams(v)} for k, v in facts if v]
    body.append({"type": "FactSet", "facts": pairs})
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [card]}


def _for_teams(text: str) -> str:
    return re.sub(r"([\\\[\]*_`])", r"\\\1", text)
