"""A collector whose answers a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from collectors.collector import Readings
from collectors.readings import Batch, ReadingsBuilder
from metrics.frame import Family, Frame, MetricType
from metrics.label import format_labels

VALUE = Family("value", MetricType.GAUGE, "A value.")


class FakeCollector:
    """Gives what `answer` gives; counts how it is used."""

    honor_labels = False

    def __init__(
        self,
        source: str,
        answer: Callable[[], Awaitable[float]] | None = None,
        *,
        interval_seconds: float = 10.0,
        timeout_seconds: float = 5.0,
        signature: object = None,
        exported: bool = True,
    ) -> None:
        self.source = source
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds
        self.target_labels: Mapping[str, str] = {"job": "fake", "instance": source}
        self.exported = exported
        self.signature = signature or (source, interval_seconds)
        self.running = 0
        self.most_running = 0
        self.begun = 0
        self.closed = 0
        self.problem = ""
        self._answer = answer
        self._builder = ReadingsBuilder()

    async def collect(self) -> Readings:
        self.begun += 1
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            value = 1.0 if self._answer is None else await self._answer()
        finally:
            self.running -= 1
        batch = Batch()
        batch.add(VALUE, value)
        return self._builder.build(batch, problem=self.problem)

    async def close(self) -> None:
        assert self.running == 0
        self.closed += 1


async def hang() -> float:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")


def by_series(frame: Frame) -> dict[str, float]:
    return {
        format_labels(labels): float(value) for labels, value in zip(frame.layout.series, frame.values, strict=True)
    }


def value_of(frame: Frame, name: str) -> float:
    """Return the value of the only series of that name."""
    found = [v for series, v in by_series(frame).items() if series == name or series.startswith(name + "{")]
    assert len(found) == 1, found
    return found[0]
