"""The whole product, end to end: the demo's own verdict is the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from daemon.cli.demo.processes import MARKER

pytestmark = pytest.mark.slow

LIMIT_SECONDS = 90
COMMAND = [sys.executable, "-m", "daemon", "demo"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where demos make their own folders."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tempfile.tempdir = None
    return tmp_path


def leftovers(folder: Path) -> list[str]:
    """Return the command lines of processes that still belong to a demo in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER, "").startswith(str(folder)) or str(folder) in process.cmdline():
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("options", [[], ["--kill-daemon"]], ids=["plain", "kill-daemon"])
def test_a_bad_release_is_noticed_and_rolled_back(options: list[str], folder: Path) -> None:
    began = time.monotonic()
    ran = subprocess.run([*COMMAND, "--json", *options], capture_output=True, text=True, timeout=150, check=False)
    seconds = time.monotonic() - began
    assert ran.returncode == 0, _explain(ran, folder)
    report = json.loads(ran.stdout)
    print(f"demo {' '.join(options)}: {seconds:.1f} s, detect {report['time_to_detect_seconds']:.2f} s,"
          f" recover {report['time_to_recover_seconds']:.2f} s, {report['requests']}")  # fmt: skip
    assert report["succeeded"]
    assert report["missing"] == []
    assert report["requests"]["failed"] > 0
    assert bool(report["killed_during"]) == bool(options)
    assert seconds < LIMIT_SECONDS
    assert leftovers(folder) == []
    assert list(folder.iterdir()) == []


def _explain(ran: subprocess.CompletedProcess[str], folder: Path) -> str:
    logs = [file.read_text(errors="replace")[-4000:] for file in folder.glob("*/daemon.log")]
    return "\n".join([ran.stdout, ran.stderr, *logs])


def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    # Whoever runs the tests in the background hands an ignored SIGINT down to all children.
    demo = subprocess.Popen(["env", "--default-signal=INT", *COMMAND], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    assert demo.stdout is not None
    for line in demo.stdout:
        if "users arrive" in line:
            break
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=40)
    assert (demo.returncode, errors) == (130, "")
    assert leftovers(folder) == []
    assert list(folder.iterdir()) == []
