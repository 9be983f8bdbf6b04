"""`status/…`: the daemon itself, in the words that Prometheus has for itself."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from core.errors import WatchkeeperError
from daemon.api.answer import body_answer, encode
from daemon.api.prometheus.answer import JSON, failure, success
from daemon.api.prometheus.number import format_moment
from daemon.api.prometheus.parameter import Parameters
from daemon.api.prometheus.work import AT_ONCE, LONGEST_SECONDS, Worker
from daemon.api.state import DaemonView
from metrics.statistics import Ranking, StoreStatistics
from security.redaction import redacted

SPOKEN_VERSION = "3.0.0"
"""The version of Prometheus whose API this is: Grafana decides by it what it may ask for. Ours is the `revision`."""

_SHOWN = 10


class Status:
    """Answers how the daemon is set up and how it goes."""

    def __init__(self, view: DaemonView, worker: Worker) -> None:
        self._view = view
        self._worker = worker

    async def config(self, request: web.Request) -> web.StreamResponse:
        """Answer the config file that runs, without secrets."""
        text = await asyncio.to_thread(_yaml, self._view.config.data)
        return _answer(request, {"yaml": text})

    async def flags(self, request: web.Request) -> web.StreamResponse:
        """Answer the settings that are flags in Prometheus."""
        flags: Mapping[str, str] = {
            "config.file": self._view.config.file,
            "query.lookback-delta": "5m",
            "query.max-concurrency": str(AT_ONCE),
            "query.timeout": f"{LONGEST_SECONDS / 60:g}m",
            "web.enable-lifecycle": "true",
            "web.enable-admin-api": "false",
            **self._view.config.flags,
        }
        return _answer(request, dict(sorted(flags.items())))

    async def build(self, request: web.Request) -> web.StreamResponse:
        """Answer which version of the API this is, and of which program."""
        version = {"version": SPOKEN_VERSION, "revision": f"watchkeeper-{self._view.version}", "branch": "watchkeeper"}
        python = f"python{platform.python_version()}"
        return _answer(request, {**version, "buildUser": "", "buildDate": "", "goVersion": python})

    async def runtime(self, request: web.Request) -> web.StreamResponse:
        """Answer how the process goes."""
        view = self._view
        return _answer(
            request,
            {
                "startTime": format_moment(view.started_at),
                "CWD": str(Path.cwd()),
                "hostname": view.hostname,
                "serverTime": format_moment(view.clock.now()),
                "reloadConfigSuccess": view.config.error is None,
                "lastConfigTime": format_moment(view.config.loaded_at),
                "corruptionCount": 0,
                "goroutineCount": len(view.tasks.names),
                "GOMAXPROCS": os.cpu_count() or 1,
                "GOMEMLIMIT": 0,
                "GOGC": "",
                "GODEBUG": "",
                "storageRetention": view.config.flags.get("storage.tsdb.retention.time", ""),
            },
        )

    async def store(self, request: web.Request) -> web.StreamResponse:
        """Answer how large the store is, and what makes it large."""
        try:
            limit = Parameters(request.query).limit() or _SHOWN
            found = await self._worker.run(lambda: self._view.store.statistics(limit), self._worker.deadline())
        except WatchkeeperError as error:
            return failure(request, error)
        return _answer(request, _store_document(found))


def _answer(request: web.Request, data: Any) -> web.Response:
    return body_answer(request, encode(success(data)), JSON)


def _yaml(data: Any) -> str:
    import yaml  # noqa: PLC0415 - only the few who ask for the config need the writer

    return yaml.safe_dump(redacted(data), sort_keys=False, allow_unicode=True) if data else ""


def _store_document(found: StoreStatistics) -> dict[str, Any]:
    return {
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.label_pairs,
            "chunkCount": found.chunks,
            "minTime": found.first_ms or 0,
            "maxTime": found.last_ms or 0,
        },
        "seriesCountByMetricName": _ranking(found.series_by_metric),
        "labelValueCountByLabelName": _ranking(found.values_by_label),
        "memoryInBytesByLabelName": _ranking(found.bytes_by_label),
        "seriesCountByLabelValuePair": _ranking(found.series_by_pair),
    }


def _ranking(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in ranking]
