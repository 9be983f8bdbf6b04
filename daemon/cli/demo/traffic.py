"""Steady traffic through the router, with an exact account of what came back."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

REQUESTS_PER_SECOND = 40
WORKERS = 8
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was answered (wall time), and with which status; 0 when the connection failed."""

    time: float
    status: int

    @property
    def failed(self) -> bool:
        """Whether the user got no order."""
        return self.status == 0 or self.status >= 500


@dataclass(frozen=True, slots=True)
class Account:
    """Answers in order of their times."""

    answers: tuple[Answer, ...]

    def between(self, start: float, end: float = float("inf")) -> Account:
        """Return the answers that came from `start` up to and without `end`."""
        return Account(tuple(answer for answer in self.answers if start <= answer.time < end))

    @property
    def sent(self) -> int:
        """How many requests were answered or lost."""
        return len(self.answers)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(answer.failed for answer in self.answers)

    @property
    def lost(self) -> int:
        """How many got no answer at all."""
        return sum(answer.status == 0 for answer in self.answers)

    @property
    def first_failure(self) -> float | None:
        """When the first request failed."""
        return next((answer.time for answer in self.answers if answer.failed), None)

    @property
    def last_failure(self) -> float | None:
        """When the last request failed."""
        return next((answer.time for answer in reversed(self.answers) if answer.failed), None)


class Traffic:
    """Users who order again and again, each over a connection of their own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answers: list[Answer] = []  # appending to a list is atomic
        self._stopped = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, args=(number,), name=f"user-{number}", daemon=True)
            for number in range(WORKERS)
        ]

    def start(self) -> None:
        """Begin to send."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Send nothing more, and return when the last answer is there; does nothing before `start`."""
        self._stopped.set()
        for worker in self._workers:
            if worker.ident is not None:
                worker.join(TIMEOUT_SECONDS + 1)

    def account(self) -> Account:
        """Return all answers so far."""
        return Account(tuple(sorted(self._answers, key=lambda answer: answer.time)))

    def _work(self, number: int) -> None:
        interval = WORKERS / REQUESTS_PER_SECOND
        due = time.monotonic() + interval * number / WORKERS
        connection = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            status = _order(connection, f"/?user=u{number}")
            self._answers.append(Answer(time.time(), status))
            due = max(due + interval, time.monotonic())
        connection.close()


def _order(connection: HTTPConnection, path: str) -> int:
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        connection.close()  # the next request opens a new one
        return 0
    return response.status
