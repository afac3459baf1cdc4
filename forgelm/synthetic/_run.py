"""One call of `generate`: asking what is left to ask, judging and counting."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from forgelm.errors import RemoteError
from forgelm.results import Verdict
from forgelm.synthetic._ctrl_c import ctrl_c_between
from forgelm.synthetic._provenance import write_provenance
from forgelm.synthetic._result import SeedFailure, SyntheticResult
from forgelm.synthetic._rows import build_row
from forgelm.synthetic._screen import IMPLAUSIBLE, Screen
from forgelm.synthetic._seeds import Seed
from forgelm.synthetic._store import KEPT, RowStore
from forgelm.synthetic._teachers import Answer, NoAnswer, Teacher

if TYPE_CHECKING:
    from forgelm.config import SyntheticConfig

__all__ = ["Run", "now"]

logger = logging.getLogger(__name__)

_JUDGED_BEFORE_STOPPING = 20
_FAILURES_SHOWN = 100
_WARNINGS = 10


class Run:
    """One call of `generate`."""

    def __init__(self, settings: SyntheticConfig, seeds: list[Seed], store: RowStore) -> None:
        self._settings = settings
        self._seeds = seeds
        self._store = store
        self._unanswered: dict[str, str] = {}
        self._judged = Counter(
            outcome for seed in seeds if (outcome := store.outcomes.get(seed.key)) is not None
        )
        self._resumed = self._judged[KEPT]
        self._stopped = False
        self.todo = [seed for seed in seeds if seed.key not in store.outcomes]

    def ask(self, teacher: Teacher) -> None:
        """Ask what is left to ask, until all is answered, Ctrl-C, or a teacher of nonsense."""
        screen = Screen()
        for prompt, text in self._store.pairs():
            screen.recall(prompt, text)
        bar = tqdm(
            total=len(self._seeds),
            initial=len(self._seeds) - len(self.todo),
            desc="synthetic rows",
            unit="prompt",
            disable=None,
        )
        with bar, ctrl_c_between() as ctrl_c:
            try:
                for seed, answer in teacher.answers(self.todo):
                    with ctrl_c.back():
                        self._take(screen, seed, answer)
                    bar.update()
                    if self._judged.total() >= _JUDGED_BEFORE_STOPPING and self._is_nonsense():
                        break
            except KeyboardInterrupt:
                self._stopped = True
                self._take_settled(screen, teacher)
                logger.info("stopped; %s has every row so far", self._store.output)
            except RemoteError:
                self._take_settled(screen, teacher)
                raise

    def _take_settled(self, screen: Screen, teacher: Teacher) -> None:
        """Take the answers that had come when the work ended early: they are paid for."""
        for seed, answer in teacher.settled():
            if seed.key not in self._store.outcomes:
                self._take(screen, seed, answer)

    def result(self) -> SyntheticResult:
        """Count what is there now."""
        rejected = {name: count for name, count in self._judged.most_common() if name != KEPT}
        return SyntheticResult(
            output_file=str(self._store.output),
            provenance_file=str(self._provenance_file()),
            output_format=self._settings.output_format,
            prompts=len(self._seeds),
            rows=self._judged[KEPT],
            resumed_rows=self._resumed,
            rejected=rejected,
            unanswered=len(self._unanswered),
            not_asked=len(self._seeds) - self._judged.total() - len(self._unanswered),
            prompt_tokens=self._store.tokens["prompt"],
            completion_tokens=self._store.tokens["completion"],
            stopped=self._stopped,
            verdict=self._verdict(),
            failures=self._failures(),
        )

    def write_record(self, identity: dict[str, str | None]) -> None:
        """Write the provenance beside the rows."""
        write_provenance(
            self._provenance_file(),
            self._settings,
            self.result(),
            identity=identity,
            seed_keys=[seed.key for seed in self._seeds],
            started_at=self._store.started_at,
            finished_at=now(),
        )

    def _take(self, screen: Screen, seed: Seed, answer: Answer | NoAnswer) -> None:
        if isinstance(answer, NoAnswer):
            self._unanswered[seed.key] = answer.reason
            if len(self._unanswered) <= _WARNINGS:
                logger.warning("%s has no answer: %s", seed.place, answer.reason)
            return
        reason = screen.judge(seed, answer)
        if reason is None:
            row = build_row(seed.prompt, answer.text.strip(), self._settings.output_format)
            self._store.keep(seed, answer, row)
        else:
            self._store.reject(seed, answer, reason)
        self._judged[reason or KEPT] += 1

    def _implausible(self) -> int:
        return sum(self._judged[reason] for reason in IMPLAUSIBLE)

    def _is_nonsense(self) -> bool:
        return self._implausible() > self._settings.sanity_failure_rate * self._judged.total()

    def _verdict(self) -> Verdict:
        rows, prompts = self._judged[KEPT], len(self._seeds)
        bad, judged = self._implausible(), self._judged.total()
        measured = {
            "success_rate": rows / prompts,
            "sanity_failure_rate": bad / judged if judged else 0.0,
        }
        least = self._settings.min_success_rate
        if self._is_nonsense():
            told = ", ".join(f"{self._judged[r]} {r}" for r in IMPLAUSIBLE if self._judged[r])
            limit = f"sanity_failure_rate {self._settings.sanity_failure_rate:g}"
            reason = f"{bad} of {judged} answers are implausible ({told}); {limit} allows fewer"
            return Verdict("synthetic", "failed", reason, measured)
        if self._stopped:
            reason = f"stopped with {rows} rows for {prompts} prompts"
            return Verdict("synthetic", "skipped", reason, measured)
        if rows < least * prompts or not rows:
            reason = f"{rows} of {prompts} prompts have a row; min_success_rate is {least:g}"
            return Verdict("synthetic", "failed", reason, measured)
        return Verdict("synthetic", "passed", None, measured)

    def _failures(self) -> list[SeedFailure]:
        reasons = self._store.outcomes | self._unanswered
        failed = (
            SeedFailure(seed.place, reasons[seed.key])
            for seed in self._seeds
            if reasons.get(seed.key, KEPT) != KEPT
        )
        return [failure for failure, _ in zip(failed, range(_FAILURES_SHOWN), strict=False)]

    def _provenance_file(self) -> Path:
        output = self._store.output
        return output.with_name(f"{output.name}.provenance")


def now() -> str:
    """Return the time in ISO 8601, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
