"""A running harness for tests of operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from actions.config import ActionsConfig
from tests.actions.harness import Harness, shop


@pytest.fixture
async def make_harness(tmp_path: Path) -> AsyncIterator[Callable[[ActionsConfig], Harness]]:
    made: list[Harness] = []

    def make(config: ActionsConfig) -> Harness:
        made.append(Harness(tmp_path, config))
        return made[-1]

    yield make
    for harness in made:
        await harness.stop()
        harness.inline.close()


@pytest.fixture
async def harness(make_harness: Callable[[ActionsConfig], Harness]) -> Harness:
    harness = make_harness(shop())
    await harness.start()
    return harness
