"""Reading configuration files: places, and what a hostile file may not do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from forgelm.config import ConfigError, ForgeConfig, load_config, parse_config

GOOD = """\
model:
  name_or_path: my/model
lora: {}
training:
  num_train_epochs: 1
data:
  dataset_name_or_path: train.jsonl
"""


def refusal(text: str | bytes, tmp_path: Path) -> ConfigError:
    """Return the error with which `load_config` refuses a file that holds `text`."""
    path = tmp_path / "train.yaml"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert refused.value.source == str(path)
    assert str(path) in str(refused.value)
    return refused.value


def test_a_good_file_is_read_from_a_text_or_a_path_object(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(GOOD, encoding="utf-8")
    expected = ForgeConfig(
        model={"name_or_path": "my/model"},
        lora={},
        training={"num_train_epochs": 1},
        data={"dataset_name_or_path": "train.jsonl"},
    )
    assert load_config(str(path)) == load_config(path) == parse_config(GOOD) == expected
    assert load_config(path).training.model_fields_set == {"num_train_epochs"}


def test_each_problem_has_its_line_and_column_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("num_train_epochs: 1", "num_epochs: 1\n  warmup_ratio: 1.5") + "lr: 3\n"
    error = refusal(text.replace("lora: {}", "lora: {r: 0, target_modules: [a, 5]}"), tmp_path)
    lines = str(error).splitlines()
    assert lines[0] == f"5 problems in {tmp_path / 'train.yaml'}:"
    assert lines[1:] == [
        "  line 3, column 8: lora.r: must be at least 1; it is 0",
        "  line 3, column 34: lora.target_modules[1]: must be text, not a number; put it in quotes",
        "  line 5, column 3: training.num_epochs: unknown key; did you mean num_train_epochs?",
        "  line 6, column 3: training.warmup_ratio: must be at most 1; it is 1.5",
        "  line 9, column 1: lr: unknown key; did you mean training.learning_rate?",
    ]
    assert error.issues[0] == ("lora.r", "line 3, column 8: must be at least 1; it is 0")


def test_a_missing_key_is_placed_at_its_block(tmp_path: Path) -> None:
    error = refusal(GOOD.replace("name_or_path: my/model", "offline: true"), tmp_path)
    ((path, problem),) = error.issues
    assert path == "model.name_or_path"
    assert problem.startswith("line 1, column 1: is missing; add it.")


def test_a_key_written_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    error = refusal(GOOD + "lora: {r: 4}\ntraining: {r: 1, r: 2}\n", tmp_path)
    assert error.issues == (
        ("lora", "line 8, column 1: is written twice, first on line 3; keep one of them"),
        ("training", "line 9, column 1: is written twice, first on line 4; keep one of them"),
        ("training.r", "line 9, column 18: is written twice, first on line 9; keep one of them"),
    )


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/name:os.system",
        "!!python/tuple [a]",
        "!!binary aGk=",
        "!!timestamp 2026-01-01",
        "!!set {a}",
        "!include other.yaml",
        "!!int x",
    ],
)
def test_a_tag_is_refused_and_runs_nothing(value: str, tmp_path: Path) -> None:
    error = refusal(GOOD.replace("lora: {}", f"lora: {value}"), tmp_path)
    assert error.issues == (
        (
            "lora",
            "line 3, column 7: has a tag (a word that starts with !); write the plain value "
            "instead",
        ),
    )
    assert not Path("pwned").exists()


def test_standard_tags_are_read_as_what_they_say() -> None:
    text = GOOD.replace("lora: {}", "lora: !!map {r: !!int 4, task_type: !!str CAUSAL_LM}")
    assert parse_config(text + "evaluation: !!null ~\n").lora.r == 4


def test_scalars_are_read_as_people_mean_them() -> None:
    text = (
        GOOD + "evaluation: {auto_revert: on, require_human_approval: no, baseline_loss: 1_000}\n"
    )
    built = parse_config(
        text.replace("num_train_epochs: 1", "learning_rate: 2e-05\n  weight_decay: .5").replace(
            "lora: {}", "lora: {target_modules: [1e5x, 2026-01-01, 0x1F, 1:30, 007]}"
        )
    )
    assert built.training.learning_rate == 2e-5
    assert built.training.weight_decay == 0.5
    assert built.lora.target_modules == ["1e5x", "2026-01-01", "0x1F", "1:30", "007"]
    assert built.evaluation is not None
    assert built.evaluation.auto_revert
    assert not built.evaluation.require_human_approval
    assert built.evaluation.baseline_loss == 1000.0


@pytest.mark.parametrize(
    "value",
    [
        "true",
        "yes",
        "1:30",
        "0x10",
        "010",
        "9" * 5000,
        "-" + "9" * 30,
        ".inf",
        ".nan",
        "1e400",
        "''",
    ],
    ids=lambda value: value[:6],
)
def test_a_number_that_is_none_is_refused(value: str, tmp_path: Path) -> None:
    error = refusal(GOOD.replace("lora: {}", f"lora: {{r: {value}, alpha: {value}}}"), tmp_path)
    assert [path for path, _ in error.issues] == ["lora.r", "lora.alpha"]


@pytest.mark.parametrize("value", ["9" * 5000, ".inf", "-.inf", ".nan", "1e400"], ids=len)
def test_a_number_that_is_not_finite_is_refused(value: str, tmp_path: Path) -> None:
    error = refusal(
        GOOD.replace("num_train_epochs", "weight_decay").replace(": 1", f": {value}"), tmp_path
    )
    assert [path for path, _ in error.issues] == ["training.weight_decay"]


def test_aliases_and_merge_keys_are_read() -> None:
    text = GOOD.replace("lora: {}", "lora: {target_modules: &names [a, b]}") + (
        "pipeline:\n  stages:\n"
        "    - {name: one, lora: &base {r: 4, target_modules: *names}}\n"
        "    - {name: two, lora: {<<: *base, r: 5}}\n"
        "    - {name: three, lora: {<<: [{alpha: 7}, *base]}}\n"
    )
    pipeline = parse_config(text).pipeline
    assert pipeline is not None
    loras = [stage.lora for stage in pipeline.stages if stage.lora is not None]
    assert [(lora.r, lora.alpha) for lora in loras] == [(4, 16), (5, 16), (4, 7)]
    assert all(lora.target_modules == ["a", "b"] for lora in loras)
    assert loras[0].target_modules is not loras[1].target_modules


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def _deep_alias() -> str:
    lines = ["a0: &a0 " + "[" * 20 + "]" * 20]
    for level in range(1, 900):
        lines.append(f"a{level}: &a{level} [[[*a{level - 1}]]]")
    return "\n".join(lines)


HOSTILE = {
    "billion laughs": (_bomb(12), "more than 20000 values"),
    "aliases of aliases, deep": (_deep_alias(), "more than 32 levels deep"),
    "merge bomb": (
        "a0: &a0 {x: 1}\n"
        + "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)),
        "more than 20000 values",
    ),
    "an alias of itself": ("a: &a [*a]", "alias of itself"),
    "an alias of nothing": ("a: *b", "alias of nothing"),
    "an alias as a key": ("a: &a x\n*a : y", "alias as a key"),
    "200,000 keys": ("\n".join(f"k{n}:" for n in range(100_000)), "more than 20000 values"),
    "9,990 unknown keys": ("\n".join(f"k{n}: 1" for n in range(9_990)), "unknown key; remove it"),
    "deep flow lists": ("[" * 400_000, "more than 32 levels deep"),
    "deep block lists": ("- " * 400_000, "more than 32 levels deep"),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(1000)), "more than 32 levels deep"),
    "a long comment": ("#" + "x" * 999_000, "is empty"),
    "many comments": ("# x\n" * 240_000, "is empty"),
    "a long scalar": ("x" * 999_000, "must be a block of keys"),
    "too large": ("# " + "x" * 1_000_000, "larger than 1,000,000 bytes"),
    "a block as a key": ("? {a: b}\n: c", "as a key"),
    "a merge of text": ("lora: {<<: x}", "`<<` takes a block of keys"),
}


@pytest.mark.timeout(60)  # the hangs this guards against never ended
@pytest.mark.parametrize(("text", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_before_it_costs_anything(
    text: str, problem: str, tmp_path: Path
) -> None:
    error = refusal(text, tmp_path)
    assert any(problem in found for _, found in error.issues)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; write at least the blocks model, lora, training and data"),
        ("# only a comment\n---\n", "is empty; write at least"),
        ("- a\n- b\n", "line 1, column 1: must be a block of keys; write at least model"),
        ("just text", "line 1, column 1: must be a block of keys; write at least model"),
        (GOOD + "---\n" + GOOD, "line 8, column 1: is a second document; keep one"),
        ("model:\n  a: b: c\n", "line 2, column 7: is not valid YAML here: mapping values are not"),
        ("model:\n\tname: x\n", "line 2, column 1: is not valid YAML here: found character that"),
        ('model: "open\n', "is not valid YAML here: found unexpected end of stream"),
        ("model: [a\n", "is not valid YAML here: did not find expected ',' or ']'"),
        ("a: \x07\n", "is not valid YAML here: control characters are not allowed"),
        (b"model: \xff\xfe\n", "byte 7 is not UTF-8; save the file as UTF-8"),
        (GOOD.encode("utf-16"), "byte 0 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_with_the_next_step(
    text: str | bytes, problem: str, tmp_path: Path
) -> None:
    ((_, found),) = refusal(text, tmp_path).issues
    assert found.startswith(problem) or problem in found


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_config(path) == parse_config(GOOD)


def test_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert load_config(path) == parse_config(GOOD)


def test_a_missing_file_a_folder_and_a_bad_path_are_config_errors(tmp_path: Path) -> None:
    for path, problem in [
        (tmp_path / "none.yaml", "there is no such file; check the path"),
        (tmp_path, "is a folder; give the YAML file in it"),
        (str(tmp_path) + "/a\0b", "cannot be read: the path has a NUL character in it"),
    ]:
        with pytest.raises(ConfigError, match=re.escape(problem)) as refused:
            load_config(path)
        assert refused.value.source == str(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_and_a_device_are_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "train.yaml"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(ConfigError, match="is not a regular file; give a YAML file"):
            load_config(path)


def test_a_token_in_a_file_is_in_no_message(tmp_path: Path) -> None:
    token = "hf" + "_" + "plantedTokenOfTheTest"
    for block in (
        f"auth: {{hf_tokn: {token}}}",
        f"auth: [{token}]",
        f"auth: {{hf_token: !x {token}}}",
        f"auth: {{hf_token: {token}, hf_token: {token}}}",
        f"auth: {{hf_token: '{token}}}",
        f"auth: {{hf_token: {token}: {token}}}",
        f"{token}",
    ):
        assert token not in str(refusal(GOOD + block, tmp_path))
