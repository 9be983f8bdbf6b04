"""Side by side with the real node_exporter: whatever is exported has its name, type and labels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collectors.collector import Readings
from collectors.context import CollectorContext
from collectors.system import SystemPlugin
from collectors.system.config import SystemConfig
from core.clock import SystemClock
from metrics.frame import MetricType
from metrics.label import METRIC_NAME
from tests.collectors.peer import free_port, get, parse_text, running
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("prometheus-node-exporter")]

SLOW_MOVING = re.compile(
    r"node_(memory_(MemTotal|SwapTotal|HugePages_Total|Hugepagesize)(_bytes)?|boot_time_seconds|uname_info"
    r"|filesystem_(size_bytes|files|readonly|device_error)|filefd_maximum|network_(up|mtu_bytes|speed_bytes|carrier)"
    r"|processes_max_\w+|nf_conntrack_entries_limit|timex_(sync_status|frequency\w+|tai\w+))"
)
GROWING = re.compile(
    r"node_(cpu_seconds_total|disk_(reads|writes)_completed_total|disk_(read|written)_bytes_total|intr_total"
    r"|context_switches_total|forks_total|network_\w+_bytes_total|memory_MemAvailable_bytes|filesystem_free_bytes)"
)


async def beside_node_exporter() -> tuple[
    Readings, dict[str, str], dict[tuple[str, frozenset[tuple[str, str]]], float]
]:
    port = free_port()
    config = SystemConfig()
    argv = [
        require("prometheus-node-exporter"),
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.processes",
        f"--collector.filesystem.mount-points-exclude={config.mountpoints_exclude}",
        f"--collector.filesystem.fs-types-exclude={config.filesystem_types_exclude}",
        f"--collector.diskstats.device-exclude={config.disks_exclude}",
        f"--collector.netdev.device-exclude={config.network_devices_exclude}",
    ]
    context = CollectorContext(SystemClock(), 15.0, 10.0, Path(), CollectorRegistry(), "host")
    [collector] = SystemPlugin().build(config, context)
    async with running(argv, f"http://127.0.0.1:{port}/"):
        readings = await collector.collect()
        types, samples = parse_text(get(f"http://127.0.0.1:{port}/metrics"))
    await collector.close()
    return readings, types, samples


async def test_names_types_labels_and_values_agree_with_node_exporter() -> None:
    readings, types, samples = await beside_node_exporter()
    ours = {
        (dict(labels)[METRIC_NAME], frozenset(pair for pair in labels if pair[0] != METRIC_NAME)): value
        for labels, value in zip(readings.layout.series, readings.values.tolist(), strict=True)
    }
    assert len(ours) > 150
    assert set(ours) <= set(samples), f"not known to node_exporter: {set(ours) - set(samples)}"

    told = {MetricType.UNTYPED: "untyped"}
    for family in readings.families.values():
        assert types[family.name] == told.get(family.type, family.type.value), family.name

    compared = 0
    for key, value in ours.items():
        if SLOW_MOVING.fullmatch(key[0]):
            assert value == pytest.approx(samples[key], rel=1e-9), key
            compared += 1
        elif GROWING.fullmatch(key[0]):
            assert value == pytest.approx(samples[key], rel=0.1, abs=2e6 if "bytes" in key[0] else 1000), key
            compared += 1
    assert compared > 40
