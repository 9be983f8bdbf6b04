"""Block devices, from /proc/diskstats."""

from __future__ import annotations

import re
from pathlib import Path

from collectors.readings import Batch
from collectors.system.proc import read_text, word_lines
from metrics.frame import Family, MetricType

_SECTOR_BYTES = 512.0
"""The unit of /proc/diskstats, whatever the device's own sector size (kernel: Documentation/block/stat.rst)."""


def _counter(name: str, help_text: str) -> Family:
    return Family(f"node_disk_{name}_total", MetricType.COUNTER, help_text)


READS = _counter("reads_completed", "Reads that completed.")
READ_BYTES = _counter("read_bytes", "Bytes that were read.")
READ_TIME = _counter("read_time_seconds", "Seconds that all reads took together.")
WRITES = _counter("writes_completed", "Writes that completed.")
WRITTEN_BYTES = _counter("written_bytes", "Bytes that were written.")
WRITE_TIME = _counter("write_time_seconds", "Seconds that all writes took together.")
IO_TIME = _counter("io_time_seconds", "Seconds in which any I/O was under way.")
_IO_NOW = Family("node_disk_io_now", MetricType.GAUGE, "I/Os under way now.")

# In the order of the columns after the device's name, with what a column is multiplied by.
_COLUMNS = (
    (READS, 1.0),
    (_counter("reads_merged", "Reads that were merged."), 1.0),
    (READ_BYTES, _SECTOR_BYTES),
    (READ_TIME, 0.001),
    (WRITES, 1.0),
    (_counter("writes_merged", "Writes that were merged."), 1.0),
    (WRITTEN_BYTES, _SECTOR_BYTES),
    (WRITE_TIME, 0.001),
    (_IO_NOW, 1.0),
    (IO_TIME, 0.001),
    (_counter("io_time_weighted_seconds", "Seconds of I/O, weighted by how many were under way."), 0.001),
    (_counter("discards_completed", "Discards that completed."), 1.0),
    (_counter("discards_merged", "Discards that were merged."), 1.0),
    (_counter("discarded_sectors", "Sectors that were discarded."), 1.0),
    (_counter("discard_time_seconds", "Seconds that all discards took together."), 0.001),
    (_counter("flush_requests", "Flush requests that completed."), 1.0),
    (_counter("flush_requests_time_seconds", "Seconds that all flush requests took together."), 0.001),
)


def add_disks(batch: Batch, proc: Path, exclude: re.Pattern[str]) -> None:
    """Reads, writes, their bytes and times, by device; older kernels have fewer columns."""
    for words in word_lines(read_text(proc / "diskstats")):
        device = words[2]
        if exclude.search(device):
            continue
        labels = (("device", device),)
        for (family, factor), text in zip(_COLUMNS, words[3:], strict=False):
            batch.add(family, float(text) * factor, labels)
