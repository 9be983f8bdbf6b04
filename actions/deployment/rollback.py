"""Rollback: a deployment whose revision is an older one. Same steps, same health check, same settling."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from actions.action import ActionContext, Order, Plan
from actions.deployment.revision import History, Revision, chosen_target, rollback_target
from actions.deployment.transition import Transition, transition_steps
from core.config import Section
from core.errors import ConflictError


class RollbackParameters(Section):
    """Where to go back to; the last good revision when neither is given."""

    revision: int | None = Field(default=None, ge=1, description="Number of the revision.", examples=[3])
    version: str | None = Field(default=None, min_length=1, description="Its version.", examples=["1.4.1"])


class RollbackAction(Transition):
    """Bring back a revision that is kept. During a bake its instances still run: then it is a traffic switch."""

    parameters_type: ClassVar[type[Section]] = RollbackParameters
    needs_service: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    async def check(self, order: Order, context: ActionContext) -> None:
        """Refuse what leads nowhere, and a second automatic rollback of the same revision."""
        history = await context.need_site().revisions.history()
        _target(order, history)
        if order.automatic and history.current is not None:
            current = history.get(history.current)
            if current.rolled_back_by is not None:
                raise ConflictError(
                    f"revision {current.number} has been rolled back automatically once (operation"
                    f" {current.rolled_back_by}); a person has to decide now"
                )

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Choose the revision and return its way into service."""
        site = context.need_site()
        history = await site.revisions.history()
        target = _target(order, history)
        steps = await transition_steps(site, history, target, rollback=True)
        if order.automatic and history.current is not None:
            await site.revisions.mark_rollback_begun(history.current, order.id)
        result = {"revision": target.number, "version": target.version, "from": history.current}
        return Plan(tuple(steps), result)


def _target(order: Order, history: History) -> Revision:
    parameters = RollbackParameters.model_validate(dict(order.parameters))
    if parameters.revision is None and parameters.version is None:
        return rollback_target(history)
    return chosen_target(history, parameters.revision, parameters.version)
