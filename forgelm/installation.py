"""What is installed here and what this machine can do, read without loading any of it."""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from forgelm._core import require
from forgelm._version import __version__
from forgelm.compliance import resolve_operator
from forgelm.errors import ConfigError
from forgelm.trainer.backend import Machine, free_disk_bytes, look_at_machine

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DoctorCheck", "DoctorReport", "doctor"]

_FOR_US = {"all", "dev", "docs"}
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_OTHER_SYSTEM = re.compile(r"sys_platform\s*==\s*['\"](\w+)['\"]")
_LITTLE_BYTES = 2_000_000_000


@dataclass(frozen=True)
class DoctorCheck:
    """One thing that was looked at.

    Attributes:
        name: What, for example "disk".
        status: "ok", "note" (good to know) or "problem" (training cannot work like this).
        message: What was found, and for a problem what to do.
    """

    name: str
    status: Literal["ok", "note", "problem"]
    message: str


@dataclass(frozen=True)
class DoctorReport:
    """What is installed, what the machine has, and what is in the way of a training.

    Attributes:
        checks: Everything that was looked at, in words.
        versions: Installed release by package, None for a package that is missing.
        missing: Packages that are missing, by extra; an extra that is complete has none.
        machine: Device and memory that a run would use.
        folder: Where runs would be written.
        free_disk_bytes: What is free on its disk.
        offline: The Hugging Face libraries are told to stay off the network.
        model_cache: Folder in which they keep what they fetched.
        operator: Who the audit log would name; None when nobody can be named.
    """

    checks: tuple[DoctorCheck, ...]
    versions: dict[str, str | None]
    missing: dict[str, tuple[str, ...]]
    machine: Machine
    folder: str
    free_disk_bytes: int
    offline: bool
    model_cache: str
    operator: str | None = field(default=None)

    @property
    def ok(self) -> bool:
        """Nothing that was looked at is in the way of a training."""
        return not any(check.status == "problem" for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the types of JSON."""
        return {"ok": self.ok, **asdict(self)}

    def to_frame(self) -> pd.DataFrame:
        """Return the checks as a table: name, status, message.

        Raises:
            OptionalDependencyError: pandas is not installed.
        """
        pandas = require("pandas", extra="notebook", feature="DoctorReport.to_frame()")
        rows = [asdict(check) for check in self.checks]
        frame: pd.DataFrame = pandas.DataFrame(rows, columns=["name", "status", "message"])
        return frame


def doctor(folder: str | os.PathLike[str] = ".", *, load_torch: bool = False) -> DoctorReport:
    """Return what is installed, what this machine has, and what is in the way of a training.

    Args:
        folder: Where runs would be written; it need not exist.
        load_torch: Also load PyTorch and ask it for its devices, which takes seconds.

    Example:
        >>> report = doctor()
        >>> [check.status for check in report.checks if check.name == "python"]
        ['ok']
    """
    place = Path(folder).expanduser().absolute()
    wanted = _extras()
    packages = {name for names in wanted.values() for name in names}
    versions = {name: _version(name) for name in sorted(packages)}
    missing = {
        extra: tuple(name for name in names if versions[name] is None)
        for extra, names in wanted.items()
    }
    operator, nobody = _operator()
    report = DoctorReport(
        checks=(),
        versions=versions,
        missing=missing,
        machine=look_at_machine(),
        folder=str(place),
        free_disk_bytes=free_disk_bytes(place),
        offline=_offline(),
        model_cache=str(_model_cache()),
        operator=operator,
    )
    checks = (*_checks(report, nobody), *(_torch_checks() if load_torch else ()))
    return DoctorReport(**{**vars(report), "checks": checks})


def _checks(report: DoctorReport, nobody: str) -> Iterator[DoctorCheck]:
    system = f"{platform.system()} {platform.machine()}"
    python = f"Python {platform.python_version()} on {system}, forgelm {__version__}"
    yield DoctorCheck("python", "ok", python)
    yield from _package_checks(report.missing, report.versions)
    machine = report.machine
    free = f", {_size(machine.free_bytes)} free" if machine.free_bytes is not None else ""
    status: Literal["ok", "note"] = "note" if machine.device == "cpu" else "ok"
    yield DoctorCheck("device", status, f"{machine.device} ({machine.name}){free}")
    yield _disk_check(report.free_disk_bytes)
    yield _write_check(Path(report.folder))
    said = "on: nothing is fetched" if report.offline else "off: models and data may be fetched"
    yield DoctorCheck("offline mode", "ok", said)
    there = "" if Path(report.model_cache).is_dir() else ", which does not exist yet"
    yield DoctorCheck("model cache", "ok", f"{report.model_cache}{there}")
    if report.operator is None:
        yield DoctorCheck("operator", "problem", nobody)
    else:
        yield DoctorCheck("operator", "ok", f"the audit log names {report.operator}")
    keyed = bool(os.environ.get("FORGELM_AUDIT_SECRET"))
    words = "set" if keyed else "not set: entries are chained but carry no HMAC"
    yield DoctorCheck("FORGELM_AUDIT_SECRET", "ok" if keyed else "note", words)


def _package_checks(
    missing: Mapping[str, tuple[str, ...]], versions: Mapping[str, str | None]
) -> Iterator[DoctorCheck]:
    if not missing:
        text = "forgelm runs from its sources, so its extras cannot be known"
        yield DoctorCheck("packages", "note", text)
    for extra, names in missing.items():
        if names:
            status: Literal["note", "problem"] = "problem" if extra == "train" else "note"
            text = f"{', '.join(names)} not installed; pip install 'forgelm[{extra}]'"
            yield DoctorCheck(f"extra {extra}", status, text)
        else:
            yield DoctorCheck(f"extra {extra}", "ok", "complete")
    for name in ("torch", "transformers", "trl"):
        if release := versions.get(name):
            yield DoctorCheck(name, "ok", release)


def _disk_check(free_bytes: int) -> DoctorCheck:
    if free_bytes < _LITTLE_BYTES:
        text = f"only {_size(free_bytes)} free; a checkpoint of a small model needs more"
        return DoctorCheck("disk", "problem", text)
    return DoctorCheck("disk", "ok", f"{_size(free_bytes)} free")


def _write_check(folder: Path) -> DoctorCheck:
    """Try it: what the mode bits say is not what a read-only mount or a quota does."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        text = f"{existing}: {error.strerror or error}; choose another training.output_dir"
        return DoctorCheck("write rights", "problem", text)
    return DoctorCheck("write rights", "ok", f"files can be written in {existing}")


def _torch_checks() -> Iterator[DoctorCheck]:
    torch = require("torch", extra="train", feature="Looking at PyTorch")
    yield DoctorCheck("PyTorch", "ok", f"{torch.__version__} loads")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    yield DoctorCheck("CUDA", "ok" if count else "note", f"{count} devices that PyTorch can use")


def _extras() -> dict[str, list[str]]:
    """Return the packages of each extra of this installation, itself left out."""
    try:
        lines = requires("forgelm") or []
    except PackageNotFoundError:
        return {}
    extras: dict[str, list[str]] = {}
    for line in lines:
        package, extra, system = (p.search(line) for p in (_REQUIREMENT, _EXTRA, _OTHER_SYSTEM))
        if package is None or extra is None or extra[1] in _FOR_US or package[0] == "forgelm":
            continue
        names = extras.setdefault(extra[1], [])
        if system is None or system[1] == platform.system().lower():
            names.append(package[0])
    return extras


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _operator() -> tuple[str | None, str]:
    try:
        return resolve_operator(), ""
    except ConfigError as error:
        return None, str(error)


def _offline() -> bool:
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return any(os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"} for name in names)


def _model_cache() -> Path:
    """Return the folder, by the rules of huggingface_hub."""
    named = os.environ.get("HF_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("HF_HOME", f"{caches}/huggingface"), "hub").expanduser()


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f} GB"
