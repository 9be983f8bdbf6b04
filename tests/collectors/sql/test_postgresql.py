"""Against a real PostgreSQL, which runs as a user without rights, because it refuses root."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.collector import Collector, CollectorPlugin, Readings
from collectors.context import CollectorContext
from collectors.sql import SqlPlugin
from metrics.label import format_labels
from tests.collectors.peer import free_port
from tests.collectors.section import validated
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("initdb")]

Make = Callable[..., Collector]


class Server:
    """One PostgreSQL with the data folder of one test module."""

    def __init__(self, folder: Path) -> None:
        self._bin = Path(require("initdb")).resolve().parent
        self._folder = folder
        self.port = free_port()
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        if os.geteuid() == 0:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        (folder / "password").write_text("s3cret\n")
        (folder / "password").chmod(0o644)
        self._run("initdb", "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "-U", "watchkeeper", "-N")

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -h 127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-o", options, "-w", "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        argv = [str(self._bin / program), "-D", str(self._folder / "data"), *arguments]
        user = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        # Not a pipe: the server would keep it open.
        with (self._folder / "out").open("ab") as out:
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", **user)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not tmp_path: its parents are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-postgresql-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        server = Server(folder)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make(context: CollectorContext, server: Server) -> Make:
    (context.base / "password").write_text("s3cret\n")

    def made(*queries: str | dict[str, Any], **options: Any) -> Collector:
        plugin: CollectorPlugin = SqlPlugin()
        texts = [{"metric": f"m{i}", "query": q} if isinstance(q, str) else q for i, q in enumerate(queries)]
        url = f"postgresql://watchkeeper@127.0.0.1:{server.port}/postgres"
        entry = {"name": "shop", "url": url, "password_file": "password", "queries": texts, **options}
        [collector] = plugin.build(validated(plugin, [entry]), context)
        return collector

    return made


def series_of(readings: Readings) -> dict[str, float]:
    names = zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True)
    return {name: value for name, value in names if name.startswith(("m", "sql_up"))}


async def read(collector: Collector) -> Readings:
    try:
        return await collector.collect()
    finally:
        await collector.close()


async def test_queries_become_metrics_over_one_connection(make: Make) -> None:
    collector = make(
        {
            "metric": "m0",
            "query": "SELECT * FROM (VALUES ('de', 2.5::numeric), ('ch', 3), ('at', NULL)) AS t (country, value)",
            "labels": ["country"],
        },
        "SELECT pg_backend_pid() AS value",
    )
    first, second = await collector.collect(), await collector.collect()
    await collector.close()
    assert first.problem == ""
    series = series_of(first)
    pid = series.pop('m1{database="shop"}')
    assert series == {
        'm0{country="de",database="shop"}': 2.5,
        'm0{country="ch",database="shop"}': 3.0,
        'sql_up{database="shop"}': 1.0,
    }
    assert second.layout is first.layout
    assert series_of(second)['m1{database="shop"}'] == pid


@pytest.mark.parametrize(
    "query", ["CREATE TABLE x (y int)", "SET default_transaction_read_only = off", "SELECT 1 AS value; DROP TABLE x"]
)
async def test_nothing_can_be_changed(make: Make, query: str) -> None:
    collector = make(query, "CREATE TABLE y (z int)", "SELECT 1 AS value")
    await collector.collect()
    readings = await collector.collect()
    await collector.close()
    assert "m1: cannot execute CREATE TABLE in a read-only transaction" in readings.problem
    assert series_of(readings)['m2{database="shop"}'] == 1.0


async def test_a_query_without_end_is_ended_on_both_sides(make: Make) -> None:
    readings = await read(make("SELECT pg_sleep(100), 1 AS value", timeout="300ms"))
    assert series_of(readings) == {'sql_up{database="shop"}': 0.0} or "statement timeout" in readings.problem
    active = "SELECT count(*) AS value FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    async with asyncio.timeout(5):
        while series_of(await read(make(active)))['m0{database="shop"}'] != 0:
            pass


async def test_a_cancelled_collection_leaves_no_connection(make: Make) -> None:
    collector = make("SELECT pg_sleep(100), 1 AS value")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(collector.collect(), 0.3)
    assert (await read(make("SELECT 1 AS value"))).problem == ""
    await collector.close()


async def test_more_rows_than_wanted_do_not_travel(make: Make) -> None:
    readings = await read(make("SELECT generate_series(1, 1000000000) AS value", max_rows=5))
    assert readings.problem == "m0: gives more than 5 rows; aggregate in the query, or raise max_rows"


async def test_a_wrong_password_is_told(make: Make, context: CollectorContext) -> None:
    (context.base / "wrong").write_text("no")
    readings = await read(make("SELECT 1 AS value", password_file="wrong"))
    assert series_of(readings) == {'sql_up{database="shop"}': 0.0}
    assert readings.problem == 'password authentication failed for user "watchkeeper"'


async def test_a_server_that_restarts_is_down_and_up_again(make: Make, server: Server) -> None:
    collector = make("SELECT 1 AS value")
    assert (await collector.collect()).problem == ""
    await asyncio.to_thread(server.stop)
    states = [series_of(await collector.collect())['sql_up{database="shop"}'] for _ in range(2)]
    await asyncio.to_thread(server.start)
    states.append(series_of(await collector.collect())['sql_up{database="shop"}'])
    await collector.close()
    assert states == [0.0, 0.0, 1.0]


async def test_refused_connections_are_told_shortly(make: Make) -> None:
    readings = await read(make("SELECT 1 AS value", url=f"postgresql://u@127.0.0.1:{free_port()}/d"))
    assert readings.problem == "connection refused"
