"""Pushed groups: kept, given to the store again and again, expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collectors.push.config import PushConfig
from collectors.push.door import PushDoor
from collectors.push.table import MIGRATIONS
from core.db.database import Database
from core.errors import StoreUnavailableError, UserError
from core.tasks import Tasks
from metrics.frame import Frame
from metrics.label import labels_of, metric_name
from tests.fakes.clock import FakeClock, settle

GROUPING = labels_of({"job": "backup"})


class House:
    """A door over a state database."""

    def __init__(self, folder: Path, clock: FakeClock | None = None, **config: float) -> None:
        self.clock = clock or FakeClock()
        self.tasks = Tasks(self.clock)
        self.registry = CollectorRegistry()
        self.database = Database(folder / "state.db", MIGRATIONS, clock=self.clock, tasks=self.tasks)
        self.frames: list[Frame] = []
        self.ended: list[tuple[str, int]] = []
        self.door = PushDoor(
            PushConfig.model_validate({"expiry": 100.0, **config}), self.database, interval_seconds=15.0,
            clock=self.clock, tasks=self.tasks, registry=self.registry, on_frame=self.frames.append,
            on_end=lambda source, ms: self.ended.append((source, ms)),
        )  # fmt: skip

    async def start(self) -> None:
        await self.database.start()
        await self.door.start()
        await self.door._loaded.wait()

    async def stop(self) -> None:
        await self.door.stop()
        await self.database.stop()
        await self.tasks.stop()

    async def push(self, text: str, *, put: bool = True) -> None:
        await self.door.push(GROUPING, text.encode(), "", replace_all=put)

    def names(self) -> list[str]:
        return [metric_name(labels) for labels in self.frames[-1].layout.series][:-2]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    one = House(tmp_path)
    await one.start()
    yield one
    await one.stop()


async def test_a_push_is_in_the_store_at_once_and_every_interval(house: House) -> None:
    await house.push("a 1\n")
    assert [frame.source for frame in house.frames] == ["push/backup"]
    await house.clock.advance(31)
    assert len(house.frames) == 3
    assert len({frame.layout for frame in house.frames}) == 1
    times = [frame.timestamp_ms for frame in house.frames]
    assert times == sorted(set(times))


async def test_groups_survive_a_restart(tmp_path: Path) -> None:
    before = House(tmp_path)
    await before.start()
    await before.push("a 1\n")
    await before.push("b 2\n", put=False)
    await before.stop()
    after = House(tmp_path, before.clock)
    await after.start()
    await settle()
    assert after.names() == ["a", "b"]
    await after.stop()


async def test_a_group_that_nobody_pushes_expires(house: House) -> None:
    await house.push("a 1\n")
    await house.clock.advance(90)
    assert house.ended == []
    while not house.ended:
        await house.clock.advance(15)
    assert house.ended[0][0] == "push/backup"
    assert house.ended[0][1] > house.frames[-1].timestamp_ms
    assert (
        await house.database.read(lambda connection: connection.exec_driver_sql("SELECT * FROM push_group").all()) == []
    )


async def test_a_deleted_group_ends(house: House) -> None:
    await house.push("a 1\n")
    await house.door.delete(GROUPING)
    await house.door.delete(GROUPING)
    assert [source for source, _ in house.ended] == ["push/backup"]
    await house.clock.advance(60)
    assert len(house.frames) == 1


async def test_a_refused_push_leaves_the_group_as_it_was_and_notes_the_time(house: House) -> None:
    await house.push("a 1\n")
    with pytest.raises(UserError):
        await house.push("a 1 1700000000000\n")
    assert house.names() == ["a"]
    assert house.frames[-1].values[-1] == house.clock.now()
    value = house.registry.get_sample_value("watchkeeper_pushes_total", {"result": "refused"})
    assert value == 1


async def test_too_many_groups_and_samples_are_refused(tmp_path: Path) -> None:
    house = House(tmp_path, max_groups=1, max_samples=2)
    await house.start()
    await house.push("a 1\n")
    with pytest.raises(UserError, match=r"raise push\.max_groups"):
        await house.door.push(labels_of({"job": "other"}), b"a 1\n", "", replace_all=True)
    with pytest.raises(UserError, match=r"more than 2 samples \(push\.max_samples\)"):
        await house.push("b 1\nc 1\n", put=False)
    assert house.names() == ["a"]
    await house.stop()


async def test_what_cannot_be_made_durable_is_not_taken(house: House) -> None:
    await house.database.stop()
    with pytest.raises(StoreUnavailableError):
        await house.push("a 1\n")
    assert house.frames == []
