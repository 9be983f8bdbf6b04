from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from collectors.collector import Readings
from collectors.context import CollectorContext
from collectors.system import SystemPlugin
from collectors.system.config import SystemConfig
from collectors.system.plugin import SystemCollector
from core.clock import SystemClock
from metrics.label import format_labels


@pytest.fixture
def context() -> CollectorContext:
    return CollectorContext(SystemClock(), 15.0, 10.0, Path(), CollectorRegistry(), "host")


def series_of(readings: Readings) -> dict[str, float]:
    return dict(zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True))


async def test_this_machine_is_measured_as_psutil_sees_it(context: CollectorContext) -> None:
    [collector] = SystemPlugin().build(SystemPlugin.config_default, context)
    series = series_of(await collector.collect())
    assert series["node_memory_MemTotal_bytes"] == psutil.virtual_memory().total
    assert series["node_boot_time_seconds"] == pytest.approx(psutil.boot_time(), abs=1)
    assert series["node_time_seconds"] == pytest.approx(time.time(), abs=5)
    idle = [value for name, value in series.items() if name.startswith("node_cpu_seconds") and 'mode="idle"' in name]
    assert sum(idle) == pytest.approx(psutil.cpu_times().idle, abs=5)
    assert series["node_processes_pids"] == pytest.approx(len(psutil.pids()), abs=50)


async def test_a_steady_machine_keeps_its_layout_and_costs_little(context: CollectorContext) -> None:
    [collector] = SystemPlugin().build(SystemPlugin.config_default, context)
    first = await collector.collect()
    costs = []
    for _ in range(5):
        before = time.process_time()
        readings = await collector.collect()
        costs.append(time.process_time() - before)
    assert readings.layout is first.layout
    assert min(costs) <= 0.010


async def test_without_proc_psutil_tells_the_essential(context: CollectorContext, tmp_path: Path) -> None:
    readings = await SystemCollector(SystemConfig(), context, proc=tmp_path, sys_folder=tmp_path).collect()
    names = {dict(labels)["__name__"] for labels in readings.layout.series}
    assert names >= {
        "node_cpu_seconds_total",
        "node_load1",
        "node_memory_MemTotal_bytes",
        "node_memory_MemAvailable_bytes",
        "node_boot_time_seconds",
        "node_time_seconds",
        "node_uname_info",
        "node_processes_pids",
    }


def test_turned_off_there_is_no_collector(context: CollectorContext) -> None:
    assert SystemPlugin().build(SystemConfig(enabled=False), context) == []


def test_its_own_interval_wins_over_the_global_one_and_bounds_the_timeout(context: CollectorContext) -> None:
    config = SystemConfig.model_validate({"interval": "2s"})
    [collector] = SystemPlugin().build(config, context)
    assert (collector.interval_seconds, collector.timeout_seconds) == (2.0, 2.0)


def test_a_broken_pattern_is_refused_with_its_reason() -> None:
    with pytest.raises(ValidationError, match=r"'\^\(lo' is no regular expression: missing \)"):
        SystemConfig.model_validate({"network_devices_exclude": "^(lo"})
