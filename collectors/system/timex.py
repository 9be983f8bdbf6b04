"""The kernel's view of the clock: how far it is off, and whether anything keeps it right (ntp_adjtime)."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

from collectors.readings import Batch
from metrics.frame import Family, MetricType


class Timex(ctypes.Structure):
    """`struct timex` of Linux (adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time_seconds", ctypes.c_long),
        ("time_fraction", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("padding", ctypes.c_int * 11),
    )


_STATUS_NANOSECONDS = 0x2000
_TIME_ERROR = 5
"""The clock is not synchronised."""


def _gauge(name: str, help_text: str) -> Family:
    return Family(f"node_timex_{name}", MetricType.GAUGE, help_text)


OFFSET = _gauge("offset_seconds", "How far the clock is from its reference.")
MAXIMUM_ERROR = _gauge("maxerror_seconds", "Maximum error in seconds.")
ESTIMATED_ERROR = _gauge("estimated_error_seconds", "Estimated error in seconds.")
STATUS = _gauge("status", "Status bits of the clock.")
SYNC_STATUS = _gauge("sync_status", "1 if something keeps the clock synchronised, 0 otherwise.")
FREQUENCY = _gauge("frequency_adjustment_ratio", "How much faster than its nominal rate the clock is made to run.")
TAI_OFFSET = _gauge("tai_offset_seconds", "Leap seconds between international atomic time and UTC.")


def read_timex() -> tuple[int, Timex] | None:
    """Return the clock's state and data; None where the system has none or forbids asking."""
    adjust = _ntp_adjtime()
    if adjust is None:
        return None
    data = Timex()  # modes is 0: look, change nothing
    state = adjust(ctypes.byref(data))
    return None if state < 0 else (state, data)


@cache
def _ntp_adjtime() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None), "ntp_adjtime", None)
    return function


def add_timex(batch: Batch, answer: tuple[int, Timex] | None) -> None:
    """Add what the kernel says about its clock."""
    if answer is None:
        return
    state, data = answer
    unit = 1e9 if data.status & _STATUS_NANOSECONDS else 1e6
    batch.add(OFFSET, data.offset / unit)
    batch.add(MAXIMUM_ERROR, data.maxerror / 1e6)
    batch.add(ESTIMATED_ERROR, data.esterror / 1e6)
    batch.add(STATUS, data.status)
    batch.add(SYNC_STATUS, float(state != _TIME_ERROR))
    batch.add(FREQUENCY, 1 + data.freq / 65536e6)
    batch.add(TAI_OFFSET, data.tai)
