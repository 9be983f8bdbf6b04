"""Silences kept: durable before anybody is told that there is one, and quick to ask."""

from __future__ import annotations

import asyncio
import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Connection, text

from alerting.alert import Alert
from alerting.matcher import Matcher, matches
from alerting.silence import Silence, SilenceChange, SilenceState, decide, describe, ended, validate
from alerting.silence_index import SilenceIndex
from core.clock import Clock
from core.db.database import Database
from core.db.migration import Migration
from core.errors import ConflictError, NotFoundError
from core.logbook import Entry, Logbook
from metrics.storage import MatchOp

KEPT_SECONDS = 120 * 3600.0
"""So long a silence is remembered after its end, as Alertmanager's `--data.retention` has it."""

MAX_SILENCES = 10_000
"""So many silences, expired ones included, are kept at a time."""

MIGRATIONS = (
    Migration(
        "silences",
        1,
        (
            # Matchers are JSON: [[name, operator, value], …].
            "CREATE TABLE silence ("
            " id TEXT PRIMARY KEY, matchers TEXT NOT NULL, starts_at REAL NOT NULL, ends_at REAL NOT NULL,"
            " updated_at REAL NOT NULL, created_by TEXT NOT NULL, comment TEXT NOT NULL)",
        ),
    ),
)


class Silences:
    """All silences: pending, active, and those that expired lately.

    Args:
        on_changed: called after each change that is durable; must return soon. That a silence begins or ends by
            itself is no change: `next_change` says when that is.
    """

    name = "silences"

    def __init__(
        self,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        registry: CollectorRegistry,
        on_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._on_changed = on_changed
        self._silences: dict[str, Silence] = {}
        self._index = SilenceIndex()
        self._changing = asyncio.Lock()
        self._next: tuple[float, float | None] | None = None
        self._forget_at = 0.0
        gauge = Gauge("watchkeeper_silences", "Silences that are kept, by state.", ["state"], registry=registry)
        for state in SilenceState:
            gauge.labels(state.value).set_function(partial(self._count, state))

    async def start(self) -> None:
        """Read the silences that are kept.

        Raises: StoreUnavailableError: the state database cannot be read.
        """
        kept = await self._database.read(_load)
        now = self._clock.now()
        self._silences = {silence.id: silence for silence in kept if not _is_forgotten(silence, now)}
        self._next = None
        self._rebuild(now)

    async def stop(self) -> None:
        """Do nothing: every change was durable when it was told."""

    async def set(self, silence: Silence, actor: str) -> str:
        """Make a silence, or change the one of its id, and return the id of what there is then.

        A change that would rewrite the past (other matchers, another start of one that is active) ends the silence
        and makes a new one, whose id is returned.

        Args:
            silence: its id is empty for a new one; a start of 0 or in the past means now.
            actor: who did it, for the logbook.
        Raises: NotFoundError: there is none of this id. UserError: it is not valid. ConflictError: there are too
            many. StoreUnavailableError: it could not be made durable; then nothing is changed.
        """
        async with self._changing:
            now = self._clock.now()
            validate(silence, now)
            previous = self.get(silence.id) if silence.id else None
            change = decide(previous, silence, now, str(uuid.uuid4()))
            if change.is_new and len(self._silences) >= MAX_SILENCES and not self._forget(now):
                raise ConflictError(f"there are {MAX_SILENCES} silences already; wait until expired ones are forgotten")
            await self._write(change, actor, now)
            return change.saved.id

    async def expire(self, id_: str, actor: str) -> None:
        """End a silence now; one that is over stays as it is.

        Raises: NotFoundError: there is none of this id. StoreUnavailableError: it could not be made durable.
        """
        async with self._changing:
            now = self._clock.now()
            silence = self.get(id_)
            if silence.state(now) is not SilenceState.EXPIRED:
                await self._commit([ended(silence, now)], [self._entry("expired", ended(silence, now), actor)], now)

    def all(self) -> list[Silence]:
        """Return all silences, those that end first first."""
        now = self._clock.now()
        kept = (silence for silence in self._silences.values() if not _is_forgotten(silence, now))
        return sorted(kept, key=lambda silence: (silence.ends_at, silence.id))

    def get(self, id_: str) -> Silence:
        """Return one silence.

        Raises: NotFoundError: there is none of this id.
        """
        silence = self._silences.get(id_)
        if silence is None or _is_forgotten(silence, self._clock.now()):
            raise NotFoundError(f"silence {id_!r} is not known; it may have been forgotten after its end")
        return silence

    def mutes(self, labels: Mapping[str, str], now: float) -> tuple[str, ...]:
        """Return the sorted ids of the silences that keep an alert with these labels from being told now."""
        return self._index.active(labels, now)

    def preview(self, matchers: Sequence[Matcher], alerts: Iterable[Alert]) -> list[Alert]:
        """Return those of the alerts that a silence with these matchers would silence."""
        return [alert for alert in alerts if matches(matchers, alert.labels)]

    def next_change(self, now: float) -> float | None:
        """Return when the next silence begins or ends by itself (Unix seconds); None where none will."""
        if self._next is not None:
            since, until = self._next
            if since <= now and (until is None or now < until):
                return until
        moments = (moment for silence in self._silences.values() for moment in (silence.starts_at, silence.ends_at))
        self._next = now, min((moment for moment in moments if moment > now), default=None)
        return self._next[1]

    async def _write(self, change: SilenceChange, actor: str, now: float) -> None:
        entries = [self._entry("created" if change.is_new else "updated", change.saved, actor)]
        if change.ended is not None:
            entries.insert(0, self._entry("expired", change.ended, actor, replaced_by=change.saved.id))
        await self._commit([change.saved, *([change.ended] if change.ended else [])], entries, now)

    async def _commit(
        self, silences: Sequence[Silence], entries: Sequence[Callable[[Connection], Entry]], now: float
    ) -> None:
        def work(connection: Connection) -> None:
            _save(connection, silences, now)
            for entry in entries:
                entry(connection)

        await self._database.write(work)
        for silence in silences:
            self._silences[silence.id] = silence
            self._index.put(silence)
            self._forget_at = min(self._forget_at, silence.ends_at + KEPT_SECONDS)
        self._next = None
        self._forget(now)
        self._on_changed()

    def _entry(self, what: str, silence: Silence, actor: str, **more: Any) -> Callable[[Connection], Entry]:
        data = {
            "matchers": describe(silence),
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "created_by": silence.created_by,
            "comment": silence.comment,
            **more,
        }
        return self._logbook.appending(f"silence.{what}", f"silence/{silence.id}", data, actor=actor)

    def _forget(self, now: float) -> bool:
        """Forget the silences that ended long ago, and tell whether there were any."""
        if now < self._forget_at:
            return False
        old = [silence.id for silence in self._silences.values() if _is_forgotten(silence, now)]
        for id_ in old:
            del self._silences[id_]
        self._forget_at = min((one.ends_at for one in self._silences.values()), default=math.inf) + KEPT_SECONDS
        if old:
            self._rebuild(now)
        return bool(old)

    def _rebuild(self, now: float) -> None:
        alive = (silence for silence in self._silences.values() if silence.state(now) is not SilenceState.EXPIRED)
        self._index.rebuild(alive)

    def _count(self, state: SilenceState) -> int:
        now = self._clock.now()
        return sum(silence.state(now) is state for silence in self._silences.values())


def _is_forgotten(silence: Silence, now: float) -> bool:
    return silence.ends_at + KEPT_SECONDS <= now


def _load(connection: Connection) -> list[Silence]:
    rows = connection.execute(
        text("SELECT id, matchers, starts_at, ends_at, updated_at, created_by, comment FROM silence")
    )
    return [
        Silence(
            id=str(id_),
            matchers=tuple(Matcher(name, MatchOp(op), value) for name, op, value in json.loads(matchers)),
            starts_at=float(starts_at),
            ends_at=float(ends_at),
            updated_at=float(updated_at),
            created_by=str(created_by),
            comment=str(comment),
        )
        for id_, matchers, starts_at, ends_at, updated_at, created_by, comment in rows
    ]


def _save(connection: Connection, silences: Iterable[Silence], now: float) -> None:
    connection.execute(text("DELETE FROM silence WHERE ends_at <= :old"), {"old": now - KEPT_SECONDS})
    for silence in silences:
        connection.execute(
            text(
                "INSERT INTO silence (id, matchers, starts_at, ends_at, updated_at, created_by, comment)"
                " VALUES (:id, :matchers, :starts_at, :ends_at, :updated_at, :created_by, :comment)"
                " ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at,"
                " updated_at = excluded.updated_at, created_by = excluded.created_by, comment = excluded.comment"
            ),
            {
                "id": silence.id,
                "matchers": json.dumps([[m.name, m.op.value, m.value] for m in silence.matchers], ensure_ascii=False),
                "starts_at": silence.starts_at,
                "ends_at": silence.ends_at,
                "updated_at": silence.updated_at,
                "created_by": silence.created_by,
                "comment": silence.comment,
            },
        )
