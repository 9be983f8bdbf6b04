"""Network devices, from /proc/net/dev and /sys/class/net."""

from __future__ import annotations

import os
import re
from pathlib import Path

from collectors.readings import Batch
from collectors.system.proc import number, read_text
from metrics.frame import Family, MetricType


def _statistic(name: str) -> Family:
    return Family(f"node_network_{name}_total", MetricType.COUNTER, f"Network device statistic {name}.")


RECEIVE = tuple(
    _statistic(f"receive_{name}")
    for name in ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
)
TRANSMIT = tuple(
    _statistic(f"transmit_{name}")
    for name in ("bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed")
)
UP = Family("node_network_up", MetricType.GAUGE, "1 if the device's operational state is `up`, 0 otherwise.")


def _property(name: str) -> Family:
    return Family(f"node_network_{name}", MetricType.GAUGE, f"Network device property {name}.")


MTU = _property("mtu_bytes")
SPEED = _property("speed_bytes")
_CHANGES = Family(
    "node_network_carrier_changes_total", MetricType.COUNTER, "Network device property carrier_changes_total."
)
# Family by file, with what the file's number is multiplied by: a speed is in Mbit/s.
_FILES = (
    ("carrier", _property("carrier"), 1.0),
    ("carrier_changes", _CHANGES, 1.0),
    ("mtu", MTU, 1.0),
    ("speed", SPEED, 1_000_000 / 8),
    ("tx_queue_len", _property("transmit_queue_length"), 1.0),
)


def add_traffic(batch: Batch, proc: Path, exclude: re.Pattern[str]) -> None:
    """What was received and sent, by device."""
    for line in (read_text(proc / "net/dev") or "").splitlines()[2:]:
        device, _, columns = line.strip().rpartition(":")
        if exclude.search(device):
            continue
        labels = (("device", device),)
        for family, text in zip((*RECEIVE, *TRANSMIT), columns.split(), strict=False):
            batch.add(family, float(text), labels)


def add_properties(batch: Batch, sys: Path, exclude: re.Pattern[str]) -> None:
    """State, speed and size of packets, by device; a device that is down does not tell all of them."""
    folder = sys / "class/net"
    for device in sorted(os.listdir(folder)) if folder.is_dir() else ():  # noqa: PTH208 - names are all that is wanted
        state = read_text(folder / device / "operstate")
        if exclude.search(device) or state is None:
            continue
        labels = (("device", device),)
        batch.add(UP, float(state.strip() == "up"), labels)
        for file, family, factor in _FILES:
            value = number(read_text(folder / device / file) or "")
            if value is not None:
                batch.add(family, value * factor, labels)
