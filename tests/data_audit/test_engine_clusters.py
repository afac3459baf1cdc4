"""The report is the same on every engine, and what a worker cannot do is said in words."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import re
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from forgelm.data_audit import audit_dataset
from forgelm.data_audit.engines import map_ranges
from forgelm.data_audit.scan import ScanOptions
from forgelm.data_audit.sources import find_corpus
from forgelm.errors import DataError, OptionalDependencyError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Ten megabytes in two splits, so that there are several ranges."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(5)
    words = [f"word{n}" for n in range(2000)]
    for name, rows in (("train", 9000), ("test", 900)):
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as stream:
            for n in range(rows):
                text = " ".join(rng.choices(words, k=130))
                row = {"prompt": text, "completion": f"user{n}@example.com" if n % 9 == 0 else text}
                stream.write("{torn\n" if n % 1000 == 500 else json.dumps(row) + "\n")
    return folder


def report_of(corpus, folder, **options):
    report = audit_dataset(
        corpus, output_dir=folder, emit_croissant=True, enable_quality_filter=True, **options
    )
    text = (folder / "data_audit_report.json").read_text(encoding="utf-8")
    return text.replace(report.generated_at, "now"), list(report.pii_findings)


@pytest.fixture(scope="module")
def expected(corpus, tmp_path_factory):
    return report_of(corpus, tmp_path_factory.mktemp("local"))


def test_an_executor_gives_the_same_report(corpus, expected, tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as engine:
        assert report_of(corpus, tmp_path / "processes", engine=engine) == expected
    with ThreadPoolExecutor(3) as engine:
        assert report_of(corpus, tmp_path / "threads", engine=engine) == expected
        assert engine.submit(pow, 2, 3).result() == 8, "the caller's executor stays open"


def test_a_callable_like_map_gives_the_same_report(corpus, expected, tmp_path):
    assert report_of(corpus, tmp_path / "map", engine=map) == expected
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert report_of(corpus, tmp_path / "imap", engine=pool.imap) == expected
        pool.close()
        pool.join()


def test_a_callable_that_loses_a_result_is_an_error(corpus):
    with pytest.raises(ValueError, match="shorter"):
        audit_dataset(corpus, engine=lambda function, items: [function(items[0])])


@pytest.mark.parametrize("engine", ["spark", 3, None])
def test_what_is_no_engine_is_refused(corpus, engine):
    with pytest.raises(ValueError, match="engine must be one of local, dask, ray, an executor"):
        audit_dataset(corpus, engine=engine)


def test_a_worker_with_another_file_or_version_says_so(corpus):
    ranges = find_corpus(corpus).ranges()

    def other(**changes):
        def engine(function, tasks):
            return (function(dataclasses.replace(task, **changes)) for task in tasks)

        return list(map_ranges(ranges, ScanOptions(), 1, engine))

    with pytest.raises(DataError, match=r"bytes on the worker .*, 5 at the caller; put the same"):
        other(size=5)
    with pytest.raises(DataError, match=r"has forgelm .* and the caller 0\.0\.1; install the same"):
        other(version="0.0.1")


def test_a_worker_that_cannot_see_the_file_says_so(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "a"}\n', encoding="utf-8")

    def engine(function, tasks):
        os.rename(source, tmp_path / "elsewhere.jsonl")
        return map(function, tasks)

    with pytest.raises(DataError, match=r"cannot see this file .* where every worker finds it"):
        audit_dataset(source, engine=engine)


def test_a_stopped_audit_cancels_what_an_executor_has_not_begun(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "a"}\n' * 3_000_000, encoding="utf-8")
    begun = []

    def interrupted(function, task):
        begun.append(task)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return function(task)

    class Interrupted(ThreadPoolExecutor):
        def submit(self, function, /, *args):
            return super().submit(interrupted, function, *args)

    assert len(find_corpus(source).ranges()) > 8
    with Interrupted(1) as engine, pytest.raises(KeyboardInterrupt):
        audit_dataset(source, engine=engine)
    assert len(begun) <= 4


def test_dask_and_ray_say_how_to_get_them_or_start_them(corpus, monkeypatch):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    for engine in ("dask", "ray"):
        with pytest.raises((ValueError, OptionalDependencyError)) as raised:
            audit_dataset(corpus, engine=engine)
        assert re.search(r"forgelm\[(cluster|ray)\]|that is running", str(raised.value))


@pytest.fixture(scope="module")
def cluster():
    """A real cluster of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running


# tornado and dask leave sockets and loops of their own to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
class TestDask:
    def test_the_current_client_gives_the_same_report(self, cluster, corpus, expected, tmp_path):
        from distributed import Client

        with Client(cluster):
            assert report_of(corpus, tmp_path, engine="dask") == expected

    def test_so_does_the_scheduler_that_the_environment_names(
        self, cluster, corpus, expected, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)

        assert report_of(corpus, tmp_path, engine="dask") == expected

    def test_so_does_its_executor(self, cluster, corpus, expected, tmp_path):
        from distributed import Client

        with Client(cluster, set_as_default=False) as client:
            assert report_of(corpus, tmp_path, engine=client.get_executor()) == expected

    def test_a_stopped_audit_leaves_no_task_on_the_cluster(self, cluster, tmp_path):
        from distributed import Client

        source = tmp_path / "rows.jsonl"
        source.write_text('{"text": "a"}\n' * 3_000_000, encoding="utf-8")
        ranges = find_corpus(source).ranges()
        assert len(ranges) > 8
        with Client(cluster) as client:
            results = map_ranges(ranges, ScanOptions(), 1, "dask")
            next(results)
            results.close()  # what Ctrl-C does on its way out
            while any(client.processing().values()):
                time.sleep(0.05)  # the test's time limit says when a task has stayed

    def test_an_error_on_a_worker_is_raised_here(self, cluster, tmp_path):
        from distributed import Client

        source = tmp_path / "rows.jsonl"
        source.write_text('{"text": "a"}\n', encoding="utf-8")
        ranges = find_corpus(source).ranges()
        with Client(cluster, set_as_default=False) as client:

            def engine(function, tasks):
                source.unlink()
                return client.gather(client.map(function, tasks))

            with pytest.raises(DataError, match="cannot see this file"):
                list(map_ranges(ranges, ScanOptions(), 1, engine))


@pytest.mark.filterwarnings("ignore")
def test_ray_gives_the_same_report(corpus, expected, tmp_path):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert report_of(corpus, tmp_path, engine="ray") == expected
    finally:
        ray.shutdown()
