"""Corpora at an address, read through fsspec in parts: a real HTTP server, and memory."""

from __future__ import annotations

import http.server
import json
import random
import re
import threading

import pytest

from forgelm.data_audit import audit_dataset
from forgelm.errors import DataError

fsspec = pytest.importorskip("fsspec")


def write_rows(path, rows=9000):
    rng = random.Random(3)
    words = [f"word{n}" for n in range(800)]
    with open(path, "w", encoding="utf-8") as stream:
        for n in range(rows):
            text = " ".join(rng.choices(words, k=80))
            stream.write(json.dumps({"text": text, "by": f"user{n}@example.com"}) + "\n")


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves parts of files, as object stores do, and notes which parts were asked for."""

    asked: list[tuple[int, int]]

    def log_message(self, *_):
        """Keep the test's output clean."""

    def do_GET(self):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            return super().do_GET()
        with open(self.translate_path(self.path), "rb") as stream:
            data = stream.read()
        start, end = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        self.server.asked.append((start, end))
        self.send_response(206)
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start : end + 1])
        return None

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    write_rows(folder / "train.jsonl")

    def handler(*arguments):
        return Ranges(*arguments, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running, folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def counts(report):
    return {
        key: value
        for key, value in report.to_dict().items()
        if key not in ("generated_at", "source_path", "source_input")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_on_a_web_server_is_read_in_parts(server, workers):
    pytest.importorskip("aiohttp")
    running, folder, address = server

    report = audit_dataset(f"{address}/train.jsonl", workers=workers)

    assert counts(report) == counts(audit_dataset(folder / "train.jsonl"))
    assert report.total_samples == 9000
    assert len(running.asked) > 2
    assert max(end - start for start, end in running.asked) < 4 << 20


def test_a_name_that_the_server_does_not_have_is_named(server):
    pytest.importorskip("aiohttp")
    _, _, address = server

    with pytest.raises(DataError, match=r"missing\.jsonl: nothing there"):
        audit_dataset(f"{address}/missing.jsonl")


@pytest.fixture
def memory(tmp_path):
    system = fsspec.filesystem("memory")
    for name, rows in (("train", 5000), ("test", 20)):
        write_rows(tmp_path / f"{name}.jsonl", rows)
        system.pipe(f"/corpus/{name}.jsonl", (tmp_path / f"{name}.jsonl").read_bytes())
    system.pipe("/corpus/readme.md", b"# About")
    yield "memory://corpus"
    system.rm("/corpus", recursive=True)


def test_a_folder_of_an_object_store_has_its_splits(memory, tmp_path):
    report = audit_dataset(memory)

    assert {name: split["sample_count"] for name, split in report.splits.items()} == {
        "train": 5000,
        "test": 20,
    }
    assert any("readme.md" in note for note in report.notes)
    assert report.splits == audit_dataset(tmp_path).splits


def test_an_audit_of_an_object_store_can_resume(memory, tmp_path):
    plain = counts(audit_dataset(memory))

    assert counts(audit_dataset(memory, resume_dir=tmp_path / "state")) == plain


def test_a_card_names_addresses_and_hashes_what_is_there(memory):
    card = audit_dataset(memory, emit_croissant=True).croissant

    train = card["distribution"][0]
    assert train["contentUrl"].endswith("/corpus/train.jsonl")
    assert train["contentUrl"].startswith("memory://")
    assert len(train["sha256"]) == 64


def test_an_address_with_nothing_to_read_is_named():
    with pytest.raises(DataError, match="nothing there"):
        audit_dataset("memory://nowhere/at-all")
