"""One service in one environment: its configuration, history, instances and router, as steps use them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from actions.deployment.instances.runtime import InstanceSpec, InstanceState, Runtime
from actions.deployment.revision import History, Revision, RevisionStore
from actions.deployment.service import EnvironmentConfig, HealthCheckConfig, fill, from_snapshot, log_folder
from actions.deployment.traffic.router import Backend, TrafficRouter
from core.clock import Clock
from core.errors import PermanentError

FULL_WEIGHT = 100
LOG_TAIL_LINES = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer of a health check; `answer` is one line for people."""

    healthy: bool
    answer: str


class Prober(Protocol):
    """Asks instances for their health."""

    async def probe(self, check: HealthCheckConfig, address: str, values: Mapping[str, str]) -> Probe:
        """Probe once, within the check's timeout; a failure is an answer, not an error.

        Args:
            address: `host:port` to ask.
            values: what fills the placeholders of a command.
        """


class Artifacts(Protocol):
    """Checks and unpacks artifacts."""

    async def verify(self, artifact: str, sha256: str | None) -> str:
        """Return the artifact's sha256.

        Raises: UserError: it cannot be read, or it is another than the given one.
        """

    async def unpack(self, artifact: str, folder: Path, sha256: str) -> None:
        """Put the artifact's content into `folder`, all of it or nothing; safe to repeat."""

    async def is_unpacked(self, folder: Path) -> bool:
        """Tell whether `folder` holds a whole artifact."""

    async def remove(self, folder: Path) -> None:
        """Remove an unpacked artifact; does nothing where there is none."""


class Site:
    """What steps may use. `config` is that of the operation: a reload does not change it half-way.

    Attributes:
        folder: where artifacts and logs of this service and environment live.
    """

    def __init__(
        self,
        service: str,
        environment: str,
        config: EnvironmentConfig,
        *,
        revisions: RevisionStore,
        runtime: Runtime,
        router: TrafficRouter | None,
        prober: Prober,
        artifacts: Artifacts,
        folder: Path,
        clock: Clock,
    ) -> None:
        self.service = service
        self.environment = environment
        self.config = config
        self.revisions = revisions
        self.runtime = runtime
        self.router = router
        self.prober = prober
        self.artifacts = artifacts
        self.folder = folder
        self.clock = clock

    @property
    def name(self) -> str:
        """The site as people write it: `shop/production`."""
        return f"{self.service}/{self.environment}"

    @property
    def prefix(self) -> str:
        """What the ids of all its instances start with."""
        return f"{self.service}/{self.environment}/"

    def folder_template(self) -> str:
        """Return where revisions are unpacked, with `{number}` for the revision's number."""
        return str(self.folder / "revisions" / "{number}")

    def instance_ids(self, history: History, number: int) -> tuple[str, ...]:
        """Return the ids of a revision's instances; empty while it has no ports."""
        return tuple(f"{self.prefix}r{number}/{index}" for index in range(len(history.ports.get(number, ()))))

    def specs(self, history: History, number: int) -> list[InstanceSpec]:
        """Return what runs for a revision, by the configuration that was deployed with it."""
        revision = history.get(number)
        process = from_snapshot(revision.settings).runtime.process
        found = []
        for index, port in enumerate(history.ports.get(number, ())):
            values = placeholders(revision, index, port)
            found.append(
                InstanceSpec(
                    id=f"{self.prefix}r{number}/{index}",
                    argv=tuple(fill(word, values) for word in process.argv),
                    working_directory=Path(fill(process.working_directory, values)),
                    environment={key: fill(value, values) for key, value in process.environment.items()},
                    user=process.user,
                    port=port,
                    log_file=log_folder(self.folder) / f"r{number}-{index}.log",
                )
            )
        return found

    async def live(self) -> dict[str, InstanceState]:
        """Return the live instances by id, whatever revision they belong to."""
        return {state.id: state for state in await self.runtime.find(self.prefix)}

    def backends(self, history: History, to: int, idle: int | None) -> list[Backend]:
        """Return the router's backends: all weight on `to`, none on `idle`."""
        found = [*self._backends(history, to, FULL_WEIGHT)]
        if idle is not None and idle != to:
            found += self._backends(history, idle, 0)
        return found

    def _backends(self, history: History, number: int, weight: int) -> list[Backend]:
        version = history.get(number).version
        ids = self.instance_ids(history, number)
        ports = history.ports.get(number, ())
        return [
            Backend(instance, f"127.0.0.1:{port}", weight, version) for instance, port in zip(ids, ports, strict=True)
        ]

    async def weights(self) -> dict[str, int] | None:
        """Return the router's weights by instance id; None where it does not run or there is none."""
        traffic = await self.router.observe() if self.router is not None else None
        return {backend.id: backend.weight for backend in traffic.backends} if traffic is not None else None

    async def probe(self, history: History, number: int) -> dict[str, Probe]:
        """Probe each instance of a revision once, all at the same time; an absent one counts as unhealthy."""
        revision, live = history.get(number), await self.live()
        check = from_snapshot(revision.settings).health_check
        ids, ports = self.instance_ids(history, number), history.ports.get(number, ())

        async def one(index: int) -> Probe:
            if ids[index] not in live:
                return Probe(False, "is not running")
            values = placeholders(revision, index, ports[index])
            return await self.prober.probe(check, f"127.0.0.1:{ports[index]}", values)

        answers = await asyncio.gather(*(one(index) for index in range(len(ids))))
        return dict(zip(ids, answers, strict=True))

    async def is_healthy(self, history: History, number: int) -> bool:
        """Tell whether a revision has instances and every one of them passes a probe now."""
        answers = await self.probe(history, number)
        return bool(answers) and all(probe.healthy for probe in answers.values())

    async def ensure_ports(self, number: int) -> None:
        """Give a revision's instances their ports, unless it has them.

        Raises: PermanentError: the pool has too few free ones.
        """
        history = await self.revisions.history()
        if history.ports.get(number):
            return
        needed = from_snapshot(history.get(number).settings).instances
        free = await self.free_ports(history)
        if len(free) < needed:
            raise PermanentError(
                f"{needed} ports are needed and {len(free)} of the {len(self.config.ports)} in `ports` are free;"
                " give the service more ports, or end what uses them"
            )
        await self.revisions.assign_ports(number, free[:needed])

    async def free_ports(self, history: History) -> list[int]:
        """Return the ports of the pool that no revision holds and that nothing listens on."""
        held = {port for ports in history.ports.values() for port in ports}
        return await asyncio.to_thread(_unused, [port for port in self.config.ports if port not in held])

    async def log_tail(self, history: History, number: int, instance_id: str) -> str:
        """Return the last lines an instance wrote, in one line; empty where it wrote nothing."""
        files = {spec.id: spec.log_file for spec in self.specs(history, number)}
        return await asyncio.to_thread(_tail, files[instance_id])


def placeholders(revision: Revision, index: int, port: int) -> dict[str, str]:
    """Return the values of the placeholders for one instance."""
    return {"port": str(port), "artifact": revision.folder, "version": revision.version, "instance": str(index)}


def _unused(ports: Sequence[int]) -> list[int]:
    found = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 4096))
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join(line.strip()[:200] for line in lines[-LOG_TAIL_LINES:] if line.strip())
