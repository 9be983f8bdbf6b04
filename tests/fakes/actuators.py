"""Instances, routers and artifacts that exist only in memory, with every call written down."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from actions.deployment.instances.runtime import InstanceSpec, InstanceState
from actions.deployment.service import HealthCheckConfig
from actions.deployment.site import Probe
from actions.deployment.sites import Actuators
from actions.deployment.traffic.router import Backend, Traffic
from core.clock import Clock
from core.errors import PermanentError, TransientError, UserError


class FakeWorld:
    """All that the fakes below share.

    Attributes:
        sick: instances whose id contains one of these fail their health check.
        dying: instances whose id contains one of these end as soon as they are started.
        zero_traffic: moments at which a service that had traffic had no live backend with weight.
        calls: what was done, in order.
        failures: errors to raise once, by the name of the call (`ensure_running`, `ensure`, `unpack`).
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.live: dict[str, InstanceState] = {}
        self.specs: dict[str, InstanceSpec] = {}
        self.routers: dict[str, FakeRouter] = {}
        self.unpacked: dict[Path, str] = {}
        self.sick: set[str] = set()
        self.dying: set[str] = set()
        self.calls: list[str] = []
        self.failures: dict[str, list[Exception]] = {}
        self.had_traffic = False
        self.zero_traffic: list[str] = []
        self.logs_bounded: list[str] = []
        self._pid = 1000

    def actuators(self) -> Actuators:
        runtime = FakeRuntime(self)
        return Actuators(runtime, self._router, FakeProber(self), FakeArtifacts(self))

    def _router(self, name: str, listen: str) -> FakeRouter:
        return self.routers.setdefault(name, FakeRouter(self, listen))

    def call(self, name: str, what: str) -> None:
        self.calls.append(f"{name} {what}")
        if self.failures.get(name):
            raise self.failures[name].pop(0)

    def start(self, spec: InstanceSpec) -> InstanceState:
        self._pid += 1
        state = InstanceState(spec.id, self._pid, self.clock.now(), spec.port, True)
        self.specs[spec.id] = spec
        if not any(part in spec.id for part in self.dying):
            self.live[spec.id] = state
        return state

    def reboot(self) -> None:
        """Everything that ran is gone, and so is the traffic, which is nobody's fault."""
        self.live.clear()
        for router in self.routers.values():
            router.backends = None
        self.had_traffic = False

    def check_traffic(self, after: str) -> None:
        """Note when a service that had traffic has no healthy backend with weight."""
        for router in self.routers.values():
            backends = router.backends or ()
            taking = [b for b in backends if b.weight > 0 and self.serves(b.id)]
            if taking:
                self.had_traffic = True
            elif self.had_traffic:
                self.zero_traffic.append(after)

    def serves(self, instance_id: str) -> bool:
        return instance_id in self.live and not any(part in instance_id for part in self.sick)


class FakeRuntime:
    """Implements Runtime."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    async def observe(self, instance_id: str) -> InstanceState | None:
        return self._world.live.get(instance_id)

    async def ensure_running(self, spec: InstanceSpec) -> InstanceState:
        if spec.id in self._world.live:
            return self._world.live[spec.id]
        self._world.call("ensure_running", spec.id)
        return self._world.start(spec)

    async def ensure_stopped(self, instance_id: str, *, grace_seconds: float) -> None:
        del grace_seconds
        if instance_id in self._world.live:
            self._world.call("ensure_stopped", instance_id)
            del self._world.live[instance_id]
            self._world.check_traffic(f"stopping {instance_id}")

    async def find(self, prefix: str) -> list[InstanceState]:
        return [state for instance, state in sorted(self._world.live.items()) if instance.startswith(prefix)]

    async def bound_logs(self) -> None:
        self._world.logs_bounded.append("instances")
        for error in self._world.failures.pop("bound_logs", ()):
            raise error


class FakeRouter:
    """Implements TrafficRouter."""

    def __init__(self, world: FakeWorld, listen: str) -> None:
        self._world = world
        self.listen = listen
        self.backends: tuple[Backend, ...] | None = None

    async def observe(self) -> Traffic | None:
        return Traffic(self.listen, self.backends, {}) if self.backends is not None else None

    async def ensure(self, backends: Sequence[Backend]) -> None:
        self._world.call("ensure", " ".join(f"{b.id}={b.weight}" for b in backends))
        self.backends = tuple(backends)
        self._world.check_traffic("switching traffic")

    async def drain(self, backend_ids: Sequence[str], *, timeout_seconds: float) -> bool:
        del timeout_seconds
        self._world.call("drain", " ".join(backend_ids))
        return True

    async def ensure_stopped(self) -> None:
        self.backends = None

    async def bound_log(self) -> None:
        self._world.logs_bounded.append(self.listen)

    @property
    def taking(self) -> list[str]:
        return [backend.id for backend in self.backends or () if backend.weight > 0]


class FakeProber:
    """Implements Prober: instances are healthy unless the world says otherwise; a router is, if its backends are."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    async def probe(self, check: HealthCheckConfig, address: str, values: Mapping[str, str]) -> Probe:
        del check, values
        for router in self._world.routers.values():
            if router.listen == address:
                healthy = bool(router.taking) and all(self._world.serves(instance) for instance in router.taking)
                return Probe(healthy, "200 through the router" if healthy else "503 through the router")
        port = int(address.rpartition(":")[2])
        at_port = [state.id for state in self._world.live.values() if state.port == port]
        healthy = bool(at_port) and self._world.serves(at_port[0])
        return Probe(healthy, "GET / answered 200" if healthy else "GET / answered 500: out of order")


class FakeArtifacts:
    """Implements Artifacts: an artifact's sha256 is that of its path, its content is remembered."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    async def verify(self, artifact: str, sha256: str | None) -> str:
        self._world.call("verify", artifact)
        found = hashlib.sha256(artifact.encode()).hexdigest()
        if sha256 is not None and sha256 != found:
            raise UserError(f"{artifact}: sha256 is {found}, not {sha256}; give the right artifact or checksum")
        return found

    async def unpack(self, artifact: str, folder: Path, sha256: str) -> None:
        del sha256
        self._world.call("unpack", artifact)
        self._world.unpacked[folder] = artifact

    async def is_unpacked(self, folder: Path) -> bool:
        return folder in self._world.unpacked

    async def remove(self, folder: Path) -> None:
        self._world.call("remove", str(folder))
        self._world.unpacked.pop(folder, None)


def transient(message: str = "try again") -> Exception:
    return TransientError(message)


def permanent(message: str = "broken") -> Exception:
    return PermanentError(message)
