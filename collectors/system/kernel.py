"""CPU, memory, limits and the kernel's other counters, from /proc: what psutil does not tell, or not in full."""

from __future__ import annotations

import os
import re
from pathlib import Path

from collectors.readings import Batch
from collectors.system.proc import number, read_number, read_text, word_lines
from metrics.frame import Family, MetricType

_GAUGE, _COUNTER, _UNTYPED = MetricType.GAUGE, MetricType.COUNTER, MetricType.UNTYPED

CPU = Family("node_cpu_seconds_total", _COUNTER, "Seconds the CPUs spent in each mode.")
CPU_GUEST = Family(
    "node_cpu_guest_seconds_total", _COUNTER, "Seconds the CPUs spent in guests (VMs) for each mode; part of `user`."
)
CPU_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
LOADS = (
    Family("node_load1", _GAUGE, "1m load average."),
    Family("node_load5", _GAUGE, "5m load average."),
    Family("node_load15", _GAUGE, "15m load average."),
)
BOOT_TIME = Family("node_boot_time_seconds", _GAUGE, "Boot time in Unix seconds.")
TIME = Family("node_time_seconds", _GAUGE, "System time in Unix seconds.")
UNAME = Family("node_uname_info", _GAUGE, "The system as uname names it; the value is 1.")
PROCESSES = Family("node_processes_pids", _GAUGE, "Number of processes.")
THREADS = Family("node_processes_threads", _GAUGE, "Number of threads of all processes.")
_STAT = {
    "ctxt": Family("node_context_switches_total", _COUNTER, "Total number of context switches."),
    "processes": Family("node_forks_total", _COUNTER, "Total number of forks."),
    "btime": BOOT_TIME,
    "intr": Family("node_intr_total", _COUNTER, "Total number of interrupts serviced."),
    "procs_running": Family("node_procs_running", _GAUGE, "Number of processes that run or could."),
    "procs_blocked": Family("node_procs_blocked", _GAUGE, "Number of processes that wait for I/O."),
}
_NUMBER_FILES = {
    "sys/kernel/pid_max": Family("node_processes_max_processes", _GAUGE, "Most process ids that there can be."),
    "sys/kernel/threads-max": Family("node_processes_max_threads", _GAUGE, "Most threads that there can be."),
    "sys/net/netfilter/nf_conntrack_count": Family(
        "node_nf_conntrack_entries", _GAUGE, "Flow entries in the connection tracking table."
    ),
    "sys/net/netfilter/nf_conntrack_max": Family(
        "node_nf_conntrack_entries_limit", _GAUGE, "Size of the connection tracking table."
    ),
}
_FILES_ALLOCATED = Family("node_filefd_allocated", _GAUGE, "Open file descriptors.")
_FILES_MAXIMUM = Family("node_filefd_maximum", _GAUGE, "Most file descriptors that can be open.")
_PRESSURE = {
    (resource, kind): Family(f"node_pressure_{resource}_{name}_seconds_total", _COUNTER, text)
    for resource in ("cpu", "io", "memory")
    for kind, name, text in (
        ("some", "waiting", f"Total time in which processes waited for {resource}."),
        ("full", "stalled", f"Total time in which no process could go on for want of {resource}."),
    )
    if (resource, kind) != ("cpu", "full")  # means nothing for the whole machine
}
_VMSTAT = re.compile(r"oom_kill|pgpg(?:in|out)|pswp(?:in|out)|pg(?:maj)?fault")
_TICKS = float(os.sysconf("SC_CLK_TCK"))
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_families: dict[str, Family] = {}


def _family(name: str, kind: MetricType, help_text: str) -> Family:
    """Return the same object for the same name, for names that the kernel makes up."""
    return _families.setdefault(name, Family(name, kind, help_text))


def add_stat(batch: Batch, proc: Path) -> None:
    """CPU times, interrupts, forks, boot time (/proc/stat)."""
    for words in word_lines(read_text(proc / "stat")):
        name = words[0]
        if name in _STAT:
            batch.add(_STAT[name], float(words[1]))
        elif name.startswith("cpu") and name != "cpu":
            _add_cpu(batch, name[3:], [float(ticks) / _TICKS for ticks in words[1:]])


def _add_cpu(batch: Batch, cpu: str, seconds: list[float]) -> None:
    for mode, value in zip(CPU_MODES, seconds, strict=False):
        batch.add(CPU, value, (("cpu", cpu), ("mode", mode)))
    for mode, value in zip(("user", "nice"), seconds[len(CPU_MODES) :], strict=False):
        batch.add(CPU_GUEST, value, (("cpu", cpu), ("mode", mode)))


def add_threads(batch: Batch, proc: Path) -> None:
    """How many threads there are (/proc/loadavg; walking through all processes would take 20 ms)."""
    for words in word_lines(read_text(proc / "loadavg")):
        batch.add(THREADS, float(words[3].partition("/")[2]))


def add_memory(batch: Batch, proc: Path) -> None:
    """Every field of /proc/meminfo; those in kB become bytes."""
    for words in word_lines(read_text(proc / "meminfo")):
        field = words[0].rstrip(":").replace("(", "_").replace(")", "")
        in_kib = len(words) == 3
        name = f"node_memory_{field}_bytes" if in_kib else f"node_memory_{field}"
        family = _family(name, _GAUGE, f"Memory information field {field}{'_bytes' if in_kib else ''}.")
        batch.add(family, float(words[1]) * (1024 if in_kib else 1))


def add_numbers(batch: Batch, proc: Path) -> None:
    """What stands alone in a file: limits, connection tracking, file descriptors."""
    for path, family in _NUMBER_FILES.items():
        value = read_number(proc / path)
        if value is not None:
            batch.add(family, value)
    for words in word_lines(read_text(proc / "sys/fs/file-nr")):
        batch.add(_FILES_ALLOCATED, float(words[0]))
        batch.add(_FILES_MAXIMUM, float(words[2]))


def add_uname(batch: Batch, proc: Path) -> None:
    """What the system is (uname)."""
    system = os.uname()
    labels = (
        ("sysname", system.sysname),
        ("release", system.release),
        ("version", system.version),
        ("machine", system.machine),
        ("nodename", system.nodename),
        ("domainname", (read_text(proc / "sys/kernel/domainname") or "(none)").strip()),
    )
    batch.add(UNAME, 1.0, labels)


def add_pressure(batch: Batch, proc: Path) -> None:
    """How long work waited for CPU, I/O and memory (/proc/pressure; kernels without it have no such files)."""
    for resource in ("cpu", "io", "memory"):
        for words in word_lines(read_text(proc / "pressure" / resource)):
            family = _PRESSURE.get((resource, words[0]))
            total = words[-1].removeprefix("total=")
            if family is not None:
                batch.add(family, float(total) / 1e6)


def add_vmstat(batch: Batch, proc: Path) -> None:
    """Paging, page faults and kills for want of memory (/proc/vmstat)."""
    for words in word_lines(read_text(proc / "vmstat")):
        if _VMSTAT.fullmatch(words[0]):
            family = _family(f"node_vmstat_{words[0]}", _UNTYPED, f"/proc/vmstat information field {words[0]}.")
            batch.add(family, float(words[1]))


def add_sockets(batch: Batch, proc: Path) -> None:
    """Sockets by protocol and state (/proc/net/sockstat and sockstat6)."""
    for file in ("net/sockstat", "net/sockstat6"):
        for words in word_lines(read_text(proc / file)):
            protocol = words[0].rstrip(":")
            for state, text in zip(words[1::2], words[2::2], strict=False):
                _add_socket(batch, protocol, state, number(text) or 0.0)


def _add_socket(batch: Batch, protocol: str, state: str, value: float) -> None:
    name = "node_sockstat_sockets_used" if protocol == "sockets" else f"node_sockstat_{protocol}_{state}"
    batch.add(_family(name, _GAUGE, f"Number of {protocol} sockets in state {state}."), value)
    if state == "mem":
        batch.add(_family(f"{name}_bytes", _GAUGE, f"Memory of {protocol} sockets."), value * _PAGE_BYTES)
