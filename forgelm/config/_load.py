"""Reading a configuration from a YAML file or from text."""

from __future__ import annotations

import os
import stat

from pydantic import ValidationError

from forgelm.config._problems import Issue, build_config_error, dotted
from forgelm.config._root import ForgeConfig
from forgelm.config._yaml import Finding, Node, UnreadableError, locate, read_tree, to_plain
from forgelm.errors import ConfigError

__all__ = ["load_config", "parse_config"]

_MAX_BYTES = 1_000_000
_TOO_LARGE = f"is larger than {_MAX_BYTES:,} bytes; no configuration is"
_SHOWN = 100
_BINARY = getattr(os, "O_BINARY", 0)  # Windows: read line ends as they are
_MINIMUM = "write at least the blocks model, lora, training and data"


def load_config(path: str | os.PathLike[str]) -> ForgeConfig:
    """Return the checked configuration in the YAML file at `path`.

    Raises:
        ConfigError: The file cannot be read or is not a valid configuration. Every problem is
            listed, with its line and column.
    """
    source = os.fsdecode(path)
    data = _read_bounded(source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8; save the file as UTF-8"
        raise _unreadable(source, problem) from None
    return parse_config(text, source=source)


def parse_config(text: str, *, source: str | None = None) -> ForgeConfig:
    """Return the checked configuration in YAML `text`.

    Args:
        text: The YAML document.
        source: What to call it in messages, for example a file name.

    Raises:
        ConfigError: Every problem, with its line and column.

    Example:
        >>> config = parse_config('''
        ... model: {name_or_path: my/model}
        ... lora: {r: 16}
        ... training: {}
        ... data: {dataset_name_or_path: train.jsonl}
        ... ''')
        >>> config.lora.r
        16
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        problem = f"character {error.start} is half of a surrogate pair; remove it"
        raise _unreadable(source, problem) from None
    if size > _MAX_BYTES:
        raise _unreadable(source, _TOO_LARGE)
    try:
        root, findings = read_tree(text)
    except UnreadableError as problem:
        stopped = problem.finding
    else:
        if root is None or root.value is None:
            raise _unreadable(source, f"is empty; {_MINIMUM}")
        config, found = _check(root)
        if config is not None and not findings:
            return config
        raise _located(findings + found, source)
    raise _located([stopped], source)


def _check(root: Node) -> tuple[ForgeConfig | None, list[Finding]]:
    try:
        return ForgeConfig.model_validate(to_plain(root)), []
    except ConfigError as error:
        cause = error.__cause__
    lines = cause.errors(include_input=False) if isinstance(cause, ValidationError) else []
    issues = [Issue(line["loc"], line["type"], line["msg"]) for line in lines]
    return None, [Finding(issue, locate(root, issue.loc)) for issue in issues]


def _located(findings: list[Finding], source: str | None) -> ConfigError:
    """Return the error that lists `findings` in the order of the file."""
    text_itself = {f.issue.loc for f in findings if f.issue.kind in {"tag", "merge"}}
    kept = [
        f
        for f in sorted(findings, key=lambda finding: finding.place)
        if f.issue.kind in {"tag", "merge"}
        or not any(f.issue.loc[: len(loc)] == loc for loc in text_itself)
    ]
    issues, lines = [], []
    for (loc, kind, text), (line, column) in kept:
        where = f"line {line}, column {column}"
        issues.append(Issue(loc, kind, f"{where}: {text}"))
        lines.append(f"  {where}: {f'{dotted(loc)}: ' if loc else ''}{text}")
    count = f"{len(kept)} problem{'s' if len(kept) != 1 else ''}"
    head = f"{count} in {source or 'the configuration'}:"
    rest = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    message = "\n".join([head, *lines[:_SHOWN], *rest])
    return build_config_error(issues, message=message, source=source)


def _unreadable(source: str | None, problem: str) -> ConfigError:
    message = f"{source or 'the configuration'}: {problem}"
    return build_config_error([Issue((), "file", problem)], message=message, source=source)


def _read_bounded(source: str) -> bytes:
    """Read a regular file of a sane size; nothing else is waited for or read."""
    try:
        # without O_NONBLOCK, opening a FIFO waits for a writer
        handle = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError
            if not stat.S_ISREG(mode):
                raise _unreadable(source, "is not a regular file; give a YAML file")
            with os.fdopen(handle, "rb", closefd=False) as stream:
                data = stream.read(_MAX_BYTES + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise _unreadable(source, "there is no such file; check the path") from None
    except IsADirectoryError:
        raise _unreadable(source, "is a folder; give the YAML file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path has a NUL character in it"
        raise _unreadable(source, f"cannot be read: {reason}; check path and rights") from None
    if len(data) > _MAX_BYTES:
        raise _unreadable(source, _TOO_LARGE)
    return data
