"""Bringing samples to a receiver, whatever it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from core.db.database import Database
from core.tasks import Tasks
from exporters.remote_write.answer import Answer, Verdict
from exporters.remote_write.config import RemoteWriteConfig
from exporters.remote_write.endpoint import Endpoint
from exporters.remote_write.measurement import Measurement
from exporters.remote_write.position import MIGRATIONS
from metrics.remote_write.block import decompress
from tests.exporters.remote_write.test_request import frame, layout
from tests.fakes.clock import FakeClock
from tests.fakes.frame_log import FakeFrameLog
from tests.metrics.remote_write.oracle import WriteRequest

A = layout("a")
TAKEN = Answer(Verdict.TAKEN, 204)

Sample = tuple[str, float]


def in_body(body: bytes) -> list[Sample]:
    message = WriteRequest.FromString(decompress(body, 10**6))
    return [(one.labels[0].value, one.samples[0].value) for one in message.timeseries]


class FakePoster:
    """Answers as a test wants; keeps what it took."""

    def __init__(self) -> None:
        self.asked: list[list[Sample]] = []
        self.taken: list[Sample] = []
        self.answer: Callable[[list[Sample]], Answer] = lambda _samples: TAKEN
        self.is_closed = False

    async def post(self, body: bytes) -> Answer:
        samples = in_body(body)
        self.asked.append(samples)
        answer = self.answer(samples)
        if answer.verdict is Verdict.TAKEN:
            self.taken += samples
        return answer

    async def close(self) -> None:
        self.is_closed = True


class House:
    """An endpoint between a log and a receiver."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.tasks = Tasks(self.clock)
        self.database = Database(folder / "state.db", MIGRATIONS, clock=self.clock, tasks=self.tasks)
        self.log = FakeFrameLog()
        self.make()

    def make(self) -> None:
        """Be a new process over the same log and state."""
        self.log.held.clear()
        self.registry = CollectorRegistry()
        self.poster = FakePoster()
        queue = {"max_samples_per_send": 4, "max_shards": 2, "min_backoff": 1.0, "max_backoff": 8.0}
        config = RemoteWriteConfig.model_validate({"url": "http://x.test/", "name": "far", "queue_config": queue})
        self.endpoint = Endpoint(
            config, self.poster, self.log, self.database, clock=self.clock, tasks=self.tasks,
            measurement=Measurement(self.registry), external_labels={},
        )  # fmt: skip

    def write(self, *values: float) -> None:
        self.log.entries += [frame(A, len(self.log.entries) + i, value) for i, value in enumerate(values)]

    async def settle(self, reached: Callable[[], object], step: float = 1.0) -> None:
        """Let time pass, and threads work, until something is so."""
        for _ in range(500):
            if reached():
                return
            await self.clock.advance(step)
            await self.database.read(lambda _connection: None)  # a turn of the threads' pool
        raise AssertionError(f"in vain; asked: {self.poster.asked}")

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"watchkeeper_remote_write_{name}", {"remote_name": "far"})


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    one = House(tmp_path)
    await one.database.start()
    yield one
    await one.endpoint.stop()
    await one.database.stop()
    await one.tasks.stop()


async def test_everything_is_sent_in_order(house: House) -> None:
    house.write(*range(10))
    house.endpoint.start()
    await house.settle(lambda: len(house.poster.taken) == 10)
    house.write(10, 11)
    await house.settle(lambda: len(house.poster.taken) == 12)
    assert house.poster.taken == [("a", float(i)) for i in range(12)]
    await house.settle(lambda: (house.metric("highest_timestamp_sent_seconds") or 0) > 1_700_000_000.0105)
    assert (house.metric("samples_sent_total"), house.metric("samples_pending")) == (12, 0)


async def test_what_was_acknowledged_is_not_sent_again_after_a_restart(house: House) -> None:
    house.write(1, 2)
    house.endpoint.start()
    await house.settle(lambda: house.metric("caught_up_timestamp_seconds"))
    await house.endpoint.stop()
    house.write(3)
    house.make()
    house.endpoint.start()
    await house.settle(lambda: house.poster.taken)
    assert house.poster.taken == [("a", 3.0)]


async def test_a_receiver_that_is_down_is_tried_again_until_it_takes(house: House) -> None:
    house.poster.answer = lambda _samples: Answer(Verdict.RETRY, 503, "status 503")
    house.write(1, 2)
    house.endpoint.start()
    await house.settle(lambda: len(house.poster.asked) >= 5)
    assert house.endpoint.trouble == "cannot send, trying again: status 503"
    assert (house.metric("samples_pending"), house.metric("samples_sent_total")) == (2, 0)
    house.poster.answer = lambda _samples: TAKEN
    await house.settle(lambda: house.poster.taken)
    assert house.poster.taken == [("a", 1.0), ("a", 2.0)]
    assert house.endpoint.trouble == ""
    assert (house.metric("samples_retried_total") or 0) >= 10


async def test_a_receiver_is_left_alone_for_as_long_as_it_says(house: House) -> None:
    house.poster.answer = lambda _samples: Answer(Verdict.RETRY, 429, "status 429", 100.0)
    house.write(1)
    house.endpoint.start()
    await house.settle(lambda: house.poster.asked)
    asked_at = house.clock.now()
    await house.settle(lambda: len(house.poster.asked) == 2)
    assert house.clock.now() - asked_at >= 98.0


async def test_a_request_that_is_refused_is_taken_apart_so_that_only_the_bad_is_lost(house: House) -> None:
    house.poster.answer = lambda samples: Answer(Verdict.REFUSED, 400, "status 400") if ("a", 2.0) in samples else TAKEN
    house.write(1, 2, 3, 4)
    house.endpoint.start()
    await house.settle(lambda: house.metric("caught_up_timestamp_seconds"))
    assert house.poster.taken == [("a", 1.0), ("a", 3.0), ("a", 4.0)]
    assert house.metric("samples_dropped_total") == 1


async def test_a_receiver_that_refuses_everything_is_not_asked_for_each_part(house: House) -> None:
    house.poster.answer = lambda _samples: Answer(Verdict.REFUSED, 400, "status 400")
    house.write(*range(12))
    house.endpoint.start()
    await house.settle(lambda: house.metric("samples_dropped_total") == 12)
    assert len(house.poster.asked) == 7 + 2
    assert "refused for good" in house.endpoint.trouble


async def test_other_refusals_are_not_taken_apart(house: House) -> None:
    house.poster.answer = lambda _samples: Answer(Verdict.REFUSED, 401, "status 401")
    house.write(1, 2)
    house.endpoint.start()
    await house.settle(lambda: house.metric("samples_dropped_total") == 2)
    assert len(house.poster.asked) == 1


async def test_what_the_files_lost_is_counted(house: House) -> None:
    house.log.lost_bytes = 77
    house.endpoint.start()
    await house.settle(lambda: house.metric("lost_bytes_total"))
    assert house.metric("lost_bytes_total") == 77


async def test_nothing_is_released_before_it_is_acknowledged(house: House) -> None:
    house.poster.answer = lambda _samples: Answer(Verdict.RETRY, 503, "status 503")
    house.write(1, 2)
    house.endpoint.start()
    await house.settle(lambda: len(house.poster.asked) >= 3)
    assert house.log.held["remote_write/far"].offset == 0
    await house.endpoint.stop()
    assert house.poster.is_closed
