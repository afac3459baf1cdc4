"""`ConfigBuilder` without a browser: what it hands out, and what it sends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig, load_config
from forgelm.errors import ConfigError
from forgelm_widgets.config_builder import Change, ConfigBuilder

SMALL = {
    "model": {"name_or_path": "acme/tiny"},
    "lora": {"r": 4},
    "training": {},
    "data": {"dataset_name_or_path": "train.jsonl"},
}


class _Wired(ConfigBuilder):
    """Keeps what would go to the page."""

    times = 1

    def __init__(self, *start: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.number = 0
        super().__init__(*start)

    def send(self, content: Any, buffers: Any = None) -> None:  # noqa: ARG002
        self.sent.append(content)

    def take(self, name: Any, /, **args: Any) -> list[dict[str, Any]]:
        self.sent = []
        self.number += 1
        message = {"kind": "cmd", "id": str(self.number), "name": name, "args": args}
        for _ in range(self.times):
            self._handle_custom_msg(message, [])
        assert self.wait()
        return self.sent


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., _Wired]]:
    """Give a function that makes a builder in an empty folder, and close it afterwards."""
    monkeypatch.chdir(tmp_path)
    made: list[_Wired] = []

    def one(*start: Any) -> _Wired:
        made.append(_Wired(*start))
        return made[-1]

    yield one
    for builder in made:
        builder.close()


def test_a_command_is_acknowledged_and_then_answered(build: Callable[..., _Wired]) -> None:
    sent = build(SMALL).take("set", path=["lora", "r"], value="8")
    assert [message["kind"] for message in sent] == ["ack", "result"]
    assert sent[1] == {"kind": "result", "id": "1", "ok": True, "value": 1}


def test_a_command_that_is_sent_again_is_carried_out_once(build: Callable[..., _Wired]) -> None:
    builder = build(SMALL)
    for value in ("8", "16"):
        builder.take("set", path=["lora", "r"], value=value)
    builder.times = 2
    assert [message["kind"] for message in builder.take("undo")] == ["ack", "ack", "result"]
    assert builder.config.lora.r == 8


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("close", {}, "there is no such command"),
        ("__init__", {}, "there is no such command"),
        (["set"], {}, "there is no such command"),
        ("set", {"path": ["lora", "r"]}, "missing a required argument: 'value'"),
        ("undo", {"now": True}, "unexpected keyword argument 'now'"),
        ("set", {"path": ["lora", "rank"], "value": 1}, "there is no field 'lora.rank'"),
        ("set", {"path": ["auth", "hf_token"], "value": "x"}, "is a secret"),
        ("preset", {"name": "none"}, "none"),
        ("set", {"path": 5, "value": 1}, "TypeError in the kernel"),
    ],
)
def test_an_odd_command_is_refused_in_words(
    build: Callable[..., _Wired], name: Any, args: dict[str, Any], words: str
) -> None:
    builder = build(SMALL)
    *_, result = builder.take(name, **args)
    assert result["ok"] is False
    assert words in result["error"]
    assert builder.config == ForgeConfig(**SMALL)


def test_the_same_configuration_comes_out_in_every_form(build: Callable[..., _Wired]) -> None:
    config = ForgeConfig(**SMALL)
    Path("run.yaml").write_text(config.to_yaml(), "utf-8")
    for source in (SMALL, config, "run.yaml", Path("run.yaml")):
        assert build(source).config == config
    builder = build()
    assert builder.errors
    with pytest.raises(ConfigError):
        _ = builder.config
    code: dict[str, Any] = {}
    exec(build(SMALL).to_code(), code)
    assert code["config"] == config


def test_a_file_is_saved_whole_and_never_replaced_unasked(build: Callable[..., _Wired]) -> None:
    builder = build(SMALL)
    assert builder.save("a.yaml") == Path("a.yaml")
    assert load_config("a.yaml") == builder.config
    with pytest.raises(FileExistsError, match="overwrite=True"):
        builder.save("a.yaml")
    builder.take("set", path=["lora", "r"], value="16")
    assert builder.take("save", path="a.yaml")[-1]["value"] == {"exists": "a.yaml"}
    builder.save("a.yaml", overwrite=True)
    assert load_config("a.yaml").lora.r == 16
    assert [path.name for path in Path().iterdir()] == ["a.yaml"]
    builder.take("set", path=["lora", "r"], value="0")
    with pytest.raises(ConfigError):
        builder.save("b.yaml")


def test_the_difference_counts_defaults(build: Callable[..., _Wired]) -> None:
    other = {**SMALL, "lora": {"r": 16}, "training": {"learning_rate": 2e-5}}
    assert build(SMALL).diff(other) == [Change("lora.r", 4, 16)]


def test_a_secret_stays_in_the_kernels_memory(build: Callable[..., _Wired]) -> None:
    token = "hf_" + "q" * 34
    builder = build({**SMALL, "auth": {"hf_token": token}})
    assert builder.config.auth is not None
    assert builder.config.auth.hf_token is not None
    assert builder.config.auth.hf_token.get_secret_value() == token
    builder.save("a.yaml")
    kept = [json.dumps(builder.get_state(), default=str), builder.yaml, repr(builder)]
    kept += [Path("a.yaml").read_text("utf-8"), builder.to_code(), str(builder.card())]
    builder.take("undo")
    kept += [json.dumps(builder.get_state(), default=str)]
    assert not any(token in text for text in kept)
    assert builder.state["secrets"] == ["auth.hf_token"]
    builder.take("reset", path=["auth"])
    assert builder.state["secrets"] == []


def test_a_secret_in_another_place_of_the_text_is_refused(build: Callable[..., _Wired]) -> None:
    token = "hf_" + "q" * 34
    builder = build(SMALL)
    Path("a.yaml").write_text(f"# old: {token}\nauth: {{hf_token: {token}}}\n", "utf-8")
    with pytest.raises(ConfigError, match="another place") as caught:
        builder.load("a.yaml")
    assert token not in str(caught.value)
    sent = builder.take("set", path=["auth"], value={"hf_token": token})
    sent += builder.take("edit", text=builder.yaml + f"auth: {{hf_token: {token}}}\n")
    assert "there is a secret in auth" in sent[1]["error"]
    assert builder.errors == [
        ("auth.hf_token", "is a secret: type it into its field, not into the YAML")
    ]
    assert token not in json.dumps([sent, builder.get_state()], default=str)


def test_the_panel_says_what_the_configuration_will_do(build: Callable[..., _Wired]) -> None:
    rows = [{"prompt": f"question {n}", "completion": "answer"} for n in range(7)]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    builder = build({**SMALL, "training": {"max_steps": 5}})
    assert builder.wait()
    seen = builder.state["outlook"]
    assert seen["words"][0] == (
        "acme/tiny, loaded in 4 bit, learns to give the answers in the data (SFT)."
    )
    assert seen["data"][0]["rows"] == "7 rows"
    assert "question 0" in seen["data"][0]["sample"]
    assert builder.take("complete", text="tr")[-1]["value"] == ["train.jsonl"]


def test_closing_ends_the_threads(build: Callable[..., _Wired]) -> None:
    before = threading.active_count()
    builder = build(SMALL)
    assert threading.active_count() == before + 2
    builder.close()
    assert threading.active_count() == before
    assert builder.config == ForgeConfig(**SMALL)


def test_what_opens_the_form_is_small(build: Callable[..., _Wired]) -> None:
    builder = build("qlora")
    size = len(json.dumps(builder.get_state(), default=str))
    assert size < 120_000


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(TypeError):
        ConfigBuilder(theme="dark")  # type: ignore[call-arg]


def test_a_training_that_could_not_work_is_refused_with_every_reason(
    build: Callable[..., _Wired],
) -> None:
    builder = build({**SMALL, "lora": {"r": 0, "alpha": -1}})
    error = builder.take("train")[-1]["error"]
    assert all(name in error for name in ("lora.r", "lora.alpha"))
    builder.load(SMALL)
    error = builder.take("train")[-1]["error"]
    assert "data.dataset_name_or_path" in error
    assert (builder.monitor, builder.state["run"]) == (None, "")
    assert list(Path().iterdir()) == []
