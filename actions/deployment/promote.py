"""Promote: the bake is over, the new revision becomes the good one and the old one is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from actions.action import ActionContext, Ending, Order, Plan, PlannedStep, Step
from actions.deployment.steps import step_of
from actions.deployment.strategy import name
from core.config import Section
from core.errors import ConflictError


class PromoteParameters(Section):
    """A promotion concerns whatever bakes."""


class PromoteAction:
    """Look at the health once more, record the new good side, then stop the old one: in this order.

    Once recorded, nothing leads back to instances that are about to go.
    """

    parameters_type: ClassVar[type[Section]] = PromoteParameters
    needs_service: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    async def check(self, order: Order, context: ActionContext) -> None:
        """Refuse when nothing bakes."""
        del order
        site = context.need_site()
        history = await site.revisions.history()
        if history.current is None or history.baking_until is None:
            raise ConflictError(f"{site.name}: no revision is baking, there is nothing to promote")

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Return the steps for the revision that bakes now."""
        await self.check(order, context)
        history = await context.need_site().revisions.history()
        current, standby = history.current, history.standby
        assert current is not None
        steps = [
            PlannedStep("confirm_healthy", {"do": "confirm_healthy", "revision": current}),
            PlannedStep("record_promotion", {"do": "record_promotion", "current": current}),
        ]
        if standby is not None:
            stop = {"do": "stop_instances", "revision": standby}
            steps.append(PlannedStep("stop_" + name(standby), stop, cancellable=False))
        steps.append(PlannedStep("remove_old_artifacts", {"do": "remove_old_artifacts"}, cancellable=False))
        return Plan(tuple(steps), {"revision": current, "version": history.get(current).version, "from": standby})

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what carries out a planned step."""
        return step_of(step, order, context)

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Nothing: before the record nothing was changed, after it the keeper clears away what is left."""
        del done, ending, order, context
        return ()
