"""Samples with everything that makes evaluation hard: gaps, resets, ends, beginnings, NaN, infinities, uneven times.

No sample is at a whole second or at a quarter of one, so that queries at such times never meet the boundary of a range.
"""

from __future__ import annotations

import math
import random

from metrics.frame import STALE
from metrics.label import Labels, labels_of
from tests.fakes.storage import FakeStorage
from tests.metrics.promql.peer import sample_bytes

START = 1_700_000_000_000
MINUTES = 90
BOUNDS = ("0.1", "0.5", "1", "2.5", "+Inf")
_PHASES = (137, 401, 688, 939)
_STALE = object()

Points = dict[int, object]


def points() -> dict[Labels, Points]:
    """Return the samples of all series; `_STALE` for markers."""
    chance = random.Random(20_231_114)
    found: dict[Labels, Points] = {}
    for number in range(8):
        labels = {"job": "ab"[number % 2], "instance": str(number % 4), "zone": "xyz"[number % 3]}
        found[_named("c_total", **labels, n=str(number))] = _counter(chance, number)
        found[_named("g", **labels, n=str(number))] = _gauge(chance, number)
        found[_named("other", **labels, n=str(number))] = _gauge(chance, number + 3)
    for number in range(4):
        found[_named("odd", job="ab"[number % 2], n=str(number))] = _odd(chance, number)
    for number in range(2):
        for bound, samples in zip(BOUNDS, _buckets(chance), strict=True):
            found[_named("h_bucket", job="ab"[number], le=bound)] = samples
    found[_named("limit", job="a")] = dict.fromkeys(_times(chance, 30, 0), 50.0)
    found[_named("limit", job="b")] = dict.fromkeys(_times(chance, 30, 0), 70.0)
    found[_named("text", line="one\ntwo", path="/a.b/c", job="a")] = dict.fromkeys(_times(chance, 60, 1), 1.0)
    found[_named("text", line="äöü", path="/axb/c", job="b")] = dict.fromkeys(_times(chance, 60, 1), 2.0)
    return found


def as_storage(found: dict[Labels, Points]) -> FakeStorage:
    """Return the samples as a store."""
    storage = FakeStorage()
    for labels, samples in found.items():
        storage.add(labels, {at: STALE if value is _STALE else _float(value) for at, value in samples.items()})
    return storage


def as_bytes(found: dict[Labels, Points]) -> dict[Labels, dict[int, bytes]]:
    """Return the samples as remote write sends them."""
    return {
        labels: {
            at: sample_bytes(0.0, stale=True) if value is _STALE else sample_bytes(_float(value))
            for at, value in samples.items()
        }
        for labels, samples in found.items()
    }


def _float(value: object) -> float:
    assert isinstance(value, float)
    return value


def _named(name: str, **labels: str) -> Labels:
    return labels_of({"__name__": name, **labels})


def _times(chance: random.Random, step: int, unevenness: int) -> list[int]:
    phase = chance.choice(_PHASES)
    return [
        START + at * 1000 + phase + 1000 * chance.randint(-unevenness, unevenness) * 2
        for at in range(0, MINUTES * 60, step)
    ]


def _counter(chance: random.Random, number: int) -> Points:
    """Return a counter that is reset to 0 now and then.

    After a gap it begins at 0 or far above its growth, and those that are reset have even times: elsewhere, version
    2.42 looks for a counter's zero further back than 3.x.
    """
    samples: Points = {}
    value = float(chance.choice([0, 10_000]))
    skipped = 0
    for place, at in enumerate(_times(chance, 15 if number % 2 else 30, number % 4 == 0)):
        if skipped:
            skipped -= 1
            continue
        if number % 4 >= 2 and value > 500 and chance.random() < 0.03:
            skipped = chance.randint(1, 15)
            if chance.random() < 0.5:
                samples[at] = _STALE
                continue
        value += chance.choice([0.0, 1.0, 2.5, 7.0, chance.random() * 10])
        if number % 4 != 0 and value > 3000 and chance.random() < 0.05:
            value = 0.0
        if place == 0:
            value = float(math.floor(value / 10_000) * 10_000)
        samples[at] = value
    return samples


def _gauge(chance: random.Random, number: int) -> Points:
    samples: Points = {}
    value, skipped = chance.uniform(-50, 50), 0
    for at in _times(chance, (15, 30, 45)[number % 3], number % 4):
        if skipped:
            skipped -= 1
            continue
        value += chance.gauss(0, 5)
        samples[at] = value
        if chance.random() < 0.02:
            skipped = chance.randint(1, 30)
        elif chance.random() < 0.01:
            samples[at] = _STALE
            skipped = chance.randint(0, 5)
    return samples


def _odd(chance: random.Random, number: int) -> Points:
    values = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 1e-300, 1e15, 0.1]
    kinds = values if number % 2 else values[:1] + values[3:]
    return {at: _STALE if chance.random() < 0.04 else chance.choice(kinds) for at in _times(chance, 30, 2)}


def _buckets(chance: random.Random) -> list[Points]:
    times = _times(chance, 30, 0)
    counts = [100.0 * (place + 1) for place in range(len(BOUNDS))]
    rows: list[Points] = [{} for _ in BOUNDS]
    for at in times:
        below = 0.0
        for place in range(len(BOUNDS)):
            below += chance.randint(0, 4)
            counts[place] += below
            rows[place][at] = counts[place]
    return rows
