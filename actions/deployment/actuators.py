"""The real actuators: processes of this machine, the built-in router, artifacts on the disk, health checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from actions.deployment import artifact as artifact_files
from actions.deployment.health_check import CommandCheck, HealthCheck, HttpCheck, TcpCheck
from actions.deployment.instances.process import ProcessRuntime
from actions.deployment.service import HealthCheckConfig, fill
from actions.deployment.site import Probe
from actions.deployment.sites import Actuators
from actions.deployment.traffic.builtin import BuiltinRouter
from core.clock import Clock
from core.errors import UserError


def real_actuators(state_directory: Path, clock: Clock) -> Actuators:
    """Return what really changes the world; its records and sockets are kept in the state directory."""
    return Actuators(
        runtime=ProcessRuntime(state_directory, clock),
        router_of=lambda name, listen: BuiltinRouter(name, listen, state_directory, clock),
        prober=CheckProber(),
        artifacts=ArtifactFiles(),
    )


class CheckProber:
    """Implements Prober with the health checks of the configuration."""

    async def probe(self, check: HealthCheckConfig, address: str, values: Mapping[str, str]) -> Probe:
        """Probe once."""
        answer = await _check(check, address, values).check()
        return Probe(answer.healthy, answer.text)


def _check(config: HealthCheckConfig, address: str, values: Mapping[str, str]) -> HealthCheck:
    if config.http is not None:
        url = f"http://{address}{config.http.path}"
        return HttpCheck(url, (config.http.expect_status,), config.timeout)
    if config.command is not None:
        argv = tuple(fill(word, values) for word in config.command.argv)
        return CommandCheck(argv, config.timeout)
    host, _, port = address.rpartition(":")
    return TcpCheck(host.strip("[]"), int(port), config.timeout)


class ArtifactFiles:
    """Implements Artifacts with directories and archives of this machine."""

    async def verify(self, artifact: str, sha256: str | None) -> str:
        """Return the checksum, compared with the wanted one."""
        found = await artifact_files.digest(Path(artifact))
        if sha256 is not None and found != sha256.lower():
            message = f"its sha256 is {found}, but {sha256.lower()} is expected; give the right file or the right sum"
            raise UserError(f"artifact {artifact}: {message}")
        return found

    async def unpack(self, artifact: str, folder: Path, sha256: str) -> None:
        """Unpack, checked once more on the way."""
        await artifact_files.unpack(Path(artifact), sha256, folder)

    async def is_unpacked(self, folder: Path) -> bool:
        """Tell whether the folder is whole and undamaged."""
        return await artifact_files.is_whole(folder)

    async def remove(self, folder: Path) -> None:
        """Remove the folder and its manifest."""
        await artifact_files.remove(folder)
