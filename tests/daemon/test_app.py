"""The daemon as a process, from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components import require
from tests.daemon.running import ROOT, RunningDaemon, free_port, running_daemon

pytestmark = pytest.mark.slow

_QUICK = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"


def _targets(daemon: RunningDaemon) -> dict[str, str]:
    return {target["source"]: target["health"] for target in daemon.get("overview")["targets"]}


def _kinds(daemon: RunningDaemon) -> list[str]:
    return [entry["kind"] for entry in daemon.get("logbook?limit=1000")["entries"]]


def test_daemon_watches_its_machine_without_any_config(tmp_path: Path) -> None:
    with running_daemon(tmp_path, _QUICK) as daemon:
        daemon.wait("the machine's metrics", lambda: _targets(daemon).get("system") == "up")
        metrics = daemon.text("/metrics")
        for name in ("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "watchkeeper_build_info"):
            assert f"\n{name}" in metrics
        assert daemon.get("/-/healthy")["status"] == "healthy"
        answer = daemon.get("query?query=node_load1")
        assert answer["data"]["result"][0]["metric"]["job"] == "system"


def test_stop_is_quick_and_clean(tmp_path: Path) -> None:
    with running_daemon(tmp_path, _QUICK) as daemon:
        daemon.wait("a collection", lambda: _targets(daemon).get("system") == "up")
        status, seconds = daemon.stop()
        assert (status, seconds < 10) == (0, True)
        log = daemon.log.read_text()
        assert "Traceback" not in log
        assert "did not" not in log
        daemon.start()
        assert _kinds(daemon)[:3] == ["daemon.started", "daemon.stopped", "daemon.started"]


def test_killed_daemon_starts_again_over_its_state(tmp_path: Path) -> None:
    with running_daemon(tmp_path, _QUICK) as daemon:
        daemon.kill()
        daemon.start()
        assert _kinds(daemon) == ["daemon.started", "daemon.started"]
        assert daemon.get("logbook/verify")["faults"] == []


def test_killed_daemon_still_has_its_samples(tmp_path: Path) -> None:
    def samples() -> float:
        found = daemon.get("query?query=count_over_time(node_load1%5B1h%5D)")["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    with running_daemon(tmp_path, _QUICK) as daemon:
        before = daemon.wait("some samples", lambda: samples() >= 3 and samples())
        daemon.kill()
        daemon.start()
        assert samples() >= before


def _lint(promtool: str, metrics: str) -> set[str]:
    argv = [promtool, "check", "metrics"]
    done = subprocess.run(argv, input=metrics, capture_output=True, text=True, check=False)
    return set((done.stdout + done.stderr).splitlines())


@pytest.mark.component("promtool")
@pytest.mark.component("prometheus-node-exporter")
def test_promtool_finds_nothing_but_what_it_finds_in_node_exporters_own_names(tmp_path: Path) -> None:
    promtool, exporter, port = require("promtool"), require("prometheus-node-exporter"), free_port()
    with (tmp_path / "exporter.log").open("wb") as log:
        process = subprocess.Popen([exporter, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        peer = _peer(f"http://127.0.0.1:{port}", tmp_path / "exporter.log")
        known = _lint(promtool, peer.wait("node_exporter", lambda: peer.text("/metrics")))
    finally:
        process.terminate()
        process.wait(20)
    with running_daemon(tmp_path, _QUICK) as daemon:
        daemon.wait("the machine's metrics", lambda: _targets(daemon).get("system") == "up")
        assert _lint(promtool, daemon.text("/metrics")) - known == set()


def _peer(url: str, log: Path) -> RunningDaemon:
    """Another program, asked in the same ways as a daemon."""
    peer = RunningDaemon.__new__(RunningDaemon)
    peer.url, peer.process, peer.log = url, None, log
    return peer


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[str, RunningDaemon]]:
    """A Prometheus that scrapes a daemon."""
    program, port = require("prometheus"), free_port()
    with running_daemon(tmp_path, _QUICK) as daemon:
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: watchkeeper, static_configs: [{{targets: ['127.0.0.1:{daemon.port}']}}]}}]\n"
        )
        argv = [
            program, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        with (tmp_path / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}", daemon
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.component("prometheus")
def test_prometheus_scrapes_the_daemon(prometheus: tuple[str, RunningDaemon]) -> None:
    url, daemon = prometheus
    peer = _peer(url, daemon.folder / "prometheus.log")

    def value(query: str) -> str | None:
        result: list[Any] = peer.get(f"/api/v1/query?query={query}")["data"]["result"]
        return result[0]["value"][1] if result else None

    peer.wait("up == 1", lambda: value("up") == "1")
    peer.wait("the machine's metrics", lambda: value("node_load1"))
    assert value("scrape_samples_scraped") == value("scrape_samples_post_metric_relabeling")


def test_bad_config_keeps_the_running_one_and_says_so(tmp_path: Path) -> None:
    with running_daemon(tmp_path, _QUICK) as daemon:
        daemon.configure("scrape_configs: [{jobname: x}]\nthresholds: [{name: A, expr: 'up ='}]\n")
        status, answer = daemon.post("/-/reload", {})
        assert status == 400
        assert "scrape_configs.0.jobname: unknown key; did you mean 'job_name'?" in answer["error"]["message"]
        overview = daemon.get("overview")
        assert "watchkeeper.yml:3:" in overview["config"]["error"]
        assert "watchkeeper_config_last_reload_successful 0.0" in daemon.text("/metrics")
        daemon.configure("global: {scrape_interval: 2s}\n")
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait("the good config", lambda: daemon.get("overview")["config"]["error"] is None)
        daemon.wait(
            "the new interval",
            lambda: {target["interval_seconds"] for target in daemon.get("overview")["targets"]} == {2.0},
        )
        assert [kind for kind in _kinds(daemon) if kind.startswith("config.")] == ["config.refused", "config.reloaded"]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "daemon", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_second_daemon_on_the_same_state_or_port_is_refused(tmp_path: Path) -> None:
    with running_daemon(tmp_path, _QUICK) as daemon:
        done = _run("run", "--config", str(daemon.config_file))
        assert done.returncode == 1
        assert f"in use by the daemon with pid {daemon.process.pid if daemon.process else 0}" in done.stderr
        other = tmp_path / "other.yml"
        other.write_text(f"web: {{listen: '127.0.0.1:{daemon.port}'}}\nstate: {{directory: '{tmp_path / 'other'}'}}\n")
        done = _run("run", "--config", str(other))
        assert done.returncode == 1
        assert f"127.0.0.1:{daemon.port}" in done.stderr
        assert "change web.listen" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("a: b: c", "is no YAML"),
        ("web: {listen: '0.0.0.0:8797'}", "web.listen: "),
        ("scrape_configs: 5", "scrape_configs: should be a valid "),
        ("nonsense: 1", "nonsense: unknown key"),
        ("groups: [{name: a, rules: [{alert: B, expr: 'sum('}]}]", "groups.0.rules.0.expr: "),
        ("- a", "must be a mapping"),
    ],
)
def test_mistaken_config_is_named_by_place_and_nothing_starts(tmp_path: Path, config: str, message: str) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(config)
    for command in (("check", str(file)), ("run", "--config", str(file))):
        done = _run(*command)
        assert done.returncode == 1
        assert message in done.stdout + done.stderr
        assert "bad.yml:1:" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_degrades_and_recovers_by_itself(tmp_path: Path, small_disk: Path) -> None:
    daemon = RunningDaemon(tmp_path)
    daemon.state = small_disk / "state"
    daemon.configure(_QUICK)
    try:
        daemon.start()
        ballast = small_disk / "ballast"
        with ballast.open("wb") as stream:
            try:
                while True:
                    stream.write(b"\0" * 65536)
                    stream.flush()
            except OSError:
                pass
        daemon.configure("global: {scrape_interval: 1s, scrape_timeout: 1s}\nlog: {level: debug}\n")
        daemon.wait("trouble", lambda: _reload_until_trouble(daemon))
        daemon.wait("the store", lambda: "watchkeeper_store_trouble 1.0" in daemon.text("/metrics"))
        assert "samples are not safe on disk" in str(daemon.get("/-/healthy")["reasons"])
        assert "watchkeeper_state_database_writable 0.0" in daemon.text("/metrics")
        daemon.wait("the machine is still watched", lambda: _targets(daemon).get("system") == "up")
        ballast.unlink()
        daemon.wait("recovery", lambda: daemon.get("/-/healthy")["status"] == "healthy")
        assert "watchkeeper_state_database_writable 1.0" in daemon.text("/metrics")
        assert daemon.get("logbook/verify")["faults"] == []
        assert daemon.stop()[0] == 0
    finally:
        daemon.stop()


def _reload_until_trouble(daemon: RunningDaemon) -> bool:
    """Make the daemon write until the disk is really full."""
    daemon.post("/-/reload", {})
    return "database" in str(daemon.get("/-/healthy")["reasons"])
