"""The changes of the last while, in memory, so that a suspect is named in the very first notification."""

from __future__ import annotations

import logging
from collections import deque

from alerting.incident_change import CHANGE_KINDS, Change, changes_in
from core.clock import Clock
from core.errors import StoreUnavailableError
from core.logbook import Entry, Logbook
from core.tasks import OnCrash, Tasks

_log = logging.getLogger(__name__)

KEPT_SECONDS = 86_400.0
KEPT_ENTRIES = 500


class RecentChanges:
    """Reads the logbook's news whenever it is told that there may be some."""

    def __init__(self, logbook: Logbook, clock: Clock, tasks: Tasks) -> None:
        self._logbook = logbook
        self._clock = clock
        self._tasks = tasks
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._changes: list[Change] = []
        self._last = 0
        self._reading = False
        self._again = False

    async def restore(self) -> None:
        """Read the changes of the last while.

        Raises: StoreUnavailableError.
        """
        now = self._clock.now()
        await self._read_news()
        self._take([entry for entry in self._entries if entry.time >= now - KEPT_SECONDS], anew=True)

    def look(self) -> None:
        """Read what is new in the logbook, soon; cheap, from the event loop."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        self._tasks.spawn(self._read, name="recent-changes", on_crash=OnCrash.FORGET)

    def all(self) -> list[Change]:
        """Return the changes that are known, oldest first."""
        return self._changes

    async def _read(self) -> None:
        try:
            self._again = True
            while self._again:
                self._again = False
                await self._read_news()
        except StoreUnavailableError as error:
            _log.warning("recent changes are not known: %s", error)
        finally:
            self._reading = False

    async def _read_news(self) -> None:
        newest = await self._logbook.read(limit=1, newest=True)
        news: list[Entry] = []
        for kind in CHANGE_KINDS:
            news += await self._logbook.read(after=self._last, kind=kind, limit=KEPT_ENTRIES, newest=True)
        self._last = max([self._last, *(entry.number for entry in (*newest, *news))])
        self._take(sorted(news, key=lambda entry: entry.number))

    def _take(self, entries: list[Entry], *, anew: bool = False) -> None:
        if anew:
            self._entries.clear()
        self._entries.extend(entry for entry in entries if entry.kind != "operation.step")
        self._changes = changes_in(self._entries)
