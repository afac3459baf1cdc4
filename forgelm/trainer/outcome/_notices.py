"""Telling a webhook how a run goes, and the record what became of each message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from forgelm.results import TrainResult
from forgelm.trainer.outcome._record import RunRecord, public_reason
from forgelm.webhook import WebhookNotifier

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["notices"]


@contextmanager
def notices(config: ForgeConfig, record: RunRecord) -> Iterator[Callable[[TrainResult], None]]:
    """Say that the run begins, and yield what says how it ended; a failure is told by itself.

    Nothing here slows a step or fails a run. The way out waits for what is left to deliver, no
    longer than twice `webhook.timeout` and a second; `webhook.delivery` is in the log for each.
    """
    webhook = config.webhook
    if record.is_silent or webhook is None or not (webhook.url or webhook.url_env):
        yield lambda _: None
        return
    notifier = WebhookNotifier(
        config, on_outcome=lambda outcome: record.wrote("webhook.delivery", **asdict(outcome))
    )
    name = config.training.run_name or record.run_id
    notifier.notify_start(name)
    try:
        yield lambda result: _tell(notifier, name, result)
    except BaseException as error:
        notifier.notify_failure(name, public_reason(error))
        raise
    finally:
        notifier.flush()


def _tell(notifier: WebhookNotifier, name: str, result: TrainResult) -> None:
    reason = result.error or ""
    if result.awaiting_approval:
        notifier.notify_awaiting_approval(name, result.staging_path, metrics=result.metrics)
    elif result.success:
        notifier.notify_success(name, result.metrics, model_path=result.final_model_path)
    elif result.reverted:
        notifier.notify_reverted(name, reason, metrics=result.metrics)
    else:
        notifier.notify_failure(name, reason, metrics=result.metrics)
