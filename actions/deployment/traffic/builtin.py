"""The daemon's side of the built-in router: starts its process, finds it again, and tells it what to do."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actions.deployment.instances import census, launch, log_file, proc, user
from actions.deployment.instances.record import file_name
from actions.deployment.traffic import backends_file, control_client
from actions.deployment.traffic.router import Backend, Traffic
from core.clock import Clock
from core.errors import PermanentError, TransientError, WatchkeeperError

_START_SECONDS = 15.0
_STOP_SECONDS = 12.0
_KILL_SECONDS = 5.0
_MODULE = "actions.deployment.traffic.router_process"


class BuiltinRouter:
    """Implements the TrafficRouter contract with a process of its own for each service and environment.

    The process outlives the daemon (see `instances.launch` for what that asks of systemd) and is found again by its
    control socket, which answers with its name and state directory. It keeps its backends on the disk: a router that
    died serves the same again as soon as `ensure` has started it. A changed `listen` address means a restart, and
    this alone breaks connections, after the requests under way have ended (at most 10 s).

    Args:
        name: unique in the daemon: `shop/production`.
        listen: `host:port` where requests arrive.
        response_seconds: the most that a backend may take to begin its answer.
    """

    def __init__(
        self, name: str, listen: str, state_directory: Path, clock: Clock, *, response_seconds: float = 60.0
    ) -> None:
        self._name = name
        self._listen = listen
        self._state_directory = state_directory.resolve()
        self._clock = clock
        self._response_seconds = response_seconds
        self._files = self._state_directory / "routers" / file_name(name)
        self._turn = asyncio.Lock()
        self._child = 0

    async def observe(self) -> Traffic | None:
        """Return what the router does now; None when it is not running.

        Raises: TransientError: it runs but does not answer.
        """
        state = await self._state()
        return None if state is None else _traffic(state)

    async def ensure(self, backends: Sequence[Backend]) -> None:
        """Start the router where it does not run, then give it exactly these backends, all at once.

        Raises:
            PermanentError: it cannot be started (the port is taken), with the reason and the remedy; or it refuses
                the backends.
            TransientError: it runs but does not answer.
        """
        async with self._turn:
            state = await self._state()
            if state is not None and state["listen"] != self._listen:
                await self._stop()
                state = None
            if state is None:
                await self._start()
            body = json.dumps({"backends": backends_file.to_json(backends)}).encode()
            if await self._call("PUT", "/backends", body) is None:
                raise TransientError(f"router {self._name}: ended while it was given its backends; see {self._log}")

    async def drain(self, backend_ids: Sequence[str], *, timeout_seconds: float) -> bool:
        """Wait until none of these has a request under way; a router that does not run has none.

        Returns: whether that was so within `timeout_seconds`.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        pause = 0.02
        while True:
            traffic = await self.observe()
            if traffic is None or not any(traffic.in_flight.get(name, 0) for name in backend_ids):
                return True
            if self._clock.monotonic() >= deadline:
                return False
            await self._clock.sleep(min(pause, max(0.0, deadline - self._clock.monotonic())))
            pause = min(pause * 1.5, 0.5)

    async def ensure_stopped(self) -> None:
        """End the router after the requests under way, at most 12 s; its saved backends stay."""
        async with self._turn:
            await self._stop()

    async def readings_json(self) -> dict[str, Any] | None:
        """Return what the router counted since its start, as `Tally.as_json` and `started_at`; None when not running.

        Raises: TransientError: it runs but does not answer.
        """
        return await self._call("GET", "/readings")

    async def bound_log(self, max_bytes: int = log_file.MAX_BYTES) -> None:
        """Keep the router's log within bounds; to be called from time to time."""
        await asyncio.to_thread(log_file.bound, self._log, max_bytes)

    @property
    def _log(self) -> Path:
        return self._files.with_suffix(".log")

    async def _call(self, method: str, target: str, body: bytes = b"") -> dict[str, Any] | None:
        return await control_client.call(self._files.with_suffix(".sock"), method, target, body)

    async def _state(self) -> dict[str, Any] | None:
        state = await self._call("GET", "/state")
        if state is None:
            await asyncio.to_thread(launch.exit_code, self._child)  # a router that died is no zombie for long
        elif (state["name"], state["state_directory"]) != (self._name, str(self._state_directory)):
            raise PermanentError(
                f"router {self._name}: {self._files.with_suffix('.sock')} is answered by the router {state['name']} of"
                f" {state['state_directory']} (process {state['pid']}); end that process or use another state directory"
            )
        return state

    async def _start(self) -> None:
        await self._end_silent_ones()
        log_start = await asyncio.to_thread(lambda: self._log.stat().st_size if self._log.exists() else 0)
        self._child = await asyncio.to_thread(self._launch)
        deadline = self._clock.monotonic() + _START_SECONDS
        while await self._call("GET", "/state") is None:
            if (code := await asyncio.to_thread(launch.exit_code, self._child)) is not None:
                lines = await asyncio.to_thread(log_file.last_lines, self._log, log_start)
                why = lines[-1] if lines else f"it exited with {code}, having written nothing"
                raise PermanentError(f"router {self._name}: {why}")
            if self._clock.monotonic() >= deadline:
                raise TransientError(f"router {self._name}: did not start within {_START_SECONDS:g} s; see {self._log}")
            await self._clock.sleep(0.03)

    def _launch(self) -> int:
        self._files.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        account = user.account(None)
        markers = {census.ROUTER: self._name, census.STATE: str(self._state_directory), "MALLOC_ARENA_MAX": "1"}
        arguments = (
            "--state", str(self._state_directory), "--name", self._name, "--listen", self._listen,
            "--response-seconds", f"{self._response_seconds:g}",
        )  # fmt: skip
        return launch.launch(
            (sys.executable, "-P", "-m", _MODULE, *arguments),
            working_directory=Path("/"),
            environment=launch.environment(account, markers),
            account=account,
            log=self._log,
        )

    async def _stop(self) -> None:
        found = await asyncio.to_thread(self._processes)
        try:
            answered = await self._call("POST", "/stop") is not None
        except WatchkeeperError:
            answered = False
        if answered:
            await self._wait_for_the_end(found, _STOP_SECONDS)
        await self._end_silent_ones()
        await asyncio.to_thread(launch.exit_code, self._child)

    async def _end_silent_ones(self) -> None:
        """End by force what runs of this router without answering: it would hold the port and the lock."""
        found = await asyncio.to_thread(self._processes)
        for process in found:
            proc.send_signal(process, signal.SIGKILL)
        if not await self._wait_for_the_end(found, _KILL_SECONDS):
            raise PermanentError(f"router {self._name}: its process did not end even on SIGKILL; see `ps`")

    async def _wait_for_the_end(self, found: Sequence[proc.Process], seconds: float) -> bool:
        # By identity: a process that is ending has no environment any more while it still holds its sockets.
        deadline = self._clock.monotonic() + seconds
        while any(proc.is_alive(process) for process in found):
            if self._clock.monotonic() >= deadline:
                return False
            await self._clock.sleep(0.02)
        return True

    def _processes(self) -> list[proc.Process]:
        """Return the live processes of this router."""
        wanted = (self._name, str(self._state_directory))
        candidates = (proc.process(pid) for pid in proc.pids() if _marks(pid) == wanted)
        return [found for found in candidates if found is not None and not found.is_dead]


def _marks(pid: int) -> tuple[str | None, str | None]:
    variables = proc.environment(pid, containing=census.ROUTER)
    return variables.get(census.ROUTER), variables.get(census.STATE)


def _traffic(state: dict[str, Any]) -> Traffic:
    backends = tuple(Backend(**entry) for entry in state["backends"])
    return Traffic(state["listen"], backends, {name: int(count) for name, count in state["in_flight"].items()})
