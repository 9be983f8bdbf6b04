"""The shipped unit under a real systemd: a small Debian tree is booted, and a driver inside it reports."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.components import require

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "watchkeeper.service"
INCLUDE = "systemd,systemd-sysv,dbus,procps,python3,libffi8"

_WRAPPER = """#!/usr/bin/python3
import sys
sys.path[:0] = ["/opt/watchkeeper/source", "/opt/watchkeeper/packages"]
from daemon.__main__ import main
main()
"""

_DRIVER_UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /run/driver.py
"""


def _tree() -> Path:
    """Return a Debian tree, made once per set of packages and kept for later runs."""
    debootstrap = require("debootstrap")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "watchkeeper-tests"
    tree = cache / f"bookworm-{hashlib.sha256(INCLUDE.encode()).hexdigest()[:12]}"
    if tree.exists():
        return tree
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"{tree.name}.{os.getpid()}"
    argv = [debootstrap, "--variant=minbase", f"--include={INCLUDE}", "bookworm", str(unfinished)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    unfinished.rename(tree)
    return tree


def _tree_python(tree: Path) -> str:
    return (tree / "usr/bin/python3").readlink().name


@pytest.mark.component("systemd-analyze")
def test_unit_is_hardened() -> None:
    argv = [require("systemd-analyze"), "security", "--offline=yes", "--threshold=20", str(UNIT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the driver saw in one life of the unit inside a booted Debian."""
    nspawn = require("systemd-nspawn")
    if os.geteuid() != 0:
        pytest.skip("booting a Debian tree needs root")
    tree = _tree()
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if _tree_python(tree) != ours:
        pytest.skip(f"Debian's {_tree_python(tree)} cannot use the compiled packages of this {ours}")
    folder = tmp_path_factory.mktemp("systemd")
    for name in ("out", "etc"):
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
    (folder / "watchkeeper").write_text(_WRAPPER)
    (folder / "watchkeeper").chmod(0o755)
    (folder / "driver.service").write_text(_DRIVER_UNIT)
    (folder / "etc" / "credentials").mkdir()
    (folder / "short-watchdog.conf").write_text("[Service]\nWatchdogSec=6s\n")
    binds = [
        f"--bind={folder / 'out'}:/out",
        f"--bind={folder / 'etc'}:/etc/watchkeeper",
        f"--bind-ro={folder / 'watchkeeper'}:/usr/bin/watchkeeper",
        f"--bind-ro={folder / 'driver.service'}:/etc/systemd/system/driver.service",
        f"--bind-ro={folder / 'short-watchdog.conf'}:/etc/systemd/system/watchkeeper.service.d/watchdog.conf",
        f"--bind-ro={Path(__file__).with_name('systemd_driver.py')}:/run/driver.py",
        f"--bind-ro={UNIT}:/etc/systemd/system/watchkeeper.service",
        f"--bind-ro={ROOT}:/opt/watchkeeper/source",
        f"--bind-ro={sysconfig.get_path('purelib')}:/opt/watchkeeper/packages",
    ]
    argv = [
        nspawn, "--quiet", f"--directory={tree}", "--boot", "--volatile=overlay", "--register=no", "--keep-unit",
        # nspawn allows even reading the clock's state only to a tree that has this; the unit itself drops it.
        "--private-network", "--capability=CAP_SYS_TIME", *binds,
        "systemd.unit=multi-user.target", "systemd.wants=driver.service",
    ]  # fmt: skip
    environment = dict(os.environ)
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "0"
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    report = folder / "out" / "seen.json"
    assert report.exists(), f"the driver did not report\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    result: dict[str, Any] = json.loads(report.read_text())
    assert "failure" not in result, result["failure"] + result["journal"]
    return result


pytestmark = pytest.mark.slow


@pytest.mark.component("systemd-nspawn")
def test_unit_is_ready_when_the_page_answers(seen: dict[str, Any]) -> None:
    assert (seen["start"], seen["active"], seen["health"]) == ("", "active", "healthy")
    assert "page at http://127.0.0.1:8797/" in seen["status_text"]
    assert seen["targets"]["system"] == "up"
    assert seen["clock_is_watched"]


@pytest.mark.component("systemd-nspawn")
def test_unit_runs_as_a_user_without_capabilities(seen: dict[str, Any]) -> None:
    assert seen["user_id"] != 0
    assert int(seen["capabilities"], 16) == 0
    assert "state.db" in seen["state_files"]


@pytest.mark.component("systemd-nspawn")
def test_reload_takes_a_good_file_and_survives_a_bad_one(seen: dict[str, Any]) -> None:
    assert (seen["reload"], seen["bad_reload"], seen["active_after_bad_reload"]) == ("", "", "active")
    assert "global.scrape_interval: 'soon' is no duration" in seen["refusal"]


@pytest.mark.component("systemd-nspawn")
def test_killed_daemon_comes_back_with_its_state(seen: dict[str, Any]) -> None:
    assert seen["entries_after_kill"] > seen["entries_before_kill"]
    assert seen["faults_after_kill"] == []


@pytest.mark.component("systemd-nspawn")
def test_hanging_daemon_is_restarted_by_the_watchdog(seen: dict[str, Any]) -> None:
    assert seen["watchdog_said"]


@pytest.mark.component("systemd-nspawn")
def test_stop_is_quick_clean_and_keeps_the_state(seen: dict[str, Any]) -> None:
    assert (seen["stop"], seen["after_stop"], seen["result"]) == ("", "inactive", "success")
    assert seen["stop_seconds"] < 10
    assert "state.db" in seen["state_kept"]
