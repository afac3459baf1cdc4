"""Nothing is lost and nothing is asked twice: kills, Ctrl-C, damage, other settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ForgeConfig
from forgelm.errors import DataError
from forgelm.synthetic import SyntheticDataGenerator

if TYPE_CHECKING:
    from conftest import TeacherServer

pytest.importorskip("httpx")

Maker = Callable[..., ForgeConfig]
PROMPTS = [f"What is {n}?" for n in range(8)]
SCRIPT = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from forgelm import ForgeConfig
from forgelm.synthetic import SyntheticDataGenerator
config = ForgeConfig(**json.load(open(sys.argv[1])))
result = SyntheticDataGenerator(config).generate(workers=1)
print(json.dumps([result.rows, result.stopped, result.not_asked, result.verdict.status]))
"""


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def _interrupted(
    config: ForgeConfig, teacher: TeacherServer, folder: Path, number: signal.Signals
) -> tuple[int, str]:
    """Generate in a process of its own and send it a signal while it waits for the sixth answer."""
    reached, go_on = threading.Event(), threading.Event()
    answer = teacher.reply

    def hold(prompt: str) -> Any:
        if prompt == PROMPTS[5]:
            reached.set()
            go_on.wait(60)
        return answer(prompt)

    teacher.reply = hold
    written = folder / "config.json"
    written.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(written)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert reached.wait(60)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        go_on.set()
        teacher.reply = answer
    return process.returncode, out


def test_after_sigkill_every_answered_prompt_has_its_row_and_none_is_asked_again(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path, output: Path
) -> None:
    config = make_config(seed_prompts=PROMPTS)
    code, _ = _interrupted(config, teacher, tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert [row["messages"][0]["content"] for row in rows_of(output)] == PROMPTS[:5]
    result = SyntheticDataGenerator(config).generate(workers=1)
    assert (result.rows, result.resumed_rows, result.verdict.status) == (8, 5, "passed")
    assert [row["messages"][0]["content"] for row in rows_of(output)] == PROMPTS
    assert [teacher.prompts.count(prompt) for prompt in PROMPTS] == [1, 1, 1, 1, 1, 2, 1, 1]


def test_ctrl_c_keeps_what_was_done_and_says_so(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path, output: Path
) -> None:
    config = make_config(seed_prompts=PROMPTS)
    code, out = _interrupted(config, teacher, tmp_path, signal.SIGINT)
    assert code == 0
    assert json.loads(out) == [5, True, 3, "skipped"]
    assert len(rows_of(output)) == 5
    record = json.loads((tmp_path / "rows.jsonl.provenance").read_text())
    assert (record["complete"], record["rows"]["written"]) == (False, 5)


def test_a_finished_generation_asks_nothing_more_and_new_prompts_are_added(
    make_config: Maker, teacher: TeacherServer, output: Path
) -> None:
    config = make_config(seed_prompts=PROMPTS[:3])
    SyntheticDataGenerator(config).generate()
    assert SyntheticDataGenerator(config).generate().rows == 3
    assert len(teacher.prompts) == 3
    assert SyntheticDataGenerator(config).generate(PROMPTS[:4]).rows == 4
    assert len(teacher.prompts) == 4
    assert len(rows_of(output)) == 4


def test_a_row_the_journal_does_not_know_yet_is_taken_over_and_half_a_row_is_cut_off(
    make_config: Maker, teacher: TeacherServer, output: Path
) -> None:
    config = make_config(seed_prompts=PROMPTS[:4])
    SyntheticDataGenerator(config).generate(PROMPTS[:3], workers=1)
    journal = output.with_name("rows.jsonl.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    with open(output, "ab") as stream:
        stream.write(b'{"messages": [{"role": "us')
    result = SyntheticDataGenerator(config).generate()
    assert (result.rows, result.resumed_rows) == (4, 3)
    assert [row["messages"][0]["content"] for row in rows_of(output)] == PROMPTS[:4]
    assert len(teacher.prompts) == 4


def _shorten(output: Path) -> None:
    output.write_bytes(output.read_bytes()[:-5])


def _add_row(output: Path) -> None:
    output.write_bytes(output.read_bytes() + b'{"text": "mine"}\n')


def _garble_journal(output: Path) -> None:
    journal = output.with_name("rows.jsonl.journal")
    journal.write_bytes(b"{}\n" + journal.read_bytes())


def _empty_journal(output: Path) -> None:
    output.with_name("rows.jsonl.journal").write_bytes(b"")


def _remove_journal(output: Path) -> None:
    output.with_name("rows.jsonl.journal").unlink()


@pytest.mark.parametrize(
    "damage", [_shorten, _add_row, _garble_journal, _empty_journal, _remove_journal]
)
def test_files_that_were_altered_are_left_alone(
    make_config: Maker, output: Path, damage: Callable[[Path], None]
) -> None:
    config = make_config()
    SyntheticDataGenerator(config).generate()
    damage(output)
    before = output.read_bytes()
    with pytest.raises(DataError, match="overwritten"):
        SyntheticDataGenerator(config).generate()
    assert output.read_bytes() == before
    assert SyntheticDataGenerator(config).generate(overwrite=True).rows == 3


def test_rows_of_two_teachers_are_never_mixed(make_config: Maker, teacher: TeacherServer) -> None:
    SyntheticDataGenerator(make_config()).generate()
    other = make_config(teacher_model="teacher-9", temperature=0.0)
    with pytest.raises(DataError, match="another teacher_model, temperature"):
        SyntheticDataGenerator(other).generate()
    assert len(teacher.prompts) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks as POSIX has them")
def test_two_processes_do_not_write_one_file(make_config: Maker, teacher: TeacherServer) -> None:
    config = make_config(seed_prompts=PROMPTS)
    raised: list[str] = []
    answer = teacher.reply

    def while_it_is_held(prompt: str) -> Any:
        if not raised:
            with pytest.raises(DataError) as error:
                SyntheticDataGenerator(config).generate()
            raised.append(str(error.value))
        return answer(prompt)

    teacher.reply = while_it_is_held
    assert SyntheticDataGenerator(config).generate(workers=1).rows == 8
    assert "being written by another process" in raised[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_what_is_no_regular_file_is_refused_and_nothing_hangs(
    make_config: Maker, output: Path, kind: str
) -> None:
    if kind == "fifo":
        os.mkfifo(output)
    elif kind == "link":
        output.symlink_to(output.with_name("elsewhere.jsonl"))
    else:
        output.mkdir()
    with pytest.raises(DataError, match="no regular file"):
        SyntheticDataGenerator(make_config()).generate(overwrite=True)


FULL = """
import json, resource, sys
from forgelm import ForgeConfig
from forgelm.synthetic import SyntheticDataGenerator
generator = SyntheticDataGenerator(ForgeConfig(**json.load(open(sys.argv[1]))))
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
try:
    generator.generate(workers=1)
except OSError as error:
    print(type(error).__name__, error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits as POSIX has them")
def test_a_full_disk_is_an_error_and_the_work_goes_on_once_there_is_room(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path, output: Path
) -> None:
    config = make_config(seed_prompts=PROMPTS)
    written = tmp_path / "config.json"
    written.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    command = [sys.executable, "-c", FULL, str(written)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "OSError 27\n", done.stderr  # file too large
    asked = len(teacher.prompts)
    assert 0 < asked < 8
    result = SyntheticDataGenerator(config).generate()
    assert result.rows == 8
    assert sorted(row["messages"][0]["content"] for row in rows_of(output)) == PROMPTS
    assert len(teacher.prompts) <= 9
