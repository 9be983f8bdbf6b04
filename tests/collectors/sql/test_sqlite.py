from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collectors.collector import Collector, CollectorPlugin, Readings
from collectors.context import CollectorContext
from collectors.sql import SqlPlugin
from collectors.sql.postgresql import MISSING_DRIVER
from core.errors import ConfigError
from metrics.frame import MetricType
from metrics.label import format_labels
from tests.collectors.conftest import Configure
from tests.collectors.section import validated

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) AS value FROM t"

Make = Callable[..., Collector]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "my shop.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "CREATE TABLE orders (country TEXT, amount REAL);"
            "INSERT INTO orders VALUES ('de', 10), ('de', 5.5), ('ch', NULL);"
        )
    return file


@pytest.fixture
def make(context: CollectorContext, database: Path) -> Make:
    def made(*queries: str | dict[str, Any], **options: Any) -> Collector:
        plugin: CollectorPlugin = SqlPlugin()
        texts = [{"metric": f"m{i}", "query": q} if isinstance(q, str) else q for i, q in enumerate(queries)]
        entry = {"name": "shop", "url": f"sqlite:///{database.name}", "queries": texts, **options}
        [collector] = plugin.build(validated(plugin, [entry]), context)
        return collector

    return made


def series_of(readings: Readings) -> dict[str, float]:
    names = zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True)
    return {name: value for name, value in names if not name.startswith("sql_query_duration_seconds")}


async def read(collector: Collector) -> Readings:
    try:
        return await collector.collect()
    finally:
        await collector.close()


async def wait_for_threads() -> None:
    while any(thread.name.startswith("sqlite") for thread in threading.enumerate()):
        await asyncio.sleep(0.001)


async def test_queries_become_metrics(make: Make) -> None:
    readings = await read(
        make(
            {
                "metric": "orders_total",
                "type": "counter",
                "help": "Orders.",
                "query": "SELECT country, count(*) AS n FROM orders GROUP BY country ORDER BY country",
                "value": "n",
                "labels": ["country"],
            },
            "SELECT sum(amount) AS value FROM orders",
            "SELECT amount AS value FROM orders WHERE country = 'ch'",
            labels={"service": "shop"},
        )
    )
    assert series_of(readings) == {
        'orders_total{country="ch",database="shop",service="shop"}': 1.0,
        'orders_total{country="de",database="shop",service="shop"}': 2.0,
        'm1{database="shop",service="shop"}': 15.5,
        'sql_query_success{database="shop",query="orders_total",service="shop"}': 1.0,
        'sql_query_success{database="shop",query="m1",service="shop"}': 1.0,
        'sql_query_success{database="shop",query="m2",service="shop"}': 1.0,
        'sql_up{database="shop",service="shop"}': 1.0,
    }
    assert readings.families["orders_total"].type is MetricType.COUNTER
    assert readings.problem == ""


async def test_layout_is_kept_and_changes_of_the_data_are_seen(make: Make, database: Path) -> None:
    collector = make("SELECT count(*) AS value FROM orders")
    first = await collector.collect()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO orders VALUES ('at', 1)")
        connection.commit()
    second = await collector.collect()
    await collector.close()
    assert second.layout is first.layout
    assert (series_of(first)['m0{database="shop"}'], series_of(second)['m0{database="shop"}']) == (3.0, 4.0)


async def test_one_bad_query_does_not_keep_the_others_from_running(make: Make) -> None:
    readings = await read(make("SELECT nonsense", "SELECT 7 AS value"))
    series = series_of(readings)
    assert series['m1{database="shop"}'] == 7.0
    assert series['sql_query_success{database="shop",query="m0"}'] == 0.0
    assert series['sql_up{database="shop"}'] == 1.0
    assert readings.problem == "m0: no such column: nonsense"


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders",
        "CREATE TABLE x (y)",
        "ATTACH 'file:other.db?mode=rwc' AS other",
        "SELECT 1 AS value; DELETE FROM orders",
        "PRAGMA query_only = OFF",
    ],
)
async def test_nothing_can_be_changed(make: Make, database: Path, query: str) -> None:
    await read(make(query, "DELETE FROM orders"))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (3,)
    assert sorted(path.name for path in database.parent.iterdir()) == [database.name]


async def test_an_endless_query_is_interrupted_at_the_timeout(make: Make) -> None:
    before = time.monotonic()
    readings = await read(make(ENDLESS, timeout="100ms"))
    await wait_for_threads()
    assert time.monotonic() - before < 3
    assert series_of(readings)['sql_up{database="shop"}'] == 0.0
    assert readings.problem == "timeout: not done within 0.1 s"


async def test_a_cancelled_query_is_interrupted(make: Make) -> None:
    collector = make(ENDLESS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(collector.collect(), 0.1)
    await wait_for_threads()
    await collector.close()


async def test_a_query_that_gives_too_many_rows_is_refused(make: Make) -> None:
    readings = await read(make("SELECT value FROM generate", "SELECT amount AS value FROM orders", max_rows=2))
    assert "m1: gives more than 2 rows" in readings.problem


@pytest.mark.parametrize("content", [None, b"this is no database, but long enough to look like one" * 100])
async def test_a_database_that_is_missing_or_broken_is_down(make: Make, database: Path, content: bytes | None) -> None:
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    readings = await read(make("SELECT 1 AS value"))
    assert series_of(readings) == {'sql_up{database="shop"}': 0.0}
    assert "unable to open database file" in readings.problem or "file is not a database" in readings.problem
    assert content is not None or not database.exists()


async def test_a_locked_database_is_down_and_recovers(make: Make, database: Path) -> None:
    collector = make("SELECT count(*) AS value FROM orders", timeout="200ms")
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        locked = await collector.collect()
    free = await collector.collect()
    await collector.close()
    assert series_of(locked) == {'sql_up{database="shop"}': 0.0}
    assert series_of(free)['sql_up{database="shop"}'] == 1.0


def test_targets_carry_the_name_of_the_database(make: Make) -> None:
    collector = make("SELECT 1 AS value", labels={"service": "shop"})
    assert collector.source == "sql/shop"
    assert collector.target_labels == {"job": "sql", "instance": "shop", "database": "shop", "service": "shop"}
    assert collector.exported


QUERIES = "queries: [{metric: m, query: SELECT 1}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[{{name: x, url: 'mysql://h/d', {QUERIES}}}]", "begins with 'mysql'; sqlite:// and postgresql://"),
        (f"[{{name: x, url: 'postgresql://u:p@h/d', {QUERIES}}}]", "has a password in it; put it into a file"),
        (f"[{{name: x, url: 'sqlite://x/y', {QUERIES}}}]", "is no path; write sqlite:///relative/path"),
        ("[{name: x, url: 'sqlite:///x', queries: []}]", "at least 1 item"),
        ("[{name: x, url: 'sqlite:///x', queries: [{metric: a-b, query: x}]}]", "'a-b' is no metric name"),
        ("[{name: x, url: 'sqlite:///x', queries: [{metric: a, query: x, labels: [a b]}]}]", "'a b' is no label name"),
        (
            "[{name: x, url: 'sqlite:///x', queries: [{metric: a, query: x}, {metric: a, query: y}]}]",
            "two queries give 'a'; join them by UNION ALL, or rename one",
        ),
        (f"[{{name: x, url: 'sqlite:///x', {QUERIES}}}, {{name: x, url: 'sqlite:///y', {QUERIES}}}]", "two databases"),
        (f"[{{name: x, url: 'sqlite:///x', interval: 1s, timeout: 2s, {QUERIES}}}]", "is longer than interval 1 s"),
    ],
)
def test_mistakes_in_the_config_are_refused(configure: Configure, text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        configure(SqlPlugin(), text)
    assert message in str(caught.value)


def test_without_the_driver_postgresql_is_refused_with_the_remedy(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.sql.postgresql.has_driver", lambda: False)
    with pytest.raises(ConfigError) as caught:
        make("SELECT 1", url="postgresql://u@h/d")
    [problem] = caught.value.problems
    assert (problem.path, problem.message) == ("sql.0.url", MISSING_DRIVER)


def test_an_unreadable_password_file_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match=r"sql\.0\.password_file: cannot read .*gone.*: No such file"):
        make("SELECT 1", url="postgresql://u@h/d", password_file="gone")
