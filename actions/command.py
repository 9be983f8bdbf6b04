"""Command: run a program of this machine, without a shell, within a time, its output captured."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from actions.action import ActionContext, Ending, Order, Plan, PlannedStep, Step
from core.config import Duration, Section
from core.errors import PermanentError

OUTPUT_BYTES = 16_384
"""How much of a command's output is kept: its end."""

GRACE_SECONDS = 5.0

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR")


class CommandParameters(Section):
    """What to run."""

    argv: list[str] = Field(
        min_length=1, description="Program and arguments.", examples=[["systemctl", "restart", "x"]]
    )
    working_directory: str | None = Field(default=None, description="Where to run it; default /.", examples=["/srv"])
    environment: dict[str, str] = Field(
        default_factory=dict,
        description="Environment variables, added to PATH, LANG, LC_ALL, TZ, HOME and TMPDIR of the daemon.",
        examples=[{"MODE": "safe"}],
    )
    timeout: Duration = Field(default=300.0, gt=0, description="The most it may take.", examples=["5m"])


class CommandAction:
    """One run. It is started again when the daemon was killed meanwhile: a command must be safe to repeat."""

    parameters_type: ClassVar[type[Section]] = CommandParameters
    needs_service: ClassVar[bool] = False
    exclusive: ClassVar[bool] = True

    async def check(self, order: Order, context: ActionContext) -> None:
        """Nothing but the parameters can be wrong with it."""
        del order, context

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Return the one step."""
        del context
        return Plan((PlannedStep("run"),), {"argv": list(order.parameters["argv"])})

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what runs it."""
        del step
        return _Run(order, context)

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Nothing: what a command did is not known here."""
        del done, ending, order, context
        return ()


class _Run:
    def __init__(self, order: Order, context: ActionContext) -> None:
        self._order = order
        self._context = context
        self._parameters = CommandParameters.model_validate(dict(order.parameters))

    async def observe(self) -> str | None:
        """What a command changes is not known here."""
        return None

    async def make_it_so(self) -> str:
        """Run it to its end, in a session of its own, so that its children end with it."""
        parameters = self._parameters
        process = await self._start()
        try:
            async with asyncio.timeout(parameters.timeout):
                output = await _read_end(process)
                status = await process.wait()
        except TimeoutError:
            await _end(process)
            raise PermanentError(
                f"{parameters.argv[0]} did not end within {parameters.timeout:g} s; raise `timeout` if it needs longer"
            ) from None
        except BaseException:
            await _end(process)
            raise
        said = " | ".join(output.decode(errors="replace").strip().splitlines()[-5:])[-1000:]
        if status != 0:
            ended = f"ended with status {status}" if status > 0 else f"was ended by {signal.Signals(-status).name}"
            raise PermanentError(f"{parameters.argv[0]} {ended}" + (f": {said}" if said else ""))
        return said or "ended with status 0"

    async def _start(self) -> asyncio.subprocess.Process:
        parameters = self._parameters
        folder = Path(parameters.working_directory or "/")
        try:
            return await asyncio.create_subprocess_exec(
                *parameters.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._context.base / folder,
                env=_environment(parameters, self._order),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PermanentError(f"cannot start {parameters.argv[0]!r}: {reason}; check `argv`") from error


def _environment(parameters: CommandParameters, order: Order) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    about = {
        "WATCHKEEPER_OPERATION": order.id,
        "WATCHKEEPER_SERVICE": order.service,
        "WATCHKEEPER_ENVIRONMENT": order.environment,
    }
    return {**inherited, **about, **parameters.environment}


async def _read_end(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    kept = b""
    while chunk := await process.stdout.read(65_536):
        kept = (kept + chunk)[-OUTPUT_BYTES:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command's whole session: asked first, then by force."""
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(patience):
                await _read_end(process)
                await process.wait()
        except TimeoutError:
            continue
        break
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()
