from __future__ import annotations

from pathlib import Path
from typing import Any

from actions.deployment.router_collector import DURATION, REQUESTS, RouterCollector, samples_of
from actions.deployment.traffic.tally import Tally
from metrics.label import labels_of
from tests.actions.harness import Harness


def _counts() -> dict[str, Any]:
    tally = Tally()
    tally.add("1.0", 200, 0.004)
    tally.add("1.0", 500, 0.3)
    tally.add("", 503, 0.0)
    return tally.as_json()


def test_counts_become_series_with_the_labels_of_the_service() -> None:
    samples = dict(samples_of("shop", "production", {"team": "web"}, _counts()))
    base = {"service": "shop", "environment": "production", "team": "web"}
    assert samples[labels_of({**base, "__name__": REQUESTS, "revision": "1.0", "code": "500"})] == 1
    assert samples[labels_of({**base, "__name__": REQUESTS, "code": "503"})] == 1
    bucket = {**base, "__name__": DURATION + "_bucket", "revision": "1.0"}
    assert samples[labels_of({**bucket, "le": "0.005"})] == 1
    assert samples[labels_of({**bucket, "le": "1.0"})] == samples[labels_of({**bucket, "le": "+Inf"})] == 2
    assert samples[labels_of({**base, "__name__": DURATION + "_count", "revision": "1.0"})] == 2


async def test_layout_stays_the_same_while_the_series_do(harness: Harness, tmp_path: Path) -> None:
    del tmp_path
    site = harness.actions._sites.site("shop", "production")

    async def readings() -> dict[str, Any]:
        return _counts()

    site.router.readings_json = readings  # type: ignore[union-attr]
    collector = RouterCollector(lambda: [site])
    first, second = await collector.collect(), await collector.collect()
    assert len(first.layout) == len(first.values) == 3 + 2 * 14
    assert first.layout is second.layout


async def test_router_that_does_not_count_has_no_series(harness: Harness) -> None:
    collector = harness.actions.collectors()[0]
    assert len((await collector.collect()).layout) == 0
