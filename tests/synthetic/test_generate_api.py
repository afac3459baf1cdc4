"""A teacher behind an API: a real server on loopback, well-behaved and not."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeConfig
from forgelm.errors import DataError, RemoteError
from forgelm.synthetic import SyntheticDataGenerator

if TYPE_CHECKING:
    from conftest import TeacherServer

pytest.importorskip("httpx")

Maker = Callable[..., ForgeConfig]
KEY = "sk-" + "Zq7" * 10


def rows_of(path: Path | str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def reply(text: str, finish_reason: str = "stop") -> tuple[int, dict[str, str], bytes]:
    choice = {"message": {"content": text}, "finish_reason": finish_reason}
    return 200, {}, json.dumps({"choices": [choice]}).encode()


@pytest.mark.parametrize(
    ("output_format", "row"),
    [
        (
            "messages",
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hello."},
                ]
            },
        ),
        ("instruction", {"instruction": "Hi", "output": "Hello."}),
        ("chatml", {"User": "Hi", "Assistant": "Hello."}),
        ("prompt_response", {"prompt": "Hi", "response": "Hello."}),
    ],
)
def test_every_output_format_is_one_that_training_reads(
    make_config: Maker, teacher: TeacherServer, output_format: str, row: dict[str, Any]
) -> None:
    teacher.reply = lambda _: reply("Hello.")
    config = make_config(seed_prompts=["Hi"], output_format=output_format)
    result = SyntheticDataGenerator(config).generate()
    assert rows_of(result.output_file) == [row]
    assert result.verdict.status == "passed"
    from forgelm.data import detect_format

    known = "user_assistant" if output_format == "chatml" else output_format
    assert detect_format(row) == known


def test_the_record_says_who_wrote_the_rows_and_holds_no_secret(
    make_config: Maker, teacher: TeacherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)
    config = make_config(
        api_key_env="TEACHER_KEY",
        api_base=f"{teacher.url}?code={KEY}",
        system_prompt="Be kind.",
        temperature=0.25,
    )
    result = SyntheticDataGenerator(config).generate()
    assert teacher.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert teacher.bodies[0]["messages"][0] == {"role": "system", "content": "Be kind."}
    assert teacher.bodies[0]["temperature"] == 0.25
    text = Path(result.provenance_file).read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["teacher"] == {
        "backend": "api",
        "model": "teacher-1",
        "revision": None,
        "api_base": teacher.url,
        "served_model": "teacher-2",
    }
    assert record["tokens"] == {"prompt": 30, "completion": 12}
    assert record["settings"]["system_prompt_sha256"] == hashlib.sha256(b"Be kind.").hexdigest()
    output = Path(result.output_file)
    assert record["output"]["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
    assert record["complete"] is True
    journal = output.with_name("rows.jsonl.journal").read_text(encoding="utf-8")
    for secret in (KEY, "Be kind.", "What is 1?"):
        assert secret not in text + journal


def test_a_busy_server_is_asked_again_when_it_says_so(
    make_config: Maker, teacher: TeacherServer
) -> None:
    replies = [(429, {"Retry-After": "0"}, b""), (503, {}, b"busy"), (200, {}, b"{not json")]
    teacher.reply = lambda _: replies.pop(0) if replies else reply("Fine.")
    result = SyntheticDataGenerator(make_config(seed_prompts=["Hi"])).generate()
    assert teacher.prompts == ["Hi"] * 4
    assert result.rows == 1


def test_a_prompt_the_server_rejects_is_counted_and_the_others_go_on(
    make_config: Maker, teacher: TeacherServer
) -> None:
    teacher.reply = lambda prompt: (400, {}, KEY.encode()) if "2" in prompt else reply(prompt[-2:])
    config = make_config(min_success_rate=0.9)
    result = SyntheticDataGenerator(config).generate(workers=1)
    assert (result.rows, result.unanswered, result.not_asked) == (2, 1, 0)
    assert result.failures[0].place == "seed_prompts[1]"
    assert result.failures[0].reason == "the server answered HTTP 400 Bad Request"
    assert result.verdict.status == "failed"
    assert result.verdict.reason == "2 of 3 prompts have a row; min_success_rate is 0.9"
    teacher.reply = lambda prompt: reply(prompt[-2:])
    again = SyntheticDataGenerator(config).generate()
    assert (again.rows, again.resumed_rows, again.verdict.status) == (3, 2, "passed")
    assert teacher.prompts.count("What is 2?") == 2
    assert teacher.prompts.count("What is 1?") == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((401, {}, KEY.encode()), "refused the key"),
        ((404, {}, b""), "no such address or model"),
        ((307, {"Location": "http://127.0.0.1:9/"}, b""), "redirect"),
    ],
)
def test_a_server_that_refuses_ends_the_work_at_once(
    make_config: Maker,
    teacher: TeacherServer,
    answer: tuple[int, dict[str, str], bytes],
    cause: str,
) -> None:
    teacher.reply = lambda _: answer
    with pytest.raises(RemoteError, match=cause) as raised:
        SyntheticDataGenerator(make_config()).generate(workers=1)
    assert KEY not in str(raised.value)
    assert "seed_prompts[0]" in str(raised.value)
    assert len(teacher.prompts) == 1


def test_a_server_that_is_gone_is_an_error_and_what_was_written_stays(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path
) -> None:
    prompts = [f"What is {n}?" for n in range(7)]
    teacher.reply = lambda prompt: reply("One.") if prompt == prompts[0] else (500, {}, b"")
    config = make_config(seed_prompts=prompts)
    with pytest.raises(RemoteError, match="HTTP 500"):
        SyntheticDataGenerator(config).generate(workers=6)
    assert len(rows_of(tmp_path / "rows.jsonl")) == 1
    assert json.loads((tmp_path / "rows.jsonl.provenance").read_text())["complete"] is False


def test_a_server_that_is_too_slow_is_named_with_the_prompt_and_what_was_written_stays(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path
) -> None:
    prompts, over = [f"What is {n}?" for n in range(7)], threading.Event()

    def answer(prompt: str) -> tuple[int, dict[str, str], bytes]:
        if prompt != prompts[0]:
            over.wait(30)
        return reply("One.")

    teacher.reply = answer
    config = make_config(seed_prompts=prompts)
    assert config.synthetic is not None
    config.synthetic = config.synthetic.model_copy(update={"api_timeout": 0.3})  # below its bound
    with pytest.raises(RemoteError, match=r"did not answer within 0\.3 s \(seed_prompts\[\d\]\)"):
        SyntheticDataGenerator(config).generate(workers=6)
    over.set()
    assert len(rows_of(tmp_path / "rows.jsonl")) == 1


def test_requests_keep_the_pause_between_them_however_many_threads_ask(
    make_config: Maker, teacher: TeacherServer
) -> None:
    config = make_config(seed_prompts=list("abcdef"), api_delay=0.1)
    began = time.monotonic()
    SyntheticDataGenerator(config).generate(workers=6)
    assert time.monotonic() - began >= 0.5  # five pauses; there is no upper bound to check
    assert len(teacher.prompts) == 6


def test_an_answer_that_came_before_the_server_refused_is_not_lost(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path
) -> None:
    refused = threading.Event()

    def answer(prompt: str) -> tuple[int, dict[str, str], bytes]:
        if "1" in prompt:
            return reply("One.")
        refused.wait(0.2)
        return 401, {}, b""

    teacher.reply = answer
    with pytest.raises(RemoteError, match="refused the key"):
        SyntheticDataGenerator(make_config()).generate(workers=3)
    assert len(rows_of(tmp_path / "rows.jsonl")) == 1


def test_nobody_listening_is_named_as_such(make_config: Maker) -> None:
    config = make_config(api_base="http://127.0.0.1:9/v1", seed_prompts=list("abcde"))
    with pytest.raises(RemoteError, match=r"http://127.0.0.1:9/v1: .*cannot be reached"):
        SyntheticDataGenerator(config).generate(workers=5)


def test_a_certificate_nobody_vouches_for_is_not_accepted(
    make_config: Maker, self_signed_url: str
) -> None:
    with pytest.raises(RemoteError, match="TLS certificate"):
        SyntheticDataGenerator(make_config(api_base=self_signed_url)).generate(workers=1)


@pytest.fixture
def self_signed_url(tls_certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://localhost:{server.server_port}/v1"
        server.shutdown()


def test_answers_that_are_no_good_are_counted_by_reason(
    make_config: Maker, teacher: TeacherServer
) -> None:
    long = "All of our parcels leave the house on Monday morning at nine."
    replies = {
        "a": reply(long),
        "b": reply(long.upper()),
        "c": reply("  "),
        "d": reply("It is a", "length"),
        "e": reply("again and " * 60),
        "f": reply("broken \x00 text"),
        "g": reply("yes"),
        "h": reply("yes"),
    }
    teacher.reply = lambda prompt: replies[prompt]
    config = make_config(seed_prompts=list(replies))
    result = SyntheticDataGenerator(config).generate(workers=1)
    assert [row["messages"][0]["content"] for row in rows_of(result.output_file)] == list("agh")
    assert result.rejected == {
        "repeated answer": 1,
        "empty": 1,
        "cut off": 1,
        "loops": 1,
        "unreadable": 1,
    }
    assert result.verdict.status == "failed"
    assert "5 of 8 answers are implausible" in str(result.verdict.reason)


def test_near_duplicate_rows_are_left_out_and_do_not_count_against_the_teacher(
    make_config: Maker, teacher: TeacherServer
) -> None:
    text = " ".join(f"word{n}" for n in range(400))
    teacher.reply = lambda prompt: reply(f"Indeed: {text} {prompt[-1]}")
    config = make_config(seed_prompts=[f"{text} 1", f"{text} 2"], sanity_failure_rate=0.0)
    result = SyntheticDataGenerator(config).generate(workers=1)
    assert (result.rows, result.rejected) == (1, {"near duplicate": 1})
    assert result.verdict.status == "passed"


def test_a_teacher_that_repeats_itself_is_stopped_early(
    make_config: Maker, teacher: TeacherServer
) -> None:
    teacher.reply = lambda _: reply("I am sorry, but I cannot help you with that one today.")
    config = make_config(seed_prompts=[f"Question {n}" for n in range(40)])
    result = SyntheticDataGenerator(config).generate(workers=1)
    assert (result.rows, result.rejected) == (1, {"repeated answer": 19})
    assert result.not_asked == 20
    assert result.verdict.status == "failed"


def test_the_rows_are_audited_when_asked(
    make_config: Maker, teacher: TeacherServer, tmp_path: Path
) -> None:
    teacher.reply = lambda prompt: reply(f"Write to ada{prompt[-2]}@example.org.")
    result = SyntheticDataGenerator(make_config()).generate(audit_dir=tmp_path / "audit")
    assert result.audit is not None
    assert result.audit.pii_summary == {"email": 3}
    assert (tmp_path / "audit" / "data_audit_report.json").is_file()


def test_a_missing_key_is_named_before_anything_is_asked(
    make_config: Maker, teacher: TeacherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        SyntheticDataGenerator(make_config(api_key_env="NO_SUCH_KEY")).generate()
    assert teacher.prompts == []


def test_what_a_backend_needs_is_checked_all_at_once(make_config: Maker) -> None:
    with pytest.raises(ConfigError) as raised:
        SyntheticDataGenerator(make_config(teacher_model="", api_base=""))
    assert [path for path, _ in raised.value.issues] == [
        "synthetic.teacher_model",
        "synthetic.api_base",
    ]


def test_no_prompt_at_all_is_an_error(make_config: Maker) -> None:
    with pytest.raises(DataError, match="no prompt to ask"):
        SyntheticDataGenerator(make_config(seed_prompts=[])).generate()
