"""Keeps what short jobs push, and gives it to the store again and again, as if it were scraped.

A push is answered when it is durable, and is in the store at once. A group that nobody pushes any more expires; its
series then end by a staleness marker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import random

from prometheus_client import CollectorRegistry, Counter, Gauge

from collectors.push.config import PushConfig
from collectors.push.group import Group, InconsistentError, read_push
from collectors.push.table import delete_group, load_groups, save_group
from core.backoff import backoff_seconds
from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError, UserError
from core.tasks import Tasks, cancel_and_wait
from metrics.frame import Frame, Layout
from metrics.label import Labels

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Kept:
    """A group with the layout of its frames and the time of the last one."""

    group: Group
    layout: Layout
    last_ms: int = 0


class PushDoor:
    """Takes pushes.

    Args:
        interval_seconds: how often the store gets the samples of every group.
        on_frame, on_end: told, in the event loop, what arrived and what ended.
    """

    name = "push door"

    def __init__(
        self,
        config: PushConfig,
        database: Database,
        *,
        interval_seconds: float,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[str, int], None],
    ) -> None:
        self._config = config
        self._database = database
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._tasks = tasks
        self._on_frame = on_frame
        self._on_end = on_end
        self._groups: dict[str, _Kept] = {}
        self._loaded = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._pushes = Counter(
            "watchkeeper_pushes_total", "Pushes of short jobs, by what became of them.", ["result"], registry=registry
        )
        groups = Gauge("watchkeeper_push_groups", "Groups of pushed metrics that are kept.", registry=registry)
        groups.set_function(lambda: float(len(self._groups)))

    def apply(self, config: PushConfig, interval_seconds: float) -> None:
        """Follow a config."""
        self._config, self._interval_seconds = config, interval_seconds

    @property
    def max_body_size(self) -> int:
        """The most bytes that a push may have."""
        return self._config.max_body_size

    async def start(self) -> None:
        """Begin to give the groups to the store, those that an earlier process was given among them."""
        self._task = self._tasks.spawn(self._run, name="push-door")

    async def stop(self) -> None:
        """End; the groups stay in the state database."""
        task, self._task = self._task, None
        await cancel_and_wait(task)

    async def push(self, grouping: Labels, body: bytes, content_type: str, *, replace_all: bool) -> None:
        """Take a push; it is durable and in the store when this returns.

        Args:
            replace_all: whether it takes the place of everything in its group, or only of the families that it brings.
        Raises:
            UserError: it cannot be read, is inconsistent, or there are too many groups; nothing of it was taken.
            StoreUnavailableError: it could not be made durable.
        """
        result = "refused"
        try:
            await self._push(grouping, body, content_type, replace_all)
            result = "taken"
        except StoreUnavailableError:
            result = "not_durable"
            raise
        finally:
            self._pushes.labels(result).inc()

    async def delete(self, grouping: Labels) -> None:
        """Forget a group; does nothing where there is none.

        Raises: StoreUnavailableError: it could not be made durable.
        """
        async with self._ready():
            await self._forget(Group(grouping).source)

    async def _push(self, grouping: Labels, body: bytes, content_type: str, replace_all: bool) -> None:
        limit = self._config.max_samples
        failure: InconsistentError | None = None
        try:
            pushed = await asyncio.to_thread(read_push, body, content_type, grouping, max_samples=limit)
        except InconsistentError as error:
            failure = error
        async with self._ready():
            group = self._group(grouping)
            if failure is not None:
                await self._keep(group.failed(self._clock.now()))
                raise failure
            after = group.pushed(pushed, self._clock.now(), replace_all=replace_all)
            if sum(map(len, after.content.samples.values())) > limit:
                raise UserError(f"the group would have more than {limit} samples (push.max_samples); replace it by PUT")
            await self._keep(after)

    def _ready(self) -> _Ready:
        return _Ready(self._loaded, self._lock)

    def _group(self, grouping: Labels) -> Group:
        group = Group(grouping)
        kept = self._groups.get(group.source)
        if kept is not None:
            return kept.group
        if len(self._groups) >= self._config.max_groups:
            remedy = "delete groups, or raise push.max_groups"
            raise UserError(f"there are {len(self._groups)} groups of pushed metrics already; {remedy}")
        return group

    async def _keep(self, group: Group) -> None:
        await self._database.write(lambda connection: save_group(connection, group))
        kept = self._groups.get(group.source)
        if kept is None:
            kept = self._groups[group.source] = _Kept(group, group.layout())
        elif kept.group.content is not group.content:
            layout = group.layout()
            kept.layout = kept.layout if layout.series == kept.layout.series else layout
        kept.group = group
        self._give(kept)

    async def _forget(self, source: str) -> None:
        if source not in self._groups:
            return
        await self._database.write(lambda connection: delete_group(connection, source))
        kept = self._groups.pop(source)
        self._on_end(source, max(self._now_ms(), kept.last_ms + 1))

    def _give(self, kept: _Kept) -> None:
        kept.last_ms = max(self._now_ms(), kept.last_ms + 1)
        self._on_frame(kept.group.frame(kept.layout, kept.last_ms))

    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    async def _run(self) -> None:
        if not self._loaded.is_set():
            await self._load()
        while True:
            await self._round()
            await self._clock.sleep(self._interval_seconds)

    async def _load(self) -> None:
        failures = 0
        while True:
            try:
                groups = await self._database.read(load_groups)
                break
            except StoreUnavailableError as error:
                failures += 1
                _log.error("pushed metrics wait for the state database: %s", error)
                await self._clock.sleep(backoff_seconds(failures, cap_seconds=5.0, random=random))
        self._groups = {group.source: _Kept(group, group.layout()) for group in groups}
        self._loaded.set()

    async def _round(self) -> None:
        async with self._lock:
            oldest = self._clock.now() - self._config.expiry
            for source, kept in list(self._groups.items()):
                if kept.group.touched_at >= oldest:
                    self._give(kept)
                    continue
                try:
                    await self._forget(source)
                except StoreUnavailableError as error:
                    _log.warning("%s has expired and cannot be removed now: %s", source, error)


class _Ready:
    """Waits until the groups are loaded, then holds the lock."""

    def __init__(self, loaded: asyncio.Event, lock: asyncio.Lock) -> None:
        self._loaded = loaded
        self._lock = lock

    async def __aenter__(self) -> None:
        await self._loaded.wait()
        await self._lock.acquire()

    async def __aexit__(self, *_error: object) -> None:
        self._lock.release()
