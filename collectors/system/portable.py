"""What psutil tells: load and processes everywhere; where there is no /proc (macOS), all the rest too."""

from __future__ import annotations

import os
import re

import psutil

from collectors.readings import Batch
from collectors.system import disk, kernel, network
from collectors.system.filesystem import Mount
from metrics.frame import Family, MetricType

_MEMORY = {
    field: Family(f"node_memory_{name}_bytes", MetricType.GAUGE, f"Memory information field {name}_bytes.")
    for field, name in (
        ("total", "MemTotal"),
        ("available", "MemAvailable"),
        ("free", "MemFree"),
        ("active", "Active"),
        ("inactive", "Inactive"),
    )
}
_SWAP = {
    field: Family(f"node_memory_{name}_bytes", MetricType.GAUGE, f"Memory information field {name}_bytes.")
    for field, name in (("total", "SwapTotal"), ("free", "SwapFree"))
}


def add_load(batch: Batch) -> None:
    """Add load averages and the number of processes."""
    for family, load in zip(kernel.LOADS, psutil.getloadavg(), strict=True):
        batch.add(family, load)
    batch.add(kernel.PROCESSES, len(psutil.pids()))


def add_rest(batch: Batch, disks_exclude: re.Pattern[str], networks_exclude: re.Pattern[str]) -> None:
    """Add CPU, memory, boot time, disks, network and the system's name."""
    _add_cpu(batch)
    _add_memory(batch)
    batch.add(kernel.BOOT_TIME, psutil.boot_time())
    _add_disks(batch, disks_exclude)
    _add_network(batch, networks_exclude)
    system = os.uname()
    labels = (("sysname", system.sysname), ("release", system.release), ("version", system.version))
    batch.add(kernel.UNAME, 1.0, (*labels, ("machine", system.machine), ("nodename", system.nodename)))


def mounts(mountpoints_exclude: re.Pattern[str], types_exclude: re.Pattern[str]) -> list[Mount]:
    """Return the mounts that are wanted."""
    return [
        Mount(part.device, part.mountpoint, part.fstype, "ro" in part.opts.split(","))
        for part in psutil.disk_partitions(all=False)
        if not mountpoints_exclude.search(part.mountpoint) and not types_exclude.search(part.fstype)
    ]


def _add_cpu(batch: Batch) -> None:
    for index, times in enumerate(psutil.cpu_times(percpu=True)):
        seconds = times._asdict()
        for mode in kernel.CPU_MODES:
            if mode in seconds:
                batch.add(kernel.CPU, seconds[mode], (("cpu", str(index)), ("mode", mode)))


def _add_memory(batch: Batch) -> None:
    for fields, families in ((psutil.virtual_memory(), _MEMORY), (psutil.swap_memory(), _SWAP)):
        values = fields._asdict()
        for field, family in families.items():
            if field in values:
                batch.add(family, values[field])


def _add_disks(batch: Batch, exclude: re.Pattern[str]) -> None:
    for device, counters in (psutil.disk_io_counters(perdisk=True) or {}).items():
        if exclude.search(device):
            continue
        labels = (("device", device),)
        batch.add(disk.READS, counters.read_count, labels)
        batch.add(disk.READ_BYTES, counters.read_bytes, labels)
        batch.add(disk.READ_TIME, counters.read_time / 1000, labels)
        batch.add(disk.WRITES, counters.write_count, labels)
        batch.add(disk.WRITTEN_BYTES, counters.write_bytes, labels)
        batch.add(disk.WRITE_TIME, counters.write_time / 1000, labels)


def _add_network(batch: Batch, exclude: re.Pattern[str]) -> None:
    states = psutil.net_if_stats()
    for device, counters in psutil.net_io_counters(pernic=True).items():
        if exclude.search(device):
            continue
        labels = (("device", device),)
        received = (counters.bytes_recv, counters.packets_recv, counters.errin, counters.dropin)
        sent = (counters.bytes_sent, counters.packets_sent, counters.errout, counters.dropout)
        for family, value in zip((*network.RECEIVE[:4], *network.TRANSMIT[:4]), (*received, *sent), strict=True):
            batch.add(family, value, labels)
        if device in states:
            batch.add(network.UP, float(states[device].isup), labels)
            batch.add(network.MTU, states[device].mtu, labels)
            batch.add(network.SPEED, states[device].speed * 125_000, labels)
