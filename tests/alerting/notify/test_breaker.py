"""Circuit breakers, alone and around an integration."""

from __future__ import annotations

import asyncio
from typing import cast

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.breaker import FAILURES, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker, Circuit
from alerting.notify.guarded import Guarded
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from tests.alerting.notify.scene import notice
from tests.fakes.clock import START, FakeClock

SESSION = cast("aiohttp.ClientSession", None)
MESSAGE = Message("k", "team", "slack/0", "g", "firing", "{}", START)


def test_it_opens_after_some_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker = breaker.failed(10)
    assert breaker.circuit(10) is Circuit.CLOSED
    assert breaker.succeeded().failed(10).circuit(10) is Circuit.CLOSED
    assert breaker.failed(10).circuit(10) is Circuit.OPEN


def test_one_message_tries_an_open_one_after_its_pause() -> None:
    breaker = opened(at=10)
    due = 10 + FIRST_PAUSE_SECONDS
    assert breaker.wait(12) == due - 12
    assert breaker.circuit(due) is Circuit.HALF_OPEN
    assert breaker.trying().circuit(due) is Circuit.OPEN
    assert breaker.trying().gave_up().circuit(due) is Circuit.HALF_OPEN
    assert breaker.trying().succeeded() == Breaker()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["fail", "succeed", "stop"]), st.floats(0, 1000)), max_size=60))
def test_it_never_waits_longer_than_it_may_and_lets_one_at_a_time_try(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for what, passed in steps:
        now += passed
        assert 0 <= breaker.wait(now) <= LONGEST_PAUSE_SECONDS
        if breaker.circuit(now) is Circuit.OPEN:
            continue
        breaker = breaker.trying()
        if breaker.opened_at is not None:
            assert breaker.circuit(now) is Circuit.OPEN
        after = {"fail": breaker.failed(now), "succeed": breaker.succeeded(), "stop": breaker.gave_up()}
        breaker = after[what]
        assert not breaker.is_trying
        if what == "succeed":
            assert breaker.circuit(now) is Circuit.CLOSED


def opened(at: float) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker = breaker.failed(at)
    return breaker


class Flaky:
    """An integration that does what it is told."""

    name = "slack/0"
    send_resolved = True

    def __init__(self) -> None:
        self.outcome = Outcome.RETRY
        self.tries = 0
        self.hold: asyncio.Event | None = None

    def render(self, notice: Notice) -> str:
        return notice.group_key

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        self.tries += 1
        if self.hold is not None:
            await self.hold.wait()
        return Attempt(self.outcome, "no answer")


async def test_an_address_that_fails_is_left_alone_and_shown() -> None:
    clock, flaky, registry = FakeClock(), Flaky(), CollectorRegistry()
    guarded = Guarded(flaky, "team", clock, NotificationMeasurement(registry).circuits_open)

    def is_open() -> float | None:
        labels = {"receiver": "team", "integration": "slack/0"}
        return registry.get_sample_value("watchkeeper_notification_circuit_open", labels)

    assert is_open() == 0
    for _ in range(FAILURES):
        await guarded.send(SESSION, MESSAGE)
    assert is_open() == 1
    waited = await guarded.send(SESSION, MESSAGE)
    assert flaky.tries == FAILURES
    assert waited == Attempt(Outcome.RETRY, "no answer", FIRST_PAUSE_SECONDS)
    await clock.advance(FIRST_PAUSE_SECONDS)
    flaky.outcome = Outcome.DELIVERED
    assert (await guarded.send(SESSION, MESSAGE)).outcome is Outcome.DELIVERED
    assert is_open() == 0
    assert (guarded.name, guarded.send_resolved, guarded.render(notice())) == ("slack/0", True, notice().group_key)


async def test_a_refusal_is_an_answer() -> None:
    flaky = Flaky()
    flaky.outcome = Outcome.REJECTED
    guarded = Guarded(flaky, "team", FakeClock())
    for _ in range(FAILURES * 2):
        assert (await guarded.send(SESSION, MESSAGE)).outcome is Outcome.REJECTED
    assert flaky.tries == FAILURES * 2


async def test_a_trial_that_is_stopped_lets_the_next_one_try() -> None:
    clock, flaky = FakeClock(), Flaky()
    guarded = Guarded(flaky, "team", clock)
    for _ in range(FAILURES):
        await guarded.send(SESSION, MESSAGE)
    await clock.advance(FIRST_PAUSE_SECONDS)
    flaky.hold = asyncio.Event()
    trial = asyncio.create_task(guarded.send(SESSION, MESSAGE))
    await asyncio.sleep(0)
    assert (await guarded.send(SESSION, MESSAGE)).retry_after == 1
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    flaky.hold = None
    await guarded.send(SESSION, MESSAGE)
    assert flaky.tries == FAILURES + 2
