"""The collector of this machine, and the plugin that makes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from collectors.collector import CollectError, Collector, Readings
from collectors.context import CollectorContext
from collectors.readings import Batch, ReadingsBuilder
from collectors.system import disk, filesystem, kernel, network, portable
from collectors.system.config import SystemConfig
from collectors.system.filesystem import Mount, MountReader, add_filesystems
from collectors.system.proc import PROC, SYS
from collectors.system.timex import add_timex, read_timex
from collectors.thread import in_own_thread
from core.clock import Clock


class SystemCollector:
    """Measures this machine.

    Args:
        proc, sys_folder: where the kernel's files are; other folders in tests.
    """

    honor_labels = False
    exported = True

    def __init__(
        self,
        config: SystemConfig,
        context: CollectorContext,
        *,
        proc: Path = PROC,
        sys_folder: Path = SYS,
        mount_reader: MountReader | None = None,
    ) -> None:
        self.source = "system"
        self.interval_seconds = config.interval or context.interval_seconds
        self.timeout_seconds = min(context.timeout_seconds, self.interval_seconds)
        self.target_labels: Mapping[str, str] = {"job": "system", "instance": context.hostname}
        self.signature: object = (config, context.hostname, self.interval_seconds, self.timeout_seconds)
        self._clock: Clock = context.clock
        self._proc, self._sys = proc, sys_folder
        self._mountpoints_exclude = re.compile(config.mountpoints_exclude)
        self._types_exclude = re.compile(config.filesystem_types_exclude)
        self._disks_exclude = re.compile(config.disks_exclude)
        self._networks_exclude = re.compile(config.network_devices_exclude)
        self._mounts = mount_reader or MountReader()
        self._builder = ReadingsBuilder()

    async def collect(self) -> Readings:
        """Measure once, in a thread: 3 ms of work for a small machine, more for one with many CPUs."""
        measure = self._measure_linux if (self._proc / "stat").exists() else self._measure_portable
        try:
            batch, mounts = await in_own_thread(measure, name="system")
        except (OSError, ValueError, IndexError) as error:
            raise CollectError(f"cannot measure this machine: {error}") from error
        add_filesystems(batch, await self._mounts.read(mounts))
        return self._builder.build(batch)

    async def close(self) -> None:
        """Nothing is held open."""

    def _measure_linux(self) -> tuple[Batch, list[Mount]]:
        batch, proc = Batch(), self._proc
        kernel.add_stat(batch, proc)
        portable.add_load(batch)
        kernel.add_threads(batch, proc)
        kernel.add_memory(batch, proc)
        kernel.add_numbers(batch, proc)
        kernel.add_uname(batch, proc)
        kernel.add_pressure(batch, proc)
        kernel.add_vmstat(batch, proc)
        kernel.add_sockets(batch, proc)
        disk.add_disks(batch, proc, self._disks_exclude)
        network.add_traffic(batch, proc, self._networks_exclude)
        network.add_properties(batch, self._sys, self._networks_exclude)
        add_timex(batch, read_timex())
        batch.add(kernel.TIME, self._clock.now())
        text = filesystem.read_mounts(proc)
        return batch, filesystem.parse_mounts(text, self._mountpoints_exclude, self._types_exclude)

    def _measure_portable(self) -> tuple[Batch, list[Mount]]:
        batch = Batch()
        portable.add_load(batch)
        portable.add_rest(batch, self._disks_exclude, self._networks_exclude)
        batch.add(kernel.TIME, self._clock.now())
        return batch, portable.mounts(self._mountpoints_exclude, self._types_exclude)


class SystemPlugin:
    """Makes the collector of this machine, unless it is turned off."""

    config_key: ClassVar[str] = "system"
    config_type: ClassVar[Any] = SystemConfig
    config_default: ClassVar[Any] = SystemConfig.defaults()

    def build(self, config: SystemConfig, context: CollectorContext) -> Sequence[Collector]:
        """Make the collector."""
        return [SystemCollector(config, context)] if config.enabled else []
