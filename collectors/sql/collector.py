"""Runs the queries of one database. A database that is down is a reading too: `sql_up` is 0, `up` stays 1."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from collectors.collector import Readings
from collectors.readings import Batch, Pairs, ReadingsBuilder
from collectors.sql.config import QueryConfig, SqlConfig
from collectors.sql.rows import add_rows
from collectors.sql.source import ConnectionLostError, SqlError, SqlSource
from core.clock import Clock
from metrics.frame import Family, MetricType

GRACE_SECONDS = 1.0
"""How much later than our own timeout the manager cuts the collection off."""

UP = Family("sql_up", MetricType.GAUGE, "1 when the database could be asked, 0 when not.")
DURATION = Family("sql_query_duration_seconds", MetricType.GAUGE, "How long the query took.")
SUCCESS = Family("sql_query_success", MetricType.GAUGE, "1 when the query gave usable rows, 0 when not.")


class SqlCollector:
    """Reads the metrics of one database."""

    honor_labels = True  # its series carry the labels of the config themselves, for /metrics
    exported = True

    def __init__(
        self,
        config: SqlConfig,
        source: SqlSource,
        clock: Clock,
        *,
        interval_seconds: float,
        timeout_seconds: float,
        signature: object,
    ) -> None:
        self.source = f"sql/{config.name}"
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds + GRACE_SECONDS
        self.target_labels: Mapping[str, str] = {
            "job": "sql",
            "instance": config.name,
            "database": config.name,
            **config.labels,
        }
        self.signature = signature
        self._config = config
        self._source = source
        self._clock = clock
        self._patience_seconds = timeout_seconds
        self._labels: Pairs = (("database", config.name), *config.labels.items())
        self._families = {
            query.metric: Family(query.metric, MetricType(query.type), query.help) for query in config.queries
        }
        self._builder = ReadingsBuilder()

    async def collect(self) -> Readings:
        """Run every query once, one after the other; one that fails does not keep the others from running."""
        batch = Batch()
        problems: list[str] = []
        done = False
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._source.connect(self._patience_seconds)
                for query in self._config.queries:
                    await self._run(query, batch, problems)
                done = True
        except SqlError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"timeout: not done within {self._patience_seconds:g} s")
        finally:
            if not done or not self._source.keeps_connection:
                await self._source.disconnect()
        batch.add(UP, float(done), self._labels)
        return self._builder.build(batch, problem="; ".join(problems)[:300])

    async def close(self) -> None:
        """Release the connection."""
        await self._source.disconnect()

    async def _run(self, query: QueryConfig, batch: Batch, problems: list[str]) -> None:
        max_rows = self._config.max_rows
        begin = self._clock.monotonic()
        success = 0.0
        try:
            answer = await self._source.query(query.query, max_rows)
            add_rows(batch, self._families[query.metric], query, answer, max_rows, self._labels)
            success = 1.0
        except ConnectionLostError:
            raise
        except SqlError as error:
            problems.append(f"{query.metric}: {error}")
        labels = (*self._labels, ("query", query.metric))
        batch.add(DURATION, self._clock.monotonic() - begin, labels)
        batch.add(SUCCESS, success, labels)
