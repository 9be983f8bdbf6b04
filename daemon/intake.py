"""Where samples come in that nobody asked for: others send them, and the rules that read them run at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collectors.remote_write.receiver import Receipt, Receiver
from metrics.frame import Frame

AT_ONCE = 2
"""Requests that are worked on at the same time; the threads are shared with the state database."""


class Intake:
    """Gives what others send to the store, then tells alerting.

    Args:
        arrived: told, in the event loop, what is in the store now.
    """

    def __init__(self, receiver: Receiver, *, arrived: Callable[[Frame], None]) -> None:
        self._receiver = receiver
        self._arrived = arrived
        self._turn = asyncio.Semaphore(AT_ONCE)

    @property
    def max_body_size(self) -> int:
        """The most bytes that the body of a remote write request may have."""
        return self._receiver.config.max_body_size

    async def write(self, body: bytes) -> Receipt:
        """Take a remote write request.

        Raises: UserError: the body is damaged or too large; nothing of it was taken.
        """
        async with self._turn:
            receipt = await asyncio.to_thread(self._receiver.take, body)
        for frame in receipt.touched:
            self._arrived(frame)
        return receipt
