"""Runs inside a booted Debian tree: puts the shipped unit through its life and writes what it saw as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import traceback
import urllib.request
from pathlib import Path
from typing import Any

UNIT = "watchkeeper.service"
CONFIG = Path("/etc/watchkeeper/watchkeeper.yml")
API = "http://127.0.0.1:8797"
seen: dict[str, Any] = {}


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False, timeout=90)
    return done.stdout.strip() + done.stderr.strip()


def shown(name: str) -> str:
    return systemctl("show", "--value", "-p", name, UNIT)


def get(path: str) -> Any:
    with urllib.request.urlopen(API + path, timeout=10) as answer:
        return json.load(answer)


def overview() -> Any:
    return get("/api/watchkeeper/v1/overview")


def wait(what: str, holds: Any, seconds: float = 40.0) -> None:
    """Poll: this side of the boundary has no event to wait for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(what)


def state_files() -> list[str]:
    return sorted(path.name for path in Path("/var/lib/private/watchkeeper").iterdir())


def configure(text: str) -> None:
    CONFIG.write_text(text)


def start() -> None:
    configure("global: {scrape_interval: 2s}\n")
    began = time.monotonic()
    seen["start"] = systemctl("start", UNIT)
    seen["start_seconds"] = round(time.monotonic() - began, 2)
    seen["active"] = shown("ActiveState")
    seen["status_text"] = shown("StatusText")
    pid = shown("MainPID")
    seen["user_id"] = int(Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0])
    seen["capabilities"] = Path(f"/proc/{pid}/status").read_text().split("CapEff:")[1].split()[0]
    seen["state_files"] = state_files()
    seen["health"] = get("/-/healthy")["status"]
    wait("a first collection", lambda: any(t["health"] == "up" for t in overview()["targets"]))
    seen["clock_is_watched"] = bool(get("/api/watchkeeper/v1/query?query=node_timex_offset_seconds")["data"]["result"])
    seen["targets"] = {target["source"]: target["health"] for target in overview()["targets"]}


def reload() -> None:
    before = overview()["config"]["loaded_at"]
    configure("global: {scrape_interval: 3s}\n")
    seen["reload"] = systemctl("reload", UNIT)
    wait("the new config", lambda: overview()["config"]["loaded_at"] > before)
    configure("global: {scrape_interval: soon}\n")
    seen["bad_reload"] = systemctl("reload", UNIT)
    wait("the refusal", lambda: overview()["config"]["error"])
    seen["refusal"] = overview()["config"]["error"]
    seen["active_after_bad_reload"] = shown("ActiveState")
    configure("global: {scrape_interval: 2s}\n")
    systemctl("reload", UNIT)
    wait("the mended config", lambda: overview()["config"]["error"] is None)


def kill() -> None:
    pid = int(shown("MainPID"))
    seen["entries_before_kill"] = get("/api/watchkeeper/v1/logbook/verify")["entries"]
    os.kill(pid, signal.SIGKILL)
    wait("a restart", lambda: shown("MainPID") not in ("0", str(pid)) and shown("ActiveState") == "active")
    verified = get("/api/watchkeeper/v1/logbook/verify")
    seen["entries_after_kill"] = verified["entries"]
    seen["faults_after_kill"] = verified["faults"]


def hang() -> None:
    pid = int(shown("MainPID"))
    os.kill(pid, signal.SIGSTOP)
    wait("the watchdog", lambda: shown("MainPID") not in ("0", str(pid)) and shown("ActiveState") == "active", 60)
    log = subprocess.run(["journalctl", "-u", UNIT, "-o", "cat"], capture_output=True, text=True, check=False).stdout
    seen["watchdog_said"] = [line for line in log.splitlines() if "Watchdog timeout" in line]


def stop() -> None:
    began = time.monotonic()
    seen["stop"] = systemctl("stop", UNIT)
    seen["stop_seconds"] = round(time.monotonic() - began, 2)
    seen["result"] = shown("Result")
    seen["after_stop"] = shown("ActiveState")
    seen["state_kept"] = state_files()


def main() -> None:
    try:
        for act in (start, reload, kill, hang, stop):
            act()
    except Exception:  # noqa: BLE001 - whatever it is, it goes into the report
        seen["failure"] = traceback.format_exc()
        seen["journal"] = subprocess.run(
            ["journalctl", "-b", "-n", "80", "-o", "short-monotonic"], capture_output=True, text=True, check=False
        ).stdout
    Path("/out/seen.json").write_text(json.dumps(seen))
    subprocess.run(["systemctl", "poweroff"], check=False)


main()
