"""Golden files of /proc, with what other tools read from the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collectors.readings import Batch, ReadingsBuilder
from collectors.system import disk, kernel, network
from collectors.system.filesystem import parse_mounts
from metrics.label import format_labels

NOTHING = re.compile(r"(?!)")


def series_of(batch: Batch) -> dict[str, float]:
    readings = ReadingsBuilder().build(batch)
    return dict(zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    files = {
        "stat": "cpu  30 2 20 1000 5 1 2 0 4 0\ncpu0 10 1 10 500 2 0 1 0 4 0\ncpu3 20 1 10 500 3 1 1 0 0 0\n"
        "intr 500 1 2 3\nctxt 7000\nbtime 1700000000\nprocesses 321\nprocs_running 2\nprocs_blocked 1\n",
        "meminfo": "MemTotal:       16000 kB\nActive(anon):    10 kB\nHugePages_Total:       3\n",
        "diskstats": " 8 0 sda 100 5 200 1500 50 6 400 2500 3 4000 4100 7 8 9 10 11 12\n"
        " 8 1 sda1 1 1 1 1 1 1 1 1 1 1 1\n 259 0 nvme0n1 1 0 8 1 0 0 0 0 0 1 1\n",
        "net/dev": "Inter-| Receive | Transmit\n face |bytes ... |bytes ...\n"
        "    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
        "  eth0:1000 10 1 2 3 4 5 6 2000 20 7 8 9 10 11 12\n",
        "net/sockstat": "sockets: used 16\nTCP: inuse 1 orphan 0 tw 1 alloc 1 mem 2\n",
        "pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        "pressure/io": "some avg10=0 avg60=0 avg300=0 total=1\nfull avg10=0 avg60=0 avg300=0 total=2000000\n",
        "vmstat": "nr_free_pages 1\noom_kill 4\npgmajfault 9\n",
        "sys/fs/file-nr": "429\t0\t2466174\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_cpu_times_are_seconds_by_cpu_and_mode(proc: Path) -> None:
    batch = Batch()
    kernel.add_stat(batch, proc)
    series = series_of(batch)
    assert series['node_cpu_seconds_total{cpu="0",mode="idle"}'] == 5.0
    assert series['node_cpu_seconds_total{cpu="3",mode="user"}'] == 0.2
    assert series['node_cpu_guest_seconds_total{cpu="0",mode="user"}'] == 0.04
    assert series["node_context_switches_total"] == 7000
    assert series["node_boot_time_seconds"] == 1700000000
    assert series["node_intr_total"] == 500
    assert series["node_forks_total"] == 321
    assert (series["node_procs_running"], series["node_procs_blocked"]) == (2, 1)
    assert not any('cpu=""' in name for name in series)


def test_memory_fields_in_kib_become_bytes_and_counts_stay_counts(proc: Path) -> None:
    batch = Batch()
    kernel.add_memory(batch, proc)
    assert series_of(batch) == {
        "node_memory_MemTotal_bytes": 16000 * 1024,
        "node_memory_Active_anon_bytes": 10 * 1024,
        "node_memory_HugePages_Total": 3,
    }


def test_disks_are_told_in_bytes_and_seconds_and_partitions_are_left_out(proc: Path) -> None:
    batch = Batch()
    disk.add_disks(batch, proc, re.compile(r"^sd[a-z]\d+$"))
    series = series_of(batch)
    assert series['node_disk_reads_completed_total{device="sda"}'] == 100
    assert series['node_disk_read_bytes_total{device="sda"}'] == 200 * 512
    assert series['node_disk_written_bytes_total{device="sda"}'] == 400 * 512
    assert series['node_disk_io_now{device="sda"}'] == 3
    assert series['node_disk_io_time_seconds_total{device="sda"}'] == 4.0
    assert series['node_disk_flush_requests_total{device="sda"}'] == 11
    assert 'node_disk_reads_completed_total{device="nvme0n1"}' in series
    assert 'node_disk_flush_requests_total{device="nvme0n1"}' not in series
    assert not any("sda1" in name for name in series)


def test_network_columns_keep_their_order_and_excluded_devices_are_left_out(proc: Path) -> None:
    batch = Batch()
    network.add_traffic(batch, proc, re.compile("^lo$"))
    series = series_of(batch)
    assert series['node_network_receive_bytes_total{device="eth0"}'] == 1000
    assert series['node_network_receive_multicast_total{device="eth0"}'] == 6
    assert series['node_network_transmit_bytes_total{device="eth0"}'] == 2000
    assert series['node_network_transmit_carrier_total{device="eth0"}'] == 11
    assert len(series) == 16


def test_properties_of_a_device_that_does_not_tell_its_speed_are_partial(tmp_path: Path) -> None:
    for device, files in {"eth0": {"operstate": "up\n", "speed": "1000\n", "mtu": "1500\n"}, "tun0": {}}.items():
        folder = tmp_path / "class/net" / device
        folder.mkdir(parents=True)
        for name, content in ({"operstate": "down\n"} | files).items():
            (folder / name).write_text(content)
    batch = Batch()
    network.add_properties(batch, tmp_path, NOTHING)
    assert series_of(batch) == {
        'node_network_up{device="eth0"}': 1.0,
        'node_network_mtu_bytes{device="eth0"}': 1500.0,
        'node_network_speed_bytes{device="eth0"}': 125_000_000.0,
        'node_network_up{device="tun0"}': 0.0,
    }


def test_pressure_sockets_paging_and_limits(proc: Path) -> None:
    batch = Batch()
    kernel.add_pressure(batch, proc)
    kernel.add_sockets(batch, proc)
    kernel.add_vmstat(batch, proc)
    kernel.add_numbers(batch, proc)
    series = series_of(batch)
    assert series["node_pressure_cpu_waiting_seconds_total"] == 1.5
    assert series["node_pressure_io_stalled_seconds_total"] == 2.0
    assert "node_pressure_cpu_stalled_seconds_total" not in series
    assert series["node_sockstat_sockets_used"] == 16
    assert series["node_sockstat_TCP_tw"] == 1
    assert series["node_sockstat_TCP_mem_bytes"] == 2 * 4096
    assert series["node_vmstat_oom_kill"] == 4
    assert "node_vmstat_nr_free_pages" not in series
    assert (series["node_filefd_allocated"], series["node_filefd_maximum"]) == (429, 2466174)


def test_missing_files_leave_their_metrics_out(tmp_path: Path) -> None:
    batch = Batch()
    for add in (
        kernel.add_stat,
        kernel.add_memory,
        kernel.add_numbers,
        kernel.add_pressure,
        kernel.add_vmstat,
        kernel.add_sockets,
        kernel.add_threads,
    ):
        add(batch, tmp_path)
    disk.add_disks(batch, tmp_path, NOTHING)
    network.add_traffic(batch, tmp_path, NOTHING)
    network.add_properties(batch, tmp_path, NOTHING)
    assert batch.values == []


def test_mounts_are_unescaped_filtered_and_hidden_by_what_is_mounted_over_them() -> None:
    text = (
        "proc /proc proc rw 0 0\n"
        "/dev/sda1 / ext4 rw,relatime 0 0\n"
        "/dev/sdb1 /with\\040space\\134and\\011tab ext4 ro,relatime 0 0\n"
        "/dev/sdc1 /data xfs rw 0 0\n"
        "/dev/sdd1 /data xfs rw 0 0\n"
        "overlay /var/lib/docker/x overlay rw 0 0\n"
    )
    mounts = parse_mounts(text, re.compile("^/proc($|/)"), re.compile("^overlay$"))
    assert [(mount.device, mount.mountpoint, mount.read_only) for mount in mounts] == [
        ("/dev/sda1", "/", False),
        ("/dev/sdb1", "/with space\\and\ttab", True),
        ("/dev/sdd1", "/data", False),
    ]
