"""Deploy: bring a new revision of a service into service, or leave everything as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from actions.action import ActionContext, Order, Plan
from actions.deployment.revision import quarantined
from actions.deployment.service import snapshot
from actions.deployment.transition import Transition, transition_steps
from core.config import Section
from core.errors import ConflictError, UserError

_SUFFIXES = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar", ".zip")


class DeployParameters(Section):
    """What a deployment is given."""

    artifact: str = Field(
        min_length=1, description="A folder or archive on this machine.", examples=["/srv/releases/shop-1.4.2.tar.gz"]
    )
    sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-fA-F]{64}$",
        description="The checksum it must have.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    version: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$",
        description="What people call it; default the artifact's name.",
        examples=["1.4.2"],
    )
    force: bool = Field(default=False, description="Deploy it although it is quarantined.", examples=[False])


class DeployAction(Transition):
    """Verify, unpack, start, wait for health, switch traffic, verify; the old revision stays until the bake is over."""

    parameters_type: ClassVar[type[Section]] = DeployParameters
    needs_service: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    async def check(self, order: Order, context: ActionContext) -> None:
        """Refuse what is quarantined or does not exist."""
        parameters = DeployParameters.model_validate(dict(order.parameters))
        artifact = _path(parameters, context)
        if not await asyncio.to_thread(artifact.exists):
            raise UserError(f"{artifact} does not exist; give `artifact` the path of a folder or archive")
        history = await context.need_site().revisions.history()
        bad = quarantined(history, version_of(parameters), parameters.sha256 or "")
        if bad is not None and not parameters.force:
            raise ConflictError(
                f"version {bad.version} is quarantined: it was rolled back automatically as revision {bad.number};"
                " deploy a fixed version, or say force"
            )

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Number the candidate and return its way into service."""
        site = context.need_site()
        parameters = DeployParameters.model_validate(dict(order.parameters))
        candidate = await site.revisions.add(
            operation=order.id,
            version=version_of(parameters),
            artifact=str(_path(parameters, context)),
            folder_of=site.folder_template(),
            settings=snapshot(site.config),
        )
        history = await site.revisions.history()
        steps = await transition_steps(site, history, candidate, rollback=False)
        result = {"revision": candidate.number, "version": candidate.version, "from": history.current}
        return Plan(tuple(steps), result)


def version_of(parameters: DeployParameters) -> str:
    """Return the version that was given, else the artifact's name without its suffix."""
    if parameters.version is not None:
        return parameters.version
    name = Path(parameters.artifact).name
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _path(parameters: DeployParameters, context: ActionContext) -> Path:
    return context.base / parameters.artifact
