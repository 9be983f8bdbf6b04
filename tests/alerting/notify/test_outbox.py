"""Delivery: in order, again and again until it is settled, and across restarts."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message
from alerting.notify.outbox import Outbox, Settlement
from core.tasks import Tasks
from tests.alerting.house import House, config_of, eventually, house
from tests.alerting.receiver import Receiver, receiving
from tests.fakes.clock import START, FakeClock, settle

if TYPE_CHECKING:
    import aiohttp

DELIVERED, RETRY, REJECTED = Attempt(Outcome.DELIVERED), Attempt(Outcome.RETRY, "no"), Attempt(Outcome.REJECTED, "bad")


class Script:
    """Answers in turn, and remembers what was sent when."""

    def __init__(self, clock: FakeClock, *answers: Attempt) -> None:
        self.clock, self.answers = clock, list(answers)
        self.sent: list[tuple[float, str]] = []

    async def send(self, _session: aiohttp.ClientSession, message: Message) -> Attempt:
        self.sent.append((round(self.clock.now() - START, 3), message.key))
        return self.answers.pop(0) if self.answers else DELIVERED


class Post:
    """An outbox with one scripted address."""

    def __init__(self, *answers: Attempt) -> None:
        self.clock = FakeClock()
        self.tasks = Tasks(self.clock)
        self.settled: list[Settlement] = []
        self.script = Script(self.clock, *answers)
        self.outbox = Outbox(
            self.clock,
            self.tasks,
            NotificationMeasurement(CollectorRegistry()),
            on_settled=self.settled.append,
            random=lambda: 1.0,
        )
        self.outbox.configure({("team", "webhook/0"): self.script})

    async def finish(self) -> None:
        await self.outbox.stop()
        await self.tasks.stop()


def message(key: str, group: str = "g", receiver: str = "team") -> Message:
    return Message(key, receiver, "webhook/0", group, "firing", "{}", START)


async def test_a_failed_delivery_is_tried_again_with_growing_pauses_and_the_same_key() -> None:
    post = Post(RETRY, RETRY, RETRY, DELIVERED)
    post.outbox.add([message("a")])
    await post.clock.advance(20)
    assert post.script.sent == [(0.0, "a"), (1.0, "a"), (3.0, "a"), (7.0, "a")]
    assert [(each.is_delivered, each.attempts) for each in post.settled] == [(True, 4)]
    assert post.outbox.deliveries() == []
    await post.finish()


async def test_a_message_that_waits_is_superseded_by_the_next_of_its_group_and_other_groups_do_not_wait() -> None:
    post = Post(RETRY)
    post.outbox.add([message("a1"), message("b1", "other")])
    await settle()
    post.outbox.add([message("a2")])
    assert post.script.sent == [(0.0, "a1"), (0.0, "b1")]
    (waiting,) = post.outbox.deliveries()
    assert (waiting.waiting, waiting.attempts, waiting.problem) == (1, 1, "no")
    await post.clock.advance(2)
    assert [key for _, key in post.script.sent] == ["a1", "b1", "a2"]
    settled = {each.message.key: (each.is_delivered, each.is_superseded) for each in post.settled}
    assert settled == {"a1": (False, True), "b1": (True, False), "a2": (True, False)}
    await post.finish()


async def test_a_message_that_is_under_way_is_not_superseded() -> None:
    post = Post()
    answer = asyncio.Event()

    async def send(_session: aiohttp.ClientSession, message: Message) -> Attempt:
        post.script.sent.append((0.0, message.key))
        await answer.wait()
        return DELIVERED

    post.script.send = send  # type: ignore[method-assign]
    post.outbox.add([message("a1")])
    await settle()
    post.outbox.add([message("a2"), message("a3")])
    answer.set()
    await settle()
    assert [key for _, key in post.script.sent] == ["a1", "a3"]
    assert [each.message.key for each in post.settled if each.is_delivered] == ["a1", "a3"]
    await post.finish()


async def test_the_receivers_own_pause_is_kept() -> None:
    post = Post(Attempt(Outcome.RETRY, "busy", retry_after=30))
    post.outbox.add([message("a")])
    await post.clock.advance(60)
    assert post.script.sent == [(0.0, "a"), (30.0, "a")]
    await post.finish()


async def test_what_is_rejected_is_settled_and_the_next_is_sent() -> None:
    post = Post(REJECTED)
    post.outbox.add([message("a")])
    await settle()
    post.outbox.add([message("b")])
    await settle()
    assert [(each.message.key, each.is_delivered) for each in post.settled] == [("a", False), ("b", True)]
    await post.finish()


async def test_what_waits_for_a_receiver_that_is_no_more_is_settled() -> None:
    post = Post()
    post.outbox.add([message("a", receiver="gone")])
    await settle()
    assert "not configured any more" in post.settled[0].detail
    await post.finish()


async def test_pauses_end_at_a_minute() -> None:
    post = Post(*[RETRY] * 100)
    post.outbox.add([message("a")])
    await post.clock.advance(3600)
    times = [at for at, _ in post.script.sent]
    assert max(later - sooner for sooner, later in pairwise(times)) == 60
    await post.finish()


async def test_stopping_leaves_no_task_behind() -> None:
    post = Post(*[RETRY] * 10)
    post.outbox.add([message("a"), message("b", "other")])
    await settle()
    await post.outbox.stop()
    await settle()
    assert post.tasks.names == []
    assert post.settled == []


RULES = """
groups:
  - name: g
    rules:
      - alert: Hot
        expr: heat > 5
        labels: {severity: critical, service: shop, environment: test}
      - {alert: Cold, expr: heat < 1}
"""


def config(receiver: Receiver, extra: str = "") -> str:
    return RULES + f"receivers: [{{name: team, webhook_configs: [{{url: '{receiver.url}'{extra}}}]}}]\n"


async def collect(here: House, **values: float) -> None:
    await here.clock.advance(1)
    here.feed(**values)
    await here.clock.advance(0.05)


async def drained(here: House) -> None:
    """Wait until everything is delivered and that is written down."""
    await eventually(lambda: not here.alerting.deliveries.waiting())
    assert await here.alerting._journal.flush(10)


async def test_a_transition_is_delivered_once_and_its_row_is_gone(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        await collect(here, heat=6)
        got = await receiver.next()
        assert got.summary == "firing: firing Hot"
        assert got.message["groupKey"] == '{}:{alertname="Hot", environment="test", service="shop"}'
        await collect(here, heat=3)
        assert (await receiver.next()).summary == "resolved: resolved Hot"
        await drained(here)
        kinds = [entry.kind for entry in await here.logbook.read(kind="notification.")]
        assert kinds == ["notification.sent", "notification.sent"]
        assert len(receiver.got) == 2


async def test_alerts_of_one_round_and_group_share_a_message(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        await collect(here, heat__n__1=6, heat__n__2=7, heat__n__3=0)
        assert {(await receiver.next()).summary, (await receiver.next()).summary} == {
            "firing: firing Hot, firing Hot",
            "firing: firing Cold",
        }
        await collect(here, heat__n__1=3, heat__n__2=7, heat__n__3=3)
        assert {(await receiver.next()).summary, (await receiver.next()).summary} == {
            "firing: resolved Hot, firing Hot",
            "resolved: resolved Cold",
        }
        await drained(here)
        assert len(receiver.got) == 4


async def test_a_lost_answer_is_sent_again_with_the_same_key(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        receiver.answers = ["hang up"]
        await collect(here, heat=6)
        first = await receiver.next()
        await eventually(lambda: bool(here.alerting.deliveries.waiting()[0].problem))
        await here.clock.advance(2)
        second = await receiver.next()
        assert (first.key, first.body) == (second.key, second.body)
        assert first.key
        await drained(here)


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with receiving() as receiver:
        text = config(receiver)
        receiver.answers = [503]
        async with house(tmp_path, config_of(text), clock=clock) as here:
            await collect(here, heat=6)
            first = await receiver.next()
            await here.told()
        async with house(tmp_path, config_of(text), clock=clock) as here:
            again = await receiver.next()
            assert (again.key, again.body) == (first.key, first.body)
            await collect(here, heat=3)
            assert (await receiver.next()).summary == "resolved: resolved Hot"
            await drained(here)
        async with house(tmp_path, config_of(text), clock=clock) as here:
            await here.told()
            assert receiver.arrived.empty()


async def test_ends_are_not_told_to_a_receiver_that_does_not_want_them(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver, ", send_resolved: false"))) as here:
        await collect(here, heat__n__1=6)
        await receiver.next()
        await collect(here, heat__n__1=3)
        await collect(here, heat__n__2=6)
        assert (await receiver.next()).summary == "firing: firing Hot"
        await drained(here)
        assert len(receiver.got) == 2


async def test_without_a_receiver_nothing_is_queued(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES + "receivers: [{name: nobody}]")) as here:
        await collect(here, heat=6)
        await here.told()
        assert here.alerting.deliveries.waiting() == []


async def test_a_rejected_message_is_logged_counted_and_kept_to_be_seen(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        receiver.answers = [web.Response(status=404, text="no such hook")]
        await collect(here, heat=6)
        await receiver.next()
        await drained(here)
        (entry,) = await here.logbook.read(kind="notification.")
        assert (entry.kind, entry.data["detail"]) == ("notification.failed", "status 404: no such hook")
        (rejection,) = await here.alerting.deliveries.rejected()
        assert (rejection.receiver, rejection.reason) == ("team", "status 404: no such hook")
        labels = {"receiver": "team", "outcome": "rejected"}
        assert here.registry.get_sample_value("watchkeeper_notification_failures_total", labels) == 1


async def test_it_is_sent_even_though_the_stop_comes_meanwhile(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with house(tmp_path, config_of(config(receiver))) as here:
            await collect(here, heat=6)
            await asyncio.wait_for(here.alerting.stop(), 5)
        async with house(tmp_path, config_of(config(receiver)), clock=here.clock) as here:
            await here.told()
        keys = [got.key for got in receiver.got]
        assert len(set(keys)) == 1
