"""What deploying and rolling back have in common, which is nearly everything."""

from __future__ import annotations

from collections.abc import Sequence

from actions.action import ActionContext, Ending, Order, PlannedStep, Step
from actions.deployment.revision import History, Revision
from actions.deployment.service import from_snapshot
from actions.deployment.site import Site
from actions.deployment.steps import step_of
from actions.deployment.strategy import Facts, plan_settling, plan_transition


async def transition_steps(
    site: Site, history: History, candidate: Revision, *, rollback: bool
) -> Sequence[PlannedStep]:
    """Observe, and return the steps that bring a revision into service.

    Raises: UserError: it cannot be done; nothing was changed.
    """
    live = await site.live()
    running = {
        n for n in (r.number for r in history.revisions) if any(i.startswith(f"{site.prefix}r{n}/") for i in live)
    }
    facts = Facts(
        strategy=site.config.strategy,
        candidate=candidate.number,
        fresh=not rollback,
        current=history.current,
        standby=history.standby,
        has_router=site.router is not None,
        free_ports=len(await site.free_ports(history)),
        instances=from_snapshot(candidate.settings).instances,
        running=frozenset(running | set(history.ports)),
        bake_seconds=0.0 if candidate.promoted_at is not None else site.config.bake,
        rollback=rollback,
    )
    return plan_transition(facts)


class Transition:
    """Carries out and settles the steps; deploy and rollback add how the candidate is chosen."""

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what carries out a planned step."""
        return step_of(step, order, context)

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Send traffic to the healthy side and stop what was started for nothing."""
        del ending
        history = await context.need_site().revisions.history()
        return plan_settling(
            [str(step.arguments["do"]) for step in done],
            candidate=_candidate(done, order, history),
            current=history.current,
            standby=history.standby,
            rollback=_is_rollback(done),
        )


def _candidate(done: Sequence[PlannedStep], order: Order, history: History) -> int | None:
    """Return the revision the operation was about; it may have been numbered though no step was begun."""
    if done:
        return int(done[0].arguments["revision"])
    return next((revision.number for revision in history.revisions if revision.operation == order.id), None)


def _is_rollback(done: Sequence[PlannedStep]) -> bool:
    return bool(done) and done[0].arguments["do"] == "find_artifact"
