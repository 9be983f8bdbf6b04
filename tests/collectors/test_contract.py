"""What every kind of collector must hold, whoever wrote it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, TypeAdapter

from collectors.collector import ENTRY_POINT_GROUP, CollectError, Collector, CollectorPlugin
from collectors.context import CollectorContext
from collectors.manager import CollectorManager
from collectors.schedule import first_due
from core.clock import SystemClock
from core.plugin import load_plugin, plugin_names
from core.tasks import Tasks
from metrics.frame import Frame
from metrics.label import METRIC_NAME
from tests.collectors.peer import free_port
from tests.collectors.section import validated
from tests.collectors.server import raw_serving, serving, silent
from tests.fakes.clock import FakeClock, settle

ENDLESS_SQL = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) AS value FROM t"


@dataclass
class World:
    """What the collectors of a test look at: something that works, something that is dead, something that hangs."""

    base: Path
    good_port: int
    dead_port: int
    hanging_port: int


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text='x{a="1"} 1\nx{a="2"} 2\n')

    with contextlib.closing(sqlite3.connect(tmp_path / "good.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    async with serving(metrics) as good, raw_serving(silent) as hanging:
        yield World(tmp_path, good, free_port(), hanging.port)


Config = Callable[[World], Any]


def nothing(_world: World) -> Any:
    return {}


def scrape(port: Callable[[World], int]) -> Config:
    return lambda world: [{"job_name": "a", "static_configs": [{"targets": [f"127.0.0.1:{port(world)}"]}]}]


def probe(port: Callable[[World], int]) -> Config:
    return lambda world: [{"name": "a", "url": f"http://127.0.0.1:{port(world)}/"}]


def sql(file: str, query: str) -> Config:
    return lambda _: [{"name": "a", "url": f"sqlite:///{file}", "queries": [{"metric": "m", "query": query}]}]


def command(*argv: str) -> Config:
    return lambda _: [{"name": "a", "argv": list(argv)}]


GOOD: dict[str, Config] = {
    "system": nothing,
    "own": nothing,
    "scrape": scrape(lambda world: world.good_port),
    "http_probe": probe(lambda world: world.good_port),
    "sql": sql("good.db", "SELECT 1 AS value"),
    "command": command("echo", "x 1"),
}
DEAD: dict[str, Config] = {
    "scrape": scrape(lambda world: world.dead_port),
    "http_probe": probe(lambda world: world.dead_port),
    "sql": sql("gone.db", "SELECT 1 AS value"),
    "command": command("/no/such/program"),
}
HANGING: dict[str, Config] = {
    "scrape": scrape(lambda world: world.hanging_port),
    "http_probe": probe(lambda world: world.hanging_port),
    "sql": sql("good.db", ENDLESS_SQL),
    "command": command("sleep", "1000"),
}


def plugin_of(name: str) -> CollectorPlugin:
    return cast("type[CollectorPlugin]", load_plugin(ENTRY_POINT_GROUP, name))()


def build(name: str, config: Any, base: Path) -> Sequence[Collector]:
    plugin = plugin_of(name)
    context = CollectorContext(SystemClock(), 15.0, 10.0, base, CollectorRegistry(), "host")
    return plugin.build(validated(plugin, config), context)


def make(kinds: dict[str, Config], name: str, world: World) -> Collector:
    [collector] = build(name, kinds[name](world), world.base)
    return collector


async def own_threads_have_ended() -> None:
    names = ("sqlite", "resolve", "statvfs", "system")
    async with asyncio.timeout(5):
        while any(thread.name.startswith(names) for thread in threading.enumerate()):
            await asyncio.sleep(0.001)


def test_every_installed_plugin_is_held_to_the_contract() -> None:
    modules = {name: type(plugin_of(name)).__module__ for name in plugin_names(ENTRY_POINT_GROUP)}
    ours = {name for name, module in modules.items() if module.startswith("collectors.")}
    assert ours == set(GOOD)
    assert set(DEAD) == set(HANGING) == ours - {"system", "own"}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_section_has_its_own_key_a_valid_default_and_examples(name: str) -> None:
    plugin = plugin_of(name)
    keys = [plugin_of(other).config_key for other in GOOD]
    assert keys.count(plugin.config_key) == 1
    assert validated(plugin, plugin.config_default) == plugin.config_default
    for model in _models(TypeAdapter(plugin.config_type).json_schema()):
        for key, field in model.get("properties", {}).items():
            assert field.get("description"), f"{name}: {key} has no description"
            assert _has_example(field), f"{name}: {key} has no example"


def _has_example(field: dict[str, Any]) -> bool:
    """Tell whether a field has an example, or needs none: a section of its own, or one that is not for new files."""
    kinds = [field, *field.get("anyOf", [])]
    is_section = any("$ref" in kind or "$ref" in kind.get("items", {}) for kind in kinds)
    return is_section or "examples" in field or field["description"].startswith(("Not supported yet", "Older form"))


def _models(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema.get("$defs", {}).values()]


@pytest.mark.parametrize("name", sorted(GOOD))
async def test_readings_are_well_formed_and_repeatable_on_one_layout(name: str, world: World) -> None:
    collector = make(GOOD, name, world)
    readings = [await collector.collect() for _ in range(3)]
    await collector.close()
    for one in readings:
        assert one.layout is readings[0].layout
        assert one.families is readings[0].families or one.families == readings[0].families
        assert one.values.shape == (len(one.layout),)
        assert one.values.dtype == np.float64
    for labels in readings[0].layout.series:
        assert list(labels) == sorted(labels)
        assert all(value for _, value in labels)
        assert METRIC_NAME in dict(labels)
    assert len(set(readings[0].layout.series)) == len(readings[0].layout)


@pytest.mark.parametrize("name", sorted(GOOD))
async def test_sources_are_stable_and_name_their_kind(name: str, world: World) -> None:
    first, second = make(GOOD, name, world), make(GOOD, name, world)
    assert first.source == second.source
    assert first.source.partition("/")[0] == name
    assert first.timeout_seconds > 0
    assert first.interval_seconds > 0
    assert {"job", "instance"} <= set(first.target_labels)


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"own"}))
async def test_signatures_are_equal_for_equal_configs_and_only_for_those(name: str, world: World) -> None:
    config = GOOD[name](world)
    changed = (
        {**config, "interval": "7s"}
        if isinstance(config, dict)
        else [{**config[0], "scrape_interval" if name == "scrape" else "interval": "12s"}]
    )
    [first], [second] = build(name, config, world.base), build(name, config, world.base)
    [other] = build(name, changed, world.base)
    assert first.signature == second.signature
    assert first.signature != other.signature
    assert first.source == other.source


@pytest.mark.parametrize("name", sorted(DEAD))
async def test_a_dead_source_is_a_collect_error_or_a_reading_with_its_problem(name: str, world: World) -> None:
    collector = make(DEAD, name, world)
    for _ in range(2):
        try:
            problem = (await collector.collect()).problem
        except CollectError as error:
            problem = str(error)
        assert problem
        assert "\n" not in problem
        assert len(problem) <= 300
    await collector.close()


@pytest.mark.parametrize("name", sorted(HANGING))
async def test_a_hanging_source_can_be_cancelled_leaves_nothing_and_may_be_read_again(name: str, world: World) -> None:
    collector = make(HANGING, name, world)
    before = asyncio.all_tasks()
    for _ in range(2):
        task = asyncio.ensure_future(collector.collect())
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await collector.close()
    await own_threads_have_ended()
    await settle()
    left = {task for task in asyncio.all_tasks() - before if "_serve" not in repr(task) and "Server" not in repr(task)}
    assert left == set()


@pytest.mark.parametrize("name", sorted(GOOD))
async def test_close_may_come_first_and_be_repeated(name: str, world: World) -> None:
    collector = make(GOOD, name, world)
    await collector.close()
    await collector.collect()
    await collector.close()
    await collector.close()


@pytest.mark.parametrize("name", sorted(GOOD))
async def test_the_manager_makes_frames_of_it(name: str, world: World) -> None:
    frames: list[Frame] = []
    arrived = asyncio.Event()

    def on_frame(frame: Frame) -> None:
        frames.append(frame)
        arrived.set()

    clock = FakeClock()
    tasks = Tasks(clock)
    manager = CollectorManager(clock, tasks, CollectorRegistry(), on_frame, lambda _source, _ms: None)
    collector = make(GOOD, name, world)
    manager.apply([collector])
    await manager.start()
    await clock.advance(first_due(collector.source, 0.0, collector.interval_seconds))
    async with asyncio.timeout(10):
        await arrived.wait()
    await manager.stop()
    assert tasks.names == []
    frame = frames[0]
    up = next(index for index, labels in enumerate(frame.layout.series) if dict(labels)[METRIC_NAME] == "up")
    assert frame.values[up] == 1.0
    assert dict(frame.layout.series[up]) == {METRIC_NAME: "up", **collector.target_labels}
    for labels in frame.layout.series:
        assert dict(labels).items() >= {"job": collector.target_labels["job"]}.items()
        assert not any(key.startswith("exported_") for key, _ in labels)


def test_sections_are_immutable() -> None:
    for name in GOOD:
        default = plugin_of(name).config_default
        assert default == [] or (isinstance(default, BaseModel) and default.model_config["frozen"])
