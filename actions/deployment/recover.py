"""Recover: make what runs what should run, after a crash of an instance, of the router or of the whole machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from actions.action import ActionContext, Ending, Order, Plan, PlannedStep, Step
from actions.deployment.revision import History
from actions.deployment.site import Site
from actions.deployment.steps import step_of
from actions.deployment.strategy import Desired, Need, Observed, needs, plan_recovery
from core.config import Section
from core.errors import TransientError


class RecoverParameters(Section):
    """A recovery finds out by itself what is needed."""


class RecoverAction:
    """Start what is missing, wait for its health, set the router right, stop what belongs to nobody."""

    parameters_type: ClassVar[type[Section]] = RecoverParameters
    needs_service: ClassVar[bool] = True
    exclusive: ClassVar[bool] = True

    async def check(self, order: Order, context: ActionContext) -> None:
        """Nothing can be wrong with it."""
        del order, context

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Observe, and return what has to be done."""
        del order
        site = context.need_site()
        history = await site.revisions.history()
        found = await site_needs(site, history)
        steps = plan_recovery(
            found, current=history.current, standby=history.standby, has_router=site.router is not None
        )
        return Plan(steps, {"revision": history.current, "needs": [need.value for need in found]})

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what carries out a planned step."""
        return step_of(step, order, context)

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Where the serving revision does not come back, let the one that stands by take over."""
        del done, ending, order
        history = await context.need_site().revisions.history()
        if history.current is None or history.standby is None:
            return ()
        arguments = {"do": "restore_traffic", "candidate": 0, "prefer": [history.current, history.standby]}
        return (PlannedStep("restore_traffic", arguments),)


async def site_needs(site: Site, history: History) -> list[Need]:
    """Compare what runs with what should run."""
    wanted = {
        number: frozenset(site.instance_ids(history, number)) or frozenset({f"{site.prefix}r{number}/0"})
        for number in (history.current, history.standby)
        if number is not None
    }
    desired = Desired(
        serving=wanted.get(history.current, frozenset()) if history.current is not None else frozenset(),
        standby=wanted.get(history.standby, frozenset()) if history.standby is not None else frozenset(),
        has_router=site.router is not None,
    )
    try:
        weights = await site.weights()
    except TransientError:
        weights = None  # it runs but does not answer: setting it right is what is needed
    return needs(desired, Observed(frozenset(await site.live()), weights))
