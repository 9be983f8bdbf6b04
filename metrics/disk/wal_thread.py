"""The thread that writes: whoever has a frame hands it over and goes on, whatever the disk does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from metrics.disk.entry import Entry, size_of
from metrics.disk.wal import WalWriter

_log = logging.getLogger(__name__)

_BATCH_BYTES = 8 << 20
_MAX_WAITING_BYTES = 64 << 20


class WalThread:
    """Writes entries in the order in which they are put.

    While the disk refuses, entries wait, up to a bound; then the oldest are dropped and counted, and live in memory
    only until they are sealed. Nothing needs to be restarted when the disk takes writes again.

    Args:
        on_trouble: told why nothing can be written, and None when it can again; called in the thread.
        on_dropped: told how many entries will never be in the write-ahead file.
        retry_seconds: the pause after a refusal.
    """

    def __init__(
        self,
        writer: WalWriter,
        *,
        on_trouble: Callable[[OSError | None], None],
        on_dropped: Callable[[int], None],
        retry_seconds: float = 1.0,
        max_waiting_bytes: int = _MAX_WAITING_BYTES,
    ) -> None:
        self._writer = writer
        self._on_trouble = on_trouble
        self._on_dropped = on_dropped
        self._retry_seconds = retry_seconds
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[tuple[Entry, int]] = deque()
        self._waiting_bytes = 0
        self._put = self._done = 0
        self._stopping = False
        self._failing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="store-wal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, entry: Entry) -> int:
        """Hand over an entry, and return its number; may be called from any thread and does not wait."""
        size, dropped = size_of(entry), 0
        with self._changed:
            self._waiting.append((entry, size))
            self._waiting_bytes += size
            while self._waiting_bytes > self._max_waiting_bytes and len(self._waiting) > 1 and self._failing:
                self._waiting_bytes -= self._waiting.popleft()[1]
                self._done += 1
                dropped += 1
            self._put += 1
            number = self._put
            self._changed.notify_all()
        if dropped:
            self._on_dropped(dropped)
        return number

    def wait_written(self, timeout_seconds: float) -> bool:
        """Wait until all that was put before is in the file; tell whether it is."""
        with self._changed:
            number = self._put
            return self._changed.wait_for(lambda: self._done >= number, timeout_seconds) and not self._failing

    def stop(self, timeout_seconds: float) -> bool:
        """Write what waits, close the file and end the thread; tell whether all that was written in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._waiting and not self._thread.is_alive()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._write(batch)
        try:
            self._writer.close()
        except OSError as error:
            self._on_trouble(error)

    def _next_batch(self) -> list[Entry] | None:
        """Return what waits; None when there is nothing left to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping and (self._failing or not self._waiting):
                return None
            batch: list[Entry] = []
            size = 0
            for entry, entry_size in self._waiting:
                if batch and size + entry_size > _BATCH_BYTES:
                    break
                batch.append(entry)
                size += entry_size
            return batch

    def _write(self, batch: list[Entry]) -> None:
        # What is dropped while the write is under way is among the batch: the queue's own count tells what is left.
        with self._changed:
            first = self._done
        try:
            self._writer.append(batch)
        except OSError as error:
            self._fail(error)
            return
        with self._changed:
            while self._done < first + len(batch):
                self._waiting_bytes -= self._waiting.popleft()[1]
                self._done += 1
            failed, self._failing = self._failing, False
            self._changed.notify_all()
        if failed:
            self._on_trouble(None)

    def _fail(self, error: OSError) -> None:
        first = not self._failing
        self._failing = True
        if first:
            self._on_trouble(error)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, self._retry_seconds)
