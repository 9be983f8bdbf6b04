"""Sends all samples to every receiver of the config section `remote_write`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError
from core.tasks import Tasks
from exporters.remote_write.config import RemoteWriteConfig
from exporters.remote_write.log import FrameLog
from exporters.remote_write.measurement import Measurement
from exporters.remote_write.position import forget_position

if TYPE_CHECKING:
    from exporters.remote_write.client import Client
    from exporters.remote_write.endpoint import Endpoint

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Running:
    config: RemoteWriteConfig
    external_labels: Mapping[str, str]
    endpoint: Endpoint


class RemoteWrite:
    """Implements exporters.exporter.PushingExporter."""

    name = "remote write"

    def __init__(
        self, log: FrameLog, database: Database, *, clock: Clock, tasks: Tasks, registry: CollectorRegistry
    ) -> None:
        self._log = log
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._measurement = Measurement(registry)
        self._running: dict[str, _Running] = {}
        self._started = False

    async def start(self) -> None:
        """Begin to send."""
        self._started = True
        for running in self._running.values():
            running.endpoint.start()

    async def stop(self) -> None:
        """End; the next start goes on where this one stopped."""
        self._started = False
        for running in self._running.values():
            await running.endpoint.stop()

    async def apply(self, configs: Sequence[RemoteWriteConfig], external_labels: Mapping[str, str], base: Path) -> None:
        """Follow a config: what did not change goes on; what is gone is forgotten, with its place in the files.

        Raises: ConfigError: a secret or certificate cannot be read; nothing is changed then.
        """
        clients = make_clients(configs, base, self._clock)
        wanted = {config.key: config for config in configs}
        for key in set(self._running) - set(wanted):
            await self._forget(key)
        for key, config in wanted.items():
            running = self._running.get(key)
            if running is not None and (running.config, running.external_labels) == (config, external_labels):
                continue
            if running is not None:
                await running.endpoint.stop()
            endpoint = self._endpoint(config, clients[key], external_labels)
            self._running[key] = _Running(config, dict(external_labels), endpoint)
            if self._started:
                endpoint.start()

    def _endpoint(self, config: RemoteWriteConfig, client: Client, external_labels: Mapping[str, str]) -> Endpoint:
        from exporters.remote_write.endpoint import Endpoint  # noqa: PLC0415 - most daemons have no receiver

        return Endpoint(
            config, client, self._log, self._database, clock=self._clock, tasks=self._tasks,
            measurement=self._measurement, external_labels=dict(external_labels),
        )  # fmt: skip

    @property
    def troubles(self) -> dict[str, str]:
        """Why nothing can be sent, by receiver; without those where all is well."""
        found = {key: running.endpoint.trouble for key, running in self._running.items()}
        return {key: trouble for key, trouble in found.items() if trouble}

    async def _forget(self, key: str) -> None:
        endpoint = self._running.pop(key).endpoint
        await endpoint.stop()
        self._log.forget_reader(endpoint.reader)
        self._measurement.forget(key)
        try:
            await self._database.write(lambda connection: forget_position(connection, key))
        except StoreUnavailableError as error:
            # Should it ever be configured again, it goes on from a place whose files are gone: with the oldest.
            _log.warning("remote_write %s: its place cannot be forgotten: %s", key, error)


def make_clients(configs: Sequence[RemoteWriteConfig], base: Path, clock: Clock) -> dict[str, Client]:
    """Return a client for each receiver, by name.

    Raises: ConfigError: a secret or certificate cannot be read.
    """
    if not configs:
        return {}
    from exporters.remote_write.client import Client  # noqa: PLC0415 - as above

    return {config.key: Client(config, base, clock, ("remote_write", index)) for index, config in enumerate(configs)}
