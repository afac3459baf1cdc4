"""Files are replaced whole or not at all; JSON is strict."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from forgelm._core import json_safe, open_atomic, sha256_file, write_atomic, write_json_atomic


def test_an_error_while_writing_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old", encoding="utf-8")

    def half_write() -> None:
        with open_atomic(target) as stream:
            stream.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_write()
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert target.read_text(encoding="utf-8") == "old"


def test_a_replaced_file_has_the_mode_a_new_file_gets(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomic(tmp_path / "atomic", b"x")
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


def test_a_link_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "keep"


def test_json_is_strict_whatever_the_values_are(tmp_path: Path) -> None:
    document = {
        "a": float("nan"),
        2: [float("-inf"), {"z", "y"}],
        "p": Path("x/y"),
        "t": (True, None),
    }
    write_json_atomic(tmp_path / "d.json", document)
    text = (tmp_path / "d.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "a": "NaN",
        "2": ["-Infinity", ["y", "z"]],
        "p": "x/y",
        "t": [True, None],
    }
    assert text.endswith("\n")


def test_numbers_of_numpy_stay_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    assert json_safe({"a": numpy.float64(0.5), "b": numpy.int64(3), "c": numpy.float32(0.25)}) == {
        "a": 0.5,
        "b": 3,
        "c": 0.25,
    }


def test_digests_are_those_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    # Source: FIPS 180-4, example of SHA-256.
    assert sha256_file(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
