"""Targets that come and go while the manager runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import CollectorRegistry

from collectors.collector import Collector
from collectors.discovery.discovery import Discovered, Offer, Provider
from collectors.discovery.group import DiscoveryError, TargetGroup, group_of
from collectors.manager import CollectorManager
from core.tasks import Tasks
from metrics.frame import Frame
from tests.collectors.fake_collector import FakeCollector
from tests.fakes.clock import FakeClock


class FakeProvider:
    def __init__(self, *addresses: str, signature: object = "same") -> None:
        self.name = "file_sd/0"
        self.signature = signature
        self.refresh_seconds = 5.0
        self.addresses: tuple[str, ...] = addresses
        self.error = ""
        self.looks = 0
        self.closed = 0

    async def refresh(self) -> Discovered:
        self.looks += 1
        if self.error:
            raise DiscoveryError(self.error)
        return Discovered((group_of(self.addresses, {}),))

    async def close(self) -> None:
        self.closed += 1


class FakeDiscovery:
    interval_seconds = 10.0
    timeout_seconds = 5.0

    def __init__(self, job: str, *providers: FakeProvider, signature: object = "same") -> None:
        self.job = job
        self.signature = signature
        self.providers: Sequence[Provider] = providers
        self.made: dict[str, FakeCollector] = {}

    def offer(self, groups: Sequence[TargetGroup]) -> Offer:
        found = [target["__address__"] for group in groups for target in group.targets]
        wanted = [address for address in found if not address.startswith("no")]
        self.made = {one: self.made.get(one) or FakeCollector(f"{self.job}/{one}", exported=False) for one in wanted}
        collectors: tuple[Collector, ...] = tuple(self.made.values())
        dropped = tuple({"__address__": one} for one in found if one.startswith("no"))
        return Offer(collectors, dropped, len(dropped))


class House:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tasks = Tasks(self.clock)
        self.registry = CollectorRegistry()
        self.frames: list[Frame] = []
        self.ended: list[str] = []
        self.manager = CollectorManager(
            self.clock, self.tasks, self.registry, self.frames.append, lambda source, _ms: self.ended.append(source)
        )

    def sources(self) -> list[str]:
        return [status.source for status in self.manager.targets() if status.plugin != "discovery"]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.manager.start()
    yield house
    await house.manager.stop()
    await house.tasks.stop()
    assert house.tasks.names == []


async def test_targets_appear_and_vanish_and_those_that_stay_are_not_touched(house: House) -> None:
    provider = FakeProvider("a", "b")
    discovery = FakeDiscovery("shop", provider)
    house.manager.apply([FakeCollector("system")], [discovery])
    assert house.sources() == ["system"]
    await house.clock.advance(1)
    assert house.sources() == ["shop/a", "shop/b", "system"]
    kept = discovery.made["b"]
    provider.addresses = ("b", "c")
    await house.clock.advance(30)
    assert house.sources() == ["shop/b", "shop/c", "system"]
    assert house.ended == ["shop/a"]
    assert discovery.made["b"] is kept
    assert (kept.closed, kept.begun) == (0, 3)
    assert house.metric("watchkeeper_discovery_targets", scrape_job="shop", state="active") == 2.0


async def test_a_failure_keeps_the_last_targets_and_shows(house: House) -> None:
    provider = FakeProvider("a")
    house.manager.apply([], [FakeDiscovery("shop", provider)])
    await house.clock.advance(1)
    provider.error = "the inventory is away"
    await house.clock.advance(5)
    assert house.sources() == ["shop/a"]
    assert house.ended == []
    shown = next(status for status in house.manager.targets() if status.plugin == "discovery")
    assert (shown.source, shown.health) == ("discovery/shop/file_sd/0", "down")
    assert shown.last_error == "the inventory is away"
    assert house.metric("watchkeeper_discovery_up", scrape_job="shop", discovery="file_sd/0") == 0.0
    assert house.metric("watchkeeper_discovery_failures_total", mechanism="file_sd") == 1.0
    provider.error = ""
    await house.clock.advance(5)
    assert house.manager.discoveries()[0].health == "up"


async def test_dropped_targets_are_there_for_people_to_see(house: House) -> None:
    house.manager.apply([], [FakeDiscovery("shop", FakeProvider("no1", "a"))])
    await house.clock.advance(1)
    assert house.manager.offers()["shop"].dropped == ({"__address__": "no1"},)


async def test_a_reload_that_changes_nothing_leaves_everything_running(house: House) -> None:
    first, second = FakeProvider("a"), FakeProvider("a")
    house.manager.apply([], [FakeDiscovery("shop", first)])
    await house.clock.advance(1)
    house.manager.apply([], [FakeDiscovery("shop", second)])
    await house.clock.advance(20)
    assert (first.looks, second.looks) == (5, 0)
    assert (first.closed, second.closed) == (0, 1)
    assert house.ended == []


async def test_what_an_unchanged_provider_found_outlives_a_change_of_its_job(house: House) -> None:
    house.manager.apply([], [FakeDiscovery("shop", FakeProvider("a"))])
    await house.clock.advance(1)
    changed = FakeDiscovery("shop", FakeProvider("a"), signature="other")
    house.manager.apply([], [changed])
    assert house.sources() == ["shop/a"]
    assert house.ended == []
    await house.clock.advance(5)
    assert house.sources() == ["shop/a"]


async def test_the_targets_of_a_job_end_with_it(house: House) -> None:
    provider = FakeProvider("a")
    house.manager.apply([], [FakeDiscovery("shop", provider)])
    await house.clock.advance(1)
    house.manager.apply([], [])
    await house.clock.advance(1)
    assert house.ended == ["shop/a"]
    assert house.manager.targets() == []
    assert provider.closed == 1
    assert house.metric("watchkeeper_discovery_targets", scrape_job="shop", state="active") is None
    assert house.metric("watchkeeper_discovery_up", scrape_job="shop", discovery="file_sd/0") is None
