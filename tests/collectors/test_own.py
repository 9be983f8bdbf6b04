from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collectors.context import CollectorContext
from collectors.own import OwnPlugin
from metrics.frame import MetricType
from metrics.label import format_labels
from tests.fakes.clock import FakeClock


async def test_own_metrics_are_read_as_they_stand_in_the_text_format() -> None:
    registry = CollectorRegistry()
    Counter("watchkeeper_things_total", "Things.", ["kind"], registry=registry).labels("a").inc(3)
    Gauge("watchkeeper_level", "Level.", registry=registry).set(0.5)
    Histogram("watchkeeper_wait_seconds", "Wait.", registry=registry, buckets=(1.0,)).observe(0.5)
    context = CollectorContext(FakeClock(), 15.0, 10.0, Path(), registry, "host")
    [collector] = OwnPlugin().build(OwnPlugin.config_default, context)

    readings = await collector.collect()

    series = dict(zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True))
    assert series == {
        'watchkeeper_things_total{kind="a"}': 3.0,
        "watchkeeper_level": 0.5,
        'watchkeeper_wait_seconds_bucket{le="1.0"}': 1.0,
        'watchkeeper_wait_seconds_bucket{le="+Inf"}': 1.0,
        "watchkeeper_wait_seconds_count": 1.0,
        "watchkeeper_wait_seconds_sum": 0.5,
    }
    assert readings.families["watchkeeper_things_total"].type is MetricType.COUNTER
    assert readings.families["watchkeeper_wait_seconds"].type is MetricType.HISTOGRAM
    assert (await collector.collect()).layout is readings.layout
    assert collector.target_labels == {"job": "watchkeeper", "instance": "host"}
    assert not collector.exported
