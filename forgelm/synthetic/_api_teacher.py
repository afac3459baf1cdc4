"""A teacher behind an OpenAI-compatible API, asked by several threads at once."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from forgelm._core import ChatClient, ChatError
from forgelm.config import SyntheticConfig
from forgelm.errors import ConfigError, RemoteError
from forgelm.synthetic._seeds import Seed
from forgelm.synthetic._teachers import Answer, NoAnswer

__all__ = ["ApiTeacher", "api_key_of"]

_LOST_IN_A_ROW = 5
_REJECTED_AT_FIRST = 20
_Outcome = Answer | ChatError


class ApiTeacher:
    """Asks the server of `synthetic.api_base`.

    Args:
        settings: The block `synthetic`.
        workers: How many requests may be under way at once.
    """

    def __init__(self, settings: SyntheticConfig, workers: int) -> None:
        self._settings = settings
        self._workers = workers
        self._served_by: str | None = None
        self._answered: deque[tuple[Seed, _Outcome, threading.Event]] = deque()
        self._arrived = threading.Semaphore(0)
        self._closed = False
        self._client = ChatClient(
            settings.api_base,
            settings.teacher_model,
            api_key=api_key_of(settings),
            timeout_s=settings.api_timeout,
            delay_s=settings.api_delay,
            feature="A teacher behind an API",
        )

    def answers(self, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, Answer | NoAnswer]]:
        """Yield answers as they come.

        Raises:
            RemoteError: The server refuses, did not answer five prompts in a row, or rejected the
                first twenty.
        """
        lost = rejected = answered = 0
        for seed, outcome in self._outcomes(seeds):
            if not isinstance(outcome, ChatError):
                lost, answered = 0, answered + 1
                yield seed, outcome
                continue
            if outcome.kind == "rejected":
                lost, rejected = 0, rejected + 1
            else:
                lost += 1
            useless = rejected == _REJECTED_AT_FIRST and not answered
            if outcome.kind == "refused" or lost == _LOST_IN_A_ROW or useless:
                where = self._settings.api_base.partition("?")[0]
                raise RemoteError(f"{where}: {outcome} ({seed.place}).")
            yield seed, NoAnswer(str(outcome))

    def identity(self) -> dict[str, str | None]:
        """Return the server's address without its query, and the model it says it ran."""
        return {
            "api_base": self._settings.api_base.partition("?")[0],
            "served_model": self._served_by,
        }

    def close(self) -> None:
        """Let the threads ask nothing more, and close the connections under them."""
        self._closed = True
        self._client.stop()
        for _, _, dealt_with in list(self._answered):
            dealt_with.set()
        self._client.close()

    def settled(self) -> list[tuple[Seed, Answer]]:
        """Return the answers that are here and were not yielded to the end."""
        found = list(self._answered)
        return [(seed, outcome) for seed, outcome, _ in found if isinstance(outcome, Answer)]

    def _outcomes(self, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, _Outcome]]:
        waiting = deque(seeds)
        for _ in range(min(self._workers, len(seeds))):
            # Daemons: Ctrl-C and the end of the program do not wait for the server.
            threading.Thread(target=self._work, args=(waiting,), daemon=True).start()
        for _ in range(len(seeds)):
            self._arrived.acquire()
            # It leaves the queue only when it is dealt with: Ctrl-C may come at any point.
            seed, outcome, dealt_with = self._answered[0]
            yield seed, outcome
            self._answered.popleft()
            dealt_with.set()

    def _work(self, waiting: deque[Seed]) -> None:
        while True:
            try:
                seed = waiting.popleft()
            except IndexError:
                return
            outcome, dealt_with = self._ask(seed), threading.Event()
            self._answered.append((seed, outcome, dealt_with))
            self._arrived.release()
            # A kill loses no more answers than there are threads.
            if not self._closed:
                dealt_with.wait()
            if isinstance(outcome, ChatError) and outcome.kind in {"refused", "stopped"}:
                return

    def _ask(self, seed: Seed) -> _Outcome:
        system = self._settings.system_prompt
        messages = [{"role": "system", "content": system}] if system.strip() else []
        messages.append({"role": "user", "content": seed.prompt})
        try:
            reply = self._client.ask(
                messages,
                max_tokens=self._settings.max_new_tokens,
                temperature=self._settings.temperature,
            )
        except ChatError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave us waiting
            return ChatError(f"asking failed: {type(error).__name__}")
        self._served_by = reply.model or self._served_by
        return Answer(reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens)


def api_key_of(settings: SyntheticConfig) -> str | None:
    """Return the key for the teacher's API, None when none is configured.

    Raises:
        ConfigError: The environment variable that should hold it does not.
    """
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        problem = f"the environment variable {settings.api_key_env} is not set; put the key in it"
        raise ConfigError(issues=[("synthetic.api_key_env", problem)])
    if not key.isascii() or not key.isprintable() or " " in key:
        problem = f"what {settings.api_key_env} holds is no key: it has characters no header can"
        raise ConfigError(issues=[("synthetic.api_key_env", f"{problem} carry")])
    return key
