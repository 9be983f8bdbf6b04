"""What one rendering may take, and how much of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from alerting.template.error import CallError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may take.

    Attributes:
        steps: parts that are evaluated, and 64 characters that a function yields, count as one each.
        output: characters, also of each value on the way.
        depth: blocks, brackets and templates inside each other.
    """

    steps: int = 50_000
    seconds: float = 1.0
    output: int = 262_144
    depth: int = 80


DEFAULT_LIMITS = Limits()


class Budget:
    """Counts what is left to a rendering; templates rendered by it share the same."""

    __slots__ = ("_deadline", "_monotonic", "_next_look", "depth", "limits", "output", "steps")

    def __init__(self, limits: Limits = DEFAULT_LIMITS, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.steps = self.output = self.depth = 0
        self._monotonic = monotonic
        self._deadline = monotonic() + limits.seconds
        self._next_look = 256

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises: CallError: there are no more, or the time is over.
        """
        self.steps += steps
        if self.steps > self.limits.steps:
            raise CallError(f"takes more than {self.limits.steps} steps; make it simpler, or its data less")
        if self.steps >= self._next_look:
            self._next_look = self.steps + 256
            if self._monotonic() > self._deadline:
                raise CallError(f"takes longer than {self.limits.seconds:g} s; make it simpler, or its data less")

    def write(self, characters: int) -> None:
        """Count output.

        Raises: CallError: it is too much.
        """
        self.output += characters
        if self.output > self.limits.output:
            raise CallError(f"yields more than {self.limits.output} characters; make it shorter")

    def weigh(self, *values: object) -> None:
        """Spend the size of values: of texts, and of lists and maps with all that is in them, however often.

        Raises: CallError: it is too much.
        """
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                self.spend(len(value) >> 6)
            elif isinstance(value, list | dict):
                self.spend(len(value))
                waiting += value.values() if isinstance(value, dict) else value

    def check_size(self, value: object) -> None:
        """Look at a value on the way.

        Raises: CallError: it is too long.
        """
        if isinstance(value, str) and len(value) > self.limits.output:
            raise CallError(f"yields more than {self.limits.output} characters; make it shorter")

    def enter(self) -> None:
        """Go one level deeper.

        Raises: CallError: that is too deep.
        """
        self.depth += 1
        if self.depth > self.limits.depth:
            raise CallError(f"is more than {self.limits.depth} levels deep; does a template use itself?")
