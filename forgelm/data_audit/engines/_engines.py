"""Mapping the scan over byte ranges: here, in worker processes, or on an engine that is running.

An engine gets one pure, picklable function and the ranges, and gives back small results; forgelm
puts them together in the order of the ranges, so that the report is the same wherever they ran.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from typing import Any

from forgelm._core import require
from forgelm.data_audit.engines._workers import map_in_processes
from forgelm.data_audit.scan import Partial, ScanOptions, scan_range
from forgelm.data_audit.sources import ByteRange, size_of
from forgelm.errors import DataError

__all__ = ["ENGINES", "Engine", "is_engine", "map_ranges"]

ENGINES = ("local", "dask", "ray")
Engine = str | Executor | Callable[..., Iterable[Any]]

_VERSION = version("forgelm")
_TASKS_PER_CPU = 4
_TASKS_OF_EXECUTOR = 256


def is_engine(engine: object) -> bool:
    """Say whether `engine` names an engine, or is an executor or a callable."""
    if isinstance(engine, str):
        return engine in ENGINES
    return isinstance(engine, Executor) or callable(engine)


def map_ranges(
    ranges: Sequence[ByteRange], options: ScanOptions, workers: int, engine: Engine = "local"
) -> Generator[Partial, None, None]:
    """Yield the result of each range, in order.

    Args:
        ranges: What to scan.
        options: What to look for.
        workers: Processes of the engine "local".
        engine: One of `ENGINES`, an executor, or a callable that maps as the built-in `map` does.

    Raises:
        ValueError: The engine is not running.
        DataError: A worker of the engine cannot see the same files.
        OSError: A file cannot be read, or a worker process died.
    """
    workers = min(workers, len(ranges))
    if engine == "local":
        if workers > 1:
            yield from map_in_processes(ranges, options, workers)
        else:
            yield from (scan_range(byte_range, options) for byte_range in ranges)
        return
    sizes = {path: size_of(path) for path in {each.path for each in ranges}}
    tasks = [_Task(each, sizes[each.path], options) for each in ranges]
    if engine == "dask":
        yield from _map_dask(tasks)
    elif engine == "ray":
        yield from _map_ray(tasks)
    elif isinstance(engine, Executor):
        yield from _windowed(tasks, _TASKS_OF_EXECUTOR, lambda task: engine.submit(_run, task))
    elif callable(engine):
        yield from engine(_run, tasks)


@dataclass(frozen=True)
class _Task:
    """One range as it travels to another machine.

    Attributes:
        byte_range: What to scan.
        size: Of its file, in bytes, as seen from here.
        options: What to look for.
        version: The version of forgelm that asks.
    """

    byte_range: ByteRange
    size: int
    options: ScanOptions
    version: str = _VERSION


def _run(task: _Task) -> Partial:
    """Scan the range of `task`, if this machine has the same code and the same file."""
    path, host = task.byte_range.path, socket.gethostname()
    if task.version != _VERSION:
        raise DataError(
            f"the worker on {host} has forgelm {_VERSION} and the caller {task.version}; "
            "install the same version on both"
        )
    try:
        size = size_of(path)
    except OSError as error:
        raise DataError(
            f"{path}: the worker on {host} cannot see this file ({error.strerror or error}); "
            "put the corpus where every worker finds it by this name"
        ) from None
    if size != task.size:
        raise DataError(
            f"{path}: {size:,} bytes on the worker {host}, {task.size:,} at the caller; "
            "put the same corpus where every worker finds it by this name"
        )
    return scan_range(task.byte_range, task.options)


def _windowed(
    tasks: Sequence[_Task], window: int, submit: Callable[[_Task], Any]
) -> Generator[Partial, None, None]:
    """Yield results in order, with at most `window` futures under way; cancel those left over."""
    waiting = iter(tasks)
    futures = deque(submit(task) for task in islice(waiting, window))
    try:
        while futures:
            yield futures[0].result()
            futures.popleft()
            futures.extend(submit(task) for task in islice(waiting, 1))
    finally:
        for future in futures:
            future.cancel()


def _map_dask(tasks: Sequence[_Task]) -> Generator[Partial, None, None]:
    distributed = require("distributed", extra="cluster", feature="The engine 'dask'")
    try:
        client, ours = distributed.get_client(), None
    except ValueError:
        address = os.environ.get("DASK_SCHEDULER_ADDRESS")
        if not address:
            raise ValueError(
                "engine='dask' needs a cluster that is running: make a dask.distributed.Client "
                "first, or set DASK_SCHEDULER_ADDRESS"
            ) from None
        client = ours = distributed.Client(address, set_as_default=False)
    try:
        window = _TASKS_PER_CPU * max(1, sum(client.nthreads().values()))
        results = _windowed(tasks, window, partial(client.submit, _run, pure=False))
        with closing(results):
            yield from results
    finally:
        if ours is not None:
            ours.close()


def _map_ray(tasks: Sequence[_Task]) -> Generator[Partial, None, None]:
    ray = require("ray", extra="ray", feature="The engine 'ray'")
    if not ray.is_initialized():
        if not os.environ.get("RAY_ADDRESS"):
            raise ValueError(
                "engine='ray' needs a cluster that is running: call ray.init first, or set "
                "RAY_ADDRESS"
            )
        ray.init(log_to_driver=False)
    remote = ray.remote(_run)
    window = _TASKS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
    results = _windowed(tasks, window, lambda task: _RayFuture(ray, remote.remote(task)))
    with closing(results):
        yield from results


class _RayFuture:
    """A reference of ray with the two methods of a future that `_windowed` needs."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def result(self) -> Partial:
        """Wait for the result; an error of the task is raised as the error it was."""
        try:
            result: Partial = self._ray.get(self._reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        return result

    def cancel(self) -> None:
        """Give up on the task."""
        self._ray.cancel(self._reference, force=False)
