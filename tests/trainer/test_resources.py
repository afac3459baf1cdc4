"""What a run says that it used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm.trainer.outcome import EnergyMeter, hourly_price

if TYPE_CHECKING:
    from conftest import ConfigMaker, TrainedRun


def rapl_zone(root: Path, name: str, microjoules: int) -> Path:
    zone = root / name
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("10000000\n", encoding="ascii")
    (zone / "energy_uj").write_text(f"{microjoules}\n", encoding="ascii")
    return zone / "energy_uj"


def test_energy_of_all_packages_is_added_up_across_a_counter_that_turns_over(
    tmp_path: Path,
) -> None:
    first = rapl_zone(tmp_path, "intel-rapl:0", 9_000_000)
    second = rapl_zone(tmp_path, "intel-rapl:1", 1_000_000)
    part = rapl_zone(tmp_path, "intel-rapl:0:0", 0)
    meter = EnergyMeter(on_gpu=False, rapl_root=tmp_path)
    first.write_text("2600000\n", encoding="ascii")  # 3.6 J on: 1 J to the end and 2.6 J
    second.write_text("4600000\n", encoding="ascii")  # 3.6 J on
    part.write_text("3000000\n", encoding="ascii")  # is in the first package already
    energy = meter.stop()
    assert energy is not None
    assert energy.kwh == pytest.approx(2e-6)  # 7.2 J
    assert energy.source == "RAPL, the whole processor"


def test_energy_is_unknown_where_no_counter_can_be_read(tmp_path: Path) -> None:
    assert EnergyMeter(on_gpu=False, rapl_root=tmp_path).stop() is None


def test_a_run_says_its_memory_its_tokens_and_no_price_for_a_cpu(
    trained: TrainedRun, make_config: ConfigMaker, tmp_path: Path
) -> None:
    usage = trained.result.resource_usage
    assert usage is not None
    assert usage["tokens"] > 1_000
    assert usage["tokens_per_second"] == pytest.approx(
        usage["tokens"] / usage["training_duration_seconds"]
    )
    assert (usage["energy_kwh"] is None) == (usage["energy_source"] is None)
    if Path("/proc/self/status").exists():
        assert 0.1 < usage["peak_rss_gb"] < 64
    priced = make_config(tmp_path, training={"gpu_cost_per_hour": 3.0})
    assert hourly_price(priced, None) == (None, None)


def test_a_price_comes_from_the_user_or_from_a_named_source(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    priced = make_config(tmp_path, training={"gpu_cost_per_hour": 3.0})
    assert hourly_price(priced, "NVIDIA A10G") == (3.0, "training.gpu_cost_per_hour")
    price, source = hourly_price(make_config(tmp_path), "NVIDIA A10G")
    assert price == 1.006
    assert source == "EC2 on-demand price of a g5.xlarge, us-east-1, 2026"
    assert hourly_price(make_config(tmp_path), "A card of the year 2040") == (None, None)
