"""Messages about a run to a chat channel or a service, which never get in the way of the run."""

from forgelm.webhook._notifier import WebhookNotifier, WebhookOutcome

__all__ = ["WebhookNotifier", "WebhookOutcome"]
