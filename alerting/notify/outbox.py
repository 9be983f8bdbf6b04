"""The queue of messages that wait to be delivered, and the tries to deliver them.

A message is in the state database before it comes here, and stays there until its settlement (delivered or rejected)
is committed; so a crash at any point leaves it to be sent, at worst once more with the same key. Messages of one
receiver and group go out in order, one at a time; other groups and receivers do not wait for them. A message that is
not under way when the next one of its group comes is superseded by it: what is told is how things are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import random as chance
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, text

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message
from core.backoff import backoff_seconds
from core.clock import Clock
from core.tasks import OnCrash, Tasks

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)

BASE_SECONDS = 1.0
CAP_SECONDS = 60.0
IN_FLIGHT_PER_ADDRESS = 8
FAILED_KEPT = 100

Lane = tuple[str, str, str]
Address = tuple[str, str]


class Sender(Protocol):
    """Delivers a message to one address."""

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Try once."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a message: delivered, rejected for good, or superseded by a newer one of its group."""

    message: Message
    is_delivered: bool
    attempts: int
    detail: str
    is_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the delivery of a lane's first message goes; for people."""

    receiver: str
    group_key: str
    waiting: int
    attempts: int
    problem: str
    oldest_at: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message that its receiver would not take; for people. Times are Unix seconds."""

    receiver: str
    group_key: str
    status: str
    created_at: float
    failed_at: float
    reason: str


class Outbox:
    """Delivers messages until each is settled.

    Args:
        on_settled: gets each settlement, to be made durable.
        on_failed: gets a message after each try that failed and will be followed by another.
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        measurement: NotificationMeasurement,
        *,
        on_settled: Callable[[Settlement], None],
        on_failed: Callable[[Message], None] = lambda _: None,
        random: Callable[[], float] = chance,
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._measurement = measurement
        self._on_settled = on_settled
        self._on_failed = on_failed
        self._random = random
        self._senders: Mapping[Address, Sender] = {}
        self._lanes: dict[Lane, deque[Message]] = {}
        self._drains: dict[Lane, asyncio.Task[None]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._slots: dict[Address, asyncio.Semaphore] = {}
        self._problems: dict[Lane, tuple[int, str]] = {}
        self._under_way: dict[Lane, Message] = {}
        self._session: aiohttp.ClientSession | None = None
        self._is_stopping = False

    def configure(self, senders: Mapping[Address, Sender]) -> None:
        """Deliver by these from now on; what waits for an address that is no more is rejected."""
        self._senders = dict(senders)
        for receiver, _ in senders:
            self._measurement.show_receiver(receiver)

    def add(self, messages: Iterable[Message]) -> None:
        """Deliver messages that are in the state database."""
        for message in messages:
            waiting = self._lanes.setdefault(message.lane, deque())
            self._supersede(message.lane, waiting)
            waiting.append(message)
            self._measurement.queued.inc()
            self._drain(message.lane)

    def deliveries(self) -> list[Delivery]:
        """Return what waits, lane by lane."""
        found = []
        for lane, waiting in self._lanes.items():
            attempts, problem = self._problems.get(lane, (0, ""))
            found.append(Delivery(lane[0], lane[2], len(waiting), attempts, problem, waiting[0].created_at))
        return found

    async def stop(self, grace_seconds: float = 1.5) -> None:
        """Stop sending; answers that are under way have `grace_seconds` to come."""
        self._is_stopping = True
        for lane, task in list(self._drains.items()):
            if task not in self._sending:
                task.cancel()
                self._drains.pop(lane, None)
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _supersede(self, lane: Lane, waiting: deque[Message]) -> None:
        """Drop what waits in a lane, but for a message that is under way."""
        under_way = self._under_way.get(lane)
        for message in [message for message in waiting if message is not under_way]:
            waiting.remove(message)
            attempts, problem = self._problems.get(lane, (0, ""))
            self._measurement.queued.dec()
            self._measurement.superseded.labels(message.receiver).inc()
            self._on_settled(Settlement(message, False, attempts, problem, is_superseded=True))

    def _drain(self, lane: Lane) -> None:
        if lane not in self._drains and not self._is_stopping:
            name = f"notify/{lane[0]}/{lane[1]}"
            self._drains[lane] = self._tasks.spawn(
                lambda: self._deliver_lane(lane), name=name, on_crash=OnCrash.RESTART
            )

    async def _deliver_lane(self, lane: Lane) -> None:
        waiting = self._lanes[lane]
        attempts = 0
        while waiting and not self._is_stopping:
            attempts += 1
            message, attempt = await self._attempt(lane, waiting)
            if attempt.outcome is Outcome.RETRY:
                self._note_failure(message, attempts, attempt)
                pause = backoff_seconds(
                    attempts, base_seconds=BASE_SECONDS, cap_seconds=CAP_SECONDS, random=self._random
                )
                if not self._is_stopping:
                    await self._clock.sleep(max(pause, attempt.retry_after))
                continue
            waiting.popleft()
            self._settle(message, attempts, attempt)
            attempts = 0
        if not waiting:
            del self._lanes[lane]
        self._problems.pop(lane, None)
        self._drains.pop(lane, None)

    async def _attempt(self, lane: Lane, waiting: deque[Message]) -> tuple[Message, Attempt]:
        address = lane[0], lane[1]
        slots = self._slots.setdefault(address, asyncio.Semaphore(IN_FLIGHT_PER_ADDRESS))
        async with slots:
            message = waiting[0]  # only now, because a newer one may have come while all slots were taken
            sender = self._senders.get(address)
            if sender is None:
                return message, Attempt(Outcome.REJECTED, "the receiver is not configured any more")
            task = asyncio.current_task()
            assert task is not None
            self._sending.add(task)
            self._under_way[lane] = message
            try:
                return message, await sender.send(self._client(), message)
            finally:
                self._sending.discard(task)
                del self._under_way[lane]

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp  # noqa: PLC0415 - a client is only needed where a receiver is

            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _note_failure(self, message: Message, attempts: int, attempt: Attempt) -> None:
        self._measurement.notification_failures.labels(message.receiver, attempt.outcome.value).inc()
        before = self._problems.get(message.lane)
        self._problems[message.lane] = attempts, attempt.detail
        if before is None or before[1] != attempt.detail:
            _log.warning("notification to %s: %s; it will be tried again", message.receiver, attempt.detail)
        self._on_failed(message)

    def _settle(self, message: Message, attempts: int, attempt: Attempt) -> None:
        is_delivered = attempt.outcome is Outcome.DELIVERED
        self._measurement.queued.dec()
        if is_delivered:
            self._measurement.notifications.labels(message.receiver).inc()
            self._measurement.delivery_duration.observe(max(0.0, self._clock.now() - message.created_at))
        else:
            self._measurement.notification_failures.labels(message.receiver, attempt.outcome.value).inc()
            _log.error("notification to %s was rejected and is given up: %s", message.receiver, attempt.detail)
        self._problems.pop(message.lane, None)
        self._on_settled(Settlement(message, is_delivered, attempts, attempt.detail))


def save_messages(connection: Connection, messages: Iterable[Message]) -> None:
    """Write messages that are to be delivered."""
    for message in messages:
        connection.execute(
            text(
                "INSERT OR IGNORE INTO notification"
                " (key, receiver, integration, group_key, status, body, created_at)"
                " VALUES (:key, :receiver, :integration, :group_key, :status, :body, :created_at)"
            ),
            {
                name: getattr(message, name)
                for name in ("key", "receiver", "integration", "group_key", "status", "body", "created_at")
            },
        )


def save_settlements(connection: Connection, settlements: Iterable[Settlement], now: float) -> None:
    """Write what became of messages: a delivered one is gone (the logbook has it), a rejected one stays to be seen."""
    for settlement in settlements:
        values = {"key": settlement.message.key, "now": now, "failure": settlement.detail}
        if settlement.is_delivered or settlement.is_superseded:
            connection.execute(text("DELETE FROM notification WHERE key = :key"), values)
        else:
            connection.execute(
                text("UPDATE notification SET failed_at = :now, failure = :failure WHERE key = :key"), values
            )
            kept = "SELECT number FROM notification WHERE failed_at IS NOT NULL ORDER BY number DESC LIMIT :limit"
            connection.execute(
                text(f"DELETE FROM notification WHERE failed_at IS NOT NULL AND number NOT IN ({kept})"),
                {"limit": FAILED_KEPT},
            )


def load_undelivered(connection: Connection) -> list[Message]:
    """Return the messages that an earlier process did not settle, in order."""
    query = (
        "SELECT key, receiver, integration, group_key, status, body, created_at, number FROM notification"
        " WHERE failed_at IS NULL ORDER BY number"
    )
    return [Message(*row) for row in connection.execute(text(query))]


def load_rejected(connection: Connection, limit: int) -> list[Rejection]:
    """Return the messages that receivers would not take, newest first."""
    query = (
        "SELECT receiver, group_key, status, created_at, failed_at, failure FROM notification"
        " WHERE failed_at IS NOT NULL ORDER BY number DESC LIMIT :limit"
    )
    return [Rejection(*row) for row in connection.execute(text(query), {"limit": limit})]


def message_entry(settlement: Settlement) -> dict[str, object]:
    """Return what the logbook keeps of a settlement."""
    message = settlement.message
    return {
        "key": message.key,
        "receiver": message.receiver,
        "integration": message.integration,
        "group": message.group_key,
        "status": message.status,
        "attempts": settlement.attempts,
        "detail": settlement.detail,
    }
