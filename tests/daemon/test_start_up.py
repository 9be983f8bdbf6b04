"""What a daemon keeps in memory that watches one machine and was told nothing else: only what that needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

RUN = """
import asyncio, sys
from daemon.cli.start import plain_start
assert plain_start(["run"]) is not None
from daemon import app
from daemon.config import load
from pathlib import Path

async def main():
    daemon = app.Daemon(load(Path(sys.argv[1])))
    running = asyncio.create_task(daemon.run())
    while not daemon.ready:
        await asyncio.wait([running], timeout=0.01)
        assert not running.done(), running.exception()
    loaded = sorted(sys.modules)
    daemon.request_stop()
    await running
    print("\\n".join(loaded))

asyncio.run(main())
"""

UNUSED = (
    # libraries
    "click", "typer", "rich", "dbos", "sqlalchemy.orm", "asyncpg", "dns",
    # the command line
    "daemon.cli.commands", "daemon.cli.output", "daemon.config_reference", "alerting.unit_test",
    "alerting.quality.dependency",
    # sources that no section asks for
    "collectors.scrape.config", "collectors.scrape.build",
    "collectors.http_probe.config", "collectors.http_probe.build",
    "collectors.sql.config", "collectors.sql.build", "collectors.command.config", "collectors.command.build",
    "collectors.http", "collectors.discovery.file_sd", "collectors.discovery.dns_sd", "collectors.discovery.http_sd",
    # receivers and services that are not there
    "exporters.remote_write.client", "exporters.remote_write.endpoint", "exporters.remote_write.request",
    "actions.keeper", "actions.deployment.steps", "actions.deployment.strategy", "actions.deployment.artifact",
    "actions.deployment.instances.process", "actions.deployment.traffic.proxy",
)  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The modules of a process whose daemon is ready."""
    folder = tmp_path_factory.mktemp("start_up")
    config = folder / "watchkeeper.yml"
    config.write_text(f"web: {{listen: '127.0.0.1:0'}}\nstate: {{directory: '{folder / 'state'}'}}\n")
    environment = {name: value for name, value in os.environ.items() if name != "WATCHKEEPER_CONFIG"}
    command = [sys.executable, "-c", RUN, str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert ran.returncode == 0, ran.stderr
    return frozenset(ran.stdout.split())


@pytest.mark.parametrize("name", UNUSED)
def test_a_daemon_without_use_for_it_does_not_load(loaded: frozenset[str], name: str) -> None:
    assert not [module for module in loaded if module == name or module.startswith(f"{name}.")]
