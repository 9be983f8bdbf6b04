"""What the steps of deployments have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from actions.action import ActionContext, Order, PlannedStep
from actions.deployment.revision import History
from actions.deployment.site import Site


class SiteStep(ABC):
    """What the steps of a site have in common. `observe` finds nothing done unless a step says how to tell."""

    def __init__(self, planned: PlannedStep, order: Order, context: ActionContext) -> None:
        self.site: Site = context.need_site()
        self.order = order
        self.arguments: dict[str, Any] = dict(planned.arguments)

    async def observe(self) -> str | None:
        """Return None: there is something to do."""
        return None

    @abstractmethod
    async def make_it_so(self) -> str:
        """Do it; see Step."""

    async def history(self) -> History:
        """Return what is recorded of the site."""
        return await self.site.revisions.history()
