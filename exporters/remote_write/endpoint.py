"""Brings everything that is stored to one receiver: read, send in shards, note how far, read on.

A shard sends its requests one after the other, so each series arrives in order. What was read is acknowledged as a
whole before the next is read; a crash therefore sends at most that much once more.
"""

from __future__ import annotations

import asyncio
import logging
from random import random

from core.backoff import backoff_seconds
from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError
from core.tasks import Tasks, cancel_and_wait
from exporters.remote_write.answer import Answer, Verdict
from exporters.remote_write.client import Poster
from exporters.remote_write.config import RemoteWriteConfig
from exporters.remote_write.log import BEGINNING, FrameLog, reader_name
from exporters.remote_write.measurement import Measurement
from exporters.remote_write.position import load_position, save_position
from exporters.remote_write.request import Request, Splitter
from metrics.disk.wal import Position
from metrics.relabel_config import rules_of

_log = logging.getLogger(__name__)

_BYTES_PER_SAMPLE = 8
_TAKE_APART_AGAIN_SECONDS = 60.0


class Endpoint:
    """One receiver.

    Args:
        external_labels: added to every series that has none of the name.
    """

    def __init__(
        self, config: RemoteWriteConfig, poster: Poster, log: FrameLog, database: Database, *, clock: Clock,
        tasks: Tasks, measurement: Measurement, external_labels: dict[str, str],
    ) -> None:  # fmt: skip
        self.name = config.key
        self.reader = reader_name(config.key)
        self._queue = config.queue_config
        self._poster = poster
        self._source = log
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._measurement = measurement
        self._external_labels = external_labels
        self._rules = rules_of(config.write_relabel_configs)
        self._position: Position | None = None
        self._splitter = self._new_splitter()
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""
        self._whole_until = 0.0

    def start(self) -> None:
        """Begin to send."""
        self._measurement.sent.labels(self.name)
        self._measurement.dropped.labels(self.name)
        self._task = self._tasks.spawn(self._run, name=f"remote-write-{self.name}")

    async def stop(self) -> None:
        """End; what is under way may be sent once more after the next start."""
        task, self._task = self._task, None
        await cancel_and_wait(task)
        await self._poster.close()

    @property
    def trouble(self) -> str:
        """Why nothing can be sent now; empty while all is well."""
        return self._trouble

    async def _run(self) -> None:
        self._splitter = self._new_splitter()
        while True:
            position = self._position or await self._load_position()
            taken = await self._send_next(position)
            if taken < self._queue.max_samples_per_send:
                self._measurement.reached.labels(self.name).set(self._clock.now())
                await self._clock.sleep(self._queue.batch_send_deadline)

    async def _send_next(self, position: Position) -> int:
        """Send what comes next and return how many samples that were."""
        most = self._queue.capacity * _BYTES_PER_SAMPLE
        unread = await asyncio.to_thread(self._source.read_wal, self.reader, position, most)
        if unread.lost_bytes:
            self._measurement.lost_bytes.labels(self.name).inc(unread.lost_bytes)
            _log.error("remote_write %s: %d bytes of samples are lost and cannot be sent", self.name, unread.lost_bytes)
        if unread.before is not None:
            self._splitter.resume(unread.before)
        shards = await asyncio.to_thread(self._splitter.requests, unread.entries)
        total = sum(request.samples for shard in shards for request in shard)
        if total:
            await self._send(shards, total)
        if unread.position != position:
            await self._save_position(unread.position)
        self._position = unread.position
        return total

    async def _send(self, shards: list[list[Request]], total: int) -> None:
        pending = self._measurement.pending.labels(self.name)
        pending.set(total)
        self._measurement.shards.labels(self.name).set(len(shards))
        async with asyncio.TaskGroup() as group:
            for shard in shards:
                group.create_task(self._send_in_order(shard))
        pending.set(0)
        newest = max(request.newest_ms for shard in shards for request in shard)
        self._measurement.newest.labels(self.name).set(newest / 1000)

    async def _send_in_order(self, requests: list[Request]) -> None:
        for request in requests:
            if not await self._deliver(request):
                # A receiver that takes nothing of it need not be asked again for each part of the next ones.
                self._whole_until = self._clock.monotonic() + _TAKE_APART_AGAIN_SECONDS
            self._measurement.pending.labels(self.name).dec(request.samples)

    async def _deliver(self, request: Request) -> bool:
        """Send a request until it is taken or refused, and tell whether any of it was taken.

        Some receivers refuse all of a request for one sample that they do not like, such as one that came before a
        crash of ours: what is refused is taken apart, so that no other sample is lost.
        """
        answer = await self._post_until_answered(request)
        if answer.verdict is Verdict.TAKEN:
            self._measurement.sent.labels(self.name).inc(request.samples)
            self._note("")
            return True
        halves = request.halves()
        if halves is not None and (
            answer.status == 413 or (answer.status == 400 and self._clock.monotonic() >= self._whole_until)
        ):
            taken = [await self._deliver(half) for half in halves]
            return any(taken)
        self._measurement.dropped.labels(self.name).inc(request.samples)
        self._note(f"{request.samples} samples refused for good, {answer.reason}")
        return False

    async def _post_until_answered(self, request: Request) -> Answer:
        body = await asyncio.to_thread(request.body)
        failures = 0
        while True:
            started = self._clock.monotonic()
            answer = await self._poster.post(body)
            self._measurement.duration.labels(self.name).observe(self._clock.monotonic() - started)
            if answer.verdict is not Verdict.TAKEN:
                self._measurement.failed.labels(self.name).inc(request.samples)
            if answer.verdict is not Verdict.RETRY:
                return answer
            failures += 1
            self._note(f"cannot send, trying again: {answer.reason}")
            self._measurement.retried.labels(self.name).inc(request.samples)
            pause = backoff_seconds(
                failures, base_seconds=self._queue.min_backoff, cap_seconds=self._queue.max_backoff, random=random
            )
            await self._clock.sleep(max(pause, answer.retry_after_seconds))

    async def _load_position(self) -> Position:
        failures = 0
        while True:
            try:
                found = await self._database.read(lambda connection: load_position(connection, self.name))
            except StoreUnavailableError as error:
                failures += 1
                self._note(f"waiting for the state database: {error}")
                await self._clock.sleep(backoff_seconds(failures, cap_seconds=5.0, random=random))
            else:
                return found or BEGINNING

    async def _save_position(self, position: Position) -> None:
        try:
            await self._database.write(lambda connection: save_position(connection, self.name, position))
        except StoreUnavailableError as error:
            # It goes on: should it crash now, some samples are sent once more.
            self._note(f"what was sent cannot be noted: {error}")

    def _new_splitter(self) -> Splitter:
        queue = self._queue
        return Splitter(
            self._external_labels,
            max_samples=queue.max_samples_per_send,
            max_shards=queue.max_shards,
            rules=self._rules,
        )

    def _note(self, trouble: str) -> None:
        """Log a trouble when it is news, and its end."""
        if trouble and trouble != self._trouble:
            _log.warning("remote_write %s: %s", self.name, trouble)
        elif not trouble and self._trouble:
            _log.info("remote_write %s: samples are taken again", self.name)
        self._trouble = trouble
